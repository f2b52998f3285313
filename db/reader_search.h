// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Searches through the events of a recording. They read events one by one, those of addresses and
// frames the runs that may have touched them (touched.h), so whoever asks does it in a worker and can
// stop it: by sqlite3_progress_handler() on recording_db(), or by returning false.
#pragma once

#include "reader.h"

typedef bool (*match_fn)(void *ctx, uint64_t event); // false: enough

// What a block, a frame or an area is in the events: the addresses of its bytes, and its frame.
struct touch {
	int process;
	kaddr_t first, last; // first > last: no address
	bool has_pfn;
	pfn_t pfn;
};
// Every event from `from` towards `to`, both included (to < from: backwards), whose block lies on
// these addresses; or, with `machine`, that made the machine do something with the frame. The
// other kind is not looked at. Number of calls.
uint64_t recording_each_touch(struct recording *r, const struct touch *t, bool machine,
			      uint64_t from, uint64_t to, match_fn fn, void *ctx);

struct event_filter { // what is left out is -1, 0 or ""
	int process, kind, path, thread, cpu;
	int zone; // whose pages the machine moved for it; 0 DMA, 1 Normal, 2 HighMem
	uint64_t least, most; // bytes asked for; most 0: no limit
	uint64_t first, last; // addresses, first > last: any
	uint64_t begin, end;  // events; end 0: the last one
	uint32_t stack;
	bool failed;
	char function[128]; // part of the name of a function in the backtrace
	char gfp[64];	    // part of the flags' names: "HIGHMEM"
};
void event_filter_init(struct event_filter *f); // lets everything through
// Rows of the events it lets through, in order: the id and, as `e` names an event, a key (SQL). NULL:
// the file cannot answer. The filter must stay as it is meanwhile.
sqlite3_stmt *event_filter_statement(struct recording *r, const struct event_filter *f,
				     const char *key);
// Every event the filter lets through, in order. Number of calls.
uint64_t recording_each_match(struct recording *r, const struct event_filter *f, match_fn fn,
			      void *ctx);
