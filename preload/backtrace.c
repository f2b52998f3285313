// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Stacks of calls: the cache of verified traces (trace_cache.h), filled by walks (walk.c).
#include "trace_cache.h"

#include <sys/mman.h>

enum {
	HUGE = 2 << 20, // bytes of a large page
	TREE_DEPTH = 12 // the trace at the end of a longer path is replaced
};

// The first word of a trace, in the order of the walk, that is not as it was: its group, and the word
// in *at. The end: all hold.
static const struct word_group *first_to_differ(const struct trace_cache *c,
						const struct cached_trace *e,
						const stack_word *frame, unsigned *at)
{
	const struct word_group *g = first_group(c, e), *end = end_group(c, e);
	const volatile stack_word *base = frame;

	for (; g < end; g++) {
		if (!(e->ret & RET_IN_ORDER) && is_zero(group_differs(g, frame)))
			continue;
		for (unsigned i = 0; i < GROUP_WORDS; i++)
			if (base[g->offset[i]] != g->value[i]) {
				*at = i;
				return g;
			}
	}
	return end;
}

// False: a word differs; branch then leads on to the next slot.
static bool trace_holds(const struct trace_cache *c, struct cached_trace *e,
			const stack_word *frame, uint64_t *branch)
{
	unsigned at = 0;
	const struct word_group *g = first_to_differ(c, e, frame, &at);

	if (g == end_group(c, e))
		return true;
	*branch = branch_on(*branch, g->offset[at],
			    *(const volatile stack_word *)&frame[g->offset[at]]);
	// The innermost word that tells traces apart tells most of them.
	if (!e->fork || g->offset[at] + 1 < e->fork) {
		e->fork = 0;
		atomic_signal_fence(memory_order_seq_cst);
		e->fork_value = g->value[at];
		atomic_signal_fence(memory_order_seq_cst);
		e->fork = g->offset[at] + 1;
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

// Drives out the traces whose groups begin before `until`.
static void runs_forget(struct trace_cache *c, uint32_t until)
{
	while (c->oldest < c->end && c->oldest < until) {
		const struct group_run *run = &c->run[c->oldest];
		struct cached_trace *e = &c->entry[run->entry];

		if (e->words == c->oldest * sizeof(struct word_group))
			*(volatile uintptr_t *)&e->ret = 0;
		atomic_signal_fence(memory_order_seq_cst);
		c->oldest += run->ngroups;
	}
}

// Begins at the front again: all that is there is old now. At whatever point a handler's jump leaves
// this, no trace stays whose words may be overwritten.
static void runs_turn(struct trace_cache *c)
{
	runs_forget(c, CACHE_GROUPS);
	c->end = 0;
	atomic_signal_fence(memory_order_seq_cst);
	c->oldest = 0;
	atomic_signal_fence(memory_order_seq_cst);
	c->end = c->next;
	atomic_signal_fence(memory_order_seq_cst);
	c->next = 0;
}

// Room for so many groups, free until c->next is moved behind them.
static struct word_group *run_begin(struct trace_cache *c, const struct cached_trace *e,
				    unsigned ngroups)
{
	if (c->next + ngroups > CACHE_GROUPS)
		runs_turn(c);
	runs_forget(c, c->next + ngroups);
	c->run[c->next] = (struct group_run){(uint16_t)(e - c->entry), (uint16_t)ngroups};
	return &c->group[c->next];
}

// Do these words lie in the thread's known stack, and does code call that needs no look at the modules?
static bool is_quick(const struct thread *t, const stack_word *frame, const struct standing *s,
		     unsigned nwords)
{
	uintptr_t lo = (uintptr_t)t->stack_lo, hi = (uintptr_t)t->stack_hi;

	if ((uintptr_t)frame < lo || (uintptr_t)&frame[FRAME_WORDS] > hi || from_loader(frame[1]))
		return false;
	for (unsigned i = 0; i < nwords; i++)
		if (s->word[i].addr + 8 > hi)
			return false;
	return true;
}

static bool word_keep(struct word_group *to, unsigned at, const stack_word *frame,
		      const struct trace_word *w)
{
	struct word_group *g = to + at / GROUP_WORDS;
	uint64_t offset = (w->addr - (uintptr_t)frame) / 8;

	g->offset[at % GROUP_WORDS] = (uint32_t)offset;
	g->value[at % GROUP_WORDS] = w->value;
	return w->addr >= (uintptr_t)frame && offset <= UINT32_MAX;
}

// Keeps the words of a walk from frame f outwards, after the frame pointer it began with if that
// mattered. False: one of them cannot be told by its offset.
static bool words_keep(const struct standing *s, const struct standing_frame *f,
		       const stack_word *frame, struct word_group *to)
{
	struct trace_word own = {(uintptr_t)frame, frame[0]};
	const struct trace_word *w = &own;
	bool fit = true;
	unsigned n = 0;

	if (f->fp_used || !f->nwords)
		fit &= word_keep(to, n++, frame, w);
	for (unsigned i = f->nwords; i-- > 0;) {
		w = &s->word[i];
		fit &= word_keep(to, n++, frame, w);
	}
	while (n % GROUP_WORDS)
		fit &= word_keep(to, n++, frame, w);
	return fit;
}

// Keeps a finished walk in this slot, if possible: it began at the last frame of what stands.
static bool cache_keep(struct thread *t, const stack_word *frame, struct cached_trace *e,
		       const struct cached_trace *from)
{
	struct trace_cache *c = t->cache;
	const struct standing_frame *f = &c->standing.frame[c->path.n - 1];
	unsigned nwords = f->nwords + (f->fp_used || !f->nwords);
	unsigned ngroups = (nwords + GROUP_WORDS - 1) / GROUP_WORDS;
	struct cached_trace fresh = *from;

	fresh.ret = frame[1];
	fresh.frame = (uintptr_t)frame;
	fresh.bytes = (uint16_t)(ngroups * sizeof(struct word_group));
	if (!words_keep(&c->standing, f, frame, run_begin(c, e, ngroups)))
		return false;
	if (!is_quick(t, frame, &c->standing, f->nwords))
		fresh.ret |= RET_IN_ORDER;
	fresh.words = c->next * (uint32_t)sizeof(struct word_group);
	c->next += ngroups;
	entry_set(e, &fresh);
	return true;
}

static uint64_t mask_of(unsigned entries)
{
	return (entries - 1ull) * sizeof(struct cached_trace);
}

// A trace is about to be put where another one may be. In a cache that grows, traces stay where they
// are: one that is now looked for elsewhere is walked again.
static void cache_make_room(struct trace_cache *c, const struct cached_trace *slot)
{
	if (!slot->ret || slot->age != cache_age(c) || ++c->crowded != CACHE_ENTRIES_FEW)
		return;
	c->mask = mask_of(CACHE_ENTRIES);
	if (!capture_no_syscalls)
		sys(SYS_madvise, c, sizeof(*c), MADV_HUGEPAGE);
}

struct trace_cache *trace_cache_make(void)
{
	const long size = (sizeof(struct trace_cache) + PAGE_SIZE - 1) & -(long)PAGE_SIZE;
	const long more = HUGE - PAGE_SIZE; // it begins where a large page may
	struct trace_cache *c;
	long map, at;

	if (capture_no_syscalls)
		return NULL;
	map = sys(SYS_mmap, NULL, size + more, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (map < 0 && map > -4096)
		return NULL;
	at = (map + more) & -(long)HUGE;
	if (at > map)
		sys(SYS_munmap, map, at - map);
	if (at < map + more)
		sys(SYS_munmap, at + size, map + more - at);
	c = (struct trace_cache *)at;
	c->mask = mask_of(CACHE_ENTRIES_FEW);
	return c;
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

static struct cached_trace *trace_unkept(struct trace_cache *c, const struct cached_trace *from)
{
	c->unkept = *from;
	return &c->unkept;
}

// Walks the stack, as far as it does not stand since the last walk, and keeps the trace in this slot.
static struct cached_trace *trace_walk(struct thread *t, const stack_word *frame,
				       struct cached_trace *slot)
{
	const struct frame f = {frame[1], (uintptr_t)&frame[FRAME_WORDS], frame[0]};
	struct trace_cache *c = t->cache;
	unsigned max = process.opt.max_frames, outer;
	struct cached_trace fresh = {.age = cache_age(c)};
	bool whole;

	if (__builtin_expect(!unwind_ready(), 0))
		unwind_init_early(f.ip);
	stack_learn(t, f.sp);
	if (c->standing.age != fresh.age)
		c->standing.n = 0;
	outer = walk(t, &c->trace, &c->standing, f, max < TRACE_FRAMES ? max : TRACE_FRAMES);
	c->standing.n = outer;
	modules_refresh(t);
	fresh.stack = depot_intern(&c->path, c->trace.ip, c->trace.nips, outer);
	fresh.flags = (uint16_t)c->trace.flags;
	if (!fresh.stack)
		return trace_unkept(c, &fresh);
	cache_make_room(c, slot);
	whole = standing_put(&c->standing, &c->trace, outer);
	c->standing.age = fresh.age;
	if (!whole || !cache_keep(t, frame, slot, &fresh))
		slot = trace_unkept(c, &fresh);
	if (standing_is_sound(&c->standing, t, &c->trace, outer))
		c->standing.n = c->path.n - c->trace.sound;
	if (outer)
		judge_joined(slot, frame);
	return slot;
}

__attribute__((noinline)) struct cached_trace *trace_other(struct thread *t,
							   const stack_word *frame)
{
	struct trace_cache *c = t->cache;
	struct cached_trace *e;
	uint64_t branch = 0;
	unsigned depth = 0;

	if (!c)
		return NULL;
	if (!process.opt.max_frames)
		return trace_unkept(c, &(struct cached_trace){0});
	if (__builtin_expect(from_loader(frame[1]), 0))
		modules_of_loader(t);
	do {
		e = cache_slot(c, frame, branch);
		if ((e->ret & ~RET_IN_ORDER) != frame[1] || e->frame != (uintptr_t)frame ||
		    e->age != cache_age(c))
			break;
		if (trace_holds(c, e, frame, &branch)) {
			judge_hit(e, frame);
			return e;
		}
	} while (++depth < TREE_DEPTH);
	return trace_walk(t, frame, e);
}

uint32_t capture_stack(struct thread *t, void *const *frame, uint32_t *flags)
{
	const stack_word *words = (const stack_word *)frame;
	struct cached_trace *e = t->cache ? trace_hit(t->cache, words) : NULL;

	if (!process.slot)
		return 0;
	if (!e)
		e = trace_other(t, words);
	if (!e) { // not the thread's own call yet, or no memory for it
		*flags |= OPF_SMALL_STACK;
		return process.opt.max_frames ? depot_intern_caller(words[1]) : 0;
	}
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
