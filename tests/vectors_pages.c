// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Vectors of topics bootstages, buddy and exhaust: the kernel's calls are made again on the dumped
// state.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/boot.h"
#include "core/buddy.h"
#include "vectors_dump.h"

enum {
	SLOTS = 1 << 16
};

// ---- buddy, exhaust ----

struct sequence {
	struct vectors *v;
	struct machine *m;
	pfn_t slot[SLOTS];
	pfn_t exact[SLOTS];	     // a numbering of their own
	unsigned long allocs, fails; // as the summary counts them
	bool loaded;
};

static bool slot_exists(struct sequence *q, const char *line, unsigned slot)
{
	if (slot < SLOTS)
		return true;
	vectors_mismatch(q->v, line, "more slots than this program has");
	return false;
}

// A frame, or "-" for none.
static pfn_t wanted_pfn(struct sequence *q, const char *line, const char *text)
{
	char *end;
	pfn_t pfn = strtoul(text, &end, 10);

	if (strcmp(text, "-") && (end == text || *end))
		vectors_mismatch(q->v, line, "not understood");
	return pfn;
}

static void count_alloc(struct sequence *q, pfn_t pfn)
{
	q->allocs++;
	q->fails += !pfn;
}

static void alloc_line(struct sequence *q, const char *line)
{
	unsigned slot, gfp, order;
	char want[16];
	pfn_t pfn;

	if (!scan(q->v, line, 4, "a %u %x %u %15s", &slot, &gfp, &order, want) ||
	    !slot_exists(q, line, slot))
		return;
	pfn = alloc_pages(q->m, gfp, order);
	count_alloc(q, pfn);
	expect(q->v, line, "pfn", pfn, wanted_pfn(q, line, want));
	q->slot[slot] = pfn;
}

static void exact_line(struct sequence *q, const char *line)
{
	unsigned slot, gfp, bytes;
	char want[16];
	kaddr_t addr;

	if (!scan(q->v, line, 4, "E %u %x %u %15s", &slot, &gfp, &bytes, want) ||
	    !slot_exists(q, line, slot))
		return;
	addr = alloc_pages_exact(q->m, bytes, gfp);
	q->exact[slot] = addr ? lowmem_pfn(q->m, addr) : 0;
	expect(q->v, line, "pfn", q->exact[slot], wanted_pfn(q, line, want));
}

// "f SLOT PFN ORDER", "c SLOT PFN", "X SLOT PFN BYTES"
static void free_line(struct sequence *q, const char *line)
{
	unsigned slot, pfn, arg = 0;
	pfn_t *held;

	if (!(*line == 'c' ? scan(q->v, line, 2, "c %u %u", &slot, &pfn)
			   : scan(q->v, line, 3, "%*c %u %u %u", &slot, &pfn, &arg)) ||
	    !slot_exists(q, line, slot))
		return;
	held = *line == 'X' ? &q->exact[slot] : &q->slot[slot];
	expect(q->v, line, "slot's pfn", *held, pfn);
	if (*line == 'f')
		__free_pages(q->m, *held, arg);
	else if (*line == 'c')
		free_hot_cold_page(q->m, *held, true);
	else
		free_pages_exact(q->m, lowmem_addr(q->m, *held), arg);
	*held = 0;
}

// "gfp NAME|NAME=MASK": the masks the file uses, by name.
static void gfp_name_line(struct vectors *v, const char *line)
{
	static const struct {
		const char *name;
		gfp_t gfp;
	} known[] = {
		{"KERNEL", GFP_KERNEL},
		{"HIGHUSER", GFP_HIGHUSER},
		{"HIGHUSER_MOVABLE", GFP_HIGHUSER_MOVABLE},
		{"ATOMIC", GFP_ATOMIC},
		{"USER", GFP_USER},
		{"NOWAIT", GFP_NOWAIT},
		{"NOFS", GFP_NOFS},
		{"NOIO", GFP_NOIO},
		{"DMA", GFP_DMA},
		{"RECLAIMABLE", __GFP_RECLAIMABLE},
		{"COLD", __GFP_COLD},
		{"MOVABLE", __GFP_MOVABLE},
		{"NOMEMALLOC", __GFP_NOMEMALLOC},
	};
	const char *at = line + strlen("gfp "), *value = strchr(at, '=');
	gfp_t gfp = 0;

	for (size_t n; value && at < value; at += n + 1) {
		size_t i = 0;

		n = strcspn(at, "|=");
		while (i < sizeof(known) / sizeof(known[0]) &&
		       (strlen(known[i].name) != n || strncmp(at, known[i].name, n)))
			i++;
		if (i == sizeof(known) / sizeof(known[0])) {
			vectors_mismatch(v, line, "gfp %.*s is not known", (int)n, at);
			return;
		}
		gfp |= known[i].gfp;
	}
	read_whole(v, line);
	expect(v, line, "mask", gfp, value ? strtoll(value + 1, NULL, 16) : -1);
}

static void summary_line(struct sequence *q, const char *line)
{
	expect(q->v, line, "allocs", q->allocs, number(q->v, line, "allocs", 10));
	expect(q->v, line, "fails", q->fails, number(q->v, line, "fails", 10));
	// How the operations were chosen, and what stayed allocated of them.
	ignore(q->v, line, "wait_stripped");
	ignore(q->v, line, "outstanding");
	ignore(q->v, line, "pages");
}

static void other_line(struct sequence *q, const char *line)
{
	if (starts(line, "cpu ")) {
		unsigned cpu = atoi(line + 4);

		if (cpu >= q->m->s->cfg.ncpus)
			vectors_mismatch(q->v, line, "no such CPU");
		else
			q->m->cpu = cpu;
	} else if (starts(line, "dump ")) {
		dump(q->v, q->m, line, !q->loaded);
		q->loaded = true;
	} else if (starts(line, "gfp ")) {
		gfp_name_line(q->v, line);
	} else if (starts(line, "ops begin")) {
		ignore(q->v, line, "limit_pages"); // bounds of whoever chose the operations
		ignore(q->v, line, "slots");
	} else if (starts(line, "summary ")) {
		summary_line(q, line);
	} else if (strcmp(line, "ops end") && !starts(line, "=== events")) {
		vectors_mismatch(q->v, line, "not understood");
	}
}

static void sequence_line(struct sequence *q, const char *line)
{
	if (starts(line, "a "))
		alloc_line(q, line);
	else if (starts(line, "E "))
		exact_line(q, line);
	else if (starts(line, "f ") || starts(line, "c ") || starts(line, "X "))
		free_line(q, line);
	else if (!strcmp(line, "D"))
		drain_local_pages(q->m);
	else
		other_line(q, line);
}

void vectors_buddy(struct vectors *v)
{
	static struct sequence q;
	struct machine m;
	const char *line;

	if (vectors_machine(v, &m))
		return;
	// Frames outside the dumped lists belong to somebody: an entry of zeros is on no list.
	memset(m.mem_map, 0, m.s->max_pfn * sizeof(struct page));
	q = (struct sequence){.v = v, .m = &m};
	while ((line = vectors_line(v)))
		sequence_line(&q, line);
}

// ---- bootstages ----

static void load_regions(struct vectors *v, struct memblock_type *t, const char *line)
{
	const char *at = field(v, line, "regions");
	unsigned base, size;
	int n;

	*t = (struct memblock_type){.max = number(v, line, "max", 10)};
	for (; at && sscanf(at, " %x+%x%n", &base, &size, &n) == 2; at += n)
		if (t->cnt < MEMBLOCK_REGIONS_MAX)
			t->regions[t->cnt++] = (struct memblock_region){base, size, 0};
	// Not the sum: trimming to whole pages leaves the total as it was.
	t->total_size = number(v, line, "total", 16);
	expect(v, line, "cnt", t->cnt, number(v, line, "cnt", 10));
}

static void compare_number(struct vectors *v, const char *line, const char *key, long long got)
{
	expect(v, line, key, got, number(v, line, key, 10));
}

// Watermarks, reserves and pagesets at the end of boot follow from the zones' sizes; how much is
// free, and on which lists, from what the kernel started meanwhile.
static void compare_late_zone(struct vectors *v, const struct zone *z, const char *line)
{
	compare_number(v, line, "start", z->zone_start_pfn);
	compare_number(v, line, "spanned", z->spanned_pages);
	compare_number(v, line, "present", z->present_pages);
	compare_number(v, line, "min", z->watermark[WMARK_MIN]);
	compare_number(v, line, "low", z->watermark[WMARK_LOW]);
	compare_number(v, line, "high", z->watermark[WMARK_HIGH]);
	compare_number(v, line, "drift_mark", z->percpu_drift_mark);
	compare_reserve(v, z, line, "lowmem_reserve");
	compare_number(v, line, "all_unreclaimable", 0);
	ignore(v, line, "nr_free");
	ignore(v, line, "compact_defer");
}

static void late_line(struct vectors *v, struct machine *m, const char *line)
{
	int zone = zone_named(field(v, line, starts(line, "zone ") ? "name" : "zone"));

	if (zone < 0) {
		vectors_mismatch(v, line, "not understood");
	} else if (starts(line, "zone ")) {
		compare_late_zone(v, &m->s->zone[zone], line);
	} else if (starts(line, "pcp ")) {
		const struct per_cpu_pages *pcp =
			&m->s->zone[zone].pageset[index_of(v, line, "cpu", m->s->cfg.ncpus)];

		compare_number(v, line, "high", pcp->high);
		compare_number(v, line, "batch", pcp->batch);
		compare_number(v, line, "stat_threshold", pcp->stat_threshold);
		ignore(v, line, "count");
		ignore(v, line, "free_pages_diff");
	} else {
		read_whole(v, line); // lists and block types
		v->ops--;
	}
}

static void late_dump(struct vectors *v, struct machine *m, const char *begin)
{
	const char *line;

	zones_init_late(m);
	while ((line = vectors_line(v)) && !starts(line, "dump "))
		late_line(v, m, line);
	end_of_dump(v, begin, line);
}

// The kernel's caches have their array caches and lists in objects of the general caches, ours
// beside them (slab.h, Departures): that takes one slab each of two sizes.
static void general_caches(struct machine *m)
{
	enum {
		ARRAY_CACHE = 24,
		KMEM_LIST3 = 56
	};

	kmem_cache_init(m);
	kmalloc(m, ARRAY_CACHE, GFP_KERNEL);
	kmalloc(m, KMEM_LIST3, GFP_KERNEL);
}

enum stage {
	REGIONS,
	PAGES,
	CACHES,
	LATE
};

// Whether the file may come to that stage now: each follows the one before, and pages need lowmem.
static bool comes_to(struct vectors *v, struct machine *m, const char *line, enum stage *stage,
		     enum stage next)
{
	bool lowmem = m->s->zone[ZONE_DMA].present_pages || m->s->zone[ZONE_NORMAL].present_pages;

	if (next == *stage + 1 && (next == PAGES || lowmem)) {
		*stage = next;
		return true;
	}
	vectors_mismatch(v, line,
			 next == *stage + 1 ? "no lowmem to boot with"
					    : "a stage out of its order");
	return false;
}

static void stage_line(struct vectors *v, struct machine *m, const char *line, enum stage *stage)
{
	if (*stage != REGIONS && starts(line, "state before_mem_init ")) {
		vectors_mismatch(v, line, "a stage out of its order");
	} else if (starts(line, "state before_mem_init memory")) {
		load_regions(v, &m->s->memblock.memory, line);
	} else if (starts(line, "state before_mem_init reserved")) {
		load_regions(v, &m->s->memblock.reserved, line);
	} else if (starts(line, "memblock ")) {
		expect(v, line, "lowmem end", (long long)m->s->max_low_pfn << PAGE_SHIFT,
		       number(v, line, "current_limit", 16));
	} else if (starts(line, "dump after_mem_init ")) {
		if (!comes_to(v, m, line, stage, PAGES))
			return;
		page_alloc_init(m);
		dump(v, m, line, false);
	} else if (starts(line, "dump after_kmem_cache_init ")) {
		if (!comes_to(v, m, line, stage, CACHES))
			return;
		general_caches(m);
		dump(v, m, line, false);
	} else if (starts(line, "dump late ")) {
		if (comes_to(v, m, line, stage, LATE))
			late_dump(v, m, line);
	} else if (starts(line, "=== topic=boot ")) {
		read_whole(v,
			   line); // the second part's header; lowmem's total depends on the initrd
		expect(v, line, "totalhigh_pages", m->s->totalhigh_pages,
		       number(v, line, "totalhigh_pages", 10));
	} else if (!starts(line, "=== events")) {
		vectors_mismatch(v, line, "not understood");
	}
}

// Booting by hand, with the kernel's own memblock at hand-over instead of ours.
void vectors_boot_stages(struct vectors *v)
{
	enum stage stage = REGIONS;
	struct machine_config cfg;
	struct machine m;
	const char *line;

	vectors_config(v, &cfg);
	if (vectors_unbooted(v, &m, &cfg))
		return;
	while ((line = vectors_line(v)))
		stage_line(v, &m, line, &stage);
}
