// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Tells what a process can see of itself. Run native and recorded, it has to say the same.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int entries(const char *folder)
{
	DIR *d = opendir(folder);
	int n = 0;

	while (d && readdir(d))
		n++;
	closedir(d);
	return n;
}

static void signals(void)
{
	sigset_t mask;

	sigprocmask(SIG_SETMASK, NULL, &mask);
	for (int sig = 1; sig < 32; sig++) {
		struct sigaction sa;

		sigaction(sig, NULL, &sa);
		if (sa.sa_handler != SIG_DFL || sigismember(&mask, sig))
			printf("signal %d: %s%s\n", sig, sa.sa_handler == SIG_DFL ? "" : "handled ",
			       sigismember(&mask, sig) ? "blocked" : "");
	}
}

static void environment(void)
{
	for (char **e = environ; *e; e++)
		if (strncmp(*e, "KALLOSCOPE_", 11) && strncmp(*e, "LD_PRELOAD=", 11) &&
		    strncmp(*e, "_=", 2))
			puts(*e);
}

__attribute__((noinline)) static void *deep(int depth)
{
	void *p = depth ? deep(depth - 1) : malloc(100);

	__asm__ volatile("" : : : "memory");
	return p;
}

// Every descriptor is a file of ours now: whoever kept one writes into it.
static void descriptors(void)
{
	FILE *f = tmpfile();
	int fd = fileno(f), same = 0;
	struct stat st, other;

	fcntl(fd, F_SETFL, O_APPEND);
	for (int i = 3; i < 256; i++)
		if (i != fd)
			dup2(fd, i);
	for (int i = 0; i < 200; i++)
		free(deep(i));
	fstat(fd, &st);
	for (int i = 3; i < 256; i++)
		same += !fstat(i, &other) && other.st_ino == st.st_ino;
	printf("file %ld bytes, %d descriptors, next %d\n", (long)st.st_size, same, dup(fd));
}

int main(void)
{
	int status;

	printf("descriptors %d, threads %d\n", entries("/proc/self/fd"),
	       entries("/proc/self/task"));
	printf("children %d %s\n", waitpid(-1, &status, __WALL), strerror(errno));
	printf("leader %d\n", getsid(0) == getpid());
	signals();
	environment();
	descriptors();
	fflush(stdout);
	return 3;
}
