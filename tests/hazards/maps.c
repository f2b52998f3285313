// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// maps MODE: what programs do to mappings. After each step every page is asked whether it is there
// and whether it still holds what was written.
#include "hazard.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/uio.h>

enum {
	PAGE = 4096
};

// Without a fault: the kernel reads for us.
static bool readable(const char *p)
{
	char c;
	struct iovec to = {&c, 1}, from = {(void *)(uintptr_t)p, 1};

	return process_vm_readv(getpid(), &to, 1, &from, 1, 0) == 1;
}

static char *map(size_t pages, int flags)
{
	char *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	for (size_t i = 0; i < pages * PAGE; i += 512)
		CHECK(!p[i]);
	for (size_t i = 0; i < pages; i++)
		p[i * PAGE] = (char)(i + 1);
	return p;
}

// `there` has a letter for each page: its own, or '.' when it must be gone.
static void expect(const char *p, const char *there)
{
	for (size_t i = 0; there[i]; i++) {
		CHECK(readable(p + i * PAGE) == (there[i] != '.'));
		if (there[i] != '.')
			CHECK(p[i * PAGE] == (char)(i + 1));
	}
}

// Whole, head, tail, middle, one after the other, several at once, and across a hole.
static void unmaps_of(int flags)
{
	char *p = map(8, flags);
	CHECK(!munmap(p, 8 * PAGE));
	expect(p, "........");

	p = map(8, flags);
	CHECK(!munmap(p, 3 * PAGE));
	expect(p, "...xxxxx");
	CHECK(!munmap(p + 3 * PAGE, 5 * PAGE));
	expect(p, "........");

	p = map(8, flags);
	CHECK(!munmap(p + 5 * PAGE, 3 * PAGE));
	expect(p, "xxxxx...");
	CHECK(!munmap(p, 5 * PAGE));

	p = map(8, flags);
	CHECK(!munmap(p + 3 * PAGE, 2 * PAGE));
	expect(p, "xxx..xxx");
	CHECK(!munmap(p, 8 * PAGE)); // across the hole
	expect(p, "........");

	p = map(8, flags);
	for (int i = 0; i < 8; i += 2)
		CHECK(!munmap(p + i * PAGE, PAGE));
	expect(p, ".x.x.x.x");
	CHECK(!munmap(p, 8 * PAGE));
	expect(p, "........");
	CHECK(!munmap(p, 8 * PAGE)); // nothing there: no error either

	errno = 0;
	CHECK(munmap(p + 1, PAGE) == -1 && errno == EINVAL);
	CHECK(munmap(p, 0) == -1 && errno == EINVAL);
}

// Two mappings and what lies between them, in one call: laid out by the program itself.
static void several(void)
{
	char *room = mmap(NULL, 16 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;

	CHECK(room != MAP_FAILED);
	CHECK(mmap(room + 2 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE, flags, -1, 0) ==
	      room + 2 * PAGE);
	CHECK(mmap(room + 6 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE, flags, -1, 0) ==
	      room + 6 * PAGE);
	room[2 * PAGE] = room[6 * PAGE] = 1;
	CHECK(!munmap(room + 3 * PAGE, 4 * PAGE));
	CHECK(readable(room + 2 * PAGE) && !readable(room + 3 * PAGE));
	CHECK(!readable(room + 6 * PAGE) && readable(room + 7 * PAGE));
	CHECK(!munmap(room, 16 * PAGE));
}

static void unmaps(void)
{
	for (int round = 0; round < 20; round++) {
		unmaps_of(MAP_PRIVATE);
		unmaps_of(MAP_SHARED);
		several();
	}
	puts("whole, head, tail, middle, pieces, several, across a hole");
}

// The program lays new mappings over its own.
static void fixed(void)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;

	for (int round = 0; round < 30; round++) {
		char *p = map(8, MAP_PRIVATE);
		CHECK(mmap(p + 2 * PAGE, 3 * PAGE, PROT_READ | PROT_WRITE, flags, -1, 0) ==
		      p + 2 * PAGE);
		for (int i = 0; i < 8; i++)
			CHECK(p[i * PAGE] == (i >= 2 && i < 5 ? 0 : (char)(i + 1)));
		p[3 * PAGE] = 33;
		CHECK(mmap(p, 8 * PAGE, PROT_NONE, flags, -1, 0) == p);
		expect(p, "........");
		CHECK(mmap(p + PAGE, PAGE, PROT_READ | PROT_WRITE, flags, -1, 0) == p + PAGE);
		CHECK(!p[PAGE]);
		errno = 0;
		CHECK(mmap(p, PAGE, PROT_READ, flags | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED &&
		      errno == EEXIST);
		CHECK(!munmap(p, 8 * PAGE));
		expect(p, "........");
	}
	puts("laid over the own");
}

static void moves(void)
{
	for (int round = 0; round < 30; round++) {
		char *p = map(4, MAP_PRIVATE), *q;
		q = mremap(p, 4 * PAGE, 40 * PAGE, MREMAP_MAYMOVE);
		CHECK(q != MAP_FAILED);
		expect(q, "xxxx");
		for (int i = 4; i < 40; i++)
			CHECK(!q[i * PAGE]);
		q = mremap(q, 40 * PAGE, 2 * PAGE, 0);
		CHECK(q != MAP_FAILED);
		expect(q, "xx..");
		char *target = mmap(NULL, 8 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		CHECK(mremap(q, 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, target) ==
		      target);
		expect(target, "xx");
		CHECK(!readable(q) && !munmap(target, 8 * PAGE));
		p = map(1, MAP_PRIVATE);
		q = mremap(p, PAGE, 100 * PAGE, MREMAP_MAYMOVE);
		CHECK(q != MAP_FAILED && q[0] == 1 && !munmap(q, 100 * PAGE));
	}
	puts("grown, shrunk and moved");
}

// Memory that was protected or advised is given back, and comes again as fresh.
static void reuse(void)
{
	for (int round = 0; round < 40; round++) {
		char *p = map(16, MAP_PRIVATE);
		CHECK(!mprotect(p, 8 * PAGE, PROT_READ));
		CHECK(!madvise(p + 8 * PAGE, 4 * PAGE, MADV_DONTNEED));
		CHECK(!p[9 * PAGE] && p[3 * PAGE] == 4);
		CHECK(!madvise(p, 16 * PAGE, MADV_DONTFORK));
		CHECK(!mprotect(p + 12 * PAGE, 4 * PAGE, PROT_NONE));
		expect(p + 12 * PAGE, "....");
		CHECK(!munmap(p, 16 * PAGE));
		char *block = malloc(64 << 10);
		char *page = (char *)(((uintptr_t)block + PAGE - 1) & -(uintptr_t)PAGE);
		memset(block, 1, 64 << 10);
		CHECK(!mprotect(page, 4 * PAGE, PROT_READ) && page[100] == 1);
		CHECK(!mprotect(page, 4 * PAGE, PROT_READ | PROT_WRITE));
		CHECK(!madvise(page, 4 * PAGE, MADV_DONTNEED) && !page[100]);
		free(block);
		block = calloc(1, 64 << 10);
		for (int i = 0; i < 64 << 10; i++)
			CHECK(!block[i]);
		memset(block, 2, 64 << 10);
		free(block);
	}
	puts("protected, advised, used again");
}

// malloc'd memory made unreadable and freed so: who gets it next must be able to write.
static void freed_protected(void)
{
	for (int round = 0; round < 20; round++) {
		char *p = aligned_alloc(PAGE, 8 * PAGE);
		CHECK(p && !mprotect(p, 8 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC));
		memset(p, round, 8 * PAGE);
		free(p);
		p = aligned_alloc(PAGE, 8 * PAGE);
		memset(p, round + 1, 8 * PAGE);
		free(p);
		churn(200);
	}
	puts("executable, freed, used again");
}

int main(int argc, char **argv)
{
	static const struct mode modes[] = {{"unmaps", unmaps},
					    {"fixed", fixed},
					    {"moves", moves},
					    {"reuse", reuse},
					    {"freed", freed_protected}};

	return RUN_MODE(modes, argc, argv);
}
