// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// KsvEventsPage: the table of events with the backtraces of the current one and of its match.
//
// Signal "seek" (uint64 event): the user chose a row.
#pragma once

#include <gtk/gtk.h>

#include "../source.h"

#define KSV_TYPE_EVENTS_PAGE (ksv_events_page_get_type())
G_DECLARE_FINAL_TYPE(KsvEventsPage, ksv_events_page, KSV, EVENTS_PAGE, GtkWidget)

GtkWidget *ksv_events_page_new(void);
void ksv_events_page_set_recording(KsvEventsPage *self, struct recording *recording); // NULL: none
// Shows the row of model->event and its stacks, if the model has them.
void ksv_events_page_set_model(KsvEventsPage *self, const struct view_model *model);
