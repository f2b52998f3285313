// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Vectors of topic zones: which zones a request may use, watermarks, reserves and pagesets of the
// machine as it booted and after every sysctl, and the watermark test on made-up zones.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/boot.h"
#include "core/buddy.h"
#include "vectors_dump.h"

// "order: NAME NAME", the best zone first; in the zonelist line each with "(idx=N)".
static void order_line(struct vectors *v, struct machine *m, const char *line, unsigned high)
{
	const char *at = strstr(line, "order:");

	if (at)
		at += strlen("order:");
	for (int zone = high; at && zone >= 0; zone--) {
		if (!m->s->zone[zone].present_pages)
			continue;
		at += strspn(at, " ");
		size_t n = strlen(zone_names[zone]);
		char idx[16];

		snprintf(idx, sizeof(idx), "(idx=%d)", zone);
		if (strncmp(at, zone_names[zone], n) || (at[n] == '(' && !starts(at + n, idx)) ||
		    !strchr(" (", at[n])) {
			vectors_mismatch(v, line, "%s does not come next", zone_names[zone]);
			return;
		}
		at += strcspn(at, " ");
	}
	if (!at || at[strspn(at, " ")])
		vectors_mismatch(v, line, "more zones:%s", at ? at : "");
	if (at && starts(line, "zonelist "))
		read_whole(v, line);
}

static void gfp_line(struct vectors *v, struct machine *m, const char *line)
{
	const char *mask = strchr(line, '=');
	gfp_t gfp = mask ? strtoul(mask + 1, NULL, 16) : 0;

	read_whole(v, line);
	expect(v, line, "gfp_zone", gfp_zone(gfp), number(v, line, "gfp_zone", 10));
	expect(v, line, "migratetype", gfp_migratetype(m, gfp), number(v, line, "migratetype", 10));
	order_line(v, m, line, gfp_zone(gfp));
}

static void zoneinfo_line(struct vectors *v, struct machine *m, const char *line)
{
	unsigned zone = index_of(v, line, "idx", MAX_NR_ZONES);
	const struct zone *z = &m->s->zone[zone];
	uint32_t wait = z->spanned_pages ? zone_wait_table_entries(z->spanned_pages) : 0;

	expect(v, line, "populated", z->present_pages != 0, number(v, line, "populated", 10));
	expect(v, line, "start", z->zone_start_pfn, number(v, line, "start", 10));
	expect(v, line, "spanned", z->spanned_pages, number(v, line, "spanned", 10));
	expect(v, line, "present", z->present_pages, number(v, line, "present", 10));
	expect(v, line, "inactive_ratio", z->inactive_ratio, number(v, line, "inactive_ratio", 10));
	expect(v, line, "name", zone_named(field(v, line, "name")), zone);
	expect(v, line, "dirty_reserve", z->dirty_balance_reserve,
	       number(v, line, "dirty_reserve", 10));
	expect(v, line, "wait table", wait, number(v, line, "wait_table_hash_nr_entries", 10));
	expect(v, line, "wait table bits", wait ? __builtin_ctz(wait) : 0,
	       number(v, line, "wait_table_bits", 10));
	expect(v, line, "min", z->watermark[WMARK_MIN], number(v, line, "min", 10));
	expect(v, line, "low", z->watermark[WMARK_LOW], number(v, line, "low", 10));
	expect(v, line, "high", z->watermark[WMARK_HIGH], number(v, line, "high", 10));
	compare_reserve(v, z, line, "reserve");
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
	unsigned classzone = index_of(v, line, "classzone", MAX_NR_ZONES);
	int zone = zone_named(field(v, line, "zone"));
	uint32_t nr[MAX_ORDER];

	if (zone < 0) {
		vectors_mismatch(v, line, "no such zone");
		return;
	}
	struct zone *z = &m->s->zone[zone], saved = *z;
	load_list(v, line, "nr", nr, MAX_ORDER);
	for (int o = 0; o < MAX_ORDER; o++)
		z->free_area[o].nr_free = nr[o];
	z->vm_stat[NR_FREE_PAGES] = number(v, line, "free", 10);
	z->lowmem_reserve[classzone] = number(v, line, "reserve", 10);
	for (int i = 0; i < 4; i++)
		expect(v, line, cases[i].name,
		       zone_watermark_ok(m, zone, index_of(v, line, "order", MAX_ORDER),
					 number(v, line, "mark", 10), classzone, cases[i].flags),
		       number(v, line, cases[i].name, 10));
	*z = saved;
}

static void derive_line(struct vectors *v, struct machine *m, const char *line)
{
	const char *low_min = strstr(line, "pressure_threshold(low-min=");
	unsigned ncpus = m->s->cfg.ncpus, normal = 0, pressure = 0;
	uint32_t present = number(v, line, "present", 10), distance = 0, want = 0;

	if (!low_min || sscanf(low_min, "pressure_threshold(low-min=%u)=%u", &distance, &want) != 2)
		vectors_mismatch(v, line, "no pressure_threshold(low-min=N)=N");
	read_whole(v, line);
	if (m->s->cfg.smp) { // a UP build counts exactly
		normal = normal_stat_threshold(present, ncpus);
		pressure = pressure_stat_threshold(distance, ncpus);
	}
	expect(v, line, "batch", zone_batchsize(present), number(v, line, "batch", 10));
	expect(v, line, "normal_threshold", normal, number(v, line, "normal_threshold", 10));
	expect(v, line, "pressure_threshold", pressure, want);
	expect(v, line, "inactive_ratio", zone_inactive_ratio(present),
	       number(v, line, "inactive_ratio", 10));
	expect(v, line, "wait_table_entries", zone_wait_table_entries(present),
	       number(v, line, "wait_table_entries", 10));
}

static unsigned reserve_blocks(struct machine *m, const struct zone *z)
{
	unsigned n = 0;

	for (pfn_t pfn = z->zone_start_pfn; pfn < zone_end_pfn(z);
	     pfn = (pfn | (PAGEBLOCK_NR_PAGES - 1)) + 1)
		n += pageblock_type(m, pfn) == MIGRATE_RESERVE;
	return n;
}

// "NAME: ZONE=... ZONE=...": the next zone of such a line, NULL behind the last; *at then stands at
// its '='.
static struct zone *next_zone(struct vectors *v, struct machine *m, const char *line,
			      const char **at)
{
	int zone;

	*at += strcspn(*at, " ");
	*at += strspn(*at, " ");
	if (!**at)
		return NULL;
	zone = zone_named(*at);
	*at += strcspn(*at, "=");
	if (zone >= 0 && **at == '=')
		return &m->s->zone[zone];
	vectors_mismatch(v, line, "a zone is not understood");
	return NULL;
}

// Every populated zone stands in such a line once.
static void expect_all_zones(struct vectors *v, struct machine *m, const char *line, unsigned seen)
{
	unsigned populated = 0;

	for (unsigned zone = 0; zone < MAX_NR_ZONES; zone++)
		populated += m->s->zone[zone].present_pages != 0;
	expect(v, line, "number of zones", populated, seen);
	read_whole(v, line);
}

static const char *behind_colon(const char *line)
{
	const char *colon = strchr(line, ':');

	return colon ? colon : "";
}

// "setmin min_free_kbytes=128 totalreserve=2159: DMA=0/0/0/reserveblocks=0/dirty=1000 Normal=..."
static void setmin_line(struct vectors *v, struct machine *m, const char *line)
{
	const char *at = behind_colon(line);
	const struct zone *z;
	unsigned seen = 0;

	set_min_free_kbytes(m, number(v, line, "min_free_kbytes", 10));
	expect(v, line, "totalreserve", m->s->totalreserve_pages,
	       number(v, line, "totalreserve", 10));
	for (; (z = next_zone(v, m, line, &at)); seen++) {
		unsigned min, low, high, blocks, dirty;

		if (sscanf(at, "=%u/%u/%u/reserveblocks=%u/dirty=%u", &min, &low, &high, &blocks,
			   &dirty) != 5) {
			vectors_mismatch(v, line, "not understood");
			return;
		}
		expect(v, line, "min", z->watermark[WMARK_MIN], min);
		expect(v, line, "low", z->watermark[WMARK_LOW], low);
		expect(v, line, "high", z->watermark[WMARK_HIGH], high);
		expect(v, line, "reserveblocks", reserve_blocks(m, z), blocks);
		expect(v, line, "dirty", z->dirty_balance_reserve, dirty);
	}
	expect_all_zones(v, m, line, seen);
}

static void setratio_line(struct vectors *v, struct machine *m, const char *line)
{
	const char *at = behind_colon(line);
	const struct zone *z;
	unsigned ratio[3], seen = 0;

	set_min_free_kbytes(m, *(uint32_t *)m->priv); // the sequence of setmin is over
	if (sscanf(line, "setratio %u,%u,%u ", &ratio[0], &ratio[1], &ratio[2]) != 3)
		vectors_mismatch(v, line, "not three ratios");
	for (int zone = 0; zone < 3; zone++)
		set_lowmem_reserve_ratio(m, zone, ratio[zone]);
	expect(v, line, "totalreserve", m->s->totalreserve_pages,
	       number(v, line, "totalreserve", 10));
	for (; (z = next_zone(v, m, line, &at)); seen++)
		compare_reserve(v, z, line, zone_names[z - m->s->zone]);
	expect_all_zones(v, m, line, seen);
}

static void setfraction_line(struct vectors *v, struct machine *m, const char *line)
{
	const char *at = behind_colon(line);
	const struct zone *z;
	unsigned seen = 0;

	set_percpu_pagelist_fraction(m, number(v, line, "percpu_pagelist_fraction", 10));
	for (; (z = next_zone(v, m, line, &at)); seen++) {
		const struct per_cpu_pages *pcp = &z->pageset[0];
		unsigned high, batch;

		if (sscanf(at, "=high:%u,batch:%u", &high, &batch) != 2) {
			vectors_mismatch(v, line, "not understood");
			return;
		}
		expect(v, line, "high", pcp->high, high);
		expect(v, line, "batch", pcp->batch, batch);
	}
	expect_all_zones(v, m, line, seen);
}

// All zones together.
static void node_line(struct vectors *v, struct machine *m, const char *line)
{
	const struct machine_state *s = m->s;
	uint32_t present = 0, memmap = 0, dirty = 0;

	for (unsigned zone = 0; zone < MAX_NR_ZONES; zone++) {
		const struct zone *z = &s->zone[zone];

		present += z->present_pages;
		dirty += z->dirty_balance_reserve;
		memmap += (z->spanned_pages * sizeof(struct page) + PAGE_SIZE - 1) >> PAGE_SHIFT;
	}
	expect(v, line, "start_pfn", s->zone[ZONE_DMA].zone_start_pfn,
	       number(v, line, "start_pfn", 10));
	expect(v, line, "spanned", s->max_pfn - s->zone[ZONE_DMA].zone_start_pfn,
	       number(v, line, "spanned", 10));
	// The node does not pay for mem_map, its zones do.
	expect(v, line, "present", present + memmap, number(v, line, "present", 10));
	expect(v, line, "min_free_kbytes", s->min_free_kbytes,
	       number(v, line, "min_free_kbytes", 10));
	expect(v, line, "totalreserve_pages", s->totalreserve_pages,
	       number(v, line, "totalreserve_pages", 10));
	expect(v, line, "dirty_balance_reserve", dirty,
	       number(v, line, "dirty_balance_reserve", 10));
	expect(v, line, "mobility", s->page_group_by_mobility_disabled,
	       number(v, line, "page_group_by_mobility_disabled", 10));
	// As zonelists were built, before there were watermarks.
	expect(v, line, "vm_total_pages", present, number(v, line, "vm_total_pages", 10));
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
		int zone = zone_named(field(v, line, "zone"));
		const struct zone *z = &m->s->zone[zone < 0 ? ZONE_MOVABLE : zone];
		expect(v, line, "high", z->pageset[0].high, number(v, line, "high", 10));
		expect(v, line, "batch", z->pageset[0].batch, number(v, line, "batch", 10));
	} else if (!starts(line, "=== events")) {
		vectors_mismatch(v, line, "not understood");
	}
}

void vectors_zones(struct vectors *v)
{
	struct machine_config cfg;
	struct machine m;
	const char *line;

	vectors_config(v, &cfg);
	if (vectors_boot(v, &m, &cfg))
		return;
	uint32_t booted = m.s->min_free_kbytes;
	m.priv = &booted;
	while ((line = vectors_line(v)))
		zones_line(v, &m, line);
}
