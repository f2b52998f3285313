// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Free lists: taking and splitting, freeing and merging, migrate types and their fallbacks.
#include <errno.h>
#include <stdio.h>

#include "buddy.h"

enum {
	FALLBACKS = 2
};

// RESERVE comes last and is searched separately.
static const uint8_t fallbacks[MIGRATE_PCPTYPES][FALLBACKS] = {
	[MIGRATE_UNMOVABLE] = {MIGRATE_RECLAIMABLE, MIGRATE_MOVABLE},
	[MIGRATE_RECLAIMABLE] = {MIGRATE_UNMOVABLE, MIGRATE_MOVABLE},
	[MIGRATE_MOVABLE] = {MIGRATE_RECLAIMABLE, MIGRATE_UNMOVABLE},
};

// The tracepoint's arguments are read only when somebody listens: live, nobody does.
static void trace_block(struct machine *m, unsigned kind, pfn_t pfn, unsigned order,
			unsigned order2, unsigned mt, unsigned mt2, unsigned flags)
{
	if (!tracing(m))
		return;
	trace(m, &(struct trace_event){.kind = kind,
				       .cpu = m->cpu,
				       .zone = zone_of(m, pfn),
				       .order = order,
				       .order2 = order2,
				       .migratetype = mt,
				       .migratetype2 = mt2,
				       .flags = flags,
				       .pfn = pfn,
				       .count = 1});
}

// The first frame of the block stands for all of it. Its list's migrate type is kept beside the
// order, because whoever merges the block later must unlink it and the pageblock's type may have
// changed meanwhile.
void add_free_block(struct machine *m, unsigned zone, pfn_t pfn, unsigned order,
		    unsigned migratetype, bool tail)
{
	struct free_area *area = &m->s->zone[zone].free_area[order];
	struct page *page = pfn_to_page(m, pfn);

	set_page_flags(page, PAGE_FLAG_BIT(PG_buddy));
	page->private = order;
	page->index = migratetype;
	if (tail)
		page_list_add_tail(m, &area->free_list[migratetype], pfn);
	else
		page_list_add(m, &area->free_list[migratetype], pfn);
	set_relaxed(&area->nr_free, area->nr_free + 1);
}

// Leaves the page's entry all zero, as inside a larger block.
static void del_free_block(struct machine *m, unsigned zone, pfn_t pfn)
{
	struct page *page = pfn_to_page(m, pfn);
	struct free_area *area = &m->s->zone[zone].free_area[page->private];

	page_list_del(m, &area->free_list[page->index], pfn);
	set_relaxed(&area->nr_free, area->nr_free - 1);
	set_page_flags(page, 0);
	page->private = 0;
	page->index = 0;
}

// Halves the block until it has the wanted order; upper halves go back to the lists.
static void expand(struct machine *m, unsigned zone, pfn_t pfn, unsigned low, unsigned high,
		   unsigned migratetype)
{
	if (high > low)
		trace_block(m, EV_T_BUDDY_SPLIT, pfn, high, low, migratetype, 0, 0);
	while (high > low) {
		high--;
		add_free_block(m, zone, pfn + (1u << high), high, migratetype, false);
	}
}

// Up to *count single pages as so many calls of __rmqueue would take them, or 0. A block that is split
// for one page gives the next ones too, in rising order, because smaller ones go first and there were
// none: so it is split once, into what is left behind the last of them.
pfn_t rmqueue_run(struct machine *m, unsigned zone, unsigned migratetype, unsigned *count)
{
	struct free_area *area = m->s->zone[zone].free_area;
	pfn_t pfn = 0, at, end;

	for (unsigned order = 0; order < MAX_ORDER && !pfn && !tracing(m); order++) {
		pfn = area[order].free_list[migratetype].first;
		end = pfn + (1u << order);
	}
	if (!pfn) { // another type's, or told page by page
		*count = 1;
		return __rmqueue(m, zone, 0, migratetype, true);
	}
	del_free_block(m, zone, pfn);
	if (*count > end - pfn)
		*count = end - pfn;
	for (at = pfn + *count; at < end; at += at & -at)
		add_free_block(m, zone, at, (unsigned)__builtin_ctz(at), migratetype, false);
	return pfn;
}

// The smallest block that is large enough, so that large ones stay whole as long as possible.
// Within a list the head goes first: what was freed last, except where may_coalesce_soon() said to
// wait.
static pfn_t rmqueue_smallest(struct machine *m, unsigned zone, unsigned order,
			      unsigned migratetype)
{
	struct free_area *area = m->s->zone[zone].free_area;

	for (unsigned current = order; current < MAX_ORDER; current++) {
		pfn_t pfn = area[current].free_list[migratetype].first;

		if (!pfn)
			continue;
		del_free_block(m, zone, pfn);
		expand(m, zone, pfn, order, current, migratetype);
		return pfn;
	}
	return 0;
}

// With mobility grouping off (less than 20 MiB) every block counts as unmovable, as all requests
// do. Zone lock or stopped machine; other CPUs read the byte without.
void set_pageblock_migratetype(struct machine *m, pfn_t pfn, unsigned migratetype)
{
	if (m->s->page_group_by_mobility_disabled)
		migratetype = MIGRATE_UNMOVABLE;
	__atomic_store_n(pageblock_slot(m, pfn), migratetype, __ATOMIC_RELAXED);
}

// Moves the free blocks of pfn's pageblock to another type's lists; returns pages moved. A block
// that begins before the zone is done from pfn on, one that ends behind it not at all.
unsigned move_freepages_block(struct machine *m, unsigned zone, pfn_t pfn, unsigned migratetype)
{
	const struct zone *z = &m->s->zone[zone];
	pfn_t start = pfn & ~(pfn_t)(PAGEBLOCK_NR_PAGES - 1);
	pfn_t end = start + PAGEBLOCK_NR_PAGES;
	unsigned moved = 0;

	if (start < z->zone_start_pfn)
		start = pfn;
	if (end > zone_end_pfn(z))
		return 0;
	for (pfn = start; pfn < end;) {
		struct page *page = pfn_to_page(m, pfn);

		if (!(page_flags(page) & PAGE_FLAG_BIT(PG_buddy))) {
			pfn++;
			continue;
		}
		unsigned order = page->private;
		del_free_block(m, zone, pfn);
		add_free_block(m, zone, pfn, order, migratetype, false);
		pfn += 1u << order;
		moved += 1u << order;
	}
	return moved;
}

// Takes from another type's lists, largest block first so that types mix in few pageblocks.
// Large remainders change sides, and with them, when half of it is free, the whole pageblock.
static pfn_t take_fallback(struct machine *m, unsigned zone, pfn_t pfn, unsigned order,
			   unsigned current, unsigned wanted, unsigned migratetype)
{
	bool disabled = m->s->page_group_by_mobility_disabled;

	if (current >= PAGEBLOCK_ORDER / 2 || wanted == MIGRATE_RECLAIMABLE || disabled) {
		unsigned moved = move_freepages_block(m, zone, pfn, wanted);

		if (moved >= PAGEBLOCK_NR_PAGES / 2 || disabled) {
			set_pageblock_migratetype(m, pfn, wanted);
			if (tracing(m))
				trace(m, &(struct trace_event){.kind = EV_T_PAGEBLOCK_STEAL,
							       .cpu = m->cpu,
							       .zone = zone,
							       .pfn = pfn,
							       .migratetype = wanted,
							       .count = moved,
							       .value = moved});
		}
		migratetype = wanted;
	}
	del_free_block(m, zone, pfn);
	if (current >= PAGEBLOCK_ORDER)
		set_pageblock_migratetype(m, pfn, wanted);
	expand(m, zone, pfn, order, current, migratetype);
	trace_block(m, EV_T_MM_PAGE_ALLOC_EXTFRAG, pfn, order, current, wanted, migratetype, 0);
	return pfn;
}

// Largest order first: taking one big block dirties one pageblock, taking many small ones many.
static pfn_t rmqueue_fallback(struct machine *m, unsigned zone, unsigned order, unsigned wanted)
{
	struct free_area *area = m->s->zone[zone].free_area;

	for (int current = MAX_ORDER - 1; current >= (int)order; current--) {
		for (unsigned i = 0; i < FALLBACKS; i++) {
			unsigned migratetype = fallbacks[wanted][i];
			pfn_t pfn = area[current].free_list[migratetype].first;

			if (pfn)
				return take_fallback(m, zone, pfn, order, current, wanted,
						     migratetype);
		}
	}
	return 0;
}

// One block of exactly `order`, or 0. The three searches in turn: the type's own lists, those of
// other types, the reserve that is kept for when nothing else is left.
pfn_t __rmqueue(struct machine *m, unsigned zone, unsigned order, unsigned migratetype,
		bool percpu_refill)
{
	pfn_t pfn = rmqueue_smallest(m, zone, order, migratetype);

	if (!pfn && migratetype < MIGRATE_PCPTYPES)
		pfn = rmqueue_fallback(m, zone, order, migratetype);
	if (!pfn && migratetype != MIGRATE_RESERVE) {
		migratetype = MIGRATE_RESERVE;
		pfn = rmqueue_smallest(m, zone, order, migratetype);
	}
	if (pfn)
		trace_block(m, EV_T_MM_PAGE_ALLOC_ZONE_LOCKED, pfn, order, 0, migratetype, 0,
			    percpu_refill);
	return pfn;
}

// PG_buddy is set on first frames only, so a block of another order, or the inside of a larger one,
// never passes. Frames across a zone's border may be buddies by arithmetic, never by right.
static bool page_is_buddy(const struct machine *m, unsigned zone, pfn_t pfn, unsigned order)
{
	const struct page *page = pfn_to_page(m, pfn);

	return page_flags(page) & PAGE_FLAG_BIT(PG_buddy) && page->private == order &&
	       zone_of(m, pfn) == zone;
}

// A block whose parent may soon merge with its own buddy is put at the tail, to be taken last.
// From an upper half 3.4.2 looked 2^order frames too high, where no such block can begin.
static bool may_coalesce_soon(const struct machine *m, unsigned zone, pfn_t pfn, unsigned order)
{
	pfn_t parent = pfn & ~(1u << order);

	if (pfn != parent && m->s->cfg.model == MODEL_3_4_2)
		return false;
	return order < MAX_ORDER - 2 && page_is_buddy(m, zone, parent ^ (2u << order), order + 1);
}

// Merges upwards as long as the other half is free, then lists the result. Both halves of an order
// are found by flipping one bit of the frame number; clearing it gives the pair's first frame.
void __free_one_page(struct machine *m, unsigned zone, pfn_t pfn, unsigned order,
		     unsigned migratetype)
{
	unsigned from = order;

	while (order < MAX_ORDER - 1) {
		pfn_t buddy = pfn ^ (1u << order);

		if (!page_is_buddy(m, zone, buddy, order))
			break;
		del_free_block(m, zone, buddy);
		pfn &= ~(1u << order);
		order++;
	}
	add_free_block(m, zone, pfn, order, migratetype, may_coalesce_soon(m, zone, pfn, order));
	if (order > from)
		trace_block(m, EV_T_BUDDY_MERGE, pfn, from, order, migratetype, 0, 0);
}

// A run of single pages, freed in rising order or, down, in falling order. Pages that merge with each
// other before the last of them is freed leave no trace of it: they go as the block they end in.
void free_run(struct machine *m, unsigned zone, pfn_t pfn, uint32_t count, bool down,
	      unsigned migratetype)
{
	while (count) {
		pfn_t border = down ? pfn + count : pfn; // where the next block begins or ends
		unsigned order = 31 - (unsigned)__builtin_clz(count),
			 align = (unsigned)__builtin_ctz(border);

		order = order < align ? order : align;
		order = order < MAX_ORDER - 1 ? order : MAX_ORDER - 1;
		count -= 1u << order;
		__free_one_page(m, zone, down ? pfn + count : pfn, order, migratetype);
		pfn += down ? 0 : 1u << order;
	}
}

// Links both ways, alignment, marks, and that every entry is on the list its page names.
static int list_check(struct machine *m, unsigned zone, bool all, unsigned order, unsigned mt,
		      uint32_t *blocks, char *why, size_t size)
{
	const struct zone *z = &m->s->zone[zone];
	const struct list_head *list = &z->free_area[order].free_list[mt];
	pfn_t prev = 0;

	for (pfn_t pfn = list->first; pfn; pfn = pfn_to_page(m, pfn)->lru.next) {
		const struct page *page = pfn_to_page(m, pfn);
		uint32_t marks = all ? UINT32_MAX : PAGE_FLAG_BIT(PG_buddy);
		const char *what =
			pfn < z->zone_start_pfn || pfn + (1u << order) > zone_end_pfn(z)
				? "lies outside the zone"
			: pfn & ((1u << order) - 1)			   ? "is not aligned"
			: (page->flags & marks) != PAGE_FLAG_BIT(PG_buddy) ? "is not marked free"
			: page->private != order || page->index != mt	   ? "is on a wrong list"
			: all && page->_count				   ? "is in use"
			: page->lru.prev != prev			   ? "has a wrong back link"
			: ++*blocks > z->spanned_pages			   ? "is in a cycle"
									   : NULL;
		if (what) {
			snprintf(why, size, "%s: free block %u order %u type %u %s",
				 zone_names[zone], pfn, order, mt, what);
			return -EINVAL;
		}
		prev = pfn;
	}
	if (list->last != prev) {
		snprintf(why, size, "%s: free list order %u type %u ends at %u, not %u",
			 zone_names[zone], order, mt, prev, list->last);
		return -EINVAL;
	}
	return 0;
}

// Marks a head, whose order bounds every loop over it; with `all`, also that every frame inside a free
// block looks untouched (else it is in two places at once) and that blocks were merged.
static int interior_check(struct machine *m, unsigned zone, bool all, uint32_t *heads, char *why,
			  size_t size)
{
	const struct zone *z = &m->s->zone[zone];
	pfn_t head_end = 0;

	for (pfn_t pfn = z->zone_start_pfn; pfn < zone_end_pfn(z); pfn++) {
		const struct page *page = pfn_to_page(m, pfn);
		bool is_head = page->flags & PAGE_FLAG_BIT(PG_buddy);

		if (all && pfn < head_end && (page->flags || page->_count)) {
			snprintf(why, size,
				 "%s: page %u inside a free block has flags %#x count %d",
				 zone_names[zone], pfn, page->flags, page->_count);
			return -EINVAL;
		}
		if (!is_head)
			continue;
		if (page->private >= MAX_ORDER) {
			snprintf(why, size, "%s: free block %u has order %u", zone_names[zone], pfn,
				 page->private);
			return -EINVAL;
		}
		++*heads;
		head_end = pfn + (1u << page->private);
		if (all && page->private < MAX_ORDER - 1 &&
		    page_is_buddy(m, zone, pfn ^ (1u << page->private), page->private)) {
			snprintf(why, size, "%s: free block %u order %u was not merged",
				 zone_names[zone], pfn, page->private);
			return -EINVAL;
		}
	}
	return 0;
}

// What the lists hold must equal what nr_free, the zone's counter with all CPUs' differences, and a
// walk over all frames say.
int free_area_check(struct machine *m, unsigned zone, bool all, char *why, size_t size)
{
	struct zone *z = &m->s->zone[zone];
	uint32_t listed = 0, heads = 0;
	int64_t free = 0, counted = z->vm_stat[NR_FREE_PAGES];

	for (unsigned order = 0; order < MAX_ORDER; order++) {
		uint32_t blocks = 0;

		for (unsigned mt = 0; mt < MIGRATE_TYPES; mt++)
			if (list_check(m, zone, all, order, mt, &blocks, why, size))
				return -EINVAL;
		if (blocks != z->free_area[order].nr_free) {
			snprintf(why, size, "%s: order %u has %u free blocks, nr_free says %u",
				 zone_names[zone], order, blocks, z->free_area[order].nr_free);
			return -EINVAL;
		}
		free += (int64_t)blocks << order;
		listed += blocks;
	}
	for (unsigned cpu = 0; cpu < m->s->cfg.ncpus; cpu++)
		counted += z->pageset[cpu].vm_stat_diff[NR_FREE_PAGES];
	if (all && free != counted) {
		snprintf(why, size, "%s: %lld pages are free, the counters say %lld",
			 zone_names[zone], (long long)free, (long long)counted);
		return -EINVAL;
	}
	if (interior_check(m, zone, all, &heads, why, size))
		return -EINVAL;
	if (heads != listed) {
		snprintf(why, size, "%s: %u pages are marked free, %u are on lists",
			 zone_names[zone], heads, listed);
		return -EINVAL;
	}
	return 0;
}
