// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The kernel's own text of its kmem events (trace, ftrace), for whatever reads that.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../core/trace_text.h"
#include "export.h"

enum {
	ROWS = 1024 // read at a time
};

struct ftrace {
	struct export *x;
	struct replay *replay;
	sqlite3_stmt *caller;
	struct trace_context c;
	bool muted; // the event is not wanted
	FILE *body; // lines so far: their number comes first in the result
	unsigned lines;
};

static void on_trace(void *ctx, const struct trace_event *t)
{
	struct ftrace *e = ctx;
	char line[1024];
	for (uint32_t i = 0; i < t->count && !e->muted; i++) {
		int n = trace_text(replay_machine(e->replay), t, i, &e->c, line, sizeof(line));
		if (n <= 0 || n >= (int)sizeof(line))
			return;
		fwrite(line, 1, (size_t)n, e->body);
		e->lines++;
	}
}

// The fold passes over what hits an array; the event itself says it.
static void array_hit(struct ftrace *e, const struct event_row *row, bool alloc)
{
	bool own = row->path == PATH_SLAB;
	struct trace_event t = {
		.kind = alloc ? own ? EV_T_KMEM_CACHE_ALLOC : EV_T_KMALLOC
			: own ? EV_T_KMEM_CACHE_FREE
			      : EV_T_KFREE,
		.cache = row->cache,
		.cpu = (uint8_t)row->cpu,
		.addr = (uint32_t)row->addr,
		.count = 1,
		.value = row->gfp,
	};
	e->c.bytes_req = (uint32_t)row->req;
	on_trace(e, &t);
	e->c.bytes_req = 0;
}

// As much of the return address as the format has room for.
static uint32_t call_site(struct ftrace *e, uint32_t stack)
{
	uint32_t ip = 0;
	sqlite3_bind_int64(e->caller, 1, stack);
	if (stack && sqlite3_step(e->caller) == SQLITE_ROW)
		ip = (uint32_t)sqlite3_column_int64(e->caller, 0);
	sqlite3_reset(e->caller);
	return ip;
}

// In the kernel's order: a freed object is told before what its array gives back, an allocated one
// after the pages that were needed for it.
static int export_event(struct ftrace *e, const struct event_row *row)
{
	e->c.ns = row->t_ns > 0 ? (uint64_t)row->t_ns : 0;
	e->c.call_site = call_site(e, row->stack);
	if (row->flags & OPF_PUSH)
		array_hit(e, row, false);
	int ret = replay_seek(e->replay, row->id);
	if (!ret && row->flags & OPF_POP)
		array_hit(e, row, true);
	return ret;
}

static int export_events(struct ftrace *e)
{
	static struct event_row rows[ROWS];
	const struct report *rp = &e->x->rp;
	uint64_t id = rp->from;
	unsigned n;
	if (rp->window && replay_seek(e->replay, rp->from - 1))
		return -1;
	while (id <= rp->to && (n = recording_rows(rp->r, id, ROWS, rows))) {
		for (unsigned i = 0; i < n && rows[i].id <= rp->to; i++) {
			if (rows[i].process != rp->p->process)
				continue;
			e->muted = !stack_wanted(rp, rows[i].stack);
			int ret = export_event(e, &rows[i]);
			if (ret)
				return ret;
		}
		id = rows[n - 1].id + 1;
	}
	return 0;
}

// The count first, then the lines.
static void deliver(struct ftrace *e)
{
	char text[4096];
	size_t n = (size_t)trace_text_header(e->lines, replay_machine(e->replay)->s->cfg.ncpus,
					     text, sizeof(text));
	rewind(e->body);
	do
		fwrite(text, 1, n, e->x->out);
	while ((n = fread(text, 1, sizeof(text), e->body)));
}

static bool prepare(struct ftrace *e)
{
	static const char sql[] = "SELECT ip FROM stacks WHERE stack = ?1 AND depth = 0 LIMIT 1";
	const struct process_info *p = e->x->rp.p;
	const char *slash = strrchr(p->exe, '/');
	char err[512] = "no room for a temporary file";
	e->c.comm = slash ? slash + 1 : p->exe;
	e->c.pid = p->pid;
	e->replay = replay_open(e->x->rp.r, p->process, err, sizeof(err));
	e->body = e->replay ? tmpfile() : NULL;
	if (e->body && sqlite3_prepare_v2(e->x->rp.db, sql, -1, &e->caller, NULL) == SQLITE_OK)
		return true;
	cli_error("%s", err);
	return false;
}

int export_ftrace(struct export *x)
{
	struct ftrace e = {.x = x};
	int status = EXIT_FAILURE;
	if (prepare(&e)) {
		replay_on_trace(e.replay, on_trace, &e);
		status = export_events(&e) ? EXIT_FAILURE : EXIT_SUCCESS;
		deliver(&e);
		if (status)
			cli_error("the recording is damaged; what follows event %llu is missing",
				  (unsigned long long)replay_position(e.replay));
	}
	sqlite3_finalize(e.caller);
	replay_close(e.replay);
	if (e.body)
		fclose(e.body);
	return status;
}
