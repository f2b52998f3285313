// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Stacks against an independent judge (libgcc's unwinder, through backtrace()).
#include "capture_stub.h"
#include "../preload/trace_cache.h"

#include <alloca.h>
#include <execinfo.h>
#include <pthread.h>
#include <dlfcn.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>

#include "harness.h"

enum {
	MAX = 128
};

static uintptr_t seen[MAX];
static unsigned nseen;
static uint32_t seen_flags;
static bool same, quiet;

// Plays an entry point: captures its caller and asks the judge at the same place. Not static, so
// that it is called as entry points are.
void entry(void);
__attribute__((noinline, optimize("no-omit-frame-pointer"))) void entry(void)
{
	void **frame = __builtin_frame_address(0);
	void *judge[MAX];
	int n = backtrace(judge, MAX);
	struct thread *t = this_thread(__builtin_frame_address(0));
	uint32_t id;

	seen_flags = 0;
	id = capture_stack(t, frame, &seen_flags);
	nseen = session_stack(process.session, id, seen, MAX);
	same = (int)nseen == n - 1;
	for (int i = 1; i < n && same; i++)
		same = seen[i - 1] == (uintptr_t)judge[i];
	if (!same && !quiet)
		for (int i = 0; i < n || i < (int)nseen; i++)
			printf("# %2d %p %p\n", i, i + 1 < n ? judge[i + 1] : NULL,
			       i < (int)nseen ? (void *)seen[i] : NULL);
}

static void start(void)
{
	stub_start(2, &(struct session_size){4, 2, 1024, 4096, 65536});
}

__attribute__((noinline)) static void check_same(void)
{
	entry();
	CHECK(same);
	CHECK_EQ(seen_flags, 0);
	entry();
	CHECK(same);
}

static void test_plain(void)
{
	start();
	check_same();
	CHECK(nseen > 3);
}

__attribute__((noinline, optimize("omit-frame-pointer"))) static int deep(int n)
{
	if (n == 0) {
		check_same();
		return 0;
	}
	return deep(n - 1) + 1;
}

__attribute__((noinline, optimize("no-omit-frame-pointer"))) static int deep_fp(int n)
{
	if (n == 0)
		return deep(5);
	return deep_fp(n - 1) + deep(n % 3) + 1;
}

// Frames the last walk passed: it ends where it meets those of the walk before.
static unsigned walked(void)
{
	return thread_self.cache->trace.nips;
}

static volatile int kept; // what keeps functions from being one, and calls from being jumps

__attribute__((noinline)) static void left(void)
{
	entry();
	CHECK(same);
	kept = 1;
}

__attribute__((noinline)) static void right(void)
{
	entry();
	CHECK(same);
	kept = 2;
}

// The same calls at the same addresses of the stack, below one that differs.
__attribute__((noinline)) static void below(int n)
{
	if (n)
		below(n - 1);
	else
		left();
	kept = n;
}

__attribute__((noinline)) static void above_one(void)
{
	below(6);
	kept = 3;
}

__attribute__((noinline)) static void above_another(void)
{
	below(6);
	kept = 4;
}

__attribute__((noinline)) static void turns(int n)
{
	unsigned passed;

	if (n) {
		turns(n - 1);
		kept = n;
		return;
	}
	left();
	right();
	CHECK(nseen > 12 && walked() <= 2); // right, and this call of it
	above_one();
	passed = walked();
	CHECK(passed >= 5 && passed < nseen - 8); // to the first turn
	above_another();
	CHECK_EQ(walked(), passed); // the inner frames lie where the others lay, below a new one
	left();
	CHECK(same);
}

static void test_standing(void)
{
	start();
	turns(10);
}

static void test_recursion(void)
{
	start();
	for (int i = 0; i < 40; i++)
		deep(i);
	deep_fp(5);
}

__attribute__((noinline)) static int with_alloca(size_t n)
{
	volatile char *p = alloca(n);

	p[n - 1] = 1;
	check_same();
	return p[n - 1];
}

__attribute__((noinline)) static int with_aligned(int n)
{
	_Alignas(64) volatile char buf[256];

	buf[n] = 1;
	check_same();
	return buf[n] + with_alloca((size_t)n + 100);
}

static void test_alloca(void)
{
	start();
	for (size_t n = 1; n < 20000; n = n * 3 + 7)
		with_alloca(n);
	with_aligned(3);
}

__attribute__((noinline)) static int lower(size_t n)
{
	volatile char *p = alloca(n);

	p[0] = 1;
	entry();
	return p[0] + same;
}

// More traces than fit: the oldest are driven out, and their places filled with others.
__attribute__((noinline)) static void many(int n)
{
	unsigned right = 0;

	if (n) {
		many(n - 1);
		kept = n;
		return;
	}
	for (unsigned i = 0; i < 40000; i++)
		right += lower(16 + 16 * i) == 2;
	for (unsigned i = 0; i < 40000; i += 100)
		right += lower(16 + 16 * i) == 2;
	CHECK_EQ(right, 40400);
}

static void test_full_cache(void)
{
	const struct trace_cache *c;

	start();
	many(30);
	c = thread_self.cache;
	CHECK(c->end > c->next); // the words went around
	CHECK_EQ(c->mask, (CACHE_ENTRIES - 1) * sizeof(struct cached_trace)); // and it has grown
}

static int compare(const void *a, const void *b)
{
	check_same();
	return *(const int *)a - *(const int *)b;
}

static void test_through_libc(void)
{
	int v[] = {3, 1, 2, 5, 4};

	start();
	qsort(v, 5, sizeof(v[0]), compare);
	CHECK_EQ(v[0], 1);
}

static void *thread_main(void *arg)
{
	(void)arg;
	deep(7);
	return NULL;
}

static void test_thread(void)
{
	pthread_t t;

	start();
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(pthread_create(&t, NULL, thread_main, NULL), 0);
		pthread_join(t, NULL);
	}
}

// libgcc reports the interrupted ip as it is; ours counts as if it were a return address.
static bool same_but_signal(void **judge, int n)
{
	int differ = 0;

	if ((int)nseen != n)
		return false;
	for (int i = 0; i < n; i++)
		if (seen[i] != (uintptr_t)judge[i]) {
			differ++;
			if (seen[i] != (uintptr_t)judge[i] + 1)
				return false;
		}
	return differ == 1;
}

static volatile int handled;
static bool handler_same;

static void handler(int sig)
{
	void *judge[MAX];
	int n = backtrace(judge, MAX);

	(void)sig;
	entry();
	// The handler's own frame differs: the two calls are made at two places.
	if (nseen && n)
		judge[0] = (void *)seen[0];
	handler_same = same_but_signal(judge, n);
	handled++;
}

__attribute__((noinline)) static void raise_at(int depth)
{
	if (depth)
		raise_at(depth - 1);
	else
		__asm__ volatile("ud2");
	__asm__ volatile("");
}

static void skip_ud2(int sig, siginfo_t *si, void *uc)
{
	(void)si;
	handler(sig);
	((ucontext_t *)uc)->uc_mcontext.gregs[REG_RIP] += 2;
}

static void test_signal(void)
{
	struct sigaction sa = {.sa_sigaction = skip_ud2, .sa_flags = SA_SIGINFO};

	start();
	quiet = true; // one frame differs by design
	handled = 0;
	sigaction(SIGILL, &sa, NULL);
	raise_at(3);
	CHECK_EQ(handled, 1);
	CHECK(handler_same);
	raise_at(5);
	CHECK(handler_same);
}

static void test_signal_small_stack(void)
{
	static char stack[16384];
	stack_t ss = {.ss_sp = stack, .ss_size = sizeof(stack)};
	struct sigaction sa = {.sa_sigaction = skip_ud2, .sa_flags = SA_SIGINFO | SA_ONSTACK};

	start();
	sigaltstack(&ss, NULL);
	sigaction(SIGILL, &sa, NULL);
	raise_at(4);
	CHECK(handler_same);
	ss.ss_flags = SS_DISABLE;
	sigaltstack(&ss, NULL);
	quiet = false;
}

static ucontext_t back, there;

static void coroutine(void)
{
	check_same();
	deep(4);
	swapcontext(&there, &back);
}

static void test_coroutine(void)
{
	static char stack[32768];

	start();
	getcontext(&there);
	there.uc_stack.ss_sp = stack;
	there.uc_stack.ss_size = sizeof(stack);
	makecontext(&there, coroutine, 0);
	swapcontext(&back, &there);
}

static jmp_buf jump;

#pragma GCC diagnostic ignored "-Wpragmas"
#pragma GCC diagnostic ignored "-Winfinite-recursion" // it leaves by longjmp
__attribute__((noinline)) static void jump_from(int depth)
{
	if (depth) {
		jump_from(depth - 1);
		return;
	}
	check_same();
	longjmp(jump, 1);
}

static void test_longjmp(void)
{
	static volatile int i;

	start();
	for (i = 0; i < 5; i++) {
		if (!setjmp(jump))
			jump_from(i);
		check_same();
	}
}

// A handler that leaves by longjmp, at any point of walks of the thread it interrupts.
static sigjmp_buf out;
static volatile int ticks, inside;

static void tick(int sig)
{
	(void)sig;
	ticks++;
	if (inside)
		siglongjmp(out, 1);
}

__attribute__((noinline)) static void interrupted_at(int depth)
{
	uint32_t flags = 0;

	if (depth)
		interrupted_at(depth - 1);
	inside = 1;
	capture_stack(&thread_self, __builtin_frame_address(0), &flags);
	inside = 0;
}

static void test_abandoned(void)
{
	struct itimerval every = {{0, 150}, {0, 150}}, never = {{0, 0}, {0, 0}};
	struct sigaction sa = {.sa_handler = tick, .sa_flags = SA_NODEFER};
	static volatile unsigned i, left;

	start();
	entry();
	ticks = left = 0;
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &every, NULL);
	for (i = 0; i < 100000 && left < 200; i++) {
		if (i % 16 == 0)
			rules_flush();
		if (sigsetjmp(out, 1)) {
			inside = 0;
			left++;
		} else {
			interrupted_at(i % 20);
		}
		check_same();
	}
	setitimer(ITIMER_REAL, &never, NULL);
	CHECK(left > 5);
}

// --- code nobody described

static void *make_code(const void *bytes, size_t n)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);
	memcpy(p, bytes, n);
	return p;
}

static unsigned frames_below(uintptr_t ip)
{
	for (unsigned i = 0; i < nseen; i++)
		if (seen[i] - ip < 4096)
			return nseen - i - 1;
	return 0;
}

static void test_jit(void)
{
	// push rbp; mov rsp,rbp; call *rdi; pop rbp; ret
	static const unsigned char with_fp[] = {0x55, 0x48, 0x89, 0xe5, 0xff, 0xd7, 0x5d, 0xc3};
	// sub $8,rsp; call *rdi; add $8,rsp; ret
	static const unsigned char without[] = {0x48, 0x83, 0xec, 0x08, 0xff, 0xd7,
						0x48, 0x83, 0xc4, 0x08, 0xc3};
	void (*code)(void (*)(void)) = make_code(with_fp, sizeof(with_fp));

	start();
	quiet = true;
	for (int i = 0; i < 3; i++)
		code(entry);
	CHECK(seen_flags & OPF_TRUNCATED);
	CHECK(frames_below((uintptr_t)code) >= 3); // this function, RUN's, libc's
	code = make_code(without, sizeof(without));
	for (int i = 0; i < 3; i++)
		code(entry);
	CHECK(seen_flags & OPF_TRUNCATED);
	CHECK(nseen >= 1);
	quiet = false;
}

// Whatever the registers hold, a walk ends.
static void test_garbage(void)
{
	uint64_t x = 88172645463325252ull, fake[64];
	uint32_t flags = 0;

	start();
	for (unsigned i = 0; i < 20000; i++) {
		uintptr_t fp, ret = (uintptr_t)qsort;

		for (unsigned k = 0; k < 64; k++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			fake[k] = x & 1	  ? (uintptr_t)qsort + x % 50000
				  : x & 2 ? (uintptr_t)&fake[x % 64]
					  : x;
		}
		ret += x % 20000;
		fp = x & 4 ? x : (uintptr_t)&fake[x % 61];
		fake[0] = fp;
		fake[1] = ret;
		capture_stack(this_thread(__builtin_frame_address(0)), (void **)fake, &flags);
	}
}

static void test_unload(void)
{
	void *so = dlopen("libz.so.1", RTLD_NOW);
	uintptr_t ip = (uintptr_t)dlsym(so, "deflate") + 40;

	start();
	modules_refresh(&thread_self);
	CHECK_EQ(rule_find(ip).kind, RULE_PLAIN);
	dlclose(so);
	modules_changed();
	modules_refresh(&thread_self);
	CHECK_EQ(rule_find(ip).kind, RULE_NONE);
}

// --- what libunwind does behind our back elsewhere: pipes, writes, system calls

static void test_descriptors(void)
{
	char name[] = "/tmp/unwind-test-XXXXXX";
	int fd = mkstemp(name);
	struct stat st, now;

	CHECK(fd >= 0);
	unlink(name);
	fcntl(fd, F_SETFL, O_APPEND);
	for (int i = 3; i < 256; i++)
		if (i != fd)
			dup2(fd, i);
	start();
	for (int i = 0; i < 30; i++) {
		rules_flush();
		deep(i);
	}
	with_aligned(2);
	CHECK(!fstat(fd, &st));
	CHECK_EQ(st.st_size, 0);
	for (int i = 3; i < 256; i++) {
		CHECK(!fstat(i, &now));
		CHECK_EQ(now.st_ino, st.st_ino);
	}
	CHECK_EQ(dup(fd), 256);
	close_range(3, 300, 0);
}

// In strict mode any system call but read, write, exit ends the process, and so does the clock.
static bool go_strict(void)
{
	return !prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
}

// Nothing is allowed but to end.
static bool go_filtered(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog prog = {sizeof(code) / sizeof(*code), code};

	return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) && !capture_no_syscalls &&
	       !syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog);
}

static void sandboxed(bool (*go)(void))
{
	struct record r = {.kind = EV_MALLOC};
	uint32_t flags = 0;
	int good = 0;

	for (volatile int i = 0; i < 100; i++) { // one call site
		if (i == 2 && !go())
			syscall(SYS_exit, 2);
		entry(); // known: from the cache
		good += same;
		capture_op(&process.cpu[0], &r);
	}
	// never seen before: what is known without asking
	void *unseen[] = {NULL, (char *)qsort + 5, NULL, NULL};
	capture_stack(&thread_self, unseen, &flags);
	syscall(SYS_exit, good == 100 && (flags & OPF_TRUNCATED) ? 0 : 1);
}

static int in_sandbox(bool (*go)(void))
{
	int status, pid = fork();

	if (!pid)
		sandboxed(go);
	waitpid(pid, &status, 0);
	return status;
}

static void test_sandbox(void)
{
	start();
	CHECK_EQ(in_sandbox(go_strict), 0);
	CHECK_EQ(in_sandbox(go_filtered), 0);
	errno = 0;
	CHECK_EQ(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL), -1);
	CHECK_EQ(errno, EFAULT);
	CHECK(!capture_no_syscalls); // it failed: nothing has changed
	CHECK_EQ(syscall(SYS_getpid), getpid());
	CHECK_EQ(syscall(SYS_close, -1), -1);
	CHECK_EQ(errno, EBADF);
	CHECK_EQ(syscall(SYS_mmap, NULL, 4096, 0, 0x22, -1, 1), -1); // all six arguments arrive
	CHECK_EQ(errno, EINVAL);
}

int main(void)
{
	int before = dup(0), after;

	close(before);
	setvbuf(stdout, NULL, _IOLBF, 0);
	unwind_init();
	after = dup(0);
	close(after);
	if (before != after)
		printf("Bail out! unwind_init left descriptors open\n");
	if (!unwind_ready()) {
		printf("1..0 # SKIP no libunwind\n");
		return 0;
	}
	RUN(test_plain);
	RUN(test_recursion);
	RUN(test_standing);
	RUN(test_alloca);
	RUN(test_full_cache);
	RUN(test_through_libc);
	RUN(test_thread);
	RUN(test_signal);
	RUN(test_signal_small_stack);
	RUN(test_coroutine);
	RUN(test_longjmp);
	RUN(test_abandoned);
	RUN(test_jit);
	RUN(test_garbage);
	RUN(test_unload);
	RUN(test_descriptors);
	RUN(test_sandbox);
	return DONE();
}
