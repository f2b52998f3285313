// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// throwers: signal handlers that interrupt operator new and delete and leave by an exception.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <sys/time.h>

static const int exceptions = 400;

static void on_alarm(int)
{
	throw std::runtime_error("in the middle of it");
}

__attribute__((noinline)) static void block(int how)
{
	sigset_t alarm_only;

	sigemptyset(&alarm_only);
	sigaddset(&alarm_only, SIGALRM);
	sigprocmask(how, &alarm_only, nullptr);
}

// What is interrupted and left may leak. By the operators' names, for a new with its delete may be left out.
__attribute__((noipa)) static void allocate(unsigned i)
{
	void *p = operator new(1 + i * 131 % 9000), *q = operator new(24);

	operator delete(p);
	operator delete(q);
	if (i % 16 == 0)
		operator delete(operator new(300000));
	if (i % 64 == 0)
		operator delete(operator new(5 << 20));
}

// A frame of its own: only calls are sure to be covered by a try.
__attribute__((noipa)) static void work()
{
	static unsigned i;

	block(SIG_UNBLOCK);
	for (;;)
		allocate(i++);
}

int main()
{
	struct itimerval often = {{0, 250}, {0, 250}};

	block(SIG_BLOCK);
	signal(SIGALRM, on_alarm);
	setitimer(ITIMER_REAL, &often, nullptr);
	for (int caught = 0; caught < exceptions;)
		try {
			work();
		} catch (const std::runtime_error &) { // the handler's mask is still ours
			caught++;
		}
	puts("handlers that throw");
	return 0;
}
