// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// kalloscope diff: two recordings by figure and by call site, what got worse first. 0: compared; 1: a
// condition of --fail-if is met.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "diff.h"

enum {
	MAX_CONDITIONS = 64
};

struct options {
	struct report_args a;
	struct rule fail[MAX_CONDITIONS];
	unsigned n;
	enum measure measure;
	bool normalise;
};

struct change {
	unsigned figure;
	double before, after;
};

// From nothing it is endless.
static double percent(const struct change *c)
{
	double d = c->after - c->before;
	return c->before > 0 ? 100 * d / c->before : d > 0 ? INFINITY : d < 0 ? -INFINITY : 0;
}

// Worse ones first, by percentage; run times are not the program's own and stand last.
static int worst_first(gconstpointer pa, gconstpointer pb)
{
	const struct change *a = pa, *b = pb;
	bool ta = figures[a->figure].unit == UNIT_NS, tb = figures[b->figure].unit == UNIT_NS;
	double x = percent(a), y = percent(b);
	if (ta != tb)
		return ta ? 1 : -1;
	if (x != y)
		return x > y ? -1 : 1;
	return a->figure < b->figure ? -1 : 1;
}

static void print_change(struct diff *d, const struct change *c)
{
	const struct figure *f = &figures[c->figure];
	double p = percent(c);
	if (d->json) {
		out_row(&d->after, f->name, c->before, c->after, p);
		return;
	}
	g_autofree char *before = figure_text(f->unit, c->before),
			*after = figure_text(f->unit, c->after),
			*change = isfinite(p) ? g_strdup_printf("%+.1f %%", p)
					      : g_strdup(p > 0 ? "from 0" : "to 0");
	out_row(&d->after, change, before, after, f->name, "");
}

static void print_figures(struct diff *d, const double *before, const double *after)
{
	static const struct column text[] = {
		{"", "change", CELL_NUMBER}, {"", "before", CELL_NUMBER},
		{"", "after", CELL_NUMBER},  {"", "figure", CELL_TEXT},
		{"", "", CELL_TEXT},	     {0}};
	static const struct column json[] = {{"figure", "", CELL_TEXT},
					     {"before", "", CELL_REAL},
					     {"after", "", CELL_REAL},
					     {"change_percent", "", CELL_REAL},
					     {0}};
	g_autoptr(GArray) a = g_array_new(FALSE, FALSE, sizeof(struct change));
	for (unsigned i = 0; figures[i].name; i++) {
		struct change c = {i, before[i], after[i]};
		if (before[i] != after[i])
			g_array_append_val(a, c);
	}
	g_array_sort(a, worst_first);
	out_title(&d->after, "%s figure%s differ", fmt_count(a->len), plural(a->len));
	out_table(&d->after, "figures", d->json ? json : text);
	for (guint i = 0; i < a->len; i++)
		print_change(d, &g_array_index(a, struct change, i));
	out_end(&d->after);
}

// Which conditions are met. Those of figures nobody printed are told all the same.
static unsigned judge(struct diff *d, const struct options *o, const double *before,
		      const double *after)
{
	static const struct column columns[] = {{"met", "", CELL_BOOL},
						{"condition", "", CELL_TEXT},
						{"before", "", CELL_REAL},
						{"after", "", CELL_REAL},
						{0}};
	unsigned met = 0;
	if (d->json)
		out_table(&d->after, "fail_if", columns);
	for (unsigned i = 0; i < o->n; i++) {
		const struct rule *r = &o->fail[i];
		double x = before[r->figure], y = after[r->figure];
		bool hit = rule_holds(r, x, y);
		g_autofree char *from = figure_text(figures[r->figure].unit, x),
				*to = figure_text(figures[r->figure].unit, y);
		met += hit;
		if (d->json)
			out_row(&d->after, (int)hit, r->text, x, y);
		else
			out_note(&d->after, "%s --fail-if '%s': %s -> %s",
				 hit ? "MET:" : "not met:", r->text, from, to);
	}
	if (d->json)
		out_end(&d->after);
	return met;
}

static void print_header(struct diff *d, const struct options *o)
{
	const struct report *side[] = {&d->before, &d->after};
	for (unsigned i = 0; i < 2; i++)
		out_note(&d->after, "%s %s, process %d: %s",
			 i ? "after: " : "before:", recording_path(side[i]->r), side[i]->p->process,
			 side[i]->p->exe);
	if (o->normalise)
		out_note(&d->after,
			 "what grows with the work is scaled by %.3f after, to the "
			 "same number of allocations",
			 d->scale);
}

// As many calls before and after: what is left are changes of a call's cost.
static void scale(struct diff *d, const double *before, double *after)
{
	unsigned calls = 0;
	while (strcmp(figures[calls].name, "allocations"))
		calls++;
	d->scale = after[calls] > 0 && before[calls] > 0 ? before[calls] / after[calls] : 1;
	for (unsigned i = 0; figures[i].name; i++)
		after[i] *= figures[i].scales ? d->scale : 1;
}

static int compare(struct diff *d, const struct options *o)
{
	double before[MAX_FIGURES], after[MAX_FIGURES];
	if (!figures_read(&d->before, ~0u, before) || !figures_read(&d->after, ~0u, after))
		return EXIT_USAGE;
	if (o->normalise)
		scale(d, before, after);
	d->after.out = d->before.out = output_open(o->a.json);
	print_header(d, o);
	print_figures(d, before, after);
	diff_sites(d);
	unsigned met = judge(d, o, before, after);
	output_close(d->after.out);
	return met ? EXIT_FAILURE : EXIT_SUCCESS;
}

static void warn_incomplete(struct recording *r)
{
	if (!recording_complete(r))
		cli_error("note: %s is not complete; its figures may be missing",
			  recording_path(r));
}

static int run(const struct options *o, char **file)
{
	struct diff d = {.measure = o->measure, .scale = 1, .top = o->a.top, .json = o->a.json};
	struct recording *a = cli_open(file[0]), *b = a ? cli_open(file[1]) : NULL;
	int status = EXIT_USAGE;
	if (a && b && report_begin(&d.before, a, &o->a, "diff") &&
	    report_begin(&d.after, b, &o->a, "diff")) {
		warn_incomplete(a);
		warn_incomplete(b);
		status = compare(&d, o);
	}
	report_end(&d.before);
	report_end(&d.after);
	recording_close(a);
	recording_close(b);
	return status;
}

static void add_condition(struct options *o, const char *text)
{
	if (o->n == MAX_CONDITIONS)
		cli_usage("diff", "--fail-if: more than %d conditions", MAX_CONDITIONS);
	o->fail[o->n++] = rule_parse("diff", "--fail-if", text, true);
}

int cmd_diff(int argc, char **argv)
{
	struct options o = {.a = {.at.kind = AT_END, .top = 20}, .measure = MEASURE_PEAK};
	struct cli c;
	cli_init(&c, "diff", argc, argv);
	for (int id; (id = cli_next(&c)) != -1;) {
		switch (id) {
		case 'j':
			o.a.json = true;
			break;
		case 't':
			o.a.top = (unsigned)option_number(&c, "--top", 0);
			break;
		case 's':
			o.a.suppressions = c.value;
			break;
		case 'm':
			o.measure = measure_by_name("diff", c.value);
			break;
		case 'n':
			o.normalise = true;
			break;
		case 'F':
			add_condition(&o, c.value);
			break;
		default:
			select_option(&o.a, &c, id);
		}
	}
	return run(&o, cli_operands(&c, 2));
}
