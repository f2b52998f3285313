// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The memory map: one cell per page frame, zone after zone, row by row.
//
// A zoom step >= 0 gives a frame a square of cell_px[step] pixels; step -k makes one pixel stand
// for 2^k frames that follow each other, shown as the most severe state among them. Rows wrap at
// the width of the window, so the map only ever scrolls downwards. Visible rows become image surfaces,
// painted with nearest sampling: cost follows pixels, not frames.
//
// Most of a large machine is free memory in blocks of 4 MiB. Runs of rows that are wholly free (or
// no RAM) are folded to one labelled line, so that what is in use gets the space.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../core/event.h"
#include "map_cells.h"

static const int cell_px[MAP_ZOOM_MAX + 1] = {1, 2, 3, 4, 6, 8, 12, 16, 24};

enum {
	BAND_HEAD = 26,
	BAND_GAP = 10,
	FOLD = 20,	// height of a folded run
	FOLD_PAYS = 44, // least height worth folding
	FIT_MOST = 5,	// largest zoom step chosen by itself
	MAX_RUNS = 256,
};

struct run { // of rows of one zone
	unsigned row, rows;
	bool folded;
};

struct map_layout {
	int zoom;
	unsigned px;	   // pixels per cell
	unsigned per_cell; // frames per cell
	unsigned columns;
	bool fold;   // runs of rows that are all alike
	bool strict; // alike in order and migrate type, too
};

static struct map_layout layout_for(const struct viewport *vp, int zoom, double width)
{
	struct map_layout l = {.zoom = zoom,
			       .px = 1,
			       .per_cell = 1,
			       .fold = !vp->unfolded,
			       .strict = vp->colour == MAP_BY_ORDER || vp->colour == MAP_BY_TYPE ||
					 vp->focus.kind == FOCUS_FREE_LIST};
	unsigned step;

	if (zoom >= 0)
		l.px = (unsigned)cell_px[zoom];
	else
		l.per_cell = 1u << -zoom;
	l.columns = (unsigned)(width / l.px);
	// round columns give round addresses at the start of a row
	step = l.columns >= 1024 ? 64 : l.columns >= 64 ? 32 : 8;
	l.columns = l.columns > step ? l.columns / step * step : 1;
	return l;
}

static unsigned zone_rows(const struct model_zone *z, const struct map_layout *l)
{
	unsigned cells = (z->end - z->start + l->per_cell - 1) / l->per_cell;

	return (cells + l->columns - 1) / l->columns;
}

// n bytes that are all the first one, compared eight at a time: this is asked for every row.
static bool uniform(const uint8_t *at, size_t n)
{
	uint64_t pattern, word;

	memset(&pattern, *at, sizeof(pattern));
	for (; n >= sizeof(word); n -= sizeof(word), at += sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		if (word != pattern)
			return false;
	}
	return !n || !memcmp(at, &pattern, n);
}

// All frames of the row free, or all no RAM.
static bool plain(const struct view_model *v, const struct map_layout *l, pfn_t at, uint32_t n)
{
	if ((v->state[at] != PS_FREE && v->state[at] != PS_HOLE) || !uniform(v->state + at, n))
		return false;
	if (!l->strict)
		return true;
	for (uint32_t i = 1; i < n; i++)
		if (v->owner[at + i] != v->owner[at])
			return false;
	return uniform(v->type + at, n);
}

static bool alike(const struct view_model *v, const struct map_layout *l, pfn_t a, pfn_t b)
{
	return v->state[a] == v->state[b] &&
	       (!l->strict || (v->owner[a] == v->owner[b] && v->type[a] == v->type[b]));
}

static unsigned plain_rows(const struct view_model *v, const struct model_zone *z,
			   const struct map_layout *l, unsigned row, unsigned rows)
{
	uint64_t frames = (uint64_t)l->columns * l->per_cell;
	pfn_t start = z->start + (pfn_t)(row * frames);
	unsigned first = row;

	for (; row < rows; row++) {
		pfn_t at = z->start + (pfn_t)(row * frames);
		uint32_t n = z->end - at < frames ? z->end - at : (uint32_t)frames;

		if (!alike(v, l, start, at) || !plain(v, l, at, n))
			break;
	}
	return row - first;
}

// Cuts a zone's rows into runs; the last one is plain rows if there are too many.
static unsigned zone_runs(const struct view_model *v, const struct model_zone *z,
			  const struct map_layout *l, struct run *run)
{
	unsigned rows = zone_rows(z, l), n = 0, at = 0, start = 0;

	while (l->fold && at < rows && n + 2 < MAX_RUNS) {
		unsigned same = plain_rows(v, z, l, at, rows);

		if (same * l->px >= FOLD_PAYS) {
			if (at > start)
				run[n++] = (struct run){start, at - start, false};
			run[n++] = (struct run){at, same, true};
			start = at + same;
		}
		at += same ? same : 1;
	}
	if (start < rows)
		run[n++] = (struct run){start, rows - start, false};
	return n;
}

static double run_height(const struct run *r, const struct map_layout *l)
{
	return r->folded ? FOLD : (double)r->rows * l->px;
}

static double map_height(const struct view_model *v, const struct map_layout *l)
{
	struct run run[MAX_RUNS];
	double h = 0;

	for (unsigned i = 0; i < v->nzones; i++) {
		unsigned n = zone_runs(v, &v->zone[i], l, run);

		h += BAND_HEAD + BAND_GAP;
		for (unsigned k = 0; k < n; k++)
			h += run_height(&run[k], l);
	}
	return h;
}

// The largest step at which the whole map is visible.
static struct map_layout choose(const struct view_model *v, const struct viewport *vp, double w,
				double h)
{
	struct map_layout l;
	int zoom = vp->zoom;

	if (zoom != MAP_ZOOM_FIT)
		return layout_for(vp,
				  zoom < MAP_ZOOM_MIN	? MAP_ZOOM_MIN
				  : zoom > MAP_ZOOM_MAX ? MAP_ZOOM_MAX
							: zoom,
				  w);
	for (zoom = FIT_MOST; zoom > MAP_ZOOM_MIN; zoom--) {
		l = layout_for(vp, zoom, w);
		if (map_height(v, &l) <= h)
			return l;
	}
	return layout_for(vp, MAP_ZOOM_MIN, w);
}

static void grid_lines(struct pen *p, double x, double y, unsigned columns, unsigned rows,
		       unsigned px)
{
	pen_colour(p, p->pal->background);
	cairo_set_line_width(p->cr, 1);
	for (unsigned c = 1; c <= columns; c++) {
		cairo_move_to(p->cr, x + c * px - 0.5, y);
		cairo_line_to(p->cr, x + c * px - 0.5, y + rows * px);
	}
	for (unsigned r = 1; r <= rows; r++) {
		cairo_move_to(p->cr, x, y + r * px - 0.5);
		cairo_line_to(p->cr, x + columns * px, y + r * px - 0.5);
	}
	cairo_stroke(p->cr);
}

// From 12 pixels a cell says its state with a letter too.
static void letters(struct pen *p, const struct map_cells *cells, const struct model_zone *z,
		    const struct map_layout *l, double x, double y, pfn_t from, pfn_t to)
{
	static const char *const letter[PAGE_STATES] = {"",  "",  "R", "C", "P",
							"S", "L", "V", "T", "K"};
	const struct view_model *v = p->v;

	for (pfn_t pfn = from; pfn < to; pfn++) {
		unsigned i = (pfn - z->start) % l->columns, row = (pfn - from) / l->columns;
		enum page_state s = v->state[pfn];
		struct rgb c = palette_contrast(p->pal->background, p->pal->page[s]) > 4
				       ? p->pal->background
				       : p->pal->text;

		if (!*letter[s] || (cells->pointing && !map_cell_pointed(cells, pfn)))
			continue;
		if (cells->by != MAP_BY_STATE)
			c = p->pal->text;
		pen_text(p, STYLE_SMALL, ALIGN_CENTER, x + (i + 0.5) * l->px,
			 y + row * l->px + l->px / 2.0 - 8, 0, c, letter[s]);
	}
}

static void band_rows(struct pen *p, const struct map_cells *cells, const struct model_zone *z,
		      const struct map_layout *l, double x, double y, unsigned first, unsigned rows)
{
	uint64_t row_frames = (uint64_t)l->columns * l->per_cell;
	pfn_t from = z->start + (pfn_t)(first * row_frames);
	uint64_t end = from + rows * row_frames;
	pfn_t to = end < z->end ? (pfn_t)end : z->end;
	cairo_surface_t *s =
		cairo_image_surface_create(CAIRO_FORMAT_ARGB32, (int)l->columns, (int)rows);
	int stride = cairo_image_surface_get_stride(s);
	uint8_t *cell = malloc(row_frames);

	for (unsigned r = 0; cell && r < rows && from + r * row_frames < to; r++) {
		pfn_t at = from + (pfn_t)(r * row_frames);
		uint32_t n = to - at < row_frames ? to - at : (uint32_t)row_frames;

		map_cells_row(cells, at, n, cell);
		map_convert(cell, n, l->per_cell, cells->table,
			    (uint32_t *)(cairo_image_surface_get_data(s) + (size_t)r * stride));
	}
	free(cell);
	cairo_surface_mark_dirty(s);
	if (z->state[PS_HOLE])
		pen_hatch(p, x, y, (double)l->columns * l->px, (double)rows * l->px);
	cairo_save(p->cr);
	cairo_translate(p->cr, x, y);
	cairo_scale(p->cr, l->px, l->px);
	cairo_set_source_surface(p->cr, s, 0, 0);
	cairo_pattern_set_filter(cairo_get_source(p->cr), CAIRO_FILTER_NEAREST);
	cairo_paint(p->cr);
	cairo_restore(p->cr);
	cairo_surface_destroy(s);
	if (l->px >= 6)
		grid_lines(p, x, y, l->columns, rows, l->px);
	if (l->px >= 12)
		letters(p, cells, z, l, x, y, from, to);
}

static void band_head(struct pen *p, const struct model_zone *z, unsigned index, double x, double y,
		      double w)
{
	double used = pen_text(p, STYLE_BOLD, ALIGN_LEFT, x + 12, y + 3, 0, p->pal->text, z->name);

	pen_fill(p, x, y + 5, 5, 14, p->pal->zone[index]);
	pen_textf(p, STYLE_BODY, ALIGN_LEFT, x + 24 + used, y + 3, w - used - 24, p->pal->dim,
		  w < TIGHT ? _("%s – %s · pfn 0x%x – 0x%x · free %s")
			    : _("%s – %s · pfn 0x%x – 0x%x · free %s · present %s"),
		  fmt_bytes((uint64_t)z->start << 12).s, fmt_bytes((uint64_t)z->end << 12).s,
		  z->start, z->end - 1, fmt_pages(z->free).s, fmt_pages(z->present).s);
}

static void fold_label(const struct view_model *v, const struct map_layout *l, pfn_t pfn, char *buf,
		       size_t size)
{
	if (v->state[pfn] == PS_HOLE)
		snprintf(buf, size, "%s", _("of no RAM"));
	else if (l->strict)
		snprintf(buf, size, _("free in order %u, %s, folded"), v->owner[pfn],
			 migratetype_name(v->type[pfn]));
	else
		snprintf(buf, size, "%s", _("free, folded"));
}

static void folded_run(struct pen *p, const struct map_cells *cells, const struct model_zone *z,
		       const struct map_layout *l, const struct run *r, double x, double y)
{
	uint64_t frames = (uint64_t)l->columns * l->per_cell,
		 end = z->start + (r->row + r->rows) * frames;
	pfn_t from = z->start + (pfn_t)(r->row * frames), to = end < z->end ? (pfn_t)end : z->end;
	double w = (double)l->columns * l->px;
	char label[64];
	struct rgb c = map_cell_colour(cells, from);

	if (p->v->state[from] == PS_HOLE)
		pen_hatch(p, x, y, w, FOLD);
	else
		pen_fill(p, x, y, w, FOLD, c);
	for (double at = x; at < x + w; at += 8) {
		pen_fill(p, at, y, 4, 1, p->pal->dim);
		pen_fill(p, at, y + FOLD - 1, 4, 1, p->pal->dim);
	}
	fold_label(p->v, l, from, label, sizeof(label));
	pen_textf(p, STYLE_SMALL, ALIGN_CENTER, x + w / 2, y + 3, w,
		  palette_contrast(p->pal->dim, c) > 3 ? p->pal->dim : p->pal->background,
		  _("pfn 0x%x – 0x%x · %s %s"), from, to - 1, fmt_pages(to - from).s, label);
}

static void shown_run(struct pen *p, const struct map_cells *cells, const struct model_zone *z,
		      const struct map_layout *l, const struct run *r, double x, double y,
		      double top, double bottom)
{
	double h = (double)r->rows * l->px;
	uint64_t frames = (uint64_t)l->columns * l->per_cell, skipped = r->row * frames;
	unsigned first = y < top ? (unsigned)((top - y) / l->px) : 0, last = r->rows;
	struct hit *hit;

	if (y + h > bottom)
		last = (unsigned)ceil((bottom - y) / l->px);
	if (first >= last)
		return;
	band_rows(p, cells, z, l, x, y + (double)first * l->px, r->row + first, last - first);
	hit = pen_hit(p, HIT_PAGE, z->start + skipped, x, y, (double)l->columns * l->px, h);
	if (hit) {
		hit->cell_w = hit->cell_h = l->px;
		hit->columns = l->columns;
		hit->per_cell = l->per_cell;
		hit->count = z->end - z->start - (uint32_t)skipped;
	}
}

static double draw_band(struct pen *p, const struct map_cells *cells, unsigned index,
			const struct map_layout *l, double x, double y, double w, double top,
			double bottom)
{
	const struct model_zone *z = &p->v->zone[index];
	struct run run[MAX_RUNS];
	unsigned n = zone_runs(p->v, z, l, run);

	if (y + BAND_HEAD > top && y < bottom)
		band_head(p, z, index, x, y, w);
	y += BAND_HEAD;
	for (unsigned i = 0; i < n; i++) {
		double h = run_height(&run[i], l);

		if (y + h > top && y < bottom) {
			if (run[i].folded)
				folded_run(p, cells, z, l, &run[i], x, y);
			else
				shown_run(p, cells, z, l, &run[i], x, y, top, bottom);
		}
		y += h;
	}
	return y + BAND_GAP;
}

static void foot(struct pen *p, const struct map_layout *l, double y, double w)
{
	if (l->per_cell > 1)
		pen_textf(p, STYLE_SMALL, ALIGN_LEFT, MARGIN, y, w, p->pal->dim,
			  _("one pixel is %u frames (%s), the rarest state wins · one row is %s"),
			  l->per_cell, fmt_bytes((uint64_t)l->per_cell << 12).s,
			  fmt_bytes((uint64_t)l->columns * l->per_cell << 12).s);
	else
		pen_textf(p, STYLE_SMALL, ALIGN_LEFT, MARGIN, y, w, p->pal->dim,
			  _("one cell is one frame of 4 KiB · one row is %s"),
			  fmt_bytes((uint64_t)l->columns << 12).s);
}

// Pages that are the same are shared, not only equal. Of caches the colours and the legend know names
// and orders, of areas where they lie.
bool map_same(const struct view_model *a, const struct view_model *b)
{
	if (a->pages != b->pages || a->nzones != b->nzones || a->ncaches != b->ncaches ||
	    a->nareas != b->nareas || memcmp(a->zone, b->zone, a->nzones * sizeof(*a->zone)))
		return false;
	for (unsigned i = 0; i < a->ncaches; i++)
		if (a->cache[i].id != b->cache[i].id || a->cache[i].order != b->cache[i].order ||
		    strcmp(a->cache[i].name, b->cache[i].name))
			return false;
	for (unsigned i = 0; i < a->nareas; i++)
		if (a->area[i].start != b->area[i].start || a->area[i].end != b->area[i].end)
			return false;
	return true;
}

void draw_map(cairo_t *cr, const struct view_model *v, const struct viewport *vp,
	      const struct palette *pal)
{
	struct pen p;
	struct map_layout l;
	struct map_cells cells;
	struct legend legend[MAP_CATEGORIES];
	double y, w = vp->width - 2 * MARGIN, h, at;

	map_cells_begin(&cells, v, vp, pal);
	pen_begin(&p, cr, v, vp, pal, _("Memory map"), &y);
	y += pen_legend(&p, MARGIN, y, w, legend, map_cells_legend(&cells, legend)) + 2;
	h = vp->height - y - 26;
	l = choose(v, vp, w, h);
	if (vp->out)
		vp->out->map_zoom = l.zoom;
	at = pen_pane_begin(&p, 0, MARGIN, y, w + MARGIN, h);
	for (unsigned i = 0; i < v->nzones; i++)
		at = draw_band(&p, &cells, i, &l, MARGIN, at, w, y, y + h);
	pen_pane_end(&p, 0, map_height(v, &l));
	foot(&p, &l, vp->height - 20, w);
	pen_end(&p);
}
