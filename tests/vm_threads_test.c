// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Threads on several CPUs map, grow and unmap in one machine and free what others made; the
// records of all rings, merged, rebuild the same machine.
#include "core/fold.h"
#include "harness.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

enum {
	CPUS = 3,
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

struct ring {
	struct record *records;
	size_t len, cap;
};

static pthread_mutex_t cpu_lock[CPUS], locks[NR_LOCKS];
static struct ring rings[CPUS];
static struct machine handle[CPUS], twin;
static _Atomic(struct thing *) slots[SLOTS];
static _Atomic unsigned errors;
static struct machine_config cfg;

static void op_lock(struct machine *m, unsigned lock)
{
	(void)m;
	pthread_mutex_lock(&locks[lock]);
}

static void op_unlock(struct machine *m, unsigned lock)
{
	(void)m;
	pthread_mutex_unlock(&locks[lock]);
}

static void op_record(struct machine *m, const struct record *r)
{
	struct ring *ring = &rings[m->cpu];

	if (ring->len == ring->cap) {
		ring->cap = ring->cap ? 2 * ring->cap : 4096;
		ring->records = realloc(ring->records, ring->cap * sizeof(*r));
	}
	ring->records[ring->len++] = *r;
}

static const struct machine_ops ops = {.lock = op_lock, .unlock = op_unlock, .record = op_record};

static uint32_t rnd(uint32_t *state, uint32_t n)
{
	*state = *state * 1664525 + 1013904223;
	return (uint32_t)(((uint64_t)(*state >> 4) * n) >> 28);
}

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

static void boot_one(struct machine *m)
{
	const char *why;
	size_t size = machine_size(&cfg);
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(memory != MAP_FAILED);
	CHECK_EQ(machine_boot(m, memory, &cfg, &why), 0);
}

static void run_threads(void)
{
	pthread_t thread[CPUS];

	for (unsigned i = 0; i < NR_LOCKS; i++)
		pthread_mutex_init(&locks[i], NULL);
	for (unsigned i = 0; i < CPUS; i++)
		pthread_mutex_init(&cpu_lock[i], NULL);
	for (unsigned i = 0; i < CPUS; i++)
		CHECK_EQ(pthread_create(&thread[i], NULL, worker, &handle[i]), 0);
	for (unsigned i = 0; i < CPUS; i++)
		pthread_join(thread[i], NULL);
}

static void fold_rings(void)
{
	struct merge g = {.m = &twin, .nrings = CPUS};
	size_t applied = 0, made = 0;
	int ring;

	for (unsigned i = 0; i < CPUS; i++) {
		g.ring[i].next = rings[i].records;
		g.ring[i].end = rings[i].records + rings[i].len;
		g.ring[i].ended = true;
		made += rings[i].len;
	}
	while ((ring = merge_pick(&g)) >= 0) {
		const struct record *r = g.ring[ring].next++;
		int err = fold_apply(&twin, r);

		if (err)
			printf("# %s of CPU %d: %x %x %x %x\n", event_name(r->kind), ring,
			       r->arg[0], r->arg[1], r->arg[2], r->arg[3]);
		CHECK_EQ(err, 0);
		applied++;
	}
	CHECK_EQ(ring, MERGE_DONE);
	CHECK_EQ(applied, made);
	CHECK(made > TURNS);
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
	char where[80] = "";
	int64_t at;

	machine_config_default(&cfg, MODEL_CLASSIC, 1024ull << 20, CPUS);
	boot_one(&handle[0]);
	for (unsigned i = 0; i < CPUS; i++)
		CHECK_EQ(machine_attach(&handle[i], handle[0].s, machine_size(&cfg), i, &ops, NULL),
			 0);
	boot_one(&twin);
	run_threads();
	CHECK_EQ(errors, 0);
	check_machine(&handle[0]);
	fold_rings();
	at = machine_compare(&handle[0], &twin);
	if (at >= 0)
		machine_describe_offset(&twin, (size_t)at, where, sizeof(where));
	CHECK_STR(where, "");
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
