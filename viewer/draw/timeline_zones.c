// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "timeline.h"

#include <math.h>
#include <string.h>

enum {
	ZONES = TL_HIGHMEM_USED - TL_DMA_USED + 1
};

const struct model_zone *timeline_zone(const struct view_model *v, enum timeline_item item)
{
	for (unsigned i = 0; item <= TL_HIGHMEM_USED && i < v->nzones; i++)
		if (!strcmp(v->zone[i].name, zone_names[item - TL_DMA_USED]))
			return &v->zone[i];
	return NULL;
}

uint64_t timeline_watermark(const struct model_zone *z, unsigned which)
{
	uint64_t frames = z->end - z->start;

	return z->watermark[which] < frames ? frames - z->watermark[which] : 0;
}

void timeline_reach(const struct model_zone *z, uint64_t min, uint64_t *max)
{
	uint64_t limit = *max + (*max - min);

	for (unsigned i = NR_WMARK; i-- > 0;) {
		uint64_t mark = timeline_watermark(z, i);

		if (mark > *max && mark <= limit)
			*max = mark;
	}
}

void timeline_watermark_lines(struct pen *p, const struct plot *pl, const struct model_zone *z,
			      uint64_t min, uint64_t max, double y, double h)
{
	static const char *const name[NR_WMARK] = {N_("min"), N_("low"), N_("high")};
	static const double dashes[] = {4, 3};
	double free_from = pl->x;

	cairo_save(p->cr);
	cairo_set_dash(p->cr, dashes, 2, 0);
	for (unsigned i = 0; i < NR_WMARK; i++) {
		uint64_t mark = timeline_watermark(z, i);
		double at = timeline_y(mark, min, max, y, h);

		if (mark <= min || mark > max)
			continue;
		pen_line(p, pl->x, at, pl->x + pl->w, at, p->pal->warn);
		// side by side: the lines may be a pixel apart
		free_from += 4 + pen_text(p, STYLE_SMALL, ALIGN_LEFT, free_from + 4, at, 0,
					  p->pal->dim, gettext(name[i]));
	}
	cairo_restore(p->cr);
}

uint64_t timeline_frames(const struct view_model *v)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < v->nzones; i++)
		n += v->zone[i].end - v->zone[i].start;
	return n;
}

uint64_t timeline_used(const struct timeline_bucket *b, bool smallest)
{
	uint64_t n = 0;

	for (unsigned i = TL_DMA_USED; i <= TL_HIGHMEM_USED; i++)
		n += smallest ? b->min[i] : b->max[i];
	return n;
}

// Pages used in the zones up to one, at most.
static uint64_t used_up_to(const struct timeline_bucket *b, unsigned zone)
{
	uint64_t n = 0;

	for (unsigned i = 0; i <= zone; i++)
		n += b->max[TL_DMA_USED + i];
	return n;
}

void timeline_stack(struct pen *p, const struct plot *pl, double y, double h)
{
	const struct view_model *v = p->v;
	uint64_t all = timeline_frames(v);

	// from the top of the stack down: each zone covers what lies above the ones below it
	for (unsigned zone = ZONES; zone-- > 0;) {
		cairo_move_to(p->cr, timeline_x(pl, v->bucket[0].first_event), y + h);
		for (unsigned i = 0; i < v->nbuckets; i++) {
			const struct timeline_bucket *b = &v->bucket[i];
			double top = timeline_y(used_up_to(b, zone), 0, all, y, h);

			cairo_line_to(p->cr, timeline_x(pl, b->first_event), top);
			cairo_line_to(p->cr, timeline_x(pl, b->last_event + 1), top);
		}
		cairo_line_to(p->cr, timeline_x(pl, v->bucket[v->nbuckets - 1].last_event + 1),
			      y + h);
		pen_colour(p, p->pal->zone[zone]);
		cairo_fill(p->cr);
	}
	pen_colour(p, p->pal->text);
	for (unsigned i = 0; i < v->nbuckets; i++) {
		const struct timeline_bucket *b = &v->bucket[i];
		uint64_t used = timeline_used(b, false);
		double x = timeline_x(pl, b->first_event);

		cairo_rectangle(p->cr, x,
				timeline_y(used < all ? all - used : 0, 0, all, y, h) - 0.75,
				fmax(1, timeline_x(pl, b->last_event + 1) - x), 1.5);
	}
	cairo_fill(p->cr);
}
