// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// SLAB: geometry, refill and free order, reaping, kmalloc and its edges, caches' lives, misuse.
#include "core/procfs.h"
#include "slab_box.h"

#include <errno.h>

// ---- geometry ----

struct geometry {
	uint32_t size, flags, buffer, num, order, colour, slab_size;
	bool off;
};

static const struct geometry geometries[] = {
	{4, 0, 8, 339, 0, 0, 1384, false},
	{8, 0, 8, 339, 0, 0, 1384, false},
	{200, 0, 200, 19, 0, 3, 104, false},
	{300, 0, 304, 13, 0, 1, 80, false},
	{500, 0, 504, 8, 0, 0, 64, false},
	{508, 0, 512, 7, 0, 7, 56, false}, // 508 is below 512 before rounding
	{512, 0, 512, 8, 0, 0, 60, true},
	{600, 0, 600, 6, 0, 6, 56, false}, // moved back: the waste holds the descriptor
	{700, 0, 704, 11, 1, 5, 72, false},
	{1000, 0, 1000, 4, 0, 0, 48, false},
	{1200, 0, 1200, 3, 0, 7, 40, false},
	{1500, 0, 1504, 5, 1, 9, 48, false},
	{2000, 0, 2000, 2, 0, 0, 40, false},
	{3000, 0, 3000, 2, 1, 33, 40, false},
	{4000, 0, 4000, 1, 0, 1, 32, false},
	{5000, 0, 5000, 1, 1, 49, 32, false},
	{20, SLAB_HWCACHE_ALIGN, 32, 113, 0, 0, 480, false},
	{40, SLAB_HWCACHE_ALIGN, 64, 59, 0, 0, 320, false},
	{100, SLAB_HWCACHE_ALIGN, 128, 30, 0, 1, 192, false},
	{136, SLAB_HWCACHE_ALIGN, 192, 20, 0, 2, 128, false},
	{200, SLAB_HWCACHE_ALIGN, 256, 15, 0, 2, 128, false},
	{300, SLAB_HWCACHE_ALIGN, 320, 12, 0, 2, 128, false},
	{500, SLAB_HWCACHE_ALIGN, 512, 7, 0, 7, 64, false},
	{600, SLAB_HWCACHE_ALIGN, 640, 6, 0, 3, 64, false},
	{700, SLAB_HWCACHE_ALIGN, 704, 11, 1, 5, 128, false},
	{1000, SLAB_HWCACHE_ALIGN, 1024, 4, 0, 0, 44, true},
	{1500, SLAB_HWCACHE_ALIGN, 1536, 5, 1, 7, 64, false},
	{2000, SLAB_HWCACHE_ALIGN, 2048, 2, 0, 0, 36, true},
	{3000, SLAB_HWCACHE_ALIGN, 3008, 2, 1, 33, 64, false},
	{148, SLAB_RECLAIM_ACCOUNT, 152, 26, 0, 0, 136, false},
	{340, SLAB_RECLAIM_ACCOUNT, 344, 11, 0, 3, 72, false},
};

static void geometry(void)
{
	struct machine *m = boot(MODEL_3_4, 64 * MIB, 1);

	for (size_t i = 0; i < sizeof(geometries) / sizeof(geometries[0]); i++) {
		const struct geometry *g = &geometries[i];
		struct kmem_cache c;
		CHECK_EQ(cache_geometry(m, g->size, 0, g->flags, &c), 0);
		CHECK_EQ(c.buffer_size, g->buffer);
		CHECK_EQ(c.num, g->num);
		CHECK_EQ(c.gfporder, g->order);
		CHECK_EQ(c.colour, g->colour);
		CHECK_EQ(c.slab_size, g->slab_size);
		CHECK_EQ(!!(c.flags & CFLGS_OFF_SLAB), g->off);
	}
}

// Small machines never take two pages for one slab to waste less.
static void geometry_of_a_small_machine(void)
{
	struct machine *m = boot(MODEL_CLASSIC, 32 * MIB, 1);
	struct kmem_cache c;

	CHECK_EQ(cache_geometry(m, 1500, 0, 0, &c), 0);
	CHECK_EQ(c.gfporder, 0);
	CHECK_EQ(c.num, 2);
}

static void geometry_is_refused(void)
{
	struct machine *m = boot(MODEL_CLASSIC, 64 * MIB, 1);
	struct kmem_cache c;

	CHECK_EQ(cache_geometry(m, 3, 0, 0, &c), -EINVAL);
	CHECK_EQ(cache_geometry(m, (4 << 20) + 1, 0, 0, &c), -EINVAL);
	CHECK_EQ(cache_geometry(m, 64, 24, 0, &c), -EINVAL);
	CHECK_EQ(cache_geometry(m, 64, 8192, 0, &c), -EINVAL);
	CHECK_EQ(cache_geometry(m, 64, 0, SLAB_POISON, &c), -EINVAL);
	CHECK_EQ(kmem_cache_create(m, NULL, 64, 0, 0), 0);
	CHECK_EQ(kmem_cache_create(m, "", 64, 0, 0), 0);
}

// Debug kernels: margins around the object, and short arrays.
static void geometry_debug(void)
{
	struct machine_config cfg;

	machine_config_default(&cfg, MODEL_3_4, 64 * MIB, 1);
	cfg.slab_debug = 1;
	box_boot(&box, &cfg);
	struct machine *m = &box.cpu[0];
	const struct kmem_cache *c = cache_named(m, "size-32");
	CHECK_EQ(c->buffer_size, 56);
	CHECK_EQ(c->num, 67);
	CHECK_EQ(c->limit, 32);
	kaddr_t a = kmalloc(m, 32, GFP_KERNEL), b = kmalloc(m, 32, GFP_KERNEL);
	CHECK_EQ(a - b, 56);
	CHECK_EQ(ksize(m, a), 32);
	kfree(m, a);
	kfree(m, b);
	check(m);
}

struct general {
	const char *name;
	uint32_t num, order, colour64, colour32, slab64, slab32, limit, batch;
	bool off, shared;
};

static const struct general generals[] = {
	{"size-32", 113, 0, 0, 0, 480, 480, 120, 60, false, true},
	{"size-64", 59, 0, 0, 1, 320, 288, 120, 60, false, true},
	{"size-128", 30, 0, 1, 3, 192, 160, 120, 60, false, true},
	{"size-192", 20, 0, 2, 4, 128, 128, 120, 60, false, true},
	{"size-256", 15, 0, 2, 5, 128, 96, 120, 60, false, true},
	{"size-512", 8, 0, 0, 0, 60, 60, 54, 27, true, true},
	{"size-1024", 4, 0, 0, 0, 44, 44, 54, 27, true, true},
	{"size-2048", 2, 0, 0, 0, 36, 36, 24, 12, true, true},
	{"size-4096", 1, 0, 0, 0, 32, 32, 24, 12, true, true},
	{"size-8192", 1, 1, 0, 0, 32, 32, 8, 4, true, false},
	{"size-131072", 1, 5, 0, 0, 32, 32, 8, 4, true, false},
	{"size-262144", 1, 6, 0, 0, 32, 32, 1, 1, true, false},
	{"size-4194304", 1, 10, 0, 0, 32, 32, 1, 1, true, false},
};

static void check_general(struct machine *m, const struct general *g, bool line64)
{
	const struct kmem_cache *c = cache_named(m, g->name);

	CHECK(c);
	CHECK_EQ(c->num, g->num);
	CHECK_EQ(c->gfporder, g->order);
	CHECK_EQ(c->colour, line64 ? g->colour64 : g->colour32);
	CHECK_EQ(c->slab_size, line64 ? g->slab64 : g->slab32);
	CHECK_EQ(c->limit, g->limit);
	CHECK_EQ(c->batchcount, g->batch);
	CHECK_EQ(c->shared, g->shared ? 8 : 0);
	CHECK_EQ(!!(c->flags & CFLGS_OFF_SLAB), g->off);
}

static void general_caches(void)
{
	struct machine_config cfg;

	for (unsigned line = 32; line <= 64; line += 32) {
		machine_config_default(&cfg, MODEL_3_4, 64 * MIB, 2);
		cfg.cache_line = line;
		box_boot(&box, &cfg);
		for (size_t i = 0; i < sizeof(generals) / sizeof(generals[0]); i++)
			check_general(&box.cpu[0], &generals[i], line == 64);
		check(&box.cpu[0]);
	}
}

// Which sizes there are depends on the line the kernel was built for, how large their buffers are on
// that of the CPU.
static void sizes_of_builds(void)
{
	static const struct {
		uint32_t l1, line, sizes, size_of_65, size_of_129, buffer_of_65;
	} builds[] = {{16, 32, 20, 96, 192, 96},    {32, 32, 20, 96, 192, 96},
		      {32, 64, 20, 96, 192, 128},   {64, 32, 19, 128, 192, 128},
		      {64, 64, 19, 128, 192, 128},  {128, 64, 18, 128, 256, 128},
		      {128, 128, 18, 128, 256, 128}};
	static const struct general size_96 = {"size-96", 40,  0,  0,	  2,   192,
					       192,	  120, 60, false, true};
	struct machine_config cfg;

	for (size_t i = 0; i < sizeof(builds) / sizeof(builds[0]); i++) {
		machine_config_default(&cfg, MODEL_3_4, 64 * MIB, 2);
		cfg.l1_bytes = builds[i].l1;
		cfg.cache_line = builds[i].line;
		box_boot(&box, &cfg);
		struct machine *m = &box.cpu[0];
		CHECK_EQ(m->s->slab.nr_sizes, builds[i].sizes);
		CHECK_EQ(m->s->slab.size[kmalloc_index(m, 65)], builds[i].size_of_65);
		CHECK_EQ(m->s->slab.size[kmalloc_index(m, 129)], builds[i].size_of_129);
		CHECK_EQ(m->caches[kmalloc_cache(m, 65, 0)].buffer_size, builds[i].buffer_of_65);
		CHECK_EQ(ksize(m, kmalloc(m, 96, GFP_KERNEL)), builds[i].buffer_of_65);
		for (uint32_t n = 1, at = 0; n <= 8192; n++) {
			at += n > m->s->slab.size[at];
			CHECK_EQ(kmalloc_index(m, n), at);
		}
		if (builds[i].buffer_of_65 == 96)
			check_general(m, &size_96, false);
		CHECK(!!cache_named(m, "size-96") == (builds[i].l1 < 64));
		CHECK(!!cache_named(m, "size-96(DMA)") == (builds[i].l1 < 64));
		check(m);
	}
	cfg.l1_bytes = 48;
	const char *why;
	CHECK_EQ(machine_boot(&box.cpu[0], box.memory, &cfg, &why), -EINVAL);
	CHECK_STR(why, "L1_CACHE_BYTES must be 16, 32, 64 or 128");
}

static void models_differ_in_the_largest(void)
{
	struct machine *m = boot(MODEL_CLASSIC, 64 * MIB, 1);

	CHECK(kmalloc(m, 131072, GFP_KERNEL));
	CHECK_EQ(kmalloc(m, 131073, GFP_KERNEL), 0);
	CHECK(!cache_named(m, "size-262144"));
	m = boot(MODEL_3_4, 64 * MIB, 1);
	kaddr_t p = kmalloc(m, 131073, GFP_KERNEL);
	CHECK_EQ(ksize(m, p), 262144);
	CHECK_EQ(kmalloc(m, 4194305, GFP_KERNEL), 0);
}

// No shared arrays without other CPUs; the boot caches' limit misses the CPU that came last.
static void limits_follow_the_cpus(void)
{
	struct machine *m = boot(MODEL_3_4, 256 * MIB, 4);
	const struct kmem_cache *c = cache_named(m, "size-128");

	CHECK_EQ(m->shared[id_of(m, c)].limit, 480);
	CHECK_EQ(c->free_limit, 4 * 60 + 30);
	c = &m->caches[kmem_cache_create(m, "late", 128, 0, 0)];
	CHECK_EQ(c->free_limit, 5 * 60 + 30);
	m = boot(MODEL_3_4, 256 * MIB, 1);
	c = cache_named(m, "size-128");
	CHECK_EQ(c->shared, 0);
	CHECK_EQ(c->free_limit, 2 * 60 + 30);
}

// ---- allocation order ----

static void first_refill_takes_sixteen(void)
{
	struct machine *m = boot(MODEL_3_4, 64 * MIB, 1);
	unsigned id = kmem_cache_create(m, "t128", 128, 0, SLAB_HWCACHE_ALIGN);
	const struct kmem_cache *c = &m->caches[id];
	kaddr_t obj = kmem_cache_alloc(m, id, GFP_KERNEL);

	CHECK_EQ(ac_of(m, id, 0)->avail, 15);
	CHECK_EQ(index_of(m, obj), 15);
	CHECK_EQ(m->slab_area[c->slabs_partial.first].inuse, 16);
	CHECK_EQ(c->free_objects, 14);
	for (unsigned i = 15; i-- > 0;)
		CHECK_EQ(index_of(m, kmem_cache_alloc(m, id, GFP_KERNEL)), i);
	// Touched now: a full batch, the rest of the slab first, no second slab for more.
	CHECK_EQ(index_of(m, kmem_cache_alloc(m, id, GFP_KERNEL)), 29);
	CHECK_EQ(ac_of(m, id, 0)->avail, 13);
	CHECK_EQ(c->num_slabs, 1);
	check(m);
}

// Scenario S2: page offset of the first pointer of each fresh general cache.
static void first_pointers(void)
{
	static const uint32_t want[][3] = {
		{32, 0x3C0, 0x3A0},   {64, 0x500, 0x4C0},  {128, 0x840, 0x7C0},
		{192, 0xBC0, 0xB00},  {256, 0xE80, 0xD80}, {512, 0xE00, 0xC00},
		{1024, 0xC00, 0x800}, {2048, 0x800, 0},	   {4096, 0, 0}};
	struct machine *m = boot(MODEL_3_4, 64 * MIB, 1);

	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		char name[CACHE_NAME_LEN];
		snprintf(name, sizeof(name), "fresh-%u", want[i][0]);
		unsigned id = kmem_cache_create(m, name, want[i][0], 8, SLAB_HWCACHE_ALIGN);
		CHECK_EQ(kmem_cache_alloc(m, id, GFP_KERNEL) % PAGE_SIZE, want[i][1]);
		CHECK_EQ(kmem_cache_alloc(m, id, GFP_KERNEL) % PAGE_SIZE, want[i][2]);
	}
	check(m);
}

// What one allocation from an empty cache tells, in order (scenario S1 without the buddy's part).
static uint16_t told[64];
static unsigned ntold;

static void note_kind(struct machine *m, const struct trace_event *t)
{
	(void)m;
	if (t->kind >= EV_T_KMALLOC && t->kind <= EV_T_CACHE_DESTROYED && ntold < 64)
		told[ntold++] = t->kind;
}

static const struct machine_ops noting = {.trace = note_kind};

static void allocations_tell_their_steps(void)
{
	static const uint16_t want[] = {EV_T_CACHE_GROW,  EV_T_CACHE_REFILL,	  EV_T_KMALLOC,
					EV_T_KFREE,	  EV_T_KMALLOC,		  EV_T_KFREE,
					EV_T_CACHE_FLUSH, EV_T_CACHE_SLAB_DESTROY};
	struct machine *m = boot(MODEL_3_4, 64 * MIB, 1);

	ntold = 0;
	CHECK_EQ(machine_attach(m, box.memory, box.size, 0, &noting, NULL), 0);
	unsigned id = kmalloc_cache(m, 100, GFP_KERNEL);
	CHECK_EQ(m->caches[id].num_slabs, 0);
	kfree(m, kmalloc(m, 100, GFP_KERNEL));
	kfree(m, kmalloc(m, 100, GFP_KERNEL));
	CHECK_EQ(kmem_cache_shrink(m, id), 0);
	CHECK_EQ(ntold, 8);
	for (unsigned i = 0; i < 8; i++)
		CHECK_EQ(told[i], want[i]);
}

static void last_in_first_out(void)
{
	struct machine *m = boot(MODEL_CLASSIC, 64 * MIB, 1);
	kaddr_t a = kmalloc(m, 100, GFP_KERNEL), b = kmalloc(m, 100, GFP_KERNEL);

	kfree(m, a);
	kfree(m, b);
	CHECK_EQ(kmalloc(m, 128, GFP_KERNEL), b);
	CHECK_EQ(kmalloc(m, 65, GFP_KERNEL), a);
}

static void slabs_take_turns_in_colour(void)
{
	static const uint32_t want[] = {128, 192, 128, 192};
	struct machine *m = boot(MODEL_3_4, 64 * MIB, 1);
	unsigned id = kmem_cache_create(m, "t256", 256, 0, SLAB_HWCACHE_ALIGN);

	for (size_t i = 0; i < 4; i++) {
		while (m->caches[id].num_slabs == i)
			CHECK(kmem_cache_alloc(m, id, GFP_KERNEL));
		pfn_t pfn = m->caches[id].slabs_partial.first;
		CHECK_EQ(m->slab_area[pfn ? pfn : m->caches[id].slabs_full.first].s_mem % PAGE_SIZE,
			 want[i]);
	}
}

// ---- kmalloc ----

static void kmalloc_picks_the_cache(void)
{
	struct machine *m = boot(MODEL_3_4, 64 * MIB, 1);

	CHECK_STR(m->caches[kmalloc_cache(m, 33, GFP_KERNEL)].name, "size-64");
	CHECK_STR(m->caches[kmalloc_cache(m, 129, GFP_KERNEL)].name, "size-192");
	CHECK_STR(m->caches[kmalloc_cache(m, 193, GFP_KERNEL)].name, "size-256");
	CHECK_STR(m->caches[kmalloc_cache(m, 64, GFP_DMA)].name, "size-64(DMA)");
	for (uint32_t n = 1, i = 0; n <= 4194304; n += n < 2048 ? 1 : 511) {
		while (m->s->slab.size[i] < n)
			i++;
		CHECK_EQ(kmalloc_cache(m, n, 0), m->s->slab.size_cache[i]);
	}
	CHECK_EQ(kmalloc_cache(m, 0, 0), 0);
	CHECK_EQ(kmalloc_cache(m, SIZE_MAX, 0), 0);
	CHECK_EQ(kmalloc_cache(m, 1ull << 32, 0), 0);
}

static void kmalloc_edges(void)
{
	struct machine *m = boot(MODEL_3_4, 64 * MIB, 1);

	CHECK_EQ(kmalloc(m, 0, GFP_KERNEL), 16);
	CHECK_EQ(ksize(m, 16), 0);
	CHECK_EQ(ksize(m, 0), 0);
	kfree(m, 16);
	kfree(m, 0);
	kaddr_t p = krealloc(m, 0, 10, GFP_KERNEL);
	CHECK_EQ(ksize(m, p), 32);
	CHECK_EQ(krealloc(m, p, 32, GFP_KERNEL), p);
	CHECK_EQ(krealloc(m, p, 1, GFP_KERNEL), p); // never shrinks
	kaddr_t q = krealloc(m, p, 33, GFP_KERNEL);
	CHECK_EQ(ksize(m, q), 64);
	CHECK_EQ(kmalloc(m, 32, GFP_KERNEL), p); // was freed
	CHECK_EQ(krealloc(m, q, 1u << 23, GFP_KERNEL), 0);
	CHECK_EQ(ksize(m, q), 64); // and stays valid
	CHECK_EQ(krealloc(m, q, 0, GFP_KERNEL), 16);
	CHECK_EQ(kmalloc(m, 64, GFP_KERNEL), q);
	check(m);
}

static void dma_objects_lie_low(void)
{
	struct machine *m = boot(MODEL_CLASSIC, 64 * MIB, 1);
	kaddr_t p = kmalloc(m, 64, GFP_KERNEL | GFP_DMA);

	CHECK(p);
	CHECK(lowmem_pfn(m, p) < 4096);
	CHECK(lowmem_pfn(m, kmalloc(m, 64, GFP_KERNEL)) >= 4096);
}

// A machine that has run out: NULL, and nothing half done.
static void no_memory(void)
{
	struct machine *m = boot(MODEL_CLASSIC, 32 * MIB, 1);
	unsigned sizes[] = {131072, 4096, 512, 64};
	kaddr_t p;

	for (size_t i = 0; i < 4; i++) {
		unsigned n = 0;
		while ((p = kmalloc(m, sizes[i], GFP_NOWAIT)) && n < 100000)
			n++;
		CHECK(n < 100000);
	}
	check(m);
	CHECK_EQ(kmalloc(m, 131072, GFP_NOWAIT), 0);
	CHECK_EQ(kmem_cache_alloc(m, MAX_CACHES - 1, GFP_NOWAIT), 0);
	check(m);
}

// ---- arrays, shared array, reaping ----

static unsigned fill_array(struct machine *m, unsigned id, unsigned n)
{
	kaddr_t objs[AC_ENTRIES];

	for (unsigned i = 0; i < n; i++)
		objs[i] = kmem_cache_alloc(m, id, GFP_KERNEL);
	struct array_cache *ac = ac_of(m, id, m->cpu);
	ac->touched = 0;
	for (unsigned i = 0; i < n && ac->avail < n; i++)
		kmem_cache_free(m, id, objs[i]);
	return ac->avail;
}

static void reaping_ages_arrays(void)
{
	struct machine *m = boot(MODEL_3_4, 64 * MIB, 1);
	unsigned id = kmem_cache_create(m, "aged", 128, 0, 0);
	struct array_cache *ac = ac_of(m, id, 0);

	CHECK_EQ(fill_array(m, id, 100), 100);
	CHECK_EQ(cache_reap_one(m, id, 1), -1);
	CHECK_EQ(ac->avail, 100 - 24); // (120 + 4) / 5
	while (ac->avail > 10)
		kmem_cache_alloc(m, id, GFP_KERNEL);
	CHECK_EQ(ac->touched, 1);
	cache_reap_one(m, id, 2);
	CHECK_EQ(ac->avail, 10);
	CHECK_EQ(ac->touched, 0);
	cache_reap_one(m, id, 3);
	CHECK_EQ(ac->avail, 10 - 5); // (10 + 1) / 2
	check(m);
}

static void reaping_frees_slabs(void)
{
	struct machine *m = boot(MODEL_3_4, 64 * MIB, 1);
	unsigned id = kmem_cache_create(m, "reaped", 1000, 0, 0); // 4 a slab
	struct kmem_cache *c = &m->caches[id];
	kaddr_t objs[120];

	for (unsigned i = 0; i < 120; i++)
		objs[i] = kmem_cache_alloc(m, id, GFP_KERNEL);
	for (unsigned i = 0; i < 120; i++)
		kmem_cache_free(m, id, objs[i]);
	uint32_t slabs = c->num_slabs, per_turn = (c->free_limit + 5 * c->num - 1) / (5 * c->num);
	CHECK(c->free_objects <= c->free_limit);
	CHECK_EQ(c->free_touched, 1);
	cache_reap_one(m, id, 1); // sets the timer
	ac_of(m, id, 0)->avail ? (void)(ac_of(m, id, 0)->touched = 1) : (void)0;
	CHECK_EQ(cache_reap_one(m, id, c->next_reap), -1); // touched: spared once
	ac_of(m, id, 0)->touched = 1;
	uint32_t before = c->num_slabs;
	CHECK_EQ(cache_reap_one(m, id, c->next_reap), per_turn);
	CHECK_EQ(c->num_slabs, before - per_turn);
	CHECK(slabs >= before);
	check(m);
}

// A round visits every cache and says when the next one is due.
static void reaping_goes_round(void)
{
	struct machine *m = boot(MODEL_3_4, 64 * MIB, 1);
	kaddr_t p = kmalloc(m, 1000, GFP_KERNEL);

	kfree(m, p);
	for (unsigned turn = 1; turn < 200; turn++) {
		uint64_t now = turn * 2000000000ull;
		cache_reap(m, now);
		CHECK_EQ(m->s->cpu[0].next_reap_ns, now + 2000000000ull);
	}
	CHECK_EQ(cache_named(m, "size-1024")->num_slabs, 0);
	check(m);
}

static void free_slabs_stay_below_the_limit(void)
{
	struct machine *m = boot(MODEL_3_4, 64 * MIB, 1);
	unsigned id = kmem_cache_create(m, "many", 64, 0, 0);
	const struct kmem_cache *c = &m->caches[id];
	static kaddr_t objs[5000];

	for (unsigned i = 0; i < 5000; i++)
		CHECK(objs[i] = kmem_cache_alloc(m, id, GFP_KERNEL));
	for (unsigned i = 0; i < 5000; i++) {
		kmem_cache_free(m, id, objs[i]);
		CHECK_EQ(m->s->cpu[0].doomed.first, 0);
	}
	CHECK(c->free_objects <= c->free_limit);
	CHECK(c->num_slabs * c->num <= c->free_limit + c->limit + c->num);
	check(m);
}

static void other_cpus_share(void)
{
	struct machine *m = boot(MODEL_3_4, 64 * MIB, 2), *other = &box.cpu[1];
	unsigned id = kmem_cache_create(m, "shared", 128, 0, 0);
	struct shared_array *shared = &m->shared[id];
	kaddr_t objs[121];

	for (unsigned i = 0; i < 121; i++)
		objs[i] = kmem_cache_alloc(m, id, GFP_KERNEL);
	while (ac_of(m, id, 0)->avail)
		kmem_cache_alloc(m, id, GFP_KERNEL);
	for (unsigned i = 0; i < 121; i++)
		kmem_cache_free(m, id, objs[i]);
	CHECK_EQ(shared->avail, 60); // the oldest batch
	CHECK_EQ(shared->entry[0], objs[0]);
	CHECK_EQ(ac_of(m, id, 0)->avail, 61);
	CHECK_EQ(kmem_cache_alloc(other, id, GFP_KERNEL), objs[59]);
	CHECK_EQ(shared->avail, 60 - 16); // untouched array: sixteen
	CHECK_EQ(shared->touched, 1);
	check(m);
	CHECK_EQ(kmem_cache_shrink(m, id), 1);
	CHECK_EQ(shared->avail + ac_of(m, id, 0)->avail + ac_of(m, id, 1)->avail, 0);
	check(m);
}

// A shared array with less room than a batch takes what fits; the rest stays where it is.
static void shared_room_is_short(void)
{
	struct machine *m = boot(MODEL_3_4, 64 * MIB, 2);
	unsigned id = kmem_cache_create(m, "short", 128, 0, 0);
	struct shared_array *shared = &m->shared[id];
	kaddr_t objs[30];

	CHECK_EQ(kmem_cache_tune(m, id, 10, 4, 2), 0);
	for (unsigned i = 0; i < 30; i++)
		objs[i] = kmem_cache_alloc(m, id, GFP_KERNEL);
	while (ac_of(m, id, 0)->avail)
		kmem_cache_alloc(m, id, GFP_KERNEL);
	for (unsigned i = 0; i < 18; i++)
		kmem_cache_free(m, id, objs[i]);
	CHECK_EQ(shared->avail, 8);
	cache_reap_one(m, id, 1);
	ac_of(m, id, 0)->touched = 1;
	cache_reap_one(m, id, m->caches[id].next_reap);
	CHECK_EQ(shared->avail, 8 - 2); // (8 + 4) / 5
	ac_of(m, id, 0)->touched = 1;
	for (unsigned i = 18; ac_of(m, id, 0)->avail < 10; i++)
		kmem_cache_free(m, id, objs[i]);
	kmem_cache_free(m, id, objs[29]);
	CHECK_EQ(shared->avail, 8);
	CHECK_EQ(ac_of(m, id, 0)->avail, 10 - 2 + 1);
	check(m);
}

// While one CPU looks for pages another makes a slab and empties it again: the slab that comes
// later goes behind it, and the refill takes from the first.
static struct {
	unsigned cache;
	pfn_t others; // slab
} meanwhile;

static void other_cpu_grows(struct machine *m, const struct record *r)
{
	struct machine *other = &box.cpu[1];

	if (r->kind != EV_SLAB_COLOUR || r->arg[0] != meanwhile.cache || m == other ||
	    meanwhile.others)
		return;
	kmem_cache_free(other, meanwhile.cache,
			kmem_cache_alloc(other, meanwhile.cache, GFP_KERNEL));
	drain_cpu_array(other, meanwhile.cache, 1);
	meanwhile.others = m->caches[meanwhile.cache].slabs_free.first;
}

static const struct machine_ops interrupting = {.record = other_cpu_grows};

static void a_new_slab_goes_last(void)
{
	struct machine *m = boot(MODEL_3_4, 64 * MIB, 2);
	unsigned id = kmem_cache_create(m, "raced", 128, 0, 0);
	pfn_t slab = 0;

	meanwhile.cache = id;
	meanwhile.others = 0;
	CHECK_EQ(machine_attach(m, box.memory, box.size, 0, &interrupting, NULL), 0);
	CHECK(slab_lookup(m, kmem_cache_alloc(m, id, GFP_KERNEL), NULL, &slab, NULL));
	CHECK(meanwhile.others);
	CHECK_EQ(slab, meanwhile.others);
	CHECK_EQ(m->caches[id].num_slabs, 2);
	check(m);
}

// A descriptor's cache flushed while a slab dies: its dead slabs go before those that wait, as in
// the kernel, where they die within the call.
static struct {
	unsigned flushed, next; // cache whose slabs must die next
	unsigned nested;
} dying;

static void watch_dying(struct machine *m, const struct record *r)
{
	pfn_t first = m->s->cpu[m->cpu].doomed.first;

	if (r->kind == EV_SLAB_FLUSH) {
		uint32_t n = m->caches[r->arg[0]].num_slabs;
		if (n < dying.flushed && r->arg[0] == dying.next) {
			CHECK_EQ(m->slab_area[first].cache, dying.next);
			dying.nested += m->slab_area[first].list.next != 0;
		}
	}
	dying.flushed = m->caches[dying.next].num_slabs;
}

static const struct machine_ops watching = {.record = watch_dying};

static void nested_slabs_die_first(void)
{
	static kaddr_t objs[4000];
	struct machine *m = boot(MODEL_3_4, 64 * MIB, 1);
	unsigned id =
		kmem_cache_create(m, "nested", 2048, 0, 0); // two a slab, descriptor in size-64

	memset(&dying, 0, sizeof(dying));
	dying.next = m->caches[id].slabp_cache;
	CHECK_EQ(machine_attach(m, box.memory, box.size, 0, &watching, NULL), 0);
	for (unsigned i = 0; i < 4000; i++)
		CHECK(objs[i] = kmem_cache_alloc(m, id, GFP_KERNEL));
	for (unsigned i = 0; i < 4000; i++)
		kmem_cache_free(m, id, objs[i]);
	CHECK(dying.nested);
	check(m);
}

// ---- creating, tuning, destroying ----

static void destroying(void)
{
	struct machine *m = boot(MODEL_3_4, 64 * MIB, 2);
	uint32_t before = m->s->slab.nr_caches;
	unsigned a = kmem_cache_create(m, "aa", 700, 0, 0),
		 b = kmem_cache_create(m, "bb", 40, 0, 0);

	CHECK(a && b);
	CHECK_EQ(kmem_cache_create(m, "aa", 700, 0, 0), 0); // the name is taken
	kaddr_t p = kmem_cache_alloc(&box.cpu[1], a, GFP_KERNEL);
	CHECK_EQ(m->s->slab.cache_chain.first, b);
	CHECK_EQ(kmem_cache_destroy(m, a), -EBUSY);
	CHECK_EQ(m->s->slab.cache_chain.first, a); // back, at the head
	check(m);
	kmem_cache_free(m, a, p);
	CHECK_EQ(kmem_cache_destroy(m, a), 0);
	CHECK_EQ(kmem_cache_destroy(m, b), 0);
	CHECK_EQ(kmem_cache_destroy(m, b), -EINVAL);
	CHECK_EQ(kmem_cache_destroy(m, CACHE_CACHE), -EINVAL);
	CHECK_EQ(kmem_cache_destroy(m, m->s->slab.size_cache[3]), -EINVAL);
	CHECK_EQ(m->s->slab.nr_caches, before);
	CHECK_EQ(kmem_cache_create(m, "cc", 40, 0, 0), a); // ids come back
	check(m);
}

static void site_caches_know_their_stack(void)
{
	struct machine *m = boot(MODEL_CLASSIC, 64 * MIB, 1);
	unsigned id = kmem_cache_create(m, "site-0000beef", 24, 16, 0);

	CHECK_EQ(m->caches[id].site, 0xbeef);
	CHECK_EQ(m->caches[id].buffer_size, 32);
	CHECK_EQ(m->caches[kmem_cache_create(m, "site-xyz", 24, 16, 0)].site, 0);
}

static void tuning(void)
{
	struct machine *m = boot(MODEL_3_4, 64 * MIB, 2);
	unsigned id = kmem_cache_create(m, "tuned", 128, 0, 0);

	kmem_cache_alloc(m, id, GFP_KERNEL);
	CHECK_EQ(kmem_cache_tune(m, id, 0, 1, 0), -EINVAL);
	CHECK_EQ(kmem_cache_tune(m, id, 10, 11, 0), -EINVAL);
	CHECK_EQ(kmem_cache_tune(m, id, AC_ENTRIES + 1, 1, 0), -EINVAL);
	CHECK_EQ(kmem_cache_tune(m, id, 500, 500, 9), -EINVAL);
	CHECK_EQ(kmem_cache_tune(m, id, 500, 500, 1u << 31), -EINVAL);
	CHECK_EQ(kmem_cache_tune(m, id, 10, 4, 2), 0);
	CHECK_EQ(ac_of(m, id, 0)->avail, 0); // went back to the slabs
	CHECK_EQ(ac_of(m, id, 1)->limit, 10);
	CHECK_EQ(m->shared[id].limit, 8);
	CHECK_EQ(m->caches[id].free_limit, 3 * 4 + 30);
	CHECK_EQ(m->slab_area[m->caches[id].slabs_partial.first].inuse, 1);
	check(m);
}

static void slabinfo_text(void)
{
	static char text[16384];
	struct machine *m = boot(MODEL_3_4, 64 * MIB, 2);
	struct kmem_cache *c = cache_named(m, "size-128");

	CHECK_EQ(kmem_cache_shrink(m, id_of(m, c)), c->num_active_slabs != 0);
	c->num_slabs = c->num_active_slabs = 12; // the reference's example row
	c->free_objects = 30;
	int n = proc_slabinfo(m, text, sizeof(text));
	CHECK_EQ(n, strlen(text));
	CHECK_EQ(strncmp(text, "slabinfo - version: 2.1\n# name            <active_objs> ", 56), 0);
	CHECK(strstr(text,
		     "\nsize-128             330    360    128   30    1 : tunables  120   60    8"
		     " : slabdata     12     12      0\n"));
	CHECK(strstr(text, "\nsize-32(DMA) ") < strstr(text, "\nsize-64 "));
	CHECK(strstr(text, "\nsize-32 ") < strstr(text, "\nkmem_cache "));
	char small[40];
	CHECK_EQ(proc_slabinfo(m, small, sizeof(small)), n);
	CHECK_EQ(strlen(small), 39);
	CHECK_EQ(proc_slabinfo(m, NULL, 0), n);
}

// ---- what must not do harm ----

static void misuse_is_refused(void)
{
	struct machine *m = boot(MODEL_3_4, 64 * MIB, 1);
	unsigned id = kmem_cache_create(m, "used", 128, 0, 0);
	kaddr_t p = kmem_cache_alloc(m, id, GFP_KERNEL), q = kmalloc(m, 128, GFP_KERNEL);
	uint32_t avail = ac_of(m, id, 0)->avail;

	kmem_cache_free(m, id, p + 8);	    // inside
	kmem_cache_free(m, id, q);	    // of another cache
	kmem_cache_free(m, id, 0xC0000000); // a frame, but no slab
	kfree(m, 0x1234);		    // not lowmem
	kfree(m, 0xFFFFFFFF);
	kfree(m, lowmem_addr(m, lowmem_pfn(m, p))); // where the descriptor stands
	CHECK_EQ(ac_of(m, id, 0)->avail, avail);
	kaddr_t other = kmem_cache_alloc(m, id, GFP_KERNEL);
	kmem_cache_free(m, id, p);
	kmem_cache_shrink(m, id);
	kmem_cache_free(m, id, p); // stands free in its slab
	CHECK_EQ(ac_of(m, id, 0)->avail, 0);
	kmem_cache_free(m, id, other);
	kmem_cache_shrink(m, id);
	kmem_cache_free(m, id, p); // its slab is gone
	CHECK_EQ(ac_of(m, id, 0)->avail, 0);
	check(m);
}

int main(void)
{
	RUN(geometry);
	RUN(geometry_of_a_small_machine);
	RUN(geometry_is_refused);
	RUN(geometry_debug);
	RUN(general_caches);
	RUN(sizes_of_builds);
	RUN(models_differ_in_the_largest);
	RUN(limits_follow_the_cpus);
	RUN(first_refill_takes_sixteen);
	RUN(first_pointers);
	RUN(allocations_tell_their_steps);
	RUN(last_in_first_out);
	RUN(slabs_take_turns_in_colour);
	RUN(kmalloc_picks_the_cache);
	RUN(kmalloc_edges);
	RUN(dma_objects_lie_low);
	RUN(no_memory);
	RUN(reaping_ages_arrays);
	RUN(reaping_frees_slabs);
	RUN(reaping_goes_round);
	RUN(free_slabs_stay_below_the_limit);
	RUN(other_cpus_share);
	RUN(shared_room_is_short);
	RUN(a_new_slab_goes_last);
	RUN(nested_slabs_die_first);
	RUN(destroying);
	RUN(site_caches_know_their_stack);
	RUN(tuning);
	RUN(slabinfo_text);
	RUN(misuse_is_refused);
	box_free(&box);
	return DONE();
}
