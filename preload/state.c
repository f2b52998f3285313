// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The machine's final state, for the recorder to compare with its own (--dump-state).
//
// The machine lives in <session folder>/state.<process>, a sparse file mapped shared. So whatever
// ends the process, exit, _exit, exec or a signal, the file holds what the machine was then. A
// forked child gets a file of its own, filled from a copy made while every lock was held.
//
// The page behind it is that of the CPUs' locks: one still taken means that the process ended within
// a call, whose steps may have been made and not recorded.
#include "state.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "capture.h"
#include "cpu.h"

static bool shared;  // process.machine is such a file
static char *copy;   // of the machine, between fork's handlers
static size_t bytes; // of the machine

static bool failed(long ret)
{
	return ret < 0 && ret > -4096;
}

static int state_create(void)
{
	char path[4096], name[6 + 12] = "state.", *end = name + sizeof(name) - 1, *d = end;

	for (uint32_t n = process.slot->process; n || d == end; n /= 10)
		*--d = '0' + n % 10;
	memmove(name + 6, d, end - d + 1);
	if (!session_file(path, sizeof(path), name))
		return -1;
	return (int)sys(SYS_open, path, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
}

_Static_assert(sizeof(cpu_word) == SESSION_LOCKS_BYTES, "mapped as a whole");

static bool locks_map(int fd, uint64_t offset)
{
	return !failed(sys(SYS_mmap, cpu_word, sizeof(cpu_word), PROT_READ | PROT_WRITE,
			   MAP_FIXED | (fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED), fd,
			   offset));
}

void state_locks_leave(void)
{
	if (shared)
		locks_map(-1, 0);
}

// at: NULL or what is to be replaced. NULL: not possible, nothing is changed.
static void *file_map(void *at)
{
	struct rlimit size = {RLIM_INFINITY, RLIM_INFINITY};
	uint64_t locks;
	long map = -1;
	int fd;

	sys(SYS_prlimit64, 0, RLIMIT_FSIZE, NULL, &size); // making it longer would end the program
	locks = session_state_locks(bytes);
	fd = process.slot && size.rlim_cur >= locks + sizeof(cpu_word) ? state_create() : -1;
	if (fd < 0)
		return NULL;
	if (!sys(SYS_ftruncate, fd, locks + sizeof(cpu_word)) && locks_map(fd, locks))
		map = sys(SYS_mmap, at, bytes, PROT_READ | PROT_WRITE,
			  MAP_SHARED | (at ? MAP_FIXED : 0), fd, 0);
	sys(SYS_close, fd);
	if (failed(map))
		locks_map(-1, 0);
	return failed(map) ? NULL : (void *)map;
}

void *state_map(size_t size)
{
	void *map;

	bytes = size;
	if (!(process.opt.flags & SESSION_DUMP_STATE))
		return NULL;
	map = file_map(NULL);
	shared = map;
	return map;
}

bool state_shared(void)
{
	return shared;
}

static bool page_is_zero(const uint64_t *p)
{
	for (unsigned i = 0; i < PAGE_SIZE / sizeof(*p); i++)
		if (p[i])
			return false;
	return true;
}

// Only what the host has pages for can differ from zero; mincore says so without touching it.
static void copy_present(char *to, const char *from)
{
	enum {
		RUN = 4096
	};
	unsigned char present[RUN];

	for (size_t at = 0; at < bytes; at += (size_t)RUN * PAGE_SIZE) {
		size_t left = (bytes - at + PAGE_SIZE - 1) / PAGE_SIZE, n = left < RUN ? left : RUN;
		if (sys(SYS_mincore, from + at, n * PAGE_SIZE, present))
			memset(present, 1, n);
		for (size_t i = 0; i < n; i++) {
			const char *page = from + at + i * PAGE_SIZE;
			if ((present[i] & 1) && !page_is_zero((const void *)page))
				memcpy(to + at + i * PAGE_SIZE, page, PAGE_SIZE);
		}
	}
}

void state_fork_prepare(void)
{
	long map;

	copy = NULL;
	if (!shared)
		return;
	map = sys(SYS_mmap, NULL, bytes, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (failed(map))
		return;
	copy = (char *)map;
	copy_present(copy, process.machine);
}

void state_fork_parent(void)
{
	if (copy)
		sys(SYS_munmap, copy, bytes);
	copy = NULL;
}

// Without a file the copy itself becomes the machine; without a copy there is none to go on with.
void state_fork_child(void)
{
	if (!shared)
		return;
	if (!copy) {
		atomic_store(&process.mode, MODE_PASSIVE);
		return;
	}
	shared = file_map(process.machine);
	if (shared) {
		copy_present(process.machine, copy);
		sys(SYS_munmap, copy, bytes);
	} else {
		sys(SYS_mremap, copy, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, process.machine);
	}
	copy = NULL;
}
