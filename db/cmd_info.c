// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// kalloscope info: what a recording holds, for people or as JSON.
#include <json-glib/json-glib.h>
#include <stdlib.h>

#include "cli.h"
#include "summary.h"

// Member by member, through a library that knows how JSON is escaped.
static void number(JsonBuilder *b, const char *name, uint64_t value)
{
	json_builder_set_member_name(b, name);
	json_builder_add_int_value(b, (gint64)value);
}

static void text(JsonBuilder *b, const char *name, const char *value)
{
	g_autofree char *valid = g_utf8_make_valid(value, -1);
	json_builder_set_member_name(b, name);
	json_builder_add_string_value(b, valid);
}

static void boolean(JsonBuilder *b, const char *name, bool value)
{
	json_builder_set_member_name(b, name);
	json_builder_add_boolean_value(b, value);
}

static void json_processes(JsonBuilder *b, struct recording *r)
{
	static const char *const how[] = {"first", "fork", "exec"};
	const struct process_info *p;
	unsigned n = recording_processes(r, &p);
	json_builder_set_member_name(b, "process_list");
	json_builder_begin_array(b);
	for (unsigned i = 0; i < n; i++, p++) {
		json_builder_begin_object(b);
		number(b, "process", (uint64_t)p->process);
		number(b, "parent", (uint64_t)p->parent);
		text(b, "how", p->how >= 0 && p->how < 3 ? how[p->how] : "?");
		number(b, "pid", (uint64_t)p->pid);
		text(b, "exe", p->exe);
		text(b, "argv", p->argv);
		number(b, "first_event", p->first_event);
		number(b, "last_event", p->last_event);
		number(b, "events", p->events);
		number(b, "lost", p->lost);
		json_builder_end_object(b);
	}
	json_builder_end_array(b);
}

// One entry for the simulation and one for each reason the host had.
static void json_served(JsonBuilder *b, const struct summary *s)
{
	json_builder_set_member_name(b, "served");
	json_builder_begin_array(b);
	for (int i = 0; i < HOST_REASONS; i++) {
		const struct served_by *by = &s->by[i];
		if (!by->calls)
			continue;
		json_builder_begin_object(b);
		text(b, "by", i ? "host" : "simulation");
		if (i)
			text(b, "reason", host_reason_name((enum host_reason)i));
		number(b, "calls", by->calls);
		number(b, "bytes", by->bytes);
		number(b, "first_event", by->first_event);
		json_builder_end_object(b);
	}
	json_builder_end_array(b);
}

typedef void table_fn(void *ctx, const char *name, uint64_t bytes);

// Bytes per table; false: this SQLite was built without dbstat.
static bool each_table(struct recording *r, table_fn *fn, void *ctx)
{
	sqlite3_stmt *q = NULL;
	sqlite3_prepare_v2(
		recording_db(r),
		"SELECT name, sum(pgsize) FROM dbstat WHERE aggregate = TRUE GROUP BY name"
		" ORDER BY 2 DESC",
		-1, &q, NULL);
	bool known = q;
	while (q && sqlite3_step(q) == SQLITE_ROW)
		fn(ctx, (const char *)sqlite3_column_text(q, 0),
		   (uint64_t)sqlite3_column_int64(q, 1));
	sqlite3_finalize(q);
	return known;
}

static void json_table(void *ctx, const char *name, uint64_t bytes)
{
	number(ctx, name, bytes);
}

static void print_json(struct recording *r, const struct summary *s)
{
	g_autoptr(JsonBuilder) b = json_builder_new();
	json_builder_begin_object(b);
	text(b, "file", s->path);
	number(b, "file_bytes", s->file_bytes);
	boolean(b, "complete", s->complete);
	if (*s->truncated)
		text(b, "truncated", s->truncated);
	text(b, "program", s->argv);
	if (s->status >= 0)
		number(b, "exit_status", (uint64_t)s->status);
	number(b, "processes", s->processes);
	number(b, "events", s->events);
	number(b, "transitions", s->transitions);
	number(b, "duration_ns", s->duration_ns);
	number(b, "peak_bytes", s->peak_bytes);
	number(b, "peak_event", s->peak_event);
	number(b, "live_bytes", s->live_bytes);
	number(b, "live_count", s->live_count);
	number(b, "lost", s->lost);
	number(b, "divergences", s->divergences);
	number(b, "unrecorded_children", s->unrecorded);
	number(b, "early_calls", s->early_calls);
	json_served(b, s);
	json_processes(b, r);
	json_builder_set_member_name(b, "tables");
	json_builder_begin_object(b);
	each_table(r, json_table, b);
	json_builder_end_object(b);
	json_builder_end_object(b);
	g_autoptr(JsonNode) root = json_builder_get_root(b);
	g_autofree char *out = json_to_string(root, TRUE);
	puts(out);
}

struct small_tables {
	uint64_t least; // what a table must have to be listed
	uint64_t tables, bytes;
};

static void print_table(void *ctx, const char *name, uint64_t bytes)
{
	struct small_tables *small = ctx;
	if (bytes < small->least) {
		small->tables++;
		small->bytes += bytes;
		return;
	}
	printf("    %-20s %10s\n", name, fmt_bytes(bytes));
}

static void print_tables(struct recording *r, const struct summary *s)
{
	struct small_tables small = {.least = s->file_bytes / 100};
	puts("  tables");
	if (!each_table(r, print_table, &small))
		puts("    (sizes unknown: SQLite lacks dbstat)");
	if (small.tables)
		printf("    %-20s %10s  in %s small ones (kalloscope report storage)\n", "others",
		       fmt_bytes(small.bytes), fmt_count(small.tables));
}

// How many processes the list shows before it leaves the small ones out.
enum {
	LIST_LENGTH = 12,
};

static int by_events(const void *a, const void *b)
{
	const struct process_info *x = *(struct process_info *const *)a;
	const struct process_info *y = *(struct process_info *const *)b;
	return x->events == y->events ? 0 : x->events < y->events ? 1 : -1;
}

// Marks in shown[] the LIST_LENGTH processes with the most events.
static void choose_largest(const struct process_info *p, unsigned n, bool *shown)
{
	g_autofree const struct process_info **order = g_new(const struct process_info *, n);
	for (unsigned i = 0; i < n; i++)
		order[i] = p + i;
	qsort(order, n, sizeof(*order), by_events);
	for (unsigned i = 0; i < n && i < LIST_LENGTH; i++)
		shown[order[i] - p] = true;
}

// Only when there is more than the program itself: the summary has said that much.
static void print_processes(struct recording *r, bool all)
{
	static const char *const how[] = {"started", "forked", "exec'd"};
	const struct process_info *p;
	unsigned n = recording_processes(r, &p), hidden = 0;
	uint64_t hidden_events = 0;
	if (n < 2)
		return;
	g_autofree bool *shown = g_new0(bool, n);
	choose_largest(p, n, shown);
	for (unsigned i = 0; i < n; i++, p++) {
		if (!all && !shown[i]) {
			hidden++;
			hidden_events += p->events;
			continue;
		}
		g_autofree char *command = fmt_line(*p->argv ? p->argv : p->exe, 60);
		printf("    %3d  %-7s by %-3d pid %-7d %12s events  %s\n", p->process,
		       p->how >= 0 && p->how < 3 ? how[p->how] : "?", p->parent, p->pid,
		       fmt_count(p->events), command);
	}
	if (hidden)
		printf("    and %u smaller ones with %s events (--processes lists all)\n", hidden,
		       fmt_count(hidden_events));
}

// Why the host served, each reason with its first event, to be looked at in the viewer.
static void print_host(const struct summary *s)
{
	for (int i = 1; i < HOST_REASONS; i++)
		if (s->by[i].calls)
			printf("    host: %-28s %8s calls %10s, first at event %s\n",
			       host_reason_name((enum host_reason)i), fmt_count(s->by[i].calls),
			       fmt_bytes(s->by[i].bytes), fmt_count(s->by[i].first_event));
}

int cmd_info(int argc, char **argv)
{
	struct summary s;
	bool json = false, all = false;
	int id;
	struct cli c;
	cli_init(&c, "info", argc, argv);
	while ((id = cli_next(&c)) != -1) {
		json |= id == 'j';
		all |= id == 'p';
	}
	char **operand = cli_operands(&c, 1);
	struct recording *r = cli_open(operand[0]);
	if (!r)
		return EXIT_USAGE;
	summary_read(r, &s);
	if (json) {
		print_json(r, &s);
	} else {
		printf("%s\n", operand[0]);
		summary_print(stdout, &s);
		print_processes(r, all);
		print_host(&s);
		print_tables(r, &s);
	}
	recording_close(r);
	return EXIT_SUCCESS;
}
