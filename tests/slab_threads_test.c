// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Threads on several CPUs of one machine: objects cross CPUs, caches come and go with the machine
// stopped, and the records of all rings, merged, rebuild the same machine.
#include "threads.h"

#include <stdatomic.h>

enum {
	SLOTS = 512,
	TURNS = 30000
};

static _Atomic uint32_t slots[SLOTS]; // objects anyone may free; 0 empty

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

static void merged_rings_rebuild_the_machine(void)
{
	char why[200] = "";

	boot_machines(64ull << 20);
	run_threads(worker);
	slab_check(&handle[0], why, sizeof(why));
	CHECK_STR(why, "");
	fold_rings();
	twin_is_the_same();
}

int main(void)
{
	RUN(merged_rings_rebuild_the_machine);
	return DONE();
}
