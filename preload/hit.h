// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Calls that find everything ready: most of them, and what the program feels.
//
//   the thread may enter, its CPU's lock is free, the array has an object or a place, the ring has
//   room; its stack is one seen before (trace_cache.h), or is walked on the way
//
// Such a call is one inlined piece without a record in memory. Whatever it does not find ready it
// leaves alone: it gives back what it took, changes nothing and returns nothing, and the general
// path (malloc.c, route.c) serves the call from its beginning. Both do the same to the machine.
//
// What a hit writes: the thread's own state, its CPU's line in cpu_word[] and producers[], that
// CPU's array and ring, and a generation. None of these lines is another CPU's on a hit; only
// generations of neighbouring blocks share a line, as the blocks themselves may.
#pragma once

#include "cpu.h"
#include "ring.h"
#include "route.h"
#include "trace_cache.h"

// All of a piece, so that struct hit never comes to lie in memory.
#define hit_inline static inline __attribute__((always_inline))

_Static_assert(sizeof(struct array_cache) % 64 == 0 && sizeof(struct cpu_word) == 64,
	       "lines of different CPUs");

enum {
	HIT_BYTES_MOST = PAGE_SIZE / 2 - 1 // above it a block's pages have to be prepared
};

hit_inline bool hit_ready(const struct thread *t)
{
	return likely(!t->inside && !t->internal && !process.poison &&
		      t->generation == *process.wipe &&
		      atomic_load_explicit(&process.mode, memory_order_acquire) == MODE_LIVE);
}

hit_inline void hit_end(struct thread *t)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	t->inside = NULL;
	if (unlikely(t->nested != NULL))
		call_drain(t);
}

// Not a hit. The call goes on, and what waits for its end goes on waiting.
hit_inline void hit_give_up(struct thread *t)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	t->inside = NULL;
}

// The caller's trace, NULL when there is none to record. False: the thread is new.
hit_inline bool hit_trace(struct thread *t, void *const *frame, struct cached_trace **e)
{
	*e = NULL;
	t->op_flags = 0;
	if (unlikely(!process.slot))
		return true;
	if (unlikely(!t->cache))
		return false;
	*e = trace_hit(t->cache, (const stack_word *)frame);
	if (unlikely(!*e))
		*e = trace_other(t, (const stack_word *)frame);
	t->op_flags = (*e)->flags;
	return true;
}

// The counter of this trace's site for requests of one size; NULL: not counted.
__attribute__((noinline)) static struct site *hit_counter_find(struct cached_trace *e,
							       uint32_t size)
{
	if (!e->site)
		e->site = site_of(e->stack);
	return e->site ? site_find(e->site, size) : NULL;
}

hit_inline struct site *hit_counter(struct cached_trace *e, uint32_t size)
{
	struct site *s = site_first(e->site, size); // a site not asked for is none's

	return likely(s) ? s : hit_counter_find(e, size);
}

// The cache that serves this request; 0: one has to be made, or is not known as yet. *site: whose call
// is to be counted once it was served, or NULL.
hit_inline uint16_t hit_cache(struct cached_trace *e, uint32_t size, uint8_t *path,
			      struct site **site)
{
	unsigned cache = 0;

	*site = NULL;
	if (e && process.opt.flags & SESSION_SITE_CACHES) {
		struct site *s = hit_counter(e, size);
		if (likely(s) && unlikely(!site_serves(s, &cache)))
			return 0;
		*site = cache ? NULL : s;
	}
	*path = cache ? PATH_SLAB : PATH_KMALLOC;
	return (uint16_t)(cache ? cache : kmalloc_cache(&process.cpu[0], size, GFP_KERNEL));
}

// The producer of the CPU taken, with room for a record; NULL: no room.
hit_inline struct producer *hit_ring(const struct thread *t, unsigned cpu)
{
	struct producer *p = &producers[cpu];

	if (time_is_due(p, t))
		capture_time(p, cpu);
	return ring_has_room(p) ? p : NULL;
}

hit_inline void hit_record(struct thread *t, const struct cached_trace *e, struct producer *p,
			   struct hit h)
{
	if (e) {
		h.stack = e->stack;
		h.thread = t->slot;
		h.flags |= t->op_flags;
		ring_put_hit(p, h);
	}
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	t->undo = UNDO_NOTHING;
}

// With the CPU taken. 0: the array is empty, or something else is not as a hit needs it.
hit_inline kaddr_t hit_pop(struct thread *t, unsigned cpu, struct hit *h)
{
	struct machine *m = &process.cpu[cpu];
	const struct array_cache *ac = ac_of(m, h->cache, cpu);

	if (unlikely(!ac->avail ||
		     !atomic_load_explicit(&arena_committed[ac->entry[ac->avail - 1] >> 22],
					   memory_order_relaxed)))
		return 0;
	undo_set_pop(t, m, h->cache);
	h->addr = ac_pop(m, h->cache);
	h->generation = (uint16_t)(t->undo_generation + 1);
	h->flags = OPF_POP;
	return h->addr;
}

// size is at least 1. NULL: not a hit.
hit_inline void *hit_alloc(enum event_kind kind, size_t size, enum gfp_code gfp, void *frame)
{
	struct thread *t = &thread_self;
	struct hit h = {.kind = kind, .gfp = gfp, .req = (uint32_t)size};
	struct producer *p = NULL;
	struct cached_trace *e;
	struct site *site;
	kaddr_t a = 0;

	if (unlikely(size - 1 >= HIT_BYTES_MOST || !hit_ready(t)))
		return NULL;
	t->inside = frame;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (likely(hit_trace(t, frame, &e))) {
		h.cache = hit_cache(e, (uint32_t)size, &h.path, &site);
		if (likely(h.cache)) {
			unsigned cpu = cpu_take(t);
			h.cpu = (uint8_t)cpu;
			if (likely(!e || (p = hit_ring(t, cpu))))
				a = hit_pop(t, cpu, &h);
			if (likely(a)) {
				hit_record(t, e, p, h);
				if (site)
					site_count(site);
			}
			cpu_give(t, cpu);
		}
	}
	if (unlikely(!a)) {
		hit_give_up(t);
		return NULL;
	}
	hit_end(t);
	return to_host(a);
}

// The cache of the slab an address of lowmem lies in; 0: no slab.
hit_inline uint16_t hit_owner(const struct machine *m, kaddr_t a)
{
	const struct page *page;

	if (unlikely(!is_lowmem(m, a)))
		return 0;
	page = pfn_to_page(m, lowmem_pfn(m, a));
	return likely(page->flags & 1u << PG_slab) ? (uint16_t)page->mapping : 0;
}

// False: the array is full, or this is nobody's block.
hit_inline bool hit_push(struct thread *t, unsigned cpu, struct hit *h)
{
	struct machine *m = &process.cpu[cpu];
	uint16_t taken = *generation_of(m, h->addr);

	if (unlikely(!(taken & 1) || h->addr & (m->caches[h->cache].align - 1)))
		return false;
	undo_set(t, h->cache, ac_of(m, h->cache, cpu)->avail);
	if (unlikely(!ac_push(m, h->cache, h->addr)))
		return false;
	h->generation = (uint16_t)(taken + 1);
	h->flags = OPF_PUSH;
	return true;
}

// False: not a hit.
hit_inline bool hit_free(void *ptr, void *frame)
{
	struct thread *t = &thread_self;
	struct hit h = {.kind = EV_FREE, .addr = to_sim(ptr)};
	struct producer *p = NULL;
	struct cached_trace *e;
	bool done = false;

	if (unlikely(!in_arena(ptr) || !hit_ready(t) ||
		     atomic_load_explicit(&arena_nr_altered, memory_order_relaxed)))
		return false;
	h.cache = hit_owner(&process.cpu[0], h.addr);
	if (unlikely(!h.cache))
		return false;
	h.path = slab_path(&process.cpu[0], h.cache);
	t->inside = frame;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (likely(hit_trace(t, frame, &e))) {
		unsigned cpu = cpu_take(t);
		h.cpu = (uint8_t)cpu;
		if (likely(!e || (p = hit_ring(t, cpu))))
			done = hit_push(t, cpu, &h);
		if (likely(done))
			hit_record(t, e, p, h);
		cpu_give(t, cpu);
	}
	if (likely(done))
		hit_end(t);
	else
		hit_give_up(t);
	return done;
}
