// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Report marks: the program's own marks, and what it did from each to the next.
#include <stdlib.h>

#include "report.h"

struct mark {
	uint64_t event; // of the mark itself
	int64_t t_ns;
	char *text;
	uint64_t calls, bytes, frees; // until the next one
};

static void mark_clear(gpointer p)
{
	g_free(((struct mark *)p)->text);
}

static GArray *read_marks(struct report *rp)
{
	GArray *a = g_array_new(FALSE, TRUE, sizeof(struct mark));
	sqlite3_stmt *s = NULL;
	g_array_set_clear_func(a, mark_clear);
	sqlite3_prepare_v2(rp->db,
			   "SELECT event, t_ns, text FROM mark WHERE process = ?1"
			   " AND event BETWEEN ?2 AND ?3 ORDER BY event",
			   -1, &s, NULL);
	sqlite3_bind_int(s, 1, rp->p->process);
	sqlite3_bind_int64(s, 2, (sqlite3_int64)rp->from);
	sqlite3_bind_int64(s, 3, (sqlite3_int64)rp->to);
	while (s && sqlite3_step(s) == SQLITE_ROW) {
		struct mark m = {.event = (uint64_t)sqlite3_column_int64(s, 0),
				 .t_ns = sqlite3_column_int64(s, 1),
				 .text = g_strdup((const char *)sqlite3_column_text(s, 2))};
		m.text = m.text ? m.text : g_strdup("");
		g_array_append_val(a, m);
	}
	sqlite3_finalize(s);
	return a;
}

struct counting {
	GArray *marks;
	guint next; // the first mark behind the event
};

static void add(void *ctx, const struct scan_event *e)
{
	struct counting *c = ctx;
	while (c->next < c->marks->len &&
	       g_array_index(c->marks, struct mark, c->next).event <= e->id)
		c->next++;
	if (!c->next)
		return;
	struct mark *m = &g_array_index(c->marks, struct mark, c->next - 1);
	m->frees += e->c->kind == EV_FREE || e->c->kind == EV_MUNMAP;
	if (scan_gives(e)) {
		m->calls++;
		m->bytes += e->req;
	}
}

int report_marks(struct report *rp)
{
	static const struct column columns[] = {{"event", "event", CELL_COUNT},
						{"t_ns", "at", CELL_TIME},
						{"calls", "allocs", CELL_COUNT},
						{"bytes", "bytes", CELL_BYTES},
						{"frees", "frees", CELL_COUNT},
						{"text", "until the next: mark", CELL_TEXT},
						{0}};
	g_autoptr(GArray) a = read_marks(rp);
	struct counting c = {a, 0};
	if (a->len)
		report_scan(rp, false, add, &c);
	out_title(rp, "%s mark%s", fmt_count(a->len), plural(a->len));
	guint n = rp->top && rp->top < a->len ? rp->top : a->len;
	out_table(rp, "marks", columns);
	for (guint i = 0; i < n; i++) {
		const struct mark *m = &g_array_index(a, struct mark, i);
		out_row(rp, m->event, (uint64_t)(m->t_ns > 0 ? m->t_ns : 0), m->calls, m->bytes,
			m->frees, m->text);
	}
	out_end(rp);
	if (n < a->len)
		out_note(rp, "%s more; --top=0 shows all", fmt_count(a->len - n));
	if (!a->len)
		out_note(rp, "A program makes marks with kalloscope_mark() of kalloscope.h.");
	return EXIT_SUCCESS;
}
