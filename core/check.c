// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// All invariants of a machine, mechanism by mechanism.
#include <errno.h>
#include <stdio.h>

#include "buddy.h"

static int lru_check(struct machine *m, unsigned zone, char *why, size_t size)
{
	const struct zone *z = &m->s->zone[zone];
	int64_t pages = 0, counted = z->vm_stat[NR_INACTIVE_FILE];

	for (pfn_t pfn = z->inactive_file.first; pfn; pfn = pfn_to_page(m, pfn)->lru.next)
		if (++pages > z->spanned_pages)
			break;
	for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++)
		counted += z->pageset[cpu].vm_stat_diff[NR_INACTIVE_FILE];
	if (pages == counted)
		return 0;
	snprintf(why, size, "%s: %lld pages on the inactive list, the counters say %lld",
		 zone_names[zone], (long long)pages, (long long)counted);
	return -EINVAL;
}

int page_alloc_check(struct machine *m, char *why, size_t size)
{
	for (unsigned zone = 0; zone < MAX_NR_ZONES; zone++)
		if (free_area_check(m, zone, why, size) || pcp_check(m, zone, why, size) ||
		    lru_check(m, zone, why, size))
			return -EINVAL;
	return 0;
}

int machine_check(struct machine *m, char *why, size_t size)
{
	if (page_alloc_check(m, why, size) || slab_check(m, why, size) ||
	    vmalloc_check(m, why, size) || kmap_check(m, why, size) || pcpu_check(m, why, size) ||
	    mm_check(m, why, size))
		return -EINVAL;
	return 0;
}
