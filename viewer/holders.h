// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Who holds each frame at an event: the newest block alive on it, its age and its call site; and the
// call sites of a range of events, or of what is alive at one.
//
//   born[pfn] == 0 and site[pfn] == 0: no block of the program is alive on the frame
//   sites are by the allocating function, those with most frames first
//
// Both read the events of a process back to its start, which takes seconds for tens of millions:
// work for a thread of its own, stopped as recording_each_block() says.
#pragma once

#include "../db/reader_blocks.h"
#include "../db/reader_views.h"
#include "model.h"

struct holder_site {
	char function[128];
	uint32_t frames;
};

struct holders {
	int refs;
	int process;
	uint64_t event;
	pfn_t max_pfn;
	uint64_t *born; // event of the allocation
	uint16_t *site; // 1.. index in sites[]
	unsigned nsites;
	struct holder_site *sites; // nsites + 1 of them, [0] unused
};

typedef void (*progress_fn)(void *ctx, uint64_t event); // reached on the way down

// Of the machine the model was made from, at its event. NULL: stopped, or no memory.
struct holders *holders_build(const struct view_model *v, struct recording *r, progress_fn progress,
			      void *ctx);
struct holders *holders_ref(struct holders *h);
void holders_unref(struct holders *h); // NULL is fine

enum call_scope {
	SCOPE_ALL,   // the whole process
	SCOPE_RANGE, // allocations of a range of events; live: at its end
	SCOPE_LIVE,  // allocations whose blocks are alive at an event
	SCOPES
};

// Figures per stack, stacks in order; free() them. SCOPE_LIVE counts nothing but what is alive:
// calls == live_count, bytes == live_bytes. The peak is known of SCOPE_ALL alone. NULL as above.
struct site_row *scope_sites(struct recording *r, int process, enum call_scope scope, uint64_t from,
			     uint64_t to, unsigned *n, progress_fn progress, void *ctx);
const char *scope_name(enum call_scope s); // "what is alive now"
const char *scope_id(enum call_scope s);   // "live": command line
