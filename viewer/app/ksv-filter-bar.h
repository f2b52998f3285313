// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// KsvFilterBar: what events are wanted, as words (filter.h) with a switch and a chooser for those that
// are asked for most; and below how far the search is.
//
// Signals: "changed": other words; not twice for the same. "left": Escape, the words are gone.
// "stop": the search is to end.
#pragma once

#include <gtk/gtk.h>

#define KSV_TYPE_FILTER_BAR (ksv_filter_bar_get_type())
G_DECLARE_FINAL_TYPE(KsvFilterBar, ksv_filter_bar, KSV, FILTER_BAR, GtkWidget)

GtkWidget *ksv_filter_bar_new(void);
const char *ksv_filter_bar_get_text(KsvFilterBar *self);
void ksv_filter_bar_set_text(KsvFilterBar *self, const char *text); // "changed" follows at once
void ksv_filter_bar_focus(KsvFilterBar *self);
// What there is to say of the search; NULL: nothing.
void ksv_filter_bar_set_state(KsvFilterBar *self, const char *text, gboolean running);
const char *ksv_filter_bar_get_state(KsvFilterBar *self);
