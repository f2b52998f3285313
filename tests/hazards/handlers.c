// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// handlers MODE: signal handlers that interrupt the allocator thousands of times, allocate, and leave
// in every way.
#include "hazard.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>

enum {
	SIGNALS = 1500
};

static volatile sig_atomic_t signals;
static sigjmp_buf back;

static void every(int usec, void (*handler)(int), int flags)
{
	struct sigaction sa = {.sa_handler = handler, .sa_flags = flags};
	struct itimerval it = {{0, usec}, {0, usec}};

	CHECK(!sigaction(SIGALRM, &sa, NULL) && !setitimer(ITIMER_REAL, &it, NULL));
}

static void quiet(void)
{
	setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 0}}, NULL);
}

// On a busy machine handlers may follow each other without a step of the program in between.
static void count(int most)
{
	if (++signals >= most)
		quiet();
}

// Every path of the allocator: hits and misses, large, growing, mapped.
static void allocate(unsigned i)
{
	static void *kept[256];
	void *old = __atomic_exchange_n(&kept[i * 7 % 256], NULL, __ATOMIC_SEQ_CST);

	free(old); // a handler that jumps from here may make it leak, but not be freed twice
	kept[i * 7 % 256] = malloc(i * 131 % 9000);
	free(malloc(24));
	if (i % 16 == 0)
		free(realloc(malloc(100000), 300000));
	if (i % 64 == 0)
		free(malloc(5 << 20));
	if (i % 32 == 0) {
		void *p = mmap(NULL, 9000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			       0);
		if (p != MAP_FAILED)
			munmap(p, 9000);
	}
}

static void on_alarm(int sig)
{
	int saved = errno;
	char *p = malloc(100 + (unsigned)signals % 5000), *q = calloc(1, 300);

	(void)sig;
	p = realloc(p, 9000);
	free(q);
	free(p);
	count(SIGNALS);
	errno = saved;
}

static void allocating(void)
{
	every(150, on_alarm, 0);
	for (unsigned i = 0; signals < SIGNALS; i++)
		allocate(i);
	quiet();
	puts("handlers that allocate");
}

static void on_alarm_jump(int sig)
{
	(void)sig;
	free(malloc(64));
	count(SIGNALS);
	siglongjmp(back, 1);
}

// What is interrupted may leak, natively too; the allocator must stay whole.
static void jump_by(int flags)
{
	static unsigned i;

	sigsetjmp(back, 1);
	every(150, on_alarm_jump, flags);
	while (signals < SIGNALS)
		allocate(i++);
	quiet();
	churn(5000);
}

static void jumping(void)
{
	jump_by(0);
	puts("handlers that jump");
}

static void jumping_off(void)
{
	stack_t own = {.ss_sp = malloc(64 << 10), .ss_size = 64 << 10};

	CHECK(!sigaltstack(&own, NULL));
	jump_by(SA_ONSTACK);
	puts("handlers that jump off their own stack");
}

static jmp_buf plain_back;

static void on_alarm_plain(int sig)
{
	(void)sig;
	count(SIGNALS);
	longjmp(plain_back, 1);
}

// Without the mask: the signal stays blocked until the program opens it again.
static void jumping_plain(void)
{
	static unsigned i;
	sigset_t alarm_only, now;

	sigemptyset(&alarm_only);
	sigaddset(&alarm_only, SIGALRM);
	every(150, on_alarm_plain, 0);
	if (setjmp(plain_back)) {
		sigprocmask(SIG_BLOCK, NULL, &now);
		CHECK(sigismember(&now, SIGALRM));
		sigprocmask(SIG_UNBLOCK, &alarm_only, NULL);
	}
	while (signals < SIGNALS)
		allocate(i++);
	quiet();
	churn(5000);
	puts("handlers that jump without the mask");
}

// A jump that stays inside the handler is nobody's business.
static void on_alarm_inside(int sig)
{
	jmp_buf here;
	volatile int rounds = 0;

	(void)sig;
	if (setjmp(here) < 3) {
		free(malloc(100));
		longjmp(here, ++rounds);
	}
	count(SIGNALS);
}

static void inside(void)
{
	every(150, on_alarm_inside, 0);
	for (unsigned i = 0; signals < SIGNALS; i++)
		allocate(i);
	quiet();
	puts("handlers that jump within themselves");
}

static void on_second(int sig)
{
	(void)sig;
	free(malloc(200));
	siglongjmp(back, 2);
}

static void on_first(int sig)
{
	(void)sig;
	count(SIGNALS);
	free(malloc(100));
	raise(SIGUSR1); // interrupts this handler and leaves both
}

static void jumping_twice(void)
{
	static unsigned i;

	signal(SIGUSR1, on_second);
	sigsetjmp(back, 1);
	every(150, on_first, 0);
	while (signals < SIGNALS)
		allocate(i++);
	quiet();
	churn(5000);
	puts("handlers that jump out of two");
}

static __thread sigjmp_buf thread_back;
static __thread volatile int thread_signals;
static volatile int finished;

static void on_thread(int sig)
{
	(void)sig;
	thread_signals++;
	siglongjmp(thread_back, 1);
}

static void *jumping_thread(void *arg)
{
	sigset_t usr2;

	sigemptyset(&usr2);
	sigaddset(&usr2, SIGUSR2);
	if (!sigsetjmp(thread_back, 1))
		pthread_sigmask(SIG_UNBLOCK, &usr2, NULL);
	pthread_sigmask(SIG_UNBLOCK, &usr2, NULL);
	while (thread_signals < 300)
		churn(5);
	pthread_sigmask(SIG_BLOCK, &usr2, NULL);
	__atomic_fetch_add(&finished, 1, __ATOMIC_SEQ_CST);
	return arg;
}

// The locks of a thread that jumped are waited for by the others.
static void threads(void)
{
	pthread_t t[3];
	sigset_t usr2;

	sigemptyset(&usr2);
	sigaddset(&usr2, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &usr2, NULL); // a thread opens it once it has a place to jump to
	signal(SIGUSR2, on_thread);
	for (int i = 0; i < 3; i++)
		CHECK(!pthread_create(&t[i], NULL, jumping_thread, NULL));
	while (finished < 3) {
		for (int i = 0; i < 3; i++)
			pthread_kill(t[i], SIGUSR2);
		churn(20);
		usleep(100);
	}
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	puts("threads whose handlers jump");
}

static void on_fault(int sig)
{
	(void)sig;
	signals++;
	free(malloc(100));
	siglongjmp(back, 1);
}

// A fault is not to be returned to: the handler's jump is the only way on.
static void faults(void)
{
	signal(SIGSEGV, on_fault);
	sigsetjmp(back, 1);
	while (signals < 500) {
		churn(20);
		*(volatile int *)16 = 1;
	}
	churn(1000);
	puts("faults that are jumped out of");
}

// fork in a handler that interrupted malloc: the child inherits a half-done call.
static void on_alarm_fork(int sig)
{
	int status;
	pid_t pid = fork();

	(void)sig;
	if (!pid)
		_exit(0);
	CHECK(waitpid(pid, &status, 0) == pid && !status);
	count(40);
}

static void forking(void)
{
	every(2000, on_alarm_fork, 0);
	for (unsigned i = 0; signals < 40; i++)
		allocate(i);
	quiet();
	puts("handlers that fork");
}

int main(int argc, char **argv)
{
	static const struct mode modes[] = {
		{"allocating", allocating},   {"jumping", jumping},
		{"jumping_off", jumping_off}, {"jumping_plain", jumping_plain},
		{"inside", inside},	      {"jumping_twice", jumping_twice},
		{"threads", threads},	      {"faults", faults},
		{"forking", forking},
	};

	return RUN_MODE(modes, argc, argv);
}
