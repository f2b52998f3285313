// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The walk over stacks that exports share, and numbers for frames.
#include "export.h"

#include <string.h>

static const struct {
	const char *name, *title;
	bool bytes;
} measures[MEASURES] = {
	[MEASURE_PEAK] = {"peak", "bytes alive at the peak", true},
	[MEASURE_BYTES] = {"bytes", "bytes asked for", true},
	[MEASURE_CALLS] = {"calls", "allocations", false},
	[MEASURE_LIVE] = {"live", "bytes not given back", true},
	[MEASURE_LIVE_COUNT] = {"live-count", "blocks not given back", false},
	[MEASURE_TEMPORARY] = {"temporary", "temporary allocations", false},
};

const char *measure_name(enum measure m)
{
	return measures[m].name;
}

const char *measure_title(enum measure m)
{
	return measures[m].title;
}

bool measure_is_bytes(enum measure m)
{
	return measures[m].bytes;
}

const char *measure_by_index(int i, const void *ctx)
{
	(void)ctx;
	return i < MEASURES ? measure_name((enum measure)i) : NULL;
}

enum measure measure_by_name(const char *command, const char *name)
{
	for (enum measure m = 0; m < MEASURES; m++)
		if (!strcmp(measure_name(m), name))
			return m;
	cli_unknown(command, "measure", name, measure_by_index, NULL);
}

uint64_t measure_of(enum measure m, const struct site_figures *f)
{
	switch (m) {
	case MEASURE_PEAK:
		return f->peak_bytes;
	case MEASURE_BYTES:
		return f->bytes;
	case MEASURE_CALLS:
		return f->calls;
	case MEASURE_LIVE:
		return f->live_bytes;
	case MEASURE_LIVE_COUNT:
		return f->live_count;
	default:
		return f->temporary;
	}
}

static int by_stack(gconstpointer pa, gconstpointer pb)
{
	const struct site_figures *a = pa, *b = pb;
	return (a->stack > b->stack) - (a->stack < b->stack);
}

void export_stacks(struct export *x, export_stack_fn fn, void *ctx)
{
	static const struct site_frame none = {"(no stack)", "", "", 0};
	g_autoptr(GArray) a = site_figures(&x->rp);
	g_array_sort(a, by_stack);
	for (guint i = 0; i < a->len && !ferror(x->out); i++) {
		const struct site_figures *f = &g_array_index(a, struct site_figures, i);
		unsigned n;
		const struct site_frame *frame = stack_frames(&x->rp, f->stack, &n);
		fn(ctx, f, n ? frame : &none, n ? n : 1);
	}
}

static guint frame_hash(gconstpointer p)
{
	const struct site_frame *f = p;
	return g_str_hash(f->function) * 31 + g_str_hash(f->file) + (guint)f->line * 7919;
}

static gboolean frame_equal(gconstpointer pa, gconstpointer pb)
{
	const struct site_frame *a = pa, *b = pb;
	return a->line == b->line && g_str_equal(a->function, b->function) &&
	       g_str_equal(a->file, b->file) && g_str_equal(a->module, b->module);
}

unsigned export_frame(struct export *x, const struct site_frame *f)
{
	if (!x->frame_id) {
		x->frame_id = g_hash_table_new(frame_hash, frame_equal);
		x->frame = g_ptr_array_new_with_free_func(g_free);
	}
	unsigned id = GPOINTER_TO_UINT(g_hash_table_lookup(x->frame_id, f));
	if (id)
		return id;
	struct site_frame *copy = g_memdup2(f, sizeof(*f)); // its texts are the report's
	g_ptr_array_add(x->frame, copy);
	g_hash_table_insert(x->frame_id, copy, GUINT_TO_POINTER(x->frame->len));
	return x->frame->len;
}

void export_frames_free(struct export *x)
{
	if (!x->frame_id)
		return;
	g_hash_table_unref(x->frame_id);
	g_ptr_array_unref(x->frame);
}

char *export_plain(const char *name, char not, char instead)
{
	char *t = g_utf8_make_valid(name, -1);
	for (char *p = t; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
		else if (*p == not )
			*p = instead;
	return t;
}
