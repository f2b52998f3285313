// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// What a thread costs the kernel: two pages of stack and a task_struct, from its start until its
// end is noticed. The first one also brings what all share: an address space, a sighand_struct, and a
// count of the threads with a copy for each CPU. A thread is counted where it starts and counted off
// where its end is noticed, so a copy alone may be negative; their sum is the number.
#include "arena.h"
#include "map.h"

static kaddr_t stack_of[UINT16_MAX + 1]; // by thread slot; each entry has one owner at a time

static uint16_t highest; // slot that ever had one
static bool begun;	 // what the process needs once has been asked for
static uint32_t counts;	 // per-CPU pointer: threads with a stack, as int32_t

static bool live(void)
{
	return atomic_load_explicit(&process.mode, memory_order_relaxed) == MODE_LIVE;
}

static _Atomic int32_t *count_of(const struct machine *m, unsigned cpu)
{
	kaddr_t copy = per_cpu_ptr(m, counts, cpu);

	return counts && arena_commit(copy) ? to_host(copy) : NULL;
}

// Each CPU writes its own copy alone, so no addition needs to be atomic.
static void count(struct machine *m, int threads)
{
	_Atomic int32_t *own = count_of(m, m->cpu);

	if (own)
		atomic_store_explicit(own,
				      atomic_load_explicit(own, memory_order_relaxed) + threads,
				      memory_order_relaxed);
}

uint32_t kernel_stacks(const struct machine *m)
{
	int32_t sum = 0;

	for (unsigned cpu = 0; live() && cpu < process.ncpus; cpu++) {
		_Atomic int32_t *copy = count_of(m, cpu);

		sum += copy ? atomic_load_explicit(copy, memory_order_relaxed) : 0;
	}
	return sum > 0 ? (uint32_t)sum : 0;
}

// A forked child's machine has all of it already.
static void process_begin(struct machine *m)
{
	begun = true;
	mm_begin(m);
	alloc_sighand(m);
	counts = alloc_percpu(m, sizeof(int32_t), sizeof(int32_t));
	file_reserve_make(m);
}

void kernel_stack_take(struct machine *m, uint16_t slot)
{
	if (!live() || stack_of[slot])
		return;
	if (!begun)
		process_begin(m);
	stack_of[slot] = alloc_kernel_stack(m);
	count(m, stack_of[slot] ? 1 : 0);
	if (slot > highest)
		highest = slot;
}

void kernel_stack_give(struct machine *m, uint16_t slot)
{
	if (live() && stack_of[slot]) {
		free_kernel_stack(m, stack_of[slot]);
		count(m, -1);
	}
	stack_of[slot] = 0;
}

void kernel_stacks_leave(struct machine *m, uint16_t own)
{
	for (unsigned slot = 0; slot <= highest; slot++)
		if (slot != own)
			kernel_stack_give(m, (uint16_t)slot);
	highest = own;
}
