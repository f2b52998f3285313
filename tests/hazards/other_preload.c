// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Another library that is preloaded: it stands between the program and us, asks dlsym at its first
// call, and its constructor allocates, starts a thread and forks.
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

static void *(*next_mmap)(void *, size_t, int, int, int, off_t);
static char *(*next_strdup)(const char *);

EXPORT void *mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
	if (!next_mmap)
		next_mmap = (void *(*)(void *, size_t, int, int, int, off_t))(size_t)dlsym(
			RTLD_NEXT, "mmap");
	return next_mmap(addr, len, prot, flags, fd, off);
}

EXPORT char *strdup(const char *s)
{
	if (!next_strdup)
		next_strdup = (char *(*)(const char *))(size_t)dlsym(RTLD_NEXT, "strdup");
	return next_strdup(s);
}

static void *thread_main(void *arg)
{
	for (int i = 0; i < 1000; i++)
		free(malloc((size_t)i));
	return arg;
}

__attribute__((constructor)) static void begin(void)
{
	pthread_t t;
	char *p = strdup("before main");

	p = realloc(p, 5000);
	free(p);
	munmap(mmap(NULL, 9000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 9000);
	if (!pthread_create(&t, NULL, thread_main, NULL))
		pthread_join(t, NULL);
	pid_t pid = fork();
	if (!pid) {
		thread_main(NULL);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

__attribute__((destructor)) static void end(void)
{
	thread_main(NULL);
}
