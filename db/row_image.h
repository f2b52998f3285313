// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Rows as a small SQLite database in memory: INSERT ... SELECT from it copies records whole, where
// from a virtual table every value is fetched, looked at and packed again.
//
// It takes SQLite's shortcut for two tables of the same shape without indexes (other than the
// rowid); where SQLite does not, the same statement is only slower.
//
// The database has the schema name "image" and a single table. Its buffer belongs to the image and is
// written by row_image_show only, between two statements that read it.
#pragma once

#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>

#define CELL_NULL INT64_MIN // a cell without a value

enum {
	ROW_IMAGE_COLUMNS = 3, // at most
	ROW_IMAGE_ROWS = 32768,
	ROW_IMAGE_NO_KEY = -1,
};

struct row_image_table {
	const char *declaration; // CREATE TABLE ..., columns of the types of those that take the rows
	int columns;
	int key; // column that is the INTEGER PRIMARY KEY, rising; ROW_IMAGE_NO_KEY: none
};

struct row_image;
struct row_image *row_image_create(sqlite3 *db); // attaches it; NULL: no memory
void row_image_destroy(struct row_image *m);	 // after the database is closed; NULL is fine
// Replaces what was shown before by n rows (at most ROW_IMAGE_ROWS) of t->columns cells each.
// Returns an SQLite error code.
int row_image_show(struct row_image *m, const struct row_image_table *t, const int64_t *cell,
		   size_t n);
