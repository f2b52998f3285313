// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Reading and printing the figures of a recording.
#include "summary.h"

#include "../core/layout.h"

#include <glib.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static uint64_t meta_number(struct recording *r, const char *key)
{
	return strtoull(recording_meta(r, key), NULL, 10);
}

// What $? would have said.
static int shell_status(int wait_status)
{
	return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

// Columns in the order of read_processes.
static void add_process(sqlite3_stmt *q, struct summary *s)
{
	uint64_t peak = (uint64_t)sqlite3_column_int64(q, 2);
	if (!s->processes)
		s->pid = sqlite3_column_int(q, 11);
	if (sqlite3_column_int(q, 11) ==
	    s->pid) { // the program's own images: the last one ended it
		if (sqlite3_column_type(q, 7) != SQLITE_NULL && sqlite3_column_int(q, 7) != -1)
			s->status = shell_status(sqlite3_column_int(q, 7));
		s->killed = sqlite3_column_int(q, 8);
	}
	s->live_bytes += (uint64_t)sqlite3_column_int64(q, 0);
	s->live_count += (uint64_t)sqlite3_column_int64(q, 1);
	s->lost += (uint64_t)sqlite3_column_int64(q, 4);
	s->unrecorded += (uint64_t)sqlite3_column_int64(q, 5);
	s->early_calls += (uint64_t)sqlite3_column_int64(q, 6);
	s->divergences += (uint64_t)sqlite3_column_int64(q, 10);
	s->processes++;
	if (peak < s->peak_bytes && s->peak_process)
		return;
	s->peak_bytes = peak;
	s->peak_event = (uint64_t)sqlite3_column_int64(q, 3);
	s->peak_process = sqlite3_column_int(q, 9);
}

static void read_processes(struct recording *r, struct summary *s)
{
	sqlite3_stmt *q = NULL;
	sqlite3_prepare_v2(
		recording_db(r),
		"SELECT live_bytes, live_count, peak_bytes, peak_event, lost,"
		" unrecorded_children, early_calls, wait_status, killed, process, divergences, pid"
		" FROM process ORDER BY process",
		-1, &q, NULL);
	while (q && sqlite3_step(q) == SQLITE_ROW)
		add_process(q, s);
	sqlite3_finalize(q);
}

// Counted by the recorder while inserting; empty in a recording that was never finished.
static void read_served(struct recording *r, struct summary *s)
{
	sqlite3_stmt *q = NULL;
	sqlite3_prepare_v2(recording_db(r),
			   "SELECT reason, calls, bytes, first_event, first_req FROM served", -1,
			   &q, NULL);
	while (q && sqlite3_step(q) == SQLITE_ROW) {
		int reason = sqlite3_column_int(q, 0);
		if (reason < 0 || reason >= HOST_REASONS)
			continue;
		s->by[reason] = (struct served_by){
			(uint64_t)sqlite3_column_int64(q, 1), (uint64_t)sqlite3_column_int64(q, 2),
			(uint64_t)sqlite3_column_int64(q, 3), (uint64_t)sqlite3_column_int64(q, 4)};
	}
	sqlite3_finalize(q);
}

static uint64_t query(struct recording *r, const char *sql)
{
	sqlite3_stmt *q = NULL;
	uint64_t n = 0;
	sqlite3_prepare_v2(recording_db(r), sql, -1, &q, NULL);
	if (q && sqlite3_step(q) == SQLITE_ROW)
		n = (uint64_t)sqlite3_column_int64(q, 0);
	sqlite3_finalize(q);
	return n;
}

void summary_read(struct recording *r, struct summary *s)
{
	struct stat st;
	const struct process_info *list;
	*s = (struct summary){.path = recording_path(r), .status = -1};
	s->complete = recording_complete(r);
	g_strlcpy(s->truncated, recording_meta(r, "truncated"), sizeof(s->truncated));
	s->events = recording_events(r);
	s->duration_ns = recording_duration_ns(r);
	s->transitions = meta_number(r, "transitions");
	if (!s->complete) // nobody has added them up yet
		s->transitions = query(r, "SELECT count(*) FROM transition");
	s->host_peak = query(r, "SELECT max(host_max) FROM timeline WHERE level = 0");
	read_processes(r, s);
	read_served(r, s);
	if (meta_number(r, "lost") > s->lost)
		s->lost = meta_number(r, "lost");
	if (meta_number(r, "divergences") > s->divergences)
		s->divergences = meta_number(r, "divergences");
	if (!stat(s->path, &st))
		s->file_bytes = (uint64_t)st.st_size;
	if (recording_processes(r, &list))
		memcpy(s->argv, list[0].argv, sizeof(s->argv));
}

// Reasons a differently configured machine (or host) would not have had, in order of importance.
enum host_reason summary_first_spill(const struct summary *s)
{
	static const enum host_reason avoidable[] = {HOST_NO_ARENA, HOST_SPILL, HOST_TOO_BIG,
						     HOST_MAP_LIMIT, HOST_SHARED};
	for (unsigned i = 0; i < sizeof(avoidable) / sizeof(*avoidable); i++)
		if (s->by[avoidable[i]].calls)
			return avoidable[i];
	return HOST_NONE;
}

// Options that leave room for the blocks the host had to serve, with a quarter to spare. Large
// blocks live in the vmalloc area, which takes its addresses from lowmem.
static const char *vmalloc_advice(uint64_t host_peak)
{
	static char text[64];
	uint64_t step = 64ull << 20, need = (VMALLOC_RESERVE + host_peak) * 5 / 4;
	need = (need + step - 1) / step * step;
	if (need > 2560ull << 20)
		return NULL; // no 32-bit machine has that much
	snprintf(text, sizeof(text), "%s--vmalloc=%lluM",
		 need > 768ull << 20 ? "--split=1G/3G " : "", (unsigned long long)(need >> 20));
	return text;
}

const char *summary_advice(const struct summary *s, enum host_reason reason)
{
	switch (reason) {
	case HOST_NO_ARENA:
		return "ulimit -v unlimited";
	case HOST_SPILL:
	case HOST_TOO_BIG:
	case HOST_SHARED:
		return s->by[reason].first_req > 4 << 20 ? vmalloc_advice(s->host_peak)
							 : "--ram=4G --split=1G/3G";
	case HOST_MAP_LIMIT:
		return "sysctl vm.max_map_count=262144";
	default:
		return NULL;
	}
}

// The share is one of bytes asked for, large blocks weighing what they weigh.
static void print_served(FILE *to, const struct summary *s)
{
	uint64_t sim = s->by[0].bytes, host = 0, calls = 0;
	for (int i = 1; i < HOST_REASONS; i++) {
		host += s->by[i].bytes;
		calls += s->by[i].calls;
	}
	double all = (double)(sim + host);
	fprintf(to,
		"  served      %s by the simulated machine (%.1f %%), %s by the host in %s calls\n",
		fmt_bytes(sim), all > 0 ? 100 * (double)sim / all : 100.0, fmt_bytes(host),
		fmt_count(calls));
	enum host_reason spill = summary_first_spill(s);
	if (!spill)
		return;
	const struct served_by *by = &s->by[spill];
	const char *advice = summary_advice(s, spill);
	fprintf(to, "  first spill event %s, %s: %s", fmt_count(by->first_event),
		fmt_bytes(by->first_req), host_reason_name(spill));
	fprintf(to, advice ? "; avoided by %s\n" : "\n", advice);
}

// Capitals for what puts everything else in doubt.
static void print_completeness(FILE *to, const struct summary *s)
{
	if (!s->complete)
		fprintf(to,
			"  INCOMPLETE  the recorder did not finish; try: kalloscope recover %s\n",
			s->path);
	if (*s->truncated)
		fprintf(to, "  CUT SHORT   %s\n", s->truncated);
	if (s->lost)
		fprintf(to, "  LOST        %s records: the recorder could not keep up\n",
			fmt_count(s->lost));
	else
		fprintf(to, "  lost        0\n");
	if (s->divergences)
		fprintf(to,
			"  DIVERGED    %s records contradict the machine; see kalloscope verify\n",
			fmt_count(s->divergences));
	if (s->unrecorded)
		fprintf(to, "  unrecorded  %s child processes\n", fmt_count(s->unrecorded));
}

void summary_print(FILE *to, const struct summary *s)
{
	double seconds = (double)s->duration_ns / 1e9;
	g_autofree char *program = fmt_line(*s->argv ? s->argv : "?", 100);
	fprintf(to, "  program     %s\n", program);
	if (s->status > 128 && s->status < 128 + 65)
		fprintf(to, "  exit status %d (signal %d, %s)\n", s->status, s->status - 128,
			strsignal(s->status - 128));
	else if (s->status >= 0)
		fprintf(to, "  exit status %d\n", s->status);
	else if (s->killed)
		fprintf(to, "  exit status unknown: it ended without saying goodbye\n");
	fprintf(to, "  processes   %u\n", s->processes);
	fprintf(to, "  events      %s in %s", fmt_count(s->events), fmt_duration(s->duration_ns));
	if (seconds > 0)
		fprintf(to, " (%s/s)", fmt_count((uint64_t)((double)s->events / seconds)));
	fprintf(to, ", %s transitions\n", fmt_count(s->transitions));
	fprintf(to, "  peak        %s requested and alive, at event %s\n", fmt_bytes(s->peak_bytes),
		fmt_count(s->peak_event));
	fprintf(to, "  at exit     %s blocks not freed, %s\n", fmt_count(s->live_count),
		fmt_bytes(s->live_bytes));
	print_served(to, s);
	print_completeness(to, s);
	fprintf(to, "  file        %s, %s\n", s->path, fmt_bytes(s->file_bytes));
}

// Python keeps small objects in pools of its own, of which only the arenas are seen.
static void python_hint(const struct summary *s)
{
	size_t n = strcspn(s->argv, " ");
	const char *base = memrchr(s->argv, '/', n);
	base = base ? base + 1 : s->argv;
	if (!strncmp(base, "python", 6) && !getenv("PYTHONMALLOC"))
		fprintf(stderr,
			"Python serves small objects from pools of its own; with PYTHONMALLOC=malloc in "
			"the environment every one is an event.\n");
}

void summary_print_recorded(const char *path, int status)
{
	struct summary s;
	struct recording *r = cli_open(path);
	if (!r)
		return;
	summary_read(r, &s);
	s.status = status;
	fputs("kalloscope: recorded\n", stderr);
	summary_print(stderr, &s);
	python_hint(&s);
	fprintf(stderr, "Look at it: kalloscope view %s\n", path);
	recording_close(r);
}
