// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Page cache of file mappings, and reclaim, which takes it back oldest first.
#include <errno.h>

#include "buddy.h"

enum {
	SWAP_CLUSTER_MAX = 32 // pages one round of reclaim aims at
};

enum {
	LRU_FLAGS = 1 << PG_pagecache | 1 << PG_lru
};

// Per-CPU differences as for every counter: /proc may lag by the threshold.
static void lru_count(struct machine *m, unsigned zone, int32_t delta)
{
	mod_zone_page_state(m, &m->s->zone[zone], NR_INACTIVE_FILE, delta);
	mod_zone_page_state(m, &m->s->zone[zone], NR_FILE_PAGES, delta);
}

static void lru_del_page(struct machine *m, unsigned zone, pfn_t pfn)
{
	page_list_del(m, &m->s->zone[zone].inactive_file, pfn);
	set_page_flags(pfn_to_page(m, pfn), 0);
}

// The pages are the caller's and stay referenced by the list; newest at the head.
static void lru_add_run(struct machine *m, unsigned zone, pfn_t pfn, uint32_t count, int32_t stride)
{
	step_begin(m, LOCK_ZONE + zone);
	for (uint32_t i = 0; i < count; i++) {
		set_page_flags(pfn_to_page(m, pfn + i * stride), LRU_FLAGS);
		page_list_add(m, &m->s->zone[zone].inactive_file, pfn + i * stride);
	}
	lru_count(m, zone, count);
	step_end(m, LOCK_ZONE + zone, EV_LRU_ADD, zone, pfn, count, stride, 0, 0);
}

// Takes the run's pages off the list up to the first that is no page cache any more (reclaimed
// meanwhile); returns how many.
static uint32_t lru_del_run(struct machine *m, unsigned zone, pfn_t pfn, uint32_t count,
			    int32_t stride)
{
	uint32_t done = 0;

	step_begin(m, LOCK_ZONE + zone);
	for (; done < count; done++) {
		pfn_t p = pfn + done * stride;

		if ((page_flags(pfn_to_page(m, p)) & LRU_FLAGS) != LRU_FLAGS)
			break;
		lru_del_page(m, zone, p);
	}
	lru_count(m, zone, -(int32_t)done);
	step_end(m, LOCK_ZONE + zone, EV_LRU_DEL, zone, pfn, done, stride, 0, 0);
	return done;
}

static bool zone_run_is_valid(const struct machine *m, const struct record *r)
{
	int64_t pfn = r->arg[1], last = pfn + ((int64_t)r->arg[2] - 1) * (int32_t)r->arg[3];
	int64_t low = pfn < last ? pfn : last, high = pfn < last ? last : pfn;

	return r->arg[0] < MAX_NR_ZONES && r->lock == LOCK_ZONE + r->arg[0] &&
	       r->arg[2] <= m->s->max_pfn && (r->arg[2] < 2 || r->arg[3]) && pfn &&
	       (!r->arg[2] || (low >= 1 && high < m->s->max_pfn)) && pfn < m->s->max_pfn &&
	       (!r->arg[2] || (zone_of(m, low) == r->arg[0] && zone_of(m, high) == r->arg[0]));
}

int LRU_ADD_apply(struct machine *m, const struct record *r)
{
	if (!zone_run_is_valid(m, r))
		return -EILSEQ;
	for (uint32_t i = 0; i < r->arg[2]; i++)
		if (!page_is_freeable(m, r->arg[1] + i * r->arg[3]) ||
		    page_flags(pfn_to_page(m, r->arg[1] + i * r->arg[3])))
			return -EILSEQ;
	lru_add_run(m, r->arg[0], r->arg[1], r->arg[2], r->arg[3]);
	return 0;
}

int LRU_DEL_apply(struct machine *m, const struct record *r)
{
	if (!zone_run_is_valid(m, r))
		return -EILSEQ;
	return lru_del_run(m, r->arg[0], r->arg[1], r->arg[2], r->arg[3]) == r->arg[2] ? 0
										       : -EILSEQ;
}

// Takes the oldest pages of the page cache off the list: now the caller's, one reference each.
static uint32_t shrink_step(struct machine *m, unsigned zone, unsigned order, gfp_t gfp,
			    uint32_t count, pfn_t *pfns)
{
	struct list_head *list = &m->s->zone[zone].inactive_file;
	uint32_t got = 0;

	step_begin(m, LOCK_ZONE + zone);
	if (!list->last) {
		step_cancel(m, LOCK_ZONE + zone);
		return 0;
	}
	while (got < count && list->last) {
		pfns[got] = list->last;
		lru_del_page(m, zone, pfns[got++]);
	}
	lru_count(m, zone, -(int32_t)got);
	if (gfp & __GFP_WAIT && tracing(m))
		trace(m, &(struct trace_event){.kind = EV_T_DIRECT_RECLAIM,
					       .cpu = m->cpu,
					       .zone = zone,
					       .order = order,
					       .count = got,
					       .value = gfp});
	step_end(m, LOCK_ZONE + zone, EV_SHRINK, zone, order, gfp, got, pfns[0], 0);
	return got;
}

int SHRINK_apply(struct machine *m, const struct record *r)
{
	uint32_t zone = r->arg[0], count = r->arg[3];
	pfn_t pfns[SWAP_CLUSTER_MAX];

	if (zone >= MAX_NR_ZONES || r->lock != LOCK_ZONE + zone || !count ||
	    count > SWAP_CLUSTER_MAX)
		return -EILSEQ;
	if (shrink_step(m, zone, r->arg[1], r->arg[2], count, pfns) != count ||
	    pfns[0] != r->arg[4])
		return -EILSEQ;
	return 0;
}

// Frees go through this CPU's list, so the zone's counter moves only when that drains: reclaim
// often takes a few rounds more than the pages missing.
static uint32_t shrink_zone(struct machine *m, unsigned zone, unsigned order, gfp_t gfp)
{
	pfn_t pfns[SWAP_CLUSTER_MAX];
	uint32_t got = shrink_step(m, zone, order, gfp, SWAP_CLUSTER_MAX, pfns);

	free_pages_bulk(m, pfns, got);
	return got;
}

// One cluster from every zone the request may use, best zone first.
uint32_t shrink_zones(struct machine *m, const struct alloc_context *ac)
{
	uint32_t freed = 0;

	for (int zone = ac->classzone; zone >= 0; zone--)
		freed += shrink_zone(m, zone, ac->order, ac->gfp);
	return freed;
}

// `kswapd_max_order` holds order + 1, so that 0 says asleep. While kswapd runs, differences of its
// CPU's counters are folded sooner, for the watermarks to be read more exactly. `done`: it sleeps again.
static void kswapd_step(struct machine *m, unsigned zone, unsigned order, bool done)
{
	step_begin(m, LOCK_ZONE + zone);
	set_stat_threshold(m, zone, !done);
	if (!done)
		set_relaxed(&m->s->zone[zone].kswapd_max_order, order + 1);
	if (!done && tracing(m))
		trace(m, &(struct trace_event){.kind = EV_T_KSWAPD_WAKE,
					       .cpu = m->cpu,
					       .zone = zone,
					       .order = order,
					       .count = 1});
	step_end(m, LOCK_ZONE + zone, EV_KSWAPD, zone, order, done, 0, 0, 0);
}

int KSWAPD_apply(struct machine *m, const struct record *r)
{
	if (r->arg[0] >= MAX_NR_ZONES || r->lock != LOCK_ZONE + r->arg[0] || r->arg[1] >= MAX_ORDER)
		return -EILSEQ;
	kswapd_step(m, r->arg[0], r->arg[1], r->arg[2]);
	return 0;
}

// kswapd runs in its waker. A zone is woken for once; pages coming back to it re-arm that.
void wake_all_kswapd(struct machine *m, const struct alloc_context *ac)
{
	for (int zone = ac->classzone; zone >= 0; zone--) {
		const struct zone *z = &m->s->zone[zone];

		if (!z->present_pages ||
		    __atomic_load_n(&z->kswapd_max_order, __ATOMIC_RELAXED) > ac->order ||
		    zone_watermark_ok(m, zone, ac->order, z->watermark[WMARK_LOW], 0, 0))
			continue;
		kswapd_step(m, zone, ac->order, false);
		while (!zone_watermark_ok(m, zone, ac->order, z->watermark[WMARK_HIGH], 0, 0))
			if (!shrink_zone(m, zone, ac->order, 0))
				break;
		kswapd_step(m, zone, ac->order, true);
	}
}

// ---- accounting of file mappings ----

// Cold pages: nobody will read them through this CPU's cache. Returns how many it got; a mapping
// that does not fit is accounted in part.
uint32_t page_cache_add(struct machine *m, uint32_t count, pfn_t *pfns)
{
	uint32_t got = alloc_pages_bulk(m, GFP_HIGHUSER_MOVABLE | __GFP_COLD, count, pfns);

	for (uint32_t i = 0; i < got;) {
		unsigned zone = zone_of(m, pfns[i]);
		int32_t stride = 0;
		uint32_t n = 1;

		while (next_in_run(pfns + i, n, got - i, &stride) &&
		       zone_of(m, pfns[i + n]) == zone)
			n++;
		lru_add_run(m, zone, pfns[i], n, n > 1 ? (int32_t)(pfns[i + 1] - pfns[i]) : 0);
		i += n;
	}
	return got;
}

// A page that was reclaimed and is page cache of another mapping by now is taken for the old one:
// pages are anonymous here, only their number matters.
void page_cache_remove(struct machine *m, const pfn_t *pfns, uint32_t count)
{
	for (uint32_t i = 0; i < count;) {
		unsigned zone = zone_of(m, pfns[i]);
		int32_t stride = 0;
		uint32_t n = 1, done;

		while (next_in_run(pfns + i, n, count - i, &stride) &&
		       zone_of(m, pfns[i + n]) == zone)
			n++;
		done = lru_del_run(m, zone, pfns[i], n,
				   n > 1 ? (int32_t)(pfns[i + 1] - pfns[i]) : 0);
		free_pages_bulk(m, pfns + i, done);
		i += done < n ? done + 1 : n;
	}
}
