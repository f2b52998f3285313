// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Mapped files: the host maps them; the machine accounts what of a file was resident when a
// mapping went, as page cache from highmem, filled through kmap_atomic, first to be reclaimed.
//
// A file is accounted once however often it is mapped: only what exceeds its pages so far is added.
//
// Reading takes a bio for each run of pages, after the pages themselves: these may have been the last
// memory there was. So bios come from a mempool, whose reserve is made with the process.
#include <stdatomic.h>
#include <sys/stat.h>

#include "../core/mempool.h"
#include "capture.h"
#include "map.h"
#include "sys.h"

enum {
	FILE_MAPS = 512, // more are mapped without being accounted
	FILES = 1024,
	MINCORE_RUN = 512, // pages asked about at once
	ADD_RUN = 256,
	PATIENCE = 1 << 12,
	BIO_SIZE = 128, // with its four page vectors, in the 3.4.113 of the captures
	BIO_RESERVE = 2,
};

static struct {
	uintptr_t start, end; // 0: unused
	uint64_t file;
} maps[FILE_MAPS];
static struct {
	uint64_t file;
	uint32_t pages; // accounted
} files[FILES];
static atomic_flag busy = ATOMIC_FLAG_INIT; // guards both
static struct mempool bios;		    // min_nr 0: there is none

static bool take(void)
{
	for (unsigned i = 0; i < PATIENCE; i++) {
		if (!atomic_flag_test_and_set_explicit(&busy, memory_order_acquire))
			return true;
		__builtin_ia32_pause();
	}
	return false; // better not accounted than stuck
}

static void give(void)
{
	atomic_flag_clear_explicit(&busy, memory_order_release);
}

void file_mapped(uintptr_t start, size_t len, int fd)
{
	struct stat st;

	if (capture_no_syscalls || sys(SYS_fstat, fd, &st) || !S_ISREG(st.st_mode) || !take())
		return;
	for (unsigned i = 0; i < FILE_MAPS; i++)
		if (!maps[i].start) {
			maps[i].start = start;
			maps[i].end = (start + len + PAGE_SIZE - 1) & -(uintptr_t)PAGE_SIZE;
			maps[i].file = (st.st_dev * 0x9E3779B97F4A7C15ull ^ st.st_ino) | 1;
			break;
		}
	give();
}

static uint32_t resident(uintptr_t start, uintptr_t end)
{
	unsigned char vec[MINCORE_RUN];
	uint32_t sum = 0;

	for (uintptr_t p = start; p < end;) {
		size_t pages = (end - p) >> PAGE_SHIFT < MINCORE_RUN ? (end - p) >> PAGE_SHIFT
								     : MINCORE_RUN;
		if (!pages || sys(SYS_mincore, p, pages << PAGE_SHIFT, vec))
			break;
		for (size_t i = 0; i < pages; i++)
			sum += vec[i] & 1;
		p += pages << PAGE_SHIFT;
	}
	return sum;
}

// What of `pages` is new for this file; remembers it.
static uint32_t account(uint64_t file, uint32_t pages)
{
	for (unsigned i = 0, at = (file >> 8) % FILES; i < 16; i++, at = (at + 1) % FILES) {
		if (files[at].file && files[at].file != file)
			continue;
		uint32_t old = files[at].file ? files[at].pages : 0;
		files[at].file = file;
		if (pages > old)
			files[at].pages = pages;
		return pages > old ? pages - old : 0;
	}
	return 0;
}

// Cut off [start, end) from a mapping; one that loses its middle keeps only its first part.
static void map_cut(unsigned i, uintptr_t start, uintptr_t end)
{
	if (start > maps[i].start)
		maps[i].end = start;
	else if (end < maps[i].end)
		maps[i].start = end;
	else
		maps[i].start = 0;
}

uint32_t file_unmapping(uintptr_t start, size_t len)
{
	uintptr_t end = len > UINTPTR_MAX - PAGE_SIZE - start ? UINTPTR_MAX : start + len;
	uint32_t fresh = 0;

	end = (end + PAGE_SIZE - 1 < end ? end : end + PAGE_SIZE - 1) & -(uintptr_t)PAGE_SIZE;
	if (start & (PAGE_SIZE - 1) || !len || capture_no_syscalls || !take())
		return 0;
	for (unsigned i = 0; i < FILE_MAPS; i++) {
		uintptr_t lo = maps[i].start > start ? maps[i].start : start;
		uintptr_t hi = maps[i].end < end ? maps[i].end : end;
		if (!maps[i].start || lo >= hi)
			continue;
		fresh += account(maps[i].file, resident(lo, hi));
		map_cut(i, start, end);
	}
	give();
	return fresh;
}

void file_reserve_make(struct machine *m)
{
	unsigned cache = kmem_cache_create(m, "bio-0", BIO_SIZE, 0, SLAB_HWCACHE_ALIGN);

	if (cache && mempool_create(m, &bios, BIO_RESERVE, &mempool_slab, cache))
		kmem_cache_destroy(m, cache);
}

// The bio lives until the pages are there, which the host has seen to already.
static void file_read(struct machine *m)
{
	if (bios.min_nr)
		mempool_free(m, &bios, &mempool_slab,
			     mempool_alloc(m, &bios, &mempool_slab, GFP_KERNEL));
}

void file_pages_add(struct machine *m, uint32_t pages)
{
	pfn_t pfns[ADD_RUN];

	while (pages) {
		uint32_t want = pages < ADD_RUN ? pages : ADD_RUN;
		uint32_t got = page_cache_add(m, want, pfns);
		if (got)
			file_read(m);
		if (got < want)
			return;
		pages -= want;
	}
}
