// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Threads, one a CPU, take and free each other's pages; their rings rebuild the machine.
#include <pthread.h>
#include <stdatomic.h>

#include "core/fold.h"
#include "harness.h"
#include "pages_machine.h"

enum {
	CPUS = 3,
	SLOTS = 256,
	TURNS = 20000
};

static struct {
	struct record *records;
	size_t len, room;
} Ring[CPUS];
static pthread_mutex_t Cpu[CPUS], Lock[NR_LOCKS];
static struct machine Handle[CPUS];
static _Atomic uint64_t Slots[SLOTS]; // pfn << 8 | order + 1, or 0
static unsigned Barriers;

static void put(unsigned cpu, const struct record *r)
{
	if (Ring[cpu].len == Ring[cpu].room) {
		Ring[cpu].room = Ring[cpu].room ? 2 * Ring[cpu].room : 1 << 14;
		Ring[cpu].records = realloc(Ring[cpu].records, Ring[cpu].room * sizeof(*r));
	}
	Ring[cpu].records[Ring[cpu].len++] = *r;
}

static void op_lock(struct machine *m, unsigned lock)
{
	(void)m;
	pthread_mutex_lock(&Lock[lock]);
}

static void op_unlock(struct machine *m, unsigned lock)
{
	(void)m;
	pthread_mutex_unlock(&Lock[lock]);
}

static void op_record(struct machine *m, const struct record *r)
{
	put(m->cpu, r);
}

static void put_barrier(struct machine *m)
{
	struct record r = {.kind = EV_BARRIER, .arg = {++Barriers}};

	m->s->barrier = Barriers;
	for (unsigned cpu = 0; cpu < CPUS; cpu++) {
		r.cpu = cpu;
		put(cpu, &r);
	}
}

static void op_stop(struct machine *m)
{
	pthread_mutex_unlock(&Cpu[m->cpu]);
	for (unsigned cpu = 0; cpu < CPUS; cpu++)
		pthread_mutex_lock(&Cpu[cpu]);
	put_barrier(m);
}

static void op_restart(struct machine *m)
{
	put_barrier(m);
	for (unsigned cpu = 0; cpu < CPUS; cpu++)
		if (cpu != m->cpu)
			pthread_mutex_unlock(&Cpu[cpu]);
}

static const struct machine_ops ops = {.lock = op_lock,
				       .unlock = op_unlock,
				       .record = op_record,
				       .stop_machine = op_stop,
				       .restart_machine = op_restart};

static uint32_t rnd(uint32_t *state, uint32_t n)
{
	*state = *state * 1664525 + 1013904223;
	return ((uint64_t)*state * n) >> 32;
}

static void give_back(struct machine *m, uint64_t held)
{
	if (held)
		__free_pages(m, held >> 8, (held & 255) - 1);
}

static void *worker(void *arg)
{
	static const gfp_t gfps[] = {GFP_KERNEL, GFP_HIGHUSER, GFP_TEMPORARY, GFP_ATOMIC};
	struct machine *m = arg;
	uint32_t seed = m->cpu + 1;
	pfn_t cache[32];

	for (unsigned turn = 0; turn < TURNS; turn++) {
		unsigned slot = rnd(&seed, SLOTS), order = rnd(&seed, 3) ? 0 : rnd(&seed, 5);
		uint64_t mine = 0;

		pthread_mutex_lock(&Cpu[m->cpu]);
		if (rnd(&seed, 2)) {
			pfn_t pfn = alloc_pages(m, gfps[rnd(&seed, 4)], order);

			mine = pfn ? (uint64_t)pfn << 8 | (order + 1) : 0;
		}
		give_back(m, atomic_exchange(&Slots[slot], mine));
		if (!rnd(&seed, 200))
			page_cache_add(m, 32, cache);
		if (!rnd(&seed, 2000))
			drain_all_pages(m);
		pthread_mutex_unlock(&Cpu[m->cpu]);
	}
	return NULL;
}

static void fold_rings(void)
{
	struct merge g = {.m = &Twin, .nrings = CPUS};
	int ring;

	for (unsigned cpu = 0; cpu < CPUS; cpu++)
		g.ring[cpu] = (struct merge_ring){.next = Ring[cpu].records,
						  .end = Ring[cpu].records + Ring[cpu].len,
						  .ended = true};
	while ((ring = merge_pick(&g)) >= 0)
		CHECK_EQ(fold_apply(&Twin, g.ring[ring].next++), 0);
	CHECK_EQ(ring, MERGE_DONE);
}

// So small that the slots' pages and the page cache do not both fit.
static void threads_fold(void)
{
	pthread_t thread[CPUS];
	char where[128] = "";

	boot(MODEL_CLASSIC, 36 * MiB, CPUS);
	boot_on(&Twin, &Cfg);
	for (unsigned i = 0; i < NR_LOCKS; i++)
		pthread_mutex_init(&Lock[i], NULL);
	for (unsigned cpu = 0; cpu < CPUS; cpu++) {
		pthread_mutex_init(&Cpu[cpu], NULL);
		CHECK_EQ(machine_attach(&Handle[cpu], M.s, M.s->size, cpu, &ops, NULL), 0);
	}
	for (unsigned cpu = 0; cpu < CPUS; cpu++)
		CHECK_EQ(pthread_create(&thread[cpu], NULL, worker, &Handle[cpu]), 0);
	for (unsigned cpu = 0; cpu < CPUS; cpu++)
		pthread_join(thread[cpu], NULL);
	check_sane();
	fold_rings();
	int64_t at = machine_compare(&M, &Twin);
	if (at >= 0)
		machine_describe_offset(&M, at, where, sizeof(where));
	CHECK_STR(where, "");
}

int main(void)
{
	RUN(threads_fold);
	return DONE();
}
