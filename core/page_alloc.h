// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The page allocator: buddy.c (free lists), pcp.c (per-CPU pagesets), page_alloc.c (zonelist walk,
// watermarks, slow path, free entry points), reclaim.c (page cache) (reference 6). pfn 0 means
// "no page".
//
//   alloc_pages(gfp, order)                        __free_pages(pfn, order)
//        │ zone by zone: low mark ok?                   │ last reference
//   order 0 │        order >= 1 │                  order 0 │          order >= 1 │
//        pcp list  ── refill ──► free_area[o]          pcp list  ── drain ──►  free_area[o]
//        (CPU-local)  (zone lock) .free_list[type]     (count >= high)         merge with buddies
//
//   no zone ok: wake kswapd, min mark, page cache, other CPUs' lists, lazy vmaps, then 0 (oom.c)
//
// Blocks of order o begin at multiples of 2^o and lie in one zone. No two free buddies coexist. A
// page is in exactly one place: a free block, one CPU's list, its owner's hands, or never free.
#pragma once

#include "types.h"
#include "zone.h"

struct machine;

enum alloc_flags { // of zone_watermark_ok and the slow path; the low bits are enum WMARK_*
	ALLOC_HARDER = 0x10,
	ALLOC_HIGH = 0x20,
};

enum {
	PAGE_ALLOC_COSTLY_ORDER = 3,
	OOM_ROUNDS = 3, // searches before a request fails that the kernel would never let fail
};

// What becomes of a request for which nothing could be reclaimed.
enum oom_end {	       // bits; 0: it fails
	OOM_KILLS = 1, // the kernel's out-of-memory killer is called
	OOM_LOOPS = 2, // the kernel begins again; the machine fails it and says alloc_would_loop
};
unsigned alloc_without_progress(gfp_t gfp, unsigned order);

pfn_t alloc_pages(struct machine *m, gfp_t gfp, unsigned order); // first pfn; 0 on failure
void __free_pages(struct machine *m, pfn_t pfn, unsigned order);
void free_hot_cold_page(struct machine *m, pfn_t pfn, bool cold);
kaddr_t __get_free_pages(struct machine *m, gfp_t gfp, unsigned order); // lowmem address; 0
static inline kaddr_t get_zeroed_page(struct machine *m, gfp_t gfp)
{
	return __get_free_pages(m, gfp | __GFP_ZERO, 0);
}
static inline kaddr_t __get_dma_pages(struct machine *m, gfp_t gfp, unsigned order)
{
	return __get_free_pages(m, gfp | GFP_DMA, order);
}
void free_pages(struct machine *m, kaddr_t addr, unsigned order);
kaddr_t alloc_pages_exact(struct machine *m, size_t size, gfp_t gfp);
void free_pages_exact(struct machine *m, kaddr_t addr, size_t size);
// Sets and clears PG_* bits of a run of pages in use; stops the machine.
void set_page_run_flags(struct machine *m, pfn_t pfn, uint32_t count, uint32_t set, uint32_t clear);
void split_page(struct machine *m, pfn_t pfn, unsigned order);
unsigned compound_order(struct machine *m, pfn_t head); // 0 when not compound

// Order-0 pages in bulk, for vmalloc: fills pfns[], returns how many (fewer when memory ends).
// Exactly `count` single alloc_pages(gfp, 0); steps are recorded as runs. Pages taken in bulk may
// be freed by another CPU only after both held one lock of the machine (the vmap lock), so that
// the records' order is known; single pages and blocks may be freed anywhere.
uint32_t alloc_pages_bulk(struct machine *m, gfp_t gfp, uint32_t count, pfn_t *pfns);
void free_pages_bulk(struct machine *m, const pfn_t *pfns, uint32_t count);

bool zone_watermark_ok(struct machine *m, unsigned zone, unsigned order, uint32_t mark,
		       unsigned classzone, unsigned alloc_flags);
void drain_local_pages(struct machine *m);
void drain_all_pages(struct machine *m); // stops the machine when other CPUs hold pages
void vmstat_fold(struct machine *m);	 // this CPU's counter differences into the zones
int set_min_free_kbytes(struct machine *m, uint32_t kbytes);		// stops the machine
int set_percpu_pagelist_fraction(struct machine *m, uint32_t fraction); // 0 default, or >= 8
int set_lowmem_reserve_ratio(struct machine *m, unsigned zone, uint32_t ratio);
unsigned pageblock_type(struct machine *m, pfn_t pfn);
unsigned page_zonenum(const struct machine *m, pfn_t pfn);
uint32_t zone_free_pages(struct machine *m, unsigned zone); // counter as the watermarks see it
unsigned get_order(size_t bytes);

// Accounting of a host file mapping's resident pages as page cache: count pages from highmem.
uint32_t page_cache_add(struct machine *m, uint32_t count, pfn_t *pfns);
void page_cache_remove(struct machine *m, const pfn_t *pfns, uint32_t count);

void page_alloc_init(struct machine *m); // zones, mem_map, hand-over from memblock, watermarks
int page_alloc_check(struct machine *m, char *why, size_t size);

// Adds delta to a zone counter other than NR_FREE_PAGES; a step of its own, so not inside one.
void zone_stat(struct machine *m, unsigned zone, enum zone_stat_item item, int delta);
