// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Figures of a recording by name, as diff compares them and check holds them against budgets, and
// the conditions people write about them. Of every figure less is better, or it is neither.
#pragma once

#include "report.h"

enum figure_unit {
	UNIT_COUNT,
	UNIT_BYTES,
	UNIT_PAGES,
	UNIT_SHARE, // percent
	UNIT_NS
};

enum figure_group { // what reading costs: one look, the leaks' names, one pass over transitions or events
	GROUP_TOTALS,
	GROUP_LEAKS,
	GROUP_TRANSITIONS,
	GROUP_EVENTS,
	GROUPS
};

struct figure {
	const char *name;
	const char *what;
	enum figure_unit unit;
	enum figure_group group;
	bool scales; // with the work done: normalising applies
};
extern const struct figure figures[]; // ends with a NULL name
enum {
	MAX_FIGURES = 48
};

// Values by index in figures[]. Those of groups not asked for (bit GROUP_*) stay 0. False after a
// message: the suppressions cannot be read.
bool figures_read(struct report *rp, unsigned groups, double *value);
const char *figure_name(int i, const void *ctx); // for cli_unknown; NULL ends
// "12.3 MiB", "7", "1.5 %"; to be freed.
char *figure_text(enum figure_unit unit, double value);

// ---- conditions: FIGURE OPERATOR VALUE, as "peak_bytes<=64M", "temporary_share<10%",
// "leaked_bytes>+1%". Operators: < <= > >= == !=. A value may carry K, M or G (1024s); for a share or
// a change it may end in %. With a sign it is a change against another recording.

struct rule {
	const char *text; // as given
	unsigned figure;
	char op[3];
	double value; // percent when `percent`
	bool change, percent;
};
// Ends the program with a sentence when the text is none. `changes`: a sign is allowed.
struct rule rule_parse(const char *command, const char *option, const char *text, bool changes);
// Whether it is true of `now`; a change is that from `before`.
bool rule_holds(const struct rule *r, double before, double now);
