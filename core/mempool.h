// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// mempool: a reserve in front of an allocator that may fail (reference 10, mempool).
//
//   bottom                    top
//   element[0] ... element[curr_nr - 1]        0 <= curr_nr <= min_nr <= MEMPOOL_MAX
//
//   alloc  the allocator first, without waiting; the reserve only when it fails
//   free   the reserve first, until it is full again; then the allocator
//
// So a pool that never met a failure stays full and its elements never circulate. The pool lives
// in the caller's memory; what it takes from the machine (its own two objects, its elements) goes
// through the machine's allocators and their records. Every CPU may allocate and free at any time
// (LOCK_MEMPOOL guards the reserve); creating, resizing and destroying is for one alone.
//
// Departures: a pool that would put the caller to sleep returns 0. At most MEMPOOL_MAX elements.
#pragma once

#include "types.h"

struct machine;

enum {
	MEMPOOL_MAX = 1024,
};

// Where elements come from. `data` is the pool's. 0 from alloc: failed.
struct mempool_backend {
	kaddr_t (*alloc)(struct machine *m, gfp_t gfp, uint32_t data, void *priv);
	void (*free)(struct machine *m, kaddr_t element, uint32_t data, void *priv);
	void *priv; // the caller's, for scripted back ends
};

extern const struct mempool_backend mempool_slab;    // data: cache id
extern const struct mempool_backend mempool_kmalloc; // data: bytes
extern const struct mempool_backend mempool_pages;   // data: order; element = pfn

struct mempool {
	uint32_t min_nr, curr_nr;
	uint32_t data;	     // of the back end
	kaddr_t self, array; // objects of the pool itself
	kaddr_t element[MEMPOOL_MAX];
};

// Fills the pool. -ENOMEM: everything is given back; -EINVAL: more than MEMPOOL_MAX.
int mempool_create(struct machine *m, struct mempool *pool, uint32_t min_nr,
		   const struct mempool_backend *backend, uint32_t data);
// Gives the reserve back. Elements handed out stay with their owners.
void mempool_destroy(struct machine *m, struct mempool *pool,
		     const struct mempool_backend *backend);
// 0: the reserve is used up. With __GFP_WAIT the kernel would now sleep until an element returns.
kaddr_t mempool_alloc(struct machine *m, struct mempool *pool,
		      const struct mempool_backend *backend, gfp_t gfp);
void mempool_free(struct machine *m, struct mempool *pool, const struct mempool_backend *backend,
		  kaddr_t element);
// 0, even when growing could not fill the pool; -ENOMEM: no room for the larger array, unchanged;
// -EINVAL: 0 or more than MEMPOOL_MAX.
int mempool_resize(struct machine *m, struct mempool *pool, const struct mempool_backend *backend,
		   uint32_t min_nr);
