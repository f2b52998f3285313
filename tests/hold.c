// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// LD_PRELOAD for tests: while the file HOLD_WHILE names is there, threads other than the first wait
// before each read of a file called as HOLD_READS says. So what a program says while its workers read
// stays on the screen until it was looked at; the program's window is not held up.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_held(int fd)
{
	const char *name = getenv("HOLD_READS"), *switched = getenv("HOLD_WHILE");
	char link[64], path[4096];
	ssize_t n;

	if (!name || !switched || gettid() == getpid() || access(switched, F_OK))
		return false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return false;
	path[n] = 0;
	return !strcmp(path, name);
}

__attribute__((visibility("default"))) ssize_t pread64(int fd, void *buf, size_t n, off64_t at)
{
	static ssize_t (*real)(int, void *, size_t, off64_t);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "pread64");
	while (is_held(fd))
		usleep(20000);
	return real(fd, buf, n, at);
}
