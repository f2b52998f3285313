// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The judge of cached traces: in a test build of the preload library (KALLOSCOPE_JUDGE) every trace
// the cache finds, and every one whose walk ended at frames of an earlier walk, is compared with a
// fresh unwinding of the thread by libunwind, on the real registers and memory, without our rules
// and without its caches.
//
// Everything is compared up to the outermost frame, unless the trace itself says that it ends early
// or libunwind has only guesses to offer (a frame without unwind information): then up to there.
//
//   KALLOSCOPE_JUDGE_OUT    file to which each process appends, when it ends,
//                           "hits H judged J partly P different D joined W": W of those judged
//                           are of walks
//   KALLOSCOPE_JUDGE_EVERY  judge every Nth only
#include <dlfcn.h>
#include <fcntl.h>
#include <libunwind-x86_64.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../preload/trace_cache.h"

enum {
	SHOWN = 3, // differences printed
	OWN_FRAMES = 16
};

static struct {
	__typeof__(&unw_init_local) init;
	__typeof__(&unw_step) step;
	__typeof__(&unw_get_reg) get_reg;
	int (*context)(unw_context_t *);
	long every;
	_Atomic uint64_t hits, traces, judged, partly, different, joined;
} judge;

struct view { // what one of the two sides saw
	unsigned n;
	uintptr_t ip[TRACE_FRAMES];
};

// Ours: the nodes of the trace's stack, innermost first.
static void view_trace(struct view *v, uint32_t stack)
{
	const struct depot_node *nodes = depot_nodes(process.session);

	for (v->n = 0; v->n < TRACE_FRAMES && !(nodes[stack].ip & DEPOT_ROOT);
	     stack = nodes[stack].parent)
		v->ip[v->n++] = nodes[stack].ip;
}

// The kernel's way back from a handler: what lies beyond was interrupted, it did not call.
static bool is_way_back(uintptr_t ip)
{
	static const unsigned char code[] = {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05};

	return !memcmp((const void *)ip, code, sizeof(code));
}

static bool described(uintptr_t ip)
{
	struct dl_find_object obj;

	return !_dl_find_object((void *)(ip - 1), &obj) && obj.dlfo_eh_frame;
}

// libunwind's, from the frame that called the entry on. False: it never came there.
static bool view_fresh(struct view *v, const stack_word *frame, unsigned max)
{
	unw_cursor_t c;
	unw_context_t here;
	unw_word_t ip = 0, sp = 0;
	unsigned own = 0;

	v->n = 0;
	judge.context(&here);
	if (judge.init(&c, &here))
		return false;
	do {
		if (own++ == OWN_FRAMES || judge.step(&c) <= 0)
			return false;
		judge.get_reg(&c, UNW_X86_64_RSP, &sp);
	} while (sp != (uintptr_t)&frame[FRAME_WORDS]);
	do {
		bool interrupted = v->n && is_way_back(ip);
		judge.get_reg(&c, UNW_X86_64_RIP, &ip);
		if (!ip)
			break;
		v->ip[v->n++] = ip + interrupted;
	} while (v->n < max && described(v->ip[v->n - 1]) && judge.step(&c) > 0);
	return true;
}

static bool same(const struct view *a, const struct view *b, bool partly)
{
	unsigned n = a->n < b->n ? a->n : b->n;

	return (partly || a->n == b->n) && !memcmp(a->ip, b->ip, n * sizeof(a->ip[0]));
}

static void show(const struct view *ours, const struct view *fresh)
{
	for (unsigned i = 0; i < ours->n || i < fresh->n; i++)
		dprintf(2, "judge: %2u %16lx %16lx\n", i, i < ours->n ? (long)ours->ip[i] : 0,
			i < fresh->n ? (long)fresh->ip[i] : 0);
}

// False: not this one's turn.
static bool judge_stack(const struct cached_trace *e, const stack_word *frame)
{
	static __thread struct view ours, fresh;
	unsigned max =
		process.opt.max_frames < TRACE_FRAMES ? process.opt.max_frames : TRACE_FRAMES;
	uint64_t n = atomic_fetch_add(&judge.traces, 1);
	bool partly;

	if (!judge.every || n % (uint64_t)judge.every)
		return false;
	view_trace(&ours, e->stack);
	if (!view_fresh(&fresh, frame, max))
		fresh.n = 0; // counts as different
	partly = e->flags || (fresh.n && !described(fresh.ip[fresh.n - 1]));
	atomic_fetch_add(&judge.judged, 1);
	atomic_fetch_add(&judge.partly, partly);
	if (fresh.n && same(&ours, &fresh, partly))
		return true;
	if (atomic_fetch_add(&judge.different, 1) < SHOWN)
		show(&ours, &fresh);
	return true;
}

void judge_hit(const struct cached_trace *e, const stack_word *frame)
{
	atomic_fetch_add(&judge.hits, 1);
	judge_stack(e, frame);
}

void judge_joined(const struct cached_trace *e, const stack_word *frame)
{
	if (judge_stack(e, frame))
		atomic_fetch_add(&judge.joined, 1);
}

static void load(void)
{
	void *so = dlopen("libunwind.so.8", RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
	const char *every = getenv("KALLOSCOPE_JUDGE_EVERY");
	__typeof__(&unw_set_caching_policy) set_caching;
	unw_addr_space_t *space;

	if (!so)
		return;
	judge.init = (__typeof__(judge.init))dlsym(so, "_ULx86_64_init_local");
	judge.step = (__typeof__(judge.step))dlsym(so, "_ULx86_64_step");
	judge.get_reg = (__typeof__(judge.get_reg))dlsym(so, "_ULx86_64_get_reg");
	judge.context = (int (*)(unw_context_t *))dlsym(so, "_Ux86_64_getcontext");
	set_caching = (__typeof__(set_caching))dlsym(so, "_ULx86_64_set_caching_policy");
	space = dlsym(so, "_ULx86_64_local_addr_space");
	if (!judge.init || !judge.step || !judge.get_reg || !judge.context || !set_caching ||
	    !space)
		return;
	set_caching(*space, UNW_CACHE_NONE);
	judge.every = every ? atol(every) : 1;
}

__attribute__((constructor(102))) static void judge_start(void)
{
	thread_self.internal++;
	load();
	thread_self.internal--;
}

// A forked child counts for itself.
static void judge_child(void)
{
	judge.hits = judge.traces = judge.judged = judge.partly = judge.different = judge.joined =
		0;
}

__attribute__((constructor(103))) static void judge_watch_forks(void)
{
	pthread_atfork(NULL, NULL, judge_child);
}

__attribute__((destructor)) static void judge_end(void)
{
	const char *out = getenv("KALLOSCOPE_JUDGE_OUT");
	int fd = out ? open(out, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;

	if (fd < 0)
		return;
	dprintf(fd, "hits %lu judged %lu partly %lu different %lu joined %lu\n", judge.hits,
		judge.judged, judge.partly, judge.different, judge.joined);
	close(fd);
}
