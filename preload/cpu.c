// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Locks of the simulated CPUs and of the machine's parts.
//
// Lock order: stop_lock, CPU locks ascending, one inner lock. A thread that runs an operation has
// one CPU lock; a thread that stops the machine gives its CPU up first, so nobody waits for stop_lock
// or a second CPU while holding one. Words live outside the machine's memory.
#include <linux/futex.h>
#include <sched.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <string.h>

#include "cpu.h"
#include "entry.h"
#include "sys.h"

enum {
	SPINS = 64,
	SLEEP_NS = 1000000,
};

alignas(PAGE_SIZE) struct cpu_word cpu_word[CPU_WORDS];
uint8_t cpu_of[256]; // host CPU or thread slot -> simulated CPU
ptrdiff_t cpu_number_at;
static struct cpu_word stop_word;
static struct cpu_word inner_word[NR_LOCKS];

extern const ptrdiff_t __rseq_offset __attribute__((weak));
extern const unsigned int __rseq_size __attribute__((weak));

static void futex(_Atomic uint32_t *w, int op, uint32_t value, const struct timespec *most)
{
	sys(SYS_futex, w, op | FUTEX_PRIVATE_FLAG, value, most, 0, 0);
}

static uint32_t self(void)
{
	return cpu_owner(&thread_self);
}

static inline bool word_try(struct cpu_word *c)
{
	return cpu_word_try(&thread_self, c);
}

// sleepers stays set when the lock is taken: others may sleep, and who wakes one clears it.
__attribute__((noinline, cold)) static void word_wait(struct cpu_word *c)
{
	static const struct timespec most = {.tv_nsec = SLEEP_NS};
	uint32_t now;

	for (unsigned i = 0; i < SPINS; i++) {
		__builtin_ia32_pause();
		if (!atomic_load_explicit(&c->w, memory_order_relaxed) && word_try(c))
			return;
	}
	for (;;) {
		atomic_exchange(&c->sleepers, 1);
		now = atomic_load(&c->w);
		if (now)
			futex(&c->w, FUTEX_WAIT, now, &most);
		else if (word_try(c))
			return;
	}
}

static inline void word_take(struct cpu_word *c)
{
	if (__builtin_expect(!word_try(c), 0))
		word_wait(c);
}

__attribute__((noinline, cold)) void cpu_wake(struct cpu_word *c)
{
	atomic_store(&c->sleepers, 0);
	futex(&c->w, FUTEX_WAKE, 1, NULL);
}

void cpu_init(void)
{
	for (unsigned i = 0; i < 256; i++)
		cpu_of[i] = i % process.ncpus;
	process.single = &__libc_single_threaded != NULL;
	if (&__rseq_size && __rseq_size)
		cpu_number_at = __rseq_offset + 4; // struct rseq: cpu_id_start, cpu_id
}

// Another CPU, as a migrated task would; when all are taken, sleep on the own one.
__attribute__((noinline, cold)) unsigned cpu_migrate(struct thread *t, unsigned home)
{
	t->op_flags |= OPF_MIGRATED;
	for (unsigned i = 1; i < process.ncpus; i++) {
		unsigned other = home + i < process.ncpus ? home + i : home + i - process.ncpus;
		if (word_try(&cpu_word[other]))
			return other;
	}
	t->op_flags &= ~(uint32_t)OPF_MIGRATED;
	word_wait(&cpu_word[home]);
	return home;
}

struct machine *cpu_enter(struct thread *t)
{
	return &process.cpu[cpu_take(t)];
}

void cpu_leave(struct thread *t, struct machine *m)
{
	cpu_give(t, m->cpu);
}

static void take_all(void)
{
	word_take(&stop_word);
	for (unsigned i = 0; i < process.ncpus; i++)
		word_take(&cpu_word[i]);
}

static void word_release_all(void)
{
	for (unsigned i = process.ncpus; i-- > 0;)
		cpu_word_release(&cpu_word[i]);
	cpu_word_release(&stop_word);
}

static bool release_own(struct cpu_word *c)
{
	if (atomic_load(&c->w) != self())
		return false;
	cpu_word_release(c);
	return true;
}

// Every lock this thread has; the CPU whose lock was among them, NULL none.
static struct machine *release_all_own(void)
{
	struct machine *held = NULL;

	for (unsigned i = 0; i < NR_LOCKS; i++)
		release_own(&inner_word[i]);
	for (unsigned i = 0; i < MAX_CPUS; i++)
		if (release_own(&cpu_word[i]))
			held = &process.cpu[i];
	release_own(&stop_word);
	return held;
}

static bool machine_sound(void)
{
	char why[128];
	bool sound;

	take_all();
	sound = !machine_check(&process.cpu[0], why, sizeof(why));
	word_release_all();
	return sound;
}

// The outer call of this thread will never go on: a signal handler left it by a jump. False: the
// machine was left in the middle of a step.
bool cpu_abandon(struct thread *t)
{
	bool sure = undo_call(t); // before the locks' release: nobody has seen the array meanwhile
	struct machine *held = release_all_own();

	t->held = 0;
	t->undo = UNDO_NOTHING;
	if (sure || !held)
		return true;
	if (process.slot) // a step may have been made and not recorded
		atomic_fetch_add(&process.slot->lost, 1);
	return machine_sound();
}

// --- machine_ops

static void inner_lock(struct machine *m, unsigned lock)
{
	(void)m;
	word_take(&inner_word[lock]);
}

static void inner_unlock(struct machine *m, unsigned lock)
{
	(void)m;
	cpu_word_release(&inner_word[lock]);
}

static void barrier_if_recording(void)
{
	if (process.slot)
		capture_barrier();
}

static void stop_machine(struct machine *m)
{
	cpu_word_release(&cpu_word[m->cpu]);
	take_all();
	barrier_if_recording();
}

static void restart_machine(struct machine *m)
{
	barrier_if_recording();
	for (unsigned i = process.ncpus; i-- > 0;)
		if (i != m->cpu)
			cpu_word_release(&cpu_word[i]);
	cpu_word_release(&stop_word);
}

static void step_record(struct machine *m, const struct record *r)
{
	if (unlikely(r->kind == EV_SLAB_ADD || r->kind == EV_SLAB_DESTROY))
		arena_slab_record(m, r);
	if (process.slot)
		capture_record(m, r);
}

const struct machine_ops preload_ops = {
	.lock = inner_lock,
	.unlock = inner_unlock,
	.record = step_record,
	.stop_machine = stop_machine,
	.restart_machine = restart_machine,
};

// --- the whole process

void cpu_lock_all(void)
{
	take_all();
}

void cpu_unlock_all(void)
{
	word_release_all();
}

void cpu_reset_after_fork(void)
{
	memset(cpu_word, 0, MAX_CPUS * sizeof(*cpu_word));
	memset(&stop_word, 0, sizeof(stop_word));
	memset(inner_word, 0, sizeof(inner_word));
	thread_self.held = 0;
}
