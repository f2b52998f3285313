// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The fold: applying records to a machine, and merging the rings of a process into one order.
#pragma once

#include "machine.h"

// Applies one record as CPU r->cpu (m->cpu is set). 0; -EILSEQ: the record contradicts the state
// (a damaged or hostile recording: the machine stays usable, only untrue). Never crashes.
int fold_apply(struct machine *m, const struct record *r);

// Each STEP kind's function, in the file of its mechanism.
#define STEP(kind, name, args) int kind##_apply(struct machine *m, const struct record *r);
#include "event.def"

// True when r may be applied next as far as locks go (rule in event.h).
static inline bool fold_ready(const struct machine *m, const struct record *r)
{
	return r->kind < EV_LAST_OP || r->lock == LOCK_NONE ||
	       (r->lock < NR_LOCKS && r->ticket == m->s->ticket[r->lock] + 1);
}

// What a record says of the block it hands out or gives back; false: it does neither.
static inline bool record_generation(const struct record *r, kaddr_t *obj, uint16_t *generation)
{
	if (r->kind < EV_LAST_OP && r->op.flags & (OPF_POP | OPF_PUSH)) {
		*obj = (kaddr_t)r->op.addr;
		*generation = (uint16_t)r->op.old;
		return true;
	}
	if (r->kind != EV_AC_ALLOC && r->kind != EV_AC_FREE)
		return false;
	*obj = r->arg[1];
	*generation = (uint16_t)r->arg[r->kind == EV_AC_ALLOC ? 4 : 3];
	return true;
}

// True when r may be applied next as far as its block's generation goes (slab_inline.h).
static inline bool fold_in_turn(const struct machine *m, const struct record *r)
{
	kaddr_t obj;
	uint16_t generation;

	if (!record_generation(r, &obj, &generation))
		return true;
	return *generation_of(m, obj) == (uint16_t)(generation - 1);
}

// Merge: per ring a queue of records the caller keeps filled.
struct merge_ring {
	const struct record *next, *end; // unread records; the caller refills when next == end
	uint64_t now_ns;		 // last TIME seen
	bool at_barrier;		 // next is a BARRIER
	bool ended;			 // nothing more will ever come
};

struct merge {
	struct machine *m; // the fold's machine
	unsigned nrings;
	struct merge_ring ring[MAX_CPUS];
};

enum {
	MERGE_NEED_INPUT = -1,
	MERGE_DONE = -2,
	MERGE_STUCK = -3
};
// Picks the ring whose head may be applied next, preferring the earliest time; consumes BARRIERs.
// >= 0: ring index; its head is the next record (the caller applies it and advances `next`).
// NEED_INPUT: some ring must be refilled first; STUCK: all ended and yet heads wait (records lost).
int merge_pick(struct merge *g);

// Compares two machines' memory, except what only a fold keeps (barrier, each CPU's now_ns and
// ops). Offset of the first difference, or -1.
int64_t machine_compare(const struct machine *a, const struct machine *b);
