// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// What colour a frame has on the memory map: a category by the chosen sort of colours, and whether
// it is one of those pointed out. Apart from the layout so that it can be tested and timed.
//
//   a category is a byte; where one pixel stands for several frames the greatest wins, so rare
//   categories have great numbers, and frames that are pointed out greater ones than all others
#pragma once

#include "pen.h"

enum {
	MAP_CATEGORIES = 32, // of one sort of colours, at most
	MAP_NAMED = 8,	     // call sites and caches with a colour of their own
};

struct map_cells {
	const struct view_model *v;
	const struct viewport *vp;
	enum map_colour by;
	unsigned n;		       // categories
	char name[MAP_CATEGORIES][48]; // "" none
	struct rgb colour[MAP_CATEGORIES];
	uint32_t count[MAP_CATEGORIES]; // frames
	uint8_t cache[MAX_CACHES];	// cache id to category: of its slabs
	bool pointing;			// some frames are pointed out
	bool by_address; // those whose owner[] lies in the range, else the frames of it
	uint32_t first, last;
	uint32_t site;	     // of holders, 0 none
	uint32_t table[256]; // category to ARGB32; + MAP_CATEGORIES when pointed out
};

// What cannot be told without holders is shown by state.
void map_cells_begin(struct map_cells *c, const struct view_model *v, const struct viewport *vp,
		     const struct palette *pal);
void map_cells_row(const struct map_cells *c, pfn_t from, uint32_t n, uint8_t *cell);
struct rgb map_cell_colour(const struct map_cells *c, pfn_t pfn); // as shown
bool map_cell_pointed(const struct map_cells *c, pfn_t pfn);
unsigned map_cells_legend(const struct map_cells *c, struct legend *l); // MAP_CATEGORIES of room
// Categories of n frames to ARGB32 pixels, one per per_cell frames.
void map_convert(const uint8_t *cell, uint32_t n, unsigned per_cell, const uint32_t *table,
		 uint32_t *pixels);
