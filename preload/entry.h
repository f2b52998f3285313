// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The frame of every interposed call: who serves it, its OP record, the CPU it holds.
//
//   call_begin    whoever cannot go to the machine is told so here; else t->inside is set
//   call_lock     a CPU is ours; the machine may be used
//   call_write    the OP record; what was freed may be reused from the unlock on
//   call_unlock   call_end
#pragma once

#include "arena.h"

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

enum service {
	SERVE_MACHINE, // the machine, recorded
	SERVE_HOST,    // no machine: the host, recorded
	SERVE_GLIBC,   // glibc, nothing recorded: early, internal or passive
	SERVE_NESTED,  // a signal handler interrupted the machine: the pool
};

struct call {
	struct thread *t;
	struct machine *m; // CPU held
	struct record r;
};

// The calling entry's own frame. Entries are compiled with a frame pointer because of this.
#define ENTRY_FRAME __builtin_frame_address(0)

enum service call_begin_slow(struct thread *t, void *frame); // init.c
void call_drain(struct thread *t);			     // nested.c: calls queued by handlers
void call_nested(struct call *c, void *frame);		     // nested.c: fills c->r
bool mapping_finish(struct call *c, uint32_t *done);	     // mmap.c: the same; false: not its kind
void call_finish(struct call *c, uint32_t *done);	     // malloc.c: queued call c->r; counts it

// fixed: the entry's frame address: saved frame pointer, return address, then the caller's frame.
static inline enum service call_begin(struct call *c, enum event_kind kind, void *frame)
{
	struct thread *t = &thread_self;
	enum service s = SERVE_MACHINE;

	c->t = t;
	c->m = NULL;
	c->r = (struct record){.kind = kind};
	if (unlikely(t->inside || t->internal || t->generation != *process.wipe ||
		     atomic_load_explicit(&process.mode, memory_order_acquire) != MODE_LIVE))
		s = call_begin_slow(t, frame);
	if (unlikely(s > SERVE_HOST)) {
		if (s == SERVE_NESTED)
			call_nested(c, frame);
		return s;
	}
	t->inside = frame;
	t->op_flags = 0;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (process.slot) {
		c->r.ticket = capture_stack(t, frame, &t->op_flags);
		c->r.lock = t->slot;
	}
	return s;
}

// thread.undo: a handler may jump out of a call at any instruction. Taking an object off an array or
// putting it back can be undone: cache and length of the array before. Of everything else only the
// invariants can tell whether it went well.
enum {
	UNDO_NOTHING,
	UNDO_POP = 0x8000, // with the cache's id: an object is taken, not put back
	UNDO_UNKNOWN = 0xFFFF
};

bool undo_call(struct thread *t); // undo.c: finishes or undoes it; false: unknown

static inline void undo_set(struct thread *t, unsigned cache, unsigned avail)
{
	t->undo = avail << 16 | cache;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

// Before a pop: also the object's generation, which the pop raises.
static inline void undo_set_pop(struct thread *t, const struct machine *m, unsigned cache)
{
	const struct array_cache *ac = ac_of(m, cache, m->cpu);

	if (ac->avail)
		t->undo_generation = *generation_of(m, ac->entry[ac->avail - 1]);
	undo_set(t, UNDO_POP | cache, ac->avail);
}

static inline struct machine *call_lock(struct call *c)
{
	undo_set(c->t, UNDO_UNKNOWN, 0);
	c->m = cpu_enter(c->t);
	c->r.cpu = c->m->cpu;
	c->m->caller = c->r.ticket; // areas remember who made them
	return c->m;
}

static inline void call_write(struct call *c)
{
	if (process.slot) {
		c->r.op.flags |= c->t->op_flags;
		capture_op(c->m, &c->r);
	}
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	c->t->undo = UNDO_NOTHING;
}

// Where the block lies and what it is, in one store: a later load of a half-written word would stall.
static inline void record_block(struct record *r, enum op_path path, unsigned cache,
				enum gfp_code gfp, uint64_t addr)
{
	uint64_t word = (addr & ((1ull << 48) - 1)) | (uint64_t)cache << 48;

	__builtin_memcpy(&r->arg[0], &word, sizeof(word));
	r->path = path;
	((uint8_t *)&r->arg[4])[6] = gfp;
}

static inline void call_unlock(struct call *c)
{
	cpu_leave(c->t, c->m);
}

static inline void call_end(struct call *c)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	c->t->inside = NULL;
	if (unlikely(c->t->nested != NULL))
		call_drain(c->t);
}

// The machine had no part in it: an OP record alone.
static inline void call_host(struct call *c, const void *p, enum host_reason reason)
{
	if (!process.slot)
		return;
	call_lock(c);
	c->r.path = PATH_HOST;
	c->r.op.addr = (uintptr_t)p;
	c->r.op.cache = reason;
	call_write(c);
	call_unlock(c);
}
