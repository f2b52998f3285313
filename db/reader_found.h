// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The events a filter lets through in any order, kept as a temporary table of the connection, which
// SQLite moves to a file when it grows: memory does not grow with what is found.
//
// Finding reads all events and belongs in a worker; asking for what was found is quick, and may be
// done by another thread once the worker has ended.
#pragma once

#include "reader_search.h"

enum found_order {
	FOUND_BY_EVENT,
	FOUND_BY_KIND, // all of one call, then the next
	FOUND_BY_ADDRESS,
	FOUND_BY_BYTES,
	FOUND_BY_PATH,
	FOUND_BY_LIFETIME, // events from allocation to free; what is never freed is the longest
	FOUND_BY_THREAD,
	FOUND_BY_CPU,
	FOUND_ORDERS
};

// Now and then: so many were found until now. false: stop.
typedef bool (*found_fn)(void *ctx, uint64_t n);

// Events in that order, those of the same rank by number; events that have no such figure (the
// lifetime of an exit, say) come last either way. What was found before is forgotten, and the
// connection's progress handler is. 0; -EINTR: stopped, and what was found until then is there, by
// number; -EIO: the file, or the disk for the table, cannot.
int recording_find(struct recording *r, const struct event_filter *f, enum found_order by,
		   bool descending, found_fn fn, void *ctx);

uint64_t recording_found(struct recording *r); // how many
// Events at places from .. from + n - 1 (0 is the first); how many there were.
unsigned recording_found_ids(struct recording *r, uint64_t from, unsigned n, uint64_t *ids);
// Where an event stands; where there is no such event UINT64_MAX.
uint64_t recording_found_place(struct recording *r, uint64_t event);
// The nearest found event after (1) or before (-1) an event by number; 0 none.
uint64_t recording_found_beside(struct recording *r, uint64_t event, int direction);

// Which events gave allocations back: of each of n events, in order, the one that did within so many
// events behind it, 0 none. One pass, however many are asked about. 0 or -EINTR: stopped, and the
// rest is 0.
int recording_freed_within(struct recording *r, const uint64_t *ids, unsigned n, uint64_t within,
			   uint64_t *freed_by);
