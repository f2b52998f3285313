// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Every picture as a table: for those who cannot see it, and for export as CSV. No display.
//
//   cells: rows * columns texts, row by row; figures are plain numbers, so that other programs
//   can read them
#pragma once

#include <glib.h>
#include <stdio.h>

#include "model.h"

enum {
	TABLE_COLUMNS = 16,
	TABLE_ROWS = 200000, // more are left out, and counted
};

struct table {
	unsigned columns, rows, left_out;
	const char *title[TABLE_COLUMNS];
	char **cell;
	unsigned room; // rows there is room for
};

// Fills the table of a view by its id; false: this view has none (its page is one already).
bool table_build(const struct view_model *v, const char *view, struct table *t);
// Of a tree that is not the model's own.
void table_build_calls(const struct calltree *tree, struct table *t);
const char *table_cell_text(const struct table *t, unsigned row, unsigned column);
void table_finish(struct table *t); // frees the cells; a zeroed table is fine
// As RFC 4180, with a line of titles. 0, or -1 when it could not be written.
int table_write_csv(const struct table *t, FILE *f);
void table_append_csv(const struct table *t, GString *csv);
