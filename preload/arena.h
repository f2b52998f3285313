// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The host arena: 4 GiB of reserved addresses in which host address = base + simulated address.
//
//   simulated   0 ......... 0xC0000000 ........ high_memory ... VMALLOC ... PKMAP ... 4 GiB
//   host        PROT_NONE   RW by 4 MiB, on     PROT_NONE  RW while an area or window
//                           first use, for good            is mapped, else PROT_NONE
//
//   page not dirty          => its bytes are zero (fresh, or given back)
//   owner(page) != 0        <=> the page belongs to a span: an area or window the program holds
//   span of first page f    = pages f .. f + length[f] - 1, holes where owner is 0
//
// Everything here is keyed by simulated page number. The tables are changed only for pages the
// caller owns, so they need no lock; bit operations are atomic because neighbours share words.
#pragma once

#include "preload.h"

enum span_kind {
	SPAN_NONE,
	SPAN_VMALLOC,
	SPAN_KMAP,
	SPAN_IOREMAP,
	SPAN_PAGES
};

struct span {
	kaddr_t start;	     // first byte of the area or window
	uint32_t pages;	     // without the guard page
	enum span_kind kind; // SPAN_NONE: nobody's
};

bool arena_reserve(void); // sets process.base; false: no room for 4 GiB

// Lowmem. False: the host refuses memory. Hot path: one byte is read.
bool arena_commit_slow(kaddr_t a);
extern _Atomic uint8_t arena_committed[1024] __attribute__((visibility("hidden")));
static inline bool arena_commit(kaddr_t a)
{
	return __builtin_expect(
		       atomic_load_explicit(&arena_committed[a >> 22], memory_order_relaxed), 1) ||
	       arena_commit_slow(a);
}

// Areas and windows: bytes are zero when opened. shut gives the memory back.
bool arena_open(kaddr_t a, size_t bytes);
void arena_shut(kaddr_t a, size_t bytes);
bool arena_move(kaddr_t to, kaddr_t from, size_t bytes); // page tables, not bytes; both stay open

// Known-zero pages of lowmem. Slabs of objects up to SLAB_DIRTY_MOST are dirty as a whole from their
// birth, so that handing out their objects need not look at pages.
enum {
	SLAB_DIRTY_MOST = 2 * PAGE_SIZE
};
void arena_dirty(kaddr_t a, size_t bytes);	   // handed out without clearing
void arena_clear(kaddr_t a, size_t bytes);	   // makes [a, a + bytes) zero, then marks it dirty
void arena_freed(struct machine *m, size_t bytes); // may give free blocks back; CPU lock held
void arena_slab_record(const struct machine *m, const struct record *r); // a slab begins or ends

// The program changed protection or advice of these pages; reuse restores them.
void arena_altered(kaddr_t a, size_t bytes);
void arena_restore(kaddr_t a, size_t bytes); // before lowmem pages go back to the machine
extern _Atomic uint32_t arena_nr_altered __attribute__((visibility("hidden")));

// sparse.c: copies a block. Where nothing was ever written to it, nothing is written either, so it takes
// no more memory than before. zero: what it is copied to is known to be zero.
enum {
	SPARSE_MIN = 128 << 10 // smaller ones are copied as they are
};
void arena_copy(void *to, kaddr_t from, size_t bytes, bool zero);

// Spans
void span_set(kaddr_t start, uint32_t pages, enum span_kind kind);
void span_clear(kaddr_t a, uint32_t pages); // these pages are nobody's now
struct span span_of(kaddr_t a);		    // the span that owns the page of a
void span_grow(kaddr_t start, uint32_t pages);
