// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// sandboxes MODE: a process that gives up its system calls and goes on allocating.
#include "hazard.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

enum {
	DENIED_MAX = 8
};

static void work(void)
{
	for (int i = 0; i < 300; i++)
		free(deep(i, 100 + (size_t)i));
	churn(20000);
}

// exit_group is no part of strict mode: the thread ends by exit.
static void leave(int status)
{
	syscall(SYS_exit, status);
}

// Also reading the clock is forbidden.
static void strict(void)
{
	free(malloc(100));
	CHECK(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT));
	work();
	CHECK(write(1, "strict\n", 7) == 7);
	leave(5);
}

static void strict_by_syscall(void)
{
	free(malloc(100));
	CHECK(!syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL));
	work();
	CHECK(write(1, "strict\n", 7) == 7);
	leave(5);
}

// Kills the process at each of these system calls.
static void forbid(const int *numbers, unsigned n, bool by_prctl)
{
	struct sock_filter f[DENIED_MAX + 4] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))};
	struct sock_fprog prog = {.filter = f};
	unsigned at = 1;

	for (unsigned i = 0; i < n; i++)
		f[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
						       (unsigned)numbers[i], (uint8_t)(n - i), 0);
	f[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	f[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	prog.len = (unsigned short)at;
	CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	if (by_prctl)
		CHECK(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog));
	else
		CHECK(!syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog));
}

static void no_write(void)
{
	static const int denied[] = {SYS_write, SYS_writev, SYS_pwrite64};
	int out = dup(1);

	forbid(denied, 3, false);
	work();
	syscall(SYS_sendfile, out, out, NULL, 0);
	_exit(6);
}

static void no_maps(void)
{
	static const int denied[] = {SYS_clock_gettime, SYS_gettid,	SYS_futex,
				     SYS_open,		SYS_openat,	SYS_nanosleep,
				     SYS_mincore,	SYS_sched_yield};

	forbid(denied, 8, true);
	work();
	for (int i = 0; i < 50; i++)
		free(calloc(1, (size_t)i << 14));
	dprintf(1, "without files and waiting\n");
	_exit(6);
}

// Nothing but read, write and the end, and still served from what there is.
static void allow_little(void)
{
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {sizeof(f) / sizeof(f[0]), f};
	static void *keep[20000];

	churn(1000);
	CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	CHECK(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog));
	work();
	for (int i = 0; i < 20000; i++)
		CHECK((keep[i] = malloc(100)));
	for (int i = 0; i < 20000; i++)
		free(keep[i]);
	for (int i = 1; i < 50; i++)
		free(calloc(1, (size_t)i << 12));
	CHECK(write(1, "little\n", 7) == 7);
	_exit(7);
}

static void *allocator(void *arg)
{
	churn(20000);
	return arg;
}

static void with_threads(void)
{
	static const int denied[] = {SYS_write, SYS_clock_gettime};
	pthread_t t[4];

	for (int i = 0; i < 4; i++)
		CHECK(!pthread_create(&t[i], NULL, allocator, NULL));
	forbid(denied, 2, false);
	churn(20000);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	_exit(8);
}

int main(int argc, char **argv)
{
	static const struct mode modes[] = {
		{"strict", strict},	  {"strict_syscall", strict_by_syscall},
		{"write", no_write},	  {"maps", no_maps},
		{"little", allow_little}, {"threads", with_threads},
	};

	// libc's own way to have memory in advance
	CHECK(mallopt(M_MMAP_MAX, 0) && mallopt(M_TOP_PAD, 64 << 20) &&
	      mallopt(M_TRIM_THRESHOLD, -1));
	return RUN_MODE(modes, argc, argv);
}
