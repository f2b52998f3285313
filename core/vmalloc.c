// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// vmalloc: areas, the pages behind them, growing, and unmapping a part.
#include "vmalloc.h"

#include <errno.h>

#include "machine.h"
#include "misuse.h"
#include "vm_internal.h"

enum {
	VM_STRUCT_SIZE = 32, // bytes of the kernel's struct vm_struct
	VM_BATCH = 128,	     // pages taken or given back at a time; bounds the stack used
	IOREMAP_MAX_ORDER = 19,
};

// --- areas ---------------------------------------------------------------------------------------

// A device is aligned to the power of two above its size, within limits.
static uint32_t ioremap_align(uint32_t size)
{
	unsigned bit = 32 - (unsigned)__builtin_clz(size);

	if (bit > IOREMAP_MAX_ORDER)
		bit = IOREMAP_MAX_ORDER;
	if (bit < PAGE_SHIFT)
		bit = PAGE_SHIFT;
	return 1u << bit;
}

// Order of the two objects as in the kernel: the vm_struct, then (in alloc_vmap_area) the
// vmap_area. It shows in the addresses slab hands out.
kaddr_t get_unlisted_area(struct machine *m, size_t size, uint32_t flags, kaddr_t start,
			  kaddr_t end, gfp_t gfp, kaddr_t *vm)
{
	uint32_t align = 1, bytes;
	kaddr_t addr;

	if (!size || size > UINT32_MAX - 2 * PAGE_SIZE)
		return 0;
	if (flags & VM_IOREMAP)
		align = ioremap_align((uint32_t)size);
	bytes = (pages_of(size) + 1) << PAGE_SHIFT; // one guard page
	*vm = kmalloc(m, VM_STRUCT_SIZE, (gfp & GFP_RECLAIM_MASK) | __GFP_ZERO);
	if (!*vm)
		return 0;
	addr = alloc_vmap_area(m, bytes, align, start, end, gfp);
	if (!addr)
		kfree(m, *vm);
	return addr;
}

// Address space alone: nothing is mapped, nr_pages stays 0.
kaddr_t __get_vm_area(struct machine *m, size_t size, uint32_t flags, kaddr_t start, kaddr_t end)
{
	kaddr_t vm, addr = get_unlisted_area(m, size, flags, start, end, GFP_KERNEL, &vm);

	if (addr)
		vm_insert(m, addr, flags & ~(uint32_t)VM_UNLIST, vm, 0, 0);
	return addr;
}

kaddr_t get_vm_area(struct machine *m, size_t size, uint32_t flags)
{
	return __get_vm_area(m, size, flags, m->s->vmalloc.start, m->s->vmalloc.end);
}

// Unmaps count pages from addr on and gives their frames back one by one.
static void unmap_and_free(struct machine *m, kaddr_t addr, uint32_t count)
{
	pfn_t pfns[VM_BATCH];

	for (uint32_t done = 0, n; done < count; done += n) {
		const uint32_t *pte = vmalloc_pte(m, addr + done * PAGE_SIZE);
		uint32_t got = 0;

		n = count - done < VM_BATCH ? count - done : VM_BATCH;
		for (uint32_t i = 0; i < n; i++)
			if (pte[i])
				pfns[got++] = pte[i] >> PAGE_SHIFT;
		if (!got)
			continue;
		vunmap_page_range(m, addr + done * PAGE_SIZE, n);
		free_pages_bulk(m, pfns, got);
	}
}

// An array of its own area goes lazily like any other; that may trigger the next purge.
static void free_page_array(struct machine *m, kaddr_t pages, uint32_t flags)
{
	if (flags & VM_VPAGES)
		vfree(m, pages);
	else if (pages)
		kfree(m, pages);
}

// Frames go back before the range does: once the range is lazily freed another CPU may purge and
// reuse it, and the entries are the only place that knows the frames.
void release_area(struct machine *m, const struct vmap_area *was, bool free_frames)
{
	kaddr_t addr = was->va_start;
	uint32_t count = (was->va_end - addr) >> PAGE_SHIFT;

	if (free_frames)
		unmap_and_free(m, addr, count);
	else if (was->nr_pages)
		vunmap_page_range(m, addr, count);
	free_vmap_area_noflush(m, addr);
	free_page_array(m, was->pages, was->vm_flags);
	kfree(m, was->vm);
}

// NULL is no error, as for free(). Only VM_ALLOC areas own their frames.
static int __vunmap(struct machine *m, kaddr_t addr, bool free_frames)
{
	struct vmap_area was;

	if (!addr)
		return 0;
	if (addr % PAGE_SIZE || vm_remove(m, addr, &was)) {
		misuse(m, addr % PAGE_SIZE ? MISUSE_VFREE_ALIGN : MISUSE_VFREE_NO_AREA, 0, addr);
		return -EINVAL;
	}
	release_area(m, &was, free_frames && was.vm_flags & VM_ALLOC);
	return 0;
}

int vfree(struct machine *m, kaddr_t addr)
{
	return __vunmap(m, addr, true);
}

int vunmap(struct machine *m, kaddr_t addr)
{
	return __vunmap(m, addr, false);
}

// Also frees the vm_struct, which the kernel leaves to its callers.
int remove_vm_area(struct machine *m, kaddr_t addr)
{
	return addr ? __vunmap(m, addr, false) : -EINVAL;
}

// --- vmalloc -------------------------------------------------------------------------------------

static kaddr_t vmalloc_above(struct machine *m, size_t size, gfp_t gfp, kaddr_t start);

// The array of page pointers: four bytes a page, vmalloc'ed itself above one page.
static kaddr_t alloc_page_array(struct machine *m, uint32_t pages, gfp_t gfp, uint32_t *flags,
				kaddr_t start)
{
	uint32_t bytes = pages * 4;

	gfp = (gfp & GFP_RECLAIM_MASK) | __GFP_ZERO;
	if (bytes <= PAGE_SIZE) {
		*flags &= ~(uint32_t)VM_VPAGES;
		return kmalloc(m, bytes, gfp);
	}
	*flags |= VM_VPAGES;
	return vmalloc_above(m, bytes, gfp | __GFP_HIGHMEM, start);
}

// Puts frames behind [addr, addr + count pages). On failure some may be mapped.
// Batches bound the stack, not the result: the frames are those of count single allocations.
static int populate_pages(struct machine *m, kaddr_t addr, uint32_t count, gfp_t gfp)
{
	pfn_t pfns[VM_BATCH];

	for (uint32_t done = 0, n; done < count; done += n) {
		uint32_t got;

		n = count - done < VM_BATCH ? count - done : VM_BATCH;
		got = alloc_pages_bulk(m, gfp | __GFP_NOWARN, n, pfns);
		vmap_pages(m, addr + done * PAGE_SIZE, pfns, got);
		if (got < n)
			return -ENOMEM;
	}
	// As in the kernel all frames are taken before the first page table is.
	return pgtable_populate(m, addr, (size_t)count << PAGE_SHIFT);
}

// The area becomes public only when all is in place; whatever fails before that is undone by the
// same function that serves vfree.
static kaddr_t vmalloc_above(struct machine *m, size_t size, gfp_t gfp, kaddr_t start)
{
	struct vmap_area va = {.vm_flags = VM_ALLOC};
	uint32_t count = size > UINT32_MAX ? 0 : pages_of(size);

	if (!count || count > m->s->totalram_pages)
		return 0;
	va.va_start = get_unlisted_area(m, size, VM_ALLOC, start, m->s->vmalloc.end, gfp, &va.vm);
	if (!va.va_start)
		return 0;
	va.va_end = va.va_start + (count + 1) * PAGE_SIZE;
	va.pages = alloc_page_array(m, count, gfp, &va.vm_flags, m->s->vmalloc.start);
	if (!va.pages || populate_pages(m, va.va_start, count, gfp)) {
		release_area(m, &va, true);
		return 0;
	}
	vm_insert(m, va.va_start, va.vm_flags, va.vm, va.pages, 0);
	return va.va_start;
}

kaddr_t __vmalloc(struct machine *m, size_t size, gfp_t gfp)
{
	return vmalloc_above(m, size, gfp, m->s->vmalloc.start);
}

kaddr_t vmalloc(struct machine *m, size_t size)
{
	return __vmalloc(m, size, GFP_KERNEL | __GFP_HIGHMEM);
}

// The range stays reserved, so a neighbour cannot grow into the hole and the address of the rest
// keeps meaning the same area.
int vunmap_partial(struct machine *m, kaddr_t addr, uint32_t pages)
{
	struct vmap_area va;

	if (addr % PAGE_SIZE || !pages || !vm_lookup(m, addr, true, &va) ||
	    pages > (va.va_end - addr) >> PAGE_SHIFT)
		return -EINVAL;
	if (va.vm_flags & VM_ALLOC)
		unmap_and_free(m, addr, pages);
	else
		vunmap_page_range(m, addr, pages);
	if (!vm_lookup(m, va.va_start, false, &va) || va.nr_pages)
		return 0;
	return vfree(m, va.va_start) ? -EINVAL : 1;
}

// Makes room for the pointers of `pages` pages above `start`; *va describes the array in use afterwards.
static int move_page_array(struct machine *m, struct vmap_area *va, uint32_t pages, gfp_t gfp,
			   kaddr_t start)
{
	uint32_t flags = va->vm_flags;
	kaddr_t array = alloc_page_array(m, pages, gfp, &flags, start);

	if (!array)
		return -ENOMEM;
	vm_insert(m, va->va_start, flags, va->vm, array, 0);
	free_page_array(m, va->pages, va->vm_flags);
	va->pages = array;
	va->vm_flags = flags;
	return 0;
}

static int grow_page_array(struct machine *m, struct vmap_area *va, uint32_t pages, gfp_t gfp)
{
	uint32_t old = vm_area_usable(va) >> PAGE_SHIFT;
	// both kinds round up: the array of the old size may already hold the new one
	size_t room =
		va->vm_flags & VM_VPAGES ? pages_of(old * 4ull) << PAGE_SHIFT : ksize(m, va->pages);

	if (pages * 4ull <= room)
		return 0;
	return move_page_array(m, va, pages, gfp, m->s->vmalloc.start);
}

// Whether the area's own array of page pointers stands right behind it, as it does when it was mapped
// itself and made with the area. *lazy: something that a purge removes does.
static bool followed_by_array(struct machine *m, const struct vmap_area *va, bool *lazy)
{
	const struct vmap_area *next;
	bool own;

	step_begin(m, LOCK_VMAP);
	next = vmap_area_at(m, va->va_end);
	*lazy = next && next->va_flags & VA_LAZY_FREE;
	own = next && va->vm_flags & VM_VPAGES && next->va_start == va->pages;
	step_cancel(m, LOCK_VMAP);
	return own;
}

// Far enough for the area to grow several times, if there is room.
static kaddr_t away_from(const struct machine *m, kaddr_t addr, uint32_t size)
{
	uint64_t room = m->s->vmalloc.end - ((uint64_t)addr + size), far = 3ull * size;

	return addr + size + (uint32_t)((far < room / 2 ? far : room / 2) & -(uint64_t)PAGE_SIZE);
}

// Takes the range behind the area. A lazily freed one in the way is purged first; the array of page
// pointers moves.
static int extend_area(struct machine *m, struct vmap_area *va, uint32_t size, gfp_t gfp)
{
	kaddr_t addr = va->va_start;
	bool own, lazy;

	if (!vmap_resize(m, addr, size))
		return 0;
	if ((uint64_t)addr + size > m->s->vmalloc.end)
		return -ENOMEM;
	own = followed_by_array(m, va, &lazy);
	if (own && move_page_array(m, va, size >> PAGE_SHIFT, gfp, away_from(m, addr, size)))
		return -ENOMEM;
	if (!own && !lazy)
		return -ENOMEM;
	purge_vmap_area_lazy(m);
	return vmap_resize(m, addr, size);
}

// The old guard page becomes the first new page; the area ends with a new one.
int vmalloc_grow(struct machine *m, kaddr_t addr, size_t new_size, gfp_t gfp)
{
	uint32_t count = new_size > UINT32_MAX ? 0 : pages_of(new_size), old;
	struct vmap_area va;
	kaddr_t array;

	if (!vm_lookup(m, addr, false, &va) || !(va.vm_flags & VM_ALLOC) || !count ||
	    count > m->s->totalram_pages)
		return -ENOMEM;
	old = (va.va_end - va.va_start - PAGE_SIZE) >> PAGE_SHIFT;
	if (count <= old)
		return 0;
	array = va.pages;
	if (extend_area(m, &va, (count + 1) << PAGE_SHIFT, gfp))
		return -ENOMEM;
	if (populate_pages(m, addr + old * PAGE_SIZE, count - old, gfp) ||
	    (va.pages == array && grow_page_array(m, &va, count, gfp))) {
		unmap_and_free(m, addr + old * PAGE_SIZE, count - old);
		vmap_resize(m, addr, (old + 1) << PAGE_SHIFT);
		return -ENOMEM;
	}
	return 0;
}

// --- looking -------------------------------------------------------------------------------------

// The pointer is good while the caller owns the area: pool entries do not move.
const struct vmap_area *find_vm_area(struct machine *m, kaddr_t addr)
{
	const struct vmap_area *va;

	step_begin(m, LOCK_VMAP);
	va = vmap_area_covering(m, addr);
	step_cancel(m, LOCK_VMAP);
	return va && va->va_flags & VA_VM_AREA ? va : NULL;
}

pfn_t vmalloc_to_pfn(struct machine *m, kaddr_t addr)
{
	if (addr < m->s->vmalloc.start || addr >= m->s->vmalloc.end)
		return 0;
	return pte_of(m, addr) >> PAGE_SHIFT;
}

size_t vm_area_usable(const struct vmap_area *va)
{
	return va->va_end - va->va_start - PAGE_SIZE;
}

void vmalloc_init(struct machine *m)
{
	vmap_area_init(m);
	vmap_block_init(m);
}
