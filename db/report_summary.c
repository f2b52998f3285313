// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Report summary: the key figures of a process on one page, each with the report that has more.
#include <stdlib.h>
#include <string.h>

#include "report.h"

struct key_figures {
	struct site_figures total, by_calls, by_peak, by_live; // the greatest sites
	uint64_t sites, peak_event, peak_bytes, live_bytes, live_count;
};

static void take_greater(struct site_figures *best, const struct site_figures *f, uint64_t theirs,
			 uint64_t ours)
{
	if (ours > theirs)
		*best = *f;
}

static void add(struct key_figures *k, const struct site_figures *f)
{
	k->sites++;
	k->total.calls += f->calls;
	k->total.bytes += f->bytes;
	k->total.alloc += f->alloc;
	k->total.temporary += f->temporary;
	k->total.failed += f->failed;
	take_greater(&k->by_calls, f, k->by_calls.calls, f->calls);
	take_greater(&k->by_peak, f, k->by_peak.peak_bytes, f->peak_bytes);
	take_greater(&k->by_live, f, k->by_live.live_bytes, f->live_bytes);
}

static void read_process(struct report *rp, struct key_figures *k)
{
	sqlite3_stmt *s = NULL;
	sqlite3_prepare_v2(rp->db,
			   "SELECT peak_event, peak_bytes, live_bytes, live_count FROM process"
			   " WHERE process = ?1",
			   -1, &s, NULL);
	sqlite3_bind_int(s, 1, rp->p->process);
	if (s && sqlite3_step(s) == SQLITE_ROW) {
		k->peak_event = (uint64_t)sqlite3_column_int64(s, 0);
		k->peak_bytes = (uint64_t)sqlite3_column_int64(s, 1);
		k->live_bytes = (uint64_t)sqlite3_column_int64(s, 2);
		k->live_count = (uint64_t)sqlite3_column_int64(s, 3);
	}
	sqlite3_finalize(s);
}

static uint64_t share(uint64_t part, uint64_t all)
{
	return all ? (uint64_t)((double)part * 1000 / (double)all + 0.5) : 0;
}

static void print_figures(struct report *rp, const struct key_figures *k)
{
	uint64_t slack = k->total.alloc > k->total.bytes ? k->total.alloc - k->total.bytes : 0;
	out_figure(rp, "events", "events", CELL_COUNT, rp->p->events);
	out_figure(rp, "duration_ns", "run time", CELL_TIME,
		   rp->p->end_ns > rp->p->start_ns ? rp->p->end_ns - rp->p->start_ns : (uint64_t)0);
	out_figure(rp, "allocations", "allocations", CELL_COUNT, k->total.calls);
	out_figure(rp, "bytes", "bytes asked for", CELL_BYTES, k->total.bytes);
	out_figure(rp, "sites", "call sites", CELL_COUNT, k->sites);
	out_figure(rp, "temporary_share", "temporary allocations", CELL_SHARE,
		   share(k->total.temporary, k->total.calls));
	out_figure(rp, "slack_share", "slack of size classes", CELL_SHARE,
		   share(slack, k->total.alloc));
	out_figure(rp, "failed", "failed allocations", CELL_COUNT, k->total.failed);
	if (rp->wanted || rp->window)
		return; // the process' own figures know neither stacks nor windows
	out_figure(rp, "peak_bytes", "peak, requested and alive", CELL_BYTES, k->peak_bytes);
	out_figure(rp, "peak_event", "at event", CELL_EVENT, k->peak_event);
	out_figure(rp, "live_count", "blocks not given back", CELL_COUNT, k->live_count);
	out_figure(rp, "live_bytes", "their bytes", CELL_BYTES, k->live_bytes);
	out_figure(rp, "lost", "records lost", CELL_COUNT, rp->p->lost);
}

static void print_site(struct report *rp, const char *what, const struct site_figures *f)
{
	if (f->calls)
		out_row(rp, what, f->calls, f->bytes, f->peak_bytes, f->live_bytes, f->stack);
}

int report_summary(struct report *rp)
{
	static const struct column columns[] = {{"most", "most", CELL_TEXT},
						{"calls", "calls", CELL_COUNT},
						{"bytes", "bytes", CELL_BYTES},
						{"peak_bytes", "at peak", CELL_BYTES},
						{"live_bytes", "live", CELL_BYTES},
						{"stack", "site < callers", CELL_STACK},
						{0}};
	struct key_figures k = {0};
	g_autoptr(GArray) a = site_figures(rp);
	for (guint i = 0; i < a->len; i++)
		add(&k, &g_array_index(a, struct site_figures, i));
	read_process(rp, &k);
	print_figures(rp, &k);
	out_title(rp, "Sites with most");
	out_table(rp, "greatest", columns);
	print_site(rp, "calls", &k.by_calls);
	if (k.by_peak.peak_bytes)
		print_site(rp, "peak", &k.by_peak);
	if (k.by_live.live_bytes)
		print_site(rp, "live", &k.by_live);
	out_end(rp);
	out_note(rp, "More: kalloscope report sites, peak, leaks, sizes, pressure %s",
		 recording_path(rp->r));
	return EXIT_SUCCESS;
}
