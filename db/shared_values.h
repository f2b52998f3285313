// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// What events share (tables context and call), in memory: who reads all events of a recording then
// needs one row of one table for each.
#pragma once

#include <glib.h>
#include <sqlite3.h>
#include <stdint.h>

struct scan_context {
	int process, thread, cpu;
	unsigned kind, path, cache, flags;
	int64_t alloc; // bytes taken, as in the table context; -2: pages (NULL there)
};
struct scan_call {
	int64_t call, req; // req -1: the event has it
	uint32_t context, stack;
};
struct shared_values {
	GArray *contexts; // of struct scan_context, by number
	GArray *calls; // of struct scan_call, by number, which has no gaps unless the file is damaged
};

void shared_values_read(struct shared_values *v, sqlite3 *db);
void shared_values_free(struct shared_values *v);
// NULL: not there, as in a damaged file; else *context is the call's.
const struct scan_call *shared_call(const struct shared_values *v, int64_t call,
				    const struct scan_context **context);
