// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Stacks against an independent judge (libgcc's unwinder, through backtrace()).
#include "capture_stub.h"
#include "../preload/unwind.h"

#include <alloca.h>
#include <execinfo.h>
#include <pthread.h>
#include <signal.h>
#include <ucontext.h>

#include "harness.h"

enum {
	MAX = 128
};

static uintptr_t seen[MAX];
static unsigned nseen;
static uint32_t seen_flags;
static bool same;

// Plays an entry point: captures its caller and asks the judge at the same place.
__attribute__((noinline, optimize("no-omit-frame-pointer"))) void entry(void)
{
	void **frame = __builtin_frame_address(0);
	void *judge[MAX];
	int n = backtrace(judge, MAX);
	struct thread *t = this_thread();
	uint32_t id;

	seen_flags = 0;
	id = capture_stack(t, __builtin_return_address(0), __builtin_dwarf_cfa(), frame[0],
			   &seen_flags);
	nseen = session_stack(process.session, id, seen, MAX);
	same = (int)nseen == n - 1;
	for (int i = 1; i < n && same; i++)
		same = seen[i - 1] == (uintptr_t)judge[i];
	if (!same)
		for (int i = 0; i < n || i < (int)nseen; i++)
			printf("# %2d %p %p\n", i, i + 1 < n ? judge[i + 1] : NULL,
			       i < (int)nseen ? (void *)seen[i] : NULL);
}

static void start(void)
{
	stub_start(2, &(struct session_size){4, 2, 1024, 4096, 65536});
}

__attribute__((noinline)) static void check_same(void)
{
	entry();
	CHECK(same);
	CHECK_EQ(seen_flags, 0);
	entry();
	CHECK(same);
}

static void test_plain(void)
{
	start();
	check_same();
	CHECK(nseen > 3);
}

__attribute__((noinline, optimize("omit-frame-pointer"))) static int deep(int n)
{
	if (n == 0) {
		check_same();
		return 0;
	}
	return deep(n - 1) + 1;
}

__attribute__((noinline, optimize("no-omit-frame-pointer"))) static int deep_fp(int n)
{
	if (n == 0)
		return deep(5);
	return deep_fp(n - 1) + deep(n % 3) + 1;
}

static void test_recursion(void)
{
	start();
	for (int i = 0; i < 40; i++)
		deep(i);
	deep_fp(5);
}

__attribute__((noinline)) static int with_alloca(size_t n)
{
	volatile char *p = alloca(n);

	p[n - 1] = 1;
	check_same();
	return p[n - 1];
}

__attribute__((noinline)) static int with_aligned(int n)
{
	_Alignas(64) volatile char buf[256];

	buf[n] = 1;
	check_same();
	return buf[n] + with_alloca((size_t)n + 100);
}

static void test_alloca(void)
{
	start();
	for (size_t n = 1; n < 20000; n = n * 3 + 7)
		with_alloca(n);
	with_aligned(3);
}

static int compare(const void *a, const void *b)
{
	check_same();
	return *(const int *)a - *(const int *)b;
}

static void test_through_libc(void)
{
	int v[] = {3, 1, 2, 5, 4};

	start();
	qsort(v, 5, sizeof(v[0]), compare);
	CHECK_EQ(v[0], 1);
}

static void *thread_main(void *arg)
{
	(void)arg;
	deep(7);
	return NULL;
}

static void test_thread(void)
{
	pthread_t t;

	start();
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(pthread_create(&t, NULL, thread_main, NULL), 0);
		pthread_join(t, NULL);
	}
}

// libgcc reports the interrupted ip as it is; ours counts as if it were a return address.
static bool same_but_signal(void **judge, int n)
{
	int differ = 0;

	if ((int)nseen != n)
		return false;
	for (int i = 0; i < n; i++)
		if (seen[i] != (uintptr_t)judge[i]) {
			differ++;
			if (seen[i] != (uintptr_t)judge[i] + 1)
				return false;
		}
	return differ == 1;
}

static volatile int handled;
static bool handler_same;

static void handler(int sig)
{
	void *judge[MAX];
	int n = backtrace(judge, MAX);

	(void)sig;
	entry();
	// The handler's own frame differs: the two calls are made at two places.
	if (nseen && n)
		judge[0] = (void *)seen[0];
	handler_same = same_but_signal(judge, n);
	handled++;
}

__attribute__((noinline)) static void raise_at(int depth)
{
	if (depth)
		raise_at(depth - 1);
	else
		__asm__ volatile("ud2");
	__asm__ volatile("");
}

static void skip_ud2(int sig, siginfo_t *si, void *uc)
{
	(void)si;
	handler(sig);
	((ucontext_t *)uc)->uc_mcontext.gregs[REG_RIP] += 2;
}

static void test_signal(void)
{
	struct sigaction sa = {.sa_sigaction = skip_ud2, .sa_flags = SA_SIGINFO};

	start();
	handled = 0;
	sigaction(SIGILL, &sa, NULL);
	raise_at(3);
	CHECK_EQ(handled, 1);
	CHECK(handler_same);
	raise_at(5);
	CHECK(handler_same);
}

static void test_signal_small_stack(void)
{
	static char stack[16384];
	stack_t ss = {.ss_sp = stack, .ss_size = sizeof(stack)};
	struct sigaction sa = {.sa_sigaction = skip_ud2, .sa_flags = SA_SIGINFO | SA_ONSTACK};

	start();
	sigaltstack(&ss, NULL);
	sigaction(SIGILL, &sa, NULL);
	raise_at(4);
	CHECK(handler_same);
	ss.ss_flags = SS_DISABLE;
	sigaltstack(&ss, NULL);
}

static ucontext_t back, there;

static void coroutine(void)
{
	check_same();
	deep(4);
	swapcontext(&there, &back);
}

static void test_coroutine(void)
{
	static char stack[32768];

	start();
	getcontext(&there);
	there.uc_stack.ss_sp = stack;
	there.uc_stack.ss_size = sizeof(stack);
	makecontext(&there, coroutine, 0);
	swapcontext(&back, &there);
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	unwind_init();
	if (!unwind_ready()) {
		printf("1..0 # SKIP no libunwind\n");
		return 0;
	}
	RUN(test_plain);
	RUN(test_recursion);
	RUN(test_alloca);
	RUN(test_through_libc);
	RUN(test_thread);
	RUN(test_signal);
	RUN(test_signal_small_stack);
	RUN(test_coroutine);
	return DONE();
}
