// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// A picture's equivalent table in a window of its own.
#pragma once

#include <gtk/gtk.h>

#include "../table.h"

// Takes the table's cells over.
GtkWindow *ksv_table_window_new(GtkWindow *parent, const char *title, struct table *t);
GtkColumnView *ksv_table_view_new(const char *name, struct table *t); // the table alone, likewise
