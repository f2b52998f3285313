// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Report peak: what was alive when the process held most, as a tree of calls.
#include <stdlib.h>
#include <string.h>

#include "report.h"

// Bottom-up the first level are the sites and their children callers; top-down the first level is
// the outermost function. A node's bytes are those of all stacks that pass through it.
struct node {
	const char *function;
	uint64_t bytes;
	GHashTable *child; // function -> node; NULL: none
};

enum {
	MAX_DEPTH = 500 // of the tree, which is walked recursively
};

static void node_free(gpointer p)
{
	struct node *n = p;
	if (n->child)
		g_hash_table_unref(n->child);
	g_free(n);
}

// Names are interned by the report, but not across modules of C++; compared by text.
static struct node *child_of(struct node *n, const char *function)
{
	if (!n->child)
		n->child = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, node_free);
	struct node *c = g_hash_table_lookup(n->child, function);
	if (c)
		return c;
	c = g_new0(struct node, 1);
	c->function = function;
	g_hash_table_insert(n->child, (gpointer)function, c);
	return c;
}

static void add_stack(struct report *rp, struct node *root, const struct site_figures *s)
{
	unsigned n;
	const struct site_frame *f = stack_frames(rp, s->stack, &n);
	unsigned first = stack_site(f, n), last = stack_outermost(f, n);
	struct node *at = root;
	root->bytes += s->peak_bytes;
	if (!n) {
		child_of(root, "(no stack)")->bytes += s->peak_bytes;
		return;
	}
	last = last < first ? first : last;
	for (unsigned k = 0; k <= last - first && k < MAX_DEPTH; k++) {
		const char *name = f[rp->top_down ? last - k : first + k].function;
		if (at != root && !strcmp(name, at->function))
			continue; // recursion, or inlined into itself
		at = child_of(at, name);
		at->bytes += s->peak_bytes;
	}
}

static int by_bytes(gconstpointer pa, gconstpointer pb)
{
	const struct node *a = *(struct node *const *)pa, *b = *(struct node *const *)pb;
	if (a->bytes != b->bytes)
		return a->bytes > b->bytes ? -1 : 1;
	return strcmp(a->function, b->function);
}

static GPtrArray *children(const struct node *n)
{
	GPtrArray *a = g_ptr_array_new();
	GHashTableIter it;
	gpointer child;
	if (n->child)
		for (g_hash_table_iter_init(&it, n->child);
		     g_hash_table_iter_next(&it, NULL, &child);)
			g_ptr_array_add(a, child);
	g_ptr_array_sort(a, by_bytes);
	return a;
}

struct drawing {
	struct report *rp;
	uint64_t total;
	unsigned left; // lines
};

enum {
	FIGURES_WIDTH = 20,
	CHAIN_LINES = 3
};

// The only child that matters, when all of a node's bytes pass through it; NULL: it branches or ends.
static const struct node *only_child(const struct drawing *d, const struct node *n)
{
	g_autoptr(GPtrArray) a = children(n);
	const struct node *c = a->len ? a->pdata[0] : NULL;
	return c && (n->bytes - c->bytes) * 100 < d->total && c->bytes * 100 >= d->total ? c : NULL;
}

// One name of a chain; a full line is printed and the next one begins under it.
static void chain_add(struct drawing *d, GString *line, const struct node *n, unsigned depth,
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
static void print_node(struct drawing *d, const struct node *n, unsigned depth)
{
	g_autoptr(GString) t = g_string_new(NULL);
	unsigned lines = 0, shown = depth < 16 ? depth : 16;
	if (!d->left)
		return;
	d->left--;
	g_string_printf(t, "%10s %5.1f %%  %*s", fmt_bytes(n->bytes),
			100 * (double)n->bytes / (double)d->total, 2 * (int)shown, "");
	put_function(t, n->function);
	for (const struct node *c; (c = only_child(d, n)); n = c)
		chain_add(d, t, c, 2 * shown, &lines);
	out_line(d->rp, t->str);
	g_autoptr(GPtrArray) a = children(n);
	for (guint i = 0; i < a->len; i++) {
		const struct node *c = a->pdata[i];
		if (c->bytes * 100 < d->total)
			break;
		print_node(d, c, depth + 1);
	}
}

static void json_node(JsonBuilder *b, const struct node *n)
{
	g_autofree char *valid = g_utf8_make_valid(n->function, -1);
	json_builder_begin_object(b);
	json_builder_set_member_name(b, "function");
	json_builder_add_string_value(b, valid);
	json_builder_set_member_name(b, "bytes");
	json_builder_add_int_value(b, (gint64)n->bytes);
	json_builder_set_member_name(b, "children");
	json_builder_begin_array(b);
	g_autoptr(GPtrArray) a = children(n);
	for (guint i = 0; i < a->len; i++)
		json_node(b, a->pdata[i]);
	json_builder_end_array(b);
	json_builder_end_object(b);
}

// The process' row knows the moment; its bytes include blocks inherited over fork, which are
// counted with the parent's stacks.
static void peak_moment(struct report *rp, uint64_t *event, uint64_t *bytes)
{
	sqlite3_stmt *s = NULL;
	*event = *bytes = 0;
	sqlite3_prepare_v2(rp->db, "SELECT peak_event, peak_bytes FROM process WHERE process = ?1",
			   -1, &s, NULL);
	sqlite3_bind_int(s, 1, rp->p->process);
	if (s && sqlite3_step(s) == SQLITE_ROW) {
		*event = (uint64_t)sqlite3_column_int64(s, 0);
		*bytes = (uint64_t)sqlite3_column_int64(s, 1);
	}
	sqlite3_finalize(s);
}

static void draw(struct report *rp, const struct node *root)
{
	struct drawing d = {rp, root->bytes, rp->top ? rp->top * 2 : 1000000};
	JsonBuilder *b = output_builder(rp);
	g_autoptr(GPtrArray) a = children(root);
	if (b) {
		json_builder_set_member_name(b, "tree");
		json_builder_begin_array(b);
	}
	for (guint i = 0; i < a->len && (!rp->top || i < rp->top); i++) {
		if (b)
			json_node(b, a->pdata[i]);
		else if (d.left)
			print_node(&d, a->pdata[i], 0);
	}
	if (b)
		json_builder_end_array(b);
	else if (!d.left)
		out_note(rp, "(cut; --top=0 shows all)");
}

int report_peak(struct report *rp)
{
	struct node root = {0};
	uint64_t event, bytes;
	if (rp->window)
		cli_usage("report", "peak is of the whole process; it takes no --between");
	peak_moment(rp, &event, &bytes);
	g_autoptr(GArray) a = site_figures(rp);
	for (guint i = 0; i < a->len; i++) {
		const struct site_figures *s = &g_array_index(a, struct site_figures, i);
		if (s->peak_bytes)
			add_stack(rp, &root, s);
	}
	if (output_json(rp->out)) {
		out_figure(rp, "peak_event", "", CELL_COUNT, event);
		out_figure(rp, "peak_bytes", "", CELL_BYTES, bytes);
	}
	out_title(rp, "%s requested and alive at event %s, %s", fmt_bytes(bytes), fmt_count(event),
		  rp->top_down ? "from main to the sites" : "from the sites to their callers");
	if (!rp->wanted && bytes > root.bytes)
		out_note(rp, "%s of it inherited over fork", fmt_bytes(bytes - root.bytes));
	draw(rp, &root);
	if (root.child)
		g_hash_table_unref(root.child);
	return EXIT_SUCCESS;
}
