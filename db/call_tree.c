// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Building a tree of calls out of stacks.
#include "call_tree.h"

#include <string.h>

enum {
	MAX_DEPTH = 500 // of the tree, which is walked recursively
};

static void node_free(gpointer p)
{
	struct call_node *n = p;
	if (n->child)
		g_hash_table_unref(n->child);
	g_free(n);
}

struct call_node *call_tree_new(void)
{
	return g_new0(struct call_node, 1);
}

void call_tree_free(struct call_node *root)
{
	if (root)
		node_free(root);
}

// Names are interned by the report, but not across modules of C++; compared by text.
static struct call_node *child_of(struct call_node *n, const char *function)
{
	if (!n->child)
		n->child = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, node_free);
	struct call_node *c = g_hash_table_lookup(n->child, function);
	if (c)
		return c;
	c = g_new0(struct call_node, 1);
	c->function = function;
	g_hash_table_insert(n->child, (gpointer)function, c);
	return c;
}

void call_tree_add(struct call_node *root, struct report *rp, uint64_t stack, uint64_t value)
{
	unsigned n;
	const struct site_frame *f = stack_frames(rp, stack, &n);
	unsigned first = stack_site(f, n), last = stack_outermost(f, n);
	struct call_node *at = root;
	root->value += value;
	if (!n) {
		child_of(root, "(no stack)")->value += value;
		return;
	}
	last = last < first ? first : last;
	for (unsigned k = 0; k <= last - first && k < MAX_DEPTH; k++) {
		const char *name = f[rp->top_down ? last - k : first + k].function;
		if (at != root && !strcmp(name, at->function))
			continue; // recursion, or inlined into itself
		at = child_of(at, name);
		at->value += value;
	}
}

static int by_value(gconstpointer pa, gconstpointer pb)
{
	const struct call_node *a = *(struct call_node *const *)pa,
			       *b = *(struct call_node *const *)pb;
	if (a->value != b->value)
		return a->value > b->value ? -1 : 1;
	return strcmp(a->function, b->function);
}

GPtrArray *call_tree_children(const struct call_node *n)
{
	GPtrArray *a = g_ptr_array_new();
	GHashTableIter it;
	gpointer child;
	if (n->child)
		for (g_hash_table_iter_init(&it, n->child);
		     g_hash_table_iter_next(&it, NULL, &child);)
			g_ptr_array_add(a, child);
	g_ptr_array_sort(a, by_value);
	return a;
}
