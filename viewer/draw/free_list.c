// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "free_list.h"

#include <stdio.h>

#include "../../core/event.h"

enum {
	PAD = 14,
	HEAD = 30,
	CHIP = 78,
	CHIP_ROW = 22,
	FOOT = 10,
};

static unsigned columns(double w)
{
	unsigned n = (unsigned)((w - 2 * PAD) / CHIP);

	return n ? n : 1;
}

double free_list_height(const struct view_model *v, double w)
{
	unsigned n = columns(w);

	if (!v->has_list)
		return 0;
	return HEAD + (v->nfree ? (v->nfree + n - 1) / n : 1) * CHIP_ROW + FOOT;
}

static void chip(struct pen *p, pfn_t pfn, double x, double y)
{
	char text[16];

	pen_fill(p, x, y, CHIP - 6, CHIP_ROW - 5, p->pal->background);
	pen_frame(p, x, y, CHIP - 6, CHIP_ROW - 5, p->pal->migrate[p->v->list & 255]);
	snprintf(text, sizeof(text), "0x%x", pfn);
	pen_text(p, STYLE_MONO, ALIGN_CENTER, x + (CHIP - 6) / 2.0, y + 1, 0, p->pal->text, text);
	pen_hit(p, HIT_PAGE, pfn, x, y, CHIP - 6, CHIP_ROW - 5);
}

void free_list_card(struct pen *p, double x, double y, double w, double top, double bottom)
{
	const struct view_model *v = p->v;
	unsigned order = v->list >> 8 & 255, n = columns(w);
	uint32_t all = v->zone[v->list >> 16].blocks[order][v->list & 255];
	char left[64] = "";

	if (v->free_left_out)
		snprintf(left, sizeof(left), _(" · the first %s are shown"), fmt_count(v->nfree).s);
	pen_card(p, x, y, w, free_list_height(v, w));
	pen_textf(p, STYLE_BOLD, ALIGN_LEFT, x + PAD, y + 7, w - 2 * PAD, p->pal->text,
		  _("free_list of order %u, %s: %s %s%s%s"), order, migratetype_name(v->list & 255),
		  fmt_count(all).s, all == 1 ? "block" : "blocks",
		  v->nfree ? _(", first pfn of each, in the order of the list") : "", left);
	if (!v->nfree)
		pen_text(p, STYLE_BODY, ALIGN_LEFT, x + PAD, y + HEAD, 0, p->pal->dim,
			 _("– empty at this event"));
	for (unsigned i = 0; i < v->nfree; i++) {
		double row = y + HEAD + i / n * CHIP_ROW;

		if (row + CHIP_ROW > top && row < bottom)
			chip(p, v->free_block[i], x + PAD + i % n * CHIP, row);
	}
}
