// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The page allocator: numbers of the reference, limits, misuse.
#include "core/boot.h"
#include "core/buddy.h"
#include "harness.h"
#include "pages_machine.h"

// A machine whose kernel reserved nothing: the reference's hand-over numbers, and blocks that can
// be given out down to the last page.
static void boot_empty(uint64_t ram)
{
	struct memblock *mb;

	boot(MODEL_3_4, ram, 1);
	mb = &M.s->memblock;
	memset(M.mem_map, 0, M.s->max_pfn * sizeof(struct page));
	memset(M.s->zone, 0, sizeof(M.s->zone));
	memset(M.pageblock, 0, M.s->off_slab - M.s->off_pageblock);
	mb->reserved = (struct memblock_type){.cnt = 1, .max = 128};
	page_alloc_init(&M);
}

static void counts_are(unsigned zone, const uint32_t want[MAX_ORDER])
{
	for (int o = 0; o < MAX_ORDER; o++)
		CHECK_EQ(M.s->zone[zone].free_area[o].nr_free, want[o]);
}

// ---- e820, memblock ----

static void e820_sweep(void)
{
	struct e820map map = {.nr_map = 2, .map = {{0, 10, 1, 0}, {4, 2, 2, 0}}};

	CHECK_EQ(sanitize_e820_map(&map), 0);
	CHECK_EQ(map.nr_map, 3);
	CHECK(map.map[0].size == 4 && map.map[0].type == 1);
	CHECK(map.map[1].addr == 4 && map.map[1].size == 2 && map.map[1].type == 2);
	CHECK(map.map[2].addr == 6 && map.map[2].size == 4);

	map = (struct e820map){.nr_map = 2, .map = {{0, 10, 1, 0}, {0, 10, 1, 0}}};
	CHECK_EQ(sanitize_e820_map(&map), 0);
	CHECK(map.nr_map == 1 && map.map[0].size == 10);
	map = (struct e820map){.nr_map = 2, .map = {{0, 8, 1, 0}, {8, 8, 1, 0}}};
	CHECK_EQ(sanitize_e820_map(&map), 0);
	CHECK(map.nr_map == 1 && map.map[0].size == 16);
	map = (struct e820map){.nr_map = 2, .map = {{0, 8, 3, 0}, {4, 8, 4, 0}}};
	CHECK_EQ(sanitize_e820_map(&map), 0);
	CHECK(map.nr_map == 2 && map.map[0].size == 4 && map.map[1].type == 4);

	map = (struct e820map){.nr_map = 1, .map = {{0, 8, 1, 0}}};
	CHECK_EQ(sanitize_e820_map(&map), -1);
	map = (struct e820map){.nr_map = 2, .map = {{0, 8, 1, 0}, {-1ull, 8, 1, 0}}};
	CHECK_EQ(sanitize_e820_map(&map), -1);
}

static void e820_trimmed_reference(void)
{
	struct e820map map;

	e820_ideal_pc(&map, 4096 * MiB);
	CHECK_EQ(e820_end_pfn(&map), 0xE0000); // what lies above 4 GiB is invisible
	e820_trim(&map);
	CHECK_EQ(map.nr_map, 6);
	CHECK(map.map[0].size == 0x10000 && map.map[0].type == E820_RESERVED);
	CHECK(map.map[1].addr == 0x10000 && map.map[1].size == 0x8FC00);
	CHECK(map.map[4].addr == 0x100000 && map.map[4].type == E820_RAM);
}

static void memblock_rules(void)
{
	static struct memblock mb;

	memblock_init(&mb);
	memblock_add(&mb, 0, 10);
	memblock_add(&mb, 5, 10);
	CHECK(mb.memory.cnt == 1 && mb.memory.total_size == 15);
	memblock_init(&mb);
	memblock_add(&mb, 20, 5);
	memblock_add(&mb, 0, 5);
	memblock_add(&mb, 10, 5);
	CHECK(mb.memory.cnt == 3 && mb.memory.regions[1].base == 10);
	memblock_add(&mb, 0, 30);
	CHECK(mb.memory.cnt == 1 && mb.memory.total_size == 30);
	memblock_reserve(&mb, 0x1000, 0x3000);
	memblock_free(&mb, 0x2000, 0x1000);
	CHECK(mb.reserved.cnt == 2 && mb.reserved.total_size == 0x2000);
	memblock_free(&mb, 0, 0x10000);
	CHECK(mb.reserved.cnt == 1 && mb.reserved.regions[0].size == 0);

	memblock_init(&mb);
	memblock_add(&mb, 0, MiB);
	CHECK_EQ(memblock_alloc_base(&mb, 0x1000, 0x1000, 0), 0xFF000);
	CHECK_EQ(memblock_alloc_base(&mb, 0x1000, 0x1000, 0), 0xFE000);
	CHECK_EQ(memblock_alloc(&mb, 100, 64), 0xFDF80);
	CHECK_EQ(memblock_alloc_base(&mb, 2 * MiB, 64, 0), 0);
}

// Regions of different nodes touch without merging; giving all to one joins them again.
static void memblock_nodes(void)
{
	static struct memblock mb;
	char text[512];

	memblock_init(&mb);
	memblock_add(&mb, 0, MiB);
	CHECK_EQ(memblock_set_node(&mb, 0x40000, 0x40000, 1), 0);
	CHECK_EQ(mb.memory.cnt, 3);
	CHECK_EQ(mb.memory.total_size, MiB);
	memblock_dump(&mb, text, sizeof(text));
	CHECK(strstr(text, "memory[0x0]\t[0x00000000000000-0x0000000003ffff], 0x40000 bytes\n"));
	CHECK(strstr(
		text,
		"memory[0x1]\t[0x00000000040000-0x0000000007ffff], 0x40000 bytes on node 1\n"));
	CHECK_EQ(memblock_set_node(&mb, 0x20000, 0x40000, 1), 0); // grows downwards
	CHECK_EQ(mb.memory.cnt, 3);
	CHECK_EQ(mb.memory.regions[1].base, 0x20000);
	CHECK_EQ(mb.memory.regions[1].size, 0x60000);
	memblock_add(&mb, 0, 2 * MiB); // what is added belongs to none yet
	CHECK_EQ(mb.memory.cnt, 3);
	CHECK_EQ(memblock_set_node(&mb, 0x50000, 0, 7), 0);
	CHECK_EQ(mb.memory.cnt, 3);
	CHECK_EQ(memblock_set_node(&mb, 0, UINT32_MAX, 0), 0);
	CHECK_EQ(mb.memory.cnt, 1);
	CHECK_EQ(mb.memory.total_size, 2 * MiB);
	boot(MODEL_3_4, 64 * MiB, 1);
	static char dump[1 << 14];
	memblock_dump(&M.s->memblock, dump, sizeof(dump));
	CHECK(strstr(
		dump,
		"memory[0x1]\t[0x00000000100000-0x00000003ffffff], 0x3f00000 bytes on node 0\n"));
}

static struct trace_event Alloced;

static void note_alloc(struct machine *m, const struct trace_event *t)
{
	(void)m;
	if (t->kind == EV_T_MM_PAGE_ALLOC)
		Alloced = *t;
}

static void get_free_page_family(void)
{
	static const struct machine_ops ops = {.trace = note_alloc};

	boot(MODEL_3_4, 1024 * MiB, 1);
	M.ops = &ops;
	kaddr_t a = get_zeroed_page(&M, GFP_KERNEL);
	CHECK(is_lowmem(&M, a));
	CHECK_EQ(Alloced.value, GFP_KERNEL | __GFP_ZERO);
	CHECK_EQ(Alloced.order, 0);
	kaddr_t d = __get_dma_pages(&M, GFP_KERNEL, 2);
	CHECK_EQ(Alloced.zone, ZONE_DMA);
	CHECK_EQ(Alloced.value, GFP_KERNEL | GFP_DMA);
	CHECK(d < 0xC1000000);
	CHECK_EQ(page_address(&M, lowmem_pfn(&M, a)), a);
	free_pages(&M, a, 0);
	free_pages(&M, d, 2);
	M.ops = &machine_ops_none;
	check_sane();
}

static void memblock_arrays_double(void)
{
	static struct memblock mb;

	for (int resize = 0; resize < 2; resize++) {
		int failed = 0;

		memblock_init(&mb);
		memblock_add(&mb, 0, 64 * MiB);
		mb.can_resize = resize;
		for (unsigned i = 0; i < 200; i++)
			failed += memblock_reserve(&mb, 0x100000 + i * 0x2000, 0x1000) != 0;
		CHECK_EQ(failed, resize ? 0 : 200 - 128);
		CHECK_EQ(mb.reserved.max, resize ? 256 : 128);
		CHECK_EQ(mb.reserved.cnt, resize ? 201 : 128);
	}
}

// ---- zones ----

static void zone_is(unsigned zone, uint32_t start, uint32_t spanned, uint32_t present, uint32_t min,
		    uint32_t low, uint32_t high)
{
	const struct zone *z = &M.s->zone[zone];

	CHECK_EQ(z->zone_start_pfn, start);
	CHECK_EQ(z->spanned_pages, spanned);
	CHECK_EQ(z->present_pages, present);
	CHECK_EQ(z->watermark[WMARK_MIN], min);
	CHECK_EQ(z->watermark[WMARK_LOW], low);
	CHECK_EQ(z->watermark[WMARK_HIGH], high);
}

static void reserve_is(unsigned zone, uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
	const uint32_t want[] = {a, b, c, d};

	for (int i = 0; i < 4; i++)
		CHECK_EQ(M.s->zone[zone].lowmem_reserve[i], want[i]);
}

static void zones_of_3_4(void)
{
	boot(MODEL_3_4, 256 * MiB, 1);
	CHECK_EQ(M.s->min_free_kbytes, 2038);
	zone_is(ZONE_DMA, 16, 4080, 3951, 30, 37, 45);
	zone_is(ZONE_NORMAL, 4096, 61440, 60960, 478, 597, 717);
	reserve_is(ZONE_DMA, 0, 238, 238, 238);
	boot(MODEL_3_4, 512 * MiB, 1);
	CHECK_EQ(M.s->min_free_kbytes, 2883);
	zone_is(ZONE_NORMAL, 4096, 126976, 125984, 698, 872, 1047);
	boot(MODEL_3_4, 1024 * MiB, 1);
	CHECK_EQ(M.s->min_free_kbytes, 3798);
	zone_is(ZONE_NORMAL, 4096, 223230, 221486, 932, 1165, 1398);
	zone_is(ZONE_HIGHMEM, 227326, 34818, 34545, 33, 69, 105);
	reserve_is(ZONE_DMA, 0, 865, 1000, 1000);
	reserve_is(ZONE_NORMAL, 0, 0, 1079, 1079);
	boot(MODEL_3_4, 2048 * MiB, 4);
	zone_is(ZONE_HIGHMEM, 227326, 296962, 294641, 128, 438, 748);
	reserve_is(ZONE_NORMAL, 0, 0, 9207, 9207);
	CHECK_EQ(M.s->zone[ZONE_NORMAL].pageset[0].stat_threshold, 24);
	boot(MODEL_3_4, 4096 * MiB, 1);
	zone_is(ZONE_HIGHMEM, 227326, 690178, 684785, 128, 848, 1569);
	reserve_is(ZONE_DMA, 0, 865, 3540, 3540);
	reserve_is(ZONE_NORMAL, 0, 0, 21399, 21399);
	reserve_is(ZONE_HIGHMEM, 0, 0, 0, 0);
}

static void zones_of_classic(void)
{
	boot(MODEL_CLASSIC, 1024 * MiB, 1);
	CHECK_EQ(M.s->high_memory, 0xF8000000);
	CHECK_EQ(M.s->min_free_kbytes, 3815);
	zone_is(ZONE_DMA, 16, 4080, 3951, 16, 20, 24);
	zone_is(ZONE_NORMAL, 4096, 225280, 223520, 936, 1170, 1404);
	CHECK_EQ(M.s->zone[ZONE_HIGHMEM].present_pages, 32512);
	CHECK_EQ(M.s->zone[ZONE_HIGHMEM].watermark[WMARK_HIGH], 100);
	boot(MODEL_CLASSIC, 2048 * MiB, 1);
	CHECK_EQ(M.s->zone[ZONE_HIGHMEM].watermark[WMARK_LOW], 434);
}

static void watermark_rule(void)
{
	struct zone *z;

	boot(MODEL_3_4, 1024 * MiB, 1);
	z = &M.s->zone[ZONE_DMA];
	z->vm_stat[NR_FREE_PAGES] = 100;
	CHECK(!zone_watermark_ok(&M, ZONE_DMA, 0, 100, 0, 0));
	z->vm_stat[NR_FREE_PAGES] = 101;
	CHECK(zone_watermark_ok(&M, ZONE_DMA, 0, 100, 0, 0));
	z->vm_stat[NR_FREE_PAGES] = 350;
	CHECK(!zone_watermark_ok(&M, ZONE_DMA, 0, 932, 0, ALLOC_HIGH | ALLOC_HARDER));
	z->vm_stat[NR_FREE_PAGES] = 351;
	CHECK(zone_watermark_ok(&M, ZONE_DMA, 0, 932, 0, ALLOC_HIGH | ALLOC_HARDER));
	CHECK(!zone_watermark_ok(&M, ZONE_DMA, 0, 932, 0, ALLOC_HIGH));
	z->vm_stat[NR_FREE_PAGES] = 700;
	CHECK(zone_watermark_ok(&M, ZONE_DMA, 0, 932, 0, ALLOC_HARDER));
	// One large block needs more than pages: smaller ones do not count for it.
	for (int o = 0; o < MAX_ORDER; o++)
		z->free_area[o].nr_free = o ? 0 : 700;
	CHECK(!zone_watermark_ok(&M, ZONE_DMA, 1, 10, 0, 0));
}

static void sysctls(void)
{
	boot(MODEL_3_4, 1024 * MiB, 2);
	CHECK_EQ(set_min_free_kbytes(&M, 8192), 0);
	CHECK_EQ(M.s->zone[ZONE_NORMAL].watermark[WMARK_MIN], 2012);
	CHECK_EQ(set_percpu_pagelist_fraction(&M, 7), -22);
	CHECK_EQ(set_percpu_pagelist_fraction(&M, 100), 0);
	CHECK_EQ(M.s->zone[ZONE_HIGHMEM].pageset[1].high, 345);
	CHECK_EQ(set_lowmem_reserve_ratio(&M, 3, 1), -22);
	check_sane();
}

static void bad_configurations(void)
{
	struct machine_config cfg;
	const char *why = NULL;

	machine_config_default(&cfg, MODEL_CLASSIC, 16 * MiB, 1);
	CHECK_EQ(machine_size(&cfg), 0);
	CHECK_EQ(machine_boot(&M, NULL, &cfg, &why), -22);
	CHECK(why && *why);
	machine_config_default(&cfg, MODEL_CLASSIC, 1024 * MiB, 9);
	CHECK_EQ(machine_size(&cfg), 0);
	machine_config_default(&cfg, MODEL_CLASSIC, 1024 * MiB, 1);
	cfg.vmalloc_bytes = 0x9ffff000;
	CHECK_EQ(machine_size(&cfg), 0);
	cfg.vmalloc_bytes = 0;
	cfg.page_offset = 0xC0001000;
	CHECK_EQ(machine_size(&cfg), 0);
}

static void replace_ram(const uint64_t (*ranges)[2], unsigned n)
{
	machine_config_default(&Cfg, MODEL_3_4, 256 * MiB, 1);
	Cfg.e820.nr_map = 3; // what lies below 1 MiB stays
	for (unsigned i = 0; i < n; i++)
		Cfg.e820.map[Cfg.e820.nr_map++] = (struct e820entry){
			ranges[i][0] * MiB, (ranges[i][1] - ranges[i][0]) * MiB, E820_RAM, 0};
}

static void maps_with_holes(void)
{
	replace_ram((uint64_t[][2]){{1, 15}, {17, 512}}, 2);
	CHECK_EQ(machine_size(&Cfg), 0); // no place for the image
	replace_ram((uint64_t[][2]){{1, 30}, {3000, 3200}}, 2);
	CHECK_EQ(machine_size(&Cfg), 0); // mem_map of 25 MiB does not fit lowmem
	replace_ram((uint64_t[][2]){{1, 400}, {500, 1000}, {1100, 1301}}, 3);
	boot_on(&M, &Cfg);
	check_sane();
	CHECK_EQ(M.s->zone[ZONE_HIGHMEM].spanned_pages, 1301 * 256 - 227326);
	CHECK_EQ(M.s->totalhigh_pages, 1201 * 256 - 227326);
	CHECK(M.mem_map[450 * 256].flags == 1u << PG_hole);
	CHECK(M.mem_map[1050 * 256].flags == 1u << PG_hole);
	while (alloc_pages(&M, GFP_HIGHUSER, 3))
		;
	check_sane();
}

static void attach_is_wary(void)
{
	struct machine other;

	boot(MODEL_3_4, 512 * MiB, 2);
	CHECK_EQ(machine_attach(&other, M.s, M.s->size, 1, NULL, NULL), 0);
	CHECK(other.mem_map == M.mem_map && other.pte == M.pte);
	CHECK_EQ(machine_attach(&other, M.s, M.s->size - 1, 0, NULL, NULL), -22);
	CHECK_EQ(machine_attach(&other, M.s, M.s->size, 2, NULL, NULL), -22);
	M.s->layout ^= 1;
	CHECK_EQ(machine_attach(&other, M.s, M.s->size, 0, NULL, NULL), -22);
	M.s->layout ^= 1;
	M.s->max_pfn++;
	CHECK_EQ(machine_attach(&other, M.s, M.s->size, 0, NULL, NULL), -22);
}

// ---- hand-over ----

static void handover_counts(void)
{
	boot_empty(2048 * MiB);
	counts_are(ZONE_DMA, (uint32_t[]){1, 1, 1, 1, 2, 1, 1, 0, 1, 1, 3});
	counts_are(ZONE_NORMAL, (uint32_t[]){0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 217});
	counts_are(ZONE_HIGHMEM, (uint32_t[]){0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 290});
	CHECK_EQ(M.s->totalhigh_pages, 296962);
	boot_empty(1024 * MiB);
	counts_are(ZONE_HIGHMEM, (uint32_t[]){0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 34});
}

// Whole pageblocks at once must give what the kernel's small pieces give: list by list.
static void handover_shortcut(void)
{
	boot_empty(1024 * MiB);
	machine_config_default(&Cfg, MODEL_3_4, 1024 * MiB, 1);
	boot_on(&Twin, &Cfg);
	memset(Twin.mem_map, 0, Twin.s->max_pfn * sizeof(struct page));
	memset(Twin.s->zone, 0, sizeof(Twin.s->zone));
	memset(Twin.pageblock, 0, Twin.s->off_slab - Twin.s->off_pageblock);
	zones_init(&Twin);
	for (pfn_t pfn = 227326; pfn < 262144; pfn++)
		__free_one_page(&Twin, ZONE_HIGHMEM, pfn, 0, pageblock_type(&Twin, pfn));
	for (pfn_t pfn = 4096; pfn < 227326;) {
		unsigned order = pfn & 31 || 227326 - pfn < 32 ? 0 : 5;

		__free_one_page(&Twin, ZONE_NORMAL, pfn, order, pageblock_type(&Twin, pfn));
		pfn += 1u << order;
	}
	for (unsigned zone = ZONE_NORMAL; zone <= ZONE_HIGHMEM; zone++)
		CHECK(!memcmp(M.s->zone[zone].free_area, Twin.s->zone[zone].free_area,
			      sizeof(M.s->zone[zone].free_area)));
	CHECK(!memcmp(&M.mem_map[4096], &Twin.mem_map[4096],
		      (262144 - 4096) * sizeof(struct page)));
}

static void boot_touches_little(void)
{
	unsigned char *in_core = malloc(1 << 20);
	size_t resident = 0, pages;

	boot(MODEL_CLASSIC, 4096 * MiB, 8);
	pages = M.s->size / PAGE_SIZE;
	CHECK(!mincore(M.s, M.s->size, in_core));
	for (size_t i = 0; i < pages; i++)
		resident += in_core[i] & 1;
	free(in_core);
	CHECK(resident < (8 << 20) / PAGE_SIZE);
	check_sane();
}

// ---- buddy ----

static pfn_t take(gfp_t gfp, unsigned order)
{
	pfn_t pfn = alloc_pages(&M, gfp, order);

	CHECK(pfn);
	return pfn;
}

// A zone of one pageblock: HighMem keeps only pfns 229376..230399.
static void one_block(void)
{
	boot_empty(1024 * MiB);
	struct zone *z = &M.s->zone[ZONE_HIGHMEM];
	memset(z->free_area, 0, sizeof(z->free_area));
	z->vm_stat[NR_FREE_PAGES] = 1024;
	memset(&M.mem_map[227326], 0, (262144 - 227326) * sizeof(struct page));
	add_free_block(&M, ZONE_HIGHMEM, 229376, 10, MIGRATE_MOVABLE, false);
}

static void splitting(void)
{
	const pfn_t base = 229376;

	one_block();
	CHECK_EQ(__rmqueue(&M, ZONE_HIGHMEM, 0, MIGRATE_MOVABLE, false), base);
	counts_are(ZONE_HIGHMEM, (uint32_t[]){1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0});
	one_block();
	for (pfn_t i = 0; i < 31; i++)
		CHECK_EQ(__rmqueue(&M, ZONE_HIGHMEM, 0, MIGRATE_MOVABLE, false), base + i);
	counts_are(ZONE_HIGHMEM, (uint32_t[]){1, 0, 0, 0, 0, 1, 1, 1, 1, 1, 0});
	for (pfn_t i = 31; i-- > 0;)
		__free_one_page(&M, ZONE_HIGHMEM, base + (i * 7) % 31, 0, MIGRATE_MOVABLE);
	counts_are(ZONE_HIGHMEM, (uint32_t[]){0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
	one_block();
	CHECK_EQ(__rmqueue(&M, ZONE_HIGHMEM, 3, MIGRATE_MOVABLE, false), base);
	CHECK_EQ(__rmqueue(&M, ZONE_HIGHMEM, 2, MIGRATE_MOVABLE, false), base + 8);
	CHECK_EQ(__rmqueue(&M, ZONE_HIGHMEM, 0, MIGRATE_MOVABLE, false), base + 12);
	counts_are(ZONE_HIGHMEM, (uint32_t[]){1, 1, 0, 0, 1, 1, 1, 1, 1, 1, 0});
}

// Blocks of one zone only: the two pages below the border have no buddy across it.
static void zones_do_not_merge(void)
{
	boot_empty(1024 * MiB);
	CHECK_EQ(M.s->zone[ZONE_NORMAL].free_area[1].free_list[MIGRATE_MOVABLE].first, 227324);
	CHECK_EQ(M.s->zone[ZONE_HIGHMEM].free_area[1].free_list[MIGRATE_UNMOVABLE].first, 227326);
	char why[256] = "";
	page_alloc_check(&M, why, sizeof(why));
	CHECK_STR(why, "");
}

struct seen {
	struct trace_event events[256];
	unsigned n;
} Seen;

static void note_trace(struct machine *m, const struct trace_event *t)
{
	(void)m;
	if (Seen.n < 256)
		Seen.events[Seen.n++] = *t;
}

static const struct machine_ops trace_ops = {.trace = note_trace};

static unsigned count_seen(unsigned kind)
{
	unsigned n = 0;

	for (unsigned i = 0; i < Seen.n; i++)
		n += Seen.events[i].kind == kind;
	return n;
}

// Reference S1 without the slab: the first unmovable page takes a whole movable pageblock.
static void first_page_steals_a_block(void)
{
	const struct trace_event *t = Seen.events;
	unsigned i = 0;

	boot(MODEL_3_4, 2048 * MiB, 1);
	while (M.s->zone[ZONE_NORMAL].pageset[0].lists[MIGRATE_RECLAIMABLE].first)
		take(GFP_TEMPORARY, 0);
	uint32_t free = zone_free_pages(&M, ZONE_NORMAL);
	M.ops = &trace_ops;
	Seen.n = 0;
	pfn_t pfn = take(GFP_TEMPORARY, 0);
	while (i < Seen.n && t[i].kind != EV_T_MM_PAGE_ALLOC_EXTFRAG)
		CHECK(t[i++].kind != EV_T_MM_PAGE_ALLOC_ZONE_LOCKED);
	CHECK(i < Seen.n);
	CHECK(t[i].order == 0 && t[i].order2 == 10 && t[i].migratetype == 1 &&
	      t[i].migratetype2 == 1);
	CHECK_EQ(count_seen(EV_T_MM_PAGE_ALLOC_ZONE_LOCKED), 31);
	CHECK_EQ(count_seen(EV_T_MM_PAGE_ALLOC), 1);
	CHECK_EQ(zone_free_pages(&M, ZONE_NORMAL) + 31, free);
	CHECK_EQ(M.s->zone[ZONE_NORMAL].pageset[0].count, 30);
	CHECK_EQ(pageblock_type(&M, pfn), MIGRATE_RECLAIMABLE);
	CHECK_EQ(pfn & 1023, 0);
	for (pfn_t next = 1; next <= 30; next++)
		CHECK_EQ(take(GFP_TEMPORARY, 0), pfn + next);
	CHECK_EQ(zone_free_pages(&M, ZONE_NORMAL) + 31, free);
	M.ops = &machine_ops_none;
}

static void orders_and_limits(void)
{
	boot(MODEL_3_4, 2048 * MiB, 1);
	CHECK_EQ(get_order(1), 0);
	CHECK_EQ(get_order(4096), 0);
	CHECK_EQ(get_order(4097), 1);
	CHECK_EQ(get_order(4 << 20), 10);
	CHECK_EQ(alloc_pages(&M, GFP_KERNEL, 11), 0);
	uint32_t free = zone_free_pages(&M, ZONE_NORMAL);
	pfn_t pfn = take(GFP_KERNEL, 10);
	CHECK_EQ(zone_free_pages(&M, ZONE_NORMAL) + 1024, free);
	__free_pages(&M, pfn, 10);
	CHECK_EQ(zone_free_pages(&M, ZONE_NORMAL), free);
	CHECK(page_zonenum(&M, take(GFP_DMA, 0)) == ZONE_DMA);
	CHECK(page_zonenum(&M, take(GFP_HIGHUSER, 0)) == ZONE_HIGHMEM);
	check_sane();
}

// ---- per-CPU lists ----

static void pcp_is_lifo_and_drains(void)
{
	static pfn_t pages[200];
	const struct per_cpu_pages *pcp = &M.s->zone[ZONE_NORMAL].pageset[0];

	boot(MODEL_3_4, 1024 * MiB, 1);
	pcp = &M.s->zone[ZONE_NORMAL].pageset[0];
	CHECK(pcp->high == 186 && pcp->batch == 31);
	pfn_t pfn = take(GFP_KERNEL, 0);
	free_hot_cold_page(&M, pfn, false);
	CHECK_EQ(take(GFP_KERNEL, 0), pfn);
	free_hot_cold_page(&M, pfn, true);
	CHECK_EQ(take(GFP_KERNEL | __GFP_COLD, 0), pfn);
	for (int i = 0; i < 200; i++)
		pages[i] = take(GFP_KERNEL, 0);
	drain_local_pages(&M);
	CHECK_EQ(pcp->count, 0);
	for (int i = 0; i < 185; i++)
		free_hot_cold_page(&M, pages[i], false);
	CHECK_EQ(pcp->count, 185);
	free_hot_cold_page(&M, pages[185], false);
	CHECK_EQ(pcp->count, 155);
	CHECK_EQ(M.s->zone[ZONE_DMA].pageset[0].high, 0);
	pfn = take(GFP_DMA, 0);
	free_hot_cold_page(&M, pfn, false);
	CHECK_EQ(M.s->zone[ZONE_DMA].pageset[0].count, 0);
	check_sane();
}

static void batch_sizes(void)
{
	CHECK_EQ(zone_batchsize(3951), 0);
	CHECK_EQ(zone_batchsize(60960), 15);
	CHECK_EQ(zone_batchsize(125984), 31);
	CHECK_EQ(zone_batchsize(34545), 7);
	CHECK_EQ(zone_batchsize(294641), 31);
}

// ---- blocks in other forms ----

static void compound_blocks(void)
{
	boot(MODEL_3_4, 1024 * MiB, 1);
	pfn_t pfn = take(GFP_KERNEL | __GFP_COMP, 3);
	CHECK_EQ(compound_order(&M, pfn), 3);
	CHECK_EQ(M.mem_map[pfn + 7].index, pfn);
	CHECK(M.mem_map[pfn + 7].flags == 1u << PG_tail);
	__free_pages(&M, pfn, 2); // wrong order: left alone
	CHECK_EQ(M.mem_map[pfn]._count, 1);
	__free_pages(&M, pfn + 1, 0); // a tail
	__free_pages(&M, pfn, 3);
	CHECK_EQ(M.mem_map[pfn + 7].flags, 0);
	check_sane();
}

static void exact_sizes(void)
{
	boot(MODEL_3_4, 1024 * MiB, 1);
	drain_local_pages(&M);
	uint32_t free = zone_free_pages(&M, ZONE_NORMAL);
	kaddr_t addr = alloc_pages_exact(&M, 5 * 4096, GFP_KERNEL);
	pfn_t pfn = lowmem_pfn(&M, addr);
	CHECK(!(pfn & 7));
	for (pfn_t i = 0; i < 8; i++)
		CHECK_EQ(M.mem_map[pfn + i]._count, i < 5);
	CHECK_EQ(M.s->zone[ZONE_NORMAL].pageset[0].count, 3);
	free_pages_exact(&M, addr, 5 * 4096);
	drain_local_pages(&M);
	CHECK_EQ(zone_free_pages(&M, ZONE_NORMAL), free);
	check_sane();
}

static void misuse_is_harmless(void)
{
	boot(MODEL_3_4, 1024 * MiB, 1);
	pfn_t pfn = take(GFP_KERNEL, 0), block = take(GFP_KERNEL, 2);
	__free_pages(&M, pfn, 0);
	__free_pages(&M, pfn, 0); // double
	__free_pages(&M, block, 2);
	__free_pages(&M, block, 2);
	__free_pages(&M, 4096, 0);	      // never given out
	__free_pages(&M, 0x1000000 >> 12, 0); // the kernel image
	__free_pages(&M, 0, 0);
	__free_pages(&M, UINT32_MAX, 0);
	__free_pages(&M, pfn, 40);
	free_pages(&M, 0x1000, 0);
	check_sane();
}

// ---- memory ends ----

static uint32_t exhaust(gfp_t gfp, unsigned order)
{
	uint32_t n = 0;

	while (alloc_pages(&M, gfp, order))
		n++;
	return n;
}

// Reference S7, S8: which zone stops at which mark. A refill takes 31 pages at once.
static void near(uint32_t free, uint32_t limit, unsigned batch)
{
	if (free > limit || free + batch <= limit)
		CHECK_EQ(free, limit);
}

static void atomic_requests_stop_at_their_mark(void)
{
	boot(MODEL_3_4, 2048 * MiB, 1);
	exhaust(GFP_ATOMIC, 0);
	near(zone_free_pages(&M, ZONE_NORMAL), 350, 31);
	near(zone_free_pages(&M, ZONE_DMA), 871, 1 + 2); // the counter lags by its threshold
	CHECK_EQ(M.s->zone[ZONE_HIGHMEM].vm_stat[NR_FREE_PAGES], 296962);
	check_sane();
}

static void highuser_requests_spare_lowmem(void)
{
	boot(MODEL_3_4, 2048 * MiB, 1);
	exhaust(GFP_HIGHUSER, 0);
	near(zone_free_pages(&M, ZONE_HIGHMEM), 128, 31);
	near(zone_free_pages(&M, ZONE_NORMAL), 932 + 9207, 31);
	near(zone_free_pages(&M, ZONE_DMA), 16 + 2016, 1 + 2);
	CHECK_EQ(alloc_pages(&M, GFP_HIGHUSER, 0), 0);
	CHECK_EQ(M.s->zone[ZONE_HIGHMEM].all_unreclaimable, 1);
	CHECK(alloc_pages(&M, GFP_KERNEL, 0)); // others go on
	check_sane();
}

static void page_cache_gives_way(void)
{
	static pfn_t cache[60000];

	boot(MODEL_3_4, 256 * MiB, 2);
	uint32_t got = page_cache_add(&M, 30000, cache);
	CHECK_EQ(got, 30000);
	check_sane();
	uint32_t others = exhaust(GFP_KERNEL | __GFP_NO_KSWAPD, 0); // direct reclaim does it all
	CHECK(!M.s->zone[ZONE_NORMAL].inactive_file.first);
	CHECK(others > 50000);
	check_sane();
	page_cache_remove(&M, cache, 30000); // all reclaimed: nothing is freed twice
	check_sane();
}

static void oldest_page_cache_goes_first(void)
{
	static pfn_t cache[400];
	unsigned gone = 0;

	boot(MODEL_3_4, 256 * MiB, 1);
	CHECK_EQ(page_cache_add(&M, 400, cache), 400);
	for (int w = WMARK_MIN; w <= WMARK_HIGH; w++)
		M.s->zone[ZONE_NORMAL].watermark[w] = zone_free_pages(&M, ZONE_NORMAL) + 40;
	M.s->zone[ZONE_DMA].lowmem_reserve[ZONE_NORMAL] = 4000;
	CHECK(alloc_pages(&M, GFP_KERNEL, 0));
	while (gone < 400 && !(M.mem_map[cache[gone]].flags & 1u << PG_pagecache))
		gone++;
	CHECK(gone >= 40 && gone < 400);
	for (unsigned i = gone; i < 400; i++)
		CHECK(M.mem_map[cache[i]].flags & 1u << PG_pagecache);
	check_sane();
}

static int32_t Threshold_in_shrink, Kswapd_steps[2]; // woken, asleep again

static void watch_kswapd(struct machine *m, const struct record *r)
{
	if (r->kind == EV_SHRINK)
		Threshold_in_shrink = m->s->zone[r->arg[0]].pageset[m->cpu].stat_threshold;
	if (r->kind == EV_KSWAPD)
		Kswapd_steps[r->arg[2]]++;
}

static void kswapd_counts_more_finely(void)
{
	static const struct machine_ops watching = {.record = watch_kswapd};
	static pfn_t cache[400];

	boot(MODEL_3_4, 256 * MiB, 2);
	struct zone *z = &M.s->zone[ZONE_NORMAL];
	CHECK_EQ(page_cache_add(&M, 400, cache), 400);
	CHECK_EQ(z->pageset[0].stat_threshold, 8);
	for (int w = WMARK_MIN; w <= WMARK_HIGH; w++)
		z->watermark[w] = zone_free_pages(&M, ZONE_NORMAL) + 40 + 5 * (unsigned)w;
	M.s->zone[ZONE_DMA].lowmem_reserve[ZONE_NORMAL] = 4000;
	M.ops = &watching;
	CHECK(alloc_pages(&M, GFP_ATOMIC, 0));
	CHECK_EQ(Threshold_in_shrink, 5 / 2); // low - min, over two CPUs
	CHECK(Kswapd_steps[0] > 0);
	CHECK_EQ(Kswapd_steps[0], Kswapd_steps[1]);
	CHECK_EQ(z->pageset[0].stat_threshold, 8);
	check_sane();
}

static void everything_freed_is_the_start(void)
{
	static pfn_t held[4000];
	static uint8_t order[4000];
	unsigned before[MAX_NR_ZONES][MAX_ORDER];
	uint32_t seed = 1;

	boot(MODEL_CLASSIC, 1024 * MiB, 1);
	drain_local_pages(&M);
	for (int z = 0; z < MAX_NR_ZONES; z++)
		for (int o = 0; o < MAX_ORDER; o++)
			before[z][o] = M.s->zone[z].free_area[o].nr_free;
	for (int i = 0; i < 4000; i++) {
		static const gfp_t gfps[] = {GFP_KERNEL, GFP_HIGHUSER,	       GFP_TEMPORARY,
					     GFP_DMA,	 GFP_HIGHUSER_MOVABLE, GFP_ATOMIC};

		seed = seed * 1664525 + 1013904223;
		order[i] = (seed >> 28) < 10 ? 0 : (seed >> 24) % 7;
		held[i] = alloc_pages(&M, gfps[(seed >> 16) % 6], order[i]);
	}
	check_sane();
	for (int i = 0; i < 4000; i++) {
		int j = i * 1009 % 4000; // 1009 and 4000 have no common factor

		__free_pages(&M, held[j], order[j]);
	}
	drain_local_pages(&M);
	for (int z = 0; z < MAX_NR_ZONES; z++)
		counts_are(z, before[z]);
	check_sane();
}

// ---- names ----

static void gfp_is(gfp_t gfp, const char *want)
{
	char buf[128];

	CHECK_EQ(gfp_string(gfp, buf, sizeof(buf)), strlen(want));
	CHECK_STR(buf, want);
}

static void gfp_names(void)
{
	char small[8];

	gfp_is(0, "GFP_NOWAIT");
	gfp_is(0xD0, "GFP_KERNEL");
	gfp_is(0x20, "GFP_ATOMIC");
	gfp_is(0x200DA, "GFP_HIGHUSER_MOVABLE");
	gfp_is(0x280DA, "GFP_HIGHUSER_MOVABLE|GFP_ZERO");
	gfp_is(0x80D0, "GFP_KERNEL|GFP_ZERO");
	gfp_is(0xD1, "GFP_KERNEL|GFP_NOTRACK|0x1");
	CHECK_EQ(gfp_string(0x80D0, small, sizeof(small)), 19);
	CHECK_STR(small, "GFP_KER");
	CHECK_STR(event_name(EV_PCP_REFILL), "pcp_refill");
	CHECK_STR(event_fields(EV_KSWAPD), "zone,order,done");
	CHECK_STR(event_name(EV_T_MM_PAGE_ALLOC), "mm_page_alloc");
	CHECK_STR(event_name(EV_COUNT), "?");
}

int main(void)
{
	RUN(e820_sweep);
	RUN(e820_trimmed_reference);
	RUN(memblock_rules);
	RUN(memblock_nodes);
	RUN(get_free_page_family);
	RUN(memblock_arrays_double);
	RUN(zones_of_3_4);
	RUN(zones_of_classic);
	RUN(watermark_rule);
	RUN(sysctls);
	RUN(bad_configurations);
	RUN(maps_with_holes);
	RUN(attach_is_wary);
	RUN(handover_counts);
	RUN(handover_shortcut);
	RUN(boot_touches_little);
	RUN(splitting);
	RUN(zones_do_not_merge);
	RUN(first_page_steals_a_block);
	RUN(orders_and_limits);
	RUN(pcp_is_lifo_and_drains);
	RUN(batch_sizes);
	RUN(compound_blocks);
	RUN(exact_sizes);
	RUN(misuse_is_harmless);
	RUN(atomic_requests_stop_at_their_mark);
	RUN(highuser_requests_spare_lowmem);
	RUN(page_cache_gives_way);
	RUN(oldest_page_cache_goes_first);
	RUN(kswapd_counts_more_finely);
	RUN(everything_freed_is_the_start);
	RUN(gfp_names);
	return DONE();
}
