// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// What happened: the current event explained, and every step the machine made for it.
#include <math.h>

#include "../explain.h"
#include "pen.h"

enum {
	NAME_WIDTH = 200
};

static double draw_step(struct pen *p, const struct explain_line *l, double y, double w)
{
	double name = fmin(NAME_WIDTH, w * 0.3), h;
	struct rgb c = l->role == EXPLAIN_MEANING ? p->pal->dim : p->pal->text;

	if (l->role == EXPLAIN_MEANING) {
		h = pen_paragraph(p, STYLE_SMALL, MARGIN + name + 16, y - 3, w - name - 16, c,
				  l->text);
		return h + 5;
	}
	pen_line(p, MARGIN, y - 4, MARGIN + w, y - 4, p->pal->border);
	pen_text(p, STYLE_MONO, ALIGN_LEFT, MARGIN, y, name, p->pal->accent, l->name);
	h = pen_paragraph(p, STYLE_BODY, MARGIN + name + 16, y, w - name - 16,
			  l->role == EXPLAIN_MORE ? p->pal->dim : c, l->text);
	return h + 8;
}

static double draw_line(struct pen *p, const struct explain_line *l, double y, double w)
{
	switch (l->role) {
	case EXPLAIN_HEAD:
		return pen_paragraph(p, STYLE_TITLE, MARGIN, y, w, p->pal->text, l->text) + 8;
	case EXPLAIN_ROUTE:
		return pen_paragraph(p, STYLE_BODY, MARGIN, y, w, p->pal->text, l->text) + 6;
	default:
		return draw_step(p, l, y, w);
	}
}

void draw_happened(cairo_t *cr, const struct view_model *v, const struct viewport *vp,
		   const struct palette *pal)
{
	const struct explanation *e = v->happened;
	double y, at, start, w = vp->width - 2 * MARGIN;
	struct pen p;

	pen_begin(&p, cr, v, vp, pal, _("What happened"), &y);
	if (!e || !e->n) {
		pen_empty(&p, y, _("Nothing yet"),
			  _("Before the first event there is only the booted "
			    "machine. The next event is one key away: Right."));
		pen_end(&p);
		return;
	}
	start = at = pen_pane_begin(&p, 0, 0, y, vp->width, vp->height - y);
	pen_hit(&p, HIT_EVENT, v->event, MARGIN, at, w, 24);
	for (unsigned i = 0; i < e->n; i++) {
		if (i && e->line[i].role >= EXPLAIN_STEP && e->line[i - 1].role < EXPLAIN_STEP)
			at += 12;
		at += draw_line(&p, &e->line[i], at, w);
	}
	pen_pane_end(&p, 0, at - start + 12);
	pen_end(&p);
}
