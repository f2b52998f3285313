// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Address ranges of the vmalloc space: what vmap_area.c offers to vmalloc.c and vmap_block.c
// (reference 8.1, 8.2).
//
// Areas are pool entries linked twice: in a list sorted by address, which the kernel's own search
// walks, and in a search tree (a treap whose priorities are a bijection of the address, so its
// shape depends on the set of areas alone). Functions named *_locked are for step bodies: the
// vmap lock is held, or records are being folded.
#pragma once

#include "vmalloc.h"

struct vmap_area *vmap_area_covering(const struct machine *m, kaddr_t addr); // or NULL
struct vmap_area *vmap_area_at(const struct machine *m, kaddr_t addr); // starts there; or NULL
uint32_t vmap_area_priority(const struct vmap_area *va);	       // falls from parent to child
uint32_t vmap_area_id(const struct machine *m, const struct vmap_area *va);

// What a caller's gfp says about how hard to try; the objects behind an area follow it in that.
#define GFP_RECLAIM_MASK                                                                           \
	(__GFP_WAIT | __GFP_HIGH | __GFP_IO | __GFP_FS | __GFP_NOWARN | __GFP_REPEAT |             \
	 __GFP_NOFAIL | __GFP_NORETRY | __GFP_NOMEMALLOC)

// Finds and takes a range, purging once when there is none. 0: no room or no memory.
kaddr_t alloc_vmap_area(struct machine *m, uint32_t size, uint32_t align, kaddr_t vstart,
			kaddr_t vend, gfp_t gfp);
// Frees lazily; purges when much has gathered.
void free_vmap_area_noflush(struct machine *m, kaddr_t addr);
void purge_vmap_area_lazy(struct machine *m); // with the fragmented blocks first
uint32_t lazy_max_pages(const struct machine *m);
// For step bodies: the area with the greatest start at or below addr; a new area on a free range,
// NULL when the pool is used up.
struct vmap_area *vmap_area_floor(const struct machine *m, kaddr_t addr);
struct vmap_area *insert_vmap_area(struct machine *m, kaddr_t start, kaddr_t end, kaddr_t node);
// Moves the area's end. -ENOMEM: the next area is in the way.
int vmap_resize(struct machine *m, kaddr_t addr, uint32_t size);

void vmap_area_init(struct machine *m);
