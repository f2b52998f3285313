// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Vectors of topic memblock: every call on a private pair of arrays, and the arrays after it.
#include "vectors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// "mem=cnt/max/total_size res=..." stands behind every change.
static void check_counts(struct vectors *v, const struct memblock *mb, const char *line)
{
	const char *want = strstr(line, "mem=");
	char got[128];

	snprintf(got, sizeof(got), "mem=%u/%u/%llx res=%u/%u/%llx", mb->memory.cnt, mb->memory.max,
		 (unsigned long long)mb->memory.total_size, mb->reserved.cnt, mb->reserved.max,
		 (unsigned long long)mb->reserved.total_size);
	if (!want || strcmp(got, want))
		vectors_mismatch(v, line, "%s", got);
}

static void change_line(struct vectors *v, struct memblock *mb, const char *line)
{
	unsigned base, size;
	char name[16];
	int want, ret;

	if (!scan(v, line, 4, "%15s %x %x ret=%d", name, &base, &size, &want))
		return;
	ret = !strcmp(name, "add")	 ? memblock_add(mb, base, size)
	      : !strcmp(name, "remove")	 ? memblock_remove(mb, base, size)
	      : !strcmp(name, "reserve") ? memblock_reserve(mb, base, size)
					 : memblock_free(mb, base, size);
	expect(v, line, "ret", ret, want);
	check_counts(v, mb, line);
}

static void alloc_line(struct vectors *v, struct memblock *mb, const char *line)
{
	unsigned size, align, max, want;

	if (!scan(v, line, 4, "alloc_base size=%x align=%x max=%x -> %x", &size, &align, &max,
		  &want))
		return;
	expect(v, line, "address", memblock_alloc_base(mb, size, align, max), want);
	check_counts(v, mb, line);
}

static void find_line(struct vectors *v, struct memblock *mb, const char *line)
{
	unsigned start, end, size, align, want;

	if (scan(v, line, 5, "find start=%x end=%x size=%x align=%x -> %x", &start, &end, &size,
		 &align, &want))
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
	read_whole(v, line);
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
	static char got[1 << 17];
	int n = snprintf(got, sizeof(got), "cnt=%u max=%u total=%llx regions=", t->cnt, t->max,
			 (unsigned long long)t->total_size);

	for (unsigned i = 0; i < t->cnt; i++)
		if ((size_t)n < sizeof(got))
			n += snprintf(got + n, sizeof(got) - n, " %x+%x", t->regions[i].base,
				      t->regions[i].size);
	const char *want = strstr(line, "cnt=");
	read_whole(v, line);
	if (!want || strcmp(got, want))
		vectors_mismatch(v, line, "%.200s", got);
}

static void run_line(struct vectors *v, struct memblock *mb, const char *line)
{
	unsigned run, resize, limit;

	if (!scan(v, line, 3, "run %u can_resize=%u current_limit=%x", &run, &resize, &limit))
		return;
	memblock_init(mb);
	mb->rounds = v->version != 2;
	mb->can_resize = resize;
	mb->current_limit = limit;
}

static void current_limit_line(struct vectors *v, struct memblock *mb, const char *line)
{
	unsigned limit;

	if (scan(v, line, 1, "set_current_limit %x", &limit))
		mb->current_limit = limit;
}

static void limit_line(struct vectors *v, struct memblock *mb, const char *line)
{
	unsigned limit;

	if (!scan(v, line, 1, "enforce_memory_limit %x", &limit))
		return;
	memblock_enforce_memory_limit(mb, limit);
	check_counts(v, mb, line);
}

static void trim_line(struct vectors *v, struct memblock *mb, const char *line)
{
	memblock_trim_memory(mb, number(v, line, "align", 16));
	read_whole(v, line);
	check_counts(v, mb, line);
}

// What 3.4.2 says instead of trim_memory, which it does not have.
static void notrim_line(struct vectors *v, struct memblock *mb, const char *line)
{
	read_whole(v, line);
	if (strstr(line, "mem="))
		check_counts(v, mb, line);
}

// The kernel's own arrays are topic bootstages.
static void real_line(struct vectors *v, const char *line)
{
	read_whole(v, line);
	v->ops--;
}

static const struct {
	const char *word;
	void (*run)(struct vectors *v, struct memblock *mb, const char *line);
} lines[] = {
	{"run ", run_line},
	{"add ", change_line},
	{"remove ", change_line},
	{"reserve ", change_line},
	{"free ", change_line},
	{"alloc_base ", alloc_line},
	{"find ", find_line},
	{"is_memory ", query_line},
	{"is_region_memory ", query_line},
	{"free_ranges ", free_ranges_line},
	{"start_of_DRAM ", dram_line},
	{"set_current_limit ", current_limit_line},
	{"trim_memory ", trim_line},
	{"notrim", notrim_line},
	{"enforce_memory_limit ", limit_line},
	{"state ", state_line},
};

static void memblock_line(struct vectors *v, struct memblock *mb, const char *line)
{
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (starts(line, lines[i].word)) {
			lines[i].run(v, mb, line);
			return;
		}
	if (strcmp(line, "=== done memblock"))
		vectors_mismatch(v, line, "not understood");
}

void vectors_memblock(struct vectors *v)
{
	static struct memblock mb;
	const char *line;

	read_whole(v, v->text); // of the header "real:" is where the machine's own arrays stood
	expect(v, v->header, "INIT_MEMBLOCK_REGIONS", INIT_MEMBLOCK_REGIONS,
	       vectors_header(v, "INIT_MEMBLOCK_REGIONS", 10));
	expect(v, v->header, "phys_addr_bits", 32, vectors_header(v, "phys_addr_bits", 10));
	memblock_init(&mb);
	while ((line = vectors_line(v)))
		if (starts(line, "state real "))
			real_line(v, line);
		else
			memblock_line(v, &mb, line);
}
