// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// What a model knows of every page frame: six bytes each, a million frames. Most events move no page,
// so models of events that follow each other share it.
#pragma once

#include "model.h"

struct model_pages {
	int refs;
	uint64_t hash; // of all that follows
	pfn_t max_pfn;
	uint8_t *state;				    // as view_model
	uint32_t *owner;			    // as view_model
	uint8_t *type;				    // as view_model
	uint32_t frames[MAX_NR_ZONES][PAGE_STATES]; // of each zone; by id
};

// Of the machine as it is: `last` with one more reference when nothing differs from it, which costs
// what is in use; else new. last: NULL none. NULL: no memory.
struct model_pages *model_pages_of(const struct machine *m, struct model_pages *last);
void model_pages_unref(struct model_pages *p); // NULL is fine
