// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The firmware's memory map: sanitising, the reference PC, what the command line changes, the last
// frame of RAM.
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
	struct e820map out = {.user_defined = map->user_defined, .nopentium = map->nopentium};
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

// ---- mem= and memmap= ----

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

// A number in C's notation, then perhaps K, M or G; *s is moved behind it, or left alone when there
// is none. False: it does not fit 64 bits.
static bool parse_bytes(const char **s, uint64_t *value)
{
	static const char digits[] = "0123456789abcdef", units[] = "kmg";
	const char *p = *s, *at;
	unsigned base = 10;

	if (*p == '0') {
		bool hex = lower(p[1]) == 'x' && p[2] && strchr(digits, lower(p[2]));

		base = hex ? 16 : 8;
		p += hex ? 2 : 0;
	}
	for (*value = 0; *p && (at = strchr(digits, lower(*p))) && at - digits < base; p++) {
		if (*value > (UINT64_MAX - (uint64_t)(at - digits)) / base)
			return false;
		*value = *value * base + (uint64_t)(at - digits);
		*s = p + 1;
	}
	if (p != *s || !*p || !(at = strchr(units, lower(*p))))
		return true;
	*s = p + 1;
	unsigned shift = 10 * (unsigned)(at - units + 1);
	if (*value > UINT64_MAX >> shift)
		return false;
	*value <<= shift;
	return true;
}

// Entries stay, empty ones too: how many there are decides whether the map may be sanitised.
static void cut_ram(struct e820map *map, uint64_t limit)
{
	for (unsigned i = 0; i < map->nr_map; i++) {
		struct e820entry *e = &map->map[i];

		if (e->type != E820_RAM || e->addr + e->size <= limit)
			continue;
		e->size = e->addr < limit ? limit - e->addr : 0;
	}
}

static bool at_end(const char *s)
{
	return !*s || strchr(" \t\n", *s);
}

static bool is_word(const char *s, const char *word)
{
	return !strncmp(s, word, strlen(word)) && at_end(s + strlen(word));
}

// SIZE of mem=, and of memmap= when nothing follows it.
static const char *apply_limit(struct e820map *map, uint64_t size)
{
	if (!size)
		return "mem=0 would leave no memory";
	cut_ram(map, size);
	return NULL;
}

static const char *apply_mem(struct e820map *map, const char *s)
{
	uint64_t size;

	if (is_word(s, "nopentium")) {
		map->nopentium = 1;
		return NULL;
	}
	map->user_defined = 1;
	if (!parse_bytes(&s, &size) || !at_end(s))
		return "mem= takes a size: mem=512M";
	return apply_limit(map, size);
}

static uint32_t separator_type(char c)
{
	switch (c) {
	case '@':
		return E820_RAM;
	case '#':
		return E820_ACPI;
	case '$':
		return E820_RESERVED;
	default:
		return 0;
	}
}

static const char *apply_memmap(struct e820map *map, const char *s)
{
	const char *usage = "memmap= takes exactmap, SIZE, SIZE@START, SIZE#START or SIZE$START";
	const char *start = s;
	uint64_t size, addr;

	map->user_defined = 1;
	if (is_word(s, "exactmap")) {
		map->nr_map = 0;
		return NULL;
	}
	if (!parse_bytes(&s, &size) || s == start)
		return usage;
	if (at_end(s))
		return apply_limit(map, size);
	uint32_t type = separator_type(*s);
	start = ++s;
	if (!type || !parse_bytes(&s, &addr) || s == start || !at_end(s))
		return usage;
	if (map->nr_map == E820MAX)
		return "more memmap= than the map has room for";
	if (addr + size < addr)
		return "memmap= reaches beyond 64 bits";
	add_entry(map, addr, addr + size, type);
	return NULL;
}

int e820_parse_params(struct e820map *map, const char *cmdline, const char **why)
{
	struct e820map new = *map;
	const char *error = NULL;

	for (const char *s = cmdline; *s && !error;) {
		if (at_end(s)) {
			s++;
			continue;
		}
		if (!strncmp(s, "mem=", 4))
			error = apply_mem(&new, s + 4);
		else if (!strncmp(s, "memmap=", 7))
			error = apply_memmap(&new, s + 7);
		else
			error = "neither mem= nor memmap=";
		while (!at_end(s))
			s++;
	}
	// The kernel panics here with these words.
	if (!error && new.user_defined && sanitize_e820_map(&new))
		error = "Invalid user supplied memory map";
	if (error) {
		*why = error;
		return -EINVAL;
	}
	*map = new;
	return 0;
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
