// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// What the program maps with mmap: the machine's side (map.c) and the entry points (mmap.c).
//
//   one page          alloc_page(GFP_HIGHUSER) + kmap   SPAN_KMAP     none free: vmalloc
//   more pages        vmalloc, highmem first            SPAN_VMALLOC
//   MAP_LOCKED small  GFP_DMA pages                     SPAN_PAGES
//   shared, no file   ioremap of a fake device          SPAN_IOREMAP  bytes: a host shared mapping
#pragma once

#include "entry.h"

enum {
	LOCKED_MAX = 64 << 10, // MAP_LOCKED up to here is DMA memory
};

// All with the CPU held. Bytes are zero and accessible; 0: the machine cannot. Fills the record.
kaddr_t map_private(struct machine *m, struct record *r, size_t bytes, bool locked);
kaddr_t map_shared(struct machine *m, struct record *r, size_t bytes);
// The pages from `a` on, at most `pages`, that belong to one span are given back: how many, 0 when
// the page of `a` is nobody's. Fills path and addr.
uint32_t map_release(struct machine *m, struct record *r, kaddr_t a, uint32_t pages);
// Pages from `a` on that belong to the same span, at most `pages`; 0: nobody's.
uint32_t map_run(kaddr_t a, uint32_t pages);

// --- overlay.c
void overlay_add(kaddr_t start, kaddr_t end);
void overlay_cut(kaddr_t start, kaddr_t end); // no overlay lies there any more
bool overlay_run(kaddr_t a, uint32_t *pages); // in one? Shortens pages to where that changes

// --- filemap.c
void file_mapped(uintptr_t start, size_t len, int fd);	// the host mapped a file here
uint32_t file_unmapping(uintptr_t start, size_t len);	// before it goes: pages to account
void file_reserve_make(struct machine *m);		// once, with the first thread; CPU held
void file_pages_add(struct machine *m, uint32_t pages); // as page cache; CPU held
