// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Totals per stack and the timeline, kept while inserting so that no report scans the events.
//
// Peak per stack: each new peak of the process only advances peak_gen; a stack notes what it holds
// when it is about to change for the first time after that.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "inserter.h"
#include "reader.h"

_Static_assert((int)TIMELINE_ITEMS == (int)TL_ITEMS, "columns of the timeline");

static const uint32_t level_events[TIMELINE_LEVELS] = {256, 4096, 65536}; // each divides the next

int stats_init(struct stats *s)
{
	*s = (struct stats){.mask = 255};
	s->stack = calloc(s->mask + 1, sizeof(*s->stack));
	return s->stack ? 0 : -ENOMEM;
}

void stats_free_tables(struct stats *s)
{
	free(s->stack);
	s->stack = NULL;
}

void stats_finish(struct stats *s)
{
	stats_free_tables(s);
	*s = (struct stats){0};
}

// Stack 0 (none recorded) is a stack like others, kept under the key ~0.
static struct stack_stat *stat_probe(const struct stats *s, uint32_t stack)
{
	size_t i = (stack * 0x9E3779B97F4A7C15ull >> 24) & s->mask;

	while (s->stack[i].stack && s->stack[i].stack != stack)
		i = (i + 1) & s->mask;
	return &s->stack[i];
}

static bool stat_grow(struct stats *s)
{
	struct stats big = {.mask = s->mask * 2 + 1};

	big.stack = calloc(big.mask + 1, sizeof(*big.stack));
	if (!big.stack)
		return false;
	for (size_t i = 0; i <= s->mask; i++)
		if (s->stack[i].stack)
			*stat_probe(&big, s->stack[i].stack) = s->stack[i];
	free(s->stack);
	s->stack = big.stack;
	s->mask = big.mask;
	return true;
}

static struct stack_stat *stat_of(struct stats *s, uint32_t stack)
{
	struct stack_stat *st;

	stack = stack ? stack : UINT32_MAX;
	if (s->used * 2 > s->mask)
		stat_grow(s);
	st = stat_probe(s, stack);
	if (!st->stack) {
		if (s->used == s->mask)
			return &s->stack[0];
		s->used++;
		st->stack = stack;
		st->peak_gen = s->peak_gen;
	}
	return st;
}

static void before_change(const struct stats *s, struct stack_stat *st)
{
	if (st->peak_gen == s->peak_gen)
		return;
	st->peak_bytes = st->live_bytes;
	st->peak_gen = s->peak_gen;
}

static void program_grows(struct stats *s, const struct live *l)
{
	s->live_count++;
	s->live_bytes += l->bytes;
	if (l->flags & LIVE_HOST)
		s->host_bytes += l->bytes;
}

void stats_alloc(struct stats *s, const struct live *l, uint64_t alloc, uint64_t event)
{
	struct stack_stat *st = stat_of(s, l->stack);

	st->calls++;
	st->bytes += l->bytes;
	st->alloc_bytes += alloc;
	if (l->flags & LIVE_ADDRESSES)
		return;
	before_change(s, st);
	st->live_count++;
	st->live_bytes += l->bytes;
	program_grows(s, l);
	if (s->live_bytes <= s->peak_bytes)
		return;
	s->peak_bytes = s->live_bytes;
	s->peak_event = event;
	s->peak_gen++;
}

void stats_failed(struct stats *s, uint32_t stack)
{
	struct stack_stat *st = stat_of(s, stack);

	st->calls++;
	st->failed++;
}

void stats_free(struct stats *s, const struct live *l, uint64_t bytes, bool whole, bool temporary)
{
	struct stack_stat *st = stat_of(s, l->stack);

	st->temporary += temporary;
	if (l->flags & LIVE_ADDRESSES)
		return;
	s->live_bytes -= bytes;
	s->live_count -= whole;
	if (l->flags & LIVE_HOST)
		s->host_bytes -= bytes;
	if (l->flags & LIVE_INHERITED) // counted where it was made
		return;
	before_change(s, st);
	st->live_bytes -= bytes;
	st->live_count -= whole;
}

static void inherit_block(void *ctx, const struct live *l)
{
	if (!(l->key & LIVE_OWED) && !(l->flags & LIVE_ADDRESSES))
		program_grows(ctx, l);
}

void stats_inherit(struct stats *s, struct matching *t)
{
	matching_each(t, inherit_block, s);
	s->peak_bytes = s->live_bytes;
}

// Frames in use: on no free list of the zone. Counted from what the zone spans, for present_pages
// leaves out the frames of mem_map wherever they lie, and an idle zone may have more free than that.
static uint64_t zone_used(const struct machine *m, unsigned zone)
{
	const struct zone *z = &m->s->zone[zone];
	int64_t free = z->vm_stat[NR_FREE_PAGES];

	for (unsigned cpu = 0; cpu < m->s->cfg.ncpus; cpu++)
		free += z->pageset[cpu].vm_stat_diff[NR_FREE_PAGES];
	return free < 0 || free > z->spanned_pages ? z->spanned_pages
						   : z->spanned_pages - (uint64_t)free;
}

static void cell_store(struct inserter *ins, struct proc *p, unsigned level)
{
	struct timeline_cell *c = &p->stats.cell[level];

	if (!c->n)
		return;
	store_run(ins, ST_TIMELINE, "iiiiiiiiiiiiiiiii", (int64_t)p->number, (int64_t)level,
		  (int64_t)c->bucket, (int64_t)c->first, (int64_t)c->last, c->t_ns,
		  (int64_t)c->min[0], (int64_t)c->max[0], (int64_t)c->min[1], (int64_t)c->max[1],
		  (int64_t)c->min[2], (int64_t)c->max[2], (int64_t)c->min[3], (int64_t)c->max[3],
		  (int64_t)c->min[4], (int64_t)c->max[4], (int64_t)c->failures);
	*c = (struct timeline_cell){.bucket = c->bucket + 1};
}

static void range_add(struct timeline_cell *c, const uint64_t *min, const uint64_t *max,
		      unsigned first)
{
	for (unsigned i = first; i < TIMELINE_ITEMS; i++) {
		c->min[i] = min[i] < c->min[i] ? min[i] : c->min[i];
		c->max[i] = max[i] > c->max[i] ? max[i] : c->max[i];
	}
}

// A full cell is stored and becomes part of one of the next level; so does a cell that ends.
static void cell_done(struct inserter *ins, struct proc *p, unsigned level)
{
	struct timeline_cell *c = &p->stats.cell[level], *up = c + 1;
	uint64_t bucket = level + 1 < TIMELINE_LEVELS ? up->bucket : 0;

	if (c->n && level + 1 < TIMELINE_LEVELS) {
		uint32_t n = up->n + c->n, failures = up->failures + c->failures;

		if (!up->n)
			*up = *c;
		range_add(up, c->min, c->max, 0);
		up->last = c->last;
		up->bucket = bucket;
		up->n = n;
		up->failures = failures;
	}
	cell_store(ins, p, level);
	if (level + 1 < TIMELINE_LEVELS && up->n == level_events[level + 1])
		cell_done(ins, p, level + 1);
}

void timeline_event(struct inserter *ins, struct proc *p, uint64_t event, int64_t t_ns, bool failed)
{
	struct stats *s = &p->stats;
	struct timeline_cell *c = &s->cell[0];
	bool zones = p->zones_dirty;

	if (zones)
		for (unsigned zone = ZONE_DMA; zone <= ZONE_HIGHMEM; zone++)
			s->now[TL_DMA_USED + zone] = zone_used(&p->m, zone);
	p->zones_dirty = false;
	s->now[TL_PROGRAM_BYTES] = s->live_bytes;
	s->now[TL_HOST_BYTES] = s->host_bytes;
	if (!c->n++) {
		c->first = event;
		c->t_ns = t_ns;
		memcpy(c->min, s->now, sizeof(c->min));
		memcpy(c->max, s->now, sizeof(c->max));
	} else {
		range_add(c, s->now, s->now, zones ? TL_DMA_USED : TL_PROGRAM_BYTES);
	}
	c->last = event;
	c->failures += failed;
	if (c->n == level_events[0])
		cell_done(ins, p, 0);
}

int stats_store(struct inserter *ins, struct proc *p)
{
	for (unsigned level = 0; level < TIMELINE_LEVELS; level++)
		cell_done(ins, p, level);
	for (size_t i = 0; i <= p->stats.mask; i++) {
		struct stack_stat *st = &p->stats.stack[i];

		if (!st->stack)
			continue;
		before_change(&p->stats, st);
		store_run(ins, ST_STAT, "iiiiiiiiii", (int64_t)p->number,
			  st->stack == UINT32_MAX ? (int64_t)0 : (int64_t)st->stack,
			  (int64_t)st->calls, (int64_t)st->bytes, (int64_t)st->alloc_bytes,
			  (int64_t)st->live_count, (int64_t)st->live_bytes, (int64_t)st->peak_bytes,
			  (int64_t)st->temporary, (int64_t)st->failed);
	}
	return ins->error;
}
