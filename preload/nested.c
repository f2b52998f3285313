// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Calls of signal handlers that interrupted the machine, where what they interrupted could not be brought
// to its end first (finish.c).
//
// They never touch it. Blocks come from a pool of the process: one segment per size class with a
// bitmap of used slots, taken and given back by single atomic operations, so that it is safe at any
// moment in any thread. Larger blocks are host mappings kept in a small table.
//
// What they did waits in the thread, as records in chunks out of the pool, until the outer call has
// ended; then it is written after that, in order, and blocks of the machine are freed. A handler that
// interrupts the queueing finishes before it goes on, or jumps and leaves a record without a kind.
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "capture.h"
#include "entry.h"
#include "sys.h"

enum {
	CLASS_MIN_SHIFT = 4,  // 16 bytes
	CLASS_MAX_SHIFT = 14, // 16 KiB
	CLASSES = CLASS_MAX_SHIFT - CLASS_MIN_SHIFT + 1,
	SEGMENT = 256 << 10, // bytes per class
	BITMAP_WORDS = SEGMENT / 16 / 64,
	BIG_BLOCKS = 64,
};

static char *pool; // CLASSES segments
static _Atomic uint64_t used[CLASSES][BITMAP_WORDS];
static struct {
	_Atomic uintptr_t start; // 1: being filled in
	size_t size;
} big[BIG_BLOCKS];
static _Atomic uint32_t nbig;

void nested_init(void)
{
	long p = sys(SYS_mmap, 0, CLASSES * SEGMENT, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	pool = p < 0 && p > -4096 ? NULL : (char *)p;
}

static int bitmap_take(unsigned class)
{
	unsigned slots = SEGMENT >> (class + CLASS_MIN_SHIFT);

	for (unsigned w = 0; w * 64 < slots; w++) {
		uint64_t valid = slots - w * 64 >= 64 ? ~0ull : (1ull << (slots - w * 64)) - 1;
		uint64_t free = ~atomic_load(&used[class][w]) & valid;
		while (free) {
			unsigned bit = __builtin_ctzll(free);
			if (!(atomic_fetch_or(&used[class][w], 1ull << bit) >> bit & 1))
				return w * 64 + bit;
			free = ~atomic_load(&used[class][w]) & valid;
		}
	}
	return -1;
}

static void *big_alloc(size_t size, size_t align)
{
	size_t bytes =
		(size + PAGE_SIZE - 1 + (align > PAGE_SIZE ? align : 0)) & -(size_t)PAGE_SIZE;

	for (unsigned i = 0; i < BIG_BLOCKS; i++) {
		uintptr_t none = 0;
		if (!atomic_compare_exchange_strong(&big[i].start, &none, 1))
			continue;
		long p = sys(SYS_mmap, 0, bytes, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p < 0 && p > -4096) {
			atomic_store(&big[i].start, 0);
			return NULL;
		}
		big[i].size = bytes;
		atomic_store(&big[i].start, (uintptr_t)p);
		atomic_fetch_add(&nbig, 1);
		return (void *)(((uintptr_t)p + align - 1) & -align);
	}
	return NULL;
}

void *nested_alloc(struct thread *t, size_t size, size_t align)
{
	size_t need = size > align ? size : align;

	(void)t;
	for (unsigned class = 0; pool && class < CLASSES && need <= 1u << CLASS_MAX_SHIFT;
	     class ++) {
		if (need > 1u << (class + CLASS_MIN_SHIFT))
			continue;
		int slot = bitmap_take(class);
		if (slot >= 0)
			return pool + (size_t) class * SEGMENT +
			       ((size_t)slot << (class + CLASS_MIN_SHIFT));
	}
	return size < PTRDIFF_MAX - 2 * align ? big_alloc(size, align) : NULL;
}

static bool in_pool(const void *p)
{
	return pool && (uintptr_t)p - (uintptr_t)pool < CLASSES * SEGMENT;
}

static int big_find(const void *p)
{
	if (!atomic_load_explicit(&nbig, memory_order_relaxed))
		return -1;
	for (int i = 0; i < BIG_BLOCKS; i++) {
		uintptr_t start = atomic_load(&big[i].start);
		if (start > 1 && (uintptr_t)p - start < big[i].size)
			return i;
	}
	return -1;
}

bool nested_owns(const void *p)
{
	return in_pool(p) || big_find(p) >= 0;
}

static unsigned class_of(const void *p)
{
	return (unsigned)(((const char *)p - pool) / SEGMENT);
}

size_t nested_size(const void *p)
{
	if (in_pool(p))
		return 1ul << (class_of(p) + CLASS_MIN_SHIFT);
	int i = big_find(p);
	return i < 0 ? 0 : big[i].size - ((uintptr_t)p - big[i].start);
}

void nested_free(struct thread *t, void *p)
{
	(void)t;
	if (in_pool(p)) {
		unsigned class = class_of(p);
		unsigned slot =
			(unsigned)(((char *)p - pool) % SEGMENT >> (class + CLASS_MIN_SHIFT));
		atomic_fetch_and(&used[class][slot / 64], ~(1ull << slot % 64));
		return;
	}
	int i = big_find(p);
	if (i < 0)
		return;
	uintptr_t start = big[i].start;
	size_t size = big[i].size;
	atomic_fetch_sub(&nbig, 1);
	atomic_store(&big[i].start, 0);
	sys(SYS_munmap, start, size);
}

// --- calls that wait

enum {
	CHUNK_RECORDS = 126
};

struct nested_chunk {
	struct nested_chunk *next;
	uint32_t reserved, done; // records drawn; records written or given up
	struct record r[CHUNK_RECORDS];
};

_Static_assert(sizeof(struct nested_chunk) <= PAGE_SIZE, "a chunk is a small block of the pool");

static struct nested_chunk *chunk_add(struct thread *t)
{
	struct nested_chunk *c = nested_alloc(t, sizeof(*c), 16);

	if (!c)
		return NULL;
	__builtin_memset(c, 0, sizeof(*c));
	c->next = t->nested;
	while (!__atomic_compare_exchange_n(&t->nested, &c->next, c, false, __ATOMIC_RELAXED,
					    __ATOMIC_RELAXED))
		;
	return c;
}

static struct record *queue_draw(struct thread *t)
{
	struct nested_chunk *c = t->nested;

	for (; c; c = chunk_add(t)) {
		uint32_t i = __atomic_fetch_add(&c->reserved, 1, __ATOMIC_RELAXED);
		if (i < CHUNK_RECORDS)
			return &c->r[i];
	}
	c = chunk_add(t);
	return c ? &c->r[__atomic_fetch_add(&c->reserved, 1, __ATOMIC_RELAXED)] : NULL;
}

void nested_record(struct thread *t, const struct record *r)
{
	struct record *to = queue_draw(t);
	uint8_t kind = r->kind;

	if (!to) {
		if (process.slot)
			atomic_fetch_add(&process.slot->lost, 1);
		return;
	}
	__builtin_memcpy((char *)to + 1, (const char *)r + 1, sizeof(*r) - 1);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	*(volatile uint8_t *)&to->kind = kind;
}

void nested_defer(struct thread *t, void *p)
{
	struct record r = {.kind = EV_FREE};

	if (nested_owns(p)) {
		nested_free(t, p);
		return;
	}
	r.op.addr = in_arena(p) ? to_sim(p) : (uintptr_t)p;
	r.path = in_arena(p) ? PATH_NONE : PATH_HOST;
	nested_record(t, &r);
}

// Walking the stack is not possible here: the outer call may be at it.
__attribute__((noinline, cold)) void call_nested(struct call *c, void *frame)
{
	c->r.ticket = depot_intern_caller(((uintptr_t *)frame)[1]);
	c->r.op.flags = OPF_NESTED | OPF_SMALL_STACK;
}

static struct nested_chunk *reversed(struct nested_chunk *c)
{
	struct nested_chunk *out = NULL, *next;

	for (; c; c = next) {
		next = c->next;
		c->next = out;
		out = c;
	}
	return out;
}

// The oldest chunk with records that wait. A jump out of the drain leaves them to the next one.
static struct nested_chunk *drain_next(struct thread *t)
{
	if (!t->draining)
		t->draining = reversed(__atomic_exchange_n(&t->nested, NULL, __ATOMIC_RELAXED));
	return t->draining;
}

static void drain_chunk(struct thread *t, struct nested_chunk *c)
{
	struct call call = {.t = t};
	uint32_t n = c->reserved < CHUNK_RECORDS ? c->reserved : CHUNK_RECORDS;

	while (c->done < n) {
		call.r = c->r[c->done];
		call.r.lock = t->slot;
		if (call.r.kind)
			call_finish(&call, &c->done);
		else
			c->done++;
	}
	t->draining = c->next;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	nested_free(t, c);
}

void nested_abandoned(struct thread *t)
{
	if (t->draining)
		nested_wake(t);
}

bool nested_wake(struct thread *t)
{
	return t->nested || chunk_add(t);
}

__attribute__((noinline, cold)) void call_drain(struct thread *t)
{
	uint32_t mode = atomic_load(&process.mode);
	struct nested_chunk *c;

	if (t->internal || t->inside)
		return;
	if (mode == MODE_LIVE || mode == MODE_HOST) {
		t->inside = __builtin_frame_address(0);
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
		while ((c = drain_next(t)))
			drain_chunk(t, c);
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
		t->inside = NULL;
	}
	leave_now();
}

// The outer call is gone when this entry's frame is older than its frame: only a jump out of the
// handler leads there. On another stack addresses do not compare; the kernel knows.
bool nested_outer_gone(const struct thread *t, const void *frame)
{
	const char *outer = t->inside, *now = frame;
	stack_t alt = {0};

	if (now < outer)
		return false;
	if (t->stack_lo && outer >= t->stack_lo && outer < t->stack_hi && now < t->stack_hi)
		return true;
	return !sys(SYS_sigaltstack, 0, &alt) && !(alt.ss_flags & SS_ONSTACK);
}
