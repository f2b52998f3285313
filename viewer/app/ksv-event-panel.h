// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// KsvEventPanel: what the current event did, in words, beside whatever view is shown.
#pragma once

#include <gtk/gtk.h>

#include "../explain.h"

#define KSV_TYPE_EVENT_PANEL (ksv_event_panel_get_type())
G_DECLARE_FINAL_TYPE(KsvEventPanel, ksv_event_panel, KSV, EVENT_PANEL, GtkWidget)

GtkWidget *ksv_event_panel_new(void);
void ksv_event_panel_set_model(KsvEventPanel *self, const struct view_model *model);
// The whole text, as shown; for tests.
const char *ksv_event_panel_get_text(KsvEventPanel *self);
