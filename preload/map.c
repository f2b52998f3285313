// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Program mappings in the machine (map.h).
#include "map.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "sys.h"

// Where the fake devices live: the part of the PCI hole no board of the reference uses.
#define DEVICE_START 0xE8000000u
#define DEVICE_END   0xFE000000u

// --- one page through a kmap window

static pfn_t window_pfn(const struct machine *m, kaddr_t a)
{
	if (is_lowmem(m, a))
		return lowmem_pfn(m, a);
	return m->s->kmap.pkmap_pfn[(a - m->s->kmap.pkmap_base) >> PAGE_SHIFT];
}

static _Atomic bool windows_full; // somebody was told, and none came back since

// Where a kernel thread would sleep until another gives its window back, the program's is served by
// an area instead: it waits for nobody. The recording shows the wait and its end.
static kaddr_t window_take(struct machine *m, pfn_t pfn)
{
	kaddr_t a;

	if (kmap_wait(m, pfn, thread_self.slot, &a) == -EAGAIN) {
		kmap_wait_end(m, thread_self.slot);
		atomic_store_explicit(&windows_full, true, memory_order_relaxed);
	}
	return a;
}

static void window_free(struct machine *m, pfn_t pfn)
{
	atomic_store_explicit(&windows_full, false, memory_order_relaxed);
	kunmap(m, pfn);
	__free_pages(m, pfn, 0);
}

static bool window_ready(struct machine *m, kaddr_t a)
{
	return is_lowmem(m, a) ? arena_commit(a) : arena_open(a, PAGE_SIZE);
}

static kaddr_t map_window(struct machine *m, struct record *r)
{
	if (atomic_load_explicit(&windows_full, memory_order_relaxed))
		return 0;
	pfn_t pfn = alloc_pages(m, GFP_HIGHUSER | __GFP_ZERO | __GFP_NOWARN, 0);
	if (!pfn)
		return 0;
	kaddr_t a = window_take(m, pfn);
	if (!a || !window_ready(m, a)) {
		if (a)
			window_free(m, pfn);
		else
			__free_pages(m, pfn, 0);
		return 0;
	}
	if (is_lowmem(m, a))
		arena_clear(a, PAGE_SIZE);
	span_set(a, 1, SPAN_KMAP);
	record_block(r, PATH_KMAP, 0, GFPC_HIGHUSER_ZERO, a);
	return a;
}

// --- pages of the DMA zone

static kaddr_t map_locked(struct machine *m, struct record *r, size_t bytes)
{
	unsigned order = get_order(bytes);
	uint32_t pages = bytes >> PAGE_SHIFT;
	pfn_t pfn = alloc_pages(m, GFP_DMA | __GFP_NOWARN, order);

	if (!pfn)
		return 0;
	kaddr_t a = lowmem_addr(m, pfn);
	if (!arena_commit(a)) {
		__free_pages(m, pfn, order);
		return 0;
	}
	split_page(m, pfn, order);
	for (uint32_t i = pages; i < 1u << order; i++)
		__free_pages(m, pfn + i, 0);
	arena_clear(a, bytes);
	span_set(a, pages, SPAN_PAGES);
	record_block(r, PATH_PAGES, order, GFPC_DMA_ZERO, a);
	return a;
}

// --- areas

static kaddr_t map_area(struct machine *m, struct record *r, size_t bytes)
{
	kaddr_t a = __vmalloc(m, bytes, GFP_KERNEL | __GFP_HIGHMEM | __GFP_ZERO);

	if (!a)
		return 0;
	if (!arena_open(a, bytes)) {
		vfree(m, a);
		return 0;
	}
	span_set(a, bytes >> PAGE_SHIFT, SPAN_VMALLOC);
	mm_touch(m, a, bytes);
	record_block(r, PATH_VMALLOC, 0, GFPC_KERNEL_HIGH_ZERO, a);
	return a;
}

kaddr_t map_private(struct machine *m, struct record *r, size_t bytes, bool locked)
{
	kaddr_t a = 0;

	if (locked && bytes <= LOCKED_MAX)
		a = map_locked(m, r, bytes);
	else if (bytes == PAGE_SIZE)
		a = map_window(m, r);
	return a ? a : map_area(m, r, bytes);
}

kaddr_t map_shared(struct machine *m, struct record *r, size_t bytes)
{
	static _Atomic uint32_t next;

	if (bytes > DEVICE_END - DEVICE_START)
		return 0;
	uint32_t at =
		atomic_fetch_add(&next, (uint32_t)bytes) % (DEVICE_END - DEVICE_START - bytes + 1);
	kaddr_t a = ioremap(m, DEVICE_START + (at & -(uint32_t)PAGE_SIZE), bytes);
	if (!a)
		return 0;
	long got = sys(SYS_mmap, to_host(a), bytes, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (got != (long)to_host(a)) {
		iounmap(m, a);
		return 0;
	}
	arena_altered(a, bytes);
	span_set(a, bytes >> PAGE_SHIFT, SPAN_IOREMAP);
	record_block(r, PATH_IOREMAP, 0, GFPC_NONE, a);
	return a;
}

// --- giving back

uint32_t map_run(kaddr_t a, uint32_t pages)
{
	struct span s = span_of(a);
	uint32_t n = 0;

	if (s.kind == SPAN_NONE)
		return 0;
	do
		n++;
	while (n < pages && a + (n << PAGE_SHIFT) < s.start + ((size_t)s.pages << PAGE_SHIFT) &&
	       span_of(a + (n << PAGE_SHIFT)).start == s.start &&
	       span_of(a + (n << PAGE_SHIFT)).kind != SPAN_NONE);
	return n;
}

static void release_pages(struct machine *m, kaddr_t a, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		__free_pages(m, lowmem_pfn(m, a) + i, 0);
}

// The machine's side. An area loses single pages until none is left.
static enum op_path release_span(struct machine *m, const struct span *s, kaddr_t a, uint32_t n)
{
	bool whole = a == s->start && n == s->pages;

	switch (s->kind) {
	case SPAN_KMAP:
		window_free(m, window_pfn(m, a));
		return PATH_KMAP;
	case SPAN_PAGES:
		release_pages(m, a, n);
		return PATH_PAGES;
	case SPAN_IOREMAP:
		if (whole)
			iounmap(m, a);
		else
			vunmap_partial(m, a, n);
		return PATH_IOREMAP;
	default:
		if (whole)
			vfree(m, a);
		else
			vunmap_partial(m, a, n);
		return PATH_VMALLOC;
	}
}

uint32_t map_release(struct machine *m, struct record *r, kaddr_t a, uint32_t pages)
{
	struct span s = span_of(a);
	uint32_t n = map_run(a, pages);

	if (!n)
		return 0;
	if (!is_lowmem(m, a))
		arena_shut(a, (size_t)n << PAGE_SHIFT);
	else
		arena_restore(a, (size_t)n << PAGE_SHIFT);
	span_clear(a, n);
	overlay_cut(a, a + (n << PAGE_SHIFT));
	record_block(r, release_span(m, &s, a, n), 0, GFPC_NONE, a);
	return n;
}
