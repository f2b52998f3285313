// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Mapping what exists: vmap and vm_map_ram of frames, ioremap of devices.
#include <errno.h>

#include "buddy.h"
#include "machine.h"
#include "misuse.h"
#include "vm_internal.h"

enum {
	ISA_START = 0xA0000,
	ISA_END = 0x100000,
};

// --- mapping what exists ---------------------------------------------------------------------

// The frames stay the caller's; vunmap gives back the addresses only.
kaddr_t vmap(struct machine *m, const pfn_t *pages, uint32_t count)
{
	struct vmap_area va = {.vm_flags = VM_MAP};

	if (!count || count > m->s->totalram_pages)
		return 0;
	va.va_start = get_unlisted_area(m, (size_t)count << PAGE_SHIFT, VM_MAP, m->s->vmalloc.start,
					m->s->vmalloc.end, GFP_KERNEL, &va.vm);
	if (!va.va_start)
		return 0;
	va.va_end = va.va_start + (count + 1) * PAGE_SIZE;
	if (pgtable_populate(m, va.va_start, (size_t)count << PAGE_SHIFT)) {
		release_area(m, &va, false);
		return 0;
	}
	vmap_pages(m, va.va_start, pages, count);
	vm_insert(m, va.va_start, VM_MAP, va.vm, 0, 0);
	return va.va_start;
}

// No vm_struct and no guard page: cheap, and invisible in /proc/vmallocinfo.
kaddr_t vm_map_ram(struct machine *m, const pfn_t *pages, uint32_t count)
{
	kaddr_t addr;

	if (!count || count > m->s->totalram_pages)
		return 0;
	if (count <= VMAP_MAX_ALLOC)
		addr = vb_alloc(m, count);
	else
		addr = alloc_vmap_area(m, count << PAGE_SHIFT, PAGE_SIZE, m->s->vmalloc.start,
				       m->s->vmalloc.end, GFP_KERNEL);
	if (!addr)
		return 0;
	if (pgtable_populate(m, addr, (size_t)count << PAGE_SHIFT)) {
		vm_unmap_ram(m, addr, count);
		return 0;
	}
	vmap_pages(m, addr, pages, count);
	return addr;
}

// Small ranges live in blocks, large ones are areas of their own: the count must say which.
static int unmap_ram(struct machine *m, kaddr_t addr, uint32_t count)
{
	struct vmap_area va = {0};

	if (vm_lookup(m, addr, true, &va) || !va.va_end || !count || addr % PAGE_SIZE ||
	    count > (va.va_end - addr) >> PAGE_SHIFT)
		return -EINVAL;
	if (!va.vb != (count > VMAP_MAX_ALLOC) || (!va.vb && (addr != va.va_start || va.va_flags)))
		return -EINVAL;
	vunmap_page_range(m, addr, count);
	if (va.vb)
		return vb_free(m, addr, count);
	free_vmap_area_noflush(m, addr);
	return 0;
}

int vm_unmap_ram(struct machine *m, kaddr_t addr, uint32_t count)
{
	int err = unmap_ram(m, addr, count);

	if (err)
		misuse(m, MISUSE_UNMAP_RAM, 0, addr);
	return err;
}

// --- ioremap -------------------------------------------------------------------------------------

// Reserved frames may be remapped: that is how firmware tables in RAM are read.
static bool is_ram(const struct machine *m, pfn_t pfn)
{
	return pfn < m->s->max_pfn &&
	       !(page_flags(pfn_to_page(m, pfn)) & (1u << PG_reserved | 1u << PG_hole));
}

// The offset within the page is kept in the result. RAM in use is refused: two mappings of
// different cache types onto one frame would be undefined.
kaddr_t ioremap(struct machine *m, uint64_t phys, size_t size)
{
	uint64_t last = phys + size - 1;
	struct vmap_area va = {.vm_flags = VM_IOREMAP};
	uint32_t base = (uint32_t)phys & ~(PAGE_SIZE - 1u), count;

	if (!size || last < phys || last >> 32)
		return 0;
	if (phys >= ISA_START && last < ISA_END)
		return m->s->cfg.page_offset + (kaddr_t)phys;
	for (pfn_t pfn = (pfn_t)(phys >> PAGE_SHIFT);
	     pfn <= last >> PAGE_SHIFT && pfn < m->s->max_pfn; pfn++)
		if (is_ram(m, pfn))
			return 0;
	count = (uint32_t)((last >> PAGE_SHIFT) - (phys >> PAGE_SHIFT)) + 1;
	va.va_start = get_unlisted_area(m, (size_t)count << PAGE_SHIFT, VM_IOREMAP,
					m->s->vmalloc.start, m->s->vmalloc.end, GFP_KERNEL, &va.vm);
	if (!va.va_start)
		return 0;
	va.va_end = va.va_start + (count + 1) * PAGE_SIZE;
	if (pgtable_populate(m, va.va_start, (size_t)count << PAGE_SHIFT)) {
		release_area(m, &va, false);
		return 0;
	}
	vm_map_run(m, va.va_start, base >> PAGE_SHIFT, count, 1, PAGE_KERNEL_UC_MINUS);
	vm_insert(m, va.va_start, VM_IOREMAP, va.vm, 0, base);
	return va.va_start + ((kaddr_t)phys - base);
}

int iounmap(struct machine *m, kaddr_t addr)
{
	struct vmap_area va;

	if (addr <= m->s->high_memory)
		return 0; // the direct map, or the ISA window that never got an area
	if (!vm_lookup(m, addr & ~(PAGE_SIZE - 1u), false, &va)) {
		misuse(m, MISUSE_IOUNMAP, 0, addr);
		return -EINVAL;
	}
	return remove_vm_area(m, addr & ~(PAGE_SIZE - 1u));
}
