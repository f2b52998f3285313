// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// struct page and mem_map (reference 4).
//
// 32 bytes a frame, as on i386. mem_map is zero until touched: an all-zero entry is a frame of
// RAM inside a larger free block. The zone follows from the pfn (page_zonenum), and _mapcount is
// kept so that zero means unmapped; pages.c shows both with the kernel's encoding.
//
//   PageBuddy(p)            <=> p is the first frame of a block on a free list; private = order,
//                               index = migratetype of the list
//   on a pcp list           <=> PG_pcp; private = migratetype remembered
//   PG_slab                 <=> frame of a slab; mapping = cache id, index = first pfn of the slab
//   PG_head / PG_tail       compound; head: index = order; tail: index = first pfn
//   vmalloc / kmap pages    PG_mapped_kernel; mapping = linear address that maps it
#pragma once

#include "types.h"

enum pageflags { // numbers of Linux 3.4 (reference 4.1); the last ones are ours
	PG_locked, PG_error, PG_referenced, PG_uptodate, PG_dirty, PG_lru, PG_active, PG_slab,
	PG_owner_priv_1, PG_arch_1, PG_reserved, PG_private, PG_private_2, PG_writeback, PG_head,
	PG_tail, PG_swapcache, PG_mappedtodisk, PG_reclaim, PG_swapbacked, PG_unevictable,
	PG_mlocked,
	PG_buddy = 24,	// kernel: _mapcount == -128
	PG_pcp,		// on a per-CPU list (the kernel has no mark)
	PG_mapped_kernel, // mapped in vmalloc or pkmap space
	PG_hole,	// not RAM
	PG_pgtable,	// holds page-table entries
	PG_pagecache,	// accounted page cache of a file mapping
};

struct page {
	uint32_t flags;	  // 1u << PG_*
	int32_t _count;	  // references; 0 = free or tail
	int32_t mapcount; // kernel's _mapcount + 1
	uint32_t private; // order (buddy), migratetype (pcp)
	struct list_node lru; // free list, pcp list
	uint32_t mapping; // owner, see above
	uint32_t index;
};
_Static_assert(sizeof(struct page) == 32, "struct page is 32 bytes");
