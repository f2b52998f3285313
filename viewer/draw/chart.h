// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// A chart of columns of numbers: the first is across, the others up. Lines where the first one never
// falls, points otherwise.
#pragma once

#include "draw.h"

enum {
	CHART_SERIES = 4
};

struct chart {
	unsigned n, series; // points, columns that go up
	const char *across; // name of x
	const double *x;
	const char *name[CHART_SERIES];
	const double *y[CHART_SERIES];
};

void draw_chart(cairo_t *cr, const struct chart *c, double w, double h, const struct palette *pal);
