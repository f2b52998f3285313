// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "record_args.h"

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
