// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Copying large blocks: pages the program never touched have no memory behind them, and a copy that
// reads and writes them would give it to them.
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "arena.h"
#include "capture.h"
#include "sys.h"

enum {
	CHUNK = 128,	  // pages asked about at a time; bounds the stack used
	POPULATE_MIN = 4, // pages; fewer are not worth a call
};
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#define HAS_MEMORY                                                                                 \
	(3ull << 62) // of an entry of pagemap: present or swapped out; runs are of equal bits

// What cannot be found out counts as memory.
static void look(int fd, const char *at, uint32_t pages, uint64_t *entry)
{
	long bytes = pages * (long)sizeof(*entry);

	if (sys(SYS_pread64, fd, entry, bytes, (uintptr_t)at / PAGE_SIZE * sizeof(*entry)) != bytes)
		memset(entry, 0xFF, (size_t)bytes);
}

// One call for many page faults. An older kernel refuses it, and then they come one by one.
static void populate(char *to, uint32_t pages)
{
	if (pages >= POPULATE_MIN && !((uintptr_t)to % PAGE_SIZE))
		sys(SYS_madvise, to, (size_t)pages * PAGE_SIZE, MADV_POPULATE_WRITE);
}

static void copy_chunk(int fd, char *to, const char *from, size_t bytes, bool zero)
{
	uint32_t pages = (uint32_t)((bytes + PAGE_SIZE - 1) / PAGE_SIZE);
	uint64_t has[CHUNK], had[CHUNK] = {0};

	look(fd, from, pages, has);
	if (!zero)
		look(fd, to, pages, had);
	for (uint32_t i = 0, n; i < pages; i += n) {
		size_t at = (size_t)i * PAGE_SIZE, run;

		for (n = 1; i + n < pages && !((has[i + n] ^ has[i]) & HAS_MEMORY) &&
			    !((had[i + n] ^ had[i]) & HAS_MEMORY);)
			n++;
		run = bytes - at < (size_t)n * PAGE_SIZE ? bytes - at : (size_t)n * PAGE_SIZE;
		if (has[i] & HAS_MEMORY) {
			if (!(had[i] & HAS_MEMORY))
				populate(to + at, n);
			memcpy(to + at, from + at, run);
		} else if (had[i] & HAS_MEMORY) {
			memset(to + at, 0, run);
		}
	}
}

void arena_copy(void *to, kaddr_t from, size_t bytes, bool zero)
{
	bool aligned = !(from % PAGE_SIZE) && (zero || !((uintptr_t)to % PAGE_SIZE));
	int fd = -1;

	if (bytes >= SPARSE_MIN && aligned && !capture_no_syscalls)
		fd = (int)sys(SYS_open, "/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		memcpy(to, to_host(from), bytes);
		return;
	}
	for (size_t at = 0, n; at < bytes; at += n) {
		n = bytes - at < (size_t)CHUNK * PAGE_SIZE ? bytes - at : (size_t)CHUNK * PAGE_SIZE;
		copy_chunk(fd, (char *)to + at, (char *)to_host(from) + at, n, zero);
	}
	sys(SYS_close, fd);
}
