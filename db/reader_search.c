// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "reader_search.h"

#include <stdio.h>

#include "touched.h"

// A block may begin before the addresses asked for: as far as the largest vmalloc area reaches.
enum {
	REACH = 128 << 20
};

// Cheap tests first: the size of a freed block is only looked up for candidates.
#define TOUCHING(order)                                                                                       \
	"SELECT e.rowid FROM event e JOIN context c USING (context)"                                          \
	" WHERE e.rowid BETWEEN ?1 AND ?2 AND e.addr <= ?4 AND e.addr > ?3 - ?6"                              \
	" AND c.process = ?5 AND (e.addr >= ?3 OR e.addr + (SELECT"                                           \
	"  CASE y.alloc WHEN -1 THEN x.req ELSE ifnull(y.alloc, (x.req + 4095) & ~4095) END"                  \
	"  FROM event x JOIN context y USING (context) WHERE x.rowid = e.rowid - (e.req = 0) * e.back) > ?3)" \
	" ORDER BY e.rowid " order

// A run of frames may go down as well as up; a block has 2^order of them.
#define MOVING(order)                                                                              \
	"SELECT t.event FROM transition t JOIN transition_context c USING (context)"               \
	" WHERE t.event BETWEEN max(?1, 1) AND ?2 AND t.pfn > 0 AND c.process = ?5"                \
	" AND ?3 >= min(t.pfn, t.pfn + t.stride * (t.count - 1))"                                  \
	" AND ?3 < max(t.pfn, t.pfn + t.stride * (t.count - 1)) + (1 << min(c.\"order\", 10))"     \
	" AND ?4 >= 0 AND ?6 >= 0"                                                                 \
	" GROUP BY t.event ORDER BY t.event " order

static sqlite3_stmt *touch_statement(struct recording *r, bool machine, bool backwards)
{
	static const char *const sql[2][2] = {{TOUCHING("ASC"), TOUCHING("DESC")},
					      {MOVING("ASC"), MOVING("DESC")}};
	sqlite3_stmt *s = NULL;

	sqlite3_prepare_v2(recording_db(r), sql[machine][backwards], -1, &s, NULL);
	return s;
}

// *on: FALSE when fn had enough, or the statement was interrupted.
static uint64_t each(sqlite3_stmt *s, match_fn fn, void *ctx, bool *on)
{
	uint64_t n = 0;
	int rc;

	while (*on && (rc = sqlite3_step(s)) != SQLITE_DONE) {
		n += rc == SQLITE_ROW;
		*on = rc == SQLITE_ROW && fn(ctx, (uint64_t)sqlite3_column_int64(s, 0));
	}
	sqlite3_reset(s);
	return n;
}

uint64_t recording_each_touch(struct recording *r, const struct touch *t, bool machine,
			      uint64_t from, uint64_t to, match_fn fn, void *ctx)
{
	struct touched_runs runs;
	uint64_t n = 0, begin, end;
	bool on = true;
	sqlite3_stmt *s;

	if (machine ? !t->has_pfn : t->first > t->last)
		return 0;
	s = touch_statement(r, machine, to < from);
	if (!s)
		return 0;
	// simulated addresses are stored as signed 32-bit numbers
	sqlite3_bind_int64(s, 3, machine ? (int64_t)t->pfn : (int64_t)(int32_t)t->first);
	sqlite3_bind_int64(s, 4, machine ? 0 : (int64_t)(int32_t)t->last);
	sqlite3_bind_int(s, 5, t->process);
	sqlite3_bind_int64(s, 6, REACH);
	touched_begin(&runs, r, machine ? TOUCHED_FRAME : TOUCHED_BLOCK,
		      machine ? (uint64_t)t->pfn * PAGE_SIZE : t->first,
		      machine ? (uint64_t)t->pfn * PAGE_SIZE + PAGE_SIZE - 1 : t->last, from, to);
	while (on && touched_next(&runs, &begin, &end)) {
		sqlite3_bind_int64(s, 1, (int64_t)begin);
		sqlite3_bind_int64(s, 2, (int64_t)end);
		n += each(s, fn, ctx, &on);
	}
	touched_end(&runs);
	sqlite3_finalize(s);
	return n;
}

void event_filter_init(struct event_filter *f)
{
	*f = (struct event_filter){
		.process = -1,
		.kind = -1,
		.path = -1,
		.thread = -1,
		.cpu = -1,
		.zone = -1,
		.first = 1,
	};
}

// Conditions that need another table stand in only when they are asked for.
static void filter_sql(const struct event_filter *f, const char *key, char *sql, size_t size)
{
	snprintf(
		sql, size,
		"SELECT e.rowid, %s FROM event e WHERE e.rowid BETWEEN ?1 AND ?2%s%s%s"
		" AND e.context IN (SELECT context FROM context WHERE"
		" (?3 < 0 OR process = ?3) AND (?4 < 0 OR kind = ?4) AND (?5 < 0 OR path = ?5)"
		" AND (?6 < 0 OR thread = ?6) AND (?7 < 0 OR cpu = ?7) AND (NOT ?8 OR flags & 4)"
		"%s)%s%s ORDER BY e.rowid",
		key, f->least || f->most ? " AND e.req BETWEEN ?9 AND ?10" : "",
		f->first <= f->last ? " AND CASE WHEN e.addr < 0 THEN e.addr + 4294967296 ELSE"
				      " e.addr END BETWEEN ?11 AND ?12"
				    : "",
		f->stack ? " AND e.stack = ?13" : "",
		*f->gfp ? " AND gfp IN (SELECT gfp FROM gfp_name WHERE name LIKE '%' || ?15 || '%')"
			: "",
		f->zone >= 0 ? " AND EXISTS (SELECT 1 FROM transition t JOIN transition_context x"
			       " USING (context) WHERE t.event = e.rowid AND x.zone = ?16)"
			     : "",
		*f->function ? " AND e.stack IN (SELECT s.stack FROM stack_frame s WHERE s.address"
			       " IN (SELECT address FROM frame WHERE function LIKE '%' || ?14 ||"
			       " '%'))"
			     : "");
}

static void filter_bind(sqlite3_stmt *s, const struct event_filter *f)
{
	const int64_t value[] = {
		(int64_t)f->begin,
		f->end ? (int64_t)f->end : INT64_MAX,
		f->process,
		f->kind,
		f->path,
		f->thread,
		f->cpu,
		f->failed,
		(int64_t)f->least,
		f->most ? (int64_t)f->most : INT64_MAX,
		(int64_t)f->first,
		(int64_t)f->last,
		f->stack,
	};

	// those that do not stand in the statement are refused, which is fine
	for (int i = 0; i < (int)(sizeof(value) / sizeof(*value)); i++)
		sqlite3_bind_int64(s, i + 1, value[i]);
	sqlite3_bind_text(s, 14, f->function, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 15, f->gfp, -1, SQLITE_STATIC);
	sqlite3_bind_int(s, 16, f->zone);
}

sqlite3_stmt *event_filter_statement(struct recording *r, const struct event_filter *f,
				     const char *key)
{
	sqlite3_stmt *s = NULL;
	char sql[2000];

	filter_sql(f, key, sql, sizeof(sql));
	if (sqlite3_prepare_v2(recording_db(r), sql, -1, &s, NULL) == SQLITE_OK)
		filter_bind(s, f);
	return s;
}

uint64_t recording_each_match(struct recording *r, const struct event_filter *f, match_fn fn,
			      void *ctx)
{
	sqlite3_stmt *s = event_filter_statement(r, f, "NULL");
	bool on = true;
	uint64_t n = s ? each(s, fn, ctx, &on) : 0;

	sqlite3_finalize(s);
	return n;
}
