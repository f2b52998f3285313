// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Page tables of the kernel half: the directory and the frames that hold its tables. The entries
// themselves are in m->pte and belong to whoever maps there (vmalloc.c, kmap.c).
#include "pgtable.h"

#include <errno.h>

#include "buddy.h"
#include "fold.h"
#include "layout.h"
#include "machine.h"

enum {
	PTRS_PER_PGD = 1024,
	IMAGE_START = 16 << 20,
	EARLY_SPARE = 7, // frames looked for beyond the tables that are needed
};
#define PGDIR_SIZE (1u << PGDIR_SHIFT)

// Looked at without a lock too: a stale answer only makes a CPU try to add the table again.
static uint32_t pde(const struct machine *m, uint32_t index)
{
	return __atomic_load_n(&m->s->pgd[index], __ATOMIC_RELAXED);
}

static int pgtable_add_locked(struct machine *m, uint32_t index, pfn_t pfn)
{
	struct page *page;

	// only the kernel half above lowmem gets tables after boot, from frames of lowmem
	if (index < m->s->vmalloc.start >> PGDIR_SHIFT || index >= PTRS_PER_PGD ||
	    pde(m, index) & _PAGE_PRESENT || !pfn || pfn >= m->s->max_low_pfn)
		return -EILSEQ;
	__atomic_store_n(&m->s->pgd[index], pfn << PAGE_SHIFT | _KERNPG_TABLE, __ATOMIC_RELAXED);
	page = pfn_to_page(m, pfn);
	set_page_flags(page, page_flags(page) | 1u << PG_pgtable);
	trace(m, &(struct trace_event){.kind = EV_T_PAGE_TABLE,
				       .cpu = (uint8_t)m->cpu,
				       .zone = 255,
				       .pfn = pfn,
				       .count = 1,
				       .value = index});
	return 0;
}

int PGTABLE_ADD_apply(struct machine *m, const struct record *r)
{
	if (r->lock != LOCK_VMAP)
		return -EILSEQ;
	return pgtable_add_locked(m, r->arg[0], r->arg[1]);
}

// The frame is taken before the lock, so two CPUs may both bring one; the loser gives its back.
static int pte_alloc_kernel(struct machine *m, uint32_t index)
{
	pfn_t pfn = alloc_pages(m, GFP_KERNEL | __GFP_REPEAT | __GFP_ZERO, 0);
	int err;

	if (!pfn)
		return -ENOMEM;
	step_begin(m, LOCK_VMAP);
	err = pgtable_add_locked(m, index, pfn);
	if (!err) {
		step_end(m, LOCK_VMAP, EV_PGTABLE_ADD, index, pfn, 0, 0, 0, 0);
		return 0;
	}
	step_cancel(m, LOCK_VMAP); // another CPU was quicker
	__free_pages(m, pfn, 0);
	return 0;
}

// Tables stay when what they mapped goes: PDEs are never removed, so this soon finds all present.
int pgtable_populate(struct machine *m, kaddr_t addr, size_t size)
{
	uint32_t last = (uint32_t)(((uint64_t)addr + size - 1) >> PGDIR_SHIFT);

	for (uint32_t i = addr >> PGDIR_SHIFT; size && i <= last; i++)
		if (!(pde(m, i) & _PAGE_PRESENT) && pte_alloc_kernel(m, i))
			return -ENOMEM;
	return 0;
}

uint32_t pte_of(struct machine *m, kaddr_t addr)
{
	uint32_t entry = pde(m, addr >> PGDIR_SHIFT);

	if (addr < m->s->cfg.page_offset || !(entry & _PAGE_PRESENT))
		return 0;
	if (is_lowmem(m, addr)) // one rule for all of it; the 4 MiB ones have no entry of their own
		return lowmem_pfn(m, addr) << PAGE_SHIFT |
		       (entry & _PAGE_PSE ? PAGE_KERNEL_LARGE : PAGE_KERNEL);
	return m->pte[(addr - m->s->cfg.page_offset) >> PAGE_SHIFT];
}

// --- whose page ----------------------------------------------------------------------------------

// Frames with another owner keep their word `mapping`.
static bool mark_allowed(const struct page *p)
{
	uint32_t owned = 1u << PG_reserved | 1u << PG_slab | 1u << PG_buddy | 1u << PG_pcp |
			 1u << PG_hole | 1u << PG_pgtable | 1u << PG_pagecache |
			 1u << PG_mapped_kernel;

	return !(page_flags(p) & owned) && !p->mapping;
}

void page_mark_mapped(struct machine *m, pfn_t pfn, kaddr_t addr)
{
	struct page *p = pfn < m->s->max_pfn ? pfn_to_page(m, pfn) : NULL;

	if (p && mark_allowed(p)) {
		set_page_flags(p, page_flags(p) | 1u << PG_mapped_kernel);
		p->mapping = addr;
	}
}

void page_clear_mapped(struct machine *m, pfn_t pfn, kaddr_t addr)
{
	struct page *p = pfn < m->s->max_pfn ? pfn_to_page(m, pfn) : NULL;

	if (p && page_flags(p) & 1u << PG_mapped_kernel && p->mapping == addr) {
		set_page_flags(p, page_flags(p) & ~(1u << PG_mapped_kernel));
		p->mapping = 0;
	}
}

// --- boot ----------------------------------------------------------------------------------------

static void set_table(struct machine *m, uint32_t index, uint32_t phys)
{
	if (phys)
		m->s->pgd[index] = phys | _KERNPG_TABLE;
}

// The tables the kernel starts with lie in its image, at the end of bss.
static uint32_t image_table(const struct machine *m, unsigned n)
{
	return IMAGE_START + (m->s->cfg.kernel_bytes & -PAGE_SIZE) - (n + 1) * PAGE_SIZE;
}

// What the first mapping covers: the image and as much as tables for all of the kernel's half take,
// in whole tables.
static uint32_t first_mapping_end(const struct machine *m)
{
	uint32_t tables = (0 - m->s->cfg.page_offset) >> PGDIR_SHIFT;
	uint32_t end = IMAGE_START + m->s->cfg.kernel_bytes + tables * PAGE_SIZE;

	return (end + PGDIR_SIZE - 1) & -PGDIR_SIZE;
}

// Tables of lowmem are the first of a few more frames found where the kernel can write already; what is
// not needed of them is left.
static uint32_t lowmem_tables(struct machine *m, uint32_t tables)
{
	struct memblock *mb = &m->s->memblock;
	uint32_t phys = memblock_find_in_range(mb, 0, first_mapping_end(m),
					       (tables + EARLY_SPARE) * PAGE_SIZE, PAGE_SIZE);

	if (!phys)
		return memblock_alloc(mb, tables * PAGE_SIZE, PAGE_SIZE);
	memblock_reserve(mb, phys, tables * PAGE_SIZE);
	return phys;
}

// First 4 MiB by small pages (its memory types differ), whole 4 MiB units by large ones, the rest up to
// high_memory by small ones again; mem=nopentium has small ones only.
static void map_lowmem(struct machine *m)
{
	uint32_t first = m->s->cfg.page_offset >> PGDIR_SHIFT, units = m->s->max_low_pfn >> 10;
	uint32_t small = m->s->cfg.e820.nopentium ? 1 : units; // from here on by tables
	uint32_t all = (m->s->max_low_pfn + 1023) >> 10, tables = all - small;
	uint32_t phys = tables ? lowmem_tables(m, tables) : 0;

	set_table(m, first, image_table(m, 0));
	for (uint32_t i = 1; i < all; i++)
		if (i < small)
			m->s->pgd[first + i] = i << PGDIR_SHIFT | PAGE_KERNEL_LARGE;
		else
			set_table(m, first + i, phys + (i - small) * PAGE_SIZE);
}

// Device registers mapped since boot.
static void set_fixmap_nocache(struct machine *m, unsigned slot, uint32_t phys)
{
	m->pte[(fix_to_virt(slot) - m->s->cfg.page_offset) >> PAGE_SHIFT] =
		phys | PAGE_KERNEL_NOCACHE;
}

void pgtable_init(struct machine *m)
{
	struct fixmap fx;

	map_lowmem(m);
	fixmap_layout(&fx, m->s->cfg.nr_cpus, true);
	// pkmap and fixmap have their tables from the start, so that every process shares them
	set_table(m, m->s->kmap.pkmap_base >> PGDIR_SHIFT,
		  memblock_alloc(&m->s->memblock, PAGE_SIZE, PAGE_SIZE));
	for (uint32_t i = (m->s->kmap.pkmap_base >> PGDIR_SHIFT) + 1, n = 1; i < PTRS_PER_PGD; i++)
		set_table(m, i, image_table(m, n++));
	set_fixmap_nocache(m, fx.apic_base, 0xFEE00000);
	set_fixmap_nocache(m, fx.io_apic_base, 0xFEC00000);
}
