// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Zones: sizes, pagesets, watermarks, lowmem reserve, and the counters' differences.
#include <errno.h>

#include "buddy.h"

const char *const zone_names[MAX_NR_ZONES] = {"DMA", "Normal", "HighMem", "Movable"};

enum {
	MAX_DMA_PFN = 4096,
	PAGE_STRUCT_BYTES = sizeof(struct page)
};

// Position of the highest set bit, counted from 1; 0 has none.
static unsigned fls(uint32_t x)
{
	return x ? 32 - __builtin_clz(x) : 0;
}

static uint32_t min_u32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static uint32_t int_sqrt(uint32_t x)
{
	uint32_t root = 0;

	for (uint32_t bit = 1u << 15; bit; bit >>= 1)
		if ((uint64_t)(root | bit) * (root | bit) <= x)
			root |= bit;
	return root;
}

// ---- sizes ----

// Frames of memblock's memory inside [start, end).
static uint32_t ram_pages(const struct memblock *mb, pfn_t start, pfn_t end)
{
	uint32_t pages = 0;

	for (unsigned i = 0; i < mb->memory.cnt; i++) {
		const struct memblock_region *r = &mb->memory.regions[i];
		pfn_t s = ((uint64_t)r->base + PAGE_SIZE - 1) >> PAGE_SHIFT;
		pfn_t e = ((uint64_t)r->base + r->size) >> PAGE_SHIFT;

		s = s > start ? s : start;
		e = e < end ? e : end;
		pages += s < e ? e - s : 0;
	}
	return pages;
}

// Each zone pays for its own part of mem_map, though that lies in Normal.
static void zone_init(struct machine *m, unsigned zone, pfn_t start, pfn_t end)
{
	struct zone *z = &m->s->zone[zone];
	uint32_t real, memmap;

	z->zone_start_pfn = start;
	z->spanned_pages = end - start;
	real = ram_pages(&m->s->memblock, start, end);
	memmap = (z->spanned_pages * PAGE_STRUCT_BYTES + PAGE_SIZE - 1) >> PAGE_SHIFT;
	z->present_pages = real >= memmap ? real - memmap : real;
	z->inactive_ratio = 1;
	for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++)
		z->pageset[cpu].batch = 1; // boot pageset: high 0, every free drains
	// Blocks begin movable, except one that begins before its zone.
	for (pfn_t pfn = start & ~(PAGEBLOCK_NR_PAGES - 1u); pfn < end; pfn += PAGEBLOCK_NR_PAGES)
		if (pfn >= start)
			set_pageblock_migratetype(m, pfn, MIGRATE_MOVABLE);
}

bool zone_span(const struct machine *m, unsigned zone, pfn_t *start, pfn_t *end)
{
	const struct machine_state *s = m->s;

	*start = zone == ZONE_DMA
			 ? (memblock_start_of_DRAM(&s->memblock) + PAGE_SIZE - 1) >> PAGE_SHIFT
		 : zone == ZONE_NORMAL ? MAX_DMA_PFN
				       : s->highstart_pfn;
	*end = zone == ZONE_DMA	     ? min_u32(MAX_DMA_PFN, s->max_low_pfn)
	       : zone == ZONE_NORMAL ? s->max_low_pfn
				     : s->max_pfn;
	return zone < ZONE_MOVABLE && *start < *end;
}

void zones_init(struct machine *m)
{
	struct machine_state *s = m->s;
	uint32_t total = 0;
	pfn_t start, end;

	for (unsigned zone = 0; zone < MAX_NR_ZONES; zone++) {
		if (zone_span(m, zone, &start, &end))
			zone_init(m, zone, start, end);
		total += s->zone[zone].present_pages;
	}
	s->page_group_by_mobility_disabled = total < PAGEBLOCK_NR_PAGES * MIGRATE_TYPES;
}

unsigned page_zonenum(const struct machine *m, pfn_t pfn)
{
	return zone_of(m, pfn);
}

// The zonelist begins here. DMA is always populated, so the search ends.
uint32_t fallback_zone(const struct machine *m, unsigned high_zoneidx)
{
	while (high_zoneidx && !m->s->zone[high_zoneidx].present_pages)
		high_zoneidx--;
	return high_zoneidx;
}

// One wait queue for every 256 pages at least.
uint32_t zone_wait_table_entries(uint32_t spanned_pages)
{
	uint32_t size = 4;

	while (size < spanned_pages / 256 && size < 4096)
		size *= 2;
	return size;
}

// ---- pagesets ----

// A quarter of a thousandth of the zone, at most half a MiB, and one less than a power of two:
// lists of such lengths do not fall into step with the caches of the machine.
unsigned zone_batchsize(uint32_t present_pages)
{
	uint32_t batch = present_pages / 1024;

	if (batch > 512 * 1024 / PAGE_SIZE)
		batch = 512 * 1024 / PAGE_SIZE;
	batch /= 4;
	if (!batch)
		batch = 1;
	return (1u << (fls(batch + batch / 2) - 1)) - 1;
}

// With vm.percpu_pagelist_fraction every CPU may hold that part of the zone instead.
static void setup_pageset(struct per_cpu_pages *pcp, const struct machine_config *cfg,
			  uint32_t present)
{
	unsigned batch = zone_batchsize(present);

	pcp->high = 6 * batch;
	pcp->batch = batch ? batch : 1;
	if (cfg->percpu_pagelist_fraction) {
		pcp->high = present / cfg->percpu_pagelist_fraction;
		batch = pcp->high / 4;
		pcp->batch = batch < 1 ? 1 : batch > 96 ? 96 : batch;
	}
}

void setup_pagesets(struct machine *m)
{
	for (unsigned zone = 0; zone < MAX_NR_ZONES; zone++) {
		struct zone *z = &m->s->zone[zone];

		for (unsigned cpu = 0; z->present_pages && cpu < m->s->cfg.ncpus; cpu++)
			setup_pageset(&z->pageset[cpu], &m->s->cfg, z->present_pages);
	}
}

// How far a CPU's counter difference may grow before it is folded: with more CPUs and memory the
// shared counter is touched less often, and read less exactly.
unsigned normal_stat_threshold(uint32_t present_pages, unsigned ncpus)
{
	uint32_t mem = present_pages >> (27 - PAGE_SHIFT); // in 128 MiB
	unsigned threshold = 2 * fls(ncpus) * (1 + fls(mem));

	return threshold < 125 ? threshold : 125;
}

// The same while kswapd runs: all CPUs together may not hide the distance from low to min mark.
unsigned pressure_stat_threshold(uint32_t low_to_min, unsigned ncpus)
{
	uint32_t threshold = low_to_min / ncpus;

	return threshold < 1 ? 1 : threshold < 125 ? threshold : 125;
}

// This CPU's, while kswapd runs on it or when it has ended.
void set_stat_threshold(struct machine *m, unsigned zone, bool pressure)
{
	struct zone *z = &m->s->zone[zone];
	uint32_t low_to_min = z->watermark[WMARK_LOW] - z->watermark[WMARK_MIN];
	unsigned ncpus = m->s->cfg.ncpus;

	if (m->s->cfg.smp)
		z->pageset[m->cpu].stat_threshold =
			(int32_t)(pressure ? pressure_stat_threshold(low_to_min, ncpus)
					   : normal_stat_threshold(z->present_pages, ncpus));
}

// Where all CPUs' differences together could hide the distance from low to min mark, the drift mark
// says below which count the exact sum would have to be taken.
static void refresh_zone_stat_thresholds(struct machine *m)
{
	unsigned ncpus = m->s->cfg.ncpus;

	if (!m->s->cfg.smp)
		return;
	for (unsigned zone = 0; zone < MAX_NR_ZONES; zone++) {
		struct zone *z = &m->s->zone[zone];
		unsigned threshold = normal_stat_threshold(z->present_pages, ncpus);
		uint32_t tolerated = z->watermark[WMARK_LOW] - z->watermark[WMARK_MIN];

		if (!z->present_pages)
			continue;
		for (unsigned cpu = 0; cpu < ncpus; cpu++)
			z->pageset[cpu].stat_threshold = threshold;
		if (ncpus * threshold > tolerated)
			z->percpu_drift_mark = z->watermark[WMARK_HIGH] + ncpus * threshold;
	}
}

// ---- watermarks ----

// A block with one frame that never comes back can never be free as a whole.
static bool pageblock_is_reserved(const struct machine *m, pfn_t start, pfn_t end)
{
	const uint32_t mask = PAGE_FLAG_BIT(PG_reserved) | PAGE_FLAG_BIT(PG_hole);

	for (pfn_t pfn = start; pfn < end; pfn++)
		if (page_flags(pfn_to_page(m, pfn)) & mask)
			return true;
	return false;
}

// Keeps one or two pageblocks of the zone as RESERVE, the lowest movable ones that can be free.
static void setup_zone_migrate_reserve(struct machine *m, unsigned zone)
{
	const struct zone *z = &m->s->zone[zone];
	const pfn_t mask = PAGEBLOCK_NR_PAGES - 1, end = zone_end_pfn(z);
	uint32_t reserve = (z->watermark[WMARK_MIN] + mask) >> PAGEBLOCK_ORDER;

	reserve = min_u32(reserve, 2);
	for (pfn_t pfn = (z->zone_start_pfn + mask) & ~mask; pfn < end; pfn += PAGEBLOCK_NR_PAGES) {
		unsigned type = get_pageblock_migratetype(m, pfn);

		if (reserve) {
			if (pageblock_is_reserved(m, pfn, min_u32(pfn + PAGEBLOCK_NR_PAGES, end)))
				continue;
			if (type == MIGRATE_MOVABLE) {
				set_pageblock_migratetype(m, pfn, MIGRATE_RESERVE);
				move_freepages_block(m, zone, pfn, MIGRATE_RESERVE);
			}
			if (type == MIGRATE_MOVABLE || type == MIGRATE_RESERVE) {
				reserve--;
				continue;
			}
		}
		if (type == MIGRATE_RESERVE) {
			set_pageblock_migratetype(m, pfn, MIGRATE_MOVABLE);
			move_freepages_block(m, zone, pfn, MIGRATE_MOVABLE);
		}
	}
}

// What user pages should not count on: every zone's high mark and largest reserve.
static void calculate_totalreserve_pages(struct machine *m)
{
	m->s->totalreserve_pages = 0;
	for (unsigned zone = 0; zone < MAX_NR_ZONES; zone++) {
		struct zone *z = &m->s->zone[zone];
		uint32_t max = 0;

		for (unsigned j = zone; j < MAX_NR_ZONES; j++)
			if (z->lowmem_reserve[j] > max)
				max = z->lowmem_reserve[j];
		max += z->watermark[WMARK_HIGH];
		z->dirty_balance_reserve = min_u32(max, z->present_pages);
		m->s->totalreserve_pages += z->dirty_balance_reserve;
	}
}

// Zones share min_free_kbytes by size. Highmem needs little at the bottom, since the kernel itself
// never allocates there, but keeps its share for the distance to low and high.
void setup_per_zone_wmarks(struct machine *m)
{
	uint32_t pages_min = m->s->min_free_kbytes >> (PAGE_SHIFT - 10), lowmem = 0;

	for (unsigned zone = 0; zone < ZONE_HIGHMEM; zone++)
		lowmem += m->s->zone[zone].present_pages;
	for (unsigned zone = 0; zone < MAX_NR_ZONES; zone++) {
		struct zone *z = &m->s->zone[zone];
		uint32_t share = (uint64_t)pages_min * z->present_pages / lowmem;
		uint32_t min = share;

		if (zone == ZONE_HIGHMEM) {
			min = z->present_pages / 1024;
			min = min < 32 ? 32 : min > 128 ? 128 : min;
		}
		z->watermark[WMARK_MIN] = min;
		z->watermark[WMARK_LOW] = min + (share >> 2);
		z->watermark[WMARK_HIGH] = min + (share >> 1);
		if (z->present_pages)
			setup_zone_migrate_reserve(m, zone);
	}
	calculate_totalreserve_pages(m);
}

// A request that could go to zone j must leave in each lower zone i a part of all memory from i + 1
// to j: so much of it might later need i's frames and nothing else.
void setup_per_zone_lowmem_reserve(struct machine *m)
{
	for (unsigned j = 0; j < MAX_NR_ZONES; j++) {
		uint32_t above = m->s->zone[j].present_pages;

		m->s->zone[j].lowmem_reserve[j] = 0;
		for (unsigned i = j; i-- > 0;) {
			uint32_t ratio = m->s->cfg.lowmem_reserve_ratio[i];

			m->s->zone[i].lowmem_reserve[j] = above / (ratio ? ratio : 1);
			above += m->s->zone[i].present_pages;
		}
	}
	calculate_totalreserve_pages(m);
}

unsigned zone_inactive_ratio(uint32_t present_pages)
{
	uint32_t gb = present_pages >> (30 - PAGE_SHIFT);

	return gb ? int_sqrt(10 * gb) : 1;
}

void zones_init_late(struct machine *m)
{
	struct machine_state *s = m->s;
	uint32_t lowmem_kbytes = 0;

	setup_pagesets(m);
	for (unsigned zone = 0; zone < ZONE_HIGHMEM; zone++)
		lowmem_kbytes += s->zone[zone].present_pages << (PAGE_SHIFT - 10);
	// The kernel's bounds, 128 and 65536, are out of reach of any lowmem a machine can have.
	s->min_free_kbytes = int_sqrt(lowmem_kbytes * 16);
	if (s->cfg.min_free_kbytes >= 0)
		s->min_free_kbytes = s->cfg.min_free_kbytes;
	setup_per_zone_wmarks(m);
	refresh_zone_stat_thresholds(m);
	setup_per_zone_lowmem_reserve(m);
	for (unsigned zone = 0; zone < MAX_NR_ZONES; zone++)
		s->zone[zone].inactive_ratio = zone_inactive_ratio(s->zone[zone].present_pages);
}

// Without the differences the CPUs still hold, as watermark tests read it.
uint32_t zone_free_pages(struct machine *m, unsigned zone)
{
	int32_t free = __atomic_load_n(&m->s->zone[zone].vm_stat[NR_FREE_PAGES], __ATOMIC_RELAXED);

	return free > 0 ? free : 0;
}

// For order o, blocks below it do not help: they are taken off step by step, while at each step
// half as many must remain. Strictly more than the mark has to be free.
bool zone_watermark_ok(struct machine *m, unsigned zone, unsigned order, uint32_t mark,
		       unsigned classzone, unsigned alloc_flags)
{
	const struct zone *z = &m->s->zone[zone];
	int64_t free = (int64_t)zone_free_pages(m, zone) - ((1 << order) - 1);
	int64_t min = mark;

	if (alloc_flags & ALLOC_HIGH)
		min -= min / 2;
	if (alloc_flags & ALLOC_HARDER)
		min -= min / 4;
	if (free <= min + z->lowmem_reserve[classzone])
		return false;
	for (unsigned o = 0; o < order; o++) {
		free -= (int64_t)__atomic_load_n(&z->free_area[o].nr_free, __ATOMIC_RELAXED) << o;
		min >>= 1;
		if (free <= min)
			return false;
	}
	return true;
}

// ---- steps ----

static void stat_change(struct machine *m, unsigned zone, unsigned item, int32_t delta)
{
	struct zone *z = &m->s->zone[zone];

	if (item < NR_VM_ZONE_STAT_ITEMS) {
		mod_zone_page_state(m, z, item, delta);
		return;
	}
	// All of this CPU's differences at once.
	for (unsigned i = 0; i < NR_VM_ZONE_STAT_ITEMS; i++) {
		set_relaxed((uint32_t *)&z->vm_stat[i],
			    (uint32_t)z->vm_stat[i] + (uint32_t)z->pageset[m->cpu].vm_stat_diff[i]);
		z->pageset[m->cpu].vm_stat_diff[i] = 0;
	}
}

static void stat_step(struct machine *m, unsigned zone, unsigned item, int32_t delta)
{
	step_begin(m, LOCK_ZONE + zone);
	stat_change(m, zone, item, delta);
	step_end(m, LOCK_ZONE + zone, EV_ZONE_STAT, zone, item, delta, 0, 0, 0);
}

void zone_stat(struct machine *m, unsigned zone, enum zone_stat_item item, int delta)
{
	stat_step(m, zone, item, delta);
}

static bool has_diffs(const struct per_cpu_pages *pcp)
{
	for (unsigned i = 0; i < NR_VM_ZONE_STAT_ITEMS; i++)
		if (pcp->vm_stat_diff[i])
			return true;
	return false;
}

// The kernel does this once a second; here whoever owns the clock calls it.
void vmstat_fold(struct machine *m)
{
	for (unsigned zone = 0; zone < MAX_NR_ZONES; zone++)
		if (has_diffs(&m->s->zone[zone].pageset[m->cpu]))
			stat_step(m, zone, NR_VM_ZONE_STAT_ITEMS, 0);
}

int ZONE_STAT_apply(struct machine *m, const struct record *r)
{
	uint32_t zone = r->arg[0], item = r->arg[1];

	if (zone >= MAX_NR_ZONES || r->lock != LOCK_ZONE + zone || item == NR_FREE_PAGES ||
	    item > NR_VM_ZONE_STAT_ITEMS)
		return -EILSEQ;
	stat_step(m, zone, item, r->arg[2]);
	return 0;
}

enum {
	SYSCTL_MIN_FREE_KBYTES = 1,
	SYSCTL_PCP_FRACTION,
	SYSCTL_RESERVE_RATIO
};

static int sysctl_change(struct machine *m, uint32_t which, uint32_t value, uint32_t value2)
{
	struct machine_config *cfg = &m->s->cfg;

	switch (which) {
	case SYSCTL_MIN_FREE_KBYTES:
		m->s->min_free_kbytes = value;
		setup_per_zone_wmarks(m);
		return 0;
	case SYSCTL_PCP_FRACTION:
		if (value && value < 8)
			return -EINVAL;
		cfg->percpu_pagelist_fraction = value;
		setup_pagesets(m);
		return 0;
	case SYSCTL_RESERVE_RATIO:
		if (value >= 3)
			return -EINVAL;
		cfg->lowmem_reserve_ratio[value] = value2 ? value2 : 1;
		setup_per_zone_lowmem_reserve(m);
		return 0;
	}
	return -EINVAL;
}

// Watermarks and reserves are read without locks everywhere, so nobody may run meanwhile.
static int sysctl(struct machine *m, uint32_t which, uint32_t value, uint32_t value2)
{
	int ret;

	if (m->ops->stop_machine)
		m->ops->stop_machine(m);
	ret = sysctl_change(m, which, value, value2);
	if (!ret)
		step_local(m, EV_SYSCTL, which, value, value2, 0, 0, 0);
	if (m->ops->restart_machine)
		m->ops->restart_machine(m);
	return ret;
}

int set_min_free_kbytes(struct machine *m, uint32_t kbytes)
{
	return sysctl(m, SYSCTL_MIN_FREE_KBYTES, kbytes, 0);
}

int set_percpu_pagelist_fraction(struct machine *m, uint32_t fraction)
{
	return sysctl(m, SYSCTL_PCP_FRACTION, fraction, 0);
}

int set_lowmem_reserve_ratio(struct machine *m, unsigned zone, uint32_t ratio)
{
	return sysctl(m, SYSCTL_RESERVE_RATIO, zone, ratio);
}

int SYSCTL_apply(struct machine *m, const struct record *r)
{
	return sysctl(m, r->arg[0], r->arg[1], r->arg[2]) ? -EILSEQ : 0;
}
