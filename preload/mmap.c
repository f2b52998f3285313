// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// mmap and its family as the program sees them.
//
// A range may lie outside the arena, inside it, or across its border. Inside it belongs to spans
// (arena.h): only those are the program's; the rest of the arena behaves as unmapped addresses do.
// What the program lays over its own spans with MAP_FIXED: overlay.c.
#include "map.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>

#include "sys.h"

#define EXPORT	  __attribute__((visibility("default")))
#define ARENA_END ((uintptr_t)process.base + (1ull << 32))

static long errno_of(long result)
{
	if (result >= 0 || result < -4095)
		return result;
	errno = (int)-result;
	return -1;
}

static void *map_failed(int err)
{
	errno = err;
	return MAP_FAILED;
}

static size_t round_pages(size_t n)
{
	return (n + PAGE_SIZE - 1) & -(size_t)PAGE_SIZE;
}

// [addr, addr + len) cut at the arena's borders.
struct parts {
	uintptr_t start, lo, hi, end; // start..lo host, lo..hi arena, hi..end host
};

static struct parts parts_of(uintptr_t addr, size_t len)
{
	uintptr_t end = addr + len, base = (uintptr_t)process.base;
	struct parts p = {addr, end, end, end};

	if (!base || end <= base || addr >= ARENA_END)
		return p;
	p.lo = addr > base ? addr : base;
	p.hi = end < ARENA_END ? end : ARENA_END;
	return p;
}

static bool touches_arena(uintptr_t addr, size_t len)
{
	struct parts p = parts_of(addr, len);

	return p.lo != p.hi;
}

// Every page of the arena part is the program's, through a span or as a block of malloc.
static bool owned(uintptr_t lo, uintptr_t hi)
{
	const struct machine *m = &process.cpu[0];

	for (uintptr_t p = lo & -(uintptr_t)PAGE_SIZE; p < hi; p += PAGE_SIZE) {
		kaddr_t a = (kaddr_t)p;
		if (is_lowmem(m, a) ? !arena_committed[a >> 22] : span_of(a).kind == SPAN_NONE)
			return false;
	}
	return true;
}

// Made by a handler that interrupted the machine: told when the outer call has ended.
static long nested_host(struct call *c, uintptr_t addr, size_t len, long result)
{
	bool failed = result < 0 && result > -4096;

	c->r.path = PATH_HOST;
	c->r.op.addr = failed ? 0 : addr;
	c->r.op.req = len;
	c->r.op.cache = HOST_NESTED;
	c->r.op.flags |= failed ? OPF_FAILED : 0;
	nested_record(c->t, &c->r);
	return result;
}

// --- mmap

static enum host_reason flags_reason(int prot, int flags, size_t len)
{
	const struct machine_state *s = process.cpu[0].s;

	if (prot == PROT_NONE)
		return HOST_PROT_NONE;
	if (flags & MAP_NORESERVE)
		return HOST_NORESERVE;
	if (flags & MAP_GROWSDOWN)
		return HOST_GROWSDOWN;
	if (flags & MAP_HUGETLB)
		return HOST_HUGETLB;
	if (flags & MAP_32BIT)
		return HOST_32BIT;
	return len > s->vmalloc.end - s->vmalloc.start ? HOST_TOO_BIG : HOST_NONE;
}

// Why the machine has no part in this mapping; HOST_NONE: it serves.
static enum host_reason host_reason(const void *addr, size_t len, int prot, int flags)
{
	int type = flags & MAP_TYPE;

	if (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE) || addr)
		return HOST_FIXED;
	if (type != MAP_PRIVATE && type != MAP_SHARED)
		return HOST_SHARED;
	return flags_reason(prot, flags, len);
}

// The simulation hands out readable, writable memory; the rest of the wish is the host's part.
static bool map_finish(kaddr_t a, size_t len, int prot, int flags)
{
	void *p = to_host(a);

	if (prot != (PROT_READ | PROT_WRITE)) {
		arena_altered(a, len);
		if (sys(SYS_mprotect, p, len, prot))
			return false;
	}
	if (flags & MAP_LOCKED && sys(SYS_mlock, p, len))
		return false;
	if (flags & MAP_POPULATE)
		sys(SYS_madvise, p, len, prot & PROT_WRITE ? 23 : 22); // MADV_POPULATE_WRITE, _READ
	return true;
}

static enum op_path path_of(kaddr_t a)
{
	static const uint8_t of_span[] = {[SPAN_VMALLOC] = PATH_VMALLOC,
					  [SPAN_KMAP] = PATH_KMAP,
					  [SPAN_IOREMAP] = PATH_IOREMAP,
					  [SPAN_PAGES] = PATH_PAGES};
	const struct machine *m = &process.cpu[0];
	struct span s = span_of(a);

	if (s.kind != SPAN_NONE || !is_lowmem(m, a))
		return of_span[s.kind];
	return pfn_to_page(m, lowmem_pfn(m, a))->flags & 1u << PG_slab ? PATH_KMALLOC : PATH_PAGES;
}

// What the program sees at the page of lo ends: its mapping, or one laid over it.
static void run_record(struct call *c, uintptr_t lo, uint32_t n, bool over, enum op_path path)
{
	c->r.path = over ? PATH_HOST : path;
	c->r.op.addr = over ? lo : (kaddr_t)lo;
	c->r.op.req = (uint64_t)n << PAGE_SHIFT;
	call_write(c);
}

// One record per run of pages of one span. `keep`: only the program's view of them ends.
static void unmap_arena(struct call *c, uintptr_t lo, uintptr_t hi, bool keep)
{
	while (lo < hi) {
		uint32_t n = map_run((kaddr_t)lo, (uint32_t)((hi - lo) >> PAGE_SHIFT));
		if (!n) {
			lo += PAGE_SIZE;
			continue;
		}
		enum op_path path = path_of((kaddr_t)lo);
		bool over = overlay_run((kaddr_t)lo, &n);
		call_lock(c);
		if (!keep)
			n = map_release(c->m, &c->r, (kaddr_t)lo, n);
		run_record(c, lo, n, over, path);
		call_unlock(c);
		if (keep)
			overlay_add((kaddr_t)lo, (kaddr_t)lo + (n << PAGE_SHIFT));
		lo += (uintptr_t)n << PAGE_SHIFT;
	}
}

// MAP_FIXED took the place of what the program had there.
static void map_covered(struct call *c, uintptr_t addr, size_t len)
{
	struct parts p = parts_of(addr, round_pages(len));
	struct record r = c->r;

	if (p.lo == p.hi)
		return;
	c->r.kind = EV_MUNMAP;
	unmap_arena(c, p.lo, p.hi, true);
	c->r = r;
}

static void *map_host(struct call *c, void *addr, size_t len, int prot, int flags, int fd,
		      off_t off, enum host_reason reason)
{
	long p = sys(SYS_mmap, addr, len, prot, flags, fd, off);
	bool failed = p < 0 && p > -4096;

	if (!failed && !(flags & MAP_ANONYMOUS))
		file_mapped((uintptr_t)p, len, fd);
	if (!failed && flags & MAP_FIXED)
		map_covered(c, (uintptr_t)p, len);
	if (process.slot) {
		call_lock(c);
		c->r.path = flags & MAP_ANONYMOUS ? PATH_HOST : PATH_FILE;
		c->r.op.addr = failed ? 0 : (uintptr_t)p;
		c->r.op.cache = reason;
		c->r.op.flags |= failed ? OPF_FAILED : 0;
		call_write(c);
		call_unlock(c);
	}
	call_end(c);
	return (void *)errno_of(p);
}

static void *map_exhausted(struct call *c, enum host_reason reason)
{
	c->r.op.flags |= OPF_FAILED;
	c->r.path = PATH_HOST;
	c->r.op.cache = reason;
	call_write(c);
	call_unlock(c);
	call_end(c);
	return map_failed(ENOMEM);
}

static void *map_machine(struct call *c, size_t len, int prot, int flags)
{
	size_t bytes = round_pages(len);
	struct machine *m = call_lock(c);
	kaddr_t a = (flags & MAP_TYPE) == MAP_SHARED
			    ? map_shared(m, &c->r, bytes)
			    : map_private(m, &c->r, bytes, flags & MAP_LOCKED);

	if (a && !map_finish(a, bytes, prot, flags)) {
		map_release(m, &c->r, a, bytes >> PAGE_SHIFT);
		return map_exhausted(c, HOST_SPILL);
	}
	if (!a && process.opt.flags & SESSION_FAIL)
		return map_exhausted(c, HOST_SPILL);
	if (!a) {
		call_unlock(c);
		return map_host(c, NULL, len, prot, flags, -1, 0,
				(flags & MAP_TYPE) == MAP_SHARED ? HOST_SHARED : HOST_SPILL);
	}
	call_write(c);
	call_unlock(c);
	call_end(c);
	return to_host(a);
}

// MAP_FIXED over what the program holds of the arena: the host does it in place.
static int fixed_check(const void *addr, size_t len, int flags)
{
	struct parts p = parts_of((uintptr_t)addr, round_pages(len));

	if (p.lo == p.hi || !(flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)))
		return 0;
	if ((flags & MAP_FIXED_NOREPLACE) == MAP_FIXED_NOREPLACE)
		return EEXIST;
	if (!owned(p.lo, p.hi))
		return ENOMEM;
	arena_altered((kaddr_t)p.lo, p.hi - p.lo);
	return 0;
}

static void *map_entry(void *addr, size_t len, int prot, int flags, int fd, off_t off, void *frame)
{
	struct call c;
	enum service s = call_begin(&c, EV_MMAP, frame);
	enum host_reason reason;

	if (s > SERVE_HOST) {
		long p = sys(SYS_mmap, addr, len, prot, flags, fd, off);
		if (s == SERVE_NESTED)
			nested_host(&c, (uintptr_t)p, len, p);
		return (void *)errno_of(p);
	}
	c.r.op.req = len;
	int err = fixed_check(addr, len, flags);
	if (err) {
		call_end(&c);
		return map_failed(err);
	}
	if (s == SERVE_HOST)
		reason = HOST_NO_ARENA;
	else if (!(flags & MAP_ANONYMOUS))
		reason = HOST_NONE;
	else
		reason = host_reason(addr, len, prot, flags);
	if (s == SERVE_MACHINE && flags & MAP_ANONYMOUS && !reason && len && len <= PTRDIFF_MAX)
		return map_machine(&c, len, prot, flags);
	if (reason == HOST_TOO_BIG && process.opt.flags & SESSION_FAIL) {
		call_lock(&c);
		return map_exhausted(&c, reason);
	}
	return map_host(&c, addr, len, prot, flags, fd, off, reason);
}

EXPORT void *mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
	return map_entry(addr, len, prot, flags, fd, off, ENTRY_FRAME);
}

EXPORT void *mmap64(void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
	return map_entry(addr, len, prot, flags, fd, off, ENTRY_FRAME);
}

// --- munmap

// A part outside of the arena: the mappings of files in it leave their pages in the page cache.
static long unmap_host(struct call *c, uintptr_t addr, size_t len)
{
	uint32_t pages = file_unmapping(addr, len);
	bool live = atomic_load(&process.mode) == MODE_LIVE;

	if (process.slot || (pages && live)) {
		call_lock(c);
		if (pages && live)
			file_pages_add(c->m, pages);
		c->r.path = pages ? PATH_FILE : PATH_HOST;
		c->r.op.addr = addr;
		c->r.op.req = len;
		if (addr & (PAGE_SIZE - 1) || !len) // refused below, after its record
			c->r.op.flags |= OPF_FAILED;
		call_write(c);
		call_unlock(c);
	}
	return sys(SYS_munmap, addr, len);
}

static long unmap_parts(struct call *c, uintptr_t addr, size_t len)
{
	struct parts p = parts_of(addr, round_pages(len));
	long err = 0;

	unmap_arena(c, p.lo, p.hi, false);
	if (p.start < p.lo)
		err = unmap_host(c, p.start, p.lo - p.start);
	if (!err && p.hi < p.end)
		err = unmap_host(c, p.hi, p.end - p.hi);
	return err;
}

// While the machine may not be touched the pages only lose their access; a handler's outer call will
// give them back.
static long unmap_blind(struct call *c, uintptr_t addr, size_t len, bool nested)
{
	struct parts p = parts_of(addr, round_pages(len));
	long err = 0;

	if (p.lo < p.hi) {
		arena_altered((kaddr_t)p.lo, p.hi - p.lo);
		sys(SYS_mprotect, p.lo, p.hi - p.lo, PROT_NONE);
	}
	if (nested && p.lo < p.hi) {
		struct record r = c->r;
		r.op.addr = (kaddr_t)p.lo;
		r.op.req = p.hi - p.lo;
		nested_record(c->t, &r);
	}
	if (p.start < p.lo)
		err = sys(SYS_munmap, p.start, p.lo - p.start);
	if (!err && p.hi < p.end)
		err = sys(SYS_munmap, p.hi, p.end - p.hi);
	if (nested && (p.start < p.lo || p.hi < p.end))
		nested_host(c, p.start < p.lo ? p.start : p.hi, len - (p.hi - p.lo), err);
	return err;
}

EXPORT int munmap(void *addr, size_t len)
{
	struct call c;
	uintptr_t start = (uintptr_t)addr;
	enum service s = call_begin(&c, EV_MUNMAP, ENTRY_FRAME);
	bool ours =
		!(start & (PAGE_SIZE - 1)) && len && len < 1ull << 47 && touches_arena(start, len);
	long err;

	if (s > SERVE_HOST && (ours || s != SERVE_NESTED))
		return (int)errno_of(ours ? unmap_blind(&c, start, len, s == SERVE_NESTED)
					  : sys(SYS_munmap, addr, len));
	if (s > SERVE_HOST)
		return (int)errno_of(nested_host(&c, start, len, sys(SYS_munmap, addr, len)));
	err = ours ? unmap_parts(&c, start, len) : unmap_host(&c, start, len);
	call_end(&c);
	return (int)errno_of(err);
}

// --- mremap of our areas

struct remap {
	kaddr_t a;
	size_t old_len, new_len;
	int flags;
	void *target;
};

// Gives pages of a span back as part of this operation. CPU held; the record stays as it is.
static void remap_release(struct call *c, kaddr_t a, size_t bytes)
{
	struct record r = c->r;
	uint32_t pages = (uint32_t)(bytes >> PAGE_SHIFT);

	for (uint32_t done = 0, n; done < pages; done += n) {
		n = map_release(c->m, &r, a + (done << PAGE_SHIFT), pages - done);
		if (!n)
			return;
	}
}

// Out of the arena, page tables and all; the area's pages go back to the machine.
static void *remap_to_host(struct call *c, const struct remap *q)
{
	size_t keep = q->old_len < q->new_len ? q->old_len : q->new_len;
	int fixed = q->flags & MREMAP_FIXED ? MAP_FIXED : 0;
	long p = sys(SYS_mmap, q->target, q->new_len, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | fixed, -1, 0);

	c->r.path = PATH_HOST;
	c->r.op.cache = HOST_MOVED;
	c->r.op.addr = 0;
	if (p < 0 && p > -4096) {
		c->r.op.flags |= OPF_FAILED;
		return (void *)p;
	}
	if (sys(SYS_mremap, to_host(q->a), keep, keep,
		MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, p) != p)
		memcpy((void *)p, to_host(q->a), keep);
	remap_release(c, q->a, q->old_len);
	c->r.op.addr = (uintptr_t)p;
	return (void *)p;
}

// To another area of the machine.
static void *remap_move(struct call *c, const struct remap *q)
{
	struct record r = c->r; // the release fills c->r for its own part
	size_t keep = q->old_len < q->new_len ? q->old_len : q->new_len;
	kaddr_t a = map_private(c->m, &r, q->new_len, false);

	if (!a)
		return NULL;
	if (arena_move(a, q->a, keep))
		arena_altered(a, keep);
	else
		memcpy(to_host(a), to_host(q->a), keep);
	remap_release(c, q->a, q->old_len);
	c->r = r;
	return to_host(a);
}

static bool remap_grow(struct call *c, const struct remap *q)
{
	struct span s = span_of(q->a);

	if (s.kind != SPAN_VMALLOC || s.start != q->a ||
	    (size_t)s.pages << PAGE_SHIFT != q->old_len || q->new_len >= 1ull << 32 ||
	    vmalloc_grow(c->m, q->a, q->new_len, GFP_KERNEL | __GFP_HIGHMEM | __GFP_ZERO))
		return false;
	if (!arena_open(q->a + q->old_len, q->new_len - q->old_len)) {
		vunmap_partial(c->m, q->a + q->old_len, (q->new_len - q->old_len) >> PAGE_SHIFT);
		return false;
	}
	span_grow(q->a, q->new_len >> PAGE_SHIFT);
	mm_touch(c->m, q->a, q->new_len);
	c->r.path = PATH_VMALLOC;
	c->r.op.gfp = GFPC_KERNEL_HIGH_ZERO;
	return true;
}

// CPU held; the result, or a negative errno.
static void *remap_arena(struct call *c, const struct remap *q)
{
	bool fixed = q->flags & MREMAP_FIXED;
	void *p = NULL;

	c->r.path = path_of(q->a);
	c->r.op.addr = q->a;
	if (!fixed && q->new_len <= q->old_len) {
		remap_release(c, q->a + (kaddr_t)q->new_len, q->old_len - q->new_len);
		return to_host(q->a);
	}
	if (!fixed && remap_grow(c, q))
		return to_host(q->a);
	if (!(q->flags & MREMAP_MAYMOVE)) {
		c->r.op.flags |= OPF_FAILED;
		return (void *)-ENOMEM;
	}
	if (!fixed)
		p = remap_move(c, q);
	return p ? p : remap_to_host(c, q);
}

// Copying out of the arena where the machine may not be touched; the old pages stay accounted.
static void *remap_blind(const struct remap *q)
{
	long p = sys(SYS_mmap, 0, q->new_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		     -1, 0);

	if (p > 0)
		memcpy((void *)p, to_host(q->a), q->old_len < q->new_len ? q->old_len : q->new_len);
	return (void *)p;
}

// The old pages' number waits in the record's cache.
static void remap_nested(struct call *c, const struct remap *q, uintptr_t old, bool ours, long p)
{
	size_t pages = q->old_len >> PAGE_SHIFT;
	bool failed = p < 0 && p > -4096;

	c->r.op.old = ours ? q->a : old;
	c->r.op.old_path = ours ? PATH_NONE : PATH_HOST;
	c->r.path = PATH_HOST;
	c->r.op.addr = failed ? 0 : (uintptr_t)p;
	c->r.op.req = q->new_len;
	c->r.op.cache = !ours ? HOST_NESTED : pages < UINT16_MAX ? pages : UINT16_MAX;
	c->r.op.flags |= failed ? OPF_FAILED : 0;
	nested_record(c->t, &c->r);
}

// Queued by handlers (nested.c). A munmap of ours is a record per span, as it always is.
bool mapping_finish(struct call *c, uint32_t *done)
{
	size_t pages = c->r.op.cache;
	uintptr_t lo = (uintptr_t)process.base + c->r.op.addr;

	if (c->r.kind == EV_MUNMAP && c->r.path == PATH_NONE) {
		++*done;
		unmap_arena(c, lo, lo + c->r.op.req, false);
		return true;
	}
	if (c->r.kind != EV_MREMAP || c->r.op.old_path != PATH_NONE)
		return false;
	c->r.op.old_path = path_of((kaddr_t)c->r.op.old);
	c->r.op.cache = HOST_NESTED;
	call_lock(c);
	++*done;
	if (!(c->r.op.flags & OPF_FAILED))
		remap_release(c, (kaddr_t)c->r.op.old, pages << PAGE_SHIFT);
	call_write(c);
	call_unlock(c);
	return true;
}

static bool remap_valid(uintptr_t old, size_t old_len, size_t new_len, int flags)
{
	return !(old & (PAGE_SIZE - 1)) && old_len && new_len && new_len < 1ull << 47 &&
	       !(flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED)) &&
	       (!(flags & MREMAP_FIXED) || flags & MREMAP_MAYMOVE);
}

EXPORT void *mremap(void *old, size_t old_len, size_t new_len, int flags, ...)
{
	struct call c;
	struct remap q = {.a = to_sim(old),
			  .old_len = round_pages(old_len),
			  .new_len = round_pages(new_len),
			  .flags = flags};
	enum service s = call_begin(&c, EV_MREMAP, ENTRY_FRAME);
	long p;

	if (flags & MREMAP_FIXED) {
		va_list ap;
		va_start(ap, flags);
		q.target = va_arg(ap, void *);
		va_end(ap);
	}
	bool ours = touches_arena((uintptr_t)old, old_len ? old_len : 1);
	if (ours && (!remap_valid((uintptr_t)old, old_len, new_len, flags) ||
		     !owned((uintptr_t)old, (uintptr_t)old + q.old_len))) {
		p = remap_valid((uintptr_t)old, old_len, new_len, flags) ? -EFAULT : -EINVAL;
	} else if (s > SERVE_HOST || !ours) {
		p = ours ? (long)remap_blind(&q)
			 : sys(SYS_mremap, old, old_len, new_len, flags, q.target);
		if (s == SERVE_NESTED)
			remap_nested(&c, &q, (uintptr_t)old, ours, p);
		if (s <= SERVE_HOST && !ours) {
			c.r.op.req = new_len;
			c.r.op.old = (uintptr_t)old;
			c.r.op.old_path = PATH_HOST;
			call_host(&c, p > 0 ? (void *)p : NULL, HOST_NONE);
		}
	} else {
		c.r.op.req = new_len;
		c.r.op.old = q.a;
		c.r.op.old_path = path_of(q.a);
		call_lock(&c);
		p = (long)remap_arena(&c, &q);
		call_write(&c);
		call_unlock(&c);
	}
	if (s <= SERVE_HOST)
		call_end(&c);
	return (void *)errno_of(p);
}

// --- protection, advice, locking: the host's work; ours is to know about it

static bool advice_leaves_mark(int advice)
{
	switch (advice) {
	case MADV_DONTNEED:
	case MADV_FREE:
	case MADV_WILLNEED:
	case 20: // MADV_COLD
	case 21: // MADV_PAGEOUT
	case 22: // MADV_POPULATE_READ
	case 23: // MADV_POPULATE_WRITE
		return false;
	}
	return true;
}

static long on_pages(enum event_kind kind, long nr, void *addr, size_t len, int arg, void *frame)
{
	struct call c;
	enum service s = call_begin(&c, kind, frame);
	uintptr_t start = (uintptr_t)addr;
	struct parts p = parts_of(start, len < 1ull << 47 ? round_pages(len) : 0);
	bool ours = p.lo != p.hi;
	long err = ours && !owned(p.lo, p.hi) ? -ENOMEM : 0;

	if (!err && ours &&
	    (kind == EV_MPROTECT || (kind == EV_MADVISE && advice_leaves_mark(arg))))
		arena_altered((kaddr_t)p.lo, p.hi - p.lo);
	if (!err)
		err = sys(nr, addr, len, arg);
	c.r.op.req = len;
	c.r.op.old = (uint32_t)arg;
	c.r.op.flags |= err ? OPF_FAILED : 0;
	c.r.path = ours ? path_of((kaddr_t)p.lo) : PATH_HOST;
	c.r.op.addr = ours ? (kaddr_t)p.lo : start;
	if (s == SERVE_NESTED)
		nested_record(c.t, &c.r);
	if (s > SERVE_HOST)
		return errno_of(err);
	call_lock(&c);
	call_write(&c);
	call_unlock(&c);
	call_end(&c);
	return errno_of(err);
}

EXPORT int mprotect(void *addr, size_t len, int prot)
{
	return (int)on_pages(EV_MPROTECT, SYS_mprotect, addr, len, prot, ENTRY_FRAME);
}

EXPORT int madvise(void *addr, size_t len, int advice)
{
	return (int)on_pages(EV_MADVISE, SYS_madvise, addr, len, advice, ENTRY_FRAME);
}

// One kind of event; its operand says which: 0 mlock, 1 mlock2 on fault, 2 munlock.
enum {
	LOCK_GONE = 2
};

EXPORT int mlock(const void *addr, size_t len)
{
	return (int)on_pages(EV_MLOCK, SYS_mlock, (void *)(uintptr_t)addr, len, 0, ENTRY_FRAME);
}

EXPORT int mlock2(const void *addr, size_t len, unsigned flags)
{
	long nr = flags ? SYS_mlock2 : SYS_mlock; // as libc: kernels without mlock2 can do this

	return (int)on_pages(EV_MLOCK, nr, (void *)(uintptr_t)addr, len, (int)flags, ENTRY_FRAME);
}

EXPORT int munlock(const void *addr, size_t len)
{
	return (int)on_pages(EV_MLOCK, SYS_munlock, (void *)(uintptr_t)addr, len, LOCK_GONE,
			     ENTRY_FRAME);
}
