// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The one pass over events that reports make which need them all. On a terminal it tells how far it is.
#include <stdio.h>
#include <string.h>

#include "report.h"
#include "touched.h"

enum {
	PROGRESS_ROWS = 1 << 16, // between two looks at the clock
};

static uint64_t column(sqlite3_stmt *s, int c)
{
	int64_t v = sqlite3_column_int64(s, c);
	return v < 0 ? 0 : (uint64_t)v;
}

bool scan_gives(const struct scan_event *e)
{
	unsigned k = e->c->kind;
	return (k == EV_MALLOC || k == EV_CALLOC || k == EV_REALLOC || k == EV_MEMALIGN ||
		k == EV_MMAP || k == EV_MREMAP) &&
	       !(e->c->flags & OPF_FAILED) && e->addr;
}

uint64_t scan_taken(const struct scan_event *e)
{
	uint64_t pages = (e->req + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
	return e->c->alloc >= 0 ? (uint64_t)e->c->alloc : e->c->alloc == -1 ? e->req : pages;
}

// Times hold until the next row of the table.
struct scan_clock {
	sqlite3_stmt *s;
	int64_t t_ns, next_t_ns;
	uint64_t next; // event from which next_t_ns holds; UINT64_MAX: there is none
};

static void clock_step(struct scan_clock *c)
{
	bool more = c->s && sqlite3_step(c->s) == SQLITE_ROW;
	c->t_ns = c->next_t_ns;
	c->next = more ? column(c->s, 0) : UINT64_MAX;
	if (more)
		c->next_t_ns = sqlite3_column_int64(c->s, 1);
}

static void clock_seek(struct scan_clock *c, uint64_t event)
{
	sqlite3_reset(c->s);
	sqlite3_bind_int64(c->s, 1, (int64_t)event);
	clock_step(c);
}

static void clock_open(struct scan_clock *c, struct report *rp)
{
	sqlite3_prepare_v2(
		rp->db,
		"SELECT event, t_ns FROM clock WHERE event >="
		" ifnull((SELECT max(event) FROM clock WHERE event <= ?1), 0) ORDER BY event",
		-1, &c->s, NULL);
	clock_seek(c, rp->from);
}

static int64_t clock_at(struct scan_clock *c, uint64_t event)
{
	while (c->next <= event)
		clock_step(c);
	return c->t_ns;
}

// ---- the pass

struct scan {
	struct report *rp;
	bool all;
	void (*fn)(void *ctx, const struct scan_event *e);
	void *ctx;
	struct shared_values shared;
	struct scan_clock clock;
	sqlite3_stmt *back; // of events whose row has the bytes asked for in its place
	struct cli_progress progress;
	uint64_t rows;
};

static uint64_t back_of(struct scan *n, uint64_t event)
{
	uint64_t back = 0;
	sqlite3_bind_int64(n->back, 1, (sqlite3_int64)event);
	if (sqlite3_step(n->back) == SQLITE_ROW)
		back = column(n->back, 0);
	sqlite3_reset(n->back);
	return back;
}

// A row as the query has it: rowid, call, addr, arg. False: not of this process, or damaged.
static bool read_event(struct scan *n, sqlite3_value **row, struct scan_event *e)
{
	const struct scan_context *c;
	const struct scan_call *l = shared_call(&n->shared, sqlite3_value_int64(row[1]), &c);
	if (!l || c->process != n->rp->p->process)
		return false;
	int64_t given = sqlite3_value_int64(row[3]);
	uint64_t id = (uint64_t)sqlite3_value_int64(row[0]), arg = given < 0 ? 0 : (uint64_t)given;
	*e = (struct scan_event){
		.id = id,
		.t_ns = clock_at(&n->clock, id),
		.addr = sqlite3_value_int64(row[2]),
		.req = l->req < 0 ? arg : (uint64_t)l->req,
		.back = l->req < 0 ? back_of(n, id) : arg,
		.stack = l->stack,
		.c = c,
	};
	return true;
}

// The pass is an aggregate: SQLite hands each row over within one step, which is half the work of
// a step and four columns for each.
static void take_row(sqlite3_context *context, int columns, sqlite3_value **row)
{
	struct scan *n = sqlite3_user_data(context);
	struct scan_event e;
	(void)columns;
	if (!(++n->rows % PROGRESS_ROWS))
		cli_progress_at(&n->progress, (uint64_t)sqlite3_value_int64(row[0]) - n->rp->from,
				n->rp->to - n->rp->from + 1);
	if (read_event(n, row, &e) && (n->all || stack_wanted(n->rp, e.stack)))
		n->fn(n->ctx, &e);
}

static const char scan_name[] = "kalloscope_scan";

static void no_result(sqlite3_context *context)
{
	(void)context;
}

static void scan_begin(struct scan *n, struct report *rp)
{
	shared_values_read(&n->shared, rp->db);
	clock_open(&n->clock, rp);
	sqlite3_prepare_v2(rp->db, "SELECT back FROM event_old WHERE event = ?1", -1, &n->back,
			   NULL);
	cli_progress_begin(&n->progress);
}

static void scan_end(struct scan *n)
{
	cli_progress_end(&n->progress);
	sqlite3_finalize(n->back);
	sqlite3_finalize(n->clock.s);
	shared_values_free(&n->shared);
}

// The statement that hands the events ?1..?2 to the pass; scan_close() with what it gave.
static sqlite3_stmt *scan_open(struct scan *n)
{
	sqlite3_stmt *s = NULL;
	scan_begin(n, n->rp);
	sqlite3_create_function(n->rp->db, scan_name, 4, SQLITE_UTF8 | SQLITE_DIRECTONLY, n, NULL,
				take_row, no_result);
	// freed blocks' addresses are not asked for: see the view `event`
	sqlite3_prepare_v2(n->rp->db,
			   "SELECT kalloscope_scan(rowid, call, addr, arg) FROM event_row"
			   " WHERE rowid BETWEEN ?1 AND ?2",
			   -1, &s, NULL);
	return s;
}

static void scan_run(sqlite3_stmt *s, uint64_t from, uint64_t to)
{
	if (!s)
		return;
	sqlite3_bind_int64(s, 1, (sqlite3_int64)from);
	sqlite3_bind_int64(s, 2, (sqlite3_int64)to);
	sqlite3_step(s);
	sqlite3_reset(s);
}

static void scan_close(struct scan *n, sqlite3_stmt *s)
{
	sqlite3_finalize(s);
	sqlite3_create_function(n->rp->db, scan_name, 4, SQLITE_UTF8, NULL, NULL, NULL, NULL);
	scan_end(n);
}

void report_scan(struct report *rp, bool all, void (*fn)(void *ctx, const struct scan_event *e),
		 void *ctx)
{
	struct scan n = {.rp = rp, .all = all, .fn = fn, .ctx = ctx};
	sqlite3_stmt *s = scan_open(&n);
	scan_run(s, rp->from, rp->to);
	scan_close(&n, s);
}

void report_scan_address(struct report *rp, kaddr_t addr,
			 void (*fn)(void *ctx, const struct scan_event *e), void *ctx)
{
	struct scan n = {.rp = rp, .all = true, .fn = fn, .ctx = ctx};
	sqlite3_stmt *s = scan_open(&n);
	struct touched_runs runs;
	uint64_t begin, end;
	touched_begin(&runs, rp->r, TOUCHED_BLOCK, addr, addr, rp->from, rp->to);
	while (touched_next(&runs, &begin, &end)) {
		clock_seek(&n.clock, begin);
		scan_run(s, begin, end);
	}
	touched_end(&runs);
	scan_close(&n, s);
}
