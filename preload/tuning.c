// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// mallopt, mallinfo and their kin: answered for the machine, in the terms glibc's manual gives them.
#include <malloc.h>
#include <stdio.h>

#include "entry.h"

#define EXPORT __attribute__((visibility("default")))

// The machine has no such parameters: every wish is accepted and without effect.
EXPORT int mallopt(int param, int value)
{
	(void)param;
	(void)value;
	return 1;
}

// Memory goes back by itself (arena_freed); 0 says that this call released none.
EXPORT int malloc_trim(size_t pad)
{
	(void)pad;
	return 0;
}

// Lowmem frames beyond those the kernel itself needs count as the heap, areas as mapped.
EXPORT struct mallinfo2 mallinfo2(void)
{
	struct machine *m = &process.cpu[0];
	struct mallinfo2 info = {0};

	if (atomic_load(&process.mode) != MODE_LIVE)
		return info;
	size_t total = m->s->totalram_pages - m->s->totalhigh_pages;
	size_t free = zone_free_pages(m, ZONE_DMA) + zone_free_pages(m, ZONE_NORMAL);
	size_t high = m->s->totalhigh_pages - zone_free_pages(m, ZONE_HIGHMEM);
	info.arena = total << PAGE_SHIFT;
	info.uordblks = (total - free) << PAGE_SHIFT;
	info.fordblks = free << PAGE_SHIFT;
	info.hblks = m->s->vmalloc.nr_areas;
	info.hblkhd = high << PAGE_SHIFT;
	return info;
}

EXPORT struct mallinfo mallinfo(void)
{
	struct mallinfo2 i = mallinfo2();

	return (struct mallinfo){.arena = (int)i.arena,
				 .uordblks = (int)i.uordblks,
				 .fordblks = (int)i.fordblks,
				 .hblks = (int)i.hblks,
				 .hblkhd = (int)i.hblkhd};
}

EXPORT void malloc_stats(void)
{
	struct mallinfo2 i = mallinfo2();

	fprintf(stderr, "Arena 0:\nsystem bytes     = %10zu\nin use bytes     = %10zu\n", i.arena,
		i.uordblks);
	fprintf(stderr, "Total (incl. mmap):\nsystem bytes     = %10zu\nin use bytes     = %10zu\n",
		i.arena + i.hblkhd, i.uordblks + i.hblkhd);
}

EXPORT int malloc_info(int options, FILE *f)
{
	struct mallinfo2 i = mallinfo2();

	if (options)
		return 22; // EINVAL, returned as glibc does
	fprintf(f,
		"<malloc version=\"1\">\n<heap nr=\"0\">\n<system type=\"current\" size=\"%zu\"/>\n"
		"</heap>\n<total type=\"mmap\" count=\"%zu\" size=\"%zu\"/>\n"
		"<system type=\"current\" size=\"%zu\"/>\n</malloc>\n",
		i.arena, i.hblks, i.hblkhd, i.arena + i.hblkhd);
	return 0;
}
