// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Locks of the simulated CPUs and of the machine's parts.
//
// Lock order: stop_lock, CPU locks ascending, one inner lock. A thread that runs an operation has
// one CPU lock; a thread that stops the machine gives its CPU up first, so nobody waits for stop_lock
// or a second CPU while holding one. Words live outside the machine's memory: 0 free, else the owner
// and whether somebody may sleep on it. While the process has one thread they are plain stores.
#include <linux/futex.h>
#include <sched.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <string.h>

#include "cpu.h"
#include "entry.h"
#include "sys.h"

enum {
	SPINS = 64
};

struct cpu_word cpu_word[MAX_CPUS];
uint8_t cpu_of[256]; // host CPU or thread slot -> simulated CPU
ptrdiff_t cpu_number_at;
static struct cpu_word stop_word;
static _Atomic uint32_t inner_word[NR_LOCKS];

extern const ptrdiff_t __rseq_offset __attribute__((weak));
extern const unsigned int __rseq_size __attribute__((weak));

static long futex(_Atomic uint32_t *w, int op, uint32_t value)
{
	return sys(SYS_futex, w, op | FUTEX_PRIVATE_FLAG, value, 0, 0, 0);
}

static uint32_t self(void)
{
	return cpu_owner(&thread_self);
}

static inline bool word_try(_Atomic uint32_t *w)
{
	return cpu_word_try(&thread_self, w);
}

__attribute__((noinline, cold)) static void word_wait(_Atomic uint32_t *w)
{
	uint32_t now;

	for (unsigned i = 0; i < SPINS; i++) {
		__builtin_ia32_pause();
		if (!atomic_load_explicit(w, memory_order_relaxed) && word_try(w))
			return;
	}
	for (;;) {
		now = 0; // whoever slept takes the lock as one that others may sleep on
		if (atomic_compare_exchange_strong_explicit(w, &now, self() | CPU_SLEEPERS,
							    memory_order_acquire,
							    memory_order_relaxed))
			return;
		if (now & CPU_SLEEPERS ||
		    atomic_compare_exchange_strong(w, &now, now | CPU_SLEEPERS))
			futex(w, FUTEX_WAIT, now | CPU_SLEEPERS);
	}
}

static inline void word_take(_Atomic uint32_t *w)
{
	if (__builtin_expect(!word_try(w), 0))
		word_wait(w);
}

__attribute__((noinline, cold)) void cpu_wake(_Atomic uint32_t *w)
{
	futex(w, FUTEX_WAKE, 1);
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
		if (word_try(&cpu_word[other].w))
			return other;
	}
	t->op_flags &= ~(uint32_t)OPF_MIGRATED;
	word_wait(&cpu_word[home].w);
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
	word_take(&stop_word.w);
	for (unsigned i = 0; i < process.ncpus; i++)
		word_take(&cpu_word[i].w);
}

static void word_release_all(void)
{
	for (unsigned i = process.ncpus; i-- > 0;)
		cpu_word_release(&cpu_word[i].w);
	cpu_word_release(&stop_word.w);
}

static bool release_own(_Atomic uint32_t *w)
{
	if ((atomic_load(w) & ~CPU_SLEEPERS) != self())
		return false;
	cpu_word_release(w);
	return true;
}

// Every lock this thread has; the CPU whose lock was among them, NULL none.
static struct machine *release_all_own(void)
{
	struct machine *held = NULL;

	for (unsigned i = 0; i < NR_LOCKS; i++)
		release_own(&inner_word[i]);
	for (unsigned i = 0; i < MAX_CPUS; i++)
		if (release_own(&cpu_word[i].w))
			held = &process.cpu[i];
	release_own(&stop_word.w);
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
	cpu_word_release(&cpu_word[m->cpu].w);
	take_all();
	barrier_if_recording();
}

static void restart_machine(struct machine *m)
{
	barrier_if_recording();
	for (unsigned i = process.ncpus; i-- > 0;)
		if (i != m->cpu)
			cpu_word_release(&cpu_word[i].w);
	cpu_word_release(&stop_word.w);
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
	memset(cpu_word, 0, sizeof(cpu_word));
	memset(&stop_word, 0, sizeof(stop_word));
	memset(inner_word, 0, sizeof(inner_word));
	thread_self.held = 0;
}
