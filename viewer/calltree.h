// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Call trees: the call sites of a process merged by function, from the program's entry inwards
// (flame graph) or from the allocating function outwards (call sites).
//
//   node 0 is the root and stands for everything; parents come before their children
//   cost[c] of a node == its own + sum of cost[c] of its children
//
// A tree never changes once built, so models of any event share it.
#pragma once

#include "../db/reader_views.h"

enum cost {
	COST_PEAK,	// bytes alive at the peak
	COST_LIVE,	// bytes not given back by the end of what is counted
	COST_CALLS,	// allocations
	COST_TEMPORARY, // allocations freed by the next call
	COST_BYTES,	// bytes over the whole life
	COSTS
};

struct call_node {
	uint32_t name;		      // calltree_name()
	uint32_t parent, child, next; // 0 ends
	uint32_t depth;
	uint64_t cost[COSTS];
};

struct calltree;

enum call_order {
	CALLS_FROM_ENTRY,
	CALLS_FROM_SITE
};

// NULL: no memory. A process without stacks gives a tree of the root alone.
struct calltree *calltree_build(struct recording *r, int process, enum call_order order);
// The same of figures counted elsewhere, stacks in order.
struct calltree *calltree_build_of(struct recording *r, int process, enum call_order order,
				   const struct site_row *rows, unsigned n);
struct calltree *calltree_new(void); // the root alone
// Adds one call path, names from the root outwards; 0 or -ENOMEM.
int calltree_add(struct calltree *t, const char *const *names, unsigned n,
		 const struct site_row *figures);
// The same with recursion folded: what a function does when it is called again below itself counts as
// done by its first call, and what led there stands only for what it did itself. NULL: no memory.
struct calltree *calltree_fold(const struct calltree *t);
struct calltree *calltree_ref(struct calltree *t);
void calltree_unref(struct calltree *t); // NULL is fine
uint32_t calltree_size(const struct calltree *t);
const struct call_node *calltree_node(const struct calltree *t,
				      uint32_t id); // root if out of range
const char *calltree_name(const struct calltree *t, uint32_t id);
// Children of a node by falling cost, those without any left out; count, at most max.
unsigned calltree_children(const struct calltree *t, uint32_t id, enum cost by, uint32_t *children,
			   unsigned max);
// Cost of all nodes whose name holds the text (any case), each path counted once.
uint64_t calltree_matching(const struct calltree *t, const char *text, enum cost by);
bool calltree_matches(const struct calltree *t, uint32_t id, const char *text);

const char *cost_name(enum cost c); // "bytes at the peak"
const char *cost_id(enum cost c);   // "peak": command line
bool cost_is_bytes(enum cost c);
