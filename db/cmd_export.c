// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// kalloscope export: a recording in other tools' formats.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "export.h"

static const struct format {
	const char *name;
	int (*run)(struct export *x);
	bool measured; // --measure chooses the figure
	bool windowed; // --between and --filter apply
	bool binary;
} formats[] = {
	{"ftrace", export_ftrace, false, true, false},
	{"folded", export_folded, true, true, false},
	{"speedscope", export_speedscope, true, true, false},
	{"pprof", export_pprof, true, true, true},
	{"massif", export_massif, false, false, false},
	{"perfetto", export_perfetto, false, true, false},
	{"csv", export_csv, false, true, false},
	{"openmetrics", export_openmetrics, false, false, false},
	{"svg", export_svg, true, true, false},
	{0},
};

const char *format_name(int i, const void *ctx)
{
	(void)ctx;
	return formats[i].name;
}

static const struct format *find_format(const char *name)
{
	const struct format *f = formats;
	while (f->name && strcmp(f->name, name))
		f++;
	if (!f->name)
		cli_unknown("export", "format", name, format_name, NULL);
	return f;
}

struct options {
	struct report_args a;
	const struct format *format;
	enum measure measure;
	bool measure_given, at_given;
	const char *output;
};

// What a format cannot do is said, not passed over.
static void check(const struct options *o)
{
	const char *name = o->format->name;
	if (o->measure_given && !o->format->measured)
		cli_usage("export", "--measure: %s has no choice of figure", name);
	if ((o->a.window || o->a.filter) && !o->format->windowed)
		cli_usage("export", "%s: %s is of the whole process",
			  o->a.window ? "--between" : "--filter", name);
	if (o->at_given && o->format->run != export_openmetrics)
		cli_usage("export", "--at: only openmetrics is of one moment");
	if (o->a.window && o->measure == MEASURE_PEAK && o->measure_given)
		cli_usage("export",
			  "--measure peak is of the whole process; it takes no --between");
	if (o->format->binary && !o->output && isatty(STDOUT_FILENO))
		cli_usage("export", "%s is binary: name a file with --output", name);
}

static void parse(struct options *o, struct cli *c)
{
	for (int id; (id = cli_next(c)) != -1;) {
		o->at_given |= id == 'a';
		switch (id) {
		case 'F':
			o->format = find_format(c->value);
			break;
		case 'm':
			o->measure = measure_by_name("export", c->value);
			o->measure_given = true;
			break;
		case 'o':
			o->output = c->value;
			break;
		default:
			select_option(&o->a, c, id);
		}
	}
	check(o);
	if (o->a.window && !o->measure_given)
		o->measure = MEASURE_BYTES;
}

// A reader that went away is no failure: `export | head` ends quietly.
static int finish(struct export *x, const char *path, int status)
{
	bool bad = fflush(x->out) || ferror(x->out);
	int err = errno;
	if (path)
		bad |= fclose(x->out) != 0;
	if (!bad || err == EPIPE)
		return status;
	cli_error("cannot write everything%s%s: %s", path ? " to " : "", path ? path : "",
		  strerror(err));
	return EXIT_FAILURE;
}

static int run(const struct options *o, struct recording *r)
{
	struct export x = {.measure = o->measure};
	if (!report_begin(&x.rp, r, &o->a, "export"))
		return EXIT_USAGE;
	x.out = o->output ? fopen(o->output, "w") : stdout;
	int status = EXIT_USAGE;
	if (x.out)
		status = finish(&x, o->output, o->format->run(&x));
	else
		cli_error("cannot write %s: %s", o->output, strerror(errno));
	export_frames_free(&x);
	report_end(&x.rp);
	return status;
}

int cmd_export(int argc, char **argv)
{
	struct options o = {.a.at.kind = AT_END, .format = formats};
	struct cli c;
	cli_init(&c, "export", argc, argv);
	parse(&o, &c);
	struct recording *r = cli_open(cli_operands(&c, 1)[0]);
	if (!r)
		return EXIT_USAGE;
	int status = run(&o, r);
	recording_close(r);
	return status;
}
