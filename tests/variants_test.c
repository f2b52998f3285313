// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Machines of unusual sizes, borders and releases: they boot, work, and fold to the same memory.
#include "core/boot.h"
#include "core/buddy.h"
#include "core/fold.h"
#include "harness.h"
#include "pages_machine.h"

enum {
	HELD = 512,
	STEPS = 3000
};

// ---- highmem= ----

static void highmem_is(uint64_t ram, uint32_t highmem, pfn_t max_low, pfn_t max)
{
	machine_config_default(&Cfg, MODEL_3_4, ram, 1);
	Cfg.highmem_bytes = highmem;
	boot_on(&M, &Cfg);
	CHECK_EQ(M.s->max_low_pfn, max_low);
	CHECK_EQ(M.s->max_pfn, max);
	CHECK_EQ(M.s->highstart_pfn, max_low);
	CHECK_EQ(M.s->zone[ZONE_HIGHMEM].spanned_pages, max - max_low);
	CHECK_EQ(M.s->high_memory, 0xC0000000 + max_low * PAGE_SIZE);
	CHECK_EQ(M.s->vmalloc.start, M.s->high_memory + 8 * MiB);
	check_sane();
}

static void highmem_parameter(void)
{
	const pfn_t maxmem = 227326;

	highmem_is(512 * MiB, 128 * MiB, 98304, 131072);	    // taken from lowmem
	highmem_is(512 * MiB, 448 * MiB, 16384, 131072);	    // which must keep 64 MiB
	highmem_is(512 * MiB, 449 * MiB, 131072, 131072);	    // or is left alone
	highmem_is(512 * MiB, 1024 * MiB, 131072, 131072);	    // as when there is not so much
	highmem_is(2048 * MiB, 512 * MiB, maxmem, maxmem + 131072); // the rest is not used
	highmem_is(1024 * MiB, 512 * MiB, maxmem, 262144);	    // more than there is
	// RAM behind what is used may lie far away
	highmem_is(4096 * MiB, 64 * MiB, maxmem, maxmem + 16384);
}

// ---- 3.4.2 ----

static unsigned first_type(unsigned zone)
{
	return pageblock_type(&M, M.s->zone[zone].zone_start_pfn);
}

static unsigned last_type(unsigned zone)
{
	return pageblock_type(&M, zone_end_pfn(&M.s->zone[zone]) - 1);
}

// A zone that begins inside a pageblock: which of its ends never became movable.
static void partial_blocks_by_release(void)
{
	boot(MODEL_3_4, 1024 * MiB, 1);
	CHECK_EQ(first_type(ZONE_DMA), MIGRATE_UNMOVABLE);
	CHECK_EQ(last_type(ZONE_DMA), MIGRATE_MOVABLE);
	CHECK_EQ(pageblock_start_pfn(&M, 16), 0);
	boot(MODEL_3_4_2, 1024 * MiB, 1);
	CHECK_EQ(first_type(ZONE_DMA),
		 MIGRATE_RESERVE); // was movable, and holds the first whole block
	CHECK_EQ(last_type(ZONE_DMA), MIGRATE_UNMOVABLE);
	CHECK_EQ(pageblock_start_pfn(&M, 16), 16);
	CHECK_EQ(pageblock_start_pfn(&M, 1039), 16);
	CHECK_EQ(pageblock_start_pfn(&M, 1040), 1040);
	CHECK_EQ(pageblock_start_pfn(&M, 227325), 226304); // Normal's last
	CHECK_EQ(pageblock_start_pfn(&M, 227326), 227326); // HighMem's first
	CHECK_EQ(last_type(ZONE_NORMAL), MIGRATE_MOVABLE);
	check_sane();
}

// Frees one page whose parent's buddy is free: is it put behind what the list has?
static bool goes_to_tail(bool upper)
{
	const struct list_head *list;
	pfn_t block = alloc_pages(&M, GFP_KERNEL, 3), page = block + upper;
	bool tail;

	split_page(&M, block, 3);
	__free_one_page(&M, ZONE_NORMAL, block + 6, 0,
			MIGRATE_UNMOVABLE); // something to stand behind
	__free_one_page(&M, ZONE_NORMAL, block + 2, 1, MIGRATE_UNMOVABLE); // the parent's buddy
	__free_one_page(&M, ZONE_NORMAL, page, 0, MIGRATE_UNMOVABLE);
	list = &M.s->zone[ZONE_NORMAL].free_area[0].free_list[MIGRATE_UNMOVABLE];
	tail = list->first != page;
	return tail;
}

static void upper_halves_by_release(void)
{
	for (int upper = 0; upper < 2; upper++) {
		boot(MODEL_3_4, 256 * MiB, 1);
		CHECK(goes_to_tail(upper));
		boot(MODEL_3_4_2, 256 * MiB, 1);
		CHECK_EQ(goes_to_tail(upper), !upper);
	}
}

// Reserves until the array has doubled twice; what stays reserved beside the ranges themselves is
// the last array.
static void memblock_by_release(void)
{
	static struct memblock mb;

	for (int rounds = 0; rounds < 2; rounds++) {
		memblock_init(&mb);
		memblock_add(&mb, 0x10000, 64 * MiB + 0x500);
		mb.current_limit = 64 * MiB;
		mb.can_resize = 1;
		mb.rounds = rounds;
		for (unsigned i = 0; i < 300; i++)
			CHECK_EQ(memblock_reserve(&mb, 0x100000 + i * 0x2000, 0x800), 0);
		CHECK_EQ(mb.reserved.max, 512);
		// below the array of 256, which 3.4.2 freed too late and 3.4.113 before
		CHECK_EQ(mb.reserved.array, 64 * MiB - (rounds ? 3 * PAGE_SIZE : (256 + 512) * 12));
		CHECK_EQ(mb.reserved.total_size, 300 * 0x800 + (rounds ? 2 * PAGE_SIZE : 512 * 12));
		memblock_trim_memory(&mb, PAGE_SIZE);
		CHECK_EQ(memblock_end_of_DRAM(&mb) % PAGE_SIZE, rounds ? 0 : 0x500);
	}
}

// ---- every size ----

static uint32_t Seed;

static uint32_t pick(uint32_t n)
{
	Seed = Seed * 1664525 + 1013904223;
	return (uint32_t)((uint64_t)Seed * n >> 32);
}

// The copy makes every step again.
static void copy_step(struct machine *m, const struct record *r)
{
	(void)m;
	Twin.cpu = r->cpu;
	CHECK_EQ(fold_apply(&Twin, r), 0);
}

static const struct machine_ops copying = {.record = copy_step};

struct held {
	pfn_t pfn;
	unsigned order;
};

static void random_step(struct held *h)
{
	static const gfp_t gfps[] = {GFP_KERNEL,    GFP_HIGHUSER_MOVABLE,
				     GFP_ATOMIC,    GFP_KERNEL | GFP_DMA,
				     GFP_TEMPORARY, GFP_HIGHUSER | __GFP_COLD};

	M.cpu = pick(M.s->cfg.ncpus);
	if (h->pfn) {
		__free_pages(&M, h->pfn, h->order);
		h->pfn = 0;
	} else {
		h->order = pick(4) ? 0 : pick(6);
		h->pfn = alloc_pages(&M, gfps[pick(6)] & ~__GFP_WAIT, h->order);
	}
	if (!pick(500))
		drain_local_pages(&M);
}

static void runs(void)
{
	static struct held held[HELD];

	boot_on(&M, &Cfg);
	boot_on(&Twin, &Cfg);
	M.ops = &copying;
	for (int i = 0; i < STEPS; i++)
		random_step(&held[pick(HELD)]);
	for (int i = 0; i < HELD; i++) {
		__free_pages(&M, held[i].pfn, held[i].order);
		held[i].pfn = 0;
	}
	drain_all_pages(&M);
	M.ops = &machine_ops_none;
	CHECK_EQ(machine_compare(&M, &Twin), -1); // nowhere different
	check_sane();
}

static void every_size_runs(void)
{
	static const uint32_t mib[] = {20,  24,	 32,  63,   64,	  100,	128,  333,  512,
				       700, 887, 888, 1000, 1024, 1500, 2048, 3072, 4096};
	enum {
		SIZES = sizeof(mib) / sizeof(mib[0])
	};

	for (unsigned i = 0; i < 3 * SIZES; i++) {
		uint32_t size = mib[i % SIZES];

		Seed = i;
		machine_config_default(&Cfg, i % 3 ? MODEL_3_4 : MODEL_3_4_2, size * MiB,
				       1 + i % 8);
		Cfg.kernel_bytes = 0x364000 - (size < 24) * 0x200000;
		Cfg.smp = Cfg.ncpus > 1 || i % 2;
		Cfg.nr_cpus = Cfg.smp ? 8 : 1;
		if (size >= 512 && i >= SIZES)
			Cfg.vmalloc_bytes = (64 + 64 * (i % 4)) * MiB;
		if (size >= 256 && i >= 2 * SIZES)
			Cfg.highmem_bytes = 96 * MiB;
		runs();
	}
}

int main(void)
{
	RUN(highmem_parameter);
	RUN(partial_blocks_by_release);
	RUN(upper_halves_by_release);
	RUN(memblock_by_release);
	RUN(every_size_runs);
	return DONE();
}
