// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Rare inputs: odd memory maps, the ends of tunables, names of everything, pages with two owners.
#include "core/boot.h"
#include "core/bootlog.h"
#include "core/buddy.h"
#include "core/fold.h"
#include "core/procfs.h"
#include "core/translate.h"
#include "pages_machine.h"

static char Text[1 << 16];

static void has(const char *line)
{
	if (!strstr(Text, line))
		printf("# not found: %s\n", line);
	CHECK(strstr(Text, line));
}

// ---- memory maps ----

static void add_entry(uint64_t addr, uint64_t size, uint32_t type)
{
	Cfg.e820.map[Cfg.e820.nr_map++] = (struct e820entry){addr, size, type, 0};
}

// Firmware that calls everything below 1 MiB RAM: the kernel takes the BIOS area out.
static void ram_across_the_bios(void)
{
	machine_config_default(&Cfg, MODEL_3_4, 256 * MiB, 1);
	Cfg.e820.nr_map = 0;
	add_entry(0, 256 * MiB, E820_RAM);
	add_entry(256 * MiB, 4096, E820_RESERVED);
	struct e820map map = Cfg.e820;
	e820_trim(&map);
	CHECK(map.map[1].addr == 0x10000 && map.map[1].size == 0x90000);
	CHECK(map.map[2].addr == 0x100000 && map.map[2].type == E820_RAM);
	boot_on(&M, &Cfg);
	check_sane();
	CHECK_EQ(M.s->zone[ZONE_DMA].present_pages, 0xA0 - 16 + 3840 - 32);
}

static void ram_inside_the_bios(void)
{
	struct e820map map = {.nr_map = 3,
			      .map = {{0, 0x9F000, E820_RAM, 0},
				      {0xC0000, 0x10000, E820_RAM, 0},
				      {0xF8000, 0x100000, E820_RAM, 0}}};

	e820_trim(&map);
	for (unsigned i = 0; i < map.nr_map; i++)
		CHECK(map.map[i].type != E820_RAM || map.map[i].addr + map.map[i].size <= 0xA0000 ||
		      map.map[i].addr >= 0x100000);
}

static void every_kind_of_memory(void)
{
	machine_config_default(&Cfg, MODEL_3_4, 256 * MiB, 1);
	add_entry(0x10000000, 0x10000, E820_ACPI);
	add_entry(0x10010000, 0x10000, E820_NVS);
	add_entry(0x10020000, 0x10000, E820_UNUSABLE);
	add_entry(0x10030000, 0x10000, 77);
	add_entry(0x10040000, 0, E820_RAM); // empty: ignored
	boot_on(&M, &Cfg);
	proc_iomem(&M, Text, sizeof(Text));
	has("10000000-1000ffff : ACPI Tables\n");
	has("10010000-1001ffff : ACPI Non-volatile Storage\n");
	has("10020000-1002ffff : Unusable memory\n");
	has("10030000-1003ffff : reserved\n");
	boot_log(&M, Text, sizeof(Text));
	has(" (ACPI data)\n");
	has(" (ACPI NVS)\n");
	has(" (unusable)\n");
	has(" type 77\n");
	check_sane();
}

// ---- tunables ----

static void smallest_and_largest_reserve(void)
{
	machine_config_default(&Cfg, MODEL_3_4, 1024 * MiB, 1);
	Cfg.min_free_kbytes = 5000;
	boot_on(&M, &Cfg);
	CHECK_EQ(M.s->min_free_kbytes, 5000);
	CHECK_EQ(set_min_free_kbytes(&M, 0), 0);
	CHECK_EQ(M.s->zone[ZONE_NORMAL].watermark[WMARK_MIN], 0);
	check_sane();
	Cfg.percpu_pagelist_fraction = 5;
	CHECK_EQ(machine_size(&Cfg), 0);
}

// With less than 20 MiB nothing is grouped: every page is unmovable.
static void small_machines_do_not_group(void)
{
	uint32_t present = 0;

	machine_config_default(&Cfg, MODEL_CLASSIC, 20 * MiB, 1);
	Cfg.kernel_bytes = 1 << 20;
	boot_on(&M, &Cfg);
	for (unsigned zone = 0; zone < MAX_NR_ZONES; zone++)
		present += M.s->zone[zone].present_pages;
	CHECK(present < 5120);
	CHECK_EQ(M.s->page_group_by_mobility_disabled, 1);
	pfn_t pfn = alloc_pages(&M, GFP_HIGHUSER_MOVABLE, 0);
	CHECK_EQ(get_pageblock_migratetype(&M, pfn), MIGRATE_UNMOVABLE);
	check_sane();
}

// ---- names ----

static void names(void)
{
	for (unsigned i = 0; i < PATH_COUNT; i++)
		CHECK(strcmp(op_path_name(i), "?"));
	CHECK_STR(op_path_name(PATH_COUNT), "?");
	CHECK_STR(op_path_name(PATH_VMALLOC), "vmalloc");
	for (unsigned i = 0; i < HOST_REASONS; i++)
		CHECK(strcmp(host_reason_name(i), "?"));
	CHECK_STR(host_reason_name(HOST_SPILL), "machine full");
	CHECK_STR(host_reason_name(HOST_REASONS), "?");
	CHECK_EQ(gfp_code_value(GFPC_HIGHUSER_ZERO), GFP_HIGHUSER | __GFP_ZERO);
	CHECK_EQ(gfp_code_value(GFPC_NONE), 0);
	CHECK_EQ(gfp_code_value(GFPC_COUNT), 0);
	CHECK_STR(migratetype_name(MIGRATE_ISOLATE), "Isolate");
	CHECK_STR(migratetype_name(MIGRATE_TYPES), "?");
}

// Each place in a machine's memory has a name, its first and last byte included.
static void places(void)
{
	char where[64];

	boot(MODEL_3_4, 256 * MiB, 1);
	machine_describe_offset(&M, 0, where, sizeof(where));
	CHECK_STR(where, "magic + 0");
	machine_describe_offset(&M, offsetof(struct machine_state, ticket) + 8, where,
				sizeof(where));
	CHECK_STR(where, "ticket[2]");
	for (size_t at = 0; at < M.s->size; at += M.s->size / 1000 + 1) {
		machine_describe_offset(&M, at, where, sizeof(where));
		CHECK(where[0]);
	}
}

// ---- pages ----

static void shared_pages(void)
{
	pfn_t pages[3];

	boot(MODEL_3_4, 256 * MiB, 1);
	CHECK_EQ(alloc_pages_bulk(&M, GFP_KERNEL, 3, pages), 3);
	M.mem_map[pages[1]]._count = 2; // somebody else looks at it
	free_pages_bulk(&M, pages, 3);
	CHECK_EQ(M.mem_map[pages[0]]._count, 0);
	CHECK_EQ(M.mem_map[pages[1]]._count, 1);
	__free_pages(&M, pages[1], 0);
	check_sane();
	pages[0] = alloc_pages(&M, GFP_KERNEL, 2);
	M.mem_map[pages[0]]._count = 2;
	__free_pages(&M, pages[0], 2); // a reference less
	CHECK_EQ(M.mem_map[pages[0]]._count, 1);
	__free_pages(&M, pages[0], 2);
	check_sane();
}

static void owner_is(kaddr_t addr, const char *want)
{
	struct translation t;
	char owner[128];

	machine_translate(&M, addr, &t);
	frame_owner_text(&M, &t, owner, sizeof(owner));
	CHECK_STR(owner, want);
}

static void owners(void)
{
	pfn_t cached, listed;

	boot(MODEL_3_4, 256 * MiB, 1);
	owner_is(M.s->vmalloc.start, "nothing");
	kaddr_t v = vmalloc(&M, 4096);
	owner_is(lowmem_addr(&M, M.s->pgd[v >> 22] >> PAGE_SHIFT), "page table");
	CHECK_EQ(page_cache_add(&M, 1, &cached), 1);
	owner_is(lowmem_addr(&M, cached), "page cache");
	alloc_pages(&M, GFP_KERNEL, 0);
	listed = M.s->zone[ZONE_NORMAL].pageset[0].lists[MIGRATE_UNMOVABLE].first;
	owner_is(lowmem_addr(&M, listed), "free, on a per-CPU list");
	kaddr_t obj = kmalloc(&M, 128, GFP_KERNEL) & ~4095u;
	owner_is(obj, "size-128, outside the objects of a slab");
}

// ---- address space that ends ----

static void percpu_without_addresses(void)
{
	boot(MODEL_3_4, 256 * MiB, 2);
	uint32_t space = M.s->vmalloc.end - M.s->vmalloc.start, kept[3];
	for (int i = 0; i < 3; i++)
		CHECK(kept[i] = alloc_percpu(&M, 32768, 4096));
	kaddr_t all = M.s->vmalloc.start;
	while (space >= 8192) { // everything, largest pieces first
		if (!get_vm_area(&M, space - 4096, VM_ALLOC))
			space /= 2;
	}
	CHECK_EQ(alloc_percpu(&M, 32768, 4096), 0);
	check_sane();
	// One hole is enough once it is purged; it lies below areas that reach further up.
	CHECK_EQ(remove_vm_area(&M, all), 0);
	CHECK(alloc_percpu(&M, 32768, 4096));
	check_sane();
	for (int i = 0; i < 3; i++)
		CHECK_EQ(free_percpu(&M, kept[i]), 0);
	pcpu_reclaim(&M);
	check_sane();
}

// Builds for many CPUs have small blocks, and the pool of them is bounded.
static void more_blocks_than_the_pool(void)
{
	pfn_t pages[32];
	unsigned n = 0;
	static kaddr_t got[1024];

	machine_config_default(&Cfg, MODEL_3_4, 1024 * MiB, 1);
	Cfg.nr_cpus = 32;
	boot_on(&M, &Cfg);
	CHECK_EQ(alloc_pages_bulk(&M, GFP_HIGHUSER, 32, pages), 32);
	while (n < 1024 && (got[n] = vm_map_ram(&M, pages, 32)))
		n++;
	CHECK_EQ(n, 2 * (VMAP_BLOCKS - 1));
	check_sane();
	while (n--)
		CHECK_EQ(vm_unmap_ram(&M, got[n], 32), 0);
	vm_unmap_aliases(&M);
	CHECK_EQ(M.s->vmalloc.nr_areas, 0);
	check_sane();
}

// What only a fold keeps is not compared.
static void differences_of_the_fold(void)
{
	boot(MODEL_3_4, 256 * MiB, 2);
	boot_on(&Twin, &Cfg);
	Twin.s->barrier = 5;
	Twin.s->cpu[1].now_ns = 6;
	Twin.s->cpu[0].ops = 7;
	CHECK_EQ(machine_compare(&M, &Twin), -1);
	Twin.s->cpu[1].next_reap_ns = 8;
	CHECK_EQ(machine_compare(&M, &Twin), offsetof(struct machine_state, cpu[1].next_reap_ns));
}

static void vmalloc_in_meminfo(void)
{
	boot(MODEL_3_4, 2048 * MiB, 1);
	vmalloc(&M, 4096);
	kaddr_t hole = vmalloc(&M, 10 << 20); // and 16 KiB behind it for its page array
	vmalloc(&M, 4096);
	CHECK_EQ(vfree(&M, hole), 0);
	proc_meminfo(&M, Text, sizeof(Text));
	has("\nVmallocUsed:          16 kB\nVmallocChunk:     112604 kB\n");
}

int main(void)
{
	RUN(ram_across_the_bios);
	RUN(ram_inside_the_bios);
	RUN(every_kind_of_memory);
	RUN(smallest_and_largest_reserve);
	RUN(small_machines_do_not_group);
	RUN(names);
	RUN(places);
	RUN(shared_pages);
	RUN(owners);
	RUN(vmalloc_in_meminfo);
	RUN(percpu_without_addresses);
	RUN(more_blocks_than_the_pool);
	RUN(differences_of_the_fold);
	return DONE();
}
