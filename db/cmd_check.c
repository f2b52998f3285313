// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// kalloscope check: budgets of a recording, for scripts and CI. 0: all kept, 1: one broken or the
// recording is not complete.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "figures.h"

enum {
	MAX_RULES = 64
};

struct check {
	struct report_args a;
	struct rule rule[MAX_RULES];
	unsigned n, groups;
};

static int list_figures(void)
{
	for (const struct figure *f = figures; f->name; f++)
		printf("%-20s %s\n", f->name, f->what);
	return EXIT_SUCCESS;
}

static void add_rule(struct check *k, const char *text)
{
	if (k->n == MAX_RULES)
		cli_usage("check", "--rule: more than %d rules", MAX_RULES);
	k->rule[k->n] = rule_parse("check", "--rule", text, false);
	k->groups |= 1u << figures[k->rule[k->n++].figure].group;
}

static unsigned print(struct report *rp, const struct check *k, const double *value)
{
	static const struct column columns[] = {{"result", "", CELL_TEXT},
						{"rule", "rule", CELL_TEXT},
						{"text", "is", CELL_NUMBER},
						{"what", "what it counts", CELL_TEXT},
						{0}};
	static const struct column json[] = {{"kept", "kept", CELL_BOOL},
					     {"rule", "rule", CELL_TEXT},
					     {"figure", "figure", CELL_TEXT},
					     {"value", "value", CELL_REAL},
					     {0}};
	unsigned broken = 0;
	out_table(rp, "rules", output_json(rp->out) ? json : columns);
	for (unsigned i = 0; i < k->n; i++) {
		const struct rule *r = &k->rule[i];
		const struct figure *f = &figures[r->figure];
		double v = value[r->figure];
		bool kept = rule_holds(r, 0, v);
		g_autofree char *text = figure_text(f->unit, v);
		broken += !kept;
		if (output_json(rp->out))
			out_row(rp, (int)kept, r->text, f->name, v);
		else
			out_row(rp, kept ? "ok" : "BROKEN", r->text, text, f->what);
	}
	out_end(rp);
	return broken;
}

static int run(struct recording *r, const struct check *k)
{
	struct report rp;
	double value[MAX_FIGURES];
	bool complete = recording_complete(r);
	if (!report_begin(&rp, r, &k->a, "check"))
		return EXIT_USAGE;
	if (!figures_read(&rp, k->groups, value)) {
		report_end(&rp);
		return EXIT_USAGE;
	}
	rp.out = output_open(k->a.json);
	unsigned broken = print(&rp, k, value);
	if (output_json(rp.out)) {
		out_figure(&rp, "broken", "", CELL_COUNT, (uint64_t)broken);
		out_figure(&rp, "complete", "", CELL_BOOL, (int)complete);
	}
	output_close(rp.out);
	report_end(&rp);
	if (!complete)
		cli_error("the recording is not complete: its figures prove nothing");
	return broken || !complete ? EXIT_FAILURE : EXIT_SUCCESS;
}

int cmd_check(int argc, char **argv)
{
	struct check k = {.a.at.kind = AT_END};
	struct cli c;
	cli_init(&c, "check", argc, argv);
	for (int id; (id = cli_next(&c)) != -1;) {
		k.a.json |= id == 'j';
		k.a.suppressions = id == 's' ? c.value : k.a.suppressions;
		if (id == 'r' && !strcmp(c.value, "list"))
			return list_figures();
		if (id == 'r')
			add_rule(&k, c.value);
		else
			select_option(&k.a, &c, id);
	}
	char **operand = cli_operands(&c, 1);
	if (!k.n)
		cli_usage("check", "no --rule: say what must hold, as --rule 'leaked_count==0'");
	struct recording *r = cli_open(operand[0]);
	if (!r)
		return EXIT_USAGE;
	int status = run(r, &k);
	recording_close(r);
	return status;
}
