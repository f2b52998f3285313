// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// What the kernel would stop at or warn about: refused, told with the kernel's words, harmless.
#include "core/misuse.h"

#include "core/fold.h"
#include "pages_machine.h"

#include <errno.h>

static struct trace_event Last;
static unsigned Misuses;

static void note(struct machine *m, const struct trace_event *t)
{
	(void)m;
	if (t->kind == EV_T_MISUSE) {
		Last = *t;
		Misuses++;
	}
}

static const struct machine_ops noting = {.trace = note};

// A copy of everything that counts, to see that a refused call left it alone.
static struct machine_state *Before;

static void start(void)
{
	boot(MODEL_3_4, 1024 * MiB, 2);
	M.ops = &noting;
}

static void remember(void)
{
	Misuses = 0;
	free(Before);
	Before = malloc(sizeof(*Before));
	CHECK(Before);
	*Before = *M.s;
}

static void refused(enum misuse what, uint32_t addr, const char *message)
{
	CHECK_EQ(Misuses, 1);
	CHECK_EQ(Last.value, what);
	CHECK_EQ(Last.addr, addr);
	CHECK_STR(misuse_message(Last.value), message);
	CHECK(!memcmp(Before, M.s, sizeof(*Before)));
	check_sane();
	remember();
}

// ---- slab ----

static void frees_of_no_object(void)
{
	const char *no_slab = "BUG_ON(!PageSlab(page))";

	start();
	kaddr_t p = kmalloc(&M, 100, GFP_KERNEL), v = vmalloc(&M, 4096);
	kaddr_t page = __get_free_pages(&M, GFP_KERNEL, 0);
	remember();
	kfree(&M, p + 8);
	refused(MISUSE_NOT_AN_OBJECT, p + 8, no_slab);
	kfree(&M, v);
	refused(MISUSE_NOT_AN_OBJECT, v, no_slab);
	kfree(&M, page);
	refused(MISUSE_NOT_AN_OBJECT, page, no_slab);
	kfree(&M, 0x08048000);
	refused(MISUSE_NOT_AN_OBJECT, 0x08048000, no_slab);
	kfree(&M, 0); // allowed
	kfree(&M, 16);
	CHECK_EQ(Misuses, 0);
}

// An object that waits in an array looks used to its slab, to the kernel as to us; once the slab
// has it back, the second free is noticed.
static void double_free_of_an_object(void)
{
	start();
	kaddr_t p = kmalloc(&M, 100, GFP_KERNEL), q = kmalloc(&M, 100, GFP_KERNEL);
	unsigned cache = kmalloc_cache(&M, 100, GFP_KERNEL);
	kfree(&M, p);
	kmem_cache_shrink(&M, cache);
	remember();
	kfree(&M, p);
	CHECK_EQ(Last.cache, cache);
	refused(MISUSE_DOUBLE_FREE, p, "slab: double free detected in cache");
	kfree(&M, q);
	kmem_cache_shrink(&M, cache);
	remember();
	kfree(&M, p); // its slab is gone
	refused(MISUSE_NOT_AN_OBJECT, p, "BUG_ON(!PageSlab(page))");
}

// While the object waits in an array only its generation tells that nobody holds it.
static void double_free_in_the_array(void)
{
	const char *twice = "slab: double free detected in cache";

	start();
	kaddr_t p = kmalloc(&M, 100, GFP_KERNEL);
	kfree(&M, p);
	remember();
	kfree(&M, p);
	refused(MISUSE_DOUBLE_FREE, p, twice);
	CHECK_EQ(kmalloc(&M, 100, GFP_KERNEL), p);
	remember();
	M.cpu = 1;
	kfree(&M, p); // by another CPU, rightly
	CHECK_EQ(Misuses, 0);
	M.cpu = 0;
	remember();
	kfree(&M, p);
	refused(MISUSE_DOUBLE_FREE, p, twice);
}

// Objects of 8 bytes share generations: the slab finds the second free when the array is emptied.
static void double_free_of_small_objects(void)
{
	start();
	unsigned cache = kmem_cache_create(&M, "tiny", 8, 0, 0);
	kaddr_t p = kmem_cache_alloc(&M, cache, GFP_KERNEL);
	kmem_cache_free(&M, cache, p);
	kmem_cache_free(&M, cache, p);
	CHECK_EQ(Misuses, 0);
	kmem_cache_shrink(&M, cache);
	CHECK_EQ(Misuses, 1);
	CHECK_EQ(Last.value, MISUSE_DOUBLE_FREE);
	check_sane();
}

static struct record Told[4];
static unsigned NTold;

static void keep(struct machine *m, const struct record *r)
{
	(void)m;
	if (r->kind == EV_REFUSED && NTold < 4)
		Told[NTold++] = *r;
}

// What was refused is in the stream, and a fold of it tells the same; hostile ones are turned away.
static void refusals_are_recorded(void)
{
	static const struct machine_ops recording = {.trace = note, .record = keep};

	start();
	M.ops = &recording;
	kaddr_t p = kmalloc(&M, 100, GFP_KERNEL);
	unsigned cache = kmalloc_cache(&M, 100, GFP_KERNEL);
	kfree(&M, p);
	kfree(&M, p);
	kunmap(&M, M.s->max_low_pfn + 5);
	CHECK_EQ(NTold, 2);
	CHECK_EQ(Told[0].arg[1], cache);
	CHECK_EQ(Told[1].arg[0], MISUSE_KUNMAP);
	remember();
	CHECK_EQ(fold_apply(&M, &Told[0]), 0);
	refused(MISUSE_DOUBLE_FREE, p, "slab: double free detected in cache");
	Told[0].arg[0] = MISUSES;
	CHECK_EQ(fold_apply(&M, &Told[0]), -EILSEQ);
	Told[1].arg[1] = MAX_CACHES;
	CHECK_EQ(fold_apply(&M, &Told[1]), -EILSEQ);
	CHECK_EQ(Misuses, 0);
}

static void wrong_caches(void)
{
	start();
	unsigned id = kmem_cache_create(&M, "mine", 100, 0, 0);
	kaddr_t p = kmem_cache_alloc(&M, id, GFP_KERNEL), q = kmalloc(&M, 100, GFP_KERNEL);
	remember();
	kmem_cache_free(&M, id, q);
	refused(MISUSE_WRONG_CACHE, q, "BUG_ON(virt_to_cache(objp) != cachep)");
	kmem_cache_free(&M, kmalloc_cache(&M, 100, 0), p);
	refused(MISUSE_WRONG_CACHE, p, "BUG_ON(virt_to_cache(objp) != cachep)");
	CHECK_EQ(kmem_cache_destroy(&M, id), -EBUSY);
	CHECK_EQ(Misuses, 1);
	CHECK_STR(misuse_message(Last.value),
		  "slab error in kmem_cache_destroy(): Can't free all objects");
	CHECK_EQ(M.s->slab.cache_chain.first, id); // it stays
	check_sane();
}

static void create_with_bad_arguments(void)
{
	const char *early = "kmem_cache_create: Early error in slab";

	start();
	CHECK(kmem_cache_create(&M, "taken", 64, 0, 0));
	kfree(&M, kmalloc(&M, 1, GFP_KERNEL));
	remember();
	CHECK_EQ(kmem_cache_create(&M, NULL, 64, 0, 0), 0);
	refused(MISUSE_CACHE_ARGUMENTS, 64, early);
	CHECK_EQ(kmem_cache_create(&M, "small", 3, 0, 0), 0);
	refused(MISUSE_CACHE_ARGUMENTS, 3, early);
	CHECK_EQ(kmem_cache_create(&M, "large", (4 << 20) + 1, 0, 0), 0);
	refused(MISUSE_CACHE_ARGUMENTS, (4 << 20) + 1, early);
	CHECK_EQ(kmem_cache_create(&M, "aligned", 64, 24, 0), 0);
	refused(MISUSE_CACHE_ARGUMENTS, 64, early);
	CHECK_EQ(kmem_cache_create(&M, "flags", 64, 0, SLAB_POISON), 0); // no DEBUG_SLAB
	refused(MISUSE_CACHE_ARGUMENTS, 64, early);
	CHECK_EQ(kmem_cache_create(&M, "taken", 64, 0, 0), 0);
	CHECK_EQ(Misuses, 1);
	CHECK_STR(misuse_message(Last.value), "kmem_cache_create: duplicate cache");
	check_sane();
}

// The kernel looks only when the cache grows; so a request served from what is there passes.
static void highmem_for_slabs(void)
{
	start();
	kaddr_t p = kmalloc(&M, 5000, GFP_KERNEL);
	kfree(&M, p);
	CHECK_EQ(kmalloc(&M, 5000, GFP_KERNEL | __GFP_HIGHMEM), p);
	Misuses = 0;
	CHECK_EQ(kmalloc(&M, 5000, GFP_KERNEL | __GFP_HIGHMEM), 0);
	CHECK_EQ(Misuses, 1);
	CHECK_STR(misuse_message(Last.value), "BUG_ON(flags & GFP_SLAB_BUG_MASK)");
	unsigned id = kmem_cache_create(&M, "no dma", 5000, 0, 0);
	CHECK_EQ(kmem_cache_alloc(&M, id, GFP_KERNEL | GFP_DMA), 0);
	CHECK_EQ(Misuses, 2);
	CHECK_STR(misuse_message(Last.value), "BUG_ON(!(cachep->gfpflags & GFP_DMA))");
	check_sane();
}

// ---- pages ----

static void bad_pages(void)
{
	start();
	pfn_t page = alloc_pages(&M, GFP_KERNEL, 0), block = alloc_pages(&M, GFP_KERNEL, 2);
	pfn_t comp = alloc_pages(&M, GFP_KERNEL | __GFP_COMP, 2);
	kaddr_t obj = kmalloc(&M, 100, GFP_KERNEL);
	const pfn_t bad[] = {page, lowmem_pfn(&M, obj), 0x1000, comp + 1, M.s->max_pfn};
	__free_pages(&M, page, 0);
	remember();
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		__free_pages(&M, bad[i], 0);
		refused(MISUSE_BAD_PAGE, bad[i], "BUG: Bad page state");
	}
	__free_pages(&M, comp, 1); // of another order
	refused(MISUSE_BAD_PAGE, comp, "BUG: Bad page state");
	__free_pages(&M, block, 11);
	refused(MISUSE_BAD_PAGE, block, "BUG: Bad page state");
	free_hot_cold_page(&M, page, true);
	refused(MISUSE_BAD_PAGE, page, "BUG: Bad page state");
	free_pages(&M, 0xFF801000, 0);
	refused(MISUSE_BAD_ADDRESS, 0xFF801000, "VM_BUG_ON(!virt_addr_valid((void *)addr))");
	free_pages(&M, 0, 0); // allowed
	CHECK_EQ(Misuses, 0);
	__free_pages(&M, block, 2);
	__free_pages(&M, block, 2);
	CHECK_EQ(Last.value, MISUSE_BAD_PAGE);
	check_sane();
}

static void bad_requests(void)
{
	start();
	remember();
	CHECK_EQ(alloc_pages(&M, GFP_KERNEL, 11), 0);
	refused(MISUSE_ORDER, 11, "WARN_ON_ONCE(!(gfp_mask & __GFP_NOWARN))");
	CHECK_EQ(alloc_pages(&M, GFP_KERNEL | __GFP_NOWARN, 11), 0);
	CHECK_EQ(Misuses, 0);
	// Lowmem all the same: the caller gets what it can use.
	kaddr_t a = __get_free_pages(&M, GFP_HIGHUSER, 0);
	CHECK(is_lowmem(&M, a));
	CHECK_EQ(Last.value, MISUSE_HIGHMEM_ADDRESS);
	CHECK_STR(misuse_message(Last.value), "VM_BUG_ON((gfp_mask & __GFP_HIGHMEM) != 0)");
	check_sane();
}

// ---- areas and windows ----

static void bad_areas(void)
{
	start();
	kaddr_t a = vmalloc(&M, 20000), io = ioremap(&M, 0xFED00000, 4096);
	pfn_t pages[40] = {0};
	CHECK_EQ(alloc_pages_bulk(&M, GFP_HIGHUSER, 40, pages), 40);
	kaddr_t r = vm_map_ram(&M, pages, 4);
	remember();
	CHECK_EQ(vfree(&M, a + 1), -EINVAL);
	refused(MISUSE_VFREE_ALIGN, a + 1, "Trying to vfree() bad address");
	CHECK_EQ(vfree(&M, a + 4096), -EINVAL);
	refused(MISUSE_VFREE_NO_AREA, a + 4096, "Trying to vfree() nonexistent vm area");
	CHECK_EQ(vunmap(&M, 0xC0001000), -EINVAL);
	refused(MISUSE_VFREE_NO_AREA, 0xC0001000, "Trying to vfree() nonexistent vm area");
	CHECK_EQ(iounmap(&M, io + 0x2000), -EINVAL);
	refused(MISUSE_IOUNMAP, io + 0x2000, "iounmap: bad address");
	CHECK_EQ(vm_unmap_ram(&M, a, 4), -EINVAL);
	refused(MISUSE_UNMAP_RAM, a, "BUG_ON(!vb)");
	CHECK_EQ(vm_unmap_ram(&M, r, 40), -EINVAL);
	refused(MISUSE_UNMAP_RAM, r, "BUG_ON(!vb)");
	CHECK_EQ(vfree(&M, 0), 0); // allowed
	CHECK_EQ(Misuses, 0);
	CHECK_EQ(vfree(&M, a), 0);
	remember();
	CHECK_EQ(vfree(&M, a), -EINVAL);
	refused(MISUSE_VFREE_NO_AREA, a, "Trying to vfree() nonexistent vm area");
}

static void bad_windows(void)
{
	start();
	pfn_t p = M.s->max_low_pfn;
	kaddr_t one = kmap_atomic(&M, p), two = kmap_atomic(&M, p + 1);
	CHECK(kmap(&M, p + 2));
	CHECK_EQ(kunmap(&M, p + 2), 0);
	remember();
	CHECK_EQ(kunmap(&M, p + 2), -EINVAL); // its window waits for the flush, without a user
	refused(MISUSE_KUNMAP, p + 2, "BUG_ON(!vaddr)");
	CHECK_EQ(kunmap(&M, p + 3), -EINVAL);
	refused(MISUSE_KUNMAP, p + 3, "BUG_ON(!vaddr)");
	CHECK_EQ(kunmap_atomic(&M, one), -EINVAL);
	refused(MISUSE_KUNMAP_ATOMIC, one,
		"WARN_ON_ONCE(vaddr != __fix_to_virt(FIX_KMAP_BEGIN + idx))");
	CHECK_EQ(kunmap_atomic(&M, two), 0);
	CHECK_EQ(kunmap_atomic(&M, one), 0);
	for (unsigned i = 0; i < KM_TYPE_NR; i++)
		CHECK(kmap_atomic(&M, p + i));
	remember();
	CHECK_EQ(kmap_atomic(&M, p), 0);
	refused(MISUSE_KMAP_ATOMIC_FULL, p, "BUG_ON(idx > KM_TYPE_NR)");
}

static void bad_percpu(void)
{
	start();
	uint32_t ptr = alloc_percpu(&M, 64, 8);
	remember();
	CHECK_EQ(alloc_percpu(&M, 32769, 8), 0);
	refused(MISUSE_PERCPU_REQUEST, 32769, "illegal size or align for percpu allocation");
	CHECK_EQ(alloc_percpu(&M, 64, 8192), 0);
	refused(MISUSE_PERCPU_REQUEST, 64, "illegal size or align for percpu allocation");
	CHECK_EQ(free_percpu(&M, ptr + 4), -EINVAL);
	refused(MISUSE_PERCPU_FREE, ptr + 4, "BUG_ON(i == chunk->map_used)");
	CHECK_EQ(free_percpu(&M, ptr), 0);
	CHECK_EQ(free_percpu(&M, ptr), -EINVAL);
	CHECK_EQ(Last.value, MISUSE_PERCPU_FREE);
	check_sane();
}

// ---- boot ----

static void boot_refuses(const char *about)
{
	struct machine m;
	const char *why = "";

	CHECK_EQ(machine_size(&Cfg), 0);
	CHECK_EQ(machine_boot(&m, NULL, &Cfg, &why), -EINVAL);
	if (!strstr(why, about))
		printf("# %s\n", why);
	CHECK(*why && strstr(why, about));
}

static void bad_e820(void)
{
	machine_config_default(&Cfg, MODEL_3_4, 512 * MiB, 1);
	Cfg.e820.nr_map = E820MAX + 1;
	boot_refuses("e820");
	machine_config_default(&Cfg, MODEL_3_4, 512 * MiB, 1);
	Cfg.e820.nr_map = 0;
	boot_refuses("");
	machine_config_default(&Cfg, MODEL_3_4, 512 * MiB, 1);
	for (unsigned i = 0; i < Cfg.e820.nr_map; i++)
		Cfg.e820.map[i].type = E820_RESERVED;
	boot_refuses("");
	machine_config_default(&Cfg, MODEL_3_4, 512 * MiB, 1);
	Cfg.e820.map[3].addr = UINT64_MAX - 5; // wraps
	boot_refuses("");
}

static void messages(void)
{
	for (unsigned what = 1; what < MISUSES; what++)
		CHECK(strlen(misuse_message(what)) > 3);
	CHECK_STR(misuse_message(MISUSE_NONE), "?");
	CHECK_STR(misuse_message(MISUSES), "?");
}

int main(void)
{
	RUN(frees_of_no_object);
	RUN(double_free_of_an_object);
	RUN(double_free_in_the_array);
	RUN(double_free_of_small_objects);
	RUN(refusals_are_recorded);
	RUN(wrong_caches);
	RUN(create_with_bad_arguments);
	RUN(highmem_for_slabs);
	RUN(bad_pages);
	RUN(bad_requests);
	RUN(bad_areas);
	RUN(bad_windows);
	RUN(bad_percpu);
	RUN(bad_e820);
	RUN(messages);
	free(Before);
	return DONE();
}
