// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Kernel stacks: what a thread costs the kernel (reference 12), and a process besides.
//
// A stack is two adjacent lowmem pages, 8 KiB aligned. Its first frame remembers the task_struct
// (page->mapping), as thread_info at the bottom of the real stack does. All threads of a process share
// one sighand_struct, whose cache has a constructor. Sizes are those of the 3.4.113 of the captures.
#pragma once

#include "types.h"

struct machine;

enum {
	THREAD_ORDER = 1,
	THREAD_SIZE = PAGE_SIZE << THREAD_ORDER,
	TASK_STRUCT_SIZE = 880,
	TASK_ALIGN = 16,
	SIGHAND_SIZE = 1300, // count, 64 actions of 20 bytes, lock, wait queue
};

kaddr_t alloc_kernel_stack(struct machine *m);		// lowest address; 0: no memory
int free_kernel_stack(struct machine *m, kaddr_t addr); // -EINVAL: not a stack
kaddr_t alloc_sighand(struct machine *m);		// for the first thread of a process; 0: no memory
void kernel_stack_init(struct machine *m); // creates the caches task_struct and sighand_cache
