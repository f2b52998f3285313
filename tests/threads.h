// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Threads on the CPUs of one machine, a ring of records each, and the twin that the merged rings rebuild.
#pragma once

#include "core/fold.h"
#include "harness.h"

#include <pthread.h>
#include <sys/mman.h>

enum {
	CPUS = 3
};

struct ring {
	struct record *records;
	size_t len, cap;
};

static pthread_mutex_t cpu_lock[CPUS], locks[NR_LOCKS];
static struct ring rings[CPUS];
static struct machine handle[CPUS], twin;
static uint32_t barriers; // in every ring
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

// handle[0] on memory of its own, the others on the same, and a twin that nobody works on.
static void boot_machines(uint64_t ram)
{
	struct machine *booted[] = {&handle[0], &twin};
	const char *why;

	machine_config_default(&cfg, MODEL_CLASSIC, ram, CPUS);
	for (unsigned i = 0; i < 2; i++) {
		void *memory = mmap(NULL, machine_size(&cfg), PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		CHECK(memory != MAP_FAILED);
		CHECK_EQ(machine_boot(booted[i], memory, &cfg, &why), 0);
	}
	for (unsigned i = 0; i < CPUS; i++)
		CHECK_EQ(machine_attach(&handle[i], handle[0].s, machine_size(&cfg), i, &ops, NULL),
			 0);
}

static void run_threads(void *(*worker)(void *))
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

static void twin_is_the_same(void)
{
	char where[80] = "";
	int64_t at = machine_compare(&handle[0], &twin);

	if (at >= 0)
		machine_describe_offset(&twin, (size_t)at, where, sizeof(where));
	CHECK_STR(where, "");
}
