// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// KsvScanBar: how far a scan is, in words, with a button that stops it.
//
// Signal "stop".
#pragma once

#include <gtk/gtk.h>

#define KSV_TYPE_SCAN_BAR (ksv_scan_bar_get_type())
G_DECLARE_FINAL_TYPE(KsvScanBar, ksv_scan_bar, KSV, SCAN_BAR, GtkWidget)

GtkWidget *ksv_scan_bar_new(void);
void ksv_scan_bar_set(KsvScanBar *self, const char *text, gboolean running); // NULL: nothing to say
// What is stopped, for assistive tools: there are several such buttons.
void ksv_scan_bar_set_stop_name(KsvScanBar *self, const char *name);
const char *ksv_scan_bar_get_text(KsvScanBar *self);
