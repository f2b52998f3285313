// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Linear layout, vmalloc, ioremap, kmap, kmap_atomic, page tables, kernel stacks: the numbers of
// the reference, failures that must leave nothing behind, random use, and hostile records.
#include "harness.h"

#include <errno.h>
#include <sys/mman.h>

#include "core/fold.h"
#include "core/layout.h"
#include "core/machine.h"
#include "core/procfs.h"
#include "core/vmap_area.h"

#define MiB (1ull << 20)

struct box { // a machine and its memory
	void *memory;
	size_t size;
	struct machine m;
};

static struct box box, twin; // twin: the fold of box's records

static void box_boot(struct box *b, const struct machine_config *cfg)
{
	const char *why = "";

	if (b->memory)
		munmap(b->memory, b->size);
	b->size = machine_size(cfg);
	b->memory = mmap(NULL, b->size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK(b->memory != MAP_FAILED);
	if (machine_boot(&b->m, b->memory, cfg, &why))
		printf("# boot: %s\n", why);
	CHECK(b->m.s != NULL);
}

static struct machine_config config(enum model model, uint64_t ram, unsigned ncpus)
{
	struct machine_config cfg;

	machine_config_default(&cfg, model, ram, ncpus);
	return cfg;
}

static struct machine *boot(enum model model, uint64_t ram, unsigned ncpus)
{
	struct machine_config cfg = config(model, ram, ncpus);

	box_boot(&box, &cfg);
	return &box.m;
}

static void check_all(struct machine *m)
{
	char why[256] = "";
	int err = vmalloc_check(m, why, sizeof(why));

	if (!err)
		err = kmap_check(m, why, sizeof(why));
	if (err)
		printf("# %s\n", why);
	CHECK_EQ(err, 0);
}

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

// --- vmalloc ---------------------------------------------------------------------------------

static void test_first_addresses(void)
{
	struct machine *m = boot(MODEL_3_4, 2048 * MiB, 1);
	const struct vmap_area *va;
	kaddr_t a, b, c;

	a = vmalloc(m, 1);
	b = vmalloc(m, 1);
	CHECK_EQ(a, m->s->vmalloc.start);
	CHECK_EQ(b, a + 0x2000);
	c = vmalloc(m, 10000);
	va = find_vm_area(m, c + 5000);
	CHECK(va != NULL);
	CHECK_EQ(va->va_end - va->va_start, 16384);
	CHECK_EQ(va->nr_pages, 3);
	CHECK_EQ(vm_area_usable(va), 12288);
	CHECK_EQ(pte_of(m, c + 12288), 0); // guard
	CHECK_EQ(vmalloc_to_pfn(m, c) >= m->s->max_low_pfn, 1);
	CHECK_EQ(pfn_to_page(m, vmalloc_to_pfn(m, c))->mapping, c);
	check_all(m);
	CHECK_EQ(vmalloc(m, 0), 0);
	CHECK_EQ(vmalloc(m, 4096ull * (m->s->totalram_pages + 1)), 0);
}

static void test_large_page_array_is_vmalloced(void)
{
	struct machine *m = boot(MODEL_3_4, 2048 * MiB, 1);
	kaddr_t a = vmalloc(m, 5 * MiB);
	const struct vmap_area *va = find_vm_area(m, a), *array;

	CHECK(va != NULL);
	CHECK_EQ(va->nr_pages, 1280);
	CHECK_EQ(va->vm_flags, VM_ALLOC | VM_VPAGES);
	array = find_vm_area(m, va->pages);
	CHECK(array != NULL);
	CHECK_EQ(array->nr_pages, 2);
	CHECK_EQ(array->va_end - array->va_start, 3 * 4096);
	check_all(m);
	CHECK_EQ(vfree(m, a), 0);
	check_all(m);
	CHECK_EQ(m->s->vmalloc.lazy_nr, 1281 + 3);
	CHECK(find_vm_area(m, a) == NULL);
}

static void test_bad_addresses(void)
{
	struct machine *m = boot(MODEL_CLASSIC, 1024 * MiB, 1);
	kaddr_t a = vmalloc(m, 20000);

	CHECK_EQ(vfree(m, 0), 0);
	CHECK_EQ(vfree(m, a + 1), -EINVAL);
	CHECK_EQ(vfree(m, a + 4096), -EINVAL);
	CHECK_EQ(vfree(m, 0x1000), -EINVAL);
	CHECK_EQ(vfree(m, UINT32_MAX & ~4095u), -EINVAL);
	CHECK_EQ(vunmap_partial(m, a, 7), -EINVAL);
	CHECK_EQ(vfree(m, a), 0);
	CHECK_EQ(vfree(m, a), -EINVAL);
	CHECK_EQ(iounmap(m, a), -EINVAL);
	check_all(m);
}

static void test_lazy_purge_at_the_limit(void)
{
	struct machine *m = boot(MODEL_3_4, 2048 * MiB, 1);
	kaddr_t first = vmalloc(m, 4096), a = first;

	CHECK_EQ(lazy_max_pages(m), 8192);
	for (int i = 1; i <= 4096; i++) {
		CHECK_EQ(vfree(m, a), 0);
		CHECK_EQ(m->s->vmalloc.lazy_nr, 2 * i);
		a = vmalloc(m, 4096);
		CHECK(a != first);
	}
	CHECK_EQ(vfree(m, a), 0); // the 4097th
	CHECK_EQ(m->s->vmalloc.lazy_nr, 0);
	CHECK_EQ(m->s->vmalloc.nr_areas, 0);
	CHECK_EQ(vmalloc(m, 4096), first);
	check_all(m);
}

static void test_lazy_limit_by_cpus(void)
{
	static const uint32_t limit[9] = {0, 8192, 16384, 16384, 24576, 24576, 24576, 24576, 32768};

	for (unsigned n = 1; n <= 8; n++)
		CHECK_EQ(lazy_max_pages(boot(MODEL_3_4, 256 * MiB, n)), limit[n]);
}

static void test_address_exhaustion_purges_once(void)
{
	struct machine *m = boot(MODEL_3_4, 1024 * MiB, 8);
	uint32_t space = m->s->vmalloc.end - m->s->vmalloc.start;
	kaddr_t a = get_vm_area(m, space - 4096, VM_ALLOC);

	CHECK_EQ(a, m->s->vmalloc.start);
	CHECK_EQ(get_vm_area(m, 4096, VM_ALLOC), 0);
	CHECK_EQ(remove_vm_area(m, a), 0);
	CHECK_EQ(m->s->vmalloc.lazy_nr, space >> 12); // 8 CPUs wait longer than the space is large
	CHECK_EQ(get_vm_area(m, 4096, VM_ALLOC), a);
	CHECK_EQ(m->s->vmalloc.lazy_nr, 0);
	check_all(m);
}

static void test_ioremap(void)
{
	struct machine *m = boot(MODEL_3_4, 1024 * MiB, 1);
	kaddr_t a, b, c;

	vmalloc(m, 1); // so that alignment has something to skip
	a = ioremap(m, 0xE0000123, 3000);
	CHECK_EQ(a & 0x1FFF, 0x123);
	CHECK_EQ(pte_of(m, a), 0xE0000000u | PAGE_KERNEL_UC_MINUS);
	CHECK_EQ(find_vm_area(m, a)->phys, 0xE0000000);
	CHECK_EQ(find_vm_area(m, a)->va_end - (a & ~0xFFFu), 0x2000);
	b = ioremap(m, 0xE0010000, 65536);
	CHECK_EQ(b & 0x1FFFF, 0);
	c = ioremap(m, 0xE0100000, 1 << 20);
	CHECK_EQ(c & 0x7FFFF, 0);
	CHECK_EQ(ioremap(m, 0xE0000FFF, 2) & 0xFFF, 0xFFF); // two pages
	CHECK_EQ(ioremap(m, 0xB8000, 4096), 0xC00B8000);    // ISA window: no area
	CHECK_EQ(ioremap(m, 0x10000000, 4096), 0);	    // RAM
	CHECK_EQ(ioremap(m, 0xE0000000, 0), 0);
	CHECK_EQ(ioremap(m, 0xFFFFF000, 8192), 0); // wraps
	check_all(m);
	CHECK_EQ(iounmap(m, 0xC00B8000), 0);
	CHECK_EQ(iounmap(m, a), 0); // with the offset in the page
	CHECK_EQ(iounmap(m, b), 0);
	CHECK_EQ(iounmap(m, c), 0);
	CHECK_EQ(iounmap(m, c), -EINVAL);
	check_all(m);
}

static void test_vmap_keeps_the_pages(void)
{
	struct machine *m = boot(MODEL_CLASSIC, 1024 * MiB, 1);
	pfn_t pages[3];
	kaddr_t a;

	CHECK_EQ(alloc_pages_bulk(m, GFP_HIGHUSER, 3, pages), 3);
	a = vmap(m, pages, 3);
	CHECK(a != 0);
	CHECK_EQ(vmalloc_to_pfn(m, a + 4096), pages[1]);
	CHECK_EQ(find_vm_area(m, a)->vm_flags, VM_MAP);
	check_all(m);
	CHECK_EQ(vunmap(m, a), 0);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(pfn_to_page(m, pages[i])->_count, 1);
		CHECK_EQ(pfn_to_page(m, pages[i])->mapping, 0);
	}
	check_all(m);
}

static void test_partial_unmap(void)
{
	struct machine *m = boot(MODEL_CLASSIC, 1024 * MiB, 1);
	kaddr_t a = vmalloc(m, 10 * 4096);
	pfn_t gone = vmalloc_to_pfn(m, a + 3 * 4096);

	CHECK_EQ(vunmap_partial(m, a + 3 * 4096, 2), 0);
	CHECK_EQ(pte_of(m, a + 3 * 4096), 0);
	CHECK_EQ(pfn_to_page(m, gone)->_count, 0);
	CHECK_EQ(find_vm_area(m, a)->nr_pages, 8);
	check_all(m);
	CHECK_EQ(vunmap_partial(m, a + 2 * 4096, 3), 0); // across the hole
	CHECK_EQ(find_vm_area(m, a)->nr_pages, 7);
	CHECK_EQ(vunmap_partial(m, a, 2), 0);
	CHECK_EQ(vunmap_partial(m, a + 5 * 4096, 5), 1); // the last pages take the area along
	CHECK(find_vm_area(m, a) == NULL);
	CHECK_EQ(m->s->vmalloc.lazy_nr, 11);
	check_all(m);
}

static void test_grow(void)
{
	struct machine *m = boot(MODEL_CLASSIC, 1024 * MiB, 1);
	kaddr_t a = vmalloc(m, 4096), b;
	const struct vmap_area *va = find_vm_area(m, a);

	CHECK_EQ(vmalloc_grow(m, a, 6 * MiB, GFP_KERNEL | __GFP_HIGHMEM), 0);
	CHECK_EQ(vm_area_usable(va), 6 * MiB);
	CHECK_EQ(va->nr_pages, 1536);
	CHECK_EQ(va->vm_flags, VM_ALLOC | VM_VPAGES); // the page array outgrew one page
	CHECK(pte_of(m, a + 6 * MiB - 4096) & _PAGE_PRESENT);
	CHECK_EQ(vmalloc_grow(m, a, 4096, GFP_KERNEL), 0); // never shrinks
	CHECK_EQ(va->nr_pages, 1536);
	check_all(m);
	b = __get_vm_area(m, 4096, VM_ALLOC, va->va_end, m->s->vmalloc.end);
	CHECK(b != 0);
	CHECK_EQ(vmalloc_grow(m, a, 64 * MiB, GFP_KERNEL | __GFP_HIGHMEM), -ENOMEM);
	CHECK_EQ(vm_area_usable(va), 6 * MiB);
	CHECK_EQ(vmalloc_grow(m, a + 4096, 7 * MiB, GFP_KERNEL), -ENOMEM);
	check_all(m);
	CHECK_EQ(vfree(m, a), 0);
	check_all(m);
}

static void test_grow_purges_what_is_in_the_way(void)
{
	struct machine *m = boot(MODEL_CLASSIC, 1024 * MiB, 1);
	kaddr_t a = vmalloc(m, 4096), b = vmalloc(m, 4096);

	CHECK_EQ(b, a + 8192);
	CHECK_EQ(vmalloc_grow(m, a, 8192, GFP_KERNEL), -ENOMEM);
	CHECK_EQ(vfree(m, b), 0);
	CHECK_EQ(vmalloc_grow(m, a, 8192, GFP_KERNEL), 0);
	CHECK_EQ(m->s->vmalloc.lazy_nr, 0);
	check_all(m);
}

// What is free and in nobody's cache: differs from before only by what was kept.
static uint32_t free_frames(struct machine *m)
{
	uint32_t n = 0;

	vm_unmap_aliases(m);
	kmap_flush_unused(m);
	for (unsigned c = 0; c < 2 * MAX_CACHES; c++) // twice: descriptors of the first round
		if (m->caches[c % MAX_CACHES].used)
			kmem_cache_shrink(m, c % MAX_CACHES);
	drain_all_pages(m);
	for (unsigned cpu = 0; cpu < m->s->cfg.ncpus; cpu++) {
		struct machine h = *m;

		h.cpu = cpu;
		vmstat_fold(&h);
	}
	for (unsigned z = 0; z < MAX_NR_ZONES; z++)
		n += zone_free_pages(m, z);
	return n;
}

static unsigned page_tables(const struct machine *m)
{
	unsigned n = 0;

	for (unsigned i = 0; i < 1024; i++)
		n += m->s->pgd[i] != 0;
	return n;
}

static void test_no_memory_leaves_nothing(void)
{
	struct machine *m = boot(MODEL_3_4, 64 * MiB, 1);
	uint32_t before = free_frames(m), tables = page_tables(m);
	kaddr_t a[64], all = 0;
	unsigned n = 0;

	CHECK_EQ(vmalloc(m, (m->s->totalram_pages - 10) * 4096ull), 0);
	check_all(m);
	CHECK_EQ(free_frames(m), before - (page_tables(m) - tables));
	while (n < 64 && (a[n] = vmalloc(m, 3 * MiB)))
		n++;
	CHECK(n > 5 && n < 64);
	check_all(m);
	CHECK_EQ(vmalloc_grow(m, a[0], 20 * MiB, GFP_KERNEL), -ENOMEM);
	CHECK_EQ(vmalloc_grow(m, a[n - 1], 20 * MiB, GFP_KERNEL), -ENOMEM);
	CHECK_EQ(vm_area_usable(find_vm_area(m, a[n - 1])), 3 * MiB);
	check_all(m);
	while (n)
		CHECK_EQ(vfree(m, a[--n]), 0);
	CHECK_EQ(free_frames(m), before - (page_tables(m) - tables));
	CHECK_EQ(m->s->vmalloc.areas.first, all);
}

static void test_vmallocinfo_text(void)
{
	struct machine *m = boot(MODEL_3_4, 2048 * MiB, 1);
	char buf[1024], small[40];
	int len;

	vmalloc(m, 4096);
	vmalloc(m, 5 * MiB);
	ioremap(m, 0xFED00000, 4096);
	vm_map_ram(m, (pfn_t[]){300000}, 1); // has no vm_struct: not shown
	len = proc_vmallocinfo(m, buf, sizeof(buf));
	CHECK_STR(buf, "0xf7ffe000-0xf8000000    8192 pages=1 vmalloc\n"
		       "0xf8000000-0xf8501000 5246976 pages=1280 vmalloc vpages\n"
		       "0xf8501000-0xf8504000   12288 pages=2 vmalloc\n"
		       "0xf8504000-0xf8506000    8192 phys=fed00000 ioremap\n");
	CHECK_EQ(len, strlen(buf));
	CHECK_EQ(proc_vmallocinfo(m, small, sizeof(small)), len);
	CHECK_EQ(strlen(small), sizeof(small) - 1);
	CHECK_EQ(strncmp(small, buf, sizeof(small) - 1), 0);
	CHECK_EQ(proc_vmallocinfo(m, NULL, 0), len);
}

// --- scenario S4: vmalloc(12288) in a fresh machine ------------------------------------------

static struct record log_[4096];
static unsigned log_len;

static void log_record(struct machine *m, const struct record *r)
{
	(void)m;
	if (log_len < sizeof(log_) / sizeof(log_[0]))
		log_[log_len++] = *r;
}

static const struct machine_ops log_ops = {.record = log_record};

static unsigned index_of(enum event_kind kind, unsigned from)
{
	while (from < log_len && log_[from].kind != kind)
		from++;
	CHECK(from < log_len);
	return from;
}

static void test_scenario_s4(void)
{
	struct machine *m = boot(MODEL_3_4, 2048 * MiB, 1);
	unsigned i, tables = 0, pages = 0;
	struct vmap_area va;
	kaddr_t a;

	m->ops = &log_ops;
	log_len = 0;
	a = vmalloc(m, 12288);
	m->ops = &machine_ops_none;
	CHECK_EQ(a, 0xF7FFE000);
	va = *find_vm_area(m, a);
	CHECK_EQ(ksize(m, va.vm), 32);
	CHECK_EQ(ksize(m, va.node), 64);
	CHECK_EQ(ksize(m, va.pages), 32);

	i = index_of(EV_VMAP_ALLOC, 0);
	CHECK_EQ(log_[i].arg[0], 16384);
	CHECK_EQ(log_[i].arg[4], va.node);
	CHECK_EQ(log_[i].lock, LOCK_VMAP);
	i = index_of(EV_VM_MAP, i);
	i = index_of(EV_PGTABLE_ADD, i);
	CHECK_EQ(log_[i].arg[0], 991);
	i = index_of(EV_PGTABLE_ADD, i + 1);
	CHECK_EQ(log_[i].arg[0], 992);
	i = index_of(EV_VM_INSERT, i);
	CHECK_EQ(i, log_len - 1);
	for (i = 0; i < log_len; i++) {
		tables += log_[i].kind == EV_PGTABLE_ADD;
		if (log_[i].kind == EV_VM_MAP)
			pages += log_[i].arg[2];
		if (log_[i].kind == EV_PCP_ALLOC && log_[i].arg[0] == ZONE_HIGHMEM) {
			CHECK_EQ(log_[i].arg[1], MIGRATE_UNMOVABLE);
			CHECK_EQ(log_[i].arg[2], 0x2D2);
		}
	}
	CHECK_EQ(tables, 2);
	CHECK_EQ(pages, 3);
	for (unsigned p = 0; p < 3; p++)
		CHECK(vmalloc_to_pfn(m, a + p * 4096) >= m->s->max_low_pfn);
}

// --- kmap ------------------------------------------------------------------------------------

static void test_kmap_slots(void)
{
	struct machine *m = boot(MODEL_3_4, 1024 * MiB, 1);
	struct kmap_state *k = &m->s->kmap;
	pfn_t p = m->s->max_low_pfn;

	CHECK_EQ(kmap(m, 100), 0xC0064000); // lowmem: its own address
	CHECK_EQ(kunmap(m, 100), 0);
	CHECK_EQ(kmap(m, m->s->max_pfn), 0);
	CHECK_EQ(page_address(m, p), 0);
	CHECK_EQ(kmap(m, p), 0xFF801000);
	CHECK_EQ(kmap(m, p + 1), 0xFF802000);
	CHECK_EQ(kmap(m, p), 0xFF801000);
	CHECK_EQ(k->pkmap_count[1], 3);
	CHECK_EQ(k->in_use, 2);
	CHECK_EQ(pte_of(m, 0xFF801000), p << 12 | PAGE_KERNEL);
	CHECK_EQ(kunmap(m, p), 0);
	CHECK_EQ(kunmap(m, p), 0);
	CHECK_EQ(k->pkmap_count[1], 1);
	CHECK_EQ(kunmap(m, p), -EINVAL);
	CHECK_EQ(page_address(m, p), 0xFF801000); // until the flush
	CHECK_EQ(kmap(m, p), 0xFF801000);
	CHECK_EQ(kunmap(m, p), 0);
	check_all(m);
	kmap_flush_unused(m);
	CHECK_EQ(page_address(m, p), 0);
	CHECK_EQ(page_address(m, p + 1), 0xFF802000);
	check_all(m);
}

static void test_kmap_wrap_and_full(void)
{
	struct machine *m = boot(MODEL_3_4, 1024 * MiB, 1);
	pfn_t p = m->s->max_low_pfn;

	for (unsigned i = 0; i < 1023; i++)
		CHECK_EQ(kmap(m, p + i), 0xFF801000 + i * 4096);
	CHECK_EQ(kunmap(m, p + 5), 0);
	CHECK_EQ(kmap(m, p + 1023), 0xFF800000); // wraps to slot 0, and the flush freed slot 6
	CHECK_EQ(page_address(m, p + 5), 0);
	check_all(m);
	CHECK_EQ(kmap(m, p + 1024), 0xFF806000);
	CHECK_EQ(kmap(m, p + 1025), 0); // the kernel would sleep
	CHECK_EQ(m->s->kmap.in_use, 1024);
	CHECK_EQ(kmap(m, p + 7), 0xFF808000); // a mapped page needs no window
	check_all(m);
}

static void test_page_address_hash(void)
{
	struct machine *m = boot(MODEL_3_4, 1024 * MiB, 1);
	struct kmap_state *k = &m->s->kmap;

	k->mem_map = 0xF6EF9000; // a machine whose buckets are known: pfn 259425 is in 81
	kmap(m, 259425);
	kmap(m, 259540);
	CHECK_EQ(k->hash_head[81], 2); // slot 1
	CHECK_EQ(k->hash_head[124], 3);
	CHECK_EQ(k->hash_tail[124], 3);
	check_all(m);
}

static void test_kmap_marks_the_page(void)
{
	struct machine *m = boot(MODEL_CLASSIC, 1024 * MiB, 1);
	pfn_t p = alloc_pages(m, GFP_HIGHUSER, 0);
	kaddr_t a = kmap(m, p);

	CHECK_EQ(pfn_to_page(m, p)->mapping, a);
	CHECK(pfn_to_page(m, p)->flags & 1u << PG_mapped_kernel);
	CHECK_EQ(kunmap(m, p), 0);
	CHECK_EQ(pfn_to_page(m, p)->mapping, 0); // so that it can be freed before the flush
	__free_pages(m, p, 0);
	check_all(m);
}

// --- kmap_atomic -----------------------------------------------------------------------------

static void test_atomic_addresses(void)
{
	struct machine *m = boot(MODEL_3_4, 1024 * MiB, 2), cpu1;
	pfn_t p = m->s->max_low_pfn;

	CHECK_EQ(machine_attach(&cpu1, box.memory, box.size, 1, &machine_ops_none, NULL), 0);
	CHECK_EQ(kmap_atomic(m, 5), 0xC0005000);
	CHECK_EQ(m->s->kmap.atomic_depth[0], 0);
	CHECK_EQ(kmap_atomic(m, p), 0xFFFB9000);
	CHECK_EQ(kmap_atomic(m, p + 1), 0xFFFB8000);
	CHECK_EQ(kmap_atomic(&cpu1, p + 2), 0xFFFA5000);
	CHECK_EQ(pte_of(m, 0xFFFB8000), (p + 1) << 12 | PAGE_KERNEL);
	CHECK_EQ(page_address(m, p), 0); // not in the hash
	check_all(m);
	CHECK_EQ(kunmap_atomic(m, 0xFFFB9000), -EINVAL); // not the top
	CHECK_EQ(kunmap_atomic(m, 0xFFFA5000), -EINVAL); // another CPU's
	CHECK_EQ(kunmap_atomic(m, 0xFFFB8000), 0);
	CHECK_EQ(kunmap_atomic(m, 0xFFFB9000), 0);
	CHECK_EQ(kunmap_atomic(m, 0xC0005000), 0);
	CHECK_EQ(kunmap_atomic(m, 0xFFFB9000), -EINVAL);
	CHECK_EQ(pte_of(m, 0xFFFB9000), 0);
	CHECK_EQ(kunmap_atomic(&cpu1, 0xFFFA5000), 0);
	check_all(m);
}

static void test_atomic_depth_is_bounded(void)
{
	struct machine *m = boot(MODEL_3_4, 1024 * MiB, 1);
	pfn_t p = m->s->max_low_pfn;

	for (unsigned i = 0; i < 20; i++)
		CHECK_EQ(kmap_atomic(m, p + i), 0xFFFB9000 - i * 4096);
	CHECK_EQ(kmap_atomic(m, p), 0);
	clear_highpages(m, p, 4, 1); // no window left: nothing happens
	CHECK_EQ(m->s->kmap.atomic_pairs[0], 0);
	check_all(m);
}

static void test_atomic_runs(void)
{
	struct machine *m = boot(MODEL_3_4, 1024 * MiB, 1);
	pfn_t p = m->s->max_low_pfn;

	m->ops = &log_ops;
	log_len = 0;
	clear_highpages(m, p + 9, 10, -1);
	CHECK_EQ(m->s->kmap.atomic_pairs[0], 10);
	clear_highpages(m, p + 4, 10, -1); // the last five are lowmem
	CHECK_EQ(m->s->kmap.atomic_pairs[0], 15);
	clear_highpages(m, 1000, 10, 1);
	CHECK_EQ(log_len, 2);
	copy_highpages(m, p, p + 100, 3);
	CHECK_EQ(m->s->kmap.atomic_pairs[0], 21);
	copy_highpages(m, 1000, p, 3); // to lowmem: one window a page
	CHECK_EQ(m->s->kmap.atomic_pairs[0], 24);
	CHECK_EQ(log_len, 4);
	m->ops = &machine_ops_none;
	check_all(m);
}

// --- vm_map_ram ------------------------------------------------------------------------------

static void test_vmap_block_sizes(void)
{
	static const struct {
		unsigned nr_cpus, pages;
	} t[] = {{1, 1024}, {2, 1024}, {4, 512}, {8, 256}, {16, 128}, {32, 64}, {64, 64}};

	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		box.m.s->cfg.nr_cpus = t[i].nr_cpus;
		vmap_block_init(&box.m);
		CHECK_EQ(box.m.s->vmalloc.vb.block_pages, t[i].pages);
	}
}

static void test_vm_map_ram(void)
{
	struct machine *m = boot(MODEL_3_4, 1024 * MiB, 1);
	pfn_t pages[40];
	kaddr_t a, b, c, d;

	CHECK_EQ(alloc_pages_bulk(m, GFP_HIGHUSER, 40, pages), 40);
	a = vm_map_ram(m, pages, 3);
	b = vm_map_ram(m, pages + 3, 24);
	c = vm_map_ram(m, pages, 40);
	CHECK_EQ(a & 0xFFFFF, 0); // at the start of a block of 1 MiB
	CHECK_EQ(b, a + 0x20000); // 24 pages take 32, aligned
	CHECK_EQ(vmalloc_to_pfn(m, b + 23 * 4096), pages[26]);
	check_all(m);
	CHECK_EQ(vm_unmap_ram(m, c, 3), -EINVAL);
	CHECK_EQ(vm_unmap_ram(m, c + 4096, 40), -EINVAL);
	CHECK_EQ(vm_unmap_ram(m, c, 40), 0);
	CHECK_EQ(vm_unmap_ram(m, a, 3), 0);
	d = vm_map_ram(m, pages, 3);
	CHECK_EQ(d, a + 0x4000); // what was given back is dirty
	CHECK_EQ(vm_unmap_ram(m, b, 24), 0);
	CHECK_EQ(vm_unmap_ram(m, d, 3), 0);
	CHECK_EQ(vm_unmap_ram(m, d, 3), -EINVAL);
	check_all(m);
	vm_unmap_aliases(m); // the block has no user: it goes too
	CHECK_EQ(m->s->vmalloc.nr_areas, 0);
	CHECK_EQ(m->s->vmalloc.vb.queue[0].first, 0);
	check_all(m);
}

static void test_vmap_block_goes_when_all_dirty(void)
{
	struct machine *m = boot(MODEL_3_4, 1024 * MiB, 1);
	kaddr_t a[8];

	for (int i = 0; i < 8; i++)
		a[i] = vm_map_ram(m, (pfn_t[32]){250000, 250001, 250003}, 32);
	CHECK_EQ(m->s->vmalloc.vb.queue[0].first, 0); // full
	for (int i = 0; i < 8; i++)
		CHECK_EQ(vm_unmap_ram(m, a[i], 32), 0);
	CHECK_EQ(m->s->vmalloc.lazy_nr, 256);
	CHECK_EQ(m->s->vmalloc.vb.block[1].addr, 0);
	check_all(m);
}

// --- kernel stacks ---------------------------------------------------------------------------

static void test_kernel_stacks(void)
{
	struct machine *m = boot(MODEL_CLASSIC, 1024 * MiB, 1);
	struct zone *z = &m->s->zone[ZONE_NORMAL];
	kaddr_t a, b;

	a = alloc_kernel_stack(m);
	b = alloc_kernel_stack(m);
	CHECK(a && b && a != b);
	CHECK(is_lowmem(m, a) && a % THREAD_SIZE == 0);
	CHECK_EQ(z->vm_stat[NR_KERNEL_STACK], 2);
	CHECK_EQ(m->caches[m->s->task_struct_cache].obj_size, TASK_STRUCT_SIZE);
	CHECK_EQ(free_kernel_stack(m, a + 4096), -EINVAL);
	CHECK_EQ(free_kernel_stack(m, m->s->vmalloc.start), -EINVAL);
	CHECK_EQ(free_kernel_stack(m, a), 0);
	CHECK_EQ(free_kernel_stack(m, a), -EINVAL);
	CHECK_EQ(z->vm_stat[NR_KERNEL_STACK], 1);
	CHECK_EQ(free_kernel_stack(m, b), 0);
	CHECK_EQ(z->vm_stat[NR_KERNEL_STACK], 0);
}

// --- random use by two CPUs, and the fold of it ----------------------------------------------

static uint64_t rng;

static uint32_t rnd(uint32_t n)
{
	rng = rng * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(rng >> 33) % n;
}

static int fold_error;

static void fold_record(struct machine *m, const struct record *r)
{
	int err = fold_apply(m->priv, r);

	if (err && !fold_error) {
		fold_error = err;
		printf("# fold refuses %s (%x %x %x %x %x %x)\n", event_name(r->kind), r->arg[0],
		       r->arg[1], r->arg[2], r->arg[3], r->arg[4], r->arg[5]);
	}
}

static const struct machine_ops fold_ops = {.record = fold_record};

enum {
	SLOTS = 200,
	ROUNDS = 6000
};

static struct slot {
	enum {
		EMPTY,
		VMALLOC,
		AREA,
		VMAP,
		IOREMAP,
		RAM,
		KMAP,
		STACK
	} kind;
	kaddr_t addr;
	uint32_t pages;
	pfn_t pfn[34];
} slot[SLOTS];

static void fill(struct machine *m, struct slot *s)
{
	static const gfp_t gfps[] = {GFP_KERNEL | __GFP_HIGHMEM,
				     GFP_KERNEL | __GFP_HIGHMEM | __GFP_ZERO, GFP_KERNEL};

	s->kind = 1 + rnd(STACK);
	s->pages = 1 + rnd(s->kind == RAM ? 34 : s->kind == VMAP ? 20 : rnd(20) ? 40 : 2500);
	s->addr = 0;
	if (s->kind == VMAP || s->kind == RAM || s->kind == KMAP) {
		s->pages = s->kind == KMAP ? 1 : s->pages;
		s->pages = alloc_pages_bulk(m, GFP_HIGHUSER, s->pages, s->pfn);
	}
	if (s->kind == VMALLOC)
		s->addr = __vmalloc(m, s->pages * 4096ull - rnd(4096), gfps[rnd(3)]);
	else if (s->kind == AREA)
		s->addr = get_vm_area(m, s->pages * 4096ull, rnd(2) ? VM_ALLOC : VM_IOREMAP);
	else if (s->kind == IOREMAP)
		s->addr = ioremap(m, 0xE0000000u + rnd(1 << 20), s->pages * 1000ull);
	else if (s->kind == VMAP)
		s->addr = vmap(m, s->pfn, s->pages);
	else if (s->kind == RAM)
		s->addr = vm_map_ram(m, s->pfn, s->pages);
	else if (s->kind == KMAP)
		s->addr = kmap(m, s->pfn[0]);
	else
		s->addr = alloc_kernel_stack(m);
	if (!s->addr && (s->kind == VMAP || s->kind == RAM || s->kind == KMAP))
		free_pages_bulk(m, s->pfn, s->pages);
	if (!s->addr)
		s->kind = EMPTY;
}

static void drop(struct machine *m, struct slot *s)
{
	int err = 0;

	if (s->kind == VMALLOC)
		err = vfree(m, s->addr);
	else if (s->kind == AREA)
		err = remove_vm_area(m, s->addr);
	else if (s->kind == IOREMAP)
		err = iounmap(m, s->addr);
	else if (s->kind == VMAP)
		err = vunmap(m, s->addr);
	else if (s->kind == RAM)
		err = vm_unmap_ram(m, s->addr, s->pages);
	else if (s->kind == KMAP)
		err = kunmap(m, s->pfn[0]);
	else if (s->kind == STACK)
		err = free_kernel_stack(m, s->addr);
	CHECK_EQ(err, 0);
	if (s->kind == VMAP || s->kind == RAM || s->kind == KMAP)
		free_pages_bulk(m, s->pfn, s->pages);
	s->kind = EMPTY;
}

// Something short of freeing it: part of it goes, or it grows, or is mapped once more.
static void disturb(struct machine *m, struct slot *s)
{
	const struct vmap_area *va;

	if (s->kind == VMALLOC && rnd(2)) {
		va = find_vm_area(m, s->addr);
		CHECK(va != NULL);
		vmalloc_grow(m, s->addr, vm_area_usable(va) + rnd(60000),
			     GFP_KERNEL | __GFP_HIGHMEM);
	} else if (s->kind == VMALLOC) {
		uint32_t n = (uint32_t)(vm_area_usable(find_vm_area(m, s->addr)) >> 12),
			 at = rnd(n);
		int ret = vunmap_partial(m, s->addr + at * 4096, 1 + rnd(n - at));

		CHECK(ret >= 0);
		if (ret)
			s->kind = EMPTY;
	} else if (s->kind == KMAP) {
		CHECK_EQ(kmap(m, s->pfn[0]), s->addr);
		CHECK_EQ(kunmap(m, s->pfn[0]), 0);
		CHECK_EQ(page_address(m, s->pfn[0]), s->addr);
	} else if (s->kind == VMAP) {
		kaddr_t a = kmap_atomic(m, s->pfn[0]);

		clear_highpages(m, s->pfn[0], 1, 0);
		CHECK_EQ(kunmap_atomic(m, a), 0);
	} else if (rnd(20) == 0) {
		vm_unmap_aliases(m);
	}
}

static void attach_pair(struct machine *cpu, const struct machine_config *cfg)
{
	box_boot(&box, cfg);
	box_boot(&twin, cfg);
	CHECK_EQ(machine_compare(&box.m, &twin.m), -1);
	for (unsigned i = 0; i < 2; i++)
		CHECK_EQ(machine_attach(&cpu[i], box.memory, box.size, i, &fold_ops, &twin.m), 0);
	fold_error = 0;
}

static void check_pair(struct machine *m)
{
	int64_t at = machine_compare(m, &twin.m);
	char what[128] = "";

	if (at >= 0) {
		machine_describe_offset(m, (size_t)at, what, sizeof(what));
		printf("# first difference: %s\n", what);
	}
	CHECK_EQ(at, -1);
	CHECK_EQ(fold_error, 0);
	check_all(m);
}

static void random_rounds(const struct machine_config *cfg, uint64_t seed)
{
	struct machine cpu[2];
	uint32_t before, tables;

	rng = seed;
	attach_pair(cpu, cfg);
	before = free_frames(&cpu[0]);
	tables = page_tables(&cpu[0]);
	for (int i = 0; i < ROUNDS; i++) {
		struct machine *m = &cpu[rnd(2)];
		struct slot *s = &slot[rnd(SLOTS)];

		if (s->kind == EMPTY)
			fill(m, s);
		else if (rnd(3))
			drop(m, s);
		else
			disturb(m, s);
		if (i % 1000 == 0)
			check_pair(m);
	}
	for (int i = 0; i < SLOTS; i++)
		drop(&cpu[i % 2], &slot[i]);
	check_pair(&cpu[0]);
	CHECK_EQ(free_frames(&cpu[0]), before - (page_tables(&cpu[0]) - tables));
	CHECK_EQ(cpu[0].s->vmalloc.nr_areas, 0);
	CHECK_EQ(cpu[0].s->vmalloc.lazy_nr, 0);
	CHECK_EQ(cpu[0].s->kmap.in_use, 0);
	check_pair(&cpu[1]);
}

static void test_random_use_folds(void)
{
	struct machine_config cfg = config(MODEL_CLASSIC, 1024 * MiB, 2);

	random_rounds(&cfg, 1);
}

static void test_random_use_folds_when_space_is_short(void)
{
	struct machine_config cfg = config(MODEL_3_4, 1024 * MiB, 2);

	cfg.vmalloc_bytes = 16 << 20;
	random_rounds(&cfg, 2);
}

static void test_random_use_folds_when_memory_is_short(void)
{
	struct machine_config cfg = config(MODEL_3_4, 32 * MiB, 2);

	random_rounds(&cfg, 3);
}

// --- hostile records -------------------------------------------------------------------------

static uint32_t hostile_arg(const struct machine *m)
{
	static const uint32_t odd[] = {0,    1,	    2,		5,	    4095,	4096,
				       8192, 0x163, 0x7FFFFFFF, 0x80000000, 0xFFFFF000, UINT32_MAX};

	switch (rnd(5)) {
	case 0:
		return odd[rnd(sizeof(odd) / sizeof(odd[0]))];
	case 1: // mostly an address of an area
		return m->s->vmalloc.start + (rnd(64) << 12);
	case 2:
		return m->s->max_low_pfn + rnd(2000);
	case 3:
		return m->s->vmalloc.end - (rnd(2) << 12);
	default:
		return rnd(2) ? rnd(64) : rnd(UINT32_MAX);
	}
}

static void test_hostile_records(void)
{
	static const uint8_t kinds[] = {
		EV_VMAP_ALLOC,	    EV_VM_INSERT,    EV_VM_MAP,
		EV_VM_UNMAP,	    EV_VM_REMOVE,    EV_VMAP_FREE,
		EV_VMAP_PURGE,	    EV_VMAP_RESIZE,  EV_VB_NEW,
		EV_VB_ALLOC,	    EV_VB_FREE,	     EV_VB_PURGE,
		EV_PGTABLE_ADD,	    EV_KMAP,	     EV_KUNMAP,
		EV_KMAP_FLUSH,	    EV_KMAP_ATOMIC,  EV_KMAP_ATOMIC_PUSH,
		EV_KMAP_ATOMIC_POP, EV_KERNEL_STACK,
	};
	struct machine *m = boot(MODEL_CLASSIC, 1024 * MiB, 2);
	unsigned taken = 0;

	rng = 4;
	for (int i = 0; i < 8; i++)
		vmalloc(m, 4096u * (1 + rnd(5)));
	for (int i = 0; i < 400000; i++) {
		struct record r = {.kind = kinds[rnd(sizeof(kinds))], .cpu = rnd(2)};

		r.lock = r.kind >= EV_KMAP_ATOMIC && r.kind <= EV_KMAP_ATOMIC_POP ? LOCK_NONE
			 : r.kind >= EV_KMAP && r.kind <= EV_KMAP_FLUSH		  ? LOCK_KMAP
			 : r.kind == EV_KERNEL_STACK ? LOCK_ZONE + ZONE_NORMAL
						     : LOCK_VMAP;
		if (!rnd(10))
			r.lock = (uint16_t)rnd(12);
		r.ticket = m->s->ticket[r.lock] + 1;

		for (int a = 0; a < 6; a++)
			r.arg[a] = hostile_arg(m);
		taken += !fold_apply(m, &r);
	}
	CHECK(taken > 100); // some did get through, and yet:
	check_all(m);
}

// A true recording with damage: bits flipped, records lost or swapped. Nothing may crash or hang.
static void test_damaged_streams(void)
{
	struct machine_config cfg = config(MODEL_3_4, 256 * MiB, 1);
	struct machine *m;
	char why[256];
	unsigned refused = 0;

	box_boot(&box, &cfg);
	m = &box.m;
	m->ops = &log_ops;
	log_len = 0;
	rng = 6;
	for (int i = 0; i < 300; i++) {
		struct slot *s = &slot[rnd(40)];

		if (s->kind == EMPTY)
			fill(m, s);
		else
			drop(m, s);
	}
	memset(slot, 0, sizeof(slot));
	CHECK(log_len > 1000);
	for (int trial = 0; trial < 25; trial++) {
		box_boot(&twin, &cfg);
		for (unsigned i = 0; i < log_len; i++) {
			struct record r = log_[i];

			if (!rnd(40))
				r.arg[rnd(6)] ^= 1u << rnd(32);
			if (!rnd(100))
				r.kind = (uint8_t)rnd(EV_LAST_STEP);
			if (!rnd(100))
				continue;
			if (r.lock < NR_LOCKS && r.kind > EV_LAST_OP)
				r.ticket = twin.m.s->ticket[r.lock] +
					   1; // what a careful forger would write
			refused += fold_apply(&twin.m, &r) != 0;
		}
		vmalloc_check(&twin.m, why, sizeof(why));
		CHECK_EQ(kmap_check(&twin.m, why, sizeof(why)), 0);
	}
	CHECK(refused > 100);
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
	RUN(test_first_addresses);
	RUN(test_large_page_array_is_vmalloced);
	RUN(test_bad_addresses);
	RUN(test_lazy_purge_at_the_limit);
	RUN(test_lazy_limit_by_cpus);
	RUN(test_address_exhaustion_purges_once);
	RUN(test_ioremap);
	RUN(test_vmap_keeps_the_pages);
	RUN(test_partial_unmap);
	RUN(test_grow);
	RUN(test_grow_purges_what_is_in_the_way);
	RUN(test_no_memory_leaves_nothing);
	RUN(test_vmallocinfo_text);
	RUN(test_scenario_s4);
	RUN(test_kmap_slots);
	RUN(test_kmap_wrap_and_full);
	RUN(test_page_address_hash);
	RUN(test_kmap_marks_the_page);
	RUN(test_atomic_addresses);
	RUN(test_atomic_depth_is_bounded);
	RUN(test_atomic_runs);
	RUN(test_vmap_block_sizes);
	RUN(test_vm_map_ram);
	RUN(test_vmap_block_goes_when_all_dirty);
	RUN(test_kernel_stacks);
	RUN(test_random_use_folds);
	RUN(test_random_use_folds_when_space_is_short);
	RUN(test_random_use_folds_when_memory_is_short);
	RUN(test_hostile_records);
	RUN(test_damaged_streams);
	return DONE();
}
