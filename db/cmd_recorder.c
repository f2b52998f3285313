// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// kalloscope recorder: what a preloaded library starts when there is no session yet.
//
//   recorder --bare --pid PID --fd N
//
// Creates the session of process PID, writes the path of its rings to descriptor N, closes it and
// ends with status 0; a child of its own goes on recording in the background. When the session
// cannot be made N is closed without a byte and the reason goes to stderr.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "record_args.h"
#include "recorder.h"
#include "supervise.h"

enum {
	CMDLINE_MAX = 1 << 16
};

// Arguments of a process, cut at CMDLINE_MAX; never empty.
static char **process_argv(int pid)
{
	char path[64], *text = calloc(1, CMDLINE_MAX + 2), **argv;
	size_t n = 0, argc = 0;
	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	FILE *f = fopen(path, "re");
	if (f && text)
		n = fread(text, 1, CMDLINE_MAX, f);
	if (f)
		fclose(f);
	argv = calloc(n + 2, sizeof(*argv));
	if (!argv)
		return NULL;
	for (size_t i = 0; i < n; i += strlen(text + i) + 1)
		argv[argc++] = text + i;
	if (!argc)
		argv[0] = "program";
	return argv;
}

// Where nothing can be created in the current folder, the recording goes to the temporary one.
static int create(struct record_options *o, int pid, char *output, char *folder, char *err)
{
	const char *given = o->output, *tmp = getenv("TMPDIR");
	output_path(given, o->argv[0], pid, output, PATH_MAX);
	o->output = output;
	int ret = session_create(o, folder, PATH_MAX, err);
	if (!ret || given || (ret != -EACCES && ret != -EROFS && ret != -ENOENT))
		return ret;
	if (chdir(tmp && *tmp ? tmp : "/tmp"))
		return ret;
	output_path(NULL, o->argv[0], pid, output, PATH_MAX);
	ret = session_create(o, folder, PATH_MAX, err);
	if (!ret)
		fprintf(stderr, "kalloscope: this folder cannot be written; recording to %s\n",
			output);
	return ret;
}

// The background part: in a session of its own, without any file of the program.
static void record_on(const char *folder, int pid)
{
	struct supervisor s;
	char err[ERR_LEN];
	int null = open("/dev/null", O_RDWR);
	setsid();
	signal(SIGHUP, SIG_IGN);
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	close_range(3, ~0u, 0);
	if (!supervise_start(&s, folder, pid, err))
		supervise_wait(&s);
	_exit(0);
}

// The child that goes on is made before the answer is given: the program waits for the answer only.
static int record(struct record_options *o, int pid, int fd)
{
	char output[PATH_MAX], folder[PATH_MAX], rings[PATH_MAX + 8], err[ERR_LEN] = "";
	if (create(o, pid, output, folder, err)) {
		cli_error("nothing is recorded: %s", err);
		return EXIT_RECORD;
	}
	int n = snprintf(rings, sizeof(rings), "%s/rings", folder);
	pid_t child = fork();
	if (!child)
		record_on(folder, pid);
	if (child < 0 || write(fd, rings, (size_t)n) != n) {
		cli_error("nothing is recorded: %s", strerror(errno));
		return EXIT_RECORD;
	}
	return EXIT_SUCCESS;
}

int cmd_recorder(int argc, char **argv)
{
	struct record_options o;
	struct args args = {1, {argv[0]}};
	char err[ERR_LEN] = "";
	int pid = 0, fd = -1;
	bool bare = false;
	struct cli c;
	cli_init(&c, "recorder", argc, argv);
	for (int id; (id = cli_next(&c)) != -1;) {
		bare |= id == 'b';
		if (id == 'p')
			pid = atoi(c.value);
		if (id == 'f')
			fd = atoi(c.value);
	}
	cli_operands(&c, 0);
	if (!bare || pid <= 0 || fd < 0)
		cli_usage("recorder", "expected --bare --pid PID --fd N");
	unsetenv("LD_PRELOAD");
	recorder_manners();
	options_default(&o);
	o.session.flags |= SESSION_BARE;
	args_add_environment(&args);
	if (args_parse(&args, &o, err)) {
		cli_error("%s: %s; 'kalloscope record --help' lists them", OPTIONS_ENV, err);
		return EXIT_USAGE;
	}
	o.self = place_self();
	o.argv = process_argv(pid);
	return o.argv ? record(&o, pid, fd) : EXIT_RECORD;
}
