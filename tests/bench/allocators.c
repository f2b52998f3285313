// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// allocators CASE [SCALE]: patterns of use that tell allocators apart, of the kind that allocators are
// usually measured with. Prints "CASE SECONDS PEAK_RSS_KIB". Written for this project.
//
// SCALE (default 100) is per cent of the usual number of operations. Cases with threads use two.
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	THREADS = 2
};

static long scale = 100;

static long times(long n)
{
	return n * scale / 100;
}

static uint64_t random_next(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

// Memory that nobody touches costs nothing, which no program is like.
static void *make(size_t n)
{
	char *p = malloc(n);

	if (!p)
		abort();
	p[0] = 1;
	p[n - 1] = 1;
	return p;
}

static void in_threads(void *(*fn)(void *arg), long count)
{
	pthread_t id[THREADS];

	for (long i = 0; i < count; i++)
		pthread_create(&id[i], NULL, fn, (void *)i);
	for (long i = 0; i < count; i++)
		pthread_join(id[i], NULL);
}

// --- a server: threads replace random blocks of their own, and end with a successor that takes the
// blocks over
struct larson {
	void *block[1000];
	uint64_t x;
	int generations;
};

static void *larson_life(void *arg)
{
	struct larson *l = arg;
	pthread_t next;

	for (long i = times(200000); i > 0; i--) {
		void **b = &l->block[random_next(&l->x) % 1000];

		free(*b);
		*b = make(10 + random_next(&l->x) % 490);
	}
	if (--l->generations && !pthread_create(&next, NULL, larson_life, l))
		pthread_join(next, NULL);
	return NULL;
}

static void *larson_thread(void *arg)
{
	struct larson *l = calloc(1, sizeof(*l));

	l->x = (uint64_t)(long)arg + 88172645463325252ull;
	l->generations = 5;
	larson_life(l);
	for (int i = 0; i < 1000; i++)
		free(l->block[i]);
	free(l);
	return NULL;
}

static void larson(void)
{
	in_threads(larson_thread, THREADS);
}

// --- one thread makes, the other one frees
static _Atomic(void *) mail[4096];

static void *mail_maker(long n)
{
	uint64_t x = 1234567;

	for (long i = 0; i < n; i++) {
		_Atomic(void *) *slot = &mail[i % 4096];

		while (atomic_load_explicit(slot, memory_order_relaxed))
			sched_yield();
		atomic_store_explicit(slot, make(16 + random_next(&x) % 240), memory_order_release);
	}
	return NULL;
}

static void *mail_eater(long n)
{
	for (long i = 0; i < n; i++) {
		_Atomic(void *) *slot = &mail[i % 4096];
		void *p;

		while (!(p = atomic_load_explicit(slot, memory_order_acquire)))
			sched_yield();
		atomic_store_explicit(slot, NULL, memory_order_relaxed);
		free(p);
	}
	return NULL;
}

static void *mail_thread(void *arg)
{
	return arg ? mail_eater(times(1500000)) : mail_maker(times(1500000));
}

static void cross_thread(void)
{
	in_threads(mail_thread, 2);
}

// --- both at once, in batches of blocks that the other thread frees
static _Atomic(void **) batch_box[THREADS];

static void *batch_thread(void *arg)
{
	long me = (long)arg;
	uint64_t x = (uint64_t)me + 777;

	for (long i = times(6000); i > 0; i--) {
		void **batch = make(256 * sizeof(*batch)), **old;

		for (int k = 0; k < 256; k++)
			batch[k] = make(8 + random_next(&x) % 500);
		old = atomic_exchange(&batch_box[(me + 1) % THREADS], batch);
		for (int k = 0; old && k < 256; k++)
			free(old[k]);
		free(old);
	}
	return NULL;
}

static void xmalloc(void)
{
	in_threads(batch_thread, THREADS);
	for (int i = 0; i < THREADS; i++) {
		void **old = atomic_load(&batch_box[i]);

		for (int k = 0; old && k < 256; k++)
			free(old[k]);
		free(old);
	}
}

// --- does the allocator put small blocks of two threads into one cache line?
static void write_often(char *p, long n)
{
	volatile char *v = p;

	for (long i = 0; i < n; i++)
		v[i & 7]++;
}

static char *given[THREADS];

static void *scratch_thread(void *arg)
{
	free(given[(long)arg]); // made by the main thread, side by side
	for (long i = times(2000); i > 0; i--) {
		char *p = make(8);

		write_often(p, 10000);
		free(p);
	}
	return NULL;
}

static void cache_scratch(void)
{
	for (int i = 0; i < THREADS; i++)
		given[i] = make(8);
	in_threads(scratch_thread, THREADS);
}

static void *thrash_thread(void *arg)
{
	(void)arg;
	for (long i = times(2000); i > 0; i--) {
		char *p = make(8);

		write_often(p, 10000);
		free(p);
	}
	return NULL;
}

static void cache_thrash(void)
{
	in_threads(thrash_thread, THREADS);
}

// --- many small, few large, of all ages
static void mixed(void)
{
	enum {
		LIVE = 20000
	};
	void **block = calloc(LIVE, sizeof(*block));
	uint64_t x = 42;

	for (long i = times(2000000); i > 0; i--) {
		uint64_t r = random_next(&x);
		void **b = &block[r % LIVE];
		unsigned kind = r >> 32 & 1023;
		size_t n = kind == 0   ? 65536 + (r >> 42)
			   : kind < 30 ? 1024 + (r >> 50)
				       : 8 + (r >> 42 & 255);

		free(*b);
		*b = make(n);
	}
	for (int i = 0; i < LIVE; i++)
		free(block[i]);
	free(block);
}

// --- blocks that grow
static void grow_small(void)
{
	for (long i = times(40000); i > 0; i--) {
		char *p = NULL;

		for (size_t n = 16; n <= 8192; n += n / 2) {
			p = realloc(p, n);
			p[n - 1] = 1;
		}
		free(p);
	}
}

static void grow_large(void)
{
	for (long i = times(30); i > 0; i--) {
		char *p = NULL;

		for (size_t n = 4096; n <= 48u << 20; n += n / 8 + 4096) {
			p = realloc(p, n);
			p[n - 1] = 1;
		}
		free(p);
	}
}

// --- small blocks in waves: made in order, freed in order, in the other order, every second one
static void sh6(void)
{
	enum {
		WAVE = 5000
	};
	static void *block[WAVE];

	for (long round = times(150); round > 0; round--) {
		size_t n = 8 + (size_t)(round % 50) * 20;

		for (int i = 0; i < WAVE; i++)
			block[i] = make(n + (size_t)i % 64);
		for (int i = 0; i < WAVE; i += 2)
			free(block[i]);
		for (int i = 0; i < WAVE; i += 2)
			block[i] = make(n / 2 + 8);
		for (int i = WAVE - 1; i >= 0; i--)
			free(block[i]);
	}
}

static void *sh8_thread(void *arg)
{
	enum {
		WAVE = 2500
	};
	void **block = calloc(WAVE, sizeof(*block));
	uint64_t x = (uint64_t)(long)arg + 99;

	for (long round = times(200); round > 0; round--) {
		for (int i = 0; i < WAVE; i++)
			block[i] = make(1 + random_next(&x) % 1000);
		for (int i = 0; i < WAVE; i++) {
			int k = (int)(random_next(&x) % WAVE);
			void *p = block[i];

			block[i] = block[k];
			block[k] = p;
		}
		for (int i = 0; i < WAVE; i++)
			free(block[i]);
	}
	free(block);
	return NULL;
}

static void sh8(void)
{
	in_threads(sh8_thread, THREADS);
}

// --- a large number of blocks of sizes as programs have them: mostly small, some of a few KiB
static void alloc_test(void)
{
	enum {
		LIVE = 1 << 16
	};
	void **block = calloc(LIVE, sizeof(*block));
	uint64_t x = 31337;

	for (long i = times(3000000); i > 0; i--) {
		uint64_t r = random_next(&x);
		void **b = &block[r & (LIVE - 1)];

		if (*b) {
			free(*b);
			*b = NULL;
		} else {
			unsigned bits = 4 + (r >> 20) % 8;

			*b = make(1 + (r >> 32) % (1u << bits));
		}
	}
	for (int i = 0; i < LIVE; i++)
		free(block[i]);
	free(block);
}

// --- trees: nodes of one size, built and torn down
struct node {
	struct node *left, *right;
	long value;
};

static struct node *tree(int depth)
{
	struct node *n = make(sizeof(*n));

	*n = (struct node){depth ? tree(depth - 1) : NULL, depth ? tree(depth - 1) : NULL, depth};
	return n;
}

static void fell(struct node *n)
{
	if (!n)
		return;
	fell(n->left);
	fell(n->right);
	free(n);
}

static void trees(void)
{
	for (long i = times(30); i > 0; i--)
		fell(tree(14));
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
	{"larson", larson},
	{"cross-thread", cross_thread},
	{"xmalloc", xmalloc},
	{"cache-scratch", cache_scratch},
	{"cache-thrash", cache_thrash},
	{"mixed", mixed},
	{"grow-small", grow_small},
	{"grow-large", grow_large},
	{"sh6", sh6},
	{"sh8", sh8},
	{"alloc-test", alloc_test},
	{"trees", trees},
};

// Not getrusage's figure: that begins with what whoever started us had resident.
static long peak_kib(void)
{
	FILE *status = fopen("/proc/self/status", "r");
	char line[128];
	long kib = 0;

	while (status && fgets(line, sizeof(line), status))
		if (sscanf(line, "VmHWM: %ld", &kib) == 1)
			break;
	if (status)
		fclose(status);
	return kib;
}

int main(int argc, char **argv)
{
	struct timespec a, b;

	if (argc > 2)
		scale = atol(argv[2]);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (argc < 2 || strcmp(argv[1], cases[i].name))
			continue;
		clock_gettime(CLOCK_MONOTONIC, &a);
		cases[i].run();
		clock_gettime(CLOCK_MONOTONIC, &b);
		printf("%s %.4f %ld\n", cases[i].name,
		       (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) * 1e-9,
		       peak_kib());
		return 0;
	}
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		puts(cases[i].name);
	return argc > 1 ? 2 : 0;
}
