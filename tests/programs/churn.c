// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// churn FRAMES PAIRS [THREADS [LIVE]]: malloc+free pairs made FRAMES calls deep.
//
// Each thread keeps LIVE blocks (default 64) of 16..1039 bytes and replaces one a pair. Prints the
// checksum of what it wrote and, on stderr with CHURN_TIME set, nanoseconds per pair.
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static long frames = 20, pairs = 1000000, threads = 1, live = 64;

static __attribute__((noinline)) uint64_t churn(uint64_t seed)
{
	unsigned char **block = calloc((size_t)live, sizeof(*block));
	uint64_t x = seed * 0x9E3779B97F4A7C15ull | 1, sum = 0;

	for (long i = 0; i < pairs; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		unsigned char **b = &block[x % (uint64_t)live];
		if (*b)
			sum += **b;
		free(*b);
		*b = malloc(16 + (x >> 32) % 1024);
		**b = (unsigned char)x;
	}
	for (long i = 0; i < live; i++)
		free(block[i]);
	free(block);
	return sum;
}

static __attribute__((noinline)) uint64_t descend(long depth, uint64_t seed)
{
	volatile uint64_t keep = seed; // keeps the call from becoming a jump
	uint64_t sum = depth > 0 ? descend(depth - 1, seed) : churn(seed);
	return sum + keep - seed;
}

static void *run(void *arg)
{
	uint64_t *sum = arg;
	*sum = descend(frames, *sum);
	return NULL;
}

int main(int argc, char **argv)
{
	long *arg[] = { &frames, &pairs, &threads, &live };
	uint64_t sum[64], total = 0;
	pthread_t id[64];
	struct timespec a, b;

	for (int i = 1; i < argc && i <= 4; i++)
		*arg[i - 1] = atol(argv[i]);
	if (threads < 1 || threads > 64 || live < 1)
		return 2;
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (long i = 1; i < threads; i++) {
		sum[i] = (uint64_t)i + 1;
		pthread_create(&id[i], NULL, run, &sum[i]);
	}
	sum[0] = 1;
	run(&sum[0]);
	for (long i = 1; i < threads; i++)
		pthread_join(id[i], NULL);
	clock_gettime(CLOCK_MONOTONIC, &b);
	for (long i = 0; i < threads; i++)
		total += sum[i];
	printf("%llu\n", (unsigned long long)total);
	if (getenv("CHURN_TIME"))
		fprintf(stderr, "%.1f\n", ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) / (double)pairs);
	return 0;
}
