// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// What `top` knows: call sites and blocks alive, from the events stored since the look before.
#include <string.h>

#include "top.h"

enum {
	MAX_FRAMES = 64,
	SHOWN_FRAMES = 6
};

struct top_block {
	struct top_site *site;
	uint64_t bytes;
};

static void site_free(gpointer p)
{
	g_free(((struct top_site *)p)->text);
	g_free(p);
}

static void forget(struct top *t)
{
	if (t->site)
		g_hash_table_unref(t->site);
	if (t->live)
		g_hash_table_unref(t->live);
	t->site = t->live = NULL;
	t->seen = t->calls = t->recent = t->live_bytes = t->live_count = t->peak_bytes = 0;
}

void top_begin(struct top *t, const char *path, int process)
{
	*t = (struct top){.path = path, .process = process};
}

void top_end(struct top *t)
{
	forget(t);
	live_names_close(t->names);
}

static struct top_site *site_of(struct top *t, uint32_t stack)
{
	gpointer key = GSIZE_TO_POINTER((gsize)stack);
	struct top_site *s = g_hash_table_lookup(t->site, key);
	if (s)
		return s;
	s = g_new0(struct top_site, 1);
	s->stack = stack;
	g_hash_table_insert(t->site, key, s);
	return s;
}

static void gone(struct top *t, uint64_t event)
{
	gpointer key = GSIZE_TO_POINTER((gsize)event);
	struct top_block *b = g_hash_table_lookup(t->live, key);
	if (!b)
		return;
	b->site->live_bytes -= b->bytes;
	t->live_bytes -= b->bytes;
	t->live_count--;
	g_hash_table_remove(t->live, key);
}

static void add(void *ctx, const struct scan_event *e)
{
	struct top *t = ctx;
	if (e->back)
		gone(t, e->id - e->back);
	if (!scan_gives(e))
		return;
	struct top_site *s = site_of(t, e->stack);
	s->calls++;
	s->recent++;
	s->bytes += e->req;
	t->calls++;
	t->recent++;
	if (is_only_addresses(e->c->path, e->c->cache))
		return;
	struct top_block *b = g_new(struct top_block, 1);
	*b = (struct top_block){s, e->req};
	g_hash_table_insert(t->live, GSIZE_TO_POINTER((gsize)e->id), b);
	s->live_bytes += e->req;
	t->live_bytes += e->req;
	t->live_count++;
	t->peak_bytes = t->live_bytes > t->peak_bytes ? t->live_bytes : t->peak_bytes;
}

void top_look(struct top *t, struct report *rp)
{
	GHashTableIter it;
	gpointer s;
	if (!t->site || t->shown != rp->p->process) {
		forget(t);
		t->shown = rp->p->process;
		t->site = g_hash_table_new_full(NULL, NULL, NULL, site_free);
		t->live = g_hash_table_new_full(NULL, NULL, NULL, g_free);
	}
	t->recent = 0;
	for (g_hash_table_iter_init(&it, t->site); g_hash_table_iter_next(&it, NULL, &s);)
		((struct top_site *)s)->recent = 0;
	rp->from = t->seen + 1;
	if (rp->from <= rp->to)
		report_scan(rp, true, add, t);
	t->seen = rp->to > t->seen ? rp->to : t->seen;
}

static int hotter(gconstpointer pa, gconstpointer pb)
{
	const struct top_site *a = *(struct top_site *const *)pa,
			      *b = *(struct top_site *const *)pb;
	if (a->recent != b->recent)
		return a->recent > b->recent ? -1 : 1;
	if (a->calls != b->calls)
		return a->calls > b->calls ? -1 : 1;
	return (a->stack > b->stack) - (a->stack < b->stack);
}

GPtrArray *top_sites(struct top *t)
{
	GPtrArray *a = g_ptr_array_new();
	GHashTableIter it;
	gpointer s;
	for (g_hash_table_iter_init(&it, t->site); g_hash_table_iter_next(&it, NULL, &s);)
		g_ptr_array_add(a, s);
	g_ptr_array_sort(a, hotter);
	return a;
}

static char *text_of(const struct site_frame *f, unsigned n)
{
	GString *text = g_string_new(NULL);
	unsigned first = stack_site(f, n), last = stack_outermost(f, n), shown = 0;
	for (unsigned i = first; i < n && (i <= last || i == first) && shown < SHOWN_FRAMES; i++) {
		if (i > first && !strcmp(f[i].function, f[i - 1].function))
			continue;
		g_string_append(text, shown++ ? " < " : "");
		put_function(text, f[i].function);
	}
	return g_string_free(text, FALSE);
}

// The recording's own names when it has them.
const char *top_site_text(struct top *t, struct report *rp, struct top_site *s)
{
	struct site_frame frames[MAX_FRAMES];
	unsigned n = 0;
	if (s->text)
		return s->text;
	const struct site_frame *f = stack_frames(rp, s->stack, &n);
	if (!n && !t->names && !recording_complete(rp->r))
		t->names = live_names_open(t->path);
	if (!n && t->names) {
		n = live_names_frames(t->names, s->stack, frames, MAX_FRAMES);
		f = frames;
	}
	if (!n)
		return s->stack ? "(not named yet)" : "(no stack)";
	s->text = text_of(f, n);
	return s->text;
}
