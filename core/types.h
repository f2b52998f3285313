// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Basic types and the constants every mechanism shares.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint32_t pfn_t;   // page frame number; physical address >> 12
typedef uint32_t kaddr_t; // simulated 32-bit linear address
typedef uint32_t gfp_t;   // __GFP_* bits, values of Linux 3.4
typedef uint64_t phys_t;  // physical address, 64 bit so that e820 can say 4 GiB

enum {
	PAGE_SHIFT = 12,
	PAGE_SIZE = 1 << PAGE_SHIFT,
	MAX_ORDER = 11, // orders 0..10
	PAGEBLOCK_ORDER = 10,
	PAGEBLOCK_NR_PAGES = 1 << PAGEBLOCK_ORDER,
	MAX_CPUS = 8,	// simulated CPUs at most; also NR_CPUS of the fixmap unless configured
	MAX_CACHES = 1024,
	LAST_PKMAP = 1024,
	KM_TYPE_NR = 20,
	GENERATION_SHIFT = 5, // blocks of different generations lie at least 32 bytes apart
};

// Index lists. Everything in the machine's memory is linked by index, never by pointer, so that
// the memory can be copied, compared, saved and mapped anywhere. Index 0 ends every list: pfn 0,
// cache 0 and area 0 are never list members.
struct list_head {
	uint32_t first; // head end: next to be taken
	uint32_t last;	// tail end
};

struct list_node {
	uint32_t next;
	uint32_t prev;
};

// gfp bits (reference 6.8)
#define __GFP_DMA 0x1u
#define __GFP_HIGHMEM 0x2u
#define __GFP_MOVABLE 0x8u
#define __GFP_WAIT 0x10u
#define __GFP_HIGH 0x20u
#define __GFP_IO 0x40u
#define __GFP_FS 0x80u
#define __GFP_COLD 0x100u
#define __GFP_NOWARN 0x200u
#define __GFP_REPEAT 0x400u
#define __GFP_NOFAIL 0x800u
#define __GFP_NORETRY 0x1000u
#define __GFP_COMP 0x4000u
#define __GFP_ZERO 0x8000u
#define __GFP_NOMEMALLOC 0x10000u
#define __GFP_HARDWALL 0x20000u
#define __GFP_THISNODE 0x40000u
#define __GFP_RECLAIMABLE 0x80000u
#define __GFP_NO_KSWAPD 0x400000u
#define __GFP_OTHER_NODE 0x800000u
#define __GFP_WRITE 0x1000000u

#define GFP_NOWAIT 0u
#define GFP_ATOMIC __GFP_HIGH
#define GFP_NOIO __GFP_WAIT
#define GFP_NOFS (__GFP_WAIT | __GFP_IO)
#define GFP_KERNEL (__GFP_WAIT | __GFP_IO | __GFP_FS)
#define GFP_TEMPORARY (GFP_KERNEL | __GFP_RECLAIMABLE)
#define GFP_USER (GFP_KERNEL | __GFP_HARDWALL)
#define GFP_HIGHUSER (GFP_USER | __GFP_HIGHMEM)
#define GFP_HIGHUSER_MOVABLE (GFP_HIGHUSER | __GFP_MOVABLE)
#define GFP_DMA __GFP_DMA

enum migratetype {
	MIGRATE_UNMOVABLE,
	MIGRATE_RECLAIMABLE,
	MIGRATE_MOVABLE,
	MIGRATE_PCPTYPES,
	MIGRATE_RESERVE = MIGRATE_PCPTYPES,
	MIGRATE_ISOLATE,
	MIGRATE_TYPES,
};

enum zone_type { ZONE_DMA, ZONE_NORMAL, ZONE_HIGHMEM, ZONE_MOVABLE, MAX_NR_ZONES };
