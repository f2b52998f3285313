// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The process's place in a session: finding the segment, claiming a slot, fork, exec, exit.
//
// All of it may run before libc is initialised (the first allocation is the dynamic loader's), so
// there is nothing here but raw system calls and the memory the kernel gave the process.
#include "unwind.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum {
	ARGV_MAX = 4096,
	RECORDER_GONE = 2 // session_header.recorder_state
};

extern void *__libc_stack_end; // where the kernel put argc; set by the dynamic loader

static char session_path[PATH_MAX];
static bool session_is_bare;

char **start_argv(void)
{
	return (char **)__libc_stack_end + 1;
}

const char *start_env(const char *name)
{
	char **env = start_argv() + *(long *)__libc_stack_end + 1;
	size_t len = strlen(name);

	for (; *env; env++)
		if (!strncmp(*env, name, len) && (*env)[len] == '=')
			return *env + len + 1;
	return NULL;
}

void warn(const char *what)
{
	char line[256] = "kalloscope: ";
	size_t n = strlen(line), len = strnlen(what, sizeof(line) - n - 1);

	memcpy(line + n, what, len);
	line[n + len] = '\n';
	sys(SYS_write, 2, line, n + len + 1);
}

static unsigned host_cpus(void)
{
	unsigned long mask[16] = {0}; // 1024 CPUs
	unsigned n = 0;

	if (sys(SYS_sched_getaffinity, 0, sizeof(mask), mask) > 0)
		for (unsigned i = 0; i < 16; i++)
			n += (unsigned)__builtin_popcountl(mask[i]);
	return n < 1 ? 1 : n > MAX_CPUS ? MAX_CPUS : n;
}

static void default_options(struct session_options *o)
{
	*o = (struct session_options){.max_frames = 64, .site_threshold = 1024, .wait_ms = 2000};
	machine_config_default(&o->machine, MODEL_CLASSIC, 4ull << 30, host_cpus());
}

// Everything this process will index by is inside the mapping.
static bool header_sound(const struct session_header *h, uint64_t size)
{
	uint64_t slots = h->nslots * (uint64_t)sizeof(struct slot);
	uint64_t rings = (uint64_t)h->nslots * h->rings_per_slot * h->ring_records * 32;

	return !((h->off_slots | h->off_rings | h->off_nodes | h->off_buckets) & 63) &&
	       h->magic == SESSION_MAGIC && h->version == SESSION_VERSION &&
	       h->header_bytes == sizeof(*h) && h->size == size && h->nslots < 1u << 20 &&
	       h->rings_per_slot >= 1 && h->rings_per_slot <= MAX_CPUS && h->ring_records >= 16 &&
	       h->ring_records <= 1u << 28 && !(h->ring_records & (h->ring_records - 1)) &&
	       h->nbuckets && !(h->nbuckets & (h->nbuckets - 1)) && h->off_slots <= size &&
	       slots <= size - h->off_slots && h->off_rings <= size &&
	       rings <= size - h->off_rings && h->off_buckets <= size &&
	       h->nbuckets * 4ull <= size - h->off_buckets && h->off_nodes <= size &&
	       h->max_nodes * (uint64_t)sizeof(struct depot_node) <= size - h->off_nodes;
}

// Records of another build would be misread, so nothing is written.
static bool other_build(const struct session_header *h)
{
	return h->magic == SESSION_MAGIC && h->layout != machine_layout();
}

// NULL: *why says what is wrong.
static struct session_header *segment_map(const char *path, const char **why)
{
	struct session_header *h;
	long fd = sys(SYS_open, path, O_RDWR | O_CLOEXEC), size, map;

	if (fd < 0)
		return NULL;
	size = sys(SYS_lseek, fd, 0, SEEK_END);
	map = size < (long)sizeof(*h)
		      ? -EINVAL
		      : sys(SYS_mmap, NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	sys(SYS_close, fd);
	if (map < 0 && map > -4096)
		return NULL;
	h = (struct session_header *)map;
	if (other_build(h))
		*why = "the session was made by another build of kalloscope: the program runs, nothing "
		       "is recorded";
	else if (header_sound(h, (uint64_t)size))
		return h;
	sys(SYS_munmap, map, size);
	return NULL;
}

// NULL: all are taken. *ending: one of them by a process that has ended, so it will be free soon.
static struct slot *slot_try(struct session_header *h, uint32_t *index, bool *ending)
{
	*ending = false;
	for (uint32_t i = 0; i < h->nslots; i++) {
		struct slot *s = session_slot(h, i);
		uint32_t free = SLOT_FREE;

		if (atomic_load_explicit(&s->state, memory_order_relaxed) == SLOT_FREE &&
		    atomic_compare_exchange_strong(&s->state, &free, SLOT_CLAIMED)) {
			*index = i;
			return s;
		}
		*ending |=
			atomic_load(&s->state) == SLOT_ENDED || sys(SYS_kill, s->pid, 0) == -ESRCH;
	}
	return NULL;
}

static struct slot *slot_claim(struct session_header *h, uint32_t *index)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	bool ending;

	for (uint32_t ms = 0; ms <= h->opt.wait_ms; ms++) {
		struct slot *s = slot_try(h, index, &ending);
		if (s)
			return s;
		if (!ending || capture_no_syscalls)
			break;
		sys(SYS_nanosleep, &pause, NULL);
	}
	atomic_fetch_add(&h->no_slot, 1);
	return NULL;
}

// Numbers of processes mean something within their namespace only.
static uint64_t pid_space(void)
{
	struct stat st;

	return sys(SYS_stat, "/proc/self/ns/pid", &st) ? 0 : st.st_ino;
}

static void slot_fill(struct session_header *h, struct slot *s, enum slot_how how, uint32_t parent)
{
	s->process = atomic_fetch_add(&h->next_process, 1) + 1;
	s->parent = parent;
	s->how = how;
	s->pid = (int)sys(SYS_getpid);
	s->ppid = (int)sys(SYS_getppid);
	s->pid_space = pid_space();
	s->image = depot_image();
	s->fork_barrier = 0;
	s->start_tsc = clock_stamp();
	atomic_store(&s->lost, 0);
	atomic_store(&s->unrecorded_children, 0);
	atomic_store(&s->early_calls, 0);
	long len = sys(SYS_readlink, "/proc/self/exe", s->exe, sizeof(s->exe) - 1);
	s->exe[len > 0 ? len : 0] = 0;
}

// The recorded process this one came from: the image that exec'd into us (it has our pid and ends
// with that), or the process that spawned us.
static uint32_t find_parent(struct session_header *h, const struct slot *own, enum slot_how *how)
{
	int pid = (int)sys(SYS_getpid), ppid = (int)sys(SYS_getppid);
	uint32_t spawner = 0;

	*how = HOW_EXEC;
	for (uint32_t i = 0; i < h->nslots; i++) {
		struct slot *s = session_slot(h, i);
		uint32_t live = SLOT_LIVE;

		if (s == own || atomic_load(&s->state) != SLOT_LIVE ||
		    s->pid_space != own->pid_space)
			continue;
		if (s->pid == pid) {
			uint32_t process_number = s->process;

			atomic_compare_exchange_strong(&s->state, &live, SLOT_ENDED);
			return process_number;
		}
		if (s->pid == ppid)
			spawner = s->process;
	}
	if (!spawner)
		*how = HOW_FIRST;
	return spawner;
}

// Two hexadecimal digits; -1: not such.
static int hex_byte(const char *text)
{
	int value = 0;

	for (int i = 0; i < 2; i++) {
		int c = text[i], digit = c >= '0' && c <= '9' ? c - '0' : c - 'a' + 10;

		if (digit < 0 || digit > 15)
			return -1;
		value = value * 16 + digit;
	}
	return value;
}

// `kalloscope run`: there is no session but options. False: they are not of this build.
static bool options_read(const char *text)
{
	struct session_options o = {0};
	unsigned char *bytes = (unsigned char *)&o;
	uint32_t layout = 0;
	int byte = 0;

	for (int i = 0; i < 4 && byte >= 0; i++, text += *text ? 2 : 0)
		layout = layout << 8 | (uint32_t)(byte = hex_byte(text));
	for (size_t i = 0; *text && byte >= 0; i++, text += 2)
		if (i == sizeof(o) || (byte = hex_byte(text)) < 0)
			return false;
		else
			bytes[i] = (unsigned char)byte;
	if (byte < 0 || layout != machine_layout())
		return false;
	process.opt = o;
	return true;
}

static bool session_find(void)
{
	const char *path = start_env(SESSION_ENV);

	if (path && !strncmp(path, SESSION_OPTIONS, strlen(SESSION_OPTIONS))) {
		if (!options_read(path + strlen(SESSION_OPTIONS)))
			warn("the options are of another build of kalloscope: this machine is the usual one");
		return false;
	}
	if (path && *path) {
		size_t len = strlen(path);

		if (len >= sizeof(session_path))
			return false;
		memcpy(session_path, path, len + 1);
		return true;
	}
	session_is_bare = bare_start(session_path, sizeof(session_path));
	return session_is_bare;
}

bool session_file(char *path, size_t size, const char *name)
{
	size_t folder = strlen(session_path), len = strlen(name) + 1;

	while (folder && session_path[folder - 1] != '/')
		folder--;
	if (!folder || folder + len > size)
		return false;
	memcpy(path, session_path, folder);
	memcpy(path + folder, name, len);
	return true;
}

// Whether a name of the list is that of the program: of its file, or of how it was called.
static bool name_wanted(const char *list)
{
	char exe[SLOT_EXE_LEN];
	long len = sys(SYS_readlink, "/proc/self/exe", exe, sizeof(exe) - 1);
	const char *called = start_argv()[0], *slash;
	const char *names[2];

	exe[len > 0 ? len : 0] = 0;
	names[0] = (slash = strrchr(exe, '/')) ? slash + 1 : exe;
	names[1] = !called ? "" : (slash = strrchr(called, '/')) ? slash + 1 : called;
	for (const char *end; *list; list = *end ? end + 1 : end) {
		end = list + strcspn(list, ",");
		for (unsigned i = 0; i < 2; i++)
			if (strlen(names[i]) == (size_t)(end - list) &&
			    !memcmp(names[i], list, (size_t)(end - list)))
				return true;
	}
	return false;
}

// The segment, found and mapped by the first call that asks; NULL: there is none, *why says it.
static struct session_header *session_open(const char **why)
{
	static struct session_header *h;
	static const char *problem =
		"cannot open the session: the program runs, nothing is recorded";
	static bool looked;

	if (!looked) {
		looked = true; // before: finding one may bring calls of our own
		default_options(&process.opt);
		if (session_find())
			h = segment_map(session_path, &problem);
		else
			problem = NULL;
	}
	*why = problem;
	return h;
}

bool session_deferred(void)
{
	static bool never, asked;
	const char *why;
	struct session_header *h = session_open(&why);

	if (!h)
		return false;
	if (!asked) {
		char only[sizeof(h->opt.only)];

		memcpy(only, h->opt.only, sizeof(only));
		only[sizeof(only) - 1] = 0;
		never = *only && !name_wanted(only);
		asked = true;
		if (never || atomic_load(&h->phase) != PHASE_RECORD)
			atomic_fetch_add(&h->announced, 1);
	}
	never |= atomic_load(&h->phase) == PHASE_AFTER;
	return never || atomic_load(&h->phase) == PHASE_BEFORE;
}

void session_stop(void)
{
	if (!process.slot)
		return;
	atomic_store_explicit(&process.slot->state, SLOT_ENDED, memory_order_release);
	process.slot = NULL;
	ring_attach();
}

bool session_attach(void)
{
	const char *why;
	struct session_header *h;
	enum slot_how how;
	uint32_t parent;

	h = session_open(&why);
	if (!h) {
		if (why)
			warn(why);
		return false;
	}
	if (atomic_load(&h->recorder_state) == RECORDER_GONE) {
		sys(SYS_munmap, h, h->size);
		warn("the session has ended: the program runs, nothing is recorded");
		return false;
	}
	process.opt = h->opt;
	atomic_fetch_add(&h->announced, 1);
	process.session = h;
	process.slot = slot_claim(h, &process.slot_index);
	if (!process.slot) {
		warn("the session has no place for another process: nothing is recorded");
		return false;
	}
	process.slot->pid_space = pid_space();
	parent = find_parent(h, process.slot, &how);
	slot_fill(h, process.slot, how, parent);
	process.slot->cfg = process.opt.machine;
	process.slot->ncpus = process.opt.machine.ncpus;
	ring_attach();
	return true;
}

static void write_argv(struct machine *m)
{
	char **argv = start_argv();
	long argc = *(long *)__libc_stack_end;
	const char *first = argv[0], *end = first;

	// The kernel laid the strings out in one piece; whoever moved them is told by the gap.
	for (long i = 0; i < argc && argv[i] == end; i++)
		end += strlen(end) + 1;
	if (end > first)
		capture_text(m, TEXT_ARGV, first,
			     end - first > ARGV_MAX ? ARGV_MAX : (size_t)(end - first));
}

void session_ready(void)
{
	struct thread *t = &thread_self;
	struct slot *s = process.slot;
	struct machine *m;

	if (!s)
		return;
	s->cfg = process.opt.machine;
	s->ncpus = process.ncpus;
	atomic_store_explicit(&s->state, SLOT_LIVE, memory_order_release);
	m = cpu_enter(t);
	capture_text(m, TEXT_EXE, s->exe, strlen(s->exe));
	write_argv(m);
	cpu_leave(t, m);
	modules_refresh(t);
}

void session_fork_prepare(void)
{
	if (process.slot)
		capture_barrier();
	modules_fork_prepare();
	unwind_fork_prepare();
}

void session_fork_parent(int pid)
{
	(void)pid;
	unwind_fork_done();
}

void session_fork_child(void)
{
	struct slot *from = process.slot, *s;

	unwind_fork_done();
	modules_fork_child();
	thread_forget();
	if (!process.session || !from)
		return;
	s = slot_claim(process.session, &process.slot_index);
	process.slot = s;
	if (!s) {
		atomic_fetch_add(&from->unrecorded_children, 1);
		ring_attach();
		return;
	}
	slot_fill(process.session, s, HOW_FORK, from->process);
	s->fork_barrier = process.barrier;
	s->cfg = from->cfg;
	s->ncpus = from->ncpus;
	ring_attach();
	atomic_store_explicit(&s->state, SLOT_LIVE, memory_order_release);
}

void session_exit(int status)
{
	(void)status;
	if (process.slot)
		atomic_store_explicit(&process.slot->state, SLOT_ENDED, memory_order_release);
}

// libc is up here: from now on children are given the way to a session we started ourselves.
__attribute__((constructor)) static void session_constructor(void)
{
	if (session_is_bare && process.session)
		bare_export(session_path);
}
