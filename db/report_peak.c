// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Report peak: what was alive when the process held most, as a tree of calls.
#include <stdlib.h>
#include <string.h>

#include "call_tree.h"

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
	g_string_printf(t, "%10s %5.1f %%  %*s", fmt_bytes(n->value),
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

static void json_node(JsonBuilder *b, const struct call_node *n)
{
	g_autofree char *valid = g_utf8_make_valid(n->function, -1);
	json_builder_begin_object(b);
	json_builder_set_member_name(b, "function");
	json_builder_add_string_value(b, valid);
	json_builder_set_member_name(b, "bytes");
	json_builder_add_int_value(b, (gint64)n->value);
	json_builder_set_member_name(b, "children");
	json_builder_begin_array(b);
	g_autoptr(GPtrArray) a = call_tree_children(n);
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

static void draw(struct report *rp, const struct call_node *root)
{
	struct drawing d = {rp, root->value, rp->top ? rp->top * 2 : 1000000};
	JsonBuilder *b = output_builder(rp);
	g_autoptr(GPtrArray) a = call_tree_children(root);
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
	uint64_t event, bytes;
	if (rp->window)
		cli_usage("report", "peak is of the whole process; it takes no --between");
	peak_moment(rp, &event, &bytes);
	struct call_node *root = call_tree_new();
	g_autoptr(GArray) a = site_figures(rp);
	for (guint i = 0; i < a->len; i++) {
		const struct site_figures *s = &g_array_index(a, struct site_figures, i);
		if (s->peak_bytes)
			call_tree_add(root, rp, s->stack, s->peak_bytes);
	}
	if (output_json(rp->out)) {
		out_figure(rp, "peak_event", "", CELL_COUNT, event);
		out_figure(rp, "peak_bytes", "", CELL_BYTES, bytes);
	}
	out_title(rp, "%s requested and alive at event %s, %s", fmt_bytes(bytes), fmt_count(event),
		  rp->top_down ? "from main to the sites" : "from the sites to their callers");
	if (!rp->wanted && bytes > root->value)
		out_note(rp, "%s of it inherited over fork", fmt_bytes(bytes - root->value));
	draw(rp, root);
	call_tree_free(root);
	return EXIT_SUCCESS;
}
