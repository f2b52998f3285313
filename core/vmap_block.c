// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// vm_map_ram's small ranges: bitmaps over aligned blocks, one queue of blocks a CPU.
#include "vmap_block.h"

#include <errno.h>
#include <stdio.h>

#include "fold.h"
#include "machine.h"
#include "vmap_area.h"

static struct vmap_block *block(struct machine *m, uint32_t id)
{
	return &m->s->vmalloc.vb.block[id];
}

static uint32_t block_bytes(const struct machine *m)
{
	return m->s->vmalloc.vb.block_pages << PAGE_SHIFT;
}

// Queues hold blocks with room only, newest first: a fresh block is tried before older ones.
static void queue_remove(struct machine *m, uint32_t id)
{
	struct vmap_block *b = block(m, id);
	struct list_head *q = &m->s->vmalloc.vb.queue[b->cpu];

	*(b->free_list.prev ? &block(m, b->free_list.prev)->free_list.next : &q->first) =
		b->free_list.next;
	*(b->free_list.next ? &block(m, b->free_list.next)->free_list.prev : &q->last) =
		b->free_list.prev;
	b->free_list = (struct list_node){0, 0};
}

static void queue_add_head(struct machine *m, uint32_t id)
{
	struct vmap_block *b = block(m, id);
	struct list_head *q = &m->s->vmalloc.vb.queue[b->cpu];

	b->free_list = (struct list_node){.next = q->first};
	*(q->first ? &block(m, q->first)->free_list.prev : &q->last) = id;
	q->first = id;
}

// Ranges are at most 32 pages and aligned to their size, so each lies within one word.
static uint32_t region_mask(uint32_t pos, unsigned order)
{
	uint32_t ones = order == 5 ? UINT32_MAX : (1u << (1u << order)) - 1;

	return ones << (pos % 32);
}

// First fit over aligned positions, as bitmap_find_free_region does.
static int find_free_region(const struct vmap_block *b, uint32_t pages, unsigned order)
{
	for (uint32_t pos = 0; pos < pages; pos += 1u << order)
		if (!(b->alloc_map[pos / 32] & region_mask(pos, order)))
			return (int)pos;
	return -1;
}

// Takes the block's entry back; its area is then to be freed.
static void forget_block(struct machine *m, uint32_t id)
{
	struct vmap_block_state *s = &m->s->vmalloc.vb;
	struct vmap_area *va = vmap_area_at(m, block(m, id)->addr);

	if (va)
		va->vb = 0;
	*block(m, id) = (struct vmap_block){.free_list.next = s->free_id};
	s->free_id = id;
}

// --- a new block -----------------------------------------------------------------------------

static uint32_t take_id(struct machine *m)
{
	struct vmap_block_state *s = &m->s->vmalloc.vb;
	uint32_t id = s->free_id;

	if (id)
		s->free_id = block(m, id)->free_list.next;
	else if (s->nr_ids + 1 < VMAP_BLOCKS)
		id = ++s->nr_ids;
	return id;
}

// The area must be bare and exactly one block long; the block joins the maker's queue.
static int vb_new_locked(struct machine *m, kaddr_t addr, kaddr_t obj)
{
	struct vmap_area *va = vmap_area_at(m, addr);
	uint32_t id;

	if (!va || va->vb || va->va_flags || va->nr_pages || va->va_end - addr != block_bytes(m))
		return -EILSEQ;
	id = take_id(m);
	if (!id)
		return -EILSEQ;
	*block(m, id) = (struct vmap_block){.addr = addr,
					    .obj = obj,
					    .cpu = (uint16_t)m->cpu,
					    .free = (uint16_t)m->s->vmalloc.vb.block_pages};
	va->vb = id;
	queue_add_head(m, id);
	return 0;
}

int VB_NEW_apply(struct machine *m, const struct record *r)
{
	if (r->lock != LOCK_VMAP)
		return -EILSEQ;
	return vb_new_locked(m, r->arg[0], r->arg[1]);
}

// Bytes of the kernel's struct vmap_block: lock (SMP), two pointers, two counts, the bitmaps,
// two list heads and an rcu_head.
static size_t vmap_block_size(const struct machine *m)
{
	return (m->s->cfg.smp ? 4 : 0) + 16 + 2 * (m->s->vmalloc.vb.block_pages / 8) + 24;
}

// Only this CPU allocates from its own queue, but a purge elsewhere may take even a fresh block:
// then vb_alloc comes again.
static bool new_vmap_block(struct machine *m)
{
	kaddr_t obj = kmalloc(m, vmap_block_size(m), GFP_KERNEL), addr;
	int err;

	if (!obj)
		return false;
	addr = alloc_vmap_area(m, block_bytes(m), block_bytes(m), m->s->vmalloc.start,
			       m->s->vmalloc.end, GFP_KERNEL);
	if (!addr) {
		kfree(m, obj);
		return false;
	}
	step_begin(m, LOCK_VMAP);
	err = vb_new_locked(m, addr, obj);
	if (!err) {
		step_end(m, LOCK_VMAP, EV_VB_NEW, addr, obj, 0, 0, 0, 0);
		return true;
	}
	step_cancel(m, LOCK_VMAP); // the pool of blocks is used up
	free_vmap_area_noflush(m, addr);
	kfree(m, obj);
	return false;
}

// --- taking a range --------------------------------------------------------------------------

// *fragmented: a block was met that has no room and no user.
static kaddr_t vb_alloc_locked(struct machine *m, unsigned order, bool *fragmented)
{
	struct vmap_block_state *s = &m->s->vmalloc.vb;

	for (uint32_t id = s->queue[m->cpu].first; id; id = block(m, id)->free_list.next) {
		struct vmap_block *b = block(m, id);
		int pos = b->free >= 1u << order ? find_free_region(b, s->block_pages, order) : -1;

		if (pos >= 0) {
			b->alloc_map[pos / 32] |= region_mask((uint32_t)pos, order);
			b->free = (uint16_t)(b->free - (1u << order));
			if (!b->free)
				queue_remove(m, id);
			return b->addr + ((kaddr_t)pos << PAGE_SHIFT);
		}
		if (b->free >= 1u << order && b->free + b->dirty == (int)s->block_pages)
			*fragmented = true;
	}
	return 0;
}

int VB_ALLOC_apply(struct machine *m, const struct record *r)
{
	bool fragmented = false;

	if (r->lock != LOCK_VMAP || r->arg[0] > 5 || !r->arg[1])
		return -EILSEQ;
	return vb_alloc_locked(m, r->arg[0], &fragmented) == r->arg[1] ? 0 : -EILSEQ;
}

static unsigned count_order(uint32_t count)
{
	unsigned order = 0;

	while (1u << order < count)
		order++;
	return order;
}

// A fresh block always has room for 32 pages, so one round more is the rule.
kaddr_t vb_alloc(struct machine *m, uint32_t count)
{
	unsigned order = count_order(count);

	for (;;) {
		bool fragmented = false;
		kaddr_t addr;

		step_begin(m, LOCK_VMAP);
		addr = vb_alloc_locked(m, order, &fragmented);
		if (addr)
			step_end(m, LOCK_VMAP, EV_VB_ALLOC, order, addr, 0, 0, 0, 0);
		else
			step_cancel(m, LOCK_VMAP);
		if (fragmented)
			purge_fragmented_blocks(m, m->cpu);
		if (addr)
			return addr;
		if (!new_vmap_block(m))
			return 0;
	}
}

// --- giving back -----------------------------------------------------------------------------

// 0; 1: the block is all dirty and was forgotten, *obj and *start say what remains to be freed.
static int vb_free_locked(struct machine *m, kaddr_t addr, unsigned order, kaddr_t *start,
			  kaddr_t *obj)
{
	struct vmap_area *va = vmap_area_covering(m, addr);
	uint32_t pos, mask, id;
	struct vmap_block *b;

	if (!va || !va->vb || addr % PAGE_SIZE)
		return -EILSEQ;
	id = va->vb;
	b = block(m, id);
	pos = (addr - b->addr) >> PAGE_SHIFT;
	if (pos & ((1u << order) - 1))
		return -EILSEQ;
	mask = region_mask(pos, order);
	if ((b->alloc_map[pos / 32] & mask) != mask || b->dirty_map[pos / 32] & mask)
		return -EILSEQ;
	b->dirty_map[pos / 32] |= mask;
	b->dirty = (uint16_t)(b->dirty + (1u << order));
	if (b->dirty != m->s->vmalloc.vb.block_pages)
		return 0;
	*start = b->addr;
	*obj = b->obj;
	forget_block(m, id);
	return 1;
}

int VB_FREE_apply(struct machine *m, const struct record *r)
{
	kaddr_t start, obj;

	if (r->lock != LOCK_VMAP || r->arg[1] > 5)
		return -EILSEQ;
	return vb_free_locked(m, r->arg[0], r->arg[1], &start, &obj) < 0 ? -EILSEQ : 0;
}

// The last range to go takes the block along: its area is then freed lazily as a whole.
int vb_free(struct machine *m, kaddr_t addr, uint32_t count)
{
	unsigned order = count_order(count);
	kaddr_t start, obj;
	int ret;

	step_begin(m, LOCK_VMAP);
	ret = vb_free_locked(m, addr, order, &start, &obj);
	if (ret < 0) {
		step_cancel(m, LOCK_VMAP);
		return -EINVAL;
	}
	step_end(m, LOCK_VMAP, EV_VB_FREE, addr, order, 0, 0, 0, 0);
	if (ret) {
		free_vmap_area_noflush(m, start);
		kfree(m, obj);
	}
	return 0;
}

// Takes off one block of this CPU that nobody uses but that is not all dirty. Its area; 0: none.
static kaddr_t vb_purge_locked(struct machine *m, unsigned cpu, kaddr_t *obj)
{
	struct vmap_block_state *s = &m->s->vmalloc.vb;
	struct vmap_block *b;
	kaddr_t addr;

	for (uint32_t id = s->queue[cpu].first; id; id = b->free_list.next) {
		b = block(m, id);
		if (b->free + b->dirty != (int)s->block_pages || b->dirty == s->block_pages)
			continue;
		addr = b->addr;
		*obj = b->obj;
		queue_remove(m, id);
		forget_block(m, id);
		return addr;
	}
	return 0;
}

int VB_PURGE_apply(struct machine *m, const struct record *r)
{
	kaddr_t obj;

	if (r->lock != LOCK_VMAP || r->arg[0] >= MAX_CPUS || !r->arg[1])
		return -EILSEQ;
	return vb_purge_locked(m, r->arg[0], &obj) == r->arg[1] ? 0 : -EILSEQ;
}

// One block a section, until none qualifies; each removal is a record.
void purge_fragmented_blocks(struct machine *m, unsigned cpu)
{
	kaddr_t addr, obj = 0;

	for (;;) {
		step_begin(m, LOCK_VMAP);
		addr = vb_purge_locked(m, cpu, &obj);
		if (!addr)
			break;
		step_end(m, LOCK_VMAP, EV_VB_PURGE, cpu, addr, 0, 0, 0, 0);
		free_vmap_area_noflush(m, addr);
		kfree(m, obj);
	}
	step_cancel(m, LOCK_VMAP);
}

// --- start and check -------------------------------------------------------------------------

// Pages a bitmap says are taken.
static uint32_t bits(const uint32_t *map)
{
	uint32_t n = 0;

	for (int i = 0; i < VMAP_BBMAP_BITS_MAX / 32; i++)
		n += (uint32_t)__builtin_popcount(map[i]);
	return n;
}

#define FAIL(...) return snprintf(why, size, __VA_ARGS__), -EINVAL

static uint32_t block_pages_for(uint32_t nr_cpus)
{
	uint32_t cpus = 1, pages;

	while (cpus < nr_cpus)
		cpus *= 2;
	pages = 32768 / cpus / 16;
	if (pages > VMAP_BBMAP_BITS_MAX)
		pages = VMAP_BBMAP_BITS_MAX;
	return pages < 64 ? 64 : pages;
}

void vmap_block_init(struct machine *m)
{
	m->s->vmalloc.vb.block_pages = block_pages_for(m->s->cfg.nr_cpus);
}

// Blocks with room, reached from the queues; each only from its own.
static int check_queues(struct machine *m, char *why, size_t size)
{
	struct vmap_block_state *s = &m->s->vmalloc.vb;
	uint32_t queued = 0, with_room = 0;

	for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++) {
		uint32_t prev = 0;

		for (uint32_t id = s->queue[cpu].first; id;
		     prev = id, id = block(m, id)->free_list.next)
			if (id > s->nr_ids || ++queued > s->nr_ids || block(m, id)->cpu != cpu ||
			    !block(m, id)->free || block(m, id)->free_list.prev != prev)
				FAIL("vmap blocks: the queue of CPU %u is no list", cpu);
		if (s->queue[cpu].last != prev)
			FAIL("vmap blocks: the queue of CPU %u ends elsewhere", cpu);
	}
	for (uint32_t id = 1; id <= s->nr_ids; id++)
		with_room += block(m, id)->addr && block(m, id)->free;
	if (queued != with_room)
		FAIL("vmap blocks: %u queued, %u with room", queued, with_room);
	return 0;
}

// Called when the areas have been checked.
int vmap_block_check(struct machine *m, char *why, size_t size)
{
	struct vmap_block_state *s = &m->s->vmalloc.vb;

	if (s->nr_ids >= VMAP_BLOCKS || s->free_id > s->nr_ids ||
	    s->block_pages != block_pages_for(m->s->cfg.nr_cpus))
		FAIL("vmap blocks: %u of %u entries cannot be", s->nr_ids, VMAP_BLOCKS);
	for (uint32_t id = 1; id <= s->nr_ids; id++) {
		struct vmap_block *b = block(m, id);
		struct vmap_area *va = b->addr ? vmap_area_at(m, b->addr) : NULL;

		if (b->free_list.next > s->nr_ids || (!b->addr && (b->free || b->dirty)))
			FAIL("vmap blocks: unused entry %u is damaged", id);
		if (!b->addr)
			continue;
		if (!va || va->vb != id || va->va_end - va->va_start != block_bytes(m))
			FAIL("vmap block %08x has no area of its own", b->addr);
		if (bits(b->dirty_map) != b->dirty ||
		    bits(b->alloc_map) + b->free != s->block_pages)
			FAIL("vmap block %08x: counts and bitmaps differ", b->addr);
	}
	return check_queues(m, why, size);
}
