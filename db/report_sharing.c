// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Candidates of false sharing: objects of two threads on one line of the CPU's cache, told at the
// moment the second one was made. Whether both write there nobody recorded.
#include <stdlib.h>

#include "report.h"

enum {
	LINE = 64,     // bytes of a line, of the program's own CPU
	NEIGHBOURS = 4 // blocks of a line that are remembered
};

struct held { // a block, or what of it lies on one line
	uint64_t id;
	int thread;
};
struct line {
	struct held by[NEIGHBOURS];
};
struct tally_site { // of the block that came second
	uint64_t times, stack;
	unsigned cache;
};

struct sharing {
	struct report *rp;
	GHashTable *lines; // address / LINE -> struct line
	GHashTable *where; // event -> first line of its block, + 1
	GHashTable *sites; // stack -> struct tally_site
	uint64_t times;
};

// Larger blocks have their lines to themselves, except at their ends.
static bool small(const struct scan_event *e)
{
	return scan_gives(e) && (e->c->path == PATH_KMALLOC || e->c->path == PATH_SLAB) &&
	       scan_taken(e) <= 2 * LINE;
}

static void release(struct sharing *s, uint64_t id)
{
	gpointer first = g_hash_table_lookup(s->where, GSIZE_TO_POINTER(id));
	if (!first)
		return;
	for (gsize i = 0; i < 3; i++) {
		struct line *l = g_hash_table_lookup(s->lines,
						     GSIZE_TO_POINTER(GPOINTER_TO_SIZE(first) + i));
		for (unsigned k = 0; l && k < NEIGHBOURS; k++)
			if (l->by[k].id == id)
				l->by[k] = (struct held){0};
	}
	g_hash_table_remove(s->where, GSIZE_TO_POINTER(id));
}

// Takes a place on the line; true: another thread has one, too.
static bool take(struct line *l, struct held h)
{
	bool shared = false;
	int place = -1;
	for (int k = 0; k < NEIGHBOURS; k++) {
		shared |= l->by[k].id && l->by[k].thread != h.thread;
		place = l->by[k].id ? place : k;
	}
	if (place >= 0)
		l->by[place] = h;
	return shared;
}

static void count(struct sharing *s, const struct scan_event *e)
{
	gpointer key = GSIZE_TO_POINTER((gsize)e->stack);
	struct tally_site *t = g_hash_table_lookup(s->sites, key);
	if (!t) {
		t = g_new0(struct tally_site, 1);
		t->stack = e->stack;
		g_hash_table_insert(s->sites, key, t);
	}
	t->times++;
	t->cache = e->c->cache;
	s->times++;
}

static void look(void *ctx, const struct scan_event *e)
{
	struct sharing *s = ctx;
	bool shared = false;
	if (e->back && e->back < e->id)
		release(s, e->id - e->back);
	if (!small(e))
		return;
	gsize first = (gsize)(uint32_t)e->addr / LINE + 1,
	      last = ((gsize)(uint32_t)e->addr + scan_taken(e) - 1) / LINE + 1;
	for (gsize n = first; n <= last; n++) {
		struct line *l = g_hash_table_lookup(s->lines, GSIZE_TO_POINTER(n));
		if (!l) {
			l = g_new0(struct line, 1);
			g_hash_table_insert(s->lines, GSIZE_TO_POINTER(n), l);
		}
		shared |= take(l, (struct held){e->id, e->c->thread});
	}
	g_hash_table_insert(s->where, GSIZE_TO_POINTER(e->id), GSIZE_TO_POINTER(first));
	if (shared && stack_wanted(s->rp, e->stack))
		count(s, e);
}

static int by_times(gconstpointer pa, gconstpointer pb)
{
	const struct tally_site *a = *(struct tally_site *const *)pa,
				*b = *(struct tally_site *const *)pb;
	if (a->times != b->times)
		return a->times > b->times ? -1 : 1;
	return a->stack < b->stack ? -1 : 1;
}

static void print(struct report *rp, const struct sharing *s)
{
	static const struct column columns[] = {
		{"times", "times", CELL_COUNT},
		{"cache", "cache", CELL_TEXT},
		{"stack", "made beside another thread's by", CELL_STACK},
		{0}};
	g_autoptr(GPtrArray) a = g_ptr_array_new();
	GHashTableIter it;
	gpointer t;
	for (g_hash_table_iter_init(&it, s->sites); g_hash_table_iter_next(&it, NULL, &t);)
		g_ptr_array_add(a, t);
	g_ptr_array_sort(a, by_times);
	out_title(rp, "False sharing: %s object%s made on a line of %d bytes with another thread's",
		  fmt_count(s->times), plural(s->times), LINE);
	out_table(rp, "false_sharing", columns);
	for (guint i = 0; i < a->len && (!rp->top || i < rp->top); i++) {
		const struct tally_site *site = a->pdata[i];
		g_autofree char *name = cache_name(rp, site->cache);
		out_row(rp, site->times, name, site->stack);
	}
	out_end(rp);
}

// A process of one thread shares with nobody.
static bool one_thread(struct report *rp)
{
	sqlite3_stmt *s = NULL;
	sqlite3_prepare_v2(rp->db, "SELECT count(*) FROM thread WHERE process = ?1", -1, &s, NULL);
	sqlite3_bind_int(s, 1, rp->p->process);
	bool one = s && sqlite3_step(s) == SQLITE_ROW && sqlite3_column_int(s, 0) < 2;
	sqlite3_finalize(s);
	return one;
}

void report_sharing(struct report *rp)
{
	struct sharing s = {.rp = rp};
	s.lines = g_hash_table_new_full(NULL, NULL, NULL, g_free);
	s.where = g_hash_table_new(NULL, NULL);
	s.sites = g_hash_table_new_full(NULL, NULL, NULL, g_free);
	if (!one_thread(rp))
		report_scan(rp, true, look, &s);
	print(rp, &s);
	g_hash_table_unref(s.lines);
	g_hash_table_unref(s.where);
	g_hash_table_unref(s.sites);
}
