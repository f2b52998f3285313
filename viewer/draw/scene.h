// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The moving pictures of single transitions. A scene draws its step at a moment between 0 (as it
// was before) and 1 (as it is after); at both ends the numbers are exact.
#pragma once

#include "../steps.h"
#include "pen.h"

struct scene {
	struct pen *p;
	const struct step *s;
	double x, y, w, h;
	double t; // 0..1
};

typedef void scene_fn(const struct scene *c);
scene_fn scene_buddy, scene_slab, scene_vmalloc, scene_kmap;

struct box {
	double x, y, w, h;
};
struct box scene_between(struct box a, struct box b, double t);
// A labelled box with a figure in it that turns from `before` to `after`.
void scene_counter(const struct scene *c, struct box b, const char *label, uint32_t before,
		   uint32_t after);
void scene_block(const struct scene *c, struct box b, struct rgb colour, const char *text);
double scene_part(double t, double from, double to); // where t is between two moments, 0..1
