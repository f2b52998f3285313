// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Report pressure: where the machine had to do more than take an object from an array.
#include <stdlib.h>
#include <string.h>

#include "../core/misuse.h"
#include "report.h"

// From what happens all the time to what should not.
static const struct {
	unsigned kind;
	const char *key, *what;
} kinds[] = {
	{EV_T_CACHE_REFILL, "slab_refills", "array of a CPU refilled from slabs"},
	{EV_T_CACHE_FLUSH, "slab_flushes", "array of a CPU flushed to slabs"},
	{EV_T_CACHE_GROW, "slab_grows", "new slabs"},
	{EV_T_CACHE_SLAB_DESTROY, "slabs_destroyed", "slabs given back"},
	{EV_T_CACHE_REAP, "cache_reaps", "caches reaped by the timer"},
	{EV_T_MM_PAGE_ALLOC_ZONE_LOCKED, "buddy_allocations", "page blocks taken from the buddy"},
	{EV_T_MM_PAGE_PCPU_DRAIN, "pcp_drains", "pages drained from per-CPU lists"},
	{EV_T_BUDDY_SPLIT, "buddy_splits", "blocks split"},
	{EV_T_BUDDY_MERGE, "buddy_merges", "blocks merged"},
	{EV_T_MM_PAGE_ALLOC_EXTFRAG, "fallbacks", "fallbacks to another migrate type (extfrag)"},
	{EV_T_PAGEBLOCK_STEAL, "steals", "pageblocks stolen"},
	{EV_T_VMAP_AREA_PURGE, "vmap_purges", "purges of lazily freed vmalloc areas"},
	{EV_T_KMAP_FLUSHED, "kmap_flushes", "flushes of kmap windows"},
	{EV_T_KMAP_WAIT, "kmap_waits", "waits for a kmap window"},
	{EV_T_KSWAPD_WAKE, "kswapd_wakes", "kswapd woken"},
	{EV_T_DIRECT_RECLAIM, "direct_reclaims", "direct reclaim"},
	{EV_T_OUT_OF_MEMORY, "out_of_memory", "out of memory"},
	{EV_T_ALLOC_WOULD_LOOP, "would_loop", "of these, the kernel would not have given up"},
	{EV_T_MISUSE, "misuses", "calls refused as misuse"},
};

// One pass: kinds by context, of which there are few.
void count_transitions(struct report *rp, struct tally tally[EV_COUNT])
{
	sqlite3_stmt *s = NULL;
	sqlite3_prepare_v2(rp->db,
			   "SELECT c.kind, count(*), sum(max(t.count, 1)), min(t.event)"
			   " FROM transition t JOIN transition_context c USING (context)"
			   " WHERE c.process = ?1 AND t.event BETWEEN ?2 AND ?3 GROUP BY c.kind",
			   -1, &s, NULL);
	sqlite3_bind_int(s, 1, rp->p->process);
	sqlite3_bind_int64(s, 2, (sqlite3_int64)rp->from);
	sqlite3_bind_int64(s, 3, (sqlite3_int64)rp->to);
	while (s && sqlite3_step(s) == SQLITE_ROW) {
		int kind = sqlite3_column_int(s, 0);
		if (kind >= 0 && kind < EV_COUNT)
			tally[kind] = (struct tally){(uint64_t)sqlite3_column_int64(s, 1),
						     (uint64_t)sqlite3_column_int64(s, 2),
						     (uint64_t)sqlite3_column_int64(s, 3)};
	}
	sqlite3_finalize(s);
}

struct spill {
	uint64_t calls[HOST_REASONS], bytes[HOST_REASONS], first[HOST_REASONS], failed;
};

static void add_spill(void *ctx, const struct scan_event *e)
{
	struct spill *s = ctx;
	s->failed += !!(e->c->flags & OPF_FAILED);
	if (e->c->path != PATH_HOST || !scan_gives(e) || e->c->cache >= HOST_REASONS)
		return;
	if (!s->calls[e->c->cache]++)
		s->first[e->c->cache] = e->id;
	s->bytes[e->c->cache] += e->req;
}

static void print_host(struct report *rp, const struct spill *s)
{
	static const struct column columns[] = {
		{"calls", "calls", CELL_COUNT},
		{"bytes", "bytes", CELL_BYTES},
		{"first_event", "first at event", CELL_EVENT},
		{"reason", "served by the host, because", CELL_TEXT},
		{0}};
	out_table(rp, "host", columns);
	for (unsigned i = 0; i < HOST_REASONS; i++)
		if (s->calls[i])
			out_row(rp, s->calls[i], s->bytes[i], s->first[i],
				host_reason_name((enum host_reason)i));
	out_end(rp);
}

// What the kernel would have said to each, and who called. Nothing is printed of a program without.
static void print_refused(struct report *rp, uint64_t refused)
{
	static const struct column columns[] = {{"event", "event", CELL_EVENT},
						{"addr", "address or frame", CELL_HEX},
						{"message", "the kernel's words", CELL_TEXT},
						{"stack", "called by", CELL_STACK},
						{0}};
	sqlite3_stmt *s = NULL;
	if (!refused && !output_json(rp->out))
		return;
	out_title(rp, "Calls the machine refused");
	sqlite3_prepare_v2(rp->db,
			   "SELECT t.event, t.addr & 0xffffffff, t.value, e.stack"
			   " FROM transition t JOIN transition_context c USING (context)"
			   " JOIN events e ON e.id = t.event"
			   " WHERE c.process = ?1 AND t.event BETWEEN ?2 AND ?3 AND c.kind = ?4"
			   " ORDER BY t.event LIMIT ?5",
			   -1, &s, NULL);
	sqlite3_bind_int(s, 1, rp->p->process);
	sqlite3_bind_int64(s, 2, (sqlite3_int64)rp->from);
	sqlite3_bind_int64(s, 3, (sqlite3_int64)rp->to);
	sqlite3_bind_int(s, 4, EV_T_MISUSE);
	sqlite3_bind_int64(s, 5, rp->top ? (sqlite3_int64)rp->top : -1);
	out_table(rp, "refused", columns);
	while (s && sqlite3_step(s) == SQLITE_ROW)
		out_row(rp, (uint64_t)sqlite3_column_int64(s, 0),
			(uint64_t)sqlite3_column_int64(s, 1),
			misuse_message((unsigned)sqlite3_column_int(s, 2)),
			(uint64_t)sqlite3_column_int64(s, 3));
	out_end(rp);
	sqlite3_finalize(s);
}

int report_pressure(struct report *rp)
{
	static const struct column columns[] = {{"what", "what the machine did", CELL_TEXT},
						{"times", "times", CELL_COUNT},
						{"count", "units", CELL_COUNT},
						{"first_event", "first at event", CELL_EVENT},
						{0}};
	struct tally tally[EV_COUNT] = {0};
	struct spill spill = {0};
	count_transitions(rp, tally);
	report_scan(rp, false, add_spill, &spill);
	out_title(rp, "%s calls failed", fmt_count(spill.failed));
	if (output_json(rp->out))
		out_figure(rp, "failed", "", CELL_COUNT, spill.failed);
	out_table(rp, "machine", columns);
	for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++) {
		const struct tally *t = &tally[kinds[i].kind];
		out_row(rp, output_json(rp->out) ? kinds[i].key : kinds[i].what, t->times, t->count,
			t->first);
	}
	out_end(rp);
	out_title(rp, "Blocks the machine did not serve");
	print_host(rp, &spill);
	print_refused(rp, tally[EV_T_MISUSE].times);
	return report_watermarks(rp);
}
