// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Threads: the state each has, the number it is recorded under, and how its end is noticed.
//
// Nothing is registered with libc: no key, no destructor. A thread is known from its first call
// on; its end is found out by a thread that starts later, which asks the kernel about the known
// ones. Then its trace cache is passed on. Numbers are used again only when all have been used.
#include "capture.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

enum {
	THREADS_MAX = UINT16_MAX,
	ALWAYS_ASK = 32,
	ASK_EVERY = 16
};

__thread struct thread thread_self __attribute__((tls_model("initial-exec")));

struct known_thread {
	int tid; // 0: none
	uint16_t slot;
	struct trace_cache *cache;
};

// Guarded by `busy`; known[0..nknown) are the threads not yet seen dead, in no order.
static struct known_thread *known;
static unsigned nknown, last_slot, starts;
static struct trace_cache *spare[64];
static unsigned nspare;
static bool forked; // the parent's other threads still have kernel stacks here
static atomic_flag busy = ATOMIC_FLAG_INIT;

static void thread_op(struct machine *m, enum event_kind kind, uint16_t slot, int tid,
		      uint32_t stack)
{
	struct record r = {.kind = kind, .lock = slot, .ticket = stack};

	r.op.addr = (uint64_t)tid;
	r.op.old = kernel_stacks(m);
	r.op.flags = thread_self.op_flags;
	capture_op(m, &r);
}

static bool known_make(void)
{
	long map;

	if (known)
		return true;
	map = sys(SYS_mmap, NULL, THREADS_MAX * sizeof(*known), PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (map < 0 && map > -4096)
		return false;
	known = (struct known_thread *)map;
	return true;
}

static void known_drop(unsigned i)
{
	struct trace_cache *cache = known[i].cache;

	if (cache && nspare < sizeof(spare) / sizeof(*spare)) {
		trace_cache_pass_on(cache);
		spare[nspare++] = cache;
	} else if (cache) {
		trace_cache_free(cache);
	}
	known[i] = known[--nknown];
}

// Takes threads that are gone off the list, at most `max` of them, into dead[].
static unsigned known_ask(int self, struct known_thread *dead, unsigned max)
{
	long pid = sys(SYS_getpid);
	unsigned n = 0;

	for (unsigned i = 0; i < nknown && n < max;) {
		if (known[i].tid != self && sys(SYS_tgkill, pid, known[i].tid, 0) != -ESRCH) {
			i++;
			continue;
		}
		dead[n++] = known[i];
		known_drop(i);
	}
	return n;
}

static bool slot_in_use(unsigned slot)
{
	for (unsigned i = 0; i < nknown; i++)
		if (known[i].slot == slot)
			return true;
	return false;
}

static uint16_t slot_new(void)
{
	unsigned slot = last_slot;

	if (nknown >= THREADS_MAX - 1)
		return THREADS_MAX;
	do
		slot = slot % (THREADS_MAX - 1) + 1;
	while (slot_in_use(slot));
	last_slot = slot;
	return (uint16_t)slot;
}

static void known_lock(void)
{
	for (unsigned i = 0; atomic_flag_test_and_set_explicit(&busy, memory_order_acquire); i++)
		if (i > 64 && !capture_no_syscalls)
			sys(SYS_sched_yield);
}

static void known_unlock(void)
{
	atomic_flag_clear_explicit(&busy, memory_order_release);
}

// Enters the calling thread; what ended meanwhile goes to dead[].
static unsigned thread_enter(struct thread *t, struct known_thread *dead, unsigned max)
{
	unsigned n = 0;

	known_lock();
	if (known_make()) {
		if (!capture_no_syscalls && (nknown < ALWAYS_ASK || ++starts % ASK_EVERY == 0))
			n = known_ask(t->tid, dead, max);
		if (!t->slot)
			t->slot = slot_new();
		if (!t->cache && process.slot)
			t->cache = nspare ? spare[--nspare] : trace_cache_make();
		if (nknown < THREADS_MAX)
			known[nknown++] = (struct known_thread){t->tid, t->slot, t->cache};
	}
	known_unlock();
	return n;
}

// The name goes before the start it belongs to. The rows carry the stack of the call that showed it.
static void thread_tell(struct thread *t, void *frame, const struct known_thread *dead, unsigned n)
{
	char name[16] = "";
	struct machine *m;
	uint32_t stack;

	if (!process.slot || t->inside)
		return;
	if (!capture_no_syscalls)
		sys(SYS_prctl, PR_GET_NAME, name);
	t->inside = __builtin_frame_address(0);
	t->op_flags = 0;
	stack = capture_stack(t, frame, &t->op_flags);
	m = cpu_enter(t);
	for (unsigned i = 0; i < n; i++) {
		kernel_stack_give(m, dead[i].slot);
		thread_op(m, EV_THREAD_EXIT, dead[i].slot, dead[i].tid, stack);
	}
	if (name[0])
		capture_text(m, TEXT_THREAD_NAME, name, strnlen(name, sizeof(name)));
	if (forked)
		kernel_stacks_leave(m, t->slot);
	forked = false;
	kernel_stack_take(m, t->slot);
	thread_op(m, EV_THREAD_START, t->slot, t->tid, stack);
	cpu_leave(t, m);
	t->inside = NULL;
}

__attribute__((noinline, cold)) static struct thread *thread_start(struct thread *t, void *frame)
{
	uint32_t mode = atomic_load_explicit(&process.mode, memory_order_acquire);
	uint64_t all = ~0ull, old;
	struct known_thread dead[16];
	unsigned n;

	if (mode != MODE_LIVE && mode != MODE_HOST)
		return t;
	if (!capture_no_syscalls) {
		// A handler that allocates must not find the list locked by its own thread.
		sys(SYS_rt_sigprocmask, 0 /* SIG_BLOCK */, &all, &old, sizeof(old));
		t->tid = (int)sys(SYS_gettid);
	}
	t->generation = process.generation;
	unwind_thread_start(t);
	n = thread_enter(t, dead, 16);
	thread_tell(t, frame, dead, n);
	if (!capture_no_syscalls)
		sys(SYS_rt_sigprocmask, 2 /* SIG_SETMASK */, &old, NULL, sizeof(old));
	return t;
}

struct thread *this_thread(void *frame)
{
	struct thread *t = &thread_self;

	if (__builtin_expect(t->slot && t->generation == process.generation, 1))
		return t;
	return thread_start(t, frame);
}

void thread_forget(void)
{
	struct trace_cache *own = thread_self.cache;

	forked = true;
	for (unsigned i = nknown; i-- > 0;) {
		if (known[i].cache == own)
			known[i].cache = NULL;
		known_drop(i);
	}
	known_unlock();
}
