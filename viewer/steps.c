// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "steps.h"

#include <string.h>

enum {
	MOST_WALKED = 8192 // slabs or pages of one list: a damaged one may be a ring
};

enum step_scene step_scene(const struct trace_event *t)
{
	switch ((enum event_kind)t->kind) {
	case EV_T_MM_PAGE_ALLOC:
	case EV_T_MM_PAGE_FREE:
	case EV_T_MM_PAGE_FREE_BATCHED:
	case EV_T_MM_PAGE_ALLOC_ZONE_LOCKED:
	case EV_T_MM_PAGE_PCPU_DRAIN:
	case EV_T_MM_PAGE_ALLOC_EXTFRAG:
	case EV_T_BUDDY_SPLIT:
	case EV_T_BUDDY_MERGE:
	case EV_T_PAGEBLOCK_STEAL:
		return SCENE_BUDDY;
	case EV_T_KMALLOC:
	case EV_T_KFREE:
	case EV_T_KMEM_CACHE_ALLOC:
	case EV_T_KMEM_CACHE_FREE:
	case EV_T_CACHE_GROW:
	case EV_T_CACHE_REFILL:
	case EV_T_CACHE_FLUSH:
	case EV_T_CACHE_SLAB_DESTROY:
	case EV_T_CACHE_REAP:
		return SCENE_SLAB;
	case EV_T_VMAP_AREA_ALLOC:
	case EV_T_VMAP_AREA_FREE:
	case EV_T_VMAP_AREA_PURGE:
	case EV_T_VMAP_MAP:
	case EV_T_VMAP_UNMAP:
	case EV_T_PAGE_TABLE:
		return SCENE_VMALLOC;
	case EV_T_KMAP_MAP:
	case EV_T_KMAP_UNMAP:
	case EV_T_KMAP_WAIT:
	case EV_T_KMAP_WAKE:
	case EV_T_KMAP_FLUSHED:
	case EV_T_KMAP_ATOMIC_MAP:
		return SCENE_KMAP;
	default:
		return SCENE_WORDS;
	}
}

// ---- what the machine holds at this moment ----

static uint32_t pages_on(const struct machine *m, pfn_t pfn)
{
	uint32_t n = 0;

	for (; pfn && pfn < m->s->max_pfn && n < MOST_WALKED; n++)
		pfn = m->mem_map[pfn].lru.next;
	return n;
}

static uint32_t slabs_on(const struct machine *m, pfn_t pfn)
{
	uint32_t n = 0;

	for (; pfn && pfn < m->s->max_low_pfn && n < MOST_WALKED; n++)
		pfn = m->slab_area[pfn].list.next;
	return n;
}

static void look_at_zone(const struct machine *m, const struct trace_event *t, struct step_state *s)
{
	const struct zone *z = &m->s->zone[t->zone < MAX_NR_ZONES ? t->zone : 0];

	if (t->zone >= MAX_NR_ZONES || t->cpu >= MAX_CPUS)
		return;
	for (unsigned o = 0; o < MAX_ORDER; o++)
		s->nr_free[o] = z->free_area[o].nr_free;
	// the lists themselves: their counter is put right only at the end of a run
	for (unsigned mt = 0; mt < MIGRATE_PCPTYPES; mt++)
		s->pcp += pages_on(m, z->pageset[t->cpu].lists[mt].first);
}

static void look_at_cache(const struct machine *m, unsigned cache, unsigned cpu,
			  struct step_state *s)
{
	const struct kmem_cache *c = &m->caches[cache];

	if (!c->used || cpu >= m->s->cfg.ncpus)
		return;
	s->avail = ac_of(m, cache, cpu)->avail;
	s->limit = ac_of(m, cache, cpu)->limit;
	s->shared = m->shared[cache].avail;
	s->shared_limit = m->shared[cache].limit;
	s->partial = slabs_on(m, c->slabs_partial.first);
	s->full = slabs_on(m, c->slabs_full.first);
	s->free_slabs = slabs_on(m, c->slabs_free.first);
}

static void look_at_windows(const struct machine *m, struct step_state *s)
{
	const struct kmap_state *k = &m->s->kmap;

	s->pkmap_next = k->last_pkmap_nr;
	for (unsigned i = 0; i < LAST_PKMAP; i++) {
		s->pkmap_used += k->pkmap_count[i] > 1;
		s->pkmap_waiting += k->pkmap_count[i] == 1;
	}
}

void steps_begin(struct steps *s, struct machine *m)
{
	s->m = m;
	for (unsigned id = 1; id < MAX_CACHES; id++)
		look_at_cache(m, id, m->cpu, &s->cache[id]);
}

// ---- what a transition changed, from when it is told ----

// The block that the step before this one has already moved.
static bool block_is_in_hand(const struct steps *s, const struct trace_event *t)
{
	const struct step *last = s->n ? &s->step[s->n - 1] : NULL;

	return last && last->t.zone == t->zone &&
	       (last->t.kind == EV_T_BUDDY_SPLIT || last->t.kind == EV_T_BUDDY_MERGE ||
		last->t.kind == EV_T_MM_PAGE_ALLOC_EXTFRAG);
}

// A split is told when the block is off its list and no half is on one yet; the others when their
// work on the lists is done.
static void buddy_changes(const struct steps *s, const struct trace_event *t,
			  struct step_state *before, struct step_state *after)
{
	unsigned high = t->order, low = t->order2;

	if (high >= MAX_ORDER || low >= MAX_ORDER)
		return;
	switch ((enum event_kind)t->kind) {
	case EV_T_BUDDY_SPLIT:
		before->nr_free[high]++;
		for (unsigned o = low; o < high; o++)
			after->nr_free[o]++;
		break;
	case EV_T_BUDDY_MERGE:
		before->nr_free[low]--;
		for (unsigned o = high; o < low; o++)
			before->nr_free[o]++;
		break;
	case EV_T_MM_PAGE_ALLOC_EXTFRAG:
		if (low == high)
			before->nr_free[high]++;
		break;
	case EV_T_MM_PAGE_ALLOC_ZONE_LOCKED:
		before->nr_free[high] += !block_is_in_hand(s, t);
		after->pcp += t->flags != 0;
		break;
	case EV_T_MM_PAGE_PCPU_DRAIN:
		before->pcp++;
		before->nr_free[0] -= !block_is_in_hand(s, t);
		break;
	case EV_T_MM_PAGE_ALLOC:
		before->pcp += !high;
		break;
	case EV_T_MM_PAGE_FREE:
		if (high)
			before->nr_free[high] -= !block_is_in_hand(s, t);
		else
			after->pcp += t->count;
		break;
	default:
		break;
	}
}

static void slab_changes(const struct steps *s, const struct trace_event *t,
			 struct step_state *before, struct step_state *after)
{
	*before = s->cache[t->cache];
	if (t->kind == EV_T_CACHE_REFILL) {
		before->avail = after->avail - t->count;
		before->shared = after->shared + (t->flags ? t->count : 0);
	} else if (t->kind == EV_T_CACHE_FLUSH) {
		before->avail = after->avail + t->count;
		before->shared = after->shared - (t->flags ? t->count : 0);
	}
}

// Kinds that come in runs, of which one stands for all; elsewhere count means something else.
static bool runs(enum event_kind k)
{
	return k == EV_T_MM_PAGE_ALLOC || k == EV_T_MM_PAGE_FREE || k == EV_T_MM_PAGE_PCPU_DRAIN ||
	       k == EV_T_MM_PAGE_ALLOC_ZONE_LOCKED || k == EV_T_KMALLOC || k == EV_T_KFREE ||
	       k == EV_T_KMAP_ATOMIC_MAP || k == EV_T_VMAP_MAP || k == EV_T_VMAP_UNMAP;
}

static uint32_t length(const struct trace_event *t)
{
	return runs(t->kind) && t->count ? t->count : 1;
}

static bool continues(const struct step *last, const struct trace_event *t)
{
	return runs(t->kind) && last->t.kind == t->kind && last->t.zone == t->zone &&
	       last->t.cpu == t->cpu && last->t.cache == t->cache && last->t.order == t->order &&
	       last->t.flags == t->flags;
}

void steps_trace(void *ctx, const struct trace_event *t)
{
	struct steps *s = ctx;
	struct step_state now = {{0}}, before;
	struct step *last = s->n ? &s->step[s->n - 1] : NULL;

	if (s->n == STEPS_MOST && !continues(last, t)) {
		s->left_out++;
		return;
	}
	look_at_zone(s->m, t, &now);
	look_at_windows(s->m, &now);
	if (t->cache && t->cache < MAX_CACHES)
		look_at_cache(s->m, t->cache, t->cpu, &now);
	before = now;
	if (step_scene(t) == SCENE_BUDDY)
		buddy_changes(s, t, &before, &now);
	else if (t->cache && t->cache < MAX_CACHES)
		slab_changes(s, t, &before, &now);
	if (t->kind == EV_T_KMAP_FLUSHED)
		before.pkmap_waiting += t->count;
	if (t->cache < MAX_CACHES)
		s->cache[t->cache] = now;
	if (last && continues(last, t)) {
		last->run += length(t);
		last->after = now;
		return;
	}
	s->step[s->n++] = (struct step){*t, length(t), false, before, now};
}

void steps_own(struct steps *s, const struct machine *m, const struct trace_event *t)
{
	struct step *o = &s->step[s->n];
	bool pop = t->kind == EV_T_KMALLOC || t->kind == EV_T_KMEM_CACHE_ALLOC;

	if (s->n == STEPS_MOST || !t->cache || t->cache >= MAX_CACHES) {
		s->left_out++;
		return;
	}
	*o = (struct step){.t = *t, .run = 1, .own = true};
	look_at_cache(m, t->cache, t->cpu, &o->after);
	o->before = o->after;
	o->before.avail += pop ? 1 : -1;
	s->n++;
}
