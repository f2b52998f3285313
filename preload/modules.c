// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The modules of the process: told to the recording when the loader's list changes.
//
// A look is taken after a return address was seen for the first time, which is when a module can
// first matter. The list is collected under the loader's lock and written after it is given back,
// under a CPU's: the two are never held together. Signals are blocked meanwhile, so that nobody is
// stopped for good while holding the loader's lock.
//
// When a module went away, everything learned from code is thrown away (rules, and with them the
// cached traces), and stacks belong to a new image from then on.
#include "unwind.h"

#include <elf.h>
#include <link.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

enum {
	MODULES_MAX = 4096,
	PATHS_SIZE = 1 << 20,
	LINE_MAX_BYTES = 4096 + 160,
	BUILD_ID_MAX = 32
};

struct module {
	uintptr_t base, end; // executable segment
	uint64_t offset;     // its p_vaddr
	uint32_t path;	     // in paths[]
	uint8_t id_len;
	bool seen, told;
	uint8_t id[BUILD_ID_MAX];
};

struct module_list {
	unsigned n;
	uint32_t used; // of paths[]
	bool all_seen; // the last look was complete
	struct module module[MODULES_MAX];
	char paths[PATHS_SIZE];
};

static struct module_list *list;
static atomic_flag looking = ATOMIC_FLAG_INIT;
static _Atomic bool changed = true;
static _Atomic bool in_loader; // inside dl_iterate_phdr
static bool forked;	       // the image is still the parent's
static uint64_t last_adds, last_subs;

void modules_changed(void)
{
	atomic_store_explicit(&changed, true, memory_order_relaxed);
}

// --- looking, under the loader's lock

static void find_build_id(struct module *m, const struct dl_phdr_info *info, const ElfW(Phdr) * p)
{
	uintptr_t at = info->dlpi_addr + p->p_vaddr, end = at + p->p_memsz;

	while (end - at >= sizeof(ElfW(Nhdr))) {
		const ElfW(Nhdr) *note = (const void *)at;
		uintptr_t name = at + sizeof(*note), desc = name + ((note->n_namesz + 3u) & ~3u);

		at = desc + ((note->n_descsz + 3u) & ~3u);
		if (at > end || at < desc)
			return;
		if (note->n_type != NT_GNU_BUILD_ID || note->n_namesz != 4 ||
		    memcmp((const void *)name, "GNU", 4))
			continue;
		m->id_len = note->n_descsz > BUILD_ID_MAX ? BUILD_ID_MAX : note->n_descsz;
		memcpy(m->id, (const void *)desc, m->id_len);
		return;
	}
}

static struct module *find_known(uintptr_t base, const char *path)
{
	for (unsigned i = 0; i < list->n; i++)
		if (list->module[i].base == base &&
		    !strcmp(list->paths + list->module[i].path, path))
			return &list->module[i];
	return NULL;
}

// The main program's entry has no name.
static const char *path_of(const struct dl_phdr_info *info, bool first)
{
	if (!first || *info->dlpi_name)
		return info->dlpi_name;
	return process.slot && *process.slot->exe ? process.slot->exe : "/proc/self/exe";
}

static void see_segment(const struct module *seen, const char *path)
{
	struct module *known = find_known(seen->base, path);
	size_t len = strlen(path) + 1;

	if (known) {
		known->seen = true;
		return;
	}
	if (list->n == MODULES_MAX || list->used + len > PATHS_SIZE) {
		list->all_seen = false;
		return;
	}
	known = &list->module[list->n++];
	*known = *seen;
	known->path = list->used;
	memcpy(list->paths + list->used, path, len);
	list->used += (uint32_t)len;
}

// A file may have several executable segments: each is a module of its own.
static void see_module(const struct dl_phdr_info *info, const char *path)
{
	struct module m = {.seen = true};

	for (unsigned i = 0; i < info->dlpi_phnum && !m.id_len; i++)
		if (info->dlpi_phdr[i].p_type == PT_NOTE)
			find_build_id(&m, info, &info->dlpi_phdr[i]);
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		if (p->p_type != PT_LOAD || !(p->p_flags & PF_X))
			continue;
		m.base = info->dlpi_addr + p->p_vaddr;
		m.end = m.base + p->p_memsz;
		m.offset = p->p_vaddr;
		see_segment(&m, path);
	}
}

struct look {
	unsigned n;
	uint64_t adds, subs;
};

static int look_at(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct look *l = arg;

	if (size < offsetof(struct dl_phdr_info, dlpi_subs) + sizeof(info->dlpi_subs))
		return 1;
	if (!l->n && info->dlpi_adds == last_adds && info->dlpi_subs == last_subs)
		return 1;
	l->adds = info->dlpi_adds;
	l->subs = info->dlpi_subs;
	see_module(info, path_of(info, !l->n++));
	return 0;
}

// --- telling, under a CPU's lock

static char *put_hex(char *p, uint64_t v)
{
	char digits[16];
	unsigned n = 0;

	do
		digits[n++] = "0123456789abcdef"[v & 15];
	while (v >>= 4);
	while (n)
		*p++ = digits[--n];
	return p;
}

static char *put_decimal(char *p, uint32_t v)
{
	if (v >= 10)
		p = put_decimal(p, v / 10);
	*p++ = (char)('0' + v % 10);
	return p;
}

static void tell_module(struct machine *m, const struct module *mod)
{
	static char line[LINE_MAX_BYTES]; // one looks at a time
	const char *path = list->paths + mod->path;
	size_t len = strnlen(path, 4096);
	char *p = put_hex(line, mod->base);

	*p++ = ' ';
	p = put_hex(p, mod->end);
	*p++ = ' ';
	p = put_hex(p, mod->offset);
	*p++ = ' ';
	for (unsigned i = 0; i < mod->id_len; i++) {
		*p++ = "0123456789abcdef"[mod->id[i] >> 4];
		*p++ = "0123456789abcdef"[mod->id[i] & 15];
	}
	if (!mod->id_len)
		*p++ = '-';
	*p++ = ' ';
	memcpy(p, path, len);
	capture_text(m, TEXT_MODULE, line, (size_t)(p - line) + len);
}

static void tell_gone(struct machine *m, uintptr_t base)
{
	char line[40], *p = put_hex(line, base);

	*p++ = ' ';
	p = put_decimal(p, depot_image());
	capture_text(m, TEXT_MODULE_GONE, line, (size_t)(p - line));
}

static bool any_gone(void)
{
	for (unsigned i = 0; i < list->n; i++)
		if (!list->module[i].seen)
			return true;
	return false;
}

static void tell(struct thread *t)
{
	bool gone = list->all_seen && any_gone();
	struct machine *m;

	if (gone || forked) {
		rules_flush(); // cached traces name nodes of the old image
		depot_new_image();
	}
	m = cpu_enter(t);
	if (forked)
		tell_gone(m, 0);
	for (unsigned i = 0; i < list->n;) {
		struct module *mod = &list->module[i];

		if (gone && !mod->seen) {
			tell_gone(m, mod->base);
			*mod = list->module[--list->n];
			continue;
		}
		if (!mod->told || forked)
			tell_module(m, mod);
		mod->told = true;
		i++;
	}
	forked = false;
	cpu_leave(t, m);
}

static bool list_make(void)
{
	long map;

	if (list)
		return true;
	map = sys(SYS_mmap, NULL, sizeof(*list), PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (map < 0 && map > -4096)
		return false;
	list = (struct module_list *)map;
	return true;
}

static void refresh(struct thread *t)
{
	struct look l = {0};

	if (!list_make())
		return;
	for (unsigned i = 0; i < list->n; i++)
		list->module[i].seen = false;
	list->all_seen = true;
	atomic_store(&in_loader, true);
	dl_iterate_phdr(look_at, &l);
	atomic_store(&in_loader, false);
	if (!l.n)
		return;
	if (l.subs != last_subs) // perhaps one that came and went between two looks
		rules_flush();
	last_adds = l.adds;
	last_subs = l.subs;
	tell(t);
}

// False: somebody else is at it, or it is not possible now.
static bool look(struct thread *t)
{
	uint64_t all = ~0ull, old;

	if (capture_no_syscalls || sys(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, sizeof(old)))
		return false;
	// Taken with signals blocked: no handler can leave by longjmp while it is.
	bool mine = !atomic_flag_test_and_set(&looking);
	if (mine) {
		atomic_store(&changed, false);
		refresh(t);
		atomic_flag_clear(&looking);
	}
	sys(SYS_rt_sigprocmask, SIG_SETMASK, &old, NULL, sizeof(old));
	return mine;
}

void modules_refresh(struct thread *t)
{
	if (atomic_load_explicit(&changed, memory_order_relaxed) && process.slot)
		look(t);
}

// Between the unmapping of a module and the first instruction of another one at its addresses the
// loader frees what it knew of the one and allocates for the other. So nobody can come to use what
// was learned of the old code for the new.
void modules_of_loader(struct thread *t)
{
	if (!process.slot || look(t))
		return;
	modules_changed();
	rules_flush();
}

void modules_fork_prepare(void)
{
	for (unsigned i = 0; i < 1u << 12 && atomic_load(&in_loader); i++)
		sys(SYS_sched_yield);
}

void modules_fork_child(void)
{
	forked = true;
	atomic_store(&in_loader, false);
	atomic_flag_clear(&looking);
}
