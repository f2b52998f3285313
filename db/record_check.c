// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Checks of a program before it is recorded. The loader ignores a library it cannot or must not
// preload without telling anybody, so what can be known beforehand is said beforehand.
#include "record_check.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "exit_status.h"

enum {
	MAX_INTERPRETERS = 4
}; // as many as Linux follows

static int refuse(struct program_check *c, int status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static int refuse(struct program_check *c, int status, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(c->err, sizeof(c->err), fmt, ap);
	va_end(ap);
	return status;
}

// What execve would accept, permissions of the file itself aside.
static bool runnable(const char *path)
{
	struct stat st;
	return !stat(path, &st) && S_ISREG(st.st_mode) && !access(path, X_OK);
}

// As execvp searches: the first executable file; EACCES when there were only others.
static int search_path(const char *program, char *path)
{
	const char *p = getenv("PATH");
	int err = ENOENT;
	for (p = p ? p : "/bin:/usr/bin"; p; p = strchr(p, ':') ? strchr(p, ':') + 1 : NULL) {
		int n = (int)strcspn(p, ":");
		int len = snprintf(path, PATH_MAX, "%.*s%s%s", n, p, n ? "/" : "", program);
		if (len < PATH_MAX && runnable(path))
			return 0;
		if (len < PATH_MAX && !access(path, F_OK))
			err = EACCES;
	}
	return err;
}

// As a shell would find it, with a shell's exit statuses for what goes wrong.
static int find_program(const char *program, struct program_check *c)
{
	struct stat st;
	if (!strchr(program, '/')) {
		int err = *program ? search_path(program, c->path) : ENOENT;
		if (err == EACCES)
			return refuse(c, EXIT_CANNOT_RUN, "%s: not executable", program);
		return err ? refuse(c, EXIT_NOT_FOUND, "%s: not found in PATH", program) : 0;
	}
	if (snprintf(c->path, sizeof(c->path), "%s", program) >= (int)sizeof(c->path))
		return refuse(c, EXIT_NOT_FOUND, "the program's path is too long");
	if (stat(program, &st))
		return refuse(
			c, errno == ENOENT || errno == ENOTDIR ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN,
			"%s: %s", program, errno == ENOENT ? "not found" : strerror(errno));
	if (S_ISDIR(st.st_mode))
		return refuse(c, EXIT_CANNOT_RUN, "%s: is a folder", program);
	if (!runnable(program))
		return refuse(c, EXIT_CANNOT_RUN, "%s: not executable", program);
	return 0;
}

// A program that gains privileges is started in the loader's secure mode.
static int check_privileges(int fd, const char *path, struct program_check *c)
{
	struct stat st;
	const char *what = NULL;
	if (fstat(fd, &st))
		return 0;
	if (st.st_mode & S_ISUID && st.st_uid != geteuid())
		what = "set-user-ID";
	else if (st.st_mode & S_ISGID && st.st_gid != getegid())
		what = "set-group-ID";
	else if (geteuid() && fgetxattr(fd, "security.capability", NULL, 0) > 0)
		what = "given file capabilities";
	if (!what)
		return 0;
	return refuse(
		c, EXIT_RECORD,
		"%s is %s: the loader ignores LD_PRELOAD for it; run it as its owner, or record a "
		"copy without the privilege",
		path, what);
}

// The program interpreter (the loader) of an ELF file into interp; false: it has none.
static bool elf_interpreter(int fd, const Elf64_Ehdr *eh, char *interp, size_t size)
{
	Elf64_Phdr ph;
	for (int i = 0; i < eh->e_phnum; i++) {
		off_t at = (off_t)(eh->e_phoff + (uint64_t)i * sizeof(ph));
		if (pread(fd, &ph, sizeof(ph), at) != sizeof(ph))
			return false;
		if (ph.p_type != PT_INTERP)
			continue;
		size_t n = ph.p_filesz < size ? ph.p_filesz : size - 1;
		ssize_t got = pread(fd, interp, n, (off_t)ph.p_offset);
		interp[got > 0 ? got : 0] = 0;
		return true;
	}
	return false;
}

static bool is_sanitizer(const char *library)
{
	return !strncmp(library, "libasan.", 8) || !strncmp(library, "libtsan.", 8) ||
	       !strncmp(library, "liblsan.", 8);
}

// The sanitizer's runtime among the libraries a dynamic section needs; NULL: none.
static const char *sanitizer_in(Elf *e, Elf_Scn *scn)
{
	Elf_Data *data = elf_getdata(scn, NULL);
	GElf_Shdr sh;
	GElf_Dyn dyn;
	if (!data || !gelf_getshdr(scn, &sh) || sh.sh_type != SHT_DYNAMIC)
		return NULL;
	for (int i = 0; gelf_getdyn(data, i, &dyn) && dyn.d_tag != DT_NULL; i++) {
		if (dyn.d_tag != DT_NEEDED)
			continue;
		const char *name = elf_strptr(e, sh.sh_link, dyn.d_un.d_val);
		if (name && is_sanitizer(name))
			return name;
	}
	return NULL;
}

// Such a runtime insists on being loaded first, and ends the program when it is not.
static bool needs_sanitizer(int fd, char *library, size_t size)
{
	Elf *e = elf_version(EV_CURRENT) ? elf_begin(fd, ELF_C_READ, NULL) : NULL;
	const char *name = NULL;
	for (Elf_Scn *scn = NULL; e && !name && (scn = elf_nextscn(e, scn));)
		name = sanitizer_in(e, scn);
	if (name)
		snprintf(library, size, "%s", name);
	elf_end(e);
	return name;
}

// In the order in which a reason is most useful to be told.
static int check_elf(int fd, const char *path, struct program_check *c)
{
	Elf64_Ehdr eh = {0};
	char interp[256];
	if (pread(fd, &eh, sizeof(eh), 0) < (ssize_t)sizeof(Elf32_Ehdr))
		return refuse(c, EXIT_CANNOT_RUN, "%s: damaged executable", path);
	if (eh.e_ident[EI_CLASS] == ELFCLASS32)
		return refuse(c, EXIT_RECORD,
			      "%s is a 32-bit program; only 64-bit ones can be recorded", path);
	if (eh.e_machine != EM_X86_64)
		return refuse(c, EXIT_RECORD, "%s is for another kind of processor", path);
	if (!elf_interpreter(fd, &eh, interp, sizeof(interp)))
		return refuse(
			c, EXIT_RECORD,
			"%s is statically linked: no library can be preloaded into it; link it "
			"dynamically to record it",
			path);
	if (strstr(interp, "musl"))
		return refuse(c, EXIT_RECORD, "%s is linked with musl; the library needs glibc",
			      path);
	if (needs_sanitizer(fd, interp, sizeof(interp)))
		return refuse(
			c, EXIT_RECORD,
			"%s is built with a sanitizer (%s), which brings an allocator of its own",
			path, interp);
	return check_privileges(fd, path, c);
}

static int check_file(const char *path, struct program_check *c, int depth);

// "#!interpreter argument": what runs is the interpreter, or the program env(1) is told to find.
static int check_script(char *line, const char *path, struct program_check *c, int depth)
{
	struct program_check inner;
	char *save, *interp = strtok_r(line + 2, " \t\r\n", &save);
	char *arg = interp ? strtok_r(NULL, " \t\r\n", &save) : NULL;
	if (!interp || depth == MAX_INTERPRETERS)
		return refuse(c, EXIT_CANNOT_RUN, "%s: bad interpreter line", path);
	if (access(interp, X_OK))
		return refuse(c, access(interp, F_OK) ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN,
			      "%s: its interpreter %s cannot be run: %s", path, interp,
			      strerror(errno));
	const char *base = strrchr(interp, '/');
	if (arg && *arg != '-' && !strcmp(base ? base + 1 : interp, "env") &&
	    !search_path(arg, inner.path))
		interp = inner.path;
	int status = check_file(interp, &inner, depth + 1);
	if (status)
		refuse(c, status, "%s: %.300s", path, inner.err);
	return status;
}

static int check_file(const char *path, struct program_check *c, int depth)
{
	char head[256];
	int fd = open(path, O_RDONLY | O_CLOEXEC), status = 0;
	if (fd < 0) // executable but not readable: nothing to be learned
		return 0;
	ssize_t n = read(fd, head, sizeof(head) - 1);
	head[n > 0 ? n : 0] = 0;
	if (n >= 4 && !memcmp(head, ELFMAG, 4)) {
		status = check_elf(fd, path, c);
	} else if (n >= 2 && !memcmp(head, "#!", 2)) {
		head[strcspn(head, "\n")] = 0;
		status = check_script(head, path, c, depth);
	} // anything else is run by /bin/sh, as shells do
	close(fd);
	return status;
}

int program_check(const char *program, struct program_check *c)
{
	int status = find_program(program, c);
	return status ? status : check_file(c->path, c, 0);
}
