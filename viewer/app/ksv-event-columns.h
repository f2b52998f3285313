// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The columns of the table of events: what stands in their cells, and by which one the user wants the
// rows in order. Lifetimes are searched for in a worker once the rows are looked at; names of call
// sites are read one by one and kept.
#pragma once

#include <gtk/gtk.h>

#include "../../db/reader_found.h"

struct event_columns;

// Appends them to a table of KsvEvents, whose they are.
struct event_columns *event_columns_new(GtkColumnView *table);
// Before the table has rows of it; NULL: none. For this thread alone.
void event_columns_set_recording(struct event_columns *c, struct recording *recording);
// What the headers ask for; no header: by event, ascending. The sorter of the table tells of changes.
enum found_order event_columns_order(struct event_columns *c, gboolean *descending);
