// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Rows in whole leaf pages of a table: some 900 for what SQLite does to insert one.
//
// A leaf that is full of rows is wrapped into a blob, which SQLite inserts as if it were a single row
// that has the last rowid of the leaf's: too big to share a page with others, small enough to be
// without overflow pages. So SQLite makes room for a leaf, links it into the b-tree, keeps journal,
// locks and page counts, and knows nothing else. On the way to the file (leaf_vfs.c) such a page becomes the
// leaf that is wrapped in it. In SQLite's cache it stays wrapped: whoever writes so drops the cache
// after each commit, before what was written is read or goes into a journal.
//
// Rowids must rise from row to row and leaf to leaf, and be greater than all in the table.
#pragma once

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CELL_NULL INT64_MIN // a cell without a value
#define LEAF_VFS  "kalloscope-leaf"

enum {
	LEAF_PAGE = 16384, // bytes of a page of the database
	// Bytes of a wrapped leaf. A row of at most three columns with it takes what a row can take in a leaf
	// without an overflow page: two such rows, or one and a few bytes more, do not fit a page.
	LEAF_BLOB = LEAF_PAGE - 35 - 6,
	LEAF_COLUMNS = 3, // at most
	LEAF_NO_KEY = -1,
	LEAF_ROWS = (LEAF_BLOB - 20) / 8, // more than fit
};

struct leaf {
	size_t rows, bytes; // of cells
	uint64_t last;	    // rowid
	uint16_t at[LEAF_ROWS];
	unsigned char cell[LEAF_PAGE];
};

void leaf_clear(struct leaf *l);
// key: column that is the rowid (INTEGER PRIMARY KEY), LEAF_NO_KEY: none. False: full.
bool leaf_add(struct leaf *l, uint64_t rowid, const int64_t *value, int columns, int key);
void leaf_wrap(const struct leaf *l, unsigned char blob[LEAF_BLOB]);
// page: of a database. False: there is no wrapped leaf in it, and nothing was written to out.
bool leaf_unwrap(const unsigned char *page, unsigned char out[LEAF_PAGE]);

// Makes LEAF_VFS known to SQLite: databases that are opened by it may be given wrapped leaves. Returns
// an SQLite error code.
int leaf_vfs_register(void);
