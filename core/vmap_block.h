// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// vmap blocks: small ranges for vm_map_ram, cut from aligned blocks that belong to a CPU
// (reference 8.6).
//
//   free + dirty + handed out == block_pages;  handed-out ranges are powers of two, aligned
//   on its CPU's queue <=> free > 0
//   a range given back is dirty and not reused before the whole block goes: then its TLB flush
//   is shared
#pragma once

#include "types.h"

struct machine;

enum {
	VMAP_MAX_ALLOC = 32, // pages; larger vm_map_ram takes an area of its own
	VMAP_BBMAP_BITS_MAX = 1024,
	VMAP_BLOCKS = 256, // pool; 112 MiB hold at most 112 blocks of 1 MiB
};

struct vmap_block {		    // entry of a pool, index = id, 0 = none
	struct list_node free_list; // its CPU's queue, newest first; next chains unused entries
	kaddr_t addr;		    // start of its area; 0 = entry unused
	kaddr_t obj;		    // address of the vmap_block object
	uint16_t cpu;		    // whose queue
	uint16_t free, dirty;	    // pages
	uint32_t alloc_map[VMAP_BBMAP_BITS_MAX / 32];
	uint32_t dirty_map[VMAP_BBMAP_BITS_MAX / 32];
};

struct vmap_block_state {
	uint32_t block_pages; // VMAP_BBMAP_BITS
	uint32_t free_id;     // chain of returned pool entries
	uint32_t nr_ids;      // pool entries ever used
	struct list_head queue[MAX_CPUS];
	struct vmap_block block[VMAP_BLOCKS];
};

kaddr_t vb_alloc(struct machine *m, uint32_t count);	      // 0: no address space or memory
int vb_free(struct machine *m, kaddr_t addr, uint32_t count); // -EINVAL: not such a range
void purge_fragmented_blocks(struct machine *m, unsigned cpu);
void vmap_block_init(struct machine *m);
int vmap_block_check(struct machine *m, char *why, size_t size);
