// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// vmalloc, vmap, ioremap: the area between high_memory + 8 MiB and PKMAP (reference 8).
//
//   areas are disjoint, sorted by address, inside [vmalloc_start, vmalloc_end)
//   every vm_struct area includes one guard page: size >= 8192, last page never mapped
//   lazy_nr == sum of pages of areas marked VA_LAZY_FREE; those have no page mapped
//   nr_pages of an area == PTEs present in its range
//
// Three files: vmap_area.c hands out address ranges, vmap_block.c cuts small ones for vm_map_ram,
// vmalloc.c puts pages behind them. An area under construction has no VA_VM_AREA: /proc does not
// show it, and only its maker touches it.
//
// Against the kernel: the vm_struct and page array objects are allocated but their contents stay
// out of band; the kernel defers the kfree of a purged vmap_area by RCU, here it follows the purge.
#pragma once

#include "types.h"
#include "vmap_block.h"

struct machine;

enum {
	VM_IOREMAP = 1,
	VM_ALLOC = 2,
	VM_MAP = 4,
	VM_USERMAP = 8,
	VM_VPAGES = 16,
	VM_UNLIST = 32
};
enum {
	VA_LAZY_FREE = 1,
	VA_LAZY_FREEING = 2,
	VA_VM_AREA = 4,
	VA_PCPU = 8 // a chunk of per-CPU memory: no guard page, pages of its own
};

struct vmap_area { // entry of a pool, index = id, 0 = none; list sorted by va_start
	struct list_node list;
	kaddr_t va_start, va_end; // end exclusive, guard page included; 0,0 = id unused
	uint32_t va_flags;	  // VA_*
	uint32_t vm_flags;	  // VM_* when VA_VM_AREA
	uint32_t left, right;	  // search tree by va_start (vmap_area.c)
	uint32_t nr_pages;	  // pages still mapped (vunmap_partial lowers it)
	uint32_t vb;		  // id of the vmap block living here, 0 none
	kaddr_t node;		  // address of the vmap_area object (size-64)
	kaddr_t vm;		  // address of the vm_struct object (size-32)
	kaddr_t pages;		  // address of the page array
	uint32_t caller;	  // stack id of the call that made it
	uint64_t phys;		  // ioremap
};

struct vmalloc_state {
	kaddr_t start, end;	// VMALLOC_START, VMALLOC_END
	struct list_head areas; // sorted by address
	uint32_t free_id;	// chain of unused pool ids through list.next
	uint32_t nr_ids;	// pool ids ever used
	uint32_t lazy_nr;	// pages
	uint32_t cache;		// free_vmap_cache: area id, 0 none
	uint32_t cached_hole_size;
	kaddr_t cached_vstart;
	uint32_t cached_align;
	uint32_t nr_areas;
	uint32_t root;	   // of the search tree
	uint32_t max_ids;  // entries of the pool
	kaddr_t pcpu_hole; // highest end of a freed area; per-CPU chunks search below
	struct vmap_block_state vb;
};

kaddr_t vmalloc(struct machine *m, size_t size);	      // 0 on failure
kaddr_t __vmalloc(struct machine *m, size_t size, gfp_t gfp); // GFP_KERNEL|__GFP_HIGHMEM[|ZERO]
int vfree(struct machine *m, kaddr_t addr); // 0; -EINVAL nonexistent (the kernel's warning)
kaddr_t get_vm_area(struct machine *m, size_t size, uint32_t flags);
kaddr_t __get_vm_area(struct machine *m, size_t size, uint32_t flags, kaddr_t start, kaddr_t end);
int remove_vm_area(struct machine *m, kaddr_t addr);
kaddr_t vmap(struct machine *m, const pfn_t *pages, uint32_t count);
int vunmap(struct machine *m, kaddr_t addr);
kaddr_t ioremap(struct machine *m, uint64_t phys, size_t size);
int iounmap(struct machine *m, kaddr_t addr);
void vm_unmap_aliases(struct machine *m); // purge
// Short-lived mappings without a vm_struct. The same count must be given back; -EINVAL otherwise.
kaddr_t vm_map_ram(struct machine *m, const pfn_t *pages, uint32_t count);
int vm_unmap_ram(struct machine *m, kaddr_t addr, uint32_t count);

// Departure `vunmap_partial`: the program unmapped part of a vmalloc area; pages are freed singly,
// the area keeps its span until its last page goes (then it is freed as by vfree; returns 1).
int vunmap_partial(struct machine *m, kaddr_t addr, uint32_t pages);
// Grow in place into the following free range: 0, or -ENOMEM when it is taken. `addr` is the start.
int vmalloc_grow(struct machine *m, kaddr_t addr, size_t new_size, gfp_t gfp);

const struct vmap_area *find_vm_area(struct machine *m, kaddr_t addr); // covering addr, or NULL
pfn_t vmalloc_to_pfn(struct machine *m, kaddr_t addr);		       // 0 unmapped
size_t vm_area_usable(const struct vmap_area *va); // bytes without the guard page

void vmalloc_init(struct machine *m);
int vmalloc_check(struct machine *m, char *why, size_t size);
int vmalloc_safe(struct machine *m, char *why, size_t size); // the part machine_safe asks for
