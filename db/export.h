// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// kalloscope export: what the formats share. A format is one function in one file, which writes to
// x->out; a write error is found by cmd_export.c behind it. Names from a program may hold anything:
// each format makes them fit (json_quote, g_utf8_make_valid).
#pragma once

#include <stdio.h>

#include "quote.h"
#include "reader_views.h"
#include "report.h"

// What of a stack is measured, where a format has room for one figure.
enum measure {
	MEASURE_PEAK,
	MEASURE_BYTES,
	MEASURE_CALLS,
	MEASURE_LIVE,
	MEASURE_LIVE_COUNT,
	MEASURE_TEMPORARY,
	MEASURES
};

struct export
{
	struct report rp; // what is looked at; no output of its own
	FILE *out;
	enum measure measure;
	GHashTable *frame_id; // struct site_frame -> number from 1 (export_frames.c)
	GPtrArray *frame;     // struct site_frame * by number - 1
};

const char *measure_name(enum measure m);			     // "peak"
enum measure measure_by_name(const char *command, const char *name); // or ends the program
const char *measure_title(enum measure m);			     // "bytes alive at the peak"
bool measure_is_bytes(enum measure m);
uint64_t measure_of(enum measure m, const struct site_figures *f);

// ---- stacks (export_frames.c)

// Every stack of the selection, by its number. Frames innermost first, functions inlined into
// others included; a stack nobody knows is one frame "(no stack)".
typedef void (*export_stack_fn)(void *ctx, const struct site_figures *f,
				const struct site_frame *frame, unsigned n);
void export_stacks(struct export *x, export_stack_fn fn, void *ctx);
// Number of a frame, the same for the same function, file, line and module; 1 is the first.
unsigned export_frame(struct export *x, const struct site_frame *f);
void export_frames_free(struct export *x);
// The name with what a line-based format cannot hold replaced: line ends, controls, and `not`.
char *export_plain(const char *name, char not, char instead);

// ---- formats: exit status

int export_ftrace(struct export *x);
int export_folded(struct export *x);
int export_speedscope(struct export *x);
int export_pprof(struct export *x);
int export_massif(struct export *x);
int export_perfetto(struct export *x);
int export_csv(struct export *x);
int export_openmetrics(struct export *x);
int export_svg(struct export *x);
