// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The filters of touched.h while a recording is made: the newest part is in memory, and stored when
// the events go past it.
#include <errno.h>
#include <string.h>

#include "inserter.h"

enum {
	PART_EVENTS = TOUCHED_EVENTS * TOUCHED_CHUNKS
};

void touching_flush(struct inserter *ins)
{
	if (ins->touched)
		store_run(ins, ST_TOUCHED, "ib", (int64_t)ins->touched_at, ins->touched,
			  sizeof(*ins->touched));
	free(ins->touched);
	ins->touched = NULL;
}

// NULL: no memory.
static struct touched_filter *filter_of(struct inserter *ins, uint64_t event)
{
	if (ins->touched && ins->touched_at != event / PART_EVENTS)
		touching_flush(ins);
	if (!ins->touched) {
		ins->touched = calloc(1, sizeof(*ins->touched));
		ins->touched_at = event / PART_EVENTS;
	}
	if (!ins->touched) {
		store_fail(ins, -ENOMEM, strerror(ENOMEM));
		return NULL;
	}
	return &ins->touched->chunk[event / TOUCHED_EVENTS % TOUCHED_CHUNKS];
}

static void touching(struct inserter *ins, uint64_t event, enum touched_space space, uint64_t first,
		     uint64_t bytes)
{
	struct touched_filter *f = filter_of(ins, event);
	uint64_t last = first + (bytes ? bytes - 1 : 0);

	if (f)
		touched_add(f, space, first, last < first ? UINT64_MAX : last);
}

// Most blocks are given back soon, and their place given out again.
void touching_block(struct inserter *ins, uint64_t event, uint64_t addr, uint64_t bytes)
{
	struct touched_block *b = &ins->touched_last[(addr >> 5 ^ addr >> 14) % 512];
	uint32_t chunk = (uint32_t)(event / TOUCHED_EVENTS) + 1;

	if (b->addr == addr && b->bytes == bytes && b->chunk == chunk)
		return;
	*b = (struct touched_block){(uint32_t)addr, (uint32_t)bytes, chunk};
	touching(ins, event, TOUCHED_BLOCK, addr, bytes);
}

static bool maps(unsigned kind)
{
	return kind == EV_T_VMAP_MAP || kind == EV_T_KMAP_MAP || kind == EV_T_KMAP_ATOMIC_MAP;
}

// A run goes up or down from its first frame; its blocks have 2^order frames.
void touching_frames(struct inserter *ins, uint64_t event, const struct trace_event *t)
{
	int64_t away = (int64_t)t->stride * ((int64_t)t->count - 1), low = t->pfn, high = t->pfn;

	if (away < 0)
		low += away;
	else
		high += away;
	high += 1ll << (t->order < MAX_ORDER ? t->order : MAX_ORDER - 1);
	if (t->pfn)
		touching(ins, event, TOUCHED_FRAME, (uint64_t)(low < 0 ? 0 : low) * PAGE_SIZE,
			 (uint64_t)(high - (low < 0 ? 0 : low)) * PAGE_SIZE);
	if (maps(t->kind))
		touching(ins, event, TOUCHED_MAPPED, t->addr, (uint64_t)t->count * PAGE_SIZE);
}
