// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The libc allocation family as the program sees it.
//
// Every entry works on its own frame (entry.h) and preserves errno unless it fails. What the
// machine cannot serve goes to glibc and the record says why.
#include "route.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "family.h"
#include "host.h"
#include "quick.h"

#define EXPORT __attribute__((visibility("default")))

enum {
	MIN_ALIGN = 16,
	SHRINK_FROM = 2 * PAGE_SIZE
};

// --- allocation

static void *no_memory(void)
{
	errno = ENOMEM;
	return NULL;
}

static enum host_reason alloc_reason(size_t size)
{
	return size >= 1ull << 32 ? HOST_TOO_BIG : HOST_SPILL;
}

// The machine said no. CPU held: what it tried belongs to this operation.
__attribute__((noinline, cold)) static void *alloc_spill(struct call *c, const struct request *q)
{
	void *p = NULL;

	c->r.path = PATH_HOST;
	c->r.op.cache = alloc_reason(q->size);
	if (!(process.opt.flags & SESSION_FAIL))
		p = host_alloc(q->size, q->align, q->zero);
	c->r.op.addr = (uintptr_t)p;
	if (!p)
		c->r.op.flags |= OPF_FAILED;
	call_write(c);
	call_unlock(c);
	call_end(c);
	return p ? p : no_memory();
}

// The block is the program's and no lock is held: now its bytes are cleared, if they have to be.
static void alloc_prepare(const struct call *c, kaddr_t a, const struct request *q, size_t whole)
{
	if (c->r.path == PATH_VMALLOC)
		return; // areas are fresh
	if (whole < PAGE_SIZE) {
		if (q->zero)
			memset(to_host(a), 0, q->size);
		return;
	}
	if (q->zero && q->size)
		arena_clear(a, q->size);
	arena_dirty(a, whole);
}

static size_t block_bytes(const struct machine *m, const struct record *r)
{
	if (r->path == PATH_PAGES)
		return (size_t)PAGE_SIZE << r->op.cache;
	return m->caches[r->op.cache].buffer_size;
}

static inline void *alloc_machine(struct call *c, struct request *q)
{
	if (c->r.ticket && q->align == MIN_ALIGN && process.opt.flags & SESSION_SITE_CACHES)
		q->site = site_of_call(c->r.ticket, q->size);
	struct machine *m = call_lock(c);

	c->r.op.req = q->size;
	kaddr_t a = route_alloc(m, &c->r, q);
	if (unlikely(!a))
		return alloc_spill(c, q);
	call_write(c);
	call_unlock(c);
	call_end(c);
	if (q->zero || q->size >= PAGE_SIZE / 2 || q->align >= PAGE_SIZE / 2)
		alloc_prepare(c, a, q, block_bytes(m, &c->r));
	return to_host(a);
}

// The block is out of the pool, or there is none: the record waits for the outer call's end.
static void nested_done(struct call *c, size_t size, const void *p)
{
	c->r.path = p ? PATH_POOL : PATH_HOST;
	c->r.op.req = size;
	c->r.op.addr = (uintptr_t)p;
	if (!p) {
		c->r.op.cache = HOST_NESTED;
		c->r.op.flags |= OPF_FAILED;
	}
	nested_record(c->t, &c->r);
}

static void *alloc_nested(struct call *c, const struct request *q)
{
	void *p = nested_alloc(c->t, q->size, q->align);

	if (p && q->zero)
		memset(p, 0, q->size);
	nested_done(c, q->size, p);
	return p ? p : no_memory();
}

__attribute__((noinline, cold)) static void *alloc_elsewhere(struct call *c, enum service s,
							     const struct request *q)
{
	if (s == SERVE_NESTED)
		return alloc_nested(c, q);
	void *p = host_alloc(q->size, q->align, q->zero);
	if (s == SERVE_HOST) {
		c->r.op.req = q->size;
		call_host(c, p, HOST_NO_ARENA);
		call_end(c);
	}
	return p;
}

// The general path, for calls that are no hits.
__attribute__((noinline)) static void *allocate(enum event_kind kind, struct request *q,
						void *frame)
{
	struct call c;
	enum service s;

	if (unlikely(q->size > PTRDIFF_MAX))
		return no_memory();
	s = call_begin(&c, kind, frame);
	return likely(s == SERVE_MACHINE) ? alloc_machine(&c, q) : alloc_elsewhere(&c, s, q);
}

#define REQUEST(n, a, z) (&(struct request){.size = (n), .align = (a), .zero = (z), .fused = true})

uint16_t quick_cache[QUICK_BYTES_MOST / 16 + 1];

void quick_init(const struct machine *m)
{
	for (unsigned i = 1; i < sizeof(quick_cache) / sizeof(quick_cache[0]); i++)
		quick_cache[i] = (uint16_t)kmalloc_cache(m, i * 16, GFP_KERNEL);
}

// Apart from the entries, so that each of the two ways saves no more registers than it needs.
__attribute__((noinline)) static void *alloc_unrecorded(size_t size, void *frame)
{
	return quick_alloc(size, frame);
}

__attribute__((noinline)) static bool free_unrecorded(void *p, void *frame)
{
	return quick_free(p, frame);
}

hit_inline void *ready_alloc(enum event_kind kind, size_t size, enum gfp_code gfp, void *frame)
{
	return process.slot ? hit_alloc(kind, size, gfp, frame) : alloc_unrecorded(size, frame);
}

hit_inline bool ready_free(void *p, void *frame)
{
	return process.slot ? hit_free(p, frame) : free_unrecorded(p, frame);
}

static void *allocate_plain(enum event_kind kind, size_t size, void *frame)
{
	void *p = ready_alloc(kind, size, GFPC_KERNEL, frame);

	return likely(p) ? p : allocate(kind, REQUEST(size, MIN_ALIGN, false), frame);
}

EXPORT void *malloc(size_t size)
{
	void *p = ready_alloc(EV_MALLOC, size, GFPC_KERNEL, ENTRY_FRAME);

	return likely(p) ? p : allocate(EV_MALLOC, REQUEST(size, MIN_ALIGN, false), ENTRY_FRAME);
}

EXPORT void *calloc(size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		return no_memory();
	void *p = ready_alloc(EV_CALLOC, bytes, GFPC_KERNEL_ZERO, ENTRY_FRAME);
	return likely(p) ? memset(p, 0, bytes)
			 : allocate(EV_CALLOC, REQUEST(bytes, MIN_ALIGN, true), ENTRY_FRAME);
}

// --- freeing

// A pointer of ours that is no block: the program's error. It is recorded and ignored.
static void free_misuse(struct call *c, const void *p)
{
	call_lock(c);
	c->r.op.addr = to_sim(p);
	route_misused(c->m, &c->r, to_sim(p));
	call_write(c);
	call_unlock(c);
	call_end(c);
}

static inline void free_machine(struct call *c, void *p)
{
	struct place place;
	kaddr_t a = to_sim(p);

	if (unlikely(!route_find(&process.cpu[0], a, &place))) {
		free_misuse(c, p);
		return;
	}
	route_free(call_lock(c), &c->r, a, &place);
	call_write(c);
	call_unlock(c);
	call_end(c);
}

static void free_nested(struct call *c, void *p)
{
	bool pool = nested_owns(p);

	c->r.path = pool ? PATH_POOL : in_arena(p) ? PATH_NONE : PATH_HOST;
	c->r.op.addr = in_arena(p) ? to_sim(p) : (uintptr_t)p;
	c->r.op.cache = c->r.path == PATH_HOST ? HOST_FOREIGN : HOST_NONE;
	nested_record(c->t, &c->r);
	if (pool)
		nested_free(c->t, p);
}

// By one of our own calls into libc. When the machine serves no more the block simply stays.
static void free_later(struct call *c, void *p)
{
	if (atomic_load(&process.mode) != MODE_PASSIVE)
		nested_defer(c->t, p);
}

// The free of a block of the pool outside of a handler; the block is free only after its record.
static void call_pool(struct call *c, const void *p)
{
	if (!process.slot)
		return;
	call_lock(c);
	c->r.path = PATH_POOL;
	c->r.op.addr = (uintptr_t)p;
	call_write(c);
	call_unlock(c);
}

// glibc's pointers, the pool's, and ours at moments when the machine may not be touched.
__attribute__((noinline, cold)) static void free_elsewhere(struct call *c, enum service s, void *p)
{
	if (s == SERVE_NESTED) {
		free_nested(c, p);
		return;
	}
	if (s == SERVE_GLIBC) {
		if (in_arena(p))
			free_later(c, p);
		else
			nested_owns(p) ? nested_free(c->t, p) : host_free(p);
		return;
	}
	if (nested_owns(p)) {
		call_pool(c, p);
		nested_free(c->t, p);
	} else {
		call_host(c, p, s == SERVE_HOST ? HOST_NO_ARENA : HOST_FOREIGN);
		host_free(p);
	}
	call_end(c);
}

__attribute__((noinline)) static void release_slow(void *p, void *frame)
{
	struct call c;

	if (!p)
		return;
	enum service s = call_begin(&c, EV_FREE, frame);
	if (likely(s == SERVE_MACHINE && in_arena(p)))
		free_machine(&c, p);
	else
		free_elsewhere(&c, s, p);
}

__attribute__((noinline)) static void release(void *p, void *frame)
{
	if (unlikely(!ready_free(p, frame)))
		release_slow(p, frame);
}

EXPORT void free(void *p)
{
	if (unlikely(!ready_free(p, ENTRY_FRAME)))
		release_slow(p, ENTRY_FRAME);
}

// --- sizes

static size_t usable(const void *p)
{
	struct place place;

	if (in_arena(p))
		return route_find(&process.cpu[0], to_sim(p), &place) ? place.usable : 0;
	return nested_owns(p) ? nested_size(p) : host_usable(p);
}

EXPORT size_t malloc_usable_size(void *p)
{
	return p ? usable(p) : 0;
}

// --- realloc

// Stays where it is: it fits, and a large block is not held for a small rest.
static bool fits(const struct place *p, size_t size)
{
	return size <= p->usable && (p->usable < SHRINK_FROM || size >= p->usable / 4);
}

static void *realloc_done(struct call *c, void *p)
{
	c->r.op.addr = in_arena(p) ? to_sim(p) : (uintptr_t)p;
	call_write(c);
	call_unlock(c);
	call_end(c);
	return p;
}

// To a new block. The CPU is kept while the bytes are copied, so that taking the new block and
// freeing the old one are one operation.
static void *realloc_copy(struct call *c, void *old, const struct place *place, size_t size)
{
	const struct request q = {.size = size, .align = MIN_ALIGN};
	size_t keep = size < place->usable ? size : place->usable;
	kaddr_t a = route_alloc(c->m, &c->r, &q);
	void *p = NULL;
	bool zero;

	if (a) {
		p = to_host(a);
		zero = c->r.path == PATH_VMALLOC;
	} else {
		c->r.path = PATH_HOST;
		c->r.op.cache = alloc_reason(size);
		zero = keep >= SPARSE_MIN;
		if (!(process.opt.flags & SESSION_FAIL))
			p = host_alloc(size, MIN_ALIGN, zero);
	}
	if (!p) {
		c->r.op.flags |= OPF_FAILED;
		realloc_done(c, NULL);
		return no_memory();
	}
	arena_copy(p, to_sim(old), keep, zero);
	if (a && !zero && size >= PAGE_SIZE / 2)
		arena_dirty(a, block_bytes(c->m, &c->r));
	route_release(c->m, to_sim(old), place);
	return realloc_done(c, p);
}

// Where the program took the old block's memory away from itself, copying it is a fault, which may be
// jumped out of: it shows before anything is held or done.
static void realloc_look(const char *old, size_t bytes)
{
	if (likely(!atomic_load_explicit(&arena_nr_altered, memory_order_relaxed)))
		return;
	for (size_t at = 0; at < bytes; at += PAGE_SIZE - ((uintptr_t)(old + at) & (PAGE_SIZE - 1)))
		(void)*(const volatile char *)(old + at);
}

static void *realloc_machine(struct call *c, void *old, size_t size)
{
	struct place place;
	kaddr_t a = to_sim(old), moved;

	if (!route_find(&process.cpu[0], a, &place)) {
		free_misuse(c, old);
		return no_memory();
	}
	if (place.path != PATH_VMALLOC && !fits(&place, size)) // areas move without being read
		realloc_look(old, size < place.usable ? size : place.usable);
	call_lock(c);
	c->r.op.req = size;
	c->r.op.old = a;
	c->r.op.old_path = place.path;
	if (fits(&place, size)) {
		c->r.path = place.path;
		c->r.op.cache = place.cache;
		return realloc_done(c, old);
	}
	if (place.path == PATH_VMALLOC && place.start == a && size > place.usable) {
		if (route_grow(c->m, &c->r, &place, size))
			return realloc_done(c, old);
		moved = route_move(c->m, &c->r, &place, size);
		if (moved)
			return realloc_done(c, to_host(moved));
	}
	return realloc_copy(c, old, &place, size);
}

static void *realloc_nested(struct call *c, void *old, size_t size)
{
	bool pool = nested_owns(old), ours = in_arena(old);
	size_t keep = usable(old);
	void *p = nested_alloc(c->t, size, MIN_ALIGN);

	if (p)
		memcpy(p, old, keep < size ? keep : size);
	c->r.op.old = ours ? to_sim(old) : (uintptr_t)old;
	c->r.op.old_path = pool ? PATH_POOL : ours ? PATH_NONE : PATH_HOST;
	nested_done(c, size, p);
	if (p && pool)
		nested_free(c->t, old);
	return p ? p : no_memory();
}

// Out of the pool, or out of the machine while it may not be touched. The old block stays.
static void *realloc_leave(const void *old, size_t size)
{
	size_t keep = usable(old);
	void *p = host_alloc(size, MIN_ALIGN, false);

	return p ? memcpy(p, old, keep < size ? keep : size) : no_memory();
}

static void *realloc_glibc(struct call *c, void *old, size_t size)
{
	bool pool = nested_owns(old);

	if (!pool && !in_arena(old))
		return host_realloc(old, size);
	void *p = realloc_leave(old, size);
	if (p && pool)
		nested_free(c->t, old);
	else if (p)
		free_later(c, old);
	return p;
}

__attribute__((noinline, cold)) static void *realloc_elsewhere(struct call *c, enum service s,
							       void *old, size_t size)
{
	bool pool = nested_owns(old);

	if (s == SERVE_NESTED)
		return realloc_nested(c, old, size);
	if (s == SERVE_GLIBC)
		return realloc_glibc(c, old, size);
	void *p = pool ? realloc_leave(old, size) : host_realloc(old, size);
	c->r.op.req = size;
	c->r.op.old = (uintptr_t)old;
	c->r.op.old_path = pool ? PATH_POOL : PATH_HOST;
	if (!p)
		c->r.op.flags |= OPF_FAILED;
	call_host(c, p, s == SERVE_HOST ? HOST_NO_ARENA : HOST_FOREIGN);
	if (p && pool)
		nested_free(c->t, old);
	call_end(c);
	return p;
}

// In place, or to a block of another cache, where nothing is recorded. NULL: not a hit.
static void *realloc_unrecorded(void *p, size_t size, void *frame)
{
	size_t room = quick_room(p);
	void *to;

	if (!room)
		return NULL;
	if (size <= room)
		return fits(&(struct place){.usable = room}, size) ? p : NULL;
	to = quick_alloc(size, frame);
	if (likely(to)) {
		memcpy(to, p, room);
		release(p, frame);
	}
	return to;
}

static inline void *reallocate(void *p, size_t size, void *frame)
{
	struct call c;
	void *to;

	if (!p)
		return allocate_plain(EV_REALLOC, size, frame);
	if (unlikely(size > PTRDIFF_MAX))
		return no_memory();
	if (!size) {
		release(p, frame);
		return NULL;
	}
	if (!process.slot && (to = realloc_unrecorded(p, size, frame)))
		return to;
	enum service s = call_begin(&c, EV_REALLOC, frame);
	if (likely(s == SERVE_MACHINE && in_arena(p)))
		return realloc_machine(&c, p, size);
	return realloc_elsewhere(&c, s, p, size);
}

// --- calls of handlers, once the outer call has ended

// The block of the machine a queued call freed: whose it was the machine says only now.
static void finish_block(struct call *c, kaddr_t a)
{
	struct place place;

	if (!route_find(c->m, a, &place)) {
		route_misused(c->m, &c->r, a);
		return;
	}
	if (c->r.kind == EV_FREE) {
		route_free(c->m, &c->r, a, &place);
		return;
	}
	c->r.op.old_path = place.path;
	route_release(c->m, a, &place);
}

// What glibc gave out goes back to it, once that is recorded.
static void *finish_host(const struct record *r)
{
	if (r->kind == EV_FREE && r->path == PATH_HOST)
		return (void *)(uintptr_t)r->op.addr;
	if (r->kind == EV_REALLOC && r->op.old_path == PATH_HOST && !(r->op.flags & OPF_FAILED))
		return (void *)(uintptr_t)r->op.old;
	return NULL;
}

void call_finish(struct call *c, uint32_t *done)
{
	bool failed = c->r.op.flags & OPF_FAILED;
	bool frees = c->r.kind == EV_FREE && c->r.path == PATH_NONE;
	bool moves =
		c->r.kind == EV_REALLOC && !failed && c->r.op.old && c->r.op.old_path == PATH_NONE;
	void *host = finish_host(&c->r);

	if (mapping_finish(c, done))
		return;
	c->t->op_flags = 0;
	call_lock(c);
	++*done;
	if (frees || moves)
		finish_block(c, (kaddr_t)(frees ? c->r.op.addr : c->r.op.old));
	call_write(c);
	call_unlock(c);
	host_free(host);
}

EXPORT void *realloc(void *p, size_t size)
{
	return reallocate(p, size, ENTRY_FRAME);
}

EXPORT void *reallocarray(void *p, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		return no_memory();
	return reallocate(p, bytes, ENTRY_FRAME);
}

// --- alignment

static bool power_of_two(size_t n)
{
	return n && !(n & (n - 1));
}

static inline void *allocate_aligned(size_t align, size_t size, void *frame)
{
	if (align < MIN_ALIGN)
		align = MIN_ALIGN;
	return allocate(EV_MEMALIGN, REQUEST(size, align, false), frame);
}

EXPORT int posix_memalign(void **out, size_t align, size_t size)
{
	int saved = errno;

	if (!power_of_two(align) || align % sizeof(void *))
		return EINVAL;
	void *p = allocate_aligned(align, size, ENTRY_FRAME);
	errno = saved;
	if (!p)
		return ENOMEM;
	*out = p;
	return 0;
}

// glibc's: an alignment that is no power of two is rounded up.
static void *memalign_rounded(size_t align, size_t size, void *frame)
{
	if (align > PTRDIFF_MAX / 2 + 1) {
		errno = EINVAL;
		return NULL;
	}
	if (!power_of_two(align))
		align = align < 2 ? 1 : (size_t)1 << (64 - __builtin_clzll(align - 1));
	return allocate_aligned(align, size, frame);
}

EXPORT void *memalign(size_t align, size_t size)
{
	return memalign_rounded(align, size, ENTRY_FRAME);
}

EXPORT void *aligned_alloc(size_t align, size_t size)
{
	return memalign_rounded(align, size, ENTRY_FRAME);
}

EXPORT void *valloc(size_t size)
{
	return allocate_aligned(PAGE_SIZE, size, ENTRY_FRAME);
}

EXPORT void *pvalloc(size_t size)
{
	if (size > PTRDIFF_MAX - PAGE_SIZE)
		return no_memory();
	return allocate_aligned(PAGE_SIZE, (size + PAGE_SIZE - 1) & -(size_t)PAGE_SIZE,
				ENTRY_FRAME);
}

// --- other names of free

void *family_alloc(size_t size, size_t align, void *frame)
{
	return align > MIN_ALIGN ? allocate_aligned(align, size, frame)
				 : allocate_plain(EV_MALLOC, size, frame);
}

void family_free(void *p, void *frame)
{
	release(p, frame);
}

EXPORT void cfree(void *p);
EXPORT void free_sized(void *p, size_t size);
EXPORT void free_aligned_sized(void *p, size_t align, size_t size);

EXPORT void cfree(void *p)
{
	release(p, ENTRY_FRAME);
}

EXPORT void free_sized(void *p, size_t size)
{
	(void)size;
	release(p, ENTRY_FRAME);
}

EXPORT void free_aligned_sized(void *p, size_t align, size_t size)
{
	(void)align;
	(void)size;
	release(p, ENTRY_FRAME);
}
