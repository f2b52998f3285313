// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The life of the process: first call, constructor, fork, exit.
//
// The first call may come from the dynamic loader, before libc is initialised: everything on that
// way is raw system calls on constant-initialised state. What arrives while the machine is being
// made is served by glibc and counted.
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "boot_image.h"
#include "capture.h"
#include "map.h"
#include "quick.h"
#include "state.h"
#include "sys.h"

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

static uint32_t no_wipe = 1;

struct process process = {.single = 0, .ncpus = 1, .wipe = &no_wipe};

static _Atomic uint32_t early_calls;
static bool constructed; // libc is up, handlers are registered
static bool fork_held;	 // fork_prepare took the locks
static bool fork_nested; // fork was called by a handler that interrupted the machine

void *map_zeroed(size_t size)
{
	long p = sys(SYS_mmap, 0, size, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p < 0 && p > -4096 ? NULL : (void *)p;
}

// A page that every kind of fork empties: the only sign a raw clone leaves.
static void wipe_init(void)
{
	uint32_t *page = map_zeroed(PAGE_SIZE);

	if (!page || sys(SYS_madvise, page, PAGE_SIZE, MADV_WIPEONFORK))
		return;
	*page = 1;
	process.wipe = page;
}

// Slabs made while booting went by unseen; their pages count as used.
static void boot_slabs_dirty(struct machine *m)
{
	struct record r = {.kind = EV_SLAB_ADD};

	for (unsigned id = 1; id <= m->s->slab.nr_caches; id++) {
		const struct kmem_cache *c = &m->caches[id];
		const struct list_head *lists[] = {&c->slabs_partial, &c->slabs_full,
						   &c->slabs_free};
		for (unsigned i = 0; c->used && i < 3; i++)
			for (pfn_t pfn = lists[i]->first; pfn; pfn = m->slab_area[pfn].list.next) {
				r.arg[0] = id;
				r.arg[1] = pfn;
				arena_slab_record(m, &r);
			}
	}
}

// In memory that holds the machine's final state if that was asked for.
static bool machine_boot_here(const struct machine_config *cfg)
{
	const char *why;

	process.machine = state_map(process.machine_size);
	if (!process.machine)
		process.machine = map_zeroed(process.machine_size);
	return process.machine && !machine_boot(&process.cpu[0], process.machine, cfg, &why);
}

static bool machine_start(void)
{
	const struct machine_config *cfg = &process.opt.machine;

	if (!cfg->ncpus || cfg->ncpus > MAX_CPUS || !arena_reserve())
		return false;
	process.machine_size = machine_size(cfg);
	if (!(process.opt.flags & SESSION_DUMP_STATE))
		process.machine = boot_image_map(process.machine_size);
	if (!process.machine && !machine_boot_here(cfg))
		return false;
	for (unsigned i = 0; i < cfg->ncpus; i++)
		if (machine_attach(&process.cpu[i], process.machine, process.machine_size, i,
				   &preload_ops, NULL))
			return false;
	process.poison = cfg->slab_debug;
	boot_slabs_dirty(&process.cpu[0]);
	quick_init(&process.cpu[0]);
	return true;
}

// Without a machine there are still CPU numbers and rings.
static void host_start(void)
{
	static struct machine_state nothing;

	for (unsigned i = 0; i < MAX_CPUS; i++)
		process.cpu[i] = (struct machine){.s = &nothing, .cpu = i, .ops = &preload_ops};
	process.base = NULL;
}

// The slot is filled: from here on the recorder knows the process.
static void process_announce(void)
{
	if (!process.slot)
		return;
	atomic_store(&process.slot->early_calls, atomic_load(&early_calls));
	session_ready();
}

void process_start(void)
{
	static _Atomic uint32_t begun;
	struct thread *t = &thread_self;
	int saved = errno;
	bool live;

	if (session_deferred() || atomic_exchange(&begun, 1))
		return;
	t->internal++;
	process.generation = 1;
	wipe_init();
	nested_init();
	session_attach();
	live = machine_start();
	if (!live)
		host_start();
	process.ncpus = process.opt.machine.ncpus;
	cpu_init();
	atomic_store_explicit(&process.mode, live ? MODE_LIVE : MODE_HOST, memory_order_release);
	t->internal--;
	if (constructed) { // --after: the constructor went by long ago
		this_thread(__builtin_frame_address(0));
		process_announce();
	}
	errno = saved;
}

// Recording ends while the program goes on: with every CPU held, no call is half recorded.
static void process_unrecorded(struct thread *t)
{
	uint64_t all = ~0ull, old;
	bool blocked = !capture_no_syscalls &&
		       !sys(SYS_rt_sigprocmask, SIG_BLOCK, &all, &old, sizeof(old));

	t->inside = __builtin_frame_address(0);
	cpu_lock_all();
	session_stop();
	atomic_store(&process.over, 2);
	cpu_unlock_all();
	t->inside = NULL;
	if (blocked)
		sys(SYS_rt_sigprocmask, SIG_SETMASK, &old, NULL, sizeof(old));
}

// A child nobody announced (raw clone, _Fork): what other threads held at that moment nobody will
// give back, and the rings belong to the parent. It is served and not recorded. Where the machine is
// shared memory it is the parent's, too, and glibc serves.
static uint32_t child_unannounced(struct thread *t)
{
	if (state_shared())
		atomic_store(&process.mode, MODE_PASSIVE);
	state_locks_leave();
	*process.wipe = ++process.generation;
	if (process.slot)
		atomic_fetch_add(&process.slot->unrecorded_children, 1);
	process.slot = NULL;
	if (!t->inside)
		cpu_reset_after_fork();
	return atomic_load(&process.mode);
}

// A machine nobody can trust any more serves nobody: glibc takes over, and the recording ends here.
static uint32_t outer_abandoned(struct thread *t, uint32_t mode)
{
	bool sound = cpu_abandon(t);

	t->inside = NULL;
	t->internal = 0;
	finish_forget(t);
	nested_abandoned(t);
	if (sound || mode != MODE_LIVE)
		return mode;
	warn("a signal handler jumped out of the allocator: glibc serves from here on");
	atomic_store(&process.mode, MODE_PASSIVE);
	return MODE_PASSIVE;
}

__attribute__((noinline, cold)) enum service call_begin_slow(struct thread *t, void *frame)
{
	uint32_t mode = atomic_load_explicit(&process.mode, memory_order_acquire);

	if (mode == MODE_STARTING && !t->internal) {
		process_start();
		mode = atomic_load_explicit(&process.mode, memory_order_acquire);
	}
	if (t->inside && nested_outer_gone(t, frame))
		mode = outer_abandoned(t, mode);
	else if (t->inside && !t->internal && mode != MODE_PASSIVE)
		finish_outer(t, frame);
	if (t->internal || mode == MODE_STARTING || mode == MODE_PASSIVE) {
		if (mode == MODE_STARTING)
			atomic_fetch_add(&early_calls, 1);
		if (!t->inside && !t->internal)
			leave_now(); // nobody else will
		return SERVE_GLIBC;
	}
	if (!*process.wipe && child_unannounced(t) == MODE_PASSIVE)
		return SERVE_GLIBC;
	if (t->inside)
		return SERVE_NESTED;
	if (atomic_load(&process.over) == 1)
		process_unrecorded(t);
	this_thread(frame);
	return mode == MODE_LIVE ? SERVE_MACHINE : SERVE_HOST;
}

// --- fork: every lock is taken, so that no thread is inside the machine when it is copied.

#define WHOLE_STACK ((void *)UINTPTR_MAX) // as `inside`: no later entry of this thread is older

static void fork_prepare(void)
{
	struct thread *t = &thread_self;

	fork_held = atomic_load(&process.mode) != MODE_STARTING;
	if (!fork_held)
		return;
	fork_nested = t->inside && !finish_outer(t, __builtin_frame_address(0));
	if (fork_nested)
		return;
	this_thread(__builtin_frame_address(0));
	t->inside = WHOLE_STACK;
	cpu_lock_all();
	session_fork_prepare();
	state_fork_prepare();
}

static void fork_finish(void)
{
	thread_self.inside = NULL;
	if (thread_self.nested)
		call_drain(&thread_self);
}

static void fork_parent(void)
{
	if (!fork_held || fork_nested)
		return;
	state_fork_parent();
	cpu_unlock_all();
	session_fork_parent(0);
	fork_finish();
}

static void fork_child(void)
{
	if (!fork_held)
		return;
	if (fork_nested) {
		child_unannounced(&thread_self);
		return;
	}
	*process.wipe = ++process.generation;
	state_locks_leave();
	cpu_reset_after_fork();
	session_fork_child();
	state_fork_child();
	fork_finish();
}

// --- exit

static void exit_record(struct thread *t, struct machine *m, int status, uint32_t stack)
{
	struct record r = {.kind = EV_EXIT, .cpu = m->cpu, .lock = t->slot, .ticket = stack};

	r.op.old = (uint32_t)status;
	r.op.flags = t->op_flags;
	capture_op(m, &r);
}

// Runs after every destructor of the program, for it was registered before the loader's own.
void process_exit(int status, void *arg)
{
	void *frame = __builtin_frame_address(0);
	struct thread *t = this_thread(frame);
	bool dump = process.opt.flags & SESSION_DUMP_STATE;

	(void)arg;
	if (t->inside && nested_outer_gone(t, frame))
		outer_abandoned(t, atomic_load(&process.mode));
	else if (t->inside)
		leave_exit(t, status, frame);
	if (t->nested)
		call_drain(t);
	if (!process.slot || t->inside)
		return;
	t->inside = WHOLE_STACK;
	uint32_t stack = capture_stack(t, frame, &t->op_flags); // who called exit
	uint32_t file_pages = file_unmapping(0, UINTPTR_MAX);	// mappings that last until the end
	if (file_pages && atomic_load(&process.mode) == MODE_LIVE) {
		struct machine *m = cpu_enter(t);
		file_pages_add(m, file_pages);
		cpu_leave(t, m);
	}
	if (dump) {
		cpu_lock_all();
		capture_barrier();
		exit_record(t, &process.cpu[0], status, stack);
		atomic_store(&process.mode, MODE_PASSIVE);
		cpu_unlock_all();
	} else {
		struct machine *m = cpu_enter(t);
		exit_record(t, m, status, stack);
		cpu_leave(t, m);
	}
	session_exit(status);
	t->inside = NULL;
}

__attribute__((constructor(101))) static void process_constructor(void)
{
	struct thread *t = &thread_self;

	process_start();
	this_thread(__builtin_frame_address(0));
	pthread_atfork(fork_prepare, fork_parent, fork_child);
	on_exit(process_exit, NULL);
	t->internal++;
	unwind_init();
	t->internal--;
	leave_init();
	exec_init();
	constructed = true;
	process_announce();
}
