// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The heap of one process followed event by event, to hold the recorded matching of frees and
// allocations against.
//
//   every block is given out, then taken back at most once; a free's ref is the event that gave
//
// The order of events is that of completion: a block may be given out again, on another CPU, a
// little before the free that made this possible is complete. So an allocation at an address in use
// displaces the block there, which must then be freed later.
#pragma once

#include "reader.h"

struct heap_check {
	struct recording *r;
	uint64_t first_event;	 // of the process; earlier refs are its parent's
	uint64_t frees, unknown; // unknown: of blocks from before the recording
	uint64_t wrong, first_wrong;
	void *live, *displaced; // address -> event
	void *inherited;	// events of the parent's blocks freed here
};

void heap_check_init(struct heap_check *h, struct recording *r, uint64_t first_event);
// old: the address realloc was given.
void heap_check_event(struct heap_check *h, const struct event_row *row, uint64_t old);
uint64_t heap_check_finish(struct heap_check *h); // blocks given out twice and never taken back
