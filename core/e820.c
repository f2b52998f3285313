// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The firmware's memory map: sanitising, the reference PC, the last frame of RAM.
#include <errno.h>
#include <string.h>

#include "machine.h"

#define GiB	       (1ull << 30)
#define PCI_HOLE_START 0xE0000000ull // the reference PC's devices live above 3.5 GiB

struct change_point {
	uint64_t addr;
	uint8_t entry;
	uint8_t is_end;
};

// At one address starts come before ends, so that touching ranges never leave a gap of type 0.
static bool point_before(const struct change_point *a, const struct change_point *b)
{
	return a->addr != b->addr ? a->addr < b->addr : a->is_end < b->is_end;
}

// Every border of every non-empty range, sorted; at most 256, so insertion does.
static unsigned collect_points(const struct e820map *map, struct change_point *points)
{
	unsigned n = 0;

	for (unsigned i = 0; i < map->nr_map; i++) {
		const struct e820entry *e = &map->map[i];

		if (!e->size)
			continue;
		points[n++] = (struct change_point){e->addr, i, 0};
		points[n++] = (struct change_point){e->addr + e->size, i, 1};
	}
	for (unsigned i = 1; i < n; i++) {
		struct change_point p = points[i];
		unsigned j = i;

		for (; j && point_before(&p, &points[j - 1]); j--)
			points[j] = points[j - 1];
		points[j] = p;
	}
	return n;
}

// Where ranges overlap the largest type number wins.
static uint32_t open_type(const struct e820map *map, const bool *open)
{
	uint32_t type = 0;

	for (unsigned i = 0; i < map->nr_map; i++)
		if (open[i] && map->map[i].type > type)
			type = map->map[i].type;
	return type;
}

// The kernel leaves a map alone that has fewer than two entries or one that wraps.
static bool map_is_sane(const struct e820map *map)
{
	if (map->nr_map < 2 || map->nr_map > E820MAX)
		return false;
	for (unsigned i = 0; i < map->nr_map; i++)
		if (map->map[i].addr + map->map[i].size < map->map[i].addr)
			return false;
	return true;
}

// Sweeps over the borders. An output entry is open while the type stays; one that would be empty is
// dropped; between entries of type 0 lies a gap.
int sanitize_e820_map(struct e820map *map)
{
	struct change_point points[2 * E820MAX];
	struct e820map out = {0};
	bool open[E820MAX] = {false};
	uint32_t type = 0;

	if (!map_is_sane(map))
		return -1;
	unsigned n = collect_points(map, points);
	for (unsigned i = 0; i < n; i++) {
		open[points[i].entry] = !points[i].is_end;
		uint32_t now = open_type(map, open);
		if (now == type)
			continue;
		if (type) {
			struct e820entry *e = &out.map[out.nr_map];

			e->size = points[i].addr - e->addr;
			out.nr_map += e->size != 0;
		}
		type = now;
		if (out.nr_map == E820MAX)
			break;
		if (type)
			out.map[out.nr_map] = (struct e820entry){points[i].addr, 0, type, 0};
	}
	*map = out;
	return 0;
}

static void add_entry(struct e820map *map, uint64_t start, uint64_t end, uint32_t type)
{
	map->map[map->nr_map++] = (struct e820entry){start, end - start, type, 0};
}

void e820_ideal_pc(struct e820map *map, uint64_t ram_bytes)
{
	uint64_t low = ram_bytes < PCI_HOLE_START ? ram_bytes : PCI_HOLE_START;

	*map = (struct e820map){0};
	add_entry(map, 0, 0x9FC00, E820_RAM);
	add_entry(map, 0x9FC00, 0xA0000, E820_RESERVED);
	add_entry(map, 0xF0000, 0x100000, E820_RESERVED);
	if (low > 0x100000)
		add_entry(map, 0x100000, low, E820_RAM);
	if (ram_bytes > PCI_HOLE_START)
		add_entry(map, 4 * GiB, 4 * GiB + ram_bytes - PCI_HOLE_START, E820_RAM);
}

// Rounded down: half a frame of RAM is none.
uint32_t e820_end_pfn(const struct e820map *map)
{
	const uint64_t limit = 1u << (32 - PAGE_SHIFT);
	uint64_t last = 0;

	for (unsigned i = 0; i < map->nr_map; i++) {
		const struct e820entry *e = &map->map[i];
		uint64_t end = (e->addr + e->size) >> PAGE_SHIFT;

		// RAM that begins above 4 GiB is invisible without PAE.
		if (e->type != E820_RAM || e->addr >> PAGE_SHIFT >= limit)
			continue;
		if (end > last)
			last = end < limit ? end : limit;
	}
	return last;
}
