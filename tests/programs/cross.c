// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// cross ROUNDS: two threads that free each other's blocks. Prints a checksum.
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BOX = 256 };

struct side {
	_Atomic(unsigned char *) box[BOX]; // blocks for the other thread
	struct side *other;
	uint64_t sum;
	uint64_t seed;
};

static long rounds = 200000;
static atomic_int running = 2;

// Frees what the other side left for us; its first and last byte must be what was written.
static void collect(struct side *s)
{
	for (int i = 0; i < BOX; i++) {
		unsigned char *p = atomic_exchange(&s->other->box[i], NULL);
		if (!p)
			continue;
		size_t n = p[0] | (size_t)p[1] << 8;
		if (p[n - 1] != (unsigned char)(n * 7))
			abort();
		s->sum += n;
		free(p);
	}
}

static void *work(void *arg)
{
	struct side *s = arg;
	uint64_t x = s->seed;

	for (long i = 0; i < rounds; i++) {
		x = x * 6364136223846793005ull + 1442695040888963407ull;
		size_t n = 3 + (x >> 33) % 3000;
		unsigned char *p = malloc(n);
		p[0] = (unsigned char)n;
		p[1] = (unsigned char)(n >> 8);
		p[n - 1] = (unsigned char)(n * 7);
		p = atomic_exchange(&s->box[(x >> 20) % BOX], p);
		if (p) {
			s->sum += p[0] | (size_t)p[1] << 8;
			free(p);
		}
		if (i % 64 == 0)
			collect(s);
	}
	atomic_fetch_sub(&running, 1);
	while (atomic_load(&running))
		;
	collect(s);
	return NULL;
}

int main(int argc, char **argv)
{
	static struct side a, b;
	pthread_t t;

	if (argc > 1)
		rounds = atol(argv[1]);
	a = (struct side){ .other = &b, .seed = 1 };
	b = (struct side){ .other = &a, .seed = 2 };
	pthread_create(&t, NULL, work, &b);
	work(&a);
	pthread_join(t, NULL);
	printf("%llu\n", (unsigned long long)(a.sum + b.sum)); // every block is counted exactly once
	return 0;
}
