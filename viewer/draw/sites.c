// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Call sites: allocating functions by cost, each with the chain of its costliest callers.
#include <stdio.h>

#include "flame.h"

enum {
	MOST_SITES = 1000,
	CHAIN = 4
};

static void chain_of(const struct calltree *t, uint32_t id, enum cost by, char *buf, size_t size)
{
	size_t len = 0;

	*buf = 0;
	for (unsigned i = 0; i < CHAIN && len < size; i++) {
		uint32_t caller;

		if (!calltree_children(t, id, by, &caller, 1))
			return;
		len += (size_t)snprintf(buf + len, size - len, "← %.60s ",
					calltree_name(t, caller));
		id = caller;
	}
}

static void row(struct pen *p, const struct column *c, uint32_t id, double y)
{
	static const enum cost order[] = {COST_PEAK, COST_CALLS, COST_BYTES, COST_LIVE,
					  COST_TEMPORARY};
	const struct calltree *t = p->v->callers;
	const struct call_node *n = calltree_node(t, id);
	char chain[300];

	table_cell(p, &c[0], y, STYLE_BODY, p->pal->text, calltree_name(t, id));
	chain_of(t, id, p->vp->cost, chain, sizeof(chain));
	table_cell(p, &c[1], y, STYLE_SMALL, p->pal->dim, chain);
	for (unsigned i = 0; i < 5; i++)
		table_cell(p, &c[2 + i], y, STYLE_BODY,
			   order[i] == p->vp->cost ? p->pal->text : p->pal->dim,
			   fmt_count(n->cost[order[i]]).s);
}

void draw_sites(cairo_t *cr, const struct view_model *v, const struct viewport *vp,
		const struct palette *pal)
{
	struct column c[] = {
		{"function", 0, 2, ALIGN_LEFT, 0},	{"costliest callers", 0, 2, ALIGN_LEFT, 0},
		{"peak bytes", 100, 0, ALIGN_RIGHT, 0}, {"calls", 80, 0, ALIGN_RIGHT, 0},
		{"bytes", 110, 0, ALIGN_RIGHT, 0},	{"live at end", 90, 0, ALIGN_RIGHT, 0},
		{"temporary", 80, 0, ALIGN_RIGHT, 0},
	};
	uint32_t site[MOST_SITES];
	double y, at, w = vp->width - 2 * MARGIN;
	unsigned n = v->callers ? calltree_children(v->callers, 0, vp->cost, site, MOST_SITES) : 0;
	struct pen p;

	pen_begin(&p, cr, v, vp, pal, _("Call sites"), &y);
	if (!n) {
		pen_empty(&p, y, _("No call sites"),
			  _("Nothing was allocated, the recording was made with --frames=0, "
			    "or it is not finished."));
		pen_end(&p);
		return;
	}
	table_layout(c, 7, MARGIN, w);
	table_header(&p, c, 7, MARGIN, y, w);
	y += ROW;
	at = pen_pane_begin(&p, 0, 0, y, vp->width, vp->height - y);
	for (unsigned i = 0; i < n; i++, at += ROW) {
		if (at + ROW < y || at > vp->height)
			continue;
		table_stripe(&p, MARGIN, at, w, i);
		row(&p, c, site[i], at);
		pen_hit(&p, HIT_SITE, site[i], MARGIN, at, w, ROW);
	}
	pen_pane_end(&p, 0, n * ROW);
	pen_end(&p);
}
