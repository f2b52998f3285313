// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// KsvEventsPage: the table of events, all or those a filter lets through, by number or in the order a
// header asks for, with the backtraces of the selected block below.
//
// Signals: "seek" (uint64 event): the user chose a row. "message" (string): as KsvStackView.
#pragma once

#include <adwaita.h>

#include "../source.h"
#include "ksv-details.h"

#define KSV_TYPE_EVENTS_PAGE (ksv_events_page_get_type())
G_DECLARE_FINAL_TYPE(KsvEventsPage, ksv_events_page, KSV, EVENTS_PAGE, GtkWidget)

GtkWidget *ksv_events_page_new(void);
void ksv_events_page_set_recording(KsvEventsPage *self, struct recording *recording); // NULL: none
void ksv_events_page_set_position(KsvEventsPage *self, uint64_t event);
void ksv_events_page_set_details(KsvEventsPage *self, const struct details *d);
// As typed into the filter; see filter.h. "" shows all events.
void ksv_events_page_set_filter(KsvEventsPage *self, const char *text);
// The next (1) or previous (-1) match of the filter; 0: there is none, or no filter.
uint64_t ksv_events_page_neighbour(KsvEventsPage *self, int direction);
// guint64 of the rows when they are not simply all events, else NULL; the caller's.
GArray *ksv_events_page_copy_ids(KsvEventsPage *self);
void ksv_events_page_focus_filter(KsvEventsPage *self);
const char *ksv_events_page_get_state(KsvEventsPage *self); // of the filter, in words
guint ksv_events_page_get_rows(KsvEventsPage *self);
GtkColumnView *ksv_events_page_get_table(KsvEventsPage *self);
