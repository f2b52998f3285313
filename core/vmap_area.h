// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Address ranges of the vmalloc space: what vmap_area.c offers to vmalloc.c and vmap_block.c.
//
// Areas are pool entries linked twice: in a list sorted by address, which the kernel's own search
// walks, and in a search tree (a treap whose priorities are a bijection of the address, so its
// shape depends on the set of areas alone). Functions named *_locked are for step bodies: the
// vmap lock is held, or records are being folded.
#pragma once

#include "vmalloc.h"

struct vmap_area *vmap_area_covering(const struct machine *m, kaddr_t addr); // or NULL
struct vmap_area *vmap_area_at(const struct machine *m, kaddr_t addr); // starts there; or NULL
uint32_t vmap_area_id(const struct machine *m, const struct vmap_area *va);

// Finds and takes a range, purging once when there is none. 0: no room or no memory.
kaddr_t alloc_vmap_area(struct machine *m, uint32_t size, uint32_t align, kaddr_t vstart,
			kaddr_t vend);
void free_vmap_area_noflush(struct machine *m,
			    kaddr_t addr);    // lazily; purges when much has gathered
void purge_vmap_area_lazy(struct machine *m); // with the fragmented blocks first
uint32_t lazy_max_pages(const struct machine *m);
int vmap_resize(struct machine *m, kaddr_t addr,
		uint32_t size); // -ENOMEM: the next area is in the way

void vmap_area_init(struct machine *m);
int vmap_area_check(struct machine *m, char *why, size_t size);
