// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The reader against a recording whose every record is known.
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>

#include "db/callers.h"
#include "recording_make.h"

static struct made made;
static char path[256], other[300];
static struct recording *rec;

static struct recording *open_as(const char *file, enum recording_error *code, char *err)
{
	*err = 0;
	return recording_open(file, code, err, 256);
}

// What the machine of a process is after event n, folded from the first record, with no keyframe
// and no reader in between.
static void fold_plainly(const struct made_process *p, uint64_t n, struct machine *m, void *memory)
{
	const char *why;
	machine_boot(m, memory, &p->cfg, &why);
	machine_attach(m, memory, p->size, 0, &machine_ops_none, NULL);
	size_t end = 0;
	for (size_t i = 0; i < p->n; i++)
		if (p->log[i].event && p->log[i].event <= n)
			end = i + 1;
	for (size_t i = 0; i < end; i++)
		fold_apply(m, &p->log[i].r);
}

static void check_state(struct replay *r, const struct made_process *p, uint64_t n)
{
	void *memory = made_memory(p->size);
	struct machine m;
	char where[128] = "";
	fold_plainly(p, n, &m, memory);
	int64_t at = machine_compare(&m, replay_machine(r));
	if (at >= 0)
		machine_describe_offset(&m, (size_t)at, where, sizeof(where));
	munmap(memory, p->size);
	if (at >= 0)
		printf("# at event %llu: %s\n", (unsigned long long)n, where);
	CHECK_EQ(at, -1);
}

static void fold_of_the_log_is_the_machine(void)
{
	for (int i = 0; i < MADE_PROCESSES; i++) {
		struct made_process *p = &made.p[i];
		char err[256];
		struct replay *r = replay_open(rec, i + 1, err, sizeof(err));
		CHECK(r);
		CHECK_EQ(replay_finish(r), 0);
		CHECK_EQ(replay_position(r), p->last_event);
		CHECK_EQ(machine_compare(&p->m[0], replay_machine(r)), -1);
		replay_close(r);
	}
}

static void seeks_land_where_a_plain_fold_does(void)
{
	static const uint64_t target[] = {1500, 1501, 1502, 1499, 3,	2, 2999,
					  3000, 1,    700,  1800, 1799, 0, 3000};
	char err[256];
	struct replay *r = replay_open(rec, 1, err, sizeof(err));
	CHECK(r);
	for (unsigned i = 0; i < sizeof(target) / sizeof(*target); i++) {
		CHECK_EQ(replay_seek(r, target[i]), 0);
		CHECK(replay_position(r) <= target[i]);
		check_state(r, &made.p[0], target[i]);
	}
	replay_close(r);
}

// With copies left behind the way to an event is another one; what is there is not.
static void a_way_back_leads_to_the_same_states(void)
{
	char err[256];
	unsigned random = 3;
	for (int i = 0; i < MADE_PROCESSES; i++) {
		struct replay *r = replay_open(rec, i + 1, err, sizeof(err));
		struct replay *plain = replay_open(rec, i + 1, err, sizeof(err));
		uint64_t at = MADE_EVENTS;
		CHECK(r && plain);
		CHECK_EQ(replay_keep_back(r), 0);
		for (unsigned k = 0; k < 120; k++) {
			random = random * 1103515245u + 12345;
			// mostly steps back, some forward, now and then far away
			at = random >> 16 & 7 ? at - (at > 0) : at + (random >> 20) % 40;
			at = random >> 24 & 15 ? at : (random >> 8) % (MADE_EVENTS + 1);
			CHECK_EQ(replay_seek(r, at), 0);
			CHECK_EQ(replay_seek(plain, at), 0);
			CHECK_EQ(replay_position(r), replay_position(plain));
			CHECK_EQ(replay_in_flight(r), replay_in_flight(plain));
			CHECK_EQ(machine_compare(replay_machine(r), replay_machine(plain)), -1);
			if (k % 8 == 0)
				check_state(r, &made.p[i], at);
		}
		CHECK_EQ(replay_finish(r), 0);
		CHECK_EQ(machine_compare(&made.p[i].m[0], replay_machine(r)), -1);
		replay_close(r);
		replay_close(plain);
	}
}

static void positions_are_events_of_the_process(void)
{
	struct made_process *p = &made.p[1];
	char err[256];
	struct replay *r = replay_open(rec, 2, err, sizeof(err));
	CHECK(r);
	CHECK_EQ(replay_position(r), 0);
	for (uint64_t n = 900; n < 930; n++) {
		uint64_t expected = 0;
		for (size_t i = 0; i < p->n; i++)
			if (p->log[i].event && p->log[i].event <= n)
				expected = p->log[i].event;
		CHECK_EQ(replay_seek(r, n), 0);
		CHECK_EQ(replay_position(r), expected);
	}
	check_state(r, p, 929);
	CHECK_EQ(replay_seek(r, UINT64_MAX), 0);
	CHECK_EQ(replay_position(r), p->last_event);
	CHECK_EQ(replay_seek(r, 0), 0);
	check_state(r, p, 0);
	replay_close(r);
	CHECK(!replay_open(rec, 3, err, sizeof(err)));
	CHECK(strstr(err, "process 3"));
}

static unsigned traces;
static void count_trace(void *ctx, const struct trace_event *t)
{
	CHECK(ctx == &traces);
	CHECK(t->kind > EV_LAST_STEP && t->kind < EV_COUNT);
	traces++;
}

static void details_come_for_one_step_only(void)
{
	char err[256];
	struct replay *r = replay_open(rec, 1, err, sizeof(err));
	uint64_t next = 0;
	for (size_t i = 0; i < made.p[0].n && next <= 1000; i++)
		if (made.p[0].log[i].event)
			next = made.p[0].log[i].event;
	CHECK(r);
	replay_on_trace(r, count_trace, &traces);
	CHECK_EQ(replay_seek(r, 1000), 0);
	CHECK_EQ(traces, 0);
	CHECK_EQ(replay_seek(r, next), 0);
	CHECK_EQ(replay_position(r), next);
	CHECK(traces > 0);
	check_state(r, &made.p[0], next);
	replay_close(r);
}

static void in_flight_counts_unfinished_cpus(void)
{
	char err[256];
	struct made_process *p = &made.p[0];
	struct replay *r = replay_open(rec, 1, err, sizeof(err));
	unsigned busy = 0, seen = 0;
	CHECK(r);
	// an event after which the other CPU has steps of an operation that completes later
	for (size_t i = 0, pending[2] = {0}; i < p->n && seen < 5; i++) {
		unsigned cpu = p->log[i].r.cpu;
		pending[cpu] = p->log[i].event ? 0 : pending[cpu] + 1;
		if (!p->log[i].event || p->log[i].event < 500)
			continue;
		unsigned expected = (pending[0] > 0) + (pending[1] > 0);
		CHECK_EQ(replay_seek(r, p->log[i].event), 0);
		if (i >
		    2 * MADE_BLOB *
			    MADE_KEYFRAME_EVERY) // exact where the fold has passed an OP of each CPU
			CHECK(replay_in_flight(r) <= 2);
		busy += expected;
		seen += expected > 0 && replay_in_flight(r) == expected;
	}
	CHECK(busy > 0);
	CHECK_EQ(seen, 5);
	replay_close(r);
}

static void rows_are_what_was_stored(void)
{
	struct event_row row[64];
	CHECK_EQ(recording_events(rec), MADE_EVENTS);
	CHECK_EQ(recording_rows(rec, 100, 64, row), 64);
	CHECK_EQ(recording_rows(rec, MADE_EVENTS - 9, 64, row), 10);
	CHECK_EQ(recording_rows(rec, MADE_EVENTS + 1, 64, row), 0);
	CHECK_EQ(recording_rows(rec, 1, 64, row), 64);
	for (int i = 0, seen[3] = {0}; i < 64; i++) {
		struct made_process *p = &made.p[row[i].process - 1];
		const struct log_entry *e = p->log + seen[row[i].process];
		while (!e->event)
			e++;
		seen[row[i].process] = (int)(e - p->log) + 1;
		CHECK_EQ(row[i].id, i + 1);
		CHECK_EQ(e->event, row[i].id);
		CHECK_EQ(row[i].kind, e->r.kind);
		CHECK_EQ(row[i].addr, e->r.op.addr);
		CHECK_EQ(row[i].req, e->r.op.req);
		CHECK_EQ(row[i].alloc, 32);
		CHECK_EQ(row[i].cpu, e->r.cpu);
		CHECK_EQ(row[i].t_ns, (i + 1) * 1000);
		CHECK_EQ(row[i].stack, (i + 1) % 3);
		CHECK(row[i].ref < row[i].id);
		CHECK((row[i].kind == EV_FREE) == (row[i].ref != 0));
	}
}

static void times_find_their_event(void)
{
	CHECK_EQ(recording_event_at(rec, 0), 0);
	CHECK_EQ(recording_event_at(rec, 999), 0);
	CHECK_EQ(recording_event_at(rec, 1000), 1);
	CHECK_EQ(recording_event_at(rec, 1234567), 1234);
	CHECK_EQ(recording_event_at(rec, INT64_MAX), MADE_EVENTS);
	CHECK_EQ(recording_duration_ns(rec), MADE_EVENTS * 1000);
}

static void processes_and_meta(void)
{
	const struct process_info *p;
	CHECK_EQ(recording_processes(rec, &p), 2);
	CHECK_EQ(p[1].process, 2);
	CHECK_EQ(p[1].parent, 1);
	CHECK_EQ(p[1].pid, 1002);
	CHECK_STR(p[0].exe, "/bin/made");
	CHECK_STR(p[0].argv, "made arg");
	CHECK_EQ(p[0].events + p[1].events, MADE_EVENTS);
	CHECK(recording_complete(rec));
	CHECK_STR(recording_meta(rec, "complete"), "1");
	CHECK_STR(recording_meta(rec, "no such key"), "");
}

static void stacks_expand_inlines(void)
{
	struct frame f[8];
	CHECK_EQ(recording_stack(rec, 7, f, 8), 4);
	CHECK_STR(f[0].function, "inner");
	CHECK(f[0].inlined);
	CHECK_STR(f[0].file, "a.c");
	CHECK_EQ(f[0].line, 10);
	CHECK_STR(f[1].function, "outer");
	CHECK(!f[1].inlined);
	CHECK_EQ(f[0].size, 0); // its code is the other's
	CHECK_EQ(f[1].place, 16);
	CHECK_EQ(f[1].size, 32);
	CHECK_STR(f[1].module, "/lib/liba.so");
	CHECK_STR(f[2].function, "liba.so+0x222");
	CHECK_EQ(f[2].offset, 0x222);
	CHECK_STR(f[3].function, "0x7777");
	CHECK_EQ(recording_stack(rec, 7, f, 2), 2);
	CHECK_EQ(recording_stack(rec, 8, f, 8), 0);
}

// The machine's text has a stack id where the kernel prints the caller's symbol.
static void named(const char *text, const char *want)
{
	char *got = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&got, &size);
	CHECK(f);
	print_with_callers(f, rec, 1, text);
	fclose(f);
	CHECK_STR(got, want);
	free(got);
}

static void callers_are_symbols(void)
{
	named("0xf7ffe000-0xf8000000    8192 0x9 pages=1 vmalloc\n",
	      "0xf7ffe000-0xf8000000    8192 foo+0x10/0x20 pages=1 vmalloc\n");
	named("0xf7ffe000-0xf8000000    8192 0x7 pages=1 vmalloc\n" // not the function inlined into it
	      "0xf8000000-0xf8003000   12288 vmap\n"		    // nobody's
	      "0xf8004000-0xf8006000    8192 0x63 ioremap\n",	    // a stack that is not there
	      "0xf7ffe000-0xf8000000    8192 outer+0x10/0x20 [liba.so] pages=1 vmalloc\n"
	      "0xf8000000-0xf8003000   12288 vmap\n"
	      "0xf8004000-0xf8006000    8192 0x63 ioremap\n");
	named("", "");
}

static void timeline_merges_to_the_width(void)
{
	struct timeline_bucket b[16];
	CHECK_EQ(recording_timeline(rec, 1, 1, 25600, b, 16), 16);
	CHECK_EQ(b[0].first_event, 1);
	CHECK_EQ(b[15].last_event, 25600);
	uint64_t low = UINT64_MAX, high = 0, failures = 0;
	for (int i = 0; i < 16; i++) {
		CHECK(!i || b[i].first_event == b[i - 1].last_event + 1);
		low = b[i].min[TL_NORMAL_USED] < low ? b[i].min[TL_NORMAL_USED] : low;
		high = b[i].max[TL_NORMAL_USED] > high ? b[i].max[TL_NORMAL_USED] : high;
		failures += b[i].failures;
	}
	CHECK_EQ(low, 100);
	CHECK_EQ(high, 299);
	CHECK_EQ(failures, 100);
	CHECK_EQ(recording_timeline(rec, 1, 300, 1000, b, 16), 3);
	CHECK_EQ(b[0].first_event, 257);
	CHECK_EQ(recording_timeline(rec, 2, 1, 1000, b, 16), 0);
}

static void transitions_of_an_event(void)
{
	struct transition_row t[4];
	CHECK_EQ(recording_transitions(rec, 5, t, 4), 2);
	CHECK_EQ(t[0].event, 5);
	CHECK_EQ(t[0].t.kind, EV_T_BUDDY_SPLIT);
	CHECK_EQ(t[0].t.pfn, 1234);
	CHECK_EQ(t[0].t.order, 3);
	CHECK_EQ(t[0].t.order2, 2);
	CHECK_EQ(t[1].t.addr, 0xC0001000u);
	CHECK_EQ(t[1].t.stride, -1);
	CHECK_EQ(recording_transitions(rec, 5, t, 1), 1);
	CHECK_EQ(recording_transitions(rec, 6, t, 4), 0);
}

// The rows no machine was needed for.
static void add_extras(void)
{
	made_exec(&made, "INSERT INTO module(module, path) VALUES (1, '/lib/liba.so')");
	made_exec(
		&made,
		"INSERT INTO address VALUES (1, 0, 273, 1, 273), (2, 0, 546, 1, 546), (3, 0, 30583, NULL, NULL)");
	made_exec(&made, "INSERT INTO stack_part VALUES (7, 0, 7), (7, 1, 5);"
			 "INSERT INTO chunk_frame VALUES (7, 0, 1), (5, 0, 2), (5, 1, 3)");
	made_exec(
		&made,
		"INSERT INTO frame VALUES (1, 0, 'inner', 'a.c', 10, NULL, NULL), (1, 1, 'outer', 'a.c', 20, 16, 32),"
		" (4, 0, 'foo', 'b.c', 5, 16, 32)");
	made_exec(&made, "INSERT INTO module(module, path) VALUES (2, '/bin/made');"
			 "INSERT INTO address VALUES (4, 0, 819, 2, 819);"
			 "INSERT INTO stack_part VALUES (9, 0, 9);"
			 "INSERT INTO chunk_frame VALUES (9, 0, 4)");
	for (int i = 0; i < 100; i++)
		made_execf(
			&made,
			"INSERT INTO timeline VALUES (1, 0, %d, %d, %d, 0, 0, 0, %d, %d, 0, 0, 0, 0, 0, 0, 1)",
			i, i * 256 + 1, i * 256 + 256, 100 + i, 200 + i);
	made_execf(&made,
		   "INSERT INTO transition_context VALUES (1, 1, 0, %d, 1, 3, 2, 0, 0, 0, 0)",
		   EV_T_BUDDY_SPLIT);
	made_exec(&made, "INSERT INTO transition VALUES (5, 0, 1, 1234, 0, 1, 0, 0),"
			 " (5, 1, 1, 0, -1073737728, 4, -1, 0)");
}

static void write_file(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	CHECK(fd >= 0);
	CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void copy_recording(void)
{
	char command[600];
	snprintf(command, sizeof(command), "cp '%s' '%s'", path, other);
	CHECK_EQ(system(command), 0);
}

static void other_exec(const char *sql)
{
	sqlite3 *db;
	CHECK_EQ(sqlite3_open(other, &db), 0);
	CHECK_EQ(sqlite3_exec(db, sql, NULL, NULL, NULL), 0);
	sqlite3_close(db);
}

static void refusals_are_told_apart(void)
{
	enum recording_error code;
	char err[256];
	CHECK(!open_as("/nowhere/at/all", &code, err));
	CHECK_EQ(code, REC_MISSING);
	CHECK(strstr(err, "No such file"));
	CHECK(!open_as("/tmp", &code, err));
	CHECK_EQ(code, REC_NOT_A_RECORDING);
	write_file(other, "");
	CHECK(!open_as(other, &code, err));
	CHECK_EQ(code, REC_NOT_A_RECORDING);
	write_file(
		other,
		"just a text, long enough to be taken for a header, had it been one ................."
		".................................................");
	CHECK(!open_as(other, &code, err));
	CHECK_EQ(code, REC_NOT_A_RECORDING);
	CHECK(*err);
	copy_recording();
	other_exec("PRAGMA application_id = 1");
	CHECK(!open_as(other, &code, err));
	CHECK_EQ(code, REC_NOT_A_RECORDING);
	copy_recording();
	other_exec("PRAGMA user_version = 99");
	CHECK(!open_as(other, &code, err));
	CHECK_EQ(code, REC_NEWER);
	CHECK(strstr(err, "99"));
	copy_recording();
	other_exec("PRAGMA user_version = 1");
	CHECK(!open_as(other, &code, err));
	CHECK_EQ(code, REC_OLDER);
	CHECK(strstr(err, "older"));
	copy_recording();
	other_exec("DROP TABLE log");
	CHECK(!open_as(other, &code, err));
	CHECK_EQ(code, REC_DAMAGED);
}

// What stands under our names is ours, whoever sent the file; what somebody added is nobody's business.
static void other_schemas_are_refused(void)
{
	static const char *const hostile[][2] = {
		{"DROP VIEW event; CREATE VIEW event AS WITH RECURSIVE n(i) AS"
		 " (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS t_ns FROM n",
		 "event "},
		{"DROP TABLE clock; CREATE VIEW clock AS SELECT 1 AS event, 1 AS t_ns", "clock"},
		{"DROP TABLE mark; CREATE TABLE mark(event INTEGER, process INTEGER, t_ns INTEGER,"
		 " text AS (zeroblob(1000000000)))",
		 "mark"},
		{"DROP TABLE mark; CREATE VIRTUAL TABLE mark USING fts5(event, process, t_ns, text)",
		 "mark"},
	};
	enum recording_error code;
	char err[256];
	for (unsigned i = 0; i < sizeof(hostile) / sizeof(*hostile); i++) {
		copy_recording();
		other_exec(hostile[i][0]);
		CHECK(!open_as(other, &code, err));
		CHECK_EQ(code, REC_DAMAGED);
		CHECK(strstr(err, "not to be trusted"));
		CHECK(strstr(err, hostile[i][1]));
	}
	copy_recording();
	other_exec(
		"CREATE VIEW mine AS SELECT * FROM events; CREATE INDEX by_addr ON event_row(addr)");
	struct recording *r = open_as(other, &code, err);
	CHECK(r);
	recording_close(r);
}

// A file's own views and columns get no functions that could do anything, nor may anybody write.
static void a_file_can_do_nothing(void)
{
	struct recording *r;
	enum recording_error code;
	char err[256], *why = NULL;
	copy_recording();
	other_exec("CREATE VIEW mine AS SELECT load_extension('/tmp/x') AS x;"
		   "CREATE TRIGGER t AFTER INSERT ON mark BEGIN DELETE FROM log; END");
	r = open_as(other, &code, err);
	CHECK(r);
	CHECK(sqlite3_exec(recording_db(r), "SELECT * FROM mine", NULL, NULL, &why));
	CHECK(why && strstr(why, "unsafe use"));
	sqlite3_free(why);
	CHECK(sqlite3_exec(recording_db(r), "INSERT INTO mark VALUES (1, 1, 1, 'x')", NULL, NULL,
			   NULL));
	CHECK(sqlite3_exec(recording_db(r), "PRAGMA writable_schema = 1; DELETE FROM sqlite_schema",
			   NULL, NULL, NULL));
	recording_close(r);
}

static void a_locked_recording_is_busy(void)
{
	enum recording_error code;
	char err[256];
	sqlite3 *db;
	copy_recording();
	CHECK_EQ(sqlite3_open(other, &db), 0);
	CHECK_EQ(sqlite3_exec(db, "BEGIN EXCLUSIVE", NULL, NULL, NULL), 0);
	CHECK(!open_as(other, &code, err));
	CHECK_EQ(code, REC_BUSY);
	sqlite3_close(db);
}

// Everything a viewer would ask; only surviving counts.
static void read_everything(struct recording *r)
{
	static struct event_row rows[256];
	struct frame f[16];
	struct timeline_bucket b[16];
	struct transition_row t[16];
	char err[256];
	recording_rows(r, 1, 256, rows);
	recording_stack(r, 7, f, 16);
	recording_timeline(r, 1, 0, UINT64_MAX / 2, b, 16);
	recording_transitions(r, 5, t, 16);
	struct replay *p = replay_open(r, 1, err, sizeof(err));
	if (!p)
		return;
	replay_seek(p, 1500);
	replay_finish(p);
	replay_close(p);
}

static void damage_never_crashes(void)
{
	struct stat st;
	unsigned opened = 0, seed = 99;
	CHECK_EQ(stat(path, &st), 0);
	for (int round = 0; round < 24; round++) {
		enum recording_error code;
		char err[256];
		copy_recording();
		int fd = open(other, O_WRONLY);
		CHECK(fd >= 0);
		if (round < 4)
			CHECK_EQ(ftruncate(fd, st.st_size * (round + 1) / 6), 0);
		for (int i = 0; round >= 4 && i < 40; i++) {
			seed = seed * 1103515245u + 12345;
			off_t at = 4096 +
				   (off_t)((uint64_t)seed * (uint64_t)(st.st_size - 4096) >> 32);
			CHECK_EQ(pwrite(fd, &seed, 3, at), 3);
		}
		close(fd);
		struct recording *r = open_as(other, &code, err);
		CHECK(r || *err);
		opened += r != NULL;
		if (r)
			read_everything(r);
		recording_close(r);
	}
	CHECK(opened > 0);
}

static void a_damaged_log_is_reported(void)
{
	enum recording_error code;
	char err[256];
	uint64_t inside = 0;
	for (size_t i = 0; i < made.p[0].n && i < 5 * MADE_BLOB - 20; i++)
		inside = made.p[0].log[i].event ? made.p[0].log[i].event : inside;
	copy_recording();
	other_exec("UPDATE log SET data = zeroblob(100) WHERE process = 1 AND seq = 4");
	struct recording *r = open_as(other, &code, err);
	CHECK(r);
	struct replay *p = replay_open(r, 1, err, sizeof(err));
	CHECK(p);
	CHECK_EQ(replay_seek(p, 1), 0);
	CHECK_EQ(replay_seek(p, inside), -EILSEQ);
	CHECK(replay_position(p) < inside);
	CHECK_EQ(replay_seek(p, made.p[0].last_event), 0); // a keyframe behind the damage
	check_state(p, &made.p[0], made.p[0].last_event);
	replay_close(p);
	recording_close(r);
}

int main(void)
{
	const char *tmp = getenv("TMPDIR");
	enum recording_error code;
	char err[256];
	snprintf(path, sizeof(path), "%s/reader-%d.kalloscope", tmp ? tmp : "/tmp", (int)getpid());
	snprintf(other, sizeof(other), "%s.other", path);
	made_create(&made, path);
	add_extras();
	rec = open_as(path, &code, err);
	if (!rec) {
		printf("Bail out! %s\n", err);
		return 1;
	}
	RUN(fold_of_the_log_is_the_machine);
	RUN(seeks_land_where_a_plain_fold_does);
	RUN(a_way_back_leads_to_the_same_states);
	RUN(positions_are_events_of_the_process);
	RUN(details_come_for_one_step_only);
	RUN(in_flight_counts_unfinished_cpus);
	RUN(rows_are_what_was_stored);
	RUN(times_find_their_event);
	RUN(processes_and_meta);
	RUN(stacks_expand_inlines);
	RUN(callers_are_symbols);
	RUN(timeline_merges_to_the_width);
	RUN(transitions_of_an_event);
	recording_close(rec);
	RUN(refusals_are_told_apart);
	RUN(other_schemas_are_refused);
	RUN(a_file_can_do_nothing);
	RUN(a_locked_recording_is_busy);
	RUN(damage_never_crashes);
	RUN(a_damaged_log_is_reported);
	made_destroy(&made);
	unlink(path);
	unlink(other);
	return DONE();
}
