// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// nested [jump]: a program whose signal handlers allocate while they interrupt malloc and free. It
// counts its own calls and prints them; with "jump" every handler leaves by siglongjmp.
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

enum {
	SIGNALS = 500, // handlers that return
	JUMPS = 2000,
	KEPT = 300, // more frees in one handler than a small queue holds
};

static volatile sig_atomic_t signals;
static unsigned long mallocs, callocs, reallocs, frees, maps, unmaps;
static void *volatile kept[KEPT]; // made by the main program, freed by a handler
static volatile sig_atomic_t full;
static void *volatile handed;
static sigjmp_buf back;

static void count(unsigned long *n) // in one instruction
{
	__atomic_fetch_add(n, 1, __ATOMIC_RELAXED);
}

static void *make(size_t n)
{
	count(&mallocs);
	return malloc(n);
}

static void drop(void *p)
{
	count(&frees);
	free(p);
}

static void drop_kept(void)
{
	if (!full)
		return;
	for (int i = 0; i < KEPT; i++)
		drop(kept[i]);
	full = 0;
}

static void on_alarm(int sig)
{
	int saved = errno;
	char *p = make(100 + (unsigned)signals % 5000), *q, *page;

	(void)sig;
	q = calloc(1, 300);
	count(&callocs);
	memset(p, 1, 100);
	p = realloc(p, 9000);
	count(&reallocs);
	drop(q);
	if (signals % 3 == 0 && !handed)
		handed = p;
	else
		drop(p);
	page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	page[5000] = 1;
	munmap(page, 8192);
	count(&maps);
	count(&unmaps);
	drop_kept();
	signals++;
	errno = saved;
}

static void on_alarm_jump(int sig)
{
	(void)sig;
	signals++;
	siglongjmp(back, 1);
}

static void timer(int usec)
{
	struct itimerval it = {{0, usec}, {0, usec}};

	setitimer(ITIMER_REAL, &it, NULL);
}

static void allocate(void)
{
	void *block[64] = {0}, *p;

	for (unsigned i = 0; signals < SIGNALS; i++) {
		unsigned at = i * 7 % 64;
		if (block[at])
			drop(block[at]);
		block[at] = make(i * 131 % 6000);
		p = __atomic_exchange_n((void **)&handed, NULL, __ATOMIC_ACQ_REL);
		if (p)
			drop(p);
		for (int k = 0; !full && k < KEPT; k++)
			kept[k] = make(64);
		full = 1;
	}
	for (int i = 0; i < 64; i++)
		if (block[i])
			drop(block[i]);
}

static void jump(void)
{
	sigsetjmp(back, 1);
	for (unsigned i = (unsigned)signals; signals < JUMPS; i++)
		free(malloc(i * 131 % 9000)), free(malloc(24));
}

int main(int argc, char **argv)
{
	struct sigaction sa = {.sa_handler = argc > 1 && !strcmp(argv[1], "jump") ? on_alarm_jump
										  : on_alarm};
	char line[200];
	int n;

	sigaction(SIGALRM, &sa, NULL);
	timer(100);
	if (sa.sa_handler == on_alarm_jump)
		jump();
	else
		allocate();
	timer(0);
	n = snprintf(line, sizeof(line), "%lu %lu %lu %lu %lu %lu\n", mallocs, callocs, reallocs,
		     frees, maps, unmaps);
	return write(1, line, (size_t)n) != n;
}
