// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Which ring goes next, when a block was made on one CPU and is given back on another.
//
// Objects of slabs carry generations, which the merge goes by. Other blocks' operations come after
// the steps that have tickets, and times are read too rarely to order them. But a block's end cannot
// come before its beginning, nor a second beginning before the end, so a ring whose head is such a
// one is held back while the others go on, until
//  - the block is made (or ended), or
//  - the others are past the next time stamp of the held ring: then it was made before recording, or
//  - nothing else can go on and the head was already there at the end of the last round: whatever
//    happened before it has been drained by now.
#include "inserter.h"

enum {
	LOOK_AHEAD = 256,
	PACE = 100,	   // stamps per record where nothing better is known
	OPS_PER_TIME = 16, // as in preload/ring.c
};

static uint64_t stamp_of(const struct record *r)
{
	return r->arg[0] | (uint64_t)r->arg[1] << 32;
}

// Index of the next TIME from r on; LOOK_AHEAD: none near.
static unsigned next_time(const struct record *r, const struct record *end)
{
	unsigned n = 0;

	while (n < LOOK_AHEAD && r + n < end && r[n].kind != EV_TIME)
		n++;
	return r + n < end ? n : LOOK_AHEAD;
}

// Between two stamps of a ring its records are taken to be evenly spaced, when their operations are
// as many as a thread makes on end without reading the clock. Fewer: the thread went elsewhere, or
// another one came, some time before the second stamp; they had the pace of the last full window.
void causal_clock(struct proc *p, unsigned i, const struct record *r)
{
	struct merge_ring *ring = &p->merge.ring[i];
	struct ring_queue *q = &p->queue[i];
	uint64_t even = 0;
	unsigned n, ops = 0;

	ring->now_ns += q->pace;
	if (r->kind != EV_TIME)
		return;
	n = next_time(ring->next, ring->end);
	ring->now_ns = q->stamp = stamp_of(r);
	if (n < LOOK_AHEAD && stamp_of(&ring->next[n]) > q->stamp)
		even = (stamp_of(&ring->next[n]) - q->stamp) / (n + 1);
	for (unsigned k = 0; even && k < n; k++)
		ops += ring->next[k].kind < EV_LAST_OP;
	if (ops >= OPS_PER_TIME)
		q->full_pace = even;
	q->pace = q->full_pace ? q->full_pace : PACE;
	if (even && even < q->pace)
		q->pace = even;
}

// A held ring looks empty to the merge.
static void hold(struct proc *p, unsigned i)
{
	struct merge_ring *ring = &p->merge.ring[i];
	struct ring_queue *q = &p->queue[i];
	unsigned n = next_time(ring->next, ring->end);

	q->held = true;
	q->held_end = ring->end;
	q->held_ended = ring->ended;
	q->held_until = n < LOOK_AHEAD ? stamp_of(&ring->next[n]) : UINT64_MAX;
	ring->end = ring->next;
	ring->ended = false;
	p->nheld++;
}

void causal_release(struct proc *p, unsigned i)
{
	struct ring_queue *q = &p->queue[i];

	if (!q->held)
		return;
	p->merge.ring[i].end = q->held_end;
	p->merge.ring[i].ended = q->held_ended || p->over;
	q->held = false;
	p->nheld--;
}

void causal_made(struct proc *p)
{
	for (unsigned i = 0; p->nheld && i < p->nrings; i++)
		if (p->queue[i].held && !operation_waits(p, p->merge.ring[i].next))
			causal_release(p, i);
}

// The held ring with the earliest time among those that need not be held any longer; -1 none.
// now: where the others are; UINT64_MAX: they cannot go on.
static int overdue(const struct proc *p, uint64_t now)
{
	int best = -1;

	for (unsigned i = 0; i < p->nrings; i++) {
		const struct ring_queue *q = &p->queue[i];
		uint64_t head = q->next - (uint64_t)(q->held_end - p->merge.ring[i].next);
		bool settled = now == UINT64_MAX && (p->over || (p->at_round && head < q->settled));

		if (!q->held || (!settled && (now == UINT64_MAX || now <= q->held_until)))
			continue;
		if (best < 0 || p->merge.ring[i].now_ns < p->merge.ring[best].now_ns)
			best = (int)i;
	}
	return best;
}

int causal_pick(struct proc *p)
{
	for (;;) {
		int ring = merge_pick(&p->merge), late = -1;

		if (p->nheld)
			late = overdue(p, ring >= 0 ? p->queue[ring].stamp : UINT64_MAX);
		if (late >= 0) {
			causal_release(p, (unsigned)late);
			return late;
		}
		if (ring < 0 || !operation_waits(p, p->merge.ring[ring].next))
			return ring;
		hold(p, (unsigned)ring);
	}
}

void causal_round(struct proc *p)
{
	for (unsigned i = 0; i < MAX_CPUS; i++)
		p->queue[i].settled = p->queue[i].next;
}
