// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Processes: a bar per image over time. A fork branches off its parent's bar, for the child's machine
// begins as a copy of the parent's; an exec begins a new bar, for the new image gets a new machine.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "pen.h"

enum {
	LANE = 46,
	INDENT = 18,
	AXIS_H = 26,
	MOST_DEPTH = 12
};

struct tree { // rows in the order they are drawn
	unsigned n;
	unsigned row[MODEL_PROCESSES], depth[MODEL_PROCESSES];
	unsigned at[MODEL_PROCESSES]; // row of model->process[i]
};

static void place(const struct view_model *v, struct tree *t, int parent, unsigned depth)
{
	for (unsigned i = 0; i < v->nprocesses && t->n < MODEL_PROCESSES; i++) {
		if (v->processes[i].parent != parent || t->at[i] != UINT32_MAX)
			continue;
		t->at[i] = t->n;
		t->depth[t->n] = depth;
		t->row[t->n++] = i;
		if (depth < 200)
			place(v, t, v->processes[i].process, depth + 1);
	}
}

// Whoever's parent is not in the recording (or, in a damaged one, its own child) is a root as well.
static void build(const struct view_model *v, struct tree *t)
{
	t->n = 0;
	for (unsigned i = 0; i < v->nprocesses; i++)
		t->at[i] = UINT32_MAX;
	place(v, t, 0, 0);
	for (unsigned i = 0; i < v->nprocesses; i++)
		if (t->at[i] == UINT32_MAX) {
			t->at[i] = t->n;
			t->depth[t->n] = 0;
			t->row[t->n++] = i;
		}
}

struct lanes {
	double x, w, y;
	uint64_t duration;
};

static double time_x(const struct lanes *l, uint64_t ns)
{
	double part = l->duration ? (double)ns / (double)l->duration : 0;

	return l->x + l->w * (part > 1 ? 1 : part);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static const char *how_text(const struct process_info *p)
{
	static const char *const how[] = {"first program", "fork", "exec"};

	return p->how >= 0 && p->how <= 2 ? how[p->how] : "?";
}

// From the parent's bar down to the child's: round for a fork, straight for an exec.
static void branch(struct pen *p, const struct lanes *l, const struct tree *t, unsigned row)
{
	const struct process_info *c = &p->v->processes[t->row[row]];
	double x = time_x(l, c->start_ns), y = l->y + row * LANE + LANE - 13, from;
	unsigned parent;

	for (parent = 0; parent < p->v->nprocesses; parent++)
		if (p->v->processes[parent].process == c->parent)
			break;
	if (parent == p->v->nprocesses || t->at[parent] >= row)
		return;
	from = l->y + t->at[parent] * LANE + LANE - 13;
	pen_colour(p, c->how == 1 ? p->pal->accent : p->pal->warn);
	cairo_set_line_width(p->cr, 2);
	cairo_move_to(p->cr, x, from);
	if (c->how == 1)
		cairo_curve_to(p->cr, x - 14, from + (y - from) * 0.4, x - 14, y, x, y);
	else
		cairo_line_to(p->cr, x, y);
	cairo_stroke(p->cr);
	cairo_arc(p->cr, x, from, 3.5, 0, 2 * M_PI);
	cairo_fill(p->cr);
}

static void lane(struct pen *p, const struct lanes *l, const struct tree *t, unsigned row)
{
	const struct process_info *o = &p->v->processes[t->row[row]];
	unsigned depth = t->depth[row] < MOST_DEPTH ? t->depth[row] : MOST_DEPTH;
	double y = l->y + row * LANE, from = time_x(l, o->start_ns);
	double to = time_x(l, o->end_ns > o->start_ns ? o->end_ns : l->duration);
	bool shown = o->process == p->v->process;
	double used;

	if (shown) {
		pen_alpha(p, p->pal->accent, 0.14);
		cairo_rectangle(p->cr, MARGIN, y, p->vp->width - 2 * MARGIN, LANE - 2);
		cairo_fill(p->cr);
		pen_fill(p, MARGIN, y, 3, LANE - 2, p->pal->accent);
	}
	used = pen_textf(p, STYLE_SMALL, ALIGN_RIGHT, p->vp->width - MARGIN - 8, y + 6, 0,
			 p->pal->dim, _("%s, pid %d · %s events"), how_text(o), o->pid,
			 fmt_count(o->events).s);
	pen_textf(p, shown ? STYLE_BOLD : STYLE_BODY, ALIGN_LEFT, MARGIN + 10 + depth * INDENT,
		  y + 4, p->vp->width - 2 * MARGIN - 34 - used - depth * INDENT, p->pal->text,
		  "%d · %s · %s", o->process, base_name(o->exe), *o->argv ? o->argv : o->exe);
	pen_fill(p, from, y + LANE - 18, fmax(3, to - from), 10,
		 shown ? p->pal->accent : p->pal->page[PS_RESERVED]);
	pen_hit(p, HIT_PROCESS, (uint64_t)o->process, MARGIN, y, p->vp->width - 2 * MARGIN, LANE);
}

static void time_axis(struct pen *p, const struct lanes *l, double y)
{
	for (unsigned i = 0; i <= 4; i++)
		pen_text(p, STYLE_SMALL,
			 i == 0	  ? ALIGN_LEFT
			 : i == 4 ? ALIGN_RIGHT
				  : ALIGN_CENTER,
			 l->x + l->w * i / 4, y, 0, p->pal->dim,
			 fmt_time((int64_t)(l->duration / 4 * i)).s);
}

void draw_processes(cairo_t *cr, const struct view_model *v, const struct viewport *vp,
		    const struct palette *pal)
{
	struct tree t;
	struct pen p;
	double y, x;
	struct lanes l = {MARGIN + 10, vp->width - 2 * MARGIN - 20, 0, v->duration_ns};

	pen_begin(&p, cr, v, vp, pal, _("Processes"), &y);
	if (!v->nprocesses) {
		pen_empty(&p, y, _("No process"), _("The recording holds none."));
		pen_end(&p);
		return;
	}
	build(v, &t);
	pen_textf(
		&p, STYLE_BODY, ALIGN_LEFT, MARGIN, y - 4, vp->width - 2 * MARGIN, pal->dim,
		v->nprocesses == 1
			? "One process. Programs that fork or exec show their children here."
			: "%u processes. Choose one to see its machine; Ctrl+N opens a second window to "
			  "compare.",
		v->nprocesses);
	y += 20;
	time_axis(&p, &l, y);
	y += AXIS_H;
	l.y = pen_pane_begin(&p, 0, 0, y, vp->width, vp->height - y - 8);
	x = time_x(&l, v->t_ns > 0 ? (uint64_t)v->t_ns : 0);
	for (unsigned i = 0; i < t.n; i++) {
		lane(&p, &l, &t, i);
		pen_fill(&p, x - 1, l.y + i * LANE + LANE - 24, 2, 22, pal->focus);
	}
	for (unsigned i = 0; i < t.n; i++)
		branch(&p, &l, &t, i);
	pen_pane_end(&p, 0, t.n * LANE);
	pen_end(&p);
}
