// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// kalloscope boot-log: what the kernel of a machine would have logged about memory while booting.
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "../core/bootlog.h"
#include "cli.h"
#include "recorder.h"

enum {
	MAX_WORDS = 32
};

static int print(const struct machine *m, bool memblock)
{
	int log = boot_log(m, NULL, 0);
	int dump = memblock ? memblock_dump(&m->s->memblock, NULL, 0) : 0;
	char *text = malloc((size_t)log + (size_t)dump + 1);
	if (!text)
		return EXIT_FAILURE;
	boot_log(m, text, (size_t)log + 1);
	if (memblock)
		memblock_dump(&m->s->memblock, text + log, (size_t)dump + 1);
	fwrite(text, 1, (size_t)log + (size_t)dump, stdout);
	free(text);
	return EXIT_SUCCESS;
}

// Untouched parts of a machine cost nothing, so it is mapped whole.
static int of_configuration(const struct machine_config *cfg, bool memblock)
{
	const char *why = "impossible";
	size_t size = machine_size(cfg);
	struct machine m;
	void *memory = mmap(NULL, size ? size : 1, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED) {
		cli_error("no memory for the machine");
		return EXIT_FAILURE;
	}
	if (machine_boot(&m, memory, cfg, &why))
		cli_usage("boot-log", "this machine cannot be: %s", why);
	int status = print(&m, memblock);
	munmap(memory, size);
	return status;
}

// All processes of a recording run on machines of one configuration.
static int of_recording(const char *path, bool memblock)
{
	char err[512];
	struct recording *r = cli_open(path);
	if (!r)
		return EXIT_USAGE;
	struct replay *p = replay_open(r, 1, err, sizeof(err));
	int status = EXIT_FAILURE;
	if (p)
		status = print(replay_machine(p), memblock);
	else
		cli_error("%s", err);
	replay_close(p);
	recording_close(r);
	return status;
}

// The option just read, in the form that record's own parser takes.
static char *canonical(const struct cli *c, int id)
{
	const struct cli_option *o = c->cmd->options;
	char *text;
	while (o->id != id)
		o++;
	if (asprintf(&text, "--%s%s%s", o->name, o->value ? "=" : "", o->value ? c->value : "") < 0)
		cli_usage("boot-log", "out of memory");
	return text;
}

int cmd_boot_log(int argc, char **argv)
{
	char *word[MAX_WORDS + 1] = {argv[0]}, err[ERR_LEN] = "";
	int n = 1;
	bool memblock = false;
	struct record_options options;
	struct cli c;
	cli_init(&c, "boot-log", argc, argv);
	for (int id; (id = cli_next(&c)) != -1;) {
		if (id == 'm') {
			memblock = true;
			continue;
		}
		if (n == MAX_WORDS)
			cli_usage("boot-log", "too many options");
		word[n++] = canonical(&c, id);
	}
	char **operand = cli_operands(&c, c.optind < argc);
	if (operand[0] && n > 1)
		cli_usage("boot-log", "a recording has a machine already; leave the options out");
	if (operand[0])
		return of_recording(operand[0], memblock);
	options_default(&options);
	if (options_parse(&options, n, word, err))
		cli_usage("boot-log", "%s", err);
	for (int i = 1; i < n; i++)
		free(word[i]);
	return of_configuration(&options.session.machine, memblock);
}
