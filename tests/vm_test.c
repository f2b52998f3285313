// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// vmalloc, ioremap, vm_map_ram and kernel stacks: the numbers of the reference, and failures that
// must leave nothing behind.
#include "vm_box.h"

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

// More than 1024 pages have an array of pointers that is an area itself, right behind them.
static void test_grow_moves_its_array_away(void)
{
	struct machine *m = boot(MODEL_CLASSIC, 1024 * MiB, 1);
	kaddr_t a = vmalloc(m, 5 * MiB);
	const struct vmap_area *va = find_vm_area(m, a);
	uint32_t before = free_frames(m);

	CHECK_EQ(va->pages, va->va_end);
	for (unsigned i = 6; i <= 20; i++) {
		CHECK_EQ(vmalloc_grow(m, a, i * MiB, GFP_KERNEL | __GFP_HIGHMEM), 0);
		CHECK_EQ(vm_area_usable(va), i * MiB);
		CHECK_EQ(va->nr_pages, i * 256);
		CHECK(vm_area_usable(find_vm_area(m, va->pages)) >= i * 1024);
		CHECK(i > 6 || va->pages >= a + 20 * MiB);
		check_all(m);
	}
	CHECK(free_frames(m) < before - 15 * 256);
	CHECK_EQ(vfree(m, a), 0);
	vm_unmap_aliases(m);
	CHECK_EQ(m->s->vmalloc.nr_areas, 0);
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

// Every frame is taken; slab objects may still be had, page tables and pages not.
static void test_starved_calls_leave_nothing(void)
{
	struct machine *m = boot(MODEL_3_4, 64 * MiB, 1);
	uint32_t before = free_frames(m), tables = page_tables(m), areas, n = 0;
	static pfn_t taken[1 << 14];
	pfn_t pages[40];

	for (unsigned i = 0; i < 40; i++)
		pages[i] = alloc_pages(m, GFP_KERNEL, 0);
	while (n < 1 << 14 && (taken[n] = alloc_pages(m, GFP_ATOMIC | __GFP_NOWARN, 0)))
		n++;
	CHECK(n > 10000 && n < 1 << 14);
	areas = m->s->vmalloc.nr_areas;
	CHECK_EQ(vmalloc(m, 8192), 0);
	CHECK_EQ(vmap(m, pages, 40), 0);
	CHECK_EQ(vm_map_ram(m, pages, 3), 0);
	CHECK_EQ(ioremap(m, 0xE0000000, 8 * MiB), 0);
	CHECK_EQ(vm_map_ram(m, pages, 40), 0);
	CHECK_EQ(alloc_kernel_stack(m), 0);
	check_all(m);
	for (uint32_t i = 0; i < n; i++)
		__free_pages(m, taken[i], 0);
	free_pages_bulk(m, pages, 40);
	CHECK_EQ(free_frames(m), before - (page_tables(m) - tables));
	CHECK(m->s->vmalloc.nr_areas <= areas);
	CHECK_EQ(m->s->zone[ZONE_NORMAL].vm_stat[NR_KERNEL_STACK], 0);
}

static void test_partial_unmap_of_a_device(void)
{
	struct machine *m = boot(MODEL_CLASSIC, 1024 * MiB, 1);
	kaddr_t a = ioremap(m, 0xE0000000, 3 * 4096);

	CHECK_EQ(vunmap_partial(m, a + 4096, 1), 0);
	CHECK_EQ(pte_of(m, a + 4096), 0);
	CHECK_EQ(vunmap_partial(m, a, 3), 1);
	CHECK(find_vm_area(m, a) == NULL);
	check_all(m);
}

static void expect_complaint(struct machine *m, uint32_t *word, uint32_t value, const char *about)
{
	uint32_t was = *word;
	char why[256] = "";

	*word = value;
	CHECK_EQ(vmalloc_check(m, why, sizeof(why)), -EINVAL);
	if (!strstr(why, about))
		printf("# %s\n", why);
	CHECK(strstr(why, about) != NULL);
	*word = was;
	check_all(m);
}

static void test_checker_notices(void)
{
	struct machine *m = boot(MODEL_CLASSIC, 1024 * MiB, 1);
	kaddr_t a = vmalloc(m, 8192), b = vmalloc(m, 4096), r = vm_map_ram(m, (pfn_t[]){1000}, 1);
	struct vmap_area *va = vmap_area_at(m, a), *vb = vmap_area_at(m, b);
	struct vmap_block *block = &m->s->vmalloc.vb.block[vmap_area_covering(m, r)->vb];
	uint32_t *pte = &m->pte[(a - 0xC0000000) >> 12];

	expect_complaint(m, &va->nr_pages, 5, "pages mapped");
	expect_complaint(m, &pte[0], 0, "pages mapped");
	expect_complaint(m, &va->va_end, b + 4096, "says 2 pages mapped, the tables 3");
	expect_complaint(m, &vb->va_start, a, "tree");
	expect_complaint(m, &vb->list.prev, 0, "out of order");
	expect_complaint(m, &m->s->vmalloc.lazy_nr, 1, "lazy_nr");
	expect_complaint(m, &m->s->vmalloc.nr_areas, 9, "counted");
	expect_complaint(m, &m->s->vmalloc.root, 0, "tree");
	expect_complaint(m, &m->s->pgd[a >> 22], 0, "without a page table");
	expect_complaint(m, &va->va_flags, VA_LAZY_FREE, "still in use");
	expect_complaint(m, &m->pte[(m->s->vmalloc.end - 8192 - 0xC0000000) >> 12], 1,
			 "outside every area");
	expect_complaint(m, &block->alloc_map[0], 0, "bitmaps");
}

static void test_vmallocinfo_text(void)
{
	struct machine *m = boot(MODEL_3_4, 2048 * MiB, 1);
	char buf[1024], small[40];
	int len;

	vmalloc(m, 4096);
	m->caller = 0x2A;
	vmalloc(m, 5 * MiB);
	m->caller = 0;
	ioremap(m, 0xFED00000, 4096);
	vm_map_ram(m, (pfn_t[]){300000}, 1); // has no vm_struct: not shown
	len = proc_vmallocinfo(m, buf, sizeof(buf));
	CHECK_STR(buf, "0xf7ffe000-0xf8000000    8192 pages=1 vmalloc\n"
		       "0xf8000000-0xf8501000 5246976 0x2a pages=1280 vmalloc vpages\n"
		       "0xf8501000-0xf8504000   12288 0x2a pages=2 vmalloc\n"
		       "0xf8504000-0xf8506000    8192 phys=fed00000 ioremap\n");
	CHECK_EQ(len, strlen(buf));
	CHECK_EQ(proc_vmallocinfo(m, small, sizeof(small)), len);
	CHECK_EQ(strlen(small), sizeof(small) - 1);
	CHECK_EQ(strncmp(small, buf, sizeof(small) - 1), 0);
	CHECK_EQ(proc_vmallocinfo(m, NULL, 0), len);
}

// --- scenario S4: vmalloc(12288) in a fresh machine ------------------------------------------

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

int main(void)
{
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
	RUN(test_grow_moves_its_array_away);
	RUN(test_grow_purges_what_is_in_the_way);
	RUN(test_no_memory_leaves_nothing);
	RUN(test_starved_calls_leave_nothing);
	RUN(test_partial_unmap_of_a_device);
	RUN(test_checker_notices);
	RUN(test_vmallocinfo_text);
	RUN(test_scenario_s4);
	RUN(test_vmap_block_sizes);
	RUN(test_vm_map_ram);
	RUN(test_vmap_block_goes_when_all_dirty);
	RUN(test_kernel_stacks);
	return DONE();
}
