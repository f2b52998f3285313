// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Which allocator when: the rows, the function, and the page written from them.
#include "decide.h"

#include "text.h"

#define KiB 1024ull
#define MiB (1024 * KiB)
#define ANY                                                                                        \
	{                                                                                          \
		(uint64_t) ANY_SIZE, (uint64_t)ANY_SIZE                                            \
	}
#define BLOCK (PAGE_SIZE << (MAX_ORDER - 1)) // the largest of the buddy system

// Who asks for one of these gets it or nothing: ordinary memory would not do.
#define SPECIAL                                                                                    \
	(NEED_MAP_PAGE | NEED_DEVICE | NEED_DMA | NEED_GUARANTEED | NEED_PER_CPU | NEED_BOOT_TIME)

// Special needs first, then from the cheapest allocator to the dearest.
const struct decision decisions[NR_CHOICES] = {
	{CHOOSE_MEMBLOCK, "while booting, before the page allocator",
	 "memblock_alloc, memblock_free", NEED_BOOT_TIME, 0, 0, ANY,
	 "below current_limit, the end of lowmem", "no"},
	{CHOOSE_STACK,
	 "data of one call",
	 "a local variable",
	 NEED_ON_STACK,
	 SPECIAL,
	 0,
	 {8 * KiB, 8 * KiB},
	 "keep it small: all callers share the stack; 4 KiB in some builds",
	 "no"},
	{CHOOSE_IOREMAP, "registers of a device", "ioremap, iounmap", NEED_DEVICE | NEED_MAY_SLEEP,
	 0, 0, ANY, "free vmalloc space; not RAM", "yes"},
	{CHOOSE_KMAP, "address of a highmem page, may sleep", "kmap, kunmap",
	 NEED_MAP_PAGE | NEED_MAY_SLEEP, NEED_DEVICE, 0, ANY, "one page a call, 1024 pages at once",
	 "yes"},
	{CHOOSE_KMAP_ATOMIC, "address of a highmem page, must not sleep",
	 "kmap_atomic, kunmap_atomic", NEED_MAP_PAGE, NEED_MAY_SLEEP | NEED_DEVICE, 0, ANY,
	 "one page a call, 20 on each CPU, the last one mapped is unmapped first", "no"},
	{CHOOSE_PERCPU,
	 "one copy for each CPU",
	 "alloc_percpu, free_percpu",
	 NEED_PER_CPU | NEED_MAY_SLEEP,
	 NEED_MAP_PAGE | NEED_DEVICE,
	 0,
	 {32 * KiB, 32 * KiB},
	 "each copy",
	 "yes"},
	{CHOOSE_KMALLOC_DMA,
	 "memory below 16 MiB for old devices",
	 "kmalloc(GFP_DMA), kfree",
	 NEED_DMA,
	 (SPECIAL & ~NEED_DMA) | NEED_WHOLE_PAGES,
	 0,
	 {128 * KiB, 4 * MiB},
	 "zone DMA only, no other to fall back to",
	 "with __GFP_WAIT"},
	{CHOOSE_DMA_PAGES,
	 "the same in whole pages",
	 "__get_dma_pages, free_pages",
	 NEED_DMA,
	 SPECIAL & ~NEED_DMA,
	 0,
	 {BLOCK, BLOCK},
	 "zone DMA only, no other to fall back to",
	 "with __GFP_WAIT"},
	{CHOOSE_MEMPOOL,
	 "must succeed when memory is short",
	 "mempool_alloc, mempool_free",
	 NEED_GUARANTEED,
	 SPECIAL & ~NEED_GUARANTEED,
	 0,
	 {BLOCK, BLOCK},
	 "min_nr elements are kept; then it waits for one, or fails when it may not sleep",
	 "with __GFP_WAIT"},
	{CHOOSE_CACHE,
	 "many of one size, made and given back often",
	 "kmem_cache_create, kmem_cache_alloc, kmem_cache_free",
	 NEED_SAME_SIZE_OFTEN,
	 SPECIAL | NEED_WHOLE_PAGES,
	 4,
	 {4 * MiB, 4 * MiB},
	 "at least 4 bytes",
	 "with __GFP_WAIT"},
	{CHOOSE_KMALLOC,
	 "small, may sleep",
	 "kmalloc(GFP_KERNEL), kfree",
	 NEED_MAY_SLEEP,
	 SPECIAL | NEED_TRIED | NEED_WHOLE_PAGES,
	 0,
	 {128 * KiB, 4 * MiB},
	 "the largest cache",
	 "yes"},
	{CHOOSE_KMALLOC_ATOMIC,
	 "small, must not sleep",
	 "kmalloc(GFP_ATOMIC), kfree",
	 0,
	 SPECIAL | NEED_MAY_SLEEP | NEED_TRIED | NEED_WHOLE_PAGES,
	 0,
	 {128 * KiB, 4 * MiB},
	 "fails rather than waits; may use the reserve down to 3/8 of a zone's min mark",
	 "no"},
	{CHOOSE_PAGES,
	 "contiguous and larger, or whole pages",
	 "__get_free_pages or alloc_pages with page_address, free_pages",
	 NEED_CONTIGUOUS,
	 SPECIAL | NEED_TRIED,
	 0,
	 {BLOCK, BLOCK},
	 "order up to 10, lowmem only; above order 3 it may well fail",
	 "with __GFP_WAIT"},
	{CHOOSE_HIGHMEM_PAGES,
	 "that failed; highmem will do",
	 "alloc_pages(__GFP_HIGHMEM) with kmap, __free_pages",
	 NEED_TRIED | NEED_HIGHMEM_OK,
	 SPECIAL,
	 0,
	 {BLOCK, BLOCK},
	 "order up to 10; kmap maps one page at a time",
	 "with __GFP_WAIT"},
	{CHOOSE_VMALLOC,
	 "larger or that failed; need not be contiguous",
	 "vmalloc, vfree",
	 NEED_MAY_SLEEP,
	 SPECIAL | NEED_CONTIGUOUS,
	 0,
	 {114560 * KiB, 122752 * KiB},
	 "free vmalloc space (here: the whole default, less its own page array and two guard "
	 "pages) and RAM; slower: page by page, page tables, TLB",
	 "yes"},
	{CHOOSE_NOTHING, "anything else",
	 "none: ask for less, earlier, or where sleeping is allowed", 0, 0, 0, ANY, "", "no"},
};

static bool fits(const struct decision *d, const struct need *need, enum model model)
{
	return (need->is & d->all) == d->all && !(need->is & d->none) && need->bytes >= d->min &&
	       need->bytes <= d->max[model];
}

const struct decision *decide(const struct need *need, enum model model)
{
	const struct decision *d = decisions;

	while (!fits(d, need, model))
		d++;
	return d;
}

// ---- the page ----

static void put_limit(struct text *t, const struct decision *d, enum model model)
{
	uint64_t max = d->max[model];

	if (max != (uint64_t)ANY_SIZE)
		put(t, "up to %llu %s; ", (unsigned long long)(max / (max % MiB ? KiB : MiB)),
		    max % MiB ? "KiB" : "MiB");
	put(t, "%s", d->limit);
}

int decision_limit(const struct decision *d, enum model model, char *buf, size_t size)
{
	struct text t = {buf, size, 0};

	put_limit(&t, d, model);
	return t.len;
}

static const char page_head[] =
	"# Which allocator when\n\n"
	"Written by `tests/decision_page` from the table in `decide.c`, which the function `decide`\n"
	"reads; do not edit. The first row that fits decides.\n\n"
	"| need | what serves it | limit, model classic | limit, model 3.4 | may sleep |\n"
	"|---|---|---|---|---|\n";

static const char page_tail[] =
	"\nEquivalences:\n\n"
	"* `__get_free_pages(gfp, order)` is `page_address(alloc_pages(gfp, order))`.\n"
	"* `get_zeroed_page(gfp)` is `__get_free_pages(gfp | __GFP_ZERO, 0)`.\n"
	"* `__GFP_HIGHMEM` is not for who returns an address of lowmem: kmalloc refuses it,\n"
	"  `__get_free_pages` is `page_address(alloc_pages(gfp & ~__GFP_HIGHMEM, order))`.\n"
	"* vmalloc gives many scattered pages one range of addresses; `alloc_pages(__GFP_HIGHMEM)`\n"
	"  with kmap gives one page an address, for a while.\n";

int decision_page(char *buf, size_t size)
{
	struct text t = {buf, size, 0};

	put(&t, "%s", page_head);
	for (unsigned i = 0; i < NR_CHOICES; i++) {
		put(&t, "| %s | %s | ", decisions[i].need, decisions[i].call);
		put_limit(&t, &decisions[i], MODEL_CLASSIC);
		put(&t, " | ");
		put_limit(&t, &decisions[i], MODEL_3_4);
		put(&t, " | %s |\n", decisions[i].may_sleep);
	}
	put(&t, "%s", page_tail);
	return t.len;
}
