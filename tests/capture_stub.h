// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Stands in for the allocation side of the preload library, so that tests can link the capture
// side alone: one lock per CPU, no machine behind it.
#pragma once

#include <sched.h>

#include "../preload/unwind.h"
#include "session_make.h"

struct process process;
const struct machine_ops preload_ops;

static atomic_flag stub_lock[MAX_CPUS];

struct machine *cpu_enter(struct thread *t)
{
	unsigned cpu = t->slot % process.ncpus;

	while (atomic_flag_test_and_set(&stub_lock[cpu]))
		sched_yield();
	return &process.cpu[cpu];
}

void cpu_leave(struct thread *t, struct machine *m)
{
	(void)t;
	atomic_flag_clear(&stub_lock[m->cpu]);
}

void arena_settle(const struct machine *m)
{
	(void)m;
}

void kernel_stack_take(struct machine *m, uint16_t slot)
{
	(void)m;
	(void)slot;
}

void kernel_stack_give(struct machine *m, uint16_t slot)
{
	(void)m;
	(void)slot;
}

uint32_t kernel_stacks(const struct machine *m)
{
	(void)m;
	return 0;
}

void kernel_stacks_leave(struct machine *m, uint16_t own)
{
	(void)m;
	(void)own;
}

// A recording process with this many CPUs, in a session made for it.
static inline void stub_start(unsigned ncpus, const struct session_size *z)
{
	struct session_header *h = session_make(NULL, z);

	process.ncpus = ncpus;
	for (unsigned i = 0; i < MAX_CPUS; i++)
		process.cpu[i].cpu = i;
	process.session = h;
	process.opt = h->opt;
	process.slot_index = 0;
	process.slot = session_slot(h, process.slot_index);
	rules_flush(); // cached traces name nodes of the session before
	ring_attach();
	depot_new_image();
	atomic_store(&process.mode, MODE_LIVE);
}
