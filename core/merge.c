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
			if (!head_is_record(ring) || !fold_ready(g->m, ring->next)) {
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

int64_t machine_compare(const struct machine *a, const struct machine *b)
{
	const unsigned char *pa = (const void *)a->s, *pb = (const void *)b->s;
	uint64_t size = a->s->size;

	if (size != b->s->size)
		return offsetof(struct machine_state, size);
	for (uint64_t at = 0; at < size; at += PAGE_SIZE) {
		if (!memcmp(pa + at, pb + at, PAGE_SIZE))
			continue;
		while (pa[at] == pb[at])
			at++;
		return at;
	}
	return -1;
}
