// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Inside the page allocator: page lists, counters, and what buddy.c, pcp.c, zone.c share
// (reference 6.1 to 6.7).
//
// A CPU reads two things that others change: the flags of a neighbouring page (is it a free
// block's head?) and a zone's counters. They are single words accessed with relaxed atomics; a
// stale answer is either impossible (PG_buddy changes only under the zone lock) or only decides
// which zone is tried, and that decision is an argument of the step that follows.
#pragma once

#include "fold.h"
#include "machine.h"

#define PAGE_FLAG_BIT(f) (1u << (f))

// A page with one of these is not free()able: it is on a list or belongs to a mechanism.
#define PAGE_FLAGS_CHECK_AT_FREE                                                                   \
	(PAGE_FLAG_BIT(PG_lru) | PAGE_FLAG_BIT(PG_locked) | PAGE_FLAG_BIT(PG_private) |            \
	 PAGE_FLAG_BIT(PG_private_2) | PAGE_FLAG_BIT(PG_writeback) | PAGE_FLAG_BIT(PG_reserved) |  \
	 PAGE_FLAG_BIT(PG_slab) | PAGE_FLAG_BIT(PG_swapcache) | PAGE_FLAG_BIT(PG_active) |         \
	 PAGE_FLAG_BIT(PG_unevictable) | PAGE_FLAG_BIT(PG_tail) | PAGE_FLAG_BIT(PG_buddy) |        \
	 PAGE_FLAG_BIT(PG_pcp) | PAGE_FLAG_BIT(PG_hole))

static inline uint32_t page_flags(const struct page *page)
{
	return __atomic_load_n(&page->flags, __ATOMIC_RELAXED);
}

static inline void set_page_flags(struct page *page, uint32_t flags)
{
	__atomic_store_n(&page->flags, flags, __ATOMIC_RELAXED);
}

static inline void set_relaxed(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELAXED);
}

static inline void page_list_add(struct machine *m, struct list_head *list, pfn_t pfn)
{
	struct list_node *node = &m->mem_map[pfn].lru;

	*node = (struct list_node){.next = list->first};
	if (list->first)
		m->mem_map[list->first].lru.prev = pfn;
	else
		list->last = pfn;
	list->first = pfn;
}

static inline void page_list_add_tail(struct machine *m, struct list_head *list, pfn_t pfn)
{
	struct list_node *node = &m->mem_map[pfn].lru;

	*node = (struct list_node){.prev = list->last};
	if (list->last)
		m->mem_map[list->last].lru.next = pfn;
	else
		list->first = pfn;
	list->last = pfn;
}

static inline void page_list_del(struct machine *m, struct list_head *list, pfn_t pfn)
{
	struct list_node *node = &m->mem_map[pfn].lru;

	if (node->prev)
		m->mem_map[node->prev].lru.next = node->next;
	else
		list->first = node->next;
	if (node->next)
		m->mem_map[node->next].lru.prev = node->prev;
	else
		list->last = node->prev;
	*node = (struct list_node){0};
}

// Zone lock held, or the CPU's own lock for counters only this CPU changes.
static inline void mod_zone_page_state(struct machine *m, struct zone *zone,
				       enum zone_stat_item item, int32_t delta)
{
	struct per_cpu_pages *pcp = &zone->pageset[m->cpu];
	int32_t x = (int32_t)((uint32_t)pcp->vm_stat_diff[item] + (uint32_t)delta);

	// Damaged recordings may count beyond the type; that wraps, as in the kernel.
	if (x > pcp->stat_threshold || x < -pcp->stat_threshold) {
		set_relaxed((uint32_t *)&zone->vm_stat[item],
			    (uint32_t)zone->vm_stat[item] + (uint32_t)x);
		x = 0;
	}
	pcp->vm_stat_diff[item] = x;
}

// Pages came back to the free lists: reclaim may hope again.
static inline void zone_freed(struct zone *zone)
{
	set_relaxed(&zone->all_unreclaimable, 0);
	set_relaxed(&zone->kswapd_max_order, 0);
	zone->pages_scanned = 0;
}

static inline pfn_t zone_end_pfn(const struct zone *zone)
{
	return zone->zone_start_pfn + zone->spanned_pages;
}

static inline bool tracing(const struct machine *m)
{
	return m->ops->trace != NULL;
}

// A DMA or Normal zone of another size keeps its own boundary, so ask the machine.
static inline unsigned zone_of(const struct machine *m, pfn_t pfn)
{
	return pfn >= m->s->highstart_pfn ? ZONE_HIGHMEM
	       : pfn >= m->s->zone[ZONE_NORMAL].zone_start_pfn &&
			       m->s->zone[ZONE_NORMAL].spanned_pages
		       ? ZONE_NORMAL
		       : ZONE_DMA;
}

// 3.4.2 counts a zone's pageblocks from its start, wherever that is.
static inline bool counts_from_zone_start(const struct machine *m)
{
	return m->s->cfg.model == MODEL_3_4_2;
}

// Where lowmem ends inside a pageblock, that block has two types: HighMem's part is kept in one
// extra byte behind the array. Counted from the zone's start, HighMem's blocks stand behind the one
// in which lowmem ends: as many in all.
static inline uint8_t *pageblock_slot(const struct machine *m, pfn_t pfn)
{
	pfn_t border = m->s->highstart_pfn;
	uint32_t block = pfn >> PAGEBLOCK_ORDER;

	if (counts_from_zone_start(m)) {
		unsigned zone = zone_of(m, pfn);
		pfn_t start = m->s->zone[zone].zone_start_pfn;

		block = (start + PAGEBLOCK_NR_PAGES - 1) >> PAGEBLOCK_ORDER;
		block = (zone == ZONE_DMA ? 0 : block) + ((pfn - start) >> PAGEBLOCK_ORDER);
		return &m->pageblock[block];
	}

	if (block == border >> PAGEBLOCK_ORDER && pfn >= border &&
	    (border & (PAGEBLOCK_NR_PAGES - 1)))
		block = (m->s->max_pfn + PAGEBLOCK_NR_PAGES - 1) >> PAGEBLOCK_ORDER;
	return &m->pageblock[block];
}

// First frame of pfn's pageblock, which may lie before its zone.
static inline pfn_t pageblock_start_pfn(const struct machine *m, pfn_t pfn)
{
	pfn_t start = counts_from_zone_start(m) ? m->s->zone[zone_of(m, pfn)].zone_start_pfn : 0;

	return start + ((pfn - start) & ~(pfn_t)(PAGEBLOCK_NR_PAGES - 1));
}

static inline unsigned get_pageblock_migratetype(const struct machine *m, pfn_t pfn)
{
	return __atomic_load_n(pageblock_slot(m, pfn), __ATOMIC_RELAXED);
}

// buddy.c; zone lock held
pfn_t __rmqueue(struct machine *m, unsigned zone, unsigned order, unsigned migratetype,
		bool percpu_refill);
pfn_t rmqueue_run(struct machine *m, unsigned zone, unsigned migratetype, unsigned *count);
void free_run(struct machine *m, unsigned zone, pfn_t pfn, uint32_t count, bool down,
	      unsigned migratetype);
void __free_one_page(struct machine *m, unsigned zone, pfn_t pfn, unsigned order,
		     unsigned migratetype);
void add_free_block(struct machine *m, unsigned zone, pfn_t pfn, unsigned order,
		    unsigned migratetype, bool tail);
unsigned move_freepages_block(struct machine *m, unsigned zone, pfn_t pfn, unsigned migratetype);
void set_pageblock_migratetype(struct machine *m, pfn_t pfn, unsigned migratetype);
// Of a zone whose borders are known to be right. `all`: as machine_check, else as machine_safe.
int free_area_check(struct machine *m, unsigned zone, bool all, char *why, size_t size);

// pcp.c
bool pcp_refill(struct machine *m, unsigned zone, unsigned migratetype, bool cold);
uint32_t pcp_pop(struct machine *m, unsigned zone, unsigned migratetype, gfp_t gfp, uint32_t count,
		 pfn_t *pfns);
void pcp_free_run(struct machine *m, pfn_t pfn, unsigned migratetype, bool cold, uint32_t count,
		  int32_t stride);
bool page_is_freeable(const struct machine *m, pfn_t pfn);
void drain_zone_pages(struct machine *m, unsigned zone, unsigned cpu);
int pcp_check(struct machine *m, unsigned zone, bool all, char *why, size_t size);

// What one request looks for.
struct alloc_context {
	gfp_t gfp;
	unsigned order;
	unsigned migratetype;
	unsigned high_zoneidx; // zones up to this one
	unsigned classzone;    // the first populated of them: whose lowmem_reserve counts
};

// i continues the run of equal strides that begins at pfns[0]; the stride is found at i = 1.
static inline bool next_in_run(const pfn_t *pfns, uint32_t i, uint32_t count, int32_t *stride)
{
	if (i >= count)
		return false;
	if (i == 1)
		*stride = pfns[1] - pfns[0];
	return *stride && (int32_t)(pfns[i] - pfns[i - 1]) == *stride;
}

// reclaim.c
uint32_t shrink_zones(struct machine *m, const struct alloc_context *ac); // pages freed
void wake_all_kswapd(struct machine *m, const struct alloc_context *ac);
void oom_step(struct machine *m, const struct alloc_context *ac,
	      unsigned rounds); // nothing left to reclaim

// page_alloc.c
unsigned gfp_zone(gfp_t gfp);
unsigned gfp_migratetype(const struct machine *m, gfp_t gfp);

// zone.c
void zones_init(struct machine *m);	 // spans, present pages, free lists, boot pagesets
void zones_init_late(struct machine *m); // real pagesets, watermarks, reserves
void setup_per_zone_wmarks(struct machine *m);
void setup_per_zone_lowmem_reserve(struct machine *m);
void setup_pagesets(struct machine *m);
unsigned zone_inactive_ratio(uint32_t present_pages);
unsigned zone_batchsize(uint32_t present_pages);
unsigned normal_stat_threshold(uint32_t present_pages, unsigned ncpus);
unsigned pressure_stat_threshold(uint32_t low_to_min, unsigned ncpus);
void set_stat_threshold(struct machine *m, unsigned zone, bool pressure);
uint32_t zone_wait_table_entries(uint32_t spanned_pages);
// Where memblock and the end of lowmem put a zone; false when the machine has none of that kind.
bool zone_span(const struct machine *m, unsigned zone, pfn_t *start, pfn_t *end);
uint32_t fallback_zone(const struct machine *m, unsigned high_zoneidx); // first populated one
