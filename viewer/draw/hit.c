// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The list of views, and what lies under the pointer.
#include <stdio.h>
#include <string.h>

#include "../../core/event.h"
#include "../flow.h"
#include "../text.h"
#include "flame.h"
#include "page_range.h"

const struct view views[VIEWS + 1] = {
	{"map", N_("Memory map"), draw_map, false, map_same},
	{"zones", N_("Zones and buddy"), draw_zones, false},
	{"percpu", N_("Per-CPU lists"), draw_percpu, false},
	{"slab", N_("Slab"), draw_slab, false},
	{"vmalloc", N_("vmalloc"), draw_vmalloc, false},
	{"highmem", N_("Highmem windows"), draw_highmem, false},
	{"address", N_("Paging"), draw_address, false},
	{"boot", N_("Boot"), draw_boot, false},
	{"summary", N_("Summary"), draw_summary, true},
	{"events", N_("Events"), draw_events, true},
	{"timeline", N_("Timeline"), draw_timeline, true},
	{"event", N_("What happened"), draw_happened, true},
	{"steps", N_("Step by step"), draw_steps, true},
	{"flame", N_("Flame graph"), draw_flame, true},
	{"sites", N_("Call sites"), draw_sites, true},
	{"processes", N_("Processes"), draw_processes, true},
	{NULL, NULL, NULL, false},
};

const struct view *view_find(const char *id)
{
	for (const struct view *v = views; v->id; v++)
		if (!strcmp(v->id, id))
			return v;
	return NULL;
}

// Later hits lie above earlier ones.
const struct hit *hit_find(const struct draw_result *r, double x, double y, uint64_t *id)
{
	for (unsigned i = r->nhits; i-- > 0;) {
		const struct hit *h = &r->hit[i];
		uint64_t offset;

		if (x < h->x || y < h->y || x >= h->x + h->w || y >= h->y + h->h)
			continue;
		*id = h->id;
		if (!h->columns)
			return h;
		offset = ((uint64_t)((y - h->y) / h->cell_h) * h->columns +
			  (uint64_t)((x - h->x) / h->cell_w)) *
			 h->per_cell;
		if (offset >= h->count)
			continue;
		*id = h->id + offset;
		return h;
	}
	return NULL;
}

void hit_cell(const struct hit *h, uint64_t id, double *x, double *y, double *w, double *height)
{
	uint64_t cell;

	*x = h->x;
	*y = h->y;
	*w = h->w;
	*height = h->h;
	if (!h->columns)
		return;
	cell = (id - h->id) / h->per_cell;
	*x += (double)(cell % h->columns) * h->cell_w;
	*y += (double)(cell / h->columns) * h->cell_h;
	*w = h->cell_w;
	*height = h->cell_h;
}

static void describe_owner(const struct view_model *v, pfn_t pfn, char *buf, size_t size)
{
	const struct model_cache *c;

	*buf = 0;
	switch (v->state[pfn]) {
	case PS_FREE:
		snprintf(buf, size, "\nin a free block of order %u (%s)", v->owner[pfn],
			 fmt_bytes(4096ull << v->owner[pfn]).s);
		break;
	case PS_SLAB:
		c = model_cache(v, v->owner[pfn]);
		snprintf(buf, size, "\ncache %s", c ? c->name : "?");
		break;
	case PS_PAGES:
		if (v->owner[pfn])
			snprintf(buf, size, "\nhead of a compound page of order %u", v->owner[pfn]);
		break;
	default:
		break;
	}
}

static bool describe_page(const struct view_model *v, uint64_t pfn, char *buf, size_t size)
{
	const struct model_zone *z;
	char owner[96], address[32] = "no kernel address";
	kaddr_t a;

	if (pfn >= v->max_pfn)
		return false;
	z = model_zone_of(v, (pfn_t)pfn);
	a = model_page_address(v, (pfn_t)pfn);
	if (a)
		snprintf(address, sizeof(address), "at 0x%08x", a);
	describe_owner(v, (pfn_t)pfn, owner, sizeof(owner));
	snprintf(buf, size, "pfn 0x%llx · %s · %s\nphysical 0x%08llx, %s%s",
		 (unsigned long long)pfn, z ? z->name : "?", page_state_name(v->state[pfn]),
		 (unsigned long long)pfn << 12, address, owner);
	return true;
}

static bool describe_free_area(const struct view_model *v, uint64_t id, char *buf, size_t size)
{
	const struct model_zone *z = &v->zone[id >> 16];
	unsigned order = id >> 8 & 255, mt = id & 255;
	uint32_t n = z->blocks[order][mt];

	snprintf(buf, size, "%s, order %u, %s\n%s blocks of %s: %s", z->name, order,
		 migratetype_name(mt), fmt_count(n).s, fmt_bytes(4096ull << order).s,
		 fmt_pages((uint64_t)n << order).s);
	return true;
}

static bool describe_cache(const struct view_model *v, uint64_t id, char *buf, size_t size)
{
	const struct model_cache *c = model_cache(v, (unsigned)id);

	if (!c)
		return false;
	snprintf(buf, size,
		 "%s: %u bytes an object, %u a slab of order %u\n%s of %s objects active, %s",
		 c->name, c->object_bytes, c->per_slab, c->order, fmt_count(c->active).s,
		 fmt_count(c->total).s, fmt_bytes(c->bytes).s);
	return true;
}

static bool describe_object(const struct view_model *v, uint64_t id, char *buf, size_t size)
{
	static const char *const state[OBJECT_STATES] = {"free in its slab", "free, in an array",
							 "allocated"};
	const struct model_cache *c = &v->cache[v->selected];
	unsigned slab = (unsigned)(id >> 16), i = id & 0xffff;

	if (slab >= v->nslabs || i >= c->per_slab)
		return false;
	snprintf(buf, size, "object %u of slab 0x%x · %s\n0x%08x, %u bytes, colour offset %u", i,
		 v->slab[slab].pfn, state[v->slab[slab].object[i]],
		 v->slab[slab].s_mem + i * c->object_bytes, c->object_bytes,
		 v->slab[slab].colour_bytes);
	return true;
}

static bool describe_kmap(const struct view_model *v, uint64_t slot, char *buf, size_t size)
{
	unsigned count;

	if (slot >= LAST_PKMAP)
		return false;
	count = v->kmap.pkmap_count[slot];
	if (count)
		snprintf(buf, size, "window %u at 0x%08x\npkmap_count %u (%u users), pfn 0x%x",
			 (unsigned)slot, v->kmap.pkmap_base + (unsigned)slot * PAGE_SIZE, count,
			 count - 1, v->kmap.pkmap_pfn[slot]);
	else
		snprintf(buf, size, "window %u at 0x%08x\nfree", (unsigned)slot,
			 v->kmap.pkmap_base + (unsigned)slot * PAGE_SIZE);
	return true;
}

static bool describe_atomic(const struct view_model *v, uint64_t id, char *buf, size_t size)
{
	unsigned cpu = (unsigned)(id >> 8), slot = id & 255;
	kaddr_t a = v->kmap.fixaddr_top -
		    (v->kmap.fix_kmap_begin + slot + KM_TYPE_NR * cpu) * PAGE_SIZE;

	if (slot < v->kmap.atomic_depth[cpu])
		snprintf(buf, size, "CPU %u, depth %u at 0x%08x\npfn 0x%x", cpu, slot, a,
			 v->kmap.atomic_pfn[cpu][slot]);
	else
		snprintf(buf, size, "CPU %u, depth %u at 0x%08x\nfree", cpu, slot, a);
	return true;
}

static bool describe_pgd(const struct view_model *v, uint64_t i, char *buf, size_t size)
{
	uint32_t e;

	if (i >= 1024)
		return false;
	e = v->pgd[i];
	snprintf(buf, size, "pgd[%u] = 0x%08x, 4 MiB at 0x%08x\n%s", (unsigned)i, e,
		 (unsigned)i << 22,
		 !(e & _PAGE_PRESENT) ? "not present"
		 : e & _PAGE_PSE      ? "maps 4 MiB itself"
				      : "points to a page table");
	return true;
}

static bool describe_area(const struct view_model *v, uint64_t i, char *buf, size_t size)
{
	const struct model_area *a;

	if (i >= v->nareas)
		return false;
	a = &v->area[i];
	snprintf(buf, size, "0x%08x – 0x%08x, %s\n%s mapped%s%s", a->start, a->end,
		 fmt_bytes(a->end - a->start).s, fmt_pages(a->pages).s, *a->caller ? ", for " : "",
		 a->caller);
	return true;
}

static bool describe_pcp(const struct view_model *v, uint64_t id, char *buf, size_t size)
{
	unsigned zone = (unsigned)(id >> 8), cpu = id & 255;
	const struct model_pcp *pcp = &v->zone[zone].pcp[cpu];
	struct page_flow f = v->flow ? v->flow->page[zone][cpu] : (struct page_flow){0};
	int n = snprintf(buf, size, "CPU %u of %s\n%s on its lists, drained from %u by %u", cpu,
			 v->zone[zone].name, fmt_pages(pcp->count).s, pcp->high, pcp->batch);

	if (f.refilled || f.drained || f.taken || f.given)
		snprintf(buf + n, size - (size_t)n,
			 "\nthis event: %u from the free lists, %u to them, %u given out, %u given "
			 "back",
			 f.refilled, f.drained, f.taken, f.given);
	return true;
}

bool hit_describe(const struct view_model *v, enum hit_kind kind, uint64_t id, char *buf,
		  size_t size)
{
	switch (kind) {
	case HIT_PAGE:
		return describe_page(v, id, buf, size);
	case HIT_PAGES:
		return page_range_describe(v, id, buf, size);
	case HIT_FREE_AREA:
		return describe_free_area(v, id, buf, size);
	case HIT_PCP:
		return describe_pcp(v, id, buf, size);
	case HIT_CACHE:
		return describe_cache(v, id, buf, size);
	case HIT_OBJECT:
		return describe_object(v, id, buf, size);
	case HIT_AREA:
		return describe_area(v, id, buf, size);
	case HIT_PGD:
		return describe_pgd(v, id, buf, size);
	case HIT_CALL:
		return call_describe(v->calls, id, buf, size);
	case HIT_SITE:
		return call_describe(v->callers, id, buf, size);
	case HIT_KMAP:
		return describe_kmap(v, id, buf, size);
	case HIT_ATOMIC:
		return describe_atomic(v, id, buf, size);
	case HIT_STEP:
		if (!v->steps || id >= v->steps->n)
			return false;
		snprintf(buf, size, "%s", event_name(v->steps->step[id].t.kind));
		return true;
	case HIT_TOP_SITE:
		if (!v->summary || id >> 8 >= SITE_ORDERS ||
		    (id & 255) >= v->summary->nsites[id >> 8])
			return false;
		snprintf(buf, size, "%s\n← %s", v->summary->site[id >> 8][id & 255].function,
			 v->summary->site[id >> 8][id & 255].caller);
		return true;
	case HIT_MARK:
		if (id >= v->nmarks)
			return false;
		snprintf(buf, size, "mark “%s”\nevent %s, %s", v->mark[id].text,
			 fmt_count(v->mark[id].event).s, fmt_time(v->mark[id].t_ns).s);
		return true;
	case HIT_ADDRESS:
		snprintf(buf, size, "address 0x%08llx", (unsigned long long)id);
		return true;
	default:
		return false;
	}
}
