// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Highmem windows: the 1024 pkmap slots with their counts, and the kmap_atomic stacks.
#include <math.h>
#include <stdio.h>

#include "pen.h"

enum slot_state {
	SLOT_FREE,
	SLOT_UNUSED,
	SLOT_USED,
	SLOT_STATES
};

static enum slot_state slot_state(uint16_t count)
{
	return count == 0 ? SLOT_FREE : count == 1 ? SLOT_UNUSED : SLOT_USED;
}

static struct rgb slot_colour(const struct palette *pal, enum slot_state s)
{
	return s == SLOT_FREE	  ? pal->page[PS_FREE]
	       : s == SLOT_UNUSED ? pal->page[PS_PCP]
				  : pal->page[PS_KMAP];
}

static double slot_legend(struct pen *p, double y, double w)
{
	static const char *const name[SLOT_STATES] = {N_("free (0)"),
						      N_("mapped, no user: waits for a flush (1)"),
						      N_("in use (users + 1)")};
	struct legend l[SLOT_STATES + 1];
	uint32_t count[SLOT_STATES] = {0};

	for (unsigned i = 0; i < LAST_PKMAP; i++)
		count[slot_state(p->v->kmap.pkmap_count[i])]++;
	for (unsigned i = 0; i < SLOT_STATES; i++) {
		l[i] = (struct legend){.colour = slot_colour(p->pal, i), .name = gettext(name[i])};
		snprintf(l[i].value, sizeof(l[i].value), "%s", fmt_count(count[i]).s);
	}
	l[SLOT_STATES] = (struct legend){.colour = p->pal->focus, .name = "last_pkmap_nr"};
	snprintf(l[SLOT_STATES].value, sizeof(l[0].value), "%u", p->v->kmap.last_pkmap_nr);
	return pen_legend(p, MARGIN, y, w, l, SLOT_STATES + 1);
}

static void slot_cells(struct pen *p, double x, double y, unsigned columns, double cell,
		       double cell_h)
{
	const struct kmap_state *k = &p->v->kmap;

	for (unsigned s = 0; s < SLOT_STATES; s++) {
		pen_colour(p, slot_colour(p->pal, s));
		for (unsigned i = 0; i < LAST_PKMAP; i++)
			if (slot_state(k->pkmap_count[i]) == s)
				cairo_rectangle(p->cr, x + i % columns * cell,
						y + i / columns * cell_h, cell - 1, cell_h - 1);
		cairo_fill(p->cr);
	}
	for (unsigned i = 0; cell >= 14 && i < LAST_PKMAP; i++) {
		enum slot_state s = slot_state(k->pkmap_count[i]);

		if (s == SLOT_FREE)
			continue;
		pen_textf(p, STYLE_SMALL, ALIGN_CENTER, x + (i % columns + 0.5) * cell,
			  y + (i / columns + 0.5) * cell_h - 8, 0, p->pal->background, "%u",
			  k->pkmap_count[i]);
	}
	if (k->last_pkmap_nr < LAST_PKMAP) {
		pen_colour(p, p->pal->focus);
		cairo_set_line_width(p->cr, 2);
		cairo_rectangle(p->cr, x + k->last_pkmap_nr % columns * cell,
				y + k->last_pkmap_nr / columns * cell_h, cell - 1, cell_h - 1);
		cairo_stroke(p->cr);
	}
}

// As large as the space allows, a little taller than wide at most; addresses beside the rows.
static double slot_grid(struct pen *p, double y, double w, double h)
{
	unsigned columns = w > h * 1.6 ? 64 : 32, rows = LAST_PKMAP / columns;
	double label = 84, cell = floor((w - label) / columns), cell_h = floor(h / rows);
	struct hit *hit;

	cell = fmax(4, fmin(cell, cell_h * 2));
	cell_h = fmax(4, fmin(cell_h, cell * 1.5));
	for (unsigned r = 0; r < rows; r += cell_h >= 14 ? 1 : 4)
		pen_textf(p, STYLE_MONO, ALIGN_LEFT, MARGIN, y + fmax(0, (r + 0.5) * cell_h - 8), 0,
			  p->pal->dim, "%08x", p->v->kmap.pkmap_base + r * columns * PAGE_SIZE);
	pen_fill(p, MARGIN + label - 1, y, columns * cell + 1, rows * cell_h, p->pal->border);
	slot_cells(p, MARGIN + label, y, columns, cell, cell_h);
	hit = pen_hit(p, HIT_KMAP, 0, MARGIN + label, y, columns * cell, rows * cell_h);
	if (hit) {
		hit->cell_w = cell;
		hit->cell_h = cell_h;
		hit->columns = columns;
		hit->per_cell = 1;
		hit->count = LAST_PKMAP;
	}
	return rows * cell_h;
}

static void atomic_row(struct pen *p, unsigned cpu, double x, double y, double w)
{
	const struct kmap_state *k = &p->v->kmap;
	double label = 84, pairs = 150, cell = floor(fmin(24, (w - label - pairs) / KM_TYPE_NR));
	uint32_t depth = k->atomic_depth[cpu] < KM_TYPE_NR ? k->atomic_depth[cpu] : KM_TYPE_NR;
	struct hit *hit;

	pen_textf(p, STYLE_BODY, ALIGN_LEFT, x, y + 3, 0, p->pal->text, "CPU %u", cpu);
	pen_fill(p, x + label - 2, y + 1, KM_TYPE_NR * cell + 2, 22, p->pal->border);
	for (unsigned i = 0; i < KM_TYPE_NR; i++)
		pen_fill(p, x + label + i * cell, y + 3, cell - 2, 18,
			 i < depth ? p->pal->page[PS_KMAP] : p->pal->page[PS_FREE]);
	hit = pen_hit(p, HIT_ATOMIC, cpu << 8, x + label, y + 3, cell * KM_TYPE_NR, 18);
	if (hit) {
		hit->cell_w = cell;
		hit->cell_h = 18;
		hit->columns = hit->count = KM_TYPE_NR;
		hit->per_cell = 1;
	}
	pen_textf(p, STYLE_BODY, ALIGN_LEFT, x + label + KM_TYPE_NR * cell + 12, y + 3, pairs,
		  p->pal->dim, _("depth %u · %s pairs"), k->atomic_depth[cpu],
		  fmt_count(k->atomic_pairs[cpu]).s);
}

static void atomic_card(struct pen *p, double y, double w)
{
	unsigned n = p->v->ncpus;
	double h = 40 + n * ROW + 10;

	pen_card(p, MARGIN, y, w, h);
	pen_text(p, STYLE_HEADING, ALIGN_LEFT, MARGIN + 12, y + 10, w - 24, p->pal->text,
		 _("kmap_atomic"));
	pen_textf(p, STYLE_BODY, ALIGN_RIGHT, MARGIN + w - 12, y + 11, w - 160, p->pal->dim,
		  _("%u slots a CPU, a stack in the fixmap below 0x%08x"), KM_TYPE_NR,
		  p->v->kmap.fixaddr_top);
	for (unsigned cpu = 0; cpu < n; cpu++)
		atomic_row(p, cpu, MARGIN + 12, y + 38 + cpu * ROW, w - 24);
}

static bool has_highmem(const struct view_model *v)
{
	return v->max_pfn > v->max_low_pfn;
}

static bool windows_mapped(const struct view_model *v)
{
	for (unsigned i = 0; i < LAST_PKMAP; i++)
		if (v->kmap.pkmap_count[i])
			return true;
	return false;
}

void draw_highmem(cairo_t *cr, const struct view_model *v, const struct viewport *vp,
		  const struct palette *pal)
{
	struct pen p;
	double y, w = vp->width - 2 * MARGIN, atomic = 40 + v->ncpus * ROW + 10, h, start;

	pen_begin(&p, cr, v, vp, pal, _("Highmem windows"), &y);
	if (!has_highmem(v)) {
		char why[128];

		snprintf(why, sizeof(why),
			 _("All of its %s is below high_memory and has a permanent address."),
			 fmt_bytes((uint64_t)v->max_pfn << 12).s);
		pen_empty(&p, y, _("This machine has no highmem"), why);
		pen_end(&p);
		return;
	}
	pen_textf(&p, STYLE_BODY, ALIGN_LEFT, MARGIN, y - 4, w, pal->dim,
		  w < TIGHT ? _("%u kmap windows from 0x%08x; the cells hold pkmap_count; %u wait")
			    : _("%u kmap windows of one page from 0x%08x, the number in a cell is "
				"pkmap_count; %u waiting for a window"),
		  LAST_PKMAP, v->kmap.pkmap_base, v->kmap.waiters);
	y += 20;
	if (!windows_mapped(v)) {
		pen_text(
			&p, STYLE_BODY, ALIGN_LEFT, MARGIN, y - 4, w, pal->text,
			_("No window is mapped at this event: a single anonymous page takes one."));
		y += 20;
	}
	y += slot_legend(&p, y, w) + 4;
	h = vp->height - y - 12;
	start = pen_pane_begin(&p, 0, 0, y, vp->width, h);
	y = start + slot_grid(&p, start, w, h - atomic - 14) + 14;
	atomic_card(&p, y, w);
	pen_pane_end(&p, 0, y + atomic - start);
	pen_end(&p);
}
