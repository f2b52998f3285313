// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Numbers of a 3.4 kernel on i386 that no other test states: tests/reference.txt says which.
#include "core/boot.h"
#include "core/bootlog.h"
#include "core/buddy.h"
#include "core/layout.h"
#include "core/procfs.h"
#include "core/translate.h"
#include "pages_machine.h"

#include <stddef.h>

// ---- the linear address space ----

static void five_splits(void)
{
	static const uint32_t offsets[] = {0xC0000000, 0xB0000000, 0x80000000, 0x78000000,
					   0x40000000};

	for (unsigned i = 0; i < 5; i++) {
		machine_config_default(&Cfg, MODEL_3_4, 4096 * MiB, 1);
		Cfg.page_offset = offsets[i];
		boot_on(&M, &Cfg);
		CHECK_EQ(M.s->high_memory, 0xF77FE000);
		CHECK_EQ(M.s->vmalloc.start, 0xF7FFE000);
		check_sane();
	}
}

static void regions_of_two_gigabytes(void)
{
	static char log[1 << 14];
	const struct kmap_state *k;

	boot(MODEL_3_4, 2048 * MiB, 1);
	k = &M.s->kmap;
	CHECK_EQ(k->fixaddr_start, 0xFFF16000);
	CHECK_EQ(k->fixaddr_top, 0xFFFFF000);
	CHECK_EQ((k->fixaddr_top - k->fixaddr_start) >> 10, 932);
	CHECK_EQ(k->pkmap_base, 0xFF800000);
	CHECK_EQ(LAST_PKMAP * 4, 4096); // KiB
	CHECK_EQ((M.s->vmalloc.end - M.s->vmalloc.start) >> 20, 120);
	CHECK_EQ((M.s->high_memory - M.s->cfg.page_offset) >> 20, 887);
	CHECK(boot_log(&M, log, sizeof(log)) < (int)sizeof(log));
	CHECK(strstr(log, "virtual kernel memory layout:\n"
			  "    fixmap  : 0xfff16000 - 0xfffff000   ( 932 kB)\n"
			  "    pkmap   : 0xff800000 - 0xffc00000   (4096 kB)\n"
			  "    vmalloc : 0xf7ffe000 - 0xff7fe000   ( 120 MB)\n"
			  "    lowmem  : 0xc0000000 - 0xf77fe000   ( 887 MB)\n"));
}

// All windows lie in one page table, all fixmap slots in the next.
static void windows_fill_one_table(void)
{
	struct translation t;

	boot(MODEL_3_4, 2048 * MiB, 1);
	for (unsigned slot = 0; slot < LAST_PKMAP; slot++) {
		machine_translate(&M, M.s->kmap.pkmap_base + slot * 4096, &t);
		CHECK_EQ(t.pgd_index, 1022);
		CHECK_EQ(t.pte_index, slot);
	}
	machine_translate(&M, M.s->kmap.fixaddr_start, &t);
	CHECK_EQ(t.pgd_index, 1023);
	machine_translate(&M, M.s->kmap.fixaddr_top, &t);
	CHECK_EQ(t.pgd_index, 1023);
	CHECK_EQ(fix_to_virt(M.s->kmap.fix_kmap_begin), 0xFFFB9000);
}

// ---- boot ----

static void top_of_lowmem(void)
{
	boot(MODEL_3_4, 2048 * MiB, 1);
	// pkmap's table, and below it 16 MiB of mem_map
	CHECK_EQ(M.s->pgd[1022], 0x377FD063);
	CHECK_EQ(M.s->kmap.mem_map, 0xF77FE000 - 0x1000 - 16 * MiB);
	// the table of the ragged end, first of eight frames below the end of the first mapping
	CHECK_EQ(M.s->pgd[0xF77FD000 >> 22], 0x017F8063);
	CHECK(memblock_is_region_reserved(&M.s->memblock, 0x017F8000, 0x1000));
	CHECK(!memblock_is_region_reserved(&M.s->memblock, 0x017F9000, 0x7000));
	CHECK_EQ(memblock_end_of_DRAM(&M.s->memblock), 0x80000000);
	boot(MODEL_3_4, 700 * MiB, 1); // lowmem of whole 4 MiB units needs none
	CHECK(!memblock_is_region_reserved(&M.s->memblock, 0x017F8000, 0x8000));
	CHECK_EQ(M.s->pgd[M.s->max_low_pfn >> 10], 0);
}

static uint32_t ram_pages(unsigned zone)
{
	const struct zone *z = &M.s->zone[zone];
	uint32_t n = 0;

	for (pfn_t pfn = z->zone_start_pfn; pfn < zone_end_pfn(z); pfn++)
		n += !(M.mem_map[pfn].flags & PAGE_FLAG_BIT(PG_hole));
	return n;
}

static unsigned reserve_blocks(unsigned zone)
{
	const struct zone *z = &M.s->zone[zone];
	unsigned n = 0;

	for (pfn_t pfn = (z->zone_start_pfn + 1023) & ~1023u; pfn < zone_end_pfn(z); pfn += 1024)
		n += get_pageblock_migratetype(&M, pfn) == MIGRATE_RESERVE;
	return n;
}

struct zone_numbers {
	uint32_t mib, zone, start, spanned, ram, memmap, present, mark[NR_WMARK], reserve[4];
	uint32_t high, batch;
};

static const struct zone_numbers zone_table[] = {
	{256, ZONE_DMA, 16, 4080, 3983, 32, 3951, {30, 37, 45}, {0, 238, 238, 238}, 0, 1},
	{256, ZONE_NORMAL, 4096, 61440, 61440, 480, 60960, {478, 597, 717}, {0}, 90, 15},
	{512, ZONE_DMA, 16, 4080, 3983, 32, 3951, {21, 26, 31}, {0, 492, 492, 492}, 0, 1},
	{512, ZONE_NORMAL, 4096, 126976, 126976, 992, 125984, {698, 872, 1047}, {0}, 186, 31},
	{1024, ZONE_DMA, 16, 4080, 3983, 32, 3951, {16, 20, 24}, {0, 865, 1000, 1000}, 0, 1},
	{1024,
	 ZONE_NORMAL,
	 4096,
	 223230,
	 223230,
	 1744,
	 221486,
	 {932, 1165, 1398},
	 {0, 0, 1079, 1079},
	 186,
	 31},
	{1024, ZONE_HIGHMEM, 227326, 34818, 34818, 273, 34545, {33, 69, 105}, {0}, 42, 7},
	{2048, ZONE_DMA, 16, 4080, 3983, 32, 3951, {16, 20, 24}, {0, 865, 2016, 2016}, 0, 1},
	{2048,
	 ZONE_NORMAL,
	 4096,
	 223230,
	 223230,
	 1744,
	 221486,
	 {932, 1165, 1398},
	 {0, 0, 9207, 9207},
	 186,
	 31},
	{2048, ZONE_HIGHMEM, 227326, 296962, 296962, 2321, 294641, {128, 438, 748}, {0}, 186, 31},
	{4096, ZONE_DMA, 16, 4080, 3983, 32, 3951, {16, 20, 24}, {0, 865, 3540, 3540}, 0, 1},
	{4096,
	 ZONE_NORMAL,
	 4096,
	 223230,
	 223230,
	 1744,
	 221486,
	 {932, 1165, 1398},
	 {0, 0, 21399, 21399},
	 186,
	 31},
	{4096, ZONE_HIGHMEM, 227326, 690178, 690178, 5393, 684785, {128, 848, 1569}, {0}, 186, 31},
};

static void check_zone(const struct zone_numbers *n)
{
	const struct zone *z = &M.s->zone[n->zone];

	CHECK_EQ(z->zone_start_pfn, n->start);
	CHECK_EQ(z->spanned_pages, n->spanned);
	CHECK_EQ(ram_pages(n->zone), n->ram);
	CHECK_EQ((z->spanned_pages * sizeof(struct page) + 4095) / 4096, n->memmap);
	CHECK_EQ(z->present_pages, n->present);
	for (int w = 0; w < NR_WMARK; w++)
		CHECK_EQ(z->watermark[w], n->mark[w]);
	for (int i = 0; i < MAX_NR_ZONES; i++)
		CHECK_EQ(z->lowmem_reserve[i], n->reserve[i]);
	CHECK_EQ(z->pageset[0].high, n->high);
	CHECK_EQ(z->pageset[0].batch, n->batch);
	CHECK_EQ(reserve_blocks(n->zone), 1);
}

static void zones_by_ram(void)
{
	static const struct {
		uint32_t mib, kbytes;
	} min_free[] = {{256, 2038}, {512, 2883}, {1024, 3798}, {2048, 3798}, {4096, 3798}};

	for (size_t i = 0; i < sizeof(zone_table) / sizeof(zone_table[0]); i++) {
		if (!i || zone_table[i].mib != zone_table[i - 1].mib)
			boot(MODEL_3_4, zone_table[i].mib * MiB, 1);
		check_zone(&zone_table[i]);
		for (size_t j = 0; j < 5; j++)
			if (min_free[j].mib == zone_table[i].mib)
				CHECK_EQ(M.s->min_free_kbytes, min_free[j].kbytes);
	}
}

// A zone whose frames are freed upwards in chunks of 32 hands out its last block first.
static void last_block_is_listed_first(void)
{
	const pfn_t base = 8192;
	struct zone *z;

	boot(MODEL_3_4, 1024 * MiB, 1);
	z = &M.s->zone[ZONE_NORMAL];
	memset(z->free_area, 0, sizeof(z->free_area));
	memset(&M.mem_map[base], 0, 4096 * sizeof(struct page));
	for (pfn_t pfn = base; pfn < base + 4096; pfn += 32)
		__free_one_page(&M, ZONE_NORMAL, pfn, 5, MIGRATE_MOVABLE);
	pfn_t pfn = z->free_area[10].free_list[MIGRATE_MOVABLE].first;
	for (pfn_t want = 3072; pfn; pfn = M.mem_map[pfn].lru.next, want -= 1024)
		CHECK_EQ(pfn - base, want);
	CHECK_EQ(z->free_area[10].nr_free, 4);
}

// ---- page tables and struct page ----

static void entry_values(void)
{
	struct translation t;
	kaddr_t v, io;

	boot(MODEL_3_4, 2048 * MiB, 1);
	v = vmalloc(&M, 4096);
	io = ioremap(&M, 0xFED00000, 4096);
	CHECK_EQ(pte_of(&M, v) & 0xFFF, 0x163);
	CHECK_EQ(M.s->pgd[v >> 22] & 0xFFF, 0x063);
	CHECK_EQ(M.s->pgd[770] & 0xFFF, 0x1E3);
	CHECK_EQ(pte_of(&M, io) & 0xFFF, 0x173); // uncached minus, without the IO bit
	machine_translate(&M, 0xC1000000, &t);
	CHECK_EQ(t.pde, 0x01000000 | 0x1E3);
	CHECK_EQ(pte_of(&M, fix_to_virt(5)) & 0xFFF, 0x17B); // local APIC: uncached
}

static void flags_of(pfn_t pfn, const char *want)
{
	char text[1024];
	struct translation t;

	CHECK_EQ(machine_translate(&M, lowmem_addr(&M, pfn), &t), 0);
	translation_text(&M, &t, text, sizeof(text));
	if (!strstr(text, want))
		printf("# %s not in:\n%s", want, text);
	CHECK(strstr(text, want));
}

static void page_entries(void)
{
	boot(MODEL_3_4, 2048 * MiB, 1);
	CHECK_EQ(sizeof(struct page), 32);
	CHECK_EQ(PAGE_SIZE / sizeof(struct page), 128);
	CHECK_EQ((1 << 20) / PAGE_SIZE * sizeof(struct page), 8192); // a MiB of RAM
	CHECK_EQ(M.s->off_pageblock - M.s->off_mem_map >= M.s->max_pfn * 32ull, 1);
	flags_of(lowmem_pfn(&M, kmalloc(&M, 100, GFP_KERNEL)), "flags 0x40000080");
	M.mem_map[20] = (struct page){.flags = PAGE_FLAG_BIT(PG_reserved), ._count = 1};
	flags_of(20, "zone DMA, flags 0x00000400");
	pfn_t pfn = M.s->zone[ZONE_HIGHMEM].free_area[10].free_list[MIGRATE_MOVABLE].first + 1;
	CHECK_EQ(page_zonenum(&M, pfn) << 30 | M.mem_map[pfn].flags, 0x80000000);
}

// ---- watermarks and zones ----

static bool ok(unsigned zone, int32_t free, uint32_t mark, unsigned classzone, unsigned flags)
{
	M.s->zone[zone].vm_stat[NR_FREE_PAGES] = free;
	return zone_watermark_ok(&M, zone, 0, mark, classzone, flags);
}

static void stops_at(unsigned zone, int32_t limit, uint32_t mark, unsigned classzone,
		     unsigned flags)
{
	CHECK(!ok(zone, limit, mark, classzone, flags));
	CHECK(ok(zone, limit + 1, mark, classzone, flags));
}

static void marks_of_each_urgency(void)
{
	boot(MODEL_3_4, 2048 * MiB, 1);
	stops_at(ZONE_NORMAL, 932, 932, ZONE_NORMAL, 0);
	stops_at(ZONE_NORMAL, 466, 932, ZONE_NORMAL, ALLOC_HIGH);
	stops_at(ZONE_NORMAL, 699, 932, ZONE_NORMAL, ALLOC_HARDER);
	stops_at(ZONE_NORMAL, 350, 932, ZONE_NORMAL, ALLOC_HIGH | ALLOC_HARDER);
}

static void marks_of_lower_zones(void)
{
	boot(MODEL_3_4, 2048 * MiB, 1);
	stops_at(ZONE_NORMAL, 10372, 1165, ZONE_HIGHMEM, 0);
	stops_at(ZONE_DMA, 2036, 20, ZONE_HIGHMEM, 0);
	stops_at(ZONE_DMA, 885, 20, ZONE_NORMAL, 0);
}

static void best_zone_without_highmem(void)
{
	boot(MODEL_3_4, 512 * MiB, 1);
	CHECK_EQ(fallback_zone(&M, gfp_zone(GFP_HIGHUSER)), ZONE_NORMAL);
	boot(MODEL_3_4, 1024 * MiB, 1);
	CHECK_EQ(fallback_zone(&M, gfp_zone(GFP_HIGHUSER)), ZONE_HIGHMEM);
}

// The kernel's table word: two bits for each combination of zone bits that is allowed.
static void zone_of_each_gfp(void)
{
	const uint32_t table = 0x01310121, bad = 0xE8E8;
	uint32_t mine = 0;

	for (unsigned i = 0; i < 16; i++)
		if (!(bad & 1u << i))
			mine |= gfp_zone(i) << 2 * i;
	for (unsigned i = 0; i < 16; i++)
		if (!(bad & 1u << i))
			CHECK_EQ(gfp_zone(i), table >> 2 * i & 3);
	CHECK_EQ(mine, table);
}

static uint32_t Reclaims;

static void note_reclaim(struct machine *m, const struct trace_event *t)
{
	(void)m;
	Reclaims += t->kind == EV_T_DIRECT_RECLAIM || t->kind == EV_T_OUT_OF_MEMORY;
}

// GFP_NOWAIT stops at three quarters of the mark, GFP_ATOMIC at three eighths; neither reclaims,
// although there is page cache to be had. Pages come in batches of 31.
static void who_may_not_wait(void)
{
	static const struct machine_ops ops = {.trace = note_reclaim};
	static pfn_t cache[1000];
	uint32_t free;

	boot(MODEL_3_4, 1024 * MiB, 1);
	M.s->zone[ZONE_DMA].lowmem_reserve[ZONE_NORMAL] = 100000;
	CHECK_EQ(page_cache_add(&M, 1000, cache), 1000);
	M.ops = &ops;
	Reclaims = 0;
	while (alloc_pages(&M, GFP_NOWAIT, 0))
		;
	free = zone_free_pages(&M, ZONE_NORMAL);
	CHECK(free <= 699 && free + 31 > 699);
	while (alloc_pages(&M, GFP_ATOMIC, 0))
		;
	free = zone_free_pages(&M, ZONE_NORMAL);
	CHECK(free <= 350 && free + 31 > 350);
	CHECK_EQ(Reclaims, 0);
	CHECK(M.mem_map[cache[0]].flags & PAGE_FLAG_BIT(PG_pagecache));
	M.ops = &machine_ops_none;
	check_sane();
}

static void who_would_loop(void)
{
	static const struct {
		gfp_t gfp;
		unsigned order, end;
	} ends[] = {
		{GFP_KERNEL, 0, OOM_LOOPS | OOM_KILLS},
		{GFP_KERNEL, 3, OOM_LOOPS | OOM_KILLS},
		{GFP_KERNEL, 4, 0},
		{GFP_KERNEL | __GFP_REPEAT, 4, 0}, // no help: nothing is reclaimed
		{GFP_KERNEL | __GFP_NORETRY, 0, 0},
		{GFP_KERNEL | __GFP_NOFAIL, 4, OOM_LOOPS | OOM_KILLS},
		{GFP_KERNEL | GFP_DMA, 0, 0}, // killing does not empty that zone
		{GFP_KERNEL | GFP_DMA | __GFP_NOFAIL, 0, OOM_LOOPS | OOM_KILLS},
		{GFP_KERNEL | __GFP_THISNODE, 0, OOM_LOOPS},
		{GFP_HIGHUSER_MOVABLE, 0, OOM_LOOPS | OOM_KILLS},
		{GFP_NOFS, 0, OOM_LOOPS},
		{GFP_NOIO, 3, OOM_LOOPS},
		{GFP_NOFS, 4, 0},
		{GFP_NOFS | __GFP_REPEAT, 4, OOM_LOOPS},
		{GFP_NOFS | __GFP_NORETRY, 0, 0},
		{GFP_ATOMIC, 0, 0},
		{GFP_NOWAIT, 0, 0},
	};

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		CHECK_EQ(alloc_without_progress(ends[i].gfp, ends[i].order), ends[i].end);
}

static struct trace_event Ended, Looping; // last of each kind; kind 0: none

static void note_end(struct machine *m, const struct trace_event *t)
{
	(void)m;
	if (t->kind == EV_T_OUT_OF_MEMORY)
		Ended = *t;
	if (t->kind == EV_T_ALLOC_WOULD_LOOP)
		Looping = *t;
}

// Uses up whatever this request may have; the last call returned 0 and told why.
static void exhausted(gfp_t gfp, unsigned order)
{
	static const struct machine_ops ops = {.trace = note_end};

	boot(MODEL_3_4, 256 * MiB, 1);
	M.ops = &ops;
	Ended = Looping = (struct trace_event){0};
	while (alloc_pages(&M, gfp, order))
		CHECK(!Ended.kind && !Looping.kind);
	CHECK_EQ(Ended.kind, EV_T_OUT_OF_MEMORY);
	CHECK_EQ(Ended.order, order);
	CHECK_EQ(Ended.value, gfp);
	M.ops = &machine_ops_none;
	check_sane();
}

static void looping_ends_here(void)
{
	for (unsigned order = 0; order <= PAGE_ALLOC_COSTLY_ORDER; order++) {
		exhausted(GFP_KERNEL, order);
		CHECK_EQ(Looping.kind, EV_T_ALLOC_WOULD_LOOP);
		CHECK_EQ(Looping.flags, 1); // the killer
		CHECK_EQ(Looping.count, OOM_ROUNDS);
	}
	exhausted(GFP_NOFS, 0);
	CHECK_EQ(Looping.kind, EV_T_ALLOC_WOULD_LOOP);
	CHECK_EQ(Looping.flags, 0);
	exhausted(GFP_KERNEL, 4);
	CHECK(!Looping.kind);
	exhausted(GFP_KERNEL | __GFP_NORETRY, 0);
	CHECK(!Looping.kind);
}

// A hundred single pages: pairs fail half for want of memory, half because it lies scattered.
static void fragmentation(void)
{
	char text[1024];

	boot(MODEL_3_4, 1024 * MiB, 1);
	memset(M.s->zone[ZONE_DMA].free_area, 0, sizeof(M.s->zone[ZONE_DMA].free_area));
	M.s->zone[ZONE_DMA].free_area[0].nr_free = 100;
	proc_extfrag_index(&M, text, sizeof(text));
	CHECK_EQ(strncmp(text, "Node 0, zone      DMA -1.000 0.490 ", 35), 0);
}

// ---- slab ----

struct shape {
	uint32_t size, flags, buffer, num, order, waste, colour;
	bool off;
};

static const struct shape shapes[] = {
	{4, 0, 8, 339, 0, 0, 0, false},
	{8, 0, 8, 339, 0, 0, 0, false},
	{20, 0, 24, 145, 0, 8, 0, false},
	{24, 0, 24, 145, 0, 8, 0, false},
	{40, 0, 40, 92, 0, 16, 0, false},
	{56, 0, 56, 67, 0, 48, 0, false},
	{100, 0, 104, 37, 0, 72, 1, false},
	{200, 0, 200, 19, 0, 192, 3, false},
	{300, 0, 304, 13, 0, 64, 1, false},
	{500, 0, 504, 8, 0, 0, 0, false},
	{508, 0, 512, 7, 0, 456, 7, false},
	{512, 0, 512, 8, 0, 0, 0, true},
	{600, 0, 600, 6, 0, 440, 6, false},
	{700, 0, 704, 11, 1, 376, 5, false},
	{1000, 0, 1000, 4, 0, 48, 0, false},
	{1200, 0, 1200, 3, 0, 456, 7, false},
	{1500, 0, 1504, 5, 1, 624, 9, false},
	{2000, 0, 2000, 2, 0, 56, 0, false},
	{3000, 0, 3000, 2, 1, 2152, 33, false},
	{4000, 0, 4000, 1, 0, 64, 1, false},
	{5000, 0, 5000, 1, 1, 3160, 49, false},
	{340, SLAB_RECLAIM_ACCOUNT, 344, 11, 0, 240, 3, false},
};

static void shapes_and_waste(void)
{
	boot(MODEL_3_4, 64 * MiB, 1);
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		const struct shape *s = &shapes[i];
		struct kmem_cache c;
		CHECK_EQ(cache_geometry(&M, s->size, 0, s->flags, &c), 0);
		uint32_t used = c.num * c.buffer_size + (s->off ? 0 : c.slab_size);
		CHECK_EQ(c.buffer_size, s->buffer);
		CHECK_EQ(c.num, s->num);
		CHECK_EQ(c.gfporder, s->order);
		CHECK_EQ((4096u << c.gfporder) - used, s->waste);
		CHECK_EQ(c.colour, s->colour);
		CHECK_EQ(!!(c.flags & CFLGS_OFF_SLAB), s->off);
	}
}

// size-8192 and above: one object a slab, descriptor of 32 bytes elsewhere.
static void large_general_caches(void)
{
	boot(MODEL_3_4, 2048 * MiB, 2);
	for (unsigned i = 0; i < M.s->slab.nr_sizes; i++) {
		const struct kmem_cache *c = &M.caches[M.s->slab.size_cache[i]];
		if (M.s->slab.size[i] < 8192)
			continue;
		CHECK_EQ(c->num, 1);
		CHECK_EQ(4096u << c->gfporder, M.s->slab.size[i]);
		CHECK_EQ(c->slab_size, 32);
		CHECK(c->flags & CFLGS_OFF_SLAB);
		CHECK_EQ(c->limit, M.s->slab.size[i] > 131072 ? 1 : 8);
		CHECK_EQ(c->batchcount, M.s->slab.size[i] > 131072 ? 1 : 4);
		CHECK_EQ(c->shared, 0);
	}
	CHECK_EQ(M.s->slab.size[M.s->slab.nr_sizes - 1], 4 << 20);
}

// ---- per-CPU memory ----

// Static and dynamic part together end on a page border, and a unit has 32 KiB at least.
static void percpu_unit(void)
{
	boot(MODEL_3_4, 256 * MiB, 2);
	CHECK_EQ(M.s->percpu.unit_size, (PCPU_STATIC_SIZE + PCPU_DYNAMIC_RESERVE + 4095) & ~4095u);
	CHECK_EQ(M.s->percpu.unit_size, 10 * 4096); // this kernel has no modules: 12 KiB dynamic
	CHECK(M.s->percpu.unit_size >= PCPU_MIN_UNIT_SIZE);
	CHECK_EQ(M.s->percpu.static_size, 27808);
}

int main(void)
{
	RUN(five_splits);
	RUN(regions_of_two_gigabytes);
	RUN(windows_fill_one_table);
	RUN(top_of_lowmem);
	RUN(zones_by_ram);
	RUN(last_block_is_listed_first);
	RUN(entry_values);
	RUN(page_entries);
	RUN(marks_of_each_urgency);
	RUN(marks_of_lower_zones);
	RUN(best_zone_without_highmem);
	RUN(zone_of_each_gfp);
	RUN(who_may_not_wait);
	RUN(who_would_loop);
	RUN(looping_ends_here);
	RUN(fragmentation);
	RUN(shapes_and_waste);
	RUN(large_general_caches);
	RUN(percpu_unit);
	return DONE();
}
