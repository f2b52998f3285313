// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// One event step by step: every transition the machine made for it, in its order, with what the
// structures it touches held before and after. Read off the machine while it makes them, so nothing
// is reconstructed from the end.
//
//   before and after differ by exactly what the transition says it did
//   free lists: of the transition's zone; arrays and slabs: of its cache
#pragma once

#include "../core/machine.h"

enum {
	STEPS_MOST = 120, // told one by one; the rest is counted
};

struct step_state {
	uint32_t nr_free[MAX_ORDER]; // blocks
	uint32_t pcp;		     // pages on the CPU's lists
	uint32_t avail, limit, shared,
		shared_limit;		    // objects of the CPU's array, of the shared one
	uint32_t partial, full, free_slabs; // slabs
	uint32_t pkmap_next, pkmap_used,
		pkmap_waiting; // windows: last given out, with users, without
};

struct step {
	struct trace_event t; // the first of a run
	uint32_t run;	      // how many like it followed each other, 1 at least
	bool own;	      // not the machine's bookkeeping but the program's own object
	struct step_state before, after;
};

struct steps {
	unsigned n, left_out;
	struct step step[STEPS_MOST];
	// while they are being read
	struct machine *m;
	struct step_state cache[MAX_CACHES]; // as last seen, by id
};

// The machine before the event; the structure is zeroed otherwise.
void steps_begin(struct steps *s, struct machine *m);
// For replay_on_trace(), ctx is the structure.
void steps_trace(void *ctx, const struct trace_event *t);

// The object the call itself took from (kmalloc) or gave to (kfree) the array of its CPU; the machine
// is the one after the event.
void steps_own(struct steps *s, const struct machine *m, const struct trace_event *t);

// What kind of picture a transition belongs to.
enum step_scene {
	SCENE_BUDDY,
	SCENE_SLAB,
	SCENE_VMALLOC,
	SCENE_KMAP,
	SCENE_WORDS
};
enum step_scene step_scene(const struct trace_event *t);
