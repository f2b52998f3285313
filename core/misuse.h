// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// What callers do wrong. The kernel stops at most of these, warns at some and corrupts itself at
// the rest; here the call is refused, nothing changes, and a MISUSE event says what it was (reference 4.4,
// 6.4, 7.6, 8.4, 9.1, 9.3).
#pragma once

#include "types.h"

struct machine;

enum misuse {
	MISUSE_NONE,
	MISUSE_NOT_AN_OBJECT,	 // freed address is no object of a slab
	MISUSE_DOUBLE_FREE,	 // the object stands free in its slab
	MISUSE_WRONG_CACHE,	 // kmem_cache_free to another cache than the object's
	MISUSE_SLAB_HIGHMEM,	 // slab memory asked for with __GFP_HIGHMEM
	MISUSE_SLAB_DMA,	 // __GFP_DMA on a cache not made for it
	MISUSE_CACHE_ARGUMENTS,	 // kmem_cache_create: size, align, flags or name
	MISUSE_CACHE_DUPLICATE,	 // kmem_cache_create: the name is taken
	MISUSE_CACHE_BUSY,	 // kmem_cache_destroy: objects remain
	MISUSE_BAD_PAGE,	 // freed page is free already, in use by others, or reserved
	MISUSE_BAD_ADDRESS,	 // free_pages of what is not lowmem
	MISUSE_HIGHMEM_ADDRESS,	 // __get_free_pages with __GFP_HIGHMEM
	MISUSE_ORDER,		 // more than 2^10 pages
	MISUSE_VFREE_ALIGN,	 // vfree of no page's start
	MISUSE_VFREE_NO_AREA,	 // vfree where no area begins
	MISUSE_IOUNMAP,		 // iounmap where no area begins
	MISUSE_UNMAP_RAM,	 // vm_unmap_ram of something else than was mapped
	MISUSE_KUNMAP,		 // kunmap of a page that has no window, or no user
	MISUSE_KUNMAP_ATOMIC,	 // not the latest window of this CPU
	MISUSE_KMAP_ATOMIC_FULL, // 20 windows of this CPU are in use
	MISUSE_PERCPU_REQUEST,	 // alloc_percpu: size or align
	MISUSE_SLAB_CORRUPTION,	 // a free object was written to (DEBUG_SLAB's poison)
	MISUSE_PERCPU_FREE,	 // free_percpu of what is not allocated
	MISUSES,
};

// What the kernel prints or asserts there; "?" out of range.
const char *misuse_message(unsigned what);
// A call is refused: a MISUSE detail (value is `what`, addr an address or a page frame's number) and
// a record of its own, so that a recording tells of it. Outside of steps.
void misuse(struct machine *m, enum misuse what, unsigned cache, uint32_t addr);
// Inside a step, which finds the same again when it is folded: the detail alone.
void misuse_found(struct machine *m, enum misuse what, unsigned cache, uint32_t addr);
