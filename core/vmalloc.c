// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// vmalloc, vmap, vm_map_ram and ioremap: pages behind the ranges of vmap_area.c.
#include "vmalloc.h"

#include <errno.h>

#include "buddy.h"
#include "fold.h"
#include "machine.h"
#include "vmap_area.h"

enum {
	VM_STRUCT_SIZE = 32, // bytes of the kernel's struct vm_struct
	VM_BATCH = 128,	     // pages taken or given back at a time; bounds the stack used
	IOREMAP_MAX_ORDER = 19,
	ISA_START = 0xA0000,
	ISA_END = 0x100000,
};

// What a caller's gfp says about how hard to try; the objects behind an area follow it in that.
#define GFP_RECLAIM_MASK                                                                           \
	(__GFP_WAIT | __GFP_HIGH | __GFP_IO | __GFP_FS | __GFP_NOWARN | __GFP_REPEAT |             \
	 __GFP_NOFAIL | __GFP_NORETRY | __GFP_NOMEMALLOC)

static uint32_t *pte_slot(const struct machine *m, kaddr_t addr)
{
	return &m->pte[(addr - m->s->cfg.page_offset) >> PAGE_SHIFT];
}

static uint32_t pages_of(uint64_t bytes)
{
	return (uint32_t)((bytes + PAGE_SIZE - 1) >> PAGE_SHIFT);
}

// --- page table entries ------------------------------------------------------------------------

// The area that wholly contains the pages, if it may change; NULL otherwise.
static struct vmap_area *area_of_range(struct machine *m, kaddr_t addr, uint32_t count)
{
	struct vmap_area *va = vmap_area_covering(m, addr);

	if (!va || addr % PAGE_SIZE || !count || count > (va->va_end - addr) >> PAGE_SHIFT ||
	    va->va_flags & VA_LAZY_FREE)
		return NULL;
	return va;
}

static int vm_map_locked(struct machine *m, kaddr_t addr, pfn_t pfn, uint32_t count, int32_t stride,
			 uint32_t prot)
{
	struct vmap_area *va = area_of_range(m, addr, count);
	int64_t last = pfn + ((int64_t)count - 1) * stride;
	uint32_t *pte;

	if (!va || pfn >> 20 || last < 0 || last >> 20 || prot >= PAGE_SIZE ||
	    !(prot & _PAGE_PRESENT))
		return -EILSEQ;
	pte = pte_slot(m, addr);
	for (uint32_t i = 0; i < count; i++)
		if (pte[i])
			return -EILSEQ;
	for (uint32_t i = 0; i < count; i++, pfn += (pfn_t)stride) {
		pte[i] = pfn << PAGE_SHIFT | prot;
		if (prot == PAGE_KERNEL)
			page_mark_mapped(m, pfn, addr + i * PAGE_SIZE);
	}
	va->nr_pages += count;
	trace(m, &(struct trace_event){.kind = EV_T_VMAP_MAP,
				       .cpu = (uint8_t)m->cpu,
				       .zone = 255,
				       .addr = addr,
				       .pfn = (pfn_t)(last - ((int64_t)count - 1) * stride),
				       .count = count,
				       .stride = stride});
	return 0;
}

int VM_MAP_apply(struct machine *m, const struct record *r)
{
	if (r->lock != LOCK_VMAP)
		return -EILSEQ;
	return vm_map_locked(m, r->arg[0], r->arg[1], r->arg[2], (int32_t)r->arg[3], r->arg[4]);
}

static void vm_map_run(struct machine *m, kaddr_t addr, pfn_t pfn, uint32_t count, int32_t stride,
		       uint32_t prot)
{
	step_begin(m, LOCK_VMAP);
	if (vm_map_locked(m, addr, pfn, count, stride, prot))
		step_cancel(m, LOCK_VMAP);
	else
		step_end(m, LOCK_VMAP, EV_VM_MAP, addr, pfn, count, (uint32_t)stride, prot, 0);
}

static int vm_unmap_locked(struct machine *m, kaddr_t addr, uint32_t count)
{
	struct vmap_area *va = area_of_range(m, addr, count);
	uint32_t *pte, cleared = 0;

	if (!va)
		return -EILSEQ;
	pte = pte_slot(m, addr);
	for (uint32_t i = 0; i < count; i++) {
		if (!pte[i])
			continue;
		page_clear_mapped(m, pte[i] >> PAGE_SHIFT, addr + i * PAGE_SIZE);
		pte[i] = 0;
		cleared++;
	}
	va->nr_pages -= cleared;
	trace(m, &(struct trace_event){.kind = EV_T_VMAP_UNMAP,
				       .cpu = (uint8_t)m->cpu,
				       .zone = 255,
				       .addr = addr,
				       .count = count});
	return 0;
}

int VM_UNMAP_apply(struct machine *m, const struct record *r)
{
	if (r->lock != LOCK_VMAP)
		return -EILSEQ;
	return vm_unmap_locked(m, r->arg[0], r->arg[1]);
}

static void vunmap_page_range(struct machine *m, kaddr_t addr, uint32_t count)
{
	step_begin(m, LOCK_VMAP);
	if (vm_unmap_locked(m, addr, count))
		step_cancel(m, LOCK_VMAP);
	else
		step_end(m, LOCK_VMAP, EV_VM_UNMAP, addr, count, 0, 0, 0, 0);
}

// Length of the run of equally spaced frames that pfns[0] begins.
static uint32_t run_length(const pfn_t *pfns, uint32_t n, int32_t *stride)
{
	uint32_t len = 1;

	*stride = n > 1 ? (int32_t)(pfns[1] - pfns[0]) : 0;
	while (len < n && (int32_t)(pfns[len] - pfns[len - 1]) == *stride)
		len++;
	return len;
}

static void vmap_pages(struct machine *m, kaddr_t addr, const pfn_t *pfns, uint32_t n)
{
	int32_t stride;

	for (uint32_t i = 0, len; i < n; i += len, addr += len * PAGE_SIZE) {
		len = run_length(pfns + i, n - i, &stride);
		vm_map_run(m, addr, pfns[i], len, stride, PAGE_KERNEL);
	}
}

// --- the public record of an area --------------------------------------------------------------

static int vm_insert_locked(struct machine *m, const uint32_t *arg)
{
	struct vmap_area *va = vmap_area_at(m, arg[0]);

	if (!va || va->vb || va->va_flags & VA_LAZY_FREE || arg[2] != va->nr_pages ||
	    arg[1] & VM_UNLIST)
		return -EILSEQ;
	// again for an area that grew: only its page array may be another one
	if (va->va_flags & VA_VM_AREA && va->vm != arg[3])
		return -EILSEQ;
	va->va_flags |= VA_VM_AREA;
	va->vm_flags = arg[1];
	va->vm = arg[3];
	va->pages = arg[4];
	va->phys = arg[5];
	return 0;
}

int VM_INSERT_apply(struct machine *m, const struct record *r)
{
	if (r->lock != LOCK_VMAP)
		return -EILSEQ;
	return vm_insert_locked(m, r->arg);
}

static void vm_insert(struct machine *m, kaddr_t addr, uint32_t flags, kaddr_t vm, kaddr_t pages,
		      uint32_t phys)
{
	struct vmap_area *va;
	uint32_t n;

	step_begin(m, LOCK_VMAP);
	va = vmap_area_at(m, addr);
	n = va ? va->nr_pages : 0;
	if (vm_insert_locked(m, (uint32_t[]){addr, flags, n, vm, pages, phys}))
		step_cancel(m, LOCK_VMAP);
	else
		step_end(m, LOCK_VMAP, EV_VM_INSERT, addr, flags, n, vm, pages, phys);
}

static int vm_remove_locked(struct machine *m, kaddr_t addr, struct vmap_area *was)
{
	struct vmap_area *va = vmap_area_at(m, addr);

	if (!va || !(va->va_flags & VA_VM_AREA))
		return -EILSEQ;
	*was = *va;
	va->va_flags &= ~(uint32_t)VA_VM_AREA;
	va->vm_flags = 0;
	va->vm = 0;
	va->pages = 0;
	va->phys = 0;
	return 0;
}

int VM_REMOVE_apply(struct machine *m, const struct record *r)
{
	struct vmap_area was;

	if (r->lock != LOCK_VMAP)
		return -EILSEQ;
	return vm_remove_locked(m, r->arg[0], &was);
}

// From here on the range is the caller's alone. *was: the area as it was.
static int vm_remove(struct machine *m, kaddr_t addr, struct vmap_area *was)
{
	int err;

	step_begin(m, LOCK_VMAP);
	err = vm_remove_locked(m, addr, was);
	if (err)
		step_cancel(m, LOCK_VMAP);
	else
		step_end(m, LOCK_VMAP, EV_VM_REMOVE, addr, 0, 0, 0, 0, 0);
	return err;
}

// A copy of the area that starts at (whole: false) or covers addr. False: there is none in use.
static bool vm_lookup(struct machine *m, kaddr_t addr, bool covering, struct vmap_area *copy)
{
	const struct vmap_area *va;

	step_begin(m, LOCK_VMAP);
	va = covering ? vmap_area_covering(m, addr) : vmap_area_at(m, addr);
	if (va)
		*copy = *va;
	step_cancel(m, LOCK_VMAP);
	return va && copy->va_flags & VA_VM_AREA;
}

// --- areas ---------------------------------------------------------------------------------------

// An area of its own vm_struct, not yet inserted; *vm: the object. 0 on failure.
static kaddr_t get_unlisted_area(struct machine *m, size_t size, uint32_t flags, kaddr_t start,
				 kaddr_t end, kaddr_t *vm)
{
	uint32_t align = 1, bytes;
	kaddr_t addr;

	if (!size || size > UINT32_MAX - 2 * PAGE_SIZE)
		return 0;
	if (flags & VM_IOREMAP) {
		unsigned bit = 32 - (unsigned)__builtin_clz((uint32_t)size);

		bit = bit > IOREMAP_MAX_ORDER ? IOREMAP_MAX_ORDER
		      : bit < PAGE_SHIFT      ? PAGE_SHIFT
					      : bit;
		align = 1u << bit;
	}
	bytes = (pages_of(size) + 1) << PAGE_SHIFT; // one guard page
	*vm = kmalloc(m, VM_STRUCT_SIZE, GFP_KERNEL | __GFP_ZERO);
	if (!*vm)
		return 0;
	addr = alloc_vmap_area(m, bytes, align, start, end);
	if (!addr)
		kfree(m, *vm);
	return addr;
}

kaddr_t __get_vm_area(struct machine *m, size_t size, uint32_t flags, kaddr_t start, kaddr_t end)
{
	kaddr_t vm, addr = get_unlisted_area(m, size, flags, start, end, &vm);

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
		const uint32_t *pte = pte_slot(m, addr + done * PAGE_SIZE);
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

static void free_page_array(struct machine *m, kaddr_t pages, uint32_t flags)
{
	if (flags & VM_VPAGES)
		vfree(m, pages);
	else if (pages)
		kfree(m, pages);
}

// What is left of an area after vm_remove(), or after it failed half-way.
static void release_area(struct machine *m, const struct vmap_area *was, bool free_frames)
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

static int __vunmap(struct machine *m, kaddr_t addr, bool free_frames)
{
	struct vmap_area was;

	if (!addr)
		return 0;
	if (addr % PAGE_SIZE || vm_remove(m, addr, &was))
		return -EINVAL;
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

int remove_vm_area(struct machine *m, kaddr_t addr)
{
	return addr ? __vunmap(m, addr, false) : -EINVAL;
}

// --- vmalloc -------------------------------------------------------------------------------------

// The array of page pointers: four bytes a page, vmalloc'ed itself above one page.
static kaddr_t alloc_page_array(struct machine *m, uint32_t pages, gfp_t gfp, uint32_t *flags)
{
	uint32_t bytes = pages * 4;

	gfp = (gfp & GFP_RECLAIM_MASK) | __GFP_ZERO;
	if (bytes <= PAGE_SIZE) {
		*flags &= ~(uint32_t)VM_VPAGES;
		return kmalloc(m, bytes, gfp);
	}
	*flags |= VM_VPAGES;
	return __vmalloc(m, bytes, gfp | __GFP_HIGHMEM);
}

// Puts frames behind [addr, addr + count pages). On failure some may be mapped.
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

kaddr_t __vmalloc(struct machine *m, size_t size, gfp_t gfp)
{
	struct vmap_area va = {.vm_flags = VM_ALLOC};
	uint32_t count = size > UINT32_MAX ? 0 : pages_of(size);

	if (!count || count > m->s->totalram_pages)
		return 0;
	va.va_start = get_unlisted_area(m, size, VM_ALLOC, m->s->vmalloc.start, m->s->vmalloc.end,
					&va.vm);
	if (!va.va_start)
		return 0;
	va.va_end = va.va_start + (count + 1) * PAGE_SIZE;
	va.pages = alloc_page_array(m, count, gfp, &va.vm_flags);
	if (!va.pages || populate_pages(m, va.va_start, count, gfp)) {
		release_area(m, &va, true);
		return 0;
	}
	vm_insert(m, va.va_start, va.vm_flags, va.vm, va.pages, 0);
	return va.va_start;
}

kaddr_t vmalloc(struct machine *m, size_t size)
{
	return __vmalloc(m, size, GFP_KERNEL | __GFP_HIGHMEM);
}

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

// Makes room for the pointers of `pages` pages; *va describes the array in use afterwards.
static int grow_page_array(struct machine *m, struct vmap_area *va, uint32_t pages, gfp_t gfp)
{
	uint32_t old = vm_area_usable(va) >> PAGE_SHIFT, flags = va->vm_flags;
	// both kinds round up: the array of the old size may already hold the new one
	size_t room = flags & VM_VPAGES ? pages_of(old * 4ull) << PAGE_SHIFT : ksize(m, va->pages);
	kaddr_t array;

	if (pages * 4ull <= room)
		return 0;
	array = alloc_page_array(m, pages, gfp, &flags);
	if (!array)
		return -ENOMEM;
	vm_insert(m, va->va_start, flags, va->vm, array, 0);
	free_page_array(m, va->pages, va->vm_flags);
	va->pages = array;
	va->vm_flags = flags;
	return 0;
}

// Takes the range behind the area; a lazily freed one in the way is purged first.
static int extend_area(struct machine *m, const struct vmap_area *va, uint32_t size)
{
	struct vmap_area *next;
	bool lazy;

	if (!vmap_resize(m, va->va_start, size))
		return 0;
	step_begin(m, LOCK_VMAP);
	next = vmap_area_at(m, va->va_end);
	lazy = next && next->va_flags & VA_LAZY_FREE;
	step_cancel(m, LOCK_VMAP);
	if (!lazy)
		return -ENOMEM;
	purge_vmap_area_lazy(m);
	return vmap_resize(m, va->va_start, size);
}

int vmalloc_grow(struct machine *m, kaddr_t addr, size_t new_size, gfp_t gfp)
{
	uint32_t count = new_size > UINT32_MAX ? 0 : pages_of(new_size), old;
	struct vmap_area va;

	if (!vm_lookup(m, addr, false, &va) || !(va.vm_flags & VM_ALLOC) || !count ||
	    count > m->s->totalram_pages)
		return -ENOMEM;
	old = (va.va_end - va.va_start - PAGE_SIZE) >> PAGE_SHIFT;
	if (count <= old)
		return 0;
	if (extend_area(m, &va, (count + 1) << PAGE_SHIFT))
		return -ENOMEM;
	if (populate_pages(m, addr + old * PAGE_SIZE, count - old, gfp) ||
	    grow_page_array(m, &va, count, gfp)) {
		unmap_and_free(m, addr + old * PAGE_SIZE, count - old);
		vmap_resize(m, addr, (old + 1) << PAGE_SHIFT);
		return -ENOMEM;
	}
	return 0;
}

// --- mapping what exists ---------------------------------------------------------------------

kaddr_t vmap(struct machine *m, const pfn_t *pages, uint32_t count)
{
	struct vmap_area va = {.vm_flags = VM_MAP};

	if (!count || count > m->s->totalram_pages)
		return 0;
	va.va_start = get_unlisted_area(m, (size_t)count << PAGE_SHIFT, VM_MAP, m->s->vmalloc.start,
					m->s->vmalloc.end, &va.vm);
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

kaddr_t vm_map_ram(struct machine *m, const pfn_t *pages, uint32_t count)
{
	kaddr_t addr;

	if (!count || count > m->s->totalram_pages)
		return 0;
	if (count <= VMAP_MAX_ALLOC)
		addr = vb_alloc(m, count);
	else
		addr = alloc_vmap_area(m, count << PAGE_SHIFT, PAGE_SIZE, m->s->vmalloc.start,
				       m->s->vmalloc.end);
	if (!addr)
		return 0;
	if (pgtable_populate(m, addr, (size_t)count << PAGE_SHIFT)) {
		vm_unmap_ram(m, addr, count);
		return 0;
	}
	vmap_pages(m, addr, pages, count);
	return addr;
}

int vm_unmap_ram(struct machine *m, kaddr_t addr, uint32_t count)
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

// --- ioremap -------------------------------------------------------------------------------------

static bool is_ram(const struct machine *m, pfn_t pfn)
{
	return pfn < m->s->max_pfn &&
	       !(page_flags(pfn_to_page(m, pfn)) & (1u << PG_reserved | 1u << PG_hole));
}

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
					m->s->vmalloc.start, m->s->vmalloc.end, &va.vm);
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
	if (addr <= m->s->high_memory)
		return 0; // the direct map, or the ISA window that never got an area
	return remove_vm_area(m, addr & ~(PAGE_SIZE - 1u));
}

// --- looking -------------------------------------------------------------------------------------

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
