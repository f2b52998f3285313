// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "reader_impl.h"
#include "reader_views.h"
#include "touched.h"

#include <errno.h>
#include <string.h>

static sqlite3_stmt *prepare(struct recording *r, const char *sql, int64_t a, int64_t b)
{
	sqlite3_stmt *s = NULL;

	if (sqlite3_prepare_v2(recording_db(r), sql, -1, &s, NULL) != SQLITE_OK)
		return NULL;
	sqlite3_bind_int64(s, 1, a);
	if (sqlite3_bind_parameter_count(s) > 1)
		sqlite3_bind_int64(s, 2, b);
	return s;
}

// Hostile recordings hold negative counts: shown as none.
static uint64_t column(sqlite3_stmt *s, int i)
{
	int64_t v = sqlite3_column_int64(s, i);

	return v < 0 ? 0 : (uint64_t)v;
}

int recording_totals(struct recording *r, int process, struct process_totals *t)
{
	sqlite3_stmt *s = prepare(
		r,
		"SELECT p.peak_event, p.peak_bytes, p.live_bytes, p.live_count, sum(s.calls),"
		" sum(s.bytes), sum(s.failed), sum(s.temporary)"
		" FROM process p LEFT JOIN stack_stat s USING (process)"
		" WHERE p.process = ?1 GROUP BY p.process",
		process, 0);
	int ret = -ENOENT;

	memset(t, 0, sizeof(*t));
	if (s && sqlite3_step(s) == SQLITE_ROW) {
		*t = (struct process_totals){column(s, 0), column(s, 1), column(s, 2),
					     column(s, 3), column(s, 4), column(s, 5),
					     column(s, 6), column(s, 7)};
		ret = 0;
	}
	sqlite3_finalize(s);
	return ret;
}

unsigned recording_sites(struct recording *r, int process, enum site_order order,
			 struct site_row *rows, unsigned max)
{
#define SITES(figure)                                                                               \
	"SELECT stack, calls, bytes, live_bytes, live_count, peak_bytes, temporary FROM stack_stat" \
	" WHERE process = ?1 AND " figure " > 0 ORDER BY " figure " DESC, stack LIMIT ?2"
	static const char *const sql[SITE_ORDERS] = {SITES("peak_bytes"), SITES("calls"),
						     SITES("live_bytes"), SITES("temporary")};
	sqlite3_stmt *s = order < SITE_ORDERS ? prepare(r, sql[order], process, max) : NULL;
	unsigned n = 0;

	while (s && n < max && sqlite3_step(s) == SQLITE_ROW) {
		rows[n++] = (struct site_row){
			(uint32_t)column(s, 0), column(s, 1), column(s, 2), column(s, 3),
			column(s, 4),		column(s, 5), column(s, 6)};
	}
	sqlite3_finalize(s);
	return n;
#undef SITES
}

uint64_t recording_each_name(struct recording *r,
			     void (*fn)(void *ctx, uint32_t address, const char *name), void *ctx)
{
	sqlite3_stmt *s = prepare(r,
				  "SELECT a.address, coalesce(f.function,"
				  " replace(m.path, rtrim(m.path, replace(m.path, '/', '')), '') ||"
				  " printf('+0x%x', a.offset), printf('0x%x', a.ip))"
				  " FROM address a LEFT JOIN frame f USING (address)"
				  " LEFT JOIN module m ON m.module = a.module"
				  " ORDER BY a.address, f.inline_order LIMIT ?1",
				  INT32_MAX, 0);
	uint64_t n = 0;

	for (; s && sqlite3_step(s) == SQLITE_ROW; n++) {
		const char *name = (const char *)sqlite3_column_text(s, 1);

		fn(ctx, (uint32_t)column(s, 0), name && *name ? name : "?");
	}
	sqlite3_finalize(s);
	return n;
}

uint64_t recording_each_frame(struct recording *r, int process,
			      void (*fn)(void *ctx, uint32_t stack, uint32_t address), void *ctx)
{
	sqlite3_stmt *s = prepare(r,
				  "SELECT f.stack, f.address FROM stack_stat s"
				  " CROSS JOIN stack_frame f USING (stack) WHERE s.process = ?1"
				  " ORDER BY s.stack, f.depth DESC",
				  process, 0);
	uint64_t n = 0;

	for (; s && sqlite3_step(s) == SQLITE_ROW; n++)
		fn(ctx, (uint32_t)column(s, 0), (uint32_t)column(s, 1));
	sqlite3_finalize(s);
	return n;
}

uint64_t recording_each_site(struct recording *r, int process,
			     void (*fn)(void *ctx, const struct site_row *row), void *ctx)
{
	sqlite3_stmt *s = prepare(r,
				  "SELECT stack, calls, bytes, live_bytes, live_count, peak_bytes,"
				  " temporary FROM stack_stat WHERE process = ?1 ORDER BY stack",
				  process, 0);
	uint64_t n = 0;

	for (; s && sqlite3_step(s) == SQLITE_ROW; n++) {
		struct site_row row = {
			(uint32_t)column(s, 0), column(s, 1), column(s, 2), column(s, 3),
			column(s, 4),		column(s, 5), column(s, 6)};

		fn(ctx, &row);
	}
	sqlite3_finalize(s);
	return n;
}

unsigned recording_marks(struct recording *r, int process, struct mark_row *rows, unsigned max)
{
	sqlite3_stmt *s = prepare(r,
				  "SELECT event, t_ns, text FROM mark WHERE process = ?1"
				  " ORDER BY event LIMIT ?2",
				  process, max);
	unsigned n = 0;

	for (; s && n < max && sqlite3_step(s) == SQLITE_ROW; n++) {
		rows[n] = (struct mark_row){.event = column(s, 0),
					    .t_ns = sqlite3_column_int64(s, 1)};
		reader_text(s, 2, rows[n].text, sizeof(rows[n].text));
	}
	sqlite3_finalize(s);
	return n;
}

uint64_t recording_freed_by(struct recording *r, uint64_t event, uint64_t within)
{
	// `back` says how far before it the allocation lies: it is looked for where the block's first
	// byte may have been touched
	static const char sql[] = "SELECT rowid FROM event WHERE rowid BETWEEN ?2 AND ?3"
				  " AND back = rowid - ?1 LIMIT 1";
	sqlite3_stmt *s = prepare(r, sql, (int64_t)event, 0);
	struct event_row row;
	struct touched_runs runs;
	uint64_t id = 0, begin, end, last = recording_events(r);
	int rc = SQLITE_DONE;

	last = within < last - event ? event + within : last;
	if (!s || event >= last || recording_rows(r, event, 1, &row) != 1) {
		sqlite3_finalize(s);
		return 0;
	}
	touched_begin(&runs, r, TOUCHED_BLOCK, row.addr, row.addr, event + 1, last);
	while (!id && rc == SQLITE_DONE && touched_next(&runs, &begin, &end)) {
		sqlite3_bind_int64(s, 2, (int64_t)begin);
		sqlite3_bind_int64(s, 3, (int64_t)end);
		rc = sqlite3_step(s);
		id = rc == SQLITE_ROW ? column(s, 0) : 0;
		sqlite3_reset(s);
	}
	touched_end(&runs);
	sqlite3_finalize(s);
	return id;
}
