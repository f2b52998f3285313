// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Misuse: events, and the kernel's words for them.
#include "misuse.h"

#include <errno.h>

#include "fold.h"

static const char *const messages[MISUSES] = {
	[MISUSE_NOT_AN_OBJECT] = "BUG_ON(!PageSlab(page))",
	[MISUSE_DOUBLE_FREE] = "slab: double free detected in cache",
	[MISUSE_WRONG_CACHE] = "BUG_ON(virt_to_cache(objp) != cachep)",
	[MISUSE_SLAB_HIGHMEM] = "BUG_ON(flags & GFP_SLAB_BUG_MASK)",
	[MISUSE_SLAB_DMA] = "BUG_ON(!(cachep->gfpflags & GFP_DMA))",
	[MISUSE_CACHE_ARGUMENTS] = "kmem_cache_create: Early error in slab",
	[MISUSE_CACHE_DUPLICATE] = "kmem_cache_create: duplicate cache",
	[MISUSE_CACHE_BUSY] = "slab error in kmem_cache_destroy(): Can't free all objects",
	[MISUSE_BAD_PAGE] = "BUG: Bad page state",
	[MISUSE_BAD_ADDRESS] = "VM_BUG_ON(!virt_addr_valid((void *)addr))",
	[MISUSE_HIGHMEM_ADDRESS] = "VM_BUG_ON((gfp_mask & __GFP_HIGHMEM) != 0)",
	[MISUSE_ORDER] = "WARN_ON_ONCE(!(gfp_mask & __GFP_NOWARN))",
	[MISUSE_VFREE_ALIGN] = "Trying to vfree() bad address",
	[MISUSE_VFREE_NO_AREA] = "Trying to vfree() nonexistent vm area",
	[MISUSE_IOUNMAP] = "iounmap: bad address",
	[MISUSE_UNMAP_RAM] = "BUG_ON(!vb)",
	[MISUSE_KUNMAP] = "BUG_ON(!vaddr)",
	[MISUSE_KUNMAP_ATOMIC] = "WARN_ON_ONCE(vaddr != __fix_to_virt(FIX_KMAP_BEGIN + idx))",
	[MISUSE_KMAP_ATOMIC_FULL] = "BUG_ON(idx > KM_TYPE_NR)",
	[MISUSE_PERCPU_REQUEST] = "illegal size or align for percpu allocation",
	[MISUSE_SLAB_CORRUPTION] = "Slab corruption",
	[MISUSE_PERCPU_FREE] = "BUG_ON(i == chunk->map_used)",
};

const char *misuse_message(unsigned what)
{
	return what && what < MISUSES ? messages[what] : "?";
}

void misuse_found(struct machine *m, enum misuse what, unsigned cache, uint32_t addr)
{
	trace(m, &(struct trace_event){.kind = EV_T_MISUSE,
				       .cache = (uint16_t)cache,
				       .cpu = (uint8_t)m->cpu,
				       .zone = 255,
				       .addr = addr,
				       .count = 1,
				       .value = what});
}

void misuse(struct machine *m, enum misuse what, unsigned cache, uint32_t addr)
{
	misuse_found(m, what, cache, addr);
	step_local(m, EV_REFUSED, what, cache, addr, 0, 0, 0);
}

int REFUSED_apply(struct machine *m, const struct record *r)
{
	if (!r->arg[0] || r->arg[0] >= MISUSES || r->arg[1] >= MAX_CACHES)
		return -EILSEQ;
	misuse_found(m, (enum misuse)r->arg[0], r->arg[1], r->arg[2]);
	return 0;
}
