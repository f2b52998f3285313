// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Applying records: one function per kind, and what an operation itself does to its CPU's arrays.
#include <errno.h>

#include "fold.h"

int BARRIER_apply(struct machine *m, const struct record *r)
{
	m->s->barrier = r->arg[0];
	return 0;
}

int TIME_apply(struct machine *m, const struct record *r)
{
	m->s->cpu[m->cpu].now_ns = r->arg[0] | (uint64_t)r->arg[1] << 32;
	return 0;
}

// Text and losses are for the reader of the stream; the machine is none the wiser.
int TEXT_apply(struct machine *m, const struct record *r)
{
	(void)m;
	(void)r;
	return 0;
}

int LOST_apply(struct machine *m, const struct record *r)
{
	(void)m;
	(void)r;
	return 0;
}

static int (*const apply[])(struct machine *m, const struct record *r) = {
#define STEP(kind, name, args) [EV_##kind] = kind##_apply,
#include "event.def"
};

// An operation that hit an array is one record: the pop or push is told by its flags.
static int apply_op(struct machine *m, const struct record *r)
{
	unsigned cache = r->op.cache;

	m->s->cpu[m->cpu].ops++;
	if (!(r->op.flags & (OPF_POP | OPF_PUSH)))
		return 0;
	if (!cache || cache >= MAX_CACHES || !m->caches[cache].used || r->op.addr > UINT32_MAX)
		return -EILSEQ;
	if (r->op.flags & OPF_POP) {
		kaddr_t obj = ac_pop(m, cache);
		if (obj)
			*generation_of(m, obj) = (uint16_t)r->op.old;
		return obj == r->op.addr ? 0 : -EILSEQ;
	}
	if (!ac_push(m, cache, r->op.addr))
		return -EILSEQ;
	*generation_of(m, r->op.addr) = (uint16_t)r->op.old;
	return 0;
}

// Hostile records end here or in KIND_apply: a CPU, kind or ticket that cannot be is refused.
int fold_apply(struct machine *m, const struct record *r)
{
	if (r->cpu >= m->s->cfg.ncpus)
		return -EILSEQ;
	m->cpu = r->cpu;
	if (r->kind > EV_NONE && r->kind < EV_LAST_OP)
		return apply_op(m, r);
	if (r->kind <= EV_LAST_OP || r->kind >= EV_LAST_STEP || !fold_ready(m, r))
		return -EILSEQ;
	int err = apply[r->kind](m, r);
	// The lock's section is over, whatever its record was worth: the next one may come.
	if (r->lock != LOCK_NONE)
		m->s->ticket[r->lock] = r->ticket;
	return err;
}
