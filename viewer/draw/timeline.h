// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// What the lanes of the timeline share, and those parts of them that know of zones.
#pragma once

#include "pen.h"

struct plot {
	double x, w;
	uint64_t from, to; // events
};

double timeline_x(const struct plot *pl, uint64_t event);
// min == max: the foot of the lane, for there is no scale to place it on.
double timeline_y(uint64_t value, uint64_t min, uint64_t max, double y, double h);

// The zone a figure is of; NULL: of none, or of one the machine has not.
const struct model_zone *timeline_zone(const struct view_model *v, enum timeline_item item);
// Pages used when the free ones of the zone come down to a watermark.
uint64_t timeline_watermark(const struct model_zone *z, unsigned which);
// Raises the end of a lane's scale to the watermarks that lie no further than once its span above it.
void timeline_reach(const struct model_zone *z, uint64_t min, uint64_t *max);
void timeline_watermark_lines(struct pen *p, const struct plot *pl, const struct model_zone *z,
			      uint64_t min, uint64_t max, double y, double h);

// All zones on top of each other, of all there is: pages used from below, and how many are free in all
// as a line of its own.
void timeline_stack(struct pen *p, const struct plot *pl, double y, double h);
uint64_t timeline_frames(const struct view_model *v); // of all zones, holes included
uint64_t timeline_used(const struct timeline_bucket *b, bool smallest); // of all zones
