// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Per-CPU memory: address space from the top of the vmalloc area, and the pages behind it.
#include <errno.h>
#include <string.h>

#include "fold.h"
#include "machine.h"
#include "percpu.h"
#include "vm_internal.h"

enum {
	CHUNK_SIZE = 44, // bytes of the kernel's struct pcpu_chunk
	VM_STRUCT_SIZE = 32,
	VMAP_AREA_SIZE = 52,
	FIRST_MAP_ALLOC = 16,
};

kaddr_t pcpu_mem_zalloc(struct machine *m, uint32_t size)
{
	if (size <= PAGE_SIZE)
		return kmalloc(m, size, GFP_KERNEL | __GFP_ZERO);
	return __vmalloc(m, size, GFP_KERNEL | __GFP_HIGHMEM | __GFP_ZERO);
}

void pcpu_mem_free(struct machine *m, kaddr_t addr, uint32_t size)
{
	if (!addr)
		return;
	if (size <= PAGE_SIZE)
		kfree(m, addr);
	else
		vfree(m, addr);
}

static uint32_t chunk_bytes(const struct machine *m)
{
	return m->s->percpu.unit_size * m->s->cfg.ncpus;
}

// ---- address space ----

static struct vmap_area *area_by_id(struct machine *m, uint32_t id)
{
	return id ? &m->areas[id] : NULL;
}

static kaddr_t align_down(kaddr_t addr, uint32_t align)
{
	return addr & -align;
}

// The last area that ends at or below addr; *next the one after it.
static struct vmap_area *areas_around(struct machine *m, kaddr_t addr, struct vmap_area **next)
{
	struct vmap_area *prev = vmap_area_floor(m, addr - 1);

	if (!prev) {
		*next = area_by_id(m, m->s->vmalloc.areas.first);
	} else if (prev->va_end > addr) {
		*next = prev;
		prev = area_by_id(m, prev->list.prev);
	} else {
		*next = area_by_id(m, prev->list.next);
	}
	return prev;
}

// Where a range below *next may end; areas that reach above that are stepped over.
static kaddr_t highest_end(struct machine *m, struct vmap_area **prev, struct vmap_area **next,
			   uint32_t align)
{
	kaddr_t end = align_down(m->s->vmalloc.end, align);

	if (*next && align_down((*next)->va_start, align) < end)
		end = align_down((*next)->va_start, align);
	while (*prev && (*prev)->va_end > end) {
		*next = *prev;
		*prev = area_by_id(m, (*next)->list.prev);
	}
	return end;
}

// From the top downward, starting below the highest hole known. 0: no room.
static kaddr_t pcpu_area_locked(struct machine *m, uint32_t size, uint32_t align, kaddr_t node)
{
	struct vmalloc_state *v = &m->s->vmalloc;
	struct vmap_area *next, *prev = areas_around(m, v->pcpu_hole, &next), *va;
	const kaddr_t floor = (v->start + align - 1) & -align;
	kaddr_t end = highest_end(m, &prev, &next, align);

	for (;;) {
		if (end < floor || end - floor < size)
			return 0;
		if (!prev || prev->va_end <= end - size)
			break;
		next = prev;
		prev = area_by_id(m, next->list.prev);
		end = highest_end(m, &prev, &next, align);
	}
	va = insert_vmap_area(m, end - size, end, node);
	if (!va)
		return 0;
	va->va_flags |= VA_PCPU;
	v->pcpu_hole = va->va_start;
	trace(m, &(struct trace_event){.kind = EV_T_VMAP_AREA_ALLOC,
				       .cpu = m->cpu,
				       .zone = 255,
				       .addr = va->va_start,
				       .count = size >> PAGE_SHIFT});
	return va->va_start;
}

int PERCPU_AREA_apply(struct machine *m, const struct record *r)
{
	const struct pcpu_state *p = &m->s->percpu;

	if (r->lock != LOCK_VMAP || r->arg[0] != chunk_bytes(m) || r->arg[1] != p->atom_size)
		return -EILSEQ;
	return pcpu_area_locked(m, r->arg[0], r->arg[1], r->arg[2]) == r->arg[3] ? 0 : -EILSEQ;
}

static kaddr_t area_step(struct machine *m, kaddr_t node)
{
	const uint32_t size = chunk_bytes(m), align = m->s->percpu.atom_size;
	kaddr_t addr;

	step_begin(m, LOCK_VMAP);
	addr = pcpu_area_locked(m, size, align, node);
	if (addr)
		step_end(m, LOCK_VMAP, EV_PERCPU_AREA, size, align, node, addr, 0, 0);
	else
		step_cancel(m, LOCK_VMAP);
	return addr;
}

// The kernel asks for a list of areas at once and allocates the lists, here of one entry each.
static kaddr_t get_vm_areas(struct machine *m, kaddr_t *vms)
{
	kaddr_t vas, node, vm, addr = 0;

	*vms = kmalloc(m, 4, GFP_KERNEL | __GFP_ZERO);
	vas = kmalloc(m, 4, GFP_KERNEL | __GFP_ZERO);
	node = kmalloc(m, VMAP_AREA_SIZE, GFP_KERNEL | __GFP_ZERO);
	vm = kmalloc(m, VM_STRUCT_SIZE, GFP_KERNEL | __GFP_ZERO);
	if (*vms && vas && node && vm)
		addr = area_step(m, node);
	if (!addr && *vms && vas && node && vm) {
		purge_vmap_area_lazy(m);
		addr = area_step(m, node);
	}
	if (addr) {
		vm_insert(m, addr, VM_ALLOC, vm, 0, 0);
		kfree(m, vas);
		return addr;
	}
	kfree(m, vm);
	kfree(m, node);
	kfree(m, vas);
	kfree(m, *vms);
	return 0;
}

static void free_vm_areas(struct machine *m, kaddr_t addr, kaddr_t vms)
{
	struct vmap_area was;

	if (!vm_remove(m, addr, &was))
		release_area(m, &was, true);
	kfree(m, vms);
}

// What is behind a chunk: address space, or on UP builds a block of lowmem.
static kaddr_t get_base(struct machine *m, kaddr_t *vms)
{
	pfn_t pfn;

	if (m->s->cfg.smp)
		return get_vm_areas(m, vms);
	pfn = alloc_pages(m, GFP_KERNEL, get_order(chunk_bytes(m)));
	return pfn ? lowmem_addr(m, pfn) : 0;
}

static void put_base(struct machine *m, kaddr_t base, kaddr_t vms)
{
	if (m->s->cfg.smp)
		free_vm_areas(m, base, vms);
	else
		free_pages(m, base, get_order(chunk_bytes(m)));
}

// ---- chunks ----

// A chunk that is no more.
struct remains {
	kaddr_t base_addr, obj, map_obj, vms_obj;
	uint32_t map_alloc;
};

static bool base_ok(const struct machine *m, kaddr_t base)
{
	const kaddr_t start = m->s->cfg.smp ? m->s->vmalloc.start : m->s->cfg.page_offset;
	const kaddr_t end = m->s->cfg.smp ? m->s->vmalloc.end : m->s->high_memory;

	return !(base % PAGE_SIZE) && base >= start && base <= end - chunk_bytes(m);
}

static bool overlaps_chunk(const struct machine *m, kaddr_t base)
{
	const struct pcpu_state *p = &m->s->percpu;
	const uint32_t size = chunk_bytes(m);

	for (uint32_t id = 1; id < PCPU_CHUNKS; id++)
		if (p->chunk[id].base_addr &&
		    p->chunk[id].base_addr - base + size - 1 < 2 * size - 1)
			return true;
	return false;
}

static uint32_t new_chunk(struct machine *m, kaddr_t base, kaddr_t obj, kaddr_t map, kaddr_t vms)
{
	struct pcpu_state *p = &m->s->percpu;
	struct pcpu_chunk *chunk;
	uint32_t id = PCPU_FIRST_CHUNK + 1;

	while (id < PCPU_CHUNKS && p->chunk[id].base_addr)
		id++;
	if (id == PCPU_CHUNKS)
		return 0;
	chunk = &p->chunk[id];
	memset(chunk, 0, sizeof(*chunk));
	chunk->base_addr = base;
	chunk->free_size = chunk->contig_hint = p->unit_size;
	chunk->map[0] = p->unit_size;
	chunk->map_used = 1;
	chunk->map_alloc = FIRST_MAP_ALLOC;
	chunk->obj = obj;
	chunk->map_obj = map;
	chunk->vms_obj = vms;
	pcpu_chunk_relocate(m, id, -1);
	return id;
}

int PERCPU_CHUNK_apply(struct machine *m, const struct record *r)
{
	const kaddr_t base = r->arg[0];

	if (r->lock != LOCK_PCPU || !base_ok(m, base) || overlaps_chunk(m, base))
		return -EILSEQ;
	return new_chunk(m, base, r->arg[1], r->arg[2], r->arg[3]) == r->arg[4] ? 0 : -EILSEQ;
}

uint32_t pcpu_create_chunk(struct machine *m)
{
	const uint32_t map_bytes = FIRST_MAP_ALLOC * sizeof(int32_t);
	kaddr_t obj = pcpu_mem_zalloc(m, CHUNK_SIZE), map = obj ? pcpu_mem_zalloc(m, map_bytes) : 0;
	kaddr_t vms = 0, base = map ? get_base(m, &vms) : 0;
	uint32_t id = 0;

	if (base) {
		step_begin(m, LOCK_PCPU);
		id = new_chunk(m, base, obj, map, vms);
		if (id)
			step_end(m, LOCK_PCPU, EV_PERCPU_CHUNK, base, obj, map, vms, id, 0);
		else
			step_cancel(m, LOCK_PCPU);
	}
	if (id)
		return id;
	if (base)
		put_base(m, base, vms);
	kfree(m, map);
	kfree(m, obj);
	return 0;
}

// ---- pages ----

// Sets or clears the bits of pages [first, end); false when one is not as expected.
static bool change_populated(struct machine *m, uint32_t id, uint32_t first, uint32_t end, bool set)
{
	struct pcpu_chunk *chunk = &m->s->percpu.chunk[id];
	uint32_t bits = ((1u << (end - first)) - 1) << first;

	if (chunk->immutable || (chunk->populated & bits) != (set ? 0 : bits))
		return false;
	chunk->populated ^= bits;
	return true;
}

int PERCPU_POPULATE_apply(struct machine *m, const struct record *r)
{
	const uint32_t id = r->arg[0], first = r->arg[1], end = r->arg[2];

	if (r->lock != LOCK_PCPU || id >= PCPU_CHUNKS || !m->s->percpu.chunk[id].base_addr ||
	    first >= end || end > m->s->percpu.unit_size >> PAGE_SHIFT)
		return -EILSEQ;
	return change_populated(m, id, first, end, r->arg[3]) ? 0 : -EILSEQ;
}

// Claims the first run of unpopulated pages in [*first, end). False: all are there.
static bool claim_pages(struct machine *m, uint32_t id, uint32_t *first, uint32_t *end)
{
	const uint32_t *populated = &m->s->percpu.chunk[id].populated;
	uint32_t stop = *end;

	step_begin(m, LOCK_PCPU);
	while (*first < stop && *populated >> *first & 1)
		++*first;
	for (*end = *first; *end < stop && !(*populated >> *end & 1);)
		++*end;
	if (*first < *end && change_populated(m, id, *first, *end, true)) {
		step_end(m, LOCK_PCPU, EV_PERCPU_POPULATE, id, *first, *end, 1, 0, 0);
		return true;
	}
	step_cancel(m, LOCK_PCPU);
	return false;
}

static void unclaim_pages(struct machine *m, uint32_t id, uint32_t first, uint32_t end)
{
	step_begin(m, LOCK_PCPU);
	change_populated(m, id, first, end, false);
	step_end(m, LOCK_PCPU, EV_PERCPU_POPULATE, id, first, end, 0, 0, 0);
}

// All CPUs' pages before the first is mapped, as in the kernel.
static int populate_run(struct machine *m, kaddr_t base, uint32_t first, uint32_t n)
{
	const uint32_t ncpus = m->s->cfg.ncpus, unit = m->s->percpu.unit_size;
	pfn_t pfns[MAX_CPUS * 32];
	uint32_t got =
		alloc_pages_bulk(m, GFP_KERNEL | __GFP_HIGHMEM | __GFP_COLD, n * ncpus, pfns);
	uint32_t cpu;

	if (got < n * ncpus) {
		free_pages_bulk(m, pfns, got);
		return -ENOMEM;
	}
	base += first << PAGE_SHIFT;
	for (cpu = 0; cpu < ncpus; cpu++) {
		if (pgtable_populate(m, base + cpu * unit, (size_t)n << PAGE_SHIFT))
			break;
		vmap_pages(m, base + cpu * unit, pfns + cpu * n, n);
	}
	if (cpu == ncpus)
		return 0;
	while (cpu--)
		vunmap_page_range(m, base + cpu * unit, n);
	free_pages_bulk(m, pfns, got);
	return -ENOMEM;
}

int pcpu_populate_chunk(struct machine *m, uint32_t id, uint32_t off, uint32_t size)
{
	uint32_t first = off >> PAGE_SHIFT, stop = pages_of(off + size), end = stop;

	if (!m->s->cfg.smp)
		return 0;
	for (; claim_pages(m, id, &first, &end); first = end, end = stop) {
		if (!populate_run(m, m->s->percpu.chunk[id].base_addr, first, end - first))
			continue;
		unclaim_pages(m, id, first, end);
		return -ENOMEM;
	}
	return 0;
}

// ---- giving chunks back ----

// The second wholly free chunk of the last slot, or 0: the first one is kept for the next request.
static uint32_t surplus_chunk(const struct machine *m)
{
	const struct pcpu_state *p = &m->s->percpu;
	uint32_t kept = p->slot[p->nr_slots - 1].first;

	return kept ? p->chunk[kept].list.next : 0;
}

static void remove_chunk(struct machine *m, uint32_t id, struct remains *was)
{
	struct pcpu_state *p = &m->s->percpu;
	struct pcpu_chunk *chunk = &p->chunk[id];

	*was = (struct remains){chunk->base_addr, chunk->obj, chunk->map_obj, chunk->vms_obj,
				chunk->map_alloc};
	pcpu_slot_del(p, id, p->nr_slots - 1);
	memset(chunk, 0, sizeof(*chunk));
}

int PERCPU_RECLAIM_apply(struct machine *m, const struct record *r)
{
	struct remains was;

	if (r->lock != LOCK_PCPU || !r->arg[0] || r->arg[0] != surplus_chunk(m))
		return -EILSEQ;
	remove_chunk(m, r->arg[0], &was);
	return 0;
}

static bool reclaim_one(struct machine *m)
{
	struct remains was;
	uint32_t id;

	step_begin(m, LOCK_PCPU);
	id = surplus_chunk(m);
	if (!id) {
		step_cancel(m, LOCK_PCPU);
		return false;
	}
	remove_chunk(m, id, &was);
	step_end(m, LOCK_PCPU, EV_PERCPU_RECLAIM, id, 0, 0, 0, 0, 0);
	put_base(m, was.base_addr, was.vms_obj);
	pcpu_mem_free(m, was.map_obj, was.map_alloc * sizeof(int32_t));
	kfree(m, was.obj);
	return true;
}

void pcpu_reclaim(struct machine *m)
{
	while (reclaim_one(m))
		;
}
