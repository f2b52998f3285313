// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "edit.h"

#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "../../db/codec.h"

enum {
	TABLES = 32,
	COLUMNS = 24,
	EDITS = 24,
	TEXT_MAX = 300,
	HEAD = 32, // of a blob, before its zstd frame
	PAYLOAD_MAX = 16 << 20,
};

static struct table {
	char name[32], column[COLUMNS][32], key[200]; // "a, b"
	unsigned ncolumns;
	unsigned rows;
} table[TABLES];
static unsigned ntables;
static const struct fuzz_base *base;

static sqlite3 *open_base(void)
{
	sqlite3 *db;
	uint8_t *copy = sqlite3_malloc64(base->recording.size);

	memcpy(copy, base->recording.data, base->recording.size);
	if (sqlite3_open(":memory:", &db) ||
	    sqlite3_deserialize(db, "main", copy, (sqlite3_int64)base->recording.size,
				(sqlite3_int64)base->recording.size,
				SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_RESIZEABLE))
		abort();
	return db;
}

static sqlite3_stmt *prepare(sqlite3 *db, char *sql)
{
	sqlite3_stmt *s = NULL;

	sqlite3_prepare_v2(db, sql, -1, &s, NULL);
	sqlite3_free(sql);
	return s;
}

static void run(sqlite3_stmt *s)
{
	if (s)
		sqlite3_step(s);
	sqlite3_finalize(s);
}

static void read_columns(sqlite3 *db, struct table *t)
{
	sqlite3_stmt *s = prepare(db, sqlite3_mprintf("PRAGMA table_info(%Q)", t->name));

	while (sqlite3_step(s) == SQLITE_ROW && t->ncolumns < COLUMNS) {
		const char *name = (const char *)sqlite3_column_text(s, 1);
		size_t n = strlen(t->key);

		snprintf(t->column[t->ncolumns++], sizeof(t->column[0]), "%s", name);
		if (sqlite3_column_int(s, 5))
			snprintf(t->key + n, sizeof(t->key) - n, "%s\"%s\"", n ? ", " : "", name);
	}
	sqlite3_finalize(s);
	if (!*t->key)
		strcpy(t->key, "rowid");
	s = prepare(db, sqlite3_mprintf("SELECT count(*) FROM \"%w\"", t->name));
	if (sqlite3_step(s) == SQLITE_ROW)
		t->rows = (unsigned)sqlite3_column_int(s, 0);
	sqlite3_finalize(s);
}

void fuzz_edit_init(const struct fuzz_base *b)
{
	sqlite3 *db;
	sqlite3_stmt *s;

	base = b;
	db = open_base();
	s = prepare(db, sqlite3_mprintf(
				"SELECT name FROM sqlite_schema WHERE type='table' ORDER BY 1"));
	while (sqlite3_step(s) == SQLITE_ROW && ntables < TABLES) {
		struct table *t = &table[ntables++];

		snprintf(t->name, sizeof(t->name), "%s", sqlite3_column_text(s, 0));
		read_columns(db, t);
	}
	sqlite3_finalize(s);
	sqlite3_close(db);
	if (!ntables)
		abort();
}

static void bind(sqlite3_stmt *s, int i, struct fuzz_input *in)
{
	static const int64_t edge[] = {-1,	  255,	     256,	 4096,	      1 << 20,
				       INT32_MAX, INT32_MIN, UINT32_MAX, INT64_MAX,   INT64_MIN,
				       1ll << 47, -4096,     1ll << 40,	 1000000007ll};
	size_t n;
	const uint8_t *text;

	if (!s)
		return;
	switch (fuzz_take(in, 1) % 10) {
	case 0:
		sqlite3_bind_null(s, i);
		break;
	case 1:
		sqlite3_bind_int(s, i, (int8_t)fuzz_take(in, 1));
		break;
	case 2:
		sqlite3_bind_int(s, i, (int16_t)fuzz_take(in, 2));
		break;
	case 3:
		sqlite3_bind_int64(s, i, (int64_t)fuzz_take(in, 8));
		break;
	case 4:
	case 5:
		sqlite3_bind_int64(s, i, edge[fuzz_take(in, 1) % (sizeof(edge) / sizeof(*edge))]);
		break;
	case 6:
		n = fuzz_take(in, 1);
		text = fuzz_bytes(in, &n);
		sqlite3_bind_text(s, i, (const char *)text, (int)n, SQLITE_TRANSIENT);
		break;
	case 7:
		n = fuzz_take(in, 1);
		text = fuzz_bytes(in, &n);
		sqlite3_bind_blob(s, i, text, (int)n, SQLITE_TRANSIENT);
		break;
	case 8:
		sqlite3_bind_double(s, i, (fuzz_take(in, 1) & 1 ? HUGE_VAL : -1e300));
		break;
	default: // long texts
		sqlite3_bind_text(s, i,
				  sqlite3_mprintf("%.*c", 1 << (fuzz_take(in, 1) % 17),
						  (int)(32 + fuzz_take(in, 1) % 90)),
				  -1, sqlite3_free);
		break;
	}
}

static struct table *some_table(struct fuzz_input *in)
{
	return &table[fuzz_take(in, 1) % ntables];
}

static unsigned some_row(struct fuzz_input *in, const struct table *t)
{
	return (unsigned)fuzz_take(in, 2) % (t->rows + 1);
}

static void set_cell(sqlite3 *db, struct fuzz_input *in)
{
	const struct table *t = some_table(in);
	const char *column = t->column[fuzz_take(in, 1) % t->ncolumns];
	unsigned rows = 1 + (fuzz_take(in, 1) % 4 == 0 ? 20 : 0);
	sqlite3_stmt *s = prepare(
		db,
		sqlite3_mprintf(
			"UPDATE OR REPLACE \"%w\" SET \"%w\" = ?1 WHERE (%s) IN (SELECT %s FROM "
			"\"%w\" LIMIT %u OFFSET %u)",
			t->name, column, t->key, t->key, t->name, rows, some_row(in, t)));

	bind(s, 1, in);
	run(s);
}

static void set_column(sqlite3 *db, struct fuzz_input *in)
{
	const struct table *t = some_table(in);
	const char *column = t->column[fuzz_take(in, 1) % t->ncolumns];
	sqlite3_stmt *s = prepare(
		db, sqlite3_mprintf("UPDATE OR REPLACE \"%w\" SET \"%w\" = ?1", t->name, column));

	bind(s, 1, in);
	run(s);
}

static void delete_row(sqlite3 *db, struct fuzz_input *in)
{
	const struct table *t = some_table(in);
	unsigned rows = fuzz_take(in, 1) % 8 ? 1 : 100000;

	run(prepare(
		db,
		sqlite3_mprintf(
			"DELETE FROM \"%w\" WHERE (%s) IN (SELECT %s FROM \"%w\" LIMIT %u OFFSET %u)",
			t->name, t->key, t->key, t->name, rows, some_row(in, t))));
}

static void insert_row(sqlite3 *db, struct fuzz_input *in)
{
	const struct table *t = some_table(in);
	char marks[COLUMNS * 2 + 1] = "?";
	sqlite3_stmt *s;

	for (unsigned i = 1; i < t->ncolumns; i++)
		strcat(marks, ",?");
	s = prepare(db,
		    sqlite3_mprintf("INSERT OR REPLACE INTO \"%w\" VALUES (%s)", t->name, marks));
	for (unsigned i = 0; i < t->ncolumns; i++)
		bind(s, (int)i + 1, in);
	run(s);
}

// The blob of some row of log or keyframe; the caller stores it again.
static void *read_blob(sqlite3 *db, const char *name, struct fuzz_input *in, size_t *n,
		       sqlite3_int64 key[2])
{
	sqlite3_stmt *s =
		prepare(db, sqlite3_mprintf("SELECT data, process, seq FROM %s LIMIT 1 OFFSET %u",
					    name, (unsigned)fuzz_take(in, 1) % 8));
	void *copy = NULL;

	if (s && sqlite3_step(s) == SQLITE_ROW) {
		*n = (size_t)sqlite3_column_bytes(s, 0);
		copy = malloc(*n + 1);
		if (*n)
			memcpy(copy, sqlite3_column_blob(s, 0), *n);
		key[0] = sqlite3_column_int64(s, 1);
		key[1] = sqlite3_column_int64(s, 2);
	}
	sqlite3_finalize(s);
	return copy;
}

static void write_blob(sqlite3 *db, const char *name, const void *data, size_t n,
		       const sqlite3_int64 key[2])
{
	sqlite3_stmt *s = prepare(
		db,
		sqlite3_mprintf("UPDATE %s SET data = ?1 WHERE process = ?2 AND seq = ?3", name));

	sqlite3_bind_blob64(s, 1, data, n, SQLITE_TRANSIENT);
	sqlite3_bind_int64(s, 2, key[0]);
	sqlite3_bind_int64(s, 3, key[1]);
	run(s);
}

// Bytes of some entries: of the record or of its event.
static void change_entries(struct log_entry *e, size_t n, struct fuzz_input *in)
{
	for (unsigned times = 1 + fuzz_take(in, 1) % 16; times && n; times--) {
		struct log_entry *at = &e[fuzz_take(in, 2) % n];

		switch (fuzz_take(in, 1) % 4) {
		case 0:
			at->r.arg[fuzz_take(in, 1) % 6] = (uint32_t)fuzz_take(in, 4);
			break;
		case 1:
			((uint8_t *)&at->r)[fuzz_take(in, 1) % sizeof(at->r)] =
				(uint8_t)fuzz_take(in, 1);
			break;
		case 2:
			at->event += (uint64_t)(int8_t)fuzz_take(in, 1);
			break;
		default:
			*at = e[fuzz_take(in, 2) % n];
			break;
		}
	}
}

static void change_log(sqlite3 *db, struct fuzz_input *in)
{
	size_t n, entries, bytes;
	sqlite3_int64 key[2];
	void *blob = read_blob(db, "log", in, &n, key), *changed;
	struct log_entry *e;

	if (blob && !log_decode(blob, n, &e, &entries)) {
		change_entries(e, entries, in);
		if (!log_encode(e, entries, &changed, &bytes)) {
			write_blob(db, "log", changed, bytes, key);
			free(changed);
		}
		free(e);
	}
	free(blob);
}

static void change_payload(uint8_t *payload, size_t n, struct fuzz_input *in)
{
	for (unsigned times = 1 + fuzz_take(in, 1) % 16; times && n; times--) {
		size_t at = fuzz_take(in, 3) % n, some = 1u << fuzz_take(in, 1) % 4;
		const uint8_t *bytes = fuzz_bytes(in, &some);

		memcpy(payload + at, bytes, some < n - at ? some : n - at);
	}
}

// Head and payload of a blob, packed again so that only what is inside it is wrong.
static void change_packed(sqlite3 *db, const char *name, struct fuzz_input *in)
{
	size_t n = 0, size, packed;
	sqlite3_int64 key[2];
	uint8_t *blob = read_blob(db, name, in, &n, key), *payload = NULL, *out = NULL;

	size = n > HEAD ? ZSTD_getFrameContentSize(blob + HEAD, n - HEAD) : PAYLOAD_MAX + 1;
	if (size <= PAYLOAD_MAX)
		payload = malloc(size + 1);
	if (payload)
		out = malloc(HEAD + ZSTD_compressBound(size));
	if (out && ZSTD_decompress(payload, size, blob + HEAD, n - HEAD) == size) {
		if (fuzz_take(in, 1) % 8 == 0)
			change_payload(blob, HEAD, in);
		else
			change_payload(payload, size, in);
		memcpy(out, blob, HEAD);
		packed = ZSTD_compress(out + HEAD, ZSTD_compressBound(size), payload, size, 1);
		write_blob(db, name, out, HEAD + packed, key);
	}
	free(blob);
	free(payload);
	free(out);
}

static void change_schema(sqlite3 *db, struct fuzz_input *in)
{
	static const char *const hostile[] = {
		"CREATE VIEW %s AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT i, i, i, i, i, i, i FROM n",
		"CREATE VIEW %s AS SELECT * FROM %s",
		"CREATE VIRTUAL TABLE %s USING fts5(a, b, c)",
		"CREATE TABLE %s(a, b AS (load_extension('/tmp/x')), c)",
		"CREATE TABLE %s(a AS (zeroblob(1000000000)))",
		"CREATE VIEW %s AS SELECT printf('%%1000000000d', 1) AS a",
		"",
		"CREATE TABLE %s(key, value)",
	};
	const struct table *t = some_table(in);
	unsigned which = (unsigned)fuzz_take(in, 1) % 16;

	run(prepare(db, sqlite3_mprintf("PRAGMA writable_schema = 1")));
	if (which < 8) {
		char sql[512];

		snprintf(sql, sizeof(sql), hostile[which], t->name, t->name);
		run(prepare(
			db,
			sqlite3_mprintf(
				"UPDATE sqlite_schema SET sql = %Q, type = %Q%s WHERE name = %Q",
				sql, sql[7] == 'V' && sql[9] == 'E' ? "view" : "table",
				sql[7] == 'V' ? ", rootpage = 0" : "", t->name)));
	} else {
		sqlite3_stmt *s = prepare(
			db, sqlite3_mprintf("UPDATE sqlite_schema SET %s = ?1 WHERE rowid = %u",
					    which & 1	? "sql"
					    : which & 2 ? "rootpage"
							: "name",
					    (unsigned)fuzz_take(in, 1) % 40));

		bind(s, 1, in);
		run(s);
	}
}

static void edit(sqlite3 *db, struct fuzz_input *in)
{
	switch (fuzz_take(in, 1) % 16) {
	case 0:
		delete_row(db, in);
		break;
	case 1:
		insert_row(db, in);
		break;
	case 2:
		set_column(db, in);
		break;
	case 3:
	case 4:
	case 5:
		change_log(db, in);
		break;
	case 6:
		change_packed(db, "log", in);
		break;
	case 7:
	case 8:
	case 9:
		change_packed(db, "keyframe", in);
		break;
	case 10:
		change_schema(db, in);
		break;
	default:
		set_cell(db, in);
		break;
	}
}

static void change_bytes(uint8_t *file, size_t size, struct fuzz_input *in)
{
	while (fuzz_left(in) && size) {
		size_t page = fuzz_take(in, 2) * 1024ul % size, at = page + fuzz_take(in, 2) % 4096;

		if (at < size)
			file[at] = (uint8_t)fuzz_take(in, 1);
	}
}

void fuzz_edit(struct fuzz_input *in, const char *path)
{
	sqlite3 *db = open_base();
	unsigned edits = 1 + fuzz_take(in, 1) % EDITS;
	sqlite3_int64 size;
	uint8_t *file;

	run(prepare(db, sqlite3_mprintf("BEGIN")));
	while (edits-- && fuzz_left(in))
		edit(db, in);
	run(prepare(db, sqlite3_mprintf("COMMIT")));
	file = sqlite3_serialize(db, "main", &size, 0);
	if (!file)
		abort();
	if (fuzz_take(in, 1) % 4 == 0)
		change_bytes(file, (size_t)size, in);
	fuzz_write(path, file, (size_t)size);
	sqlite3_free(file);
	sqlite3_close(db);
}
