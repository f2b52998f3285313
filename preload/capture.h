// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// What the capture files (session, ring, depot, modules, thread) share among themselves.
#pragma once

#include "preload.h"
#include "sys.h"

// True once the process may not make system calls any more (a seccomp sandbox): nothing on the
// capture side makes one then; what would have needed one is left out and counted.
extern _Atomic bool capture_no_syscalls __attribute__((visibility("hidden")));
extern _Atomic bool capture_no_tsc __attribute__((visibility("hidden"))); // nor read the clock

// --- ring.c
void ring_attach(void);	     // process.slot changed: forget what is known of its rings
uint64_t clock_now_ns(void); // CLOCK_MONOTONIC by raw system call
uint64_t clock_stamp(void);  // what TIME carries: TSC, or ns when the session has no TSC clock

// --- depot.c
enum {
	DEPOT_PATH = 256, // frames of a stack at most
	DEPOT_MEMO_BITS = 13
};

struct depot_path {
	unsigned n; // nodes of the stack a thread interned last, outermost first
	const struct depot_node *root;
	uintptr_t ip[DEPOT_PATH];
	uint32_t id[DEPOT_PATH];
	struct depot_memo { // nodes the thread met lately, close to it and to each other
		uint64_t ip;
		uint32_t parent;
		uint32_t id; // 0 none
	} memo[1 << DEPOT_MEMO_BITS];
};

// ip[0] is the innermost frame; behind ip[n - 1] the stack goes on as the outermost `outer` frames of
// the stack before. 0: not recorded.
uint32_t depot_intern(struct depot_path *last, const uintptr_t *ip, unsigned n, unsigned outer);
uint32_t depot_intern_caller(uintptr_t ip); // a stack of one frame
void depot_new_image(void); // later stacks belong to a new image: exec, or a module went away
uint32_t depot_image(void); // image number in use, drawn when first needed

// --- modules.c
void modules_changed(void); // the loader may have changed its list: look at the next occasion
void modules_of_loader(
	struct thread *t);	 // the loader itself calls: what it unmapped is forgotten now
void modules_fork_prepare(void); // waits (not for long) until nobody looks at the loader's list
void modules_fork_child(void);	 // a change from now on is this process's alone

// --- thread.c
void thread_forget(void); // in a forked child: the parent's other threads do not exist here

// --- backtrace.c
struct trace_cache *trace_cache_make(void); // NULL: no memory
void trace_cache_free(struct trace_cache *c);
void trace_cache_pass_on(struct trace_cache *c); // to another thread

// --- session.c, bare.c
const char *start_env(const char *name); // value in the environment the process was started with
char **start_argv(void);
void warn(const char *what); // one line on stderr, by write(2)
// Starts a recorder for a bare preload and puts the path of the session's rings file into path.
bool bare_start(char *path, size_t size);
void bare_export(const char *path); // children find the session: adds SESSION_ENV to environ
