// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Programs our library cannot be loaded into: they are started without it.
//
// musl's loader ends a program whose LD_PRELOAD it cannot load, and glibc's for 32 bits complains about
// it on stderr. So every way to exec looks at the program first; for such a one our name is taken out of
// the LD_PRELOAD it is given. Nothing else changes: a static program keeps it, for its children.
//
// All of this may run in the child of a vfork, on a small stack: system calls and alloca only.
#include "preload.h"
#include "capture.h" // both before elf.h, whose macros have names of ours

#include <alloca.h>
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

enum {
	HEAD = 256,	   // of a file: an ELF header, or an interpreter line
	INTERPRETERS = 4,  // as many as Linux follows
	ENV_MAX = 1 << 14, // entries; a larger environment is passed on as it is
	PATH_ROOM = 512
};

extern char **environ;

typedef int (*execvpe_fn)(const char *, char *const *, char *const *);
typedef int (*spawn_fn)(pid_t *, const char *, const posix_spawn_file_actions_t *,
			const posix_spawnattr_t *, char *const *, char *const *);

static execvpe_fn next_execvpe;
static spawn_fn next_spawn, next_spawnp;

void exec_init(void)
{
	thread_self.internal++;
	next_execvpe = (execvpe_fn)dlsym(RTLD_NEXT, "execvpe");
	next_spawn = (spawn_fn)dlsym(RTLD_NEXT, "posix_spawn");
	next_spawnp = (spawn_fn)dlsym(RTLD_NEXT, "posix_spawnp");
	thread_self.internal--;
}

// Whether the loader named in the program's PT_INTERP is musl's.
static bool loader_is_musl(int fd, const Elf64_Ehdr *eh)
{
	char loader[64];
	Elf64_Phdr ph;

	for (unsigned i = 0; i < eh->e_phnum && i < 64; i++) {
		if (sys(SYS_pread64, fd, &ph, sizeof(ph), eh->e_phoff + i * sizeof(ph)) !=
		    sizeof(ph))
			return false;
		if (ph.p_type != PT_INTERP)
			continue;
		long n = sys(SYS_pread64, fd, loader, sizeof(loader) - 1, ph.p_offset);
		loader[n > 0 ? n : 0] = 0;
		return strstr(loader, "musl");
	}
	return false;
}

// The interpreter of a script, cut out of its first line; NULL: it is none.
static char *interpreter(char *head)
{
	char *name = head + 2;

	if (memcmp(head, "#!", 2))
		return NULL;
	name += strspn(name, " \t");
	name[strcspn(name, " \t\n")] = 0;
	return name;
}

static bool refuses_us(const char *path)
{
	union {
		Elf64_Ehdr elf;
		char text[HEAD];
	} head;

	for (int i = 0; path && i <= INTERPRETERS; i++) {
		long fd = sys(SYS_open, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		if (fd < 0)
			return false;
		long n = sys(SYS_pread64, fd, head.text, HEAD - 1, 0);
		bool elf = n >= (long)sizeof(Elf32_Ehdr) && !memcmp(head.text, ELFMAG, SELFMAG);
		bool bits32 = elf && head.elf.e_ident[EI_CLASS] == ELFCLASS32;
		bool musl = elf && !bits32 && loader_is_musl((int)fd, &head.elf);
		sys(SYS_close, fd);
		if (elf || n < 3)
			return bits32 || musl;
		head.text[n] = 0;
		path = interpreter(head.text);
	}
	return false;
}

static bool is_ours(const char *entry, size_t len)
{
	static const char name[] = "libkalloscope.so";
	size_t n = sizeof(name) - 1;

	return len >= n && !memcmp(entry + len - n, name, n) &&
	       (len == n || entry[len - n - 1] == '/');
}

// The entry of LD_PRELOAD in an environment; NULL: none, or we are not in it. *count: all entries.
static char *const *find_preload(char *const *env, size_t *count)
{
	static const char name[] = "LD_PRELOAD=";
	char *const *found = NULL;

	for (*count = 0; env && env[*count]; ++*count)
		if (!strncmp(env[*count], name, sizeof(name) - 1))
			found = env + *count;
	return found && strstr(*found, "libkalloscope.so") ? found : NULL;
}

// LD_PRELOAD without us, into `to`, which has room for as much. False: nothing is left of it.
static bool strip(const char *from, char *to)
{
	size_t name = strlen("LD_PRELOAD="), at = name;

	memcpy(to, from, name);
	for (from += name; *from;) {
		size_t len = strcspn(from, " :");
		if (len && !is_ours(from, len)) {
			if (at > name)
				to[at++] = ':';
			memcpy(to + at, from, len);
			at += len;
		}
		from += len + (from[len] != 0);
	}
	to[at] = 0;
	return at > name;
}

static size_t room_for(char *const *env)
{
	size_t count;
	char *const *preload = find_preload(env, &count);

	if (!preload || count > ENV_MAX)
		return 0;
	return (count + 1) * sizeof(*env) + strlen(*preload) + 1;
}

// The environment without us, into `room` of room_for() bytes.
static char **without_us(char *const *env, void *room)
{
	size_t count, n = 0;
	char *const *preload = find_preload(env, &count);
	char **to = room, *text = (char *)(to + count + 1);

	for (size_t i = 0; i < count; i++)
		if (env + i != preload)
			to[n++] = env[i];
		else if (strip(*preload, text))
			to[n++] = text;
	to[n] = NULL;
	return to;
}

// `env` for the program at `path`: itself, or a copy without us on the caller's stack.
#define ENV_FOR(path, env)                                                                         \
	({                                                                                         \
		char *const *env_ = (env);                                                         \
		size_t room_ = !capture_no_syscalls && refuses_us(path) ? room_for(env_) : 0;      \
		room_ ? without_us(env_, alloca(room_)) : env_;                                    \
	})

// The file execvp would find, into `path`; `name` itself when there is a slash in it.
static const char *search(const char *name, char path[PATH_ROOM])
{
	const char *p = getenv("PATH");
	size_t len = strlen(name);

	if (strchr(name, '/'))
		return name;
	for (p = p ? p : "/bin:/usr/bin";; p++) {
		size_t n = strcspn(p, ":");
		if (n + len + 2 <= PATH_ROOM) {
			memcpy(path, p, n);
			path[n] = '/';
			memcpy(path + n + (n != 0), name, len + 1);
			if (!sys(SYS_access, path, 1 /* X_OK */))
				return path;
		}
		p += n;
		if (!*p)
			return NULL;
	}
}

EXPORT int execve(const char *path, char *const argv[], char *const env[])
{
	char *const *given = ENV_FOR(path, env);
	long failed = sys(SYS_execve, path, argv, given);

	errno = (int)-failed;
	return -1;
}

EXPORT int execv(const char *path, char *const argv[])
{
	return execve(path, argv, environ);
}

EXPORT int execvpe(const char *name, char *const argv[], char *const env[])
{
	char path[PATH_ROOM];

	if (!next_execvpe)
		exec_init();
	char *const *given = ENV_FOR(search(name, path), env);
	return next_execvpe(name, argv, given);
}

EXPORT int execvp(const char *name, char *const argv[])
{
	return execvpe(name, argv, environ);
}

// The arguments of an execl, from `first` to NULL, on the caller's stack; `ap` ends behind them.
#define ARGUMENTS(ap, first)                                                                       \
	({                                                                                         \
		va_list count_;                                                                    \
		size_t n_ = 1;                                                                     \
		va_copy(count_, ap);                                                               \
		for (const char *a_ = (first); a_; n_++)                                           \
			a_ = va_arg(count_, const char *);                                         \
		va_end(count_);                                                                    \
		char **list_ = alloca(n_ * sizeof(*list_));                                        \
		list_[0] = (char *)(first);                                                        \
		for (size_t i_ = 1; i_ < n_; i_++)                                                 \
			list_[i_] = va_arg(ap, char *);                                            \
		list_;                                                                             \
	})

EXPORT int execl(const char *path, const char *first, ...)
{
	va_list ap;

	va_start(ap, first);
	char **argv = ARGUMENTS(ap, first);
	va_end(ap);
	return execve(path, argv, environ);
}

EXPORT int execle(const char *path, const char *first, ...)
{
	va_list ap;

	va_start(ap, first);
	char **argv = ARGUMENTS(ap, first);
	char *const *env = va_arg(ap, char *const *);
	va_end(ap);
	return execve(path, argv, env);
}

EXPORT int execlp(const char *name, const char *first, ...)
{
	va_list ap;

	va_start(ap, first);
	char **argv = ARGUMENTS(ap, first);
	va_end(ap);
	return execvpe(name, argv, environ);
}

EXPORT int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
		       const posix_spawnattr_t *attributes, char *const argv[], char *const env[])
{
	if (!next_spawn)
		exec_init();
	char *const *given = ENV_FOR(path, env);
	return next_spawn(pid, path, actions, attributes, argv, given);
}

EXPORT int posix_spawnp(pid_t *pid, const char *name, const posix_spawn_file_actions_t *actions,
			const posix_spawnattr_t *attributes, char *const argv[], char *const env[])
{
	char path[PATH_ROOM];

	if (!next_spawnp)
		exec_init();
	char *const *given = ENV_FOR(search(name, path), env);
	return next_spawnp(pid, name, actions, attributes, argv, given);
}
