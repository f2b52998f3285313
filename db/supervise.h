// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The two processes behind a recording: drainer (restarted when it dies) and inserter.
//
// Both live in a session of their own, with no file of the program's open, so that neither the
// terminal's signals nor the death of their starter reaches them: once started, a recording is
// finished whatever happens to `record`.
#pragma once

#include <sys/types.h>

#include "recorder.h"

struct supervisor {
	char folder[4096];
	int program;		 // pid of the first process
	pid_t drainer, inserter; // 0: gone
	unsigned restarts;	 // of the drainer
	int pipe, pipe_w;	 // reports of both
	bool finished;		 // the inserter has ended
	bool ok;		 // ... and the recording is complete
	struct insert_progress progress;
	char phase[32];	   // what progress.phase points to
	char err[ERR_LEN]; // of whichever failed
};

// How whoever makes a recording behaves from then on: its files are the owner's alone, and one that
// must not grow any more is an error, not the end.
void recorder_manners(void);
int supervise_start(struct supervisor *s, const char *folder, int program, char *err);
// A child has been waited for: true when it was one of ours (a drainer that died is replaced).
bool supervise_reaped(struct supervisor *s, pid_t pid, int status);
void supervise_read(struct supervisor *s); // takes the reports that have arrived; never blocks
void supervise_wait(struct supervisor *s); // until finished
