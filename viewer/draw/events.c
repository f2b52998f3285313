// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Events: the rows around the position, and the backtraces of the selected one and of its match.
#include <stdio.h>
#include <string.h>

#include "../../core/event.h"
#include "events.h"

void event_detail(const struct event_row *r, char *buf, size_t size)
{
	char gfp[96];

	if (r->path == PATH_HOST)
		snprintf(buf, size, "%s", host_reason_name((enum host_reason)r->cache));
	else if (r->path == PATH_PAGES)
		snprintf(buf, size, "order %u", r->cache);
	else if (r->gfp && gfp_string(r->gfp, gfp, sizeof(gfp)) > 0)
		snprintf(buf, size, "%s", gfp);
	else
		*buf = 0;
	if (r->flags & OPF_FAILED)
		snprintf(buf, size, "failed");
}

static void event_cells(struct pen *p, const struct column *c, const struct event_row *r, double y)
{
	bool failed = r->flags & OPF_FAILED;
	struct rgb colour = failed ? p->pal->bad : p->pal->text;
	char text[128];

	table_cell(p, &c[0], y, STYLE_BODY, p->pal->dim, fmt_count(r->id).s);
	table_cell(p, &c[1], y, STYLE_BODY, p->pal->dim, fmt_time_exact(r->t_ns).s);
	table_cell(p, &c[2], y, STYLE_BODY, colour, event_name(r->kind));
	snprintf(text, sizeof(text), r->addr ? "0x%08llx" : "–", (unsigned long long)r->addr);
	table_cell(p, &c[3], y, STYLE_MONO, colour, text);
	table_cell(p, &c[4], y, STYLE_BODY, colour, r->req ? fmt_count(r->req).s : "–");
	table_cell(p, &c[5], y, STYLE_BODY, colour, op_path_name(r->path));
	event_detail(r, text, sizeof(text));
	table_cell(p, &c[6], y, STYLE_BODY, failed ? p->pal->bad : p->pal->dim, text);
	snprintf(text, sizeof(text), "%d", r->thread);
	table_cell(p, &c[7], y, STYLE_BODY, p->pal->dim, text);
	snprintf(text, sizeof(text), "%d", r->cpu);
	table_cell(p, &c[8], y, STYLE_BODY, p->pal->dim, text);
}

static double rows_table(struct pen *p, double y, double w, double h)
{
	const struct view_model *v = p->v;
	struct column c[] = {
		{"event", 90, 0, ALIGN_RIGHT, 0},     {"time", 96, 0, ALIGN_RIGHT, 0},
		{"operation", 110, 0, ALIGN_LEFT, 0}, {"address", 130, 0, ALIGN_LEFT, 0},
		{"bytes", 100, 0, ALIGN_RIGHT, 0},    {"path", 90, 0, ALIGN_LEFT, 0},
		{"detail", 0, 1, ALIGN_LEFT, 0},      {"thread", 60, 0, ALIGN_RIGHT, 0},
		{"CPU", 50, 0, ALIGN_RIGHT, 0},
	};
	uint64_t selected = p->vp->selected_event ? p->vp->selected_event : v->event;
	unsigned shown = (unsigned)((h - ROW) / ROW), first = 0, at;

	for (at = 0; at < v->nrows && v->row[at].id < selected; at++)
		;
	if (at > shown / 2)
		first = at - shown / 2;
	if (v->nrows > shown && first > v->nrows - shown)
		first = v->nrows - shown;
	table_layout(c, 9, MARGIN, w);
	table_header(p, c, 9, MARGIN, y, w);
	for (unsigned i = first; i < v->nrows && i < first + shown; i++) {
		y += ROW;
		table_stripe(p, MARGIN, y, w, i);
		if (v->row[i].id == selected) {
			pen_alpha(p, p->pal->accent, 0.18);
			cairo_rectangle(p->cr, MARGIN, y, w, ROW);
			cairo_fill(p->cr);
			pen_fill(p, MARGIN, y, 3, ROW, p->pal->accent);
		}
		event_cells(p, c, &v->row[i], y);
		pen_hit(p, HIT_EVENT, v->row[i].id, MARGIN, y, w, ROW);
	}
	return h;
}

void frame_place(const struct frame *f, char *buf, size_t size)
{
	const char *slash = strrchr(*f->file ? f->file : f->module, '/');
	const char *name = slash ? slash + 1 : *f->file ? f->file : f->module;

	if (*f->file)
		snprintf(buf, size, "%.200s:%d", name, f->line);
	else if (*name)
		snprintf(buf, size, "%.200s+0x%llx", name, (unsigned long long)f->offset);
	else
		*buf = 0;
}

static void stack_card(struct pen *p, const struct model_stack *s, const char *title, double x,
		       double y, double w, double h)
{
	double at = y + 34;
	char place[256];

	pen_card(p, x, y, w, h);
	pen_text(p, STYLE_HEADING, ALIGN_LEFT, x + 12, y + 9, w / 2, p->pal->text, title);
	if (!s->event) {
		pen_text(p, STYLE_BODY, ALIGN_LEFT, x + 12, at, w - 24, p->pal->dim,
			 _("None: not freed within this recording, or not an allocation."));
		return;
	}
	pen_textf(p, STYLE_BODY, ALIGN_RIGHT, x + w - 12, y + 10, w / 2, p->pal->dim,
		  _("%s · event %s · %s"), event_name(s->row.kind), fmt_count(s->event).s,
		  fmt_time(s->row.t_ns).s);
	if (!s->n)
		pen_text(p, STYLE_BODY, ALIGN_LEFT, x + 12, at, w - 24, p->pal->dim,
			 _("No backtrace was recorded for this event."));
	for (unsigned i = 0; i < s->n && at + LINE < y + h; i++, at += LINE) {
		double used;

		pen_textf(p, STYLE_SMALL, ALIGN_RIGHT, x + 28, at + 2, 0, p->pal->dim, "%u", i);
		frame_place(&s->frame[i], place, sizeof(place));
		used = pen_text(p, STYLE_SMALL, ALIGN_RIGHT, x + w - 12, at + 2, w * 0.45,
				p->pal->dim, place);
		pen_text(p, STYLE_BODY, ALIGN_LEFT, x + 36, at, w - 60 - used, p->pal->text,
			 s->frame[i].function);
	}
}

void draw_events(cairo_t *cr, const struct view_model *v, const struct viewport *vp,
		 const struct palette *pal)
{
	struct pen p;
	double y, w = vp->width - 2 * MARGIN, h, half;

	pen_begin(&p, cr, v, vp, pal, _("Events"), &y);
	if (!v->nrows) {
		pen_empty(&p, y, _("No events"), _("The recording holds no event here."));
		pen_end(&p);
		return;
	}
	h = vp->height - y - 12;
	rows_table(&p, y - 4, w, h * 0.6);
	y += h * 0.6;
	half = (w - 12) / 2;
	stack_card(&p, &v->stack, "Backtrace", MARGIN, y, half, vp->height - y - 12);
	stack_card(&p, &v->other, "Matching event", MARGIN + half + 12, y, half,
		   vp->height - y - 12);
	pen_end(&p);
}
