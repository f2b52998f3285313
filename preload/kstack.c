// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// What a thread costs the kernel: two pages of stack and a task_struct, from its start until its
// end is noticed. The first one also brings what all share, a sighand_struct.
#include "preload.h"

static kaddr_t stack_of[UINT16_MAX + 1]; // by thread slot; each entry has one owner at a time

static uint16_t highest; // slot that ever had one
static kaddr_t sighand;	 // for the whole process

static bool live(void)
{
	return atomic_load_explicit(&process.mode, memory_order_relaxed) == MODE_LIVE;
}

void kernel_stack_take(struct machine *m, uint16_t slot)
{
	if (!live() || stack_of[slot])
		return;
	if (!sighand) // the process's; a forked child's machine has it already
		sighand = alloc_sighand(m);
	stack_of[slot] = alloc_kernel_stack(m);
	if (slot > highest)
		highest = slot;
}

void kernel_stack_give(struct machine *m, uint16_t slot)
{
	if (live() && stack_of[slot])
		free_kernel_stack(m, stack_of[slot]);
	stack_of[slot] = 0;
}

void kernel_stacks_leave(struct machine *m, uint16_t own)
{
	for (unsigned slot = 0; slot <= highest; slot++)
		if (slot != own)
			kernel_stack_give(m, (uint16_t)slot);
	highest = own;
}
