// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Questions a viewer asks of a recording beyond its rows: peaks, call sites, who freed a block.
#pragma once

#include "reader.h"

struct process_totals {
	uint64_t peak_event, peak_bytes; // bytes requested and alive; event 0: unknown
	uint64_t live_bytes, live_count; // not given back at the end
	uint64_t allocations, bytes;	 // over its whole life
	uint64_t failed, temporary;
};
// 0; -ENOENT: no such process, or the recording has no figures yet (*t is zeroed).
int recording_totals(struct recording *r, int process, struct process_totals *t);

enum site_order {
	SITES_BY_PEAK,
	SITES_BY_CALLS,
	SITES_BY_LEAK,
	SITES_BY_TEMPORARY,
	SITE_ORDERS
};
struct site_row {
	uint32_t stack;
	uint64_t calls, bytes, live_bytes, live_count, peak_bytes, temporary;
};
// The first `max` call sites of a process in that order, those with nothing to say left out. Count.
unsigned recording_sites(struct recording *r, int process, enum site_order order,
			 struct site_row *rows, unsigned max);

// Every function name of the recording's addresses, innermost inlined one first, addresses in
// order; unresolved ones as "module+0xoffset". The name is valid during the call. Count of calls.
uint64_t recording_each_name(struct recording *r,
			     void (*fn)(void *ctx, uint32_t address, const char *name), void *ctx);
// Every frame of every stack of a process, stacks in order, outermost frame first.
uint64_t recording_each_frame(struct recording *r, int process,
			      void (*fn)(void *ctx, uint32_t stack, uint32_t address), void *ctx);
// Every call site of a process, stacks in order.
uint64_t recording_each_site(struct recording *r, int process,
			     void (*fn)(void *ctx, const struct site_row *row), void *ctx);

struct mark_row { // of kalloscope_mark()
	uint64_t event; // the mark's own, or the one before it when it has none
	int64_t t_ns;
	char text[64]; // shortened
};
// The first `max` marks of a process, in order. Count.
unsigned recording_marks(struct recording *r, int process, struct mark_row *rows, unsigned max);

// The event that gave an allocation back, looked for in the next `within` events; 0: none there.
uint64_t recording_freed_by(struct recording *r, uint64_t event, uint64_t within);
