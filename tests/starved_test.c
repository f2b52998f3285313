// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Memory ends at every point of every call: with n frames left, for n = 0, 1, 2 ..., a call either
// succeeds and can be undone, or fails and has lost nothing.
#include "core/mempool.h"
#include "pages_machine.h"

#include <errno.h>

enum {
	FRAMES = 1 << 14,
	AT_HAND = 80
};

static pfn_t Hoard[FRAMES], At_hand[AT_HAND];
static uint32_t Hoarded;

// A machine that gives out its last frame: no marks, no reserve, one page at a time. The page
// tables of the low part of the vmalloc space are not there yet.
static void start(unsigned ncpus)
{
	machine_config_default(&Cfg, MODEL_3_4, 48 * MiB, ncpus);
	Cfg.min_free_kbytes = 0;
	for (int i = 0; i < 3; i++)
		Cfg.lowmem_reserve_ratio[i] = 1u << 30;
	boot_on(&M, &Cfg);
	Hoarded = 0;
	for (unsigned i = 0; i < AT_HAND; i++)
		At_hand[i] = alloc_pages(&M, GFP_KERNEL, 0);
	drain_all_pages(&M);
	for (unsigned zone = 0; zone < MAX_NR_ZONES; zone++)
		for (unsigned cpu = 0; cpu < ncpus; cpu++) {
			M.s->zone[zone].pageset[cpu].batch = 1;
			M.s->zone[zone].pageset[cpu].high = 0;
			M.s->zone[zone].pageset[cpu].stat_threshold = 0;
		}
}

static void hoard(void)
{
	pfn_t pfn;

	while ((pfn = alloc_pages(&M, GFP_KERNEL | __GFP_NOWARN, 0))) {
		CHECK(Hoarded < FRAMES);
		Hoard[Hoarded++] = pfn;
	}
}

static void release(uint32_t frames)
{
	while (frames-- && Hoarded)
		__free_pages(&M, Hoard[--Hoarded], 0);
}

// Frames that stay where they are by policy: page tables, and the pages of per-CPU chunks.
static uint32_t kept_frames(void)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < 1024; i++)
		n += M.s->pgd[i] && !(M.s->pgd[i] & _PAGE_PSE);
	for (unsigned id = PCPU_FIRST_CHUNK + 1; id < PCPU_CHUNKS; id++)
		if (M.s->percpu.chunk[id].base_addr)
			n += (uint32_t)__builtin_popcount(M.s->percpu.chunk[id].populated) *
			     M.s->cfg.ncpus;
	return n;
}

static uint32_t free_frames(void)
{
	uint32_t n = 0;

	vm_unmap_aliases(&M);
	pcpu_reclaim(&M);
	for (unsigned id = 0; id < 3 * MAX_CACHES; id++)
		if (M.caches[id % MAX_CACHES].used)
			kmem_cache_shrink(&M, id % MAX_CACHES);
	drain_all_pages(&M);
	for (unsigned zone = 0; zone < MAX_NR_ZONES; zone++)
		for (unsigned order = 0; order < MAX_ORDER; order++)
			n += M.s->zone[zone].free_area[order].nr_free << order;
	return n + kept_frames();
}

// Makes the call with more and more frames until it has succeeded three times in a row. False:
// it failed. undo gives back what the last success gave.
static void starve(bool (*call)(void), void (*undo)(void), uint32_t at_most)
{
	uint32_t before = free_frames(), successes = 0, failures = 0;

	for (uint32_t frames = 0; successes < 3 && frames <= at_most;
	     frames += frames < 40 ? 1 : 41) {
		hoard();
		release(frames);
		if (call()) {
			successes++;
			check_sane();
			undo();
		} else {
			failures++;
		}
		check_sane();
		release(Hoarded);
		CHECK_EQ(free_frames(), before);
	}
	CHECK_EQ(successes, 3);
	CHECK(failures > 0);
}

// ---- the calls ----

static kaddr_t Got;
static unsigned Cache;

static bool call_vmalloc(void)
{
	return (Got = vmalloc(&M, 5 << 20)); // its page array is vmalloc'ed too
}

static void undo_vmalloc(void)
{
	CHECK_EQ(vfree(&M, Got), 0);
}

static void vmalloc_starves(void)
{
	start(1);
	starve(call_vmalloc, undo_vmalloc, 1400);
}

static bool call_grow(void)
{
	Got = vmalloc(&M, 4096);
	if (!Got)
		return false;
	if (!vmalloc_grow(&M, Got, 6 << 20, GFP_KERNEL | __GFP_HIGHMEM))
		return true;
	CHECK_EQ(vm_area_usable(find_vm_area(&M, Got)), 4096);
	CHECK_EQ(vfree(&M, Got), 0);
	return false;
}

static void growing_starves(void)
{
	start(1);
	starve(call_grow, undo_vmalloc, 1700);
}

static bool call_vmap(void)
{
	return (Got = vmap(&M, At_hand, AT_HAND));
}

static void undo_vunmap(void)
{
	CHECK_EQ(vunmap(&M, Got), 0);
}

static void vmap_starves(void)
{
	start(1);
	starve(call_vmap, undo_vunmap, 50);
}

static bool call_map_ram(void)
{
	return (Got = vm_map_ram(&M, At_hand, 20));
}

static void undo_map_ram(void)
{
	CHECK_EQ(vm_unmap_ram(&M, Got, 20), 0);
}

static void map_ram_starves(void)
{
	start(1);
	starve(call_map_ram, undo_map_ram, 50);
}

static bool call_ioremap(void)
{
	return (Got = ioremap(&M, 0xF0000000, 9 << 20));
}

static void undo_ioremap(void)
{
	CHECK_EQ(iounmap(&M, Got), 0);
}

static void ioremap_starves(void)
{
	start(1);
	starve(call_ioremap, undo_ioremap, 50);
}

static uint32_t Areas[2];

// The first area finds the chunk that is kept, the second needs another one.
static bool call_percpu(void)
{
	for (unsigned i = 0; i < 2; i++)
		Areas[i] = alloc_percpu(&M, 32768, 4096);
	if (Areas[0] && Areas[1])
		return true;
	CHECK_EQ(free_percpu(&M, Areas[0]), 0);
	return false;
}

static void undo_percpu(void)
{
	CHECK_EQ(free_percpu(&M, Areas[0]), 0);
	CHECK_EQ(free_percpu(&M, Areas[1]), 0);
}

static void percpu_starves(void)
{
	start(4);
	CHECK(call_percpu());
	undo_percpu();
	starve(call_percpu, undo_percpu, 2000);
}

static kaddr_t Descriptors[200];
static unsigned Ndescriptors;

static void undo_object(void)
{
	if (Got)
		kmem_cache_free(&M, Cache, Got);
	while (Ndescriptors)
		kfree(&M, Descriptors[--Ndescriptors]);
}

// Room for a descriptor is used up first, so that it needs a frame too.
static bool call_object(void)
{
	unsigned from = M.caches[Cache].slabp_cache;

	while (M.caches[from].free_objects || ac_of(&M, from, 0)->avail) {
		CHECK(Ndescriptors < 200);
		Descriptors[Ndescriptors++] = kmem_cache_alloc(&M, from, GFP_KERNEL);
	}
	Got = kmem_cache_alloc(&M, Cache, GFP_KERNEL);
	if (!Got)
		undo_object();
	return Got;
}

static void slabs_starve(void)
{
	start(1);
	Cache = kmem_cache_create(&M, "descriptor elsewhere", 512, 0, 0);
	CHECK(Cache && M.caches[Cache].slabp_cache);
	starve(call_object, undo_object, 50);
}

static bool call_create(void)
{
	return (Cache = kmem_cache_create(&M, "late", 200, 0, 0));
}

static void undo_create(void)
{
	CHECK_EQ(kmem_cache_destroy(&M, Cache), 0);
}

// The descriptors' own slab is used up first.
static void creating_starves(void)
{
	start(1);
	while (kmem_cache_alloc(&M, CACHE_CACHE, GFP_KERNEL) &&
	       (M.caches[CACHE_CACHE].free_objects || ac_of(&M, CACHE_CACHE, 0)->avail))
		;
	starve(call_create, undo_create, 50);
}

static bool call_stack(void)
{
	return (Got = alloc_kernel_stack(&M));
}

static void undo_stack(void)
{
	CHECK_EQ(free_kernel_stack(&M, Got), 0);
}

static void stacks_starve(void)
{
	start(1);
	starve(call_stack, undo_stack, 200);
}

static bool call_process(void)
{
	return !mm_begin(&M);
}

static void undo_process(void)
{
	mm_end(&M);
}

static void processes_starve(void)
{
	start(1);
	starve(call_process, undo_process, 50);
}

static struct mempool Pool;

static bool call_mempool(void)
{
	return !mempool_create(&M, &Pool, 40, &mempool_pages, 0);
}

static void undo_mempool(void)
{
	mempool_destroy(&M, &Pool, &mempool_pages);
}

static void pools_starve(void)
{
	start(1);
	starve(call_mempool, undo_mempool, 400);
}

int main(void)
{
	RUN(vmalloc_starves);
	RUN(growing_starves);
	RUN(vmap_starves);
	RUN(map_ram_starves);
	RUN(ioremap_starves);
	RUN(percpu_starves);
	RUN(slabs_starve);
	RUN(creating_starves);
	RUN(stacks_starve);
	RUN(processes_starve);
	RUN(pools_starve);
	return DONE();
}
