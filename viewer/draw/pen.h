// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// What the drawing functions share: text, bars, tables, legends, on one cairo context.
#pragma once

#include <pango/pangocairo.h>

#include "../format.h"
#include "../text.h"
#include "draw.h"

enum text_style {
	STYLE_BODY,
	STYLE_SMALL,
	STYLE_BOLD,
	STYLE_HEADING,
	STYLE_TITLE,
	STYLE_MONO,
	STYLES
};
enum text_align {
	ALIGN_LEFT,
	ALIGN_RIGHT,
	ALIGN_CENTER
};

enum {
	MARGIN = 20,
	ROW = 24,
	LINE = 18,
	TIGHT = 720, // below this width texts are shortened and columns left out
	PEN_TOP = 14,
	PEN_BELOW_TITLE = PEN_TOP + 34,
};

struct pen {
	cairo_t *cr;
	const struct view_model *v;
	const struct viewport *vp;
	const struct palette *pal;
	struct draw_result *out;
	PangoLayout *layout;
	PangoFontDescription *font[STYLES];
};

// Paints nothing yet.
void pen_open(struct pen *p, cairo_t *cr, const struct view_model *v, const struct viewport *vp,
	      const struct palette *pal);
// Opened; fills the background, draws title and position; *y is where the content starts.
void pen_begin(struct pen *p, cairo_t *cr, const struct view_model *v, const struct viewport *vp,
	       const struct palette *pal, const char *title, double *y);
void pen_end(struct pen *p);

struct rgb pen_mix(struct rgb a, struct rgb b, double part); // part 0: a, 1: b
uint32_t pen_argb(struct rgb c);
void pen_colour(struct pen *p, struct rgb c);
void pen_alpha(struct pen *p, struct rgb c, double alpha);
void pen_fill(struct pen *p, double x, double y, double w, double h, struct rgb c);
void pen_frame(struct pen *p, double x, double y, double w, double h, struct rgb c);
void pen_card(struct pen *p, double x, double y, double w, double h);
void pen_hatch(struct pen *p, double x, double y, double w, double h);
void pen_line(struct pen *p, double x0, double y0, double x1, double y1, struct rgb c);

// x is the left edge, right edge or centre by align; y the top of the line. Ellipsized when wider
// than max (0: never). Width drawn.
double pen_text(struct pen *p, enum text_style st, enum text_align al, double x, double y,
		double max, struct rgb c, const char *s);
double pen_textf(struct pen *p, enum text_style st, enum text_align al, double x, double y,
		 double max, struct rgb c, const char *fmt, ...)
	__attribute__((format(printf, 8, 9)));
// Wrapped to w; the height it took.
double pen_paragraph(struct pen *p, enum text_style st, double x, double y, double w, struct rgb c,
		     const char *s);
double pen_width(struct pen *p, enum text_style st, const char *s);

// A centred sentence for views with nothing to show.
void pen_empty(struct pen *p, double y, const char *title, const char *why);

// Legend entries flow from left to right and wrap; pen_legend returns the height used.
struct legend {
	struct rgb colour;
	const char *name;
	char value[64]; // "" none
	bool hatched;
	bool toggle, chosen; // HIT_LEGEND `id`; drawn as chosen
	uint64_t id;
};
double pen_legend(struct pen *p, double x, double y, double w, const struct legend *l, unsigned n);

// Tables: columns have a weight (share of what is left) or a fixed width.
struct column {
	const char *title;
	double width;  // pixels
	double weight; // > 0: takes a share of the rest
	enum text_align align;
	double x; // left edge, set by table_layout
};
void table_layout(struct column *c, unsigned n, double x, double w);
void table_header(struct pen *p, const struct column *c, unsigned n, double x, double y, double w);
void table_cell(struct pen *p, const struct column *c, double y, enum text_style st,
		struct rgb colour, const char *s);
void table_stripe(struct pen *p, double x, double y, double w, unsigned row);

// A scrolling pane: clips to it, and content y = pane y - scroll.
double pen_pane_begin(struct pen *p, unsigned pane, double x, double y, double w, double h);
void pen_pane_end(struct pen *p, unsigned pane, double content);

struct hit *pen_hit(struct pen *p, enum hit_kind kind, uint64_t id, double x, double y, double w,
		    double h);
