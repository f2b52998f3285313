// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Per-CPU memory: the maps of the chunks, the slots they wait in, allocating and freeing.
#include "percpu.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "boot.h"
#include "fold.h"
#include "machine.h"
#include "misuse.h"

enum {
	SLOT_BASE_SHIFT = 5,
	MIN_BLOCK = 4,		 // less is not worth a block of its own
	DFL_MAP_ALLOC = 16,	 // blocks a new map has room for
	EARLY_MAP_ALLOC = 128,	 // the first chunk's
	KERNEL_START = 16 << 20, // physical
};

static int32_t *map_at(struct pcpu_chunk *chunk, uint32_t i)
{
	return &chunk->map[i];
}

static uint32_t block_size(int32_t block)
{
	return block < 0 ? -(uint32_t)block : (uint32_t)block;
}

// ---- slots ----

static unsigned size_slot(uint32_t size)
{
	int slot = (size ? 32 - __builtin_clz(size) : 0) - SLOT_BASE_SHIFT + 2;

	return slot > 1 ? slot : 1;
}

static unsigned size_to_slot(const struct machine *m, uint32_t size)
{
	return size == m->s->percpu.unit_size ? m->s->percpu.nr_slots - 1 : size_slot(size);
}

unsigned pcpu_chunk_slot(const struct machine *m, const struct pcpu_chunk *chunk)
{
	if (chunk->free_size < MIN_BLOCK || chunk->contig_hint < MIN_BLOCK)
		return 0;
	return size_to_slot(m, chunk->free_size);
}

void pcpu_slot_del(struct pcpu_state *p, uint32_t id, unsigned slot)
{
	struct list_node *node = &p->chunk[id].list;

	*(node->prev ? &p->chunk[node->prev].list.next : &p->slot[slot].first) = node->next;
	*(node->next ? &p->chunk[node->next].list.prev : &p->slot[slot].last) = node->prev;
	*node = (struct list_node){0};
}

static void slot_add(struct pcpu_state *p, uint32_t id, unsigned slot, bool tail)
{
	struct list_node *node = &p->chunk[id].list;
	struct list_head *head = &p->slot[slot];

	node->prev = tail ? head->last : 0;
	node->next = tail ? 0 : head->first;
	*(node->prev ? &p->chunk[node->prev].list.next : &head->first) = id;
	*(node->next ? &p->chunk[node->next].list.prev : &head->last) = id;
}

// One that gained room is asked first in its new slot, one that lost room last.
void pcpu_chunk_relocate(struct machine *m, uint32_t id, int oslot)
{
	struct pcpu_state *p = &m->s->percpu;
	int slot = pcpu_chunk_slot(m, &p->chunk[id]);

	if (slot == oslot)
		return;
	if (oslot >= 0)
		pcpu_slot_del(p, id, oslot);
	slot_add(p, id, slot, slot < oslot);
}

// ---- areas ----

// Block i gets a free block before it (head bytes) and one after it (tail bytes).
static void split_block(struct pcpu_chunk *chunk, uint32_t i, uint32_t head, uint32_t tail)
{
	uint32_t extra = !!head + !!tail;

	memmove(map_at(chunk, i + extra), map_at(chunk, i),
		(chunk->map_used - i) * sizeof(int32_t));
	chunk->map_used += extra;
	if (head) {
		chunk->map[i + 1] = chunk->map[i] - (int32_t)head;
		chunk->map[i++] = head;
	}
	if (tail) {
		chunk->map[i] -= tail;
		chunk->map[i + 1] = tail;
	}
}

static void keep_max(uint32_t *max, int32_t block)
{
	if (block > 0 && (uint32_t)block > *max)
		*max = block;
}

// An alignment gap too small for a block, or behind a free block, goes to the block before it.
static uint32_t give_away_head(struct pcpu_chunk *chunk, uint32_t i, uint32_t head)
{
	if (!head || !i || (head >= MIN_BLOCK && chunk->map[i - 1] <= 0))
		return head;
	if (chunk->map[i - 1] > 0) {
		chunk->map[i - 1] += head;
	} else {
		chunk->map[i - 1] -= head;
		chunk->free_size -= head;
	}
	chunk->map[i] -= head;
	return 0;
}

// Cuts `size` bytes from free block i, `head` bytes into it. *max: largest free block seen so far.
static void take_block(struct pcpu_chunk *chunk, uint32_t i, uint32_t head, uint32_t size,
		       uint32_t *max)
{
	uint32_t tail = chunk->map[i] - head - size;
	bool last = i + 1 == chunk->map_used;

	if (tail < MIN_BLOCK)
		tail = 0;
	if (head || tail)
		split_block(chunk, i, head, tail);
	if (head)
		keep_max(max, chunk->map[i++]);
	if (tail)
		keep_max(max, chunk->map[i + 1]);
	// only a scan to the end knows what is left
	chunk->contig_hint = last || *max > chunk->contig_hint ? *max : chunk->contig_hint;
	chunk->free_size -= chunk->map[i];
	chunk->map[i] = -chunk->map[i];
}

static void trace_area(struct machine *m, enum event_kind kind, const struct pcpu_chunk *chunk,
		       uint32_t off, uint32_t bytes)
{
	trace(m, &(struct trace_event){.kind = kind,
				       .cpu = m->cpu,
				       .zone = 255,
				       .addr = chunk->base_addr + off,
				       .count = 1,
				       .value = bytes});
}

// First fit. The offset of the area, or -1: then the hint is exact.
static int32_t alloc_area(struct machine *m, uint32_t id, uint32_t size, uint32_t align)
{
	struct pcpu_chunk *chunk = &m->s->percpu.chunk[id];
	int oslot = pcpu_chunk_slot(m, chunk);
	uint32_t max = 0, off = 0;

	for (uint32_t i = 0; i < chunk->map_used; off += block_size(chunk->map[i++])) {
		uint32_t head = -off & (align - 1), gap;

		if (chunk->map[i] < 0)
			continue;
		if ((uint32_t)chunk->map[i] < head + size) {
			keep_max(&max, chunk->map[i]);
			continue;
		}
		gap = give_away_head(chunk, i, head);
		take_block(chunk, i, gap, size, &max);
		trace_area(m, EV_T_PERCPU_CUT, chunk, off + head, size);
		pcpu_chunk_relocate(m, id, oslot);
		return off + head;
	}
	chunk->contig_hint = max;
	pcpu_chunk_relocate(m, id, oslot);
	return -1;
}

static void remove_blocks(struct pcpu_chunk *chunk, uint32_t i)
{
	chunk->map_used--;
	memmove(map_at(chunk, i), map_at(chunk, i + 1), (chunk->map_used - i) * sizeof(int32_t));
}

static int free_area(struct machine *m, uint32_t id, uint32_t freeme)
{
	struct pcpu_chunk *chunk = &m->s->percpu.chunk[id];
	int oslot = pcpu_chunk_slot(m, chunk);
	uint32_t i = 0, off = 0;

	for (; i < chunk->map_used && off < freeme; i++)
		off += block_size(chunk->map[i]);
	if (off != freeme || i == chunk->map_used || chunk->map[i] >= 0)
		return -EINVAL;
	chunk->map[i] = -chunk->map[i];
	trace_area(m, EV_T_PERCPU_GIVEN, chunk, off, chunk->map[i]);
	chunk->free_size += chunk->map[i];
	if (i > 0 && chunk->map[i - 1] >= 0) {
		chunk->map[i - 1] += chunk->map[i];
		remove_blocks(chunk, i--);
	}
	if (i + 1 < chunk->map_used && chunk->map[i + 1] >= 0) {
		chunk->map[i] += chunk->map[i + 1];
		remove_blocks(chunk, i + 1);
	}
	keep_max(&chunk->contig_hint, chunk->map[i]);
	pcpu_chunk_relocate(m, id, oslot);
	return 0;
}

// ---- steps of the map ----

// Blocks the map must have room for before an area may be cut; 0: it has.
static uint32_t need_to_extend(const struct pcpu_chunk *chunk)
{
	uint32_t room = DFL_MAP_ALLOC;

	if (chunk->map_alloc >= chunk->map_used + 2)
		return 0;
	while (room < chunk->map_used + 2)
		room *= 2;
	return room;
}

// What a search ends in: an area at `off` of chunk `id`; off < 0: that chunk needs a larger map;
// id 0: no chunk has room.
struct found {
	uint32_t id;
	int32_t off;
};

// A chunk that cannot serve is changed all the same: its hint becomes exact, which may move it.
static struct found find_area(struct machine *m, uint32_t size, uint32_t align)
{
	struct pcpu_state *p = &m->s->percpu;

	for (unsigned slot = size_to_slot(m, size); slot < p->nr_slots; slot++) {
		for (uint32_t id = p->slot[slot].first, next; id; id = next) {
			struct pcpu_chunk *chunk = &p->chunk[id];
			uint32_t room = need_to_extend(chunk);
			int32_t off;

			next = chunk->list.next;
			if (size > chunk->contig_hint || room > PCPU_MAP_MAX)
				continue;
			if (room)
				return (struct found){id, -1};
			off = alloc_area(m, id, size, align);
			if (off >= 0)
				return (struct found){id, off};
		}
	}
	return (struct found){0, 0};
}

static bool request_ok(uint32_t size, uint32_t align)
{
	return size && size <= PCPU_MIN_UNIT_SIZE && align && align <= PAGE_SIZE &&
	       !(align & (align - 1));
}

static struct found alloc_step(struct machine *m, uint32_t size, uint32_t align)
{
	struct found f;

	step_begin(m, LOCK_PCPU);
	f = find_area(m, size, align);
	step_end(m, LOCK_PCPU, EV_PERCPU_ALLOC, size, align, f.id, f.off, 0, 0);
	return f;
}

int PERCPU_ALLOC_apply(struct machine *m, const struct record *r)
{
	struct found f;

	if (r->lock != LOCK_PCPU || !request_ok(r->arg[0], r->arg[1]))
		return -EILSEQ;
	f = find_area(m, r->arg[0], r->arg[1]);
	return f.id == r->arg[2] && f.off == (int32_t)r->arg[3] ? 0 : -EILSEQ;
}

static struct pcpu_chunk *chunk_in_use(struct machine *m, uint32_t id)
{
	struct pcpu_chunk *chunk = &m->s->percpu.chunk[id < PCPU_CHUNKS ? id : 0];

	return chunk->base_addr ? chunk : NULL;
}

// The map moves to a larger object; the old one is the caller's to free.
static int extend_map(struct pcpu_chunk *chunk, uint32_t room, kaddr_t obj)
{
	if (!chunk->base_addr || room <= chunk->map_alloc)
		return -EALREADY;
	chunk->map_alloc = room;
	chunk->map_obj = obj;
	return 0;
}

int PERCPU_EXTEND_apply(struct machine *m, const struct record *r)
{
	struct pcpu_chunk *chunk = chunk_in_use(m, r->arg[0]);

	if (r->lock != LOCK_PCPU || !chunk || r->arg[1] > PCPU_MAP_MAX)
		return -EILSEQ;
	return extend_map(chunk, r->arg[1], r->arg[2]) ? -EILSEQ : 0;
}

// Another CPU may have been faster, or have destroyed the chunk: then our object goes instead of
// the old one, and the caller searches again.
static int extend_step(struct machine *m, uint32_t id)
{
	struct pcpu_chunk *chunk = &m->s->percpu.chunk[id];
	uint32_t room, bytes, old_bytes = 0;
	kaddr_t obj, old = 0;

	step_begin(m, LOCK_PCPU);
	room = chunk->base_addr ? need_to_extend(chunk) : 0;
	step_cancel(m, LOCK_PCPU);
	bytes = room * sizeof(int32_t);
	obj = room ? pcpu_mem_zalloc(m, bytes) : 0;
	if (!obj)
		return room ? -ENOMEM : 0;
	step_begin(m, LOCK_PCPU);
	old = chunk->map_obj;
	old_bytes = chunk->map_alloc * sizeof(int32_t);
	if (extend_map(chunk, room, obj)) {
		step_cancel(m, LOCK_PCPU);
		old = obj;
		old_bytes = bytes;
	} else {
		step_end(m, LOCK_PCPU, EV_PERCPU_EXTEND, id, room, obj, 0, 0, 0);
	}
	pcpu_mem_free(m, old, old_bytes);
	return 0;
}

int PERCPU_FREE_apply(struct machine *m, const struct record *r)
{
	if (r->lock != LOCK_PCPU || !chunk_in_use(m, r->arg[0]))
		return -EILSEQ;
	return free_area(m, r->arg[0], r->arg[1]) ? -EILSEQ : 0;
}

// The chunk whose first unit holds the address; lock held.
static uint32_t chunk_of(const struct machine *m, kaddr_t addr)
{
	const struct pcpu_state *p = &m->s->percpu;

	for (uint32_t id = PCPU_FIRST_CHUNK; id < PCPU_CHUNKS; id++)
		if (p->chunk[id].base_addr && addr - p->chunk[id].base_addr < p->unit_size)
			return id;
	return 0;
}

static int free_step(struct machine *m, kaddr_t addr)
{
	uint32_t id, off = 0;
	int err = -EINVAL;

	step_begin(m, LOCK_PCPU);
	id = chunk_of(m, addr);
	if (id) {
		off = addr - m->s->percpu.chunk[id].base_addr;
		err = free_area(m, id, off);
	}
	if (err)
		step_cancel(m, LOCK_PCPU);
	else
		step_end(m, LOCK_PCPU, EV_PERCPU_FREE, id, off, 0, 0, 0, 0);
	return err;
}

// ---- allocating and freeing ----

// A per-CPU pointer counts from where the linker put the kernel's own variables, so that adding a
// CPU's offset gives that CPU's copy. On UP there is one copy and the pointer is its address.
static uint32_t pointer_bias(const struct machine *m)
{
	return m->s->cfg.smp ? m->s->percpu.start - m->s->percpu.base_addr : 0;
}

uint32_t alloc_percpu(struct machine *m, uint32_t size, uint32_t align)
{
	struct found f;
	kaddr_t addr;

	if (!request_ok(size, align)) {
		misuse(m, MISUSE_PERCPU_REQUEST, 0, size);
		return 0;
	}
	for (;;) {
		f = alloc_step(m, size, align);
		if (f.id && f.off >= 0)
			break;
		if (f.id ? extend_step(m, f.id) : !pcpu_create_chunk(m))
			return 0;
	}
	addr = m->s->percpu.chunk[f.id].base_addr + f.off;
	if (pcpu_populate_chunk(m, f.id, f.off, size)) {
		free_step(m, addr);
		return 0;
	}
	return addr + pointer_bias(m);
}

int free_percpu(struct machine *m, uint32_t ptr)
{
	if (!ptr || !free_step(m, ptr - pointer_bias(m)))
		return 0;
	misuse(m, MISUSE_PERCPU_FREE, 0, ptr);
	return -EINVAL;
}

kaddr_t per_cpu_ptr(const struct machine *m, uint32_t ptr, unsigned cpu)
{
	return ptr - pointer_bias(m) + cpu * m->s->percpu.unit_size;
}

// ---- start and check ----

// Static and dynamic part in whole pages; UP builds have no static part and one power of two.
uint32_t pcpu_unit_size(const struct machine_config *cfg)
{
	uint32_t bytes = PCPU_STATIC_SIZE + PCPU_DYNAMIC_RESERVE;

	if (!cfg->smp)
		return PCPU_MIN_UNIT_SIZE;
	return (bytes + PAGE_SIZE - 1) & -(uint32_t)PAGE_SIZE;
}

void pcpu_init(struct machine *m, kaddr_t base_addr)
{
	struct pcpu_state *p = &m->s->percpu;
	struct pcpu_chunk *chunk = &p->chunk[PCPU_FIRST_CHUNK];
	uint32_t data, bss;

	kernel_image_parts(&m->s->cfg, &data, &bss);
	p->unit_size = pcpu_unit_size(&m->s->cfg);
	p->atom_size = m->s->cfg.smp ? PAGE_SIZE : p->unit_size;
	p->static_size = m->s->cfg.smp ? PCPU_STATIC_SIZE : 0;
	p->nr_slots = size_slot(p->unit_size) + 2;
	p->base_addr = base_addr;
	p->start = m->s->cfg.page_offset + KERNEL_START + bss; // where init sections would be
	*chunk = (struct pcpu_chunk){
		.base_addr = base_addr,
		.free_size = p->unit_size - p->static_size,
		.contig_hint = p->unit_size - p->static_size,
		.map_used = 2,
		.map_alloc = EARLY_MAP_ALLOC,
		.immutable = 1,
		.populated = (1u << (p->unit_size >> PAGE_SHIFT)) - 1,
	};
	chunk->map[0] = -(int32_t)p->static_size;
	chunk->map[1] = chunk->free_size;
	pcpu_chunk_relocate(m, PCPU_FIRST_CHUNK, -1);
}

// Until now the first chunk's map was an array of the image.
void pcpu_init_late(struct machine *m)
{
	m->s->percpu.chunk[PCPU_FIRST_CHUNK].map_obj =
		pcpu_mem_zalloc(m, EARLY_MAP_ALLOC * sizeof(int32_t));
}

#define FAIL(...) return snprintf(why, size, __VA_ARGS__), -EINVAL

static int check_chunk(struct machine *m, uint32_t id, char *why, size_t size)
{
	const struct pcpu_state *p = &m->s->percpu;
	const struct pcpu_chunk *chunk = &p->chunk[id];
	uint64_t bytes = 0, unused = 0;

	if (chunk->map_used > chunk->map_alloc || chunk->map_alloc > PCPU_MAP_MAX)
		FAIL("percpu: chunk %u has %u blocks, room for %u", id, chunk->map_used,
		     chunk->map_alloc);
	for (uint32_t i = 0; i < chunk->map_used; i++) {
		bytes += block_size(chunk->map[i]);
		unused += chunk->map[i] > 0 ? chunk->map[i] : 0;
	}
	if (bytes != p->unit_size || unused != chunk->free_size)
		FAIL("percpu: chunk %u: blocks of %llu bytes, %llu free; it says %u of %u", id,
		     (unsigned long long)bytes, (unsigned long long)unused, chunk->free_size,
		     p->unit_size);
	if (chunk->contig_hint > p->unit_size || chunk->populated >> (p->unit_size >> PAGE_SHIFT))
		FAIL("percpu: chunk %u is larger than its unit", id);
	return 0;
}

// Chunks of one slot, each where it belongs; *n counts them.
static int check_slot(struct machine *m, unsigned slot, uint32_t *n, char *why, size_t size)
{
	const struct pcpu_state *p = &m->s->percpu;
	uint32_t prev = 0;

	for (uint32_t id = p->slot[slot].first; id; prev = id, id = p->chunk[id].list.next) {
		if (id >= PCPU_CHUNKS || !p->chunk[id].base_addr ||
		    p->chunk[id].list.prev != prev || ++*n > PCPU_CHUNKS)
			FAIL("percpu: slot %u is no list", slot);
		if (pcpu_chunk_slot(m, &p->chunk[id]) != slot)
			FAIL("percpu: chunk %u is on slot %u", id, slot);
	}
	if (p->slot[slot].last != prev)
		FAIL("percpu: slot %u has no end", slot);
	return 0;
}

int pcpu_check(struct machine *m, char *why, size_t size)
{
	const struct pcpu_state *p = &m->s->percpu;
	uint32_t used = 0, listed = 0;

	if (p->unit_size != pcpu_unit_size(&m->s->cfg) ||
	    p->nr_slots != size_slot(p->unit_size) + 2 ||
	    p->atom_size != (m->s->cfg.smp ? PAGE_SIZE : p->unit_size))
		FAIL("percpu: units of %u bytes, %u slots", p->unit_size, p->nr_slots);
	for (uint32_t id = 0; id < PCPU_CHUNKS; id++) {
		if (!p->chunk[id].base_addr)
			continue;
		used++;
		if (!id)
			FAIL("percpu: chunk 0 is in use");
		if (check_chunk(m, id, why, size))
			return -EINVAL;
	}
	for (unsigned slot = 0; slot < p->nr_slots; slot++)
		if (check_slot(m, slot, &listed, why, size))
			return -EINVAL;
	if (used != listed)
		FAIL("percpu: %u chunks, %u in slots", used, listed);
	return 0;
}
