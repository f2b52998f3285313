// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Seccomp is watched: behind a filter a system call may end the process, and in strict mode
// reading the clock does, too. So before the program goes there, capture stops making any.
//
// The two ways in are prctl() and syscall(SYS_seccomp); both are passed on unchanged. What was
// known before stays of use: cached traces and learned rules. What is not known is left out and
// flagged, and a full ring is waited for without sleeping.
#include "capture.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stdarg.h>
#include <sys/prctl.h>

#define EXPORT __attribute__((visibility("default")))

_Atomic bool capture_no_syscalls;
_Atomic bool capture_no_tsc;

struct watch {
	bool syscalls, tsc; // as they were
};

static struct watch sandbox_enter(bool strict)
{
	struct watch w = {capture_no_syscalls, capture_no_tsc};

	if (!w.syscalls && atomic_load(&process.mode) == MODE_LIVE)
		arena_settle(&process.cpu[0]);
	atomic_store(&capture_no_syscalls, true);
	if (strict)
		atomic_store(&capture_no_tsc, true);
	return w;
}

static long sandbox_result(struct watch w, long ret)
{
	if (ret < 0) {
		atomic_store(&capture_no_syscalls, w.syscalls);
		atomic_store(&capture_no_tsc, w.tsc);
		errno = (int)-ret;
		return -1;
	}
	return ret;
}

EXPORT int prctl(int op, ...)
{
	unsigned long a[4];
	struct watch w;
	va_list ap;
	long ret;

	va_start(ap, op);
	for (unsigned i = 0; i < 4; i++)
		a[i] = va_arg(ap, unsigned long);
	va_end(ap);
	if (op == PR_SET_SECCOMP) {
		w = sandbox_enter(a[0] == SECCOMP_MODE_STRICT);
		return (int)sandbox_result(w, sys(SYS_prctl, op, a[0], a[1], a[2], a[3]));
	}
	ret = sys(SYS_prctl, op, a[0], a[1], a[2], a[3]);
	if (ret >= 0)
		return (int)ret;
	errno = (int)-ret;
	return -1;
}

long sandbox_seccomp(unsigned long op, unsigned long flags, void *args)
	__attribute__((visibility("hidden")));
long sandbox_error(long ret) __attribute__((visibility("hidden")));

long sandbox_seccomp(unsigned long op, unsigned long flags, void *args)
{
	struct watch w = {capture_no_syscalls, capture_no_tsc};

	// The other operations ask questions.
	if (op == SECCOMP_SET_MODE_STRICT || op == SECCOMP_SET_MODE_FILTER)
		w = sandbox_enter(op == SECCOMP_SET_MODE_STRICT);
	return sandbox_result(w, sys(SYS_seccomp, op, flags, args));
}

long sandbox_error(long ret)
{
	errno = (int)-ret;
	return -1;
}

// Has to be without a frame of its own: the call behind it may return twice, or on another stack.
EXPORT long syscall(long number, ...);
__asm__(".globl syscall\n\t"
	".type syscall, @function\n"
	"syscall:\n\t"
	".cfi_startproc\n\t"
	"mov %rdi, %rax\n\t"
	"mov %rsi, %rdi\n\t"
	"mov %rdx, %rsi\n\t"
	"mov %rcx, %rdx\n\t"
	"cmp $317, %rax\n\t" // SYS_seccomp
	"je sandbox_seccomp\n\t"
	"mov %r8, %r10\n\t"
	"mov %r9, %r8\n\t"
	"mov 8(%rsp), %r9\n\t"
	"syscall\n\t"
	"cmp $-4095, %rax\n\t"
	"jae 1f\n\t"
	"ret\n"
	"1:\n\t"
	"mov %rax, %rdi\n\t"
	"jmp sandbox_error\n\t"
	".cfi_endproc\n\t"
	".size syscall, . - syscall");

_Static_assert(SYS_seccomp == 317, "the number is spelled out above");
