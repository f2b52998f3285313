// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "model_pages.h"

#include <stdlib.h>
#include <string.h>

#include "../core/buddy.h"

static enum page_state classify(const struct machine *m, const struct page *p)
{
	uint32_t f = p->flags;

	if (f & 1u << PG_hole)
		return PS_HOLE;
	if (f & 1u << PG_slab)
		return PS_SLAB;
	if (f & 1u << PG_pcp)
		return PS_PCP;
	if (f & 1u << PG_pgtable)
		return PS_PGTABLE;
	if (f & 1u << PG_mapped_kernel)
		return p->mapping >= m->s->kmap.pkmap_base ? PS_KMAP : PS_VMALLOC;
	if (f & 1u << PG_pagecache)
		return PS_PAGECACHE;
	if (f & 1u << PG_reserved)
		return PS_RESERVED;
	// free blocks were passed over as a whole; the tail of a plain order-n block is all zero
	return PS_PAGES;
}

static uint32_t owner_of(const struct page *p, enum page_state s)
{
	switch (s) {
	case PS_SLAB:
	case PS_VMALLOC:
	case PS_KMAP:
		return p->mapping;
	case PS_PAGES:
		return p->flags & 1u << PG_head ? p->index : 0;
	default:
		return 0;
	}
}

static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * 0x9E3779B97F4A7C15ull;
	return hash ^ hash >> 29;
}

static bool is_free_block(const struct page *p)
{
	return p->flags & 1u << PG_buddy && p->private < MAX_ORDER;
}

// A free block is entered by its first frame and passed over as a whole: what lies inside it need
// not be touched, and most of a machine is large free blocks.
static uint64_t hash_pages(const struct machine *m, uint64_t hash)
{
	for (pfn_t pfn = 0; pfn < m->s->max_pfn;) {
		const struct page *p = &m->mem_map[pfn];
		enum page_state s;

		if (is_free_block(p)) {
			hash = mix(hash, (uint64_t)pfn << 32 | p->private << 8 | PS_FREE);
			pfn += 1u << p->private;
			continue;
		}
		s = classify(m, p);
		hash = mix(hash, (uint64_t)owner_of(p, s) << 8 | s);
		pfn++;
	}
	return hash;
}

static void read_pages(struct model_pages *o, const struct machine *m)
{
	for (pfn_t pfn = 0; pfn < o->max_pfn;) {
		const struct page *p = &m->mem_map[pfn];

		if (is_free_block(p)) {
			pfn_t n = 1u << p->private;

			if (n > o->max_pfn - pfn)
				n = o->max_pfn - pfn;
			memset(o->state + pfn, PS_FREE, n);
			for (pfn_t i = 0; i < n; i++)
				o->owner[pfn + i] = p->private;
			pfn += n;
			continue;
		}
		o->state[pfn] = classify(m, p);
		o->owner[pfn] = owner_of(p, o->state[pfn]);
		pfn++;
	}
}

// A stretch of frames with the same migrate type; later ones lie over earlier ones.
typedef void stretch_fn(void *ctx, pfn_t from, pfn_t to, unsigned mt);

// Pageblocks have 1024 frames, and their borders lie on multiples of that or where a zone begins.
static void each_pageblock(const struct machine *m, unsigned id, stretch_fn *fn, void *ctx)
{
	const struct zone *z = &m->s->zone[id];
	uint64_t end = (uint64_t)z->zone_start_pfn + z->spanned_pages;

	if (end > m->s->max_pfn)
		end = m->s->max_pfn;
	for (uint64_t pfn = z->zone_start_pfn, to; pfn < end; pfn = to) {
		to = pageblock_start_pfn(m, (pfn_t)pfn) + (uint64_t)PAGEBLOCK_NR_PAGES;
		to = to < end ? to : end;
		fn(ctx, (pfn_t)pfn, (pfn_t)to, get_pageblock_migratetype(m, (pfn_t)pfn));
	}
}

// Frames of the blocks on a free list have its type, whatever their pageblock's. Lists of a damaged
// state may loop.
static void each_free_block(const struct machine *m, const struct free_area *a, unsigned order,
			    stretch_fn *fn, void *ctx)
{
	for (unsigned mt = 0; mt < MIGRATE_TYPES; mt++) {
		uint32_t n = a->nr_free < m->s->max_pfn ? a->nr_free : m->s->max_pfn;
		pfn_t size = 1u << order;

		for (pfn_t pfn = a->free_list[mt].first; pfn && pfn < m->s->max_pfn && n; n--) {
			pfn_t left = m->s->max_pfn - pfn;

			fn(ctx, pfn, pfn + (size < left ? size : left), mt);
			pfn = m->mem_map[pfn].lru.next;
		}
	}
}

static void each_stretch(const struct machine *m, stretch_fn *fn, void *ctx)
{
	for (unsigned id = 0; id < MAX_NR_ZONES; id++)
		each_pageblock(m, id, fn, ctx);
	for (unsigned id = 0; id < MAX_NR_ZONES; id++) {
		const struct zone *z = &m->s->zone[id];

		if (!z->spanned_pages || z->zone_start_pfn >= m->s->max_pfn)
			continue;
		for (unsigned order = 0; order < MAX_ORDER; order++)
			each_free_block(m, &z->free_area[order], order, fn, ctx);
	}
}

static void hash_stretch(void *ctx, pfn_t from, pfn_t to, unsigned mt)
{
	uint64_t *hash = ctx;

	*hash = mix(mix(*hash, (uint64_t)from << 32 | to), mt);
}

static void read_stretch(void *ctx, pfn_t from, pfn_t to, unsigned mt)
{
	struct model_pages *o = ctx;

	memset(o->type + from, (int)mt, to - from);
}

static void count_frames(struct model_pages *o, const struct machine *m)
{
	for (unsigned id = 0; id < MAX_NR_ZONES; id++) {
		const struct zone *z = &m->s->zone[id];
		uint64_t end = (uint64_t)z->zone_start_pfn + z->spanned_pages;

		for (uint64_t pfn = z->zone_start_pfn; pfn < end && pfn < o->max_pfn; pfn++)
			o->frames[id][o->state[pfn]]++;
	}
}

struct model_pages *model_pages_of(const struct machine *m, struct model_pages *last)
{
	uint64_t hash = hash_pages(m, m->s->max_pfn);
	struct model_pages *o;

	each_stretch(m, hash_stretch, &hash);
	if (last && last->hash == hash && last->max_pfn == m->s->max_pfn) {
		__atomic_fetch_add(&last->refs, 1, __ATOMIC_RELAXED);
		return last;
	}
	o = calloc(1, sizeof(*o));
	if (!o)
		return NULL;
	o->refs = 1;
	o->hash = hash;
	o->max_pfn = m->s->max_pfn;
	o->state = malloc(o->max_pfn + 1);
	o->owner = malloc((o->max_pfn + 1) * sizeof(*o->owner));
	o->type = calloc(o->max_pfn + 1, 1);
	if (!o->state || !o->owner || !o->type) {
		model_pages_unref(o);
		return NULL;
	}
	read_pages(o, m);
	each_stretch(m, read_stretch, o);
	count_frames(o, m);
	return o;
}

void model_pages_unref(struct model_pages *p)
{
	if (!p || __atomic_sub_fetch(&p->refs, 1, __ATOMIC_ACQ_REL))
		return;
	free(p->state);
	free(p->owner);
	free(p->type);
	free(p);
}
