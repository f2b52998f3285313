// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// vmalloc: the areas on a bar of the whole address range, and as a table.
#include <stdio.h>
#include <string.h>

#include "pen.h"

enum {
	AREA_BAR = 34
};

static const char *area_kind(const struct model_area *a)
{
	if (a->va_flags & (VA_LAZY_FREE | VA_LAZY_FREEING))
		return "freed, not purged";
	if (a->vm_flags & VM_IOREMAP)
		return "ioremap";
	if (a->vm_flags & VM_MAP)
		return "vmap";
	if (a->vm_flags & VM_ALLOC)
		return "vmalloc";
	return a->va_flags & VA_VM_AREA ? "reserved" : "vmap_area";
}

static struct rgb area_colour(const struct palette *pal, const struct model_area *a)
{
	if (a->va_flags & (VA_LAZY_FREE | VA_LAZY_FREEING))
		return pal->page[PS_RESERVED];
	if (a->vm_flags & VM_IOREMAP)
		return pal->page[PS_KMAP];
	if (a->vm_flags & VM_MAP)
		return pal->page[PS_PAGECACHE];
	return pal->page[PS_VMALLOC];
}

static void flag_names(const struct model_area *a, char *buf, size_t size)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} flag[] = {{VM_IOREMAP, "ioremap"}, {VM_ALLOC, "vmalloc"}, {VM_MAP, "vmap"},
		    {VM_USERMAP, "user"},    {VM_VPAGES, "vpages"}, {VM_UNLIST, "unlist"}};
	size_t len = 0;

	*buf = 0;
	for (unsigned i = 0; i < sizeof(flag) / sizeof(*flag); i++)
		if (a->vm_flags & flag[i].bit)
			len += (size_t)snprintf(buf + len, size - len, "%s%s", len ? " " : "",
						flag[i].name);
}

static void address_bar(struct pen *p, double y, double w)
{
	const struct view_model *v = p->v;
	double span = (double)v->vmalloc_end - v->vmalloc_start, scale = w / (span > 0 ? span : 1);

	pen_fill(p, MARGIN, y, w, AREA_BAR, p->pal->page[PS_FREE]);
	for (unsigned i = 0; i < v->nareas; i++) {
		const struct model_area *a = &v->area[i];
		double x = MARGIN + ((double)a->start - v->vmalloc_start) * scale;
		double len = ((double)a->end - a->start) * scale;

		pen_fill(p, x, y, len < 1 ? 1 : len, AREA_BAR, area_colour(p->pal, a));
		if (len >
		    3) // the guard page's end of the area, so that neighbours do not run together
			pen_fill(p, x + len - 1, y, 1, AREA_BAR, p->pal->background);
		pen_hit(p, HIT_AREA, i, x - 1, y, len < 3 ? 3 : len, AREA_BAR);
	}
	pen_frame(p, MARGIN, y, w, AREA_BAR, p->pal->border);
	for (unsigned i = 0; i <= 4; i++) {
		double x = MARGIN + w * i / 4;
		enum text_align al = i == 0 ? ALIGN_LEFT : i == 4 ? ALIGN_RIGHT : ALIGN_CENTER;

		pen_line(p, x - (i == 4), y + AREA_BAR, x - (i == 4), y + AREA_BAR + 4,
			 p->pal->dim);
		pen_textf(p, STYLE_MONO, al, x, y + AREA_BAR + 5, 0, p->pal->dim, "0x%08x",
			  (unsigned)(v->vmalloc_start + span * i / 4));
	}
}

static void area_row(struct pen *p, const struct column *c, const struct model_area *a, double y)
{
	char text[96];
	bool guard = a->va_flags & VA_VM_AREA;

	pen_fill(p, c[0].x, y + 5, 4, 14, area_colour(p->pal, a));
	snprintf(text, sizeof(text), "0x%08x – 0x%08x", a->start, a->end);
	table_cell(p, &c[0], y, STYLE_MONO, p->pal->text, text);
	table_cell(p, &c[1], y, STYLE_BODY, p->pal->text, fmt_bytes(a->end - a->start).s);
	table_cell(p, &c[2], y, STYLE_BODY, p->pal->text, a->pages ? fmt_count(a->pages).s : "–");
	table_cell(p, &c[3], y, STYLE_BODY, p->pal->text, guard ? "1 page" : "–");
	table_cell(p, &c[4], y, STYLE_BODY, p->pal->text, area_kind(a));
	flag_names(a, text, sizeof(text));
	table_cell(p, &c[5], y, STYLE_BODY, p->pal->dim, text);
	if (a->vm_flags & VM_IOREMAP)
		snprintf(text, sizeof(text), "phys 0x%llx", (unsigned long long)a->phys);
	else
		snprintf(text, sizeof(text), "%s", *a->caller ? a->caller : "–");
	table_cell(p, &c[6], y, STYLE_BODY, p->pal->text, text);
}

static void area_table(struct pen *p, double y, double w)
{
	const struct view_model *v = p->v;
	bool tight =
		w < TIGHT; // then the caller needs the room of the flags, which say the kind again
	struct column c[] = {
		{"range", 204, 0, ALIGN_LEFT, 0},
		{"size", tight ? 74 : 90, 0, ALIGN_RIGHT, 0},
		{"pages", tight ? 60 : 70, 0, ALIGN_RIGHT, 0},
		{"guard", tight ? 60 : 70, 0, ALIGN_RIGHT, 0},
		{"kind", tight ? 76 : 130, 0, ALIGN_LEFT, 0},
		{tight ? "" : "flags", 0, tight ? 0 : 1, ALIGN_LEFT, 0},
		{"caller", 0, 2, ALIGN_LEFT, 0},
	};
	double h = p->vp->height - y - 10, at;

	table_layout(c, 7, MARGIN, w);
	table_header(p, c, 7, MARGIN, y, w);
	at = pen_pane_begin(p, 0, MARGIN, y + ROW, w, h - ROW);
	for (unsigned i = 0; i < v->nareas; i++, at += ROW) {
		if (at + ROW < y || at > y + h)
			continue;
		table_stripe(p, MARGIN, at, w, i);
		area_row(p, c, &v->area[i], at);
		if (at >= y)
			pen_hit(p, HIT_AREA, i, MARGIN, at, w, ROW);
	}
	pen_pane_end(p, 0, (double)v->nareas * ROW);
}

static double kinds_legend(struct pen *p, double y, double w)
{
	struct legend l[] = {{p->pal->page[PS_VMALLOC], "vmalloc", "", false},
			     {p->pal->page[PS_PAGECACHE], "vmap", "", false},
			     {p->pal->page[PS_KMAP], "ioremap", "", false},
			     {p->pal->page[PS_RESERVED], "freed, not purged", "", false},
			     {p->pal->page[PS_FREE], "free", "", false}};
	unsigned count[4] = {0};

	for (unsigned i = 0; i < p->v->nareas; i++)
		for (unsigned k = 0; k < 4; k++)
			count[k] += !strcmp(area_kind(&p->v->area[i]), l[k].name);
	for (unsigned k = 0; k < 4; k++)
		snprintf(l[k].value, sizeof(l[k].value), "%u", count[k]);
	return pen_legend(p, MARGIN, y, w, l, 5);
}

void draw_vmalloc(cairo_t *cr, const struct view_model *v, const struct viewport *vp,
		  const struct palette *pal)
{
	struct pen p;
	double y, w = vp->width - 2 * MARGIN;
	uint64_t used = model_vmalloc_used(v), span = v->vmalloc_end - v->vmalloc_start;

	pen_begin(&p, cr, v, vp, pal, _("vmalloc"), &y);
	pen_textf(&p, STYLE_BODY, ALIGN_LEFT, MARGIN, y - 4, w, pal->dim,
		  _("%u areas · %s of %s (%s), guard pages included · lazily freed %s"), v->nareas,
		  fmt_bytes(used).s, fmt_bytes(span).s, fmt_share(used, span).s,
		  fmt_pages(v->lazy_pages).s);
	y += 20;
	y += kinds_legend(&p, y, w) + 2;
	address_bar(&p, y, w);
	y += AREA_BAR + 32;
	if (v->nareas)
		area_table(&p, y, w);
	else
		pen_empty(&p, y, _("No vmalloc yet at this event"),
			  _("Areas appear when a block larger than kmalloc serves is mapped."));
	pen_end(&p);
}
