// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// What vmalloc.c, vmap.c and vm_steps.c share: the steps that put pages behind a range of
// vmap_area.c, and the making and undoing of areas (reference 8.3, 8.4, 8.5).
#pragma once

#include "vmap_area.h"

static inline uint32_t pages_of(uint64_t bytes)
{
	return (uint32_t)((bytes + PAGE_SIZE - 1) >> PAGE_SHIFT);
}

// vm_steps.c
uint32_t *vmalloc_pte(const struct machine *m, kaddr_t addr); // slot of a page's entry
void vm_map_run(struct machine *m, kaddr_t addr, pfn_t pfn, uint32_t count, int32_t stride,
		uint32_t prot);
void vmap_pages(struct machine *m, kaddr_t addr, const pfn_t *pfns, uint32_t n); // in runs
void vunmap_page_range(struct machine *m, kaddr_t addr, uint32_t count);
// Makes the area's vm_struct public; again after it grew.
void vm_insert(struct machine *m, kaddr_t addr, uint32_t flags, kaddr_t vm, kaddr_t pages,
	       uint32_t phys);
// From here on the range is the caller's alone. *was: the area as it was. -EILSEQ: none starts there.
int vm_remove(struct machine *m, kaddr_t addr, struct vmap_area *was);
// A copy of the area that starts at addr, or covers it. False: there is none with a vm_struct.
bool vm_lookup(struct machine *m, kaddr_t addr, bool covering, struct vmap_area *copy);

// vmalloc.c
// An area with its own vm_struct (*vm: the object), not yet inserted. 0 on failure.
kaddr_t get_unlisted_area(struct machine *m, size_t size, uint32_t flags, kaddr_t start,
			  kaddr_t end, gfp_t gfp, kaddr_t *vm);
// What is left of an area after vm_remove(), or after its making failed half-way.
void release_area(struct machine *m, const struct vmap_area *was, bool free_frames);
