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
#include "verify_heap.h"
#include "verify_rows.h"

// One line is printed for each check; any that fails makes the exit status 1.
struct verify {
	struct recording *r;
	bool failed;
	struct cli_progress progress;
	uint64_t events; // folded so far, of all processes
};

static void result(struct verify *v, bool ok, const char *what, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
static void result(struct verify *v, bool ok, const char *what, const char *fmt, ...)
{
	va_list ap;
	cli_progress_end(&v->progress);
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

// Structure only: quick_check does not compare indexes, of which there are none.
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

// What the recorder itself says of the recording.
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

// Calls have the numbers 1, 2, 3 ... in a whole recording: then a comparison does for a search.
static int64_t count_orphans(struct verify *v)
{
	if (number(v, "SELECT count(*) = max(call) AND min(call) = 1"
		      " FROM call JOIN context USING (context)") == 1)
		return number(v, "SELECT count(*) FROM event_row WHERE call IS NULL OR call < 1"
				 " OR call > (SELECT max(call) FROM call)");
	return number(v, "SELECT count(*) FROM event_row WHERE call NOT IN"
			 " (SELECT l.call FROM call l JOIN context USING (context))");
}

// Ids are the order of completion, 1, 2, 3 ...: a gap is a row that was lost.
static void check_ids(struct verify *v)
{
	int64_t n = number(v, "SELECT count(*) FROM event_row");
	int64_t first = number(v, "SELECT ifnull(min(rowid), 1) FROM event_row");
	int64_t last = number(v, "SELECT ifnull(max(rowid), 0) FROM event_row");
	result(v, n >= 0 && first == 1 && last == n, "ids", "%s events, ids %s to %s",
	       fmt_count((uint64_t)n), fmt_count((uint64_t)first), fmt_count((uint64_t)last));
	int64_t orphans = count_orphans(v);
	result(v, !orphans, "contexts", "%" PRId64 " events without their context", orphans);
}

enum {
	STACK_FULL,
	STACK_ENDED_EARLY,
	STACK_SMALL,
	STACK_EARLY,
	STACK_NONE,
	STACK_QUALITIES
};
static const char *const stack_quality[] = {"full", "ended early", "small stack",
					    "before unwinding was up", "none"};

// The worst that can be said of a stack.
static unsigned quality_of(const struct event_row *row)
{
	return !row->stack		      ? STACK_NONE
	       : row->flags & OPF_TRUNCATED   ? STACK_ENDED_EARLY
	       : row->flags & OPF_EARLY	      ? STACK_EARLY
	       : row->flags & OPF_SMALL_STACK ? STACK_SMALL
					      : STACK_FULL;
}

// One process while its log is folded, beside its rows.
struct log_check {
	struct verify *v;
	int process;
	uint64_t ops, wrong, first_wrong;
	uint64_t stacks[STACK_QUALITIES];
	struct heap_check heap;
	struct verify_rows *rows;
};

// The OP of the log says the same as the row of the table.
static void compare_op(void *ctx, const struct log_entry *e)
{
	struct log_check *c = ctx;
	const struct event_row *row = verify_row(c->rows, e->event);
	c->ops++;
	if (row) {
		c->stacks[quality_of(row)]++;
		heap_check_event(&c->heap, row, record_old(&e->r));
	}
	if (row && row->process == c->process && row->kind == e->r.kind && row->path == e->r.path &&
	    row->addr == e->r.op.addr && row->req == e->r.op.req && row->cpu == e->r.cpu)
		return;
	if (!c->wrong++)
		c->first_wrong = e->event;
}

// Sums over the processes; what is wrong with one of them gets a line of its own.
struct replay_check {
	uint64_t blobs, ops, keyframes, machines, states, frees, unknown;
	uint64_t stacks[STACK_QUALITIES];
	unsigned within; // a call: machines that ended there
	unsigned wrong_logs, wrong_keyframes, wrong_machines, wrong_states, wrong_heaps;
};

// Two machines: one folded from the first record on, one that only ever gets keyframes.
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

// The fold itself. Both machines are at the same place whenever a keyframe stands there.
static void fold_log(struct verify *v, struct replay_check *k, const struct process_info *p,
		     struct replay *fold, struct replay *key, struct log_check *c)
{
	uint64_t diverged = 0, before = v->events;
	int64_t seq = 0, n = replay_blobs(fold);
	int ret = replay_keyframe(fold, 0);
	for (; !ret && seq < n; seq++) {
		compare_keyframe(v, k, fold, key, p->process, seq);
		ret = replay_blob(fold, seq, &diverged, compare_op, c);
		v->events = before + c->ops;
		cli_progress_at(&v->progress, v->events, recording_events(v->r));
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

static void check_heap(struct verify *v, struct replay_check *k, struct log_check *c)
{
	uint64_t wrong = c->heap.wrong, first = c->heap.first_wrong;
	uint64_t twice = heap_check_finish(&c->heap);
	k->frees += c->heap.frees;
	k->unknown += c->heap.unknown;
	for (unsigned i = 0; i < STACK_QUALITIES; i++)
		k->stacks[i] += c->stacks[i];
	if (!wrong && !twice)
		return;
	k->wrong_heaps++;
	result(v, false, "frees",
	       "process %d: %s name another allocation than theirs (the first is event %s), %s blocks given"
	       " out twice",
	       c->process, fmt_count(wrong), fmt_count(first), fmt_count(twice));
}

// The invariants of core/check.c.
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

// The recorder compared the memory the program left behind with its fold, byte by byte.
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
	if (!strncmp(text, "ended within a call", 19)) {
		k->within++;
		return;
	}
	k->states++;
	if (!strcmp(text, "equal"))
		return;
	k->wrong_states++;
	result(v, false, "state",
	       "process %d: the program's final machine and the replayed one: %s", process, text);
}

static void check_process(struct verify *v, struct replay_check *k, struct verify_rows *rows,
			  const struct process_info *p)
{
	char err[256] = "out of memory";
	struct log_check *c = calloc(1, sizeof(*c));
	struct replay *fold = c ? replay_open(v->r, p->process, err, sizeof(err)) : NULL;
	struct replay *key = fold ? replay_open(v->r, p->process, err, sizeof(err)) : NULL;
	if (key) {
		c->v = v;
		c->process = p->process;
		c->rows = rows;
		heap_check_init(&c->heap, v->r, p->first_event);
		fold_log(v, k, p, fold, key, c);
		check_heap(v, k, c);
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

// Good news of all processes together; bad news has been told by process.
static void check_processes(struct verify *v, struct replay_check *k)
{
	const struct process_info *p;
	unsigned n = recording_processes(v->r, &p);
	struct verify_rows rows;
	if (verify_rows_open(&rows, v->r))
		result(v, false, "events", "cannot be read"), k->wrong_logs++;
	else
		for (unsigned i = 0; i < n; i++)
			check_process(v, k, &rows, &p[i]);
	verify_rows_finish(&rows);
	cli_progress_end(&v->progress);
	if (!k->wrong_logs)
		result(v, n, "log",
		       "%u processes: %s blobs fold from the first record to the last, %s events as"
		       " in their rows",
		       n, fmt_count(k->blobs), fmt_count(k->ops));
	if (!k->wrong_heaps)
		result(v, true, "frees",
		       "%s, each of its own block; %s of blocks from before the recording",
		       fmt_count(k->frees), fmt_count(k->unknown));
	if (!k->wrong_keyframes)
		result(v, k->keyframes, "keyframes", "%s, equal to the fold at their place",
		       fmt_count(k->keyframes));
	if (!k->wrong_machines)
		result(v, true, "machines", "%s, all invariants hold at the end",
		       fmt_count(k->machines));
	if (k->states && !k->wrong_states)
		result(v, true, "states", "%s final machines equal the replayed ones",
		       fmt_count(k->states));
	if (k->within)
		printf("info    states         %u processes were killed within a call, so their final"
		       " machines are not compared\n",
		       k->within);
}

// How much of the stacks is what libunwind saw; no failure, but worth knowing.
static void report_stacks(const struct replay_check *k)
{
	printf("%-6s  %-14s", "info", "stacks");
	for (unsigned i = 0; i < STACK_QUALITIES; i++)
		if (k->stacks[i])
			printf(" %.1f %% %s;", 100.0 * (double)k->stacks[i] / (double)k->ops,
			       stack_quality[i]);
	putchar('\n');
}

int cmd_verify(int argc, char **argv)
{
	struct verify v = {0};
	struct replay_check k = {0};
	struct cli c;
	cli_init(&c, "verify", argc, argv);
	while (cli_next(&c) != -1)
		;
	char **operand = cli_operands(&c, 1);
	enum recording_error code;
	char why[512];
	v.r = recording_open(operand[0], &code, why, sizeof(why));
	if (!v.r) {
		cli_error("%s", why);
		return code == REC_DAMAGED ? EXIT_FAILURE : EXIT_USAGE;
	}
	cli_progress_begin(&v.progress);
	check_database(&v);
	check_complete(&v);
	check_ids(&v);
	check_processes(&v, &k);
	report_stacks(&k);
	recording_close(v.r);
	puts(v.failed ? "The recording has faults." : "The recording is complete and consistent.");
	return v.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
