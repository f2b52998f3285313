// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Summary: what the process did as a whole, and the call sites behind its peak, its calls, what it
// left behind and what it held only for a moment.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "pen.h"

enum {
	FACTS = 5,
	FACT_W = 112, // at least
	FACT_H = 74,
	CARD_W = 300, // of call sites; narrower ones are below each other
	SITE_HEAD = 36,
	SITE_ROW = 40 // function and figures, callers below
};

struct fact {
	const char *name;
	char value[64], note[96];
	uint64_t event; // where a click leads; 0 nowhere
};

static void draw_fact(struct pen *p, const struct fact *f, double x, double y, double w)
{
	pen_text(p, STYLE_SMALL, ALIGN_LEFT, x, y, w, p->pal->dim, f->name);
	pen_text(p, STYLE_TITLE, ALIGN_LEFT, x, y + 16, w, f->event ? p->pal->accent : p->pal->text,
		 f->value);
	pen_text(p, STYLE_SMALL, ALIGN_LEFT, x, y + 42, w, p->pal->dim, f->note);
	if (f->event)
		pen_hit(p, HIT_EVENT, f->event, x - 6, y - 2, w, 60);
}

static void set_note(struct fact *f, const char *text)
{
	snprintf(f->note, sizeof(f->note), "%.*s", (int)sizeof(f->note) - 1, text);
}

static unsigned facts(const struct view_model *v, const struct model_summary *s, struct fact *f)
{
	const struct process_totals *t = &s->totals;

	memset(f, 0, FACTS * sizeof(*f));
	f[0].name = "Peak requested";
	snprintf(f[0].value, sizeof(f[0].value), "%.60s", fmt_bytes(t->peak_bytes).s);
	snprintf(f[0].note, sizeof(f[0].note), "at event %.40s", fmt_count(t->peak_event).s);
	f[0].event = t->peak_event;
	f[1].name = "Not freed at the end";
	snprintf(f[1].value, sizeof(f[1].value), "%.60s", fmt_bytes(t->live_bytes).s);
	snprintf(f[1].note, sizeof(f[1].note), "%.40s blocks", fmt_count(t->live_count).s);
	f[2].name = "Allocations";
	snprintf(f[2].value, sizeof(f[2].value), "%.60s", fmt_count(t->allocations).s);
	snprintf(f[2].note, sizeof(f[2].note), "%.40s in all", fmt_bytes(t->bytes).s);
	f[3].name = "Temporary";
	snprintf(f[3].value, sizeof(f[3].value), "%.60s",
		 fmt_share(t->temporary, t->allocations).s);
	set_note(&f[3], "freed by next call");
	f[4].name = "Failed calls";
	snprintf(f[4].value, sizeof(f[4].value), "%.60s", fmt_count(t->failed).s);
	snprintf(f[4].note, sizeof(f[4].note), "%.40s events lost", fmt_count(s->lost).s);
	(void)v;
	return FACTS;
}

// As many facts in a line as fit; the height of the card.
static double facts_card(struct pen *p, double y, double w)
{
	const struct model_summary *s = p->v->summary;
	struct fact f[FACTS];
	unsigned n = facts(p->v, s, f), fit = (unsigned)fmax(1, fmin(n, (w - 24) / FACT_W));
	double step = (w - 24) / fit, h = 42 + (n + fit - 1) / fit * FACT_H;

	pen_card(p, MARGIN, y, w, h);
	pen_text(p, STYLE_MONO, ALIGN_LEFT, MARGIN + 16, y + 10, w - 32, p->pal->text,
		 *s->argv ? s->argv : p->v->program);
	for (unsigned i = 0; i < n; i++)
		draw_fact(p, &f[i], MARGIN + 16 + i % fit * step, y + 42 + i / fit * FACT_H,
			  step - 12);
	return h;
}

static uint64_t site_figure(const struct site_row *r, enum site_order order)
{
	switch (order) {
	case SITES_BY_PEAK:
		return r->peak_bytes;
	case SITES_BY_CALLS:
		return r->calls;
	case SITES_BY_LEAK:
		return r->live_bytes;
	default:
		return r->temporary;
	}
}

static uint64_t site_whole(const struct process_totals *t, enum site_order order)
{
	switch (order) {
	case SITES_BY_PEAK:
		return t->peak_bytes;
	case SITES_BY_CALLS:
		return t->allocations;
	case SITES_BY_LEAK:
		return t->live_bytes;
	default:
		return t->temporary;
	}
}

static void site_line(struct pen *p, enum site_order order, const struct model_site *s, double x,
		      double y, double w)
{
	uint64_t figure = site_figure(&s->figures, order),
		 whole = site_whole(&p->v->summary->totals, order);
	bool bytes = order == SITES_BY_PEAK || order == SITES_BY_LEAK;
	double part = whole ? fmin(1, (double)figure / (double)whole) : 0;

	pen_alpha(p, p->pal->page[PS_PAGES], 0.25);
	cairo_rectangle(p->cr, x - 6, y + 1, (w + 12) * part, SITE_ROW - 4);
	cairo_fill(p->cr);
	pen_textf(p, STYLE_BODY, ALIGN_RIGHT, x + w - 68, y + 3, 0, p->pal->text, "%s",
		  bytes ? fmt_bytes(figure).s : fmt_count(figure).s);
	pen_text(p, STYLE_BODY, ALIGN_RIGHT, x + w - 6, y + 3, 0, p->pal->dim,
		 fmt_share(figure, whole).s);
	pen_text(p, STYLE_BODY, ALIGN_LEFT, x, y + 3, fmax(40, w - 150), p->pal->text,
		 *s->function ? s->function : _("no backtrace"));
	if (*s->caller)
		pen_textf(p, STYLE_SMALL, ALIGN_LEFT, x, y + 20, w - 6, p->pal->dim, "← %s",
			  s->caller);
}

static void sites_card(struct pen *p, enum site_order order, double x, double y, double w, double h)
{
	static const char *const title[SITE_ORDERS] = {"Alive at the peak", "Most calls",
						       "Not freed at the end", "Most temporary"};
	const struct model_summary *s = p->v->summary;

	pen_card(p, x, y, w, h);
	pen_text(p, STYLE_HEADING, ALIGN_LEFT, x + 14, y + 10, w - 28, p->pal->text, title[order]);
	if (!s->nsites[order])
		pen_text(p, STYLE_BODY, ALIGN_LEFT, x + 14, y + SITE_HEAD + 3, w - 28, p->pal->dim,
			 _("None."));
	for (unsigned i = 0; i < s->nsites[order] && SITE_HEAD + (i + 1) * SITE_ROW < h; i++) {
		site_line(p, order, &s->site[order][i], x + 14, y + SITE_HEAD + i * SITE_ROW,
			  w - 28);
		pen_hit(p, HIT_TOP_SITE, (uint64_t)order << 8 | i, x + 6,
			y + SITE_HEAD + i * SITE_ROW, w - 12, SITE_ROW);
	}
}

static unsigned most_sites(const struct model_summary *s)
{
	unsigned most = 1;

	for (unsigned i = 0; i < SITE_ORDERS; i++)
		if (s->nsites[i] > most)
			most = s->nsites[i];
	return most;
}

void draw_summary(cairo_t *cr, const struct view_model *v, const struct viewport *vp,
		  const struct palette *pal)
{
	struct pen p;
	double y, w = vp->width - 2 * MARGIN, half = floor((w - 12) / 2), h, start;
	unsigned columns = half < CARD_W ? 1 : 2;
	char about[384];

	pen_begin(&p, cr, v, vp, pal, _("Summary"), &y);
	if (!v->summary || !v->summary->known) {
		pen_empty(&p, y, _("No summary"),
			  _("The recording has no totals of this process yet."));
		pen_end(&p);
		return;
	}
	snprintf(about, sizeof(about), _("process %d, pid %d · %s events in %s · %s"), v->process,
		 v->pid, fmt_count(v->summary->events).s, fmt_time((int64_t)v->duration_ns).s,
		 v->summary->machine);
	y += pen_paragraph(&p, STYLE_BODY, MARGIN, y - 4, w, pal->dim, about) + 4;
	h = SITE_HEAD + most_sites(v->summary) * SITE_ROW + 12;
	start = pen_pane_begin(&p, 0, 0, y, vp->width, vp->height - y);
	y = facts_card(&p, start, w) + 12;
	for (unsigned i = 0; i < SITE_ORDERS; i++)
		sites_card(&p, i, MARGIN + i % columns * (half + 12),
			   start + y + i / columns * (h + 12), columns == 2 ? half : w, h);
	pen_pane_end(&p, 0, y + SITE_ORDERS / columns * (h + 12));
	pen_end(&p);
}
