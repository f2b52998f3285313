// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Figures per stack, and the one pass over events that reports make which need them all.
#include <string.h>

#include "report.h"

static uint64_t column(sqlite3_stmt *s, int c)
{
	int64_t v = sqlite3_column_int64(s, c);
	return v < 0 ? 0 : (uint64_t)v;
}

// ---- events

// Contexts are few (thousands); by number, so that an event costs one look.
static GArray *read_contexts(sqlite3 *db)
{
	GArray *a = g_array_new(FALSE, TRUE, sizeof(struct scan_context));
	sqlite3_stmt *s = NULL;
	sqlite3_prepare_v2(db,
			   "SELECT context, process, thread, kind, path, cache, flags,"
			   " ifnull(alloc, -2) FROM context WHERE context BETWEEN 0 AND 1000000",
			   -1, &s, NULL);
	while (s && sqlite3_step(s) == SQLITE_ROW) {
		guint id = (guint)sqlite3_column_int64(s, 0);
		if (id >= a->len)
			g_array_set_size(a, id + 1);
		g_array_index(a, struct scan_context, id) = (struct scan_context){
			sqlite3_column_int(s, 1),	    sqlite3_column_int(s, 2),
			(unsigned)sqlite3_column_int(s, 3), (unsigned)sqlite3_column_int(s, 4),
			(unsigned)sqlite3_column_int(s, 5), (unsigned)sqlite3_column_int(s, 6),
			sqlite3_column_int64(s, 7)};
	}
	sqlite3_finalize(s);
	return a;
}

bool scan_gives(const struct scan_event *e)
{
	unsigned k = e->c->kind;
	return (k == EV_MALLOC || k == EV_CALLOC || k == EV_REALLOC || k == EV_MEMALIGN ||
		k == EV_MMAP || k == EV_MREMAP) &&
	       !(e->c->flags & OPF_FAILED) && e->addr;
}

uint64_t scan_taken(const struct scan_event *e)
{
	uint64_t pages = (e->req + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
	return e->c->alloc >= 0 ? (uint64_t)e->c->alloc : e->c->alloc == -1 ? e->req : pages;
}

// Times hold until the next row of the table.
struct scan_clock {
	sqlite3_stmt *s;
	int64_t t_ns, next_t_ns;
	uint64_t next; // event from which next_t_ns holds; UINT64_MAX: there is none
};

static void clock_step(struct scan_clock *c)
{
	bool more = c->s && sqlite3_step(c->s) == SQLITE_ROW;
	c->t_ns = c->next_t_ns;
	c->next = more ? column(c->s, 0) : UINT64_MAX;
	if (more)
		c->next_t_ns = sqlite3_column_int64(c->s, 1);
}

static void clock_open(struct scan_clock *c, struct report *rp)
{
	sqlite3_prepare_v2(
		rp->db,
		"SELECT event, t_ns FROM clock WHERE event >="
		" ifnull((SELECT max(event) FROM clock WHERE event <= ?1), 0) ORDER BY event",
		-1, &c->s, NULL);
	sqlite3_bind_int64(c->s, 1, (int64_t)rp->from);
	clock_step(c);
}

static int64_t clock_at(struct scan_clock *c, uint64_t event)
{
	while (c->next <= event)
		clock_step(c);
	return c->t_ns;
}

void report_scan(struct report *rp, bool all, void (*fn)(void *ctx, const struct scan_event *e),
		 void *ctx)
{
	g_autoptr(GArray) contexts = read_contexts(rp->db);
	struct scan_clock clock = {0};
	sqlite3_stmt *s = NULL;
	clock_open(&clock, rp);
	// times come from beside, and freed blocks' addresses are not asked for: see the view `event`
	sqlite3_prepare_v2(
		rp->db,
		"SELECT e.rowid, l.context, ifnull(e.addr, 0), ifnull(l.req, e.arg), l.stack,"
		" CASE WHEN l.req IS NOT NULL THEN e.arg ELSE ifnull((SELECT o.back FROM"
		" event_old o WHERE o.event = e.rowid), 0) END"
		" FROM event_row e CROSS JOIN call l USING (call)"
		" WHERE e.rowid BETWEEN ?1 AND ?2",
		-1, &s, NULL);
	sqlite3_bind_int64(s, 1, (int64_t)rp->from);
	sqlite3_bind_int64(s, 2, (int64_t)rp->to);
	while (s && sqlite3_step(s) == SQLITE_ROW) {
		uint64_t context = column(s, 1);
		if (context >= contexts->len)
			continue;
		struct scan_event e = {
			.id = column(s, 0),
			.t_ns = clock_at(&clock, column(s, 0)),
			.addr = sqlite3_column_int64(s, 2),
			.req = column(s, 3),
			.stack = (uint32_t)column(s, 4),
			.back = column(s, 5),
			.c = &g_array_index(contexts, struct scan_context, context),
		};
		if (e.c->process == rp->p->process && (all || stack_wanted(rp, e.stack)))
			fn(ctx, &e);
	}
	sqlite3_finalize(s);
	sqlite3_finalize(clock.s);
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
	gpointer thread = GINT_TO_POINTER(e->c->thread + 1);
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
