// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// memblock: two sorted arrays of ranges, and top-down allocation out of their difference.
#include <errno.h>
#include <string.h>

#include "machine.h"
#include "text.h"

enum {
	REGION_BYTES = 12
}; // what one entry takes in a doubled array on i386

// Entries behind cnt are never read, so they stay as they are: most of the arrays is not touched.
static void init_type(struct memblock_type *t)
{
	t->cnt = 1;
	t->max = INIT_MEMBLOCK_REGIONS;
	t->total_size = 0;
	t->array = 0;
	t->regions[0] = (struct memblock_region){0, 0, 0};
}

void memblock_init(struct memblock *mb)
{
	mb->current_limit = UINT32_MAX;
	mb->can_resize = 0;
	mb->rounds = 1;
	init_type(&mb->memory);
	init_type(&mb->reserved);
}

static uint32_t region_end(const struct memblock_region *r)
{
	return r->base + r->size;
}

// A range may not pass the top of the 32-bit type.
static uint32_t cap_size(uint32_t base, uint32_t size)
{
	return size < UINT32_MAX - base ? size : UINT32_MAX - base;
}

// Callers have made room: cnt < max before.
static void insert_region(struct memblock_type *t, unsigned i, uint32_t base, uint32_t size,
			  uint32_t node)
{
	memmove(&t->regions[i + 1], &t->regions[i], (t->cnt - i) * sizeof(t->regions[0]));
	t->regions[i] = (struct memblock_region){base, size, node};
	t->cnt++;
	t->total_size += size;
}

// The last one leaves the empty dummy that every array starts with.
static void remove_region(struct memblock_type *t, unsigned i)
{
	t->total_size -= t->regions[i].size;
	memmove(&t->regions[i], &t->regions[i + 1], (t->cnt - i - 1) * sizeof(t->regions[0]));
	if (--t->cnt == 0) {
		t->cnt = 1;
		t->regions[0] = (struct memblock_region){0, 0, 0};
	}
}

// Touching neighbours of one node become one; others never touch afterwards by construction.
static void merge_regions(struct memblock_type *t)
{
	for (unsigned i = 0; i + 1 < t->cnt;) {
		struct memblock_region *r = &t->regions[i];

		if (region_end(r) != r[1].base || r->node != r[1].node) {
			i++;
			continue;
		}
		r->size += r[1].size;
		memmove(r + 1, r + 2, (t->cnt - i - 2) * sizeof(*r));
		t->cnt--;
	}
}

// 3.4.2: the highest place that fits, even inside the range being reserved; the old array goes last.
static int double_array_anywhere(struct memblock *mb, struct memblock_type *t)
{
	uint32_t old_bytes = t->max * REGION_BYTES, old = t->array;
	uint32_t addr = memblock_find_in_range(mb, 0, 0, 2 * old_bytes, sizeof(uint32_t));

	if (!addr)
		return -ENOMEM;
	t->max *= 2;
	t->array = addr;
	if (memblock_reserve(mb, addr, 2 * old_bytes))
		return -ENOMEM;
	return old ? memblock_free(mb, old, old_bytes) : 0;
}

// The array moves into memory taken from memblock itself. Above the range being reserved if
// possible: a space below it might be that range.
static int double_array(struct memblock *mb, struct memblock_type *t, uint32_t base, uint32_t size)
{
	uint32_t old_bytes = (t->max * REGION_BYTES + PAGE_SIZE - 1) & ~(uint32_t)(PAGE_SIZE - 1);
	uint32_t bytes = (2 * t->max * REGION_BYTES + PAGE_SIZE - 1) & ~(uint32_t)(PAGE_SIZE - 1);
	uint32_t addr, old = t->array;

	if (!mb->can_resize || 2 * t->max > MEMBLOCK_REGIONS_MAX)
		return -ENOMEM;
	if (!mb->rounds)
		return double_array_anywhere(mb, t);
	if (t != &mb->reserved)
		base = size = 0;
	addr = memblock_find_in_range(mb, base + size, mb->current_limit, bytes, PAGE_SIZE);
	if (!addr && size)
		addr = memblock_find_in_range(mb, 0,
					      base < mb->current_limit ? base : mb->current_limit,
					      bytes, PAGE_SIZE);
	if (!addr)
		return -ENOMEM;
	t->max *= 2;
	t->array = addr;
	if (old)
		memblock_free(mb, old, old_bytes);
	return memblock_reserve(mb, addr, bytes);
}

// One pass over the regions: the parts of [base, end) nobody covers are counted, or inserted.
static unsigned add_gaps(struct memblock_type *t, uint32_t base, uint32_t end, bool insert)
{
	unsigned added = 0;

	for (unsigned i = 0; i < t->cnt; i++) {
		uint32_t rbase = t->regions[i].base, rend = region_end(&t->regions[i]);

		if (rbase >= end)
			break;
		if (rend <= base)
			continue;
		if (rbase > base) {
			added++;
			if (insert)
				insert_region(t, i++, base, rbase - base, 0);
		}
		base = rend < end ? rend : end;
	}
	if (base < end) {
		added++;
		if (insert) {
			unsigned i = 0;

			while (i < t->cnt && t->regions[i].base < base)
				i++;
			insert_region(t, i, base, end - base, 0);
		}
	}
	return added;
}

static int add_region(struct memblock *mb, struct memblock_type *t, uint32_t base, uint32_t size)
{
	uint32_t end = base + cap_size(base, size);

	if (base == end)
		return 0;
	if (!t->regions[0].size) {
		t->regions[0] = (struct memblock_region){base, end - base, 0};
		t->total_size = end - base;
		return 0;
	}
	// Doubling reserves memory itself, so the count is taken again afterwards.
	while (t->cnt + add_gaps(t, base, end, false) > t->max)
		if (double_array(mb, t, base, end - base))
			return -ENOMEM;
	add_gaps(t, base, end, true);
	merge_regions(t);
	return 0;
}

// Splits regions so that none crosses base or end; [*first, *last) are those inside.
static int isolate_range(struct memblock *mb, struct memblock_type *t, uint32_t base, uint32_t size,
			 unsigned *first, unsigned *last)
{
	uint32_t end = base + cap_size(base, size);

	*first = *last = 0;
	if (base == end)
		return 0;
	while (t->cnt + 2 > t->max)
		if (double_array(mb, t, base, end - base))
			return -ENOMEM;
	for (unsigned i = 0; i < t->cnt; i++) {
		struct memblock_region *r = &t->regions[i];
		uint32_t rbase = r->base, rend = region_end(r);

		if (rbase >= end)
			break;
		if (rend <= base)
			continue;
		uint32_t cut = rbase < base ? base : rend > end ? end : 0;
		if (!cut) {
			if (!*last)
				*first = i;
			*last = i + 1;
			continue;
		}
		// The lower part becomes a region of its own; the upper one is looked at next, or,
		// when it was cut at the end, the lower one is looked at again.
		r->base = cut;
		r->size = rend - cut;
		t->total_size -= cut - rbase;
		insert_region(t, i, rbase, cut - rbase, r->node);
		if (rbase >= base)
			i--;
	}
	return 0;
}

// Parts that are not covered are silently fine.
static int remove_range(struct memblock *mb, struct memblock_type *t, uint32_t base, uint32_t size)
{
	unsigned first, last;
	int ret = isolate_range(mb, t, base, size, &first, &last);

	if (ret)
		return ret;
	while (last > first)
		remove_region(t, --last);
	return 0;
}

int memblock_set_node(struct memblock *mb, uint32_t base, uint32_t size, unsigned node)
{
	unsigned first, last;
	int ret = isolate_range(mb, &mb->memory, base, size, &first, &last);

	if (ret)
		return ret;
	for (unsigned i = first; i < last; i++)
		mb->memory.regions[i].node = node + 1;
	merge_regions(&mb->memory);
	return 0;
}

int memblock_add(struct memblock *mb, uint32_t base, uint32_t size)
{
	return add_region(mb, &mb->memory, base, size);
}

int memblock_remove(struct memblock *mb, uint32_t base, uint32_t size)
{
	return remove_range(mb, &mb->memory, base, size);
}

int memblock_reserve(struct memblock *mb, uint32_t base, uint32_t size)
{
	return add_region(mb, &mb->reserved, base, size);
}

int memblock_free(struct memblock *mb, uint32_t base, uint32_t size)
{
	return remove_range(mb, &mb->reserved, base, size);
}

// The gap in the reserved array number i: before region i, i = cnt is the one after the last.
static uint32_t gap_start(const struct memblock_type *t, unsigned i)
{
	return i ? region_end(&t->regions[i - 1]) : 0;
}

static uint32_t gap_end(const struct memblock_type *t, unsigned i)
{
	return i < t->cnt ? t->regions[i].base : UINT32_MAX;
}

// Where memory region mi and gap ri of the reserved array meet.
static bool free_piece(const struct memblock *mb, unsigned mi, unsigned ri, uint32_t *start,
		       uint32_t *end)
{
	const struct memblock_region *mem = &mb->memory.regions[mi];
	uint32_t gs = gap_start(&mb->reserved, ri), ge = gap_end(&mb->reserved, ri);

	*start = mem->base > gs ? mem->base : gs;
	*end = region_end(mem) < ge ? region_end(mem) : ge;
	return *start < *end;
}

// Cursor: memory index in the low word, gap index in the high word, both the next to look at.
bool memblock_next_free(const struct memblock *mb, uint64_t *cursor, uint32_t *start, uint32_t *end)
{
	unsigned mi = *cursor & UINT32_MAX, ri = *cursor >> 32;

	for (; mi < mb->memory.cnt; mi++) {
		uint32_t mem_end = region_end(&mb->memory.regions[mi]);

		for (; ri <= mb->reserved.cnt && gap_start(&mb->reserved, ri) < mem_end; ri++) {
			if (!free_piece(mb, mi, ri, start, end))
				continue;
			// Whichever ends first is done with.
			if (mem_end <= gap_end(&mb->reserved, ri))
				mi++;
			else
				ri++;
			*cursor = mi | (uint64_t)ri << 32;
			return true;
		}
		ri = ri ? ri - 1 : 0; // the last gap may reach into the next memory region
	}
	return false;
}

bool memblock_prev_free(const struct memblock *mb, uint64_t *cursor, uint32_t *start, uint32_t *end)
{
	int mi = *cursor & UINT32_MAX, ri = *cursor >> 32;

	if (*cursor == UINT64_MAX) {
		mi = mb->memory.cnt - 1;
		ri = mb->reserved.cnt;
	}
	while (mi >= 0 && ri >= 0) {
		uint32_t mem_base = mb->memory.regions[mi].base;
		bool found = free_piece(mb, mi, ri, start, end);

		if (mem_base >= gap_start(&mb->reserved, ri))
			mi--;
		else
			ri--;
		if (found) {
			*cursor = (uint32_t)mi | (uint64_t)(uint32_t)ri << 32;
			return true;
		}
	}
	return false;
}

static uint32_t clamp(uint32_t v, uint32_t low, uint32_t high)
{
	return v < low ? low : v > high ? high : v;
}

// Top down, first fit. Page 0 is never handed out: 0 says failure.
uint32_t memblock_find_in_range(struct memblock *mb, uint32_t start, uint32_t end, uint32_t size,
				uint32_t align)
{
	uint64_t cursor = UINT64_MAX;
	uint32_t s, e;

	if (!end)
		end = mb->current_limit;
	if (start < PAGE_SIZE)
		start = PAGE_SIZE;
	if (end < start)
		end = start;
	while (memblock_prev_free(mb, &cursor, &s, &e)) {
		s = clamp(s, start, end);
		e = clamp(e, start, end);
		if (e < size)
			continue;
		uint32_t candidate = (e - size) & ~(align - 1);
		if (candidate >= s)
			return candidate;
	}
	return 0;
}

uint32_t memblock_alloc_base(struct memblock *mb, uint32_t size, uint32_t align, uint32_t max)
{
	uint32_t found;

	size = (size + align - 1) & ~(align - 1);
	found = memblock_find_in_range(mb, 0, max, size, align);
	return found && !memblock_reserve(mb, found, size) ? found : 0;
}

static bool covers(const struct memblock_type *t, uint32_t addr)
{
	for (unsigned i = 0; i < t->cnt; i++)
		if (addr >= t->regions[i].base && addr - t->regions[i].base < t->regions[i].size)
			return true;
	return false;
}

bool memblock_is_memory(const struct memblock *mb, uint32_t addr)
{
	return covers(&mb->memory, addr);
}

bool memblock_is_reserved(const struct memblock *mb, uint32_t addr)
{
	return covers(&mb->reserved, addr);
}

// True when one region holds all of it.
bool memblock_is_region_memory(const struct memblock *mb, uint32_t base, uint32_t size)
{
	const struct memblock_type *t = &mb->memory;
	uint32_t end = base + cap_size(base, size);

	for (unsigned i = 0; i < t->cnt; i++)
		if (t->regions[i].base <= base && end <= region_end(&t->regions[i]))
			return true;
	return false;
}

bool memblock_is_region_reserved(const struct memblock *mb, uint32_t base, uint32_t size)
{
	const struct memblock_type *t = &mb->reserved;
	uint32_t end = base + cap_size(base, size);

	for (unsigned i = 0; i < t->cnt; i++)
		if (base < region_end(&t->regions[i]) && t->regions[i].base < end)
			return true;
	return false;
}

uint32_t memblock_start_of_DRAM(const struct memblock *mb)
{
	return mb->memory.regions[0].base;
}

uint32_t memblock_end_of_DRAM(const struct memblock *mb)
{
	return region_end(&mb->memory.regions[mb->memory.cnt - 1]);
}

// Keeps the first `limit` bytes of memory and drops both arrays above them.
void memblock_enforce_memory_limit(struct memblock *mb, uint32_t limit)
{
	uint32_t max = UINT32_MAX;

	if (!limit)
		return;
	for (unsigned i = 0; i < mb->memory.cnt; i++) {
		if (limit <= mb->memory.regions[i].size) {
			max = mb->memory.regions[i].base + limit;
			break;
		}
		limit -= mb->memory.regions[i].size;
	}
	remove_range(mb, &mb->memory, max, UINT32_MAX);
	remove_range(mb, &mb->reserved, max, UINT32_MAX);
}

// Shrinks every region of memory to multiples of align. As in the kernel the total keeps counting
// what was cut off a region that stays. The dummy of an empty array is none.
void memblock_trim_memory(struct memblock *mb, uint32_t align)
{
	struct memblock_type *t = &mb->memory;

	for (unsigned i = 0; mb->rounds && i < t->cnt && t->regions[i].size; i++) {
		struct memblock_region *r = &t->regions[i];
		uint32_t start = (r->base + align - 1) & ~(align - 1);
		uint32_t end = region_end(r) & ~(align - 1);

		if (start < end) {
			r->base = start;
			r->size = end - start;
		} else {
			remove_region(t, i--);
		}
	}
}

// Ends are inclusive, so the dummy of an empty array seems to end at the top of 64 bits.
static void dump_type(struct text *t, const struct memblock_type *type, const char *name)
{
	put(t, " %s.cnt  = 0x%lx\n", name, (unsigned long)type->cnt);
	for (unsigned i = 0; i < type->cnt; i++) {
		unsigned long long base = type->regions[i].base, size = type->regions[i].size;

		put(t, " %s[0x%x]\t[0x%014llx-0x%014llx], 0x%llx bytes", name, i, base,
		    base + size - 1, size);
		if (type->regions[i].node)
			put(t, " on node %u", type->regions[i].node - 1);
		put(t, "\n");
	}
}

int memblock_dump(const struct memblock *mb, char *buf, size_t size)
{
	struct text t = {buf, size, 0};

	put(&t, "MEMBLOCK configuration:\n memory size = 0x%llx reserved size = 0x%llx\n",
	    (unsigned long long)mb->memory.total_size, (unsigned long long)mb->reserved.total_size);
	dump_type(&t, &mb->memory, "memory");
	dump_type(&t, &mb->reserved, "reserved");
	return t.len;
}
