// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The decision table: each row is reached, its limits are the machine's, and the page says the same.
#include "core/decide.h"

#include "core/buddy.h"
#include "core/mempool.h"
#include "vm_box.h"

#define KiB 1024ull

static const char *Page_path;

static enum choice chosen(enum model model, uint64_t bytes, uint32_t is)
{
	return decide(&(struct need){bytes, is}, model)->choice;
}

static void both(uint64_t bytes, uint32_t is, enum choice choice)
{
	CHECK_EQ(chosen(MODEL_CLASSIC, bytes, is), choice);
	CHECK_EQ(chosen(MODEL_3_4, bytes, is), choice);
}

static void rows_are_in_order(void)
{
	for (unsigned i = 0; i < NR_CHOICES; i++) {
		CHECK_EQ(decisions[i].choice, i);
		CHECK_EQ(decisions[i].all & decisions[i].none, 0);
	}
}

// Whatever is asked, somebody answers; and no row is never reached.
static void every_need_is_answered(void)
{
	static const uint64_t sizes[] = {0,	  3,	   100,	      128 * KiB, 128 * KiB + 1,
					 4 * MiB, 5 * MiB, 200 * MiB, UINT64_MAX};
	unsigned reached[2][NR_CHOICES] = {{0}};

	for (unsigned model = 0; model < 2; model++)
		for (uint32_t is = 0; is < 2 * NEED_ON_STACK; is++)
			for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
				reached[model][chosen(model, sizes[i], is)]++;
	for (unsigned choice = 0; choice < NR_CHOICES; choice++)
		CHECK(reached[MODEL_CLASSIC][choice] && reached[MODEL_3_4][choice]);
}

static void small_and_contiguous(void)
{
	both(1, NEED_MAY_SLEEP, CHOOSE_KMALLOC);
	both(128 * KiB, NEED_MAY_SLEEP | NEED_CONTIGUOUS, CHOOSE_KMALLOC);
	both(128 * KiB, NEED_CONTIGUOUS, CHOOSE_KMALLOC_ATOMIC);
	both(128 * KiB, NEED_MAY_SLEEP | NEED_HIGHMEM_OK, CHOOSE_KMALLOC);
}

static void larger_and_contiguous(void)
{
	const uint32_t is = NEED_MAY_SLEEP | NEED_CONTIGUOUS;

	CHECK_EQ(chosen(MODEL_CLASSIC, 128 * KiB + 1, is), CHOOSE_PAGES);
	CHECK_EQ(chosen(MODEL_CLASSIC, 128 * KiB + 1, NEED_CONTIGUOUS), CHOOSE_PAGES);
	CHECK_EQ(chosen(MODEL_3_4, 4 * MiB, is), CHOOSE_KMALLOC); // caches go that far there
	CHECK_EQ(chosen(MODEL_CLASSIC, 4 * MiB, is), CHOOSE_PAGES);
	both(4 * MiB, is | NEED_WHOLE_PAGES, CHOOSE_PAGES);
	both(4 * MiB + 1, is, CHOOSE_NOTHING);
	both(4 * MiB, is | NEED_TRIED, CHOOSE_NOTHING);
}

static void after_failure(void)
{
	const uint32_t is = NEED_MAY_SLEEP | NEED_TRIED;

	both(4096, is | NEED_HIGHMEM_OK, CHOOSE_HIGHMEM_PAGES);
	both(4096, NEED_TRIED | NEED_HIGHMEM_OK, CHOOSE_HIGHMEM_PAGES);
	both(4 * MiB + 1, is | NEED_HIGHMEM_OK, CHOOSE_VMALLOC);
	both(100, is, CHOOSE_VMALLOC);
	both(4 * MiB + 1, NEED_MAY_SLEEP, CHOOSE_VMALLOC);
	both(100, NEED_TRIED, CHOOSE_NOTHING); // vmalloc sleeps
	CHECK_EQ(chosen(MODEL_CLASSIC, 112 * MiB, NEED_MAY_SLEEP), CHOOSE_NOTHING);
	CHECK_EQ(chosen(MODEL_3_4, 112 * MiB, NEED_MAY_SLEEP), CHOOSE_VMALLOC);
}

static void special_needs(void)
{
	both(100, NEED_SAME_SIZE_OFTEN, CHOOSE_CACHE);
	both(3, NEED_SAME_SIZE_OFTEN, CHOOSE_KMALLOC_ATOMIC);
	both(4096, NEED_MAP_PAGE | NEED_MAY_SLEEP, CHOOSE_KMAP);
	both(4096, NEED_MAP_PAGE, CHOOSE_KMAP_ATOMIC);
	both(4096, NEED_DEVICE | NEED_MAY_SLEEP, CHOOSE_IOREMAP);
	both(4096, NEED_DEVICE, CHOOSE_NOTHING);
	both(100, NEED_DMA, CHOOSE_KMALLOC_DMA);
	both(100, NEED_DMA | NEED_MAY_SLEEP, CHOOSE_KMALLOC_DMA);
	both(4096, NEED_DMA | NEED_WHOLE_PAGES, CHOOSE_DMA_PAGES);
	CHECK_EQ(chosen(MODEL_CLASSIC, 128 * KiB + 1, NEED_DMA), CHOOSE_DMA_PAGES);
	both(100, NEED_GUARANTEED | NEED_MAY_SLEEP, CHOOSE_MEMPOOL);
	both(32 * KiB, NEED_PER_CPU | NEED_MAY_SLEEP, CHOOSE_PERCPU);
	both(32 * KiB + 1, NEED_PER_CPU | NEED_MAY_SLEEP, CHOOSE_NOTHING);
	both(64 * MiB, NEED_BOOT_TIME, CHOOSE_MEMBLOCK);
	both(200, NEED_ON_STACK, CHOOSE_STACK);
	both(8 * KiB + 1, NEED_ON_STACK | NEED_MAY_SLEEP, CHOOSE_KMALLOC);
}

// ---- the limits are those of the machine ----

static uint64_t max_of(enum choice choice, enum model model)
{
	return decisions[choice].max[model];
}

static void limits_of_slab(enum model model, struct machine *m)
{
	uint64_t max = max_of(CHOOSE_KMALLOC, model);

	CHECK(kmalloc(m, max, GFP_KERNEL));
	CHECK(!kmalloc(m, max + 1, GFP_KERNEL));
	CHECK_EQ(max_of(CHOOSE_KMALLOC_ATOMIC, model), max);
	CHECK(kmalloc(m, max, GFP_ATOMIC));
	CHECK(!kmalloc(m, max + 1, GFP_ATOMIC));
	max = max_of(CHOOSE_CACHE, model);
	CHECK(kmem_cache_create(m, "largest", max, 0, 0));
	CHECK(!kmem_cache_create(m, "larger", max + 1, 0, 0));
	CHECK(kmem_cache_create(m, "least", decisions[CHOOSE_CACHE].min, 0, 0));
	CHECK(!kmem_cache_create(m, "less", decisions[CHOOSE_CACHE].min - 1, 0, 0));
}

static void limits_of_pages(enum model model, struct machine *m)
{
	static const enum choice pages[] = {CHOOSE_PAGES, CHOOSE_HIGHMEM_PAGES, CHOOSE_DMA_PAGES,
					    CHOOSE_MEMPOOL};

	for (unsigned i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		CHECK_EQ(max_of(pages[i], model), 1024 * PAGE_SIZE);
	CHECK(__get_free_pages(m, GFP_KERNEL, 10));
	CHECK(!__get_free_pages(m, GFP_KERNEL, 11));
	CHECK(zone_of(m, alloc_pages(m, GFP_HIGHUSER, 10)) == ZONE_HIGHMEM);
	CHECK(!alloc_pages(m, GFP_HIGHUSER, 11));
}

// Zone DMA alone: it ends while the others are full.
static void limits_of_dma(enum model model, struct machine *m)
{
	kaddr_t addr = kmalloc(m, 64, GFP_KERNEL | GFP_DMA);
	uint64_t max = max_of(CHOOSE_KMALLOC_DMA, model);

	CHECK(addr && addr - m->s->cfg.page_offset < 16 * MiB);
	CHECK(!kmalloc(m, max + 1, GFP_KERNEL | GFP_DMA));
	for (unsigned i = 0; i < 4; i++)
		addr = __get_free_pages(m, GFP_KERNEL | GFP_DMA, 10);
	CHECK(!addr);
	CHECK(__get_free_pages(m, GFP_KERNEL, 10));
}

static void limits_of_vmalloc(enum model model, struct machine *m)
{
	uint64_t max = max_of(CHOOSE_VMALLOC, model);
	kaddr_t addr;

	// beside the pages: their array, itself in vmalloc space when large, and two guard pages
	CHECK_EQ(max + (max / 1024 + PAGE_SIZE - 1) / PAGE_SIZE * PAGE_SIZE + 2 * PAGE_SIZE,
		 m->s->vmalloc.end - m->s->vmalloc.start);
	CHECK(!vmalloc(m, max + 1));
	CHECK((addr = vmalloc(m, max)));
	vfree(m, addr);
}

static void limits_of_windows(struct machine *m)
{
	unsigned windows = 0, atomic = 0;
	pfn_t pfn;

	while ((pfn = alloc_pages(m, GFP_HIGHUSER, 0)) && kmap(m, pfn))
		windows++;
	CHECK_EQ(windows, 1024);
	CHECK(strstr(decisions[CHOOSE_KMAP].limit, " 1024 pages"));
	while (kmap_atomic(m, pfn))
		atomic++;
	CHECK_EQ(atomic, 20);
	CHECK(strstr(decisions[CHOOSE_KMAP_ATOMIC].limit, " 20 on each CPU"));
}

static void limits_of_others(enum model model, struct machine *m)
{
	uint64_t max = max_of(CHOOSE_PERCPU, model);

	CHECK(alloc_percpu(m, max, 4));
	CHECK(!alloc_percpu(m, max + 1, 4));
	CHECK_EQ(max_of(CHOOSE_STACK, model), THREAD_SIZE);
	CHECK(!ioremap(m, 64 * MiB, PAGE_SIZE)); // RAM
	CHECK(ioremap(m, 0xFEB00000, PAGE_SIZE));
	CHECK_EQ(m->s->memblock.current_limit, m->s->max_low_pfn << PAGE_SHIFT);
}

static void limits_of_mempool(struct machine *m)
{
	static struct mempool pool;

	CHECK_EQ(mempool_create(m, &pool, 2, &mempool_pages, 10), 0);
	CHECK(mempool_alloc(m, &pool, &mempool_pages, GFP_KERNEL));
	CHECK(mempool_create(m, &pool, 1, &mempool_pages, 11));
}

static void limits(void)
{
	for (enum model model = MODEL_CLASSIC; model <= MODEL_3_4; model++) {
		limits_of_vmalloc(model, boot(model, 2048 * MiB, 1));
		limits_of_slab(model, &box.m);
		limits_of_pages(model, &box.m);
		limits_of_others(model, &box.m);
		limits_of_mempool(&box.m);
		limits_of_windows(&box.m);
		limits_of_dma(model, boot(model, 2048 * MiB, 1));
	}
}

// ---- equivalences ----

static void get_free_pages_is_alloc_pages(void)
{
	for (unsigned order = 0; order < MAX_ORDER; order++) {
		kaddr_t addr = __get_free_pages(boot(MODEL_3_4, 1024 * MiB, 1), GFP_KERNEL, order);
		struct machine *m = boot(MODEL_3_4, 1024 * MiB, 1);

		CHECK(addr);
		CHECK_EQ(page_address(m, alloc_pages(m, GFP_KERNEL, order)), addr);
	}
}

static void no_highmem_for_lowmem_callers(void)
{
	struct machine *m = boot(MODEL_3_4, 1024 * MiB, 1);
	kaddr_t addr;

	CHECK(!kmalloc(m, 100, GFP_KERNEL | __GFP_HIGHMEM));
	addr = __get_free_pages(m, GFP_KERNEL | __GFP_HIGHMEM, 3);
	CHECK(addr && addr < m->s->high_memory);
	m = boot(MODEL_3_4, 1024 * MiB, 1);
	CHECK_EQ(page_address(m, alloc_pages(m, GFP_KERNEL, 3)), addr);
}

// Many scattered pages, one range; one page, one address.
static void vmalloc_beside_highmem_pages(void)
{
	struct machine *m = boot(MODEL_3_4, 1024 * MiB, 1);
	kaddr_t addr = vmalloc(m, 16 * PAGE_SIZE);
	pfn_t pfn = alloc_pages(m, GFP_HIGHUSER, 0);

	CHECK(addr >= m->s->vmalloc.start && addr < m->s->vmalloc.end);
	CHECK_EQ(page_address(m, pfn), 0);
	addr = kmap(m, pfn);
	CHECK(addr >= m->s->kmap.pkmap_base);
	CHECK_EQ(page_address(m, pfn), addr);
}

// ---- the page ----

static void limit_texts(void)
{
	char text[256];

	decision_limit(&decisions[CHOOSE_KMALLOC], MODEL_CLASSIC, text, sizeof(text));
	CHECK_STR(text, "up to 128 KiB; the largest cache");
	decision_limit(&decisions[CHOOSE_KMALLOC], MODEL_3_4, text, sizeof(text));
	CHECK_STR(text, "up to 4 MiB; the largest cache");
	decision_limit(&decisions[CHOOSE_IOREMAP], MODEL_3_4, text, sizeof(text));
	CHECK_STR(text, decisions[CHOOSE_IOREMAP].limit);
}

static void page_is_what_the_table_says(void)
{
	static char page[16384], committed[16384];
	FILE *f = fopen(Page_path, "r");

	CHECK(f);
	committed[fread(committed, 1, sizeof(committed) - 1, f)] = 0;
	fclose(f);
	CHECK((size_t)decision_page(page, sizeof(page)) < sizeof(page));
	if (strcmp(page, committed))
		printf("# run build/tests/decision_page > core/DECISIONS.md\n");
	CHECK(!strcmp(page, committed));
}

int main(int argc, char **argv)
{
	Page_path = argc > 1 ? argv[1] : "core/DECISIONS.md";
	RUN(rows_are_in_order);
	RUN(every_need_is_answered);
	RUN(small_and_contiguous);
	RUN(larger_and_contiguous);
	RUN(after_failure);
	RUN(special_needs);
	RUN(limits);
	RUN(get_free_pages_is_alloc_pages);
	RUN(no_highmem_for_lowmem_callers);
	RUN(vmalloc_beside_highmem_pages);
	RUN(limit_texts);
	RUN(page_is_what_the_table_says);
	return DONE();
}
