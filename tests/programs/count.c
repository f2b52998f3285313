// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// An independent witness: counts the allocation calls of a process tree and changes nothing.
//
// LD_PRELOAD=libcount.so:OTHER.so COUNT_FILE=path program: adds to the uint64_t counters in the
// file, which all processes share, and jumps to the next library's function (RTLD_NEXT). It leaves
// no frame of its own on the stack, so what is behind it sees the program's call. Never allocates.
#undef _FILE_OFFSET_BITS // it renames mmap to mmap64, and both are defined here
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "count.h"

#define EXPORT __attribute__((visibility("default")))

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

static __attribute__((noinline)) void count(enum counter which)
{
	int saved = errno;
	if (!counters)
		find_counters();
	__atomic_fetch_add(counters ? &counters[which] : &early[which], 1, __ATOMIC_RELAXED);
	errno = saved;
}

// A function NAME that counts and goes on to the next of that name.
#define PASS_ON(type, name, which, params, args) \
	EXPORT type count_##name params __asm__(#name); \
	EXPORT type count_##name params \
	{ \
		static type(*next) params; \
		if (!next) \
			*(void **)&next = dlsym(RTLD_NEXT, #name); \
		count(which); \
		return next args; \
	}

PASS_ON(void *, malloc, COUNT_MALLOC, (size_t n), (n))
PASS_ON(void *, calloc, COUNT_CALLOC, (size_t n, size_t size), (n, size))
PASS_ON(void *, realloc, COUNT_REALLOC, (void *p, size_t n), (p, n))
PASS_ON(void *, reallocarray, COUNT_REALLOC, (void *p, size_t n, size_t size), (p, n, size))
PASS_ON(void, free, p ? COUNT_FREE : COUNT_FREE_NULL, (void *p), (p))
PASS_ON(void *, memalign, COUNT_MEMALIGN, (size_t a, size_t n), (a, n))
PASS_ON(void *, aligned_alloc, COUNT_MEMALIGN, (size_t a, size_t n), (a, n))
PASS_ON(void *, valloc, COUNT_MEMALIGN, (size_t n), (n))
PASS_ON(void *, pvalloc, COUNT_MEMALIGN, (size_t n), (n))
PASS_ON(int, posix_memalign, COUNT_MEMALIGN, (void **p, size_t a, size_t n), (p, a, n))

PASS_ON(void *, mmap, COUNT_MMAP, (void *p, size_t n, int prot, int flags, int fd, off_t o), (p, n, prot, flags, fd, o))
PASS_ON(void *, mmap64, COUNT_MMAP, (void *p, size_t n, int prot, int flags, int fd, off_t o), (p, n, prot, flags, fd, o))
PASS_ON(int, munmap, COUNT_MUNMAP, (void *p, size_t n), (p, n))
PASS_ON(void *, mremap, COUNT_MREMAP, (void *p, size_t n, size_t m, int flags, void *to), (p, n, m, flags, to))
PASS_ON(int, mprotect, COUNT_MPROTECT, (void *p, size_t n, int prot), (p, n, prot))
PASS_ON(int, madvise, COUNT_MADVISE, (void *p, size_t n, int advice), (p, n, advice))

// operator new and delete, in the forms compilers emit
PASS_ON(void *, _Znwm, COUNT_MALLOC, (size_t n), (n))
PASS_ON(void *, _Znam, COUNT_MALLOC, (size_t n), (n))
PASS_ON(void *, _ZnwmRKSt9nothrow_t, COUNT_MALLOC, (size_t n, const void *t), (n, t))
PASS_ON(void *, _ZnamRKSt9nothrow_t, COUNT_MALLOC, (size_t n, const void *t), (n, t))
PASS_ON(void *, _ZnwmSt11align_val_t, COUNT_MEMALIGN, (size_t n, size_t a), (n, a))
PASS_ON(void *, _ZnamSt11align_val_t, COUNT_MEMALIGN, (size_t n, size_t a), (n, a))
PASS_ON(void, _ZdlPv, p ? COUNT_FREE : COUNT_FREE_NULL, (void *p), (p))
PASS_ON(void, _ZdaPv, p ? COUNT_FREE : COUNT_FREE_NULL, (void *p), (p))
PASS_ON(void, _ZdlPvm, p ? COUNT_FREE : COUNT_FREE_NULL, (void *p, size_t n), (p, n))
PASS_ON(void, _ZdaPvm, p ? COUNT_FREE : COUNT_FREE_NULL, (void *p, size_t n), (p, n))
PASS_ON(void, _ZdlPvSt11align_val_t, p ? COUNT_FREE : COUNT_FREE_NULL, (void *p, size_t a), (p, a))
PASS_ON(void, _ZdlPvmSt11align_val_t, p ? COUNT_FREE : COUNT_FREE_NULL, (void *p, size_t n, size_t a), (p, n, a))
