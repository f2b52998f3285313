// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Boot, stage by stage: what the firmware says, what memblock makes of it, the zones, the hand-over
// to the page allocator, and the kernel's log.
#include <math.h>
#include <stdio.h>

#include "pen.h"

enum {
	LIST_W = 220,
	BAR_H = 44
};

static const struct {
	const char *title, *text;
} stages[BOOT_STAGES] = {
	{N_("Firmware's map"),
	 N_("Before anything else the kernel asks the firmware where RAM is (e820). The ranges may "
	    "overlap and come in any order; the kernel sorts them and lets the more cautious type win. "
	    "Then it takes two ranges away for good: the first 64 KiB and the BIOS area from 640 KiB to "
	    "1 MiB.")},
	{N_("memblock: memory"),
	 N_("The usable ranges become memblock's list of memory: sorted, disjoint, neighbours merged. "
	    "memblock is the allocator of early boot. It knows ranges, not pages, and it has no idea "
	    "of freeing for reuse beyond taking a range off a list.")},
	{N_("memblock: reserved"),
	 N_("What must not be given away is on a second list: the kernel's image, the page tables of "
	    "the direct map, and then everything that is allocated before there is a page allocator, "
	    "from the top of lowmem down: mem_map (one struct page of 32 bytes for each frame), the "
	    "bits of the pageblocks, per-CPU areas, hash tables.")},
	{N_("Zones"),
	 N_("Frames are divided by what can reach them. DMA: the first 16 MiB, for old devices. "
	    "Normal: what the kernel maps at all times. HighMem: the rest, which it sees only through "
	    "windows. Each zone has its own free lists, watermarks and per-CPU lists.")},
	{N_("Hand-over"),
	 N_("Memory minus reserved is handed to the page allocator range by range, in the largest "
	    "aligned blocks that fit, so most of it starts as blocks of 4 MiB on free_area[10]. From "
	    "here on memblock is history, and event 0 is the state you see.")},
	{N_("Boot log"), N_("What the kernel prints about memory while it boots.")},
};

static double phys_x(const struct view_model *v, double x, double w, uint64_t phys)
{
	double part = (double)phys / ((double)v->max_pfn * PAGE_SIZE);

	return x + w * (part > 1 ? 1 : part);
}

static void range_bar(struct pen *p, double x, double y, double w, uint64_t from, uint64_t to,
		      struct rgb colour)
{
	double a = phys_x(p->v, x, w, from), b = phys_x(p->v, x, w, to);

	pen_fill(p, a, y, fmax(2, b - a), BAR_H, colour);
}

static void bar_frame(struct pen *p, double x, double y, double w)
{
	pen_frame(p, x, y, w, BAR_H, p->pal->border);
	pen_text(p, STYLE_SMALL, ALIGN_LEFT, x, y + BAR_H + 3, 0, p->pal->dim, "0");
	pen_text(p, STYLE_SMALL, ALIGN_RIGHT, x + w, y + BAR_H + 3, 0, p->pal->dim,
		 fmt_bytes((uint64_t)p->v->max_pfn << PAGE_SHIFT).s);
}

static double range_row(struct pen *p, double x, double y, double w, uint64_t from, uint64_t to,
			const char *what, struct rgb colour)
{
	double used;

	pen_fill(p, x, y + 5, 10, 12, colour);
	used = pen_textf(p, STYLE_MONO, ALIGN_LEFT, x + 18, y + 3, 0, p->pal->text,
			 "0x%09llx – 0x%09llx", (unsigned long long)from,
			 (unsigned long long)to - 1);
	pen_text(p, STYLE_BODY, ALIGN_LEFT, x + 18 + used + 16, y + 3, w - used - 34 - 76,
		 p->pal->dim, what);
	pen_text(p, STYLE_BODY, ALIGN_RIGHT, x + w, y + 3, 0, p->pal->text, fmt_bytes(to - from).s);
	return ROW;
}

static double stage_firmware(struct pen *p, double x, double y, double w)
{
	static const char *const type[] = {"?",		"usable",   "reserved",
					   "ACPI data", "ACPI NVS", "unusable"};
	const struct e820map *map = &p->v->boot->map;
	double start = y;

	for (unsigned i = 0; i < map->nr_map && i < E820MAX; i++)
		range_bar(p, x, y, w, map->map[i].addr, map->map[i].addr + map->map[i].size,
			  map->map[i].type == E820_RAM ? p->pal->page[PS_PAGECACHE]
						       : p->pal->page[PS_RESERVED]);
	bar_frame(p, x, y, w);
	y += BAR_H + 28;
	for (unsigned i = 0; i < map->nr_map && i < E820MAX; i++)
		y += range_row(p, x, y, w, map->map[i].addr, map->map[i].addr + map->map[i].size,
			       map->map[i].type < 6 ? type[map->map[i].type] : "?",
			       map->map[i].type == E820_RAM ? p->pal->page[PS_PAGECACHE]
							    : p->pal->page[PS_RESERVED]);
	return y - start;
}

static double stage_regions(struct pen *p, const struct memblock_type *t, struct rgb colour,
			    double x, double y, double w)
{
	double start = y;

	for (unsigned i = 0; i < t->cnt && i < MEMBLOCK_REGIONS_MAX; i++)
		range_bar(p, x, y, w, t->regions[i].base,
			  (uint64_t)t->regions[i].base + t->regions[i].size, colour);
	bar_frame(p, x, y, w);
	y += BAR_H + 28;
	for (unsigned i = 0; i < t->cnt && i < MEMBLOCK_REGIONS_MAX; i++)
		if (t->regions[i].size)
			y += range_row(p, x, y, w, t->regions[i].base,
				       (uint64_t)t->regions[i].base + t->regions[i].size, "",
				       colour);
	pen_textf(p, STYLE_BOLD, ALIGN_RIGHT, x + w, y + 3, 0, p->pal->text, _("%s in all"),
		  fmt_bytes(t->total_size).s);
	return y + ROW - start;
}

static double stage_zones(struct pen *p, double x, double y, double w)
{
	const struct view_model *v = p->v;
	double start = y;

	for (unsigned i = 0; i < v->nzones; i++)
		range_bar(p, x, y, w, (uint64_t)v->zone[i].start << PAGE_SHIFT,
			  (uint64_t)v->zone[i].end << PAGE_SHIFT, p->pal->zone[i]);
	bar_frame(p, x, y, w);
	y += BAR_H + 28;
	for (unsigned i = 0; i < v->nzones; i++) {
		char what[96];

		snprintf(what, sizeof(what), "%s · present %.40s", v->zone[i].name,
			 fmt_pages(v->zone[i].present).s);
		y += range_row(p, x, y, w, (uint64_t)v->zone[i].start << PAGE_SHIFT,
			       (uint64_t)v->zone[i].end << PAGE_SHIFT, what, p->pal->zone[i]);
	}
	return y - start;
}

// Free at hand-over: memory without what was reserved then, which no later event changes.
static double stage_handover(struct pen *p, double x, double y, double w)
{
	const struct memblock *mb = &p->v->boot->memblock;
	uint64_t cursor = 0, sum = 0;
	uint32_t from, to;
	double start = y, bar = y;

	bar_frame(p, x, y, w);
	y += BAR_H + 28;
	while (memblock_next_free(mb, &cursor, &from, &to) && to > from) {
		range_bar(p, x, bar, w, from, to, p->pal->page[PS_PAGES]);
		y += range_row(p, x, y, w, from, to, "given to the free lists",
			       p->pal->page[PS_PAGES]);
		sum += to - from;
	}
	pen_textf(p, STYLE_BOLD, ALIGN_RIGHT, x + w, y + 3, 0, p->pal->text, _("%s free"),
		  fmt_bytes(sum).s);
	pen_text(p, STYLE_BODY, ALIGN_LEFT, x, y + 3, 0, p->pal->accent,
		 _("Show the machine as it is now, at event 0"));
	pen_hit(p, HIT_EVENT, 0, x, y, w * 0.6, ROW);
	return y + ROW - start;
}

static double stage_log(struct pen *p, double x, double y, double w)
{
	const char *text = p->v->boot->log;
	double start = y;
	char line[256];

	while (*text) {
		size_t n = 0;

		while (text[n] && text[n] != '\n')
			n++;
		snprintf(line, sizeof(line), "%.*s", (int)n, text);
		pen_text(p, STYLE_MONO, ALIGN_LEFT, x, y, w, p->pal->text, line);
		y += 16;
		text += n + (text[n] != 0);
	}
	return y - start;
}

static double draw_stage(struct pen *p, unsigned stage, double x, double y, double w)
{
	const struct memblock *mb = &p->v->boot->memblock;

	switch (stage) {
	case 0:
		return stage_firmware(p, x, y, w);
	case 1:
		return stage_regions(p, &mb->memory, p->pal->page[PS_PAGECACHE], x, y, w);
	case 2:
		return stage_regions(p, &mb->reserved, p->pal->page[PS_RESERVED], x, y, w);
	case 3:
		return stage_zones(p, x, y, w);
	case 4:
		return stage_handover(p, x, y, w);
	default:
		return stage_log(p, x, y, w);
	}
}

static void draw_list(struct pen *p, unsigned chosen, double y)
{
	for (unsigned i = 0; i < BOOT_STAGES; i++, y += 30) {
		if (i == chosen) {
			pen_alpha(p, p->pal->accent, 0.18);
			cairo_rectangle(p->cr, MARGIN, y, LIST_W, 28);
			cairo_fill(p->cr);
			pen_fill(p, MARGIN, y, 3, 28, p->pal->accent);
		}
		pen_textf(p, i == chosen ? STYLE_BOLD : STYLE_BODY, ALIGN_LEFT, MARGIN + 12, y + 6,
			  LIST_W - 16, p->pal->text, "%u  %s", i + 1, gettext(stages[i].title));
		pen_hit(p, HIT_BOOT, i, MARGIN, y, LIST_W, 28);
	}
}

void draw_boot(cairo_t *cr, const struct view_model *v, const struct viewport *vp,
	       const struct palette *pal)
{
	unsigned stage = vp->step < BOOT_STAGES ? vp->step : BOOT_STAGES - 1;
	double y, x = MARGIN + LIST_W + 24, w = vp->width - MARGIN - LIST_W - 24 - MARGIN, at,
		  start;
	struct pen p;

	pen_begin(&p, cr, v, vp, pal, _("Boot"), &y);
	if (!v->boot) {
		pen_empty(&p, y, _("No boot"),
			  _("The machine's configuration is not in this model."));
		pen_end(&p);
		return;
	}
	draw_list(&p, stage, y);
	start = at = pen_pane_begin(&p, 0, x, y, w + 8, vp->height - y - 8);
	pen_text(&p, STYLE_TITLE, ALIGN_LEFT, x, at, w, pal->text, gettext(stages[stage].title));
	at += 30;
	at += pen_paragraph(&p, STYLE_BODY, x, at, w, pal->text, gettext(stages[stage].text)) + 16;
	at += draw_stage(&p, stage, x, at, w);
	pen_pane_end(&p, 0, at - start + 12);
	pen_end(&p);
}
