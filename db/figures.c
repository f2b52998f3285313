// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Reading the figures of a recording.
#include "figures.h"

#include <stdlib.h>
#include <string.h>

#include "reader_views.h"

enum figure_id {
	F_PEAK_BYTES,
	F_LEAKED_BYTES,
	F_LEAKED_COUNT,
	F_ALLOCATIONS,
	F_BYTES,
	F_TEMPORARY,
	F_TEMPORARY_SHARE,
	F_SLACK_SHARE,
	F_FAILED,
	F_FAILED_ORDER,
	F_SPILLS,
	F_SPILLED_BYTES,
	F_EVENTS,
	F_LOST,
	F_SITES,
	F_DMA_PEAK,
	F_NORMAL_PEAK,
	F_HIGHMEM_PEAK,
	F_REFILLS,
	F_GROWS,
	F_SPLITS,
	F_PCP_DRAINS,
	F_FALLBACKS,
	F_STEALS,
	F_PURGES,
	F_KMAP_FLUSHES,
	F_KSWAPD_WAKES,
	F_RECLAIMS,
	F_OOM,
	F_MISUSES,
	F_DURATION,
	FIGURES
};
_Static_assert((int)FIGURES <= (int)MAX_FIGURES, "MAX_FIGURES is too small");

const struct figure figures[] = {
	[F_PEAK_BYTES] = {"peak_bytes", "most bytes alive", UNIT_BYTES, GROUP_TOTALS, false},
	[F_LEAKED_BYTES] = {"leaked_bytes", "bytes not given back", UNIT_BYTES, GROUP_LEAKS, false},
	[F_LEAKED_COUNT] = {"leaked_count", "blocks not given back", UNIT_COUNT, GROUP_LEAKS,
			    false},
	[F_ALLOCATIONS] = {"allocations", "allocations", UNIT_COUNT, GROUP_TOTALS, false},
	[F_BYTES] = {"bytes", "bytes asked for", UNIT_BYTES, GROUP_TOTALS, true},
	[F_TEMPORARY] = {"temporary", "temporary allocations", UNIT_COUNT, GROUP_TOTALS, true},
	[F_TEMPORARY_SHARE] = {"temporary_share", "share of temporary allocations", UNIT_SHARE,
			       GROUP_TOTALS, false},
	[F_SLACK_SHARE] = {"slack_share", "taken beyond what was asked for", UNIT_SHARE,
			   GROUP_TOTALS, false},
	[F_FAILED] = {"failed", "failed allocations", UNIT_COUNT, GROUP_TOTALS, false},
	[F_FAILED_ORDER] = {"failed_order", "highest order of a failed one; -1: none failed",
			    UNIT_COUNT, GROUP_EVENTS, false},
	[F_SPILLS] = {"spills", "allocations the host served (all processes)", UNIT_COUNT,
		      GROUP_TOTALS, true},
	[F_SPILLED_BYTES] = {"spilled_bytes", "their bytes", UNIT_BYTES, GROUP_TOTALS, true},
	[F_EVENTS] = {"events", "events", UNIT_COUNT, GROUP_TOTALS, true},
	[F_LOST] = {"lost", "records lost", UNIT_COUNT, GROUP_TOTALS, false},
	[F_SITES] = {"sites", "call sites", UNIT_COUNT, GROUP_TOTALS, false},
	[F_DMA_PEAK] = {"dma_peak_pages", "most pages used in DMA", UNIT_PAGES, GROUP_TOTALS,
			false},
	[F_NORMAL_PEAK] = {"normal_peak_pages", "most pages used in Normal", UNIT_PAGES,
			   GROUP_TOTALS, false},
	[F_HIGHMEM_PEAK] = {"highmem_peak_pages", "most pages used in HighMem", UNIT_PAGES,
			    GROUP_TOTALS, false},
	[F_REFILLS] = {"slab_refills", "refills of a CPU's array", UNIT_COUNT, GROUP_TRANSITIONS,
		       true},
	[F_GROWS] = {"slab_grows", "new slabs", UNIT_COUNT, GROUP_TRANSITIONS, true},
	[F_SPLITS] = {"buddy_splits", "blocks split", UNIT_COUNT, GROUP_TRANSITIONS, true},
	[F_PCP_DRAINS] = {"pcp_drains", "pages drained from per-CPU lists", UNIT_COUNT,
			  GROUP_TRANSITIONS, true},
	[F_FALLBACKS] = {"fallbacks", "fallbacks to another migrate type", UNIT_COUNT,
			 GROUP_TRANSITIONS, true},
	[F_STEALS] = {"steals", "pageblocks stolen", UNIT_COUNT, GROUP_TRANSITIONS, true},
	[F_PURGES] = {"vmap_purges", "purges of freed vmalloc areas", UNIT_COUNT, GROUP_TRANSITIONS,
		      true},
	[F_KMAP_FLUSHES] = {"kmap_flushes", "flushes of kmap windows", UNIT_COUNT,
			    GROUP_TRANSITIONS, true},
	[F_KSWAPD_WAKES] = {"kswapd_wakes", "kswapd woken", UNIT_COUNT, GROUP_TRANSITIONS, true},
	[F_RECLAIMS] = {"direct_reclaims", "direct reclaim", UNIT_COUNT, GROUP_TRANSITIONS, true},
	[F_OOM] = {"out_of_memory", "out of memory", UNIT_COUNT, GROUP_TRANSITIONS, false},
	[F_MISUSES] = {"misuses", "misuse named by the machine", UNIT_COUNT, GROUP_TRANSITIONS,
		       false},
	[F_DURATION] = {"duration_ns", "run time (recorded: not that of the bare program)", UNIT_NS,
			GROUP_TOTALS, false},
	[FIGURES] = {0},
};

const char *figure_name(int i, const void *ctx)
{
	(void)ctx;
	return figures[i].name;
}

char *figure_text(enum figure_unit unit, double value)
{
	bool negative = value < 0;
	uint64_t v = (uint64_t)(negative ? -value : value);
	const char *text = unit == UNIT_BYTES ? fmt_bytes(v)
			   : unit == UNIT_NS  ? fmt_duration(v)
					      : fmt_count(v);
	if (unit == UNIT_SHARE)
		return g_strdup_printf("%.1f %%", value);
	return g_strdup_printf("%s%s%s", negative ? "-" : "", text,
			       unit == UNIT_PAGES ? " pages" : "");
}

static double percent(uint64_t part, uint64_t all)
{
	return all ? 100 * (double)part / (double)all : 0;
}

static void read_sites(struct report *rp, double *value)
{
	struct site_figures t = {0};
	g_autoptr(GArray) a = site_figures(rp);
	for (guint i = 0; i < a->len; i++) {
		const struct site_figures *f = &g_array_index(a, struct site_figures, i);
		t.calls += f->calls;
		t.bytes += f->bytes;
		t.alloc += f->alloc;
		t.temporary += f->temporary;
		t.failed += f->failed;
	}
	value[F_ALLOCATIONS] = (double)t.calls;
	value[F_BYTES] = (double)t.bytes;
	value[F_TEMPORARY] = (double)t.temporary;
	value[F_FAILED] = (double)t.failed;
	value[F_SITES] = a->len;
	value[F_TEMPORARY_SHARE] = percent(t.temporary, t.calls);
	value[F_SLACK_SHARE] = t.alloc > t.bytes ? percent(t.alloc - t.bytes, t.alloc) : 0;
}

// One row of numbers, with the process as ?1, into the named figures.
static void read_row(struct report *rp, const char *sql, const enum figure_id *id, int n,
		     double *value)
{
	sqlite3_stmt *s = NULL;
	sqlite3_prepare_v2(rp->db, sql, -1, &s, NULL);
	if (sqlite3_bind_parameter_count(s))
		sqlite3_bind_int(s, 1, rp->p->process);
	if (s && sqlite3_step(s) == SQLITE_ROW)
		for (int i = 0; i < n; i++)
			value[id[i]] = (double)sqlite3_column_int64(s, i);
	sqlite3_finalize(s);
}

static void read_totals(struct report *rp, double *value)
{
	static const enum figure_id process[] = {F_PEAK_BYTES, F_EVENTS, F_LOST, F_DURATION};
	static const enum figure_id served[] = {F_SPILLS, F_SPILLED_BYTES};
	static const enum figure_id zones[] = {F_DMA_PEAK, F_NORMAL_PEAK, F_HIGHMEM_PEAK};
	read_sites(rp, value);
	read_row(rp,
		 "SELECT peak_bytes, events, lost, end_ns - start_ns FROM process"
		 " WHERE process = ?1",
		 process, 4, value);
	read_row(rp, "SELECT sum(calls), sum(bytes) FROM served WHERE reason", served, 2, value);
	read_row(rp,
		 "SELECT max(dma_max), max(normal_max), max(highmem_max) FROM timeline"
		 " WHERE process = ?1 AND level = 0",
		 zones, 3, value);
}

static void read_transitions(struct report *rp, double *value)
{
	static const struct {
		enum figure_id figure;
		enum event_kind kind;
	} of[] = {
		{F_REFILLS, EV_T_CACHE_REFILL},
		{F_GROWS, EV_T_CACHE_GROW},
		{F_SPLITS, EV_T_BUDDY_SPLIT},
		{F_PCP_DRAINS, EV_T_MM_PAGE_PCPU_DRAIN},
		{F_FALLBACKS, EV_T_MM_PAGE_ALLOC_EXTFRAG},
		{F_STEALS, EV_T_PAGEBLOCK_STEAL},
		{F_PURGES, EV_T_VMAP_AREA_PURGE},
		{F_KMAP_FLUSHES, EV_T_KMAP_FLUSHED},
		{F_KSWAPD_WAKES, EV_T_KSWAPD_WAKE},
		{F_RECLAIMS, EV_T_DIRECT_RECLAIM},
		{F_OOM, EV_T_OUT_OF_MEMORY},
		{F_MISUSES, EV_T_MISUSE},
	};
	struct tally tally[EV_COUNT] = {0};
	count_transitions(rp, tally);
	for (unsigned i = 0; i < G_N_ELEMENTS(of); i++)
		value[of[i].figure] = (double)tally[of[i].kind].count;
}

static unsigned order_of(uint64_t bytes)
{
	unsigned order = 0;
	while (order < 52 && ((uint64_t)PAGE_SIZE << order) < bytes)
		order++;
	return order;
}

static void see_failure(void *ctx, const struct scan_event *e)
{
	double *order = ctx, o = order_of(e->req);
	if (e->c->flags & OPF_FAILED)
		*order = o > *order ? o : *order;
}

bool figures_read(struct report *rp, unsigned groups, double *value)
{
	uint64_t count, bytes;
	memset(value, 0, FIGURES * sizeof(*value));
	read_totals(rp, value);
	if (groups & 1u << GROUP_LEAKS) {
		if (leak_totals(rp, &count, &bytes))
			return false;
		value[F_LEAKED_COUNT] = (double)count;
		value[F_LEAKED_BYTES] = (double)bytes;
	}
	if (groups & 1u << GROUP_TRANSITIONS)
		read_transitions(rp, value);
	value[F_FAILED_ORDER] = -1;
	if (groups & 1u << GROUP_EVENTS && value[F_FAILED] > 0)
		report_scan(rp, false, see_failure, &value[F_FAILED_ORDER]);
	return true;
}
