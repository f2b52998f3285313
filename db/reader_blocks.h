// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The blocks a process allocated, and whether they were alive at an event: one pass over its events
// from the last to the first, which needs a bit an event and no table of what is alive.
//
// Like every search it belongs in a worker: sqlite3_progress_handler() on recording_db() stops it.
#pragma once

#include "reader.h"

bool event_allocates(enum event_kind kind); // makes a block when it does not fail

struct block {
	uint64_t event;	     // that allocated it
	uint64_t addr;	     // simulated, or of the host
	uint64_t req, alloc; // bytes asked for, bytes taken
	uint32_t stack;
	bool live;	// not given back by the end of the range; never true of mere addresses
	bool temporary; // given back by the thread's very next event
	bool inherited; // by an ancestor before the fork
};
typedef bool (*block_fn)(void *ctx, const struct block *b); // false: enough

// Every allocation of the process in [from, to] that succeeded, the last one first; with from == 0
// those of its ancestors in its past as well. 0; -ENOMEM; -EINTR: stopped, by fn or the handler;
// -EIO: the file cannot answer.
int recording_each_block(struct recording *r, int process, uint64_t from, uint64_t to, block_fn fn,
			 void *ctx);
