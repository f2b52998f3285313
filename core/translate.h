// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// What the paging unit does with a linear address, step by step, and whose frame it ends at
// (reference 3.2).
//
//   linear 31:22 -> page directory entry -> (4 MiB page) or page table
//   linear 21:12 -> page table entry -> frame;  linear 11:0 offset
#pragma once

#include "types.h"

struct machine;
struct page;

enum linear_region {
	LINEAR_USER,   // below PAGE_OFFSET: what the process has there (mm.h)
	LINEAR_LOWMEM, // direct map
	LINEAR_HOLE,   // the gap that catches overruns of lowmem
	LINEAR_VMALLOC,
	LINEAR_PAD, // between VMALLOC_END and PKMAP_BASE
	LINEAR_PKMAP,
	LINEAR_BOOT_FIXMAP, // and what lies below it down to the end of pkmap
	LINEAR_FIXMAP,
};

enum {
	FAULT_USER = 4 // bit of the page-fault error code
};

struct translation {
	kaddr_t addr;
	enum linear_region region;
	uint32_t pgd_index, pte_index, offset;
	uint32_t pde;	      // entry, 0 = not present
	uint32_t pte;	      // entry; 0 = not present, or the PDE maps 4 MiB itself
	uint32_t process_pde; // entry in the process's own directory, 0 = not present
	uint32_t fault;	      // page-fault error code of a read: 0 by the kernel, FAULT_USER
	bool present, large;
	uint32_t phys; // physical address, when present
	pfn_t pfn;
	const struct page *page; // NULL: no frame of RAM (a device)
};

// 0; -EFAULT: nothing is mapped there (t says how far the walk came).
int machine_translate(struct machine *m, kaddr_t addr, struct translation *t);
const char *linear_region_name(enum linear_region region);
// What the frame is used for: "size-128 object 3 of slab c1230000", "free, order 4", ... Length as
// snprintf.
int frame_owner_text(struct machine *m, const struct translation *t, char *buf, size_t size);
// The walk as lines of text: segment, region, directory, table, frame, owner. Length as snprintf.
int translation_text(struct machine *m, const struct translation *t, char *buf, size_t size);
