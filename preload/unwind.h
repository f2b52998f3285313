// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Frames: rules learned from libunwind, and stepping by them.
//
//   rules.c     ip -> rule, process-wide, lock-free        one load when the ip is known
//   unwind.c    libunwind: makes rules, steps odd frames   one caller at a time, on a stack of its own
//   stack.c     which memory may be read                   never faults, never guesses
//   backtrace.c walks by rules, keeps verified traces      per thread
//
// A rule says where the frame of a function called from `ip` lies once that call is popped:
//
//   sp (its CFA as seen by the callee) ──► CFA = sp + cfa  or  fp + cfa
//   return address at CFA - 8;  caller's frame pointer at CFA + fp_at, or unchanged (fp_at 0)
//
// libunwind alone decides what the rule is: it steps a made-up cursor whose memory answers with
// its own address, so one step shows what depends on what (unwind.c).
#pragma once

#include "capture.h"

enum rule_kind {
	RULE_UNKNOWN, // not learned (the unwinder was busy, or is not there)
	RULE_PLAIN,
	RULE_END,  // outermost frame
	RULE_NONE, // no unwind information
	RULE_ODD,  // libunwind must step it, with the real memory
};

struct rule {
	uint8_t kind;  // enum rule_kind
	bool from_fp;  // CFA relative to fp
	int16_t fp_at; // caller's fp is at CFA + 8 * fp_at; 0: unchanged
	int32_t cfa;   // bytes
};

struct frame {
	uintptr_t ip; // return address (after it, in a function a signal interrupted)
	uintptr_t sp;
	uintptr_t fp;
};

enum {
	TRACE_FRAMES = DEPOT_PATH,
	TRACE_WORDS = 2 * TRACE_FRAMES + 64
};

// A walk in progress, and everything its outcome depends on besides where it began.
struct trace {
	unsigned nips, nwords;
	unsigned sound; // a walk from ip[sound] outwards would read the same words; nips: from none
	uint32_t flags; // OPF_* of quality
	uintptr_t page; // known readable besides the thread's stack; 0 none
	uintptr_t ip[TRACE_FRAMES];
	struct trace_step { // how it left the frame of ip[i]
		struct frame at;
		unsigned words; // word[] had so many before
		bool fp_used;	// depends on at.fp
		bool fp_read;	// the caller's fp was read, as the last word
	} step[TRACE_FRAMES];
	struct trace_word {
		uintptr_t addr;
		uint64_t value;
	} word[TRACE_WORDS]; // in the order they were read
};

// --- rules.c
struct rule rule_find(uintptr_t ip); // learns it when it is new
void rules_flush(void);		     // code was unmapped
extern _Atomic uint32_t rules_flushed __attribute__((visibility("hidden")));
static inline uint32_t rules_generation(void) // differs after a flush
{
	return atomic_load_explicit(&rules_flushed, memory_order_relaxed);
}

// --- unwind.c
bool unwind_ready(void);	       // libunwind is loaded
void unwind_init_early(uintptr_t ret); // loads it if a call from ret allows that
struct rule unwind_learn(uintptr_t ip);
bool from_loader(uintptr_t ip); // code of the dynamic loader
// Steps from f over frames that have no rule, adding their ips and the words read to tr; f becomes
// the first frame beyond that a rule may be tried on. False: the trace ends here.
bool unwind_odd(struct thread *t, struct frame *f, struct trace *tr, unsigned max_frames);

// The kernel's frame (its ucontext) of the handler that interrupted the call whose frame is at
// `outer`, seen from f inside the handler; NULL: not to be found.
char *unwind_interrupted(struct thread *t, struct frame f, uintptr_t outer);

void unwind_fork_prepare(void); // waits (not for long) until nobody is inside libunwind
void unwind_fork_done(void);	// in both processes

// --- dlopen.c: libc's own, for the caller's caller
typedef void *(*dlopen_fn)(const char *path, int flags);
dlopen_fn dlopen_find(void) __attribute__((visibility("hidden")));
extern dlopen_fn dlopen_next __attribute__((visibility("hidden")));

// --- site.c
uintptr_t site_of(uint32_t stack);

// --- stack.c
// Reads a word of the thread's stack; false when it may not be readable.
bool stack_read(struct thread *t, struct trace *tr, uintptr_t addr, uint64_t *value);
// Is there code before ip that may have been a call?
bool after_call(uintptr_t ip);
void stack_learn(struct thread *t, uintptr_t cfa); // widens the known bounds when it is cheap
void trace_note(struct trace *tr, uintptr_t addr, uint64_t value);

// --- walk.c
struct standing;
// Walks from f, at most max frames, until the end or to where it meets a frame of s. How many frames
// of s the stack goes on with: tr has only those before.
unsigned walk(struct thread *t, struct trace *tr, const struct standing *s, struct frame f,
	      unsigned max);
