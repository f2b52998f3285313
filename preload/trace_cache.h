// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Traces kept from earlier walks, and the test whether one still holds (backtrace.c).
//
// A kept trace names the entry frame it was taken at (its address and return address) and every
// word of memory the walk read, as offset from that frame and value. The walk is a function of
// those alone; so when all words have their values, a walk would give the same frames:
//
//   the walk reads its first word where ret and frame say
//   the next word lies where the words before it say        => all equal: all at the same places
//
// By the same induction each word is there to be read as long as those before it hold. Words that
// lie in the thread's known stack are readable at any time, and only those are compared four at a
// time; a trace with any other word has RET_IN_ORDER set in `ret`, so that the quick test never
// finds it. So have calls of the dynamic loader: they mean that code may have come or gone.
//
// Many traces may have one entry frame: a function's callers differ further out. They form a tree:
// where the trace in a slot does not hold, its first word that differs, and the value found there,
// say in which slot to look next.
//
// A cache belongs to one thread. One that is passed on to another counts `turns` up, which makes
// all its traces stale, as a module that goes away does.
#pragma once

#include <emmintrin.h>

#include "unwind.h"

enum {
	CACHE_BITS = 14,
	CACHE_ENTRIES = 1 << CACHE_BITS,
	CACHE_GROUPS = 1 << 17,
	GROUP_WORDS = 4,
	FRAME_WORDS = 2 // of an entry frame: the caller's frame pointer, the return address
};
#define RET_IN_ORDER (1ull << 63) // no code lies there

struct word_group { // a trace's last group repeats its last word
	alignas(16) uint64_t value[GROUP_WORDS];
	uint32_t offset[GROUP_WORDS]; // words above the entry frame
};

struct cached_trace {
	alignas(64) uintptr_t ret; // 0 unused
	uintptr_t frame; // address of the saved frame pointer; the return address is above
	const struct word_group *first, *end;
	uint32_t age;	      // cache_age() when it was walked
	uint32_t stack;	      // depot id
	uintptr_t site;	      // capture_site, 0 not yet asked for
	struct site *counter; // of this site and `size` (sitecache.c)
	uint32_t size;	      // bytes; 0 none
	uint16_t flags;	      // OPF_* of quality
};
_Static_assert(sizeof(struct cached_trace) == 64, "one line");

struct trace_cache {
	struct cached_trace entry[CACHE_ENTRIES];
	struct cached_trace *last; // found by the last capture_stack
	uint32_t next_group;	   // group[] is filled from the front and thrown away when full
	uint32_t turns;
	struct trace trace;
	struct depot_path path;
	struct word_group group[CACHE_GROUPS];
};

typedef uint64_t __attribute__((may_alias)) stack_word;

// Both only grow, so an old sum never comes back.
static inline uint32_t cache_age(const struct trace_cache *c)
{
	return c->turns + rules_generation();
}

// Where a trace of this entry frame stands. branch: 0, or what sets it apart from the trace that
// stands there (below).
static inline struct cached_trace *cache_slot(struct trace_cache *c, const stack_word *frame,
					      uint64_t branch)
{
	uint64_t h = (frame[1] ^ (uint64_t)(uintptr_t)frame << 20 ^ branch) * 0x9E3779B97F4A7C15ull;

	h = h >> (64 - CACHE_BITS - 6) & (CACHE_ENTRIES - 1ull) << 6; // in bytes
	return (struct cached_trace *)((char *)c->entry + h);
}

// Two words of other frames at a time, read anew at every call.
static inline __m128i two_words(const stack_word *frame, const uint32_t offset[2])
{
	__m128i low = _mm_loadl_epi64((const __m128i *)&frame[offset[0]]);

	return _mm_castpd_si128(
		_mm_loadh_pd(_mm_castsi128_pd(low), (const double *)&frame[offset[1]]));
}

static inline bool words_hold(const struct cached_trace *e, const stack_word *frame)
{
	const struct word_group *g = e->first;
	__m128i differ = _mm_setzero_si128();

	atomic_signal_fence(memory_order_seq_cst);
	do {
		__m128i a = two_words(frame, &g->offset[0]), b = two_words(frame, &g->offset[2]);
		a = _mm_xor_si128(a, _mm_load_si128((const __m128i *)&g->value[0]));
		b = _mm_xor_si128(b, _mm_load_si128((const __m128i *)&g->value[2]));
		differ = _mm_or_si128(differ, _mm_or_si128(a, b));
	} while (++g != e->end);
	return _mm_movemask_epi8(_mm_cmpeq_epi8(differ, _mm_setzero_si128())) == 0xFFFF;
}

// Only in the test build that compares each trace found with libunwind's (tests/judge.c).
#ifdef KALLOSCOPE_JUDGE
void judge_trace(const struct cached_trace *e, const stack_word *frame);
#else
static inline void judge_trace(const struct cached_trace *e, const stack_word *frame)
{
	(void)e;
	(void)frame;
}
#endif

// frame[0] is the caller's frame pointer, frame[1] the return address: an entry's own frame.
static inline bool trace_holds(const struct trace_cache *c, const struct cached_trace *e,
			       const stack_word *frame)
{
	return e->ret == frame[1] && e->frame == (uintptr_t)frame && e->age == cache_age(c) &&
	       words_hold(e, frame);
}

// The first trace of this frame, if it holds; NULL: capture_stack has to look further.
static inline struct cached_trace *trace_hit(struct trace_cache *c, const stack_word *frame)
{
	struct cached_trace *e = cache_slot(c, frame, 0);

	if (__builtin_expect(!trace_holds(c, e, frame), 0))
		return NULL;
	judge_trace(e, frame);
	return e;
}
