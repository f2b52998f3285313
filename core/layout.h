// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The linear address space, computed from the top down (reference 1).
//
//   0xFFFFF000  FIXADDR_TOP     slot i of the fixmap is at FIXADDR_TOP - i * 4096
//               FIXADDR_START   permanent slots end here
//               FIXADDR_BOOT_START  boot-time slots end here
//               PKMAP_BASE      1024 kmap windows, 4 MiB aligned
//               VMALLOC_END     two pages below PKMAP_BASE
//               VMALLOC_START   8 MiB above high_memory
//               high_memory     PAGE_OFFSET + lowmem
//               PAGE_OFFSET
//
//   MAXMEM = VMALLOC_END - PAGE_OFFSET - reserve   (3.4)
//   MAXMEM = 2^32 - PAGE_OFFSET - reserve          (classic: exactly 896 MiB by default)
//   reserve = 128 MiB, or vmalloc= plus the hole of 8 MiB
#pragma once

#include "types.h"

struct machine_config;

#define FIXADDR_TOP	0xFFFFF000u
#define VMALLOC_OFFSET	(8u << 20)   // the hole that catches overruns of lowmem
#define VMALLOC_RESERVE (128u << 20) // without vmalloc=, hole included
#define LOWMEM_MIN	(64u << 20)  // less lowmem than this is refused

enum {
	FIX_BTMAPS = 256,
	FIX_IO_APICS = 64
};

// Slot numbers of the fixmap for a build with NR_CPUS CPUs. Fixed ones: 0 hole, 1 vdso, 2 dbgp,
// 3 earlycon; from 4 on they depend on the build.
struct fixmap {
	uint32_t apic_base;	   // FIX_APIC_BASE
	uint32_t io_apic_base;	   // FIX_IO_APIC_BASE_0
	uint32_t kmap_begin;	   // FIX_KMAP_BEGIN
	uint32_t kmap_end;	   // FIX_KMAP_END, inclusive
	uint32_t pcie_mcfg;	   // FIX_PCIE_MCFG
	uint32_t text_poke1;	   // FIX_TEXT_POKE1, FIX_TEXT_POKE0 follows
	uint32_t permanent_slots;  // __end_of_permanent_fixed_addresses
	uint32_t btmap_end;	   // FIX_BTMAP_END, lowest numbered of the 256 boot slots
	uint32_t all_slots;	   // __end_of_fixed_addresses
	kaddr_t start, boot_start; // FIXADDR_START, FIXADDR_BOOT_START
	kaddr_t pkmap_base;	   // PKMAP_BASE
};

// ohci1394: whether the build has PROVIDE_OHCI1394_DMA_INIT (one slot), as i386 defconfig has.
void fixmap_layout(struct fixmap *fx, unsigned nr_cpus, bool ohci1394);

static inline kaddr_t fix_to_virt(unsigned slot)
{
	return FIXADDR_TOP - ((kaddr_t)slot << PAGE_SHIFT);
}

kaddr_t layout_vmalloc_start(const struct machine_config *cfg, kaddr_t high_memory);
kaddr_t layout_vmalloc_end(const struct machine_config *cfg);
// Most lowmem frames the layout has room for; 0: the configuration leaves less than 64 MiB.
uint32_t layout_maxmem_pfn(const struct machine_config *cfg);
