// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Zones, watermarks, lowmem reserve, zonelists (reference 5), per-CPU pagesets (6.7).
//
//   sum over o of (free_area[o].nr_free << o) == NR_FREE_PAGES counter + sum of cpu diffs
//   NR_FREE_PAGES + sum of pcp counts + allocated + reserved == present RAM frames of the zone
//   spanned = end - start;  present = spanned - holes - memmap share
//   lowmem_reserve[i][j] = (sum of present of zones i+1..j) / ratio[i], 0 for j <= i
#pragma once

#include "types.h"

enum zone_stat_item { // order of /proc/zoneinfo (reference 13.8)
	NR_FREE_PAGES, NR_INACTIVE_ANON, NR_ACTIVE_ANON, NR_INACTIVE_FILE, NR_ACTIVE_FILE,
	NR_UNEVICTABLE, NR_MLOCK, NR_ANON_PAGES, NR_FILE_MAPPED, NR_FILE_PAGES, NR_FILE_DIRTY,
	NR_WRITEBACK, NR_SLAB_RECLAIMABLE, NR_SLAB_UNRECLAIMABLE, NR_PAGETABLE, NR_KERNEL_STACK,
	NR_UNSTABLE_NFS, NR_BOUNCE, NR_VMSCAN_WRITE, NR_VMSCAN_IMMEDIATE, NR_WRITEBACK_TEMP,
	NR_ISOLATED_ANON, NR_ISOLATED_FILE, NR_SHMEM, NR_DIRTIED, NR_WRITTEN,
	NR_ANON_TRANSPARENT_HUGEPAGES, NR_VM_ZONE_STAT_ITEMS,
};

enum { WMARK_MIN, WMARK_LOW, WMARK_HIGH, NR_WMARK };

struct free_area {
	struct list_head free_list[MIGRATE_TYPES]; // of first pfns; first = head = next taken
	uint32_t nr_free;			   // blocks, all types together
};

struct per_cpu_pages {
	uint32_t count; // pages on the lists
	uint32_t high;	// drain when reached
	uint32_t batch; // pages per refill or drain
	struct list_head lists[MIGRATE_PCPTYPES]; // first = hot end
	int32_t stat_threshold;
	int32_t vm_stat_diff[NR_VM_ZONE_STAT_ITEMS]; // not yet folded into the zone
	uint32_t pgalloc, pgfree; // vm events: pages popped and pushed here since boot
};

struct zone {
	uint32_t watermark[NR_WMARK]; // pages
	uint32_t percpu_drift_mark;
	uint32_t lowmem_reserve[MAX_NR_ZONES]; // pages, by class zone
	uint32_t dirty_balance_reserve; // pages page cache should not count on
	pfn_t zone_start_pfn;
	uint32_t spanned_pages;
	uint32_t present_pages;
	uint32_t all_unreclaimable;
	uint32_t pages_scanned;
	uint32_t inactive_ratio;
	uint32_t kswapd_max_order;
	uint32_t compact_considered, compact_defer_shift;
	int32_t vm_stat[NR_VM_ZONE_STAT_ITEMS];
	struct list_head inactive_file; // page cache; first = newest
	struct free_area free_area[MAX_ORDER];
	struct per_cpu_pages pageset[MAX_CPUS];
};

extern const char *const zone_names[MAX_NR_ZONES]; // "DMA" "Normal" "HighMem" "Movable"
