// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Eight stories of a fresh 2 GiB machine with one CPU, told by its events: every event of the kinds
// a story is about, in order.
#include "core/buddy.h"
#include "pages_machine.h"

#define BIT(kind) (1ull << ((kind)-EV_LAST_STEP))

// Kernel tracepoints, without our own details.
#define PAGE_EVENTS                                                                                \
	(BIT(EV_T_MM_PAGE_ALLOC) | BIT(EV_T_MM_PAGE_FREE) | BIT(EV_T_MM_PAGE_ALLOC_ZONE_LOCKED) |  \
	 BIT(EV_T_MM_PAGE_PCPU_DRAIN) | BIT(EV_T_MM_PAGE_ALLOC_EXTFRAG))
#define KMEM_EVENTS                                                                                \
	(PAGE_EVENTS | BIT(EV_T_KMALLOC) | BIT(EV_T_KFREE) | BIT(EV_T_KMEM_CACHE_ALLOC) |          \
	 BIT(EV_T_KMEM_CACHE_FREE))

static struct trace_event Told[512];
static unsigned Ntold;
static uint64_t Wanted;

static void tell(struct machine *m, const struct trace_event *t)
{
	(void)m;
	if (Wanted & BIT(t->kind) && Ntold < 512)
		Told[Ntold++] = *t;
}

static const struct machine_ops telling = {.trace = tell};

static void listen(uint64_t kinds)
{
	Wanted = kinds;
	Ntold = 0;
	M.ops = &telling;
}

static const struct trace_event *next_of(unsigned *at, unsigned kind)
{
	CHECK(*at < Ntold);
	if (Told[*at].kind != kind)
		printf("# event %u is %s, not %s\n", *at, event_name(Told[*at].kind),
		       event_name(kind));
	CHECK_EQ(Told[*at].kind, kind);
	return &Told[(*at)++];
}

static int64_t counter(unsigned zone, unsigned item)
{
	const struct zone *z = &M.s->zone[zone];

	return z->vm_stat[item] + z->pageset[0].vm_stat_diff[item];
}

// As the stories begin: nothing on the CPU's lists, Normal movable but for its reserve.
static void boot_fresh(void)
{
	const struct zone *z;

	boot(MODEL_3_4, 2048 * MiB, 1);
	drain_local_pages(&M);
	z = &M.s->zone[ZONE_NORMAL];
	for (pfn_t pfn = z->zone_start_pfn; pfn < zone_end_pfn(z); pfn += PAGEBLOCK_NR_PAGES) {
		if (get_pageblock_migratetype(&M, pfn) == MIGRATE_RESERVE)
			continue;
		set_pageblock_migratetype(&M, pfn, MIGRATE_MOVABLE);
		move_freepages_block(&M, ZONE_NORMAL, pfn, MIGRATE_MOVABLE);
	}
	check_sane();
}

static unsigned cache_of_size(uint32_t size)
{
	return kmalloc_cache(&M, size, GFP_KERNEL);
}

// ---- S1: the first kmalloc(100) ----

static void s1_first_kmalloc(void)
{
	unsigned at = 0, cache;
	const struct trace_event *t;

	boot_fresh();
	cache = cache_of_size(100);
	pfn_t head = M.s->zone[ZONE_NORMAL].free_area[10].free_list[MIGRATE_MOVABLE].first;
	int64_t free = counter(ZONE_NORMAL, NR_FREE_PAGES);
	int64_t slab = counter(ZONE_NORMAL, NR_SLAB_UNRECLAIMABLE);
	CHECK_EQ(M.caches[cache].num_slabs, 0);

	listen(KMEM_EVENTS);
	kaddr_t p = kmalloc(&M, 100, GFP_KERNEL);
	t = next_of(&at, EV_T_MM_PAGE_ALLOC_EXTFRAG);
	CHECK(t->pfn == head && t->order == 0 && t->order2 == 10); // order2 == 10: not fragmenting
	CHECK(t->migratetype == 0 && t->migratetype2 == 0); // the same: the block changes hands
	for (pfn_t i = 0; i < 31; i++) {
		t = next_of(&at, EV_T_MM_PAGE_ALLOC_ZONE_LOCKED);
		CHECK(t->pfn == head + i && t->order == 0 && t->migratetype == 0 && t->flags == 1);
	}
	t = next_of(&at, EV_T_MM_PAGE_ALLOC);
	CHECK(t->pfn == head && t->order == 0 && t->migratetype == 0 && t->value == GFP_KERNEL);
	t = next_of(&at, EV_T_KMALLOC);
	CHECK(t->addr == p && t->cache == cache && t->value == GFP_KERNEL);
	CHECK_EQ(M.caches[t->cache].buffer_size, 128);
	CHECK_EQ(at, Ntold);

	CHECK_EQ(lowmem_pfn(&M, p), head);
	CHECK_EQ(counter(ZONE_NORMAL, NR_FREE_PAGES), free - 31);
	CHECK_EQ(M.s->zone[ZONE_NORMAL].pageset[0].count, 30);
	CHECK_EQ(counter(ZONE_NORMAL, NR_SLAB_UNRECLAIMABLE), slab + 1);
	CHECK_EQ(get_pageblock_migratetype(&M, head), MIGRATE_UNMOVABLE);
	check_sane();
}

// ---- S2: where the first object of a fresh cache lies ----

static void s2_first_pointers(void)
{
	static const uint32_t want[][3] = {
		{32, 0x3C0, 0x3A0},   {64, 0x500, 0x4C0},  {128, 0x840, 0x7C0},
		{192, 0xBC0, 0xB00},  {256, 0xE80, 0xD80}, {512, 0xE00, 0xC00},
		{1024, 0xC00, 0x800}, {2048, 0x800, 0},	   {4096, 0, 0}};
	const uint64_t kinds = BIT(EV_T_CACHE_GROW) | BIT(EV_T_CACHE_REFILL) | BIT(EV_T_KMALLOC);

	boot_fresh();
	for (unsigned i = 0; i < 9; i++) {
		unsigned at = 0, cache = cache_of_size(want[i][0]);
		// The two smallest serve the allocator itself: theirs is not the first slab.
		if (M.caches[cache].num_slabs)
			continue;
		listen(kinds);
		kaddr_t p = kmalloc(&M, want[i][0], GFP_KERNEL);
		kaddr_t q = kmalloc(&M, want[i][0], GFP_KERNEL);
		while (Told[at].cache != cache)
			at++; // the descriptor's cache, where it is off the slab
		CHECK_EQ(next_of(&at, EV_T_CACHE_GROW)->pfn, lowmem_pfn(&M, p));
		while (Told[at].cache != cache)
			at++;
		uint32_t num = M.caches[cache].num < 16 ? M.caches[cache].num : 16;
		CHECK_EQ(next_of(&at, EV_T_CACHE_REFILL)->count, num);
		CHECK_EQ(next_of(&at, EV_T_KMALLOC)->addr, p);
		CHECK_EQ(p % PAGE_SIZE, want[i][1]);
		CHECK_EQ(q % PAGE_SIZE, want[i][2]);
	}
	CHECK_EQ(M.caches[cache_of_size(128)].num_slabs, 1);
	check_sane();
}

// ---- S3: last in, first out ----

static void s3_freed_comes_back(void)
{
	unsigned at = 0;

	boot_fresh();
	kaddr_t p = kmalloc(&M, 100, GFP_KERNEL);
	listen(KMEM_EVENTS);
	kfree(&M, p);
	CHECK_EQ(kmalloc(&M, 128, GFP_KERNEL), p);
	CHECK_EQ(next_of(&at, EV_T_KFREE)->addr, p);
	CHECK_EQ(next_of(&at, EV_T_KMALLOC)->addr, p);
	CHECK_EQ(at, Ntold);
}

// ---- S4: vmalloc(12288) ----

static void s4_vmalloc(void)
{
	unsigned at = 0;
	const struct trace_event *t;
	kaddr_t warm[3];

	boot_fresh();
	// Objects and frames are at hand, so that only what vmalloc itself asks for is told.
	warm[0] = kmalloc(&M, 32, GFP_KERNEL);
	warm[1] = kmalloc(&M, 64, GFP_KERNEL);
	warm[2] = kmalloc(&M, 32, GFP_KERNEL);
	for (int i = 0; i < 3; i++)
		kfree(&M, warm[i]);
	listen(BIT(EV_T_KMALLOC) | BIT(EV_T_MM_PAGE_ALLOC) | BIT(EV_T_PAGE_TABLE));
	kaddr_t a = vmalloc(&M, 12288);
	CHECK_EQ(a, 0xF7FFE000);
	t = next_of(&at, EV_T_KMALLOC); // vm_struct, zeroed
	CHECK(t->cache == cache_of_size(32) && t->value & __GFP_ZERO);
	t = next_of(&at, EV_T_KMALLOC); // vmap_area
	CHECK(t->cache == cache_of_size(64) && !(t->value & __GFP_ZERO));
	t = next_of(&at, EV_T_KMALLOC); // page array, zeroed
	CHECK(t->cache == cache_of_size(32) && t->value & __GFP_ZERO);
	for (unsigned i = 0; i < 3; i++) {
		t = next_of(&at, EV_T_MM_PAGE_ALLOC);
		CHECK(t->value == 0x2D2 && t->zone == ZONE_HIGHMEM && t->migratetype == 0);
		CHECK_EQ(t->pfn, vmalloc_to_pfn(&M, a + i * PAGE_SIZE));
	}
	for (unsigned pgd = 991; pgd <= 992; pgd++) {
		t = next_of(&at, EV_T_MM_PAGE_ALLOC);
		CHECK(t->zone == ZONE_NORMAL && t->order == 0);
		pfn_t table = t->pfn;
		t = next_of(&at, EV_T_PAGE_TABLE);
		CHECK(t->value == pgd && t->pfn == table);
	}
	CHECK_EQ(at, Ntold);
	check_sane();
}

// ---- S5: the largest block ----

static void s5_largest_block(void)
{
	unsigned at = 0;
	const struct trace_event *t;

	boot_fresh();
	int64_t free = counter(ZONE_NORMAL, NR_FREE_PAGES);
	listen(PAGE_EVENTS);
	pfn_t pfn = alloc_pages(&M, GFP_KERNEL, 10);
	next_of(&at, EV_T_MM_PAGE_ALLOC_EXTFRAG); // a movable block, in this machine
	t = next_of(&at, EV_T_MM_PAGE_ALLOC_ZONE_LOCKED);
	CHECK(t->pfn == pfn && t->order == 10 && t->flags == 0);
	t = next_of(&at, EV_T_MM_PAGE_ALLOC);
	CHECK(t->pfn == pfn && t->order == 10 && t->value == GFP_KERNEL);
	CHECK_EQ(at, Ntold);
	CHECK_EQ(counter(ZONE_NORMAL, NR_FREE_PAGES), free - 1024);
	CHECK_EQ(M.s->zone[ZONE_NORMAL].pageset[0].count, 0);
	CHECK_EQ(alloc_pages(&M, GFP_KERNEL, 11), 0);
	CHECK_EQ(at, Ntold);
}

// ---- S6: DMA ----

static void s6_dma(void)
{
	unsigned at = 0, cache;
	const struct trace_event *t;

	boot_fresh();
	int64_t free = counter(ZONE_DMA, NR_FREE_PAGES);
	listen(KMEM_EVENTS);
	kaddr_t p = kmalloc(&M, 64, GFP_DMA | GFP_KERNEL);
	cache = kmalloc_cache(&M, 64, GFP_DMA);
	CHECK_STR(M.caches[cache].name, "size-64(DMA)");
	t = next_of(&at, EV_T_MM_PAGE_ALLOC_ZONE_LOCKED);
	CHECK(t->zone == ZONE_DMA && t->order == 0);
	t = next_of(&at, EV_T_MM_PAGE_ALLOC);
	CHECK(t->zone == ZONE_DMA && t->pfn == lowmem_pfn(&M, p) && t->value & GFP_DMA);
	CHECK_EQ(next_of(&at, EV_T_KMALLOC)->cache, cache);
	CHECK_EQ(at, Ntold);
	CHECK_EQ(counter(ZONE_DMA, NR_FREE_PAGES), free - 1);
	CHECK_EQ(M.s->zone[ZONE_DMA].pageset[0].count, 0);

	listen(PAGE_EVENTS);
	at = 0;
	kfree(&M, p);
	kmem_cache_shrink(&M, cache);
	CHECK_EQ(next_of(&at, EV_T_MM_PAGE_FREE)->pfn, lowmem_pfn(&M, p));
	CHECK_EQ(next_of(&at, EV_T_MM_PAGE_PCPU_DRAIN)->pfn, lowmem_pfn(&M, p)); // at once
	CHECK_EQ(at, Ntold);
	CHECK_EQ(counter(ZONE_DMA, NR_FREE_PAGES), free);
}

// ---- S7, S8: memory ends ----

// What served one after the other: zones in runs, and what happened between. `left` is what the
// watermark saw in the zone when its run ended.
struct turn {
	unsigned kind, zone;
	uint32_t pages, left;
};

enum {
	MAX_TURNS = 256
};
static struct turn Turns[MAX_TURNS];
static unsigned Nturns;

static void tell_turns(struct machine *m, const struct trace_event *t)
{
	struct turn *last = Nturns ? &Turns[Nturns - 1] : NULL;

	if (t->kind != EV_T_MM_PAGE_ALLOC && t->kind != EV_T_KSWAPD_WAKE &&
	    t->kind != EV_T_OUT_OF_MEMORY && t->kind != EV_T_DIRECT_RECLAIM)
		return;
	if (last && last->kind == t->kind &&
	    (last->zone == t->zone || t->kind != EV_T_MM_PAGE_ALLOC)) {
		last->pages += t->count;
		last->left = zone_free_pages(m, last->zone);
	} else if (Nturns < MAX_TURNS) {
		Turns[Nturns++] =
			(struct turn){t->kind, t->zone, t->count, zone_free_pages(m, t->zone)};
	}
}

static const struct machine_ops turning = {.trace = tell_turns};

// The zone was given up at its limit: below it, by less than a refill and what the counter lags.
static void turn_is(unsigned *at, unsigned zone, uint32_t limit, uint32_t batch)
{
	CHECK(*at < Nturns);
	const struct turn *t = &Turns[(*at)++];
	if (t->kind != EV_T_MM_PAGE_ALLOC || t->zone != zone || t->left > limit ||
	    t->left + batch <= limit)
		printf("# turn %u: %s zone %u, %u left; expected zone %u, %u\n", *at - 1,
		       event_name(t->kind), t->zone, t->left, zone, limit);
	CHECK_EQ(t->kind, EV_T_MM_PAGE_ALLOC);
	CHECK_EQ(t->zone, zone);
	CHECK(t->left <= limit && t->left + batch > limit);
}

static void turn_of(unsigned *at, unsigned kind)
{
	CHECK(*at < Nturns);
	CHECK_EQ(Turns[(*at)++].kind, kind);
}

static void exhaust(gfp_t gfp)
{
	boot_fresh();
	Nturns = 0;
	M.ops = &turning;
	while (alloc_pages(&M, gfp, 0))
		;
	M.ops = &machine_ops_none;
	check_sane();
}

static void s7_highuser_exhausts(void)
{
	unsigned at = 0;
	enum {
		REFILL = 31 + 24, // and the threshold of the counters
		SINGLE = 1 + 24
	};

	exhaust(GFP_HIGHUSER);
	turn_is(&at, ZONE_HIGHMEM, 438, REFILL);
	turn_is(&at, ZONE_NORMAL, 10372, REFILL);
	turn_is(&at, ZONE_DMA, 2036, SINGLE);
	turn_of(&at, EV_T_KSWAPD_WAKE);
	turn_is(&at, ZONE_HIGHMEM, 128, REFILL);
	turn_is(&at, ZONE_NORMAL, 932 + 9207, REFILL);
	turn_is(&at, ZONE_DMA, 16 + 2016, SINGLE);
	// Draining this CPU's lists gives the last pages above the marks back: less than a batch of
	// each zone, taken as they come.
	uint32_t late = 0;
	for (; at + 1 < Nturns; at++)
		late += Turns[at].kind == EV_T_MM_PAGE_ALLOC ? Turns[at].pages : 0;
	CHECK(late < 3 * 31);
	turn_of(&at, EV_T_OUT_OF_MEMORY);
	CHECK_EQ(Turns[Nturns - 1].left, 128);
}

static void s8_atomic_exhausts(void)
{
	unsigned at = 0;
	enum {
		REFILL = 31 + 24,
		SINGLE = 1 + 24
	};

	exhaust(GFP_ATOMIC);
	turn_is(&at, ZONE_NORMAL, 1165, REFILL);
	turn_is(&at, ZONE_DMA, 20 + 865, SINGLE);
	turn_of(&at, EV_T_KSWAPD_WAKE);
	turn_is(&at, ZONE_NORMAL, 350, REFILL);
	turn_is(&at, ZONE_DMA, 6 + 865, SINGLE);
	CHECK_EQ(at, Nturns);
}

int main(void)
{
	RUN(s1_first_kmalloc);
	RUN(s2_first_pointers);
	RUN(s3_freed_comes_back);
	RUN(s4_vmalloc);
	RUN(s5_largest_block);
	RUN(s6_dma);
	RUN(s7_highuser_exhausts);
	RUN(s8_atomic_exhausts);
	return DONE();
}
