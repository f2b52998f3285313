// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// kalloscope run: becomes a program that the simulated machine serves, recording nothing.
//
// Nobody waits beside it: the options go with the environment, to its children, too.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot_image.h"
#include "cli.h"
#include "launch.h"
#include "record_args.h"
#include "recorder.h"

const struct cli_option run_options_table[] = {
	{"ram", 256, "SIZE", "memory of the machine (512M, 4G); default: 4G"},
	{"cpus", 257, "N", "its CPUs, 1 to 8; default: the host's"},
	{"model", 258, "NAME", "classic or 3.4 (Linux 3.4, bit for bit); default: classic"},
	{"vmalloc", 259, "SIZE", "room for vmalloc; default: what 128M leave"},
	{"split", 260, "SPLIT", "3G/1G, 2G/2G or 1G/3G; default: 3G/1G"},
	{"e820-params", 271, "WORDS", "change its memory map: 'mem=512M memmap=64K$1M'"},
	{"min-free-kbytes", 267, "N", "the kernel's setting; default: computed from the memory"},
	{"fail", 261, NULL, "a full machine fails the call"},
	{"spill", 262, NULL, "a full machine lets the host serve the call; default"},
	{0},
};

int cmd_run(int argc, char **argv)
{
	struct args args = {1, {argv[0]}};
	struct record_options opt;
	struct program_check check;
	char err[ERR_LEN] = "", **program = args_split(&args, "run", argc, argv, NULL, NULL);
	struct booted b;
	int status, boot;

	options_default(&opt);
	if (options_parse(&opt, args.n, args.v, err) || boot_machine(&opt.session.machine, &b, err))
		cli_usage("run", "%s", err);
	status = program_check(program[0], &check);
	if (status) {
		cli_error("%s", check.err);
		return status;
	}
	char *library = launch_library(), *session = launch_options(&opt.session);
	if (!library || !session)
		return EXIT_RECORD;
	boot = boot_image_memory(&b);
	booted_free(&b);
	status = launch_exec(&check, program, library, session, boot);
	cli_error("cannot run %s: %s", check.path, strerror(status));
	return EXIT_CANNOT_RUN;
}
