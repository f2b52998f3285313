// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// KsvWindow: a recording in a window: views, scrubber, playback, one position for all of them.
#pragma once

#include <adwaita.h>

#define KSV_TYPE_WINDOW (ksv_window_get_type())
G_DECLARE_FINAL_TYPE(KsvWindow, ksv_window, KSV, WINDOW, AdwApplicationWindow)

KsvWindow *ksv_window_new(AdwApplication *app);
void ksv_window_open(KsvWindow *self, const char *path);
