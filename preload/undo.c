// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Finishing or undoing a call that a signal handler jumped out of.
//
// A call that took an object off its CPU's array, or put one back, changed one length and wrote one
// record. If the record was published the call is finished, else the length goes back. The CPU's lock is
// still held, so array and ring are as the call left them.
#include "capture.h"
#include "entry.h"

// The last record published on this CPU's ring is this object's. One that was being written when
// the handler came would be published by the next: it is made harmless.
static bool published(struct machine *m, uint64_t flag, kaddr_t obj)
{
	struct session_header *h = process.session;

	if (!process.slot)
		return false;
	uint64_t head = atomic_load(&process.slot->ring[m->cpu].head), now = clock_stamp();
	struct record *ring = session_ring(h, process.slot_index, m->cpu);
	const struct record *last = &ring[(head - 1) & (h->ring_records - 1)];
	if (head && last->kind < EV_LAST_OP && last->op.flags & flag && last->op.addr == obj)
		return true;
	if (head - atomic_load(&process.slot->ring[m->cpu].tail) >= h->ring_records)
		return false; // full: the place is still the drainer's, nothing was written there
	ring[head & (h->ring_records - 1)] = (struct record){
		.kind = EV_TIME, .cpu = m->cpu, .arg = {(uint32_t)now, (uint32_t)(now >> 32)}};
	return false;
}

static void undo_pop(struct thread *t, struct machine *m, struct array_cache *ac, uint32_t before)
{
	kaddr_t obj = before ? ac->entry[before - 1] : 0;

	if (!obj || (ac->avail < before && published(m, OPF_POP, obj)))
		return;
	*generation_of(m, obj) = t->undo_generation;
	ac->avail = before;
}

// The entry is written before the generation: which of them the jump came after is seen from both.
static void undo_push(struct machine *m, struct array_cache *ac, uint32_t before)
{
	if (ac->avail != before + 1)
		return;
	kaddr_t obj = ac->entry[before];
	uint16_t *generation = generation_of(m, obj);
	bool done = published(m, OPF_PUSH, obj), counted = !(*generation & 1);

	if (done != counted)
		*generation += done ? 1 : -1;
	if (!done)
		ac->avail = before;
}

bool undo_call(struct thread *t)
{
	struct machine *m = t->held ? &process.cpu[t->held - 1] : NULL;
	unsigned what = t->undo & 0xFFFF;
	uint32_t before = t->undo >> 16;

	if (t->undo == UNDO_NOTHING || !m)
		return true;
	if (what == UNDO_UNKNOWN)
		return false;
	struct array_cache *ac = ac_of(m, what & ~(unsigned)UNDO_POP, m->cpu);
	if (what & UNDO_POP)
		undo_pop(t, m, ac, before);
	else
		undo_push(m, ac, before);
	return true;
}
