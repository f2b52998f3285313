// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "reader_blocks.h"

#include "../core/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	MOST_CALLS = 1 << 24, // a hostile file may number them as it likes
	MOST_THREADS = 1 << 16,
	MOST_ANCESTORS = 64,
	ALLOC_PAGES = -2, // bytes taken: req rounded up to pages
	REQ_IN_ARG = -1,
};

struct call_info { // of a row of the table call; kind 0: there is none
	int process, thread;
	uint8_t kind, path, reason, failed;
	uint32_t stack;
	int64_t req, alloc; // as the tables have them
};

struct past { // events of `process` up to `to` belong to the one asked about
	int process;
	uint64_t to;
};

struct pass {
	struct recording *r;
	uint64_t from, to;
	struct call_info *call;
	uint32_t ncalls;
	uint8_t *freed;	      // a bit an event of [from, to]
	uint64_t *freed_next; // by thread: the block its next event gives back
	struct past past[MOST_ANCESTORS];
	unsigned npast;
	sqlite3_stmt *old;
};

static void read_call(sqlite3_stmt *s, struct call_info *c)
{
	*c = (struct call_info){
		.process = sqlite3_column_int(s, 1),
		.thread = sqlite3_column_int(s, 2) & (MOST_THREADS - 1),
		.kind = (uint8_t)sqlite3_column_int(s, 3),
		.path = (uint8_t)sqlite3_column_int(s, 4),
		.reason = (uint8_t)sqlite3_column_int(s, 5),
		.failed = (sqlite3_column_int(s, 6) & OPF_FAILED) != 0,
		.stack = (uint32_t)sqlite3_column_int64(s, 7),
		.req = sqlite3_column_int64(s, 8),
		.alloc = sqlite3_column_int64(s, 9),
	};
}

static int read_calls(struct pass *p)
{
	sqlite3_stmt *s = NULL;

	if (sqlite3_prepare_v2(
		    recording_db(p->r),
		    "SELECT l.call, c.process, c.thread, c.kind, c.path, c.cache, c.flags,"
		    " l.stack, ifnull(l.req, -1), ifnull(c.alloc, -2)"
		    " FROM call l JOIN context c USING (context)"
		    " WHERE l.call BETWEEN 0 AND ?1 ORDER BY l.call DESC",
		    -1, &s, NULL) != SQLITE_OK)
		return -EIO;
	sqlite3_bind_int(s, 1, MOST_CALLS);
	while (sqlite3_step(s) == SQLITE_ROW) {
		uint32_t id = (uint32_t)sqlite3_column_int(s, 0);

		if (!p->call) { // the greatest number comes first
			p->ncalls = id + 1;
			p->call = calloc(p->ncalls, sizeof(*p->call));
			if (!p->call)
				break;
		}
		read_call(s, &p->call[id]);
	}
	sqlite3_finalize(s);
	return p->call || !p->ncalls ? 0 : -ENOMEM;
}

// The process, and its ancestors up to the fork that its machine comes from.
static void read_past(struct pass *p, int process)
{
	const struct process_info *list;
	unsigned n = recording_processes(p->r, &list), i;
	uint64_t to = p->to;

	while (p->npast < MOST_ANCESTORS) {
		for (i = 0; i < n && list[i].process != process; i++)
			;
		p->past[p->npast++] = (struct past){process, to};
		if (i == n || p->from || list[i].how != HOW_FORK || list[i].parent >= process)
			return;
		process = list[i].parent;
		to = list[i].fork_event < to ? list[i].fork_event : to;
	}
}

// Index in past[]; npast: the event belongs to somebody else.
static unsigned past_of(const struct pass *p, int process, uint64_t event)
{
	unsigned i = 0;

	while (i < p->npast && (p->past[i].process != process || event > p->past[i].to))
		i++;
	return i;
}

// The matching block of a call whose argument is its size.
static uint64_t back_of(struct pass *p, uint64_t event)
{
	uint64_t back = 0;

	sqlite3_bind_int64(p->old, 1, (int64_t)event);
	if (sqlite3_step(p->old) == SQLITE_ROW)
		back = (uint64_t)sqlite3_column_int64(p->old, 0);
	sqlite3_reset(p->old);
	return back;
}

bool event_allocates(enum event_kind kind)
{
	return kind == EV_MALLOC || kind == EV_CALLOC || kind == EV_REALLOC ||
	       kind == EV_MEMALIGN || kind == EV_MMAP || kind == EV_MREMAP;
}

static uint64_t taken(const struct call_info *c, uint64_t req)
{
	if (c->alloc == ALLOC_PAGES)
		return (req + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
	return c->alloc < 0 ? req : (uint64_t)c->alloc;
}

// What the event says of the block it ends, so that this is known when the pass comes to it.
static void note_end(struct pass *p, const struct call_info *c, uint64_t event, uint64_t back)
{
	uint64_t made = back && back < event ? event - back : 0;

	p->freed_next[c->thread] = c->kind == EV_FREE || c->kind == EV_MUNMAP ? made : 0;
	if (made >= p->from && made)
		p->freed[(made - p->from) / 8] |= (uint8_t)(1 << (made - p->from) % 8);
}

// Columns: rowid, call, addr, arg. false: fn has enough.
static bool look(struct pass *p, sqlite3_stmt *s, block_fn fn, void *ctx)
{
	uint64_t event = (uint64_t)sqlite3_column_int64(s, 0), back;
	int64_t id = sqlite3_column_int64(s, 1), addr = sqlite3_column_int64(s, 2),
		arg = sqlite3_column_int64(s, 3);
	const struct call_info *c = id >= 0 && id < p->ncalls ? &p->call[id] : NULL;
	unsigned whose = c && c->kind ? past_of(p, c->process, event) : p->npast;
	struct block b;

	if (whose == p->npast)
		return true;
	b = (struct block){.event = event,
			   .addr = (uint64_t)(addr < 0 ? addr + (1ll << 32) : addr),
			   .req = (uint64_t)(c->req == REQ_IN_ARG ? arg : c->req),
			   .stack = c->stack,
			   .temporary = p->freed_next[c->thread] == event,
			   .inherited = whose > 0};
	b.alloc = taken(c, b.req);
	b.live = !(p->freed[(event - p->from) / 8] >> (event - p->from) % 8 & 1) &&
		 !is_only_addresses(c->path, c->reason);
	back = c->req == REQ_IN_ARG ? back_of(p, event) : (uint64_t)arg;
	note_end(p, c, event, back);
	return c->failed || !event_allocates(c->kind) || !b.addr || fn(ctx, &b);
}

static int pass(struct pass *p, block_fn fn, void *ctx)
{
	sqlite3_stmt *s = NULL;
	int code;

	if (sqlite3_prepare_v2(recording_db(p->r),
			       "SELECT rowid, call, addr, arg FROM event_row"
			       " WHERE rowid BETWEEN ?1 AND ?2 ORDER BY rowid DESC",
			       -1, &s, NULL) != SQLITE_OK ||
	    sqlite3_prepare_v2(recording_db(p->r), "SELECT back FROM event_old WHERE event = ?1",
			       -1, &p->old, NULL) != SQLITE_OK) {
		sqlite3_finalize(s);
		return -EIO;
	}
	sqlite3_bind_int64(s, 1, (int64_t)p->from);
	sqlite3_bind_int64(s, 2, (int64_t)p->to);
	while ((code = sqlite3_step(s)) == SQLITE_ROW && look(p, s, fn, ctx))
		;
	sqlite3_finalize(s);
	sqlite3_finalize(p->old);
	return code == SQLITE_DONE				? 0
	       : code == SQLITE_ROW || code == SQLITE_INTERRUPT ? -EINTR
								: -EIO;
}

int recording_each_block(struct recording *r, int process, uint64_t from, uint64_t to, block_fn fn,
			 void *ctx)
{
	uint64_t last = recording_events(r);
	struct pass p = {.r = r, .from = from, .to = to < last ? to : last};
	int ret;

	if (p.to < p.from)
		return 0;
	p.freed = calloc((p.to - p.from) / 8 + 1, 1);
	p.freed_next = calloc(MOST_THREADS, sizeof(*p.freed_next));
	ret = p.freed && p.freed_next ? read_calls(&p) : -ENOMEM;
	if (!ret) {
		read_past(&p, process);
		ret = pass(&p, fn, ctx);
	}
	free(p.freed);
	free(p.freed_next);
	free(p.call);
	return ret;
}
