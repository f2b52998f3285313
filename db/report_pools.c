// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Report pools: what the program did with pools of its own (kalloscope.h), by pool and by call site.
#include <stdlib.h>

#include "report.h"

struct pool_figures { // of a pool, or of one call site of a pool
	unsigned pool;
	uint64_t stack, calls, bytes, frees, live_count, live_bytes, peak_bytes;
	bool destroyed;
};

struct pool_block {
	struct pool_figures *pool, *site;
	uint64_t bytes;
};

struct pools {
	struct report *rp;
	GHashTable *pool, *site; // struct pool_figures by number, by number and stack
	GHashTable *live;	 // event -> struct pool_block
};

static struct pool_figures *figures_of(GHashTable *table, unsigned pool, uint64_t stack)
{
	gpointer key = GSIZE_TO_POINTER((gsize)(stack << 16 | pool));
	struct pool_figures *f = g_hash_table_lookup(table, key);
	if (f)
		return f;
	f = g_new0(struct pool_figures, 1);
	f->pool = pool;
	f->stack = stack;
	g_hash_table_insert(table, key, f);
	return f;
}

static void grow(struct pool_figures *f, uint64_t bytes)
{
	f->calls++;
	f->bytes += bytes;
	f->live_count++;
	f->live_bytes += bytes;
	f->peak_bytes = f->live_bytes > f->peak_bytes ? f->live_bytes : f->peak_bytes;
}

static void shrink(const struct pool_block *b, bool freed)
{
	struct pool_figures *of[] = {b->pool, b->site};
	for (unsigned i = 0; i < G_N_ELEMENTS(of); i++) {
		of[i]->live_count--;
		of[i]->live_bytes -= b->bytes;
		of[i]->frees += freed;
	}
}

static gboolean of_pool(gpointer key, gpointer block, gpointer pool)
{
	(void)key;
	struct pool_block *b = block;
	if (b->pool != pool)
		return FALSE;
	shrink(b, false);
	return TRUE;
}

static void add(void *ctx, const struct scan_event *e)
{
	struct pools *p = ctx;
	if (e->c->path != PATH_OWN_POOL)
		return;
	struct pool_figures *pool = figures_of(p->pool, e->c->cache, 0);
	gpointer ended = GSIZE_TO_POINTER((gsize)(e->id - e->back));
	struct pool_block *b = e->back ? g_hash_table_lookup(p->live, ended) : NULL;
	if (b) {
		shrink(b, true);
		g_hash_table_remove(p->live, ended);
	}
	if (e->c->kind == EV_POOL_DESTROY) {
		g_hash_table_foreach_remove(p->live, of_pool, pool);
		pool->destroyed = true;
	}
	if (e->c->kind != EV_POOL_ALLOC || !stack_wanted(p->rp, e->stack))
		return;
	b = g_new(struct pool_block, 1);
	*b = (struct pool_block){pool, figures_of(p->site, e->c->cache, e->stack), e->req};
	grow(b->pool, e->req);
	grow(b->site, e->req);
	g_hash_table_insert(p->live, GSIZE_TO_POINTER((gsize)e->id), b);
}

static int by_bytes(gconstpointer pa, gconstpointer pb)
{
	const struct pool_figures *a = *(struct pool_figures *const *)pa,
				  *b = *(struct pool_figures *const *)pb;
	if (a->bytes != b->bytes)
		return a->bytes > b->bytes ? -1 : 1;
	if (a->pool != b->pool)
		return a->pool < b->pool ? -1 : 1;
	return (a->stack > b->stack) - (a->stack < b->stack);
}

static char *pool_name(struct report *rp, unsigned pool)
{
	char *name = NULL;
	sqlite3_stmt *s = NULL;
	sqlite3_prepare_v2(rp->db, "SELECT name FROM pool WHERE process = ?1 AND pool = ?2", -1, &s,
			   NULL);
	sqlite3_bind_int(s, 1, rp->p->process);
	sqlite3_bind_int(s, 2, (int)pool);
	if (s && sqlite3_step(s) == SQLITE_ROW)
		name = g_strdup((const char *)sqlite3_column_text(s, 0));
	sqlite3_finalize(s);
	return name && *name ? name : (g_free(name), g_strdup_printf("pool %u", pool));
}

static void print_table(struct report *rp, GHashTable *figures, const char *key,
			const struct column *columns, bool sites)
{
	g_autoptr(GPtrArray) a = g_ptr_array_new();
	GHashTableIter it;
	gpointer f;
	for (g_hash_table_iter_init(&it, figures); g_hash_table_iter_next(&it, NULL, &f);)
		g_ptr_array_add(a, f);
	g_ptr_array_sort(a, by_bytes);
	guint n = rp->top && rp->top < a->len ? rp->top : a->len;
	out_table(rp, key, columns);
	for (guint i = 0; i < n; i++) {
		const struct pool_figures *p = a->pdata[i];
		g_autofree char *name = pool_name(rp, p->pool);
		if (sites)
			out_row(rp, p->calls, p->bytes, p->live_bytes, p->peak_bytes, name,
				p->stack);
		else
			out_row(rp, p->calls, p->frees, p->bytes, p->live_count, p->live_bytes,
				p->peak_bytes, p->destroyed ? "destroyed" : "", name);
	}
	out_end(rp);
	if (n < a->len)
		out_note(rp, "%s more; --top=0 shows all", fmt_count(a->len - n));
}

int report_pools(struct report *rp)
{
	static const struct column columns[] = {{"calls", "allocs", CELL_COUNT},
						{"frees", "frees", CELL_COUNT},
						{"bytes", "bytes", CELL_BYTES},
						{"live_count", "blocks left", CELL_COUNT},
						{"live_bytes", "bytes left", CELL_BYTES},
						{"peak_bytes", "peak", CELL_BYTES},
						{"state", "", CELL_TEXT},
						{"pool", "pool", CELL_TEXT},
						{0}};
	static const struct column sites[] = {{"calls", "allocs", CELL_COUNT},
					      {"bytes", "bytes", CELL_BYTES},
					      {"live_bytes", "left", CELL_BYTES},
					      {"peak_bytes", "peak", CELL_BYTES},
					      {"pool", "pool", CELL_TEXT},
					      {"stack", "call site < callers", CELL_STACK},
					      {0}};
	struct pools p = {rp, g_hash_table_new_full(NULL, NULL, NULL, g_free),
			  g_hash_table_new_full(NULL, NULL, NULL, g_free),
			  g_hash_table_new_full(NULL, NULL, NULL, g_free)};
	report_scan(rp, true, add, &p);
	guint n = g_hash_table_size(p.pool);
	out_title(rp, "%s pool%s of the program's own", fmt_count(n), plural(n));
	print_table(rp, p.pool, "pools", columns, false);
	if (n || output_json(rp->out))
		print_table(rp, p.site, "sites", sites, true);
	else
		out_note(rp, "A program tells of its pools with kalloscope_pool_create() and its "
			     "kin of kalloscope.h.");
	g_hash_table_unref(p.live);
	g_hash_table_unref(p.site);
	g_hash_table_unref(p.pool);
	return EXIT_SUCCESS;
}
