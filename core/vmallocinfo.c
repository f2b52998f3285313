// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// /proc/vmallocinfo (reference 13.5), and the checker of the vmalloc space.
#include <errno.h>
#include <stdio.h>

#include "layout.h"
#include "machine.h"
#include "procfs.h"
#include "vmap_area.h"

// One line of the file; its length.
static int vmallocinfo_line(const struct vmap_area *va, char *buf, size_t size)
{
	char caller[16] = "", pages[24] = "", phys[32] = "";

	if (va->caller) // a stack id: whoever knows the stacks puts the symbol in its place
		snprintf(caller, sizeof(caller), " 0x%x", va->caller);
	if (va->vm_flags & VM_ALLOC && va->nr_pages && !(va->va_flags & VA_PCPU))
		snprintf(pages, sizeof(pages), " pages=%u", va->nr_pages);
	if (va->phys)
		snprintf(phys, sizeof(phys), " phys=%llx", (unsigned long long)va->phys);
	return snprintf(buf, size, "0x%08x-0x%08x %7u%s%s%s%s%s%s%s%s\n", va->va_start, va->va_end,
			va->va_end - va->va_start, caller, pages, phys,
			va->vm_flags & VM_IOREMAP ? " ioremap" : "",
			va->vm_flags & VM_ALLOC ? " vmalloc" : "",
			va->vm_flags & VM_MAP ? " vmap" : "",
			va->vm_flags & VM_USERMAP ? " user" : "",
			va->vm_flags & VM_VPAGES ? " vpages" : "");
}

// Lazily freed areas and those without a vm_struct do not show.
int proc_vmallocinfo(struct machine *m, char *buf, size_t size)
{
	uint32_t id = m->s->vmalloc.areas.first;
	size_t len = 0;

	if (size)
		buf[0] = '\0';
	for (; id; id = m->areas[id].list.next) {
		const struct vmap_area *va = &m->areas[id];
		bool room = len < size;

		if (va->va_flags & VA_VM_AREA && !(va->vm_flags & VM_UNLIST))
			len += (size_t)vmallocinfo_line(va, room ? buf + len : NULL,
							room ? size - len : 0);
	}
	return (int)len;
}

#define FAIL(...) return snprintf(why, size, __VA_ARGS__), -EINVAL

// Entries present in [start, end).
static uint32_t mapped_pages(const struct machine *m, kaddr_t start, kaddr_t end)
{
	const uint32_t *pte = &m->pte[(start - m->s->cfg.page_offset) >> PAGE_SHIFT];
	uint32_t n = 0;

	for (uint32_t i = 0; i < (end - start) >> PAGE_SHIFT; i++)
		n += pte[i] != 0;
	return n;
}

// What must hold for one area, whatever its neighbours.
static int check_area(struct machine *m, const struct vmap_area *va, bool all, char *why,
		      size_t size)
{
	kaddr_t start = va->va_start, end = va->va_end;
	bool vm = va->va_flags & VA_VM_AREA;

	if (start % PAGE_SIZE || end % PAGE_SIZE || end - start < 2 * PAGE_SIZE)
		FAIL("vmalloc: area %08x-%08x is no page range with a guard page", start, end);
	if (mapped_pages(m, start, end) != va->nr_pages)
		FAIL("vmalloc: area %08x says %u pages mapped, the tables %u", start, va->nr_pages,
		     mapped_pages(m, start, end));
	if (all && vm && !(va->va_flags & VA_PCPU) &&
	    m->pte[(end - PAGE_SIZE - m->s->cfg.page_offset) >> PAGE_SHIFT])
		FAIL("vmalloc: the guard page of area %08x is mapped", start);
	if (va->va_flags & VA_LAZY_FREE && (va->nr_pages || vm))
		FAIL("vmalloc: freed area %08x is still in use", start);
	if (va->vb && m->s->vmalloc.vb.block[va->vb].addr != start)
		FAIL("vmalloc: area %08x claims a vmap block of another", start);
	if (vmap_area_at(m, start) != va)
		FAIL("vmalloc: area %08x is not found in the tree", start);
	for (kaddr_t a = start; all && vm && a < end; a += PAGE_SIZE)
		if (m->pte[(a - m->s->cfg.page_offset) >> PAGE_SHIFT] && !pte_of(m, a))
			FAIL("vmalloc: page %08x is mapped without a page table", a);
	return 0;
}

// One pool entry by itself: whatever it links to exists, and the tree below it is ordered. As
// priorities fall strictly from parent to child, no walk of the tree can then go round in circles.
static int check_entry(struct machine *m, uint32_t id, char *why, size_t size)
{
	const struct vmalloc_state *v = &m->s->vmalloc;
	const struct vmap_area *va = &m->areas[id];
	const uint32_t child[] = {va->left, va->right};

	if (va->list.next > v->nr_ids || va->list.prev > v->nr_ids || va->left > v->nr_ids ||
	    va->right > v->nr_ids || va->vb >= VMAP_BLOCKS)
		FAIL("vmalloc: entry %u links outside the pool", id);
	if (!va->va_end && (va->left || va->right || va->va_start))
		FAIL("vmalloc: unused entry %u is in the tree", id);
	for (int i = 0; i < 2; i++) {
		const struct vmap_area *c = &m->areas[child[i]];

		if (child[i] && (!c->va_end || vmap_area_priority(c) >= vmap_area_priority(va) ||
				 (c->va_start > va->va_start) != i))
			FAIL("vmalloc: the tree is not ordered below area %08x", va->va_start);
	}
	return 0;
}

// What every function here relies on before it follows an index; memory may come from a file.
static int check_pool(struct machine *m, char *why, size_t size)
{
	const struct vmalloc_state *v = &m->s->vmalloc;
	uint32_t unused = 0, chained = 0;

	if (v->start != layout_vmalloc_start(&m->s->cfg, m->s->high_memory) ||
	    v->end != layout_vmalloc_end(&m->s->cfg))
		FAIL("vmalloc: the space is %08x-%08x", v->start, v->end);
	if (v->max_ids != (v->end - v->start) / (2 * PAGE_SIZE) + 1 || v->nr_ids >= v->max_ids ||
	    v->areas.first > v->nr_ids || v->areas.last > v->nr_ids || v->root > v->nr_ids ||
	    v->free_id > v->nr_ids || v->cache > v->nr_ids)
		FAIL("vmalloc: %u of %u pool entries cannot be", v->nr_ids, v->max_ids);
	for (uint32_t id = 1; id <= v->nr_ids; id++) {
		if (check_entry(m, id, why, size))
			return -EINVAL;
		unused += !m->areas[id].va_end;
	}
	for (uint32_t id = v->free_id; id && chained <= unused; id = m->areas[id].list.next)
		chained += m->areas[id].va_end ? unused + 1 : 1;
	if (chained != unused || unused + v->nr_areas != v->nr_ids)
		FAIL("vmalloc: %u unused pool entries, %u areas counted", unused, v->nr_areas);
	if ((v->cache && !m->areas[v->cache].va_end) || (v->root && !m->areas[v->root].va_end))
		FAIL("vmalloc: the search starts at no area");
	return 0;
}

static int check_areas(struct machine *m, bool all, char *why, size_t size)
{
	const struct vmalloc_state *v = &m->s->vmalloc;
	uint32_t n = 0, lazy = 0, prev = 0, mapped = 0;
	kaddr_t end = v->start;

	if (check_pool(m, why, size))
		return -EINVAL;
	for (uint32_t id = v->areas.first; id; prev = id, id = m->areas[id].list.next) {
		const struct vmap_area *va = &m->areas[id];

		if (va->list.prev != prev || va->va_start < end || va->va_end <= va->va_start ||
		    va->va_end > v->end || ++n > v->nr_ids)
			FAIL("vmalloc: area %08x is out of order", va->va_start);
		if (check_area(m, va, all, why, size))
			return -EINVAL;
		if (va->va_flags & VA_LAZY_FREE)
			lazy += (va->va_end - va->va_start) >> PAGE_SHIFT;
		mapped += va->nr_pages;
		end = va->va_end;
	}
	if (v->areas.last != prev || n != v->nr_areas)
		FAIL("vmalloc: %u areas listed, %u counted", n, v->nr_areas);
	if (lazy != v->lazy_nr)
		FAIL("vmalloc: %u pages lazily freed, lazy_nr %u", lazy, v->lazy_nr);
	if (all && mapped_pages(m, v->start, v->end) != mapped)
		FAIL("vmalloc: pages are mapped outside every area");
	return vmap_block_check(m, why, size);
}

int vmalloc_check(struct machine *m, char *why, size_t size)
{
	return check_areas(m, true, why, size);
}

int vmalloc_safe(struct machine *m, char *why, size_t size)
{
	return check_areas(m, false, why, size);
}
