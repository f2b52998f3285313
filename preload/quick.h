// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Calls of a process that nothing records (`kalloscope run`), when they find everything ready: hit.h
// without trace and ring. The same is left alone, and the machine changes in the same way.
#pragma once

#include "hit.h"

enum {
	QUICK_BYTES_MOST = SLAB_DIRTY_MOST
};

// The general cache for requests up to 16 times the index, 0 none: quick_init().
extern uint16_t quick_cache[QUICK_BYTES_MOST / 16 + 1] __attribute__((visibility("hidden")));
void quick_init(const struct machine *m); // malloc.c

hit_inline uint16_t *quick_generation(const struct machine *m, kaddr_t a)
{
	return &m->generation[(a - m->s->cfg.page_offset) >>
			      GENERATION_SHIFT]; // objects are in lowmem
}

// With the CPU taken, which then undoes or finishes this if a handler jumps out. 0: not ready.
hit_inline kaddr_t quick_pop(struct thread *t, const struct machine *m, unsigned cache,
			     unsigned cpu)
{
	struct array_cache *ac = ac_of(m, cache, cpu);
	uint32_t avail = ac->avail;

	if (unlikely(!avail))
		return 0;
	kaddr_t a = ac->entry[avail - 1];
	if (unlikely(!atomic_load_explicit(&arena_committed[a >> 22], memory_order_relaxed)))
		return 0;
	uint16_t *generation = quick_generation(m, a);
	t->undo_generation = *generation;
	undo_set(t, UNDO_POP | cache, avail);
	ac->touched = 1;
	ac->avail = avail - 1;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	*generation = (uint16_t)(t->undo_generation + 1);
	return a;
}

// False: the array is full, or this is nobody's block.
hit_inline bool quick_push(struct thread *t, const struct machine *m, kaddr_t a, unsigned cache,
			   unsigned cpu)
{
	struct array_cache *ac = ac_of(m, cache, cpu);
	uint16_t *generation = quick_generation(m, a);
	uint32_t avail = ac->avail;

	if (unlikely(!(*generation & 1) || a & (m->caches[cache].align - 1) || avail >= ac->limit))
		return false;
	undo_set(t, cache, avail);
	ac->entry[avail] = a;
	ac->avail = avail + 1;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	++*generation;
	return true;
}

hit_inline void quick_end(struct thread *t, unsigned cpu, bool done)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	t->undo = UNDO_NOTHING;
	cpu_give(t, cpu);
	if (likely(done))
		hit_end(t);
	else
		hit_give_up(t);
}

// size is at least 1. NULL: not a hit.
hit_inline void *quick_alloc(size_t size, void *frame)
{
	struct thread *t = &thread_self;

	if (unlikely(size - 1 >= QUICK_BYTES_MOST || !hit_ready(t)))
		return NULL;
	t->inside = frame;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	unsigned cpu = cpu_take(t);
	kaddr_t a = quick_pop(t, &process.cpu[cpu], quick_cache[(size + 15) / 16], cpu);
	quick_end(t, cpu, a != 0);
	return likely(a) ? to_host(a) : NULL;
}

// The cache of a block of ours that may be looked at without a lock; 0: none, or not now.
hit_inline unsigned quick_owner(const struct thread *t, const void *p)
{
	if (unlikely(!in_arena(p) || !hit_ready(t) ||
		     atomic_load_explicit(&arena_nr_altered, memory_order_relaxed)))
		return 0;
	return hit_owner(&process.cpu[0], to_sim(p));
}

// False: not a hit.
hit_inline bool quick_free(void *p, void *frame)
{
	struct thread *t = &thread_self;
	unsigned cache = quick_owner(t, p);

	if (unlikely(!cache))
		return false;
	t->inside = frame;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	unsigned cpu = cpu_take(t);
	bool done = quick_push(t, &process.cpu[cpu], to_sim(p), cache, cpu);
	quick_end(t, cpu, done);
	return done;
}

// Bytes of a block that may be looked at without a lock; 0: not a hit.
hit_inline size_t quick_room(const void *p)
{
	const struct machine *m = &process.cpu[0];
	unsigned cache = quick_owner(&thread_self, p);
	kaddr_t a = to_sim(p);

	if (unlikely(!cache || !(*quick_generation(m, a) & 1) || a & (m->caches[cache].align - 1)))
		return 0;
	return m->caches[cache].buffer_size;
}
