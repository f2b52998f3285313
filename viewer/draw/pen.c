// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "pen.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *font;
} styles[STYLES] = {
	[STYLE_BODY] = {"Cantarell, Inter, DejaVu Sans 9.5"},
	[STYLE_SMALL] = {"Cantarell, Inter, DejaVu Sans 8"},
	[STYLE_BOLD] = {"Cantarell, Inter, DejaVu Sans Bold 9.5"},
	[STYLE_HEADING] = {"Cantarell, Inter, DejaVu Sans Bold 11"},
	[STYLE_TITLE] = {"Cantarell, Inter, DejaVu Sans Bold 14"},
	[STYLE_MONO] = {"DejaVu Sans Mono, monospace 9"},
};

uint32_t pen_argb(struct rgb c)
{
	return 0xff000000u | (uint32_t)lround(c.r * 255) << 16 | (uint32_t)lround(c.g * 255) << 8 |
	       (uint32_t)lround(c.b * 255);
}

struct rgb pen_mix(struct rgb a, struct rgb b, double part)
{
	return (struct rgb){a.r + (b.r - a.r) * part, a.g + (b.g - a.g) * part,
			    a.b + (b.b - a.b) * part};
}

void pen_colour(struct pen *p, struct rgb c)
{
	cairo_set_source_rgb(p->cr, c.r, c.g, c.b);
}

void pen_alpha(struct pen *p, struct rgb c, double alpha)
{
	cairo_set_source_rgba(p->cr, c.r, c.g, c.b, alpha);
}

void pen_fill(struct pen *p, double x, double y, double w, double h, struct rgb c)
{
	pen_colour(p, c);
	cairo_rectangle(p->cr, x, y, w, h);
	cairo_fill(p->cr);
}

// Lines of one pixel lie between pixel edges, so that they stay sharp.
void pen_frame(struct pen *p, double x, double y, double w, double h, struct rgb c)
{
	pen_colour(p, c);
	cairo_set_line_width(p->cr, 1);
	cairo_rectangle(p->cr, floor(x) + 0.5, floor(y) + 0.5, floor(w) - 1, floor(h) - 1);
	cairo_stroke(p->cr);
}

static void rounded(cairo_t *cr, double x, double y, double w, double h, double r)
{
	cairo_new_sub_path(cr);
	cairo_arc(cr, x + w - r, y + r, r, -M_PI / 2, 0);
	cairo_arc(cr, x + w - r, y + h - r, r, 0, M_PI / 2);
	cairo_arc(cr, x + r, y + h - r, r, M_PI / 2, M_PI);
	cairo_arc(cr, x + r, y + r, r, M_PI, 3 * M_PI / 2);
	cairo_close_path(cr);
}

void pen_card(struct pen *p, double x, double y, double w, double h)
{
	rounded(p->cr, floor(x) + 0.5, floor(y) + 0.5, floor(w) - 1, floor(h) - 1, 8);
	pen_colour(p, p->pal->card);
	cairo_fill_preserve(p->cr);
	pen_colour(p, p->pal->border);
	cairo_set_line_width(p->cr, 1);
	cairo_stroke(p->cr);
}

void pen_hatch(struct pen *p, double x, double y, double w, double h)
{
	cairo_save(p->cr);
	cairo_rectangle(p->cr, x, y, w, h);
	cairo_clip(p->cr);
	pen_colour(p, p->pal->border);
	cairo_set_line_width(p->cr, 1);
	for (double d = -h; d < w; d += 6) {
		cairo_move_to(p->cr, x + d, y + h);
		cairo_line_to(p->cr, x + d + h, y);
	}
	cairo_stroke(p->cr);
	cairo_restore(p->cr);
}

void pen_line(struct pen *p, double x0, double y0, double x1, double y1, struct rgb c)
{
	pen_colour(p, c);
	cairo_set_line_width(p->cr, 1);
	cairo_move_to(p->cr, floor(x0) + 0.5, floor(y0) + 0.5);
	cairo_line_to(p->cr, floor(x1) + 0.5, floor(y1) + 0.5);
	cairo_stroke(p->cr);
}

static int set_text(struct pen *p, enum text_style st, const char *s, double max)
{
	int width;

	pango_layout_set_font_description(p->layout, p->font[st]);
	pango_layout_set_width(p->layout, -1);
	pango_layout_set_text(p->layout, s, -1);
	pango_layout_get_pixel_size(p->layout, &width, NULL);
	if (max > 0 && width > max) {
		pango_layout_set_width(p->layout, (int)(max * PANGO_SCALE));
		pango_layout_get_pixel_size(p->layout, &width, NULL);
	}
	return width;
}

double pen_width(struct pen *p, enum text_style st, const char *s)
{
	return set_text(p, st, s, 0);
}

double pen_text(struct pen *p, enum text_style st, enum text_align al, double x, double y,
		double max, struct rgb c, const char *s)
{
	int width = set_text(p, st, s, max);

	if (al == ALIGN_RIGHT)
		x -= width;
	else if (al == ALIGN_CENTER)
		x -= width / 2.0;
	pen_colour(p, c);
	cairo_move_to(p->cr, floor(x), floor(y));
	pango_cairo_show_layout(p->cr, p->layout);
	return width;
}

double pen_textf(struct pen *p, enum text_style st, enum text_align al, double x, double y,
		 double max, struct rgb c, const char *fmt, ...)
{
	char buf[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	// a cut inside a character would make the text invalid; pango shows the rest
	return pen_text(p, st, al, x, y, max, c, buf);
}

double pen_paragraph(struct pen *p, enum text_style st, double x, double y, double w, struct rgb c,
		     const char *s)
{
	int height;

	pango_layout_set_font_description(p->layout, p->font[st]);
	pango_layout_set_ellipsize(p->layout, PANGO_ELLIPSIZE_NONE);
	pango_layout_set_wrap(p->layout, PANGO_WRAP_WORD_CHAR);
	pango_layout_set_width(p->layout, (int)(w * PANGO_SCALE));
	pango_layout_set_text(p->layout, s, -1);
	pango_layout_get_pixel_size(p->layout, NULL, &height);
	pen_colour(p, c);
	cairo_move_to(p->cr, floor(x), floor(y));
	pango_cairo_show_layout(p->cr, p->layout);
	pango_layout_set_ellipsize(p->layout, PANGO_ELLIPSIZE_END);
	return height;
}

static void position_line(struct pen *p, double y)
{
	const struct view_model *v = p->v;
	const char *slash = strrchr(v->program, '/');
	double right = p->vp->width - MARGIN;

	if (!v->last_event) {
		pen_text(p, STYLE_BODY, ALIGN_RIGHT, right, y + 4, 0, p->pal->dim,
			 "booted machine");
		return;
	}
	pen_textf(p, STYLE_BODY, ALIGN_RIGHT, right, y + 4, p->vp->width * 0.6,
		  v->damaged ? p->pal->bad : p->pal->dim, "%s%s · event %s of %s · %s%s",
		  v->damaged ? "damaged here, last good state · " : "",
		  slash ? slash + 1 : v->program, fmt_count(v->event).s, fmt_count(v->last_event).s,
		  fmt_time(v->t_ns).s, v->in_flight ? " · operation in flight" : "");
}

void pen_open(struct pen *p, cairo_t *cr, const struct view_model *v, const struct viewport *vp,
	      const struct palette *pal)
{
	PangoAttrList *attrs = pango_attr_list_new();

	*p = (struct pen){.cr = cr, .v = v, .vp = vp, .pal = pal, .out = vp->out};
	p->layout = pango_cairo_create_layout(cr);
	pango_layout_set_ellipsize(p->layout, PANGO_ELLIPSIZE_END);
	pango_layout_set_single_paragraph_mode(p->layout, TRUE);
	pango_attr_list_insert(attrs, pango_attr_font_features_new("tnum=1"));
	pango_layout_set_attributes(p->layout, attrs);
	pango_attr_list_unref(attrs);
	for (unsigned i = 0; i < STYLES; i++)
		p->font[i] = pango_font_description_from_string(styles[i].font);
}

void pen_begin(struct pen *p, cairo_t *cr, const struct view_model *v, const struct viewport *vp,
	       const struct palette *pal, const char *title, double *y)
{
	pen_open(p, cr, v, vp, pal);
	if (p->out)
		p->out->npanes = p->out->nhits = p->out->empty[0] = 0;
	pen_fill(p, 0, 0, vp->width, vp->height, pal->background);
	*y = PEN_TOP;
	if (vp->bare)
		return;
	pen_text(p, STYLE_TITLE, ALIGN_LEFT, MARGIN, *y, vp->width * 0.4, pal->text, title);
	position_line(p, *y);
	*y = PEN_BELOW_TITLE;
}

void pen_end(struct pen *p)
{
	for (unsigned i = 0; i < STYLES; i++)
		pango_font_description_free(p->font[i]);
	g_object_unref(p->layout);
}

void pen_empty(struct pen *p, double y, const char *title, const char *why)
{
	double middle = (y + p->vp->height) / 2 - 24, w = fmin(p->vp->width - 2 * MARGIN, 560);

	if (p->out)
		snprintf(p->out->empty, sizeof(p->out->empty), "%s. %s", title, why);
	pen_text(p, STYLE_TITLE, ALIGN_CENTER, p->vp->width / 2, middle, p->vp->width - 2 * MARGIN,
		 p->pal->dim, title);
	pango_layout_set_alignment(p->layout, PANGO_ALIGN_CENTER);
	pen_paragraph(p, STYLE_BODY, (p->vp->width - w) / 2, middle + 30, w, p->pal->dim, why);
	pango_layout_set_alignment(p->layout, PANGO_ALIGN_LEFT);
}

double pen_legend(struct pen *p, double x, double y, double w, const struct legend *l, unsigned n)
{
	double at = x, top = y;

	for (unsigned i = 0; i < n; i++) {
		double name = pen_width(p, STYLE_BODY, l[i].name);
		double value = *l[i].value ? pen_width(p, STYLE_BODY, l[i].value) + 6 : 0;
		double need = 18 + name + value;

		if (at > x && at + need > x + w) {
			at = x;
			y += 20;
		}
		if (l[i].hatched)
			pen_hatch(p, at, y + 3, 12, 12);
		else
			pen_fill(p, at, y + 3, 12, 12, l[i].colour);
		pen_frame(p, at, y + 3, 12, 12, l[i].chosen ? p->pal->focus : p->pal->border);
		if (l[i].chosen)
			pen_line(p, at, y + 19, at + need, y + 19, p->pal->focus);
		if (l[i].toggle)
			pen_hit(p, HIT_LEGEND, l[i].id, at, y, need, 20);
		pen_text(p, STYLE_BODY, ALIGN_LEFT, at + 18, y, 0, p->pal->text, l[i].name);
		if (value > 0)
			pen_text(p, STYLE_BODY, ALIGN_LEFT, at + 24 + name, y, 0, p->pal->dim,
				 l[i].value);
		at += need + 18;
	}
	return y + 22 - top;
}

void table_layout(struct column *c, unsigned n, double x, double w)
{
	double weights = 0, rest = w;

	for (unsigned i = 0; i < n; i++) {
		weights += c[i].weight;
		rest -= c[i].width;
	}
	// too narrow for all: each gives up its share
	for (unsigned i = 0; rest < 0 && i < n; i++)
		c[i].width = floor(c[i].width * w / (w - rest));
	for (unsigned i = 0; i < n; i++) {
		if (weights > 0 && rest > 0)
			c[i].width += floor(rest * c[i].weight / weights);
		c[i].x = x;
		x += c[i].width;
	}
}

static void cell_at(struct pen *p, const struct column *c, double y, enum text_style st,
		    struct rgb colour, const char *s)
{
	double x = c->x + 6;

	if (c->width < 8)
		return;
	if (c->align == ALIGN_RIGHT)
		x = c->x + c->width - 6;
	else if (c->align == ALIGN_CENTER)
		x = c->x + c->width / 2;
	pen_text(p, st, c->align, x, y, c->width - 8, colour, s);
}

void table_header(struct pen *p, const struct column *c, unsigned n, double x, double y, double w)
{
	for (unsigned i = 0; i < n; i++)
		cell_at(p, &c[i], y + 4, STYLE_SMALL, p->pal->dim,
			*c[i].title ? gettext(c[i].title) : "");
	pen_line(p, x, y + ROW - 1, x + w, y + ROW - 1, p->pal->border);
}

void table_cell(struct pen *p, const struct column *c, double y, enum text_style st,
		struct rgb colour, const char *s)
{
	cell_at(p, c, y + (st == STYLE_SMALL ? 5 : 3), st, colour, s);
}

void table_stripe(struct pen *p, double x, double y, double w, unsigned row)
{
	if (row % 2 == 0)
		return;
	pen_alpha(p, p->pal->dim, 0.07);
	cairo_rectangle(p->cr, x, y, w, ROW);
	cairo_fill(p->cr);
}

double pen_pane_begin(struct pen *p, unsigned pane, double x, double y, double w, double h)
{
	cairo_save(p->cr);
	cairo_rectangle(p->cr, x, y, w, h);
	cairo_clip(p->cr);
	if (p->out) {
		p->out->pane[pane] = (struct pane){x, y, w, h, 0};
		if (p->out->npanes <= pane)
			p->out->npanes = pane + 1;
	}
	return y - p->vp->scroll[pane];
}

// A thin bar at the right edge says that there is more.
void pen_pane_end(struct pen *p, unsigned pane, double content)
{
	double x, y, w, h, scroll = p->vp->scroll[pane];

	cairo_clip_extents(p->cr, &x, &y, &w, &h);
	w -= x;
	h -= y;
	if (p->out)
		p->out->pane[pane].content = content;
	if (content > h + 1) {
		double bar = h * h / content < 24 ? 24 : h * h / content;

		pen_alpha(p, p->pal->dim, 0.5);
		cairo_rectangle(p->cr, x + w - 5, y + (h - bar) * scroll / (content - h), 4, bar);
		cairo_fill(p->cr);
	}
	cairo_restore(p->cr);
}

struct hit *pen_hit(struct pen *p, enum hit_kind kind, uint64_t id, double x, double y, double w,
		    double h)
{
	struct hit *hit;

	if (!p->out || p->out->nhits == MAX_HITS)
		return NULL;
	hit = &p->out->hit[p->out->nhits++];
	*hit = (struct hit){kind, x, y, w, h, id, 0, 0, 0, 0, 0};
	return hit;
}
