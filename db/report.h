// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// What reports, exports and comparisons share. A report says each thing once, as figures and tables
// of typed cells; they become text of the terminal's width, or JSON with the same names.
#pragma once

#include <json-glib/json-glib.h>
#include <stdarg.h>

#include "cli.h"
#include "shared_values.h"

struct report {
	struct recording *r;
	sqlite3 *db;
	const struct process_info *p; // the process reported on
	unsigned top;		      // rows of a table; 0: all
	uint64_t from, to;	      // events looked at
	bool window;		      // --between was given: less than the whole process
	uint64_t at;		      // event of --at; default: the last one
	bool tree;		      // --bottom-up or --top-down was given
	bool top_down;
	uint64_t addr;		    // history
	const char *suppressions;   // file, or NULL
	GHashTable *wanted;	    // stacks --filter names; NULL: all
	struct report_names *names; // report_stack.c
	struct report_output *out;  // report_output.c
};

// ---- what is looked at (report_select.c)

struct report_args {
	struct cli_at at, from, to;
	bool window, json, tree, top_down;
	bool silent; // no notes about why there is nothing
	unsigned top;
	int process; // 0: the one with most events
	const char *filter, *suppressions;
};
// --process, --filter, --between and --at, wherever a command has them. False: another option.
bool select_option(struct report_args *a, struct cli *c, int id);
// The option's value as a number; a bad one ends the program.
int option_number(const struct cli *c, const char *option, int least);
// Everything but `out`. False after a message: no such process.
bool report_begin(struct report *rp, struct recording *r, const struct report_args *a,
		  const char *command);
void report_end(struct report *rp);
bool report_has_stacks(struct recording *r);

// ---- output (report_output.c)

enum cell_kind {
	CELL_COUNT,  // uint64_t, "1,234"
	CELL_EVENT,  // uint64_t, 0 none
	CELL_BYTES,  // uint64_t, "12.3 MiB"
	CELL_TIME,   // uint64_t nanoseconds, "3.2 ms"
	CELL_SHARE,  // uint64_t thousandths, "12.3 %"
	CELL_INDEX,  // int64_t thousandths, "-1.000"
	CELL_REAL,   // double; JSON only, null when infinite
	CELL_BOOL,   // int; JSON only
	CELL_NUMBER, // const char *: a figure as text, to the right
	CELL_HEX,    // uint64_t
	CELL_TEXT,   // const char *
	CELL_BAR,    // uint64_t thousandths of the longest bar; text only
	CELL_STACK,  // uint64_t, number of a stack: its frames; only as the last column
};
struct column {
	const char *key;   // in JSON
	const char *title; // in the heading; NULL ends the columns
	enum cell_kind kind;
};

struct report_output *output_open(bool json);
void output_close(struct report_output *o); // prints what is left to print
bool output_json(const struct report_output *o);
int output_width(const struct report_output *o);

void out_title(struct report *rp, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
// "label  value" and "key": value; kinds and values as in a table's cell.
void out_figure(struct report *rp, const char *key, const char *label, enum cell_kind kind, ...);
// A sentence for people; not in JSON.
void out_note(struct report *rp, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
// A cell as text (to be freed), or added to the JSON; takes its value from *ap. report_cell.c
char *cell_text(struct report *rp, enum cell_kind kind, va_list *ap);
void cell_json(struct report *rp, const char *key, enum cell_kind kind, va_list *ap);
// Rows of one table between begin and end, each with a value per column. Widths follow the rows.
void out_table(struct report *rp, const char *key, const struct column *columns);
void out_row(struct report *rp, ...);
void out_end(struct report *rp);
// One line of a tree (text), drawn by its report.
void out_line(struct report *rp, const char *text);
void put_function(GString *t, const char *name); // a function's name, short
JsonBuilder *output_builder(struct report *rp);	 // NULL when text is printed

static inline const char *plural(uint64_t n) // "" or "s"
{
	return n == 1 ? "" : "s";
}

// ---- stacks by name (report_stack.c)

struct site_frame {	      // strings live as long as the report
	const char *function; // never empty
	const char *file;     // base name; "" unknown
	const char *module;   // path; "" unknown
	int line;
};
struct report_names *names_open(struct recording *r);
void names_close(struct report_names *n);
// Frames of a stack, innermost first, functions inlined into others included. Valid until the
// next call.
const struct site_frame *stack_frames(struct report *rp, uint64_t stack, unsigned *n);
// The stacks with a frame whose function, file or module contains the text, whatever its case.
GHashTable *stacks_naming(struct recording *r, const char *text);
bool stack_wanted(const struct report *rp, uint64_t stack);
// Index of the frame that tells one site from another: the first not in a wrapper of malloc.
unsigned stack_site(const struct site_frame *f, unsigned n);
// Index of the outermost frame worth showing: main rather than what calls it.
unsigned stack_outermost(const struct site_frame *f, unsigned n);

// The name a cache of the process had last. To be freed.
char *cache_name(struct report *rp, unsigned cache);

// ---- figures per stack (report_figures.c): the recording's, or counted from the window's events

struct site_figures {
	uint64_t stack;
	uint64_t calls, bytes, alloc, live_count, live_bytes, peak_bytes, temporary, failed;
};
// Those --filter wants, in no order. Array of struct site_figures.
GArray *site_figures(struct report *rp);

// A figure of sites as a tree of calls, bottom-up or top-down; `kind` is CELL_BYTES or CELL_COUNT.
// The sum of all. (report_tree.c)
uint64_t report_tree(struct report *rp, const GArray *sites,
		     uint64_t (*value)(const struct site_figures *f), const char *key,
		     enum cell_kind kind);

// ---- one pass over events (report_scan.c)

// What a scan hands on; `c` is the event's context.
struct scan_event {
	uint64_t id, req, back;
	int64_t t_ns, addr; // addr 0 for most that end a block: its allocation has it
	uint32_t stack;
	const struct scan_context *c;
};
bool scan_gives(const struct scan_event *e);	 // an allocation that succeeded
uint64_t scan_taken(const struct scan_event *e); // bytes it took
// Every event of the process in [from, to], in order. Only what --filter wants unless `all`.
void report_scan(struct report *rp, bool all, void (*fn)(void *ctx, const struct scan_event *e),
		 void *ctx);
// Of all of them, those that may have to do with a block that holds the address (touched.h).
void report_scan_address(struct report *rp, kaddr_t addr,
			 void (*fn)(void *ctx, const struct scan_event *e), void *ctx);

// What the machine did in [from, to], by event kind. (report_pressure.c)
struct tally {
	uint64_t times, count, first; // runs, what they amount to, event of the first
};
void count_transitions(struct report *rp, struct tally tally[EV_COUNT]);
// Parts of slab, fragmentation and pressure: false sharing (report_sharing.c), who pins pageblocks
// (report_pins.c), crossings of watermarks (report_watermarks.c).
void report_sharing(struct report *rp);
void report_pins(struct report *rp, struct machine *m);
int report_watermarks(struct report *rp); // exit status
// The process' machine; NULL after a message. (report_machine.c)
struct replay *report_replay(struct report *rp);
// Caches of a machine that have slabs, those with most pages first: array of struct cache_figures.
struct cache_figures {
	unsigned id;
	uint64_t active, parked, objects, pages_bytes, waste; // parked: in arrays of CPUs
};
GArray *cache_list(const struct machine *m);
int report_damaged(const struct replay *p); // says up to where it is whole: exit status
// Blocks not given back that are not suppressed. Not 0 after a message. (report_leaks.c)
int leak_totals(struct report *rp, uint64_t *count, uint64_t *bytes);

// ---- the reports: exit status

int report_sites(struct report *rp);
int report_temporary(struct report *rp);
int report_peak(struct report *rp);
int report_leaks(struct report *rp);
int report_sizes(struct report *rp);
int report_storage(struct report *rp);
int report_lifetimes(struct report *rp);
int report_threads(struct report *rp);
int report_slab(struct report *rp);
int report_pressure(struct report *rp);
int report_fragmentation(struct report *rp);
int report_history(struct report *rp);
int report_marks(struct report *rp);
int report_pools(struct report *rp);
int report_summary(struct report *rp);
