// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// kalloscope report: answers to the usual questions about a recording, for people or as JSON.
#include <stdlib.h>
#include <string.h>

#include "report.h"

static const struct {
	const char *name;
	int (*run)(struct report *rp);
	const char *options; // those that change its answer, by their letters; 'u' has it by site
} reports[] = {
	{"sites", report_sites, "fbud"},       {"peak", report_peak, "fbud"},
	{"leaks", report_leaks, "fbuds"},      {"sizes", report_sizes, "fb"},
	{"lifetimes", report_lifetimes, "fb"}, {"temporary", report_temporary, "fbud"},
	{"threads", report_threads, "fb"},     {"slab", report_slab, "fba"},
	{"pressure", report_pressure, "fb"},   {"fragmentation", report_fragmentation, "b"},
	{"history", report_history, "fb"},     {"marks", report_marks, "fb"},
	{"pools", report_pools, "fb"},	       {"summary", report_summary, "fb"},
	{"storage", report_storage, ""},       {NULL, NULL, NULL}, // ends the list
};

const char *report_name(int i, const void *ctx)
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
	cli_unknown("report", "report", name, report_name, NULL);
}

// A bit for each letter of an option that was given.
static uint32_t parse(struct report_args *a, struct cli *c)
{
	uint32_t given = 0;
	for (int id; (id = cli_next(c)) != -1;) {
		given |= 1u << (id - 'a');
		switch (id) {
		case 'j':
			a->json = true;
			break;
		case 't':
			a->top = (unsigned)option_number(c, "--top", 0);
			break;
		case 's':
			a->suppressions = c->value;
			break;
		case 'u':
		case 'd':
			a->tree = true;
			a->top_down = id == 'd';
			break;
		default:
			select_option(a, c, id);
		}
	}
	return given;
}

// An option that would be passed over in silence.
static void refuse_unused(const struct cli *c, int which, uint32_t given)
{
	const char *always = "jtp";
	for (const struct cli_option *o = c->cmd->options; o->name; o++)
		if (given >> (o->id - 'a') & 1 && !strchr(always, o->id) &&
		    !strchr(reports[which].options, o->id))
			cli_usage("report", "%s takes no --%s", reports[which].name, o->name);
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

static int run(int which, struct recording *r, const struct report_args *a, const char *addr)
{
	struct report rp;
	if (!report_begin(&rp, r, a, "report"))
		return EXIT_USAGE;
	if (strchr(reports[which].options, 'u') && !rp.wanted && recording_complete(r) &&
	    !report_has_stacks(r))
		cli_error("note: the recording has no stacks (recorded with --frames=0?): its call "
			  "sites cannot be told apart");
	rp.addr = addr ? strtoull(addr, NULL, 16) : 0;
	rp.out = output_open(a->json);
	header(&rp, reports[which].name);
	int status = reports[which].run(&rp);
	output_close(rp.out);
	report_end(&rp);
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
	struct report_args a = {.at = {.kind = AT_END}, .top = 20};
	struct cli c;
	cli_init(&c, "report", argc, argv);
	uint32_t given = parse(&a, &c);
	int which = c.optind < c.argc ? find_report(c.argv[c.optind]) : 0;
	refuse_unused(&c, which, given);
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
