// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Figures and tables of reports, as text that fits the terminal or as JSON.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "report.h"

enum {
	MAX_COLUMNS = 12,
	DEFAULT_WIDTH = 80,
	LABEL_WIDTH = 30,
	MIN_TEXT = 12 // narrowest column of text
};

// Rows are held back until the table's end, when the widths are known; --top keeps them few.
struct report_output {
	JsonBuilder *json; // NULL: text
	int width;
	bool colour;
	const struct column *column; // of the open table
	unsigned columns;
	GPtrArray *cell; // char *, columns each; of a stack: what to print after the figures
};

static int terminal_width(void)
{
	const char *columns = getenv("COLUMNS");
	struct winsize ws;
	if (columns && atoi(columns) >= 40)
		return atoi(columns);
	if (isatty(STDOUT_FILENO) && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) && ws.ws_col >= 40)
		return ws.ws_col;
	return DEFAULT_WIDTH;
}

struct report_output *output_open(bool json)
{
	struct report_output *o = g_new0(struct report_output, 1);
	const char *no_colour = getenv("NO_COLOR");
	o->width = terminal_width();
	o->colour = isatty(STDOUT_FILENO) && !(no_colour && *no_colour);
	o->cell = g_ptr_array_new_with_free_func(g_free);
	if (json) {
		o->json = json_builder_new();
		json_builder_begin_object(o->json);
	}
	return o;
}

void output_close(struct report_output *o)
{
	if (o->json) {
		json_builder_end_object(o->json);
		g_autoptr(JsonNode) root = json_builder_get_root(o->json);
		g_autofree char *out = json_to_string(root, TRUE);
		puts(out);
		g_object_unref(o->json);
	}
	g_ptr_array_unref(o->cell);
	g_free(o);
}

bool output_json(const struct report_output *o)
{
	return o->json;
}

int output_width(const struct report_output *o)
{
	return o->width;
}

JsonBuilder *output_builder(struct report *rp)
{
	return rp->out->json;
}

// Characters, not bytes; none of the names is expected to hold wide ones.
static int characters(const char *t)
{
	int n = 0;
	for (; *t; t++)
		n += (*t & 0xC0) != 0x80;
	return n;
}

// Up to `room` characters; a longer text ends in "...". `dim` for what eyes may skip.
static void put_text(const struct report_output *o, const char *text, int room, bool dim)
{
	g_autofree char *valid = g_utf8_make_valid(text, -1); // names may hold any bytes
	const char *t = valid;
	bool cut = characters(t) > room;
	int n = cut && room > 3 ? room - 3 : room;
	if (dim && o->colour)
		fputs("\033[2m", stdout);
	for (; *t; t++) {
		if ((*t & 0xC0) != 0x80 && n-- <= 0)
			break;
		putchar((unsigned char)*t < ' ' ? ' ' : *t);
	}
	fputs(cut && room > 3 ? "..." : "", stdout);
	if (dim && o->colour)
		fputs("\033[0m", stdout);
}

void out_line(struct report *rp, const char *text)
{
	put_text(rp->out, text, rp->out->width, false);
	putchar('\n');
}

// Whole words a line, as wide as the terminal.
static void put_wrapped(const struct report_output *o, const char *t)
{
	while (*t) {
		size_t end = strlen(t);
		if (characters(t) > o->width) {
			size_t blank = 0;
			for (end = 0; t[end] && end < (size_t)o->width; end++)
				blank = t[end] == ' ' ? end : blank;
			end = blank ? blank : end;
		}
		printf("%.*s\n", (int)end, t);
		t += end;
		t += *t == ' ';
	}
}

void out_note(struct report *rp, const char *fmt, ...)
{
	if (rp->out->json)
		return;
	va_list ap;
	va_start(ap, fmt);
	g_autofree char *t = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	put_wrapped(rp->out, t);
}

void out_title(struct report *rp, const char *fmt, ...)
{
	if (rp->out->json)
		return;
	va_list ap;
	va_start(ap, fmt);
	g_autofree char *t = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	fputs(rp->out->colour ? "\033[1m" : "", stdout);
	put_wrapped(rp->out, t);
	fputs(rp->out->colour ? "\033[0m" : "", stdout);
}

void out_figure(struct report *rp, const char *key, const char *label, enum cell_kind kind, ...)
{
	va_list ap;
	va_start(ap, kind);
	if (rp->out->json) {
		cell_json(rp, key, kind, &ap);
	} else {
		g_autofree char *t = cell_text(rp, kind, &ap);
		printf("  %-*s ", LABEL_WIDTH, label);
		put_text(rp->out, t, rp->out->width - LABEL_WIDTH - 3, false);
		putchar('\n');
	}
	va_end(ap);
}

void out_table(struct report *rp, const char *key, const struct column *columns)
{
	struct report_output *o = rp->out;
	o->column = columns;
	for (o->columns = 0; columns[o->columns].title;)
		o->columns++;
	if (!o->json)
		return;
	json_builder_set_member_name(o->json, key);
	json_builder_begin_array(o->json);
}

void out_row(struct report *rp, ...)
{
	struct report_output *o = rp->out;
	va_list ap;
	va_start(ap, rp);
	if (o->json)
		json_builder_begin_object(o->json);
	for (unsigned i = 0; i < o->columns; i++)
		if (o->json)
			cell_json(rp, o->column[i].key, o->column[i].kind, &ap);
		else
			g_ptr_array_add(o->cell, cell_text(rp, o->column[i].kind, &ap));
	if (o->json)
		json_builder_end_object(o->json);
	va_end(ap);
}

// A table too wide gives up the second blank between columns, then the ends of its texts.
static int fit(const struct report_output *o, int *width)
{
	int all = width[0], gap = 2;
	for (unsigned i = 1; i < o->columns; i++)
		all += 2 + (o->column[i].kind < CELL_BAR ? width[i] : MIN_TEXT);
	if (all > o->width) {
		gap = 1;
		all -= (int)o->columns - 1;
	}
	for (unsigned i = 0; i + 1 < o->columns && all > o->width; i++) {
		int spare = width[i] - MIN_TEXT;
		if (o->column[i].kind != CELL_TEXT || spare <= 0)
			continue;
		spare = spare < all - o->width ? spare : all - o->width;
		width[i] -= spare;
		all -= spare;
	}
	return gap;
}

static void put_cell(const struct report_output *o, unsigned i, const char *t, int width, int room)
{
	bool left = o->column[i].kind >= CELL_HEX, last = i + 1 == o->columns;
	int space = width - characters(t);
	if (!left)
		printf("%*s", space > 0 ? space : 0, "");
	put_text(o, t, last ? room : width, false);
	if (left && !last)
		printf("%*s", space > 0 ? space : 0, "");
}

// Numbers to the right, texts to the left; the last column takes what is left of the width, and a
// stack's callers the line below.
static void put_row(const struct report_output *o, char *const *cell, const int *width, int gap)
{
	int room = o->width;
	char *callers = NULL;
	for (unsigned i = 0; i < o->columns; i++) {
		char *end = o->column[i].kind == CELL_STACK ? strchr(cell[i], '\n') : NULL;
		if (end) {
			*end = 0;
			callers = end + 1;
		}
		room -= i ? gap : 0;
		printf("%*s", i ? gap : 0, "");
		put_cell(o, i, cell[i], width[i], room);
		room -= width[i];
	}
	putchar('\n');
	if (!callers || !*callers)
		return;
	fputs("       ", stdout);
	put_text(o, callers, o->width - 7, true);
	putchar('\n');
}

void out_end(struct report *rp)
{
	struct report_output *o = rp->out;
	int width[MAX_COLUMNS] = {0};
	char *title[MAX_COLUMNS];
	if (o->json) {
		json_builder_end_array(o->json);
		return;
	}
	for (unsigned i = 0; i < o->columns; i++) {
		title[i] = (char *)o->column[i].title;
		width[i] = characters(title[i]);
		for (unsigned j = i; j < o->cell->len; j += o->columns) {
			int n = characters(o->cell->pdata[j]);
			width[i] = n > width[i] ? n : width[i];
		}
	}
	int gap = fit(o, width);
	if (o->cell->len) {
		put_row(o, title, width, gap);
		for (unsigned j = 0; j < o->cell->len; j += o->columns)
			put_row(o, (char **)&o->cell->pdata[j], width, gap);
	} else {
		puts("  none");
	}
	g_ptr_array_set_size(o->cell, 0);
}
