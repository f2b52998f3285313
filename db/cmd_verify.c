// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// kalloscope verify: is the recording complete, and does it agree with itself?
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "reader_impl.h"

struct verify {
	struct recording *r;
	bool failed;
};

static void result(struct verify *v, bool ok, const char *what, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
static void result(struct verify *v, bool ok, const char *what, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	printf("%-6s  %-14s ", ok ? "ok" : "NOT OK", what);
	vprintf(fmt, ap);
	putchar('\n');
	va_end(ap);
	v->failed |= !ok;
}

// First column of a query's only row; -1 when it fails.
static int64_t number(struct verify *v, const char *sql)
{
	sqlite3_stmt *q = NULL;
	int64_t n = -1;
	sqlite3_prepare_v2(recording_db(v->r), sql, -1, &q, NULL);
	if (q && sqlite3_step(q) == SQLITE_ROW)
		n = sqlite3_column_int64(q, 0);
	sqlite3_finalize(q);
	return n;
}

static int64_t numberf(struct verify *v, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *sql = sqlite3_vmprintf(fmt, ap);
	va_end(ap);
	int64_t n = number(v, sql);
	sqlite3_free(sql);
	return n;
}

static void check_database(struct verify *v)
{
	sqlite3_stmt *q = NULL;
	char first[256] = "cannot be read";
	sqlite3_prepare_v2(recording_db(v->r), "PRAGMA quick_check(1)", -1, &q, NULL);
	if (q && sqlite3_step(q) == SQLITE_ROW)
		reader_text(q, 0, first, sizeof(first));
	sqlite3_finalize(q);
	bool ok = !strcmp(first, "ok");
	result(v, ok, "database", "%s", ok ? "SQLite finds no damage" : first);
}

static void check_complete(struct verify *v)
{
	bool complete = recording_complete(v->r);
	const char *truncated = recording_meta(v->r, "truncated");
	result(v, complete && !*truncated, "complete", "%s",
	       *truncated ? truncated
	       : complete ? "the recorder finished it"
			  : "the recorder did not finish it");
	int64_t lost = number(v, "SELECT ifnull(sum(lost), 0) FROM process");
	result(v, !lost, "lost", "%s records", lost < 0 ? "?" : fmt_count((uint64_t)lost));
	int64_t diverged = number(v, "SELECT ifnull(sum(divergences), 0) FROM process");
	const char *first = recording_meta(v->r, "divergence");
	result(v, !diverged, "divergences", "%s%s%s",
	       diverged < 0 ? "?" : fmt_count((uint64_t)diverged), *first ? ": " : "", first);
}

static void check_ids(struct verify *v)
{
	int64_t n = number(v, "SELECT count(*) FROM event");
	int64_t first = number(v, "SELECT ifnull(min(rowid), 1) FROM event");
	int64_t last = number(v, "SELECT ifnull(max(rowid), 0) FROM event");
	result(v, n >= 0 && first == 1 && last == n, "ids", "%s events, ids %s to %s",
	       fmt_count((uint64_t)n), fmt_count((uint64_t)first), fmt_count((uint64_t)last));
	int64_t orphans = number(v, "SELECT count(*) FROM event WHERE context NOT IN"
				    " (SELECT context FROM context)");
	result(v, !orphans, "contexts", "%" PRId64 " events without their context", orphans);
}

// A free names the allocation of its address, earlier than itself, and no other free does.
static void check_refs(struct verify *v)
{
	int64_t frees = numberf(v,
				"SELECT count(*) FROM event e CROSS JOIN context c USING (context)"
				" WHERE c.kind = %d AND e.addr",
				EV_FREE);
	int64_t before = numberf(v,
				 "SELECT count(*) FROM event e CROSS JOIN context c USING (context)"
				 " WHERE c.kind = %d AND e.addr AND NOT e.back",
				 EV_FREE);
	int64_t wrong =
		numberf(v,
			"SELECT count(*) FROM event e CROSS JOIN context c USING (context)"
			" LEFT JOIN event a ON a.rowid = e.rowid - e.back"
			" LEFT JOIN context ac ON ac.context = a.context"
			" WHERE c.kind = %d AND e.back AND (a.addr IS NOT e.addr OR e.back < 0"
			" OR ac.kind NOT IN (%d, %d, %d, %d))",
			EV_FREE, EV_MALLOC, EV_CALLOC, EV_REALLOC, EV_MEMALIGN);
	int64_t twice =
		numberf(v,
			"SELECT count(*) - count(DISTINCT c.process << 48 | (e.rowid - e.back))"
			" FROM event e CROSS JOIN context c USING (context)"
			" WHERE c.kind = %d AND e.back",
			EV_FREE);
	result(v, !wrong && !twice, "frees",
	       "%s, of which %s of blocks from before the recording, %" PRId64 " wrong, %" PRId64
	       " doubled",
	       fmt_count((uint64_t)frees), fmt_count((uint64_t)before), wrong, twice);
}

struct log_check {
	struct verify *v;
	int process;
	uint64_t ops, wrong, first_wrong, next_row;
	struct event_row row[1024];
	unsigned nrows;
	uint64_t first_row;
};

static const struct event_row *row_of(struct log_check *c, uint64_t event)
{
	if (event < c->first_row || event >= c->first_row + c->nrows) {
		c->first_row = event;
		c->nrows = recording_rows(c->v->r, event, 1024, c->row);
	}
	if (!c->nrows)
		return NULL;
	const struct event_row *row = &c->row[event - c->first_row];
	return row->id == event ? row : NULL;
}

// The OP of the log says the same as the row of the table.
static void compare_op(void *ctx, const struct log_entry *e)
{
	struct log_check *c = ctx;
	const struct event_row *row = row_of(c, e->event);
	c->ops++;
	if (row && row->process == c->process && row->kind == e->r.kind && row->path == e->r.path &&
	    row->addr == e->r.op.addr && row->req == e->r.op.req && row->cpu == e->r.cpu)
		return;
	if (!c->wrong++)
		c->first_wrong = e->event;
}

// Sums over the processes; what is wrong with one of them gets a line of its own.
struct replay_check {
	uint64_t blobs, ops, keyframes, machines, states;
	unsigned wrong_logs, wrong_keyframes, wrong_machines, wrong_states;
};

static void compare_keyframe(struct verify *v, struct replay_check *k, struct replay *fold,
			     struct replay *key, int process, int64_t seq)
{
	char where[128] = "cannot be decoded";
	int ret = replay_keyframe(key, seq);
	if (ret == -ENOENT)
		return;
	k->keyframes++;
	int64_t at = ret ? 0 : replay_compare(fold, key);
	if (at < 0 || k->wrong_keyframes++)
		return;
	if (!ret)
		machine_describe_offset(replay_machine(fold), (size_t)at, where, sizeof(where));
	result(v, false, "keyframe", "process %d, before blob %" PRId64 ": %s", process, seq,
	       where);
}

static void fold_log(struct verify *v, struct replay_check *k, const struct process_info *p,
		     struct replay *fold, struct replay *key, struct log_check *c)
{
	uint64_t diverged = 0;
	int64_t seq = 0, n = replay_blobs(fold);
	int ret = replay_keyframe(fold, 0);
	for (; !ret && seq < n; seq++) {
		compare_keyframe(v, k, fold, key, p->process, seq);
		ret = replay_blob(fold, seq, &diverged, compare_op, c);
	}
	k->blobs += (uint64_t)seq;
	k->ops += c->ops;
	if (!ret && !diverged && !c->wrong && c->ops == p->events)
		return;
	k->wrong_logs++;
	result(v, false, "log",
	       "process %d: %" PRId64 " of %" PRId64
	       " blobs fold, %s of %s events, %s records contradict the"
	       " machine, %s differ from their rows",
	       p->process, seq - !!ret, n, fmt_count(c->ops), fmt_count(p->events),
	       fmt_count(diverged), fmt_count(c->wrong));
}

static void check_machine(struct verify *v, struct replay_check *k, struct replay *fold,
			  int process)
{
	char why[256] = "";
	k->machines++;
	if (!machine_check(replay_machine(fold), why, sizeof(why)))
		return;
	k->wrong_machines++;
	result(v, false, "machine", "process %d: %s", process, why);
}

static void check_state(struct verify *v, struct replay_check *k, int process)
{
	char text[256] = "";
	sqlite3_stmt *q = NULL;
	sqlite3_prepare_v2(recording_db(v->r), "SELECT state_check FROM process WHERE process = ?1",
			   -1, &q, NULL);
	if (q && !sqlite3_bind_int(q, 1, process) && sqlite3_step(q) == SQLITE_ROW)
		reader_text(q, 0, text, sizeof(text));
	sqlite3_finalize(q);
	if (!*text) // only with --dump-state
		return;
	k->states++;
	if (!strcmp(text, "equal"))
		return;
	k->wrong_states++;
	result(v, false, "state",
	       "process %d: the program's final machine and the replayed one: %s", process, text);
}

static void check_process(struct verify *v, struct replay_check *k, const struct process_info *p)
{
	char err[256] = "out of memory";
	struct log_check *c = calloc(1, sizeof(*c));
	struct replay *fold = c ? replay_open(v->r, p->process, err, sizeof(err)) : NULL;
	struct replay *key = fold ? replay_open(v->r, p->process, err, sizeof(err)) : NULL;
	if (key) {
		c->v = v;
		c->process = p->process;
		fold_log(v, k, p, fold, key, c);
		check_machine(v, k, fold, p->process);
	} else {
		k->wrong_logs++;
		result(v, false, "log", "%s", err);
	}
	replay_close(fold);
	replay_close(key);
	free(c);
	check_state(v, k, p->process);
}

static void check_processes(struct verify *v)
{
	const struct process_info *p;
	struct replay_check k = {0};
	unsigned n = recording_processes(v->r, &p);
	for (unsigned i = 0; i < n; i++)
		check_process(v, &k, &p[i]);
	if (!k.wrong_logs)
		result(v, n, "log",
		       "%u processes: %s blobs fold from the first record to the last, %s events as"
		       " in their rows",
		       n, fmt_count(k.blobs), fmt_count(k.ops));
	if (!k.wrong_keyframes)
		result(v, k.keyframes, "keyframes", "%s, equal to the fold at their place",
		       fmt_count(k.keyframes));
	if (!k.wrong_machines)
		result(v, true, "machines", "%s, all invariants hold at the end",
		       fmt_count(k.machines));
	if (k.states && !k.wrong_states)
		result(v, true, "states", "%s final machines equal the replayed ones",
		       fmt_count(k.states));
}

// How much of the stacks is what libunwind saw; no failure, but worth knowing.
static void report_stacks(struct verify *v)
{
	static const struct {
		const char *name, *where;
	} quality[] = {
		{"full", "e.stack AND NOT c.flags & 224"},
		{"ended early", "e.stack AND c.flags & 128"},
		{"small stack", "e.stack AND c.flags & 224 = 32"},
		{"before unwinding was up", "e.stack AND c.flags & 192 = 64"},
		{"none", "NOT e.stack"},
	};
	int64_t all = number(v, "SELECT count(*) FROM event");
	printf("%-6s  %-14s", "info", "stacks");
	for (unsigned i = 0; i < sizeof(quality) / sizeof(*quality); i++) {
		int64_t n =
			numberf(v,
				"SELECT count(*) FROM event e CROSS JOIN context c USING (context)"
				" WHERE %s",
				quality[i].where);
		if (n > 0)
			printf(" %.1f %% %s;", 100.0 * (double)n / (double)all, quality[i].name);
	}
	putchar('\n');
}

int cmd_verify(int argc, char **argv)
{
	struct verify v = {0};
	struct cli c;
	cli_init(&c, "verify", argc, argv);
	while (cli_next(&c) != -1)
		;
	char **operand = cli_operands(&c, 1);
	v.r = cli_open(operand[0]);
	if (!v.r)
		return EXIT_FAILURE;
	check_database(&v);
	check_complete(&v);
	check_ids(&v);
	check_refs(&v);
	check_processes(&v);
	report_stacks(&v);
	recording_close(v.r);
	puts(v.failed ? "The recording has faults." : "The recording is complete and consistent.");
	return v.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
