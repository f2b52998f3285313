// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Drawing: every view as a function of (cairo context, model, viewport, palette), no display.
//
// The functions fill the whole viewport, background included. What they laid out goes into
// viewport->out when that is given: the height of each scrolling pane, and `hits`, the rectangles a
// pointer can name. A hit may be a grid: many cells of equal size counted row by row, so that a map
// of a million frames is one entry.
#pragma once

#include <cairo.h>

#include "../holders.h"
#include "../model.h"

struct rgb {
	double r, g, b;
};

struct palette {
	bool dark;
	struct rgb background, card, border, text, dim, accent, warn, bad, focus;
	struct rgb page[PAGE_STATES]; // colour-blind-safe; free against each other >= 3:1
	struct rgb object[OBJECT_STATES];
	struct rgb migrate[MIGRATE_TYPES];
	struct rgb zone[MAX_NR_ZONES];
};

const struct palette *palette_get(bool dark);
const struct palette *
palette_get_contrast(bool dark);		     // for the desktop's high contrast; one thread
double palette_contrast(struct rgb a, struct rgb b); // WCAG ratio, 1..21

enum hit_kind {
	HIT_NONE,
	HIT_PAGE,      // id: pfn
	HIT_PAGES,     // id: as page_range(); drawn nowhere, picked on the map
	HIT_ZONE,      // id: index in model->zone
	HIT_FREE_AREA, // id: zone << 16 | order << 8 | migratetype
	HIT_PCP,       // id: zone << 8 | cpu
	HIT_CACHE,     // id: cache id
	HIT_SORT,      // id: column of the slab table
	HIT_OBJECT,    // id: slab << 16 | object
	HIT_AREA,      // id: index in model->area
	HIT_KMAP,      // id: slot
	HIT_ATOMIC,    // id: cpu << 8 | slot
	HIT_EVENT,     // id: event
	HIT_PGD,       // id: index in the page directory
	HIT_CALL,      // id: node of model->calls
	HIT_SITE,      // id: node of model->callers
	HIT_TOP_SITE,  // id: order << 8 | index in the summary's lists
	HIT_PROCESS,   // id: number of the process
	HIT_BOOT,      // id: stage of booting
	HIT_STEP,      // id: index in model->steps
	HIT_TIMELINE,  // the plot of the timeline
	HIT_MARK,      // id: index in model->mark
	HIT_LEGEND,    // id: category of the map's colours
	HIT_ADDRESS,   // id: a linear address someone asked for; drawn nowhere
};

struct hit {
	enum hit_kind kind;
	double x, y, w, h;
	uint64_t id;	       // of the first cell
	double cell_w, cell_h; // 0: no grid
	uint32_t columns, count;
	uint32_t per_cell; // ids one cell stands for
};

enum {
	MAX_HITS = 4096,
	MAX_PANES = 2
};

struct pane {
	double x, y, w, h;
	double content; // height of all there is; scrolls when larger than h
};

struct draw_result {
	unsigned npanes, nhits;
	struct pane pane[MAX_PANES];
	struct hit hit[MAX_HITS];
	int map_zoom;	 // zoom step the map used
	char empty[256]; // why there is nothing to see, "" there is something
};

enum {
	MAP_ZOOM_FIT = -100,
	MAP_ZOOM_MIN = -6,
	MAP_ZOOM_MAX = 8
};

enum map_colour { // what the map's colours mean
	MAP_BY_STATE,
	MAP_BY_ORDER,
	MAP_BY_TYPE,
	MAP_BY_AGE,  // needs holders
	MAP_BY_SITE, // needs holders
	MAP_BY_CACHE,
	MAP_COLOURS
};
const char *map_colour_name(enum map_colour c); // "call site"
const char *map_colour_id(enum map_colour c);	// "site": command line

enum focus_kind { // which frames the map points out
	FOCUS_NONE,
	FOCUS_BLOCK,	 // id: pfn; its block
	FOCUS_CACHE,	 // id: cache id
	FOCUS_SITE,	 // id: pfn; all of its call site; needs holders
	FOCUS_FREE_LIST, // id: as HIT_FREE_AREA
	FOCUS_CATEGORY,	 // id: as HIT_LEGEND
	FOCUS_PAGES,	 // id: as HIT_PAGES
};
struct map_focus {
	enum focus_kind kind;
	uint64_t id;
};

struct viewport {
	double width, height;
	double scroll[MAX_PANES];      // pixels, by pane
	int zoom;		       // map: a step of map_zoom_*, MAP_ZOOM_FIT chooses
	bool unfolded;		       // map: show runs of free rows in full
	enum map_colour colour;	       // map
	struct map_focus focus;	       // map
	const struct holders *holders; // map: NULL none
	const struct calltree *calls;  // flame graph: instead of the model's, NULL none
	bool inverted;		       // flame graph: `calls` begin at the sites; drawn from the top
	unsigned sort;		       // slab table: column
	uint64_t selected_event;       // events: row shown as selected, 0 the position
	uint64_t from, to;	       // timeline: events shown, 0,0 = all
	uint64_t position;	       // timeline: where the handle is, 0 = the model's event
	uint64_t brush_from, brush_to; // timeline: events picked out, 0,0 none
	const uint64_t *marks;	       // timeline: bookmarked events, nmarks of them
	unsigned nmarks;
	enum cost cost;		 // flame graph: what the width means
	uint32_t zoomed_call;	 // flame graph: node that fills the width
	const char *search;	 // flame graph: functions to highlight, NULL none
	unsigned step;		 // step by step: which one
	double moment;		 // of its picture, 0 before .. 1 after; beyond: after
	bool bare;		 // no title line (the window has one)
	struct draw_result *out; // NULL: not wanted
};

typedef void draw_fn(cairo_t *cr, const struct view_model *v, const struct viewport *vp,
		     const struct palette *pal);
draw_fn draw_map, draw_zones, draw_percpu, draw_slab, draw_vmalloc, draw_highmem, draw_address,
	draw_summary, draw_events, draw_timeline, draw_happened, draw_steps, draw_flame, draw_sites,
	draw_processes, draw_boot;
bool map_same(const struct view_model *a, const struct view_model *b);

struct view {
	const char *id;	   // "map": command line, actions
	const char *title; // "Memory map"
	draw_fn *draw;
	bool recording; // needs event rows or the timeline, not just the machine
	// Whether two models make the same picture; NULL: they may not. Bare ones: the position is no
	// part of it.
	bool (*same)(const struct view_model *a, const struct view_model *b);
};
enum {
	VIEWS = 16,
	BOOT_STAGES = 6
};
extern const struct view views[VIEWS + 1];    // ends with a NULL id
const struct view *view_find(const char *id); // NULL: unknown

// The hit under a point and the id it names there; NULL: nothing.
const struct hit *hit_find(const struct draw_result *r, double x, double y, uint64_t *id);
// One or more lines about it for a tooltip; false: nothing to say.
bool hit_describe(const struct view_model *v, enum hit_kind kind, uint64_t id, char *buf,
		  size_t size);
// Adds what the map's colours and holders know of a page to a tooltip.
void map_describe(const struct view_model *v, const struct viewport *vp, uint64_t pfn, char *buf,
		  size_t size);
// Rectangle of one cell of a hit, for drawing hover and selection above the picture.
void hit_cell(const struct hit *h, uint64_t id, double *x, double *y, double *w, double *h_out);

// One transition in a sentence with its numbers.
void step_sentence(const struct view_model *v, const struct step *s, char *buf, size_t size);

// The timeline in two layers: what stays while the position moves, and what is said of the position.
draw_fn draw_timeline_ground, draw_timeline_now;
uint64_t timeline_event_at(const struct view_model *v, const struct viewport *vp, double x);
