// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// A program with a malloc of its own, as browsers have: it maps its memory while it holds a lock
// that nobody may take twice. Whoever calls malloc from inside that mmap would wait for ever; here
// the program ends with status 3 instead.
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	CHUNK = 1 << 20,
	HEADER = 16 // holds the size, for realloc
};

static atomic_flag busy = ATOMIC_FLAG_INIT;
static char *chunk;
static size_t left;

__attribute__((visibility("default"))) void *malloc(size_t size)
{
	static const char word[] = "malloc was called from inside itself\n";
	size_t need = (size + HEADER + 15) & ~(size_t)15;
	char *block;

	if (atomic_flag_test_and_set(&busy)) {
		write(1, word, sizeof(word) - 1);
		_exit(3);
	}
	if (need > left) {
		left = need > CHUNK ? need : CHUNK;
		chunk = mmap(NULL, left, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			     0);
	}
	block = chunk + HEADER;
	*(size_t *)(void *)chunk = size;
	chunk += need;
	left -= need;
	atomic_flag_clear(&busy);
	return block;
}

__attribute__((visibility("default"))) void free(void *p)
{
	(void)p;
}

__attribute__((visibility("default"))) void *calloc(size_t n, size_t size)
{
	return malloc(n * size); // fresh pages are zero, and none is used twice
}

__attribute__((visibility("default"))) void *realloc(void *p, size_t size)
{
	void *q = malloc(size);
	size_t old = p ? *(size_t *)(void *)((char *)p - HEADER) : 0;

	return p ? memcpy(q, p, old < size ? old : size) : q;
}

int main(void)
{
	char *text = malloc(2 << 20);

	strcpy(text, "served by the program itself");
	puts(text);
	return 0;
}
