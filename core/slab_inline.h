// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The slab allocator's hot path: a handful of instructions each (reference 7.5). Included by
// machine.h.
#pragma once

#include "machine.h"

// How often a block was handed out or given back at this address, modulo 2^16. A block made on one
// CPU and given back on another shares no lock with either; the count its record carries, that after
// it, orders them: the record of count g is next <=> the block's is g - 1. And
//
//   the count is odd <=> the block is in somebody's hands
//
// which is how a second free is told from the first wherever the object waits meanwhile.
//
// One counter serves GENERATION_SHIFT bits of address, so caches that several CPUs use have objects
// of at least 32 bytes (smaller ones would share counters, and two CPUs would write one at once).
static inline uint16_t *generation_of(const struct machine *m, kaddr_t obj)
{
	return is_lowmem(m, obj) ? &m->generation[(obj - m->s->cfg.page_offset) >> GENERATION_SHIFT]
				 : &m->generation[0]; // a damaged machine: pfn 0 has no objects
}

// The newest free object of this CPU's array; 0: empty, call cache_alloc_refill.
static inline kaddr_t ac_pop(struct machine *m, unsigned cache)
{
	struct array_cache *ac = ac_of(m, cache, m->cpu);

	if (!ac->avail)
		return 0;
	ac->touched = 1;
	kaddr_t obj = ac->entry[--ac->avail];
	++*generation_of(m, obj);
	return obj;
}

// false: full, call cache_flusharray. An unused cache id has limit 0 and takes nothing.
static inline bool ac_push(struct machine *m, unsigned cache, kaddr_t obj)
{
	struct array_cache *ac = ac_of(m, cache, m->cpu);

	if (ac->avail >= ac->limit)
		return false;
	ac->entry[ac->avail++] = obj;
	__atomic_signal_fence(__ATOMIC_SEQ_CST); // a handler that jumps finds the entry first
	++*generation_of(m, obj);
	return true;
}

// Whether an object of c at this address is in somebody's hands. Smaller objects share counters:
// of them nothing is known, and yes is the answer.
static inline bool handed_out(const struct machine *m, const struct kmem_cache *c, kaddr_t obj)
{
	return *generation_of(m, obj) & 1 || c->buffer_size < 1u << GENERATION_SHIFT;
}

static inline bool cache_exists(const struct machine *m, unsigned cache)
{
	return cache > 0 && cache < MAX_CACHES && m->caches[cache].used;
}

// Position in slab.size[] of the smallest general cache that holds size: a table up to 512 bytes,
// from there on sizes double. size is 1..kmalloc_max.
static inline unsigned kmalloc_index(const struct machine *m, uint32_t size)
{
	const struct slab_state *sl = &m->s->slab;

	if (size <= 512)
		return sl->index_small[(size + 7) / 8];
	return sl->index_small[512 / 8] + 32 - (unsigned)__builtin_clz((size - 1) >> 9);
}

// Cache id; 0: no general cache is that large, or size is 0.
static inline unsigned kmalloc_cache(const struct machine *m, size_t size, gfp_t gfp)
{
	if (size - 1 >= m->s->slab.kmalloc_max)
		return 0;
	unsigned i = kmalloc_index(m, (uint32_t)size);
	return gfp & __GFP_DMA ? m->s->slab.size_cache_dma[i] : m->s->slab.size_cache[i];
}

static inline kaddr_t slab_obj_addr(const struct kmem_cache *c, const struct slab *slab,
				    unsigned index)
{
	return slab->s_mem + index * c->buffer_size + c->obj_offset;
}

// Which cache, slab and slot an address belongs to; false: not inside an object of a slab. Trusts
// nothing it finds: page entries may come from a hostile recording. Any output may be NULL.
static inline bool slab_lookup(const struct machine *m, kaddr_t addr, unsigned *cache, pfn_t *slab,
			       unsigned *index)
{
	if (!is_lowmem(m, addr))
		return false;
	const struct page *page = pfn_to_page(m, lowmem_pfn(m, addr));
	if (!(__atomic_load_n(&page->flags, __ATOMIC_RELAXED) & 1u << PG_slab) ||
	    page->index >= m->s->max_low_pfn || !cache_exists(m, page->mapping))
		return false;
	const struct slab *s = &m->slab_area[page->index];
	const struct kmem_cache *c = &m->caches[page->mapping];
	uint32_t offset = addr - s->s_mem;
	if (s->cache != page->mapping || addr < s->s_mem)
		return false;
	// The reciprocal may round an address near the end of a huge object up by one.
	uint32_t i = (uint32_t)(((uint64_t)offset * c->reciprocal) >> 32);
	if ((uint64_t)i * c->buffer_size > offset)
		i--;
	if (i >= c->num)
		return false;
	if (cache)
		*cache = page->mapping;
	if (slab)
		*slab = page->index;
	if (index)
		*index = i;
	return true;
}

// The same for addresses where an object begins.
static inline bool slab_object(const struct machine *m, kaddr_t addr, unsigned *cache, pfn_t *slab,
			       unsigned *index)
{
	return slab_lookup(m, addr, cache, slab, index) &&
	       slab_obj_addr(&m->caches[*cache], &m->slab_area[*slab], *index) == addr;
}
