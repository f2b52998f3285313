// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// cases NAME: one hazard of being somebody's allocator; prints the same with every correct allocator.
// What is not the same for all (addresses, free memory) is checked here and told as "ok".
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static int failures;

#define CHECK(cond)                                                                                \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			printf("line %d: %s\n", __LINE__, #cond);                                  \
			failures++;                                                                \
		}                                                                                  \
	} while (0)

extern void *__libc_malloc(size_t size);

static void *volatile sink; // keeps the compiler from removing pairs

static void fill(void *p, size_t n, unsigned seed)
{
	unsigned char *b = p;

	for (size_t i = 0; i < n; i++)
		b[i] = (unsigned char)(seed + i * 7);
}

static bool filled(const void *p, size_t n, unsigned seed)
{
	const unsigned char *b = p;

	for (size_t i = 0; i < n; i++)
		if (b[i] != (unsigned char)(seed + i * 7))
			return false;
	return true;
}

static bool zero(const void *p, size_t n)
{
	const unsigned char *b = p;

	for (size_t i = 0; i < n; i++)
		if (b[i])
			return false;
	return true;
}

static uint32_t random_next(uint32_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 17;
	*x ^= *x << 5;
	return *x;
}

static void test_align(void)
{
	static const size_t sizes[] = {0,   1,	  8,	24,    100,    500,
				       513, 4095, 4097, 70000, 140000, 5000000};

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		void *p = malloc(sizes[i]), *q = malloc(sizes[i]);
		CHECK(p && q && p != q && !((uintptr_t)p & 15));
		CHECK(malloc_usable_size(p) >= sizes[i]);
		fill(p, malloc_usable_size(p), i);
		fill(q, malloc_usable_size(q), i + 1);
		CHECK(filled(p, malloc_usable_size(p), i));
		free(p);
		free(q);
		for (size_t align = 16; align <= 4 << 20; align *= 2) {
			int err = posix_memalign(&p, align, sizes[i]);
			CHECK(!err && !((uintptr_t)p & (align - 1)));
			fill(p, sizes[i], 3);
			q = aligned_alloc(align, sizes[i]);
			CHECK(q && !((uintptr_t)q & (align - 1)));
			fill(q, sizes[i], 4);
			CHECK(filled(p, sizes[i], 3));
			p = realloc(p, sizes[i] + 100);
			CHECK(filled(p, sizes[i], 3));
			free(p);
			free(q);
		}
	}
	CHECK(!((uintptr_t)(sink = valloc(10)) & 4095));
	free(sink);
	CHECK(!((uintptr_t)(sink = pvalloc(10)) & 4095) && malloc_usable_size(sink) >= 4096);
	free(sink);
	CHECK(!((uintptr_t)(sink = memalign(48, 10)) & 63));
	free(sink);
}

static void test_errors(void)
{
	volatile size_t huge = (size_t)PTRDIFF_MAX + 1, half = SIZE_MAX / 2;
	void *p = (void *)1;

	errno = 0;
	CHECK(!malloc(huge) && errno == ENOMEM);
	errno = 0;
	CHECK(!calloc(half, 3) && errno == ENOMEM);
	errno = 0;
	CHECK(!reallocarray(NULL, half, 3) && errno == ENOMEM);
	char *volatile keep = malloc(10);
	fill(keep, 10, 1);
	errno = 0;
	CHECK(!realloc(keep, huge) && errno == ENOMEM && filled(keep, 10, 1));
	CHECK(posix_memalign(&p, 24, 10) == EINVAL && p == (void *)1);
	CHECK(posix_memalign(&p, 64, huge) == ENOMEM && p == (void *)1);
	errno = 77;
	free(keep);
	free(malloc(100));
	free(malloc(200000));
	free(malloc(20 << 20));
	free(NULL);
	CHECK(errno == 77);
	CHECK(!realloc(malloc(5), 0));
	CHECK(malloc_usable_size(NULL) == 0);
}

static void test_realloc(void)
{
	uint32_t x = 1;
	size_t n = 1;
	char *p = malloc(n);

	fill(p, n, 9);
	for (int i = 0; i < 400; i++) {
		size_t next = 1 + random_next(&x) % (1u << (4 + random_next(&x) % 21));
		size_t same = next < n ? next : n;
		p = realloc(p, next);
		CHECK(p && filled(p, same, 9));
		fill(p, next, 9);
		n = next;
	}
	free(p);
	p = NULL;
	size_t last = 0;
	for (n = 1; n < 48 << 20; last = n - 1, n = n * 3 / 2 + 1) { // a growing vector
		p = realloc(p, n);
		CHECK(!last || p[last] == (char)(last % 100));
		p[n - 1] = (char)((n - 1) % 100);
	}
	free(p);
}

// Mostly untouched blocks: what was written moves along, the rest of a cleared block stays zero, into
// memory that others have used.
static void test_sparse(void)
{
	uint32_t x = 77;

	for (int round = 0; round < 60; round++) {
		size_t n = (128u << 10) + random_next(&x) % (3u << 20), last = 0;
		char *used[2], *p = calloc(1, n);
		size_t at[16], more = n + n / 2 + random_next(&x) % (8u << 20);

		for (int i = 0; i < 2; i++) {
			used[i] = malloc(i ? more : n + random_next(&x) % n);
			memset(used[i], 0xAA, n);
		}
		for (int i = 0; i < 16; i++) {
			last = at[i] = last + random_next(&x) % (n / 17 - 4) + 1;
			p[at[i]] = (char)(i + 1);
		}
		free(used[0]);
		free(used[1]);
		p = realloc(p, more);
		CHECK(p);
		last = 0;
		for (int i = 0; i < 16; last = at[i++] + 1)
			CHECK(zero(p + last, at[i] - last) && p[at[i]] == i + 1);
		CHECK(zero(p + last, n - last));
		free(p);
	}
}

static void test_calloc(void)
{
	uint32_t x = 5;

	for (int i = 0; i < 3000; i++) {
		size_t n = 1 + random_next(&x) % (1u << (3 + random_next(&x) % 19));
		char *p = malloc(n);
		memset(p, 0xAA, malloc_usable_size(p));
		free(p);
		p = calloc(1, n);
		CHECK(zero(p, n));
		memset(p, 0x55, malloc_usable_size(p));
		if (i % 3)
			free(p);
	}
}

static bool faults(const volatile char *p)
{
	int fd[2];

	if (pipe(fd))
		return true;
	long n = syscall(SYS_write, fd[1], p, 1);
	close(fd[0]);
	close(fd[1]);
	return n != 1;
}

static char *map(size_t n)
{
	return mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void test_mmap(void)
{
	size_t page = 4096;
	char *p = map(10 * page), *q;

	CHECK(p != MAP_FAILED && zero(p, 10 * page));
	fill(p, 10 * page, 1);
	CHECK(!munmap(p, page) && faults(p) && filled(p + page, 9 * page, 1 + page * 7));
	CHECK(!munmap(p + 9 * page, page) && faults(p + 9 * page));
	CHECK(!munmap(p + 4 * page, 2 * page) && faults(p + 4 * page) && !faults(p + 6 * page));
	CHECK(!munmap(p, 10 * page) && faults(p + page) && faults(p + 8 * page));
	CHECK(!munmap(p, 10 * page));
	p = map(page);
	q = map(page);
	fill(p, page, 1);
	fill(q, page, 2);
	CHECK(!munmap(p, 100) && faults(p) && filled(q, page, 2));
	CHECK(!munmap(q, page));
	p = map(3 * page + 1); // two neighbours and what lies between in one call
	q = map(2 * page);
	fill(p, page, 1);
	char *lo = p < q ? p : q, *hi = p < q ? q : p;
	if ((size_t)(hi - lo) < 64 * page)
		CHECK(!munmap(lo, (size_t)(hi - lo) + page) && faults(lo) && faults(hi));
	munmap(p, 4 * page);
	munmap(q, 2 * page);
	CHECK(munmap((char *)page + 1, page) == -1 && errno == EINVAL);
	CHECK(munmap(p, 0) == -1 && errno == EINVAL);
	CHECK(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED &&
	      errno == EINVAL);
	CHECK(mmap(NULL, page, PROT_READ, MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == EINVAL);
	CHECK(mmap(NULL, page, PROT_READ, MAP_PRIVATE, -1, 0) == MAP_FAILED && errno == EBADF);
}

static void test_mmap_flags(void)
{
	size_t page = 4096;
	char *p = mmap(NULL, 8 * page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(zero(p, 8 * page) && !mprotect(p, page, PROT_READ | PROT_WRITE));
	p[0] = 1;
	munmap(p, 8 * page);
	p = map(8 * page);
	fill(p, 8 * page, 3);
	CHECK(!mprotect(p + page, page, PROT_NONE) && faults(p + page) && !faults(p));
	CHECK(mmap(p + 2 * page, 2 * page, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p + 2 * page);
	CHECK(zero(p + 2 * page, 2 * page) && filled(p + 4 * page, page, 3 + 4 * page * 7));
	CHECK(mmap(p, page, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED &&
	      errno == EEXIST);
	CHECK(!madvise(p + 4 * page, page, MADV_DONTNEED) && zero(p + 4 * page, page));
	munmap(p, 8 * page);
	for (int i = 0; i < 50; i++) { // reuse must not inherit protections
		p = map(8 * page);
		CHECK(zero(p, 8 * page));
		fill(p, 8 * page, 1);
		mprotect(p + (i % 8) * page, page, i % 2 ? PROT_NONE : PROT_READ);
		munmap(p, 8 * page);
		void *a = NULL;
		CHECK(!posix_memalign(&a, page, 6 * page));
		fill(a, 6 * page, 1);
		mprotect((char *)a + page, page, PROT_READ);
		free(a);
	}
	p = mmap(NULL, 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(faults(p));
	munmap(p, 2 * page);
	p = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE,
		 -1, 0);
	CHECK(p != MAP_FAILED && zero(p, 2 * page));
	munmap(p, 2 * page);
	int fd = open("/proc/self/exe", O_RDONLY);
	p = mmap(NULL, page, PROT_READ, MAP_PRIVATE, fd, 0);
	CHECK(p != MAP_FAILED && !memcmp(p + 1, "ELF", 3));
	munmap(p, page);
	close(fd);
}

static void test_lock(void)
{
	size_t page = 4096;
	char *p = map(4 * page), *q = malloc(100);

	CHECK(!mlock(p, 2 * page) && !mlock2(p + 2 * page, page, MLOCK_ONFAULT));
	CHECK(mlock2(p, page, 99) == -1 && errno == EINVAL);
	p[0] = 1;
	CHECK(!munlock(p, 4 * page) && !mlock(q, 100) && !munlock(q, 100));
	munmap(p, 4 * page);
	errno = 0;
	CHECK(munlock(p, page) == -1 && errno == ENOMEM);
	free(q);
}

static void test_mremap(void)
{
	size_t page = 4096, n = 3;
	char *p = map(n * page), *block[20];

	fill(p, n * page, 5);
	for (int i = 0; i < 20; i++) {
		size_t next = n * 3 / 2 + 1;
		block[i] = map(2 * page); // may stand in the way
		p = mremap(p, n * page, next * page, MREMAP_MAYMOVE);
		CHECK(p != MAP_FAILED && filled(p, n * page, 5) &&
		      zero(p + n * page, (next - n) * page));
		n = next > 4000 ? 3 : next;
		if (next > 4000)
			CHECK(mremap(p, next * page, n * page, 0) == p && faults(p + n * page));
		fill(p, n * page, 5);
	}
	CHECK(mremap(p, n * page, 40000 * page, MREMAP_MAYMOVE) != MAP_FAILED || errno == ENOMEM);
	for (int i = 0; i < 20; i++)
		CHECK(zero(block[i], 2 * page) && !munmap(block[i], 2 * page));
	p = map(2 * page);
	char *q = mmap(NULL, 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	fill(p, 2 * page, 8);
	CHECK(mremap(p, 2 * page, 2 * page, MREMAP_MAYMOVE | MREMAP_FIXED, q) == q &&
	      filled(q, 2 * page, 8));
	CHECK(faults(p));
	munmap(q, 2 * page);
	p = map(page);
	CHECK(mremap(p, page, 0, MREMAP_MAYMOVE) == MAP_FAILED && errno == EINVAL);
	CHECK(mremap(p + 1, page, page, MREMAP_MAYMOVE) == MAP_FAILED && errno == EINVAL);
	munmap(p, page);
}

static void test_fork(void)
{
	int *heap = calloc(1000, sizeof(int)), *area = (int *)map(1 << 20);
	int *shared =
		mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;

	heap[5] = area[5] = shared[5] = 1;
	if (!fork()) {
		for (int i = 0; i < 1000; i++)
			free(calloc(1, (size_t)i * 50));
		heap[5] = area[5] = shared[5] = 2;
		free(heap);
		munmap(area, 1 << 20);
		_exit(shared[5]);
	}
	wait(&status);
	CHECK(WEXITSTATUS(status) == 2 && heap[5] == 1 && area[5] == 1 && shared[5] == 2);
	for (int i = 0; i < 5; i++)
		if (!fork()) {
			sink = malloc(100000);
			exit(sink ? 0 : 1);
		}
	for (int i = 0; i < 5; i++) {
		wait(&status);
		CHECK(status == 0);
	}
	if (!syscall(SYS_fork)) { // nobody tells the allocator
		for (int i = 0; i < 1000; i++)
			free(malloc((size_t)i));
		_exit(heap[5]);
	}
	wait(&status);
	CHECK(WEXITSTATUS(status) == 1);
	munmap(shared, 1 << 16);
	munmap(area, 1 << 20);
	free(heap);
}

enum {
	EXCHANGE = 256
};
static void *_Atomic exchange[EXCHANGE];

static void *trader(void *arg)
{
	uint32_t x = (uint32_t)(uintptr_t)arg * 77777 + 1;

	for (int i = 0; i < 60000; i++) {
		size_t n = 8 + random_next(&x) % (1u << (5 + random_next(&x) % 11));
		size_t *p = i % 7 ? malloc(n) : calloc(1, n);
		*p = n;
		((unsigned char *)p)[n - 1] ^= 0x5A;
		p = __atomic_exchange_n((void **)&exchange[random_next(&x) % EXCHANGE], p,
					__ATOMIC_ACQ_REL);
		if (p && i % 5 == 0)
			p = realloc(p, 8 + random_next(&x) % 3000);
		free(p);
	}
	return NULL;
}

static void test_threads(void)
{
	pthread_t t[6];

	for (uintptr_t i = 0; i < 6; i++)
		pthread_create(&t[i], NULL, trader, (void *)(i + 1));
	for (int i = 0; i < 20; i++) {
		int status;
		pid_t pid = fork();
		if (!pid) {
			free(malloc(1000));
			trader((void *)99);
			_exit(0);
		}
		waitpid(pid, &status, 0);
		CHECK(status == 0);
	}
	for (int i = 0; i < 6; i++)
		pthread_join(t[i], NULL);
	for (int i = 0; i < EXCHANGE; i++)
		free(exchange[i]);
}

static volatile sig_atomic_t signals;
static void *volatile handed; // a block between handler and main program

static void on_alarm(int sig)
{
	int saved = errno;
	void *p = malloc(100 + signals % 5000), *q = calloc(1, 300);

	(void)sig;
	if (!p || !q || !zero(q, 300))
		failures++;
	memset(p, 1, 100);
	p = realloc(p, 9000);
	free(q);
	if (signals % 3)
		q = __atomic_exchange_n(&handed, p, __ATOMIC_ACQ_REL);
	else
		q = p;
	free(q);
	signals++;
	errno = saved;
}

static void start_timer(int usec)
{
	struct itimerval it = {{0, usec}, {0, usec}};

	setitimer(ITIMER_REAL, &it, NULL);
}

static void churn_until(int n)
{
	uint32_t x = 3;
	void *block[64] = {0};

	for (long i = 0; signals < n && i < 30000000; i++) {
		unsigned slot = random_next(&x) % 64;
		free(block[slot]);
		block[slot] = malloc(random_next(&x) % 6000);
		if (block[slot])
			*(char *)block[slot] = 1;
		if (i % 16 == 0)
			free(__atomic_exchange_n(&handed, NULL, __ATOMIC_ACQ_REL));
	}
	for (int i = 0; i < 64; i++)
		free(block[i]);
}

static void test_signal(void)
{
	struct sigaction sa = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};

	sigaction(SIGALRM, &sa, NULL);
	start_timer(200);
	churn_until(3000);
	start_timer(0);
	CHECK(signals >= 3000);
}

static sigjmp_buf back;

static void on_alarm_jump(int sig)
{
	(void)sig;
	signals++;
	siglongjmp(back, 1);
}

static void test_siglongjmp(void)
{
	struct sigaction sa = {.sa_handler = on_alarm_jump};
	volatile int rounds = 0;

	sigaction(SIGALRM, &sa, NULL);
	sigsetjmp(back, 1);
	if (rounds++ < 300) {
		start_timer(300);
		for (;;)
			sink = malloc(1 + (unsigned)rounds % 900), free(sink);
	}
	start_timer(0);
	for (int i = 0; i < 100000; i++)
		free(malloc((size_t)i % 5000));
	CHECK(signals >= 300);
}

static void test_altstack(void)
{
	stack_t alt = {.ss_sp = malloc(SIGSTKSZ), .ss_size = SIGSTKSZ};
	struct sigaction sa = {.sa_handler = on_alarm, .sa_flags = SA_RESTART | SA_ONSTACK};

	CHECK(!sigaltstack(&alt, NULL));
	sigaction(SIGALRM, &sa, NULL);
	start_timer(200);
	churn_until(1000);
	start_timer(0);
	CHECK(signals >= 1000);
}

static void test_foreign(void)
{
	char *p = __libc_malloc(100), *q = __libc_malloc(200000);

	fill(p, 100, 1);
	fill(q, 200000, 2);
	CHECK(malloc_usable_size(p) >= 100 && malloc_usable_size(q) >= 200000);
	p = realloc(p, 5000);
	q = realloc(q, 300000);
	CHECK(filled(p, 100, 1) && filled(q, 200000, 2));
	free(p);
	free(q);
}

// More small blocks than the simulated machine has lowmem.
static void test_exhaust(void)
{
	enum {
		N = 1500,
		PER = 1024
	};
	char **all = map(N * sizeof(*all) * PER) == MAP_FAILED
			     ? NULL
			     : (char **)map(N * sizeof(*all) * PER);
	size_t got = 0;

	for (int i = 0; i < N * PER; i++) {
		char *p = malloc(1000);
		if (!p)
			break;
		p[0] = p[999] = (char)i;
		all[got++] = p;
	}
	for (size_t i = 0; i < got; i++) {
		CHECK(all[i][0] == (char)i && all[i][999] == (char)i);
		free(all[i]);
	}
	printf("%s\n", getenv("CASES_FAIL") ? (got < N * PER ? "limited" : "unlimited")
		       : got == N * PER	    ? "all"
					    : "some");
	CHECK((sink = malloc(100)));
	free(sink);
}

static void test_huge(void)
{
	size_t n = 3ul << 30;
	char *p = map(n);

	if (getenv("CASES_FAIL")) { // nothing of it fits a machine that does not spill
		CHECK(p == MAP_FAILED && errno == ENOMEM);
		errno = 0;
		CHECK(!(sink = malloc(n)) && errno == ENOMEM);
		return;
	}
	CHECK(p != MAP_FAILED);
	p[0] = p[n - 1] = 1;
	CHECK(p[n / 2] == 0 && !munmap(p, n));
	p = calloc(1, 1ul << 30);
	CHECK(p && !p[12345678]);
	free(p);
	p = malloc(600ul << 20);
	p[600ul << 19] = 1;
	free(p);
}

// Memory that went back must be gone from the process: resident size falls again.
static long resident_mib(void)
{
	long pages[2] = {0};
	FILE *f = fopen("/proc/self/statm", "r");

	if (!f || fscanf(f, "%ld %ld", &pages[0], &pages[1]) != 2)
		abort();
	fclose(f);
	return pages[1] / 256;
}

static void test_resident(void)
{
	enum {
		N = 400
	};
	char *block[N];
	long before = resident_mib();

	for (int i = 0; i < N; i++) {
		block[i] = malloc(1 << 20);
		memset(block[i], 1, 1 << 20);
	}
	CHECK(resident_mib() >= before + 390);
	for (int i = 0; i < N; i++)
		free(block[i]);
	CHECK(resident_mib() <= before + 120);
	char *sparse = calloc(1, 64 << 20), *sparse2 = calloc(3, 1 << 20);
	CHECK(resident_mib() <= before + 121);
	free(sparse);
	free(sparse2);
}

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	{"align", test_align},
	{"errors", test_errors},
	{"realloc", test_realloc},
	{"sparse", test_sparse},
	{"calloc", test_calloc},
	{"mmap", test_mmap},
	{"mmap_flags", test_mmap_flags},
	{"mremap", test_mremap},
	{"lock", test_lock},
	{"fork", test_fork},
	{"threads", test_threads},
	{"signal", test_signal},
	{"altstack", test_altstack},
	{"siglongjmp", test_siglongjmp},
	{"foreign", test_foreign},
	{"exhaust", test_exhaust},
	{"huge", test_huge},
	{"resident", test_resident},
};

int main(int argc, char **argv)
{
	for (unsigned i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		if (argc < 2) {
			puts(tests[i].name);
		} else if (!strcmp(argv[1], tests[i].name)) {
			tests[i].run();
			printf("%s: %s\n", tests[i].name, failures ? "failed" : "ok");
			return failures != 0;
		}
	}
	return argc < 2 ? 0 : 2;
}
