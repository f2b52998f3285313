// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// kalloscope export: a recording in other tools' formats. ftrace: the kernel's own text of its kmem
// events, for whatever reads that.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../core/trace_text.h"
#include "cli.h"

enum {
	ROWS = 1024 // read at a time
};

struct export
{
	struct recording *r;
	struct replay *replay;
	const struct process_info *process;
	sqlite3_stmt *caller;
	struct trace_context c;
	FILE *body; // lines so far: their number comes first in the result
	unsigned lines;
};

static const struct process_info *choose(struct recording *r, int process)
{
	const struct process_info *list;
	unsigned n = recording_processes(r, &list), best = 0;
	for (unsigned i = 0; i < n; i++) {
		if (list[i].process == process)
			return &list[i];
		if (list[i].events > list[best].events)
			best = i;
	}
	return n && !process ? &list[best] : NULL;
}

static void on_trace(void *ctx, const struct trace_event *t)
{
	struct export *e = ctx;
	char line[1024];
	for (uint32_t i = 0; i < t->count; i++) {
		int n = trace_text(replay_machine(e->replay), t, i, &e->c, line, sizeof(line));
		if (n <= 0 || n >= (int)sizeof(line))
			return;
		fwrite(line, 1, (size_t)n, e->body);
		e->lines++;
	}
}

// The fold passes over what hits an array; the event itself says it.
static void array_hit(struct export *e, const struct event_row *row, bool alloc)
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
static uint32_t call_site(struct export *e, uint32_t stack)
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
static int export_event(struct export *e, const struct event_row *row)
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

static int export_events(struct export *e)
{
	static struct event_row rows[ROWS];
	uint64_t id = e->process->first_event;
	unsigned n;
	while (id <= e->process->last_event && (n = recording_rows(e->r, id, ROWS, rows))) {
		for (unsigned i = 0; i < n && rows[i].id <= e->process->last_event; i++) {
			if (rows[i].process != e->process->process)
				continue;
			int ret = export_event(e, &rows[i]);
			if (ret)
				return ret;
		}
		id = rows[n - 1].id + 1;
	}
	return 0;
}

// The count first, then the lines.
static int deliver(struct export *e, const char *path)
{
	FILE *out = path ? fopen(path, "w") : stdout;
	char text[4096];
	size_t n = (size_t)trace_text_header(e->lines, replay_machine(e->replay)->s->cfg.ncpus,
					     text, sizeof(text));
	if (!out) {
		cli_error("cannot write %s", path);
		return EXIT_FAILURE;
	}
	rewind(e->body);
	do
		fwrite(text, 1, n, out);
	while ((n = fread(text, 1, sizeof(text), e->body)));
	bool bad = ferror(out) | ferror(e->body);
	bad |= path ? fclose(out) : fflush(out);
	if (bad)
		cli_error("cannot write everything");
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int ftrace(struct export *e, const char *output)
{
	static const char sql[] = "SELECT ip FROM stacks WHERE stack = ?1 AND depth = 0 LIMIT 1";
	char err[512];
	const char *slash = strrchr(e->process->exe, '/');
	e->c.comm = slash ? slash + 1 : e->process->exe;
	e->c.pid = e->process->pid;
	e->body = tmpfile();
	e->replay = replay_open(e->r, e->process->process, err, sizeof(err));
	if (!e->replay || !e->body ||
	    sqlite3_prepare_v2(recording_db(e->r), sql, -1, &e->caller, NULL) != SQLITE_OK) {
		cli_error("%s", e->replay ? "no room for a temporary file" : err);
		return EXIT_FAILURE;
	}
	replay_on_trace(e->replay, on_trace, e);
	int ret = export_events(e);
	int status = deliver(e, output);
	if (ret)
		cli_error("the recording is damaged; what follows event %llu is missing",
			  (unsigned long long)replay_position(e->replay));
	return ret ? EXIT_FAILURE : status;
}

int cmd_export(int argc, char **argv)
{
	struct export e = {0};
	const char *output = NULL;
	int process = 0;
	struct cli c;
	cli_init(&c, "export", argc, argv);
	for (int id; (id = cli_next(&c)) != -1;) {
		if (id == 'F' && strcmp(c.value, "ftrace"))
			cli_usage("export", "--format %s: there is only ftrace", c.value);
		if (id == 'p' && (process = atoi(c.value)) <= 0)
			cli_usage("export", "--process %s: not a process number", c.value);
		if (id == 'o')
			output = c.value;
	}
	e.r = cli_open(cli_operands(&c, 1)[0]);
	if (!e.r)
		return EXIT_FAILURE;
	int status = EXIT_FAILURE;
	e.process = choose(e.r, process);
	if (e.process)
		status = ftrace(&e, output);
	else
		cli_error("the recording has no process %d", process);
	sqlite3_finalize(e.caller);
	replay_close(e.replay);
	if (e.body)
		fclose(e.body);
	recording_close(e.r);
	return status;
}
