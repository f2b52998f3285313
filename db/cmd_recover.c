// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// kalloscope recover: makes the recording from a spool whose recorder is gone.
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "recorder.h"
#include "supervise.h"

static void on_progress(void *ctx, const struct insert_progress *p)
{
	(void)ctx;
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[Kkalloscope: %s: %s events", p->phase,
			fmt_count(p->events));
}

static bool is_folder(const char *path)
{
	struct stat st;
	return !stat(path, &st) && S_ISDIR(st.st_mode);
}

// The session folder: as given, or the one beside the recording given. "" when there is none.
static void find_folder(const char *given, char *folder)
{
	char path[PATH_MAX];
	struct stat st;
	folder[0] = 0;
	int n = snprintf(path, sizeof(path), "%s%s", given, is_folder(given) ? "" : ".spool");
	if (n >= PATH_MAX || !is_folder(path) || !realpath(path, folder))
		return;
	n = snprintf(path, sizeof(path), "%.*s/spool", PATH_MAX - 8, folder);
	if (n >= PATH_MAX || stat(path, &st))
		folder[0] = 0;
}

// No spool: either there is nothing to do, or nothing can be done.
static int already_complete(const char *path)
{
	struct recording *r = cli_open(path);
	if (!r)
		return EXIT_USAGE;
	bool complete = recording_complete(r);
	recording_close(r);
	if (complete)
		fprintf(stderr, "kalloscope: %s is complete; nothing to recover\n", path);
	else
		cli_error("%s is not complete, and there is no %s.spool to finish it from", path,
			  path);
	return complete ? EXIT_SUCCESS : EXIT_FAILURE;
}

int cmd_recover(int argc, char **argv)
{
	char folder[PATH_MAX], err[ERR_LEN] = "";
	struct cli c;
	cli_init(&c, "recover", argc, argv);
	while (cli_next(&c) != -1)
		;
	char **operand = cli_operands(&c, 1);
	find_folder(operand[0], folder);
	if (!*folder && is_folder(operand[0])) {
		cli_error("%s holds no spool", operand[0]);
		return EXIT_USAGE;
	}
	if (!*folder)
		return already_complete(operand[0]);
	recorder_manners();
	int ret = insert_run(folder, true, on_progress, NULL, err);
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
	if (ret) {
		cli_error("%s", *err ? err : strerror(-ret));
		return EXIT_FAILURE;
	}
	size_t n = strlen(folder);
	if (is_folder(folder)) {
		cli_error(
			"the spool in %s is damaged: %.*s holds what stands before the damage, the folder is kept",
			folder, (int)n - 6, folder);
		return EXIT_FAILURE;
	}
	if (n > 6 && !strcmp(folder + n - 6, ".spool"))
		folder[n - 6] = 0;
	fprintf(stderr, "kalloscope: recovered %s\n", folder);
	return EXIT_SUCCESS;
}
