// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Zones and buddy: what each zone's frames are used for, where its free pages stand against the
// watermarks, and the free lists of every order.
#include <math.h>
#include <stdio.h>

#include "../../core/event.h"
#include "free_list.h"

enum {
	BAR = 14,
	CARD_PAD = 14,
	LIST_ROW = 19,
	TABLE_AT = 102,
};

static void usage_bar(struct pen *p, const struct model_zone *z, double x, double y, double w)
{
	uint32_t spanned = z->end - z->start, holes = z->state[PS_HOLE];
	double at = x, scale = w / (double)(spanned - holes ? spanned - holes : 1);

	for (unsigned s = PAGE_STATES - 1; s > PS_FREE; s--) {
		double len = z->state[s] * scale;

		if (len > 0 && len < 1)
			len = 1;
		pen_fill(p, at, y, len, BAR, p->pal->page[s]);
		at += len;
	}
	if (at < x + w)
		pen_fill(p, at, y, x + w - at, BAR, p->pal->page[PS_FREE]);
	pen_frame(p, x, y, w, BAR, p->pal->border);
}

static void mark(struct pen *p, double x, double y)
{
	pen_fill(p, floor(x), y - 3, 2, BAR + 6, p->pal->text);
}

static uint32_t largest_reserve(const struct model_zone *z)
{
	uint32_t reserve = 0;

	for (unsigned i = 0; i < MAX_NR_ZONES; i++)
		if (z->reserve[i] > reserve)
			reserve = z->reserve[i];
	return reserve;
}

static void watermark_labels(struct pen *p, const struct model_zone *z, double x, double y,
			     double w, double scale, bool beyond)
{
	uint32_t reserve = largest_reserve(z), low = z->watermark[WMARK_LOW];

	pen_textf(p, STYLE_SMALL, ALIGN_LEFT, x, y, 0, p->pal->text,
		  _("watermarks: min %s · low %s · high %s"), fmt_count(z->watermark[WMARK_MIN]).s,
		  fmt_count(low).s, fmt_count(z->watermark[WMARK_HIGH]).s);
	// the three labels share a line, so that in a narrow window they say less
	if (reserve)
		pen_textf(p, STYLE_SMALL, ALIGN_RIGHT, x + (low + reserve) * scale, y, 0,
			  p->pal->text,
			  w > 800 ? "low + largest lowmem_reserve %s" : "low + reserve %s",
			  fmt_count(low + reserve).s);
	pen_textf(p, STYLE_SMALL, ALIGN_RIGHT, x + w, y, 0,
		  z->free < low ? p->pal->bad : p->pal->dim, "%s %s", fmt_count(z->free).s,
		  !beyond   ? "pages free"
		  : w > 800 ? "pages free, beyond this scale"
			    : "free, beyond");
}

// The watermarks are small against the zone, so they have a scale of their own; beyond its end the
// bar only says that there is more.
static void watermark_bar(struct pen *p, const struct model_zone *z, double x, double y, double w)
{
	uint32_t reserve = largest_reserve(z), top = z->watermark[WMARK_HIGH] + reserve;
	double scale;

	top = top ? top + top / 3 : 1;
	scale = w / top;
	pen_fill(p, x, y, w, BAR, p->pal->background);
	pen_fill(p, x, y, z->free > top ? w : z->free * scale, BAR, p->pal->zone[z - p->v->zone]);
	pen_frame(p, x, y, w, BAR, p->pal->border);
	for (unsigned i = 0; i < NR_WMARK; i++)
		mark(p, x + z->watermark[i] * scale, y);
	if (reserve)
		mark(p, x + (z->watermark[WMARK_LOW] + reserve) * scale, y);
	watermark_labels(p, z, x, y + BAR + 3, w, scale, z->free > top);
}

static void order_cell(struct pen *p, const struct column *c, double y, uint32_t blocks,
		       double share, struct rgb colour)
{
	double w = (c->width - 12) * share;

	if (!blocks) {
		table_cell(p, c, y, STYLE_BODY, p->pal->dim, "–");
		return;
	}
	pen_alpha(p, colour, 0.3);
	cairo_rectangle(p->cr, c->x + c->width - 4 - w, y + 3, w, LIST_ROW - 3);
	cairo_fill(p->cr);
	table_cell(p, c, y, STYLE_BODY, p->pal->text, fmt_count(blocks).s);
}

static uint32_t most_pages(const struct model_zone *z)
{
	uint32_t most = 1;

	for (unsigned o = 0; o < MAX_ORDER; o++)
		for (unsigned mt = 0; mt < MIGRATE_TYPES; mt++)
			if (z->blocks[o][mt] << o > most)
				most = z->blocks[o][mt] << o;
	return most;
}

// Isolate is only used while memory is taken offline: a row of dashes otherwise.
static unsigned types_shown(const struct view_model *v)
{
	for (unsigned z = 0; z < v->nzones; z++)
		for (unsigned o = 0; o < MAX_ORDER; o++)
			if (v->zone[z].blocks[o][MIGRATE_ISOLATE])
				return MIGRATE_TYPES;
	return MIGRATE_ISOLATE;
}

static double card_height(const struct view_model *v)
{
	return TABLE_AT + ROW + LIST_ROW * (types_shown(v) + 1) + 12;
}

// Bars are in pages on a root scale, so that a lone order 0 block beside 900 MiB is still seen.
static void free_area_table(struct pen *p, unsigned zone, double x, double y, double w)
{
	const struct model_zone *z = &p->v->zone[zone];
	static const char *const title[MAX_ORDER] = {"0", "1", "2", "3", "4", "5",
						     "6", "7", "8", "9", "10"};
	struct column c[MAX_ORDER + 1] = {{"free_area · order", 130, 0, ALIGN_LEFT, 0}};
	uint32_t most = most_pages(z);

	for (unsigned o = 0; o < MAX_ORDER; o++)
		c[o + 1] = (struct column){title[o], 0, 1, ALIGN_RIGHT, 0};
	table_layout(c, MAX_ORDER + 1, x, w);
	table_header(p, c, MAX_ORDER + 1, x, y, w);
	y += ROW - LIST_ROW;
	for (unsigned mt = 0; mt < types_shown(p->v); mt++) {
		y += LIST_ROW;
		pen_fill(p, x, y + 5, 4, 12, p->pal->migrate[mt]);
		table_cell(p, &c[0], y, STYLE_BODY, p->pal->text, migratetype_name(mt));
		for (unsigned o = 0; o < MAX_ORDER; o++) {
			uint32_t n = z->blocks[o][mt];

			order_cell(p, &c[o + 1], y, n, sqrt((double)(n << o) / most),
				   p->pal->migrate[mt]);
			pen_hit(p, HIT_FREE_AREA, zone << 16 | o << 8 | mt, c[o + 1].x, y,
				c[o + 1].width, LIST_ROW);
		}
	}
	y += LIST_ROW;
	pen_line(p, x, y + 2, x + w, y + 2, p->pal->border);
	table_cell(p, &c[0], y + 2, STYLE_BOLD, p->pal->text, "all blocks");
	for (unsigned o = 0; o < MAX_ORDER; o++)
		table_cell(p, &c[o + 1], y + 2, STYLE_BOLD,
			   z->nr_free[o] ? p->pal->text : p->pal->dim,
			   z->nr_free[o] ? fmt_count(z->nr_free[o]).s : "–");
}

// Share of the free memory that lies in blocks too small for an order 4 request: 0 none, 1 all.
static double unusable(const struct model_zone *z)
{
	uint64_t all = 0, small = 0;

	for (unsigned o = 0; o < MAX_ORDER; o++) {
		all += (uint64_t)z->nr_free[o] << o;
		if (o < 4)
			small += (uint64_t)z->nr_free[o] << o;
	}
	return all ? (double)small / (double)all : 0;
}

static void zone_card(struct pen *p, unsigned i, double y, double w)
{
	const struct model_zone *z = &p->v->zone[i];
	double x = MARGIN + CARD_PAD, inner = w - 2 * CARD_PAD, name;

	pen_card(p, MARGIN, y, w, card_height(p->v));
	pen_hit(p, HIT_ZONE, i, MARGIN, y, w, 74);
	pen_fill(p, x, y + 10, 5, 15, p->pal->zone[i]);
	name = pen_text(p, STYLE_HEADING, ALIGN_LEFT, x + 12, y + 8, 0, p->pal->text, z->name);
	pen_textf(p, STYLE_BODY, ALIGN_LEFT, x + 26 + name, y + 9, inner - name - 26, p->pal->dim,
		  w < TIGHT ? _("%s – %s · free %s (%s)")
			    : _("%s – %s · free %s (%s) · present %s · below order 4: %.1f %%"),
		  fmt_bytes((uint64_t)z->start << 12).s, fmt_bytes((uint64_t)z->end << 12).s,
		  fmt_pages(z->free).s, fmt_share(z->free, z->end - z->start - z->state[PS_HOLE]).s,
		  fmt_pages(z->present).s, 100 * unusable(z));
	usage_bar(p, z, x, y + 34, inner);
	watermark_bar(p, z, x, y + 60, inner);
	free_area_table(p, i, x, y + TABLE_AT - 6, inner);
}

static unsigned usage_legend(const struct palette *pal, struct legend *l)
{
	unsigned n = 0;

	for (unsigned s = PAGE_STATES - 1; s >= PS_FREE; s--)
		l[n++] = (struct legend){.colour = pal->page[s], .name = page_state_name(s)};
	return n;
}

void draw_zones(cairo_t *cr, const struct view_model *v, const struct viewport *vp,
		const struct palette *pal)
{
	struct pen p;
	struct legend legend[PAGE_STATES];
	double y, w = vp->width - 2 * MARGIN, at, h, start;

	pen_begin(&p, cr, v, vp, pal, _("Zones and buddy"), &y);
	y += pen_legend(&p, MARGIN, y, w, legend, usage_legend(pal, legend)) + 4;
	h = vp->height - y;
	at = start = pen_pane_begin(&p, 0, 0, y, vp->width, h);
	for (unsigned i = 0; i < v->nzones; i++) {
		zone_card(&p, i, at, w);
		at += card_height(v) + 10;
		if (!v->has_list || v->list >> 16 != i)
			continue;
		free_list_card(&p, MARGIN, at - 4, w, y, y + h);
		at += free_list_height(v, w) + 6;
	}
	pen_pane_end(&p, 0, at - start + 4);
	pen_end(&p);
}
