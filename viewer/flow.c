// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "flow.h"

#include <string.h>

#include "../core/event.h"
#include "../core/machine.h"

static struct page_flow *pageset(struct model_flow *f, const struct view_model *v,
				 const struct trace_event *t)
{
	for (unsigned z = 0; z < v->nzones && t->zone < MAX_NR_ZONES; z++)
		if (!strcmp(v->zone[z].name, zone_names[t->zone]))
			return &f->page[z][t->cpu < MAX_CPUS ? t->cpu : 0];
	return NULL;
}

static void pages(struct model_flow *f, const struct view_model *v, const struct trace_event *t)
{
	struct page_flow *p = t->order ? NULL : pageset(f, v, t);

	if (!p)
		return;
	if (t->kind == EV_T_MM_PAGE_ALLOC_ZONE_LOCKED && t->flags)
		p->refilled += t->count;
	else if (t->kind == EV_T_MM_PAGE_PCPU_DRAIN)
		p->drained += t->count;
	else if (t->kind == EV_T_MM_PAGE_ALLOC)
		p->taken += t->count;
	else if (t->kind == EV_T_MM_PAGE_FREE)
		p->given += t->count;
}

static void objects(struct model_flow *f, const struct trace_event *t)
{
	bool refill = t->kind == EV_T_CACHE_REFILL;

	if ((!refill && t->kind != EV_T_CACHE_FLUSH) || f->nobjects == OBJECT_FLOWS)
		return;
	f->object[f->nobjects++] = (struct object_flow){.cache = t->cache,
							.cpu = t->cpu,
							.shared = t->flags != 0,
							.refilled = refill ? t->count : 0,
							.flushed = refill ? 0 : t->count};
}

void flow_read(struct model_flow *f, const struct view_model *v, const struct transition_row *t,
	       unsigned n)
{
	memset(f, 0, sizeof(*f));
	for (unsigned i = 0; i < n; i++) {
		pages(f, v, &t[i].t);
		objects(f, &t[i].t);
	}
}

bool flow_of_array(const struct model_flow *f, unsigned cache, unsigned cpu,
		   struct object_flow *sum)
{
	bool any = false;

	*sum = (struct object_flow){.cache = (uint16_t)cache, .cpu = (uint8_t)cpu};
	for (unsigned i = 0; f && i < f->nobjects; i++) {
		const struct object_flow *o = &f->object[i];

		if (o->cache != cache || o->cpu != cpu)
			continue;
		any = true;
		sum->refilled += o->refilled;
		sum->flushed += o->flushed;
		sum->shared |= o->shared;
	}
	return any;
}
