// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Vectors of topic memblock: every call on a private pair of arrays, and the arrays after it.
#include "vectors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void expect_text(struct vectors *v, const char *line, const char *got)
{
	const char *want = strstr(line, "mem=");

	if (want && strcmp(got, want))
		vectors_mismatch(v, line, "%s", got);
}

static void expect(struct vectors *v, const char *line, const char *what, long long got,
		   long long want)
{
	if (got != want)
		vectors_mismatch(v, line, "%s is %#llx, expected %#llx", what, got, want);
}

static void check_counts(struct vectors *v, const struct memblock *mb, const char *line)
{
	char got[128];

	snprintf(got, sizeof(got), "mem=%u/%u/%llx res=%u/%u/%llx", mb->memory.cnt, mb->memory.max,
		 (unsigned long long)mb->memory.total_size, mb->reserved.cnt, mb->reserved.max,
		 (unsigned long long)mb->reserved.total_size);
	expect_text(v, line, got);
}

static void change_line(struct vectors *v, struct memblock *mb, const char *line)
{
	unsigned base, size;
	char name[16];
	int want, ret;

	if (sscanf(line, "%15s %x %x ret=%d", name, &base, &size, &want) != 4) {
		vectors_mismatch(v, line, "not understood");
		return;
	}
	ret = !strcmp(name, "add")	 ? memblock_add(mb, base, size)
	      : !strcmp(name, "remove")	 ? memblock_remove(mb, base, size)
	      : !strcmp(name, "reserve") ? memblock_reserve(mb, base, size)
					 : memblock_free(mb, base, size);
	expect(v, line, "ret", ret, want);
}

static void alloc_line(struct vectors *v, struct memblock *mb, const char *line)
{
	unsigned size, align, max, want;

	if (sscanf(line, "alloc_base size=%x align=%x max=%x -> %x", &size, &align, &max, &want) !=
	    4)
		vectors_mismatch(v, line, "not understood");
	else
		expect(v, line, "address", memblock_alloc_base(mb, size, align, max), want);
}

static void find_line(struct vectors *v, struct memblock *mb, const char *line)
{
	unsigned start, end, size, align, want;

	if (sscanf(line, "find start=%x end=%x size=%x align=%x -> %x", &start, &end, &size, &align,
		   &want) != 5)
		vectors_mismatch(v, line, "not understood");
	else
		expect(v, line, "address", memblock_find_in_range(mb, start, end, size, align),
		       want);
}

static void query_line(struct vectors *v, struct memblock *mb, const char *line)
{
	unsigned base, size, memory, reserved;

	if (sscanf(line, "is_memory %x -> %u is_reserved -> %u", &base, &memory, &reserved) == 3) {
		expect(v, line, "memory", memblock_is_memory(mb, base), memory);
		expect(v, line, "reserved", memblock_is_reserved(mb, base), reserved);
	} else if (sscanf(line, "is_region_memory %x %x -> %u is_region_reserved -> %u", &base,
			  &size, &memory, &reserved) == 4) {
		expect(v, line, "memory", memblock_is_region_memory(mb, base, size), memory);
		expect(v, line, "reserved", memblock_is_region_reserved(mb, base, size), reserved);
	} else {
		vectors_mismatch(v, line, "not understood");
	}
}

static void free_ranges_line(struct vectors *v, struct memblock *mb, const char *line)
{
	static char got[8192];
	uint32_t start, end;
	uint64_t cursor = 0;
	int n = snprintf(got, sizeof(got), "free_ranges"), count = 0;

	while (memblock_next_free(mb, &cursor, &start, &end) && ++count)
		if (count <= 40)
			n += snprintf(got + n, sizeof(got) - n, " %x-%x", start, end);
	n += snprintf(got + n, sizeof(got) - n, " n=%d rev", count);
	cursor = UINT64_MAX;
	for (int i = 0; i < 10 && memblock_prev_free(mb, &cursor, &start, &end); i++)
		n += snprintf(got + n, sizeof(got) - n, " %x-%x", start, end);
	if (strcmp(got, line))
		vectors_mismatch(v, line, "%s", got);
}

static void dram_line(struct vectors *v, struct memblock *mb, const char *line)
{
	char got[128];

	snprintf(got, sizeof(got), "start_of_DRAM %x end_of_DRAM %x phys_mem_size %llx",
		 memblock_start_of_DRAM(mb), memblock_end_of_DRAM(mb),
		 (unsigned long long)mb->memory.total_size);
	if (strcmp(got, line))
		vectors_mismatch(v, line, "%s", got);
}

static void state_line(struct vectors *v, struct memblock *mb, const char *line)
{
	const struct memblock_type *t = strstr(line, " reserved ") ? &mb->reserved : &mb->memory;
	static char got[1 << 16];
	int n = snprintf(got, sizeof(got), "cnt=%u max=%u total=%llx regions=", t->cnt, t->max,
			 (unsigned long long)t->total_size);

	for (unsigned i = 0; i < t->cnt; i++)
		n += snprintf(got + n, sizeof(got) - n, " %x+%x", t->regions[i].base,
			      t->regions[i].size);
	if (strcmp(got, strstr(line, "cnt=")))
		vectors_mismatch(v, line, "%.200s", got);
}

static void run_line(struct vectors *v, struct memblock *mb, const char *line)
{
	unsigned run, resize, limit;

	if (sscanf(line, "run %u can_resize=%u current_limit=%x", &run, &resize, &limit) != 3)
		vectors_mismatch(v, line, "not understood");
	memblock_init(mb);
	mb->can_resize = resize;
	mb->current_limit = limit;
}

static bool starts(const char *line, const char *word)
{
	return !strncmp(line, word, strlen(word));
}

void vectors_memblock(struct vectors *v)
{
	static struct memblock mb;
	const char *line;

	memblock_init(&mb);
	while ((line = vectors_line(v))) {
		if (starts(line, "run "))
			run_line(v, &mb, line);
		else if (starts(line, "alloc_base "))
			alloc_line(v, &mb, line);
		else if (starts(line, "find "))
			find_line(v, &mb, line);
		else if (starts(line, "is_"))
			query_line(v, &mb, line);
		else if (starts(line, "free_ranges "))
			free_ranges_line(v, &mb, line);
		else if (starts(line, "start_of_DRAM "))
			dram_line(v, &mb, line);
		else if (starts(line, "set_current_limit "))
			mb.current_limit = strtoul(line + 18, NULL, 16);
		else if (starts(line, "trim_memory "))
			memblock_trim_memory(&mb, strtoul(strstr(line, "align=") + 6, NULL, 16));
		else if (starts(line, "enforce_memory_limit "))
			memblock_enforce_memory_limit(&mb, strtoul(line + 21, NULL, 16));
		else if (starts(line, "state real ") || starts(line, "==="))
			v->ops--; // the kernel's own arrays
		else if (starts(line, "state "))
			state_line(v, &mb, line);
		else
			change_line(v, &mb, line);
		if (!starts(line, "==="))
			check_counts(v, &mb, line);
	}
}
