// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Addresses that are mapped for a while: areas of the vmalloc space, windows into HighMem.
#include <math.h>
#include <stdio.h>

#include "scene.h"

enum {
	MOST_LINES = 16
};

static double x_of(const struct scene *c, kaddr_t a)
{
	const struct view_model *v = c->p->v;
	double span = (double)v->vmalloc_end - v->vmalloc_start;

	return c->x + c->w * ((double)a - v->vmalloc_start) / (span > 0 ? span : 1);
}

static void space_bar(const struct scene *c, double y, double h)
{
	const struct view_model *v = c->p->v;

	pen_fill(c->p, c->x, y, c->w, h, c->p->pal->page[PS_FREE]);
	for (unsigned i = 0; i < v->nareas; i++)
		pen_fill(c->p, x_of(c, v->area[i].start), y,
			 fmax(1, x_of(c, v->area[i].end) - x_of(c, v->area[i].start)), h,
			 c->p->pal->page[PS_VMALLOC]);
	pen_frame(c->p, c->x, y, c->w, h, c->p->pal->border);
	pen_textf(c->p, STYLE_SMALL, ALIGN_LEFT, c->x, y - 18, 0, c->p->pal->dim, "0x%08x",
		  v->vmalloc_start);
	pen_textf(c->p, STYLE_SMALL, ALIGN_RIGHT, c->x + c->w, y - 18, 0, c->p->pal->dim, "0x%08x",
		  v->vmalloc_end);
}

// Page table entries as lines from addresses to frames, drawn or rubbed out one by one.
static void entries(const struct scene *c, double y, double bottom, bool made)
{
	const struct trace_event *t = &c->s->t;
	unsigned n = c->s->run < MOST_LINES ? c->s->run : MOST_LINES;
	double cell = fmin(46, (c->w - 20) / (n ? n : 1));
	char text[24];

	for (unsigned i = 0; i < n; i++) {
		double at = c->x + 10 + i * cell, part = (i + 1.0) / n;
		bool there = made ? part <= c->t + 0.001 : part > c->t;
		struct box page = {at, y, cell - 4, 22}, frame = {at, bottom, cell - 4, 22};

		scene_block(c, page, c->p->pal->page[PS_VMALLOC], NULL);
		snprintf(text, sizeof(text), "%x",
			 (unsigned)(t->pfn + (int64_t)i * (t->stride ? t->stride : 1)));
		if (t->pfn)
			scene_block(c, frame, c->p->pal->page[PS_PAGES], text);
		if (there)
			pen_line(c->p, at + cell / 2 - 2, y + 22, at + cell / 2 - 2, bottom,
				 c->p->pal->text);
	}
	if (n < c->s->run)
		pen_textf(c->p, STYLE_SMALL, ALIGN_RIGHT, c->x + c->w, bottom + 28, 0,
			  c->p->pal->dim, _("and %u more"), c->s->run - n);
}

void scene_vmalloc(const struct scene *c)
{
	const struct trace_event *t = &c->s->t;
	double y = c->y + 24, from, w;
	bool made = t->kind == EV_T_VMAP_AREA_ALLOC || t->kind == EV_T_VMAP_MAP;

	space_bar(c, y, 34);
	if (t->kind != EV_T_VMAP_AREA_PURGE && t->kind != EV_T_PAGE_TABLE && t->addr) {
		from = x_of(c, t->addr);
		w = fmax(3, x_of(c, t->addr + t->count * PAGE_SIZE) - from);
		pen_alpha(c->p, c->p->pal->warn, made ? c->t : 1 - 0.7 * c->t);
		cairo_rectangle(c->p->cr, from, y - 4, w, 42);
		cairo_fill(c->p->cr);
		pen_textf(c->p, STYLE_BOLD, from > c->x + c->w - 120 ? ALIGN_RIGHT : ALIGN_LEFT,
			  from, y + 44, 0, c->p->pal->text, "0x%08x", t->addr);
	}
	if (t->kind == EV_T_VMAP_MAP || t->kind == EV_T_VMAP_UNMAP)
		entries(c, y + 76, y + 160, made);
}

// All windows as one bar: in use, mapped without user, free; and where the search stands.
void scene_kmap(const struct scene *c)
{
	const struct step_state *a = &c->s->before, *b = &c->s->after;
	const struct trace_event *t = &c->s->t;
	double cell = c->w / LAST_PKMAP, y = c->y + 30, third = (c->w - 24) / 3, at;
	struct box box[3];
	static const char *const name[3] = {"windows in use", "mapped, no user", "free windows"};
	const uint32_t before[3] = {a->pkmap_used, a->pkmap_waiting,
				    LAST_PKMAP - a->pkmap_used - a->pkmap_waiting};
	const uint32_t after[3] = {b->pkmap_used, b->pkmap_waiting,
				   LAST_PKMAP - b->pkmap_used - b->pkmap_waiting};

	for (unsigned i = 0; i < 3; i++) {
		box[i] = (struct box){c->x + i * (third + 12), y + 80, third, 74};
		scene_counter(c, box[i], name[i], before[i], after[i]);
	}
	pen_fill(c->p, c->x, y, c->w, 30, c->p->pal->page[PS_FREE]);
	pen_frame(c->p, c->x, y, c->w, 30, c->p->pal->border);
	pen_text(c->p, STYLE_SMALL, ALIGN_LEFT, c->x, y - 18, 0, c->p->pal->dim, _("window 0"));
	pen_textf(c->p, STYLE_SMALL, ALIGN_RIGHT, c->x + c->w, y - 18, 0, c->p->pal->dim,
		  _("window %u"), LAST_PKMAP - 1);
	if (t->kind == EV_T_KMAP_FLUSHED) { // one sweep over all
		pen_alpha(c->p, c->p->pal->warn, 0.35);
		cairo_rectangle(c->p->cr, c->x, y, c->w * c->t, 30);
		cairo_fill(c->p->cr);
		return;
	}
	if (t->kind == EV_T_KMAP_ATOMIC_MAP) {
		pen_textf(c->p, STYLE_BOLD, ALIGN_LEFT, c->x, y + 44, 0, c->p->pal->text,
			  _("not of these: 0x%08x is a fixed window of CPU %u"), t->addr, t->cpu);
		return;
	}
	if (t->kind == EV_T_KMAP_WAIT || t->kind == EV_T_KMAP_WAKE) {
		pen_textf(c->p, STYLE_BOLD, ALIGN_LEFT, c->x, y + 44, 0, c->p->pal->text,
			  _("waiting for a window: %u"), c->p->v->kmap.waiters);
		return;
	}
	at = c->x + cell * ((t->addr - c->p->v->kmap.pkmap_base) >> PAGE_SHIFT);
	pen_fill(c->p, at - 1, y, fmax(3, cell), 30, c->p->pal->page[PS_KMAP]);
	pen_textf(c->p, STYLE_BOLD, at > c->x + c->w - 160 ? ALIGN_RIGHT : ALIGN_LEFT, at, y + 36,
		  0, c->p->pal->text, _("0x%08x, pkmap_count %u"), t->addr, t->value);
}
