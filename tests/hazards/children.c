// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// children MODE: a process that collects whoever dies. A helper of ours would be among them.
#include "hazard.h"

#include <dirent.h>
#include <errno.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static int reap(void)
{
	int n = 0, status;

	for (;;) {
		pid_t pid = waitpid(-1, &status, __WALL);
		if (pid < 0 && errno == ECHILD)
			return n;
		CHECK(pid > 0);
		n++;
	}
}

// Three workers, two of which leave an orphan behind.
static void workers(void)
{
	for (int i = 0; i < 3; i++)
		if (!fork()) {
			churn(500);
			if (i && !fork())
				churn(500);
			exit(i);
		}
}

static void supervisor(void)
{
	churn(100);
	workers();
	printf("%d collected\n", reap());
}

static void subreaper(void)
{
	CHECK(!prctl(PR_SET_CHILD_SUBREAPER, 1));
	supervisor();
}

// The first process of a pid namespace inherits every orphan, and its end is the end of all.
static void first(void)
{
	printf("pid %d\n", (int)getpid());
	supervisor();
}

int main(int argc, char **argv)
{
	static const struct mode modes[] = {
		{"wait", supervisor}, {"subreaper", subreaper}, {"first", first}};

	return RUN_MODE(modes, argc, argv);
}
