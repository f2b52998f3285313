// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Ten million random calls of every mechanism on machines of many kinds. Throughout: the invariants
// hold, no frame is given out twice, nothing is called misuse, and the fold of the records equals
// the machine. In the end everything is freed and the free lists are what they were.
//   property_test [CALLS]
#include "core/fold.h"
#include "core/mempool.h"
#include "core/misuse.h"
#include "pages_machine.h"

#include <errno.h>

enum {
	SLOTS = 3000,
	RUN_PAGES = 48, // of the kinds that hold single frames
	OWN_CACHES = 12,
	CPUS = MAX_CPUS,
	ATOMIC_DEPTH = KM_TYPE_NR - 4, // the machine's own clearing and copying needs some
};

static struct machine Cpu[CPUS];
static uint64_t Rng, Calls, Wanted = 10000000;

static uint32_t rnd(uint32_t n)
{
	Rng ^= Rng << 13;
	Rng ^= Rng >> 7;
	Rng ^= Rng << 17;
	return (uint32_t)(((Rng >> 32) * n) >> 32);
}

// ---- what is recorded is folded at once ----

static void fold_record(struct machine *m, const struct record *r)
{
	(void)m;
	CHECK_EQ(fold_apply(&Twin, r), 0);
}

static void no_misuse(struct machine *m, const struct trace_event *t)
{
	(void)m;
	if (t->kind == EV_T_MISUSE)
		printf("# misuse at %08x: %s\n", t->addr, misuse_message(t->value));
	CHECK(t->kind != EV_T_MISUSE);
}

static const struct machine_ops folding = {.record = fold_record, .trace = no_misuse};

static void all_is_well(void)
{
	int64_t at;

	check_sane();
	at = machine_compare(&M, &Twin);
	if (at >= 0) {
		char where[80];

		machine_describe_offset(&M, (size_t)at, where, sizeof(where));
		printf("# the fold differs at %s\n", where);
	}
	CHECK_EQ(at, -1);
}

// ---- who has which frame ----

static uint8_t *Owned; // by pfn

static void own(pfn_t pfn, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		CHECK(!Owned[pfn + i]++);
}

static void disown(pfn_t pfn, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		CHECK_EQ(Owned[pfn + i]--, 1);
}

// ---- things that can be held ----

enum kind {
	NOTHING,
	OBJECT, // kmalloc
	OWN,	// of a cache of ours
	BLOCK,	// alloc_pages
	EXACT,	// alloc_pages_exact
	WINDOW, // a page with kmap
	AREA,	// vmalloc
	MAPPED, // frames with vmap
	RAM,	// frames with vm_map_ram
	DEVICE, // ioremap
	CACHE,	// page cache
	STACK,	// kernel stack
	PERCPU,
	KINDS
};

struct held {
	enum kind kind;
	kaddr_t addr;
	uint32_t size, flags; // bytes, order, frames or cache: by kind
	pfn_t pfn[RUN_PAGES];
};

static struct held Held[SLOTS];
static unsigned Live_percpu;
static unsigned Own_cache[OWN_CACHES], Own_live[OWN_CACHES];
static kaddr_t Atomic[CPUS][ATOMIC_DEPTH];
static unsigned Atomic_depth[CPUS];

static uint32_t some_size(void)
{
	switch (rnd(16)) {
	case 0:
		return 1 + rnd(200000);
	case 1:
	case 2:
		return 1 + rnd(8192);
	default:
		return 1 + rnd(500);
	}
}

static gfp_t some_gfp(bool highmem)
{
	static const gfp_t gfps[] = {GFP_KERNEL,    GFP_KERNEL,	  GFP_ATOMIC,
				     GFP_TEMPORARY, GFP_NOWAIT,	  GFP_KERNEL | GFP_DMA,
				     GFP_HIGHUSER,  GFP_HIGHUSER, GFP_HIGHUSER_MOVABLE};

	return gfps[rnd(highmem ? 9 : 6)] | (rnd(8) ? 0 : __GFP_ZERO) | (rnd(16) ? 0 : __GFP_COLD);
}

static bool take_object(struct machine *m, struct held *h)
{
	gfp_t gfp = some_gfp(false) & ~(gfp_t)__GFP_COLD;

	h->size = some_size();
	h->addr = kmalloc(m, h->size, gfp);
	if (h->addr) {
		CHECK(ksize(m, h->addr) >= h->size);
		CHECK(!Owned[lowmem_pfn(m, h->addr)]);
	}
	return h->addr;
}

static bool take_own(struct machine *m, struct held *h)
{
	unsigned i = rnd(OWN_CACHES);

	if (!Own_cache[i])
		return false;
	h->size = i;
	h->addr = kmem_cache_alloc(m, Own_cache[i], rnd(4) ? GFP_KERNEL : GFP_ATOMIC);
	Own_live[i] += h->addr != 0;
	return h->addr;
}

static bool take_block(struct machine *m, struct held *h)
{
	gfp_t gfp = some_gfp(true);

	h->size = rnd(3) ? 0 : rnd(rnd(8) ? 4 : MAX_ORDER);
	h->flags = gfp | (h->size && rnd(4) == 0 ? __GFP_COMP : 0);
	h->pfn[0] = alloc_pages(m, h->flags, h->size);
	if (h->pfn[0]) {
		CHECK_EQ(h->pfn[0] & ((1u << h->size) - 1), 0);
		own(h->pfn[0], 1u << h->size);
	}
	return h->pfn[0];
}

static bool take_exact(struct machine *m, struct held *h)
{
	h->size = 1 + rnd(100000);
	h->addr = alloc_pages_exact(m, h->size, GFP_KERNEL);
	if (h->addr)
		own(lowmem_pfn(m, h->addr), (h->size + 4095) / 4096);
	return h->addr;
}

static bool take_window(struct machine *m, struct held *h)
{
	h->pfn[0] = alloc_pages(m, GFP_HIGHUSER | (rnd(2) ? __GFP_ZERO : 0), 0);
	if (!h->pfn[0])
		return false;
	own(h->pfn[0], 1);
	if (kmap_wait(m, h->pfn[0], 1 + rnd(5), &h->addr) && rnd(2)) // all windows are in use
		kmap_wait_end(m, 1 + rnd(5));
	return true;
}

static bool take_area(struct machine *m, struct held *h)
{
	h->size = rnd(20) ? 1 + rnd(60000) : 1 + rnd(6 << 20);
	h->addr = __vmalloc(m, h->size,
			    GFP_KERNEL | __GFP_HIGHMEM | (rnd(4) ? 0 : (gfp_t)__GFP_ZERO));
	if (!h->addr)
		return false;
	h->size = (h->size + 4095) / 4096;
	for (uint32_t i = 0; i < h->size; i++)
		own(vmalloc_to_pfn(m, h->addr + i * 4096), 1);
	return true;
}

// Frames, and a place for them.
static bool take_mapping(struct machine *m, struct held *h)
{
	h->size = 1 + rnd(RUN_PAGES);
	uint32_t got = alloc_pages_bulk(m, GFP_HIGHUSER, h->size, h->pfn);
	h->addr = got < h->size	      ? 0
		  : h->kind == MAPPED ? vmap(m, h->pfn, got)
				      : vm_map_ram(m, h->pfn, got);
	if (!h->addr) {
		free_pages_bulk(m, h->pfn, got);
		return false;
	}
	for (uint32_t i = 0; i < got; i++)
		own(h->pfn[i], 1);
	return true;
}

static bool take(struct machine *m, struct held *h)
{
	switch (h->kind) {
	case OBJECT:
		return take_object(m, h);
	case OWN:
		return take_own(m, h);
	case BLOCK:
		return take_block(m, h);
	case EXACT:
		return take_exact(m, h);
	case WINDOW:
		return take_window(m, h);
	case AREA:
		return take_area(m, h);
	case MAPPED:
	case RAM:
		return take_mapping(m, h);
	case DEVICE:
		return (h->addr = ioremap(m, 0xF0000000u + rnd(1 << 24), 1 + rnd(70000)));
	case CACHE:
		return (h->size = page_cache_add(m, 1 + rnd(RUN_PAGES), h->pfn));
	case STACK:
		return (h->addr = alloc_kernel_stack(m));
	default: // few, so that they fit in the chunk there was at boot
		if (Live_percpu > 20)
			return false;
		h->addr = alloc_percpu(m, 4 << rnd(5), 4u << rnd(3));
		Live_percpu += h->addr != 0;
		return h->addr;
	}
}

static void drop_block(struct machine *m, struct held *h)
{
	if (h->kind == WINDOW && h->addr && h->pfn[0] >= M.s->max_low_pfn)
		CHECK_EQ(kunmap(m, h->pfn[0]), 0);
	uint32_t order = h->kind == BLOCK ? h->size : 0;
	disown(h->pfn[0], 1u << order);
	if (order && !(h->flags & __GFP_COMP) && rnd(3) == 0) { // piece by piece
		split_page(m, h->pfn[0], order);
		for (uint32_t i = 0; i < 1u << order; i++)
			__free_pages(m, h->pfn[0] + i, 0);
	} else if (!order && rnd(4) == 0) {
		free_hot_cold_page(m, h->pfn[0], true);
	} else {
		__free_pages(m, h->pfn[0], order);
	}
}

static void drop_area(struct machine *m, struct held *h)
{
	for (uint32_t i = 0; i < h->size; i++)
		if (vmalloc_to_pfn(m, h->addr + i * 4096))
			disown(vmalloc_to_pfn(m, h->addr + i * 4096), 1);
	CHECK_EQ(vfree(m, h->addr), 0);
}

static void drop_mapping(struct machine *m, struct held *h)
{
	CHECK_EQ(h->kind == MAPPED ? vunmap(m, h->addr) : vm_unmap_ram(m, h->addr, h->size), 0);
	for (uint32_t i = 0; i < h->size; i++)
		disown(h->pfn[i], 1);
	free_pages_bulk(m, h->pfn, h->size);
}

static void drop(struct machine *m, struct held *h)
{
	switch (h->kind) {
	case OBJECT:
		kfree(m, h->addr);
		break;
	case OWN:
		kmem_cache_free(m, Own_cache[h->size], h->addr);
		Own_live[h->size]--;
		break;
	case BLOCK:
	case WINDOW:
		drop_block(m, h);
		break;
	case EXACT:
		disown(lowmem_pfn(m, h->addr), (h->size + 4095) / 4096);
		free_pages_exact(m, h->addr, h->size);
		break;
	case AREA:
		drop_area(m, h);
		break;
	case MAPPED:
	case RAM:
		drop_mapping(m, h);
		break;
	case DEVICE:
		CHECK_EQ(iounmap(m, h->addr), 0);
		break;
	case CACHE:
		page_cache_remove(m, h->pfn, h->size);
		break;
	case STACK:
		CHECK_EQ(free_kernel_stack(m, h->addr), 0);
		break;
	default:
		CHECK_EQ(free_percpu(m, h->addr), 0);
		Live_percpu--;
	}
	h->kind = NOTHING;
}

// ---- changing what is held ----

static void change_object(struct machine *m, struct held *h)
{
	uint32_t size = some_size();
	kaddr_t moved = krealloc(m, h->addr, size, GFP_KERNEL);

	if (!moved)
		return;
	h->addr = moved;
	h->size = size;
}

// Part of an area goes, or it grows into what follows.
static void change_area(struct machine *m, struct held *h)
{
	uint32_t first = rnd(h->size), n = 1 + rnd(h->size - first), more = h->size + 1 + rnd(30);

	if (rnd(2)) {
		if (vmalloc_grow(m, h->addr, more * 4096ull, GFP_KERNEL | __GFP_HIGHMEM))
			return;
		for (uint32_t i = h->size; i < more; i++)
			own(vmalloc_to_pfn(m, h->addr + i * 4096), 1);
		h->size = more;
		return;
	}
	for (uint32_t i = first; i < first + n; i++)
		if (vmalloc_to_pfn(m, h->addr + i * 4096))
			disown(vmalloc_to_pfn(m, h->addr + i * 4096), 1);
	int gone = vunmap_partial(m, h->addr + first * 4096, n);
	CHECK(gone == 0 || gone == 1);
	if (gone)
		h->kind = NOTHING;
}

static void change_pages(struct machine *m, struct held *h)
{
	uint32_t n = h->kind == BLOCK ? 1u << h->size : 1;

	if (rnd(2)) {
		clear_highpages(m, h->pfn[0], n, 1);
	} else {
		set_page_run_flags(m, h->pfn[0], 1, 1u << PG_mlocked, 0);
		set_page_run_flags(m, h->pfn[0], 1, 0, 1u << PG_mlocked);
	}
}

static void change(struct machine *m, struct held *h)
{
	switch (h->kind) {
	case OBJECT:
		change_object(m, h);
		break;
	case AREA:
		change_area(m, h);
		break;
	case BLOCK:
		change_pages(m, h);
		break;
	default: // others do not change
		drop(m, h);
	}
}

// ---- windows of a CPU ----

static void atomic_windows(struct machine *m)
{
	unsigned *depth = &Atomic_depth[m->cpu];

	if (*depth && (*depth == ATOMIC_DEPTH || rnd(2))) {
		CHECK_EQ(kunmap_atomic(m, Atomic[m->cpu][--*depth]), 0);
		return;
	}
	kaddr_t addr = kmap_atomic(m, 1 + rnd(M.s->max_pfn - 1));
	CHECK(addr);
	Atomic[m->cpu][(*depth)++] = addr;
}

// ---- rare calls ----

static void own_caches(struct machine *m)
{
	static unsigned made;
	unsigned i = rnd(OWN_CACHES);
	char name[CACHE_NAME_LEN];

	if (!Own_cache[i]) {
		snprintf(name, sizeof(name), "own-%u", made++);
		Own_cache[i] = kmem_cache_create(
			m, name, 4 + rnd(rnd(3) ? 300 : 9000), rnd(2) ? 0 : 8u << rnd(5),
			rnd(2) ? SLAB_HWCACHE_ALIGN : (uint32_t)SLAB_RECLAIM_ACCOUNT);
		Own_live[i] = 0;
	} else if (rnd(2)) {
		kmem_cache_tune(m, Own_cache[i], 1 + rnd(200), 1, rnd(9));
	} else if (!Own_live[i]) {
		CHECK_EQ(kmem_cache_destroy(m, Own_cache[i]), 0);
		Own_cache[i] = 0;
	} else {
		kmem_cache_shrink(m, Own_cache[i]);
	}
}

static void sysctls(struct machine *m)
{
	switch (rnd(3)) {
	case 0:
		set_min_free_kbytes(m, 128 + rnd(4000));
		break;
	case 1:
		set_percpu_pagelist_fraction(m, rnd(2) ? 0 : 8 + rnd(100));
		break;
	default:
		set_lowmem_reserve_ratio(m, rnd(3), 1 + rnd(300));
	}
}

// The process comes, touches what there is of the vmalloc space, and goes.
static void process(struct machine *m)
{
	kaddr_t start = M.s->vmalloc.start, space = M.s->vmalloc.end - start;

	if (!M.s->mm.pgd_pfn)
		mm_begin(m);
	else if (rnd(4))
		mm_touch(m, start + rnd(space / 2), 1 + rnd(space / 2));
	else
		mm_end(m);
}

static void rare(struct machine *m)
{
	static uint64_t now;

	switch (rnd(16)) {
	case 0:
		sysctls(m);
		break;
	case 1:
		drain_all_pages(m);
		break;
	case 2:
		vm_unmap_aliases(m);
		break;
	case 3:
		kmap_flush_unused(m);
		break;
	case 4:
		process(m);
		break;
	case 5:
		vmstat_fold(m);
		break;
	case 6:
		kmem_cache_shrink(m, M.s->slab.size_cache[rnd(M.s->slab.nr_sizes)]);
		break;
	case 7:
	case 8:
	case 9:
	case 10:
		own_caches(m);
		break;
	default:
		cache_reap(m, now += rnd(3) * 1000000000ull);
	}
}

// ---- a story ----

// What was asked for, and what of it the machine could not give.
static uint64_t Asked[KINDS], Refused[KINDS];

static void fill(struct machine *m, struct held *h, enum kind kind)
{
	h->kind = kind;
	Asked[kind]++;
	if (!take(m, h)) {
		h->kind = NOTHING;
		Refused[kind]++;
	}
}

static enum kind some_kind(void)
{
	static const uint8_t others[32] = {
		BLOCK, BLOCK, BLOCK,  BLOCK,  BLOCK,  BLOCK, BLOCK,  BLOCK, BLOCK, BLOCK,  BLOCK,
		OWN,   OWN,   OWN,    OWN,    OWN,    OWN,   OWN,    OWN,   OWN,   OWN,	   EXACT,
		AREA,  AREA,  WINDOW, WINDOW, MAPPED, RAM,   DEVICE, CACHE, STACK, PERCPU,
	};

	return rnd(2) ? OBJECT : (enum kind)others[rnd(32)];
}

// Tides: for a while slots are filled and rarely emptied, then the other way round, so that memory
// runs short and long runs of frames come back.
static void call(uint64_t n)
{
	struct machine *m = &Cpu[rnd(M.s->cfg.ncpus)];
	struct held *h = &Held[rnd(SLOTS)];
	bool flood = n / 30000 % 2 == 0;

	if (rnd(2000) == 0) {
		rare(m);
	} else if (rnd(50) == 0) {
		atomic_windows(m);
	} else if (h->kind && flood && rnd(3)) {
		change(m, h);
	} else if (h->kind) {
		drop(m, h);
	} else {
		fill(m, h, some_kind());
		if (h->kind && !flood && rnd(3))
			drop(m, h); // short-lived
	}
}

static void release_everything(void)
{
	for (unsigned cpu = 0; cpu < M.s->cfg.ncpus; cpu++)
		while (Atomic_depth[cpu])
			CHECK_EQ(kunmap_atomic(&Cpu[cpu], Atomic[cpu][--Atomic_depth[cpu]]), 0);
	for (unsigned i = 0; i < SLOTS; i++)
		if (Held[i].kind)
			drop(&Cpu[rnd(M.s->cfg.ncpus)], &Held[i]);
	for (unsigned i = 0; i < OWN_CACHES; i++)
		if (Own_cache[i])
			CHECK_EQ(kmem_cache_destroy(&Cpu[0], Own_cache[i]), 0);
	memset(Own_cache, 0, sizeof(Own_cache));
	if (M.s->mm.pgd_pfn)
		mm_end(&Cpu[0]);
}

// What policy keeps is given up: lists of CPUs, free slabs, lazily freed ranges.
static void settle(uint32_t free[MAX_NR_ZONES][MAX_ORDER])
{
	kmap_flush_unused(&Cpu[0]);
	vm_unmap_aliases(&Cpu[0]);
	for (unsigned id = 0; id < 2 * MAX_CACHES;
	     id++) // descriptors of the first round go in the second
		if (M.caches[id % MAX_CACHES].used)
			kmem_cache_shrink(&Cpu[0], id % MAX_CACHES);
	drain_all_pages(&Cpu[0]);
	for (unsigned z = 0; z < MAX_NR_ZONES; z++)
		for (unsigned o = 0; o < MAX_ORDER; o++)
			free[z][o] = M.s->zone[z].free_area[o].nr_free;
}

static void start(const struct machine_config *cfg)
{
	Cfg = *cfg;
	boot_on(&M, cfg);
	boot_on(&Twin, cfg);
	for (unsigned cpu = 0; cpu < cfg->ncpus; cpu++)
		CHECK_EQ(machine_attach(&Cpu[cpu], M.s, M.s->size, cpu, &folding, NULL), 0);
	free(Owned);
	Owned = calloc(M.s->max_pfn, 1);
	CHECK(Owned);
	memset(Held, 0, sizeof(Held));
	memset(Atomic_depth, 0, sizeof(Atomic_depth));
	memset(Own_cache, 0, sizeof(Own_cache));
	Live_percpu = 0;
	// Page tables stay once they exist.
	CHECK_EQ(pgtable_populate(&Cpu[0], M.s->vmalloc.start,
				  M.s->vmalloc.end - M.s->vmalloc.start),
		 0);
}

static void story(const struct machine_config *cfg, uint64_t seed, uint64_t calls)
{
	static uint32_t before[MAX_NR_ZONES][MAX_ORDER], after[MAX_NR_ZONES][MAX_ORDER];

	Rng = seed * 0x9E3779B97F4A7C15ull | 1;
	start(cfg);
	settle(before);
	for (uint64_t n = 0; n < calls; n++) {
		call(n);
		if (n % (calls / 16 + 1) == 0)
			all_is_well();
	}
	Calls += calls;
	all_is_well();
	release_everything();
	settle(after);
	all_is_well();
	for (unsigned z = 0; z < MAX_NR_ZONES; z++)
		for (unsigned o = 0; o < MAX_ORDER; o++)
			CHECK_EQ(after[z][o], before[z][o]);
	CHECK_EQ(M.s->vmalloc.lazy_nr, 0);
	CHECK_EQ(M.s->kmap.in_use, 0);
}

static struct machine_config config_of(enum model model, uint64_t mib, unsigned ncpus)
{
	struct machine_config cfg;

	machine_config_default(&cfg, model, mib * MiB, ncpus);
	return cfg;
}

static void small_machines(void)
{
	struct machine_config cfg = config_of(MODEL_CLASSIC, 40, 1);

	story(&cfg, 1, Wanted / 10);
	cfg = config_of(MODEL_3_4, 64, 2);
	story(&cfg, 2, Wanted / 10);
	cfg = config_of(MODEL_CLASSIC, 100, 8);
	story(&cfg, 3, Wanted / 10);
}

static void up_builds(void)
{
	struct machine_config cfg = config_of(MODEL_3_4, 256, 1);

	cfg.smp = 0;
	story(&cfg, 4, Wanted / 10);
	cfg.nr_cpus = 1;
	cfg.cache_line = 32;
	story(&cfg, 5, Wanted / 20);
}

static void debug_builds(void)
{
	struct machine_config cfg = config_of(MODEL_3_4, 128, 3);

	cfg.slab_debug = 1;
	story(&cfg, 6, Wanted / 20);
}

static void other_splits(void)
{
	struct machine_config cfg = config_of(MODEL_3_4, 1024, 2);

	cfg.page_offset = 0x80000000;
	story(&cfg, 7, Wanted / 20);
	cfg = config_of(MODEL_CLASSIC, 1024, 4);
	cfg.vmalloc_bytes = 400 << 20;
	story(&cfg, 8, Wanted / 20);
}

static void machines_with_highmem(void)
{
	struct machine_config cfg = config_of(MODEL_CLASSIC, 1024, 4);

	story(&cfg, 9, Wanted / 10);
	cfg = config_of(MODEL_3_4, 920, 1);
	story(&cfg, 10, Wanted / 10);
	story(&cfg, 11, Wanted / 10);
	cfg = config_of(MODEL_3_4, 1100, 8);
	story(&cfg, 12, Wanted / 20);
}

static void the_largest_machine(void)
{
	struct machine_config cfg = config_of(MODEL_CLASSIC, 4096, 8);

	story(&cfg, 13, Wanted / 20);
}

static void enough_was_called(void)
{
	static const char *const names[KINDS] = {
		NULL,	      "kmalloc",      "kmem_cache", "alloc_pages", "alloc_pages_exact",
		"kmap",	      "vmalloc",      "vmap",	    "vm_map_ram",  "ioremap",
		"page cache", "kernel stack", "percpu"};

	printf("# %llu calls\n", (unsigned long long)Calls);
	for (unsigned k = 1; k < KINDS; k++) {
		printf("# %-17s %8llu asked for, %llu refused\n", names[k],
		       (unsigned long long)Asked[k], (unsigned long long)Refused[k]);
		CHECK(Asked[k] - Refused[k] >= Wanted / 2000);
	}
	CHECK(Calls >= Wanted);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		Wanted = strtoull(argv[1], NULL, 0);
	RUN(small_machines);
	RUN(up_builds);
	RUN(debug_builds);
	RUN(other_splits);
	RUN(machines_with_highmem);
	RUN(the_largest_machine);
	RUN(enough_was_called);
	free(Owned);
	return DONE();
}
