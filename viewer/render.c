// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// kalloscope-render: one view of a recording as a picture or table, without a display.
#include <cairo-svg.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "draw/draw.h"
#include "source.h"
#include "table.h"

enum {
	EXIT_USAGE = 2
};

struct arguments {
	const struct view *view;
	bool svg, csv; // by the name of the output
	const char *at, *output, *file;
	int process, width, height;
	kaddr_t address;
	enum cost cost;
	enum map_colour colour;
	enum call_scope scope;
	const char *search;
	unsigned step;
	double moment;
	bool dark, inverted, folded;
};

static const char help[] =
	"usage: kalloscope-render --view VIEW [options] -o FILE RECORDING\n"
	"\n"
	"  --view VIEW      map, zones, percpu, slab, vmalloc, highmem, address, summary, events,\n"
	"                   timeline, event, steps, flame, sites, processes\n"
	"                   or boot\n"
	"  --at POSITION    event number, #123, 3.2s, start, peak or end (default)\n"
	"  --process N      process of the recording (default: the one with most events)\n"
	"  --address ADDR   linear address the address view walks (default: the event's)\n"
	"  --cache NAME     cache whose slabs the slab view shows (default: the largest)\n"
	"  --cost COST      flame, sites: peak, live, calls, temporary or\n"
	"                   bytes (default: peak)\n"
	"  --scope SCOPE    flame, sites: all (default) or live, what is alive at the event\n"
	"  --colour WHAT    map: state (default), order, type, age, site or cache\n"
	"  --search TEXT    flame: functions to highlight\n"
	"  --inverted       flame: from the allocating functions, their callers below\n"
	"  --fold           flame: without recursion\n"
	"  --step N[:PART]  steps, boot: the Nth step, at a part of its way (0.5: half way; default: done)\n"
	"  --size WxH       size in pixels (default: 1280x800)\n"
	"  --dark           dark colours\n"
	"  -o FILE          where to write: a PNG; FILE.svg: drawn as SVG; FILE.csv: its table\n";

static const char *cache_name; // resolved to an id once a machine is there

static int usage(const char *what, const char *value)
{
	fprintf(stderr, "kalloscope-render: %s%s%s; see --help\n", what, value ? " " : "",
		value ? value : "");
	return EXIT_USAGE;
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && !strcmp(s + n - m, end);
}

static bool parse_size(const char *text, struct arguments *a)
{
	char end;

	return sscanf(text, "%dx%d%c", &a->width, &a->height, &end) == 2 && a->width >= 320 &&
	       a->height >= 200 && a->width <= 16384 && a->height <= 16384;
}

static bool parse_cost(const char *text, struct arguments *a)
{
	for (unsigned c = 0; c < COSTS; c++)
		if (!strcmp(text, cost_id(c))) {
			a->cost = c;
			return true;
		}
	return false;
}

static bool parse_colour(const char *text, struct arguments *a)
{
	for (unsigned c = 0; c < MAP_COLOURS; c++)
		if (!strcmp(text, map_colour_id(c))) {
			a->colour = c;
			return true;
		}
	return false;
}

static bool parse_scope(const char *text, struct arguments *a)
{
	bool live = !strcmp(text, scope_id(SCOPE_LIVE));

	a->scope = live ? SCOPE_LIVE : SCOPE_ALL;
	return live || !strcmp(text, scope_id(SCOPE_ALL));
}

static int parse(int argc, char **argv, struct arguments *a)
{
	static const struct option options[] = {
		{"view", required_argument, NULL, 'v'},
		{"at", required_argument, NULL, 'a'},
		{"process", required_argument, NULL, 'p'},
		{"size", required_argument, NULL, 's'},
		{"cache", required_argument, NULL, 'c'},
		{"address", required_argument, NULL, 'A'},
		{"cost", required_argument, NULL, 'C'},
		{"search", required_argument, NULL, 'S'},
		{"scope", required_argument, NULL, 'L'},
		{"colour", required_argument, NULL, 'F'},
		{"step", required_argument, NULL, 'T'},
		{"inverted", no_argument, NULL, 'i'},
		{"fold", no_argument, NULL, 'f'},
		{"dark", no_argument, NULL, 'd'},
		{"output", required_argument, NULL, 'o'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	struct position at;
	int c;

	while ((c = getopt_long(argc, argv, "o:h", options, NULL)) != -1) {
		switch (c) {
		case 'v':
			a->view = view_find(optarg);
			if (!a->view)
				return usage("there is no view", optarg);
			break;
		case 'a':
			a->at = optarg;
			break;
		case 'p':
			a->process = atoi(optarg);
			break;
		case 's':
			if (!parse_size(optarg, a))
				return usage(
					"the size must be WxH, from 320x200 to 16384x16384, not",
					optarg);
			break;
		case 'A':
			if (!position_parse(optarg, &at) || at.kind != POSITION_ADDRESS ||
			    at.value > UINT32_MAX)
				return usage("the address must be like 0xc0101000, not", optarg);
			a->address = (kaddr_t)at.value;
			break;
		case 'c':
			cache_name = optarg;
			break;
		case 'C':
			if (!parse_cost(optarg, a))
				return usage("the cost must be peak, live, calls, temporary or "
					     "bytes, not",
					     optarg);
			break;
		case 'T':
			if (sscanf(optarg, "%u:%lf", &a->step, &a->moment) < 1 || !a->step)
				return usage("the step must be like 3 or 3:0.5, not", optarg);
			a->step--;
			break;
		case 'S':
			a->search = optarg;
			break;
		case 'L':
			if (!parse_scope(optarg, a))
				return usage("the scope must be all or live, not", optarg);
			break;
		case 'F':
			if (!parse_colour(optarg, a))
				return usage("the colour must be state, order, type, age, site or "
					     "cache, not",
					     optarg);
			break;
		case 'i':
			a->inverted = true;
			break;
		case 'f':
			a->folded = true;
			break;
		case 'd':
			a->dark = true;
			break;
		case 'o':
			a->output = optarg;
			break;
		case 'h':
			fputs(help, stdout);
			exit(0);
		default:
			return EXIT_USAGE;
		}
	}
	if (!a->view)
		return usage("--view is missing", NULL);
	if (!a->output)
		return usage("-o FILE is missing", NULL);
	a->svg = ends_with(a->output, ".svg");
	a->csv = ends_with(a->output, ".csv");
	if (optind + 1 != argc)
		return usage("exactly one recording is expected", NULL);
	a->file = argv[optind];
	return 0;
}

// The tree the flame graph draws, a reference; NULL: the model has none.
static struct calltree *calls_of(const struct arguments *a, const struct view_model *v)
{
	struct calltree *calls = a->inverted ? v->callers : v->calls;

	return !calls ? NULL : a->folded ? calltree_fold(calls) : calltree_ref(calls);
}

static int write_picture(const struct arguments *a, const struct view_model *v,
			 const struct holders *holders, const struct calltree *calls)
{
	cairo_surface_t *s =
		a->svg ? cairo_svg_surface_create(a->output, a->width, a->height)
		       : cairo_image_surface_create(CAIRO_FORMAT_RGB24, a->width, a->height);
	cairo_t *cr = cairo_create(s);
	struct viewport vp = {.width = a->width,
			      .height = a->height,
			      .zoom = MAP_ZOOM_FIT,
			      .cost = a->cost,
			      .colour = a->colour,
			      .holders = holders,
			      .calls = calls,
			      .inverted = a->inverted,
			      .search = a->search,
			      .step = a->step,
			      .moment = a->moment};
	cairo_status_t status;

	a->view->draw(cr, v, &vp, palette_get(a->dark));
	status = cairo_status(cr);
	if (status == CAIRO_STATUS_SUCCESS && !a->svg)
		status = cairo_surface_write_to_png(s, a->output);
	cairo_surface_finish(s);
	if (status == CAIRO_STATUS_SUCCESS)
		status = cairo_surface_status(s);
	if (status != CAIRO_STATUS_SUCCESS)
		fprintf(stderr, "kalloscope-render: cannot write %s: %s\n", a->output,
			status == CAIRO_STATUS_WRITE_ERROR ? strerror(errno)
							   : cairo_status_to_string(status));
	cairo_destroy(cr);
	cairo_surface_destroy(s);
	return status == CAIRO_STATUS_SUCCESS ? 0 : EXIT_USAGE;
}

static int write_table(const struct arguments *a, const struct view_model *v,
		       const struct calltree *calls)
{
	FILE *f = fopen(a->output, "w");
	struct table t;
	int ret = 0;

	if (!strcmp(a->view->id, "flame")) {
		table_build_calls(calls, &t);
	} else if (!table_build(v, a->view->id, &t)) {
		fprintf(stderr,
			"kalloscope-render: %s has no table here; kalloscope export --format "
			"csv writes all events\n",
			a->view->id);
		ret = EXIT_USAGE;
	}
	if (!ret && (!f || table_write_csv(&t, f))) {
		fprintf(stderr, "kalloscope-render: cannot write %s: %s\n", a->output,
			strerror(errno));
		ret = EXIT_USAGE;
	}
	if (f && fclose(f) && !ret) {
		fprintf(stderr, "kalloscope-render: cannot write %s: %s\n", a->output,
			strerror(errno));
		ret = EXIT_USAGE;
	}
	table_finish(&t);
	return ret;
}

static unsigned cache_id(const struct view_model *v, const char *name)
{
	for (unsigned i = 0; i < v->ncaches; i++)
		if (!strcmp(v->cache[i].name, name))
			return v->cache[i].id;
	return 0;
}

static struct view_model *model_for(struct source *s, struct arguments *a, char *err, size_t size)
{
	struct model_request q = {.process = a->process,
				  .address = a->address,
				  .scope = a->scope,
				  .want = WANT_ROWS | WANT_STACKS | WANT_TIMELINE | WANT_SUMMARY |
					  WANT_HAPPENED};
	struct position at;
	struct view_model *v;

	if (!strcmp(a->view->id, "flame") || !strcmp(a->view->id, "sites"))
		q.want |= WANT_CALLS; // dear, and nobody else's
	if (!strcmp(a->view->id, "steps"))
		q.want |= WANT_STEPS;
	if (!strcmp(a->view->id, "boot"))
		q.want |= WANT_BOOT;
	if (!position_parse(a->at, &at) || !source_resolve(s, a->process, &at, &q.event)) {
		snprintf(
			err, size,
			"--at does not understand \"%s\": use an event number, 3.2s, start, peak or end",
			a->at);
		return NULL;
	}
	v = source_model(s, &q, err, size);
	if (!v || !cache_name)
		return v;
	q.cache = cache_id(v, cache_name);
	model_unref(v);
	if (!q.cache) {
		snprintf(err, size, "there is no cache %s at this event", cache_name);
		return NULL;
	}
	return source_model(s, &q, err, size);
}

int main(int argc, char **argv)
{
	struct holders *holders = NULL;
	struct calltree *calls = NULL;
	struct arguments a = {
		.at = "end", .process = -1, .moment = 1, .width = 1280, .height = 800};
	enum recording_error code;
	struct view_model *v;
	struct source *s;
	char err[512] = "";
	int ret = parse(argc, argv, &a);

	if (ret)
		return ret;
	s = source_open(a.file, &code, err, sizeof(err));
	if (!s) {
		fprintf(stderr, "kalloscope-render: %s\n", err);
		return EXIT_USAGE;
	}
	if (a.process < 0)
		a.process = source_main_process(s);
	v = model_for(s, &a, err, sizeof(err));
	if (v && (a.colour == MAP_BY_AGE || a.colour == MAP_BY_SITE))
		holders = holders_build(v, source_recording(s), NULL, NULL);
	calls = v ? calls_of(&a, v) : NULL;
	if (v)
		ret = a.csv ? write_table(&a, v, calls) : write_picture(&a, v, holders, calls);
	else
		fprintf(stderr, "kalloscope-render: %s\n", err);
	model_unref(v);
	holders_unref(holders);
	calltree_unref(calls);
	source_close(s);
	return v ? ret : EXIT_USAGE;
}
