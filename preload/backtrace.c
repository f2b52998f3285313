// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Stacks of calls: the cache of verified traces, and the walk that fills it.
//
// An entry of the cache is a trace that was once walked, with every word of memory the walk read.
// The walk is a function of (return address, sp, fp) and those words; so when they are all the
// same, the trace is. Words are compared in the order they were read: each lies where the frames
// before it say it must, so as long as all earlier ones hold, the next is there to be read.
#include "trace_cache.h"

#include <sys/mman.h>

enum {
	FP_FRAME_MOST = 1 << 20,
	TREE_DEPTH = 12 // the trace at the end of a longer path is replaced
};

static bool trace_is_of(const struct trace_cache *c, const struct cached_trace *e,
			const stack_word *frame)
{
	return (e->ret & ~RET_IN_ORDER) == frame[1] && e->frame == (uintptr_t)frame &&
	       e->age == cache_age(c);
}

// Compares in the order of the walk. True: a word differs; branch then leads on to the next slot.
static bool trace_differs(const struct cached_trace *e, const stack_word *frame, uint64_t *branch)
{
	const volatile stack_word *base = frame;

	for (const struct word_group *g = e->first; g < e->end; g++)
		for (unsigned i = 0; i < GROUP_WORDS; i++) {
			uint64_t found = base[g->offset[i]];
			if (found == g->value[i])
				continue;
			*branch = (*branch << 7 | *branch >> 57) +
				  (found ^ (uint64_t)g->offset[i] << 40);
			return true;
		}
	return false;
}

// An entry is believed when its ret is set, so that is cleared first and set last: a handler may
// leave by longjmp at any point of this, and the thread then goes on with the cache as it is.
static void entry_set(struct cached_trace *e, const struct cached_trace *from)
{
	const uintptr_t ret = from->ret;
	struct cached_trace fresh = *from;

	fresh.ret = 0;
	*(volatile uintptr_t *)&e->ret = 0;
	atomic_signal_fence(memory_order_seq_cst);
	*e = fresh;
	atomic_signal_fence(memory_order_seq_cst);
	*(volatile uintptr_t *)&e->ret = ret;
}

static void cache_empty(struct trace_cache *c)
{
	for (unsigned i = 0; i < CACHE_ENTRIES; i++)
		c->entry[i].ret = 0;
	atomic_signal_fence(memory_order_seq_cst);
	c->next_group = 0;
}

// Can its words be told by offsets from the frame? *quick: they lie in the thread's known stack, and
// calls from there need no look at the modules.
static bool words_fit(const struct thread *t, const struct trace *tr, uintptr_t frame, bool *quick)
{
	uintptr_t lo = (uintptr_t)t->stack_lo, hi = (uintptr_t)t->stack_hi;

	*quick = frame >= lo && frame + 8 * FRAME_WORDS <= hi && !from_loader(tr->ip[0]);
	for (unsigned i = 0; i < tr->nwords; i++) {
		uintptr_t at = tr->word[i].addr;
		if (at < frame || (at - frame) / 8 > UINT32_MAX)
			return false;
		*quick &= at + 8 <= hi;
	}
	return true;
}

// Appends the words of a walk, after the frame pointer it began with if that mattered.
static void words_keep(struct trace_cache *c, const struct trace *tr, const stack_word *frame,
		       unsigned ngroups)
{
	struct trace_word w = {(uintptr_t)&frame[1], frame[1]}; // a walk that read nothing
	unsigned next = 0;

	if (tr->fp_used)
		w = (struct trace_word){(uintptr_t)frame, frame[0]};
	else if (tr->nwords)
		w = tr->word[next++];
	for (unsigned i = 0; i < ngroups * GROUP_WORDS; i++) {
		struct word_group *g = &c->group[c->next_group + i / GROUP_WORDS];
		g->offset[i % GROUP_WORDS] = (uint32_t)((w.addr - (uintptr_t)frame) / 8);
		g->value[i % GROUP_WORDS] = w.value;
		if (next < tr->nwords)
			w = tr->word[next++];
	}
}

// Keeps a finished walk in this slot.
static void cache_keep(struct thread *t, const stack_word *frame, struct cached_trace *e,
		       uint32_t stack, uint32_t age)
{
	struct trace_cache *c = t->cache;
	const struct trace *tr = &c->trace;
	struct cached_trace fresh;
	unsigned nwords = tr->nwords + tr->fp_used + !(tr->nwords + tr->fp_used);
	unsigned ngroups = (nwords + GROUP_WORDS - 1) / GROUP_WORDS;
	bool quick;

	if (tr->overflow || !words_fit(t, tr, (uintptr_t)frame, &quick))
		return;
	if (c->next_group + ngroups > CACHE_GROUPS)
		cache_empty(c);
	words_keep(c, tr, frame, ngroups);
	fresh = (struct cached_trace){.ret = frame[1] | (quick ? 0 : RET_IN_ORDER),
				      .frame = (uintptr_t)frame,
				      .age = age,
				      .first = &c->group[c->next_group],
				      .end = &c->group[c->next_group + ngroups],
				      .flags = (uint16_t)tr->flags,
				      .stack = stack};
	c->next_group += ngroups;
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

// The thread that had it is gone.
void trace_cache_pass_on(struct trace_cache *c)
{
	c->turns++;
}

__attribute__((noinline)) static uint32_t capture_miss(struct thread *t, const stack_word *frame,
						       struct cached_trace *slot, uint32_t *flags)
{
	const struct frame f = {frame[1], (uintptr_t)&frame[FRAME_WORDS], frame[0]};
	struct trace_cache *c = t->cache;
	unsigned max = process.opt.max_frames;
	uint32_t stack, age;

	if (!c) { // not the thread's own call yet, or no memory for it
		*flags |= OPF_SMALL_STACK;
		return depot_intern_caller(f.ip);
	}
	if (__builtin_expect(!unwind_ready(), 0))
		unwind_init_early(f.ip);
	stack_learn(t, f.sp);
	age = cache_age(c);
	walk(t, &c->trace, f, max < TRACE_FRAMES ? max : TRACE_FRAMES);
	modules_refresh(t);
	stack = depot_intern(&c->path, c->trace.ip, c->trace.nips);
	*flags |= c->trace.flags;
	if (stack)
		cache_keep(t, frame, slot, stack, age);
	return stack;
}

// Not the first trace of this frame, or one that the quick test leaves out, or one to be walked.
__attribute__((noinline)) static uint32_t capture_other(struct thread *t, const stack_word *frame,
							uint32_t *flags)
{
	struct trace_cache *c = t->cache;
	struct cached_trace *e;
	uint64_t branch = 0;
	unsigned depth = 0;

	if (!process.slot || !process.opt.max_frames)
		return 0;
	if (!c)
		return capture_miss(t, frame, NULL, flags);
	if (__builtin_expect(from_loader(frame[1]), 0))
		modules_of_loader(t);
	do {
		e = cache_slot(c, frame, branch);
		if (!trace_is_of(c, e, frame))
			return capture_miss(t, frame, e, flags);
		if (!trace_differs(e, frame, &branch)) {
			judge_trace(e, frame);
			c->last = e;
			*flags |= e->flags;
			return e->stack;
		}
	} while (++depth < TREE_DEPTH);
	return capture_miss(t, frame, e, flags);
}

uint32_t capture_stack(struct thread *t, void *const *frame, uint32_t *flags)
{
	const stack_word *words = (const stack_word *)frame;
	struct cached_trace *e = t->cache ? trace_hit(t->cache, words) : NULL;

	if (!e)
		return capture_other(t, words, flags);
	t->cache->last = e;
	*flags |= e->flags;
	return e->stack;
}

uintptr_t capture_site(uint32_t stack)
{
	struct trace_cache *c = thread_self.cache;
	struct cached_trace *e = c ? c->last : NULL;

	if (!e || e->stack != stack)
		return site_of(stack);
	if (!e->site)
		e->site = site_of(stack);
	return e->site;
}
