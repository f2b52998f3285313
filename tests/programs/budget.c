// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// A program that allocates what it is told: budget LEAKS HELD TEMPORARY
//   LEAKS blocks of 1000 bytes that stay, one block of HELD bytes alive while TEMPORARY blocks of 64
//   bytes are made and given back at once.
#include <stdlib.h>

static void *volatile sink;

__attribute__((noinline)) static void leak_here(int n)
{
	for (int i = 0; i < n; i++)
		sink = malloc(1000);
}

__attribute__((noinline)) static void churn(int n)
{
	for (int i = 0; i < n; i++) {
		void *p = malloc(64);
		sink = p;
		free(p);
	}
}

__attribute__((noinline)) static void hold(size_t bytes, int n)
{
	void *p = malloc(bytes);
	sink = p;
	churn(n);
	free(p);
}

int main(int argc, char **argv)
{
	if (argc != 4)
		return 2;
	leak_here(atoi(argv[1]));
	hold((size_t)atol(argv[2]), atoi(argv[3]));
	return 0;
}
