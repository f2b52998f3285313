// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Call sites of two recordings, matched by the names of their frames.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "diff.h"

struct pair { // a site in both; value of the measure and calls, before and after
	double value[2], calls[2];
	uint64_t stack[2]; // one of those with this name
	bool in[2];
	char *key;
};

static void pair_free(gpointer p)
{
	g_free(((struct pair *)p)->key);
	g_free(p);
}

// "fold.isra.0" and "fold.part.3" are fold; "libx.so+0x12" is somewhere in libx.so; "0x7f.." is
// nowhere.
static void add_name(GString *key, const char *function)
{
	static const char *const suffix[] = {".isra.", ".part.",     ".constprop.",
					     ".cold",  ".lto_priv.", ".llvm."};
	const char *end = strstr(function, "+0x"), *at;
	for (unsigned i = 0; i < G_N_ELEMENTS(suffix); i++)
		if ((at = strstr(function, suffix[i])) && at > function && (!end || at < end))
			end = at;
	if (g_str_has_prefix(function, "0x"))
		g_string_append_c(key, '?');
	else if (end && end > function)
		g_string_append_len(key, function, end - function);
	else
		g_string_append(key, function);
	g_string_append_c(key, '\n');
}

static char *site_key(struct report *rp, uint64_t stack)
{
	GString *key = g_string_new(NULL);
	unsigned n;
	const struct site_frame *f = stack_frames(rp, stack, &n);
	for (unsigned i = stack_site(f, n), last = stack_outermost(f, n); n && i <= last; i++)
		add_name(key, f[i].function);
	return g_string_free(key, FALSE);
}

static void collect(struct diff *d, struct report *rp, unsigned which, GHashTable *pairs)
{
	g_autoptr(GArray) a = site_figures(rp);
	double scale = which ? d->scale : 1;
	bool scaled = d->measure != MEASURE_PEAK && d->measure != MEASURE_LIVE &&
		      d->measure != MEASURE_LIVE_COUNT;
	for (guint i = 0; i < a->len; i++) {
		const struct site_figures *f = &g_array_index(a, struct site_figures, i);
		char *key = site_key(rp, f->stack);
		struct pair *p = g_hash_table_lookup(pairs, key);
		if (p) {
			g_free(key);
		} else {
			p = g_new0(struct pair, 1);
			p->key = key;
			g_hash_table_insert(pairs, key, p);
		}
		if (!p->in[which])
			p->stack[which] = f->stack;
		p->in[which] = true;
		p->value[which] += (double)measure_of(d->measure, f) * (scaled ? scale : 1);
		p->calls[which] += (double)f->calls * scale;
	}
}

static double growth(const struct pair *p)
{
	return p->value[1] - p->value[0];
}

// What grew, most first; then what shrank, most first; equals by calls and name.
static int worst_first(gconstpointer pa, gconstpointer pb)
{
	const struct pair *a = *(struct pair *const *)pa, *b = *(struct pair *const *)pb;
	double ga = growth(a), gb = growth(b);
	if ((ga > 0) != (gb > 0))
		return ga > 0 ? -1 : 1;
	if (fabs(ga) != fabs(gb))
		return fabs(ga) > fabs(gb) ? -1 : 1;
	return strcmp(a->key, b->key);
}

static GPtrArray *changed(GHashTable *pairs)
{
	GPtrArray *a = g_ptr_array_new();
	GHashTableIter it;
	gpointer p;
	for (g_hash_table_iter_init(&it, pairs); g_hash_table_iter_next(&it, NULL, &p);)
		if (fabs(growth(p)) >= 0.5)
			g_ptr_array_add(a, p);
	g_ptr_array_sort(a, worst_first);
	return a;
}

static void row(struct diff *d, const struct pair *p)
{
	struct report *rp = p->in[1] ? &d->after : &d->before;
	enum figure_unit unit = measure_is_bytes(d->measure) ? UNIT_BYTES : UNIT_COUNT;
	const char *seen = !p->in[0] ? "new" : !p->in[1] ? "gone" : "";
	uint64_t stack = p->stack[p->in[1]];
	if (d->json) {
		out_row(rp, growth(p), p->value[0], p->value[1], p->calls[0], p->calls[1], seen,
			stack);
		return;
	}
	g_autofree char *amount = figure_text(unit, growth(p)),
			*before = figure_text(unit, p->value[0]),
			*after = figure_text(unit, p->value[1]),
			*change = g_strdup_printf("%s%s", growth(p) > 0 ? "+" : "", amount);
	out_row(rp, change, before, after, seen, stack);
}

void diff_sites(struct diff *d)
{
	static const struct column text[] = {{"", "change", CELL_NUMBER},
					     {"", "before", CELL_NUMBER},
					     {"", "after", CELL_NUMBER},
					     {"", "", CELL_TEXT},
					     {"", "call site < callers", CELL_STACK},
					     {0}};
	static const struct column json[] = {
		{"change", "", CELL_REAL},	{"before", "", CELL_REAL},
		{"after", "", CELL_REAL},	{"calls_before", "", CELL_REAL},
		{"calls_after", "", CELL_REAL}, {"seen", "", CELL_TEXT},
		{"stack", "", CELL_STACK},	{0}};
	g_autoptr(GHashTable) pairs =
		g_hash_table_new_full(g_str_hash, g_str_equal, NULL, pair_free);
	collect(d, &d->before, 0, pairs);
	collect(d, &d->after, 1, pairs);
	g_autoptr(GPtrArray) a = changed(pairs);
	guint n = d->top && d->top < a->len ? d->top : a->len;
	out_title(&d->after, "%s of %s call sites differ in %s", fmt_count(a->len),
		  fmt_count(g_hash_table_size(pairs)), measure_title(d->measure));
	out_table(&d->after, "sites", d->json ? json : text);
	for (guint i = 0; i < n; i++)
		row(d, a->pdata[i]);
	out_end(&d->after);
	if (n < a->len)
		out_note(&d->after, "%s more; --top=0 shows all", fmt_count(a->len - n));
}
