// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// An independent witness: counts allocation calls of a process tree and changes nothing.
//
// LD_PRELOAD=libcount.so COUNT_FILE=path program: adds to the uint64_t counters in the file, which
// all processes share. Never allocates; hands on to glibc's own entry points. Prints nothing:
// `count_print path` shows the figures.
#undef _FILE_OFFSET_BITS // it renames mmap to mmap64, and both are defined here
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "count.h"

#define EXPORT __attribute__((visibility("default")))

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t align, size_t n);
void __libc_free(void *p);

static uint64_t early[COUNTERS]; // calls made before the file could be found
static uint64_t *counters;	 // NULL: not mapped yet; early: no file

static void find_counters(void)
{
	extern char **environ;
	const char *path = environ ? getenv("COUNT_FILE") : NULL;
	if (!environ)
		return;
	counters = early;
	int fd = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC) : -1;
	if (fd < 0)
		return;
	void *map = (void *)syscall(SYS_mmap, NULL, sizeof(early), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	syscall(SYS_close, fd);
	if (map == MAP_FAILED)
		return;
	counters = map;
	for (int i = 0; i < COUNTERS; i++)
		__atomic_fetch_add(&counters[i], early[i], __ATOMIC_RELAXED);
}

static void count(enum counter which)
{
	int saved = errno;
	if (!counters)
		find_counters();
	__atomic_fetch_add(counters ? &counters[which] : &early[which], 1, __ATOMIC_RELAXED);
	errno = saved;
}

EXPORT void *malloc(size_t n)
{
	count(COUNT_MALLOC);
	return __libc_malloc(n);
}

EXPORT void *calloc(size_t n, size_t size)
{
	count(COUNT_CALLOC);
	return __libc_calloc(n, size);
}

EXPORT void *realloc(void *p, size_t n)
{
	count(COUNT_REALLOC);
	return __libc_realloc(p, n);
}

EXPORT void *reallocarray(void *p, size_t n, size_t size)
{
	size_t bytes;
	count(COUNT_REALLOC);
	if (__builtin_mul_overflow(n, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return __libc_realloc(p, bytes);
}

EXPORT void free(void *p)
{
	count(p ? COUNT_FREE : COUNT_FREE_NULL);
	__libc_free(p);
}

EXPORT void *memalign(size_t align, size_t n)
{
	count(COUNT_MEMALIGN);
	return __libc_memalign(align, n);
}

EXPORT void *aligned_alloc(size_t align, size_t n)
{
	return memalign(align, n);
}

EXPORT int posix_memalign(void **out, size_t align, size_t n)
{
	void *p = memalign(align, n);
	if (!p)
		return ENOMEM;
	*out = p;
	return 0;
}

static void *result(long r)
{
	if (r < 0 && r > -4096) {
		errno = (int)-r;
		return MAP_FAILED;
	}
	return (void *)r;
}

EXPORT void *mmap(void *addr, size_t n, int prot, int flags, int fd, off_t off)
{
	count(COUNT_MMAP);
	return (void *)syscall(SYS_mmap, addr, n, prot, flags, fd, off);
}

EXPORT void *mmap64(void *addr, size_t n, int prot, int flags, int fd, off_t off)
{
	return mmap(addr, n, prot, flags, fd, off);
}

EXPORT int munmap(void *addr, size_t n)
{
	count(COUNT_MUNMAP);
	return (int)syscall(SYS_munmap, addr, n);
}

EXPORT void *mremap(void *old, size_t old_size, size_t new_size, int flags, ...)
{
	va_list ap;
	va_start(ap, flags);
	void *to = flags & MREMAP_FIXED ? va_arg(ap, void *) : NULL;
	va_end(ap);
	count(COUNT_MREMAP);
	return result(syscall(SYS_mremap, old, old_size, new_size, flags, to));
}

EXPORT int mprotect(void *addr, size_t n, int prot)
{
	count(COUNT_MPROTECT);
	return (int)syscall(SYS_mprotect, addr, n, prot);
}

EXPORT int madvise(void *addr, size_t n, int advice)
{
	count(COUNT_MADVISE);
	return (int)syscall(SYS_madvise, addr, n, advice);
}
