// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// A hostile recording and everything the viewer makes of it: models, pictures, tables.
//
//   input: byte (which view), 2 bytes (at which event), byte (cache), what to change (edit.c);
//   or byte (from 240 on), a filter or position
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../viewer/draw/draw.h"
#include "../../viewer/filter.h"
#include "../../viewer/source.h"
#include "../../viewer/table.h"
#include "edit.h"

enum {
	WIDTH = 480,
	HEIGHT = 320,
	WORDS_FROM = 240, // first byte: texts instead
	WORDS_LEN = 1024
};

static struct fuzz_base base;
static char path[160];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	fuzz_base_make(&base);
	fuzz_edit_init(&base);
	snprintf(path, sizeof(path), "%s/changed", base.dir);
	fuzz_quiet();
	return 0;
}

// What a pointer over the picture makes the window ask.
static void point_at(const struct view_model *v, const struct draw_result *r)
{
	char text[512];
	uint64_t id;

	for (unsigned y = 5; y < HEIGHT; y += 40)
		for (unsigned x = 5; x < WIDTH; x += 40) {
			const struct hit *h = hit_find(r, x, y, &id);

			if (h)
				hit_describe(v, h->kind, id, text, sizeof(text));
		}
}

static void look_at(const struct view_model *v, const struct view *view)
{
	static struct draw_result result;
	struct viewport vp = {.width = WIDTH,
			      .height = HEIGHT,
			      .zoom = MAP_ZOOM_FIT,
			      .search = "a",
			      .moment = 0.5,
			      .out = &result};
	cairo_surface_t *s = cairo_image_surface_create(CAIRO_FORMAT_RGB24, WIDTH, HEIGHT);
	cairo_t *cr = cairo_create(s);
	struct table t = {0};

	memset(&result, 0, sizeof(result));
	view->draw(cr, v, &vp, palette_get(false));
	point_at(v, &result);
	cairo_destroy(cr);
	cairo_surface_destroy(s);
	table_build(v, view->id, &t);
	table_finish(&t);
}

// What people type into the window.
static void read_words(const char *text)
{
	struct position p;
	struct event_filter f;
	char err[256];

	position_parse(text, &p);
	filter_parse(text, &f, err, sizeof(err));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char words[WORDS_LEN + 1];
	struct fuzz_input in = {data, data + size};
	const struct view *view = &views[fuzz_take(&in, 1) % VIEWS];
	struct model_request q = {.event = fuzz_take(&in, 2) % 2048, .want = 0xff, .buckets = 64};
	struct view_model *v = NULL;
	enum recording_error code;
	struct source *s;
	char err[256];

	if (size && *data >= WORDS_FROM) {
		size = size - 1 < WORDS_LEN ? size - 1 : WORDS_LEN;
		memcpy(words, data + 1, size);
		words[size] = 0;
		read_words(words);
		return 0;
	}
	q.cache = (unsigned)fuzz_take(&in, 1) % 64;
	fuzz_edit(&in, path);
	s = source_open(path, &code, err, sizeof(err));
	if (!s)
		return 0;
	q.process = source_main_process(s);
	v = source_model(s, &q, err, sizeof(err));
	if (v)
		look_at(v, view);
	model_unref(v);
	source_close(s);
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	(void)seed;
	return LLVMFuzzerMutate(data, size, max);
}
