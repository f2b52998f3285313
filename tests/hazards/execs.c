// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// execs MODE: becomes another program, with and without what would preload us into it.
#include "hazard.h"

#include <fcntl.h>
#include <sys/wait.h>

extern char **environ;

static char **own_argv;

// Itself again, fewer times each: one pid, many images.
static void chain(void)
{
	int left = own_argv[2] ? atoi(own_argv[2]) : 5;
	char text[12];

	churn(500);
	printf("%d left\n", left);
	fflush(stdout);
	if (!left)
		return;
	snprintf(text, sizeof(text), "%d", left - 1);
	execl("/proc/self/exe", own_argv[0], "chain", text, (char *)NULL);
	_exit(127);
}

static void bare(void)
{
	char *args[] = {"sh", "-c", "echo \"preload: $LD_PRELOAD\"; exit 7", NULL}, *env[] = {NULL};

	churn(500);
	execve("/bin/sh", args, env);
	_exit(127);
}

static void failing(void)
{
	churn(500);
	execl("/nonexistent/program", "program", (char *)NULL);
	churn(500);
	puts("exec failed, still here");
}

static void from_descriptor(void)
{
	char *args[] = {"echo", "by descriptor", NULL};
	int fd = open("/bin/echo", O_RDONLY | O_CLOEXEC);

	churn(500);
	fexecve(fd, args, environ);
	_exit(127);
}

// The file is gone while the program runs, and it forks and goes on.
static void deleted(void)
{
	int status;

	CHECK(!unlink(own_argv[0]));
	churn(2000);
	pid_t pid = fork();
	if (!pid) {
		churn(2000);
		exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && !status);
	puts("without a file");
}

int main(int argc, char **argv)
{
	static const struct mode modes[] = {{"chain", chain},
					    {"bare", bare},
					    {"failing", failing},
					    {"descriptor", from_descriptor},
					    {"deleted", deleted}};

	own_argv = argv;
	return RUN_MODE(modes, argc, argv);
}
