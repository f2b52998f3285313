// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// deaths MODE: every way a process ends, in the middle of its work.
#include "hazard.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>

static void work(void)
{
	churn(3000);
	dprintf(1, "worked\n");
}

static void *worker(void *arg)
{
	for (;;)
		churn(100);
	return arg;
}

static void busy_threads(void)
{
	pthread_t t;

	for (int i = 0; i < 3; i++)
		CHECK(!pthread_create(&t, NULL, worker, NULL));
	usleep(20000);
}

static void by_exit_call(void)
{
	work();
	_exit(3);
}

static void by_abort(void)
{
	work();
	abort();
}

static void say_quick(void)
{
	churn(100);
	dprintf(1, "quick\n");
}

static void by_quick_exit(void)
{
	CHECK(!at_quick_exit(say_quick));
	work();
	quick_exit(4);
}

static void by_fault(void)
{
	work();
	*(volatile int *)16 = 1;
}

static void by_fault_of_a_thread(void)
{
	busy_threads();
	work();
	*(volatile int *)16 = 1;
}

static void by_signal(void)
{
	work();
	raise(SIGTERM);
}

static void by_kill(void)
{
	busy_threads();
	work();
	kill(getpid(), SIGKILL);
}

static void *exiting(void *arg)
{
	exit(*(int *)arg);
}

static void from_thread(void)
{
	int status = 6;
	pthread_t t;

	work();
	CHECK(!pthread_create(&t, NULL, exiting, &status));
	for (;;)
		churn(10);
}

// main returns while others allocate: destructors and the threads meet in our exit.
static void with_threads(void)
{
	busy_threads();
	work();
	exit(8);
}

static void main_thread_first(void)
{
	busy_threads();
	work();
	pthread_exit(NULL); // the others go on for ever: ended by the alarm
}

static void main_thread_alarm(void)
{
	alarm(1);
	main_thread_first();
}

static void on_exit_allocate(void)
{
	churn(500);
	dprintf(1, "at exit\n");
}

static void at_exits(void)
{
	CHECK(!atexit(on_exit_allocate));
	work();
	exit(9);
}

static void on_alarm(int sig)
{
	(void)sig;
	exit(10);
}

// exit() out of a handler, as many programs do: almost always in the middle of malloc.
static void in_handler(void)
{
	struct itimerval soon = {{0, 0}, {0, 30000}};

	CHECK(!atexit(on_exit_allocate));
	signal(SIGALRM, on_alarm);
	setitimer(ITIMER_REAL, &soon, NULL);
	for (unsigned i = 0;; i++)
		free(malloc(i * 131 % 9000)), free(malloc(24));
}

static void on_fault(int sig)
{
	(void)sig;
	churn(50);
	exit(11);
}

static void in_fault_handler(void)
{
	signal(SIGSEGV, on_fault);
	work();
	*(volatile int *)16 = 1;
}

static void by_cpu_limit(void)
{
	struct rlimit cpu = {1, 1};

	CHECK(!setrlimit(RLIMIT_CPU, &cpu));
	dprintf(1, "until the limit\n");
	worker(NULL);
}

int main(int argc, char **argv)
{
	static const struct mode modes[] = {
		{"_exit", by_exit_call},
		{"abort", by_abort},
		{"quick_exit", by_quick_exit},
		{"fault", by_fault},
		{"fault_threads", by_fault_of_a_thread},
		{"signal", by_signal},
		{"kill", by_kill},
		{"thread", from_thread},
		{"threads", with_threads},
		{"main_first", main_thread_alarm},
		{"atexit", at_exits},
		{"handler", in_handler},
		{"fault_handler", in_fault_handler},
		{"limit", by_cpu_limit},
	};

	return RUN_MODE(modes, argc, argv);
}
