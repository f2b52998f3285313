// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Writing records: one ring per simulated CPU, written under that CPU's lock.
//
// What the producer knows of a ring is kept in private memory; the shared line is only stored to.
// A full ring makes the program wait while a drainer shows signs of life; after that the records
// are given up, counted in the slot, and told to the reader by a LOST record once there is room.
#include "ring.h"

#include <time.h>
#include <x86intrin.h>

enum {
	OPS_PER_TIME = 16,
	TEXT_PIECE = 20
};

struct producer producers[MAX_CPUS];

uint64_t clock_now_ns(void)
{
	struct timespec ts = {0};

	sys(SYS_clock_gettime, CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t clock_stamp(void)
{
	if (capture_no_tsc)
		return 0;
	if (process.session && process.session->tsc_mult)
		return __rdtsc();
	return capture_no_syscalls ? 0 : clock_now_ns();
}

void ring_attach(void)
{
	struct session_header *h = process.session;

	for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++) {
		struct producer *p = &producers[cpu];

		*p = (struct producer){.waited_at = UINT64_MAX};
		if (!process.slot || cpu >= h->rings_per_slot)
			continue;
		p->ring = session_ring(h, process.slot_index, cpu);
		p->shared = &process.slot->ring[cpu].head;
		p->head = atomic_load_explicit(p->shared, memory_order_relaxed);
		p->room = p->head;
		p->mask = h->ring_records - 1;
	}
}

// How many records may be written now. `tail` is the drainer's, so it is not trusted to be sane.
static uint64_t ring_room(struct producer *p, unsigned cpu)
{
	uint64_t tail = atomic_load_explicit(&process.slot->ring[cpu].tail, memory_order_acquire);
	uint64_t used = p->head - tail;

	p->room = used > p->mask ? p->head : tail + p->mask + 1;
	return p->room - p->head;
}

static void pause_ns(long ns)
{
	struct timespec ts = {.tv_nsec = ns};

	sys(SYS_nanosleep, &ts, NULL);
}

// Where nothing may be asked of the kernel. 2^24 pauses are about a second.
static bool ring_spin(struct producer *p, unsigned cpu, uint64_t need)
{
	for (unsigned i = 0; i < 1u << 24; i++) {
		_mm_pause();
		if (!(i & 255) && ring_room(p, cpu) >= need)
			return true;
	}
	p->waited_at = p->head;
	return false;
}

// Waits for `need` free records: first politely, then asleep, at most wait_ms since the drainer
// last did anything. False: given up.
static bool ring_wait(struct producer *p, unsigned cpu, uint64_t need)
{
	struct session_header *h = process.session;
	uint64_t limit = (uint64_t)h->opt.wait_ms * 1000000u, since, beat;

	if (p->waited_at == p->head) // nothing was drained since the last wait
		return false;
	if (capture_no_syscalls)
		return ring_spin(p, cpu, need);
	since = clock_now_ns();
	beat = atomic_load_explicit(&h->heartbeat_ns, memory_order_relaxed);
	for (unsigned i = 0; ring_room(p, cpu) < need; i++) {
		uint64_t now = clock_now_ns();
		uint64_t b = atomic_load_explicit(&h->heartbeat_ns, memory_order_relaxed);

		if (b != beat) {
			beat = b;
			since = now;
		}
		if (now - since > limit) {
			p->waited_at = p->head;
			return false;
		}
		if (i < 16)
			sys(SYS_sched_yield);
		else
			pause_ns(200000);
	}
	return true;
}

static inline void ring_put(struct producer *p, const struct record *r)
{
	p->ring[p->head & p->mask] = *r;
	ring_publish(p);
}

// An OP was filled field by field a moment ago, and a load wider than those stores would wait until
// they have reached the cache. So its words are put together from loads of the fields' sizes, which
// the compiler must not join.
typedef volatile uint8_t __attribute__((may_alias)) field8;
typedef volatile uint16_t __attribute__((may_alias)) field16;
typedef volatile uint32_t __attribute__((may_alias)) field32;
typedef volatile uint64_t __attribute__((may_alias)) field64;

#define FIELD(r, type, at) (*(const type *)((const char *)(r) + (at)))

static inline void op_put(struct producer *p, const struct record *r)
{
	uint64_t *to = (uint64_t *)&p->ring[p->head & p->mask];
	uint64_t head = FIELD(r, field8, 0) | (uint64_t)FIELD(r, field8, 1) << 8,
		 size = FIELD(r, field32, 16), old = FIELD(r, field32, 24);

	head |= (uint64_t)FIELD(r, field16, 2) << 16 | (uint64_t)FIELD(r, field32, 4) << 32;
	size |= (uint64_t)FIELD(r, field16, 20) << 32 | (uint64_t)FIELD(r, field16, 22) << 48;
	old |= (uint64_t)FIELD(r, field16, 28) << 32 | (uint64_t)FIELD(r, field8, 30) << 48 |
	       (uint64_t)FIELD(r, field8, 31) << 56;
	to[0] = head;
	to[1] = FIELD(r, field64, 8); // record_block writes it as one
	to[2] = size;
	to[3] = old;
	ring_publish(p);
}

static void ring_put_lost(struct producer *p, unsigned cpu)
{
	struct record r = {
		.kind = EV_LOST, .cpu = cpu, .arg = {(uint32_t)p->lost, (uint32_t)(p->lost >> 32)}};

	p->lost = 0;
	ring_put(p, &r);
}

// The ring looked full, or records are missing: the record and perhaps a LOST before it.
__attribute__((noinline, cold)) static void ring_push_slow(struct producer *p, unsigned cpu,
							   const struct record *r)
{
	uint64_t need = 1 + (p->lost != 0);
	uint32_t claimed = SLOT_CLAIMED;

	if (!p->ring)
		return;
	// Nobody empties the rings of a process that is not there yet.
	atomic_compare_exchange_strong(&process.slot->state, &claimed, SLOT_LIVE);
	if (ring_room(p, cpu) < need && !ring_wait(p, cpu, need)) {
		p->lost++;
		p->room = p->head;
		atomic_fetch_add_explicit(&process.slot->lost, 1, memory_order_relaxed);
		return;
	}
	if (p->lost)
		ring_put_lost(p, cpu);
	ring_put(p, r);
}

static inline void ring_push(unsigned cpu, const struct record *r)
{
	struct producer *p = &producers[cpu];

	if (ring_has_room(p))
		ring_put(p, r);
	else
		ring_push_slow(p, cpu, r);
}

void capture_record(struct machine *m, const struct record *r)
{
	ring_push(m->cpu, r);
}

static void push_time(unsigned cpu)
{
	uint64_t now = clock_stamp();
	struct record r = {
		.kind = EV_TIME, .cpu = cpu, .arg = {(uint32_t)now, (uint32_t)(now >> 32)}};

	if (now)
		ring_push(cpu, &r);
}

__attribute__((noinline)) void capture_time(struct producer *p, unsigned cpu)
{
	static _Atomic uint32_t turns;
	struct thread *t = &thread_self;

	p->ops = process.opt.flags & SESSION_PRECISE_TIME ? 1 : OPS_PER_TIME;
	if (p->turn != t->turn || !p->turn)
		p->turn = t->turn = atomic_fetch_add_explicit(&turns, 1, memory_order_relaxed) + 1;
	if (__builtin_expect(atomic_load_explicit(&process.session->phase, memory_order_relaxed) ==
				     PHASE_AFTER,
			     0) &&
	    !atomic_exchange(&process.over, 1))
		*process.wipe = ++process.generation; // sends every thread the slow way
	push_time(cpu);
}

void capture_op(struct machine *m, struct record *r)
{
	const unsigned cpu = m->cpu;
	struct producer *p = &producers[cpu];

	r->cpu = cpu;
	if (time_is_due(p, &thread_self))
		capture_time(p, cpu);
	p->ops--;
	if (ring_has_room(p))
		op_put(p, r);
	else
		ring_push_slow(p, cpu, r);
}

void capture_barrier(void)
{
	uint64_t seq = ++process.barrier;

	for (unsigned cpu = 0; cpu < process.ncpus; cpu++) {
		struct record r = {.kind = EV_BARRIER,
				   .cpu = cpu,
				   .arg = {(uint32_t)seq, (uint32_t)(seq >> 32)}};
		ring_push(cpu, &r);
	}
}

void capture_text(struct machine *m, enum text_what what, const void *bytes, size_t n)
{
	size_t len;

	do {
		struct record r = {.kind = EV_TEXT, .cpu = m->cpu};

		len = n < TEXT_PIECE ? n : TEXT_PIECE;
		r.arg[0] = (uint32_t)what | (uint32_t)len << 16;
		__builtin_memcpy(&r.arg[1], bytes, len);
		ring_push(m->cpu, &r);
		bytes = (const char *)bytes + len;
		n -= len;
	} while (len == TEXT_PIECE);
}
