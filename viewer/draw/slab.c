// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Slab: the caches as a table, and the selected cache's slabs as grids of objects.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "pen.h"

enum {
	COL_NAME,
	COL_SIZE,
	COL_ACTIVE,
	COL_TOTAL,
	COL_SLABS,
	COL_LISTS,
	COL_TUNE,
	COL_ARRAYS,
	COL_BYTES,
	COLUMNS
};

static int compare(const struct model_cache *a, const struct model_cache *b, unsigned sort)
{
	uint64_t x, y;

	switch (sort) {
	case COL_SIZE:
		x = a->object_bytes, y = b->object_bytes;
		break;
	case COL_ACTIVE:
		x = a->active, y = b->active;
		break;
	case COL_TOTAL:
		x = a->total, y = b->total;
		break;
	case COL_SLABS:
		x = a->slabs, y = b->slabs;
		break;
	default:
		return 0; // the model is in order of bytes already
	}
	return x < y ? 1 : x > y ? -1 : 0;
}

static uint32_t parked(const struct model_cache *c)
{
	uint32_t n = c->shared_avail;

	for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++)
		n += c->cpu_avail[cpu];
	return n;
}

// Insertion sort: stable, so that equal ones stay in order of bytes; a few hundred at most.
static void sort_caches(const struct view_model *v, unsigned sort, uint16_t *order)
{
	for (unsigned i = 0; i < v->ncaches; i++) {
		unsigned at = i;

		for (; at && compare(&v->cache[i], &v->cache[order[at - 1]], sort) < 0; at--)
			order[at] = order[at - 1];
		order[at] = (uint16_t)i;
	}
}

static void cache_row(struct pen *p, const struct column *c, const struct model_cache *k, double y)
{
	struct rgb colour = k->slabs ? p->pal->text : p->pal->dim;
	double part = k->total ? (double)k->active / k->total : 0;
	char text[64];

	table_cell(p, &c[COL_NAME], y, STYLE_BODY, colour, k->name);
	table_cell(p, &c[COL_SIZE], y, STYLE_BODY, colour, fmt_count(k->object_bytes).s);
	pen_alpha(p, p->pal->object[OBJ_ALLOCATED], 0.3);
	cairo_rectangle(p->cr, c[COL_ACTIVE].x + 4, y + 3, (c[COL_ACTIVE].width - 8) * part,
			ROW - 6);
	cairo_fill(p->cr);
	table_cell(p, &c[COL_ACTIVE], y, STYLE_BODY, colour, fmt_count(k->active).s);
	table_cell(p, &c[COL_TOTAL], y, STYLE_BODY, colour, fmt_count(k->total).s);
	snprintf(text, sizeof(text), "%.24s × %u", fmt_count(k->slabs).s, 1u << k->order);
	table_cell(p, &c[COL_SLABS], y, STYLE_BODY, colour, text);
	snprintf(text, sizeof(text), "%u / %u / %u", k->list[SLABS_PARTIAL], k->list[SLABS_FULL],
		 k->list[SLABS_FREE]);
	table_cell(p, &c[COL_LISTS], y, STYLE_BODY, colour, text);
	snprintf(text, sizeof(text), "%u / %u / %u", k->limit, k->batch, k->shared);
	table_cell(p, &c[COL_TUNE], y, STYLE_BODY, colour, text);
	table_cell(p, &c[COL_ARRAYS], y, STYLE_BODY, colour, fmt_count(parked(k)).s);
	table_cell(p, &c[COL_BYTES], y, STYLE_BODY, colour, fmt_bytes(k->bytes).s);
}

// Below this width titles are shortened, so that the cache's name keeps its room.
enum {
	ROOMY = 900
};

static void cache_table(struct pen *p, double x, double y, double w, double h)
{
	const struct view_model *v = p->v;
	const bool tight = w < ROOMY;
	struct column c[COLUMNS] = {
		{"cache", tight ? 116 : 0, 3, ALIGN_LEFT, 0},
		{"size", 64, 0, ALIGN_RIGHT, 0},
		{"active", tight ? 60 : 76, 0.5, ALIGN_RIGHT, 0},
		{"objects", tight ? 60 : 76, 0.5, ALIGN_RIGHT, 0},
		{tight ? "slabs" : "slabs × pages", tight ? 70 : 96, 0, ALIGN_RIGHT, 0},
		{tight ? "part/full/free" : "partial / full / free", tight ? 92 : 128, 0,
		 ALIGN_RIGHT, 0},
		{tight ? "limit/batch/sh." : "limit / batch / shared", tight ? 92 : 136, 0,
		 ALIGN_RIGHT, 0},
		{tight ? "arrays" : "in arrays", tight ? 54 : 74, 0, ALIGN_RIGHT, 0},
		{"memory", tight ? 72 : 84, 0, ALIGN_RIGHT, 0},
	};
	uint16_t *order = malloc((v->ncaches + 1) * sizeof(*order));
	double at;

	if (!order)
		return;
	sort_caches(v, p->vp->sort, order);
	table_layout(c, COLUMNS, x, w);
	table_header(p, c, COLUMNS, x, y, w);
	for (unsigned i = 0; i < COLUMNS; i++)
		pen_hit(p, HIT_SORT, i, c[i].x, y, c[i].width, ROW);
	at = pen_pane_begin(p, 0, x, y + ROW, w, h - ROW);
	for (unsigned i = 0; i < v->ncaches; i++, at += ROW) {
		const struct model_cache *k = &v->cache[order[i]];

		if (at + ROW < y || at > y + h)
			continue;
		table_stripe(p, x, at, w, i);
		if (order[i] == v->selected) {
			pen_alpha(p, p->pal->accent, 0.18);
			cairo_rectangle(p->cr, x, at, w, ROW);
			cairo_fill(p->cr);
			pen_fill(p, x, at, 3, ROW, p->pal->accent);
		}
		cache_row(p, c, k, at);
		if (at >= y)
			pen_hit(p, HIT_CACHE, k->id, x, at, w, ROW);
	}
	pen_pane_end(p, 0, (double)v->ncaches * ROW);
	free(order);
}

struct grid {
	unsigned columns;
	double cell, w, h; // of one slab's grid
	double pitch;	   // from slab to slab
	double head;	   // height of the line above, 0 when slabs are too narrow for one
};

// Cells as large as lets a slab of few objects look like one of many.
static struct grid slab_grid(unsigned objects, double w)
{
	struct grid g = {.cell = objects <= 8 ? 18 : objects <= 32 ? 14 : objects <= 128 ? 10 : 7};

	g.columns = objects <= 4 ? (objects + 1) / 2 : (unsigned)ceil(sqrt(objects * 2.0));
	if (g.columns * g.cell > w)
		g.columns = (unsigned)(w / g.cell);
	if (!g.columns)
		g.columns = 1;
	g.w = g.columns * g.cell;
	g.h = ceil((double)objects / g.columns) * g.cell;
	g.head = g.w >= 60 ? 16 : 0;
	g.pitch = g.head > 0 ? fmax(g.w, 104) + 14 : g.w + 6;
	return g;
}

static void object_cells(struct pen *p, const struct model_slab *s, unsigned n,
			 const struct grid *g, double x, double y)
{
	for (unsigned state = 0; state < OBJECT_STATES; state++) {
		pen_colour(p, p->pal->object[state]);
		for (unsigned i = 0; i < n; i++)
			if (s->object[i] == state)
				cairo_rectangle(p->cr, x + i % g->columns * g->cell,
						y + i / g->columns * g->cell, g->cell - 1,
						g->cell - 1);
		cairo_fill(p->cr);
	}
}

static void draw_slab_at(struct pen *p, unsigned index, const struct grid *g, double x, double y)
{
	const struct model_slab *s = &p->v->slab[index];
	const struct model_cache *c = &p->v->cache[p->v->selected];
	struct hit *h;

	if (g->head > 0)
		pen_textf(p, STYLE_SMALL, ALIGN_LEFT, x, y, g->pitch, p->pal->dim, "0x%x  %u/%u",
			  s->pfn, s->inuse, c->per_slab);
	pen_frame(p, x - 2, y + g->head - 2, g->w + 3, g->h + 3, p->pal->border);
	object_cells(p, s, c->per_slab, g, x, y + g->head);
	h = pen_hit(p, HIT_OBJECT, (uint64_t)index << 16, x, y + g->head, g->w, g->h);
	if (h) {
		h->cell_w = h->cell_h = g->cell;
		h->columns = g->columns;
		h->per_cell = 1;
		h->count = c->per_slab;
	}
}

static void object_legend(struct pen *p, double x, double y, double w)
{
	static const char *const name[OBJECT_STATES] = {"free in its slab", "free, in an array",
							"allocated"};
	struct legend l[OBJECT_STATES];
	uint32_t count[OBJECT_STATES] = {0};

	for (unsigned s = 0; s < p->v->nslabs; s++)
		for (unsigned i = 0; i < p->v->cache[p->v->selected].per_slab; i++)
			count[p->v->slab[s].object[i]]++;
	for (unsigned i = 0; i < OBJECT_STATES; i++) {
		l[i] = (struct legend){.colour = p->pal->object[OBJ_ALLOCATED - i],
				       .name = name[OBJ_ALLOCATED - i]};
		snprintf(l[i].value, sizeof(l[i].value), "%s",
			 fmt_count(count[OBJ_ALLOCATED - i]).s);
	}
	pen_legend(p, x, y, w, l, OBJECT_STATES);
}

static void cache_detail(struct pen *p, double x, double y, double w, double h)
{
	const struct model_cache *c = &p->v->cache[p->v->selected];
	struct grid g = slab_grid(c->per_slab, w - 24);
	double step = g.head + g.h + (g.head > 0 ? 12 : 6), at;
	unsigned per_row = (unsigned)((w - 28) / g.pitch), rows;

	if (!per_row)
		per_row = 1;
	rows = (p->v->nslabs + per_row - 1) / per_row;
	pen_card(p, x, y, w, h);
	pen_text(p, STYLE_HEADING, ALIGN_LEFT, x + 12, y + 10, w / 3, p->pal->text, c->name);
	pen_textf(p, STYLE_BODY, ALIGN_RIGHT, x + w - 12, y + 11, w * 0.66 - 24, p->pal->dim,
		  _("%s bytes, %u %s a slab of %s%s%s%s"), fmt_count(c->object_bytes).s,
		  c->per_slab, c->per_slab == 1 ? "object" : "objects", fmt_pages(1u << c->order).s,
		  p->v->slabs_left_out ? ", first " : "",
		  p->v->slabs_left_out ? fmt_count(p->v->nslabs).s : "",
		  p->v->slabs_left_out ? " slabs" : "");
	object_legend(p, x + 12, y + 34, w - 24);
	if (!p->v->nslabs)
		pen_text(p, STYLE_BODY, ALIGN_LEFT, x + 12, y + 66, w - 24, p->pal->dim,
			 _("This cache has no slab at this event."));
	at = pen_pane_begin(p, 1, x + 12, y + 62, w - 16, h - 70);
	for (unsigned i = 0; i < p->v->nslabs; i++) {
		double top = at + i / per_row * step;

		if (top + step > y && top < y + h)
			draw_slab_at(p, i, &g, x + 14 + i % per_row * g.pitch, top + 2);
	}
	pen_pane_end(p, 1, rows * step);
}

void draw_slab(cairo_t *cr, const struct view_model *v, const struct viewport *vp,
	       const struct palette *pal)
{
	struct pen p;
	double y, w = vp->width - 2 * MARGIN, h, table;
	uint64_t bytes = 0, active = 0;

	pen_begin(&p, cr, v, vp, pal, _("Slab"), &y);
	for (unsigned i = 0; i < v->ncaches; i++) {
		bytes += v->cache[i].bytes;
		active += v->cache[i].active;
	}
	if (!v->ncaches) {
		pen_empty(&p, y, _("No slab cache"),
			  _("The machine has not booted its slab allocator."));
		pen_end(&p);
		return;
	}
	pen_textf(&p, STYLE_BODY, ALIGN_LEFT, MARGIN, y - 4, w, pal->dim,
		  _("%u caches · %s in slabs · %s objects active"), v->ncaches, fmt_bytes(bytes).s,
		  fmt_count(active).s);
	y += 18;
	h = vp->height - y - 12;
	table = floor(h * 0.52);
	cache_table(&p, MARGIN, y, w, table);
	cache_detail(&p, MARGIN, y + table + 12, w, h - table - 12);
	pen_end(&p);
}
