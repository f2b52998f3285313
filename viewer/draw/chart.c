// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "chart.h"

#include <math.h>
#include <stdio.h>

#include "pen.h"

enum {
	LEFT = 96,
	FOOT = 40,
	TICKS = 5,
};

struct span {
	double from, to;
};

static struct span span_of(const double *v, unsigned n)
{
	struct span s = {v[0], v[0]};

	for (unsigned i = 1; i < n; i++) {
		s.from = fmin(s.from, v[i]);
		s.to = fmax(s.to, v[i]);
	}
	return s;
}

// Bars and areas are read from zero, so a scale of counts begins there.
static struct span upward(const struct chart *c)
{
	struct span all = span_of(c->y[0], c->n);

	for (unsigned k = 1; k < c->series; k++) {
		struct span s = span_of(c->y[k], c->n);

		all.from = fmin(all.from, s.from);
		all.to = fmax(all.to, s.to);
	}
	all.from = fmin(all.from, 0);
	if (all.to <= all.from)
		all.to = all.from + 1;
	return all;
}

static void number(double v, char *buf, size_t size)
{
	if (fabs(v) < 1e15 && v == floor(v))
		snprintf(buf, size, "%s%s", v < 0 ? "−" : "", fmt_count((uint64_t)fabs(v)).s);
	else
		snprintf(buf, size, "%.4g", v);
}

struct frame_of { // where the plot lies
	double x, y, w, h;
	struct span across, up;
};

static double px(const struct frame_of *f, double v)
{
	return f->x + f->w * (v - f->across.from) / (f->across.to - f->across.from);
}

static double py(const struct frame_of *f, double v)
{
	return f->y + f->h * (1 - (v - f->up.from) / (f->up.to - f->up.from));
}

// Whole steps of 1, 2 or 5 times a power of ten, about TICKS of them.
static double tick_step(struct span s)
{
	double rough = (s.to - s.from) / TICKS, ten = pow(10, floor(log10(rough))),
	       part = rough / ten;

	return ten * (part > 5 ? 10 : part > 2 ? 5 : part > 1 ? 2 : 1);
}

static void grid(struct pen *p, const struct frame_of *f, const char *across)
{
	double step = tick_step(f->up);
	char text[96];

	for (double v = ceil(f->up.from / step) * step; v <= f->up.to; v += step) {
		pen_line(p, f->x, py(f, v), f->x + f->w, py(f, v), p->pal->border);
		number(v, text, sizeof(text));
		pen_text(p, STYLE_SMALL, ALIGN_RIGHT, f->x - 8, py(f, v) - 8, LEFT - 12,
			 p->pal->dim, text);
	}
	step = tick_step(f->across);
	for (double v = ceil(f->across.from / step) * step; v <= f->across.to; v += step) {
		pen_line(p, px(f, v), f->y + f->h, px(f, v), f->y + f->h + 4, p->pal->dim);
		number(v, text, sizeof(text));
		pen_text(p, STYLE_SMALL, ALIGN_CENTER, px(f, v), f->y + f->h + 5, 0, p->pal->dim,
			 text);
	}
	pen_text(p, STYLE_SMALL, ALIGN_RIGHT, f->x + f->w, f->y + f->h + 20, f->w, p->pal->text,
		 across);
}

static bool rises(const struct chart *c)
{
	for (unsigned i = 1; i < c->n; i++)
		if (c->x[i] < c->x[i - 1])
			return false;
	return true;
}

static void series(struct pen *p, const struct frame_of *f, const struct chart *c, unsigned k,
		   struct rgb colour)
{
	bool line = rises(c) && c->n > 1;

	pen_colour(p, colour);
	cairo_set_line_width(p->cr, 1.5);
	for (unsigned i = 0; line && i < c->n; i++)
		cairo_line_to(p->cr, px(f, c->x[i]), py(f, c->y[k][i]));
	cairo_stroke(p->cr);
	for (unsigned i = 0; i < c->n && (!line || c->n <= 200); i++) {
		cairo_arc(p->cr, px(f, c->x[i]), py(f, c->y[k][i]), 2.5, 0, 2 * M_PI);
		cairo_fill(p->cr);
	}
}

void draw_chart(cairo_t *cr, const struct chart *c, double w, double h, const struct palette *pal)
{
	static const enum page_state hue[CHART_SERIES] = {PS_VMALLOC, PS_PAGES, PS_PAGECACHE,
							  PS_KMAP};
	struct legend legend[CHART_SERIES];
	struct viewport vp = {.width = w, .height = h, .bare = true};
	struct frame_of f = {.x = LEFT + MARGIN};
	struct pen p;
	double y;

	pen_begin(&p, cr, NULL, &vp, pal, "", &y);
	for (unsigned k = 0; k < c->series; k++)
		legend[k] = (struct legend){.colour = pal->page[hue[k]], .name = c->name[k]};
	f.y = 14 + pen_legend(&p, f.x, 10, w - f.x - MARGIN, legend, c->series);
	f.w = fmax(40, w - f.x - MARGIN);
	f.h = fmax(40, h - f.y - FOOT);
	f.across = span_of(c->x, c->n);
	if (f.across.to <= f.across.from)
		f.across.to = f.across.from + 1;
	f.up = upward(c);
	grid(&p, &f, c->across);
	for (unsigned k = 0; k < c->series; k++)
		series(&p, &f, c, k, pal->page[hue[k]]);
	pen_end(&p);
}
