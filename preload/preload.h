// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// What the parts of the preload library know of each other.
//
// One program call runs like this:
//
//   entry (malloc.c, mmap.c)
//     thread = this_thread(frame); thread->inside?  -> finish.c; else nested.c (pool, no machine)
//     stack  = capture_stack(...)                 no lock held
//     m      = cpu_enter(thread)                  CPU lock; m->cpu says which
//       route.c decides, core does its steps, ops->record writes each to the ring
//       capture_op(m, &record)                    completes the operation
//     cpu_leave(thread, m)
//     zeroing, giving back                        no lock held
//
// Nothing here may call libc's allocator entry points, stdio, or anything that takes a lock of
// libc's; errno is preserved by every entry; system calls are made through sys.h (raw).
#pragma once

#include "../core/machine.h"
#include "../core/session.h"

struct trace_cache;  // backtrace.c
struct nested_chunk; // nested.c

struct thread {
	void *volatile inside;	   // stack pointer of the outermost entry, NULL outside
	uint16_t slot;		   // thread slot number, 1..; 0 not yet known
	uint8_t internal;	   // > 0: our own calls into libc: served by glibc, not recorded
	uint8_t dead;		   // the thread is past its destructors
	uint32_t generation;	   // of the process; differs after a fork
	int tid;
	char *stack_lo, *stack_hi; // bounds known to be readable; NULL unknown
	struct trace_cache *cache;
	uint32_t op_flags;	   // OPF_* of the running operation (OPF_MIGRATED ...)
	uint32_t turn;		   // its number on the CPU of its last recorded operation (ring.h)
	struct nested_chunk *volatile nested; // calls of handlers that interrupted this one, newest first
	struct nested_chunk *volatile draining; // those being recorded, oldest first
	uint8_t held;		   // 1 + CPU whose lock this thread has, 0 none (cpu.h)
	uint16_t undo_generation;  // of the object a pop would take, before it
	uint32_t undo;		   // what a jump out of this call leaves behind (entry.h)
};

extern __thread struct thread thread_self __attribute__((tls_model("initial-exec")));

enum process_mode {
	MODE_STARTING, // nothing mapped yet: early calls are served by glibc
	MODE_LIVE,     // the machine serves
	MODE_HOST,     // no machine (no arena): everything is host, events are recorded
	MODE_PASSIVE,  // after the final state was written, or recording failed: glibc serves
};

// Everything global of the process. Constant-initialised; the first call fills it in.
struct process {
	_Atomic uint32_t mode;	    // enum process_mode
	uint32_t single;	    // no second thread yet: locks are elided
	uint32_t poison;	    // --slab-debug: free objects are filled (poison.h)
	char *base;		    // arena: host address of simulated address 0; 4 GiB aligned
	void *machine;		    // memory of the machine
	size_t machine_size;
	unsigned ncpus;
	struct machine cpu[MAX_CPUS]; // handles
	struct session_options opt;
	struct session_header *session; // NULL: not recording
	struct slot *slot;	    // NULL: not recorded (or not yet)
	uint32_t slot_index;
	uint64_t barrier;	    // last BARRIER seq written
	volatile uint32_t *wipe;    // on a MADV_WIPEONFORK page: the generation; 0: a clone unannounced
	uint32_t generation;	    // + 1 in each forked child, and when recording is to end
	_Atomic uint32_t over;	    // 1: recording is to end, the next call sees to it; 2: it has
};
extern struct process process __attribute__((visibility("hidden")));

static inline bool in_arena(const void *p)
{
	return process.base && (uintptr_t)p >> 32 == (uintptr_t)process.base >> 32;
}
static inline void *to_host(kaddr_t a)
{
	return process.base + a;
}
static inline kaddr_t to_sim(const void *p)
{
	return (kaddr_t)(uintptr_t)p;
}

// --- init.c (allocation side): first call of any entry; idempotent, safe against recursion.
void *map_zeroed(size_t size);	     // fresh pages, touched lazily; NULL: none
void process_start(void);	     // maps arena and machine, boots, MODE_LIVE
void process_exit(int status, void *arg); // the last of the exit handlers: EXIT, end of the slot
// --- cpu.c: CPU locks and inner locks (machine_ops.lock/unlock/stop/restart).
struct machine *cpu_enter(struct thread *t); // locks a CPU, sets OPF_MIGRATED in t->op_flags
void cpu_leave(struct thread *t, struct machine *m);
void cpu_lock_all(void);	     // ascending; for fork and the final state
void cpu_unlock_all(void);
void cpu_reset_after_fork(void);     // in the child: all locks free, single thread
void cpu_init(void);		     // process.ncpus is known
bool cpu_abandon(struct thread *t);  // undoes an outer call left by a jump; false: not possible
extern const struct machine_ops preload_ops; // record = capture_record

// --- session.c (capture side)
// Finds the session (environment) or starts a recorder (bare preload), maps the segment, claims a
// slot, copies the options into process.opt. false: not recording; process.opt has defaults.
// Not for this process (--only), not yet (--after) or not any more: glibc serves. Cheap to ask again.
bool session_deferred(void);
void session_stop(void); // every CPU is held: what follows is not recorded
bool session_attach(void);
void session_ready(void);	     // after boot: slot LIVE, exe/argv/modules text, first TIME
void session_fork_prepare(void);     // all CPU locks held: BARRIER in all rings
void session_fork_parent(int pid);
void session_fork_child(void);	     // claims a slot, HOW_FORK; process.slot = NULL when none free
bool session_file(char *path, size_t size, const char *name); // in the session's folder
void session_exit(int status);	     // EXIT op was written: slot ENDED
// --- ring.c
void capture_record(struct machine *m, const struct record *r); // a step, from core
void capture_op(struct machine *m, struct record *r);		 // an OP; adds TIME when due
void capture_barrier(void);	     // next BARRIER into every ring; all CPU locks held
void capture_text(struct machine *m, enum text_what what, const void *bytes, size_t n); // CPU lock held
// --- backtrace.c, unwind.c, depot.c
// Stack id of an entry's caller. frame: the entry's own (__builtin_frame_address(0)), that is, the
// caller's frame pointer, then the return address. No lock held. flags gets OPF_* of quality.
uint32_t capture_stack(struct thread *t, void *const *frame, uint32_t *flags);
// First frame outside known wrappers (malloc wrappers, operator new, PyMem ...) of that stack.
uintptr_t capture_site(uint32_t stack);
void unwind_init(void);		     // in the constructor: loads libunwind privately
void unwind_thread_start(struct thread *t); // learns the stack bounds when that is possible cheaply
// --- modules.c: writes the module list as TEXT when the loader's counters changed. No lock held.
void modules_refresh(struct thread *t);
// --- thread.c
// Initialises on first use: slot number, THREAD_START when live, with the stack above the entry
// whose frame is given (__builtin_frame_address(0) there).
struct thread *this_thread(void *frame);
// --- kstack.c: with a CPU held; steps of the THREAD_START or THREAD_EXIT that follows
void kernel_stack_take(struct machine *m, uint16_t slot);
void kernel_stack_give(struct machine *m, uint16_t slot);
uint32_t kernel_stacks(const struct machine *m); // how many there are; read without a lock
void kernel_stacks_leave(struct machine *m, uint16_t own); // a forked child has no other threads
// --- arena.c: makes all that the machine may hand out accessible, at no cost until it is touched:
// afterwards serving needs no system call. Guard pages are lost.
void arena_settle(const struct machine *m);
// --- leave.c: handlers that end by a jump or by exit, which waits until the outer call has ended
void leave_init(void);
void leave_exit(struct thread *t, int status, void *frame); // returns when it cannot wait
void leave_now(void);		     // the outer call has ended: does not return if something waited
// The kernel's frame of the handler that interrupted this thread's call, seen from a frame inside the
// handler; NULL: it cannot be gone back to. Otherwise the call will look when it ends (leave_now).
char *leave_interrupted(struct thread *t, void **frame);
_Noreturn void leave_resume(char *uc); // to what it interrupted
// --- finish.c: the interrupted call comes to its end first
// From an entry called by a handler, with its frame. True: nothing is interrupted any more.
bool finish_outer(struct thread *t, void **frame);
void finish_now(void);		      // the call has ended: it returns to the handler
void finish_forget(struct thread *t); // it was left by a jump meanwhile
// --- exec.c: programs our library cannot be loaded into are started without it
void exec_init(void);
// --- nested.c
void *nested_alloc(struct thread *t, size_t size, size_t align); // NULL: pool empty
bool nested_owns(const void *p);
void nested_free(struct thread *t, void *p);
size_t nested_size(const void *p);
void nested_init(void);
// A finished call, to be recorded when the outer one has ended. Then also what it frees in the
// machine is freed: a FREE of a block of ours, and the old block of a REALLOC.
void nested_record(struct thread *t, const struct record *r);
void nested_defer(struct thread *t, void *p); // the same for a free by our own calls into libc
void nested_abandoned(struct thread *t); // the outer call was left by a jump
bool nested_wake(struct thread *t);	 // has the outer call look when it ends; false: no memory
bool nested_outer_gone(const struct thread *t, const void *frame); // it was left by a jump
