// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// KsvSelection: what is being looked at, shared by all views of a window.
//
// An event of a process; a thing of the machine (what a picture calls a hit: page, object, area,
// window, cache) with the addresses it covers; a call site; a range of events. Views write what the
// user picks and follow "changed" (guint: enum selection_part that changed).
#pragma once

#include <glib-object.h>

#include "../../db/reader_search.h"
#include "../draw/draw.h"

enum selection_part {
	SELECTION_EVENT = 1,
	SELECTION_THING = 2,
	SELECTION_SITE = 4,
	SELECTION_RANGE = 8,
};

struct selection {
	uint64_t event;
	enum hit_kind kind; // HIT_NONE: no thing
	uint64_t id;
	struct touch touch; // of the thing; empty when it has no place
	char function[128]; // call site, "" none
	uint64_t from, to;  // range, 0,0 none
};

#define KSV_TYPE_SELECTION (ksv_selection_get_type())
G_DECLARE_FINAL_TYPE(KsvSelection, ksv_selection, KSV, SELECTION, GObject)

KsvSelection *ksv_selection_new(void);
const struct selection *ksv_selection_get(KsvSelection *self);
void ksv_selection_set_event(KsvSelection *self, uint64_t event);
// touch: where it lies; NULL nowhere. HIT_NONE clears.
void ksv_selection_set_thing(KsvSelection *self, enum hit_kind kind, uint64_t id,
			     const struct touch *touch);
void ksv_selection_set_site(KsvSelection *self, const char *function);
void ksv_selection_set_range(KsvSelection *self, uint64_t from, uint64_t to);
void ksv_selection_clear(KsvSelection *self); // everything but the event
// The thing under the number it has in another model: indexes of areas and objects change from event
// to event, addresses do not. What is not there any more stays as an address.
void ksv_selection_follow(KsvSelection *self, const struct view_model *v);
// What the thing covers in the machine of `v`; false: it has no place of its own.
bool selection_touch(const struct view_model *v, enum hit_kind kind, uint64_t id, struct touch *t);
