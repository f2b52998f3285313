// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// stacks MODE: allocation on stacks of a few KiB, and stacks that are left by a jump.
#include "hazard.h"

#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

static const size_t sizes[] = {4 << 10, 8 << 10, 16 << 10};

// With a page nobody may touch below it, so that running over is seen.
static char *guarded(size_t size)
{
	char *p =
		mmap(NULL, size + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED && !mprotect(p, 4096, PROT_NONE));
	return p + 4096;
}

static void small_work(void)
{
	void *p[8];

	for (int round = 0; round < 50; round++) {
		for (int i = 0; i < 8; i++)
			CHECK((p[i] = malloc(50u + (unsigned)i * 700)));
		p[0] = realloc(p[0], 3000 + (size_t)round);
		for (int i = 0; i < 8; i++)
			free(p[i]);
	}
	char *big = calloc(1, 300 << 10),
	     *map = mmap(NULL, 9000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	big[1000] = map[8999] = 1;
	free(big);
	munmap(map, 9000);
}

static ucontext_t context_main, context_own;

static void coroutine(void)
{
	for (;;) {
		small_work();
		swapcontext(&context_own, &context_main);
	}
}

static void contexts(void)
{
	for (int i = 0; i < 3; i++) {
		getcontext(&context_own);
		context_own.uc_stack.ss_sp = guarded(sizes[i]);
		context_own.uc_stack.ss_size = sizes[i];
		context_own.uc_link = NULL;
		makecontext(&context_own, coroutine, 0);
		for (int round = 0; round < 20; round++) {
			swapcontext(&context_main, &context_own);
			small_work();
		}
		printf("coroutine on %zu KiB\n", sizes[i] >> 10);
	}
}

static volatile sig_atomic_t handled;

static void on_signal(int sig)
{
	(void)sig;
	small_work();
	handled++;
}

static void altstacks(void)
{
	for (int i = 0; i < 3; i++) {
		stack_t own = {.ss_sp = guarded(sizes[i]), .ss_size = sizes[i]};
		struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};
		CHECK(!sigaltstack(&own, NULL) && !sigaction(SIGUSR1, &sa, NULL));
		handled = 0;
		for (int k = 0; k < 50; k++)
			raise(SIGUSR1);
		printf("%d handlers on %zu KiB\n", (int)handled, sizes[i] >> 10);
	}
}

static void *small_thread(void *arg)
{
	small_work();
	free(deep(20, 100));
	return arg;
}

static void threads(void)
{
	pthread_attr_t attr;
	pthread_t t;

	pthread_attr_init(&attr);
	CHECK(!pthread_attr_setstacksize(&attr, (size_t)PTHREAD_STACK_MIN));
	for (int i = 0; i < 20; i++)
		CHECK(!pthread_create(&t, &attr, small_thread, NULL) && !pthread_join(t, NULL));
	puts("20 threads on the smallest stack");
}

static jmp_buf back;

// It ends by the jump, which gcc does not see
#pragma GCC diagnostic ignored "-Winfinite-recursion"
__attribute__((noinline)) static void leap(int depth)
{
	char *p = malloc(100);

	free(p);
	if (!depth)
		longjmp(back, 1);
	leap(depth - 1);
	__asm__ volatile("" : : : "memory");
}

static void jumps(void)
{
	for (volatile int i = 0; i < 500; i++) {
		if (!setjmp(back))
			leap(i % 100);
		free(deep(i % 70, 64));
	}
	puts("500 jumps");
}

static sigjmp_buf handler_back;

static void on_alt_fault(int sig)
{
	(void)sig;
	free(malloc(100));
	siglongjmp(handler_back, 1);
}

// The way of language runtimes: a fault on a full stack, left by a jump out of the other stack.
__attribute__((noinline)) static int overflow(int n)
{
	volatile char room[4096];

	room[0] = (char)n;
	void *p = malloc(100);
	int deeper = overflow(n + 1);
	free(p);
	return deeper + room[0];
}

static void overflows(void)
{
	stack_t own = {.ss_sp = guarded(16 << 10), .ss_size = 16 << 10};
	struct sigaction sa = {.sa_handler = on_alt_fault, .sa_flags = SA_ONSTACK};

	CHECK(!sigaltstack(&own, NULL) && !sigaction(SIGSEGV, &sa, NULL));
	for (volatile int i = 0; i < 3; i++)
		if (!sigsetjmp(handler_back, 1))
			overflow(0);
	churn(1000);
	puts("3 full stacks");
}

int main(int argc, char **argv)
{
	static const struct mode modes[] = {
		{"contexts", contexts}, {"altstacks", altstacks}, {"threads", threads},
		{"jumps", jumps},	{"overflows", overflows},
	};

	return RUN_MODE(modes, argc, argv);
}
