// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Dumps of the page allocator: loaded into a machine, or compared with it.
#include "vectors_dump.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/buddy.h"

int zone_named(const char *name)
{
	for (int zone = 0; zone < MAX_NR_ZONES; zone++) {
		size_t n = strlen(zone_names[zone]);

		if (name && !strncmp(name, zone_names[zone], n) && strchr(" =:", name[n]))
			return zone;
	}
	return -1;
}

unsigned index_of(struct vectors *v, const char *line, const char *key, unsigned limit)
{
	long long n = number(v, line, key, 10);

	if (n >= 0 && n < limit)
		return n;
	vectors_mismatch(v, line, "%s= is none of this machine's", key);
	return 0;
}

// ---- run-length lists ----

struct tokens { // "p", "p+sxn" or "p-sxn", each perhaps followed by "/type"
	struct vectors *v;
	const char *line, *at;
	pfn_t pfn, max_pfn;
	long step;
	unsigned long left;
	int type; // -1: none given
};

static void tokens_init(struct vectors *v, struct machine *m, struct tokens *t, const char *line)
{
	const char *list = field(v, line, "list");

	*t = (struct tokens){v, line, list ? list : "", .max_pfn = m->s->max_pfn};
}

static void next_token(struct tokens *t)
{
	char *end;

	t->pfn = strtoul(t->at, &end, 10);
	t->type = -1;
	if (end != t->at && (*end == '+' || *end == '-')) {
		t->step = strtol(end, &end, 10);
		if (*end == 'x')
			t->left = strtoul(end + 1, &end, 10);
		if (!t->left--)
			end = NULL;
	}
	if (end && *end == '/')
		t->type = strtol(end + 1, &end, 10);
	if (!end || end == t->at || (*end && *end != ' ') || t->type >= MIGRATE_TYPES) {
		vectors_mismatch(t->v, t->line, "the list is not understood at \"%.20s\"", t->at);
		t->pfn = t->left = 0;
		end = "";
	}
	t->at = end;
}

// False behind the last frame. A frame the machine does not have ends the list as well.
static bool next_pfn(struct tokens *t)
{
	if (t->left) {
		t->left--;
		t->pfn += t->step;
	} else {
		t->at += strspn(t->at, " ");
		if (!*t->at)
			return false;
		next_token(t);
	}
	if (t->pfn && t->pfn < t->max_pfn)
		return true;
	vectors_mismatch(t->v, t->line, "no frame %u", t->pfn);
	return false;
}

// ---- a dump: loaded or compared ----

// n numbers with one character between them.
void load_list(struct vectors *v, const char *line, const char *key, uint32_t *to, unsigned n)
{
	const char *text = field(v, line, key);

	memset(to, 0, n * sizeof(*to));
	for (unsigned i = 0; text && i < n; i++) {
		char *end;

		to[i] = strtoul(text, &end, 10);
		if (end == text || (i + 1 < n && *end != ','))
			vectors_mismatch(v, line, "%s= does not have %u numbers", key, n);
		text = *end ? end + 1 : end;
	}
}

void compare_reserve(struct vectors *v, const struct zone *z, const char *line, const char *key)
{
	uint32_t reserve[MAX_NR_ZONES];

	load_list(v, line, key, reserve, MAX_NR_ZONES);
	for (int i = 0; i < MAX_NR_ZONES; i++)
		expect(v, line, "lowmem_reserve", z->lowmem_reserve[i], reserve[i]);
}

static void compact_defer(struct vectors *v, const char *line, uint32_t *considered,
			  uint32_t *shift)
{
	const char *value = field(v, line, "compact_defer");

	if (!value || sscanf(value, "%u/%u", considered, shift) != 2)
		vectors_mismatch(v, line, "no compact_defer=N/N");
}

static void load_zone(struct vectors *v, struct zone *z, const char *line)
{
	z->zone_start_pfn = number(v, line, "start", 10);
	z->spanned_pages = number(v, line, "spanned", 10);
	z->present_pages = number(v, line, "present", 10);
	z->vm_stat[NR_FREE_PAGES] = number(v, line, "nr_free", 10);
	z->watermark[WMARK_MIN] = number(v, line, "min", 10);
	z->watermark[WMARK_LOW] = number(v, line, "low", 10);
	z->watermark[WMARK_HIGH] = number(v, line, "high", 10);
	z->percpu_drift_mark = number(v, line, "drift_mark", 10);
	z->all_unreclaimable = number(v, line, "all_unreclaimable", 10);
	load_list(v, line, "lowmem_reserve", z->lowmem_reserve, MAX_NR_ZONES);
	compact_defer(v, line, &z->compact_considered, &z->compact_defer_shift);
	memset(z->free_area, 0, sizeof(z->free_area));
	memset(z->pageset, 0, sizeof(z->pageset));
}

static void compare_zone(struct vectors *v, const struct zone *z, const char *line)
{
	uint32_t considered = 0, shift = 0;

	expect(v, line, "start", z->zone_start_pfn, number(v, line, "start", 10));
	expect(v, line, "spanned", z->spanned_pages, number(v, line, "spanned", 10));
	expect(v, line, "present", z->present_pages, number(v, line, "present", 10));
	expect(v, line, "nr_free", z->vm_stat[NR_FREE_PAGES], number(v, line, "nr_free", 10));
	expect(v, line, "min", z->watermark[WMARK_MIN], number(v, line, "min", 10));
	expect(v, line, "low", z->watermark[WMARK_LOW], number(v, line, "low", 10));
	expect(v, line, "high", z->watermark[WMARK_HIGH], number(v, line, "high", 10));
	expect(v, line, "drift_mark", z->percpu_drift_mark, number(v, line, "drift_mark", 10));
	expect(v, line, "all_unreclaimable", z->all_unreclaimable,
	       number(v, line, "all_unreclaimable", 10));
	compare_reserve(v, z, line, "lowmem_reserve");
	compact_defer(v, line, &considered, &shift);
	expect(v, line, "compact_considered", z->compact_considered, considered);
	expect(v, line, "compact_defer_shift", z->compact_defer_shift, shift);
}

static void load_pcp(struct vectors *v, struct per_cpu_pages *pcp, const char *line)
{
	pcp->count = number(v, line, "count", 10);
	pcp->high = number(v, line, "high", 10);
	pcp->batch = number(v, line, "batch", 10);
	pcp->stat_threshold = number(v, line, "stat_threshold", 10);
	pcp->vm_stat_diff[NR_FREE_PAGES] = number(v, line, "free_pages_diff", 10);
}

static void compare_pcp(struct vectors *v, const struct per_cpu_pages *pcp, const char *line)
{
	expect(v, line, "count", pcp->count, number(v, line, "count", 10));
	expect(v, line, "high", pcp->high, number(v, line, "high", 10));
	expect(v, line, "batch", pcp->batch, number(v, line, "batch", 10));
	expect(v, line, "stat_threshold", pcp->stat_threshold,
	       number(v, line, "stat_threshold", 10));
	expect(v, line, "free_pages_diff", pcp->vm_stat_diff[NR_FREE_PAGES],
	       number(v, line, "free_pages_diff", 10));
}

static void load_pcplist(struct vectors *v, struct machine *m, struct per_cpu_pages *pcp,
			 const char *line)
{
	unsigned mt = index_of(v, line, "mt", MIGRATE_PCPTYPES);
	struct tokens t;

	for (tokens_init(v, m, &t, line); next_pfn(&t);) {
		struct page *page = pfn_to_page(m, t.pfn);

		page->flags = PAGE_FLAG_BIT(PG_pcp);
		page->private = t.type >= 0 ? (unsigned)t.type : mt;
		page_list_add_tail(m, &pcp->lists[mt], t.pfn);
	}
}

static void compare_pcplist(struct vectors *v, struct machine *m, const struct per_cpu_pages *pcp,
			    const char *line)
{
	unsigned mt = index_of(v, line, "mt", MIGRATE_PCPTYPES);
	pfn_t pfn = pcp->lists[mt].first;
	struct tokens t;

	for (tokens_init(v, m, &t, line); next_pfn(&t); pfn = pfn_to_page(m, pfn)->lru.next) {
		unsigned type = t.type >= 0 ? (unsigned)t.type : mt;

		if (pfn != t.pfn || pfn_to_page(m, pfn)->private != type) {
			vectors_mismatch(v, line, "page %u type %u, expected %u type %u", pfn,
					 pfn_to_page(m, pfn)->private, t.pfn, type);
			return;
		}
	}
	expect(v, line, "page after the end", pfn, 0);
}

static void load_free(struct vectors *v, struct machine *m, unsigned zone, const char *line)
{
	unsigned order = index_of(v, line, "order", MAX_ORDER);
	unsigned mt = index_of(v, line, "mt", MIGRATE_TYPES);
	struct tokens t;

	for (tokens_init(v, m, &t, line); next_pfn(&t);)
		add_free_block(m, zone, t.pfn, order, mt, true);
}

static void compare_free(struct vectors *v, struct machine *m, unsigned zone, const char *line)
{
	unsigned order = index_of(v, line, "order", MAX_ORDER);
	unsigned mt = index_of(v, line, "mt", MIGRATE_TYPES);
	pfn_t pfn = m->s->zone[zone].free_area[order].free_list[mt].first;
	struct tokens t;

	for (tokens_init(v, m, &t, line); next_pfn(&t); pfn = pfn_to_page(m, pfn)->lru.next)
		if (pfn != t.pfn) {
			vectors_mismatch(v, line, "block %u, expected %u", pfn, t.pfn);
			return;
		}
	expect(v, line, "block after the end", pfn, 0);
}

// Types of the zone's pageblocks, the one that holds its start first.
static void blocks_line(struct vectors *v, struct machine *m, unsigned zone, const char *line,
			bool load)
{
	const struct zone *z = &m->s->zone[zone];
	const char *at = field(v, line, "types");
	pfn_t block = number(v, line, "first", 10);
	unsigned type, count;
	int n;

	expect(v, line, "first", pageblock_start_pfn(m, z->zone_start_pfn), block);
	for (; at && sscanf(at, " %ux%u%n", &type, &count, &n) == 2; at += n)
		for (; count-- && block < zone_end_pfn(z); block += PAGEBLOCK_NR_PAGES) {
			pfn_t pfn = block > z->zone_start_pfn ? block : z->zone_start_pfn;

			if (load)
				*pageblock_slot(m, pfn) = type;
			else if (pageblock_type(m, pfn) != type)
				vectors_mismatch(v, line, "block at %u has type %u, expected %u",
						 pfn, pageblock_type(m, pfn), type);
		}
	if (!at || at[strspn(at, " ")] || block < zone_end_pfn(z))
		vectors_mismatch(v, line, "not every block has a type, up to %u", zone_end_pfn(z));
}

static void nr_line(struct vectors *v, const struct zone *z, const char *line, bool load)
{
	unsigned order = index_of(v, line, "order", MAX_ORDER);
	uint32_t nr_free = number(v, line, "nr_free", 10);

	if (!load) // loading the lists counts them
		expect(v, line, "nr_free", z->free_area[order].nr_free, nr_free);
}

static void zone_line(struct vectors *v, struct machine *m, unsigned zone, const char *line,
		      bool load)
{
	struct zone *z = &m->s->zone[zone];

	if (starts(line, "zone "))
		load ? load_zone(v, z, line) : compare_zone(v, z, line);
	else if (starts(line, "nr "))
		nr_line(v, z, line, load);
	else if (starts(line, "free "))
		load ? load_free(v, m, zone, line) : compare_free(v, m, zone, line);
	else if (starts(line, "blocks "))
		blocks_line(v, m, zone, line, load);
	else
		vectors_mismatch(v, line, "not understood");
}

static void dump_line(struct vectors *v, struct machine *m, const char *line, bool load)
{
	bool names_zone = starts(line, "zone ");
	int zone = zone_named(field(v, line, names_zone ? "name" : "zone"));

	if (zone < 0) {
		vectors_mismatch(v, line, "not understood");
	} else if (starts(line, "pcp ") || starts(line, "pcplist ")) {
		unsigned cpu = index_of(v, line, "cpu", m->s->cfg.ncpus);
		struct per_cpu_pages *pcp = &m->s->zone[zone].pageset[cpu];

		if (starts(line, "pcp "))
			load ? load_pcp(v, pcp, line) : compare_pcp(v, pcp, line);
		else
			load ? load_pcplist(v, m, pcp, line) : compare_pcplist(v, m, pcp, line);
	} else {
		zone_line(v, m, zone, line, load);
	}
}

void end_of_dump(struct vectors *v, const char *begin, const char *line)
{
	char tag[64];

	if (sscanf(begin, "dump %63s begin", tag) != 1 || !line ||
	    strncmp(line + 5, tag, strlen(tag)) || strcmp(line + 5 + strlen(tag), " end"))
		vectors_mismatch(v, line ? line : begin, "the dump does not end");
}

// Lists a dump does not show are empty: the counts say so, and the checker that the lists and
// counts agree.
void dump(struct vectors *v, struct machine *m, const char *begin, bool load)
{
	unsigned zones = 0, populated = 0;
	const char *line;
	char why[256];

	while ((line = vectors_line(v)) && !starts(line, "dump ")) {
		dump_line(v, m, line, load);
		zones += starts(line, "zone ");
	}
	end_of_dump(v, begin, line);
	for (unsigned zone = 0; zone < MAX_NR_ZONES; zone++)
		populated += m->s->zone[zone].spanned_pages != 0;
	expect(v, begin, "number of zones", populated, zones);
	if (page_alloc_check(m, why, sizeof(why)))
		vectors_mismatch(v, begin, "%s", why);
}
