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
// say in which slot to look next. A slot keeps in mind where another trace left it (fork), so that
// one look at that word tells the two apart.
//
// Words are kept in a ring: a new trace drives out the oldest ones.
//
// A cache belongs to one thread. One that is passed on to another counts `turns` up, which makes
// all its traces stale, as a module that goes away does.
#pragma once

#include <emmintrin.h>

#include "standing.h"

enum {
	CACHE_ENTRIES = 1 << 16,     // in a cache fully grown
	CACHE_ENTRIES_FEW = 1 << 12, // in a new one
	CACHE_GROUPS = 1 << 18,
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
	uintptr_t frame;     // address of the saved frame pointer; the return address is above
	uint32_t age;	     // cache_age() when it was walked
	uint32_t stack;	     // depot id
	uint32_t words;	     // where in group[] they begin, in bytes
	uint16_t bytes;	     // of group[] that they take
	uint16_t flags;	     // OPF_* of quality
	uintptr_t site;	     // capture_site, 0 not yet asked for
	uint32_t fork;	     // 1 + offset of a word that tells another trace; 0 none
	uint64_t fork_value; // of this trace there
};
_Static_assert(sizeof(struct cached_trace) == 64, "one line");

struct group_run { // at its first group: whose it is
	uint16_t entry;
	uint16_t ngroups;
};

struct trace_cache {
	struct cached_trace entry[CACHE_ENTRIES];
	uint64_t mask;		    // of offsets in entry[], as far as it is in use
	uint32_t crowded;	    // traces that lost their place to another one
	struct cached_trace *last;  // found by the last capture_stack
	struct cached_trace unkept; // the one that could not be kept
	// Runs of groups lie end to end in [oldest, end) and [0, next): the latter are the newer ones.
	uint32_t next, oldest, end;
	uint32_t turns;
	struct trace trace;	// the last walk, as far as it went,
	struct depot_path path; // and the whole stack
	struct standing standing;
	struct group_run run[CACHE_GROUPS];
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

	h = h >> 42 & c->mask;
	return (struct cached_trace *)((char *)c->entry + h);
}

// Two words of other frames at a time, read anew at every call.
static inline __m128i two_words(const stack_word *frame, const uint32_t offset[2])
{
	__m128i low = _mm_loadl_epi64((const __m128i *)&frame[offset[0]]);

	return _mm_castpd_si128(
		_mm_loadh_pd(_mm_castsi128_pd(low), (const double *)&frame[offset[1]]));
}

// Bits of the words that differ from a group's.
static inline __m128i group_differs(const struct word_group *g, const stack_word *frame)
{
	__m128i a = two_words(frame, &g->offset[0]), b = two_words(frame, &g->offset[2]);

	a = _mm_xor_si128(a, _mm_load_si128((const __m128i *)&g->value[0]));
	b = _mm_xor_si128(b, _mm_load_si128((const __m128i *)&g->value[2]));
	return _mm_or_si128(a, b);
}

static inline bool is_zero(__m128i bits)
{
	return _mm_movemask_epi8(_mm_cmpeq_epi8(bits, _mm_setzero_si128())) == 0xFFFF;
}

static inline const struct word_group *first_group(const struct trace_cache *c,
						   const struct cached_trace *e)
{
	return (const struct word_group *)((const char *)c->group + e->words);
}

static inline const struct word_group *end_group(const struct trace_cache *c,
						 const struct cached_trace *e)
{
	return (const struct word_group *)((const char *)first_group(c, e) + e->bytes);
}

static inline bool words_hold(const struct trace_cache *c, const struct cached_trace *e,
			      const stack_word *frame)
{
	const struct word_group *g = first_group(c, e), *end = end_group(c, e);
	__m128i differ = _mm_setzero_si128();

	atomic_signal_fence(memory_order_seq_cst);
	do
		differ = _mm_or_si128(differ, group_differs(g, frame));
	while (++g != end);
	return is_zero(differ);
}

// Where to look next when a word is found other than the trace in a slot has it.
static inline uint64_t branch_on(uint64_t branch, uint32_t offset, uint64_t found)
{
	return (branch << 7 | branch >> 57) + (found ^ (uint64_t)offset << 40);
}

// Only in the test build that compares traces with libunwind's (tests/judge.c): one found in the
// cache, and one whose walk ended at frames that stand.
#ifdef KALLOSCOPE_JUDGE
void judge_hit(const struct cached_trace *e, const stack_word *frame);
void judge_joined(const struct cached_trace *e, const stack_word *frame);
#else
static inline void judge_hit(const struct cached_trace *e, const stack_word *frame)
{
	(void)e;
	(void)frame;
}
static inline void judge_joined(const struct cached_trace *e, const stack_word *frame)
{
	(void)e;
	(void)frame;
}
#endif

// frame[0] is the caller's frame pointer, frame[1] the return address: an entry's own frame. False also
// where words have to be compared in order.
static inline bool trace_is_of(const struct trace_cache *c, const struct cached_trace *e,
			       const stack_word *frame)
{
	return e->ret == frame[1] && e->frame == (uintptr_t)frame && e->age == cache_age(c);
}

// A trace that is found at first sight and holds; NULL: trace_other has to look.
__attribute__((always_inline)) static inline struct cached_trace *trace_hit(struct trace_cache *c,
									    const stack_word *frame)
{
	struct cached_trace *e = cache_slot(c, frame, 0);

	if (__builtin_expect(!trace_is_of(c, e, frame), 0))
		return NULL;
	if (e->fork) {
		uint64_t found = *(const volatile stack_word *)&frame[e->fork - 1];
		if (found != e->fork_value) {
			e = cache_slot(c, frame, branch_on(0, e->fork - 1, found));
			if (__builtin_expect(!trace_is_of(c, e, frame), 0))
				return NULL;
		}
	}
	if (__builtin_expect(!words_hold(c, e, frame), 0))
		return NULL;
	judge_hit(e, frame);
	return e;
}

// The same for everything else: another trace of the frame, one to be compared in order, one to be
// walked. It holds until the thread's next call. NULL: the thread has no cache.
struct cached_trace *trace_other(struct thread *t, const stack_word *frame);
