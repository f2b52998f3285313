// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Figures per stack: the recording's own totals, or counted from a window's events.
#include "report.h"

static uint64_t column(sqlite3_stmt *s, int c)
{
	int64_t v = sqlite3_column_int64(s, c);
	return v < 0 ? 0 : (uint64_t)v;
}

// ---- figures of a window

// A bit per event says whether the block it made was given back, so a window of any length needs
// little memory: one pass marks, the second adds up.
struct window {
	struct report *rp;
	uint8_t *freed, *next; // freed at all; by the thread's next event
	GHashTable *last;      // thread -> its last event
	GHashTable *site;      // stack -> index in figures
	GArray *figures;
};

static bool bit(const uint8_t *map, uint64_t i)
{
	return map[i / 8] >> (i % 8) & 1;
}

static void mark_freed(void *ctx, const struct scan_event *e)
{
	struct window *w = ctx;
	gpointer thread = GSIZE_TO_POINTER((gsize)(uint32_t)e->c->thread + 1);
	uint64_t last = GPOINTER_TO_SIZE(g_hash_table_lookup(w->last, thread));
	g_hash_table_insert(w->last, thread, GSIZE_TO_POINTER(e->id));
	if (!e->back || e->back > e->id - w->rp->from)
		return;
	uint64_t i = e->id - e->back - w->rp->from;
	w->freed[i / 8] |= (uint8_t)(1 << i % 8);
	if (last == e->id - e->back && (e->c->kind == EV_FREE || e->c->kind == EV_MUNMAP))
		w->next[i / 8] |= (uint8_t)(1 << i % 8);
}

static struct site_figures *figures_of(struct window *w, uint32_t stack)
{
	gpointer key = GSIZE_TO_POINTER((gsize)stack), at;
	if (!g_hash_table_lookup_extended(w->site, key, NULL, &at)) {
		struct site_figures f = {.stack = stack};
		at = GSIZE_TO_POINTER((gsize)w->figures->len);
		g_array_append_val(w->figures, f);
		g_hash_table_insert(w->site, key, at);
	}
	return &g_array_index(w->figures, struct site_figures, GPOINTER_TO_SIZE(at));
}

static void add_allocation(void *ctx, const struct scan_event *e)
{
	struct window *w = ctx;
	uint64_t i = e->id - w->rp->from;
	if (!scan_gives(e))
		return;
	struct site_figures *f = figures_of(w, e->stack);
	bool live = !bit(w->freed, i) && !is_only_addresses(e->c->path, e->c->cache);
	f->calls++;
	f->bytes += e->req;
	f->alloc += scan_taken(e);
	f->live_count += live;
	f->live_bytes += live ? e->req : 0;
	f->temporary += bit(w->next, i);
}

static GArray *window_figures(struct report *rp)
{
	gsize bytes = (rp->to >= rp->from ? rp->to - rp->from : 0) / 8 + 1;
	struct window w = {rp,
			   g_malloc0(bytes),
			   g_malloc0(bytes),
			   g_hash_table_new(NULL, NULL),
			   g_hash_table_new(NULL, NULL),
			   g_array_new(FALSE, TRUE, sizeof(struct site_figures))};
	report_scan(rp, true, mark_freed, &w);
	report_scan(rp, false, add_allocation, &w);
	g_free(w.freed);
	g_free(w.next);
	g_hash_table_unref(w.last);
	g_hash_table_unref(w.site);
	return w.figures;
}

GArray *site_figures(struct report *rp)
{
	if (rp->window)
		return window_figures(rp);
	GArray *a = g_array_new(FALSE, TRUE, sizeof(struct site_figures));
	sqlite3_stmt *s = NULL;
	sqlite3_prepare_v2(rp->db,
			   "SELECT stack, calls, bytes, alloc_bytes, live_count, live_bytes,"
			   " peak_bytes, temporary, failed FROM stack_stat WHERE process = ?1",
			   -1, &s, NULL);
	sqlite3_bind_int(s, 1, rp->p->process);
	while (s && sqlite3_step(s) == SQLITE_ROW) {
		struct site_figures f = {column(s, 0), column(s, 1), column(s, 2),
					 column(s, 3), column(s, 4), column(s, 5),
					 column(s, 6), column(s, 7), column(s, 8)};
		if (stack_wanted(rp, f.stack))
			g_array_append_val(a, f);
	}
	sqlite3_finalize(s);
	return a;
}
