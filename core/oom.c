// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The end of an allocation for which nothing could be reclaimed: what the kernel would do, and what
// the machine does instead (reference 6.10, steps 9 and 10).
#include <errno.h>

#include "buddy.h"

// With FS allowed the out-of-memory killer comes first; it is no help for large blocks or the DMA
// zone alone, and such requests fail. Others go on as long as it takes.
unsigned alloc_without_progress(gfp_t gfp, unsigned order)
{
	bool nofail = gfp & __GFP_NOFAIL, costly = order > PAGE_ALLOC_COSTLY_ORDER;

	if (!(gfp & __GFP_WAIT) || gfp & __GFP_NORETRY)
		return 0;
	if (gfp & __GFP_FS) {
		if (!nofail && (costly || gfp_zone(gfp) < ZONE_NORMAL))
			return 0;
		return !nofail && gfp & __GFP_THISNODE ? OOM_LOOPS : OOM_LOOPS | OOM_KILLS;
	}
	return nofail || !costly || gfp & __GFP_REPEAT ? OOM_LOOPS : 0;
}

// The request fails here whatever the kernel would do, and the mark on the zone spares the next ones
// the whole search until a page comes back.
void oom_step(struct machine *m, const struct alloc_context *ac, unsigned rounds)
{
	unsigned zone = ac->classzone, end = alloc_without_progress(ac->gfp, ac->order);
	struct trace_event t = {.kind = EV_T_OUT_OF_MEMORY,
				.cpu = m->cpu,
				.zone = zone,
				.order = ac->order,
				.count = 1,
				.value = ac->gfp};

	step_begin(m, LOCK_ZONE + zone);
	set_relaxed(&m->s->zone[zone].all_unreclaimable, 1);
	if (tracing(m)) {
		trace(m, &t);
		t.kind = EV_T_ALLOC_WOULD_LOOP;
		t.flags = (end & OOM_KILLS) != 0;
		t.count = rounds;
		if (end & OOM_LOOPS)
			trace(m, &t);
	}
	step_end(m, LOCK_ZONE + zone, EV_OOM, zone, ac->order, ac->gfp, rounds, 0, 0);
}

int OOM_apply(struct machine *m, const struct record *r)
{
	struct alloc_context ac = {.classzone = r->arg[0], .order = r->arg[1], .gfp = r->arg[2]};
	uint32_t rounds = r->arg[3];

	if (r->arg[0] >= MAX_NR_ZONES || r->lock != LOCK_ZONE + r->arg[0] ||
	    ac.order >= MAX_ORDER || !rounds || rounds > OOM_ROUNDS)
		return -EILSEQ;
	oom_step(m, &ac, rounds);
	return 0;
}
