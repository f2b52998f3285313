// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Rows in SQLite's file format (https://sqlite.org/fileformat2.html).
//
// Page 1, with the header and the schema, is made by SQLite itself; we add the table's b-tree: leaves
// from page 3 on and above them one interior page, which has room for all of them; a single leaf is
// the root, page 2, itself.
#include "row_image.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
	PAGE = 32768, // of the image; that of the recording does not matter
	ROOT = 2,
	LEAF_TYPE = 13,
	LEAF_HEAD = 8,
	INTERIOR_TYPE = 5,
	INTERIOR_HEAD = 12,
	LAST_CHILD_AT = 8,			      // in an interior page
	PAGES_AT = 28,				      // in page 1: how many there are
	CELL_MAX = 1 + 9 + 1 + ROW_IMAGE_COLUMNS * 9, // bytes: of payload, rowid, header and values
	LEAF_ROWS = (PAGE - LEAF_HEAD) / (CELL_MAX + 2), // at least
	PAGES_MAX = ROOT + 1 + ROW_IMAGE_ROWS / LEAF_ROWS,
	TEMPLATES = 4,
};

struct row_image {
	sqlite3 *db;
	unsigned char *data; // pages, as many as ROW_IMAGE_ROWS may take
	struct {
		const struct row_image_table *table;
		unsigned char *page1;
	} template[TEMPLATES];
};

struct page { // being filled: pointers to cells grow up, cells grow down
	unsigned char *at;
	size_t head, cells, start;
};

static void put_be(unsigned char *to, unsigned bytes, uint64_t v)
{
	while (bytes--) {
		to[bytes] = (unsigned char)v;
		v >>= 8;
	}
}

// Numbers below 2^56.
static unsigned put_varint(unsigned char *to, uint64_t v)
{
	unsigned bytes = 1;

	while (v >> 7 * bytes)
		bytes++;
	for (unsigned i = bytes; i--; v >>= 7)
		to[i] = (unsigned char)(v | 0x80);
	to[bytes - 1] &= 0x7f;
	return bytes;
}

// What a record's header says of a value.
static unsigned char type_of(int64_t v)
{
	static const unsigned char by_bytes[] = {0, 1, 2, 3, 4, 5, 5, 6, 6};
	uint64_t magnitude = (uint64_t)(v < 0 ? ~v : v);

	if (v == CELL_NULL)
		return 0;
	if (v == 0 || v == 1)
		return (unsigned char)(8 + v); // which takes no bytes
	return by_bytes[(64 - __builtin_clzll(magnitude | 1)) / 8 + 1];
}

// to: with room for eight bytes.
static unsigned put_value(unsigned char *to, unsigned char type, int64_t v)
{
	static const unsigned char bytes_of[] = {0, 1, 2, 3, 4, 6, 8, 0, 0, 0};
	unsigned bytes = bytes_of[type];
	uint64_t be = bytes ? __builtin_bswap64((uint64_t)v << (64 - 8 * bytes)) : 0;

	memcpy(to, &be, sizeof(be));
	return bytes;
}

static unsigned put_row(unsigned char *to, uint64_t rowid, const int64_t *value,
			const struct row_image_table *t)
{
	unsigned head = 1 + put_varint(to + 1, rowid), at = head + 1 + (unsigned)t->columns;

	to[head] = (unsigned char)(1 + t->columns);
	for (int i = 0; i < t->columns; i++) {
		unsigned char type = i == t->key ? 0 : type_of(value[i]);

		to[head + 1 + (unsigned)i] = type;
		at += put_value(to + at, type, value[i]);
	}
	to[0] = (unsigned char)(at - head);
	return at;
}

static void page_begin(struct page *p, unsigned char *at, unsigned char type)
{
	*p = (struct page){
		.at = at, .head = type == LEAF_TYPE ? LEAF_HEAD : INTERIOR_HEAD, .start = PAGE};
	memset(at, 0, p->head);
	at[0] = type;
}

// False: it is full.
static bool page_add(struct page *p, const unsigned char *cell, size_t bytes)
{
	size_t pointer = p->head + p->cells * 2;

	if (pointer + 2 + bytes > p->start)
		return false;
	p->start -= bytes;
	p->cells++;
	memcpy(p->at + p->start, cell, bytes);
	put_be(p->at + pointer, 2, p->start);
	return true;
}

static void page_end(struct page *p)
{
	put_be(p->at + 3, 2, p->cells);
	put_be(p->at + 5, 2, p->start);
}

static unsigned char *page_of(const struct row_image *m, size_t number) // 1..
{
	return m->data + (number - 1) * PAGE;
}

// A leaf is full: the root names it, with its greatest rowid, and the next one begins.
static size_t next_leaf(const struct row_image *m, struct page *root, struct page *leaf,
			size_t number, uint64_t last)
{
	unsigned char child[4 + 9];

	page_end(leaf);
	put_be(child, 4, number);
	page_add(root, child, 4 + put_varint(child + 4, last));
	page_begin(leaf, page_of(m, number + 1), LEAF_TYPE);
	return number + 1;
}

// The table's pages; the number of the last one.
static size_t put_rows(const struct row_image *m, const struct row_image_table *t,
		       const int64_t *value, size_t n)
{
	unsigned char row[CELL_MAX + 8];
	size_t number = ROOT + 1;
	uint64_t rowid = 0;
	struct page root, leaf;

	page_begin(&root, page_of(m, ROOT), INTERIOR_TYPE);
	page_begin(&leaf, page_of(m, number), LEAF_TYPE);
	for (size_t i = 0; i < n; i++, value += t->columns) {
		uint64_t last = rowid;
		unsigned bytes;

		rowid = t->key == ROW_IMAGE_NO_KEY ? i + 1 : (uint64_t)value[t->key];
		bytes = put_row(row, rowid, value, t);
		if (page_add(&leaf, row, bytes))
			continue;
		number = next_leaf(m, &root, &leaf, number, last);
		page_add(&leaf, row, bytes);
	}
	page_end(&leaf);
	put_be(root.at + LAST_CHILD_AT, 4, number);
	page_end(&root);
	if (number > ROOT + 1)
		return number;
	memcpy(root.at, leaf.at, PAGE);
	return ROOT;
}

// Page 1 of a database that has the table and nothing in it.
static unsigned char *make_page1(const struct row_image_table *t)
{
	char *settings = sqlite3_mprintf("PRAGMA page_size=%d; %s", PAGE, t->declaration);
	unsigned char *page1 = NULL;
	sqlite3_int64 size = 0;
	sqlite3 *db = NULL;

	if (settings && !sqlite3_open(":memory:", &db) &&
	    !sqlite3_exec(db, settings, NULL, NULL, NULL))
		page1 = sqlite3_serialize(db, "main", &size, 0);
	sqlite3_close(db);
	sqlite3_free(settings);
	if (size == (sqlite3_int64)ROOT * PAGE)
		return page1;
	sqlite3_free(page1);
	return NULL;
}

static const unsigned char *page1_of(struct row_image *m, const struct row_image_table *t)
{
	for (unsigned i = 0; i < TEMPLATES; i++) {
		if (!m->template[i].page1) {
			m->template[i].table = t;
			m->template[i].page1 = make_page1(t);
		}
		if (m->template[i].table == t)
			return m->template[i].page1;
	}
	return NULL;
}

int row_image_show(struct row_image *m, const struct row_image_table *t, const int64_t *value,
		   size_t n)
{
	const unsigned char *page1 = page1_of(m, t);
	size_t pages;

	if (!page1)
		return SQLITE_NOMEM;
	pages = put_rows(m, t, value, n);
	memcpy(m->data, page1, PAGE);
	put_be(m->data + PAGES_AT, 4, pages);
	return sqlite3_deserialize(m->db, "image", m->data, (sqlite3_int64)pages * PAGE,
				   (sqlite3_int64)pages * PAGE, SQLITE_DESERIALIZE_READONLY);
}

struct row_image *row_image_create(sqlite3 *db)
{
	struct row_image *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->db = db;
	m->data = malloc(PAGES_MAX * PAGE);
	if (m->data && !sqlite3_exec(db, "ATTACH ':memory:' AS image", NULL, NULL, NULL))
		return m;
	row_image_destroy(m);
	return NULL;
}

void row_image_destroy(struct row_image *m)
{
	if (!m)
		return;
	for (unsigned i = 0; i < TEMPLATES; i++)
		sqlite3_free(m->template[i].page1);
	free(m->data);
	free(m);
}
