// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Threads on several CPUs of one machine: objects cross CPUs, caches come and go with the machine
// stopped, and the records of all rings, merged, rebuild the same machine.
#include "core/fold.h"
#include "harness.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

enum {
	CPUS = 3,
	SLOTS = 512,
	TURNS = 30000
};

struct ring {
	struct record *records;
	size_t len, cap;
};

static pthread_mutex_t cpu_lock[CPUS], locks[NR_LOCKS];
static struct ring rings[CPUS];
static struct machine handle[CPUS], twin;
static _Atomic uint32_t slots[SLOTS]; // objects anyone may free; 0 empty
static uint32_t barriers;
static struct machine_config cfg;

static void ring_put(struct ring *ring, const struct record *r)
{
	if (ring->len == ring->cap) {
		ring->cap = ring->cap ? 2 * ring->cap : 4096;
		ring->records = realloc(ring->records, ring->cap * sizeof(*r));
	}
	ring->records[ring->len++] = *r;
}

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
	ring_put(&rings[m->cpu], r);
}

// In every ring, all CPUs' locks held: nothing is applied across it.
static void put_barrier(void)
{
	handle[0].s->barrier = ++barriers;
	for (unsigned i = 0; i < CPUS; i++) {
		struct record r = {.kind = EV_BARRIER, .cpu = (uint8_t)(i & 15), .arg = {barriers}};
		ring_put(&rings[i], &r);
	}
}

static void op_stop(struct machine *m)
{
	pthread_mutex_unlock(&cpu_lock[m->cpu]);
	for (unsigned i = 0; i < CPUS; i++)
		pthread_mutex_lock(&cpu_lock[i]);
	put_barrier();
}

static void op_restart(struct machine *m)
{
	put_barrier();
	for (unsigned i = 0; i < CPUS; i++)
		if (i != m->cpu)
			pthread_mutex_unlock(&cpu_lock[i]);
}

static const struct machine_ops ops = {
	.lock = op_lock,
	.unlock = op_unlock,
	.record = op_record,
	.stop_machine = op_stop,
	.restart_machine = op_restart,
};

static uint32_t rnd(uint32_t *state, uint32_t n)
{
	*state = *state * 1664525 + 1013904223;
	return (uint32_t)(((uint64_t)(*state >> 4) * n) >> 28);
}

static void cache_turn(struct machine *m, uint32_t *rng, unsigned turn)
{
	char name[CACHE_NAME_LEN];

	snprintf(name, sizeof(name), "t%u-%u", m->cpu, turn);
	unsigned id = kmem_cache_create(m, name, 16 + rnd(rng, 1000), 16, 0);
	kaddr_t obj = kmem_cache_alloc(m, id, GFP_KERNEL);
	kmem_cache_tune(m, id, 1 + rnd(rng, 60), 1, rnd(rng, 9));
	kmem_cache_free(m, id, obj);
	kmem_cache_destroy(m, id);
	kmem_cache_shrink(m, m->s->slab.size_cache[rnd(rng, 8)]);
}

static void *worker(void *arg)
{
	struct machine *m = arg;
	uint32_t rng = 77 + m->cpu;

	for (unsigned turn = 1; turn <= TURNS; turn++) {
		unsigned slot = rnd(&rng, SLOTS);
		pthread_mutex_lock(&cpu_lock[m->cpu]);
		if (!rnd(&rng, 700))
			cache_turn(m, &rng, turn);
		else if (!rnd(&rng, 300))
			cache_reap(m, turn * 20000000ull);
		else
			kfree(m, atomic_exchange(
					 &slots[slot],
					 rnd(&rng, 2) ? kmalloc(m, 1 + rnd(&rng, 3000), GFP_KERNEL)
						      : 0));
		pthread_mutex_unlock(&cpu_lock[m->cpu]);
	}
	return NULL;
}

static void *boot_one(struct machine *m, const struct machine_ops *with)
{
	const char *why;
	size_t size = machine_size(&cfg);
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(memory != MAP_FAILED);
	CHECK_EQ(machine_boot(m, memory, &cfg, &why), 0);
	CHECK_EQ(machine_attach(m, memory, size, m->cpu, with, NULL), 0);
	return memory;
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
	CHECK_EQ(applied + (size_t)barriers * CPUS, made);
}

static void merged_rings_rebuild_the_machine(void)
{
	char why[200] = "", where[80] = "";

	machine_config_default(&cfg, MODEL_CLASSIC, 64ull << 20, CPUS);
	void *memory = boot_one(&handle[0], &ops);
	for (unsigned i = 1; i < CPUS; i++)
		CHECK_EQ(machine_attach(&handle[i], memory, machine_size(&cfg), i, &ops, NULL), 0);
	boot_one(&twin, &machine_ops_none);
	run_threads();
	slab_check(&handle[0], why, sizeof(why));
	CHECK_STR(why, "");
	fold_rings();
	int64_t at = machine_compare(&handle[0], &twin);
	if (at >= 0)
		machine_describe_offset(&twin, (size_t)at, where, sizeof(where));
	CHECK_STR(where, "");
}

int main(void)
{
	RUN(merged_rings_rebuild_the_machine);
	return DONE();
}
