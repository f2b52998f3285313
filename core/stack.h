// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Kernel stacks: what a thread costs the kernel (reference 12).
//
// A stack is two adjacent lowmem pages, 8 KiB aligned. Its first frame remembers the task_struct
// (page->mapping), as thread_info at the bottom of the real stack does.
#pragma once

#include "types.h"

struct machine;

enum {
	THREAD_ORDER = 1,
	THREAD_SIZE = PAGE_SIZE << THREAD_ORDER,
	TASK_STRUCT_SIZE = 832
};

kaddr_t alloc_kernel_stack(struct machine *m);		// lowest address; 0: no memory
int free_kernel_stack(struct machine *m, kaddr_t addr); // -EINVAL: not a stack
void kernel_stack_init(struct machine *m);		// creates the cache task_struct
