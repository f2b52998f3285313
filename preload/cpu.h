// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The quick half of the CPUs' locks (cpu.c): which CPU is ours, taking it when it is free.
//
// A lock's word is 0 while it is free, else it tells the owner. Each lock has a line of its own, which
// other CPUs touch only when they find their own taken. Giving a lock back is a plain store, and while
// the process has one thread taking it is one, too.
//
// Whoever sleeps on a lock says so in `sleepers` first, and its owner looks there after its store. A
// processor may do that look before the store is seen: then the sleeper missed its wake. So no sleep
// lasts longer than SLEEP_NS (cpu.c), which is rarer and cheaper than a locked instruction in every call.
#pragma once

#include "preload.h"

#define CPU_OWNED 0x10000u // + thread slot

struct cpu_word {
	alignas(64) _Atomic uint32_t w;
	_Atomic uint32_t sleepers; // != 0: somebody may sleep on w
};

// A page of their own, of which MAX_CPUS are used: --dump-state shows it to the recorder (state.c).
enum {
	CPU_WORDS = PAGE_SIZE / 64
};
extern struct cpu_word cpu_word[CPU_WORDS] __attribute__((visibility("hidden")));
extern uint8_t cpu_of[256] __attribute__((visibility("hidden"))); // without a division
// Where the kernel keeps a thread's CPU number, from its thread pointer; 0: nowhere.
extern ptrdiff_t cpu_number_at __attribute__((visibility("hidden")));

void cpu_wake(struct cpu_word *c);		       // one of those who sleep on it
unsigned cpu_migrate(struct thread *t, unsigned home); // home is taken: locks another, or waits

// libc's own idea of being single-threaded: cleared before the second thread starts, whoever
// starts it.
extern char __libc_single_threaded __attribute__((weak));

static inline bool cpu_alone(void)
{
	return process.single && __libc_single_threaded;
}

// What an owner writes: a handler's jump may leave a lock at any instruction, and then the word
// alone must tell that it is ours.
static inline uint32_t cpu_owner(const struct thread *t)
{
	return CPU_OWNED | t->slot;
}

static inline bool cpu_word_try(const struct thread *t, struct cpu_word *c)
{
	_Atomic uint32_t *w = &c->w;
	uint32_t none = 0;

	if (cpu_alone()) {
		if (atomic_load_explicit(w, memory_order_relaxed))
			return false;
		atomic_store_explicit(w, cpu_owner(t), memory_order_relaxed);
		return true;
	}
	return atomic_compare_exchange_strong_explicit(w, &none, cpu_owner(t), memory_order_acquire,
						       memory_order_relaxed);
}

static inline void cpu_word_release(struct cpu_word *c)
{
	atomic_store_explicit(&c->w, 0, memory_order_release);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (__builtin_expect(atomic_load_explicit(&c->sleepers, memory_order_relaxed) != 0, 0))
		cpu_wake(c);
}

// No call: the kernel keeps the number in the thread's rseq area. Negative: not registered.
static inline unsigned cpu_home(const struct thread *t)
{
	const char *self = __builtin_thread_pointer();
	int32_t id = cpu_number_at ? *(const volatile int32_t *)(self + cpu_number_at) : -1;

	return cpu_of[(id >= 0 ? (uint32_t)id : t->slot) & 255];
}

// Locks a CPU and returns its number.
static inline unsigned cpu_take(struct thread *t)
{
	unsigned cpu = cpu_home(t);

	if (__builtin_expect(!cpu_word_try(t, &cpu_word[cpu]), 0))
		cpu = cpu_migrate(t, cpu);
	t->held = (uint8_t)(cpu + 1);
	return cpu;
}

static inline void cpu_give(struct thread *t, unsigned cpu)
{
	t->held = 0;
	cpu_word_release(&cpu_word[cpu]);
}
