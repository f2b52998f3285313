// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "translate.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "layout.h"
#include "machine.h"
#include "slab_debug.h"
#include "segment.h"
#include "vmap_area.h"

enum {
	KERNEL_PAGE_FLAGS = (1 << (PG_mlocked + 1)) - 1, // those above are ours
};

// Regions from low to high; each ends where the next begins.
static enum linear_region region_of(const struct machine *m, kaddr_t addr)
{
	const struct machine_state *s = m->s;

	if (addr < s->cfg.page_offset)
		return LINEAR_USER;
	if (addr < s->high_memory)
		return LINEAR_LOWMEM;
	if (addr < s->vmalloc.start)
		return LINEAR_HOLE;
	if (addr < s->vmalloc.end)
		return LINEAR_VMALLOC;
	if (addr < s->kmap.pkmap_base)
		return LINEAR_PAD;
	if (addr < s->kmap.pkmap_base + LAST_PKMAP * PAGE_SIZE)
		return LINEAR_PKMAP;
	return addr < s->kmap.fixaddr_start ? LINEAR_BOOT_FIXMAP : LINEAR_FIXMAP;
}

const char *linear_region_name(enum linear_region region)
{
	static const char *const names[] = {
		[LINEAR_USER] = "user",
		[LINEAR_LOWMEM] = "lowmem",
		[LINEAR_HOLE] = "vmalloc guard hole",
		[LINEAR_VMALLOC] = "vmalloc",
		[LINEAR_PAD] = "unused",
		[LINEAR_PKMAP] = "pkmap",
		[LINEAR_BOOT_FIXMAP] = "boot fixmap",
		[LINEAR_FIXMAP] = "fixmap",
	};

	return names[region];
}

// The order of the hardware: directory entry, then table entry, each of which may end the walk.
int machine_translate(struct machine *m, kaddr_t addr, struct translation *t)
{
	*t = (struct translation){
		.addr = addr,
		.region = region_of(m, addr),
		.pgd_index = addr >> PGDIR_SHIFT,
		.pte_index = addr >> PAGE_SHIFT & 1023,
		.offset = addr & (PAGE_SIZE - 1),
		.pde = m->s->pgd[addr >> PGDIR_SHIFT],
	};
	if (m->s->mm.pgd_pfn)
		t->process_pde = m->s->mm.pgd[addr >> PGDIR_SHIFT];
	if (t->region == LINEAR_USER) { // the master has no user half
		t->pde = t->process_pde;
		t->fault = FAULT_USER;
	}
	if (!(t->pde & _PAGE_PRESENT))
		return -EFAULT;
	t->large = t->pde & _PAGE_PSE;
	if (t->large) {
		t->phys =
			(t->pde >> PGDIR_SHIFT << PGDIR_SHIFT) | (addr & ((1u << PGDIR_SHIFT) - 1));
	} else {
		t->pte = t->region == LINEAR_USER ? mm_pte_of(m, addr) : pte_of(m, addr);
		if (!(t->pte & _PAGE_PRESENT))
			return -EFAULT;
		t->phys = (t->pte & ~(PAGE_SIZE - 1u)) | t->offset;
	}
	t->present = true;
	t->pfn = t->phys >> PAGE_SHIFT;
	if (t->pfn < m->s->max_pfn && !(pfn_to_page(m, t->pfn)->flags & 1u << PG_hole))
		t->page = pfn_to_page(m, t->pfn);
	return 0;
}

// --- text ----------------------------------------------------------------------------------------

struct text {
	char *buf;
	size_t size, len;
};

static void __attribute__((format(printf, 2, 3))) add(struct text *t, const char *fmt, ...)
{
	bool room = t->len < t->size;
	va_list ap;

	va_start(ap, fmt);
	t->len += (size_t)vsnprintf(room ? t->buf + t->len : NULL, room ? t->size - t->len : 0, fmt,
				    ap);
	va_end(ap);
}

// The free block that contains the frame: its first frame is the only one marked.
static bool free_block(const struct machine *m, pfn_t pfn, pfn_t *head, unsigned *order)
{
	for (unsigned o = 0; o < MAX_ORDER; o++) {
		pfn_t first = pfn & ~((1u << o) - 1);
		const struct page *p = pfn_to_page(m, first);

		if (!(p->flags & 1u << PG_buddy) || p->private >= MAX_ORDER ||
		    pfn >= first + (1u << p->private))
			continue;
		*head = first;
		*order = p->private;
		return true;
	}
	return false;
}

// Objects of a slab share frames, so the offset within the page matters here.
static void slab_owner(struct machine *m, const struct translation *t, struct text *out)
{
	kaddr_t addr = lowmem_addr(m, t->pfn) + t->offset;
	unsigned cache = t->page->mapping, index;
	pfn_t slab;

	if (slab_lookup(m, addr, &cache, &slab, &index))
		add(out, "%s, object %u of slab %08x%s", m->caches[cache].name, index,
		    lowmem_addr(m, slab), slab_obj_is_free(m, slab, index) ? ", free" : "");
	else
		add(out, "%s, outside the objects of a slab",
		    cache < MAX_CACHES ? m->caches[cache].name : "slab");
}

static void mapped_owner(struct machine *m, const struct page *p, struct text *out)
{
	const struct vmap_area *va = vmap_area_covering(m, p->mapping);

	if (va)
		add(out, "page %u of the vmalloc area %08x-%08x",
		    (p->mapping - va->va_start) >> PAGE_SHIFT, va->va_start, va->va_end);
	else
		add(out, "mapped at %08x (%s)", p->mapping,
		    linear_region_name(region_of(m, p->mapping)));
}

// Most particular mark first: a frame has one owner, but a mapped one may carry other flags.
static void page_owner(struct machine *m, const struct translation *t, struct text *out)
{
	const struct page *p = t->page;
	unsigned order;
	pfn_t head;

	if (p->flags & 1u << PG_slab)
		slab_owner(m, t, out);
	else if (p->flags & 1u << PG_mapped_kernel)
		mapped_owner(m, p, out);
	else if (p->flags & 1u << PG_pgtable)
		add(out, "page table");
	else if (p->flags & 1u << PG_pagecache)
		add(out, "page cache");
	else if (p->flags & 1u << PG_reserved)
		add(out, "reserved at boot");
	else if (p->flags & 1u << PG_pcp)
		add(out, "free, on a per-CPU list");
	else if (free_block(m, t->pfn, &head, &order))
		add(out, "free, order %u block at frame %u", order, head);
	else if (p->mapcount)
		add(out, "page of the process at %08x", p->mapping & -PAGE_SIZE);
	else if (p->flags & 1u << PG_tail)
		add(out, "in use, part of the compound page at frame %u", p->index);
	else
		add(out, "in use, %d reference%s", p->_count, p->_count == 1 ? "" : "s");
}

int frame_owner_text(struct machine *m, const struct translation *t, char *buf, size_t size)
{
	struct text out = {buf, size, 0};

	if (size)
		buf[0] = '\0';
	if (!t->present)
		add(&out, "nothing");
	else if (!t->page)
		add(&out, "no RAM: a device");
	else
		page_owner(m, t, &out);
	return (int)out.len;
}

static void add_entry(struct text *out, const char *table, uint32_t index, uint32_t entry)
{
	char name[16];

	snprintf(name, sizeof(name), "%s[%u]", table, index);
	add(out, "  %-9s 0x%08x", name, entry);
	if (!(entry & _PAGE_PRESENT)) {
		add(out, " not present\n");
		return;
	}
	add(out, " frame %u%s%s%s%s%s%s\n", entry >> PAGE_SHIFT, entry & _PAGE_RW ? " rw" : " ro",
	    entry & _PAGE_USER ? " user" : "", entry & 0x008 ? " pwt" : "",
	    entry & 0x010 ? " pcd" : "", entry & _PAGE_PSE ? " 4M" : "",
	    entry & _PAGE_GLOBAL ? " global" : "");
}

// The walk above is the kernel's own; the process has its copy of that half of the directory.
static void add_process(const struct machine *m, const struct translation *t, struct text *out)
{
	if (!m->s->mm.pgd_pfn)
		return;
	add(out, "  process   directory in frame %u: ", m->s->mm.pgd_pfn);
	if (t->region == LINEAR_USER)
		add(out, "the walk is its own\n");
	else if (t->process_pde)
		add(out, "the same entry\n");
	else if (t->pde & _PAGE_PRESENT)
		add(out, "no entry yet; its first access faults and takes the kernel's\n");
	else
		add(out, "no entry either\n");
}

static void add_debug(const struct machine *m, kaddr_t addr, struct text *out)
{
	struct slab_debug d = slab_debug_at(m, addr);

	if (d.part == SLAB_NO_PART)
		return;
	add(out, "  debug     %s of the object at 0x%08x, %s", slab_part_name(d.part), d.object,
	    d.held ? "held" : "free");
	if (d.byte >= 0)
		add(out, ": 0x%02x", d.byte);
	add(out, "\n");
}

int translation_text(struct machine *m, const struct translation *t, char *buf, size_t size)
{
	struct text out = {buf, size, 0};
	unsigned selector = t->region == LINEAR_USER ? __USER_DS : __KERNEL_DS;
	uint64_t descriptor = gdt_descriptor(selector >> 3);
	char owner[128];

	add(&out, "linear 0x%08x\n", t->addr);
	add(&out,
	    "  segment   %s 0x%02x, base 0x%08x, limit 0x%08x: the offset is the linear address\n",
	    gdt_name(selector >> 3), selector, descriptor_base(descriptor),
	    descriptor_limit(descriptor));
	add(&out, "  region    %s\n", linear_region_name(t->region));
	add_entry(&out, "pgd", t->pgd_index, t->pde);
	if (t->pde & _PAGE_PRESENT && !t->large)
		add_entry(&out, "pte", t->pte_index, t->pte);
	add_process(m, t, &out);
	if (!t->present) {
		add(&out, "  page fault, error code %u (not present, read, %s)\n", t->fault,
		    t->fault & FAULT_USER ? "user" : "kernel");
		return (int)out.len;
	}
	add(&out, "  physical  0x%08x: frame %u, offset 0x%03x\n", t->phys, t->pfn, t->offset);
	if (t->page)
		add(&out, "  page      zone %s, flags 0x%08x, count %d\n",
		    zone_names[page_zonenum(m, t->pfn)],
		    (t->page->flags & KERNEL_PAGE_FLAGS) | page_zonenum(m, t->pfn) << 30,
		    t->page->_count);
	frame_owner_text(m, t, owner, sizeof(owner));
	add(&out, "  owner     %s\n", owner);
	if (t->page && is_lowmem(m, lowmem_addr(m, t->pfn)))
		add_debug(m, lowmem_addr(m, t->pfn) + t->offset, &out);
	return (int)out.len;
}
