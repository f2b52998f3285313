// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Which kernel path serves a program's request, and which one an address belongs to.
//
//   bytes or alignment         path
//   a call site often used     slab: a kmem_cache of its own (sitecache.c)
//   up to the kmalloc limit    kmalloc: the cache size-N
//   up to 4 MiB                pages: one block of the buddy allocator; none free: vmalloc
//   above                      vmalloc
//
// A block's path is never stored: the address alone tells it (struct page in lowmem, the span in
// the areas above).
#pragma once

#include "entry.h"
#include "sitecache.h"

struct request {
	size_t size, align; // align: power of two, at least 16
	bool zero;
	struct site *site; // counts this call site and size; NULL: no cache of its own
	bool fused;	   // the OP record itself may stand for taking the object off its array
};

struct place {
	enum op_path path;
	uint16_t cache; // cache id or order
	kaddr_t start;	// first byte of the block, area or window
	size_t usable;	// bytes from the pointer asked about to the end
};

// All with the CPU held. route_alloc fills path, cache, gfp, flags and addr of the record and makes the
// bytes accessible; 0: the machine cannot.
kaddr_t route_alloc(struct machine *m, struct record *r, const struct request *q);
// Frees a block found by route_find and fills the record; the host's side is done as well.
void route_free(struct machine *m, struct record *r, kaddr_t a, const struct place *p);
// What is no block, or freed already, or inside of one, is refused: a step tells of it in the kernel's
// words, the record has OPF_FAILED.
void route_misused(struct machine *m, struct record *r, kaddr_t a);
// Freeing as part of a larger operation: all of it is in steps, the record stays as it is.
void route_release(struct machine *m, kaddr_t a, const struct place *p);
// Moves nothing: the block stays at its address and now has at least `size` bytes. CPU held.
bool route_grow(struct machine *m, struct record *r, const struct place *p, size_t size);
// The same bytes at another address of a larger area, page tables moved; 0: not possible.
kaddr_t route_move(struct machine *m, struct record *r, const struct place *p, size_t size);

// The path of blocks of this cache: of the general ones (DMA twins too), or a site's own.
static inline enum op_path slab_path(const struct machine *m, unsigned cache)
{
	return cache <= m->s->slab.nr_sizes * 2 + 1 ? PATH_KMALLOC : PATH_SLAB;
}

// No lock needed for a block the caller owns. false: no block begins or lies there.
bool route_find(const struct machine *m, kaddr_t a, struct place *p);
