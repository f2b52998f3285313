// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Highmem windows: kmap (1024 pkmap slots), kmap_atomic (20 fixmap slots a CPU) (reference 9).
//
//   pkmap_count[i]: 0 free, 1 mapped but unused (needs a flush), n >= 2: n - 1 users
//   pkmap_count[i] >= 1 <=> pkmap_pfn[i] != 0 <=> page_address hash has (pfn, address of slot i)
//   slot i is at pkmap_base + i * 4096; search starts at last_pkmap_nr + 1
//   waiters > 0 => every slot has a user
//   atomic slot d of CPU c is fixmap FIX_KMAP_BEGIN + d + 20 * c; depth d is a stack
//
// Who finds no window sleeps on pkmap_map_wait in the kernel; the kunmap that leaves a window without
// user wakes all sleepers, and each tries again from the start. Here nothing sleeps: kmap_wait says
// -EAGAIN and the caller stands in the queue until that kunmap, or until it gives up.
#pragma once

#include "types.h"

struct machine;

enum {
	PA_HASH_ORDER = 7,
	PA_HASH_SIZE = 1 << PA_HASH_ORDER,
	KMAP_WAITERS = 64, // places in the queue; the kernel's has no end
};

struct kmap_waiter {
	uint32_t task; // the caller's name for who waits, not 0
	pfn_t pfn;     // page it wants mapped
};

struct kmap_state {
	kaddr_t mem_map; // linear address of struct page 0: the hash is over page pointers
	kaddr_t pkmap_base;
	kaddr_t fixaddr_top, fixaddr_start, fixaddr_boot_start;
	uint32_t fix_kmap_begin;
	uint32_t last_pkmap_nr;
	uint16_t pkmap_count[LAST_PKMAP];
	pfn_t pkmap_pfn[LAST_PKMAP];
	uint32_t in_use;  // slots with a user
	uint32_t waiters; // pkmap_map_wait, first come first
	struct kmap_waiter waiter[KMAP_WAITERS];
	// page_address hash: buckets of slot + 1, chained, list order as in the kernel
	uint16_t hash_head[PA_HASH_SIZE], hash_tail[PA_HASH_SIZE];
	uint16_t hash_next[LAST_PKMAP], hash_prev[LAST_PKMAP];
	uint32_t atomic_depth[MAX_CPUS];
	pfn_t atomic_pfn[MAX_CPUS][KM_TYPE_NR];
	uint64_t atomic_pairs[MAX_CPUS]; // maps done and undone (runs counted in full)
};

// Lowmem: its address. 0: no window is free, for a caller who cannot wait.
kaddr_t kmap(struct machine *m, pfn_t pfn);
// 0 and the address; -EAGAIN: no window is free and `task` (not 0) waits, to call again when it is
// not kmap_waiting any more; -ENOBUFS: no place to wait either; -EINVAL: no page.
int kmap_wait(struct machine *m, pfn_t pfn, uint32_t task, kaddr_t *addr);
bool kmap_waiting(struct machine *m, uint32_t task);
void kmap_wait_end(struct machine *m, uint32_t task); // gives up; nothing if it does not wait
int kunmap(struct machine *m, pfn_t pfn);	      // -EINVAL: not mapped
void kmap_flush_unused(struct machine *m);
kaddr_t page_address(struct machine *m, pfn_t pfn); // 0: highmem and not kmapped
kaddr_t kmap_atomic(struct machine *m, pfn_t pfn);  // 0: depth exceeded
int kunmap_atomic(struct machine *m, kaddr_t addr); // -EINVAL: not the top of this CPU's stack
// Runs of kmap_atomic pairs: what clearing and copying count frames does.
void clear_highpages(struct machine *m, pfn_t pfn, uint32_t count, int32_t stride);
void copy_highpages(struct machine *m, pfn_t to, pfn_t from, uint32_t count);

int kmap_check(struct machine *m, char *why, size_t size);
