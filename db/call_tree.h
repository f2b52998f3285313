// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// A tree of calls with a figure per node: of a report, of a massif snapshot, of a flame graph.
// Bottom-up the first level are the sites and their children callers; top-down the first level is
// the outermost function. A node's value is that of all stacks that pass through it, so
//   value == sum of the children's values + what the stacks that end here have.
// Wrappers of malloc and what calls main are left out; direct recursion is one node.
#pragma once

#include "report.h"

struct call_node {
	const char *function; // as long as the report's names
	uint64_t value;
	GHashTable *child; // function -> node; NULL: none
};

struct call_node *call_tree_new(void);
void call_tree_free(struct call_node *root); // NULL is fine
void call_tree_add(struct call_node *root, struct report *rp, uint64_t stack, uint64_t value);
// Greatest first, equals by name. To be unreferenced; the nodes stay the tree's.
GPtrArray *call_tree_children(const struct call_node *n);
