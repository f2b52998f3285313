// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// What the hazard programs share: checked allocation, and choosing a mode by the first argument.
//
// A program prints what it saw and exits 0, or says what was wrong and exits 1. It says the same
// native and recorded, so nothing that depends on addresses or times is printed.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHECK(what)                                                                                \
	do {                                                                                       \
		if (!(what)) {                                                                     \
			dprintf(2, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what);              \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

struct mode {
	const char *name;
	void (*run)(void);
};

// Fills a block with a pattern of its own; `filled` tells whether all of it is still there.
static inline void fill(void *p, size_t n, unsigned seed)
{
	for (size_t i = 0; i < n; i++)
		((unsigned char *)p)[i] = (unsigned char)(seed + i * 7);
}

static inline bool filled(const void *p, size_t n, unsigned seed)
{
	for (size_t i = 0; i < n; i++)
		if (((const unsigned char *)p)[i] != (unsigned char)(seed + i * 7))
			return false;
	return true;
}

// n blocks of many sizes, 32 alive at a time, each checked before it is freed.
static inline void churn(unsigned n)
{
	struct {
		void *p;
		size_t size;
	} block[32] = {{0}};

	for (unsigned i = 0; i < n + 32; i++) {
		unsigned at = i % 32;
		if (block[at].p) {
			CHECK(filled(block[at].p, block[at].size, at));
			free(block[at].p);
		}
		block[at].p = NULL;
		if (i >= n)
			continue;
		block[at].size = 1 + i * 131 % 3000;
		block[at].p = malloc(block[at].size);
		CHECK(block[at].p && (uintptr_t)block[at].p % 16 == 0);
		fill(block[at].p, block[at].size, at);
	}
}

// A block allocated `depth` calls further down, through stacks nobody has seen before.
__attribute__((noinline, unused)) static void *deep(int depth, size_t size)
{
	void *p = depth ? deep(depth - 1, size) : malloc(size);

	__asm__ volatile("" : : : "memory");
	return p;
}

static inline int run_mode(const struct mode *modes, size_t n, int argc, char **argv)
{
	for (size_t i = 0; i < n; i++) {
		if (argc < 2 || strcmp(argv[1], modes[i].name))
			continue;
		modes[i].run();
		return 0;
	}
	for (size_t i = 0; i < n; i++)
		fprintf(stderr, "%s\n", modes[i].name);
	return 2;
}

#define RUN_MODE(modes, argc, argv) run_mode(modes, sizeof(modes) / sizeof((modes)[0]), argc, argv)
