// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// kmalloc, kmem_cache_alloc and their frees: one object out of, or into, this CPU's array
// (reference 7.4, 7.5).
#include "fold.h"
#include "slab_internal.h"

#include <errno.h>

#define ZERO_SIZE_PTR ((kaddr_t)16)

static bool zero_or_null(kaddr_t obj)
{
	return obj <= ZERO_SIZE_PTR;
}

static void alloc_trace(struct machine *m, unsigned cache, kaddr_t obj, gfp_t gfp, bool by_kmalloc)
{
	if (!m->ops->trace) // nobody looks: the event is not even put together
		return;
	if (constructs_at_alloc(&m->caches[cache]))
		ctor_trace(m, cache, 0, obj, 1);
	trace(m, &(struct trace_event){.kind = by_kmalloc ? EV_T_KMALLOC : EV_T_KMEM_CACHE_ALLOC,
				       .cache = (uint16_t)cache,
				       .cpu = (uint8_t)m->cpu,
				       .zone = 255,
				       .addr = obj,
				       .count = 1,
				       .value = gfp});
}

const char *slab_ctor_name(unsigned ctor)
{
	static const char *const names[CTORS] = {"none", "sighand_ctor", "ctor"};

	return ctor < CTORS ? names[ctor] : "?";
}

void ctor_trace(struct machine *m, unsigned cache, pfn_t pfn, kaddr_t obj, uint32_t count)
{
	trace(m, &(struct trace_event){.kind = EV_T_CACHE_CTOR,
				       .cache = (uint16_t)cache,
				       .cpu = (uint8_t)m->cpu,
				       .zone = 255,
				       .pfn = pfn,
				       .addr = obj,
				       .count = count,
				       .value = m->caches[cache].ctor});
}

static void free_trace(struct machine *m, unsigned cache, kaddr_t obj, bool by_kfree)
{
	if (!m->ops->trace)
		return;
	trace(m, &(struct trace_event){.kind = by_kfree ? EV_T_KFREE : EV_T_KMEM_CACHE_FREE,
				       .cache = (uint16_t)cache,
				       .cpu = (uint8_t)m->cpu,
				       .zone = 255,
				       .addr = obj,
				       .count = 1});
}

// bytes: what kmalloc was asked for; 0 says kmem_cache_alloc.
kaddr_t cache_alloc(struct machine *m, unsigned cache, gfp_t gfp, uint32_t bytes)
{
	if (!ac_of(m, cache, m->cpu)->avail && !cache_alloc_refill(m, cache, gfp))
		return 0;
	kaddr_t obj = ac_pop(m, cache);
	alloc_trace(m, cache, obj, gfp, bytes);
	step_local(m, EV_AC_ALLOC, cache, obj, gfp, bytes, *generation_of(m, obj), 0);
	return obj;
}

void cache_free(struct machine *m, unsigned cache, kaddr_t obj, bool by_kfree)
{
	if (ac_of(m, cache, m->cpu)->avail >= ac_of(m, cache, m->cpu)->limit)
		cache_flusharray(m, cache);
	if (!ac_push(m, cache, obj))
		return;
	free_trace(m, cache, obj, by_kfree);
	step_local(m, EV_AC_FREE, cache, obj, by_kfree, *generation_of(m, obj), 0, 0);
}

int AC_ALLOC_apply(struct machine *m, const struct record *r)
{
	unsigned cache = r->arg[0];

	if (!cache_exists(m, cache))
		return -EILSEQ;
	kaddr_t obj = ac_pop(m, cache);
	if (!obj)
		return -EILSEQ;
	*generation_of(m, obj) = (uint16_t)r->arg[4];
	alloc_trace(m, cache, obj, r->arg[2], r->arg[3]);
	return obj == r->arg[1] ? 0 : -EILSEQ;
}

int AC_FREE_apply(struct machine *m, const struct record *r)
{
	unsigned cache = r->arg[0];

	if (!cache_exists(m, cache) || !ac_push(m, cache, r->arg[1]))
		return -EILSEQ;
	*generation_of(m, r->arg[1]) = (uint16_t)r->arg[3];
	free_trace(m, cache, r->arg[1], r->arg[2]);
	return 0;
}

kaddr_t kmem_cache_alloc(struct machine *m, unsigned cache, gfp_t gfp)
{
	return cache_exists(m, cache) ? cache_alloc(m, cache, gfp, 0) : 0;
}

// The cache an object may be freed to; 0: no object starts there.
static unsigned owner_of(struct machine *m, kaddr_t obj)
{
	unsigned cache, index;
	pfn_t slab;

	if (slab_object(m, obj, &cache, &slab, &index)) {
		if (!slab_obj_is_free(m, slab, index) && handed_out(m, &m->caches[cache], obj))
			return cache;
		misuse(m, MISUSE_DOUBLE_FREE, cache, obj);
	} else {
		misuse(m, MISUSE_NOT_AN_OBJECT, 0, obj);
	}
	return 0;
}

void kmem_cache_free(struct machine *m, unsigned cache, kaddr_t obj)
{
	unsigned owner = owner_of(m, obj);

	if (!owner)
		return;
	if (owner == cache)
		cache_free(m, cache, obj, false);
	else
		misuse(m, MISUSE_WRONG_CACHE, cache, obj);
}

kaddr_t kmalloc(struct machine *m, size_t size, gfp_t gfp)
{
	if (!size)
		return ZERO_SIZE_PTR;
	unsigned cache = kmalloc_cache(m, size, gfp);
	return cache ? cache_alloc(m, cache, gfp, (uint32_t)size) : 0;
}

void kfree(struct machine *m, kaddr_t obj)
{
	if (zero_or_null(obj))
		return;
	unsigned cache = owner_of(m, obj);
	if (cache)
		cache_free(m, cache, obj, true);
}

// Usable bytes: the whole buffer, except that debugging keeps its margins for itself.
size_t ksize(struct machine *m, kaddr_t obj)
{
	unsigned cache;

	if (zero_or_null(obj) || !slab_lookup(m, obj, &cache, NULL, NULL))
		return 0;
	const struct kmem_cache *c = &m->caches[cache];
	return m->s->cfg.slab_debug ? c->obj_size : c->buffer_size;
}

kaddr_t krealloc(struct machine *m, kaddr_t obj, size_t size, gfp_t gfp)
{
	if (!size) {
		kfree(m, obj);
		return ZERO_SIZE_PTR;
	}
	if (size <= ksize(m, obj))
		return obj;
	kaddr_t moved = kmalloc(m, size, gfp);
	if (moved)
		kfree(m, obj);
	return moved;
}

bool slab_obj_is_free(struct machine *m, pfn_t slab, unsigned index)
{
	return slab >= m->s->max_low_pfn || index >= BUFCTL_PER_PAGE ||
	       m->slab_area[slab].bufctl[index] != BUFCTL_ACTIVE;
}
