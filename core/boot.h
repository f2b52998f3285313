// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// What booting and attaching share: sizes that follow from a configuration.
#pragma once

#include "machine.h"

struct address_layout { // reference 1.1, 2.4
	pfn_t max_pfn, max_low_pfn;
	kaddr_t high_memory, vmalloc_start, vmalloc_end;
	kaddr_t pkmap_base, fixaddr_start, fixaddr_boot_start;
	uint32_t fix_kmap_begin; // slot index
};

struct machine_offsets { // bytes from the start of the machine's memory
	uint64_t mem_map, pageblock, slab, cache, array, shared, vmap, generation, pte, size;
};

// NULL, or what is wrong with the configuration.
const char *address_layout_init(struct address_layout *l, const struct machine_config *cfg);
// Sets up the fixed part of zeroed memory and binds the handle. 0 or -EINVAL.
int machine_init(struct machine *m, void *memory, const struct machine_config *cfg,
		 const char **why);
// The kernel's own changes to the map: low RAM and the BIOS area are never used.
void e820_trim(struct e820map *map);
void boot_memblock(struct machine *m);	    // memory from the e820 map, the image and the BIOS area
void boot_reserve_early(struct machine *m); // what is taken top down before the hand-over
// Bytes of a kernel hash table that has one entry for every 2^scale bytes of lowmem.
uint32_t boot_hash_bytes(uint32_t kernel_pages, unsigned scale);
// Where data and bss begin in the kernel's image, by fixed shares of its size.
void kernel_image_parts(const struct machine_config *cfg, uint32_t *data, uint32_t *bss);
void mem_init(struct machine *m);	    // memblock's free ranges go to the free lists
