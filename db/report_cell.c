// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The values of reports: as text of a cell, or as JSON.
#include <math.h>
#include <string.h>

#include "report.h"

enum {
	BAR_WIDTH = 12
};

static void json_text(JsonBuilder *b, const char *t)
{
	g_autofree char *valid = g_utf8_make_valid(t, -1);
	json_builder_add_string_value(b, valid);
}

// JSON has no infinity.
static void json_real(JsonBuilder *b, double v)
{
	if (isfinite(v))
		json_builder_add_double_value(b, v);
	else
		json_builder_add_null_value(b);
}

static void json_stack(struct report *rp, uint64_t stack)
{
	JsonBuilder *b = output_builder(rp);
	unsigned n;
	const struct site_frame *f = stack_frames(rp, stack, &n);
	json_builder_begin_array(b);
	for (unsigned i = 0; i < n; i++) {
		json_builder_begin_object(b);
		json_builder_set_member_name(b, "function");
		json_text(b, f[i].function);
		json_builder_set_member_name(b, "file");
		json_text(b, f[i].file);
		json_builder_set_member_name(b, "line");
		json_builder_add_int_value(b, f[i].line);
		json_builder_set_member_name(b, "module");
		json_text(b, f[i].module);
		json_builder_end_object(b);
	}
	json_builder_end_array(b);
}

void cell_json(struct report *rp, const char *key, enum cell_kind kind, va_list *ap)
{
	JsonBuilder *b = output_builder(rp);
	if (kind == CELL_BAR) {
		(void)va_arg(*ap, uint64_t);
		return;
	}
	json_builder_set_member_name(b, key);
	if (kind == CELL_TEXT || kind == CELL_NUMBER) {
		json_text(b, va_arg(*ap, const char *));
	} else if (kind == CELL_REAL) {
		json_real(b, va_arg(*ap, double));
	} else if (kind == CELL_BOOL) {
		json_builder_add_boolean_value(b, va_arg(*ap, int));
	} else if (kind == CELL_STACK) {
		json_stack(rp, va_arg(*ap, uint64_t));
	} else if (kind == CELL_HEX) {
		g_autofree char *t = g_strdup_printf("0x%llx", va_arg(*ap, unsigned long long));
		json_text(b, t);
	} else if (kind == CELL_SHARE || kind == CELL_INDEX) {
		json_builder_add_double_value(b, (double)va_arg(*ap, int64_t) / 1000);
	} else {
		json_builder_add_int_value(b, va_arg(*ap, int64_t));
	}
}

// Without arguments, which C++ names carry and which fill lines; a lone "operator()" keeps its own.
void put_function(GString *t, const char *name)
{
	const char *open = strchr(name, '(');
	if (open && open > name && !g_str_has_prefix(name, "operator()") &&
	    strncmp(open, "()::", 4))
		g_string_append_len(t, name, open - name);
	else
		g_string_append(t, name);
}

// "make_node known.c:12" and, after a line end, " < build < main": without what starts main and
// without repeating a function inlined into itself.
static char *stack_text(struct report *rp, uint64_t stack)
{
	unsigned n;
	const struct site_frame *f = stack_frames(rp, stack, &n);
	if (!n)
		return g_strdup("(no stack)");
	unsigned i = stack_site(f, n);
	GString *t = g_string_new(NULL);
	put_function(t, f[i].function);
	if (f[i].line)
		g_string_append_printf(t, "  %s:%d", f[i].file, f[i].line);
	g_string_append_c(t, '\n');
	for (unsigned last = stack_outermost(f, n); i < last && t->len < 800; i++) {
		if (!strcmp(f[i].function, f[i + 1].function))
			continue;
		g_string_append(t, " < ");
		put_function(t, f[i + 1].function);
	}
	return g_string_free(t, FALSE);
}

char *cell_text(struct report *rp, enum cell_kind kind, va_list *ap)
{
	int64_t v;
	if (kind == CELL_TEXT || kind == CELL_NUMBER)
		return g_strdup(va_arg(*ap, const char *));
	v = va_arg(*ap, int64_t);
	switch (kind) {
	case CELL_STACK:
		return stack_text(rp, (uint64_t)v);
	case CELL_BAR: // something always shows
		return g_strnfill(v ? (gsize)(v * BAR_WIDTH + 999) / 1000 : 0, '#');
	case CELL_EVENT:
		return g_strdup(v ? fmt_count((uint64_t)v) : "-");
	case CELL_BYTES:
		return g_strdup(v ? fmt_bytes((uint64_t)v) : "0");
	case CELL_TIME:
		return g_strdup(fmt_duration((uint64_t)v));
	case CELL_SHARE:
		return g_strdup_printf("%.1f %%", (double)v / 10);
	case CELL_INDEX:
		return g_strdup_printf("%.3f", (double)v / 1000);
	case CELL_HEX:
		return g_strdup_printf("0x%llx", (unsigned long long)v);
	default:
		return g_strdup(fmt_count((uint64_t)v));
	}
}
