// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// e820 map and memblock, the allocator of early boot (reference 2.1, 2.2).
//
//   regions of one type are sorted by base, disjoint, touching ones of one node merged
//   total_size == sum of sizes;  empty <=> cnt == 1 and regions[0].size == 0
#pragma once

#include "types.h"

struct machine;

enum e820_type { E820_RAM = 1, E820_RESERVED, E820_ACPI, E820_NVS, E820_UNUSABLE, E820_RESERVED_KERN = 128 };
enum { E820MAX = 128, INIT_MEMBLOCK_REGIONS = 128, MEMBLOCK_REGIONS_MAX = 4096 };

struct e820entry {
	uint64_t addr, size;
	uint32_t type, pad;
};

struct e820map {
	uint32_t nr_map;
	uint16_t user_defined; // 1: changed by mem= or memmap=
	uint16_t nopentium;    // 1: mem=nopentium, no 4 MiB pages
	struct e820entry map[E820MAX];
};

int sanitize_e820_map(struct e820map *map); // 0; -1 = map left alone (fewer than 2 entries, wraps)
void e820_ideal_pc(struct e820map *map, uint64_t ram_bytes); // reference 0.3, PCI hole above 3.5 GiB
// mem= and memmap= of a kernel command line, in its order. 0, or -EINVAL: map left alone, *why says.
int e820_parse_params(struct e820map *map, const char *cmdline, const char **why);
uint32_t e820_end_pfn(const struct e820map *map); // one past the last RAM frame, at most 2^20

struct memblock_region {
	uint32_t base, size;
	uint32_t node; // 0: not given to one yet, else its number + 1
};

struct memblock_type {
	uint32_t cnt, max;
	uint64_t total_size;
	kaddr_t array;	// physical address of a doubled array, 0 static
	struct memblock_region regions[MEMBLOCK_REGIONS_MAX];
};

struct memblock {
	uint32_t current_limit;
	uint32_t can_resize;
	uint32_t rounds; // as 3.4.113, and not 3.4.2: whole pages when an array doubles, trims memory
	struct memblock_type memory, reserved;
};

// All take the memblock itself so that vectors can run on a private one. -ENOMEM: array full.
void memblock_init(struct memblock *mb);
int memblock_add(struct memblock *mb, uint32_t base, uint32_t size);
int memblock_remove(struct memblock *mb, uint32_t base, uint32_t size);
int memblock_reserve(struct memblock *mb, uint32_t base, uint32_t size);
int memblock_free(struct memblock *mb, uint32_t base, uint32_t size);
// Splits regions at the ends of the range, says whose those inside are, and merges.
int memblock_set_node(struct memblock *mb, uint32_t base, uint32_t size, unsigned node);
uint32_t memblock_find_in_range(struct memblock *mb, uint32_t start, uint32_t end, uint32_t size, uint32_t align);
uint32_t memblock_alloc_base(struct memblock *mb, uint32_t size, uint32_t align, uint32_t max); // 0 = failed
static inline uint32_t memblock_alloc(struct memblock *mb, uint32_t size, uint32_t align)
{
	return memblock_alloc_base(mb, size, align, 0); // below the current limit
}
// Physical memory model calls; sizes and addresses are 32 bit, a range ends at 0xFFFFFFFF at most.
bool memblock_is_memory(const struct memblock *mb, uint32_t addr);
bool memblock_is_reserved(const struct memblock *mb, uint32_t addr);
bool memblock_is_region_memory(const struct memblock *mb, uint32_t base, uint32_t size);
bool memblock_is_region_reserved(const struct memblock *mb, uint32_t base, uint32_t size);
uint32_t memblock_start_of_DRAM(const struct memblock *mb);
uint32_t memblock_end_of_DRAM(const struct memblock *mb);
void memblock_enforce_memory_limit(struct memblock *mb, uint32_t limit);
void memblock_trim_memory(struct memblock *mb, uint32_t align);

// Free ranges (memory minus reserved) one after the other: *cursor starts at 0; false at the end.
bool memblock_next_free(const struct memblock *mb, uint64_t *cursor, uint32_t *start, uint32_t *end);
// The same from high to low: *cursor starts at UINT64_MAX.
bool memblock_prev_free(const struct memblock *mb, uint64_t *cursor, uint32_t *start, uint32_t *end);
// What memblock=debug prints; returns the length of the text as snprintf does.
int memblock_dump(const struct memblock *mb, char *buf, size_t size);
