// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Merging rings: which head may be applied next. And comparing two machines.
#include <string.h>

#include "fold.h"

static uint64_t record_time(const struct record *r)
{
	return r->arg[0] | (uint64_t)r->arg[1] << 32;
}

// Looks at a ring's head: true when it is a record that waits for nothing but its lock.
static bool head_is_record(struct merge_ring *ring)
{
	if (ring->at_barrier || ring->next == ring->end)
		return false;
	ring->at_barrier = ring->next->kind == EV_BARRIER;
	if (ring->next->kind == EV_TIME)
		ring->now_ns = record_time(ring->next);
	return !ring->at_barrier;
}

// When every ring has come to the barrier (or to its end) all pass it together.
static bool pass_barrier(struct merge *g)
{
	unsigned waiting = 0;

	for (unsigned i = 0; i < g->nrings; i++) {
		const struct merge_ring *ring = &g->ring[i];

		if (!ring->at_barrier && !(ring->ended && ring->next == ring->end))
			return false;
		waiting += ring->at_barrier;
	}
	for (unsigned i = 0; i < g->nrings; i++) {
		struct merge_ring *ring = &g->ring[i];

		if (!ring->at_barrier)
			continue;
		g->m->s->barrier = ring->next->arg[0];
		ring->next++;
		ring->at_barrier = false;
	}
	return waiting;
}

// Among the heads that may go, the one whose ring's clock is earliest, which keeps the order close
// to what happened where the rules leave it open. Any choice ends in the same state.
int merge_pick(struct merge *g)
{
	bool empty, blocked;

	do {
		int best = -1;

		empty = blocked = false;
		for (unsigned i = 0; i < g->nrings; i++) {
			struct merge_ring *ring = &g->ring[i];

			if (ring->next == ring->end) {
				empty |= !ring->ended;
				continue;
			}
			if (!head_is_record(ring) || !fold_ready(g->m, ring->next) ||
			    !fold_in_turn(g->m, ring->next)) {
				blocked = true;
				continue;
			}
			if (best < 0 || ring->now_ns < g->ring[best].now_ns)
				best = i;
		}
		if (best >= 0)
			return best;
	} while (pass_barrier(g));
	return empty ? MERGE_NEED_INPUT : blocked ? MERGE_STUCK : MERGE_DONE;
}

// What the fold alone keeps of the stream it read: a machine that runs does not have it.
static bool is_bookkeeping(size_t at)
{
	const size_t cpus = offsetof(struct machine_state, cpu);
	const size_t one = sizeof(((struct machine_state *)0)->cpu[0]);

	if (at >= offsetof(struct machine_state, barrier) &&
	    at < offsetof(struct machine_state, barrier) + sizeof(uint64_t))
		return true;
	if (at < cpus || at >= cpus + MAX_CPUS * one)
		return false;
	at = cpus + (at - cpus) % one; // as if of CPU 0
	return (at >= offsetof(struct machine_state, cpu[0].now_ns) &&
		at < offsetof(struct machine_state, cpu[0].now_ns) + sizeof(uint64_t)) ||
	       (at >= offsetof(struct machine_state, cpu[0].ops) &&
		at < offsetof(struct machine_state, cpu[0].ops) + sizeof(uint64_t));
}

// By whole pages: most are untouched zeros on both sides.
int64_t machine_compare(const struct machine *a, const struct machine *b)
{
	const unsigned char *pa = (const void *)a->s, *pb = (const void *)b->s;
	uint64_t size = a->s->size;

	if (size != b->s->size)
		return offsetof(struct machine_state, size);
	for (uint64_t page = 0; page < size; page += PAGE_SIZE) {
		if (!memcmp(pa + page, pb + page, PAGE_SIZE))
			continue;
		for (uint64_t at = page; at < page + PAGE_SIZE; at++)
			if (pa[at] != pb[at] && !is_bookkeeping(at))
				return at;
	}
	return -1;
}
