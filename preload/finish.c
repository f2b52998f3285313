// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The call a signal handler interrupted comes to its end before the handler goes on.
//
//   malloc ──signal──► handler ── malloc ──► finish_outer    the handler's part of the stack is put
//      ▲                             ▲            │           aside, the kernel's frame returned to
//      └──────────── rt_sigreturn ───┼────────────┘
//   malloc goes on to its end        │
//      └── returns to finish_returned: the stack comes back, and with it the handler; in the kernel's
//          frame now stands the state behind malloc's return
//
// From then on nothing is interrupted any more: the handler's own calls are served and recorded as any
// others, and it may leave in whichever way, by another context, an exception, the thread's end. Where
// it does not work out (a fault, no unwinding, no memory) the handler's calls are nested.c's.
#include <signal.h>
#include <string.h>
#include <ucontext.h>

#include "entry.h"
#include "unwind.h"

enum {
	RED_ZONE = 128,
	ASIDE_MOST = 64 << 10, // of a handler's stack
	NEAR = 1 << 20,	       // what a call of ours may use of the stack, by far
	WORK_STACK = 4096,     // for putting the stack back
	SIGSET_BYTES = 8,      // the kernel's own, short set
	JUMP_WORDS = 5	       // of __builtin_setjmp
};

// What finish_returned finds when the call returns: its registers, those of the caller. The
// assembly below knows the order.
struct finish {
	uint64_t rax, rdx, rbx, rbp, rsp, r12, r13, r14, r15;
	char *work_top;
	// the handler
	void **frame;  // of the interrupted entry
	void *returns; // where that returns to
	char *uc;      // the kernel's frame
	uint64_t mask; // in it
	char *low;     // of its stack, which lies in aside[] meanwhile
	size_t size;   // 0: it has a stack of its own
	void *back[JUMP_WORDS];
	char aside[];
};

__thread struct finish *finishing __attribute__((tls_model("initial-exec"), visibility("hidden")));

void finish_returned(void) __attribute__((visibility("hidden")));
extern const char finish_at_return[] __attribute__((visibility("hidden")));
_Noreturn void finish_back(struct finish *f) __attribute__((visibility("hidden")));

// What unwinds from behind the call's end, which may be an exception, has to find the call's place: so the
// interrupted state is that before a `ret` of ours, and the return address is still on the stack.
__asm__(".text\n\t"
	".globl finish_returned, finish_at_return\n\t"
	".hidden finish_returned, finish_at_return\n\t"
	".type finish_returned, @function\n"
	"finish_returned:\n\t"
	"mov finishing@gottpoff(%rip), %rcx\n\t"
	"mov %fs:(%rcx), %rdi\n\t"
	"mov %rax, 0(%rdi)\n\t"
	"mov %rdx, 8(%rdi)\n\t"
	"mov %rbx, 16(%rdi)\n\t"
	"mov %rbp, 24(%rdi)\n\t"
	"mov %rsp, 32(%rdi)\n\t"
	"mov %r12, 40(%rdi)\n\t"
	"mov %r13, 48(%rdi)\n\t"
	"mov %r14, 56(%rdi)\n\t"
	"mov %r15, 64(%rdi)\n\t"
	"mov 72(%rdi), %rsp\n\t"
	"call finish_back\n\t"
	"hlt\n\t"
	".size finish_returned, . - finish_returned\n\t"
	".type finish_at_return, @function\n"
	"finish_at_return:\n\t"
	".cfi_startproc\n\t"
	"ret\n\t"
	".cfi_endproc\n\t"
	".size finish_at_return, . - finish_at_return\n");

_Static_assert(offsetof(struct finish, r15) == 64 && offsetof(struct finish, work_top) == 72,
	       "as the assembly has it");

// The interrupted call has ended; this is on a stack of its own.
void finish_back(struct finish *f)
{
	ucontext_t *context = (ucontext_t *)f->uc;
	greg_t *reg = context->uc_mcontext.gregs;

	memcpy(f->low, f->aside, f->size);
	f->frame[1] = f->returns;
	reg[REG_RAX] = (greg_t)f->rax;
	reg[REG_RDX] = (greg_t)f->rdx;
	reg[REG_RBX] = (greg_t)f->rbx;
	reg[REG_RBP] = (greg_t)f->rbp;
	reg[REG_R12] = (greg_t)f->r12;
	reg[REG_R13] = (greg_t)f->r13;
	reg[REG_R14] = (greg_t)f->r14;
	reg[REG_R15] = (greg_t)f->r15;
	reg[REG_RSP] = (greg_t)(f->rsp - sizeof(void *));
	reg[REG_RIP] = (greg_t)finish_at_return;
	memcpy(&context->uc_sigmask, &f->mask, sizeof(f->mask));
	__builtin_longjmp(f->back, 1);
}

void finish_now(void)
{
	struct finish *f = finishing;

	if (likely(!f) || f->returns)
		return;
	f->returns = f->frame[1];
	f->frame[1] = (void *)finish_returned;
}

void finish_forget(struct thread *t)
{
	if (!finishing)
		return;
	nested_free(t, finishing);
	finishing = NULL;
}

// What of the stack from low on, where the handler is, the interrupted call will use again. False:
// that cannot be told.
static bool aside_size(const char *uc, const char *low, size_t *size)
{
	const ucontext_t *context = (const ucontext_t *)uc;
	const char *high = (const char *)context->uc_mcontext.gregs[REG_RSP] - RED_ZONE;

	if (uc < low || uc - low > ASIDE_MOST)
		return false;
	*size = uc < high && low > high - ASIDE_MOST ? (size_t)(high - low) : 0;
	return *size || uc > high || uc < high - NEAR;
}

static struct finish *finish_make(struct thread *t, char *uc, char *low)
{
	struct finish *f;
	size_t size, bytes;

	if (!aside_size(uc, low, &size))
		return NULL;
	bytes = (sizeof(*f) + size + WORK_STACK + 15) & -(size_t)16;
	f = nested_alloc(t, bytes, 16);
	if (!f)
		return NULL;
	f->work_top = (char *)f + bytes;
	f->frame = t->inside;
	f->returns = NULL;
	f->uc = uc;
	f->low = low;
	f->size = size;
	return f;
}

// Signals that are sent wait until the handler is back; faults do not.
static uint64_t all_but_faults(void)
{
	static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT};
	uint64_t mask = ~0ull;

	for (unsigned i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		mask &= ~(1ull << (faults[i] - 1));
	return mask;
}

__attribute__((noinline)) bool finish_outer(struct thread *t, void **frame)
{
	uint64_t blocked = all_but_faults(), handlers;
	char *low, *uc = leave_interrupted(t, frame);
	struct finish *f;

	__asm__ volatile("lea -128(%%rsp), %0" : "=r"(low));
	if (!uc || !t->inside || !(f = finish_make(t, uc, low)))
		return false;
	sys(SYS_rt_sigprocmask, SIG_SETMASK, &blocked, &handlers, SIGSET_BYTES);
	memcpy(&f->mask, &((ucontext_t *)uc)->uc_sigmask, sizeof(f->mask));
	memcpy(&((ucontext_t *)uc)->uc_sigmask, &blocked, sizeof(blocked));
	finishing = f;
	if (!__builtin_setjmp(f->back)) {
		memcpy(f->aside, low, f->size);
		leave_resume(uc);
	}
	f = finishing;
	finishing = NULL;
	nested_free(&thread_self, f);
	sys(SYS_rt_sigprocmask, SIG_SETMASK, &handlers, NULL, SIGSET_BYTES);
	return true;
}
