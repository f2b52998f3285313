// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Flame graph: the program's entry at the bottom, callees above their callers, width = cost. What
// is zoomed to fills the width, with its callers as full rows below it. Inverted it hangs from the
// top, where the allocating functions are, callers still below what they call.
#include <math.h>
#include <stdio.h>

#include "flame.h"

enum {
	BAR = 20,
	MOST_CHILDREN = 1024,
	HEAD = 26,
	LEAST_SHARE = 1000 // of the width; narrower bars are left out
};

struct flame {
	struct pen *p;
	const struct calltree *t;
	double bottom, top; // y of the root's bar; bars above `top` are not drawn
	uint32_t zoomed, deepest;
	double width;  // of what is zoomed to
	bool left_out; // something is too narrow to be drawn
};

// The same function has the same shade everywhere.
static struct rgb shade(const struct flame *f, uint32_t id)
{
	const struct palette *pal = f->p->pal;
	uint32_t h = calltree_node(f->t, id)->name * 2654435761u;

	if (f->p->vp->search && calltree_matches(f->t, id, f->p->vp->search))
		return pen_mix(pal->card, pal->accent, pal->dark ? 0.75 : 0.6);
	return pen_mix(pal->card, h & 1 ? pal->page[PS_PAGES] : pal->page[PS_SLAB],
		       (pal->dark ? 0.25 : 0.3) + (h >> 8 & 15) / 60.0);
}

static void bar(const struct flame *f, uint32_t id, double x, double w)
{
	uint32_t depth = calltree_node(f->t, id)->depth;
	double y = f->p->vp->inverted ? f->top + 2 + depth * BAR - f->p->vp->scroll[0]
				      : f->bottom - depth * BAR;
	bool dim = depth < calltree_node(f->t, f->zoomed)->depth;
	struct pen *p = f->p;

	if (y + BAR < f->top || y > p->vp->height)
		return;
	pen_fill(p, x, y, fmax(1, w - 1), BAR - 1, dim ? p->pal->border : shade(f, id));
	pen_hit(p, HIT_CALL, id, x, y, fmax(1, w - 1), BAR - 1);
	if (w > 24)
		pen_text(p, STYLE_SMALL, ALIGN_LEFT, x + 4, y + 3, w - 8, p->pal->text,
			 calltree_name(f->t, id));
}

// Narrower than a pixel or 0.1 % nothing is drawn, so the recursion ends where the picture does.
static void subtree(struct flame *f, uint32_t id, double x, double w)
{
	enum cost by = f->p->vp->cost;
	uint64_t whole = calltree_node(f->t, id)->cost[by];
	uint32_t child[MOST_CHILDREN], depth = calltree_node(f->t, id)->depth;
	unsigned n;

	bar(f, id, x, w);
	if (depth > f->deepest)
		f->deepest = depth;
	n = whole ? calltree_children(f->t, id, by, child, MOST_CHILDREN) : 0;
	for (unsigned i = 0; i < n; i++) {
		double part = (double)calltree_node(f->t, child[i])->cost[by] / (double)whole * w;

		if (part < 1 || part * LEAST_SHARE < f->width) {
			f->left_out = true;
			break;
		}
		subtree(f, child[i], x, part);
		x += part;
	}
}

static struct text64 cost_text(uint64_t cost, enum cost by)
{
	return cost_is_bytes(by) ? fmt_bytes(cost) : fmt_count(cost);
}

bool call_describe(const struct calltree *t, uint64_t id, char *buf, size_t size)
{
	const struct call_node *n, *all;

	if (!t || id >= calltree_size(t))
		return false;
	n = calltree_node(t, (uint32_t)id);
	all = calltree_node(t, 0);
	snprintf(
		buf, size,
		"%.200s\npeak %s bytes (%s) · live at the end %s (%s)\n%s calls (%s), %s temporary "
		"· %s in all",
		calltree_name(t, (uint32_t)id), fmt_count(n->cost[COST_PEAK]).s,
		fmt_share(n->cost[COST_PEAK], all->cost[COST_PEAK]).s,
		fmt_count(n->cost[COST_LIVE]).s,
		fmt_share(n->cost[COST_LIVE], all->cost[COST_LIVE]).s,
		fmt_count(n->cost[COST_CALLS]).s,
		fmt_share(n->cost[COST_CALLS], all->cost[COST_CALLS]).s,
		fmt_count(n->cost[COST_TEMPORARY]).s, fmt_bytes(n->cost[COST_BYTES]).s);
	return true;
}

static void heading(struct flame *f, double y, double w)
{
	const struct viewport *vp = f->p->vp;
	const struct call_node *n = calltree_node(f->t, f->zoomed);
	uint64_t all = calltree_node(f->t, 0)->cost[vp->cost];
	double used;

	used = pen_textf(f->p, STYLE_BODY, ALIGN_LEFT, MARGIN, y, w * 0.6, f->p->pal->text,
			 _("Width: %s · %s%s%s"), cost_name(vp->cost), cost_text(all, vp->cost).s,
			 f->zoomed ? _(" · zoomed to ") : "",
			 f->zoomed ? calltree_name(f->t, f->zoomed) : "");
	if (f->zoomed)
		pen_textf(f->p, STYLE_BODY, ALIGN_LEFT, MARGIN + used + 8, y, w * 0.3,
			  f->p->pal->dim, "%s, %s", cost_text(n->cost[vp->cost], vp->cost).s,
			  fmt_share(n->cost[vp->cost], all).s);
	if (f->left_out && !(vp->search && *vp->search))
		pen_text(f->p, STYLE_SMALL, ALIGN_RIGHT, MARGIN + w, y + 2, w * 0.35,
			 f->p->pal->dim, _("bars below 0.1 % are left out"));
	if (vp->search && *vp->search) {
		uint64_t found = calltree_matching(f->t, vp->search, vp->cost);

		pen_textf(f->p, STYLE_BOLD, ALIGN_RIGHT, MARGIN + w, y, w * 0.35, f->p->pal->accent,
			  "“%s”: %s, %s", vp->search, cost_text(found, vp->cost).s,
			  fmt_share(found, all).s);
	}
}

static void ancestors(const struct flame *f, double w)
{
	for (uint32_t id = f->zoomed; id;) {
		id = calltree_node(f->t, id)->parent;
		bar(f, id, MARGIN, w);
	}
}

// Scrolled to 0 the entry is in view, at the bottom.
static void graph(struct flame *f, double y, double w, double h)
{
	struct pen *p = f->p;

	cairo_save(p->cr);
	cairo_rectangle(p->cr, 0, y, p->vp->width, h);
	cairo_clip(p->cr);
	f->top = y;
	f->bottom = y + h - BAR - 4 + p->vp->scroll[0];
	f->width = w;
	subtree(f, f->zoomed, MARGIN, w);
	ancestors(f, w);
	cairo_restore(p->cr);
	if (p->out) {
		p->out->pane[0] = (struct pane){0, y, p->vp->width, h, (f->deepest + 2) * BAR};
		p->out->npanes = 1;
	}
}

void draw_flame(cairo_t *cr, const struct view_model *v, const struct viewport *vp,
		const struct palette *pal)
{
	struct pen p;
	struct flame f = {.p = &p, .t = vp->calls ? vp->calls : v->calls};
	double y, w = vp->width - 2 * MARGIN;

	pen_begin(&p, cr, v, vp, pal, _("Flame graph"), &y);
	if (!f.t || calltree_size(f.t) < 2) {
		pen_empty(&p, y, _("No call stacks"),
			  _("Nothing was allocated, the recording was made with --frames=0, "
			    "or it is not finished."));
		pen_end(&p);
		return;
	}
	f.zoomed = vp->zoomed_call < calltree_size(f.t) ? vp->zoomed_call : 0;
	if (calltree_node(f.t, 0)->cost[vp->cost])
		graph(&f, y + HEAD, w, vp->height - y - HEAD);
	else
		pen_empty(&p, y, _("Nothing to show"), cost_name(vp->cost));
	heading(&f, y - 2, w);
	pen_end(&p);
}
