// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "map_cells.h"

#include <glib.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../../core/event.h"
#include "page_range.h"

enum { // the categories all sorts of colours begin with
	CELL_HOLE,
	CELL_FREE,
	CELL_NOTHING, // nothing is known of it that this sort of colours shows
	CELL_REST,    // caches and call sites without a colour of their own
	CELL_FIRST,
	AGES = 7,
};

static void add(struct map_cells *c, unsigned category, struct rgb colour, const char *name)
{
	c->colour[category] = colour;
	g_strlcpy(c->name[category], name, sizeof(c->name[category]));
	if (category >= c->n)
		c->n = category + 1;
}

static void add_common(struct map_cells *c, const struct palette *pal, const char *nothing)
{
	add(c, CELL_HOLE, pal->page[PS_HOLE], page_state_name(PS_HOLE));
	add(c, CELL_FREE, pal->page[PS_FREE], page_state_name(PS_FREE));
	add(c, CELL_NOTHING, pen_mix(pal->page[PS_RESERVED], pal->page[PS_FREE], 0.55), nothing);
}

static void begin_state(struct map_cells *c, const struct palette *pal)
{
	for (unsigned s = 0; s < PAGE_STATES; s++)
		add(c, s, pal->page[s], page_state_name(s));
}

// Free blocks from light to dark blue, used ones from light to dark orange.
static void begin_order(struct map_cells *c, const struct palette *pal)
{
	char name[32];

	add_common(c, pal, _("reserved"));
	strcpy(c->name[CELL_FREE], "");
	for (unsigned o = 0; o < MAX_ORDER; o++) {
		double part = 0.2 + 0.8 * o / (MAX_ORDER - 1);

		snprintf(name, sizeof(name), _("free, order %u"), o);
		add(c, CELL_FIRST + o, pen_mix(pal->card, pal->page[PS_VMALLOC], part), name);
		snprintf(name, sizeof(name), _("used, order %u"), o);
		add(c, CELL_FIRST + MAX_ORDER + o, pen_mix(pal->card, pal->page[PS_PAGES], part),
		    name);
	}
	memset(c->cache, CELL_NOTHING, sizeof(c->cache));
	for (unsigned i = 0; i < c->v->ncaches; i++)
		c->cache[c->v->cache[i].id] =
			(uint8_t)(CELL_FIRST + MAX_ORDER + c->v->cache[i].order);
}

static void begin_type(struct map_cells *c, const struct palette *pal)
{
	char name[48];

	add_common(c, pal, _("reserved"));
	strcpy(c->name[CELL_FREE], "");
	for (unsigned t = 0; t < MIGRATE_TYPES; t++) {
		snprintf(name, sizeof(name), _("%s, free"), migratetype_name(t));
		add(c, CELL_FIRST + t, pen_mix(pal->card, pal->migrate[t], 0.3), name);
		snprintf(name, sizeof(name), _("%s, used"), migratetype_name(t));
		add(c, CELL_FIRST + MIGRATE_TYPES + t, pal->migrate[t], name);
	}
}

static void begin_age(struct map_cells *c, const struct palette *pal)
{
	static const char *const name[AGES] = {N_("older"),	      N_("below 10,000,000 events"),
					       N_("below 1,000,000"), N_("below 100,000"),
					       N_("below 10,000"),    N_("below 1,000"),
					       N_("below 100 events")};

	add_common(c, pal, _("no block of the program"));
	for (unsigned a = 0; a < AGES; a++)
		add(c, CELL_FIRST + a,
		    pen_mix(pen_mix(pal->card, pal->page[PS_VMALLOC], 0.35), pal->page[PS_PAGES],
			    (double)a / (AGES - 1)),
		    _(name[a]));
}

// The largest have a colour each.
static void begin_named(struct map_cells *c, const struct palette *pal, const char *nothing)
{
	add_common(c, pal, nothing);
	add(c, CELL_REST, pen_mix(pal->page[PS_SLAB], pal->text, 0.4), _("all others"));
}

static void add_named(struct map_cells *c, const struct palette *pal, unsigned i, const char *name)
{
	static const enum page_state hue[MAP_NAMED] = {PS_PAGES,    PS_VMALLOC, PS_PAGECACHE,
						       PS_KMAP,	    PS_SLAB,	PS_PCP,
						       PS_RESERVED, PS_PGTABLE};

	add(c, CELL_FIRST + i, pal->page[hue[i]], name);
}

static void begin_cache(struct map_cells *c, const struct palette *pal)
{
	begin_named(c, pal, _("no slab"));
	memset(c->cache, CELL_REST, sizeof(c->cache));
	for (unsigned i = 0; i < c->v->ncaches && i < MAP_NAMED; i++) {
		add_named(c, pal, i, c->v->cache[i].name);
		c->cache[c->v->cache[i].id] = (uint8_t)(CELL_FIRST + i);
	}
}

static void begin_site(struct map_cells *c, const struct palette *pal)
{
	const struct holders *h = c->vp->holders;

	begin_named(c, pal, _("no block of the program"));
	for (unsigned i = 0; i < h->nsites && i < MAP_NAMED; i++)
		add_named(c, pal, i, h->sites[i + 1].function);
}

// ---- one frame ----

static unsigned site_cell(const struct map_cells *c, pfn_t pfn)
{
	unsigned site = c->vp->holders->site[pfn];

	return !site ? CELL_NOTHING : site <= MAP_NAMED ? CELL_FIRST + site - 1 : CELL_REST;
}

static unsigned age_cell(const struct map_cells *c, pfn_t pfn)
{
	uint64_t born = c->vp->holders->born[pfn], age = c->v->event - born, limit = 100;
	unsigned a = AGES - 1;

	if (!born || born > c->v->event)
		return CELL_NOTHING;
	while (a && age >= limit) {
		limit *= 10;
		a--;
	}
	return CELL_FIRST + a;
}

static unsigned order_cell(const struct map_cells *c, pfn_t pfn)
{
	const struct view_model *v = c->v;
	uint32_t first, last;

	switch (v->state[pfn]) {
	case PS_FREE:
		return CELL_FIRST + (v->owner[pfn] < MAX_ORDER ? v->owner[pfn] : 0);
	case PS_SLAB:
		return v->owner[pfn] < MAX_CACHES ? c->cache[v->owner[pfn]] : CELL_NOTHING;
	case PS_PAGES:
		model_block(v, pfn, &first, &last);
		for (unsigned o = MAX_ORDER - 1; o; o--)
			if (last - first + 1 > 1u << (o - 1))
				return CELL_FIRST + MAX_ORDER + o;
		return CELL_FIRST + MAX_ORDER;
	case PS_RESERVED:
		return CELL_NOTHING;
	default: // vmalloc, windows, page tables and per-CPU lists take page by page
		return CELL_FIRST + MAX_ORDER;
	}
}

static unsigned cell_of(const struct map_cells *c, pfn_t pfn)
{
	const struct view_model *v = c->v;
	enum page_state s = v->state[pfn];
	unsigned t = v->type[pfn] < MIGRATE_TYPES ? v->type[pfn] : 0;

	if (c->by == MAP_BY_STATE)
		return s;
	if (s == PS_HOLE)
		return CELL_HOLE;
	switch (c->by) {
	case MAP_BY_ORDER:
		return order_cell(c, pfn);
	case MAP_BY_TYPE:
		return s == PS_RESERVED ? CELL_NOTHING
		       : s == PS_FREE	? CELL_FIRST + t
					: CELL_FIRST + MIGRATE_TYPES + t;
	case MAP_BY_AGE:
		return s == PS_FREE ? CELL_FREE : age_cell(c, pfn);
	case MAP_BY_SITE:
		return s == PS_FREE ? CELL_FREE : site_cell(c, pfn);
	default:
		return s == PS_FREE				    ? CELL_FREE
		       : s == PS_SLAB && v->owner[pfn] < MAX_CACHES ? c->cache[v->owner[pfn]]
								    : CELL_NOTHING;
	}
}

// ---- what is pointed out ----

static void begin_pointing(struct map_cells *c)
{
	const struct map_focus *f = &c->vp->focus;
	const struct view_model *v = c->v;

	c->pointing = true;
	switch (f->kind) {
	case FOCUS_BLOCK:
		c->pointing = f->id < v->max_pfn;
		if (c->pointing)
			c->by_address = !model_block(v, (pfn_t)f->id, &c->first, &c->last);
		return;
	case FOCUS_SITE:
		c->site = c->vp->holders && f->id < v->max_pfn ? c->vp->holders->site[f->id] : 0;
		c->pointing = c->site > 0;
		return;
	case FOCUS_CACHE:
	case FOCUS_FREE_LIST:
	case FOCUS_CATEGORY:
		return;
	case FOCUS_PAGES:
		c->first = page_range_first(f->id);
		c->last = page_range_last(f->id);
		return;
	default:
		c->pointing = false;
	}
}

static bool in_free_list(const struct map_cells *c, pfn_t pfn)
{
	uint64_t list = c->vp->focus.id;
	const struct view_model *v = c->v;
	const struct model_zone *z = list >> 16 < v->nzones ? &v->zone[list >> 16] : NULL;

	return z && pfn >= z->start && pfn < z->end && v->state[pfn] == PS_FREE &&
	       v->owner[pfn] == (list >> 8 & 255) && v->type[pfn] == (list & 255);
}

static bool pointed(const struct map_cells *c, pfn_t pfn, unsigned cell)
{
	const struct view_model *v = c->v;

	switch (c->vp->focus.kind) {
	case FOCUS_BLOCK:
		if (c->by_address)
			return v->state[pfn] == PS_VMALLOC && v->owner[pfn] >= c->first &&
			       v->owner[pfn] <= c->last;
		return pfn >= c->first && pfn <= c->last;
	case FOCUS_PAGES:
		return pfn >= c->first && pfn <= c->last;
	case FOCUS_CACHE:
		return v->state[pfn] == PS_SLAB && v->owner[pfn] == c->vp->focus.id;
	case FOCUS_SITE:
		return c->vp->holders->site[pfn] == c->site;
	case FOCUS_FREE_LIST:
		return in_free_list(c, pfn);
	default:
		return cell == c->vp->focus.id;
	}
}

bool map_cell_pointed(const struct map_cells *c, pfn_t pfn)
{
	return c->pointing && pfn < c->v->max_pfn && pointed(c, pfn, cell_of(c, pfn));
}

struct rgb map_cell_colour(const struct map_cells *c, pfn_t pfn)
{
	uint32_t pixel;
	uint8_t cell;

	map_cells_row(c, pfn, 1, &cell);
	pixel = c->table[cell];
	return (struct rgb){(pixel >> 16 & 255) / 255.0, (pixel >> 8 & 255) / 255.0,
			    (pixel & 255) / 255.0};
}

void map_cells_row(const struct map_cells *c, pfn_t from, uint32_t n, uint8_t *cell)
{
	if (c->by == MAP_BY_STATE)
		memcpy(cell, c->v->state + from, n);
	else
		for (uint32_t i = 0; i < n; i++)
			cell[i] = (uint8_t)cell_of(c, from + i);
	for (uint32_t i = 0; c->pointing && i < n; i++)
		if (cell[i] != CELL_HOLE && pointed(c, from + i, cell[i]))
			cell[i] = (uint8_t)(cell[i] + MAP_CATEGORIES);
}

static void count_cells(struct map_cells *c)
{
	const struct view_model *v = c->v;

	for (unsigned z = 0; z < v->nzones; z++)
		if (c->by == MAP_BY_STATE)
			for (unsigned s = 0; s < PAGE_STATES; s++)
				c->count[s] += v->zone[z].state[s];
		else
			for (pfn_t pfn = v->zone[z].start; pfn < v->zone[z].end; pfn++)
				c->count[cell_of(c, pfn)]++;
}

void map_cells_begin(struct map_cells *c, const struct view_model *v, const struct viewport *vp,
		     const struct palette *pal)
{
	bool held = vp->holders && vp->holders->max_pfn == v->max_pfn;
	static void (*const begin[MAP_COLOURS])(struct map_cells *, const struct palette *) = {
		begin_state, begin_order, begin_type, begin_age, begin_site, begin_cache};

	memset(c, 0, sizeof(*c));
	c->v = v;
	c->vp = vp;
	c->by = (vp->colour == MAP_BY_AGE || vp->colour == MAP_BY_SITE) && !held ? MAP_BY_STATE
										 : vp->colour;
	begin[c->by](c, pal);
	begin_pointing(c);
	for (unsigned i = 0; i < c->n; i++) {
		// what is not pointed out steps back
		c->table[i] = pen_argb(c->pointing ? pen_mix(c->colour[i], pal->background, 0.8)
						   : c->colour[i]);
		c->table[MAP_CATEGORIES + i] =
			i == CELL_FREE ? pen_argb(pal->accent) : pen_argb(c->colour[i]);
	}
	c->table[CELL_HOLE] = 0; // the hatches below show through
	count_cells(c);
}

unsigned map_cells_legend(const struct map_cells *c, struct legend *l)
{
	unsigned n = 0;

	for (unsigned i = 1; i <= c->n; i++) {
		unsigned at = i == c->n ? CELL_HOLE : i;

		if (!*c->name[at] || (!c->count[at] && (at == CELL_HOLE || c->by != MAP_BY_STATE)))
			continue;
		l[n] = (struct legend){.colour = c->colour[at],
				       .name = c->name[at],
				       .hatched = at == CELL_HOLE,
				       .toggle = at != CELL_HOLE,
				       .id = at,
				       .chosen = c->vp->focus.kind == FOCUS_CATEGORY &&
						 c->vp->focus.id == at};
		snprintf(l[n].value, sizeof(l[n].value), "%s", fmt_count(c->count[at]).s);
		n++;
	}
	return n;
}

// ---- pixels ----

static uint8_t greatest(const uint8_t *cell, unsigned n)
{
	uint8_t most = 0;

	for (unsigned i = 0; i < n; i++)
		if (cell[i] > most)
			most = cell[i];
	return most;
}

void map_convert(const uint8_t *cell, uint32_t n, unsigned per_cell, const uint32_t *table,
		 uint32_t *pixels)
{
	if (per_cell == 1) {
		for (uint32_t i = 0; i < n; i++)
			pixels[i] = table[cell[i]];
		return;
	}
	for (uint32_t i = 0; i < n; i += per_cell)
		*pixels++ = table[greatest(cell + i, n - i < per_cell ? n - i : per_cell)];
}

static const struct {
	const char *id, *name;
} colours[MAP_COLOURS] = {
	[MAP_BY_STATE] = {"state", N_("state")},
	[MAP_BY_ORDER] = {"order", N_("order of its block")},
	[MAP_BY_TYPE] = {"type", N_("migrate type")},
	[MAP_BY_AGE] = {"age", N_("age of its newest block")},
	[MAP_BY_SITE] = {"site", N_("call site")},
	[MAP_BY_CACHE] = {"cache", N_("slab cache")},
};

const char *map_colour_name(enum map_colour c)
{
	return c < MAP_COLOURS ? _(colours[c].name) : "?";
}

const char *map_colour_id(enum map_colour c)
{
	return c < MAP_COLOURS ? colours[c].id : NULL;
}

void map_describe(const struct view_model *v, const struct viewport *vp, uint64_t pfn, char *buf,
		  size_t size)
{
	const struct holders *h = vp->holders;
	size_t n = strlen(buf);

	if (pfn >= v->max_pfn || v->state[pfn] == PS_HOLE || n >= size)
		return;
	n += (size_t)snprintf(buf + n, size - n, "\n%s %s",
			      v->state[pfn] == PS_FREE ? "on the free list of" : "pageblock of",
			      migratetype_name(v->type[pfn]));
	if (!h || pfn >= h->max_pfn || !h->born[pfn] || n >= size)
		return;
	snprintf(buf + n, size - n, "\nnewest block: event %s, by %s", fmt_count(h->born[pfn]).s,
		 h->site[pfn] ? h->sites[h->site[pfn]].function : "?");
}
