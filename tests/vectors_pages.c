// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Vectors of topics bootstages, buddy, exhaust and zones: dumps of the page allocator are loaded
// into a machine or compared with it, and the kernel's calls are made again.
#include "vectors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/boot.h"
#include "core/buddy.h"

enum {
	SLOTS = 1 << 16
};

// ---- fields ----

static const char *field(const char *line, const char *key)
{
	size_t n = strlen(key);

	for (const char *p = line; (p = strstr(p, key)); p += n)
		if ((p == line || p[-1] == ' ' || p[-1] == ':') && p[n] == '=')
			return p + n + 1;
	return NULL;
}

static long long number(const char *line, const char *key)
{
	const char *p = field(line, key);

	return p ? strtoll(p, NULL, 10) : -1;
}

static int zone_named(const char *name)
{
	for (int zone = 0; zone < MAX_NR_ZONES; zone++) {
		size_t n = strlen(zone_names[zone]);

		if (name && !strncmp(name, zone_names[zone], n) && strchr(" =:", name[n]))
			return zone;
	}
	return -1;
}

static bool starts(const char *line, const char *word)
{
	return !strncmp(line, word, strlen(word));
}

static void expect(struct vectors *v, const char *line, const char *what, long long got,
		   long long want)
{
	if (got != want)
		vectors_mismatch(v, line, "%s is %lld, expected %lld", what, got, want);
}

// ---- run-length lists ----

struct tokens { // "p", "p+sxn" or "p-sxn", each perhaps followed by "/type"
	const char *at;
	pfn_t pfn;
	long step;
	unsigned long left;
	int type; // -1: none given
};

static void tokens_init(struct tokens *t, const char *line)
{
	const char *list = strstr(line, "list=");

	*t = (struct tokens){.at = list ? list + 5 : line + strlen(line)};
}

static bool next_pfn(struct tokens *t)
{
	char *end;

	if (t->left) {
		t->left--;
		t->pfn += t->step;
		return true;
	}
	t->at += strspn(t->at, " ");
	if (!*t->at)
		return false;
	t->pfn = strtoul(t->at, &end, 10);
	t->type = -1;
	if (*end == '+' || *end == '-') {
		t->step = strtol(end, &end, 10);
		t->left = strtoul(end + 1, &end, 10) - 1;
	}
	if (*end == '/')
		t->type = strtol(end + 1, &end, 10);
	t->at = end;
	return true;
}

// ---- a dump: loaded or compared ----

static void parse_list(const char *text, uint32_t *to, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		char *end;

		to[i] = strtoul(text, &end, 10);
		text = end + 1;
	}
}

static void load_zone(struct machine *m, struct zone *z, const char *line)
{
	z->zone_start_pfn = number(line, "start");
	z->spanned_pages = number(line, "spanned");
	z->present_pages = number(line, "present");
	z->vm_stat[NR_FREE_PAGES] = number(line, "nr_free");
	z->watermark[WMARK_MIN] = number(line, "min");
	z->watermark[WMARK_LOW] = number(line, "low");
	z->watermark[WMARK_HIGH] = number(line, "high");
	z->percpu_drift_mark = number(line, "drift_mark");
	parse_list(field(line, "lowmem_reserve"), z->lowmem_reserve, MAX_NR_ZONES);
	memset(z->free_area, 0, sizeof(z->free_area));
	memset(z->pageset, 0, sizeof(z->pageset));
	(void)m;
}

static void compare_zone(struct vectors *v, const struct zone *z, const char *line)
{
	uint32_t reserve[MAX_NR_ZONES];

	expect(v, line, "start", z->zone_start_pfn, number(line, "start"));
	expect(v, line, "spanned", z->spanned_pages, number(line, "spanned"));
	expect(v, line, "present", z->present_pages, number(line, "present"));
	expect(v, line, "nr_free", z->vm_stat[NR_FREE_PAGES], number(line, "nr_free"));
	expect(v, line, "min", z->watermark[WMARK_MIN], number(line, "min"));
	expect(v, line, "low", z->watermark[WMARK_LOW], number(line, "low"));
	expect(v, line, "high", z->watermark[WMARK_HIGH], number(line, "high"));
	expect(v, line, "drift_mark", z->percpu_drift_mark, number(line, "drift_mark"));
	expect(v, line, "all_unreclaimable", z->all_unreclaimable,
	       number(line, "all_unreclaimable"));
	parse_list(field(line, "lowmem_reserve"), reserve, MAX_NR_ZONES);
	for (int i = 0; i < MAX_NR_ZONES; i++)
		expect(v, line, "lowmem_reserve", z->lowmem_reserve[i], reserve[i]);
}

static void load_pcp(struct per_cpu_pages *pcp, const char *line)
{
	pcp->count = number(line, "count");
	pcp->high = number(line, "high");
	pcp->batch = number(line, "batch");
	pcp->stat_threshold = number(line, "stat_threshold");
	pcp->vm_stat_diff[NR_FREE_PAGES] = number(line, "free_pages_diff");
}

static void compare_pcp(struct vectors *v, const struct per_cpu_pages *pcp, const char *line)
{
	expect(v, line, "count", pcp->count, number(line, "count"));
	expect(v, line, "high", pcp->high, number(line, "high"));
	expect(v, line, "batch", pcp->batch, number(line, "batch"));
	expect(v, line, "stat_threshold", pcp->stat_threshold, number(line, "stat_threshold"));
	expect(v, line, "free_pages_diff", pcp->vm_stat_diff[NR_FREE_PAGES],
	       number(line, "free_pages_diff"));
}

static void load_pcplist(struct machine *m, struct per_cpu_pages *pcp, const char *line)
{
	struct list_head *list = &pcp->lists[number(line, "mt")];
	struct tokens t;

	for (tokens_init(&t, line); next_pfn(&t);) {
		struct page *page = pfn_to_page(m, t.pfn);

		page->flags = PAGE_FLAG_BIT(PG_pcp);
		page->private = t.type >= 0 ? t.type : number(line, "mt");
		page_list_add_tail(m, list, t.pfn);
	}
}

static void compare_pcplist(struct vectors *v, struct machine *m, const struct per_cpu_pages *pcp,
			    const char *line)
{
	pfn_t pfn = pcp->lists[number(line, "mt")].first;
	struct tokens t;

	for (tokens_init(&t, line); next_pfn(&t); pfn = pfn_to_page(m, pfn)->lru.next) {
		long long type = t.type >= 0 ? t.type : number(line, "mt");

		if (pfn != t.pfn || pfn_to_page(m, pfn)->private != type) {
			vectors_mismatch(v, line, "page %u type %u, expected %u type %lld", pfn,
					 pfn_to_page(m, pfn)->private, t.pfn, type);
			return;
		}
	}
	expect(v, line, "page after the end", pfn, 0);
}

static void load_free(struct machine *m, unsigned zone, const char *line)
{
	struct tokens t;

	for (tokens_init(&t, line); next_pfn(&t);)
		add_free_block(m, zone, t.pfn, number(line, "order"), number(line, "mt"), true);
}

static void compare_free(struct vectors *v, struct machine *m, unsigned zone, const char *line)
{
	const struct free_area *area = &m->s->zone[zone].free_area[number(line, "order")];
	pfn_t pfn = area->free_list[number(line, "mt")].first;
	struct tokens t;

	for (tokens_init(&t, line); next_pfn(&t); pfn = pfn_to_page(m, pfn)->lru.next)
		if (pfn != t.pfn) {
			vectors_mismatch(v, line, "block %u, expected %u", pfn, t.pfn);
			return;
		}
	expect(v, line, "block after the end", pfn, 0);
}

static void blocks_line(struct vectors *v, struct machine *m, const char *line, bool load)
{
	const char *at = strstr(line, "types=") + 6;
	const struct zone *z = &m->s->zone[zone_named(field(line, "zone"))];
	pfn_t block = number(line, "first");
	unsigned type, count;
	int n;

	expect(v, line, "first", z->zone_start_pfn & ~(PAGEBLOCK_NR_PAGES - 1u), block);
	for (; sscanf(at, " %ux%u%n", &type, &count, &n) == 2; at += n)
		for (; count--; block += PAGEBLOCK_NR_PAGES) {
			pfn_t pfn = block > z->zone_start_pfn ? block : z->zone_start_pfn;

			if (load)
				*pageblock_slot(m, pfn) = type;
			else if (pageblock_type(m, pfn) != type)
				vectors_mismatch(v, line, "block at %u has type %u, expected %u",
						 pfn, pageblock_type(m, pfn), type);
		}
}

static void dump_line(struct vectors *v, struct machine *m, const char *line, bool load)
{
	int zone = zone_named(starts(line, "zone ") ? field(line, "name") : field(line, "zone"));
	struct zone *z = &m->s->zone[zone < 0 ? 0 : zone];
	struct per_cpu_pages *pcp = &z->pageset[field(line, "cpu") ? number(line, "cpu") : 0];

	if (zone < 0)
		vectors_mismatch(v, line, "not understood");
	else if (starts(line, "zone "))
		load ? load_zone(m, z, line) : compare_zone(v, z, line);
	else if (starts(line, "nr "))
		load ? (void)0
		     : expect(v, line, "nr_free", z->free_area[number(line, "order")].nr_free,
			      number(line, "nr_free"));
	else if (starts(line, "free "))
		load ? load_free(m, zone, line) : compare_free(v, m, zone, line);
	else if (starts(line, "pcp "))
		load ? load_pcp(pcp, line) : compare_pcp(v, pcp, line);
	else if (starts(line, "pcplist "))
		load ? load_pcplist(m, pcp, line) : compare_pcplist(v, m, pcp, line);
	else if (starts(line, "blocks "))
		blocks_line(v, m, line, load);
	else
		vectors_mismatch(v, line, "not understood");
}

// Everything up to the end of the dump. Lists a dump does not show are empty: the counts say so,
// and the checker that the lists and counts agree.
static void dump(struct vectors *v, struct machine *m, bool load)
{
	const char *line;
	char why[256];

	while ((line = vectors_line(v)) && !starts(line, "dump "))
		dump_line(v, m, line, load);
	if (page_alloc_check(m, why, sizeof(why)))
		vectors_mismatch(v, line ? line : "", "%s", why);
}

static void skip_dump(struct vectors *v)
{
	const char *line;

	while ((line = vectors_line(v)) && !starts(line, "dump "))
		v->ops--;
}

// ---- buddy, exhaust ----

struct sequence {
	struct vectors *v;
	struct machine *m;
	pfn_t slot[SLOTS];
	pfn_t exact[SLOTS]; // a numbering of their own
	bool loaded;
};

static void alloc_line(struct sequence *q, const char *line)
{
	unsigned slot, gfp, order;
	char want[16];

	if (sscanf(line, "a %u %x %u %15s", &slot, &gfp, &order, want) != 4 || slot >= SLOTS) {
		vectors_mismatch(q->v, line, "not understood");
		return;
	}
	pfn_t pfn = alloc_pages(q->m, gfp, order);
	expect(q->v, line, "pfn", pfn, strtoul(want, NULL, 10));
	q->slot[slot] = pfn;
}

static void exact_line(struct sequence *q, const char *line)
{
	unsigned slot, gfp, bytes;
	char want[16];

	if (sscanf(line, "E %u %x %u %15s", &slot, &gfp, &bytes, want) != 4 || slot >= SLOTS) {
		vectors_mismatch(q->v, line, "not understood");
		return;
	}
	kaddr_t addr = alloc_pages_exact(q->m, bytes, gfp);
	q->exact[slot] = addr ? lowmem_pfn(q->m, addr) : 0;
	expect(q->v, line, "pfn", q->exact[slot], strtoul(want, NULL, 10));
}

static void free_line(struct sequence *q, const char *line)
{
	unsigned slot, pfn, arg = 0;

	if (sscanf(line, "%*c %u %u %u", &slot, &pfn, &arg) < 2 || slot >= SLOTS) {
		vectors_mismatch(q->v, line, "not understood");
		return;
	}
	pfn_t *held = *line == 'X' ? &q->exact[slot] : &q->slot[slot];
	expect(q->v, line, "slot's pfn", *held, pfn);
	if (*line == 'f')
		__free_pages(q->m, *held, arg);
	else if (*line == 'c')
		free_hot_cold_page(q->m, *held, true);
	else
		free_pages_exact(q->m, lowmem_addr(q->m, *held), arg);
	*held = 0;
}

static void sequence_line(struct sequence *q, const char *line)
{
	switch (*line) {
	case 'a':
		alloc_line(q, line);
		break;
	case 'E':
		exact_line(q, line);
		break;
	case 'f':
	case 'X':
		free_line(q, line);
		break;
	case 'D':
		drain_local_pages(q->m);
		break;
	default:
		if (starts(line, "c "))
			free_line(q, line);
		else if (starts(line, "cpu "))
			q->m->cpu = atoi(line + 4) % MAX_CPUS;
		else if (starts(line, "dump "))
			dump(q->v, q->m, !q->loaded);
		else
			q->v->ops--; // gfp names, summary
	}
	q->loaded |= starts(line, "dump ");
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
	const char *at = strstr(line, "regions=") + 8;
	unsigned base, size;
	int n;

	*t = (struct memblock_type){.max = number(line, "max")};
	for (; sscanf(at, " %x+%x%n", &base, &size, &n) == 2; at += n) {
		t->regions[t->cnt++] = (struct memblock_region){base, size, 0};
	}
	// Not the sum: trimming to whole pages leaves the total as it was.
	t->total_size = strtoull(field(line, "total"), NULL, 16);
	expect(v, line, "cnt", t->cnt, number(line, "cnt"));
}

// Watermarks, reserves and pagesets at the end of boot follow from the zones' sizes.
static void compare_late_zone(struct vectors *v, struct machine *m, const char *line)
{
	static const char *const same[] = {"start", "spanned", "present",   "min",
					   "low",   "high",    "drift_mark"};
	const struct zone *z = &m->s->zone[zone_named(field(line, "name"))];
	const uint32_t got[] = {z->zone_start_pfn,	 z->spanned_pages,
				z->present_pages,	 z->watermark[WMARK_MIN],
				z->watermark[WMARK_LOW], z->watermark[WMARK_HIGH],
				z->percpu_drift_mark};
	uint32_t reserve[MAX_NR_ZONES];

	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		expect(v, line, same[i], got[i], number(line, same[i]));
	parse_list(field(line, "lowmem_reserve"), reserve, MAX_NR_ZONES);
	for (int i = 0; i < MAX_NR_ZONES; i++)
		expect(v, line, "lowmem_reserve", z->lowmem_reserve[i], reserve[i]);
}

static void late_dump(struct vectors *v, struct machine *m)
{
	const char *line;

	m->s->cfg.ncpus = vectors_header(v, "cpus_possible", 10);
	zones_init_late(m);
	while ((line = vectors_line(v)) && !starts(line, "dump ")) {
		const struct zone *z = &m->s->zone[0];

		if (starts(line, "zone ")) {
			compare_late_zone(v, m, line);
		} else if (starts(line, "pcp ")) {
			z += zone_named(field(line, "zone"));
			const struct per_cpu_pages *pcp = &z->pageset[number(line, "cpu")];
			expect(v, line, "high", pcp->high, number(line, "high"));
			expect(v, line, "batch", pcp->batch, number(line, "batch"));
			expect(v, line, "stat_threshold", pcp->stat_threshold,
			       number(line, "stat_threshold"));
		} else {
			v->ops--; // what booted decides
		}
	}
}

void vectors_boot_stages(struct vectors *v)
{
	struct machine_config cfg;
	struct machine m;
	const char *line;

	vectors_config(v, &cfg);
	// All of it again, from the kernel's own memblock instead of ours.
	if (vectors_boot(v, &m, &cfg))
		return;
	memset(m.mem_map, 0, m.s->max_pfn * sizeof(struct page));
	memset(m.s->zone, 0, sizeof(m.s->zone));
	memset(m.pageblock, 0, m.s->off_slab - m.s->off_pageblock);
	while ((line = vectors_line(v))) {
		if (starts(line, "state before_mem_init memory")) {
			load_regions(v, &m.s->memblock.memory, line);
		} else if (starts(line, "state before_mem_init reserved")) {
			load_regions(v, &m.s->memblock.reserved, line);
		} else if (starts(line, "memblock ")) {
			expect(v, line, "lowmem end", (long long)m.s->max_low_pfn << PAGE_SHIFT,
			       strtoll(field(line, "current_limit"), NULL, 16));
		} else if (starts(line, "dump after_mem_init")) {
			page_alloc_init(&m);
			dump(v, &m, false);
		} else if (starts(line, "dump late")) {
			late_dump(v, &m);
		} else if (starts(line, "dump ")) {
			skip_dump(v);
		}
	}
}

// ---- zones ----

static void order_line(struct vectors *v, struct machine *m, const char *line, unsigned high)
{
	const char *at = strstr(line, "order:") + 6;

	for (int zone = high; zone >= 0; zone--) {
		if (!m->s->zone[zone].present_pages)
			continue;
		at += strspn(at, " ");
		if (!starts(at, zone_names[zone])) {
			vectors_mismatch(v, line, "%s does not come next", zone_names[zone]);
			return;
		}
		at += strcspn(at, " ");
	}
	if (at[strspn(at, " ")])
		vectors_mismatch(v, line, "more zones:%s", at);
}

static void gfp_line(struct vectors *v, struct machine *m, const char *line)
{
	gfp_t gfp = strtoul(strchr(line, '=') + 1, NULL, 16);

	expect(v, line, "gfp_zone", gfp_zone(gfp), number(line, "gfp_zone"));
	expect(v, line, "migratetype", gfp_migratetype(m, gfp), number(line, "migratetype"));
	order_line(v, m, line, gfp_zone(gfp));
}

static long long dirty_reserve(const struct zone *z)
{
	uint32_t max = 0;

	for (int j = 0; j < MAX_NR_ZONES; j++)
		max = z->lowmem_reserve[j] > max ? z->lowmem_reserve[j] : max;
	max += z->watermark[WMARK_HIGH];
	return max < z->present_pages ? max : z->present_pages;
}

static void zoneinfo_line(struct vectors *v, struct machine *m, const char *line)
{
	const struct zone *z = &m->s->zone[number(line, "idx")];
	uint32_t reserve[MAX_NR_ZONES];

	expect(v, line, "populated", z->present_pages != 0, number(line, "populated"));
	expect(v, line, "start", z->zone_start_pfn, number(line, "start"));
	expect(v, line, "spanned", z->spanned_pages, number(line, "spanned"));
	expect(v, line, "present", z->present_pages, number(line, "present"));
	expect(v, line, "inactive_ratio", z->inactive_ratio, number(line, "inactive_ratio"));
	if (!z->present_pages)
		return;
	expect(v, line, "min", z->watermark[WMARK_MIN], number(line, "min"));
	expect(v, line, "low", z->watermark[WMARK_LOW], number(line, "low"));
	expect(v, line, "high", z->watermark[WMARK_HIGH], number(line, "high"));
	parse_list(field(line, "reserve"), reserve, MAX_NR_ZONES);
	for (int i = 0; i < MAX_NR_ZONES; i++)
		expect(v, line, "reserve", z->lowmem_reserve[i], reserve[i]);
}

static void wmok_line(struct vectors *v, struct machine *m, const char *line)
{
	static const struct {
		const char *name;
		unsigned flags;
	} cases[] = {{"none", 0},
		     {"HIGH", ALLOC_HIGH},
		     {"HARDER", ALLOC_HARDER},
		     {"HIGHHARDER", ALLOC_HIGH | ALLOC_HARDER}};
	unsigned zone = zone_named(field(line, "zone")), classzone = number(line, "classzone");
	struct zone *z = &m->s->zone[zone], saved = *z;
	uint32_t nr[MAX_ORDER];

	parse_list(field(line, "nr"), nr, MAX_ORDER);
	for (int o = 0; o < MAX_ORDER; o++)
		z->free_area[o].nr_free = nr[o];
	z->vm_stat[NR_FREE_PAGES] = number(line, "free");
	z->lowmem_reserve[classzone] = number(line, "reserve");
	for (int i = 0; i < 4; i++)
		expect(v, line, cases[i].name,
		       zone_watermark_ok(m, zone, number(line, "order"), number(line, "mark"),
					 classzone, cases[i].flags),
		       number(line, cases[i].name));
	*z = saved;
}

static void derive_line(struct vectors *v, struct machine *m, const char *line)
{
	uint32_t present = number(line, "present");
	unsigned threshold = m->s->cfg.smp ? normal_stat_threshold(present, m->s->cfg.ncpus) : 0;

	expect(v, line, "batch", zone_batchsize(present), number(line, "batch"));
	expect(v, line, "normal_threshold", threshold, number(line, "normal_threshold"));
	expect(v, line, "inactive_ratio", zone_inactive_ratio(present),
	       number(line, "inactive_ratio"));
}

static unsigned reserve_blocks(struct machine *m, const struct zone *z)
{
	unsigned n = 0;

	for (pfn_t pfn = z->zone_start_pfn; pfn < zone_end_pfn(z);
	     pfn = (pfn | (PAGEBLOCK_NR_PAGES - 1)) + 1)
		n += pageblock_type(m, pfn) == MIGRATE_RESERVE;
	return n;
}

// "setmin min_free_kbytes=128 totalreserve=2159: DMA=0/0/0/reserveblocks=0/dirty=1000 Normal=..."
static void setmin_line(struct vectors *v, struct machine *m, const char *line)
{
	const char *at = strchr(line, ':') + 1;

	set_min_free_kbytes(m, number(line, "min_free_kbytes"));
	expect(v, line, "totalreserve", m->s->totalreserve_pages, number(line, "totalreserve"));
	for (; *(at += strspn(at, " ")); at += strcspn(at, " ")) {
		const struct zone *z = &m->s->zone[zone_named(at)];
		unsigned min, low, high, blocks, dirty;

		if (sscanf(strchr(at, '='), "=%u/%u/%u/reserveblocks=%u/dirty=%u", &min, &low,
			   &high, &blocks, &dirty) != 5) {
			vectors_mismatch(v, line, "not understood");
			return;
		}
		expect(v, line, "min", z->watermark[WMARK_MIN], min);
		expect(v, line, "low", z->watermark[WMARK_LOW], low);
		expect(v, line, "high", z->watermark[WMARK_HIGH], high);
		expect(v, line, "reserveblocks", reserve_blocks(m, z), blocks);
		expect(v, line, "dirty", dirty_reserve(z), dirty);
	}
}

static void setratio_line(struct vectors *v, struct machine *m, const char *line)
{
	const char *at = strchr(line, ':') + 1;
	uint32_t ratio[3], want[MAX_NR_ZONES];

	set_min_free_kbytes(m, *(uint32_t *)m->priv); // the sequence of setmin is over
	parse_list(line + strlen("setratio "), ratio, 3);
	for (int zone = 0; zone < 3; zone++)
		set_lowmem_reserve_ratio(m, zone, ratio[zone]);
	expect(v, line, "totalreserve", m->s->totalreserve_pages, number(line, "totalreserve"));
	for (; *(at += strspn(at, " ")); at += strcspn(at, " ")) {
		parse_list(strchr(at, '=') + 1, want, MAX_NR_ZONES);
		for (int i = 0; i < MAX_NR_ZONES; i++)
			expect(v, line, "reserve", m->s->zone[zone_named(at)].lowmem_reserve[i],
			       want[i]);
	}
}

static void setfraction_line(struct vectors *v, struct machine *m, const char *line)
{
	const char *at = strchr(line, ':') + 1;

	set_percpu_pagelist_fraction(m, number(line, "percpu_pagelist_fraction"));
	for (; *(at += strspn(at, " ")); at += strcspn(at, " ")) {
		const struct per_cpu_pages *pcp = &m->s->zone[zone_named(at)].pageset[0];

		expect(v, line, "high", pcp->high, strtol(strstr(at, "high:") + 5, NULL, 10));
		expect(v, line, "batch", pcp->batch, strtol(strstr(at, "batch:") + 6, NULL, 10));
	}
}

static void node_line(struct vectors *v, struct machine *m, const char *line)
{
	const struct machine_state *s = m->s;

	expect(v, line, "min_free_kbytes", s->min_free_kbytes, number(line, "min_free_kbytes"));
	expect(v, line, "totalreserve_pages", s->totalreserve_pages,
	       number(line, "totalreserve_pages"));
	expect(v, line, "mobility", s->page_group_by_mobility_disabled,
	       number(line, "page_group_by_mobility_disabled"));
}

static void zones_line(struct vectors *v, struct machine *m, const char *line)
{
	if (starts(line, "node "))
		node_line(v, m, line);
	else if (starts(line, "zonelist "))
		order_line(v, m, line, ZONE_MOVABLE);
	else if (starts(line, "gfp "))
		gfp_line(v, m, line);
	else if (starts(line, "zoneinfo "))
		zoneinfo_line(v, m, line);
	else if (starts(line, "wmok "))
		wmok_line(v, m, line);
	else if (starts(line, "derive "))
		derive_line(v, m, line);
	else if (starts(line, "setmin "))
		setmin_line(v, m, line);
	else if (starts(line, "setratio "))
		setratio_line(v, m, line);
	else if (starts(line, "setfraction "))
		setfraction_line(v, m, line);
	else if (starts(line, "pcpdefault ")) {
		set_percpu_pagelist_fraction(m, 0);
		const struct zone *z = &m->s->zone[zone_named(field(line, "zone"))];
		expect(v, line, "high", z->pageset[0].high, number(line, "high"));
		expect(v, line, "batch", z->pageset[0].batch, number(line, "batch"));
	} else if (!starts(line, "===")) {
		vectors_mismatch(v, line, "not understood");
	}
}

void vectors_zones(struct vectors *v)
{
	struct machine m;
	const char *line;

	if (vectors_machine(v, &m))
		return;
	uint32_t booted = m.s->min_free_kbytes;
	m.priv = &booted;
	while ((line = vectors_line(v)))
		zones_line(v, &m, line);
}
