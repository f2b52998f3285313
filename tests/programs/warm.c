// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// warm PAIRS ROUNDS: PAIRS of free and malloc in a round, at sites that are the same in every round,
// with umask() before and after. The pause between rounds lets a recorder catch up.
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void *volatile block[64];

static __attribute__((noinline)) void replace(unsigned i, size_t n)
{
	free(block[i]);
	block[i] = malloc(n);
}

int main(int argc, char **argv)
{
	long pairs = argc > 1 ? atol(argv[1]) : 1000, rounds = argc > 2 ? atol(argv[2]) : 2;

	while (rounds--) {
		umask(022);
		for (long i = 0; i < pairs; i++)
			replace(i % 64, 40 + i % 7 * 100);
		umask(022);
		usleep(200000);
	}
	return 0;
}
