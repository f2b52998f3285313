// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The rows of a process's events, read once from the first to the last.
#pragma once

#include "reader.h"
#include "shared_values.h"

enum {
	VERIFY_ADDRS = 1 << 20, // events whose addresses are kept
};

struct verify_rows {
	sqlite3_stmt *rows, *one, *old;
	struct shared_values shared;
	uint64_t at;	      // id of the row read last
	struct event_row row; // it, where there is one
	bool found;	      // it has a call and a context
	struct {
		uint64_t event, addr;
	} * addr; // of the last rows read, by id
};

// 0 or -ENOMEM; finish it in any case.
int verify_rows_open(struct verify_rows *v, struct recording *r);
void verify_rows_finish(struct verify_rows *v);
// The row of an event, as recording_rows has it but without t_ns, alloc, gfp and old; NULL: there is
// none. Quick when ids rise. Valid until the next call.
const struct event_row *verify_row(struct verify_rows *v, uint64_t event);
