// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Which memory a walk may read.
//
// The stack the system gave a thread is known from top to bottom after its first calls. On any
// other stack (sigaltstack, coroutine, a thread's before its first call) the page of the return
// address is readable, since the call just wrote it; every further page is asked for by a system
// call that fails instead of faulting.
#include "unwind.h"

#include <errno.h>
#include <sys/resource.h>

enum {
	LEARN_PAGES = 64
};
#define MAIN_STACK_MOST (128ul << 20) // the kernel keeps at least this much free below the top

extern void *__libc_stack_end;

// rt_sigprocmask with an impossible `how` changes nothing, but reads its set first.
static bool page_readable(uintptr_t page)
{
	return !capture_no_syscalls && sys(SYS_rt_sigprocmask, ~0, page, NULL, 8) != -EFAULT;
}

static void *thread_pointer(void)
{
	void *self;

	__asm__("mov %%fs:0x10, %0" : "=r"(self)); // tcbhead_t.self
	return self;
}

// The main thread's stack is mapped from wherever it has been down to up to the top.
static void learn_main(struct thread *t)
{
	struct rlimit lim = {MAIN_STACK_MOST, 0};
	uintptr_t top = (uintptr_t)__libc_stack_end;

	sys(SYS_prlimit64, 0, RLIMIT_STACK, NULL, &lim);
	if (lim.rlim_cur > MAIN_STACK_MOST)
		lim.rlim_cur = MAIN_STACK_MOST;
	t->stack_hi = (char *)top;
	t->stack_lo = (char *)(top - lim.rlim_cur);
}

// Another thread's has its control block at the top. What lies between is believed page by page,
// so that a coroutine's stack just below this one is not taken for a part of it.
static void learn_other(struct thread *t, uintptr_t cfa)
{
	uintptr_t lo = (cfa - 8) & -(uintptr_t)PAGE_SIZE;
	uintptr_t hi = t->stack_lo ? (uintptr_t)t->stack_lo : (uintptr_t)thread_pointer();

	if (lo >= hi || (hi - lo) / PAGE_SIZE > LEARN_PAGES)
		return;
	for (uintptr_t page = lo + PAGE_SIZE; page < hi; page += PAGE_SIZE)
		if (!page_readable(page))
			return;
	t->stack_lo = (char *)lo;
	if (!t->stack_hi)
		t->stack_hi = (char *)thread_pointer();
}

void stack_learn(struct thread *t, uintptr_t cfa)
{
	if (capture_no_syscalls)
		return;
	if (t->stack_hi && cfa > (uintptr_t)t->stack_hi)
		return;
	if (t->stack_lo && cfa - 8 >= (uintptr_t)t->stack_lo)
		return;
	if (t->tid && t->tid == (int)sys(SYS_getpid)) {
		if (!t->stack_hi)
			learn_main(t);
	} else if (t->tid) {
		learn_other(t, cfa);
	}
}

void unwind_thread_start(struct thread *t)
{
	t->stack_lo = t->stack_hi = NULL;
}

bool stack_read(struct thread *t, struct trace *tr, uintptr_t addr, uint64_t *value)
{
	uintptr_t page = addr & -(uintptr_t)PAGE_SIZE;

	if (addr & 7)
		return false;
	if ((addr < (uintptr_t)t->stack_lo || addr >= (uintptr_t)t->stack_hi) && page != tr->page) {
		if (!page_readable(page)) {
			tr->flags |= OPF_SMALL_STACK;
			return false;
		}
		tr->page = page;
	}
	*value = *(const volatile uint64_t *)addr;
	return true;
}

void trace_note(struct trace *tr, uintptr_t addr, uint64_t value)
{
	if (tr->nwords == TRACE_WORDS) {
		tr->sound = TRACE_FRAMES;
		return;
	}
	tr->word[tr->nwords++] = (struct trace_word){addr, value};
}

bool after_call(uintptr_t ip)
{
	uintptr_t first = (ip - 7) & -(uintptr_t)PAGE_SIZE;
	const unsigned char *p = (const unsigned char *)ip;

	if (ip < PAGE_SIZE || ip >> 47 || !page_readable(first) ||
	    (first != ((ip - 1) & -(uintptr_t)PAGE_SIZE) && !page_readable(first + PAGE_SIZE)))
		return false;
	if (p[-5] == 0xe8) // call rel32
		return true;
	// call r/m64: ff /2, of two to seven bytes
	for (unsigned n = 2; n <= 7; n++)
		if (p[-(int)n] == 0xff && (p[1 - (int)n] & 0x38) == 0x10)
			return true;
	return false;
}
