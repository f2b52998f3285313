// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// judged ROUNDS [MODULE-A MODULE-B]: allocates on every kind of stack that unwinders find hard.
//
// Calls wander at random through functions whose frames have equal sizes, so that the same return
// address stands at the same place below different callers; through VLAs and alloca, exceptions,
// longjmp, signal handlers, coroutines, threads, callbacks of libc; and through two modules that are
// loaded in turn at one range of addresses.
#include <alloca.h>
#include <csetjmp>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <pthread.h>
#include <ucontext.h>
#include <unistd.h>

static thread_local uint64_t state = 88172645463325252ull;

static unsigned draw(unsigned n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return static_cast<unsigned>(state >> 33) % n;
}

#define APART __attribute__((noinline))

static APART void leaf()
{
	char *volatile a = static_cast<char *>(malloc(16 + draw(4) * 32));
	char *volatile b = new char[40];

	a[0] = b[0] = 1;
	free(a);
	delete[] b;
}

static void wander(unsigned depth);

// Alike but for their addresses.
#define TWIN(name)                                                                                 \
	static APART void name(unsigned depth)                                                     \
	{                                                                                          \
		volatile unsigned kept = depth;                                                    \
		wander(kept - 1);                                                                  \
		kept = 0;                                                                          \
	}
TWIN(twin_a)
TWIN(twin_b)
TWIN(twin_c)

static APART void variable(unsigned depth)
{
	volatile char vla[1 + draw(3) * 64];

	vla[0] = 1;
	wander(depth - 1);
	vla[0] = 0;
}

static APART void stack_block(unsigned depth)
{
	volatile char *p = static_cast<char *>(alloca(16 + draw(3) * 48));

	p[0] = 1;
	wander(depth - 1);
	p[0] = 0;
}

static APART void aligned(unsigned depth)
{
	alignas(64) volatile char block[128];

	block[draw(128)] = 1;
	wander(depth - 1);
	block[0] = 0;
}

struct Guard {
	~Guard() { leaf(); }
};

static APART void thrower(unsigned depth)
{
	Guard guard;

	wander(depth - 1);
	if (draw(2))
		throw depth;
}

static APART void catcher(unsigned depth)
{
	try {
		thrower(depth);
	} catch (unsigned) {
		leaf();
	}
	leaf();
}

static thread_local jmp_buf place;
static thread_local bool placed;

static APART void jumper(unsigned depth)
{
	if (placed) {
		wander(depth - 1);
		if (placed && draw(4) == 0)
			longjmp(place, 1);
		return;
	}
	placed = true;
	if (!setjmp(place))
		wander(depth - 1);
	placed = false;
	leaf();
}

static int compare(const void *a, const void *b)
{
	leaf();
	return *static_cast<const int *>(a) - *static_cast<const int *>(b);
}

static APART void sorter(unsigned depth)
{
	int v[] = { 3, 1, static_cast<int>(depth), 2 };

	qsort(v, 4, sizeof(v[0]), compare);
	wander(depth - 1);
}

static void handler(int)
{
	leaf();
}

static APART void signaller(unsigned depth)
{
	raise(SIGUSR1);
	wander(depth - 1);
}

static void wander(unsigned depth)
{
	static void (*const step[])(unsigned) = { twin_a, twin_b, twin_c, twin_a, twin_b, twin_c,
		variable, stack_block, aligned, sorter, signaller };

	if (depth)
		step[draw(sizeof(step) / sizeof(step[0]))](depth);
	leaf();
}

static ucontext_t back, there;
static char coroutine_stack[2][65536];

static void coroutine()
{
	wander(4);
	swapcontext(&there, &back); // and never again
}

static APART void coroutines()
{
	for (auto &stack : coroutine_stack) {
		getcontext(&there);
		there.uc_stack.ss_sp = stack;
		there.uc_stack.ss_size = sizeof(stack);
		makecontext(&there, coroutine, 0);
		swapcontext(&back, &there);
	}
}

static APART void other_stack()
{
	static char block[65536];
	stack_t on = {}, off = {};
	struct sigaction sa = {}, old;

	on.ss_sp = block;
	on.ss_size = sizeof(block);
	off.ss_flags = SS_DISABLE;
	sa.sa_handler = handler;
	sa.sa_flags = SA_ONSTACK;
	sigaltstack(&on, nullptr);
	sigaction(SIGUSR1, &sa, &old);
	raise(SIGUSR1);
	sigaction(SIGUSR1, &old, nullptr);
	sigaltstack(&off, nullptr);
}

static void *thread(void *)
{
	for (int i = 0; i < 20; i++)
		wander(5);
	return nullptr;
}

static APART void threads()
{
	pthread_t id;

	if (!pthread_create(&id, nullptr, thread, nullptr))
		pthread_join(id, nullptr);
}

// The callback allocates; the module's frame lies between.
static uintptr_t module(const char *path)
{
	void *so = dlopen(path, RTLD_NOW);
	auto call = so ? reinterpret_cast<void (*)(void (*)())>(dlsym(so, "module_call")) : nullptr;

	if (!call) {
		fprintf(stderr, "judged: %s\n", dlerror());
		exit(2);
	}
	for (int i = 0; i < 5; i++)
		call(leaf);
	auto at = reinterpret_cast<uintptr_t>(call);
	dlclose(so);
	return at;
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 100, same = 0;
	uintptr_t last = 0;

	signal(SIGUSR1, handler);
	for (int i = 0; i < rounds; i++) {
		wander(draw(8));
		catcher(1 + draw(4));
		jumper(1 + draw(6));
		if (i % 16 == 0) {
			coroutines();
			other_stack();
		}
		if (i % 64 == 0)
			threads();
		if (argc > 3 && i % 8 == 0) {
			uintptr_t at = module(argv[2 + i / 8 % 2]);
			same += at == last;
			last = at;
		}
	}
	if (argc > 3)
		printf("modules at the address of the one before: %d of %d\n", same, (rounds + 7) / 8);
	return 0;
}
