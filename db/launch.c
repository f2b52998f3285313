// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "launch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

char *launch_library(void)
{
	char *library = place_preload();

	if (!library)
		cli_error("libkalloscope.so is not installed where this program expects it");
	else if (strpbrk(library, " :"))
		cli_error(
			"%s: the loader splits LD_PRELOAD at spaces and colons; install elsewhere",
			library);
	else
		return library;
	return NULL;
}

// A script without an interpreter line is run as shells run it.
static void exec_shell(const char *path, char *const *argv)
{
	size_t argc = 0;
	char **sh;

	while (argv[argc])
		argc++;
	sh = calloc(argc + 2, sizeof(*sh));
	if (!sh)
		return;
	sh[0] = "sh";
	sh[1] = (char *)path;
	memcpy(sh + 2, argv + 1, argc * sizeof(*sh));
	execv("/bin/sh", sh);
}

int launch_exec(const struct program_check *c, char *const *argv, const char *library,
		const char *session, int boot)
{
	const char *old = getenv("LD_PRELOAD");
	char *preload = NULL, number[16];

	if (asprintf(&preload, "%s%s%s", library, old && *old ? ":" : "", old ? old : "") < 0)
		return ENOMEM;
	setenv("LD_PRELOAD", preload, 1);
	setenv(SESSION_ENV, session, 1);
	unsetenv(OPTIONS_ENV);
	snprintf(number, sizeof(number), "%d", boot);
	if (boot >= 0)
		setenv(BOOT_ENV, number, 1);
	else
		unsetenv(BOOT_ENV);
	execv(c->path, argv);
	if (errno == ENOEXEC)
		exec_shell(c->path, argv);
	return errno;
}

// Zeroes at the end are not written: most of it is room in the memory map.
char *launch_options(const struct session_options *o)
{
	const unsigned char *bytes = (const unsigned char *)o;
	size_t n = sizeof(*o), at = strlen(SESSION_OPTIONS);
	char *text;

	while (n && !bytes[n - 1])
		n--;
	text = malloc(at + 9 + 2 * n);
	if (!text)
		return NULL;
	sprintf(text, SESSION_OPTIONS "%08x", machine_layout());
	at += 8;
	for (size_t i = 0; i < n; i++, at += 2)
		sprintf(text + at, "%02x", bytes[i]);
	return text;
}
