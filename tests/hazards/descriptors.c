// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// descriptors MODE: closes or replaces every descriptor, then allocates through new, deep stacks.
// Whoever kept a descriptor's number now writes into the program's file, or gets one it must not have.
#include "hazard.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum {
	LAST = 1024
};

static void allocate(void)
{
	for (int i = 0; i < 300; i++)
		free(deep(i, 100 + (size_t)i));
	churn(5000);
}

static int open_descriptors(void)
{
	int n = 0;

	for (int fd = 0; fd < LAST; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static int own_file(void)
{
	int fd = memfd_create("own", 0);

	CHECK(fd >= 0 && write(fd, "program", 7) == 7);
	return fd;
}

// Daemons close everything, as here, and open their own files at the numbers that became free.
static void close_all(void)
{
	struct stat st;
	int out = dup(1), fd;

	for (fd = 0; fd < LAST; fd++)
		if (fd != out)
			close(fd);
	fd = own_file();
	CHECK(fd == 0 && dup(fd) == 1 && dup(fd) == 2);
	allocate();
	CHECK(!fstat(0, &st));
	dprintf(out, "%d descriptors, file of %ld bytes\n", open_descriptors(), (long)st.st_size);
}

static void replace_all(void)
{
	struct stat st;
	int out = dup(1), fd = own_file();

	fcntl(fd, F_SETFL, O_APPEND);
	for (int i = 0; i < 200; i++)
		if (i != fd && i != out)
			dup2(fd, i);
	allocate();
	CHECK(!fstat(fd, &st));
	dprintf(out, "%d descriptors, file of %ld bytes\n", open_descriptors(), (long)st.st_size);
}

static void *thread_main(void *arg)
{
	allocate();
	return arg;
}

static void replace_then_live(void)
{
	struct stat st;
	int out = dup(1), fd = own_file(), status;
	pthread_t t;

	for (int i = 0; i < 200; i++)
		if (i != fd && i != out)
			dup2(fd, i);
	CHECK(!pthread_create(&t, NULL, thread_main, NULL) && !pthread_join(t, NULL));
	pid_t child = fork();
	if (!child) {
		allocate();
		exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child && !status);
	CHECK(!fstat(fd, &st));
	dprintf(out, "file of %ld bytes after a thread and a child\n", (long)st.st_size);
}

int main(int argc, char **argv)
{
	static const struct mode modes[] = {
		{"close", close_all}, {"replace", replace_all}, {"live", replace_then_live}};

	return RUN_MODE(modes, argc, argv);
}
