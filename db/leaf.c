// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Leaf pages in SQLite's file format (https://sqlite.org/fileformat2.html), and how they are wrapped.
//
// A wrapped leaf: MAGIC_BYTES that no other blob has, u16 rows, u16 bytes of the cells; pointers to
// cells as in the page; the cells, which stand at the page's end.
#include "leaf.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>

enum {
	LEAF_TYPE = 13,
	LEAF_HEAD = 8, // bytes: type, first freeblock, cells, start of the cells, fragments
	CELLS_AT = 3,
	START_AT = 5,
	MAGIC_BYTES = 16,
	WRAP_HEAD = MAGIC_BYTES + 4,
	CELLS_MAX = 4, // beside a wrapped leaf there is room for two small rows
	CELL_MAX = 1 + 9 + 1 + LEAF_COLUMNS * 9, // bytes: of payload, rowid, header and values
};

_Static_assert(LEAF_PAGE - LEAF_HEAD - (LEAF_BLOB - WRAP_HEAD) > 32,
	       "room for small rows beside it");

// So that nothing a program has us store can be taken for a wrapped leaf.
static unsigned char magic[MAGIC_BYTES];

static void make_magic(void)
{
	size_t n = 0;
	ssize_t got;

	while (n < sizeof(magic)) {
		got = getrandom(magic + n, sizeof(magic) - n, 0);
		n += got > 0 ? (size_t)got : 0;
	}
}

static const unsigned char *magic_bytes(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make_magic);
	return magic;
}

static void put_be16(unsigned char *to, size_t v)
{
	to[0] = (unsigned char)(v >> 8);
	to[1] = (unsigned char)v;
}

static size_t get_be16(const unsigned char *from)
{
	return (size_t)from[0] << 8 | from[1];
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

// Bytes of a varint; 0: it does not end within `room`.
static size_t varint_bytes(const unsigned char *from, size_t room)
{
	for (size_t i = 0; i < room && i < 9; i++)
		if (!(from[i] & 0x80) || i == 8)
			return i + 1;
	return 0;
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

static unsigned put_row(unsigned char *to, uint64_t rowid, const int64_t *value, int columns,
			int key)
{
	unsigned head = 1 + put_varint(to + 1, rowid), at = head + 1 + (unsigned)columns;

	to[head] = (unsigned char)(1 + columns);
	for (int i = 0; i < columns; i++) {
		unsigned char type = i == key ? 0 : type_of(value[i]);

		to[head + 1 + (unsigned)i] = type;
		at += put_value(to + at, type, value[i]);
	}
	to[0] = (unsigned char)(at - head);
	return at;
}

void leaf_clear(struct leaf *l)
{
	l->rows = l->bytes = 0;
}

bool leaf_add(struct leaf *l, uint64_t rowid, const int64_t *value, int columns, int key)
{
	size_t used = WRAP_HEAD + l->rows * 2 + l->bytes;

	if (used + 2 + CELL_MAX > LEAF_BLOB)
		return false;
	l->at[l->rows++] = (uint16_t)l->bytes;
	l->bytes += put_row(l->cell + l->bytes, rowid, value, columns, key);
	l->last = rowid;
	return true;
}

void leaf_wrap(const struct leaf *l, unsigned char blob[LEAF_BLOB])
{
	unsigned char *pointer = blob + WRAP_HEAD, *cells = pointer + l->rows * 2;
	size_t start = LEAF_PAGE - l->bytes, end = WRAP_HEAD + l->rows * 2 + l->bytes;

	memcpy(blob, magic_bytes(), MAGIC_BYTES);
	put_be16(blob + MAGIC_BYTES, l->rows);
	put_be16(blob + MAGIC_BYTES + 2, l->bytes);
	for (size_t i = 0; i < l->rows; i++)
		put_be16(pointer + i * 2, start + l->at[i]);
	memcpy(cells, l->cell, l->bytes);
	memset(blob + end, 0, LEAF_BLOB - end);
}

// The blob in the cell at `at`, if it is a wrapped leaf.
static const unsigned char *wrapped(const unsigned char *page, size_t at)
{
	size_t room = LEAF_PAGE - at, n = at < LEAF_PAGE ? varint_bytes(page + at, room) : 0;
	size_t rowid = n ? varint_bytes(page + at + n, room - n) : 0;
	size_t head = n + rowid, blob;

	if (!rowid || head >= room)
		return NULL;
	blob = head + page[at + head]; // a header of less than 128 bytes
	if (blob + LEAF_BLOB > room || memcmp(page + at + blob, magic_bytes(), MAGIC_BYTES))
		return NULL;
	return page + at + blob;
}

struct page { // being made: pointers to cells grow up, cells grow down
	unsigned char *at;
	size_t cells, start;
};

// A row beside the wrapped leaf, of a few bytes.
static void take_cell(struct page *to, const unsigned char *cell)
{
	size_t bytes = 1 + varint_bytes(cell + 1, 9) + cell[0];

	to->start -= bytes;
	memcpy(to->at + to->start, cell, bytes);
	put_be16(to->at + LEAF_HEAD + to->cells++ * 2, to->start);
}

// All rows of the leaf, whose cells stand at the end of the page.
static void take_leaf(struct page *to, const unsigned char *blob)
{
	size_t rows = get_be16(blob + MAGIC_BYTES), bytes = get_be16(blob + MAGIC_BYTES + 2);

	memcpy(to->at + LEAF_HEAD + to->cells * 2, blob + WRAP_HEAD, rows * 2);
	memcpy(to->at + LEAF_PAGE - bytes, blob + WRAP_HEAD + rows * 2, bytes);
	to->cells += rows;
}

bool leaf_unwrap(const unsigned char *page, unsigned char out[LEAF_PAGE])
{
	size_t n = get_be16(page + CELLS_AT), at[CELLS_MAX];
	const unsigned char *blob = NULL, *leaf[CELLS_MAX];
	struct page to = {.at = out, .start = LEAF_PAGE};

	if (page[0] != LEAF_TYPE || n > CELLS_MAX)
		return false;
	for (size_t i = 0; i < n; i++) {
		at[i] = get_be16(page + LEAF_HEAD + i * 2);
		leaf[i] = wrapped(page, at[i]);
		blob = leaf[i] ? leaf[i] : blob;
	}
	if (!blob)
		return false;
	memset(out, 0, LEAF_PAGE);
	to.start -= get_be16(blob + MAGIC_BYTES + 2);
	for (size_t i = 0; i < n; i++)
		if (leaf[i])
			take_leaf(&to, blob);
		else
			take_cell(&to, page + at[i]);
	out[0] = LEAF_TYPE;
	put_be16(out + CELLS_AT, to.cells);
	put_be16(out + START_AT, to.start);
	return true;
}
