// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The list of everything the window can do, found by typing part of its name (Ctrl+Shift+P).
#pragma once

#include <gtk/gtk.h>

GtkWindow *ksv_palette_new(GtkWindow *window);
// How many entries are shown for a text; for tests.
guint ksv_palette_count(GtkWindow *palette, const char *text);
