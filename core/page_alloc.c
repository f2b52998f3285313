// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Allocation and free entry points: zonelist walk, watermarks, slow path, bulk and exact forms.
#include <errno.h>

#include "buddy.h"
#include "misuse.h"

enum {
	MAX_RECLAIM_ROUNDS = 4096, // far above what a page cache of 4 GiB can need
	RUN_MAX = 128,		   // pages one record of a bulk allocation may stand for
};

// Two bits per combination of DMA, HIGHMEM, DMA32 and MOVABLE; contradictions give Normal or DMA.
unsigned gfp_zone(gfp_t gfp)
{
	static const uint8_t zone[16] = {
		ZONE_NORMAL, ZONE_DMA, ZONE_HIGHMEM, ZONE_DMA, ZONE_NORMAL,  ZONE_DMA,
		ZONE_NORMAL, ZONE_DMA, ZONE_NORMAL,  ZONE_DMA, ZONE_MOVABLE, ZONE_DMA,
		ZONE_NORMAL, ZONE_DMA, ZONE_NORMAL,  ZONE_DMA,
	};

	return zone[gfp & 0xF];
}

// Zone bits have no say. Movable and reclaimable at once is a caller's mistake; movable wins.
unsigned gfp_migratetype(const struct machine *m, gfp_t gfp)
{
	if (m->s->page_group_by_mobility_disabled)
		return MIGRATE_UNMOVABLE;
	return gfp & __GFP_MOVABLE	 ? MIGRATE_MOVABLE
	       : gfp & __GFP_RECLAIMABLE ? MIGRATE_RECLAIMABLE
					 : MIGRATE_UNMOVABLE;
}

unsigned get_order(size_t bytes)
{
	size_t pages = bytes ? (bytes - 1) >> PAGE_SHIFT : 0;

	return pages ? 64 - __builtin_clzll(pages) : 0;
}

unsigned pageblock_type(struct machine *m, pfn_t pfn)
{
	return get_pageblock_migratetype(m, pfn);
}

// ---- blocks of order >= 1 ----

// The head knows the order, every tail the head; that makes any address inside find its block. It
// also touches every frame's entry, which is why plain blocks are not made this way.
static void prep_compound_page(struct machine *m, pfn_t pfn, unsigned order)
{
	struct page *head = pfn_to_page(m, pfn);

	set_page_flags(head, PAGE_FLAG_BIT(PG_head));
	head->index = order;
	for (pfn_t tail = pfn + 1; tail < pfn + (1u << order); tail++) {
		set_page_flags(pfn_to_page(m, tail), PAGE_FLAG_BIT(PG_tail));
		pfn_to_page(m, tail)->index = pfn;
	}
}

static void destroy_compound_page(struct machine *m, pfn_t pfn, unsigned order)
{
	for (pfn_t tail = pfn + 1; tail < pfn + (1u << order); tail++) {
		set_page_flags(pfn_to_page(m, tail), 0);
		pfn_to_page(m, tail)->index = 0;
	}
}

// A failed attempt changes nothing but is a step too: the ticket is drawn either way.
static pfn_t rmqueue(struct machine *m, unsigned zone, unsigned order, unsigned migratetype,
		     gfp_t gfp)
{
	unsigned lock = LOCK_ZONE + zone;
	pfn_t pfn;

	step_begin(m, lock);
	pfn = __rmqueue(m, zone, order, migratetype, false);
	if (pfn) {
		mod_zone_page_state(m, &m->s->zone[zone], NR_FREE_PAGES, -(1 << order));
		m->s->pgalloc[zone] += 1u << order;
		pfn_to_page(m, pfn)->_count = 1;
		if (order && gfp & __GFP_COMP)
			prep_compound_page(m, pfn, order);
		if (tracing(m))
			trace(m, &(struct trace_event){.kind = EV_T_MM_PAGE_ALLOC,
						       .cpu = m->cpu,
						       .zone = zone,
						       .order = order,
						       .migratetype = migratetype,
						       .pfn = pfn,
						       .count = 1,
						       .value = gfp});
	}
	step_end(m, lock, EV_RMQUEUE, zone, order, migratetype, gfp, pfn, 0);
	return pfn;
}

int RMQUEUE_apply(struct machine *m, const struct record *r)
{
	uint32_t zone = r->arg[0], order = r->arg[1], mt = r->arg[2];

	if (zone >= MAX_NR_ZONES || r->lock != LOCK_ZONE + zone || order >= MAX_ORDER ||
	    mt >= MIGRATE_PCPTYPES)
		return -EILSEQ;
	return rmqueue(m, zone, order, mt, r->arg[3]) == r->arg[4] ? 0 : -EILSEQ;
}

// The pageblock's type was read before the lock, as in the kernel, and comes as an argument: should
// a steal change it in between, the block still goes where the record says.
static void buddy_free(struct machine *m, pfn_t pfn, unsigned order, unsigned migratetype)
{
	unsigned zone = zone_of(m, pfn), lock = LOCK_ZONE + zone;
	struct page *page = pfn_to_page(m, pfn);

	step_begin(m, lock);
	if (page_flags(page) & PAGE_FLAG_BIT(PG_head))
		destroy_compound_page(m, pfn, page->index);
	set_page_flags(page, 0);
	page->_count = 0;
	page->mapping = page->index = page->private = 0;
	__free_one_page(m, zone, pfn, order, migratetype);
	mod_zone_page_state(m, &m->s->zone[zone], NR_FREE_PAGES, 1 << order);
	zone_freed(&m->s->zone[zone]);
	__atomic_fetch_add(&m->s->pgfree, 1u << order, __ATOMIC_RELAXED); // shared by all zones
	if (tracing(m))
		trace(m, &(struct trace_event){.kind = EV_T_MM_PAGE_FREE,
					       .cpu = m->cpu,
					       .zone = zone,
					       .order = order,
					       .pfn = pfn,
					       .migratetype = migratetype,
					       .count = 1});
	step_end(m, lock, EV_BUDDY_FREE, pfn, order, migratetype, 0, 0, 0);
}

// Compound blocks know their order; for others the caller's word is all there is.
static bool block_is_freeable(const struct machine *m, pfn_t pfn, unsigned order)
{
	const struct page *page = pfn_to_page(m, pfn);

	return order < MAX_ORDER && pfn && pfn < m->s->max_pfn && !(pfn & ((1u << order) - 1)) &&
	       page_is_freeable(m, pfn) &&
	       (!(page_flags(page) & PAGE_FLAG_BIT(PG_head)) || page->index == order);
}

// Every page behind the first must be a tail of this block or look untouched.
static bool rest_is_freeable(const struct machine *m, pfn_t pfn, unsigned order)
{
	bool head = page_flags(pfn_to_page(m, pfn)) & PAGE_FLAG_BIT(PG_head);

	if (pfn + (1u << order) > m->s->max_pfn ||
	    zone_of(m, pfn) != zone_of(m, pfn + (1u << order) - 1))
		return false;
	for (pfn_t tail = pfn + 1; tail < pfn + (1u << order); tail++) {
		const struct page *page = pfn_to_page(m, tail);
		uint32_t flags = page_flags(page);

		if (page->_count || flags != (head ? PAGE_FLAG_BIT(PG_tail) : 0) ||
		    (head && page->index != pfn))
			return false;
	}
	return true;
}

int BUDDY_FREE_apply(struct machine *m, const struct record *r)
{
	uint32_t pfn = r->arg[0], order = r->arg[1], mt = r->arg[2];

	if (mt >= MIGRATE_TYPES || !block_is_freeable(m, pfn, order) ||
	    !rest_is_freeable(m, pfn, order) || r->lock != LOCK_ZONE + zone_of(m, pfn))
		return -EILSEQ;
	buddy_free(m, pfn, order, mt);
	return 0;
}

// ---- references and flags ----

// Single pages go in and out of CPU-local lists without a ticket. When one CPU's program frees
// what another's was given, only this says in which order the two records come: a page passes
// between allocator and owner under its zone's lock. (Users that hand pages on under a lock of
// their own, vmalloc and the page cache, take them in bulk and need none.)
static void page_own(struct machine *m, pfn_t pfn)
{
	unsigned zone = zone_of(m, pfn);

	step_begin(m, LOCK_ZONE + zone);
	step_end(m, LOCK_ZONE + zone, EV_PAGE_OWN, zone, pfn, 0, 0, 0, 0);
}

int PAGE_OWN_apply(struct machine *m, const struct record *r)
{
	pfn_t pfn = r->arg[1];

	if (!pfn || pfn >= m->s->max_pfn || zone_of(m, pfn) != r->arg[0] ||
	    r->lock != LOCK_ZONE + r->arg[0])
		return -EILSEQ;
	page_own(m, pfn);
	return 0;
}

static void page_ref_run(struct machine *m, pfn_t pfn, uint32_t count, int32_t delta)
{
	for (uint32_t i = 0; i < count; i++)
		pfn_to_page(m, pfn + i)->_count += delta;
	step_local(m, EV_PAGE_REF, pfn, count, delta, 0, 0, 0);
}

static bool run_is_valid(const struct machine *m, pfn_t pfn, uint32_t count)
{
	return pfn && count && pfn < m->s->max_pfn && count <= m->s->max_pfn - pfn;
}

int PAGE_REF_apply(struct machine *m, const struct record *r)
{
	pfn_t pfn = r->arg[0];
	uint32_t count = r->arg[1];
	int64_t delta = (int32_t)r->arg[2];

	if (!run_is_valid(m, pfn, count))
		return -EILSEQ;
	for (uint32_t i = 0; i < count; i++) {
		const struct page *page = pfn_to_page(m, pfn + i);
		int64_t now = page->_count + delta;

		if (now < 0 || now > INT32_MAX ||
		    page_flags(page) & (PAGE_FLAG_BIT(PG_buddy) | PAGE_FLAG_BIT(PG_pcp)))
			return -EILSEQ;
	}
	page_ref_run(m, pfn, count, delta);
	return 0;
}

// From now on every frame is an allocation of its own, freed singly.
void split_page(struct machine *m, pfn_t pfn, unsigned order)
{
	if (order)
		page_ref_run(m, pfn + 1, (1u << order) - 1, 1);
}

// Another CPU may have taken the pages a moment ago, so this is a point all CPUs pass together.
void set_page_run_flags(struct machine *m, pfn_t pfn, uint32_t count, uint32_t set, uint32_t clear)
{
	if (m->ops->stop_machine)
		m->ops->stop_machine(m);
	for (uint32_t i = 0; i < count; i++) {
		struct page *page = pfn_to_page(m, pfn + i);

		set_page_flags(page, (page_flags(page) & ~clear) | set);
	}
	step_local(m, EV_PAGE_FLAG, pfn, count, set, clear, 0, 0);
	if (m->ops->restart_machine)
		m->ops->restart_machine(m);
}

int PAGE_FLAG_apply(struct machine *m, const struct record *r)
{
	const uint32_t structural = PAGE_FLAG_BIT(PG_buddy) | PAGE_FLAG_BIT(PG_pcp) |
				    PAGE_FLAG_BIT(PG_slab) | PAGE_FLAG_BIT(PG_head) |
				    PAGE_FLAG_BIT(PG_tail) | PAGE_FLAG_BIT(PG_hole) |
				    PAGE_FLAG_BIT(PG_lru) | PAGE_FLAG_BIT(PG_pagecache);

	if (!run_is_valid(m, r->arg[0], r->arg[1]) || (r->arg[2] | r->arg[3]) & structural)
		return -EILSEQ;
	for (uint32_t i = 0; i < r->arg[1]; i++)
		if (page_flags(pfn_to_page(m, r->arg[0] + i)) &
		    (PAGE_FLAG_BIT(PG_buddy) | PAGE_FLAG_BIT(PG_pcp)))
			return -EILSEQ;
	set_page_run_flags(m, r->arg[0], r->arg[1], r->arg[2], r->arg[3]);
	return 0;
}

unsigned compound_order(struct machine *m, pfn_t head)
{
	const struct page *page = pfn_to_page(m, head);

	return page_flags(page) & PAGE_FLAG_BIT(PG_head) ? page->index : 0;
}

void drain_local_pages(struct machine *m)
{
	for (unsigned zone = 0; zone < MAX_NR_ZONES; zone++)
		drain_zone_pages(m, zone, m->cpu);
}

static bool others_hold_pages(const struct machine *m)
{
	for (unsigned zone = 0; zone < MAX_NR_ZONES; zone++)
		for (unsigned cpu = 0; cpu < m->s->cfg.ncpus; cpu++)
			if (cpu != m->cpu &&
			    __atomic_load_n(&m->s->zone[zone].pageset[cpu].count, __ATOMIC_RELAXED))
				return true;
	return false;
}

// Reaches into other CPUs' lists, which only a stopped machine allows. The caller's own CPU is
// given up meanwhile, so nothing read before still holds. With nothing there nobody is stopped: a
// program at the end of its memory comes here often.
void drain_all_pages(struct machine *m)
{
	drain_local_pages(m);
	if (!others_hold_pages(m))
		return;
	if (m->ops->stop_machine)
		m->ops->stop_machine(m);
	for (unsigned cpu = 0; cpu < m->s->cfg.ncpus; cpu++)
		for (unsigned zone = 0; zone < MAX_NR_ZONES; zone++)
			drain_zone_pages(m, zone, cpu);
	if (m->ops->restart_machine)
		m->ops->restart_machine(m);
}

// ---- allocation ----

static void context_init(const struct machine *m, struct alloc_context *ac, gfp_t gfp,
			 unsigned order)
{
	ac->gfp = gfp;
	ac->order = order;
	ac->migratetype = gfp_migratetype(m, gfp);
	ac->high_zoneidx = gfp_zone(gfp);
	ac->classzone = fallback_zone(m, ac->high_zoneidx);
}

// Single pages come from the CPU's lists. Returns how many pages it got, order 0 only for more.
static uint32_t buffered_rmqueue(struct machine *m, unsigned zone, const struct alloc_context *ac,
				 uint32_t count, pfn_t *pfns)
{
	if (ac->order) {
		pfns[0] = rmqueue(m, zone, ac->order, ac->migratetype, ac->gfp);
		return pfns[0] != 0;
	}
	if (!m->s->zone[zone].pageset[m->cpu].lists[ac->migratetype].first &&
	    !pcp_refill(m, zone, ac->migratetype, ac->gfp & __GFP_COLD))
		return 0;
	return pcp_pop(m, zone, ac->migratetype, ac->gfp, count, pfns);
}

// The zones from the best one down. The mark is tested before the lock is taken; when the zone
// turns out empty behind it the next one is tried. Lower zones keep lowmem_reserve back from
// requests that could have been served higher up, which is what classzone is for.
static uint32_t get_page_from_freelist(struct machine *m, const struct alloc_context *ac,
				       unsigned wmark, unsigned alloc_flags, uint32_t count,
				       pfn_t *pfns)
{
	for (int zone = ac->classzone; zone >= 0; zone--) {
		const struct zone *z = &m->s->zone[zone];

		if (!z->present_pages || !zone_watermark_ok(m, zone, ac->order, z->watermark[wmark],
							    ac->classzone, alloc_flags))
			continue;
		uint32_t got = buffered_rmqueue(m, zone, ac, count, pfns);
		if (got)
			return got;
	}
	return 0;
}

// Who cannot wait may dig deeper into the reserve: HIGH halves the mark, HARDER takes another
// quarter off. So an atomic request stops at 3/8 of the minimum.
static unsigned gfp_to_alloc_flags(gfp_t gfp)
{
	unsigned flags = gfp & __GFP_HIGH ? ALLOC_HIGH : 0;

	if (!(gfp & (__GFP_WAIT | __GFP_NOMEMALLOC)))
		flags |= ALLOC_HARDER;
	return flags;
}

// Reclaim page cache until the request fits. A costly order gets one round only: it has a
// cheaper way out (vmalloc) than throwing the cache away.
static uint32_t reclaim_and_retry(struct machine *m, const struct alloc_context *ac, unsigned flags,
				  uint32_t count, pfn_t *pfns)
{
	unsigned rounds = ac->order > PAGE_ALLOC_COSTLY_ORDER ? 1 : MAX_RECLAIM_ROUNDS;

	while (rounds-- && shrink_zones(m, ac)) {
		uint32_t got = get_page_from_freelist(m, ac, WMARK_MIN, flags, count, pfns);

		if (got)
			return got;
	}
	return 0;
}

// Page cache, the other CPUs' lists and lazily freed areas. Where the kernel would call its killer it
// looks first whether somebody else has done so: then there is a zone above its high mark.
static uint32_t reclaim_round(struct machine *m, const struct alloc_context *ac, unsigned flags,
			      uint32_t count, pfn_t *pfns)
{
	uint32_t got = reclaim_and_retry(m, ac, flags, count, pfns);

	if (got)
		return got;
	drain_all_pages(m);
	vm_unmap_aliases(m);
	got = get_page_from_freelist(m, ac, WMARK_MIN, flags, count, pfns);
	if (!got && alloc_without_progress(ac->gfp, ac->order) & OOM_KILLS)
		got = get_page_from_freelist(m, ac, WMARK_HIGH, 0, count, pfns);
	return got;
}

// What the fast path could not give. Nothing waits here: where the kernel would go round without
// end, it goes round a few times, for other CPUs to give something back, and fails. The zone says so
// until pages return.
static uint32_t alloc_pages_slowpath(struct machine *m, const struct alloc_context *ac,
				     uint32_t count, pfn_t *pfns)
{
	bool loops = alloc_without_progress(ac->gfp, ac->order) & OOM_LOOPS;
	unsigned flags = gfp_to_alloc_flags(ac->gfp), rounds = 0;
	const struct zone *z = &m->s->zone[ac->classzone];
	uint32_t got;

	if (ac->order >= MAX_ORDER) {
		if (!(ac->gfp & __GFP_NOWARN))
			misuse(m, MISUSE_ORDER, 0, ac->order);
		return 0;
	}
	if (!(ac->gfp & __GFP_NO_KSWAPD))
		wake_all_kswapd(m, ac);
	got = get_page_from_freelist(m, ac, WMARK_MIN, flags, count, pfns);
	if (got || !(ac->gfp & __GFP_WAIT) ||
	    __atomic_load_n(&z->all_unreclaimable, __ATOMIC_RELAXED))
		return got;
	do {
		got = reclaim_round(m, ac, flags, count, pfns);
		rounds++;
	} while (!got && loops && rounds < OOM_ROUNDS);
	if (!got)
		oom_step(m, ac, rounds);
	return got;
}

// Highmem pages are cleared through an atomic window; lowmem needs none.
static void prep_zero_pages(struct machine *m, const pfn_t *pfns, uint32_t count, unsigned order)
{
	if (order && zone_of(m, pfns[0]) == ZONE_HIGHMEM)
		clear_highpages(m, pfns[0], 1u << order, 1);
	while (!order && count) {
		int32_t stride = 0;
		uint32_t n = 1;

		while (next_in_run(pfns, n, count, &stride))
			n++;
		if (zone_of(m, pfns[0]) == ZONE_HIGHMEM)
			clear_highpages(m, pfns[0], n, stride);
		pfns += n;
		count -= n;
	}
}

// Up to count pages of order 0, or one block. The fast path first, at the low mark.
static uint32_t alloc_pages_some(struct machine *m, const struct alloc_context *ac, uint32_t count,
				 pfn_t *pfns)
{
	uint32_t got = 0;

	if (ac->order < MAX_ORDER)
		got = get_page_from_freelist(m, ac, WMARK_LOW, 0, count, pfns);
	if (!got)
		got = alloc_pages_slowpath(m, ac, count, pfns);
	if (got && ac->gfp & __GFP_ZERO)
		prep_zero_pages(m, pfns, got, ac->order);
	return got;
}

pfn_t alloc_pages(struct machine *m, gfp_t gfp, unsigned order)
{
	struct alloc_context ac;
	pfn_t pfn;

	context_init(m, &ac, gfp, order);
	if (!alloc_pages_some(m, &ac, 1, &pfn))
		return 0;
	if (!order && m->s->cfg.ncpus > 1)
		page_own(m, pfn);
	return pfn;
}

// Taking several pages at a time from a list equals taking them singly: only a refill changes
// what the watermark test sees.
uint32_t alloc_pages_bulk(struct machine *m, gfp_t gfp, uint32_t count, pfn_t *pfns)
{
	struct alloc_context ac;
	uint32_t done = 0;

	context_init(m, &ac, gfp, 0);
	while (done < count) {
		uint32_t want = count - done < RUN_MAX ? count - done : RUN_MAX;
		uint32_t got = alloc_pages_some(m, &ac, want, pfns + done);

		if (!got)
			break;
		done += got;
	}
	return done;
}

// For those who need an address at once: never highmem, whose frames have none.
kaddr_t __get_free_pages(struct machine *m, gfp_t gfp, unsigned order)
{
	if (gfp & __GFP_HIGHMEM)
		misuse(m, MISUSE_HIGHMEM_ADDRESS, 0, gfp);
	pfn_t pfn = alloc_pages(m, gfp & ~__GFP_HIGHMEM, order);
	return pfn ? lowmem_addr(m, pfn) : 0;
}

// Takes the next larger block, keeps the frames asked for and frees the rest one by one.
kaddr_t alloc_pages_exact(struct machine *m, size_t size, gfp_t gfp)
{
	unsigned order = get_order(size);
	pfn_t pfn = size ? alloc_pages(m, gfp & ~(__GFP_HIGHMEM | __GFP_COMP), order) : 0;

	if (!pfn)
		return 0;
	split_page(m, pfn, order);
	for (pfn_t p = pfn + ((size + PAGE_SIZE - 1) >> PAGE_SHIFT); p < pfn + (1u << order); p++)
		free_hot_cold_page(m, p, false);
	return lowmem_addr(m, pfn);
}

// ---- free ----

void free_hot_cold_page(struct machine *m, pfn_t pfn, bool cold)
{
	if (!page_is_freeable(m, pfn)) {
		misuse(m, MISUSE_BAD_PAGE, 0, pfn);
		return;
	}
	if (m->s->cfg.ncpus > 1)
		page_own(m, pfn);
	pcp_free_run(m, pfn, get_pageblock_migratetype(m, pfn), cold, 1, 0);
}

// Drops a reference; the block goes back with the last one. Wrong frees are left alone, as the
// kernel leaks a bad page.
void __free_pages(struct machine *m, pfn_t pfn, unsigned order)
{
	if (!pfn)
		return;
	if (pfn >= m->s->max_pfn || order >= MAX_ORDER)
		misuse(m, MISUSE_BAD_PAGE, 0, pfn);
	else if (pfn_to_page(m, pfn)->_count > 1)
		page_ref_run(m, pfn, 1, -1);
	else if (!order)
		free_hot_cold_page(m, pfn, false);
	else if (block_is_freeable(m, pfn, order))
		buddy_free(m, pfn, order, get_pageblock_migratetype(m, pfn));
	else
		misuse(m, MISUSE_BAD_PAGE, 0, pfn);
}

// Addresses outside lowmem are nobody's block; 0 is allowed and does nothing.
void free_pages(struct machine *m, kaddr_t addr, unsigned order)
{
	if (is_lowmem(m, addr))
		__free_pages(m, lowmem_pfn(m, addr), order);
	else if (addr)
		misuse(m, MISUSE_BAD_ADDRESS, 0, addr);
}

void free_pages_exact(struct machine *m, kaddr_t addr, size_t size)
{
	for (size_t offset = 0; offset < size; offset += PAGE_SIZE)
		free_pages(m, addr + offset, 0);
}

// The longest run that one record can stand for: one zone, one type, one stride, and no longer
// than the list may grow before it is drained.
void free_pages_bulk(struct machine *m, const pfn_t *pfns, uint32_t count)
{
	while (count) {
		unsigned zone = zone_of(m, pfns[0]), mt = get_pageblock_migratetype(m, pfns[0]);
		const struct per_cpu_pages *pcp = &m->s->zone[zone].pageset[m->cpu];
		uint32_t room = pcp->high > pcp->count ? pcp->high - pcp->count : 1, n = 1;
		int32_t stride = 0;

		if (!page_is_freeable(m, pfns[0]) || pfn_to_page(m, pfns[0])->_count != 1) {
			__free_pages(m, pfns[0], 0);
			pfns++;
			count--;
			continue;
		}
		while (n < room && next_in_run(pfns, n, count, &stride) &&
		       page_is_freeable(m, pfns[n]) && zone_of(m, pfns[n]) == zone &&
		       get_pageblock_migratetype(m, pfns[n]) == mt)
			n++;
		pcp_free_run(m, pfns[0], mt, false, n, n > 1 ? (int32_t)(pfns[1] - pfns[0]) : 0);
		pfns += n;
		count -= n;
	}
}
