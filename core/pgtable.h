// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Two-level page tables of the kernel half, in simulated frames (reference 3.2-3.4).
//
//   pgd[i] for i >= PAGE_OFFSET >> 22 is the master's entry; a PTE page is one frame of lowmem
//   pte of a linear page is m->pte[(addr - PAGE_OFFSET) >> 12]; lowmem's are 4 MiB pages and not stored
#pragma once

#include "types.h"

struct machine;

enum {
	PGDIR_SHIFT = 22, // an entry of the directory stands for 4 MiB
};

enum {
	_PAGE_PRESENT = 1,
	_PAGE_RW = 2,
	_PAGE_USER = 4,
	_PAGE_DIRTY = 0x40,
	_PAGE_PSE = 0x80,
	_PAGE_GLOBAL = 0x100,
	_PAGE_PROTNONE = 0x100, // of a user page that nobody may touch: not present to the CPU
};
#define PAGE_KERNEL	     0x163u
#define PAGE_KERNEL_NOCACHE  0x17Bu
#define PAGE_KERNEL_UC_MINUS 0x173u // ioremap
#define PAGE_KERNEL_LARGE    0x1E3u
#define _KERNPG_TABLE	     0x063u
#define _PAGE_TABLE	     0x067u // of user pages
#define PAGE_SHARED	     0x027u
#define PAGE_READONLY	     0x025u // PAGE_COPY has the same bits: a private page until it is written to
#define PAGE_NONE	     0x120u

// PTE pages for a range; -ENOMEM: some may have been added.
int pgtable_populate(struct machine *m, kaddr_t addr, size_t size);
uint32_t pte_of(struct machine *m, kaddr_t addr); // entry, 0 not present
void pgtable_init(struct machine *m);

// For step bodies: a frame remembers the linear address that maps it (PG_mapped_kernel), unless it
// has another owner or is mapped already. Frames beyond mem_map are left alone.
void page_mark_mapped(struct machine *m, pfn_t pfn, kaddr_t addr);
void page_clear_mapped(struct machine *m, pfn_t pfn, kaddr_t addr); // if that is what it remembers
