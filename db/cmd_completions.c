// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// kalloscope completions: what bash, zsh and fish need to complete our command lines, made from the
// tables that also parse them. The build runs it for each shell.
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../core/machine.h"
#include "../core/procfs.h"
#include "cli.h"
#include "export.h"
#include "figures.h"

#include "bash_completion.h"

typedef const char *name_fn(int i, const void *ctx);

static const char *listed(const char *const *list, int i, int n)
{
	return i < n ? list[i] : NULL;
}

static const char *model_name(int i, const void *ctx)
{
	(void)ctx;
	return listed(model_names, i, NR_MODELS);
}

static const char *split_name(int i, const void *ctx)
{
	static const char *const splits[] = {"3G/1G", "2G/2G", "1G/3G"};
	(void)ctx;
	return listed(splits, i, G_N_ELEMENTS(splits));
}

static const char *view_name(int i, const void *ctx)
{
	// those of kalloscope-render; tests/completions.sh compares
	static const char *const views[] = {"map",     "boot",	  "processes", "zones",
					    "percpu",  "slab",	  "vmalloc",   "highmem",
					    "address", "summary", "events",    "timeline",
					    "event",   "steps",	  "flame",     "sites"};
	(void)ctx;
	return listed(views, i, G_N_ELEMENTS(views));
}

static const char *moment_name(int i, const void *ctx)
{
	(void)ctx;
	return i ? NULL : "end";
}

// What an option's value, or the first operand (option NULL), may be.
static const struct choice {
	const char *command; // NULL: of every command that has the option
	const char *option;
	name_fn *name;
} choices[] = {
	{"report", NULL, report_name}, {"proc", NULL, proc_file_name},
	{NULL, "format", format_name}, {NULL, "measure", measure_by_index},
	{NULL, "model", model_name},   {NULL, "split", split_name},
	{NULL, "view", view_name},     {NULL, "at", moment_name},
	{NULL, "rule", figure_name},   {NULL, "fail-if", figure_name},
};

static name_fn *find_choice(const char *command, const char *option)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(choices); i++) {
		const struct choice *c = &choices[i];
		if ((!c->command || !strcmp(c->command, command)) && !g_strcmp0(c->option, option))
			return c->name;
	}
	return NULL;
}

static void print_names(name_fn *name)
{
	for (int i = 0; name && name(i, NULL); i++)
		printf("%s%s", i ? " " : "", name(i, NULL));
}

static bool takes_file(const struct cli_option *o)
{
	return o->value && (!strcmp(o->value, "FILE") || !strcmp(o->value, "PNG"));
}

static bool runs_program(const struct command *c)
{
	return strstr(c->operands, "PROGRAM");
}

// The first line of an option's help in single quotes; `special` get a backslash before them.
static char *quoted(const char *text, const char *special, const char *quote)
{
	GString *s = g_string_new("'");
	for (; *text && *text != '\n'; text++) {
		if (*text == '\'') {
			g_string_append(s, quote);
			continue;
		}
		if (strchr(special, *text))
			g_string_append_c(s, '\\');
		g_string_append_c(s, *text);
	}
	g_string_append_c(s, '\'');
	return g_string_free(s, FALSE);
}

// ---- bash: three functions of tables, and the code of completions/kalloscope.bash

static void bash_options(void)
{
	printf("_kalloscope_options() {\n\tcase $1 in\n");
	for (const struct command *c = commands; c->name; c++) {
		printf("\t%s) printf '%%s\\n' --help", c->name);
		for (const struct cli_option *o = c->options; o->name; o++)
			printf(" --%s", o->name);
		printf(" ;;\n");
	}
	printf("\tesac\n}\n\n");
}

static void bash_case(const struct command *c, const struct cli_option *o)
{
	printf("\t%s:--%s", c->name, o->name);
	if (o->id < 256)
		printf(" | %s:-%c", c->name, o->id);
	printf(") ");
}

// COMMAND OPTION -> what its value is; nothing when it takes none
static void bash_values(void)
{
	printf("_kalloscope_value() {\n\tcase $1:$2 in\n");
	for (const struct command *c = commands; c->name; c++)
		for (const struct cli_option *o = c->options; o->name; o++) {
			if (!o->value)
				continue;
			bash_case(c, o);
			printf("echo '%s' ;;\n", o->value);
		}
	printf("\tesac\n}\n\n");
}

static void bash_choices(void)
{
	printf("_kalloscope_choices() {\n\tcase $1:$2 in\n");
	for (const struct command *c = commands; c->name; c++) {
		name_fn *name = find_choice(c->name, NULL);
		if (name) {
			printf("\t%s:operand) printf '%%s\\n' ", c->name);
			print_names(name);
			printf(" ;;\n");
		}
		for (const struct cli_option *o = c->options; o->name; o++) {
			if (!(name = find_choice(c->name, o->name)))
				continue;
			bash_case(c, o);
			printf("printf '%%s\\n' ");
			print_names(name);
			printf(" ;;\n");
		}
	}
	printf("\tesac\n}\n\n");
}

static void bash(void)
{
	printf("# bash completion for kalloscope; made by 'kalloscope completions bash'\n\n"
	       "_kalloscope_commands='");
	for (const struct command *c = commands; c->name; c++)
		if (!c->internal)
			printf("%s%s", c == commands ? "" : "\n", c->name);
	printf("'\n\n");
	bash_options();
	bash_values();
	bash_choices();
	fputs(bash_completion, stdout);
}

// ---- zsh: a call of _arguments for each command

static void zsh_value(const struct command *c, const struct cli_option *o)
{
	name_fn *name = find_choice(c->name, o->name);
	if (takes_file(o)) {
		printf(":file:_files");
	} else if (name) {
		printf(":%s:(", o->name);
		print_names(name);
		printf(")");
	} else {
		printf(":%s: ", o->name);
	}
}

static void zsh_option(const struct command *c, const struct cli_option *o)
{
	g_autofree char *help = quoted(o->help, "[]:\\", "'\\''");
	printf("\t\t\t");
	if (o->id < 256)
		printf("'(-%c --%s)'{-%c%s,--%s%s}", o->id, o->name, o->id, o->value ? "+" : "",
		       o->name, o->value ? "=" : "");
	else
		printf("--%s%s", o->name, o->value ? "=" : "");
	printf("'['%s']", help);
	if (o->value)
		zsh_value(c, o);
	printf("' \\\n");
}

static void zsh_command(const struct command *c)
{
	name_fn *name = find_choice(c->name, NULL);
	printf("\t%s)\n\t\t_arguments -S \\\n\t\t\t'(-h --help)'{-h,--help}'[print help]' \\\n",
	       c->name);
	for (const struct cli_option *o = c->options; o->name; o++)
		zsh_option(c, o);
	if (name) {
		printf("\t\t\t'1:%s:(", c->operands);
		print_names(name);
		printf(")' \\\n");
	}
	if (runs_program(c))
		printf("\t\t\t'(-)1:program:_command_names -e' '*::arguments:_normal'\n");
	else
		printf("\t\t\t'*:recording:_files -g \"*.kalloscope*(-.)\"'\n");
	printf("\t\t;;\n");
}

static void zsh(void)
{
	printf("#compdef kalloscope\n# made by 'kalloscope completions zsh'\n\n"
	       "local -a commands\ncommands=(\n");
	for (const struct command *c = commands; c->name; c++) {
		g_autofree char *help = quoted(c->summary, ":\\", "'\\''");
		if (!c->internal)
			printf("\t%s:%s\n", c->name, help);
	}
	printf(")\nif (( CURRENT == 2 )); then\n\t_describe command commands\n\treturn\nfi\n"
	       "shift words\n(( CURRENT-- ))\ncase $words[1] in\n");
	for (const struct command *c = commands; c->name; c++)
		if (!c->internal)
			zsh_command(c);
	printf("esac\n");
}

// ---- fish: a line for each word that may be typed

static void fish_option(const struct command *c, const struct cli_option *o)
{
	g_autofree char *help = quoted(o->help, "\\", "\\'");
	name_fn *name = find_choice(c->name, o->name);
	printf("complete -c kalloscope -n '__fish_seen_subcommand_from %s' -l %s", c->name,
	       o->name);
	if (o->id < 256)
		printf(" -s %c", o->id);
	if (o->value)
		printf(takes_file(o) ? " -r -F" : " -x");
	if (name) {
		printf(" -a '");
		print_names(name);
		printf("'");
	}
	printf(" -d %s\n", help);
}

static void fish_command(const struct command *c)
{
	g_autofree char *help = quoted(c->summary, "\\", "\\'");
	name_fn *name = find_choice(c->name, NULL);
	printf("complete -c kalloscope -f -n __fish_use_subcommand -a %s -d %s\n", c->name, help);
	for (const struct cli_option *o = c->options; o->name; o++)
		fish_option(c, o);
	if (name) {
		printf("complete -c kalloscope -f -n '__fish_seen_subcommand_from %s; and test "
		       "(count (commandline -opc)) -eq 2' -a '",
		       c->name);
		print_names(name);
		printf("'\n");
	} else if (runs_program(c)) {
		printf("complete -c kalloscope -n '__fish_seen_subcommand_from %s; and contains -- -- "
		       "(commandline -opc)' -x -a '(__fish_complete_subcommand "
		       "--fcs-skip=(contains -i -- -- (commandline -opc)))'\n",
		       c->name);
	}
}

static void fish(void)
{
	printf("# fish completion for kalloscope; made by 'kalloscope completions fish'\n\n"
	       "complete -c kalloscope -s h -l help -d 'print help'\n");
	for (const struct command *c = commands; c->name; c++)
		if (!c->internal)
			fish_command(c);
}

static const struct shell {
	const char *name;
	void (*print)(void);
} shells[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}, {0}};

static const char *shell_name(int i, const void *ctx)
{
	(void)ctx;
	return shells[i].name;
}

int cmd_completions(int argc, char **argv)
{
	struct cli c;
	cli_init(&c, "completions", argc, argv);
	while (cli_next(&c) != -1)
		;
	const char *name = *cli_operands(&c, 1);
	const struct shell *s = shells;
	while (s->name && strcmp(s->name, name))
		s++;
	if (!s->name)
		cli_unknown("completions", "shell", name, shell_name, NULL);
	s->print();
	return EXIT_SUCCESS;
}
