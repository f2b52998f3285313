// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// execs MODE: becomes another program, with and without what would preload us into it.
#include "hazard.h"

#include <fcntl.h>
#include <spawn.h>
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

static int started(int way, char *program)
{
	char *argv[] = {program, NULL};
	int pid = 0;

	switch (way) {
	case 0:
		return execv(program, argv);
	case 1:
		return execve(program, argv, environ);
	case 2:
		return execvp(program, argv);
	case 3:
		return execvpe(program, argv, environ);
	case 4:
		return execl(program, program, (char *)NULL);
	case 5:
		return execle(program, program, (char *)NULL, environ);
	case 6:
		return execlp(program, program, (char *)NULL);
	case 7:
		CHECK(!posix_spawn(&pid, program, NULL, NULL, argv, environ));
		break;
	default:
		CHECK(!posix_spawnp(&pid, program, NULL, NULL, argv, environ));
	}
	CHECK(waitpid(pid, &way, 0) == pid);
	_exit(WEXITSTATUS(way));
}

// The program named as argument, by every way to start one.
static void every_way(void)
{
	int status;

	for (volatile int way = 0; way < 9; way++) {
		churn(100);
		fflush(stdout);
		pid_t pid = way % 2 ? fork() : vfork();
		if (!pid)
			_exit(started(way, own_argv[2]) ? 127 : 126);
		CHECK(waitpid(pid, &status, 0) == pid);
		printf("way %d: %d\n", way, WEXITSTATUS(status));
	}
}

int main(int argc, char **argv)
{
	static const struct mode modes[] = {{"chain", chain},	  {"bare", bare},
					    {"failing", failing}, {"descriptor", from_descriptor},
					    {"deleted", deleted}, {"every_way", every_way}};

	own_argv = argv;
	return RUN_MODE(modes, argc, argv);
}
