// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// kalloscope sql: a read-only query, printed as an aligned table, tab-separated, CSV or JSON.
#include <json-glib/json-glib.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "quote.h"
#include "sql_functions.h"

enum format {
	TABS,
	TABLE,
	CSV,
	JSON
};
enum {
	TABLE_ROWS = 1000
}; // read ahead to find the columns' widths

// Rows go out as they come, except for the table: its columns are as wide as the widest of the
// first TABLE_ROWS cells.
struct printer {
	enum format format;
	bool header;
	sqlite3_stmt *s;
	int columns;
	int *width;
	uint64_t rows;
	char **cell; // TABLE: rows held back, columns each; NULL: SQL NULL
	bool *number;
	unsigned held;
};

static const char *cell_text(sqlite3_stmt *s, int c)
{
	const char *t = (const char *)sqlite3_column_text(s, c);
	return t ? t : "";
}

// Tabs and line ends would break the row apart.
static void put_plain(const char *t)
{
	for (; *t; t++)
		putchar(strchr("\t\n\r", *t) ? ' ' : *t);
}

static void put_csv(const char *t)
{
	g_autoptr(GString) quoted = g_string_new(NULL);
	csv_quote(quoted, t);
	fputs(quoted->str, stdout);
}

static void put_separated(struct printer *p, const char *(*text)(sqlite3_stmt *s, int c))
{
	for (int c = 0; c < p->columns; c++) {
		if (c)
			putchar(p->format == CSV ? ',' : '\t');
		if (p->format == CSV)
			put_csv(text(p->s, c));
		else
			put_plain(text(p->s, c));
	}
	putchar('\n');
}

// A value as JSON text; blobs and broken UTF-8 become what can be shown of them.
static char *json_value(sqlite3_stmt *s, int c)
{
	g_autoptr(JsonNode) node = json_node_new(JSON_NODE_VALUE);
	switch (sqlite3_column_type(s, c)) {
	case SQLITE_INTEGER:
		json_node_set_int(node, sqlite3_column_int64(s, c));
		break;
	case SQLITE_FLOAT:
		json_node_set_double(node, sqlite3_column_double(s, c));
		break;
	case SQLITE_NULL:
		return g_strdup("null");
	default:
		return json_quote(cell_text(s, c));
	}
	return json_to_string(node, FALSE);
}

// One object a line: line-wise tools can still read it.
static void put_json(struct printer *p)
{
	fputs(p->rows ? ",\n {" : "[\n {", stdout);
	for (int c = 0; c < p->columns; c++) {
		g_autofree char *key = json_quote(sqlite3_column_name(p->s, c)),
				*value = json_value(p->s, c);
		printf("%s%s: %s", c ? ", " : "", key, value);
	}
	putchar('}');
}

// In characters, not bytes; wide ones count as one.
static int text_width(const char *t)
{
	int n = 0;
	for (; *t; t++)
		n += (*t & 0xC0) != 0x80;
	return n;
}

static void pad(int n)
{
	for (; n > 0; n--)
		putchar(' ');
}

// Numbers to the right; the last column is not padded, so that lines have no blank ends.
static void put_cell(struct printer *p, int c, const char *t, bool right)
{
	int space = p->width[c] - text_width(t);
	if (c)
		fputs("  ", stdout);
	if (right)
		pad(space);
	put_plain(t);
	if (!right && c + 1 < p->columns)
		pad(space);
}

// The header goes with the first rows only; later ones keep the widths known by then.
static void flush_table(struct printer *p)
{
	bool *number = p->number;
	for (int c = 0; p->header && c < p->columns; c++)
		put_cell(p, c, sqlite3_column_name(p->s, c), number[c]);
	if (p->header)
		putchar('\n');
	for (unsigned i = 0; i < p->held; i++) {
		for (int c = 0; c < p->columns; c++) {
			char *t = p->cell[i * (unsigned)p->columns + (unsigned)c];
			put_cell(p, c, t ? t : "", number[c]);
			free(t);
		}
		putchar('\n');
	}
	p->held = 0;
	p->header = false;
}

static void measure(struct printer *p, int c, const char *text)
{
	int w = text_width(text);
	if (w > p->width[c])
		p->width[c] = w;
}

static void hold_row(struct printer *p)
{
	if (p->held == TABLE_ROWS)
		flush_table(p);
	for (int c = 0; c < p->columns; c++) {
		int type = sqlite3_column_type(p->s, c);
		const char *t = cell_text(p->s, c);
		measure(p, c, t);
		p->number[c] &=
			type == SQLITE_INTEGER || type == SQLITE_FLOAT || type == SQLITE_NULL;
		p->cell[p->held * (unsigned)p->columns + (unsigned)c] = strdup(t);
	}
	p->held++;
}

static void put_row(struct printer *p)
{
	switch (p->format) {
	case TABLE:
		hold_row(p);
		break;
	case JSON:
		put_json(p);
		break;
	default:
		if (!p->rows && p->header)
			put_separated(p, sqlite3_column_name);
		put_separated(p, cell_text);
	}
	p->rows++;
}

static bool printer_init(struct printer *p)
{
	p->columns = sqlite3_column_count(p->s);
	size_t n = (size_t)p->columns + 1;
	p->width = calloc(n, sizeof(*p->width));
	p->number = malloc(n * sizeof(*p->number));
	p->cell = p->format == TABLE ? calloc(n * TABLE_ROWS, sizeof(*p->cell)) : NULL;
	if (!p->width || !p->number || (p->format == TABLE && !p->cell))
		return false;
	for (int c = 0; c < p->columns; c++) {
		p->number[c] = true;
		measure(p, c, sqlite3_column_name(p->s, c));
	}
	return true;
}

// A query without rows still says which columns it would have had.
static void printer_finish(struct printer *p)
{
	if (p->format == TABLE)
		flush_table(p);
	else if (p->format == JSON)
		fputs(p->rows ? "\n]\n" : "[]\n", stdout);
	else if (!p->rows && p->header)
		put_separated(p, sqlite3_column_name);
	free(p->width);
	free(p->number);
	free(p->cell);
}

// The connection is read-only, so the worst a query can do is take long.
static int run(sqlite3 *db, const char *query, struct printer *p)
{
	const char *rest;
	int rc = sqlite3_prepare_v2(db, query, -1, &p->s, &rest);
	if (rc || !p->s) {
		cli_error("%s", rc ? sqlite3_errmsg(db) : "the query is empty");
		return EXIT_USAGE;
	}
	rest += strspn(rest, " \t\r\n;");
	if (*rest) {
		cli_error("one query at a time; there is more after the first: %.40s", rest);
		sqlite3_finalize(p->s);
		return EXIT_USAGE;
	}
	if (!printer_init(p)) {
		cli_error("out of memory");
		return EXIT_FAILURE;
	}
	while ((rc = sqlite3_step(p->s)) == SQLITE_ROW && !ferror(stdout))
		put_row(p);
	printer_finish(p);
	if (rc != SQLITE_DONE && rc != SQLITE_ROW)
		cli_error("%s", sqlite3_errmsg(db));
	sqlite3_finalize(p->s);
	return rc == SQLITE_DONE ? EXIT_SUCCESS : rc == SQLITE_READONLY ? EXIT_USAGE : EXIT_FAILURE;
}

int cmd_sql(int argc, char **argv)
{
	struct printer p = {.format = isatty(STDOUT_FILENO) ? TABLE : TABS, .header = true};
	struct cli c;
	cli_init(&c, "sql", argc, argv);
	for (int id; (id = cli_next(&c)) != -1;) {
		p.format = id == 'j' ? JSON : id == 'c' ? CSV : p.format;
		p.header &= id != 'n';
	}
	char **operand = cli_operands(&c, 2);
	struct recording *r = cli_open(operand[0]);
	if (!r)
		return EXIT_USAGE;
	struct sql_functions *f = sql_functions_add(r);
	int status = run(recording_db(r), operand[1], &p);
	sql_functions_free(f);
	recording_close(r);
	return status;
}
