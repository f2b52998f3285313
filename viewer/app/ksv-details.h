// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// KsvDetails: what has to be searched for, in a worker of its own: the backtraces of an event and of
// the event that ends (or began) its block, and the history of the selected thing.
//
// A new question stops the one before. Signal "changed": there is more; the answer grows while the
// search goes on, first the backtraces, then the history backwards and forwards.
#pragma once

#include <gio/gio.h>

#include "ksv-selection.h"

enum {
	DETAIL_ROWS = 64 // of the history, on either side of the position
};

struct details {
	uint64_t subject;	     // event whose backtraces these are, 0 none
	bool of_thing;		     // it is the one that made the selected thing what it is
	struct model_stack stack[2]; // the block's beginning and its end; event 0: none
	bool searching_end;	     // whether it was freed is not known yet
	bool searching;		     // the history may still grow
	unsigned n;		     // in order of events
	struct event_row history[2 * DETAIL_ROWS];
	bool more_before, more_after; // there are more, which are left out
};

#define KSV_TYPE_DETAILS (ksv_details_get_type())
G_DECLARE_FINAL_TYPE(KsvDetails, ksv_details, KSV, DETAILS, GObject)

KsvDetails *ksv_details_new(const char *path);
// What the selection is about, within the events first..last of its process.
void ksv_details_ask(KsvDetails *self, const struct selection *s, uint64_t first, uint64_t last);
void ksv_details_stop(KsvDetails *self);
const struct details *ksv_details_get(KsvDetails *self); // valid until the next "changed"
