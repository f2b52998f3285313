/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: 2026 The kalloscope authors */
/*
 * What a program can tell a recording of itself: marks, and pools of its own. Nothing needs to be
 * linked: without the preload each call costs one comparison.
 *
 *	#include <kalloscope.h>
 *	kalloscope_mark("phase 2");
 *
 * A mark is an event (kind 'mark', with the backtrace of its call), and its text stands in the table
 * `mark` of the recording, in reports and exports. Texts are cut after 1000 bytes.
 *
 * A pool cuts blocks out of memory it asked malloc or mmap for; the recording sees those, and what the
 * program says of its blocks:
 *
 *	kalloscope_pool nodes = kalloscope_pool_create("tree nodes");
 *	kalloscope_pool_alloc(nodes, node, sizeof(*node));
 *	kalloscope_pool_free(nodes, node);
 *	kalloscope_pool_destroy(nodes);		// every block of it is gone
 *
 * Each is an event with the backtrace of its call (kinds 'pool_create', 'pool_alloc', 'pool_free',
 * 'pool_destroy'; path 'own_pool'; column `cache`: the pool's name), which `kalloscope report pools`
 * adds up. Blocks of pools count in no other report: their memory does. A block that grows is freed
 * and allocated again. Names are cut after 200 bytes; a process has 65534 pools, those it makes beyond
 * share one number. Calls may come from any thread, with the program's own lock of the pool held, so
 * that their order is the pool's.
 *
 * The program must be compiled as usual on Debian, as a position-independent executable (or a
 * library); with -no-pie the linker settles the weak symbols to nothing and none of this does anything.
 */
#ifndef KALLOSCOPE_H
#define KALLOSCOPE_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

__attribute__((weak)) void kalloscope_mark_text(const char *text);
__attribute__((weak)) unsigned kalloscope_pool_made(const char *name);
__attribute__((weak)) void kalloscope_pool_given(unsigned pool, const void *block, size_t bytes);
__attribute__((weak)) void kalloscope_pool_taken(unsigned pool, const void *block);
__attribute__((weak)) void kalloscope_pool_gone(unsigned pool);

static inline void kalloscope_mark(const char *text)
{
	if (kalloscope_mark_text)
		kalloscope_mark_text(text);
}

typedef unsigned kalloscope_pool; /* 0: not recorded; fine for all of the following */

static inline kalloscope_pool kalloscope_pool_create(const char *name)
{
	return kalloscope_pool_made ? kalloscope_pool_made(name) : 0;
}

static inline void kalloscope_pool_alloc(kalloscope_pool pool, const void *block, size_t bytes)
{
	if (pool)
		kalloscope_pool_given(pool, block, bytes);
}

static inline void kalloscope_pool_free(kalloscope_pool pool, const void *block)
{
	if (pool)
		kalloscope_pool_taken(pool, block);
}

static inline void kalloscope_pool_destroy(kalloscope_pool pool)
{
	if (pool)
		kalloscope_pool_gone(pool);
}

#ifdef __cplusplus
}
#endif
#endif
