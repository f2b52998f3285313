// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Paging: the walk of one linear address from its bits to the frame and its owner, and the whole
// page directory as a grid.
#include <math.h>
#include <stdio.h>

#include "pen.h"

enum {
	BITS_HEIGHT = 64,
	STEP_HEIGHT = 84,
	STEP_GAP = 28,
	PGD_COLUMNS = 64,
	PGD_ROWS = 1024 / PGD_COLUMNS
};

static struct rgb entry_colour(const struct palette *pal, uint32_t entry)
{
	if (!(entry & _PAGE_PRESENT))
		return pal->page[PS_FREE];
	return entry & _PAGE_PSE ? pal->page[PS_VMALLOC] : pal->page[PS_PAGES];
}

// One field of the address: its bits, and what the paging unit does with them.
static void bits(struct pen *p, double x, double y, double w, const char *range, const char *use,
		 unsigned value, unsigned width)
{
	char text[16];

	for (unsigned i = 0; i < width; i++)
		text[i] = value >> (width - 1 - i) & 1 ? '1' : '0';
	text[width] = 0;
	pen_card(p, x, y, w, BITS_HEIGHT);
	pen_textf(p, STYLE_SMALL, ALIGN_LEFT, x + 10, y + 6, w - 20, p->pal->dim, "%s · %s", range,
		  use);
	pen_text(p, STYLE_MONO, ALIGN_LEFT, x + 10, y + 24, w - 20, p->pal->text, text);
	pen_textf(p, STYLE_BODY, ALIGN_LEFT, x + 10, y + 41, w - 20, p->pal->text, "%u (0x%x)",
		  value, value);
}

static void address_bits(struct pen *p, double y, double w)
{
	const struct translation *t = &p->v->walk.t;
	double unit = (w - 24) / 32;

	bits(p, MARGIN, y, unit * 10, "31:22", "page directory", t->pgd_index, 10);
	bits(p, MARGIN + unit * 10 + 12, y, unit * 10, "21:12",
	     t->large ? "offset in 4 MiB" : "page table", t->pte_index, 10);
	bits(p, MARGIN + unit * 20 + 24, y, unit * 12, "11:0", "offset", t->offset, 12);
}

struct walk_step {
	const char *title;
	char line[2][128];
	struct rgb colour;
};

static void entry_flags(uint32_t e, char *buf, size_t size)
{
	snprintf(buf, size, "%s%s%s%s", e & _PAGE_PRESENT ? "present" : "not present",
		 e & _PAGE_RW ? ", writable" : "", e & _PAGE_PSE ? ", 4 MiB" : "",
		 e & _PAGE_GLOBAL ? ", global" : "");
}

static unsigned walk_steps(const struct pen *p, struct walk_step *s)
{
	const struct model_walk *w = &p->v->walk;
	const struct translation *t = &w->t;
	unsigned n = 0;

	s[n].title = "Page directory";
	s[n].colour = entry_colour(p->pal, t->pde);
	snprintf(s[n].line[0], sizeof(s[n].line[0]), "pgd[%u] = 0x%08x", t->pgd_index, t->pde);
	entry_flags(t->pde, s[n].line[1], sizeof(s[n].line[1]));
	n++;
	if (t->pde & _PAGE_PRESENT && !t->large) {
		s[n].title = "Page table";
		s[n].colour = entry_colour(p->pal, t->pte);
		snprintf(s[n].line[0], sizeof(s[n].line[0]), "pte[%u] = 0x%08x", t->pte_index,
			 t->pte);
		entry_flags(t->pte & ~(uint32_t)_PAGE_PSE, s[n].line[1], sizeof(s[n].line[1]));
		n++;
	}
	if (!t->present) {
		s[n].title = "Page fault";
		s[n].colour = p->pal->bad;
		snprintf(s[n].line[0], sizeof(s[n].line[0]), "error code %u", t->fault);
		snprintf(s[n].line[1], sizeof(s[n].line[1]), "nothing is mapped here");
		return n + 1;
	}
	s[n].title = "Frame";
	s[n].colour =
		t->pfn < p->v->max_pfn ? p->pal->page[p->v->state[t->pfn]] : p->pal->page[PS_HOLE];
	snprintf(s[n].line[0], sizeof(s[n].line[0]), "pfn 0x%x at 0x%08x", t->pfn, t->phys);
	snprintf(s[n].line[1], sizeof(s[n].line[1]),
		 w->has_page ? "zone %s, count %d" : "no RAM: a device", w->zone, w->count);
	n++;
	s[n].title = "Owner";
	s[n].colour = p->pal->accent;
	snprintf(s[n].line[0], sizeof(s[n].line[0]), "%s", w->owner);
	if (w->has_page)
		snprintf(s[n].line[1], sizeof(s[n].line[1]), "page flags 0x%08x", w->flags);
	return n + 1;
}

static void step_card(struct pen *p, const struct walk_step *s, double x, double y, double w)
{
	pen_card(p, x, y, w, STEP_HEIGHT);
	pen_fill(p, x + 12, y + 13, 5, 15, s->colour);
	pen_text(p, STYLE_HEADING, ALIGN_LEFT, x + 24, y + 11, w - 36, p->pal->text, s->title);
	pen_text(p, STYLE_BODY, ALIGN_LEFT, x + 12, y + 36, w - 24, p->pal->text, s->line[0]);
	pen_text(p, STYLE_BODY, ALIGN_LEFT, x + 12, y + 56, w - 24, p->pal->dim, s->line[1]);
}

static double step_width(struct pen *p, const struct walk_step *s)
{
	double w = pen_width(p, STYLE_HEADING, s->title) + 12;

	for (unsigned i = 0; i < 2; i++)
		w = fmax(w, pen_width(p, STYLE_BODY, s->line[i]));
	return ceil(w) + 26;
}

static void arrow(struct pen *p, double x, double y, double w)
{
	pen_line(p, x + 4, y, x + w - 6, y, p->pal->dim);
	cairo_move_to(p->cr, x + w - 4, y + 0.5);
	cairo_rel_line_to(p->cr, -6, -4);
	cairo_rel_line_to(p->cr, 0, 8);
	cairo_close_path(p->cr);
	cairo_fill(p->cr);
}

// From left to right, the last one as wide as what is left; what does not fit goes on below.
static double draw_walk(struct pen *p, double y, double w)
{
	struct walk_step s[4] = {0};
	unsigned n = walk_steps(p, s);
	double x = MARGIN, top = y;

	for (unsigned i = 0; i < n; i++) {
		double width = fmin(w, step_width(p, &s[i]));

		if (i && x + STEP_GAP + width > MARGIN + w) {
			x = MARGIN;
			y += STEP_HEIGHT + 10;
		}
		if (i) {
			arrow(p, x, y + STEP_HEIGHT / 2.0, STEP_GAP);
			x += STEP_GAP;
		}
		if (i + 1 == n)
			width = MARGIN + w - x;
		step_card(p, &s[i], x, y, width);
		x += width;
	}
	return y + STEP_HEIGHT - top;
}

static double directory_legend(struct pen *p, double y, double w)
{
	struct legend l[] = {{p->pal->page[PS_VMALLOC], "4 MiB page", "", false},
			     {p->pal->page[PS_PAGES], "page table", "", false},
			     {p->pal->page[PS_FREE], "not present", "", false},
			     {p->pal->focus, "this address", "", false}};
	unsigned count[3] = {0};

	for (unsigned i = 0; i < 1024; i++)
		count[!(p->v->pgd[i] & _PAGE_PRESENT) ? 2 : p->v->pgd[i] & _PAGE_PSE ? 0 : 1]++;
	for (unsigned i = 0; i < 3; i++)
		snprintf(l[i].value, sizeof(l[i].value), "%u", count[i]);
	return pen_legend(p, MARGIN, y, w, l, 4);
}

static double directory_grid(struct pen *p, double y, double w, double h)
{
	double label = 84, cell = floor((w - label) / PGD_COLUMNS), cell_h = floor(h / PGD_ROWS);
	unsigned at = p->v->walk.t.pgd_index;
	struct hit *hit;

	cell_h = fmax(8, fmin(cell_h, cell * 1.4));
	pen_fill(p, MARGIN + label - 1, y - 1, cell * PGD_COLUMNS + 1, cell_h * PGD_ROWS + 1,
		 p->pal->border);
	for (unsigned i = 0; i < 1024; i++) {
		double x = MARGIN + label + i % PGD_COLUMNS * cell,
		       top = y + i / PGD_COLUMNS * cell_h;

		if (i % PGD_COLUMNS == 0 && (cell_h >= 14 || i / PGD_COLUMNS % 2 == 0))
			pen_textf(p, STYLE_MONO, ALIGN_LEFT, MARGIN, top + cell_h / 2 - 8, 0,
				  p->pal->dim, "%08x", i << 22);
		pen_fill(p, x, top, cell - 1, cell_h - 1, entry_colour(p->pal, p->v->pgd[i]));
	}
	pen_colour(p, p->pal->focus);
	cairo_set_line_width(p->cr, 2);
	cairo_rectangle(p->cr, MARGIN + label + at % PGD_COLUMNS * cell - 0.5,
			y + at / PGD_COLUMNS * cell_h - 0.5, cell, cell_h);
	cairo_stroke(p->cr);
	hit = pen_hit(p, HIT_PGD, 0, MARGIN + label, y, cell * PGD_COLUMNS, cell_h * PGD_ROWS);
	if (!hit)
		return cell_h * PGD_ROWS;
	hit->cell_w = cell;
	hit->cell_h = cell_h;
	hit->columns = PGD_COLUMNS;
	hit->count = 1024;
	hit->per_cell = 1;
	return cell_h * PGD_ROWS;
}

void draw_address(cairo_t *cr, const struct view_model *v, const struct viewport *vp,
		  const struct palette *pal)
{
	struct pen p;
	double y, w = vp->width - 2 * MARGIN, used, top, shown;

	pen_begin(&p, cr, v, vp, pal, _("Paging"), &y);
	shown = vp->height - y + 4;
	top = pen_pane_begin(&p, 0, 0, y - 4, vp->width, shown);
	y = top + 4;
	used = pen_textf(&p, STYLE_TITLE, ALIGN_LEFT, MARGIN, y - 4, 0, pal->text, "0x%08x",
			 v->walk.t.addr);
	pen_textf(&p, STYLE_BODY, ALIGN_LEFT, MARGIN + used + 14, y + 1, w - used - 14, pal->dim,
		  _("linear address in %s%s"), linear_region_name(v->walk.t.region),
		  v->walk.t.addr == v->event_address ? " · the address of this event" : "");
	y += 30;
	address_bits(&p, y, w);
	y += BITS_HEIGHT + 14;
	y += draw_walk(&p, y, w) + 18;
	pen_text(&p, STYLE_HEADING, ALIGN_LEFT, MARGIN, y, w, pal->text,
		 _("Page directory, 4 MiB a cell"));
	y += 26;
	y += directory_legend(&p, y, w) + 4;
	y += directory_grid(&p, y, w, top + shown - y - 12) + 12;
	pen_pane_end(&p, 0, y - top);
	pen_end(&p);
}
