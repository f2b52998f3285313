// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Live objects of slabs by address: eight bytes and a bit each, in arrays as the slabs lie.
//
//   address 31..22 ─► middle 21..12 ─► page: one cell per spacing of its objects
//
// Objects made one after the other are neighbours, so their cells share cache lines, which no hash
// table offers. A cell says which event and which call made the object; stack and size are the
// call's. What does not fit (odd addresses, two sorts of objects on one page) is for the hash table.
#include <stdlib.h>
#include <string.h>

#include "inserter.h"

enum {
	TOP_BITS = 10,
	SPACING_MIN = 4, // bits
	EVENT_BITS = 38,
	CALL_BITS = 24,
};

struct live_page {
	uint16_t used;
	uint8_t shift; // bits of the spacing
	uint64_t cell[];
	// behind the cells a byte each: the address within the spacing, by 16
};

struct live_middle {
	struct live_page *page[1 << TOP_BITS];
};

static size_t cells(unsigned shift)
{
	return (size_t)PAGE_SIZE >> shift;
}

static size_t page_bytes(unsigned shift)
{
	return sizeof(struct live_page) + cells(shift) * 9;
}

static uint8_t *rests(struct live_page *g)
{
	return (uint8_t *)(g->cell + cells(g->shift));
}

static struct live_page **page_slot(const struct live_pages *t, uint32_t addr)
{
	struct live_middle *m = t->top ? t->top[addr >> 22] : NULL;

	return m ? &m->page[addr >> 12 & ((1 << TOP_BITS) - 1)] : NULL;
}

static size_t index_of(const struct live_page *g, uint32_t addr)
{
	return (addr & (PAGE_SIZE - 1)) >> g->shift;
}

static uint8_t rest_of(const struct live_page *g, uint32_t addr)
{
	return (uint8_t)((addr & ((1u << g->shift) - 1)) >> SPACING_MIN);
}

// The cell of the object that begins at addr; NULL: none is known.
static uint64_t *find(const struct live_pages *t, uint32_t addr)
{
	struct live_page **slot = page_slot(t, addr), *g = slot ? *slot : NULL;
	size_t i = g ? index_of(g, addr) : 0;

	if (!g || !g->cell[i] || addr & ((1 << SPACING_MIN) - 1) || rests(g)[i] != rest_of(g, addr))
		return NULL;
	return &g->cell[i];
}

bool live_pages_get(const struct live_pages *t, uint32_t addr, struct live *l)
{
	const uint64_t *cell = find(t, addr);

	if (!cell)
		return false;
	*l = (struct live){.key = addr,
			   .event = *cell & ((1ull << EVENT_BITS) - 1),
			   .call = (uint32_t)(*cell >> EVENT_BITS) & ((1u << CALL_BITS) - 1),
			   .flags = *cell >> (EVENT_BITS + CALL_BITS) ? LIVE_INHERITED : 0};
	return true;
}

static unsigned shift_of(uint32_t spacing)
{
	unsigned shift = 31 - (unsigned)__builtin_clz(spacing | 1 << SPACING_MIN);

	return shift > 12 ? 12 : shift;
}

// A page of that spacing at the slot; NULL: what lies there is of another one, or no memory.
static struct live_page *page_for(struct live_pages *t, uint32_t addr, unsigned shift)
{
	struct live_page **slot, *g;

	if (!t->top && !(t->top = calloc(1 << TOP_BITS, sizeof(*t->top))))
		return NULL;
	if (!t->top[addr >> 22] && !(t->top[addr >> 22] = calloc(1, sizeof(struct live_middle))))
		return NULL;
	slot = page_slot(t, addr);
	if (*slot && (*slot)->shift == shift)
		return *slot;
	if (*slot && (*slot)->used)
		return NULL;
	g = calloc(1, page_bytes(shift));
	if (!g)
		return NULL;
	g->shift = (uint8_t)shift;
	free(*slot);
	return *slot = g;
}

bool live_pages_put(struct live_pages *t, const struct live *l)
{
	uint32_t addr = (uint32_t)l->key;
	struct live_page *g;
	size_t i;

	if (!l->spacing || l->key > UINT32_MAX || addr & ((1 << SPACING_MIN) - 1) ||
	    l->event >> EVENT_BITS || l->call >> CALL_BITS || l->flags & ~(uint32_t)LIVE_INHERITED)
		return false;
	g = page_for(t, addr, shift_of(l->spacing));
	if (!g)
		return false;
	i = index_of(g, addr);
	if (g->cell[i] && rests(g)[i] != rest_of(g, addr))
		return false;
	g->used += !g->cell[i];
	g->cell[i] = l->event | (uint64_t)l->call << EVENT_BITS |
		     (uint64_t)(l->flags != 0) << (EVENT_BITS + CALL_BITS);
	rests(g)[i] = rest_of(g, addr);
	return true;
}

bool live_pages_take(struct live_pages *t, uint32_t addr)
{
	uint64_t *cell = find(t, addr);

	if (!cell)
		return false;
	*cell = 0;
	(*page_slot(t, addr))->used--;
	return true;
}

// Calls fn for every page that has objects.
static void each_page(const struct live_pages *t,
		      void (*fn)(void *ctx, uint32_t addr, struct live_page *g), void *ctx)
{
	for (uint32_t i = 0; t->top && i < 1 << TOP_BITS; i++)
		for (uint32_t k = 0; t->top[i] && k < 1 << TOP_BITS; k++)
			if (t->top[i]->page[k])
				fn(ctx, i << 22 | k << 12, t->top[i]->page[k]);
}

static void copy_page(void *ctx, uint32_t addr, struct live_page *g)
{
	struct live_pages *to = ctx;
	struct live_page *copy = g->used ? page_for(to, addr, g->shift) : NULL;

	if (copy)
		memcpy(copy, g, page_bytes(g->shift));
	to->short_of_memory |= g->used && !copy;
}

static void free_page(void *ctx, uint32_t addr, struct live_page *g)
{
	(void)ctx, (void)addr;
	free(g);
}

struct each_live {
	void (*fn)(void *ctx, const struct live *l);
	void *ctx;
	const struct live_pages *t;
};

static void each_cell(void *ctx, uint32_t addr, struct live_page *g)
{
	const struct each_live *e = ctx;
	struct live l;

	for (size_t i = 0; i < cells(g->shift); i++)
		if (g->cell[i] && live_pages_get(e->t,
						 addr + ((uint32_t)i << g->shift) +
							 ((uint32_t)rests(g)[i] << SPACING_MIN),
						 &l))
			e->fn(e->ctx, &l);
}

void live_pages_each(const struct live_pages *t, void (*fn)(void *ctx, const struct live *l),
		     void *ctx)
{
	struct each_live e = {fn, ctx, t};

	each_page(t, each_cell, &e);
}

static void inherit_page(void *ctx, uint32_t addr, struct live_page *g)
{
	(void)ctx, (void)addr;
	for (size_t i = 0; i < cells(g->shift); i++)
		if (g->cell[i])
			g->cell[i] |= 1ull << (EVENT_BITS + CALL_BITS);
}

void live_pages_inherit(struct live_pages *t)
{
	each_page(t, inherit_page, NULL);
}

bool live_pages_copy(struct live_pages *to, const struct live_pages *from)
{
	*to = (struct live_pages){0};
	each_page(from, copy_page, to);
	return !to->short_of_memory;
}

void live_pages_finish(struct live_pages *t)
{
	each_page(t, free_page, NULL);
	for (uint32_t i = 0; t->top && i < 1 << TOP_BITS; i++)
		free(t->top[i]);
	free(t->top);
	*t = (struct live_pages){0};
}
