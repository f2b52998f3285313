// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Threads on several CPUs map, grow and unmap in one machine and free what others made; the
// records of all rings, merged, rebuild the same machine.
#include "threads.h"

#include <stdatomic.h>

enum {
	SLOTS = 96,
	TURNS = 12000,
	MAX_PAGES = 40
};

struct thing { // something mapped; whoever takes it out of its slot owns it
	enum {
		VMALLOC,
		IOREMAP,
		VMAP,
		RAM,
		KMAP,
		STACK,
		PERCPU,
		KINDS
	} kind;
	kaddr_t addr;
	uint32_t pages;
	pfn_t pfn[MAX_PAGES];
};

static _Atomic(struct thing *) slots[SLOTS];
static _Atomic unsigned errors;

static kaddr_t map(struct machine *m, struct thing *t)
{
	switch (t->kind) {
	case VMALLOC:
		return vmalloc(m, t->pages * 5000);
	case IOREMAP:
		return ioremap(m, 0xE0000000, t->pages * 1000);
	case VMAP:
		return vmap(m, t->pfn, t->pages);
	case RAM:
		return vm_map_ram(m, t->pfn, t->pages);
	case KMAP:
		return kmap(m, t->pfn[0]);
	case PERCPU:
		return alloc_percpu(m, t->pages * 700, 8);
	default:
		return alloc_kernel_stack(m);
	}
}

static struct thing *make(struct machine *m, uint32_t *rng)
{
	struct thing *t = malloc(sizeof(*t));
	bool frames;

	t->kind = rnd(rng, KINDS);
	t->pages = t->kind == KMAP ? 1 : 1 + rnd(rng, MAX_PAGES);
	frames = t->kind == VMAP || t->kind == RAM || t->kind == KMAP;
	if (frames)
		t->pages = alloc_pages_bulk(m, GFP_HIGHUSER, t->pages, t->pfn);
	t->addr = map(m, t);
	if (t->addr)
		return t;
	if (frames)
		free_pages_bulk(m, t->pfn, t->pages);
	free(t);
	return NULL;
}

static int unmap(struct machine *m, struct thing *t)
{
	switch (t->kind) {
	case VMALLOC:
		return vfree(m, t->addr);
	case IOREMAP:
		return iounmap(m, t->addr);
	case VMAP:
		return vunmap(m, t->addr);
	case RAM:
		return vm_unmap_ram(m, t->addr, t->pages);
	case KMAP:
		return kunmap(m, t->pfn[0]);
	case PERCPU:
		return free_percpu(m, t->addr);
	default:
		return free_kernel_stack(m, t->addr);
	}
}

static void discard(struct machine *m, struct thing *t)
{
	if (!t)
		return;
	if (unmap(m, t))
		errors++;
	if (t->kind == VMAP || t->kind == RAM || t->kind == KMAP)
		free_pages_bulk(m, t->pfn, t->pages);
	free(t);
}

static void disturb(struct machine *m, struct thing *t, uint32_t *rng)
{
	kaddr_t a;

	if (t && t->kind == VMALLOC)
		vmalloc_grow(m, t->addr, t->pages * 5000 + rnd(rng, 20000),
			     GFP_KERNEL | __GFP_HIGHMEM);
	if (t && t->kind == VMALLOC && t->pages > 3)
		errors += vunmap_partial(m, t->addr + 4096, 2) != 0;
	if (t && t->kind == KMAP) {
		a = kmap_atomic(m, t->pfn[0]);
		errors += page_address(m, t->pfn[0]) != t->addr;
		errors += kunmap_atomic(m, a) != 0;
	}
	if (!rnd(rng, 50))
		vm_unmap_aliases(m);
	if (!rnd(rng, 50))
		kmap_flush_unused(m);
	if (!rnd(rng, 20))
		pcpu_reclaim(m);
}

static void *worker(void *arg)
{
	struct machine *m = arg;
	uint32_t rng = 5 + m->cpu;

	for (unsigned turn = 0; turn < TURNS; turn++) {
		_Atomic(struct thing *) *slot = &slots[rnd(&rng, SLOTS)];
		struct thing *t = NULL;

		pthread_mutex_lock(&cpu_lock[m->cpu]);
		if (rnd(&rng, 3) == 0) {
			t = atomic_exchange(slot, NULL);
			disturb(m, t, &rng);
		} else if (rnd(&rng, 2)) {
			t = make(m, &rng);
		}
		discard(m, atomic_exchange(slot, t));
		pthread_mutex_unlock(&cpu_lock[m->cpu]);
	}
	return NULL;
}

static void check_machine(struct machine *m)
{
	char why[256] = "";

	if (!vmalloc_check(m, why, sizeof(why)) && !kmap_check(m, why, sizeof(why)))
		pcpu_check(m, why, sizeof(why));
	CHECK_STR(why, "");
}

static void test_merged_rings_rebuild_the_machine(void)
{
	boot_machines(1024ull << 20);
	run_threads(worker);
	CHECK_EQ(errors, 0);
	check_machine(&handle[0]);
	fold_rings();
	twin_is_the_same();
	for (unsigned i = 0; i < SLOTS; i++)
		discard(&handle[i % CPUS], slots[i]);
	pcpu_reclaim(&handle[0]); // keeps one chunk
	vm_unmap_aliases(&handle[0]);
	CHECK_EQ(errors, 0);
	CHECK(handle[0].s->vmalloc.nr_areas <= 1);
	CHECK_EQ(handle[0].s->kmap.in_use, 0);
	check_machine(&handle[0]);
}

int main(void)
{
	RUN(test_merged_rings_rebuild_the_machine);
	return DONE();
}
