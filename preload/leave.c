// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Signal handlers that never return to the call they interrupted: by a jump, or by exit().
//
//   malloc ──signal──► handler ── siglongjmp ──► leave_jump      the jump is kept in mind,
//      ▲                                            │            the handler "returns"
//      └───────────── rt_sigreturn ◄────────────────┘
//   malloc goes on to its end, and there (call_drain) the jump is made
//
// So no step of the machine, no record and no lock is ever left in the middle. What the handler
// blocked stays blocked until the jump. The frame the kernel made for the handler is found by
// unwinding; where that fails, or where going back makes no sense (a fault would strike again),
// the jump is made at once and what it leaves behind is undo.c's.
//
// A handler that leaves for another context, or ends its thread, may come back or runs destructors: there
// the call comes to its end first (finish.c).
#undef _FORTIFY_SOURCE // would make every longjmp here a __longjmp_chk, which is defined here, too
#include <dlfcn.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <ucontext.h>

#include "entry.h"
#include "unwind.h"

#define EXPORT __attribute__((visibility("default")))

enum way {
	STAY,
	JUMP,	      // longjmp, _longjmp and siglongjmp are one function
	JUMP_CHECKED, // __longjmp_chk
	EXIT,
};

typedef void (*jump_fn)(struct __jmp_buf_tag *env, int value) __attribute__((noreturn));

enum {
	JB_SP = 6,	  // mangled; index in __jmpbuf
	SIGSET_BYTES = 8, // the kernel's own, short set
};

// libc's own.
enum next {
	NEXT_JUMP,
	NEXT_JUMP_CHECKED,
	NEXT_SETCONTEXT,
	NEXT_SWAPCONTEXT,
	NEXT_PTHREAD_EXIT,
	NR_NEXT
};
static _Atomic(void *) next[NR_NEXT];

// What this thread's interrupted call does when it has ended.
static __thread struct {
	volatile enum way way;
	int value;
	struct __jmp_buf_tag env; // the handler's own copy may be gone by then
} leaving __attribute__((tls_model("initial-exec")));

static void *next_of(enum next which)
{
	static const char *const name[NR_NEXT] = {"siglongjmp", "__longjmp_chk", "setcontext",
						  "swapcontext", "pthread_exit"};
	void *fn = atomic_load_explicit(&next[which], memory_order_relaxed);

	if (!fn) {
		fn = dlsym(RTLD_NEXT, name[which]);
		atomic_store_explicit(&next[which], fn, memory_order_relaxed);
	}
	return fn;
}

static jump_fn real_jump(enum way way)
{
	return (jump_fn)next_of(way == JUMP ? NEXT_JUMP : NEXT_JUMP_CHECKED);
}

void leave_init(void)
{
	thread_self.internal++;
	for (unsigned i = 0; i < NR_NEXT; i++)
		next_of(i);
	thread_self.internal--;
}

// glibc keeps the stack pointer rotated and mixed with a word of the thread's control block.
static uintptr_t target_of(const struct __jmp_buf_tag *env)
{
	uintptr_t sp = (uintptr_t)env->__jmpbuf[JB_SP], guard;

	__asm__("mov %%fs:0x30, %0" : "=r"(guard));
	return (sp >> 17 | sp << 47) ^ guard;
}

// As the kernel has it.
struct action {
	void *handler;
	unsigned long flags;
	void *restorer;
	uint64_t mask;
};

// The handler may be one of these, and then the instruction that raised the signal would raise it
// again. Which signal it was the kernel's frame does not tell; what it blocked, and who has a handler
// at all, does.
static bool may_return(const ucontext_t *context)
{
	static const int faults[] = {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP};
	uint64_t before, now;

	__builtin_memcpy(&before, &context->uc_sigmask, sizeof(before));
	if (sys(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &now, sizeof(now)))
		return false;
	for (unsigned i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct action a = {.handler = SIG_DFL};

		sys(SYS_rt_sigaction, faults[i], NULL, &a, sizeof(a.mask));
		if (a.handler != SIG_DFL && a.handler != SIG_IGN &&
		    ((now & ~before) >> (faults[i] - 1) & 1 || a.flags & SA_NODEFER))
			return false;
	}
	return true;
}

void leave_resume(char *uc)
{
	__asm__ volatile("mov %0, %%rsp\n\t"
			 "syscall"
			 :
			 : "r"(uc), "a"(SYS_rt_sigreturn)
			 : "memory");
	__builtin_unreachable();
}

// Ends the handler whose kernel frame is at uc, with the signals blocked that are blocked now.
static _Noreturn void end_handler(char *uc)
{
	ucontext_t *context = (ucontext_t *)uc;

	sys(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &context->uc_sigmask, SIGSET_BYTES);
	leave_resume(uc);
}

char *leave_interrupted(struct thread *t, void **frame)
{
	struct frame f = {(uintptr_t)frame[1], (uintptr_t)(frame + 2), (uintptr_t)frame[0]};
	char *uc = unwind_interrupted(t, f, (uintptr_t)t->inside);

	return uc && may_return((ucontext_t *)uc) && nested_wake(t) ? uc : NULL;
}

// Returns when the jump is to be made at once.
static void leave_jump(enum way way, const struct __jmp_buf_tag *env, int value, void **frame)
{
	struct thread *t = &thread_self;
	uintptr_t to = target_of(env);
	char *uc;

	if (likely(!t->inside) || t->internal)
		return;
	uc = leave_interrupted(t, frame);
	if (!uc || (to >= (uintptr_t)frame && to < (uintptr_t)uc)) // a jump within the handler
		return;
	leaving.env = *env;
	leaving.value = value;
	leaving.way = way;
	end_handler(uc);
}

void leave_exit(struct thread *t, int status, void *frame)
{
	char *uc = leave_interrupted(t, frame);

	if (!uc)
		return;
	leaving.value = status;
	leaving.way = EXIT;
	end_handler(uc);
}

// The interrupted call has ended.
void leave_now(void)
{
	enum way way = leaving.way;
	struct __jmp_buf_tag env = leaving.env;

	finish_now();
	if (likely(way == STAY))
		return;
	leaving.way = STAY;
	if (way == EXIT) {
		process_exit(leaving.value, NULL);
		exit(leaving.value);
	}
	real_jump(way)(&env, leaving.value);
}

EXPORT _Noreturn void siglongjmp(sigjmp_buf env, int value)
{
	leave_jump(JUMP, env, value, ENTRY_FRAME);
	real_jump(JUMP)(env, value);
}

EXPORT _Noreturn void longjmp(jmp_buf env, int value)
{
	leave_jump(JUMP, env, value, ENTRY_FRAME);
	real_jump(JUMP)(env, value);
}

EXPORT _Noreturn void _longjmp(jmp_buf env, int value)
{
	leave_jump(JUMP, env, value, ENTRY_FRAME);
	real_jump(JUMP)(env, value);
}

EXPORT _Noreturn void __longjmp_chk(struct __jmp_buf_tag *env, int value);
EXPORT _Noreturn void __longjmp_chk(struct __jmp_buf_tag *env, int value)
{
	leave_jump(JUMP_CHECKED, env, value, ENTRY_FRAME);
	real_jump(JUMP_CHECKED)(env, value);
}

// --- to where more than a stack pointer decides

static void finish_first(void **frame)
{
	struct thread *t = &thread_self;

	if (unlikely(t->inside != NULL) && !t->internal)
		finish_outer(t, frame);
}

EXPORT int setcontext(const ucontext_t *to)
{
	finish_first(ENTRY_FRAME);
	return ((__typeof__(&setcontext))next_of(NEXT_SETCONTEXT))(to);
}

EXPORT int swapcontext(ucontext_t *restrict from, const ucontext_t *restrict to)
{
	finish_first(ENTRY_FRAME);
	return ((__typeof__(&swapcontext))next_of(NEXT_SWAPCONTEXT))(from, to);
}

EXPORT _Noreturn void pthread_exit(void *value)
{
	finish_first(ENTRY_FRAME);
	((__typeof__(&pthread_exit))next_of(NEXT_PTHREAD_EXIT))(value);
	__builtin_unreachable();
}
