// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// What the simulation does not serve: glibc's own allocator, under the names it keeps for itself.
#include "host.h"

#include <errno.h>
#include <stdint.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t size);
extern void *__libc_memalign(size_t align, size_t size);
extern void __libc_free(void *p);

void *host_alloc(size_t size, size_t align, bool zero)
{
	if (align > 16) {
		void *p = __libc_memalign(align, size);
		if (p && zero)
			__builtin_memset(p, 0, size);
		return p;
	}
	return zero ? __libc_calloc(1, size) : __libc_malloc(size);
}

void *host_realloc(void *p, size_t size)
{
	return __libc_realloc(p, size);
}

void host_free(void *p)
{
	int saved = errno;

	__libc_free(p);
	errno = saved;
}

// The word before a glibc chunk is its size and three flags; a mapped chunk has one word more in
// front and none borrowed from its successor.
size_t host_usable(const void *p)
{
	size_t word = ((const size_t *)p)[-1], size = word & ~(size_t)7;

	return size - (word & 2 ? 2 * sizeof(size_t) : sizeof(size_t));
}
