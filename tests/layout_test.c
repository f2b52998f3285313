// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The linear layout, VMSPLIT, vmalloc=, and the page tables made at boot: the numbers of the
// reference.
#include "vm_box.h"

// --- layout ----------------------------------------------------------------------------------

static void test_fixmap_table(void)
{
	static const struct {
		unsigned cpus, end, permanent, all;
		kaddr_t start, boot_start, pkmap;
	} t[] = {
		{1, 89, 93, 350, 0xFFFA2000, 0xFFEA1000, 0xFF800000},
		{2, 109, 113, 370, 0xFFF8E000, 0xFFE8D000, 0xFF800000},
		{4, 149, 153, 410, 0xFFF66000, 0xFFE65000, 0xFF800000},
		{8, 229, 233, 490, 0xFFF16000, 0xFFE15000, 0xFF800000},
		{32, 709, 713, 970, 0xFFD36000, 0xFFC35000, 0xFF800000},
		{64, 1349, 1353, 1610, 0xFFAB6000, 0xFF9B5000, 0xFF400000},
	};

	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct fixmap fx;

		fixmap_layout(&fx, t[i].cpus, true);
		CHECK_EQ(fx.kmap_begin, 70);
		CHECK_EQ(fx.kmap_end, t[i].end);
		CHECK_EQ(fx.permanent_slots, t[i].permanent);
		CHECK_EQ(fx.all_slots, t[i].all);
		CHECK_EQ(fx.start, t[i].start);
		CHECK_EQ(fx.boot_start, t[i].boot_start);
		CHECK_EQ(fx.pkmap_base, t[i].pkmap);
	}
	CHECK_EQ(fix_to_virt(70), 0xFFFB9000);
}

static void test_btmaps_stay_under_one_table(void)
{
	struct fixmap fx;

	// 73 + 20 * 40 = 873 permanent slots: 256 more would cross slot 1024
	fixmap_layout(&fx, 40, true);
	CHECK_EQ(fx.permanent_slots, 873);
	CHECK_EQ(fx.btmap_end, 1024);
}

static void test_vmsplit_maxmem(void)
{
	static const struct {
		uint32_t page_offset, maxmem_pfn;
	} t[] = {
		{0xC0000000, 227326}, {0xB0000000, 292862}, {0x80000000, 489470},
		{0x78000000, 522238}, {0x40000000, 751614},
	};
	struct machine_config cfg = config(MODEL_3_4, 4096 * MiB, 1);

	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		cfg.page_offset = t[i].page_offset;
		CHECK_EQ(layout_maxmem_pfn(&cfg), t[i].maxmem_pfn);
	}
	cfg.page_offset = 0xC0000000;
	cfg.nr_cpus = 64; // pkmap moves down
	CHECK_EQ(layout_maxmem_pfn(&cfg), 0x373FE000u >> 12);
	cfg = config(MODEL_CLASSIC, 4096 * MiB, 1);
	CHECK_EQ(layout_maxmem_pfn(&cfg), 229376);
}

static void test_vmsplit_boots(void)
{
	static const uint32_t offsets[] = {0xC0000000, 0x80000000, 0x40000000};

	for (unsigned i = 0; i < 3; i++) {
		struct machine_config cfg = config(MODEL_3_4, 4096 * MiB, 1);
		kaddr_t a;

		cfg.page_offset = offsets[i];
		box_boot(&box, &cfg);
		CHECK_EQ(box.m.s->high_memory, 0xF77FE000);
		CHECK_EQ(box.m.s->vmalloc.start, 0xF7FFE000);
		CHECK_EQ(box.m.s->vmalloc.end, 0xFF7FE000);
		a = vmalloc(&box.m, 100000);
		CHECK_EQ(a, 0xF7FFE000);
		check_all(&box.m);
		CHECK_EQ(vfree(&box.m, a), 0);
		CHECK(kmap(&box.m, box.m.s->max_low_pfn) == 0xFF801000);
		check_all(&box.m);
	}
}

static void test_vmalloc_parameter(void)
{
	static const struct {
		uint32_t mib;
		kaddr_t high_memory;
	} t[] = {
		{64, 0xFAFFE000},  {128, 0xF6FFE000}, {192, 0xF2FFE000},
		{256, 0xEEFFE000}, {384, 0xE6FFE000}, {512, 0xDEFFE000},
	};

	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct machine_config cfg = config(MODEL_3_4, 2048 * MiB, 1);

		cfg.vmalloc_bytes = t[i].mib << 20;
		CHECK_EQ(cfg.page_offset + (layout_maxmem_pfn(&cfg) << 12), t[i].high_memory);
		box_boot(&box, &cfg);
		CHECK_EQ(box.m.s->high_memory, t[i].high_memory);
		CHECK_EQ(box.m.s->vmalloc.start, t[i].high_memory + 0x800000);
		CHECK_EQ(box.m.s->vmalloc.end - box.m.s->vmalloc.start, t[i].mib << 20);
	}
}

static void test_absurd_vmalloc_parameter_is_refused(void)
{
	struct machine_config cfg = config(MODEL_3_4, 2048 * MiB, 1);

	cfg.vmalloc_bytes = 1000u << 20;
	CHECK_EQ(layout_maxmem_pfn(&cfg), 0);
	cfg.vmalloc_bytes = UINT32_MAX;
	CHECK_EQ(layout_maxmem_pfn(&cfg), 0);
	cfg.model = MODEL_CLASSIC; // too small: lowmem would reach into pkmap
	cfg.vmalloc_bytes = 1 << 20;
	CHECK_EQ(layout_maxmem_pfn(&cfg), 0);
}

static void test_ram_sizes(void)
{
	static const struct {
		enum model model;
		uint32_t mib;
		uint32_t low_pfn;
		kaddr_t high_memory, start;
	} t[] = {
		{MODEL_3_4, 256, 65536, 0xD0000000, 0xD0800000},
		{MODEL_3_4, 512, 131072, 0xE0000000, 0xE0800000},
		{MODEL_3_4, 1024, 227326, 0xF77FE000, 0xF7FFE000},
		{MODEL_3_4, 2048, 227326, 0xF77FE000, 0xF7FFE000},
		{MODEL_3_4, 4096, 227326, 0xF77FE000, 0xF7FFE000},
		{MODEL_CLASSIC, 1024, 229376, 0xF8000000, 0xF8800000},
		{MODEL_CLASSIC, 4096, 229376, 0xF8000000, 0xF8800000},
	};

	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct machine *m = boot(t[i].model, t[i].mib * MiB, 1);

		CHECK_EQ(m->s->max_low_pfn, t[i].low_pfn);
		CHECK_EQ(m->s->high_memory, t[i].high_memory);
		CHECK_EQ(m->s->vmalloc.start, t[i].start);
		CHECK_EQ(m->s->vmalloc.end, 0xFF7FE000);
		CHECK_EQ(m->s->kmap.pkmap_base, 0xFF800000);
		CHECK(m->s->vmalloc.max_ids >= (m->s->vmalloc.end - m->s->vmalloc.start) / 8192);
	}
}

// --- page tables -----------------------------------------------------------------------------

static void test_direct_map(void)
{
	struct machine *m = boot(MODEL_3_4, 2048 * MiB, 1);
	unsigned large = 0, user = 0;

	for (unsigned i = 0; i < 1024; i++) {
		large +=
			(m->s->pgd[i] & (_PAGE_PSE | _PAGE_PRESENT)) == (_PAGE_PSE | _PAGE_PRESENT);
		user += i < 768 && m->s->pgd[i];
	}
	CHECK_EQ(large, 220);
	CHECK_EQ(user, 0);
	CHECK_EQ(m->s->pgd[769], 0x00400000u | PAGE_KERNEL_LARGE);
	CHECK_EQ(m->s->pgd[768] & 0xFFF, _KERNPG_TABLE);
	CHECK_EQ(m->s->pgd[0xF7400000u >> 22] & 0xFFF, _KERNPG_TABLE);
	CHECK_EQ(m->s->pgd[1022] & 0xFFF, _KERNPG_TABLE);
	CHECK_EQ(m->s->pgd[1023] & 0xFFF, _KERNPG_TABLE);
	CHECK_EQ(pte_of(m, 0xC0001000) >> 12, 1);
	CHECK_EQ(pte_of(m, 0xF77FD000) >> 12, 227325);
	CHECK_EQ(pte_of(m, 0xF77FE000), 0);
	CHECK_EQ(pte_of(m, 0x1000), 0);
	CHECK_EQ(pte_of(m, 0xFFFFA000), 0xFEE00000u | PAGE_KERNEL_NOCACHE); // local APIC, slot 5
}

static void test_first_vmalloc_of_a_window_adds_one_table(void)
{
	struct machine *m = boot(MODEL_CLASSIC, 1024 * MiB, 1);
	unsigned first = m->s->vmalloc.start >> 22;
	kaddr_t a;

	CHECK_EQ(m->s->pgd[first], 0);
	a = vmalloc(m, 4096);
	CHECK(m->s->pgd[first] & _PAGE_PRESENT);
	CHECK_EQ(m->s->pgd[first + 1], 0);
	CHECK(pfn_to_page(m, m->s->pgd[first] >> 12)->flags & 1u << PG_pgtable);
	CHECK_EQ(pte_of(m, a) & 0xFFF, PAGE_KERNEL);
	CHECK_EQ(vfree(m, a), 0);
	CHECK(m->s->pgd[first] & _PAGE_PRESENT); // tables are never taken back
	CHECK_EQ(pte_of(m, a), 0);
}

int main(void)
{
	RUN(test_fixmap_table);
	RUN(test_btmaps_stay_under_one_table);
	RUN(test_vmsplit_maxmem);
	RUN(test_vmsplit_boots);
	RUN(test_vmalloc_parameter);
	RUN(test_absurd_vmalloc_parameter_is_refused);
	RUN(test_ram_sizes);
	RUN(test_direct_map);
	RUN(test_first_vmalloc_of_a_window_adds_one_table);
	return DONE();
}
