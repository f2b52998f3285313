// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// A figure of call sites as a tree of calls, for the reports that have one: peak always, others when
// --bottom-up or --top-down asks for it.
#include <stdlib.h>
#include <string.h>

#include "call_tree.h"

struct drawing {
	struct report *rp;
	uint64_t total;
	unsigned left; // lines
	const char *key;
	enum cell_kind kind; // CELL_BYTES or CELL_COUNT
};

enum {
	FIGURES_WIDTH = 20,
	CHAIN_LINES = 3
};

// The only child that matters, when all of a node's bytes pass through it; NULL: it branches or ends.
static const struct call_node *only_child(const struct drawing *d, const struct call_node *n)
{
	g_autoptr(GPtrArray) a = call_tree_children(n);
	const struct call_node *c = a->len ? a->pdata[0] : NULL;
	return c && (n->value - c->value) * 100 < d->total && c->value * 100 >= d->total ? c : NULL;
}

// One name of a chain; a full line is printed and the next one begins under it.
static void chain_add(struct drawing *d, GString *line, const struct call_node *n, unsigned depth,
		      unsigned *lines)
{
	g_autoptr(GString) name = g_string_new(NULL);
	put_function(name, n->function);
	if (line->len + 3 + name->len > (gsize)output_width(d->rp->out) && ++*lines < CHAIN_LINES) {
		out_line(d->rp, line->str);
		g_string_printf(line, "%*s", FIGURES_WIDTH + (int)depth, "");
	}
	g_string_append_printf(line, " %c %s", d->rp->top_down ? '>' : '<', name->str);
}

// Functions that only hand on stand on one line, so that depth means branching. Branches below a
// hundredth of the whole are left to their parent.
static void print_node(struct drawing *d, const struct call_node *n, unsigned depth)
{
	g_autoptr(GString) t = g_string_new(NULL);
	unsigned lines = 0, shown = depth < 16 ? depth : 16;
	if (!d->left)
		return;
	d->left--;
	g_string_printf(t, "%10s %5.1f %%  %*s",
			d->kind == CELL_BYTES ? fmt_bytes(n->value) : fmt_count(n->value),
			100 * (double)n->value / (double)d->total, 2 * (int)shown, "");
	put_function(t, n->function);
	for (const struct call_node *c; (c = only_child(d, n)); n = c)
		chain_add(d, t, c, 2 * shown, &lines);
	out_line(d->rp, t->str);
	g_autoptr(GPtrArray) a = call_tree_children(n);
	for (guint i = 0; i < a->len; i++) {
		const struct call_node *c = a->pdata[i];
		if (c->value * 100 < d->total)
			break;
		print_node(d, c, depth + 1);
	}
}

static void json_node(JsonBuilder *b, const struct call_node *n, const char *key)
{
	g_autofree char *valid = g_utf8_make_valid(n->function, -1);
	json_builder_begin_object(b);
	json_builder_set_member_name(b, "function");
	json_builder_add_string_value(b, valid);
	json_builder_set_member_name(b, key);
	json_builder_add_int_value(b, (gint64)n->value);
	json_builder_set_member_name(b, "children");
	json_builder_begin_array(b);
	g_autoptr(GPtrArray) a = call_tree_children(n);
	for (guint i = 0; i < a->len; i++)
		json_node(b, a->pdata[i], key);
	json_builder_end_array(b);
	json_builder_end_object(b);
}

static void draw(struct report *rp, const struct call_node *root, const char *key,
		 enum cell_kind kind)
{
	struct drawing d = {rp, root->value, rp->top ? rp->top * 2 : 1000000, key, kind};
	JsonBuilder *b = output_builder(rp);
	g_autoptr(GPtrArray) a = call_tree_children(root);
	if (b) {
		json_builder_set_member_name(b, "tree");
		json_builder_begin_array(b);
	}
	for (guint i = 0; i < a->len && (!rp->top || i < rp->top); i++) {
		if (b)
			json_node(b, a->pdata[i], key);
		else if (d.left)
			print_node(&d, a->pdata[i], 0);
	}
	if (b)
		json_builder_end_array(b);
	else if (!d.left)
		out_note(rp, "(cut; --top=0 shows all)");
}

uint64_t report_tree(struct report *rp, const GArray *sites,
		     uint64_t (*value)(const struct site_figures *f), const char *key,
		     enum cell_kind kind)
{
	struct call_node *root = call_tree_new();
	for (guint i = 0; i < sites->len; i++) {
		const struct site_figures *f = &g_array_index(sites, struct site_figures, i);
		if (value(f))
			call_tree_add(root, rp, f->stack, value(f));
	}
	draw(rp, root, key, kind);
	uint64_t all = root->value;
	call_tree_free(root);
	return all;
}
