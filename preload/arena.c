// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The host arena (arena.h): reservation, commitment, known-zero pages, giving memory back.
#include "arena.h"
#include "poison.h"
#include "capture.h"

#include <fcntl.h>
#include <linux/prctl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "sys.h"

enum {
	ARENA_PAGES = 1 << 20,
	CHUNK_PAGES = 512,	  // committed together once mappings run short
	GIVE_BACK_ORDER = 4,	  // smallest free block worth a system call
	GIVE_BACK_BATCH = 64,	  // blocks per lock section
	GIVE_BACK_MIN = 8 << 20,  // dirty free bytes always tolerated
	ZERO_BY_HOST = 128 << 10, // from here on clearing is left to the host
};
#define ARENA_SIZE   (1ull << 32)
#define LOWMEM_BLOCK (4u << 20) // committed together

#ifndef PR_SET_VMA
#define PR_SET_VMA	     0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

_Atomic uint8_t arena_committed[1024];
_Atomic uint32_t arena_nr_altered;

static struct {
	_Atomic uint64_t *dirty;   // lowmem: handed out since it was last known to be zero
	_Atomic uint64_t *open;	   // areas and windows: accessible
	_Atomic uint64_t *altered; // the program changed protection or advice
	uint32_t *owner;	   // page -> 1 + first page of its span | kind << 24; 0 nobody
	uint32_t *length;	   // first page -> pages of the span
	_Atomic int32_t mappings;  // of ours, estimated by the borders of open runs
	int32_t max_mappings;
	_Atomic uint64_t dirty_free; // bytes freed since the last look at giving back
} arena;

// --- bits

static bool bit_get(_Atomic uint64_t *map, uint32_t i)
{
	return atomic_load_explicit(&map[i / 64], memory_order_relaxed) >> (i % 64) & 1;
}

// Calls for each word of pages [first, first + n) with the mask of the bits concerned; counts the
// bits that changed.
static uint32_t bits_assign(_Atomic uint64_t *map, uint32_t first, uint32_t n, bool value)
{
	uint32_t changed = 0;

	for (uint32_t i = first, end = first + n; i < end;) {
		uint32_t in_word = 64 - i % 64 < end - i ? 64 - i % 64 : end - i;
		uint64_t mask = (in_word == 64 ? ~0ull : (1ull << in_word) - 1) << (i % 64);
		uint64_t old = atomic_load_explicit(&map[i / 64], memory_order_relaxed);
		if ((old & mask) != (value ? mask : 0))
			old = value ? atomic_fetch_or(&map[i / 64], mask)
				    : atomic_fetch_and(&map[i / 64], ~mask);
		changed += __builtin_popcountll((value ? ~old : old) & mask);
		i += in_word;
	}
	return changed;
}

static bool bits_all(_Atomic uint64_t *map, uint32_t first, uint32_t n, bool value)
{
	for (uint32_t i = first, end = first + n; i < end;) {
		uint32_t in_word = 64 - i % 64 < end - i ? 64 - i % 64 : end - i;
		uint64_t mask = (in_word == 64 ? ~0ull : (1ull << in_word) - 1) << (i % 64);
		uint64_t old = atomic_load_explicit(&map[i / 64], memory_order_relaxed);
		if ((old & mask) != (value ? mask : 0))
			return false;
		i += in_word;
	}
	return true;
}

// --- reservation

static void name_mapping(void *p, size_t size, const char *name)
{
	sys(SYS_prctl, PR_SET_VMA, PR_SET_VMA_ANON_NAME, p, size, name);
}

// Half of what the kernel allows a process, so that the program keeps the other half.
static int32_t mapping_budget(void)
{
	char buf[16];
	int32_t n = 0;
	long fd = sys(SYS_open, "/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC, 0);

	if (fd < 0)
		return 65530 / 2;
	long got = sys(SYS_read, fd, buf, sizeof(buf));
	sys(SYS_close, fd);
	for (long i = 0; i < got && buf[i] >= '0' && buf[i] <= '9' && n < 100000000; i++)
		n = n * 10 + buf[i] - '0';
	return n > 1000 ? n / 2 : 65530 / 2;
}

static bool tables_map(void)
{
	size_t bitmap = ARENA_PAGES / 8, table = ARENA_PAGES * sizeof(uint32_t);
	char *p = map_zeroed(3 * bitmap + 2 * table);

	if (!p)
		return false;
	name_mapping(p, 3 * bitmap + 2 * table, "kalloscope tables");
	arena.dirty = (void *)p;
	arena.open = (void *)(p + bitmap);
	arena.altered = (void *)(p + 2 * bitmap);
	arena.owner = (void *)(p + 3 * bitmap);
	arena.length = (void *)(p + 3 * bitmap + table);
	return true;
}

static void reservation_advise(void *p, size_t size)
{
	sys(SYS_madvise, p, size, MADV_NOHUGEPAGE);
	name_mapping(p, size, "kalloscope arena");
}

// Exactly 4 GiB at a multiple of 4 GiB: asking for more and trimming would fail under limits on
// address space that 4 GiB still pass.
static char *reserve_aligned(void)
{
	static const uint64_t from[] = {0x200000000000, 0x100000000000, 0x4000000000, 0x800000000};

	for (unsigned i = 0; i < sizeof(from) / sizeof(from[0]); i++)
		for (uint64_t at = from[i]; at < from[i] + 16 * ARENA_SIZE; at += ARENA_SIZE) {
			long p = sys(SYS_mmap, at, ARENA_SIZE, PROT_NONE,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
					     MAP_FIXED_NOREPLACE,
				     -1, 0);
			if (p == (long)at)
				return (char *)p;
			if (p >= 0 || p < -4095) // a kernel that takes the flag for a hint
				sys(SYS_munmap, p, ARENA_SIZE);
		}
	return NULL;
}

bool arena_reserve(void)
{
	char *base = reserve_aligned();

	if (!base)
		return false;
	if (!tables_map()) {
		sys(SYS_munmap, base, ARENA_SIZE);
		return false;
	}
	reservation_advise(base, ARENA_SIZE);
	arena.max_mappings = mapping_budget();
	process.base = base;
	return true;
}

// --- lowmem

bool arena_commit_slow(kaddr_t a)
{
	uint32_t block = a >> 22;

	if (sys(SYS_mprotect, to_host(block * LOWMEM_BLOCK), LOWMEM_BLOCK, PROT_READ | PROT_WRITE))
		return false;
	atomic_store(&arena_committed[block], 1);
	return true;
}

static uint32_t first_page(kaddr_t a)
{
	return a >> PAGE_SHIFT;
}

static uint32_t pages_touched(kaddr_t a, size_t bytes)
{
	return bytes ? first_page(a + (kaddr_t)(bytes - 1)) - first_page(a) + 1 : 0;
}

void arena_dirty(kaddr_t a, size_t bytes)
{
	bits_assign(arena.dirty, first_page(a), pages_touched(a, bytes), true);
}

// The block is the caller's and starts on a page or is smaller than one.
void arena_clear(kaddr_t a, size_t bytes)
{
	uint32_t first = first_page(a), n = pages_touched(a, bytes);

	if (bytes >= ZERO_BY_HOST && !(a & (PAGE_SIZE - 1)) && !capture_no_syscalls &&
	    !bits_all(arena.dirty, first, n, false) &&
	    !sys(SYS_madvise, to_host(a), (size_t)n << PAGE_SHIFT, MADV_DONTNEED))
		bits_assign(arena.dirty, first, n, false);
	for (uint32_t i = 0; i < n; i++) {
		kaddr_t from = i ? (first + i) << PAGE_SHIFT : a;
		size_t end = (size_t)(first + i + 1) << PAGE_SHIFT, want = (size_t)a + bytes;
		if (bit_get(arena.dirty, first + i))
			memset(to_host(from), 0, (end < want ? end : want) - from);
	}
	bits_assign(arena.dirty, first, n, true);
}

// A slab's end is memory that may be given back.
void arena_slab_record(const struct machine *m, const struct record *r)
{
	const struct kmem_cache *c = &m->caches[r->arg[0] % MAX_CACHES];
	size_t bytes = (size_t)PAGE_SIZE << c->gfporder;

	if (r->kind == EV_SLAB_ADD && c->buffer_size <= SLAB_DIRTY_MOST)
		arena_dirty(lowmem_addr(m, r->arg[1]), bytes);
	if (r->kind == EV_SLAB_ADD && process.poison)
		poison_slab(m, r->arg[0], r->arg[1]);
	else if (r->kind == EV_SLAB_DESTROY)
		atomic_fetch_add_explicit(&arena.dirty_free, bytes, memory_order_relaxed);
}

// Gives the dirty part of one free block back. The block cannot be taken meanwhile: its zone's
// lock is held.
static size_t give_back_block(struct machine *m, pfn_t pfn, unsigned order)
{
	kaddr_t a = lowmem_addr(m, pfn);
	uint32_t first = first_page(a), n = 1u << order;

	if (!atomic_load(&arena_committed[a >> 22]) || bits_all(arena.dirty, first, n, false))
		return 0;
	if (sys(SYS_madvise, to_host(a), (size_t)n << PAGE_SHIFT, MADV_DONTNEED))
		return 0;
	return (size_t)bits_assign(arena.dirty, first, n, false) << PAGE_SHIFT;
}

static void give_back_zone(struct machine *m, unsigned zone)
{
	unsigned done = 0;

	m->ops->lock(m, LOCK_ZONE + zone);
	for (int order = MAX_ORDER - 1; order >= GIVE_BACK_ORDER; order--)
		for (unsigned mt = 0; mt < MIGRATE_TYPES && done < GIVE_BACK_BATCH; mt++) {
			pfn_t pfn = m->s->zone[zone].free_area[order].free_list[mt].first;
			for (; pfn && done < GIVE_BACK_BATCH; pfn = m->mem_map[pfn].lru.next)
				done += give_back_block(m, pfn, order) != 0;
		}
	m->ops->unlock(m, LOCK_ZONE + zone);
}

void arena_freed(struct machine *m, size_t bytes)
{
	uint64_t sum =
		atomic_fetch_add_explicit(&arena.dirty_free, bytes, memory_order_relaxed) + bytes;

	if (sum < GIVE_BACK_MIN || capture_no_syscalls)
		return;
	uint64_t free = zone_free_pages(m, ZONE_DMA) + zone_free_pages(m, ZONE_NORMAL);
	uint64_t live = (m->s->max_low_pfn - free) << PAGE_SHIFT;
	if (sum < live / 10)
		return;
	atomic_store_explicit(&arena.dirty_free, 0, memory_order_relaxed);
	give_back_zone(m, ZONE_NORMAL);
	give_back_zone(m, ZONE_DMA);
}

// --- areas and windows

// How many of our host mappings the range and its two neighbours are, less one: places where a page
// differs from the one before it.
static int32_t borders(uint32_t first, uint32_t n)
{
	uint32_t from = first ? first : 1, to = first + n < ARENA_PAGES ? first + n : first + n - 1;
	int32_t sum = 0;

	for (uint32_t i = from, in_word; i <= to; i += in_word) {
		uint64_t word = atomic_load_explicit(&arena.open[i / 64], memory_order_relaxed);
		uint64_t differ =
			(word ^ (word << 1 | bit_get(arena.open, i & -64u ? (i & -64u) - 1 : 0))) >>
			(i % 64);

		in_word = 64 - i % 64 < to - i + 1 ? 64 - i % 64 : to - i + 1;
		sum += __builtin_popcountll(in_word < 64 ? differ & ((1ull << in_word) - 1)
							 : differ);
	}
	return sum;
}

static void open_assign(uint32_t first, uint32_t n, bool value)
{
	int32_t before = borders(first, n);

	bits_assign(arena.open, first, n, value);
	atomic_fetch_add(&arena.mappings, borders(first, n) - before);
}

static bool mappings_short(void)
{
	return atomic_load_explicit(&arena.mappings, memory_order_relaxed) > arena.max_mappings;
}

bool arena_open(kaddr_t a, size_t bytes)
{
	uint32_t first = first_page(a), n = pages_touched(a, bytes);

	if (bits_all(arena.open, first, n, true))
		return true;
	if (mappings_short()) { // neighbours too: fewer borders, guard pages lost
		uint32_t end = (first + n + CHUNK_PAGES - 1) & -CHUNK_PAGES;
		first &= -CHUNK_PAGES;
		n = (end < ARENA_PAGES ? end : ARENA_PAGES) - first;
	}
	if (sys(SYS_mprotect, to_host(first << PAGE_SHIFT), (size_t)n << PAGE_SHIFT,
		PROT_READ | PROT_WRITE))
		return false;
	open_assign(first, n, true);
	return true;
}

// A fresh reservation in place of whatever is there.
static bool map_fresh(uint32_t first, uint32_t n, int prot)
{
	char *p = to_host(first << PAGE_SHIFT);
	size_t size = (size_t)n << PAGE_SHIFT;
	long got = sys(SYS_mmap, p, size, prot,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);

	if (got != (long)p)
		return false;
	reservation_advise(p, size);
	return true;
}

static bool altered_take(uint32_t first, uint32_t n)
{
	if (!atomic_load_explicit(&arena_nr_altered, memory_order_relaxed))
		return false;
	uint32_t changed = bits_assign(arena.altered, first, n, false);
	atomic_fetch_sub(&arena_nr_altered, changed);
	return changed != 0;
}

void arena_shut(kaddr_t a, size_t bytes)
{
	uint32_t first = first_page(a), n = pages_touched(a, bytes);
	char *p = to_host(first << PAGE_SHIFT);

	if (altered_take(first, n) && map_fresh(first, n, PROT_NONE)) {
		open_assign(first, n, false);
		return;
	}
	if (capture_no_syscalls) { // it stays open
		memset(p, 0, (size_t)n << PAGE_SHIFT);
		return;
	}
	sys(SYS_madvise, p, (size_t)n << PAGE_SHIFT, MADV_DONTNEED);
	if (!mappings_short() && !sys(SYS_mprotect, p, (size_t)n << PAGE_SHIFT, PROT_NONE))
		open_assign(first, n, false);
}

// The old mapping stays in place, empty: nobody else can slip into the hole.
bool arena_move(kaddr_t to, kaddr_t from, size_t bytes)
{
	return sys(SYS_mremap, to_host(from), bytes, bytes,
		   MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP,
		   to_host(to)) == (long)to_host(to);
}

void arena_altered(kaddr_t a, size_t bytes)
{
	uint32_t first = first_page(a), n = pages_touched(a, bytes);

	atomic_fetch_add(&arena_nr_altered, bits_assign(arena.altered, first, n, true));
}

// Whole pages get a fresh mapping; of a page shared with other blocks only the protection goes
// back, its bytes are not ours to lose.
void arena_restore(kaddr_t a, size_t bytes)
{
	uint32_t first = first_page(a), n = pages_touched(a, bytes);
	bool whole = !((a | bytes) & (PAGE_SIZE - 1));

	if (!altered_take(first, n))
		return;
	if (whole && map_fresh(first, n, PROT_READ | PROT_WRITE)) {
		bits_assign(arena.dirty, first, n, false);
		return;
	}
	sys(SYS_mprotect, to_host(first << PAGE_SHIFT), (size_t)n << PAGE_SHIFT,
	    PROT_READ | PROT_WRITE);
}

// --- before system calls are given up

static void settle_lowmem(const struct machine *m)
{
	uint32_t block = m->s->cfg.page_offset >> 22,
		 end = (m->s->high_memory - 1) / LOWMEM_BLOCK + 1;

	for (; block < end; block++)
		arena_commit(block * LOWMEM_BLOCK);
}

static void settle_areas(uint32_t first, uint32_t end)
{
	for (uint32_t n; first < end; first += n) {
		bool open = bit_get(arena.open, first);
		for (n = 1; first + n < end && bit_get(arena.open, first + n) == open;)
			n++;
		if (!open && !sys(SYS_mprotect, to_host(first << PAGE_SHIFT),
				  (size_t)n << PAGE_SHIFT, PROT_READ | PROT_WRITE))
			bits_assign(arena.open, first, n, true);
	}
}

// What has an owner keeps the protection it has.
void arena_settle(const struct machine *m)
{
	uint32_t windows = first_page(m->s->kmap.pkmap_base);

	settle_lowmem(m);
	settle_areas(first_page(m->s->vmalloc.start), first_page(m->s->vmalloc.end));
	settle_areas(windows, windows + LAST_PKMAP);
}

// --- spans

static void span_own(uint32_t first, uint32_t from, uint32_t to, uint32_t kind)
{
	for (uint32_t i = from; i < to; i++)
		arena.owner[first + i] = (first + 1) | kind << 24;
	arena.length[first] = to;
}

void span_set(kaddr_t start, uint32_t pages, enum span_kind kind)
{
	span_own(first_page(start), 0, pages, kind);
}

void span_clear(kaddr_t a, uint32_t pages)
{
	memset(&arena.owner[first_page(a)], 0, pages * sizeof(arena.owner[0]));
}

struct span span_of(kaddr_t a)
{
	uint32_t owner = arena.owner[first_page(a)];
	struct span s = {.kind = owner >> 24};

	if (!owner)
		return s;
	uint32_t first = (owner & 0xFFFFFF) - 1;
	s.start = first << PAGE_SHIFT;
	s.pages = arena.length[first];
	return s;
}

void span_grow(kaddr_t start, uint32_t pages)
{
	uint32_t first = first_page(start);

	span_own(first, arena.length[first], pages, arena.owner[first] >> 24);
}
