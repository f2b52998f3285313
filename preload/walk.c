// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Walking a stack by rules, from the frame of an entry to the end or to frames that still stand.
#include "standing.h"

enum {
	FP_FRAME_MOST = 1 << 20
};

// One step by a plain rule. False: the stack ends, or does not make sense.
static bool step_plain(struct thread *t, struct trace *tr, struct frame *f, struct rule r,
		       struct trace_step *step)
{
	uintptr_t cfa = (r.from_fp ? f->fp : f->sp) + (uintptr_t)(intptr_t)r.cfa;
	uint64_t ret;

	step->fp_used = r.from_fp;
	if (cfa <= f->sp || (cfa & 7) || !stack_read(t, tr, cfa - 8, &ret)) {
		tr->flags |= OPF_TRUNCATED;
		return false;
	}
	trace_note(tr, cfa - 8, ret);
	if (r.fp_at) {
		uintptr_t at = cfa + (uintptr_t)(r.fp_at * 8l);
		uint64_t fp;

		if (!stack_read(t, tr, at, &fp)) {
			tr->flags |= OPF_TRUNCATED;
			return false;
		}
		trace_note(tr, at, fp);
		step->fp_read = true;
		f->fp = fp;
	}
	f->ip = ret;
	f->sp = cfa;
	return ret != 0;
}

// Code without unwind information, as compilers at run time make it, often keeps frame pointers.
// A return address is believed when a call stands before it.
static bool step_by_fp(struct thread *t, struct trace *tr, struct frame *f, struct trace_step *step)
{
	uint64_t fp, ret;

	tr->flags |= OPF_TRUNCATED;
	step->fp_used = true;
	if (f->fp < f->sp || f->fp - f->sp > FP_FRAME_MOST || !stack_read(t, tr, f->fp, &fp) ||
	    !stack_read(t, tr, f->fp + 8, &ret) || !after_call(ret))
		return false;
	trace_note(tr, f->fp + 8, ret);
	trace_note(tr, f->fp, fp);
	step->fp_read = true;
	// A guess is only looked at again where nothing can be unmapped.
	if (f->fp < (uintptr_t)t->stack_lo || f->fp + 16 > (uintptr_t)t->stack_hi)
		tr->sound = tr->nips;
	*f = (struct frame){ret, f->fp + 16, fp};
	return true;
}

static bool step(struct thread *t, struct trace *tr, struct frame *f, struct trace_step *step,
		 unsigned max)
{
	struct rule r = rule_find(f->ip);

	switch (r.kind) {
	case RULE_PLAIN:
		return step_plain(t, tr, f, r, step);
	case RULE_ODD:
		// Its outcome may depend on fp in ways of its own.
		step->fp_used = true;
		if (!unwind_odd(t, f, tr, max))
			return false;
		tr->sound = tr->nips;
		return true;
	case RULE_END:
		return false;
	case RULE_UNKNOWN: // another walk may do better
		tr->sound = TRACE_FRAMES;
		tr->flags |= unwind_ready() ? OPF_TRUNCATED : OPF_EARLY;
		return false;
	default:
		return step_by_fp(t, tr, f, step);
	}
}

unsigned walk(struct thread *t, struct trace *tr, const struct standing *s, struct frame f,
	      unsigned max)
{
	unsigned outer = standing_look(s);
	struct trace_step *next;

	tr->nips = tr->nwords = tr->sound = 0;
	tr->flags = 0;
	tr->page = (f.sp - 8) & -(uintptr_t)PAGE_SIZE;
	do {
		while (outer && s->frame[outer - 1].at.sp < f.sp)
			outer--;
		if (outer && tr->nips + outer <= max && standing_meets(&s->frame[outer - 1], &f))
			return outer;
		if (tr->nips == max) {
			tr->flags |= OPF_TRUNCATED;
			break;
		}
		next = &tr->step[tr->nips];
		*next = (struct trace_step){.at = f, .words = tr->nwords};
		tr->ip[tr->nips++] = f.ip;
	} while (step(t, tr, &f, next, max));
	return 0;
}

unsigned standing_look(const struct standing *s)
{
	unsigned n = s->n, hold = 0, all = n ? s->frame[n - 1].nwords : 0;

	while (hold < all && *(const volatile uint64_t *)s->word[hold].addr == s->word[hold].value)
		hold++;
	while (n && s->frame[n - 1].nwords > hold)
		n--;
	return n;
}

bool standing_put(struct standing *s, const struct trace *tr, unsigned outer)
{
	unsigned n = outer, nwords = n ? s->frame[n - 1].nwords : 0, end = tr->nwords;
	bool fp_used = n && s->frame[n - 1].fp_used;

	s->n = outer;
	atomic_signal_fence(memory_order_seq_cst); // a handler may leave by longjmp from here on
	for (unsigned i = tr->nips; i-- > tr->sound;) {
		const struct trace_step *step = &tr->step[i];
		unsigned words = end - step->words;

		if (nwords + words > TRACE_WORDS)
			return false;
		words -= step->fp_read && !fp_used; // nothing depends on it
		for (unsigned w = words; w-- > 0;)
			s->word[nwords++] = tr->word[step->words + w];
		fp_used = step->fp_used || (fp_used && !step->fp_read);
		s->frame[n++] = (struct standing_frame){step->at, (uint16_t)nwords, fp_used};
		end = step->words;
	}
	return !tr->sound;
}

bool standing_is_sound(const struct standing *s, const struct thread *t, const struct trace *tr,
		       unsigned outer)
{
	unsigned n = outer + tr->nips - tr->sound, first = outer ? s->frame[outer - 1].nwords : 0;
	uintptr_t lo = (uintptr_t)t->stack_lo, hi = (uintptr_t)t->stack_hi;

	if (tr->flags || tr->sound > tr->nips)
		return false;
	for (unsigned w = first; n && w < s->frame[n - 1].nwords; w++)
		if (s->word[w].addr < lo || s->word[w].addr + 8 > hi)
			return false;
	return true;
}
