// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// places share|pin: blocks in places a report has to find.
//
// share: two threads in turns make 100 blocks of 16 bytes each, so that neighbours belong to
// different threads; a third makes as many alone. pin: of 64 blocks of 1 MiB every fourth stays, one
// for each 4 MiB.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	PAIRS = 100,
	BLOCKS = 64
};

static pthread_barrier_t turn;
static void *volatile kept[4 * PAIRS];

static __attribute__((noinline)) void *make_shared(void)
{
	return malloc(16);
}

static void *in_turns(void *which)
{
	for (int i = 0; i < 2 * PAIRS; i++) {
		if (i % 2 == (which != NULL))
			kept[i] = make_shared();
		pthread_barrier_wait(&turn);
	}
	return NULL;
}

static void *alone(void *unused)
{
	for (int i = 2 * PAIRS; i < 3 * PAIRS; i++)
		kept[i] = malloc(1000);
	return unused;
}

static int share(void)
{
	pthread_t thread;
	pthread_barrier_init(&turn, NULL, 2);
	if (pthread_create(&thread, NULL, in_turns, &turn))
		return 1;
	in_turns(NULL);
	pthread_join(thread, NULL);
	if (pthread_create(&thread, NULL, alone, NULL))
		return 1;
	return pthread_join(thread, NULL);
}

static int pin(void)
{
	void *block[BLOCKS];
	for (int i = 0; i < BLOCKS; i++)
		block[i] = malloc(1 << 20);
	for (int i = 0; i < BLOCKS; i++)
		if ((size_t)block[i] >> 20 & 3)
			free(block[i]);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "share"))
		return share();
	if (argc == 2 && !strcmp(argv[1], "pin"))
		return pin();
	fputs("usage: places share|pin\n", stderr);
	return 2;
}
