// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Per-CPU lists of single pages: pop, push, refill from and drain to the free lists.
#include <errno.h>
#include <stdio.h>

#include "buddy.h"

static void trace_run(struct machine *m, unsigned kind, pfn_t pfn, unsigned mt, gfp_t gfp,
		      uint32_t count, int32_t stride)
{
	if (tracing(m))
		trace(m, &(struct trace_event){.kind = kind,
					       .cpu = m->cpu,
					       .zone = zone_of(m, pfn),
					       .migratetype = mt,
					       .pfn = pfn,
					       .count = count,
					       .stride = stride,
					       .value = gfp});
}

// Pages of reserve blocks wait among the movable ones, but remember their type in `private`.
static inline struct list_head *pcp_list(struct per_cpu_pages *pcp, unsigned migratetype)
{
	return &pcp->lists[migratetype < MIGRATE_PCPTYPES ? migratetype : MIGRATE_MOVABLE];
}

// ---- taking ----

// Pops up to count pages; those popped are the caller's, with one reference each.
static uint32_t pop_pages(struct machine *m, unsigned zone, unsigned migratetype, gfp_t gfp,
			  uint32_t count, pfn_t *pfns)
{
	struct per_cpu_pages *pcp = &m->s->zone[zone].pageset[m->cpu];
	struct list_head *list = &pcp->lists[migratetype];
	uint32_t got = 0;

	while (got < count) {
		pfn_t pfn = gfp & __GFP_COLD ? list->last : list->first;

		if (!pfn)
			break;
		struct page *page = pfn_to_page(m, pfn);
		page_list_del(m, list, pfn);
		set_page_flags(page, 0);
		page->private = 0;
		page->_count = 1;
		pfns[got++] = pfn;
		trace_run(m, EV_T_MM_PAGE_ALLOC, pfn, migratetype, gfp, 1, 0);
	}
	set_relaxed(&pcp->count, pcp->count - got);
	pcp->pgalloc += got;
	return got;
}

// One record for the whole run: the fold finds the same pages on the same list. 0 when it is empty
// (the caller refills, which takes the zone's lock).
uint32_t pcp_pop(struct machine *m, unsigned zone, unsigned migratetype, gfp_t gfp, uint32_t count,
		 pfn_t *pfns)
{
	uint32_t got = pop_pages(m, zone, migratetype, gfp, count, pfns);

	if (got)
		step_local(m, EV_PCP_ALLOC, zone, migratetype, gfp, got, pfns[0], 0);
	return got;
}

int PCP_ALLOC_apply(struct machine *m, const struct record *r)
{
	uint32_t zone = r->arg[0], mt = r->arg[1], gfp = r->arg[2], count = r->arg[3];
	pfn_t first = r->arg[4];

	if (zone >= MAX_NR_ZONES || mt >= MIGRATE_PCPTYPES || !count)
		return -EILSEQ;
	for (uint32_t i = 0; i < count; i++) {
		pfn_t pfn;

		if (!pop_pages(m, zone, mt, gfp, 1, &pfn) || (i == 0 && pfn != first))
			return -EILSEQ;
	}
	step_local(m, EV_PCP_ALLOC, zone, mt, gfp, count, first, 0);
	return 0;
}

// A page that goes onto a CPU's list; hot ones are taken from its first end.
static void list_page(struct machine *m, struct list_head *list, pfn_t pfn, unsigned migratetype,
		      bool first)
{
	struct page *page = pfn_to_page(m, pfn);

	set_page_flags(page, PAGE_FLAG_BIT(PG_pcp));
	page->private = migratetype;
	if (first)
		page_list_add(m, list, pfn);
	else
		page_list_add_tail(m, list, pfn);
}

// Hot pages are listed in the order obtained, so that a split block comes out ascending.
static unsigned rmqueue_bulk(struct machine *m, unsigned zone, unsigned migratetype, bool cold)
{
	struct zone *z = &m->s->zone[zone];
	struct per_cpu_pages *pcp = &z->pageset[m->cpu];
	struct list_head *list = &pcp->lists[migratetype];
	unsigned got;

	for (got = 0; got < pcp->batch;) {
		unsigned n = pcp->batch - got;
		pfn_t pfn = rmqueue_run(m, zone, migratetype, &n);

		if (!pfn)
			break;
		for (got += n; n; n--, pfn++)
			list_page(m, list, pfn, migratetype, cold);
	}
	mod_zone_page_state(m, z, NR_FREE_PAGES, -(int32_t)got);
	set_relaxed(&pcp->count, pcp->count + got);
	return got;
}

// False: the zone has not one block left for this type, not even by fallback.
bool pcp_refill(struct machine *m, unsigned zone, unsigned migratetype, bool cold)
{
	unsigned lock = LOCK_ZONE + zone;

	step_begin(m, lock);
	unsigned got = rmqueue_bulk(m, zone, migratetype, cold);
	step_end(m, lock, EV_PCP_REFILL, zone, migratetype, cold, got, 0, 0);
	return got;
}

int PCP_REFILL_apply(struct machine *m, const struct record *r)
{
	uint32_t zone = r->arg[0], mt = r->arg[1], cold = r->arg[2];

	if (zone >= MAX_NR_ZONES || r->lock != LOCK_ZONE + zone || mt >= MIGRATE_PCPTYPES ||
	    m->s->zone[zone].pageset[m->cpu].lists[mt].first)
		return -EILSEQ;
	step_begin(m, r->lock);
	unsigned got = rmqueue_bulk(m, zone, mt, cold);
	step_end(m, r->lock, EV_PCP_REFILL, zone, mt, cold, got, 0, 0);
	return got == r->arg[3] ? 0 : -EILSEQ;
}

// ---- giving back ----

// What the kernel calls a bad page is refused here: one on a list, one that a mechanism still owns,
// one with other references, one that is free.
bool page_is_freeable(const struct machine *m, pfn_t pfn)
{
	const struct page *page = pfn_to_page(m, pfn);

	return page->_count == 1 && !page->mapcount &&
	       !(page_flags(page) & PAGE_FLAGS_CHECK_AT_FREE);
}

static void push_page(struct machine *m, struct per_cpu_pages *pcp, pfn_t pfn, unsigned migratetype,
		      bool cold)
{
	struct page *page = pfn_to_page(m, pfn);

	page->_count = 0;
	page->mapping = 0;
	page->index = 0;
	list_page(m, pcp_list(pcp, migratetype), pfn, migratetype, !cold);
	set_relaxed(&pcp->count, pcp->count + 1);
}

// Pushes in the order given, so the run's last page is the first out again.
static void push_run(struct machine *m, pfn_t pfn, unsigned migratetype, bool cold, uint32_t count,
		     int32_t stride)
{
	struct per_cpu_pages *pcp = &m->s->zone[zone_of(m, pfn)].pageset[m->cpu];

	trace_run(m, EV_T_MM_PAGE_FREE, pfn, migratetype, 0, count, stride);
	for (uint32_t i = 0; i < count; i++)
		push_page(m, pcp, pfn + i * stride, migratetype, cold);
	pcp->pgfree += count;
	step_local(m, EV_PCP_FREE, pfn, migratetype, cold, count, stride, 0);
}

int PCP_FREE_apply(struct machine *m, const struct record *r)
{
	uint32_t mt = r->arg[1], count = r->arg[3];
	int64_t pfn = r->arg[0], stride = (int32_t)r->arg[4], last = pfn + (count - 1) * stride;
	int64_t low = pfn < last ? pfn : last, high = pfn < last ? last : pfn;

	if (mt >= MIGRATE_ISOLATE || !count || count > m->s->max_pfn || low < 1 ||
	    high >= m->s->max_pfn || zone_of(m, low) != zone_of(m, high) || (count > 1 && !stride))
		return -EILSEQ;
	for (uint32_t i = 0; i < count; i++)
		if (!page_is_freeable(m, pfn + i * stride))
			return -EILSEQ;
	push_run(m, pfn, mt, r->arg[2], count, stride);
	return 0;
}

// Pages on their way from a list to the zone that make a run so far.
struct drained {
	pfn_t pfn; // lowest
	uint32_t count;
	bool down; // the last one is the lowest
	unsigned migratetype;
};

static void drained_free(struct machine *m, unsigned zone, struct drained *d)
{
	free_run(m, zone, d->pfn, d->count, d->down, d->migratetype);
	d->count = 0;
}

static void drained_add(struct machine *m, unsigned zone, struct drained *d, pfn_t pfn,
			unsigned migratetype)
{
	bool same = d->count && d->migratetype == migratetype;
	bool up = same && pfn == d->pfn + d->count && (d->count == 1 || !d->down);
	bool down = same && pfn + 1 == d->pfn && (d->count == 1 || d->down);

	if (!up && !down) {
		drained_free(m, zone, d);
		*d = (struct drained){pfn, 0, false, migratetype};
	}
	d->count++;
	d->down = down;
	d->pfn = down ? pfn : d->pfn;
	if (tracing(m)) { // each is told
		drained_free(m, zone, d);
		trace_run(m, EV_T_MM_PAGE_PCPU_DRAIN, pfn, migratetype, 0, 1, 0);
	}
}

// Visits the lists in turn from list 1 on, oldest pages first, and takes more from a list the
// longer it had to wait; a list alone gives everything.
static void free_pcppages_bulk(struct machine *m, unsigned zone, unsigned cpu, uint32_t count)
{
	struct per_cpu_pages *pcp = &m->s->zone[zone].pageset[cpu];
	uint32_t to_free = count < pcp->count ? count : pcp->count, freed = to_free;
	unsigned list_index = 0, batch_free = 0;
	struct drained drained = {0};

	while (to_free) {
		struct list_head *list;
		unsigned visited = 0;

		do {
			batch_free++;
			if (++list_index == MIGRATE_PCPTYPES)
				list_index = 0;
			list = &pcp->lists[list_index];
		} while (!list->first && ++visited < MIGRATE_PCPTYPES);
		if (!list->last)
			break;
		if (batch_free == MIGRATE_PCPTYPES)
			batch_free = to_free;
		for (; batch_free && to_free && list->last; batch_free--, to_free--) {
			pfn_t pfn = list->last;
			struct page *page = pfn_to_page(m, pfn);
			unsigned migratetype = page->private;

			page_list_del(m, list, pfn);
			set_page_flags(page, 0);
			page->private = 0;
			set_relaxed(&pcp->count, pcp->count - 1);
			drained_add(m, zone, &drained, pfn, migratetype);
		}
	}
	drained_free(m, zone, &drained);
	struct zone *z = &m->s->zone[zone];
	mod_zone_page_state(m, z, NR_FREE_PAGES, freed - to_free);
	zone_freed(z);
}

// `cpu` is another than m->cpu only while the machine is stopped.
static void drain_step(struct machine *m, unsigned zone, unsigned cpu, uint32_t count)
{
	unsigned lock = LOCK_ZONE + zone;

	step_begin(m, lock);
	free_pcppages_bulk(m, zone, cpu, count);
	step_end(m, lock, EV_PCP_DRAIN, zone, cpu, count, 0, 0, 0);
}

int PCP_DRAIN_apply(struct machine *m, const struct record *r)
{
	uint32_t zone = r->arg[0], cpu = r->arg[1], count = r->arg[2];

	if (zone >= MAX_NR_ZONES || r->lock != LOCK_ZONE + zone || cpu >= MAX_CPUS)
		return -EILSEQ;
	drain_step(m, zone, cpu, count);
	return 0;
}

void drain_zone_pages(struct machine *m, unsigned zone, unsigned cpu)
{
	uint32_t count = m->s->zone[zone].pageset[cpu].count;

	if (count)
		drain_step(m, zone, cpu, count);
}

// All pages of the run are in one zone and freeable; the list does not get longer than `high`.
void pcp_free_run(struct machine *m, pfn_t pfn, unsigned migratetype, bool cold, uint32_t count,
		  int32_t stride)
{
	unsigned zone = zone_of(m, pfn);
	const struct per_cpu_pages *pcp = &m->s->zone[zone].pageset[m->cpu];

	push_run(m, pfn, migratetype, cold, count, stride);
	if (pcp->count >= pcp->high)
		drain_step(m, zone, m->cpu, pcp->batch);
}

// Every page on a list is marked so, is free of references and belongs to the zone.
int pcp_check(struct machine *m, unsigned zone, bool all, char *why, size_t size)
{
	uint32_t marks = all ? UINT32_MAX : PAGE_FLAG_BIT(PG_pcp);

	for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++) {
		const struct per_cpu_pages *pcp = &m->s->zone[zone].pageset[cpu];
		uint32_t count = 0;

		for (unsigned i = 0; i < MIGRATE_PCPTYPES; i++) {
			pfn_t prev = 0;

			for (pfn_t pfn = pcp->lists[i].first; pfn;
			     pfn = pfn_to_page(m, pfn)->lru.next) {
				const struct page *page = pfn_to_page(m, pfn);

				if (pfn >= m->s->max_pfn) {
					snprintf(why, size, "%s: CPU %u's list %u leads to %u",
						 zone_names[zone], cpu, i, pfn);
					return -EINVAL;
				}
				if ((page->flags & marks) == PAGE_FLAG_BIT(PG_pcp) &&
				    !(all && page->_count) && zone_of(m, pfn) == zone &&
				    page->lru.prev == prev && page->private < MIGRATE_TYPES &&
				    ++count <= pcp->count) {
					prev = pfn;
					continue;
				}
				snprintf(why, size,
					 "%s: page %u on CPU %u's list %u: flags %#x count %d",
					 zone_names[zone], pfn, cpu, i, page->flags, page->_count);
				return -EINVAL;
			}
			if (pcp->lists[i].last != prev) {
				snprintf(why, size, "%s: CPU %u's list %u ends at %u, not %u",
					 zone_names[zone], cpu, i, prev, pcp->lists[i].last);
				return -EINVAL;
			}
		}
		if (count != pcp->count) {
			snprintf(why, size, "%s: CPU %u holds %u pages, its count says %u",
				 zone_names[zone], cpu, count, pcp->count);
			return -EINVAL;
		}
	}
	return 0;
}
