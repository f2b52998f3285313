// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Reports slab and fragmentation: asked of the machine itself, replayed to a moment.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../core/procfs.h"
#include "report.h"

struct replay *report_replay(struct report *rp)
{
	char err[512];
	struct replay *p = replay_open(rp->r, rp->p->process, err, sizeof(err));
	if (!p)
		cli_error("%s", err);
	return p;
}

int report_damaged(const struct replay *p)
{
	cli_error("the recording is damaged after event %llu; what follows may be untrue",
		  (unsigned long long)replay_position(p));
	return EXIT_FAILURE;
}

static int seek(struct replay *p, uint64_t event)
{
	return replay_seek(p, event) ? report_damaged(p) : EXIT_SUCCESS;
}

// ---- slab

// Those parked in per-CPU arrays are counted apart, for they are taken from their slab and serve
// nobody.
static uint64_t parked(const struct machine *m, unsigned cache)
{
	uint64_t n = m->shared[cache].avail;
	for (unsigned cpu = 0; cpu < m->s->cfg.ncpus; cpu++)
		n += ac_of(m, cache, cpu)->avail;
	return n;
}

static struct cache_figures figures(const struct machine *m, unsigned id)
{
	const struct kmem_cache *c = &m->caches[id];
	struct cache_figures f = {.id = id, .parked = parked(m, id)};
	uint64_t used;
	f.objects = (uint64_t)c->num_slabs * c->num;
	used = f.objects - (c->free_objects < f.objects ? c->free_objects : f.objects);
	f.parked = f.parked < used ? f.parked : used;
	f.active = used - f.parked;
	f.pages_bytes = (uint64_t)c->num_slabs * PAGE_SIZE << c->gfporder;
	used = f.active * c->obj_size;
	f.waste = f.pages_bytes > used ? f.pages_bytes - used : 0;
	return f;
}

static int by_pages(gconstpointer pa, gconstpointer pb)
{
	const struct cache_figures *a = pa, *b = pb;
	if (a->pages_bytes != b->pages_bytes)
		return a->pages_bytes > b->pages_bytes ? -1 : 1;
	return (a->id > b->id) - (a->id < b->id);
}

GArray *cache_list(const struct machine *m)
{
	GArray *list = g_array_new(FALSE, TRUE, sizeof(struct cache_figures));
	for (unsigned id = 1; id < MAX_CACHES; id++) {
		struct cache_figures f = figures(m, id);
		if (m->caches[id].used && m->caches[id].num_slabs)
			g_array_append_val(list, f);
	}
	g_array_sort(list, by_pages);
	return list;
}

static void print_caches(struct report *rp, const struct machine *m, const GArray *list)
{
	static const struct column columns[] = {
		{"name", "cache", CELL_TEXT},	    {"object_size", "object", CELL_BYTES},
		{"slabs", "slabs", CELL_COUNT},	    {"per_slab", "per slab", CELL_COUNT},
		{"active", "in use", CELL_COUNT},   {"parked", "parked", CELL_COUNT},
		{"objects", "objects", CELL_COUNT}, {"bytes", "pages", CELL_BYTES},
		{"waste", "waste", CELL_BYTES},	    {0}};
	guint n = rp->top && rp->top < list->len ? rp->top : list->len;
	out_table(rp, "caches", columns);
	for (guint i = 0; i < n; i++) {
		const struct cache_figures *f = &g_array_index(list, struct cache_figures, i);
		const struct kmem_cache *c = &m->caches[f->id];
		g_autofree char *name = g_strndup(c->name, CACHE_NAME_LEN);
		out_row(rp, name, (uint64_t)c->obj_size, (uint64_t)c->num_slabs, (uint64_t)c->num,
			f->active, f->parked, f->objects, f->pages_bytes, f->waste);
	}
	out_end(rp);
	if (n < list->len)
		out_note(rp, "%s more; --top=0 shows all", fmt_count(list->len - n));
}

int report_slab(struct report *rp)
{
	uint64_t pages = 0, waste = 0;
	struct replay *p = report_replay(rp);
	if (!p)
		return EXIT_FAILURE;
	int status = seek(p, rp->at);
	const struct machine *m = replay_machine(p);
	g_autoptr(GArray) list = cache_list(m);
	for (guint i = 0; i < list->len; i++) {
		pages += g_array_index(list, struct cache_figures, i).pages_bytes;
		waste += g_array_index(list, struct cache_figures, i).waste;
	}
	out_title(rp, "%s caches with slabs at event %s: %s of pages, %s of it holds no object",
		  fmt_count(list->len), fmt_count(replay_position(p)), fmt_bytes(pages),
		  fmt_bytes(waste));
	print_caches(rp, m, list);
	out_note(rp, "parked: in per-CPU and shared arrays. waste: pages less what objects in use "
		     "asked for.");
	replay_close(p);
	report_sharing(rp);
	return status;
}

// ---- fragmentation

enum {
	POINTS = 10
};
static const unsigned orders[] = {2, 4, 7, 10};

// What the kernel prints, read back: thousandths of the order's column in the zone's line. The
// formulas live in core and nowhere else. False: no such zone.
static bool read_index(const char *text, const char *zone, unsigned order, int64_t *index)
{
	char name[24];
	snprintf(name, sizeof(name), " %s ", zone);
	const char *line = strstr(text, name);
	double v = 0;
	if (!line)
		return false;
	char *at = (char *)line + strlen(name);
	for (unsigned o = 0; o <= order; o++)
		v = strtod(at, &at);
	*index = (int64_t)(v * 1000 + (v < 0 ? -0.5 : 0.5));
	return true;
}

static void point(struct report *rp, struct machine *m, uint64_t event, const char *zone)
{
	char unusable[1024], extfrag[1024];
	int64_t u[G_N_ELEMENTS(orders)], x[G_N_ELEMENTS(orders)];
	proc_unusable_index(m, unusable, sizeof(unusable));
	proc_extfrag_index(m, extfrag, sizeof(extfrag));
	for (unsigned i = 0; i < G_N_ELEMENTS(orders); i++)
		if (!read_index(unusable, zone, orders[i], &u[i]) ||
		    !read_index(extfrag, zone, orders[i], &x[i]))
			return;
	out_row(rp, event, zone, u[0], u[1], u[2], u[3], x[2], x[3]);
}

int report_fragmentation(struct report *rp)
{
	static const struct column columns[] = {{"event", "event", CELL_COUNT},
						{"zone", "zone", CELL_TEXT},
						{"unusable_order_2", "order 2", CELL_INDEX},
						{"unusable_order_4", "4", CELL_INDEX},
						{"unusable_order_7", "7", CELL_INDEX},
						{"unusable_order_10", "10", CELL_INDEX},
						{"extfrag_order_7", "extfrag 7", CELL_INDEX},
						{"extfrag_order_10", "extfrag 10", CELL_INDEX},
						{0}};
	static const char *const zones[] = {"DMA", "Normal", "HighMem"};
	struct replay *p = report_replay(rp);
	uint64_t length = rp->to > rp->from ? rp->to - rp->from : 0;
	int status = EXIT_SUCCESS;
	if (!p)
		return EXIT_FAILURE;
	out_title(rp,
		  "Free memory that cannot serve a request of an order, 0 to 1 (unusable index)");
	out_table(rp, "points", columns);
	for (unsigned i = 0; i < POINTS && !status; i++) {
		uint64_t event = rp->from + (uint64_t)((double)length * i / (POINTS - 1));
		if (i && length < POINTS && event == replay_position(p))
			continue;
		status = seek(p, event);
		for (unsigned z = 0; z < G_N_ELEMENTS(zones); z++)
			point(rp, replay_machine(p), event, zones[z]);
	}
	out_end(rp);
	out_note(rp,
		 "extfrag: were a request to fail, 1 is for fragmentation, 0 for lack of memory; "
		 "-1: it would not.");
	report_pins(rp, replay_machine(p));
	replay_close(p);
	return status;
}
