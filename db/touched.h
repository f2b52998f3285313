// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Which addresses and frames a stretch of events touched, as a filter: it may say yes wrongly, never
// no wrongly. Two bytes an event, so that the history of an address need not read all events.
//
//   part    filters of TOUCHED_CHUNKS chunks: a row of the table `touched`
//   chunk   TOUCHED_EVENTS events, beginning at a multiple of that; the first has event 0, too
//   filter  a Bloom filter of bytes' granules. A block enters at the level whose granule is the
//           first as long as itself, so it lies in two granules at most; small ones enter by their
//           pages as well. `levels` says which levels occur: others need not be asked about
#pragma once

#include "reader.h"

enum {
	TOUCHED_EVENTS = 256,
	TOUCHED_CHUNKS = 64,
	TOUCHED_BITS = 4096,
	TOUCHED_LEVELS = 13,  // granules of 64, 256 ... bytes
	TOUCHED_SMALL = 3,    // of these, levels that enter by page, too
	TOUCHED_BY_PAGE = 14, // in place of a level
	TOUCHED_ALWAYS = 15,  // in `levels`: something larger than all granules
};

enum touched_space {
	TOUCHED_BLOCK,	// the program's blocks, by address
	TOUCHED_FRAME,	// what transitions did to frames, by physical address
	TOUCHED_MAPPED, // linear addresses that a transition mapped
};

struct touched_filter {
	uint64_t levels; // 16 bits for each space
	uint64_t bits[TOUCHED_BITS / 64];
};

struct touched_part {
	struct touched_filter chunk[TOUCHED_CHUNKS];
};

// first..last are bytes; first <= last.
void touched_add(struct touched_filter *f, enum touched_space space, uint64_t first, uint64_t last);
bool touched_may(const struct touched_filter *f, enum touched_space space, uint64_t first,
		 uint64_t last);

// Goes through the events from `from` to `to` (to < from: backwards) by the runs in which something
// may have touched first..last; all of them where the recording has no filter, as of its newest events
// while it is being written.
struct touched_runs {
	enum touched_space space;
	uint64_t first, last;
	uint64_t at, to; // events still to be looked at
	bool backwards, done;
	sqlite3_stmt *s;
	int64_t part; // in `filter`; -1: none
	bool known;   // it is there
	struct touched_part *filter;
};
void touched_begin(struct touched_runs *t, struct recording *r, enum touched_space space,
		   uint64_t first, uint64_t last, uint64_t from, uint64_t to);
bool touched_next(struct touched_runs *t, uint64_t *begin, uint64_t *end); // begin <= end
void touched_end(struct touched_runs *t);
