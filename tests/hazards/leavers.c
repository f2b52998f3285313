// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// leavers MODE: signal handlers that interrupt the allocator and leave for another context, end their
// thread, or jump out of a fault. (By a jump otherwise: handlers.c; by an exception: throwers.cc.)
#include "hazard.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <ucontext.h>

enum {
	SIGNALS = 400,
	SWITCHES = 400,
	THREADS = 150,
	STACK = 128 << 10
};

static volatile sig_atomic_t signals;

static void every(int usec, void (*handler)(int))
{
	struct itimerval it = {{0, usec}, {0, usec}};

	CHECK(signal(SIGALRM, handler) != SIG_ERR && !setitimer(ITIMER_REAL, &it, NULL));
}

static void quiet(void)
{
	setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 0}}, NULL);
}

// Hits and misses, large blocks, mappings. What is interrupted and left may leak.
static void allocate(unsigned i)
{
	void *p = malloc(i * 131 % 9000), *q = malloc(24);

	free(p);
	p = i % 16 ? NULL : realloc(malloc(100000), 300000);
	free(q);
	free(p);
	if (i % 64 == 0)
		free(malloc(5 << 20));
	if (i % 32)
		return;
	p = mmap(NULL, 9000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p != MAP_FAILED)
		munmap(p, 9000);
}

// --- setcontext

static ucontext_t again;

static void on_alarm_context(int sig)
{
	(void)sig;
	if (++signals >= SIGNALS)
		quiet();
	setcontext(&again);
}

static void contexts(void)
{
	static unsigned i;

	CHECK(!getcontext(&again));
	if (!signals)
		every(250, on_alarm_context);
	while (signals < SIGNALS)
		allocate(i++);
	churn(5000);
	puts("handlers that leave by setcontext");
}

// --- swapcontext: coroutines that are taken the CPU from, in the middle of whatever they do

static ucontext_t home, task[3];
static int running;

static void on_alarm_switch(int sig)
{
	int old = running;

	(void)sig;
	free(malloc(64));
	if (++signals >= SWITCHES)
		quiet();
	running = (running + 1) % 3;
	swapcontext(&task[old], &task[running]);
	free(malloc(64));
}

static void alarms(int how)
{
	sigset_t alarm_only;

	sigemptyset(&alarm_only);
	sigaddset(&alarm_only, SIGALRM);
	CHECK(!sigprocmask(how, &alarm_only, NULL));
}

static void coroutine(void)
{
	alarms(SIG_UNBLOCK);
	for (volatile unsigned i = 0; signals < SWITCHES; i++)
		allocate(i);
}

static void switching(void)
{
	// swapcontext sets the mask before it has left the stack: only coroutines open it
	alarms(SIG_BLOCK);
	for (volatile int i = 0; i < 3; i++) {
		CHECK(!getcontext(&task[i]));
		task[i].uc_stack.ss_sp = mmap(NULL, STACK, PROT_READ | PROT_WRITE,
					      MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
		task[i].uc_stack.ss_size = STACK;
		task[i].uc_link = &home;
		makecontext(&task[i], coroutine, 0);
	}
	every(400, on_alarm_switch);
	CHECK(!swapcontext(&home, &task[0]));
	quiet();
	churn(5000);
	puts("coroutines that are switched by a timer");
}

// --- pthread_exit

static volatile int ready;

static void on_exit_thread(int sig)
{
	(void)sig;
	pthread_exit(NULL);
}

static void *work(void *arg)
{
	sigset_t usr2;

	sigemptyset(&usr2);
	sigaddset(&usr2, SIGUSR2);
	ready = 1;
	pthread_sigmask(SIG_UNBLOCK, &usr2, NULL);
	for (unsigned i = 0;; i++)
		allocate(i);
	return arg;
}

static void ending(void)
{
	sigset_t usr2;
	pthread_t t;

	sigemptyset(&usr2);
	sigaddset(&usr2, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &usr2, NULL);
	signal(SIGUSR2, on_exit_thread);
	for (unsigned i = 0; i < THREADS; i++) {
		ready = 0;
		CHECK(!pthread_create(&t, NULL, work, NULL));
		while (!ready)
			churn(5);
		usleep(i * 37 % 500);
		CHECK(!pthread_kill(t, SIGUSR2) && !pthread_join(t, NULL));
	}
	churn(5000);
	puts("threads whose handlers end them");
}

// --- a fault inside realloc: the program took the block's memory away from itself

static sigjmp_buf back;

static void on_fault(int sig)
{
	(void)sig;
	signals++;
	siglongjmp(back, 1);
}

static void reallocs(void)
{
	enum {
		SIZE = 60000,
		PAGE = 4096
	};

	signal(SIGSEGV, on_fault);
	for (volatile int i = 0; i < 20; i++) {
		char *p = malloc(SIZE), *behind = malloc(SIZE);
		char *page = p + PAGE - (uintptr_t)p % PAGE;

		fill(p, SIZE, 1);
		CHECK(!mprotect(page, 4 * PAGE, PROT_NONE));
		if (!sigsetjmp(back, 1))
			CHECK(!realloc(p, 2 * SIZE));
		CHECK(!mprotect(page, 4 * PAGE, PROT_READ | PROT_WRITE));
		CHECK(filled(p, SIZE, 1));
		free(p);
		free(behind);
	}
	churn(5000);
	printf("%d reallocs that were jumped out of\n", (int)signals);
}

int main(int argc, char **argv)
{
	static const struct mode modes[] = {
		{"contexts", contexts},
		{"switching", switching},
		{"ending", ending},
		{"reallocs", reallocs},
	};

	return RUN_MODE(modes, argc, argv);
}
