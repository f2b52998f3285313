// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "reader_found.h"

#include <errno.h>
#include <stdio.h>

#include "reader_blocks.h"

enum {
	SAY_EVERY = 1 << 12, // rows
	LOOK_EVERY = 4000,   // instructions of SQLite's machine
};

struct find {
	struct recording *r;
	found_fn fn;
	void *ctx;
	uint64_t n;
	bool writing; // a row; to stop there would take all rows back
};

#define OF_CONTEXT(column) "(SELECT " column " FROM context c WHERE c.context = e.context)"
#define MAKES_BLOCK	   OF_CONTEXT("kind IN (%s) AND NOT flags & 4") // allocating_kinds()

// What events are put in order by; they see the event as `e`. An allocation that is never given back
// outlives everything; a free is ranked by the life it ended.
static const char *const key_sql[FOUND_ORDERS] = {
	[FOUND_BY_EVENT] = "e.rowid",
	[FOUND_BY_KIND] = OF_CONTEXT("kind"),
	[FOUND_BY_ADDRESS] =
		"CASE WHEN e.addr < 0 THEN e.addr + 4294967296 ELSE nullif(e.addr, 0) END",
	[FOUND_BY_BYTES] = "nullif(e.req, 0)",
	[FOUND_BY_PATH] = OF_CONTEXT("path"),
	[FOUND_BY_LIFETIME] = "CASE WHEN e.addr AND " MAKES_BLOCK
			      " THEN ifnull((SELECT d.event - e.rowid FROM temp.ended d"
			      " WHERE d.id = e.rowid), 1 << 62) ELSE nullif(e.back, 0) END",
	[FOUND_BY_THREAD] = OF_CONTEXT("thread"),
	[FOUND_BY_CPU] = OF_CONTEXT("cpu"),
};

// Kinds of calls that make blocks, with commas between.
static void allocating_kinds(char *buf, size_t size)
{
	size_t n = 0;

	for (enum event_kind k = EV_NONE; k < EV_LAST_OP && n < size; k++)
		if (event_allocates(k))
			n += (size_t)snprintf(buf + n, size - n, "%s%d", n ? "," : "", (int)k);
}

static int run(struct recording *r, const char *sql)
{
	int code = sqlite3_exec(recording_db(r), sql, NULL, NULL, NULL);

	return code == SQLITE_OK ? 0 : code == SQLITE_INTERRUPT ? -EINTR : -EIO;
}

static int forget(struct recording *r)
{
	return run(r, "DROP TABLE IF EXISTS temp.found; DROP TABLE IF EXISTS temp.keyed;"
		      "DROP TABLE IF EXISTS temp.ended");
}

static int on_progress(void *data)
{
	const struct find *f = data;

	return !f->writing && f->fn && !f->fn(f->ctx, f->n);
}

static int put(struct find *f, sqlite3_stmt *into, sqlite3_stmt *from)
{
	int code;

	sqlite3_bind_value(into, 1, sqlite3_column_value(from, 0));
	sqlite3_bind_value(into, 2, sqlite3_column_value(from, 1));
	f->writing = true;
	sqlite3_step(into);
	code = sqlite3_reset(into);
	f->writing = false;
	return code;
}

// The rows that were put when it is stopped stay.
static int fill(struct find *f, sqlite3_stmt *from, bool keyed)
{
	sqlite3_stmt *into = NULL;
	int code = sqlite3_prepare_v2(recording_db(f->r),
				      keyed ? "INSERT INTO temp.keyed VALUES (?1, ?2)"
					    : "INSERT INTO temp.found VALUES (NULL, ?1)",
				      -1, &into, NULL);

	while (code == SQLITE_OK && (code = sqlite3_step(from)) == SQLITE_ROW) {
		code = put(f, into, from);
		if (++f->n % SAY_EVERY == 0 && f->fn && !f->fn(f->ctx, f->n))
			code = SQLITE_INTERRUPT;
	}
	sqlite3_finalize(into);
	return code == SQLITE_DONE ? 0 : code == SQLITE_INTERRUPT ? -EINTR : -EIO;
}

static int fill_from(struct find *f, const struct event_filter *filter, enum found_order by,
		     bool keyed)
{
	char kinds[80], with_kinds[400];
	int ret = run(f->r, "BEGIN"), end;
	sqlite3_stmt *s;

	allocating_kinds(kinds, sizeof(kinds));
	snprintf(with_kinds, sizeof(with_kinds), key_sql[by], kinds);
	s = ret ? NULL : event_filter_statement(f->r, filter, with_kinds);

	if (!ret)
		ret = s ? fill(f, s, keyed) : -EIO;
	sqlite3_finalize(s);
	f->writing = true;
	end = run(f->r, "COMMIT");
	f->writing = false;
	return ret ? ret : end;
}

static int sort(struct find *f, bool descending)
{
	return run(f->r, descending ? "INSERT INTO temp.found(id) SELECT id FROM temp.keyed"
				      " ORDER BY key IS NULL, key DESC, id"
				    : "INSERT INTO temp.found(id) SELECT id FROM temp.keyed"
				      " ORDER BY key IS NULL, key, id");
}

static int find(struct find *f, const struct event_filter *filter, enum found_order by,
		bool descending)
{
	bool keyed = by != FOUND_BY_EVENT || descending;
	int ret = forget(f->r);

	if (!ret)
		ret = run(f->r, "CREATE TEMP TABLE found(place INTEGER PRIMARY KEY, id INTEGER);"
				"CREATE TEMP TABLE keyed(id INTEGER PRIMARY KEY, key);"
				"CREATE TEMP TABLE ended(id INTEGER PRIMARY KEY, event INTEGER)");
	if (!ret && by == FOUND_BY_LIFETIME)
		ret = run(f->r, "INSERT OR IGNORE INTO temp.ended SELECT e.rowid - e.back, e.rowid"
				" FROM event e WHERE e.back > 0");
	if (!ret)
		ret = fill_from(f, filter, by, keyed);
	return ret || !keyed ? ret : sort(f, descending);
}

int recording_find(struct recording *r, const struct event_filter *filter, enum found_order by,
		   bool descending, found_fn fn, void *ctx)
{
	struct find f = {.r = r, .fn = fn, .ctx = ctx};
	int ret, end = 0;

	sqlite3_progress_handler(recording_db(r), LOOK_EVERY, on_progress, &f);
	ret = find(&f, filter, by, descending);
	sqlite3_progress_handler(recording_db(r), 0, NULL, NULL);
	if (ret == -EINTR)
		end = run(r, "INSERT INTO temp.found(id) SELECT id FROM temp.keyed WHERE"
			     " NOT EXISTS (SELECT 1 FROM temp.found) ORDER BY id");
	if (ret != -EIO && !end)
		end = run(r, "CREATE INDEX temp.found_id ON found(id);"
			     "DROP TABLE temp.keyed; DROP TABLE temp.ended");
	return ret ? ret : end;
}

// ---- what was found ----

// The one number a statement with up to one argument answers; `none` without a row.
static uint64_t ask(struct recording *r, const char *sql, uint64_t argument, uint64_t none)
{
	sqlite3_stmt *s = NULL;
	uint64_t value = none;

	if (sqlite3_prepare_v2(recording_db(r), sql, -1, &s, NULL) != SQLITE_OK)
		return none;
	if (sqlite3_bind_parameter_count(s))
		sqlite3_bind_int64(s, 1, (int64_t)argument);
	if (sqlite3_step(s) == SQLITE_ROW && sqlite3_column_type(s, 0) != SQLITE_NULL)
		value = (uint64_t)sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return value;
}

uint64_t recording_found(struct recording *r)
{
	return ask(r, "SELECT max(place) FROM temp.found", 0, 0);
}

unsigned recording_found_ids(struct recording *r, uint64_t from, unsigned n, uint64_t *ids)
{
	sqlite3_stmt *s = NULL;
	unsigned got = 0;

	if (sqlite3_prepare_v2(recording_db(r),
			       "SELECT id FROM temp.found WHERE place > ?1 ORDER BY place LIMIT ?2",
			       -1, &s, NULL) != SQLITE_OK)
		return 0;
	sqlite3_bind_int64(s, 1, (int64_t)from);
	sqlite3_bind_int64(s, 2, n);
	while (got < n && sqlite3_step(s) == SQLITE_ROW)
		ids[got++] = (uint64_t)sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return got;
}

uint64_t recording_found_place(struct recording *r, uint64_t event)
{
	return ask(r, "SELECT place - 1 FROM temp.found WHERE id = ?1", event, UINT64_MAX);
}

uint64_t recording_found_beside(struct recording *r, uint64_t event, int direction)
{
	return ask(r,
		   direction > 0 ? "SELECT min(id) FROM temp.found WHERE id > ?1"
				 : "SELECT max(id) FROM temp.found WHERE id < ?1",
		   event, 0);
}

// ---- the end of blocks ----

// From one id as far as an id is open: one that is not found yet and not too far behind.
struct ends {
	const uint64_t *ids;
	unsigned n, open, last; // [open, last]: may still be found
	uint64_t within, *freed_by;
};

static void note(struct ends *e, uint64_t event, uint64_t made)
{
	while (e->last + 1 < e->n && e->ids[e->last + 1] < event)
		e->last++;
	for (unsigned i = e->open; i <= e->last; i++)
		if (e->ids[i] == made && !e->freed_by[i] && event - made <= e->within)
			e->freed_by[i] = event;
	while (e->open <= e->last && (e->freed_by[e->open] || event - e->ids[e->open] > e->within))
		e->open++;
}

// Reads on from the first open id until none is open. 0: there may be more; 1: the end; or -EINTR.
static int read_ends(struct ends *e, sqlite3_stmt *s)
{
	int code = SQLITE_DONE;

	e->last = e->open;
	sqlite3_bind_int64(s, 1, (int64_t)e->ids[e->open]);
	sqlite3_bind_int64(s, 2, (int64_t)(e->ids[e->n - 1] + e->within));
	while (e->open <= e->last && (code = sqlite3_step(s)) == SQLITE_ROW)
		note(e, (uint64_t)sqlite3_column_int64(s, 0), (uint64_t)sqlite3_column_int64(s, 1));
	sqlite3_reset(s);
	return code == SQLITE_ROW ? 0 : code == SQLITE_INTERRUPT ? -EINTR : 1;
}

int recording_freed_within(struct recording *r, const uint64_t *ids, unsigned n, uint64_t within,
			   uint64_t *freed_by)
{
	struct ends e = {ids, n, 0, 0, within, freed_by};
	sqlite3_stmt *s = NULL;
	int ret = 0;

	for (unsigned i = 0; i < n; i++)
		freed_by[i] = 0;
	if (sqlite3_prepare_v2(recording_db(r),
			       "SELECT rowid, rowid - back FROM event"
			       " WHERE rowid > ?1 AND rowid <= ?2 AND back > 0",
			       -1, &s, NULL) != SQLITE_OK)
		return -EIO;
	while (!ret && e.open < n)
		ret = read_ends(&e, s);
	sqlite3_finalize(s);
	return ret < 0 ? ret : 0;
}
