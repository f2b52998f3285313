// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Which allocator when: a table of needs, and the function that reads it (reference 14.1).
//
// The first row that fits decides: every bit of `all` is needed, no bit of `none`, and the bytes
// lie within min..max of the model. The last row fits everything. DECISIONS.md is written from the
// same rows (build/tests/decision_page > core/DECISIONS.md), and a test compares the two.
//
// This is what kernel code does for itself. What a recorded program's malloc or mmap becomes is
// decided in preload/.
#pragma once

#include "machine.h"

enum need_bit {
	NEED_MAY_SLEEP = 1 << 0,   // no interrupt, no bottom half, no spinlock held
	NEED_CONTIGUOUS = 1 << 1,  // physically
	NEED_WHOLE_PAGES = 1 << 2, // page aligned, nothing else on them; with NEED_CONTIGUOUS
	NEED_TRIED = 1 << 3,	   // the contiguous allocators have failed already
	NEED_HIGHMEM_OK = 1 << 4,  // no address needed before it is mapped
	NEED_SAME_SIZE_OFTEN = 1 << 5,
	NEED_MAP_PAGE = 1 << 6, // an address for a highmem page there is
	NEED_DEVICE = 1 << 7,	// an address for a device's registers
	NEED_DMA = 1 << 8,	// below 16 MiB
	NEED_GUARANTEED = 1 << 9,
	NEED_PER_CPU = 1 << 10,
	NEED_BOOT_TIME = 1 << 11,
	NEED_ON_STACK = 1 << 12, // lives no longer than a call
};

struct need {
	uint64_t bytes;
	uint32_t is; // enum need_bit
};

enum choice {
	CHOOSE_MEMBLOCK,
	CHOOSE_STACK,
	CHOOSE_IOREMAP,
	CHOOSE_KMAP,
	CHOOSE_KMAP_ATOMIC,
	CHOOSE_PERCPU,
	CHOOSE_KMALLOC_DMA,
	CHOOSE_DMA_PAGES,
	CHOOSE_MEMPOOL,
	CHOOSE_CACHE,
	CHOOSE_KMALLOC,
	CHOOSE_KMALLOC_ATOMIC,
	CHOOSE_PAGES,
	CHOOSE_HIGHMEM_PAGES,
	CHOOSE_VMALLOC,
	CHOOSE_NOTHING,
	NR_CHOICES,
};

enum {
	ANY_SIZE = -1
}; // as max: other limits hold

struct decision {
	enum choice choice;
	const char *need; // in words
	const char *call; // what the kernel calls, and what gives back
	uint32_t all, none;
	uint64_t min, max[2];  // bytes; max by enum model
	const char *limit;     // what else limits it
	const char *may_sleep; // "yes", "no", "with __GFP_WAIT"
};

extern const struct decision decisions[NR_CHOICES]; // in the order of enum choice

// Never NULL: CHOOSE_NOTHING when nobody serves it.
const struct decision *decide(const struct need *need, enum model model);
// "up to 128 KiB; ..." of a row; length as snprintf.
int decision_limit(const struct decision *d, enum model model, char *buf, size_t size);
// DECISIONS.md.
int decision_page(char *buf, size_t size);
