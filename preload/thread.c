// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Threads: the state each has, the number it is recorded under, and how its end is noticed.
//
// Nothing is registered with libc: no key, no destructor. A thread is known from its first call
// on; its end is found out by the next thread that starts, which asks the kernel about the known
// ones. Until then its slot number is simply not used.
#include "capture.h"

#include <errno.h>

__thread struct thread thread_self __attribute__((tls_model("initial-exec")));

static _Atomic uint32_t last_slot;

static int own_tid(void)
{
	return (int)sys(SYS_gettid);
}

static void thread_op(struct thread *t, enum event_kind kind, uint16_t slot, int tid)
{
	struct record r = {.kind = kind, .lock = slot};
	struct machine *m = cpu_enter(t);

	r.op.addr = (uint64_t)tid;
	capture_op(m, &r);
	cpu_leave(t, m);
}

__attribute__((noinline, cold)) static struct thread *thread_start(struct thread *t)
{
	uint32_t mode = atomic_load_explicit(&process.mode, memory_order_acquire);
	void *outer = t->inside;

	if (mode != MODE_LIVE && mode != MODE_HOST)
		return t;
	if (!t->tid || t->generation != process.generation)
		t->tid = own_tid();
	t->generation = process.generation;
	if (!t->slot)
		t->slot = (uint16_t)(atomic_fetch_add(&last_slot, 1) + 1);
	unwind_thread_start(t);
	if (!process.slot || outer)
		return t;
	t->inside = __builtin_frame_address(0);
	thread_op(t, EV_THREAD_START, t->slot, t->tid);
	t->inside = NULL;
	return t;
}

struct thread *this_thread(void)
{
	struct thread *t = &thread_self;

	if (__builtin_expect(t->slot && t->generation == process.generation, 1))
		return t;
	return thread_start(t);
}

void thread_forget(void)
{
}
