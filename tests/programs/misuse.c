// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// What a program must not do: blocks freed twice, or where they do not begin. It goes on all the
// same, and must then get blocks that nobody else has. With an argument: a write after the free.
#include <stdint.h>
#include <stdlib.h>

static void *volatile hidden; // from the compiler, which would warn

__attribute__((noinline)) static void free_wrongly(uintptr_t p)
{
	hidden = (void *)p;
	free(hidden);
	hidden = NULL; // so that this is no tail call
}

static void twice(size_t size)
{
	uintptr_t p = (uintptr_t)malloc(size);
	free((void *)p);
	free_wrongly(p);
}

static void inside(size_t size, size_t offset)
{
	char *p = malloc(size);
	free_wrongly((uintptr_t)p + offset);
	free(p);
}

static int write_late(void)
{
	char *p = malloc(100);
	hidden = p;
	free(p);
	((volatile char *)hidden)[7] = 1;
	hidden = malloc(100);
	free(hidden);
	return 0;
}

int main(int argc, char **argv)
{
	(void)argv;
	if (argc > 1)
		return write_late();
	twice(100);	// an object
	twice(300000);	// pages
	twice(6 << 20); // an area
	inside(100, 8);
	inside(100, 64);
	inside(300000, 8192);
	inside(6 << 20, 3);
	char *a = malloc(100), *b = malloc(100), *c = malloc(100);
	int apart = a != b && b != c && a != c;
	free(a);
	free(b);
	free(c);
	return !apart;
}
