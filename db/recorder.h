// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Making a recording: the session, the drainer (rings -> spool) and the inserter (spool -> SQLite).
//
// Errors: functions return 0 or a negative errno and put one sentence into err ("cannot create
// /x/y.kalloscope: Permission denied; choose another file with -o"), ready to be printed.
#pragma once

#include "../core/session.h"

enum { ERR_LEN = 512 };

struct record_options {
	const char *output;	   // recording to make
	bool force;		   // replace an existing file
	struct session_options session;
	char *const *argv;	   // of the program, for the record
	const char *self;	   // path of the kalloscope program
};

// Parses what KALLOSCOPE_OPTIONS and the command line of `record` share (--ram=, --cpus=, --model=,
// --vmalloc=, --split=, --fail, --spill, --no-site-caches, --frames=, --dump-state, -o, --force ...).
int options_parse(struct record_options *o, int argc, char **argv, char *err);
void options_default(struct record_options *o);

// Creates OUTPUT.spool/ with an initialised rings file of the right size, allocated on disk.
int session_create(const struct record_options *o, char *folder, size_t folder_size, char *err);

// Drainer main loop: until every process of the session is gone (or `first_pid` never attached and
// is gone). Run in a process of its own; restartable at any time.
int drain_run(const char *folder, int first_pid, char *err);

// What the inserter tells its caller about ten times a second.
struct insert_progress {
	uint64_t events, transitions, spool_done, spool_size;
	const char *phase; // "recording", "finishing", "symbols", ...
};

// Inserter: follows the spool until CLOSED (or to its end when the drainer is gone and
// `finish_torn`), then finalises (symbols, indexes, meta complete=1) and removes the folder.
int insert_run(const char *folder, bool finish_torn,
	       void (*progress)(void *ctx, const struct insert_progress *p), void *ctx, char *err);
