// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "record_args.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "recorder.h"

void args_add(struct args *a, char *arg)
{
	if (a->n == MAX_ARGS - 1)
		cli_usage("record", "too many options");
	a->v[a->n++] = arg;
}

void args_add_environment(struct args *a)
{
	static const char blank[] = " \t\n";
	char *save, *text = getenv(OPTIONS_ENV) ? strdup(getenv(OPTIONS_ENV)) : NULL;
	for (char *t = text ? strtok_r(text, blank, &save) : NULL; t;
	     t = strtok_r(NULL, blank, &save))
		args_add(a, t); // the copy lives as long as the options do
}

int args_parse(const struct args *a, struct record_options *o, char *err)
{
	int ret = options_parse(o, a->n, (char **)a->v, err);
	char *const *rest = o->argv;
	if (ret || rest == a->v + a->n)
		return ret;
	snprintf(err, ERR_LEN, "'%s' is not an option; options begin with --", *rest);
	return -EINVAL;
}

// The option just read, written so that it means the same wherever it stands.
static char *canonical(const struct cli *c, int id)
{
	const struct cli_option *o = c->cmd->options;
	char *text = NULL;
	while (o->id != id)
		o++;
	if (asprintf(&text, "--%s%s%s", o->name, o->value ? "=" : "", o->value ? c->value : "") < 0)
		cli_usage(c->cmd->name, "out of memory");
	return text;
}

char **args_split(struct args *a, const char *command, int argc, char **argv,
		  bool (*own)(void *ctx, int id), void *ctx)
{
	struct cli c;
	int split = 1;
	while (split < argc && strcmp(argv[split], "--"))
		split++;
	cli_init(&c, command, split, argv);
	for (int id; (id = cli_next(&c)) != -1;)
		if (!own || !own(ctx, id))
			args_add(a, canonical(&c, id));
	if (split == argc && c.optind < split)
		cli_usage(command, "'--' is missing before the program: kalloscope %s -- %s ...",
			  command, argv[c.optind]);
	if (c.optind < split)
		cli_usage(command, "unexpected '%s' before '--'", argv[c.optind]);
	if (split + 1 >= argc)
		cli_usage(command, "no program given: kalloscope %s -- PROGRAM [ARGUMENTS]",
			  command);
	return argv + split + 1;
}

// The recorder works in another folder, so the path is made absolute.
void output_path(const char *output, const char *argv0, int pid, char *path, size_t size)
{
	char cwd[PATH_MAX], name[PATH_MAX];
	const char *base = strrchr(argv0, '/');
	int n = output ? snprintf(name, sizeof(name), "%s", output)
		       : snprintf(name, sizeof(name), "%.200s.%d.kalloscope",
				  base ? base + 1 : argv0, pid);
	if (n >= (int)sizeof(name) || (*name != '/' && !getcwd(cwd, sizeof(cwd))))
		n = (int)size;
	else
		n = snprintf(path, size, "%s%s%s", *name == '/' ? "" : cwd, *name == '/' ? "" : "/",
			     name);
	if (n >= (int)size)
		*path = 0;
}
