// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// A bare LD_PRELOAD: the library starts the recorder itself.
//
//   program ── clone, no exit signal ──► helper: setsid ── clone ──► recorder (execve)
//      │ reaps the helper at once             exits at once           writes the path of the
//      ◄──────────────────────── pipe ────────────────────────────── rings file
//
// The recorder is nobody's child, holds no file of the program's but, until it has answered, stderr
// for its complaints (so `program | cat` ends), and is not preloaded into. The program never sees any of it in wait(), whatever it waits for.
#include "capture.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

enum {
	ANSWER_MS = 5000,
	PIPE_FD = 3
};

extern char **environ;

static bool is_program(const char *path)
{
	int fd = (int)sys(SYS_open, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		sys(SYS_close, fd);
	return fd < 0 && !sys(SYS_access, path, 1 /* X_OK */);
}

// DIR/kalloscope or DIR/bin/kalloscope for a directory above this library: the build tree, and
// every way to install it.
static bool find_program(char *path)
{
	struct dl_find_object obj;
	size_t len;

	if (_dl_find_object((void *)find_program, &obj))
		return false;
	len = strlen(obj.dlfo_link_map->l_name);
	if (!len || len > PATH_MAX - 32)
		return false;
	memcpy(path, obj.dlfo_link_map->l_name, len + 1);
	while (len) {
		while (len && path[len - 1] != '/')
			len--;
		strcpy(path + len, "kalloscope");
		if (is_program(path))
			return true;
		strcpy(path + len, "bin/kalloscope");
		if (is_program(path))
			return true;
		while (len && path[len - 1] == '/')
			len--;
	}
	return false;
}

static void close_from(unsigned first)
{
	struct rlimit lim = {1024, 1024};

	if (!sys(SYS_close_range, first, ~0u, 0))
		return;
	sys(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &lim);
	for (unsigned fd = first; fd < lim.rlim_cur && fd < 1u << 20; fd++)
		sys(SYS_close, fd);
}

static bool is_variable(const char *entry, const char *name)
{
	size_t len = strlen(name);

	return !strncmp(entry, name, len) && entry[len] == '=';
}

static unsigned count(char **list)
{
	unsigned n = 0;

	while (list[n])
		n++;
	return n;
}

static void *own_pages(size_t size)
{
	long map = sys(SYS_mmap, NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);

	return map < 0 && map > -4096 ? NULL : (void *)map;
}

static _Noreturn void become_recorder(const char *program, const char *pid, int fd)
{
	static char *argv[] = {"kalloscope", "recorder", "--bare", "--pid",
			       NULL,	     "--fd",	 "3",	   NULL};
	char **from = start_argv() + *((long *)start_argv() - 1) + 1, **env;
	uint64_t none = 0;
	unsigned n = 0;

	argv[4] = (char *)pid;
	env = own_pages((count(from) + 1) * sizeof(*env));
	for (; env && *from; from++)
		if (!is_variable(*from, "LD_PRELOAD"))
			env[n++] = *from;
	sys(SYS_dup2, fd, 63);
	for (int i = 0; i < 2; i++) {
		int null = (int)sys(SYS_open, "/dev/null", O_RDWR);
		sys(SYS_dup2, null, i);
		if (null > i)
			sys(SYS_close, null);
	}
	sys(SYS_dup2, 63, PIPE_FD);
	close_from(PIPE_FD + 1);
	sys(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof(none));
	if (env)
		sys(SYS_execve, program, argv, env);
	sys(SYS_exit_group, 127);
	__builtin_unreachable();
}

static long copy_process(void)
{
	return sys(SYS_clone, 0, 0, 0, 0, 0); // no exit signal
}

static bool start_recorder(const char *program, const char *pid, int fd)
{
	long helper = copy_process(), done;

	if (helper == 0) {
		sys(SYS_setsid);
		if (copy_process() == 0)
			become_recorder(program, pid, fd);
		sys(SYS_exit_group, 0);
	}
	if (helper < 0)
		return false;
	do
		done = sys(SYS_wait4, helper, NULL, __WCLONE, NULL);
	while (done == -4 /* EINTR */);
	return true;
}

// What the recorder answers: up to a newline, or until it closes the pipe.
static bool read_answer(int fd, char *path, size_t size)
{
	uint64_t until = clock_now_ns() + ANSWER_MS * 1000000ull;
	size_t n = 0;

	for (;;) {
		struct pollfd p = {fd, POLLIN, 0};
		uint64_t now = clock_now_ns();
		long got;

		if (n == size || now >= until)
			return false;
		if (sys(SYS_poll, &p, 1, (until - now) / 1000000 + 1) < 0)
			continue;
		got = sys(SYS_read, fd, path + n, size - n);
		if (got < 0)
			continue;
		n += (size_t)got;
		if (got && path[n - 1] != '\n')
			continue;
		n -= got != 0;
		if (n < size)
			path[n] = 0;
		return n && n < size;
	}
}

static const char *pid_text(char *end)
{
	long pid = sys(SYS_getpid);

	*--end = 0;
	do
		*--end = (char)('0' + pid % 10);
	while (pid /= 10);
	return end;
}

bool bare_start(char *path, size_t size)
{
	char program[PATH_MAX], pid[16];
	int fd[2];
	bool ok;

	if (!find_program(program)) {
		warn("cannot find the kalloscope program near the library: nothing is recorded");
		return false;
	}
	if (sys(SYS_pipe2, fd, O_CLOEXEC)) {
		warn("cannot make a pipe to the recorder: nothing is recorded");
		return false;
	}
	ok = start_recorder(program, pid_text(pid + sizeof(pid)), fd[1]);
	sys(SYS_close, fd[1]);
	ok = ok && read_answer(fd[0], path, size);
	sys(SYS_close, fd[0]);
	if (!ok)
		warn("the recorder did not start: nothing is recorded");
	return ok;
}

void bare_export(const char *path)
{
	unsigned n = count(environ);
	size_t name = sizeof(SESSION_ENV), len = strlen(path) + 1;
	char **list = own_pages((n + 2) * sizeof(*list) + name + len), *entry;

	if (!list)
		return;
	entry = (char *)(list + n + 2);
	memcpy(entry, SESSION_ENV "=", name);
	memcpy(entry + name, path, len);
	memcpy(list, environ, n * sizeof(*list));
	list[n] = entry;
	environ = list;
}
