// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Poison in programs' objects (poison.h).
#include "poison.h"

#include <string.h>

#include "../core/misuse.h"
#include "../core/slab_debug.h"
#include "arena.h"

static bool poisons(const struct kmem_cache *c)
{
	return c->flags & SLAB_POISON && c->obj_size;
}

// Objects of a page or more have pages of their own, which may be known to be zero.
static void fill(const struct kmem_cache *c, kaddr_t obj, unsigned char byte)
{
	unsigned char *p = to_host(obj);

	memset(p, byte, c->obj_size - 1);
	p[c->obj_size - 1] = POISON_END;
	if (c->buffer_size >= PAGE_SIZE)
		arena_dirty(obj, c->obj_size);
}

void poison_slab(const struct machine *m, unsigned cache, pfn_t slab)
{
	const struct kmem_cache *c = &m->caches[cache];

	for (unsigned i = 0; poisons(c) && i < c->num; i++) {
		kaddr_t obj = slab_obj_addr(c, &m->slab_area[slab], i);
		if (arena_commit(obj))
			fill(c, obj, POISON_FREE);
	}
}

void poison_freed(const struct machine *m, unsigned cache, kaddr_t obj)
{
	const struct kmem_cache *c = &m->caches[cache];

	if (poisons(c))
		fill(c, obj, POISON_FREE);
}

static bool intact(const struct kmem_cache *c, kaddr_t obj)
{
	const unsigned char *p = to_host(obj);

	for (uint32_t i = 0; i < c->obj_size - 1; i++)
		if (p[i] != POISON_FREE)
			return false;
	return p[c->obj_size - 1] == POISON_END;
}

void poison_taken(struct machine *m, unsigned cache, kaddr_t obj)
{
	const struct kmem_cache *c = &m->caches[cache];

	if (!poisons(c))
		return;
	if (!intact(c, obj))
		misuse(m, MISUSE_SLAB_CORRUPTION, cache, obj);
	fill(c, obj, POISON_INUSE);
}
