// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Allocates for a while, with marks: paced SECONDS THREADS. Every block is checked when it is given
// back, whoever served it. Prints how many there were.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../preload/kalloscope.h"

enum {
	SLOTS = 64,
	PAUSE_EVERY = 16
};

static void *volatile last;
static double until;
static long total;

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void give_back(unsigned char *p, unsigned char value)
{
	if (p && (p[0] != value || p[15] != value))
		abort();
	free(p);
}

static void *work(void *number)
{
	unsigned char *slot[SLOTS] = {0}, value[SLOTS] = {0};
	unsigned r = (unsigned)(size_t)number;
	struct timespec pause = {.tv_nsec = 100000};
	long n = 0;
	for (; now() < until; n++) {
		r = r * 1103515245 + 12345;
		unsigned i = r >> 16 & (SLOTS - 1);
		give_back(slot[i], value[i]);
		slot[i] = malloc(16 + (r >> 8 & 1023));
		value[i] = (unsigned char)r;
		memset(slot[i], value[i], 16);
		if (n % PAUSE_EVERY == 0)
			nanosleep(&pause, NULL);
	}
	for (int i = 0; i < SLOTS; i++)
		give_back(slot[i], value[i]);
	__atomic_fetch_add(&total, n, __ATOMIC_RELAXED);
	return NULL;
}

int main(int argc, char **argv)
{
	int threads = argc == 3 ? atoi(argv[2]) : 0;
	pthread_t thread[8];
	if (threads < 1 || threads > 8)
		return 2;
	until = now() + atof(argv[1]);
	kalloscope_mark("begin: with a text longer than one record");
	for (int i = 1; i < threads; i++)
		pthread_create(&thread[i], NULL, work, (void *)(size_t)i);
	work((void *)99);
	for (int i = 1; i < threads; i++)
		pthread_join(thread[i], NULL);
	kalloscope_mark("end \"quoted\"");
	last = malloc(77);
	free(last);
	printf("%s\n", total > 0 ? "ran" : "idle");
	return 0;
}
