// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Routing (route.h): the table of paths, and one pair of functions per path.
#include "route.h"
#include "../core/misuse.h"
#include "capture.h"
#include "poison.h"

#include <string.h>

enum {
	PAGES_MAX = PAGE_SIZE << (MAX_ORDER - 1)
};

static enum op_path route_for(const struct machine *m, const struct request *q)
{
	size_t need = q->size > q->align ? q->size : q->align;

	if (need <= m->s->slab.kmalloc_max)
		return PATH_KMALLOC;
	return need <= PAGES_MAX ? PATH_PAGES : PATH_VMALLOC;
}

// --- now and then, where a call is slow anyway

// The kernel's timer work of this CPU, as steps of the running operation.
static void slow_work(struct machine *m)
{
	enum {
		LOOK_EVERY = 32
	};
	static _Atomic uint32_t looks;

	if (capture_no_syscalls ||
	    atomic_fetch_add_explicit(&looks, 1, memory_order_relaxed) % LOOK_EVERY)
		return;
	uint64_t now = clock_now_ns();
	if (now < m->s->cpu[m->cpu].next_reap_ns)
		return;
	cache_reap(m, now);
	vmstat_fold(m);
	arena_freed(m, 0);
}

// A full machine is not asked at every call again: reclaim would run each time, and in vain. What
// programs free meanwhile is found on the arrays without asking.
static _Atomic uint32_t refusals;

static bool asking_is_vain(void)
{
	uint32_t left = atomic_load_explicit(&refusals, memory_order_relaxed);

	if (likely(!left))
		return false;
	atomic_store_explicit(&refusals, left - 1, memory_order_relaxed);
	return true;
}

// Memory went back to the machine: it may be asked again.
static void memory_returned(void)
{
	if (unlikely(atomic_load_explicit(&refusals, memory_order_relaxed)))
		atomic_store_explicit(&refusals, 0, memory_order_relaxed);
}

static kaddr_t refused(void)
{
	enum {
		QUIET_CALLS = 256
	};

	atomic_store_explicit(&refusals, QUIET_CALLS, memory_order_relaxed);
	return 0;
}

// --- kmalloc

// Caches above one cache line hold their objects at multiples of their size only when the
// management area stands elsewhere, which begins at an eighth of a page. DEBUG_SLAB drops the
// alignment to lines.
static size_t kmalloc_size(const struct machine *m, const struct request *q)
{
	size_t size = q->size ? q->size : 1;

	if (q->align <= 16)
		return size;
	if (size < q->align)
		size = q->align;
	if (q->align > (process.poison ? 16 : m->s->cfg.cache_line) && size < PAGE_SIZE / 8)
		size = PAGE_SIZE / 8;
	if (q->align > 16 && size > 1) // a power of two: 96 and 192 are aligned to less
		size = (size_t)1 << (64 - __builtin_clzll(size - 1));
	return size;
}

static kaddr_t cache_pop(struct machine *m, struct record *r, unsigned cache)
{
	struct thread *t = &thread_self;
	kaddr_t a;

	undo_set_pop(t, m, cache);
	a = ac_pop(m, cache);
	if (likely(a)) {
		r->op.flags |= OPF_POP;
		r->op.old = *generation_of(m, a);
		return a;
	}
	undo_set(t, UNDO_UNKNOWN, 0);
	if (unlikely(asking_is_vain()))
		return 0;
	slow_work(m);
	if (!cache_alloc_refill(m, cache, GFP_KERNEL))
		return refused();
	a = ac_pop(m, cache);
	if (a) {
		r->op.flags |= OPF_POP;
		r->op.old = *generation_of(m, a);
		return a;
	}
	return kmem_cache_alloc(m, cache, GFP_KERNEL); // the refill gave the CPU up meanwhile
}

static unsigned cache_for(struct machine *m, const struct request *q, enum op_path *path)
{
	unsigned cache = q->site ? site_cache(m, q->site) : 0;

	*path = cache ? PATH_SLAB : PATH_KMALLOC;
	return cache ? cache : kmalloc_cache(m, kmalloc_size(m, q), GFP_KERNEL);
}

static kaddr_t alloc_kmalloc(struct machine *m, struct record *r, const struct request *q)
{
	enum op_path path;
	unsigned cache = cache_for(m, q, &path);
	kaddr_t a;

	if (unlikely(!cache))
		return 0;
	a = likely(q->fused) ? cache_pop(m, r, cache) : kmalloc(m, kmalloc_size(m, q), GFP_KERNEL);
	if (!a)
		return 0;
	if (unlikely(!arena_commit(a))) {
		if (r->op.flags & OPF_POP) // told after all, as a step
			step_local(m, EV_AC_ALLOC, cache, a, GFP_KERNEL, 0, (uint32_t)r->op.old, 0);
		kmem_cache_free(m, cache, a);
		r->op.flags &= ~OPF_POP;
		r->op.old = 0;
		return 0;
	}
	if (unlikely(process.poison))
		poison_taken(m, cache, a);
	record_block(r, path, cache, q->zero ? GFPC_KERNEL_ZERO : GFPC_KERNEL, a);
	return a;
}

// A second free, or an address inside an object. The kernel would put it on the array and hand it out
// twice; here it is refused and told.
__attribute__((noinline, cold)) static void free_refused(struct machine *m, struct record *r,
							 kaddr_t a, unsigned cache)
{
	unsigned owner, index;
	pfn_t slab;
	bool object = slab_object(m, a, &owner, &slab, &index);

	misuse(m, object ? MISUSE_DOUBLE_FREE : MISUSE_NOT_AN_OBJECT, cache, a);
	r->op.flags |= OPF_FAILED;
}

void route_misused(struct machine *m, struct record *r, kaddr_t a)
{
	pfn_t pfn = lowmem_pfn(m, a);

	if (!is_lowmem(m, a))
		misuse(m, a % PAGE_SIZE ? MISUSE_VFREE_ALIGN : MISUSE_VFREE_NO_AREA, 0, a);
	else if (pfn_to_page(m, pfn)->_count)
		misuse(m, MISUSE_NOT_AN_OBJECT, 0, a);
	else
		misuse(m, MISUSE_BAD_PAGE, 0, pfn);
	r->op.flags |= OPF_FAILED;
}

static void free_slab(struct machine *m, struct record *r, kaddr_t a, unsigned cache)
{
	const struct kmem_cache *c = &m->caches[cache];

	if (unlikely(!(*generation_of(m, a) & 1) || a & (c->align - 1))) {
		free_refused(m, r, a, cache);
		return;
	}
	if (unlikely(atomic_load_explicit(&arena_nr_altered, memory_order_relaxed)))
		arena_restore(a, c->buffer_size);
	if (unlikely(process.poison))
		poison_freed(m, cache, a);
	undo_set(&thread_self, cache, ac_of(m, cache, m->cpu)->avail);
	if (unlikely(!ac_push(m, cache, a))) {
		undo_set(&thread_self, UNDO_UNKNOWN, 0);
		cache_flusharray(m, cache);
		memory_returned();
		if (!ac_push(m, cache, a)) {
			kmem_cache_free(m, cache, a);
			return;
		}
		r->op.flags |= OPF_PUSH;
		r->op.old = *generation_of(m, a);
		arena_freed(m, 0); // slabs may have ended
		slow_work(m);
		return;
	}
	r->op.flags |= OPF_PUSH;
	r->op.old = *generation_of(m, a);
}

// --- pages

static kaddr_t alloc_pages_path(struct machine *m, struct record *r, const struct request *q)
{
	unsigned order = get_order(q->size > q->align ? q->size : q->align);
	pfn_t pfn = order < MAX_ORDER
			    ? alloc_pages(m, GFP_KERNEL | __GFP_COMP | __GFP_NOWARN, order)
			    : 0;

	if (!pfn)
		return 0;
	kaddr_t a = lowmem_addr(m, pfn);
	if (!arena_commit(a)) {
		__free_pages(m, pfn, order);
		return 0;
	}
	record_block(r, PATH_PAGES, order, q->zero ? GFPC_KERNEL_COMP_ZERO : GFPC_KERNEL_COMP, a);
	return a;
}

static void free_pages_path(struct machine *m, kaddr_t a, unsigned order)
{
	size_t bytes = (size_t)PAGE_SIZE << order;

	arena_restore(a, bytes);
	free_pages(m, a, order);
	memory_returned();
	arena_freed(m, bytes);
}

// --- vmalloc

static size_t round_pages(size_t bytes)
{
	return (bytes + PAGE_SIZE - 1) & -(size_t)PAGE_SIZE;
}

static kaddr_t area_ready(struct machine *m, kaddr_t a, size_t bytes)
{
	if (!arena_open(a, bytes)) {
		vfree(m, a);
		return 0;
	}
	span_set(a, bytes >> PAGE_SHIFT, SPAN_VMALLOC);
	mm_touch(m, a, bytes);
	return a;
}

// Areas are aligned to pages; a stricter wish takes a larger area and begins inside it.
static kaddr_t alloc_vmalloc(struct machine *m, struct record *r, const struct request *q)
{
	size_t bytes = round_pages(q->size) + (q->align > PAGE_SIZE ? q->align : 0);
	gfp_t gfp = GFP_KERNEL | __GFP_HIGHMEM | (q->zero ? __GFP_ZERO : 0);

	if (bytes >= 1ull << 32)
		return 0;
	kaddr_t a = __vmalloc(m, bytes, gfp);
	if (!a || !area_ready(m, a, bytes))
		return 0;
	a = (a + (kaddr_t)q->align - 1) & -(kaddr_t)q->align;
	record_block(r, PATH_VMALLOC, 0, q->zero ? GFPC_KERNEL_HIGH_ZERO : GFPC_KERNEL_HIGH, a);
	return a;
}

static void free_vmalloc(struct machine *m, kaddr_t start)
{
	struct span s = span_of(start);

	arena_shut(start, (size_t)s.pages << PAGE_SHIFT);
	span_clear(start, s.pages);
	vfree(m, start);
	memory_returned();
}

// --- all paths

kaddr_t route_alloc(struct machine *m, struct record *r, const struct request *q)
{
	enum op_path path = route_for(m, q);
	kaddr_t a = 0;

	if (likely(path == PATH_KMALLOC))
		return alloc_kmalloc(m, r, q);
	if (path == PATH_PAGES)
		a = alloc_pages_path(m, r, q);
	return a ? a : alloc_vmalloc(m, r, q);
}

static bool in_slab(const struct place *p)
{
	return p->path == PATH_KMALLOC || p->path == PATH_SLAB;
}

void route_release(struct machine *m, kaddr_t a, const struct place *p)
{
	if (in_slab(p)) {
		arena_restore(a, p->usable);
		if (process.poison)
			poison_freed(m, p->cache, a);
		kmem_cache_free(m, p->cache, a);
	} else if (p->path == PATH_PAGES) {
		free_pages_path(m, a, p->cache);
	} else {
		free_vmalloc(m, p->start);
	}
}

void route_free(struct machine *m, struct record *r, kaddr_t a, const struct place *p)
{
	record_block(r, p->path, p->cache, GFPC_NONE, a);
	if (likely(in_slab(p)))
		free_slab(m, r, a, p->cache);
	else if (a % PAGE_SIZE || (p->path == PATH_PAGES && a != p->start))
		route_misused(m, r, a);
	else
		route_release(m, a, p);
}

static bool find_slab(const struct machine *m, const struct page *page, kaddr_t a, struct place *p)
{
	unsigned cache = page->mapping;

	p->path = slab_path(m, cache);
	p->cache = cache;
	p->start = a;
	p->usable = m->caches[cache].buffer_size;
	return true;
}

static bool find_pages(const struct machine *m, pfn_t pfn, kaddr_t a, struct place *p)
{
	const struct page *page = pfn_to_page(m, pfn);
	pfn_t head = page->flags & 1u << PG_tail ? page->index : pfn;

	page = pfn_to_page(m, head);
	if (!(page->flags & 1u << PG_head))
		return false;
	p->path = PATH_PAGES;
	p->cache = page->index;
	p->start = lowmem_addr(m, head);
	p->usable = p->start + ((size_t)PAGE_SIZE << page->index) - a;
	return true;
}

bool route_find(const struct machine *m, kaddr_t a, struct place *p)
{
	if (likely(is_lowmem(m, a))) {
		pfn_t pfn = lowmem_pfn(m, a);
		const struct page *page = pfn_to_page(m, pfn);
		if (likely(page->flags & 1u << PG_slab))
			return find_slab(m, page, a, p);
		return find_pages(m, pfn, a, p);
	}
	struct span s = span_of(a);
	if (s.kind != SPAN_VMALLOC)
		return false;
	p->path = PATH_VMALLOC;
	p->cache = 0;
	p->start = s.start;
	p->usable = s.start + ((size_t)s.pages << PAGE_SHIFT) - a;
	return true;
}

bool route_grow(struct machine *m, struct record *r, const struct place *p, size_t size)
{
	struct span s = span_of(p->start);
	size_t bytes = round_pages(size), old = (size_t)s.pages << PAGE_SHIFT;

	if (p->path != PATH_VMALLOC || bytes >= 1ull << 32 ||
	    vmalloc_grow(m, p->start, bytes, GFP_KERNEL | __GFP_HIGHMEM))
		return false;
	if (!arena_open(p->start + old, bytes - old)) {
		vunmap_partial(m, p->start + old, (bytes - old) >> PAGE_SHIFT);
		return false;
	}
	span_grow(p->start, bytes >> PAGE_SHIFT);
	mm_touch(m, p->start, bytes);
	record_block(r, PATH_VMALLOC, 0, GFPC_KERNEL_HIGH, p->start);
	return true;
}

// What copying through kmap_atomic windows would be, page by page, in runs.
static void copy_area(struct machine *m, kaddr_t to, kaddr_t from, uint32_t pages)
{
	for (uint32_t i = 0, n; i < pages; i += n) {
		pfn_t t = vmalloc_to_pfn(m, to + (i << PAGE_SHIFT));
		pfn_t f = vmalloc_to_pfn(m, from + (i << PAGE_SHIFT));
		for (n = 1; i + n < pages; n++)
			if (vmalloc_to_pfn(m, to + ((i + n) << PAGE_SHIFT)) != t + n ||
			    vmalloc_to_pfn(m, from + ((i + n) << PAGE_SHIFT)) != f + n)
				break;
		if (t && f)
			copy_highpages(m, t, f, n);
	}
}

kaddr_t route_move(struct machine *m, struct record *r, const struct place *p, size_t size)
{
	const struct request q = {.size = size, .align = 16};
	size_t old = (size_t)span_of(p->start).pages << PAGE_SHIFT;
	kaddr_t a = alloc_vmalloc(m, r, &q);

	if (!a)
		return 0;
	copy_area(m, a, p->start, old >> PAGE_SHIFT);
	if (arena_move(a, p->start, old))
		arena_altered(a,
			      old); // mappings that moved never merge with their neighbours again
	else
		memcpy(to_host(a), to_host(p->start), old);
	free_vmalloc(m, p->start);
	return a;
}
