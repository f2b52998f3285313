// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// kalloscope report: answers to the usual questions about a recording, for people or as JSON.
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

static const struct {
	const char *name;
	int (*run)(struct report *rp);
} reports[] = {
	{"sites", report_sites},
	{"peak", report_peak},
	{"leaks", report_leaks},
	{"sizes", report_sizes},
	{"lifetimes", report_lifetimes},
	{"temporary", report_temporary},
	{"threads", report_threads},
	{"slab", report_slab},
	{"pressure", report_pressure},
	{"fragmentation", report_fragmentation},
	{"history", report_history},
	{"summary", report_summary},
	{NULL, NULL}, // ends the list
};

struct args {
	struct cli_at at, from, to;
	bool window, json, top_down;
	unsigned top;
	int process;
	const char *filter, *suppressions;
};

static const char *report_name(int i, const void *ctx)
{
	(void)ctx;
	return reports[i].name;
}

static int find_report(const char *name)
{
	int i = 0;
	while (reports[i].name && strcmp(reports[i].name, name))
		i++;
	if (reports[i].name)
		return i;
	const char *near = cli_nearest(name, report_name, NULL);
	if (near)
		cli_usage("report", "unknown report '%s'; did you mean '%s'?", name, near);
	GString *all = g_string_new(NULL);
	for (i = 0; reports[i].name; i++)
		g_string_append_printf(all, " %s", reports[i].name);
	cli_usage("report", "unknown report '%s'; there are:%s", name, all->str);
}

static struct cli_at moment(const char *option, const char *text)
{
	struct cli_at at;
	if (!text || !cli_parse_at(text, &at))
		cli_usage("report", "%s %s: not an event (#123), a time (3.2s, 500ms) or end",
			  option, text ? text : "");
	return at;
}

static int number(const char *option, const char *text, int least)
{
	char *end;
	errno = 0;
	long n = strtol(text, &end, 10);
	if (errno || *end || end == text || n < least || n > 1000000000)
		cli_usage("report", "%s %s: not a number from %d", option, text, least);
	return (int)n;
}

// The second moment is the word behind the option's argument: taken before getopt looks at it.
static void between(struct args *a, struct cli *c)
{
	a->window = true;
	a->from = moment("--between", c->value);
	a->to = moment("--between: the second moment",
		       c->optind < c->argc ? c->argv[c->optind] : NULL);
	optind++;
}

static void parse(struct args *a, struct cli *c)
{
	for (int id; (id = cli_next(c)) != -1;) {
		switch (id) {
		case 'j':
			a->json = true;
			break;
		case 't':
			a->top = (unsigned)number("--top", c->value, 0);
			break;
		case 'p':
			a->process = number("--process", c->value, 1);
			break;
		case 'f':
			a->filter = c->value;
			break;
		case 'b':
			between(a, c);
			break;
		case 'a':
			a->at = moment("--at", c->value);
			break;
		case 's':
			a->suppressions = c->value;
			break;
		default:
			a->top_down = id == 'd';
		}
	}
}

// The one asked for; else that with most events: of a shell and what it starts, usually the one
// meant. NULL after a message.
static const struct process_info *choose_process(struct recording *r, int process)
{
	const struct process_info *list;
	unsigned n = recording_processes(r, &list), best = 0;
	for (unsigned i = 0; i < n; i++) {
		if (list[i].process == process)
			return &list[i];
		if (list[i].events > list[best].events)
			best = i;
	}
	if (n && !process)
		return &list[best];
	if (n)
		cli_error("there is no process %d; the recording has 1 to %d", process,
			  list[n - 1].process);
	else
		cli_error("the recording holds no process");
	return NULL;
}

static void header(struct report *rp, const char *name)
{
	const struct process_info *p = rp->p, *list;
	unsigned n = recording_processes(rp->r, &list);
	JsonBuilder *b = output_builder(rp);
	if (b) {
		json_builder_set_member_name(b, "report");
		json_builder_add_string_value(b, name);
		json_builder_set_member_name(b, "process");
		json_builder_add_int_value(b, p->process);
		return;
	}
	g_autofree char *which =
		n > 1 ? g_strdup_printf("process %d of %u, ", p->process, n) : g_strdup("");
	const char *program = *p->argv ? p->argv : p->exe;
	const char *slash = memrchr(program, '/', strcspn(program, " \n"));
	g_autofree char *line =
		g_strdup_printf("%s: %s%s", name, which, slash ? slash + 1 : program);
	out_line(rp, line);
	if (rp->window)
		out_note(rp, "events %s to %s", fmt_count(rp->from), fmt_count(rp->to));
	if (!recording_complete(rp->r))
		out_note(rp, "INCOMPLETE: the recorder did not finish; figures may be missing");
}

static void set_window(struct report *rp, const struct args *a)
{
	rp->from = rp->p->first_event;
	rp->to = rp->p->last_event;
	rp->at = cli_at_event(rp->r, &a->at);
	if (!a->window)
		return;
	uint64_t from = cli_at_event(rp->r, &a->from), to = cli_at_event(rp->r, &a->to);
	if (from > to)
		cli_usage("report", "--between: the second moment is before the first");
	rp->window = true;
	rp->from = from > rp->from ? from : rp->from;
	rp->to = to < rp->to ? to : rp->to;
	if (rp->to > recording_events(rp->r)) // a damaged file may say anything
		rp->to = recording_events(rp->r);
}

static int run(int which, struct recording *r, const struct args *a, const char *addr)
{
	struct report rp = {.r = r,
			    .db = recording_db(r),
			    .top = a->top,
			    .top_down = a->top_down,
			    .addr = addr ? strtoull(addr, NULL, 16) : 0,
			    .suppressions = a->suppressions};
	rp.p = choose_process(r, a->process);
	if (!rp.p)
		return EXIT_USAGE;
	set_window(&rp, a);
	rp.names = names_open(r);
	rp.wanted = a->filter ? stacks_naming(r, a->filter) : NULL;
	rp.out = output_open(a->json);
	header(&rp, reports[which].name);
	int status = reports[which].run(&rp);
	output_close(rp.out);
	names_close(rp.names);
	if (rp.wanted)
		g_hash_table_unref(rp.wanted);
	return status;
}

// The address of `history` stands between the name and the file.
static const char *parse_address(const char *text)
{
	char *end;
	strtoull(text, &end, 16);
	if (*end || end == text)
		cli_usage("report", "history %s: not an address in hexadecimal", text);
	return text;
}

int cmd_report(int argc, char **argv)
{
	struct args a = {.at = {.kind = AT_END}, .top = 20};
	struct cli c;
	cli_init(&c, "report", argc, argv);
	parse(&a, &c);
	int which = c.optind < c.argc ? find_report(c.argv[c.optind]) : 0;
	bool history = !strcmp(reports[which].name, "history");
	char **operand = cli_operands(&c, history ? 3 : 2);
	const char *addr = history ? parse_address(operand[1]) : NULL;
	struct recording *r = cli_open(operand[history ? 2 : 1]);
	if (!r)
		return EXIT_USAGE;
	int status = run(which, r, &a, addr);
	recording_close(r);
	return status;
}
