// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// KsvWindow: a recording in a window: views, scrubber, playback, one position for all of them.
#pragma once

#include <adwaita.h>

#define KSV_TYPE_WINDOW (ksv_window_get_type())
G_DECLARE_FINAL_TYPE(KsvWindow, ksv_window, KSV, WINDOW, AdwApplicationWindow)

KsvWindow *ksv_window_new(AdwApplication *app);
// The view shown as PNG or SVG, by the suffix; its table as CSV (events in the background).
gboolean ksv_window_export_picture(KsvWindow *self, const char *path, GError **error);
gboolean ksv_window_export_table(KsvWindow *self, const char *path, GError **error);
void ksv_window_open(KsvWindow *self, const char *path);
