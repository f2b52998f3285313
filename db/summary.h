// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// A recording in a few figures, for `info` and for the end of `record`.
#pragma once

#include <stdio.h>

#include "cli.h"

struct served_by { // what one reason (0: the simulation) served
	uint64_t calls, bytes, first_event, first_req;
};

struct summary {
	const char *path;
	char argv[512];
	bool complete;
	int pid;	     // of the program
	int status;	     // exit status as a shell gives it; -1 unknown
	bool killed;	     // the program vanished without saying goodbye
	char truncated[128]; // why the recording ends before the program did; "": it does not
	unsigned processes;
	uint64_t events, transitions, duration_ns, lost, divergences, file_bytes;
	uint64_t live_bytes, live_count; // at the end, all processes
	uint64_t peak_bytes, peak_event; // of the process with the greatest peak
	int peak_process;
	uint64_t host_peak; // bytes the host served and the program held at once
	uint64_t unrecorded, early_calls;
	struct served_by by[HOST_REASONS];
};

void summary_read(struct recording *r, struct summary *s);
void summary_print(FILE *to, const struct summary *s);
// The first call a larger machine would have kept in the simulation; HOST_NONE: there is none.
enum host_reason summary_first_spill(const struct summary *s);
const char *summary_advice(const struct summary *s, enum host_reason reason); // NULL: none

// Opens the recording just made, prints it to stderr with what to type next.
void summary_print_recorded(const char *path, int status);
