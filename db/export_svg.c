// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// A flame graph as one SVG file: a click zooms, Ctrl-F or the word in the corner searches. Without
// scripts it is a picture with tooltips.
#include <stdlib.h>
#include <string.h>

#include "call_tree.h"
#include "db/flame.js.h"
#include "export.h"

enum {
	WIDTH = 1200,
	LINE = 17,
	TOP = 44,
	MARGIN = 10,
	TITLE = 110,	// characters of the command line shown
	GLYPH_WIDTH = 7 // of the font, on average
};
#define LEAST 0.2 // narrowest box drawn, in pixels

struct flame {
	struct export *x;
	struct call_node *root;
	double scale; // pixels of a unit
	unsigned depth;
};

static void add(void *ctx, const struct site_figures *f, const struct site_frame *frame, unsigned n)
{
	struct flame *g = ctx;
	uint64_t value = measure_of(g->x->measure, f);
	(void)frame;
	(void)n;
	if (value)
		call_tree_add(g->root, &g->x->rp, f->stack, value);
}

static unsigned depth_of(const struct flame *g, const struct call_node *n)
{
	unsigned most = 0;
	GHashTableIter it;
	gpointer child;
	if (!n->child || (double)n->value * g->scale < LEAST)
		return 1;
	for (g_hash_table_iter_init(&it, n->child); g_hash_table_iter_next(&it, NULL, &child);) {
		unsigned d = depth_of(g, child);
		most = d > most ? d : most;
	}
	return most + 1;
}

static const char *value_text(const struct flame *g, uint64_t v)
{
	return measure_is_bytes(g->x->measure) ? fmt_bytes(v) : fmt_count(v);
}

// Warm colours by name, so that a function looks the same everywhere.
static void box(struct flame *g, const struct call_node *n, double left, unsigned depth)
{
	FILE *out = g->x->out;
	double w = (double)n->value * g->scale;
	g_autofree char *plain = export_plain(n->function, '\0', ' '),
			*name = g_markup_escape_text(plain, -1);
	g_autoptr(GString) shown = g_string_new(NULL);
	guint hash = g_str_hash(n->function);
	glong room = (glong)(w / GLYPH_WIDTH);
	put_function(shown, plain);
	if (g_utf8_strlen(shown->str, -1) > room)
		g_string_truncate(
			shown, room > 2 ? (gsize)(g_utf8_offset_to_pointer(shown->str, room - 2) -
						  shown->str)
					: 0);
	g_autofree char *text = g_markup_escape_text(shown->str, -1);
	fprintf(out,
		"<g class=\"f\" data-n=\"%s\" data-x=\"%.4f\" data-w=\"%.4f\" data-d=\"%u\">"
		"<title>%s\n%s, %.2f %%</title>"
		"<rect x=\"%.2f\" y=\"%u\" width=\"%.2f\" height=\"%d\" rx=\"2\" "
		"fill=\"rgb(%u,%u,%u)\"/><text x=\"%.2f\" y=\"%u\">%s%s</text></g>\n",
		name, left, w, depth, name, value_text(g, n->value),
		100 * (double)n->value / (double)g->root->value, MARGIN + left, TOP + depth * LINE,
		w, LINE - 1, 205 + hash % 50, 90 + hash / 64 % 120, 40 + hash / 4096 % 40,
		MARGIN + left + 3, TOP + depth * LINE + 12, text,
		shown->len && g_utf8_strlen(shown->str, -1) == room - 2 ? ".." : "");
}

static void draw(struct flame *g, const struct call_node *n, double left, unsigned depth)
{
	g_autoptr(GPtrArray) a = call_tree_children(n);
	for (guint i = 0; i < a->len && !ferror(g->x->out); i++) {
		const struct call_node *c = a->pdata[i];
		double w = (double)c->value * g->scale;
		if (w < LEAST)
			break; // greatest first
		box(g, c, left, depth);
		draw(g, c, left, depth + 1);
		left += w;
	}
}

static void head(const struct flame *g, unsigned height)
{
	const struct process_info *p = g->x->rp.p;
	g_autofree char *plain = export_plain(*p->argv ? p->argv : p->exe, '\0', ' '),
			*brief = g_utf8_substring(plain, 0, MIN(g_utf8_strlen(plain, -1), TITLE)),
			*title = g_markup_escape_text(brief, -1);
	fprintf(g->x->out,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%u\" "
		"viewBox=\"0 0 %d %u\" font-family=\"monospace\" font-size=\"11\">\n"
		"<style>rect.b{fill:#fffdf7}.f{cursor:pointer}.f:hover rect{stroke:#222}"
		"text{pointer-events:none}.h rect{fill:#8050d0}</style>\n"
		"<rect class=\"b\" width=\"100%%\" height=\"100%%\"/>\n"
		"<text x=\"%d\" y=\"18\" font-size=\"14\">%s</text>\n"
		"<text x=\"%d\" y=\"34\">%s: %s</text>\n"
		"<text id=\"reset\" x=\"%d\" y=\"18\" style=\"pointer-events:all;cursor:pointer\" "
		"visibility=\"hidden\">show all</text>\n"
		"<text id=\"search\" x=\"%d\" y=\"18\" style=\"pointer-events:all;cursor:pointer\">"
		"search</text>\n<text id=\"found\" x=\"%d\" y=\"34\"></text>\n",
		WIDTH, height, WIDTH, height, MARGIN, title, MARGIN, measure_title(g->x->measure),
		value_text(g, g->root->value), WIDTH - 160, WIDTH - 60, WIDTH - 260);
}

int export_svg(struct export *x)
{
	struct flame g = {.x = x, .root = call_tree_new()};
	x->rp.top_down = true;
	export_stacks(x, add, &g);
	g.scale = g.root->value ? (WIDTH - 2 * MARGIN) / (double)g.root->value : 0;
	head(&g, TOP + (depth_of(&g, g.root) + 1) * LINE);
	if (!g.root->value)
		fprintf(x->out, "<text x=\"%d\" y=\"%d\">nothing</text>\n", MARGIN, TOP + LINE);
	draw(&g, g.root, 0, 0);
	fprintf(x->out, "<script><![CDATA[\n%s]]></script>\n</svg>\n", flame_js);
	call_tree_free(g.root);
	return EXIT_SUCCESS;
}
