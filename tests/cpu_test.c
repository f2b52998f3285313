// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The locks of the simulated CPUs (preload/cpu.h): many threads on few of them. What a lock protects
// are plain words here, so that a thread that should not have been let in is seen in their sums, and
// by ThreadSanitizer (tsan.sh).
#include "harness.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "../preload/cpu.h"
#include "../preload/entry.h"

enum {
	THREADS = 64,
	CPUS = 2,
	ROUNDS = 2000,
	LOCK = 1 // one of the inner locks
};

struct process process;
__thread struct thread thread_self __attribute__((tls_model("initial-exec")));

static uint64_t Taken[CPUS], Inner, Stops; // plain: each under its lock
static unsigned Torn;			   // sums that changed while the machine stood still

// What cpu.c asks of the library's other parts; nothing is recorded here.
bool undo_call(struct thread *t)
{
	(void)t;
	return true;
}

void arena_slab_record(const struct machine *m, const struct record *r)
{
	(void)m;
	(void)r;
}

void capture_record(struct machine *m, const struct record *r)
{
	(void)m;
	(void)r;
}

void capture_barrier(void)
{
}

static void start(void)
{
	process.ncpus = CPUS;
	for (unsigned i = 0; i < CPUS; i++)
		process.cpu[i] = (struct machine){.cpu = i, .ops = &preload_ops};
	cpu_init();
}

static void stop_and_look(struct machine *m)
{
	uint64_t before;

	preload_ops.stop_machine(m);
	before = Taken[0] + Taken[1];
	sched_yield();
	Torn += Taken[0] + Taken[1] != before;
	Stops++;
	preload_ops.restart_machine(m);
}

static void one_call(struct thread *t, unsigned round)
{
	unsigned cpu = cpu_take(t);

	Taken[cpu]++;
	if (round % 4 == 0) {
		preload_ops.lock(&process.cpu[cpu], LOCK);
		Inner++;
		preload_ops.unlock(&process.cpu[cpu], LOCK);
	}
	if (round % 16 == t->slot % 16)
		sched_yield(); // the others find the lock taken, and sleep
	if (round % 250 == t->slot)
		stop_and_look(&process.cpu[cpu]);
	cpu_give(t, cpu);
}

static void *work(void *arg)
{
	struct thread *t = &thread_self;

	t->slot = (uint16_t)(uintptr_t)arg;
	for (unsigned i = 0; i < ROUNDS; i++)
		one_call(t, i);
	return NULL;
}

static void all_free(void)
{
	for (unsigned i = 0; i < CPUS; i++)
		CHECK_EQ(cpu_word[i].w, 0);
}

static void alone(void)
{
	start();
	thread_self.slot = 1;
	for (unsigned i = 0; i < ROUNDS; i++)
		one_call(&thread_self, i);
	CHECK_EQ(Taken[0] + Taken[1], ROUNDS);
	all_free();
}

static void many_threads_few_cpus(void)
{
	pthread_t thread[THREADS];
	uint64_t stops = 0;

	start();
	Taken[0] = Taken[1] = Inner = Stops = 0;
	for (uintptr_t i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_create(&thread[i], NULL, work, (void *)(i + 1)), 0);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	for (unsigned slot = 1; slot <= THREADS; slot++)
		for (unsigned i = 0; i < ROUNDS; i++)
			stops += i % 250 == slot;
	CHECK_EQ(Taken[0] + Taken[1], THREADS * ROUNDS);
	CHECK_EQ(Inner, THREADS * ROUNDS / 4);
	CHECK_EQ(Stops, stops);
	CHECK_EQ(Torn, 0);
	all_free();
}

int main(void)
{
	RUN(alone);
	RUN(many_threads_few_cpus);
	return DONE();
}
