// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Stacks of calls: the cache of verified traces, and the walk that fills it.
//
// An entry of the cache is a trace that was once walked, with every word of memory the walk read.
// The walk is a function of (return address, sp, fp) and those words; so when they are all the
// same, the trace is. Words are compared in the order they were read: each lies where the frames
// before it say it must, so as long as all earlier ones hold, the next is there to be read.
#include "unwind.h"

#include <sys/mman.h>

enum {
	CACHE_BITS = 12,
	CACHE_ENTRIES = 1 << CACHE_BITS,
	CACHE_WORDS = 1 << 17,
	WORDS_AT_ONCE = 4, // an entry has a multiple of it: the last word is repeated
	FP_FRAME_MOST = 1 << 20
};

struct cache_entry {
	alignas(64) uintptr_t ret;
	uintptr_t cfa, fp;
	uintptr_t site;
	uint32_t stack;	     // depot id
	uint32_t generation; // rules_generation()
	uint32_t first;	     // word
	uint16_t nwords, flags;
	bool fp_used;
	uint32_t reach; // bytes above cfa that hold all words
};

struct trace_cache {
	struct cache_entry *last; // of the last capture_stack
	uint32_t next_word;	  // words[] is filled from the front and thrown away when full
	struct cache_entry entry[CACHE_ENTRIES];
	struct trace trace;
	struct depot_path path;
	uint64_t value[CACHE_WORDS];
	uint32_t offset[CACHE_WORDS]; // from the entry's cfa, in words
};

static inline struct cache_entry *cache_set(struct trace_cache *c, uintptr_t ret, uintptr_t cfa)
{
	uint64_t h = ((uint64_t)ret ^ (uint64_t)cfa << 20) * 0x9E3779B97F4A7C15ull;

	return &c->entry[h >> (64 - CACHE_BITS) & ~1ull];
}

typedef uint64_t __attribute__((may_alias)) stack_word;

static inline bool words_hold(const struct trace_cache *c, const struct cache_entry *e,
			      uintptr_t cfa)
{
	const stack_word *base = (const stack_word *)cfa;
	const uint64_t *value = &c->value[e->first], *end = value + e->nwords;
	const uint32_t *offset = &c->offset[e->first];
	uint64_t differ = 0;

	atomic_signal_fence(memory_order_seq_cst); // other frames' words: read anew at every call
	for (; value < end; value += WORDS_AT_ONCE, offset += WORDS_AT_ONCE) {
		differ |= base[offset[0]] ^ value[0];
		differ |= base[offset[1]] ^ value[1];
		differ |= base[offset[2]] ^ value[2];
		differ |= base[offset[3]] ^ value[3];
	}
	return !differ;
}

__attribute__((noinline)) static bool
words_hold_in_order(const struct trace_cache *c, const struct cache_entry *e, uintptr_t cfa)
{
	const volatile uint64_t *base = (const volatile uint64_t *)cfa;

	for (unsigned i = 0; i < e->nwords; i++)
		if (base[c->offset[e->first + i]] != c->value[e->first + i])
			return false;
	return true;
}

static inline bool cache_holds(const struct thread *t, const struct trace_cache *c,
			       const struct cache_entry *e, const struct frame *f)
{
	if (e->ret != f->ip || e->cfa != f->sp || (e->fp_used && e->fp != f->fp) ||
	    e->generation != rules_generation())
		return false;
	if (__builtin_expect(f->sp - 8 >= (uintptr_t)t->stack_lo &&
				     f->sp + e->reach <= (uintptr_t)t->stack_hi,
			     1))
		return words_hold(c, e, f->sp);
	return words_hold_in_order(c, e, f->sp);
}

static bool word_offset_fits(const struct trace *tr, uintptr_t cfa)
{
	for (unsigned i = 0; i < tr->nwords; i++)
		if (tr->word[i].addr < cfa || tr->word[i].addr - cfa > UINT32_MAX - 8)
			return false;
	return true;
}

// An entry is believed when its ret is set, so that is cleared first and set last: a handler may
// leave by longjmp at any point of this, and the thread then goes on with the cache as it is.
static void entry_set(struct cache_entry *e, const struct cache_entry *from)
{
	uintptr_t ret = from->ret;

	*(volatile uintptr_t *)&e->ret = 0;
	atomic_signal_fence(memory_order_seq_cst);
	e->cfa = from->cfa;
	e->fp = from->fp;
	e->site = from->site;
	e->stack = from->stack;
	e->generation = from->generation;
	e->first = from->first;
	e->nwords = from->nwords;
	e->flags = from->flags;
	e->fp_used = from->fp_used;
	e->reach = from->reach;
	atomic_signal_fence(memory_order_seq_cst);
	*(volatile uintptr_t *)&e->ret = ret;
}

static void cache_empty(struct trace_cache *c)
{
	for (unsigned i = 0; i < CACHE_ENTRIES; i++)
		c->entry[i].ret = 0;
	atomic_signal_fence(memory_order_seq_cst);
	c->next_word = 0;
}

// Appends the words of a walk; returns how many bytes above sp they reach.
static uint32_t words_keep(struct trace_cache *c, const struct trace *tr, uintptr_t sp,
			   unsigned nwords)
{
	uint32_t reach = 0;

	for (unsigned i = 0; i < nwords; i++) {
		const struct trace_word *w = &tr->word[i < tr->nwords ? i : tr->nwords - 1];
		uint32_t offset = (uint32_t)((w->addr - sp) / 8);

		c->value[c->next_word + i] = w->value;
		c->offset[c->next_word + i] = offset;
		if (reach < (offset + 1) * 8)
			reach = (offset + 1) * 8;
	}
	return reach;
}

// Keeps a finished walk. The older of the two entries of its set goes.
static void cache_keep(struct trace_cache *c, struct frame f, uint32_t stack)
{
	const struct trace *tr = &c->trace;
	struct cache_entry *e = cache_set(c, f.ip, f.sp), fresh;
	unsigned nwords = (tr->nwords + WORDS_AT_ONCE - 1) / WORDS_AT_ONCE * WORDS_AT_ONCE;

	if (tr->overflow || !word_offset_fits(tr, f.sp))
		return;
	if (c->next_word + nwords > CACHE_WORDS)
		cache_empty(c);
	fresh = (struct cache_entry){.ret = f.ip,
				     .cfa = f.sp,
				     .fp = f.fp,
				     .stack = stack,
				     .generation = rules_generation(),
				     .first = c->next_word,
				     .nwords = (uint16_t)nwords,
				     .flags = (uint16_t)tr->flags,
				     .fp_used = tr->fp_used,
				     .reach = words_keep(c, tr, f.sp, nwords)};
	c->next_word += nwords;
	entry_set(e + 1, e);
	entry_set(e, &fresh);
	c->last = e;
}

// Where the frame pointer in use was read, until something depends on it.
struct fp_origin {
	uintptr_t addr; // 0: the walk started with it
	uint64_t value;
};

static void fp_depend(struct trace *tr, struct fp_origin *o)
{
	if (o->addr)
		trace_note(tr, o->addr, o->value);
	else
		tr->fp_used = true;
}

// One step by a plain rule. False: the stack ends, or does not make sense.
static bool step_plain(struct thread *t, struct trace *tr, struct frame *f, struct rule r,
		       struct fp_origin *origin)
{
	uintptr_t cfa = (r.from_fp ? f->fp : f->sp) + (uintptr_t)(intptr_t)r.cfa;
	uint64_t ret;

	if (r.from_fp)
		fp_depend(tr, origin);
	if (cfa <= f->sp || (cfa & 7) || !stack_read(t, tr, cfa - 8, &ret)) {
		tr->flags |= OPF_TRUNCATED;
		return false;
	}
	trace_note(tr, cfa - 8, ret);
	if (r.fp_at) {
		uintptr_t at = cfa + (uintptr_t)(r.fp_at * 8l);

		if (!stack_read(t, tr, at, &origin->value)) {
			tr->flags |= OPF_TRUNCATED;
			return false;
		}
		origin->addr = at;
		f->fp = origin->value;
	}
	f->ip = ret;
	f->sp = cfa;
	return ret != 0;
}

// Code without unwind information, as compilers at run time make it, often keeps frame pointers.
// A return address is believed when a call stands before it.
static bool step_by_fp(struct thread *t, struct trace *tr, struct frame *f, struct fp_origin *o)
{
	uint64_t fp, ret;

	tr->flags |= OPF_TRUNCATED;
	fp_depend(tr, o);
	if (f->fp < f->sp || f->fp - f->sp > FP_FRAME_MOST || !stack_read(t, tr, f->fp, &fp) ||
	    !stack_read(t, tr, f->fp + 8, &ret) || !after_call(ret))
		return false;
	trace_note(tr, f->fp + 8, ret);
	// A guess is only looked at again where nothing can be unmapped.
	if (f->fp < (uintptr_t)t->stack_lo || f->fp + 16 > (uintptr_t)t->stack_hi)
		tr->overflow = true;
	*o = (struct fp_origin){f->fp, fp};
	*f = (struct frame){ret, f->fp + 16, fp};
	return true;
}

static bool step(struct thread *t, struct trace *tr, struct frame *f, struct fp_origin *origin,
		 unsigned max)
{
	struct rule r = rule_find(f->ip);

	switch (r.kind) {
	case RULE_PLAIN:
		return step_plain(t, tr, f, r, origin);
	case RULE_ODD:
		// Its outcome may depend on fp in ways of its own.
		fp_depend(tr, origin);
		if (!unwind_odd(t, f, tr, max))
			return false;
		*origin = (struct fp_origin){f->sp - 8, 0};
		tr->overflow = true;
		return true;
	case RULE_END:
		return false;
	case RULE_UNKNOWN: // another walk may do better
		tr->overflow = true;
		tr->flags |= unwind_ready() ? OPF_TRUNCATED : OPF_EARLY;
		return false;
	default:
		return step_by_fp(t, tr, f, origin);
	}
}

static void walk(struct thread *t, struct trace *tr, struct frame f, unsigned max)
{
	struct fp_origin origin = {0};

	tr->nips = tr->nwords = 0;
	tr->fp_used = tr->overflow = false;
	tr->flags = 0;
	tr->page = (f.sp - 8) & -(uintptr_t)PAGE_SIZE;
	do {
		if (tr->nips == max) {
			tr->flags |= OPF_TRUNCATED;
			return;
		}
		tr->ip[tr->nips++] = f.ip;
	} while (step(t, tr, &f, &origin, max));
}

struct trace_cache *trace_cache_make(void)
{
	long map;

	if (capture_no_syscalls)
		return NULL;
	map = sys(SYS_mmap, NULL, sizeof(struct trace_cache), PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return map < 0 && map > -4096 ? NULL : (struct trace_cache *)map;
}

void trace_cache_free(struct trace_cache *c)
{
	sys(SYS_munmap, c, sizeof(*c));
}

__attribute__((noinline)) static uint32_t capture_miss(struct thread *t, struct frame f,
						       uint32_t *flags)
{
	struct trace_cache *c = t->cache;
	unsigned max = process.opt.max_frames;
	uint32_t stack;

	if (!c) { // not the thread's own call yet, or no memory for it
		*flags |= OPF_SMALL_STACK;
		return depot_intern_caller(f.ip);
	}
	if (__builtin_expect(!unwind_ready(), 0))
		unwind_init_early(f.ip);
	stack_learn(t, f.sp);
	walk(t, &c->trace, f, max < TRACE_FRAMES ? max : TRACE_FRAMES);
	modules_refresh(t);
	stack = depot_intern(&c->path, c->trace.ip, c->trace.nips);
	*flags |= c->trace.flags;
	if (stack)
		cache_keep(c, f, stack);
	return stack;
}

// Not the first entry of its set: the other one, or a walk.
__attribute__((noinline)) static uint32_t capture_other(struct thread *t, struct frame f,
							uint32_t *flags)
{
	struct trace_cache *c = t->cache;
	struct cache_entry *e;

	if (!process.slot || !process.opt.max_frames)
		return 0;
	if (!c)
		return capture_miss(t, f, flags);
	e = cache_set(c, f.ip, f.sp) + 1;
	if (!cache_holds(t, c, e, &f))
		return capture_miss(t, f, flags);
	c->last = e;
	*flags |= e->flags;
	return e->stack;
}

uint32_t capture_stack(struct thread *t, const void *ret, const void *cfa, const void *fp,
		       uint32_t *flags)
{
	const struct frame f = {(uintptr_t)ret, (uintptr_t)cfa, (uintptr_t)fp};
	struct trace_cache *c = t->cache;
	struct cache_entry *e;

	if (__builtin_expect(!c, 0))
		return capture_other(t, f, flags);
	e = cache_set(c, f.ip, f.sp);
	if (!cache_holds(t, c, e, &f))
		return capture_other(t, f, flags);
	c->last = e;
	*flags |= e->flags;
	return e->stack;
}

uintptr_t capture_site(uint32_t stack)
{
	struct trace_cache *c = thread_self.cache;
	struct cache_entry *e = c ? c->last : NULL;

	if (!e || e->stack != stack)
		return site_of(stack);
	if (!e->site)
		e->site = site_of(stack);
	return e->site;
}
