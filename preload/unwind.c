// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// libunwind as the judge of frames, kept where it can do no harm.
//
// It is loaded privately, so that its _Unwind_* symbols do not become the program's; it sees the
// process through accessors of ours, so that it opens no pipe and asks for no module list; it runs
// on a stack of its own with signals blocked, one thread at a time. Who finds it busy does without.
//
// Learning a rule: step a cursor that exists only on paper. Registers sp and fp hold addresses in
// two windows no real address lies in, and a word read in a window is that word's address with a
// mark. After the step, sp is the CFA, and ip and fp tell where they would have been read.
#include "unwind.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <libunwind-x86_64.h>
#include <link.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define PAPER_SP   0x1000000000000000ull
#define PAPER_FP   0x2000000000000000ull
#define PAPER_MARK 0x0800000000000000ull // a word read from a window
#define PAPER_SIZE 0x80000000ull

enum {
	UNWIND_STACK = 256 << 10,
	HDR_TABLE = 12,
	LIB_PATIENCE = 1000,
	FOUND = 256,
	FOUND_SHIFT = 6, // functions are rarely shorter
	FOUND_INFO = 256
};

static struct {
	__typeof__(&unw_create_addr_space) create;
	__typeof__(&unw_set_caching_policy) set_caching;
	__typeof__(&unw_init_remote) init;
	__typeof__(&unw_step) step;
	__typeof__(&unw_get_reg) get_reg;
	int (*search)(unw_addr_space_t as, unw_word_t ip, unw_dyn_info_t *di, unw_proc_info_t *pi,
		      int need_unwind_info, void *arg);
	unw_addr_space_t space;
	char *stack_top;
} lib;

extern char **environ;

static _Atomic bool lib_ready;
static atomic_flag lib_busy = ATOMIC_FLAG_INIT;
static bool fork_took;

bool unwind_ready(void)
{
	return atomic_load_explicit(&lib_ready, memory_order_acquire);
}

// What a cursor looks at: the registers it starts from, and where its memory is.
struct look {
	struct frame start;
	bool paper;		      // memory of the windows, nothing real
	struct thread *thread;	      // real: whose stack
	struct trace *trace;	      // real: notes the words read
	struct dl_find_object obj;    // module the last ip was found in
	uintptr_t tables, tables_end; // its unwind tables, where obj's range leaves them out
};

static bool in_module(const struct look *l, uintptr_t addr, size_t size)
{
	return (l->obj.dlfo_map_start && addr >= (uintptr_t)l->obj.dlfo_map_start &&
		addr + size <= (uintptr_t)l->obj.dlfo_map_end) ||
	       (addr >= l->tables && addr + size <= l->tables_end);
}

static int look_mem(unw_addr_space_t as, unw_word_t addr, unw_word_t *val, int write, void *arg)
{
	struct look *l = arg;

	(void)as;
	if (write)
		return -UNW_EREADONLYREG;
	if (in_module(l, addr, sizeof(*val))) {
		memcpy(val, (const void *)addr, sizeof(*val));
		return 0;
	}
	if (l->paper) {
		if (addr - PAPER_SP >= 2 * PAPER_SP + PAPER_SIZE)
			return -UNW_EINVAL;
		*val = addr | PAPER_MARK;
		return 0;
	}
	if (!stack_read(l->thread, l->trace, addr, val))
		return -UNW_EINVAL;
	trace_note(l->trace, addr, *val);
	return 0;
}

static int look_reg(unw_addr_space_t as, unw_regnum_t reg, unw_word_t *val, int write, void *arg)
{
	struct look *l = arg;

	(void)as;
	if (write)
		return -UNW_EREADONLYREG;
	switch (reg) {
	case UNW_X86_64_RIP:
		*val = l->start.ip - 1; // inside the call instruction
		return 0;
	case UNW_X86_64_RSP:
		*val = l->start.sp;
		return 0;
	case UNW_X86_64_RBP:
		*val = l->start.fp;
		return 0;
	default:
		return -UNW_EBADREG;
	}
}

// What was found for functions lately; guarded by lib_busy. libunwind takes back the block an answer
// came with, so the copy goes out under the one format it does not do that for.
static struct found {
	unw_proc_info_t pi;
	uint32_t generation;
	alignas(16) unsigned char info[FOUND_INFO];
} found[FOUND];

static bool found_again(struct found *f, unw_word_t ip, unw_proc_info_t *pi)
{
	if (f->generation != rules_generation() || ip < f->pi.start_ip || ip >= f->pi.end_ip)
		return false;
	*pi = f->pi;
	pi->format = UNW_INFO_FORMAT_REMOTE_TABLE;
	pi->unwind_info = f->info;
	return true;
}

static int look_search(unw_addr_space_t as, unw_word_t ip, unw_dyn_info_t *di, unw_proc_info_t *pi,
		       int need, void *arg)
{
	struct found *f = &found[ip >> FOUND_SHIFT & (FOUND - 1)];
	int ret, size;

	if (need && found_again(f, ip, pi))
		return 0;
	ret = lib.search(as, ip, di, pi, need, arg);
	size = pi->unwind_info_size;
	if (!ret && need && pi->unwind_info && size > 0 && size <= FOUND_INFO) {
		f->pi = *pi;
		f->generation = rules_generation();
		memcpy(f->info, pi->unwind_info, (size_t)size);
	}
	return ret;
}

// A program that is not position independent and has holes between its segments (node) is known to
// the loader segment by segment: the one with code does not reach to the tables. Only the kernel
// maps such, so its program headers are at hand.
static void find_tables(struct look *l, uintptr_t hdr)
{
	const ElfW(Phdr) *p = (const ElfW(Phdr) *)getauxval(AT_PHDR);
	uintptr_t base = l->obj.dlfo_link_map->l_addr;

	l->tables = l->tables_end = 0;
	if (in_module(l, hdr, HDR_TABLE))
		return;
	for (unsigned long i = 0; p && i < getauxval(AT_PHNUM); i++)
		if (p[i].p_type == PT_LOAD && p[i].p_flags & PF_R &&
		    hdr - (base + p[i].p_vaddr) < p[i].p_filesz) {
			l->tables = base + p[i].p_vaddr;
			l->tables_end = l->tables + p[i].p_filesz;
		}
}

static int look_proc_info(unw_addr_space_t as, unw_word_t ip, unw_proc_info_t *pi, int need,
			  void *arg)
{
	// .eh_frame_hdr as every linker writes it: version 1, pcrel sdata4, udata4, datarel sdata4
	static const unsigned char form[4] = {1, 0x1b, 0x03, 0x3b};
	struct look *l = arg;
	const unsigned char *hdr;
	uint32_t count;

	if (_dl_find_object((void *)ip, &l->obj)) {
		l->obj.dlfo_map_start = NULL;
		return -UNW_ENOINFO;
	}
	hdr = l->obj.dlfo_eh_frame;
	if (!hdr || memcmp(hdr, form, sizeof(form)))
		return -UNW_ENOINFO;
	find_tables(l, (uintptr_t)hdr);
	memcpy(&count, hdr + 8, sizeof(count));
	unw_dyn_info_t di = {
		.start_ip = (unw_word_t)l->obj.dlfo_map_start,
		.end_ip = (unw_word_t)l->obj.dlfo_map_end,
		.format = UNW_INFO_FORMAT_REMOTE_TABLE,
		.u.rti = {.segbase = (unw_word_t)hdr,
			  .table_len = count * 8ull / sizeof(unw_word_t),
			  .table_data = (unw_word_t)hdr + HDR_TABLE},
	};
	return look_search(as, ip, &di, pi, need, arg);
}

static void look_put_info(unw_addr_space_t as, unw_proc_info_t *pi, void *arg)
{
	(void)as;
	(void)pi;
	(void)arg;
}

static int look_dyn_list(unw_addr_space_t as, unw_word_t *list, void *arg)
{
	(void)as;
	(void)list;
	(void)arg;
	return -UNW_ENOINFO;
}

static int look_none(void)
{
	return -UNW_EINVAL;
}

// --- running libunwind: alone, signals blocked, on a stack of its own

static void call_on_stack(void (*fn)(void *), void *arg, char *top)
{
	// The old stack pointer waits in a register the callee keeps.
	__asm__ volatile("mov %%rsp, %%rbx\n\t"
			 "mov %[top], %%rsp\n\t"
			 "call *%[fn]\n\t"
			 "mov %%rbx, %%rsp"
			 : "+D"(arg)
			 : [top] "r"(top), [fn] "r"(fn)
			 : "rax", "rbx", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "memory",
			   "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
			   "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

// Whoever is inside waits for nobody, so it will not be long; still nobody waits for ever.
static bool lib_take(void)
{
	for (unsigned i = 0; i < LIB_PATIENCE; i++) {
		if (!atomic_flag_test_and_set_explicit(&lib_busy, memory_order_acquire))
			return true;
		sys(SYS_sched_yield);
	}
	return false;
}

// False: another thread is at it, or system calls are not allowed.
static bool lib_run(void (*fn)(void *), void *arg)
{
	uint64_t all = ~0ull, old;

	if (!unwind_ready() || capture_no_syscalls)
		return false;
	if (sys(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, sizeof(old)))
		return false;
	bool mine = lib_take();
	if (mine) {
		call_on_stack(fn, arg, lib.stack_top);
		atomic_flag_clear_explicit(&lib_busy, memory_order_release);
	}
	sys(SYS_rt_sigprocmask, SIG_SETMASK, &old, NULL, sizeof(old));
	return mine;
}

// A child inherits libunwind's own locks as they are at that moment.
void unwind_fork_prepare(void)
{
	fork_took = lib_take();
}

void unwind_fork_done(void)
{
	if (fork_took)
		atomic_flag_clear_explicit(&lib_busy, memory_order_release);
}

// --- learning

struct step {
	int ret; // of unw_step
	uintptr_t ip, sp, fp;
};

static struct step paper_step(uintptr_t ip, uintptr_t sp, uintptr_t fp)
{
	struct look l = {.start = {ip, sp, fp}, .paper = true};
	struct step s = {0};
	unw_cursor_t c;

	s.ret = lib.init(&c, lib.space, &l);
	if (s.ret < 0)
		return s;
	s.ret = lib.step(&c);
	if (s.ret > 0 &&
	    (lib.get_reg(&c, UNW_X86_64_RIP, &s.ip) || lib.get_reg(&c, UNW_X86_64_RSP, &s.sp) ||
	     lib.get_reg(&c, UNW_X86_64_RBP, &s.fp)))
		s.ret = -UNW_EUNSPEC;
	return s;
}

// The kernel's way back from a handler: its caller is not a caller.
static bool is_sigreturn(const unsigned char *ip)
{
	static const unsigned char code[] = {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05};

	return !memcmp(ip, code, sizeof(code));
}

// What two steps agree on; anything they do not is odd.
static struct rule rule_from(const struct step *a, const struct step *b, uintptr_t shift_sp,
			     uintptr_t shift_fp)
{
	struct rule odd = {.kind = RULE_ODD}, r = {.kind = RULE_PLAIN};
	int64_t cfa, at;

	if (b->sp - a->sp == shift_sp) {
		cfa = (int64_t)(a->sp - PAPER_SP);
	} else if (b->sp - a->sp == shift_fp) {
		cfa = (int64_t)(a->sp - PAPER_FP);
		r.from_fp = true;
	} else {
		return odd;
	}
	if (cfa <= 0 && !r.from_fp)
		return odd;
	if (cfa > INT32_MAX || cfa < INT32_MIN || (cfa & 7))
		return odd;
	r.cfa = (int32_t)cfa;
	if (a->ip != ((a->sp - 8) | PAPER_MARK) || b->ip != ((b->sp - 8) | PAPER_MARK))
		return odd;
	if (a->fp == PAPER_FP && b->fp == PAPER_FP + shift_fp)
		return r;
	at = (int64_t)((a->fp & ~PAPER_MARK) - a->sp);
	if (!(a->fp & PAPER_MARK) || b->fp != ((b->sp + (uint64_t)at) | PAPER_MARK) || at >= 0 ||
	    at < INT16_MIN * 8l || (at & 7))
		return odd;
	r.fp_at = (int16_t)(at / 8);
	return r;
}

struct lesson {
	uintptr_t ip;
	struct rule rule;
};

static void learn(void *arg)
{
	enum {
		SHIFT_SP = 0x10008,
		SHIFT_FP = 0x230000
	};
	struct lesson *l = arg;
	uintptr_t sp = PAPER_SP, fp = PAPER_FP;
	struct dl_find_object obj;
	struct step a, b;

	l->rule.kind = RULE_NONE;
	if (_dl_find_object((void *)(l->ip - 1), &obj) || !obj.dlfo_eh_frame)
		return;
	if (l->ip + 16 < (uintptr_t)obj.dlfo_map_end && is_sigreturn((void *)l->ip)) {
		l->rule.kind = RULE_ODD;
		return;
	}
	a = paper_step(l->ip, sp, fp);
	if (a.ret == -UNW_ENOINFO)
		return;
	if (a.ret == 0) {
		l->rule.kind = RULE_END;
		return;
	}
	b = paper_step(l->ip, sp + SHIFT_SP, fp + SHIFT_FP);
	l->rule.kind = RULE_ODD;
	if (a.ret > 0 && b.ret > 0)
		l->rule = rule_from(&a, &b, SHIFT_SP, SHIFT_FP);
}

struct rule unwind_learn(uintptr_t ip)
{
	struct lesson l = {.ip = ip};

	modules_changed();
	return lib_run(learn, &l) ? l.rule : (struct rule){.kind = RULE_UNKNOWN};
}

// --- odd frames, with the real memory

struct odd {
	struct look look;
	struct frame *f;
	unsigned max_frames;
	bool go_on;
};

static void odd_steps(void *arg)
{
	struct odd *o = arg;
	struct trace *tr = o->look.trace;
	bool interrupted = is_sigreturn((void *)o->f->ip);
	unw_cursor_t c;
	unw_word_t ip, sp, fp;

	if (lib.init(&c, lib.space, &o->look) < 0)
		return;
	for (;;) {
		if (lib.step(&c) <= 0 || lib.get_reg(&c, UNW_X86_64_RIP, &ip) ||
		    lib.get_reg(&c, UNW_X86_64_RSP, &sp) || !ip || (sp & 7))
			return;
		if (lib.get_reg(&c, UNW_X86_64_RBP, &fp))
			fp = 0;
		if (!interrupted)
			break;
		// Where the signal struck: the ip is exact, so make it look like a return address,
		// and let the same cursor leave the frame, since it knows all registers there.
		if (tr->nips == o->max_frames) {
			tr->flags |= OPF_TRUNCATED;
			return;
		}
		tr->ip[tr->nips++] = ip + 1;
		interrupted = false;
	}
	*o->f = (struct frame){ip, sp, fp};
	o->go_on = true;
}

bool unwind_odd(struct thread *t, struct frame *f, struct trace *tr, unsigned max_frames)
{
	struct odd o = {
		.look = {.start = *f, .thread = t, .trace = tr}, .f = f, .max_frames = max_frames};

	if (!lib_run(odd_steps, &o))
		tr->flags |= OPF_TRUNCATED;
	return o.go_on;
}

// --- from a handler to what it interrupted

struct search {
	struct thread *thread;
	struct frame start;
	uintptr_t outer;
	char *found;
};

// Handlers may have interrupted each other: the oldest one is meant. It is the last before `outer`.
static void search_steps(void *arg)
{
	struct search *s = arg;
	struct trace tr = {0};
	struct look l = {.start = s->start, .thread = s->thread, .trace = &tr};
	unw_word_t ip, sp;
	char *last = NULL;
	unw_cursor_t c;

	if (lib.init(&c, lib.space, &l) < 0)
		return;
	for (unsigned i = 0; i < DEPOT_PATH && lib.step(&c) > 0; i++) {
		if (lib.get_reg(&c, UNW_X86_64_RIP, &ip) || lib.get_reg(&c, UNW_X86_64_RSP, &sp))
			return;
		if (last && sp >= s->outer) {
			s->found = last;
			return;
		}
		if (!_dl_find_object((void *)ip, &l.obj) &&
		    ip + 16 < (uintptr_t)l.obj.dlfo_map_end && is_sigreturn((void *)ip))
			last = (char *)sp;
	}
}

char *unwind_interrupted(struct thread *t, struct frame f, uintptr_t outer)
{
	struct search s = {.thread = t, .start = f, .outer = outer};

	return lib_run(search_steps, &s) ? s.found : NULL;
}

// --- loading

static bool lib_load(void)
{
	void *so = dlopen_find()("libunwind-x86_64.so.8", RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);

	if (!so)
		return false;
	lib.create = (__typeof__(lib.create))dlsym(so, "_Ux86_64_create_addr_space");
	lib.set_caching = (__typeof__(lib.set_caching))dlsym(so, "_Ux86_64_set_caching_policy");
	lib.init = (__typeof__(lib.init))dlsym(so, "_Ux86_64_init_remote");
	lib.step = (__typeof__(lib.step))dlsym(so, "_Ux86_64_step");
	lib.get_reg = (__typeof__(lib.get_reg))dlsym(so, "_Ux86_64_get_reg");
	lib.search = (__typeof__(lib.search))dlsym(so, "_Ux86_64_dwarf_search_unwind_table");
	return lib.create && lib.set_caching && lib.init && lib.step && lib.get_reg && lib.search;
}

static bool lib_prepare(void)
{
	unw_accessors_t acc = {.find_proc_info = look_proc_info,
			       .put_unwind_info = look_put_info,
			       .get_dyn_info_list_addr = look_dyn_list,
			       .access_mem = look_mem,
			       .access_reg = look_reg,
			       .access_fpreg = (void *)look_none,
			       .resume = (void *)look_none,
			       .get_proc_name = (void *)look_none};
	long stack;

	if (!lib_load())
		return false;
	lib.space = lib.create(&acc, 0);
	// The rules are the cache; libunwind's own would outlive modules.
	if (lib.space)
		lib.set_caching(lib.space, UNW_CACHE_NONE);
	stack = sys(SYS_mmap, NULL, UNWIND_STACK, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (!lib.space || (stack < 0 && stack > -4096))
		return false;
	lib.stack_top = (char *)stack + UNWIND_STACK;
	return true;
}

// The next two descriptors the process would be given.
static void next_descriptors(int next[2])
{
	for (int fd = 0, n = 0; n < 2; fd++)
		if (sys(SYS_fcntl, fd, F_GETFD) < 0)
			next[n++] = fd;
}

// libunwind opens a pipe when it starts, to ask by write() what is readable. The accessors never
// make it ask, so the pipe goes before the program can come across it.
static void close_pipe(const int fd[2])
{
	struct stat a, b;

	if (fstat(fd[0], &a) || fstat(fd[1], &b) || !S_ISFIFO(a.st_mode) || a.st_ino != b.st_ino)
		return;
	sys(SYS_close, fd[0]);
	sys(SYS_close, fd[1]);
}

void unwind_init(void)
{
	static atomic_flag begun = ATOMIC_FLAG_INIT;
	struct lesson l = {.ip = (uintptr_t)__builtin_return_address(0)};
	int saved = errno, fd[2];

	if (atomic_flag_test_and_set(&begun))
		return;
	thread_self.internal++;
	next_descriptors(fd);
	if (lib_prepare()) {
		atomic_store_explicit(&lib_ready, true, memory_order_release);
		lib_run(learn, &l); // whatever it sets up on first use, it sets up now
	}
	close_pipe(fd);
	thread_self.internal--;
	errno = saved;
}

static struct link_map *object_of(uintptr_t ip)
{
	struct dl_find_object obj;

	return _dl_find_object((void *)ip, &obj) ? NULL : obj.dlfo_link_map;
}

// Code of the dynamic loader; known once it was asked for.
static uintptr_t loader_lo, loader_hi;

bool from_loader(uintptr_t ip)
{
	struct dl_find_object loader;

	if (!loader_hi && !_dl_find_object((void *)_r_debug.r_ldbase, &loader)) {
		loader_lo = (uintptr_t)loader.dlfo_map_start;
		loader_hi = (uintptr_t)loader.dlfo_map_end;
	}
	return ip - loader_lo < loader_hi - loader_lo;
}

// A program with a malloc of its own (chromium) maps memory from inside it, where it does not expect
// to be called again; loading a library would do that.
static bool malloc_is_foreign(void)
{
	struct link_map *object = object_of((uintptr_t)malloc);

	return object != object_of((uintptr_t)unwind_init) &&
	       object != object_of((uintptr_t)dlopen);
}

// Constructors of other libraries run before ours, and C++ ones allocate. As soon as libc is
// initialised libunwind can be loaded, unless it is the loader that asks for memory just now.
void unwind_init_early(uintptr_t ret)
{
	if (!environ || _r_debug.r_state != RT_CONSISTENT || from_loader(ret) ||
	    !object_of(ret - 1) || malloc_is_foreign())
		return;
	unwind_init();
}
