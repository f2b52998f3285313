// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Step by step: the transitions of the current event as a list, the chosen one as a moving picture,
// in a sentence with its numbers, and as a lesson about the mechanism behind it.
#include <math.h>
#include <stdio.h>

#include "../explain_steps.h"
#include "../lessons.h"
#include "scene.h"

enum {
	LIST_W = 264,
	SCENE_H = 392,
};

struct box scene_between(struct box a, struct box b, double t)
{
	double s = t * t * (3 - 2 * t); // starts and ends slowly

	return (struct box){a.x + (b.x - a.x) * s, a.y + (b.y - a.y) * s, a.w + (b.w - a.w) * s,
			    a.h + (b.h - a.h) * s};
}

double scene_part(double t, double from, double to)
{
	double part = to > from ? (t - from) / (to - from) : 1;

	return part < 0 ? 0 : part > 1 ? 1 : part;
}

void scene_counter(const struct scene *c, struct box b, const char *label, uint32_t before,
		   uint32_t after)
{
	char text[64];

	pen_card(c->p, b.x, b.y, b.w, b.h);
	pen_text(c->p, STYLE_SMALL, ALIGN_LEFT, b.x + 10, b.y + 8, b.w - 16, c->p->pal->dim, label);
	if (before == after)
		snprintf(text, sizeof(text), "%s", fmt_count(after).s);
	else
		snprintf(text, sizeof(text), "%.24s → %.24s", fmt_count(before).s,
			 fmt_count(after).s);
	pen_text(c->p, STYLE_HEADING, ALIGN_LEFT, b.x + 10, b.y + 28, b.w - 16,
		 before == after ? c->p->pal->text : c->p->pal->accent, text);
}

void scene_block(const struct scene *c, struct box b, struct rgb colour, const char *text)
{
	pen_fill(c->p, b.x, b.y, b.w, b.h, colour);
	pen_frame(c->p, b.x, b.y, b.w, b.h, c->p->pal->background);
	if (text && b.w > 30)
		pen_text(c->p, STYLE_SMALL, ALIGN_CENTER, b.x + b.w / 2, b.y + b.h / 2 - 8, b.w - 4,
			 palette_contrast(c->p->pal->background, colour) > 4 ? c->p->pal->background
									     : c->p->pal->text,
			 text);
}

static void list_row(struct pen *p, const struct step *s, unsigned i, double y, bool chosen)
{
	if (chosen) {
		pen_alpha(p, p->pal->accent, 0.18);
		cairo_rectangle(p->cr, MARGIN, y, LIST_W, ROW);
		cairo_fill(p->cr);
		pen_fill(p, MARGIN, y, 3, ROW, p->pal->accent);
	}
	pen_textf(p, STYLE_SMALL, ALIGN_RIGHT, MARGIN + 26, y + 5, 0, p->pal->dim, "%u", i + 1);
	pen_text(p, STYLE_MONO, ALIGN_LEFT, MARGIN + 32, y + 4, LIST_W - (s->run > 1 ? 78 : 36),
		 p->pal->text, event_name(s->t.kind));
	if (s->run > 1)
		pen_textf(p, STYLE_SMALL, ALIGN_RIGHT, MARGIN + LIST_W - 4, y + 5, 0, p->pal->dim,
			  "×%s", fmt_count(s->run).s);
	pen_hit(p, HIT_STEP, i, MARGIN, y, LIST_W, ROW);
}

static void draw_list(struct pen *p, const struct steps *s, unsigned chosen, double y, double h)
{
	double at = pen_pane_begin(p, 0, MARGIN, y, LIST_W + 6, h);

	for (unsigned i = 0; i < s->n; i++)
		list_row(p, &s->step[i], i, at + i * ROW, i == chosen);
	if (s->left_out)
		pen_textf(p, STYLE_SMALL, ALIGN_LEFT, MARGIN + 32, at + s->n * ROW + 4, 0,
			  p->pal->dim, _("and %s more"), fmt_count(s->left_out).s);
	pen_pane_end(p, 0, (s->n + (s->left_out != 0)) * ROW);
}

static double draw_scene(struct pen *p, const struct step *s, double x, double y, double w)
{
	static scene_fn *const scene[] = {scene_buddy, scene_slab, scene_vmalloc, scene_kmap, NULL};
	static const double height[] = {SCENE_H, 218, 260, 200, 0};
	enum step_scene which = step_scene(&s->t);
	struct scene c = {p,
			  s,
			  x,
			  y,
			  w,
			  height[which],
			  p->vp->moment > 1 || p->vp->moment < 0 ? 1 : p->vp->moment};

	if (scene[which])
		scene[which](&c);
	return height[which];
}

static double paragraphs(struct pen *p, const char *text, double x, double y, double w)
{
	char part[1200];
	double start = y;

	while (*text) {
		size_t n = 0;

		while (text[n] && !(text[n] == '\n' && text[n + 1] == '\n'))
			n++;
		snprintf(part, sizeof(part), "%.*s", (int)n, text);
		y += pen_paragraph(p, STYLE_BODY, x, y, w, p->pal->text, part) + 8;
		text += n + (text[n] ? 2 : 0);
	}
	return y - start;
}

static double draw_words(struct pen *p, const struct step *s, double x, double y, double w)
{
	const struct lesson *l = lesson_of(s->t.kind);
	double start = y;

	if (!s->own)
		y += pen_paragraph(p, STYLE_BODY, x, y, w, p->pal->dim,
				   explain_meaning(s->t.kind)) +
		     14;
	if (!l)
		return y - start;
	pen_fill(p, x, y + 2, 4, 16, p->pal->accent);
	pen_text(p, STYLE_HEADING, ALIGN_LEFT, x + 12, y, w, p->pal->text, gettext(l->title));
	y += 28;
	return y - start + paragraphs(p, gettext(l->text), x + 12, y, w - 12);
}

void step_sentence(const struct view_model *v, const struct step *s, char *buf, size_t size)
{
	bool pop = s->t.kind == EV_T_KMALLOC || s->t.kind == EV_T_KMEM_CACHE_ALLOC;

	if (s->own)
		snprintf(buf, size,
			 pop ? "the program's object at 0x%08x was popped from CPU %u's array of "
			       "%s: %u were left"
			     : "the program's object at 0x%08x was pushed on CPU %u's array of %s: "
			       "%u are in it",
			 s->t.addr, s->t.cpu, explain_cache(v, s->t.cache).s, s->after.avail);
	else
		explain_step(v, &s->t, buf, size);
}

static void draw_chosen(struct pen *p, const struct steps *s, unsigned chosen, double x, double y,
			double w, double h)
{
	const struct step *o = &s->step[chosen];
	double at = pen_pane_begin(p, 1, x, y, w, h), start = at;
	char text[300];

	w -= 12;
	step_sentence(p->v, o, text, sizeof(text));
	pen_textf(p, STYLE_SMALL, ALIGN_RIGHT, x + w, at + 4, 0, p->pal->dim, _("step %u of %u"),
		  chosen + 1, s->n);
	pen_text(p, STYLE_TITLE, ALIGN_LEFT, x, at, w - 100, p->pal->text, event_name(o->t.kind));
	at += 30;
	at += pen_paragraph(p, STYLE_BODY, x, at, w, p->pal->text, text) + 12;
	at += draw_scene(p, o, x, at, w) + 12;
	at += draw_words(p, o, x, at, w);
	pen_pane_end(p, 1, at - start + 8);
}

void draw_steps(cairo_t *cr, const struct view_model *v, const struct viewport *vp,
		const struct palette *pal)
{
	const struct steps *s = v->steps;
	struct pen p;
	double y, x = MARGIN + LIST_W + 24;
	unsigned chosen;

	pen_begin(&p, cr, v, vp, pal, _("Step by step"), &y);
	if (!s || !s->n) {
		pen_empty(
			&p, y, _("Nothing to take apart"),
			v->event
				? "This event moved nothing in the machine: the host served it, or "
				  "it only marks that something happened."
				: "Before the first event there is only the booted machine. "
				  "Right steps to the first event.");
		pen_end(&p);
		return;
	}
	chosen = vp->step < s->n ? vp->step : s->n - 1;
	if (v->happened && v->happened->n)
		pen_text(&p, STYLE_BOLD, ALIGN_LEFT, MARGIN, y - 4, vp->width - 2 * MARGIN,
			 pal->text, v->happened->line[0].text);
	y += 20;
	draw_list(&p, s, chosen, y, vp->height - y - 8);
	draw_chosen(&p, s, chosen, x, y, vp->width - x - MARGIN + 12, vp->height - y - 8);
	pen_end(&p);
}
