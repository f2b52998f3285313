// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// What one event moved between the CPUs' lists and what lies behind them: pages between pagesets and
// the buddy system, objects between array caches and slabs. From its transitions, no display.
//
//   pages:   count before + refilled - drained - taken + given = count after, per zone and CPU
#pragma once

#include "../db/reader.h"
#include "model.h"

struct page_flow {
	uint32_t refilled, drained; // from the free lists, to them
	uint32_t taken, given;	    // by whoever wanted a page, by whoever gave one up
};

struct object_flow { // of one cache on one CPU
	uint16_t cache;
	uint8_t cpu;
	bool shared; // with the shared array, not with slabs
	uint32_t refilled, flushed;
};

enum {
	OBJECT_FLOWS = 64, // no event is known to need more than a few; the rest is left out
};

struct model_flow {
	struct page_flow page[MAX_NR_ZONES][MAX_CPUS]; // as view_model.zone[]
	unsigned nobjects;
	struct object_flow object[OBJECT_FLOWS];
};

void flow_read(struct model_flow *f, const struct view_model *v, const struct transition_row *t,
	       unsigned n);
// Sum of what the cache's array on the CPU got and gave; false: it did neither.
bool flow_of_array(const struct model_flow *f, unsigned cache, unsigned cpu,
		   struct object_flow *sum);
