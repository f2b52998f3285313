// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// What slab.c, slab_cache.c, slab_reap.c and kmalloc.c share and nobody else needs
// (reference 7.3, 7.5, 7.6).
#pragma once

#include "machine.h"
#include "misuse.h"

enum flush_how {      // what a SLAB_FLUSH step does with the oldest entries
	FLUSH_ARRAY,  // one batch of the CPU's array, to the shared array when it has room
	FLUSH_DRAIN,  // the CPU's whole array into the slabs
	FLUSH_SHARED, // the whole shared array into the slabs
	FLUSH_KINDS,
};

#define GFP_RECLAIM_MASK    0x11EF0u
#define GFP_CONSTRAINT_MASK 0x60000u
#define GFP_SLAB_BUG_MASK   0xFE000006u

// Slabs that a step took off their cache: destroyed one by one after the step, in this order.
struct doomed {
	struct list_head list;
	uint32_t count;
};

static inline struct shared_array *shared_of(const struct machine *m, unsigned cache)
{
	return &m->shared[cache];
}

static inline bool off_slab(const struct kmem_cache *c)
{
	return c->flags & CFLGS_OFF_SLAB;
}

void slab_list_add(struct machine *m, struct list_head *list, pfn_t pfn);      // head
void slab_list_add_tail(struct machine *m, struct list_head *list, pfn_t pfn); // tail
void slab_list_del(struct machine *m, struct list_head *list, pfn_t pfn);

// Returns n objects to their slabs; emptied slabs beyond free_limit go to d. List lock held.
void free_block(struct machine *m, unsigned cache, const kaddr_t *objs, uint32_t n,
		struct doomed *d);
// Takes up to n of an array's oldest entries away.
void array_shift(kaddr_t *entry, uint32_t *avail, uint32_t n);
// Up to n free slabs, oldest first, to d. List lock held. Returns how many.
uint32_t drain_freelist(struct machine *m, unsigned cache, uint32_t n, struct doomed *d);
// Hands the slabs of a step over to this CPU's doomed list, in front of what waits there: a cache
// flushed while a slab is being destroyed comes first, as by recursion in the kernel.
void doom(struct machine *m, const struct doomed *d);
// Destroys the first n doomed slabs: a step each, then pages, then an off-slab descriptor.
void destroy_doomed(struct machine *m, uint32_t n);

void flush_array(struct machine *m, unsigned cache, unsigned cpu, enum flush_how how);
int shrink_stopped(struct machine *m, unsigned cache);
kaddr_t cache_alloc(struct machine *m, unsigned cache, gfp_t gfp, uint32_t bytes);
void cache_free(struct machine *m, unsigned cache, kaddr_t obj, bool by_kfree);

// Objects constructed: all of a slab that begins at pfn, or one at obj.
void ctor_trace(struct machine *m, unsigned cache, pfn_t pfn, kaddr_t obj, uint32_t count);

static inline bool constructs_at_alloc(const struct kmem_cache *c)
{
	return c->ctor && c->flags & SLAB_POISON;
}

static inline void slab_trace(struct machine *m, enum event_kind kind, unsigned cache,
			      uint32_t count)
{
	trace(m, &(struct trace_event){.kind = (uint16_t)kind,
				       .cache = (uint16_t)cache,
				       .cpu = (uint8_t)m->cpu,
				       .zone = 255,
				       .count = count});
}

static inline void stop_machine(struct machine *m)
{
	if (m->ops->stop_machine)
		m->ops->stop_machine(m);
}

static inline void restart_machine(struct machine *m)
{
	if (m->ops->restart_machine)
		m->ops->restart_machine(m);
}
