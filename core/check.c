// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// All invariants of a machine, mechanism by mechanism.
#include <errno.h>
#include <stdio.h>

#include "buddy.h"

#define FAIL(...) return snprintf(why, size, __VA_ARGS__), -EINVAL

// Zones divide the frames there are as zone_of does; what is counted by the batch comes to an end.
static int zone_check(struct machine *m, unsigned zone, char *why, size_t size)
{
	const struct zone *z = &m->s->zone[zone];
	uint64_t end = (uint64_t)z->zone_start_pfn + z->spanned_pages;

	if (z->spanned_pages && (end > m->s->max_pfn || zone_of(m, z->zone_start_pfn) != zone ||
				 zone_of(m, (pfn_t)end - 1) != zone))
		FAIL("%s: it cannot span %u pages from %u", zone_names[zone], z->spanned_pages,
		     z->zone_start_pfn);
	if (z->present_pages > z->spanned_pages)
		FAIL("%s: %u pages present of %u", zone_names[zone], z->present_pages,
		     z->spanned_pages);
	for (unsigned cpu = 0; cpu < m->s->cfg.ncpus; cpu++)
		if (z->present_pages && (!z->pageset[cpu].batch || z->pageset[cpu].batch > 96))
			FAIL("%s: CPU %u takes %u pages at a time", zone_names[zone], cpu,
			     z->pageset[cpu].batch);
	return 0;
}

// Numbers of the machine as a whole, and one type for each pageblock.
static int frames_check(struct machine *m, char *why, size_t size)
{
	const struct machine_state *s = m->s;
	pfn_t border = s->max_low_pfn < s->max_pfn ? s->max_low_pfn : s->max_pfn;
	uint32_t blocks = (s->max_pfn + PAGEBLOCK_NR_PAGES - 1) / PAGEBLOCK_NR_PAGES;

	if (s->highstart_pfn != border)
		FAIL("highmem cannot begin at page %u", s->highstart_pfn);
	for (uint32_t i = 0; i <= blocks; i++)
		if (m->pageblock[i] >= MIGRATE_TYPES)
			FAIL("pageblock %u is of type %u", i, m->pageblock[i]);
	for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++)
		if (s->cpu[cpu].reap_next >= MAX_CACHES)
			FAIL("CPU %u reaps cache %u next", cpu, s->cpu[cpu].reap_next);
	if (s->task_struct_cache >= MAX_CACHES || s->sighand_cache >= MAX_CACHES)
		FAIL("caches %u and %u cannot be", s->task_struct_cache, s->sighand_cache);
	if (s->memblock.memory.cnt > MEMBLOCK_REGIONS_MAX ||
	    s->memblock.reserved.cnt > MEMBLOCK_REGIONS_MAX)
		FAIL("memblock has %u and %u regions", s->memblock.memory.cnt,
		     s->memblock.reserved.cnt);
	return 0;
}

static int lru_check(struct machine *m, unsigned zone, bool all, char *why, size_t size)
{
	const struct zone *z = &m->s->zone[zone];
	int64_t pages = 0, counted = z->vm_stat[NR_INACTIVE_FILE];
	pfn_t prev = 0;

	for (pfn_t pfn = z->inactive_file.first; pfn; pfn = pfn_to_page(m, pfn)->lru.next) {
		if (pfn >= m->s->max_pfn || zone_of(m, pfn) != zone ||
		    pfn_to_page(m, pfn)->lru.prev != prev || ++pages > z->spanned_pages)
			FAIL("%s: the inactive list is broken at %u", zone_names[zone], pfn);
		prev = pfn;
	}
	for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++)
		counted += z->pageset[cpu].vm_stat_diff[NR_INACTIVE_FILE];
	if (all && pages != counted)
		FAIL("%s: %lld pages on the inactive list, the counters say %lld", zone_names[zone],
		     (long long)pages, (long long)counted);
	if (z->inactive_file.last != prev)
		FAIL("%s: the inactive list ends elsewhere", zone_names[zone]);
	return 0;
}

static int pages_check(struct machine *m, bool all, char *why, size_t size)
{
	if (frames_check(m, why, size))
		return -EINVAL;
	for (unsigned zone = 0; zone < MAX_NR_ZONES; zone++)
		if (zone_check(m, zone, why, size) || free_area_check(m, zone, all, why, size) ||
		    pcp_check(m, zone, all, why, size) || lru_check(m, zone, all, why, size))
			return -EINVAL;
	return 0;
}

int page_alloc_check(struct machine *m, char *why, size_t size)
{
	return pages_check(m, true, why, size);
}

int machine_check(struct machine *m, char *why, size_t size)
{
	if (pages_check(m, true, why, size) || slab_check(m, why, size) ||
	    vmalloc_check(m, why, size) || kmap_check(m, why, size) || pcpu_check(m, why, size) ||
	    mm_check(m, why, size))
		return -EINVAL;
	return 0;
}

int machine_safe(struct machine *m, char *why, size_t size)
{
	if (pages_check(m, false, why, size) || slab_safe(m, why, size) ||
	    vmalloc_safe(m, why, size) || kmap_check(m, why, size) || pcpu_check(m, why, size) ||
	    mm_safe(m, why, size))
		return -EINVAL;
	return 0;
}
