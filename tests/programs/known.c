// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// A program whose every allocation is known: functions, lines and sizes are what tests look for.
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static void *volatile sink;

__attribute__((noinline)) static void *make_node(size_t n)
{
	void *p = malloc(n); // LINE make_node
	sink = p;
	return p;
}

__attribute__((noinline)) static void *make_table(void)
{
	void *p = calloc(100, 40); // LINE make_table
	sink = p;
	return p;
}

__attribute__((noinline)) static void drop(void *p)
{
	free(p); // LINE drop
	sink = NULL;
}

__attribute__((noinline)) static void build(void)
{
	void *node[10];

	for (int i = 0; i < 10; i++)
		node[i] = make_node(100); // LINE build_node
	for (int i = 0; i < 9; i++)
		drop(node[i]); // LINE build_drop
	// node[9] stays: the one leak
}

int main(void)
{
	build();
	void *table = make_table();
	table = realloc(table, 200000); // LINE main_realloc
	memset(table, 1, 200000);
	drop(table);
	char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	page[0] = 1;
	munmap(page, 4096);
	char *area = mmap(NULL, 10 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	area[5 << 20] = 1;
	munmap(area, 10 << 20);
	return 0;
}
