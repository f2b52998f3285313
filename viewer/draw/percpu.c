// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Per-CPU lists: the pagesets of every zone and CPU, and the array caches of the busiest caches.
#include <math.h>
#include <stdio.h>

#include "../../core/event.h"
#include "../flow.h"
#include "pen.h"

static void level(struct pen *p, const struct column *c, double y, uint32_t count, uint32_t limit,
		  uint32_t batch, struct rgb colour)
{
	double x = c->x + 6, w = c->width - 12, part = limit ? fmin(1, (double)count / limit) : 0;

	pen_fill(p, x, y + 7, w, 10, p->pal->page[PS_FREE]);
	pen_fill(p, x, y + 7, w * part, 10, colour);
	pen_frame(p, x, y + 7, w, 10, p->pal->border);
	if (limit && batch && batch < limit)
		pen_line(p, x + w * batch / limit, y + 4, x + w * batch / limit, y + 19,
			 p->pal->text);
}

// An arrow towards the list (from the free lists or slabs behind it), or away from it, and how many.
// Where it ended.
static double arrow(struct pen *p, double x, double y, bool in, uint32_t n)
{
	struct rgb c = in ? p->pal->accent : p->pal->warn;
	double tip = in ? x + 12 : x;

	if (!n)
		return x;
	pen_fill(p, in ? x : x + 4, y + ROW / 2.0 - 1.5, 8, 3, c);
	pen_colour(p, c);
	cairo_move_to(p->cr, tip, y + ROW / 2.0);
	cairo_line_to(p->cr, tip + (in ? -6 : 6), y + ROW / 2.0 - 5);
	cairo_line_to(p->cr, tip + (in ? -6 : 6), y + ROW / 2.0 + 5);
	cairo_fill(p->cr);
	return x + 16 + 8 +
	       pen_text(p, STYLE_BOLD, ALIGN_LEFT, x + 16, y + 4, 0, p->pal->text, fmt_count(n).s);
}

static void pageset_flow(struct pen *p, const struct column *c, unsigned zone, unsigned cpu,
			 double y)
{
	const struct page_flow *f = p->v->flow ? &p->v->flow->page[zone][cpu] : NULL;
	double x = c->x + 6;

	if (!f || (!f->refilled && !f->drained)) {
		table_cell(p, c, y, STYLE_BODY, p->pal->dim, "–");
		return;
	}
	x = arrow(p, x, y, true, f->refilled);
	arrow(p, x, y, false, f->drained);
}

static void pageset_row(struct pen *p, const struct column *c, unsigned zone, unsigned cpu,
			double y)
{
	const struct model_pcp *pcp = &p->v->zone[zone].pcp[cpu];
	char name[16];

	snprintf(name, sizeof(name), "CPU %u", cpu);
	table_cell(p, &c[0], y, STYLE_BODY, p->pal->text, name);
	table_cell(p, &c[1], y, STYLE_BOLD, pcp->count ? p->pal->text : p->pal->dim,
		   fmt_count(pcp->count).s);
	table_cell(p, &c[2], y, STYLE_BODY, p->pal->text, fmt_count(pcp->high).s);
	table_cell(p, &c[3], y, STYLE_BODY, p->pal->text, fmt_count(pcp->batch).s);
	level(p, &c[4], y, pcp->count, pcp->high, pcp->batch, p->pal->page[PS_PCP]);
	pageset_flow(p, &c[5], zone, cpu, y);
	for (unsigned mt = 0; mt < MIGRATE_PCPTYPES; mt++)
		table_cell(p, &c[6 + mt], y, STYLE_BODY, pcp->list[mt] ? p->pal->text : p->pal->dim,
			   pcp->list[mt] ? fmt_count(pcp->list[mt]).s : "–");
}

static double pageset_card(struct pen *p, unsigned zone, double y, double w)
{
	const struct model_zone *z = &p->v->zone[zone];
	double h = 38 + ROW * (1 + p->v->ncpus) + 10, x = MARGIN + 12, inner = w - 24, at = y + 36;
	struct column c[] = {
		{"CPU", 70, 0, ALIGN_LEFT, 0},
		{"count", 70, 0, ALIGN_RIGHT, 0},
		{"high", 70, 0, ALIGN_RIGHT, 0},
		{"batch", 70, 0, ALIGN_RIGHT, 0},
		{w < 1000 ? "of high" : "count of high, mark at batch", 0, 2, ALIGN_LEFT, 0},
		{w < TIGHT ? "moved" : "moved by this event", w < TIGHT ? 80 : 160, 0, ALIGN_LEFT,
		 0},
		{"Unmovable", 90, 0, ALIGN_RIGHT, 0},
		{"Reclaimable", 90, 0, ALIGN_RIGHT, 0},
		{"Movable", 90, 0, ALIGN_RIGHT, 0},
	};
	uint32_t sum = 0;

	for (unsigned cpu = 0; cpu < p->v->ncpus; cpu++)
		sum += z->pcp[cpu].count;
	pen_card(p, MARGIN, y, w, h);
	pen_textf(p, STYLE_HEADING, ALIGN_LEFT, x, y + 11, 0, p->pal->text, _("Pagesets of %s"),
		  z->name);
	pen_textf(p, STYLE_BODY, ALIGN_RIGHT, x + inner, y + 12, 0, p->pal->dim,
		  _("%s on per-CPU lists"), fmt_pages(sum).s);
	table_layout(c, 9, x, inner);
	table_header(p, c, 9, x, at, inner);
	for (unsigned cpu = 0; cpu < p->v->ncpus; cpu++) {
		at += ROW;
		table_stripe(p, x, at, inner, cpu);
		pageset_row(p, c, zone, cpu, at);
		pen_hit(p, HIT_PCP, zone << 8 | cpu, x, at, inner, ROW);
	}
	return h + 12;
}

static void array_row(struct pen *p, const struct column *c, const struct model_cache *k, double y)
{
	struct object_flow moved;
	char text[64];

	table_cell(p, &c[0], y, STYLE_BODY, p->pal->text, k->name);
	table_cell(p, &c[1], y, STYLE_BODY, p->pal->text, fmt_count(k->active).s);
	for (unsigned cpu = 0; cpu <= p->v->ncpus; cpu++) {
		bool shared = cpu == p->v->ncpus;
		uint32_t avail = shared ? k->shared_avail : k->cpu_avail[cpu];
		uint32_t limit = shared ? k->shared_limit : k->cpu_limit[cpu];
		const struct column *col = &c[2 + cpu];
		double part = limit ? fmin(1, (double)avail / limit) : 0;

		pen_alpha(p, p->pal->object[OBJ_IN_ARRAY], 0.35);
		cairo_rectangle(p->cr, col->x + 4, y + 3, (col->width - 8) * part, ROW - 6);
		cairo_fill(p->cr);
		snprintf(text, sizeof(text), limit ? "%u / %u" : "–", avail, limit);
		table_cell(p, col, y, STYLE_BODY, avail ? p->pal->text : p->pal->dim, text);
		if (!shared && flow_of_array(p->v->flow, k->id, cpu, &moved))
			arrow(p, arrow(p, col->x + 8, y, true, moved.refilled), y, false,
			      moved.flushed);
	}
}

static double array_card(struct pen *p, double y, double w)
{
	struct column c[3 + MAX_CPUS] = {{"cache", 150, 0, ALIGN_LEFT, 0},
					 {"active objects", 110, 0, ALIGN_RIGHT, 0}};
	char title[MAX_CPUS][16];
	unsigned n = 0, ncols = 3 + p->v->ncpus;
	double x = MARGIN + 12, inner = w - 24, at = y + 36, h;

	for (unsigned i = 0; i < p->v->ncaches && n < 24; i++)
		n += p->v->cache[i].slabs > 0;
	h = 38 + ROW * (1 + n) + 10;
	pen_card(p, MARGIN, y, w, h);
	pen_text(p, STYLE_HEADING, ALIGN_LEFT, x, y + 11, 0, p->pal->text, _("Array caches"));
	pen_text(p, STYLE_BODY, ALIGN_RIGHT, x + inner, y + 12, 0, p->pal->dim,
		 _("objects ready to be handed out / limit; arrows: moved by this event"));
	for (unsigned cpu = 0; cpu < p->v->ncpus; cpu++) {
		snprintf(title[cpu], sizeof(title[cpu]), "CPU %u", cpu);
		c[2 + cpu] = (struct column){title[cpu], 0, 1, ALIGN_CENTER, 0};
	}
	c[ncols - 1] = (struct column){"shared", 0, 1, ALIGN_CENTER, 0};
	table_layout(c, ncols, x, inner);
	table_header(p, c, ncols, x, at, inner);
	for (unsigned i = 0, row = 0; i < p->v->ncaches && row < n; i++) {
		if (!p->v->cache[i].slabs)
			continue;
		at += ROW;
		table_stripe(p, x, at, inner, row++);
		array_row(p, c, &p->v->cache[i], at);
		pen_hit(p, HIT_CACHE, p->v->cache[i].id, x, at, inner, ROW);
	}
	return h + 12;
}

void draw_percpu(cairo_t *cr, const struct view_model *v, const struct viewport *vp,
		 const struct palette *pal)
{
	struct pen p;
	double y, at, start, w = vp->width - 2 * MARGIN;

	pen_begin(&p, cr, v, vp, pal, _("Per-CPU lists"), &y);
	start = at = pen_pane_begin(&p, 0, 0, y, vp->width, vp->height - y);
	for (unsigned z = 0; z < v->nzones; z++)
		at += pageset_card(&p, z, at, w);
	at += array_card(&p, at, w);
	pen_pane_end(&p, 0, at - start);
	pen_end(&p);
}
