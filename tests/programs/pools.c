// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Pools with known contents (kalloscope.h). "nodes": a hundred blocks of 40 bytes, every fourth given
// back. "scratch": ten of 1000, destroyed with its blocks. A forked child takes five more nodes.
// Prints how many pools were recorded.
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../preload/kalloscope.h"

enum {
	NODES = 100,
	NODE_BYTES = 40,
	SCRATCHES = 10,
	SCRATCH_BYTES = 1000
};

static char *nodes;
static kalloscope_pool node_pool;
static unsigned taken;

static __attribute__((noinline)) void take_node(void)
{
	char *node = nodes + (size_t)taken++ * NODE_BYTES;
	kalloscope_pool_alloc(node_pool, node, NODE_BYTES);
	*(char *volatile *)node = node; // after the call, so that this is a frame of its stack
}

static __attribute__((noinline)) void scratch(void)
{
	kalloscope_pool pool = kalloscope_pool_create("scratch");
	char *memory = malloc(SCRATCHES * SCRATCH_BYTES);
	for (int i = 0; i < SCRATCHES; i++)
		kalloscope_pool_alloc(pool, memory + i * SCRATCH_BYTES, SCRATCH_BYTES);
	kalloscope_pool_destroy(pool);
	free(memory);
	printf("%d\n", (node_pool != 0) + (pool != 0));
}

int main(void)
{
	nodes = malloc(2 * NODES * NODE_BYTES);
	node_pool = kalloscope_pool_create("nodes");
	for (int i = 0; i < NODES; i++)
		take_node();
	for (int i = 0; i < NODES; i += 4)
		kalloscope_pool_free(node_pool, nodes + i * NODE_BYTES);
	scratch();
	fflush(stdout);
	pid_t child = fork();
	if (!child) {
		for (int i = 0; i < 5; i++)
			take_node();
		return 0;
	}
	return child < 0 || waitpid(child, NULL, 0) != child;
}
