// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Address ranges of the vmalloc space: first fit with a remembered position, freed lazily.
#include "vmap_area.h"

#include <errno.h>

#include "fold.h"
#include "machine.h"

enum {
	VMAP_AREA_SIZE = 52, // bytes of the kernel's struct vmap_area
	PURGE_BATCH = 128,   // areas released per lock section
	MIN_AREA = 2 * PAGE_SIZE,
};

// Index 0 ends lists and branches.
static struct vmap_area *area(const struct machine *m, uint32_t id)
{
	return id ? &m->areas[id] : NULL;
}

uint32_t vmap_area_id(const struct machine *m, const struct vmap_area *va)
{
	return va ? (uint32_t)(va - m->areas) : 0;
}

// Odd multiplier: distinct addresses have distinct priorities.
uint32_t vmap_area_priority(const struct vmap_area *va)
{
	return va->va_start * 0x9E3779B1u;
}

// The area with the greatest start at or below addr.
struct vmap_area *vmap_area_floor(const struct machine *m, kaddr_t addr)
{
	struct vmap_area *va = area(m, m->s->vmalloc.root), *best = NULL;

	while (va) {
		if (va->va_start <= addr) {
			best = va;
			va = area(m, va->right);
		} else {
			va = area(m, va->left);
		}
	}
	return best;
}

struct vmap_area *vmap_area_covering(const struct machine *m, kaddr_t addr)
{
	struct vmap_area *va = vmap_area_floor(m, addr);

	return va && addr < va->va_end ? va : NULL;
}

struct vmap_area *vmap_area_at(const struct machine *m, kaddr_t addr)
{
	struct vmap_area *va = vmap_area_floor(m, addr);

	return va && addr == va->va_start ? va : NULL;
}

// Treap insertion: down to where the priority belongs, then the subtree found there is split in two
// by address. Both loops follow one path, so damage can make them slow but never recursive.
static void tree_insert(struct machine *m, struct vmap_area *new)
{
	uint32_t *link = &m->s->vmalloc.root, *left = &new->left, *right = &new->right;
	uint32_t id = vmap_area_id(m, new), n;

	while (*link && vmap_area_priority(area(m, *link)) >= vmap_area_priority(new))
		link = area(m, *link)->va_start < new->va_start ? &area(m, *link)->right
								: &area(m, *link)->left;
	// what hung here is split by address below the new node
	n = *link;
	*link = id;
	while (n) {
		if (area(m, n)->va_start < new->va_start) {
			*left = n;
			left = &area(m, n)->right;
			n = *left;
		} else {
			*right = n;
			right = &area(m, n)->left;
			n = *right;
		}
	}
	*left = 0;
	*right = 0;
}

// The two subtrees are merged by priority into the place of the removed node.
static void tree_remove(struct machine *m, struct vmap_area *va)
{
	uint32_t *link = &m->s->vmalloc.root, l = va->left, r = va->right;
	uint32_t id = vmap_area_id(m, va);

	while (*link != id)
		link = area(m, *link)->va_start < va->va_start ? &area(m, *link)->right
							       : &area(m, *link)->left;
	while (l && r) {
		if (vmap_area_priority(area(m, l)) >= vmap_area_priority(area(m, r))) {
			*link = l;
			link = &area(m, l)->right;
			l = *link;
		} else {
			*link = r;
			link = &area(m, r)->left;
			r = *link;
		}
	}
	*link = l ? l : r;
}

static void list_insert(struct machine *m, struct vmap_area *prev, struct vmap_area *new)
{
	struct list_head *head = &m->s->vmalloc.areas;
	uint32_t id = vmap_area_id(m, new);

	new->list.prev = vmap_area_id(m, prev);
	new->list.next = prev ? prev->list.next : head->first;
	*(prev ? &prev->list.next : &head->first) = id;
	*(new->list.next ? &area(m, new->list.next)->list.prev : &head->last) = id;
}

static void list_remove(struct machine *m, struct vmap_area *va)
{
	struct list_head *head = &m->s->vmalloc.areas;

	*(va->list.prev ? &area(m, va->list.prev)->list.next : &head->first) = va->list.next;
	*(va->list.next ? &area(m, va->list.next)->list.prev : &head->last) = va->list.prev;
}

// Ids come back last in, first out; 0 when the pool is used up, which no sequence of areas inside
// the space can reach.
static uint32_t take_id(struct vmalloc_state *v, struct vmap_area *areas)
{
	uint32_t id = v->free_id;

	if (id)
		v->free_id = areas[id].list.next;
	else if (v->nr_ids + 1 < v->max_ids)
		id = ++v->nr_ids;
	return id;
}

// The range must be free: the caller has just searched it under the same lock.
struct vmap_area *insert_vmap_area(struct machine *m, kaddr_t start, kaddr_t end, kaddr_t node)
{
	struct vmalloc_state *v = &m->s->vmalloc;
	struct vmap_area *prev = vmap_area_floor(m, start), *va;
	uint32_t id = take_id(v, m->areas);

	if (!id)
		return NULL;
	va = &m->areas[id];
	*va = (struct vmap_area){.va_start = start, .va_end = end, .node = node};
	list_insert(m, prev, va);
	tree_insert(m, va);
	v->nr_areas++;
	return va;
}

// 64 bits: a candidate behind the last area may lie above 4 GiB and must then lose, not wrap.
static uint64_t align_up(uint64_t x, uint32_t align)
{
	return (x + align - 1) & ~((uint64_t)align - 1);
}

// The first area that ends at or above addr.
static struct vmap_area *first_above(const struct machine *m, uint64_t addr)
{
	struct vmap_area *va = addr <= UINT32_MAX ? vmap_area_floor(m, (kaddr_t)addr) : NULL;

	if (va && va->va_end >= addr)
		return va;
	return area(m, va ? va->list.next : m->s->vmalloc.areas.first);
}

// Where to look from: behind the remembered area, unless the request is smaller than a hole left
// below it or less demanding than those that went before; then from vstart, forgetting the rest.
static struct vmap_area *search_start(struct machine *m, uint32_t size, uint32_t align,
				      kaddr_t vstart, uint64_t *addr)
{
	struct vmalloc_state *v = &m->s->vmalloc;
	struct vmap_area *first = NULL;

	if (v->cache && size >= v->cached_hole_size && vstart >= v->cached_vstart &&
	    align >= v->cached_align) {
		first = area(m, v->cache);
		*addr = align_up(first->va_end, align);
		if (*addr < vstart)
			first = NULL;
	}
	v->cached_vstart = vstart;
	v->cached_align = align;
	if (first)
		return first;
	v->cached_hole_size = 0;
	v->cache = 0;
	*addr = align_up(vstart, align);
	return first_above(m, *addr);
}

// 0 when nothing fits: the search has still moved the remembered position.
static kaddr_t vmap_alloc_locked(struct machine *m, uint32_t size, uint32_t align, kaddr_t vstart,
				 kaddr_t vend, kaddr_t node)
{
	struct vmalloc_state *v = &m->s->vmalloc;
	struct vmap_area *next, *va;
	uint64_t addr;

	next = search_start(m, size, align, vstart, &addr);
	while (next && addr + size > next->va_start && addr + size <= vend) {
		if (addr + v->cached_hole_size < next->va_start)
			v->cached_hole_size = next->va_start - (uint32_t)addr;
		addr = align_up(next->va_end, align);
		next = area(m, next->list.next);
	}
	if (addr + size > vend)
		return 0;
	va = insert_vmap_area(m, (kaddr_t)addr, (kaddr_t)addr + size, node);
	if (!va)
		return 0;
	v->cache = vmap_area_id(m, va);
	trace(m, &(struct trace_event){.kind = EV_T_VMAP_AREA_ALLOC,
				       .cpu = m->cpu,
				       .zone = 255,
				       .addr = va->va_start,
				       .count = size >> PAGE_SHIFT});
	return va->va_start;
}

// Also guards the fold: a record with other values never came from this machine.
static bool range_ok(const struct machine *m, uint32_t size, uint32_t align, kaddr_t vstart,
		     kaddr_t vend)
{
	const struct vmalloc_state *v = &m->s->vmalloc;

	return size >= MIN_AREA && !(size % PAGE_SIZE) && align && !(align & (align - 1)) &&
	       !(vstart % PAGE_SIZE) && vstart >= v->start && vend <= v->end && vstart < vend;
}

int VMAP_ALLOC_apply(struct machine *m, const struct record *r)
{
	const uint32_t *a = r->arg;

	if (r->lock != LOCK_VMAP || !range_ok(m, a[0], a[1], a[2], a[3]))
		return -EILSEQ;
	return vmap_alloc_locked(m, a[0], a[1], a[2], a[3], a[4]) == a[5] ? 0 : -EILSEQ;
}

// The search and the purge are sections of their own, so another CPU may take what was purged;
// then the second search fails, as it may in the kernel.
kaddr_t alloc_vmap_area(struct machine *m, uint32_t size, uint32_t align, kaddr_t vstart,
			kaddr_t vend, gfp_t gfp)
{
	kaddr_t node, addr;
	bool purged = false;

	if (!range_ok(m, size, align, vstart, vend))
		return 0;
	node = kmalloc(m, VMAP_AREA_SIZE, gfp & GFP_RECLAIM_MASK);
	if (!node)
		return 0;
	for (;;) {
		step_begin(m, LOCK_VMAP);
		addr = vmap_alloc_locked(m, size, align, vstart, vend, node);
		step_end(m, LOCK_VMAP, EV_VMAP_ALLOC, size, align, vstart, vend, node, addr);
		if (addr || purged)
			break;
		purge_vmap_area_lazy(m);
		purged = true;
	}
	if (!addr)
		kfree(m, node);
	return addr;
}

// Takes the area off list and tree; the remembered position steps back if it stood at or behind it.
static void remove_vmap_area(struct machine *m, struct vmap_area *va)
{
	struct vmalloc_state *v = &m->s->vmalloc;
	uint32_t id = vmap_area_id(m, va);

	if (v->cache) {
		if (va->va_end < v->cached_vstart)
			v->cache = 0;
		else if (va->va_start <= area(m, v->cache)->va_start)
			v->cache = va->list.prev;
	}
	list_remove(m, va);
	tree_remove(m, va);
	if (va->va_end > v->pcpu_hole)
		v->pcpu_hole = va->va_end;
	v->nr_areas--;
	*va = (struct vmap_area){.list.next = v->free_id};
	v->free_id = id;
}

// Releases up to PURGE_BATCH lazily freed areas from `from` upwards; nodes[] gets their objects.
// *from ends behind the last one.
// Address order matters: each removal may move the remembered position.
static uint32_t vmap_purge_locked(struct machine *m, kaddr_t *from, kaddr_t *nodes)
{
	struct vmalloc_state *v = &m->s->vmalloc;
	struct vmap_area *va = first_above(m, *from), *next;
	uint32_t n = 0, pages = 0;

	for (; va && n < PURGE_BATCH; va = next) {
		next = area(m, va->list.next);
		if (!(va->va_flags & VA_LAZY_FREE))
			continue;
		pages += (va->va_end - va->va_start) >> PAGE_SHIFT;
		*from = va->va_end;
		nodes[n++] = va->node;
		remove_vmap_area(m, va);
	}
	v->lazy_nr -= pages;
	if (n)
		trace(m, &(struct trace_event){.kind = EV_T_VMAP_AREA_PURGE,
					       .cpu = m->cpu,
					       .zone = 255,
					       .count = n,
					       .value = pages});
	return n;
}

int VMAP_PURGE_apply(struct machine *m, const struct record *r)
{
	kaddr_t nodes[PURGE_BATCH], from = r->arg[1];

	if (r->lock != LOCK_VMAP)
		return -EILSEQ;
	return vmap_purge_locked(m, &from, nodes) == r->arg[0] ? 0 : -EILSEQ;
}

// Without the vmap blocks, as when lazy pages have passed their limit.
// Batches bound both the stack and the time under the lock; the objects are freed outside it,
// because slab has locks of its own and a step holds only one.
static void try_purge_vmap_area_lazy(struct machine *m)
{
	kaddr_t nodes[PURGE_BATCH], from = m->s->vmalloc.start, begin;
	uint32_t n;

	do {
		step_begin(m, LOCK_VMAP);
		begin = from;
		n = vmap_purge_locked(m, &from, nodes);
		if (n)
			step_end(m, LOCK_VMAP, EV_VMAP_PURGE, n, begin, 0, 0, 0, 0);
		else
			step_cancel(m, LOCK_VMAP);
		for (uint32_t i = 0; i < n; i++)
			kfree(m, nodes[i]);
	} while (n == PURGE_BATCH);
}

// Blocks first: what they give up joins the same purge.
void purge_vmap_area_lazy(struct machine *m)
{
	for (unsigned cpu = 0; cpu < m->s->cfg.ncpus; cpu++)
		purge_fragmented_blocks(m, cpu);
	try_purge_vmap_area_lazy(m);
}

void vm_unmap_aliases(struct machine *m)
{
	purge_vmap_area_lazy(m);
}

// 32 MiB for every doubling of the online CPUs: purging flushes all of their TLBs.
uint32_t lazy_max_pages(const struct machine *m)
{
	uint32_t log = 0;

	for (uint32_t n = m->s->cfg.ncpus; n; n >>= 1)
		log++;
	return log * (32u << 20 >> PAGE_SHIFT);
}

static int vmap_free_locked(struct machine *m, kaddr_t addr)
{
	struct vmap_area *va = vmap_area_at(m, addr);

	// still mapped, in use by vm_map_ram or freed already: only a wrong record can say so
	if (!va || va->nr_pages || va->vb || va->va_flags & (VA_VM_AREA | VA_LAZY_FREE))
		return -EILSEQ;
	va->va_flags |= VA_LAZY_FREE;
	m->s->vmalloc.lazy_nr += (va->va_end - va->va_start) >> PAGE_SHIFT;
	trace(m, &(struct trace_event){.kind = EV_T_VMAP_AREA_FREE,
				       .cpu = m->cpu,
				       .zone = 255,
				       .addr = addr,
				       .count = (va->va_end - addr) >> PAGE_SHIFT});
	return 0;
}

int VMAP_FREE_apply(struct machine *m, const struct record *r)
{
	if (r->lock != LOCK_VMAP)
		return -EILSEQ;
	return vmap_free_locked(m, r->arg[0]);
}

// Reuse waits for a purge: in the kernel that is when every CPU forgets its translations, at the
// price of one flush for many areas.
void free_vmap_area_noflush(struct machine *m, kaddr_t addr)
{
	bool purge;

	step_begin(m, LOCK_VMAP);
	if (vmap_free_locked(m, addr)) {
		step_cancel(m, LOCK_VMAP);
		return;
	}
	purge = m->s->vmalloc.lazy_nr > lazy_max_pages(m);
	step_end(m, LOCK_VMAP, EV_VMAP_FREE, addr, 0, 0, 0, 0, 0);
	if (purge)
		try_purge_vmap_area_lazy(m);
}

// The range behind the area's end changes hands; pages there are the caller's business.
static int vmap_resize_locked(struct machine *m, kaddr_t addr, uint32_t size)
{
	struct vmap_area *va = vmap_area_at(m, addr), *next;
	uint64_t end = (uint64_t)addr + size;

	if (!va || va->vb || va->va_flags & VA_LAZY_FREE || size < MIN_AREA || size % PAGE_SIZE)
		return -EILSEQ;
	next = area(m, va->list.next);
	if (end > (next ? next->va_start : m->s->vmalloc.end))
		return -ENOMEM;
	for (uint64_t a = end; a < va->va_end; a += PAGE_SIZE)
		if (pte_of(m, (kaddr_t)a))
			return -EILSEQ;
	va->va_end = (kaddr_t)end;
	return 0;
}

int VMAP_RESIZE_apply(struct machine *m, const struct record *r)
{
	if (r->lock != LOCK_VMAP)
		return -EILSEQ;
	return vmap_resize_locked(m, r->arg[0], r->arg[1]) ? -EILSEQ : 0;
}

// Growing and, when growing failed later, shrinking back.
int vmap_resize(struct machine *m, kaddr_t addr, uint32_t size)
{
	int err;

	step_begin(m, LOCK_VMAP);
	err = vmap_resize_locked(m, addr, size);
	if (err)
		step_cancel(m, LOCK_VMAP);
	else
		step_end(m, LOCK_VMAP, EV_VMAP_RESIZE, addr, size, 0, 0, 0, 0);
	return err;
}

void vmap_area_init(struct machine *m)
{
	struct vmalloc_state *v = &m->s->vmalloc;

	// id 0 is never an area, and none is smaller than two pages
	v->max_ids = (v->end - v->start) / MIN_AREA + 1;
	v->pcpu_hole = v->end;
}
