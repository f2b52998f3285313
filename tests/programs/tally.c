// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// tally FILE THREADS: threads call malloc and free until they are killed, and count in FILE.
//
// FILE is 64 little uint64_t, shared with whoever looks: [0] the pid once all threads are at work,
// [1 + i] the calls thread i has completed. Thread i asks for 1000 + i bytes.
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	MAX = 63
};

static _Atomic uint64_t *count;
static pthread_barrier_t start;

static __attribute__((noinline)) void work(uint64_t i)
{
	for (;;) {
		volatile char *p = malloc(1000 + i);
		count[1 + i]++;
		p[0] = 1;
		free((void *)p);
		count[1 + i]++;
	}
}

static void *run(void *i)
{
	pthread_barrier_wait(&start);
	if (!i)
		count[0] = (uint64_t)getpid();
	work((uintptr_t)i);
	return NULL;
}

int main(int argc, char **argv)
{
	int fd = argc == 3 ? open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0600) : -1;
	long threads = argc == 3 ? atol(argv[2]) : 0;
	pthread_t id;

	if (fd < 0 || threads < 1 || threads > MAX || ftruncate(fd, (MAX + 1) * sizeof(*count)))
		return 2;
	count = mmap(NULL, (MAX + 1) * sizeof(*count), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (count == MAP_FAILED)
		return 2;
	pthread_barrier_init(&start, NULL, (unsigned)threads);
	for (long i = 1; i < threads; i++)
		if (pthread_create(&id, NULL, run, (void *)i))
			return 2;
	run(NULL);
	return 0;
}
