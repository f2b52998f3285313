// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Who pins pageblocks: which owners of frames keep blocks that are mostly free from becoming whole.
#include <stdlib.h>
#include <string.h>

#include "../core/buddy.h"
#include "../core/page_alloc.h"
#include "../core/translate.h"
#include "report.h"

enum {
	BLOCK_PAGES = 1 << (MAX_ORDER - 1),
	MOSTLY = 4, // a block is mostly free when no more than a fourth of it is used
	OWNERS = MAX_CACHES + 8
};

// Owners by number: caches by their id, then the others.
enum owner {
	OWNER_PAGES = MAX_CACHES,
	OWNER_VMALLOC,
	OWNER_KMAP,
	OWNER_PGTABLE,
	OWNER_PAGECACHE,
	OWNER_PCP,
	OWNER_RESERVED,
	OWNER_NONE // free, or no frame
};

struct pin {
	unsigned owner;
	uint64_t frames, blocks, alone; // blocks: mostly free ones it is in; alone: and nobody else
};

static bool has(const struct page *p, enum pageflags flag)
{
	return p->flags & 1u << flag;
}

static unsigned owner_of(const struct machine *m, const struct page *p)
{
	if (has(p, PG_hole))
		return OWNER_NONE;
	if (has(p, PG_slab))
		return p->mapping && p->mapping < MAX_CACHES ? p->mapping : OWNER_PAGES;
	if (has(p, PG_pgtable))
		return OWNER_PGTABLE;
	if (has(p, PG_pagecache))
		return OWNER_PAGECACHE;
	if (has(p, PG_mapped_kernel))
		return p->mapping >= m->s->kmap.pkmap_base ? OWNER_KMAP : OWNER_VMALLOC;
	if (has(p, PG_pcp))
		return OWNER_PCP;
	if (has(p, PG_reserved))
		return OWNER_RESERVED;
	return p->_count > 0 || has(p, PG_tail) ? OWNER_PAGES : OWNER_NONE;
}

static const char *owner_name(const struct machine *m, unsigned owner,
			      char name[CACHE_NAME_LEN + 1])
{
	static const char *const others[] = {
		"pages",      "vmalloc areas", "kmap windows",	       "page tables",
		"page cache", "per-CPU lists", "the kernel (reserved)"};
	if (owner >= MAX_CACHES)
		return others[owner - MAX_CACHES];
	g_strlcpy(name, m->caches[owner].name, CACHE_NAME_LEN);
	return name;
}

// One block of a zone: frames by owner in `used`; how many there are.
static unsigned count_block(struct machine *m, pfn_t from, pfn_t to, uint16_t *used)
{
	unsigned n = 0;
	for (pfn_t pfn = from; pfn < to;) {
		const struct page *p = pfn_to_page(m, pfn);
		if (has(p, PG_buddy) && p->private < MAX_ORDER) {
			pfn += 1u << p->private;
			continue;
		}
		unsigned owner = owner_of(m, p);
		if (owner != OWNER_NONE) {
			used[owner]++;
			n++;
		}
		pfn++;
	}
	return n;
}

static void add_block(const uint16_t *used, unsigned n, struct pin *pin)
{
	for (unsigned o = 0; o < OWNER_NONE; o++) {
		if (!used[o])
			continue;
		pin[o].frames += used[o];
		pin[o].blocks++;
		pin[o].alone += used[o] == n;
	}
}

// All blocks of a zone. How many are mostly free, and not whole.
static uint64_t scan_zone(struct machine *m, unsigned zone, struct pin *pin)
{
	const struct zone *z = &m->s->zone[zone];
	pfn_t end = z->zone_start_pfn + z->spanned_pages;
	uint64_t pinned = 0;
	end = end < m->s->max_pfn ? end : m->s->max_pfn;
	for (pfn_t from = z->zone_start_pfn; from < end; from = (from | (BLOCK_PAGES - 1)) + 1) {
		uint16_t used[OWNERS] = {0};
		pfn_t to = (from | (BLOCK_PAGES - 1)) + 1;
		unsigned n = count_block(m, from, to < end ? to : end, used);
		if (!n || n > BLOCK_PAGES / MOSTLY)
			continue;
		add_block(used, n, pin);
		pinned++;
	}
	return pinned;
}

static int by_blocks(const void *pa, const void *pb)
{
	const struct pin *a = pa, *b = pb;
	if (a->blocks != b->blocks)
		return a->blocks > b->blocks ? -1 : 1;
	if (a->frames != b->frames)
		return a->frames > b->frames ? -1 : 1;
	return a->owner < b->owner ? -1 : 1;
}

void report_pins(struct report *rp, struct machine *m)
{
	static const struct column columns[] = {{"blocks", "pageblocks", CELL_COUNT},
						{"alone", "alone in", CELL_COUNT},
						{"frames", "frames", CELL_COUNT},
						{"owner", "held by", CELL_TEXT},
						{0}};
	struct pin *pin = g_new0(struct pin, OWNERS);
	uint64_t pinned = 0;
	unsigned n = 0;
	for (unsigned i = 0; i < OWNERS; i++)
		pin[i].owner = i;
	for (unsigned zone = 0; zone < MAX_NR_ZONES; zone++)
		pinned += scan_zone(m, zone, pin);
	qsort(pin, OWNERS, sizeof(*pin), by_blocks);
	while (n < OWNERS && pin[n].blocks && (!rp->top || n < rp->top))
		n++;
	out_title(rp, "%s pageblock%s mostly free at event %s, pinned by", fmt_count(pinned),
		  plural(pinned), fmt_count(rp->to));
	if (output_json(rp->out))
		out_figure(rp, "pinned", "", CELL_COUNT, pinned);
	out_table(rp, "pins", columns);
	for (unsigned i = 0; i < n; i++) {
		char name[CACHE_NAME_LEN + 1];
		out_row(rp, pin[i].blocks, pin[i].alone, pin[i].frames,
			owner_name(m, pin[i].owner, name));
	}
	out_end(rp);
	g_free(pin);
}
