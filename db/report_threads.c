// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Report threads: what each thread asks for and gives back.
#include <stdlib.h>

#include "report.h"

struct thread_figures {
	int thread;
	uint64_t events, calls, bytes, frees, largest;
};

static void add(void *ctx, const struct scan_event *e)
{
	GArray *a = ctx;
	if (e->c->thread < 0 || e->c->thread > UINT16_MAX)
		return;
	if ((guint)e->c->thread >= a->len)
		g_array_set_size(a, (guint)e->c->thread + 1);
	struct thread_figures *t = &g_array_index(a, struct thread_figures, e->c->thread);
	t->thread = e->c->thread;
	t->events++;
	t->frees += e->c->kind == EV_FREE || e->c->kind == EV_MUNMAP;
	if (!scan_gives(e))
		return;
	t->calls++;
	t->bytes += e->req;
	t->largest = e->req > t->largest ? e->req : t->largest;
}

static int by_calls(gconstpointer pa, gconstpointer pb)
{
	const struct thread_figures *a = pa, *b = pb;
	if (a->calls != b->calls)
		return a->calls > b->calls ? -1 : 1;
	if (a->events != b->events)
		return a->events > b->events ? -1 : 1;
	return a->thread - b->thread;
}

static char *thread_name(struct report *rp, int thread)
{
	sqlite3_stmt *s = NULL;
	char *name = NULL;
	sqlite3_prepare_v2(rp->db, "SELECT name FROM thread WHERE process = ?1 AND thread = ?2", -1,
			   &s, NULL);
	sqlite3_bind_int(s, 1, rp->p->process);
	sqlite3_bind_int(s, 2, thread);
	if (s && sqlite3_step(s) == SQLITE_ROW)
		name = g_strdup((const char *)sqlite3_column_text(s, 0));
	sqlite3_finalize(s);
	return name ? name : g_strdup("");
}

int report_threads(struct report *rp)
{
	static const struct column columns[] = {
		{"thread", "thread", CELL_COUNT},   {"events", "events", CELL_COUNT},
		{"calls", "allocs", CELL_COUNT},    {"bytes", "bytes", CELL_BYTES},
		{"largest", "largest", CELL_BYTES}, {"frees", "frees", CELL_COUNT},
		{"name", "name", CELL_TEXT},	    {0}};
	g_autoptr(GArray) a = g_array_new(FALSE, TRUE, sizeof(struct thread_figures));
	guint n = 0;
	report_scan(rp, false, add, a);
	g_array_sort(a, by_calls);
	for (guint i = 0; i < a->len; i++)
		n += g_array_index(a, struct thread_figures, i).events > 0;
	out_title(rp, "%s thread%s (a later one may take an earlier one's number)", fmt_count(n),
		  plural(n));
	n = rp->top && rp->top < n ? rp->top : n;
	out_table(rp, "threads", columns);
	for (guint i = 0; i < a->len; i++) {
		const struct thread_figures *t = &g_array_index(a, struct thread_figures, i);
		if (!t->events || n == 0)
			continue;
		g_autofree char *name = thread_name(rp, t->thread);
		out_row(rp, (uint64_t)t->thread, t->events, t->calls, t->bytes, t->largest,
			t->frees, name);
		n--;
	}
	out_end(rp);
	return EXIT_SUCCESS;
}
