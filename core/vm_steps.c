// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The steps behind vmalloc, vmap and ioremap: page table entries of a range, and the vm_struct that
// makes an area public.
#include "vm_internal.h"

#include <errno.h>

#include "fold.h"
#include "machine.h"

// The entries of the whole kernel half lie in one array, so a range of pages is a range of entries,
// whatever page tables it crosses.
uint32_t *vmalloc_pte(const struct machine *m, kaddr_t addr)
{
	return &m->pte[(addr - m->s->cfg.page_offset) >> PAGE_SHIFT];
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

// Writes the entries of one run. All or nothing: every entry is looked at before the first is
// written, because a wrong record must leave the machine as consistent as it was. Frames are only
// marked for normal memory; a device has none, and its prot says so.
static int vm_map_locked(struct machine *m, kaddr_t addr, pfn_t pfn, uint32_t count, int32_t stride,
			 uint32_t prot)
{
	struct vmap_area *va = area_of_range(m, addr, count);
	int64_t last = pfn + ((int64_t)count - 1) * stride;
	uint32_t *pte;

	if (!va || pfn >> 20 || last < 0 || last >> 20 || prot >= PAGE_SIZE ||
	    !(prot & _PAGE_PRESENT))
		return -EILSEQ;
	pte = vmalloc_pte(m, addr);
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

// A refusal can only come from a caller that maps twice or outside its area; then nothing happens,
// as the fold, which gets no record, could not follow.
void vm_map_run(struct machine *m, kaddr_t addr, pfn_t pfn, uint32_t count, int32_t stride,
		uint32_t prot)
{
	step_begin(m, LOCK_VMAP);
	if (vm_map_locked(m, addr, pfn, count, stride, prot))
		step_cancel(m, LOCK_VMAP);
	else
		step_end(m, LOCK_VMAP, EV_VM_MAP, addr, pfn, count, (uint32_t)stride, prot, 0);
}

// Pages not mapped are passed over: after vunmap_partial an area has holes.
static int vm_unmap_locked(struct machine *m, kaddr_t addr, uint32_t count)
{
	struct vmap_area *va = area_of_range(m, addr, count);
	uint32_t *pte, cleared = 0;

	if (!va)
		return -EILSEQ;
	pte = vmalloc_pte(m, addr);
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

void vunmap_page_range(struct machine *m, kaddr_t addr, uint32_t count)
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

// Frames from a fresh pcp refill are neighbours, so a record usually stands for many pages.
void vmap_pages(struct machine *m, kaddr_t addr, const pfn_t *pfns, uint32_t n)
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
	bool again = va && va->va_flags & VA_VM_AREA;

	if (!va || va->vb || va->va_flags & VA_LAZY_FREE || arg[1] & VM_UNLIST)
		return -EILSEQ;
	// again for an area that grew: only its page array may be another one
	if (again && (va->vm != arg[3] || va->caller != arg[2]))
		return -EILSEQ;
	va->va_flags |= VA_VM_AREA;
	va->vm_flags = arg[1];
	va->caller = arg[2];
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

void vm_insert(struct machine *m, kaddr_t addr, uint32_t flags, kaddr_t vm, kaddr_t pages,
	       uint32_t phys)
{
	const struct vmap_area *va;
	uint32_t caller = m->caller;

	step_begin(m, LOCK_VMAP);
	va = vmap_area_at(m, addr);
	if (va && va->va_flags & VA_VM_AREA)
		caller = va->caller; // who made it, not who made it grow
	if (vm_insert_locked(m, (uint32_t[]){addr, flags, caller, vm, pages, phys}))
		step_cancel(m, LOCK_VMAP);
	else
		step_end(m, LOCK_VMAP, EV_VM_INSERT, addr, flags, caller, vm, pages, phys);
}

// The kernel takes the vm_struct off vmlist first: from then on a second vfree finds nothing.
static int vm_remove_locked(struct machine *m, kaddr_t addr, struct vmap_area *was)
{
	struct vmap_area *va = vmap_area_at(m, addr);

	if (!va || !(va->va_flags & VA_VM_AREA))
		return -EILSEQ;
	*was = *va;
	va->va_flags &= ~(uint32_t)VA_VM_AREA;
	va->vm_flags = 0;
	va->caller = 0;
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

int vm_remove(struct machine *m, kaddr_t addr, struct vmap_area *was)
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

// A copy, since the pool entry may change as soon as the lock is gone.
bool vm_lookup(struct machine *m, kaddr_t addr, bool covering, struct vmap_area *copy)
{
	const struct vmap_area *va;

	step_begin(m, LOCK_VMAP);
	va = covering ? vmap_area_covering(m, addr) : vmap_area_at(m, addr);
	if (va)
		*copy = *va;
	step_cancel(m, LOCK_VMAP);
	return va && copy->va_flags & VA_VM_AREA;
}
