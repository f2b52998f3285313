// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// family MODE: the whole family of calls, pointers of other allocators, and glibc's own controls.
#include "hazard.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_memalign(size_t align, size_t size);
extern void __libc_free(void *p);

static volatile size_t one = 1; // keeps the compiler from knowing better

static void aligned(const void *p, size_t align, size_t usable)
{
	CHECK(p && (uintptr_t)p % align == 0 && (uintptr_t)p % 16 == 0);
	CHECK(malloc_usable_size((void *)(uintptr_t)p) >= usable);
}

static void alignment(void)
{
	for (size_t size = 0; size < 200000; size = size * 5 / 4 + 1) {
		void *p[8] = {malloc(size),
			      calloc(one, size),
			      realloc(NULL, size),
			      memalign(64, size),
			      aligned_alloc(4096, size),
			      valloc(size),
			      reallocarray(NULL, size, one),
			      NULL};
		CHECK(!posix_memalign(&p[7], 256, size));
		aligned(p[3], 64, size);
		aligned(p[4], 4096, size);
		aligned(p[5], 4096, size);
		aligned(p[7], 256, size);
		for (int i = 0; i < 8; i++) {
			aligned(p[i], 16, size);
			fill(p[i], malloc_usable_size(p[i]), (unsigned)i);
		}
		for (int i = 0; i < 8; i++) {
			CHECK(filled(p[i], size, (unsigned)i));
			free(p[i]);
		}
	}
	puts("everything at multiples of 16");
}

#define REFUSED(call)                                                                              \
	do {                                                                                       \
		errno = 0;                                                                         \
		CHECK(!(call) && errno == ENOMEM);                                                 \
	} while (0)

static void sizes(void)
{
	volatile size_t huge = PTRDIFF_MAX, over = (size_t)PTRDIFF_MAX + 1, most = SIZE_MAX;
	void *p = NULL, *q;

	REFUSED(malloc(huge));
	REFUSED(malloc(over));
	REFUSED(malloc(most));
	REFUSED(calloc(most, 2));
	REFUSED(calloc(over, over));
	REFUSED(memalign(64, most - 100));
	REFUSED(aligned_alloc(64, most));
	REFUSED(valloc(most));
	REFUSED(pvalloc(most));
	REFUSED(reallocarray(NULL, most, 2));
	CHECK(posix_memalign(&p, 64, most) == ENOMEM && !p);
	CHECK(posix_memalign(&p, 24, 100) == EINVAL);
	q = malloc(100);
	fill(q, 100, 1);
	REFUSED(realloc(q, most));
	REFUSED(reallocarray(q, most / 2, 4));
	CHECK(filled(q, 100, 1)); // a refused realloc leaves the block
	free(q);
	p = malloc(0);
	q = malloc(0);
	CHECK(p && q && p != q);
	free(q);
	CHECK(!realloc(p, 0));
	errno = 77;
	free(malloc(1000));
	free(NULL);
	free(calloc(3, 300000));
	CHECK(errno == 77);
	puts("huge, empty and overflowing sizes");
}

static void foreign(void)
{
	for (int i = 0; i < 200; i++) {
		size_t size = 1 + (size_t)i * 997;
		char *p = __libc_malloc(size), *q = __libc_calloc(1, size),
		     *r = __libc_memalign(128, size), *ours = malloc(size);
		CHECK(malloc_usable_size(p) >= size && malloc_usable_size(r) >= size);
		fill(p, size, 3);
		p = realloc(p, size * 2 + 100);
		CHECK(p && filled(p, size, 3));
		free(p);
		free(q);
		free(r);
		free(ours);
	}
	puts("pointers of libc's own");
}

// They act on an allocator that serves little here; they must answer, and harm nothing.
static void controls(void)
{
	FILE *null = fopen("/dev/null", "w");
	void *p = malloc(100000);

	CHECK(mallopt(M_MMAP_THRESHOLD, 1 << 20) == 1);
	CHECK(mallopt(M_ARENA_MAX, 2) == 1);
	CHECK((unsigned)malloc_trim(0) <= 1);
	struct mallinfo2 info = mallinfo2();
	CHECK(info.uordblks + info.hblkhd > 0);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
	(void)mallinfo();
#pragma GCC diagnostic pop
	CHECK(null && !malloc_info(0, null) && malloc_info(1, null) == EINVAL);
	fclose(null);
	CHECK(freopen("/dev/null", "w", stderr));
	malloc_stats();
	free(p);
	churn(2000);
	puts("mallopt, mallinfo2, malloc_trim, malloc_info, malloc_stats");
}

int main(int argc, char **argv)
{
	static const struct mode modes[] = {{"alignment", alignment},
					    {"sizes", sizes},
					    {"foreign", foreign},
					    {"controls", controls}};

	return RUN_MODE(modes, argc, argv);
}
