// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// kalloscope top: what a recording that is still being written says of its program.
#pragma once

#include "report.h"

// ---- names while the recorder has not stored any (top_names.c): the session folder has the stacks,
// the recording the modules
struct live_names;
struct live_names *live_names_open(const char *path);
void live_names_close(struct live_names *n); // NULL is fine
// Frames of a stack, innermost first, in `frames`; how many. Strings live as long as `n`. 0: no
// session folder, or the recorder is done with it.
unsigned live_names_frames(struct live_names *n, uint32_t stack, struct site_frame *frames,
			   unsigned max);

// ---- one look (top_sites.c)
struct top_site {
	uint32_t stack;
	uint64_t calls, bytes, live_bytes, recent; // recent: calls since the look before
	char *text;				   // "f < g < main"; NULL: not asked for yet
};
struct top {
	const char *path;
	int process; // asked for; 0: the one with most events
	int shown;   // whose figures these are; another one: they begin anew
	uint64_t seen, calls, recent, live_bytes, live_count, peak_bytes; // seen: last event read
	GHashTable *site, *live; // stack -> struct top_site; event -> struct top_block
	struct live_names *names;
};
void top_begin(struct top *t, const char *path, int process);
void top_end(struct top *t);
// Takes in what was stored since the look before.
void top_look(struct top *t, struct report *rp);
// The sites with the most calls since the last look, then in all. Of pointers into `t`.
GPtrArray *top_sites(struct top *t);
const char *top_site_text(struct top *t, struct report *rp, struct top_site *s);
