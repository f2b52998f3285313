// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The producer's side of a ring, and the record of a call that needed nothing but its CPU's array.
//
// A producer is one line of memory, used only with its CPU's lock held. room tells how far head may
// go without a look at tail; it stands at head when the ring is full, when records are missing, and
// where nothing is recorded, so that one comparison covers all of it.
#pragma once

#include "capture.h"

enum {
	RECORDS_AHEAD = 16
};

struct producer {
	alignas(64) struct record *ring; // NULL: not recording
	uint64_t head;			 // records ever written, as in the shared word
	_Atomic uint64_t *shared;	 // the shared word
	uint64_t room;			 // head may advance to here without looking at tail
	uint64_t lost;			 // given up since the last LOST record; != 0: room == head
	uint64_t waited_at; // head when a wait last ended in vain: no second wait there
	uint32_t mask;	    // places of the ring - 1
	uint32_t turn;	    // of the thread that made the last OP (thread.turn)
	uint32_t ops;	    // until the next TIME
};
_Static_assert(sizeof(struct producer) == 64, "one line");

extern struct producer producers[MAX_CPUS] __attribute__((visibility("hidden")));

void capture_time(struct producer *p, unsigned cpu); // TIME; the next one is due anew

// Is a look at the clock due: the thread or the CPU is another one, or there were operations enough.
static inline bool time_is_due(const struct producer *p, const struct thread *t)
{
	return __builtin_expect(!p->ops || p->turn != t->turn, 0);
}

static inline bool ring_has_room(const struct producer *p)
{
	return __builtin_expect(p->head != p->room, 1);
}

static inline void ring_publish(struct producer *p)
{
	p->head++;
	atomic_store_explicit(p->shared, p->head, memory_order_release);
}

// What the record of such a call says.
struct hit {
	uint8_t kind, path, cpu, gfp;
	uint16_t thread, cache;
	uint32_t stack;
	kaddr_t addr;
	uint32_t req;
	uint32_t flags; // enum op_flags
	uint16_t generation;
};

// A record put together in registers, four stores. The same fields as struct record.
static inline void ring_put_hit(struct producer *p, const struct hit h)
{
	uint64_t *to = (uint64_t *)&p->ring[p->head & p->mask];

	// The drainer has read that line and another CPU may have it: asked for now, it is there when its
	// turn comes. Past the ring's end it asks in vain.
	__asm__ volatile("prefetchw %0" : : "m"(to[RECORDS_AHEAD * sizeof(struct record) / 8]));
	to[0] = h.kind | (uint32_t)h.path << 8 | (uint32_t)h.cpu << 12 | (uint32_t)h.thread << 16 |
		(uint64_t)h.stack << 32;
	to[1] = h.addr | (uint64_t)h.cache << 48;
	to[2] = h.req | (uint64_t)h.flags << 48;
	to[3] = h.generation | (uint64_t)h.gfp << 48;
	p->ops--;
	ring_publish(p);
}
