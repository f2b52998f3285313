// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// "What happened": one event in plain words, from its row, what the machine did for it (its
// transitions) and the machine after it. No display, no database.
#pragma once

#include "model.h"

enum explain_role {
	EXPLAIN_HEAD,	 // what the program asked for and got
	EXPLAIN_ROUTE,	 // which mechanism served it and why
	EXPLAIN_STEP,	 // one transition with its numbers; `name` is the kernel's name
	EXPLAIN_MEANING, // what that kind of step is, after the first of its kind
	EXPLAIN_MORE,	 // how many more of a kind were left out
};

struct explain_line {
	enum explain_role role;
	char name[28];
	char text[300];
};

enum {
	EXPLAIN_LINES = 160,
	EXPLAIN_EACH = 4, // steps of a kind told one by one; the rest is counted
};

struct explanation {
	unsigned n;
	struct explain_line line[EXPLAIN_LINES];
};

// row: the event; t: its transitions in order, `total` of which there are at least n. v is the
// machine after the event: array levels are those it left behind.
void explain_event(const struct view_model *v, const struct event_row *row,
		   const struct transition_row *t, unsigned n, struct explanation *e);
// One sentence about a kind of transition; "" for kinds that are none.
const char *explain_meaning(enum event_kind kind);
// The lines as one text, steps indented; for the clipboard, tests and assistive tools.
void explain_text(const struct explanation *e, char *buf, size_t size);
