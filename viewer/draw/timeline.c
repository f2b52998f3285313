// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The timeline and scrubber: a lane per figure over the events, each on its own scale.
//
// A zone of 900 MiB and the few MiB a program uses do not fit one axis, so every lane spans from its
// own smallest to its largest value, written beside it; one lane has all zones on one scale. A bucket
// is drawn from its minimum to its maximum: nothing that happened inside it is lost.
#include <math.h>
#include <stdio.h>

#include "timeline.h"

enum {
	LABEL = 150,
	AXIS = 20,
	LANE_ALL = TL_ITEMS, // the zones on top of each other
	LANES,
	SEEN = 8 // a small picture has that lane when this part of the frames is used
};

static const char *const lane_name[LANES] = {"DMA",	    "Normal",	"HighMem",
					     N_("program"), N_("host"), N_("all zones")};
static const int lane_order[LANES] = {TL_PROGRAM_BYTES, LANE_ALL,    TL_NORMAL_USED,
				      TL_HIGHMEM_USED,	TL_DMA_USED, TL_HOST_BYTES};

static struct plot plot_of(const struct view_model *v, const struct viewport *vp)
{
	struct plot pl = {LABEL + MARGIN, vp->width - LABEL - 2 * MARGIN, vp->from, vp->to};

	if (!pl.to) {
		pl.from = v->first_event;
		pl.to = v->last_event;
	}
	if (pl.to <= pl.from)
		pl.to = pl.from + 1;
	return pl;
}

double timeline_x(const struct plot *pl, uint64_t event)
{
	return pl->x + pl->w * ((double)event - (double)pl->from) / (double)(pl->to - pl->from);
}

uint64_t timeline_event_at(const struct view_model *v, const struct viewport *vp, double x)
{
	struct plot pl = plot_of(v, vp);
	double part = (x - pl.x) / pl.w;

	part = part < 0 ? 0 : part > 1 ? 1 : part;
	return pl.from + (uint64_t)llround(part * (double)(pl.to - pl.from));
}

static uint64_t value_of(const struct timeline_bucket *b, int lane, bool smallest)
{
	return lane == LANE_ALL ? timeline_used(b, smallest)
	       : smallest	? b->min[lane]
				: b->max[lane];
}

static void range_of(const struct view_model *v, int lane, uint64_t *min, uint64_t *max)
{
	*min = UINT64_MAX;
	*max = 0;
	for (unsigned i = 0; i < v->nbuckets; i++) {
		uint64_t least = value_of(&v->bucket[i], lane, true);
		uint64_t most = value_of(&v->bucket[i], lane, false);

		*min = least < *min ? least : *min;
		*max = most > *max ? most : *max;
	}
}

static struct rgb lane_colour(const struct palette *pal, enum timeline_item item)
{
	switch (item) {
	case TL_PROGRAM_BYTES:
		return pal->page[PS_PAGES];
	case TL_HOST_BYTES:
		return pal->page[PS_RESERVED];
	default:
		return pal->zone[item - TL_DMA_USED];
	}
}

double timeline_y(uint64_t value, uint64_t min, uint64_t max, double y, double h)
{
	return y + h - (max > min ? (double)(value - min) / (double)(max - min) : 0) * h;
}

// One path for all buckets: filling each by itself took most of a frame.
static void add_buckets(struct pen *p, const struct plot *pl, enum timeline_item item, uint64_t min,
			uint64_t max, double y, double h, bool lines)
{
	const struct view_model *v = p->v;

	for (unsigned i = 0; i < v->nbuckets; i++) {
		const struct timeline_bucket *b = &v->bucket[i];
		double x = timeline_x(pl, b->first_event),
		       top = timeline_y(b->max[item], min, max, y, h);
		double w = fmax(1, timeline_x(pl, b->last_event + 1) - x);

		if (lines)
			cairo_rectangle(p->cr, x, top - 0.75, w, 1.5);
		else
			cairo_rectangle(p->cr, x, top, w,
					timeline_y(b->min[item], min, max, y, h) - top);
	}
}

// A filled area under the maxima, and the band between minimum and maximum darker above it.
static void lane_shape(struct pen *p, const struct plot *pl, enum timeline_item item, uint64_t min,
		       uint64_t max, double y, double h)
{
	const struct view_model *v = p->v;
	struct rgb colour = lane_colour(p->pal, item);

	cairo_move_to(p->cr, timeline_x(pl, v->bucket[0].first_event), y + h);
	for (unsigned i = 0; i < v->nbuckets; i++) {
		const struct timeline_bucket *b = &v->bucket[i];
		double top = timeline_y(b->max[item], min, max, y, h);

		cairo_line_to(p->cr, timeline_x(pl, b->first_event), top);
		cairo_line_to(p->cr, timeline_x(pl, b->last_event + 1), top);
	}
	cairo_line_to(p->cr, timeline_x(pl, v->bucket[v->nbuckets - 1].last_event + 1), y + h);
	pen_alpha(p, colour, 0.3);
	cairo_fill(p->cr);
	add_buckets(p, pl, item, min, max, y, h, false);
	pen_alpha(p, colour, 0.4);
	cairo_fill(p->cr);
	add_buckets(p, pl, item, min, max, y, h, true);
	pen_colour(p, colour);
	cairo_fill(p->cr);
}

// The peak is what people look for first: it says itself where it is.
static void mark_peak(struct pen *p, const struct plot *pl, enum timeline_item item, uint64_t max,
		      double y)
{
	const struct timeline_bucket *b = p->v->bucket;
	struct text64 t;
	char text[64];
	double x, w;

	while (b->max[item] != max)
		b++;
	x = (timeline_x(pl, b->first_event) + timeline_x(pl, b->last_event + 1)) / 2;
	if (x < pl->x || x > pl->x + pl->w || !max)
		return;
	pen_colour(p, lane_colour(p->pal, item));
	cairo_arc(p->cr, x, y + 1, 3, 0, 2 * M_PI);
	cairo_fill(p->cr);
	t = item <= TL_HIGHMEM_USED ? fmt_bytes(max << 12) : fmt_bytes(max);
	snprintf(text, sizeof(text), "peak %.48s", t.s);
	w = pen_width(p, STYLE_SMALL, text);
	x += x > pl->x + pl->w - w - 12 ? -w - 8 : 8;
	pen_alpha(p, p->pal->background, 0.75);
	cairo_rectangle(p->cr, x - 2, y - 3, w + 4, 13);
	cairo_fill(p->cr);
	pen_text(p, STYLE_SMALL, ALIGN_LEFT, x, y - 4, 0, p->pal->text, text);
}

static const char *lane_value(int lane, uint64_t value, struct text64 *t)
{
	*t = lane == TL_PROGRAM_BYTES || lane == TL_HOST_BYTES ? fmt_bytes(value)
							       : fmt_bytes(value << 12);
	return t->s;
}

static const struct timeline_bucket *bucket_at(const struct view_model *v, uint64_t event)
{
	for (unsigned i = 0; i < v->nbuckets; i++)
		if (event <= v->bucket[i].last_event)
			return &v->bucket[i];
	return v->nbuckets ? &v->bucket[v->nbuckets - 1] : NULL;
}

static bool tall(double h)
{
	return h >= 34;
}

static void lane_label(struct pen *p, int lane, uint64_t min, uint64_t max, double y, double h)
{
	const struct model_zone *z = timeline_zone(p->v, (enum timeline_item)lane);
	struct text64 lo, hi;

	pen_text(p, tall(h) ? STYLE_BOLD : STYLE_SMALL, ALIGN_LEFT, MARGIN,
		 y + (tall(h) ? 0 : h / 2 - 8), LABEL - 70, p->pal->text, gettext(lane_name[lane]));
	if (tall(h) && max > min)
		pen_textf(p, STYLE_SMALL, ALIGN_LEFT, MARGIN, y + 18, LABEL, p->pal->dim, "%s – %s",
			  lane_value(lane, min, &lo), lane_value(lane, max, &hi));
	else if (tall(h))
		pen_text(p, STYLE_SMALL, ALIGN_LEFT, MARGIN, y + 18, LABEL, p->pal->dim,
			 _("does not change"));
	if (h < 50 || (!z && lane != LANE_ALL))
		return;
	if (z)
		pen_textf(p, STYLE_SMALL, ALIGN_LEFT, MARGIN, y + 32, LABEL, p->pal->dim,
			  _("low watermark at %s"),
			  fmt_bytes(timeline_watermark(z, WMARK_LOW) << 12).s);
	else
		pen_textf(p, STYLE_SMALL, ALIGN_LEFT, MARGIN, y + 32, LABEL, p->pal->dim,
			  _("of %s; line: free"), fmt_bytes(timeline_frames(p->v) << 12).s);
}

// What never changes is a line at the foot: there is nothing to compare it with.
static void draw_lane(struct pen *p, const struct plot *pl, int lane, double y, double h)
{
	const struct model_zone *z = timeline_zone(p->v, (enum timeline_item)lane);
	uint64_t min, max, top;

	range_of(p->v, lane, &min, &max);
	top = max;
	if (z && max > min)
		timeline_reach(z, min, &top);
	cairo_save(p->cr);
	cairo_rectangle(p->cr, pl->x, y, pl->w, h);
	cairo_clip(p->cr);
	if (lane == LANE_ALL)
		timeline_stack(p, pl, y + 4, h - 6);
	else
		lane_shape(p, pl, (enum timeline_item)lane, min, top, y + 4, h - 6);
	if (z)
		timeline_watermark_lines(p, pl, z, min, top, y + 4, h - 6);
	cairo_restore(p->cr);
	if (lane == TL_PROGRAM_BYTES)
		mark_peak(p, pl, TL_PROGRAM_BYTES, max, y + 4);
	pen_line(p, pl->x, y + h, pl->x + pl->w, y + h, p->pal->border);
	lane_label(p, lane, min, max, y, h);
}

// In a low picture those that change, and all zones together where they can be seen at all.
static unsigned lanes_shown(const struct view_model *v, double h, int *shown)
{
	unsigned n = 0, most = h > 250 ? LANES : 4;

	for (unsigned i = 0; i < LANES && n < most; i++) {
		uint64_t min, max;

		range_of(v, lane_order[i], &min, &max);
		if (lane_order[i] == LANE_ALL ? most == LANES || max > timeline_frames(v) / SEEN
					      : max > min || lane_order[i] == TL_PROGRAM_BYTES ||
							lane_order[i] == TL_NORMAL_USED)
			shown[n++] = lane_order[i];
	}
	return n;
}

// Steps of 1, 2 or 5 times a power of ten, about one label in 140 pixels.
static uint64_t tick_step(uint64_t span, double w)
{
	static const unsigned mult[] = {1, 2, 5};
	uint64_t ten = 1;

	for (;; ten *= 10)
		for (unsigned i = 0; i < 3; i++)
			if ((double)span / (double)(ten * mult[i]) * 140 <= w ||
			    ten > UINT64_MAX / 100)
				return ten * mult[i];
}

static void axis(struct pen *p, const struct plot *pl, double y)
{
	uint64_t step = tick_step(pl->to - pl->from, pl->w);

	for (uint64_t e = (pl->from + step - 1) / step * step; e <= pl->to; e += step) {
		const struct timeline_bucket *b = bucket_at(p->v, e);
		double x = timeline_x(pl, e);

		char text[96];

		pen_line(p, x, y, x, y + 4, p->pal->dim);
		snprintf(text, sizeof(text), "%.32s · %.32s", fmt_count(e).s,
			 b ? fmt_time(b->t_ns).s : "");
		if (x + 3 + pen_width(p, STYLE_SMALL, text) > pl->x + pl->w)
			break;
		pen_text(p, STYLE_SMALL, ALIGN_LEFT, x + 3, y + 2, 0, p->pal->dim, text);
	}
}

// A line with a cross at its foot.
static void failures(struct pen *p, const struct plot *pl, double y, double h)
{
	for (unsigned i = 0; i < p->v->nbuckets; i++) {
		double x = timeline_x(pl, p->v->bucket[i].first_event);

		if (!p->v->bucket[i].failures || x < pl->x || x > pl->x + pl->w)
			continue;
		pen_alpha(p, p->pal->bad, 0.6);
		cairo_rectangle(p->cr, x, y, 2, h);
		cairo_fill(p->cr);
		pen_colour(p, p->pal->bad);
		cairo_set_line_width(p->cr, 2);
		cairo_move_to(p->cr, x - 3, y + h - 8);
		cairo_line_to(p->cr, x + 5, y + h);
		cairo_move_to(p->cr, x + 5, y + h - 8);
		cairo_line_to(p->cr, x - 3, y + h);
		cairo_stroke(p->cr);
	}
}

static void handle(struct pen *p, const struct plot *pl, double y, double h)
{
	double x = timeline_x(pl, p->vp->position ? p->vp->position : p->v->event);

	if (x < pl->x - 1 || x > pl->x + pl->w + 1)
		return;
	pen_colour(p, p->pal->focus);
	cairo_set_line_width(p->cr, 2);
	cairo_move_to(p->cr, x, y);
	cairo_line_to(p->cr, x, y + h);
	cairo_stroke(p->cr);
	cairo_move_to(p->cr, x - 6, y - 1);
	cairo_line_to(p->cr, x + 6, y - 1);
	cairo_line_to(p->cr, x, y + 7);
	cairo_close_path(p->cr);
	cairo_fill(p->cr);
}

// The events picked out, lighter than what is around them.
static void brush(struct pen *p, const struct plot *pl, double y, double h)
{
	double from, to;

	if (!p->vp->brush_to)
		return;
	from = fmax(pl->x, timeline_x(pl, p->vp->brush_from));
	to = fmin(pl->x + pl->w, timeline_x(pl, p->vp->brush_to));
	if (to < from)
		return;
	pen_alpha(p, p->pal->accent, 0.15);
	cairo_rectangle(p->cr, from, y, fmax(1, to - from), h);
	cairo_fill(p->cr);
	pen_line(p, from, y, from, y + h, p->pal->accent);
	pen_line(p, to, y, to, y + h, p->pal->accent);
}

// A small flag at the foot of each bookmark.
static void bookmarks(struct pen *p, const struct plot *pl, double y, double h)
{
	for (unsigned i = 0; i < p->vp->nmarks; i++) {
		double x = timeline_x(pl, p->vp->marks[i]);

		if (x < pl->x || x > pl->x + pl->w)
			continue;
		pen_line(p, x, y, x, y + h, p->pal->accent);
		pen_colour(p, p->pal->accent);
		cairo_move_to(p->cr, x, y + h - 14);
		cairo_line_to(p->cr, x + 9, y + h - 10);
		cairo_line_to(p->cr, x, y + h - 6);
		cairo_close_path(p->cr);
		cairo_fill(p->cr);
	}
}

// The program's own marks: a line with its words at the top, as far as there is room.
static void marks(struct pen *p, const struct plot *pl, double y, double h)
{
	double free_from = 0;

	for (unsigned i = 0; i < p->v->nmarks; i++) {
		const struct mark_row *m = &p->v->mark[i];
		double x = timeline_x(pl, m->event), w;

		if (x < pl->x || x > pl->x + pl->w)
			continue;
		pen_line(p, x, y, x, y + h, p->pal->text);
		pen_hit(p, HIT_MARK, i, x - 3, y, 7, h);
		w = pen_width(p, STYLE_SMALL, m->text);
		if (x < free_from || x + w + 6 > pl->x + pl->w)
			continue;
		pen_alpha(p, p->pal->background, 0.75);
		cairo_rectangle(p->cr, x + 2, y + h - 14, w + 4, 13);
		cairo_fill(p->cr);
		pen_text(p, STYLE_SMALL, ALIGN_LEFT, x + 4, y + h - 15, 0, p->pal->text, m->text);
		free_from = x + w + 10;
	}
}

// Where the lanes of a picture lie.
struct lanes {
	struct plot pl;
	int shown[LANES]; // enum timeline_item or LANE_ALL
	unsigned n;
	double y, h, lane; // top, height of all and of one
};

static struct lanes lanes_of(const struct view_model *v, const struct viewport *vp, double y)
{
	struct lanes l = {.pl = plot_of(v, vp), .y = vp->bare ? 6 : y};

	l.h = vp->height - l.y - AXIS - 2;
	l.n = lanes_shown(v, l.h, l.shown);
	l.lane = l.n ? l.h / l.n : l.h;
	return l;
}

void draw_timeline_ground(cairo_t *cr, const struct view_model *v, const struct viewport *vp,
			  const struct palette *pal)
{
	struct lanes l;
	struct pen p;
	double y;

	pen_begin(&p, cr, v, vp, pal, _("Timeline"), &y);
	l = lanes_of(v, vp, y);
	if (!v->nbuckets) {
		pen_empty(&p, l.y, _("No timeline"),
			  _("The recording holds no samples of this process."));
		pen_end(&p);
		return;
	}
	for (unsigned i = 0; i < l.n; i++)
		draw_lane(&p, &l.pl, l.shown[i], l.y + i * l.lane, floor(l.lane));
	pen_hit(&p, HIT_TIMELINE, 0, l.pl.x, 0, l.pl.w, vp->height);
	failures(&p, &l.pl, l.y, l.h);
	brush(&p, &l.pl, l.y, l.h);
	marks(&p, &l.pl, l.y, l.h);
	bookmarks(&p, &l.pl, l.y, l.h);
	axis(&p, &l.pl, l.y + l.h);
	pen_end(&p);
}

static void draw_value(struct pen *p, const struct lanes *l, unsigned i)
{
	const struct timeline_bucket *b =
		bucket_at(p->v, p->vp->position ? p->vp->position : p->v->event);
	double y = l->y + i * l->lane, h = floor(l->lane);
	struct text64 now;

	pen_text(p, STYLE_SMALL, ALIGN_RIGHT, l->pl.x - 8, tall(h) ? y + 1 : y + h / 2 - 8, 0,
		 p->pal->text, lane_value(l->shown[i], value_of(b, l->shown[i], false), &now));
}

void draw_timeline_now(cairo_t *cr, const struct view_model *v, const struct viewport *vp,
		       const struct palette *pal)
{
	struct lanes l;
	struct pen p;

	if (!v->nbuckets)
		return;
	pen_open(&p, cr, v, vp, pal);
	l = lanes_of(v, vp, PEN_BELOW_TITLE);
	for (unsigned i = 0; i < l.n; i++)
		draw_value(&p, &l, i);
	handle(&p, &l.pl, l.y, l.h);
	pen_end(&p);
}

void draw_timeline(cairo_t *cr, const struct view_model *v, const struct viewport *vp,
		   const struct palette *pal)
{
	draw_timeline_ground(cr, v, vp, pal);
	draw_timeline_now(cr, v, vp, pal);
}
