// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The Trace Event format (JSON) of Perfetto and chrome://tracing: zones and the program's bytes as
// counters, the life of the largest blocks as asynchronous slices, failed calls and marks as
// instants. Times are microseconds.
#include <stdlib.h>
#include <string.h>

#include "export.h"

enum {
	BUCKETS = 4000, // points of a curve at most
	BLOCKS = 5000	// largest blocks shown
};

struct life { // of a block; end 0: not seen
	uint64_t id, bytes;
	int64_t begin, end;
	uint32_t stack;
	int thread;
	unsigned path;
};

struct trace {
	struct export *x;
	GHashTable *by_id; // event -> struct life; the largest so far
	uint64_t least;	   // smaller ones are not taken any more
	bool comma;
};

static void event(struct trace *t, const char *phase, int64_t t_ns)
{
	fprintf(t->x->out, "%s{\"ph\":\"%s\",\"pid\":%d,\"ts\":%.3f", t->comma ? ",\n" : "", phase,
		t->x->rp.p->pid, (double)t_ns / 1000);
	t->comma = true;
}

static void name_of(struct trace *t, const char *key, int tid, const char *name)
{
	g_autofree char *text = json_quote(name);
	event(t, "M", 0);
	fprintf(t->x->out, ",\"tid\":%d,\"name\":\"%s\",\"args\":{\"name\":%s}}", tid, key, text);
}

static void names(struct trace *t)
{
	const struct report *rp = &t->x->rp;
	sqlite3_stmt *s = NULL;
	name_of(t, "process_name", rp->p->pid, *rp->p->argv ? rp->p->argv : rp->p->exe);
	sqlite3_prepare_v2(rp->db, "SELECT thread, name FROM thread WHERE process = ?1", -1, &s,
			   NULL);
	sqlite3_bind_int(s, 1, rp->p->process);
	while (s && sqlite3_step(s) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(s, 1);
		name_of(t, "thread_name", sqlite3_column_int(s, 0), name ? name : "");
	}
	sqlite3_finalize(s);
}

static void counters(struct trace *t)
{
	static const struct {
		const char *name, *unit;
	} items[TL_ITEMS] = {
		[TL_DMA_USED] = {"DMA used", "pages"},
		[TL_NORMAL_USED] = {"Normal used", "pages"},
		[TL_HIGHMEM_USED] = {"HighMem used", "pages"},
		[TL_PROGRAM_BYTES] = {"alive", "bytes"},
		[TL_HOST_BYTES] = {"alive, served by the host", "bytes"},
	};
	struct report *rp = &t->x->rp;
	struct timeline_bucket *b = g_new(struct timeline_bucket, BUCKETS);
	unsigned n = recording_timeline(rp->r, rp->p->process, rp->from, rp->to, b, BUCKETS);
	for (unsigned i = 0; i < n; i++)
		for (unsigned k = 0; k < TL_ITEMS; k++) {
			event(t, "C", b[i].t_ns);
			fprintf(t->x->out, ",\"name\":\"%s\",\"args\":{\"%s\":%llu}}",
				items[k].name, items[k].unit, (unsigned long long)b[i].max[k]);
		}
	g_free(b);
}

static void instant(struct trace *t, int64_t t_ns, int tid, const char *name, const char *args)
{
	g_autofree char *text = json_quote(name);
	event(t, "i", t_ns);
	fprintf(t->x->out, ",\"tid\":%d,\"s\":\"%s\",\"name\":%s,\"args\":{%s}}", tid,
		tid ? "t" : "p", text, args);
}

static void marks(struct trace *t)
{
	const struct report *rp = &t->x->rp;
	sqlite3_stmt *s = NULL;
	sqlite3_prepare_v2(rp->db,
			   "SELECT event, t_ns, text FROM mark WHERE process = ?1"
			   " AND event BETWEEN ?2 AND ?3 ORDER BY rowid",
			   -1, &s, NULL);
	sqlite3_bind_int(s, 1, rp->p->process);
	sqlite3_bind_int64(s, 2, (sqlite3_int64)rp->from);
	sqlite3_bind_int64(s, 3, (sqlite3_int64)rp->to);
	while (s && sqlite3_step(s) == SQLITE_ROW) {
		const char *text = (const char *)sqlite3_column_text(s, 2);
		g_autofree char *args =
			g_strdup_printf("\"event\":%lld", (long long)sqlite3_column_int64(s, 0));
		instant(t, sqlite3_column_int64(s, 1), 0, text ? text : "", args);
	}
	sqlite3_finalize(s);
}

static int by_bytes(gconstpointer pa, gconstpointer pb)
{
	const struct life *a = *(struct life *const *)pa, *b = *(struct life *const *)pb;
	if (a->bytes != b->bytes)
		return a->bytes > b->bytes ? -1 : 1;
	return (a->id > b->id) - (a->id < b->id);
}

static GPtrArray *largest(const struct trace *t)
{
	GPtrArray *a = g_ptr_array_new();
	GHashTableIter it;
	gpointer life;
	for (g_hash_table_iter_init(&it, t->by_id); g_hash_table_iter_next(&it, NULL, &life);)
		g_ptr_array_add(a, life);
	g_ptr_array_sort(a, by_bytes);
	return a;
}

// Twice as many as wanted are collected before the smaller half goes.
static void prune(struct trace *t)
{
	g_autoptr(GPtrArray) a = largest(t);
	for (guint i = BLOCKS; i < a->len; i++)
		g_hash_table_remove(t->by_id, GSIZE_TO_POINTER(((struct life *)a->pdata[i])->id));
	if (a->len >= BLOCKS)
		t->least = ((struct life *)a->pdata[BLOCKS - 1])->bytes;
}

static void look(void *ctx, const struct scan_event *e)
{
	struct trace *t = ctx;
	struct life *old =
		e->back ? g_hash_table_lookup(t->by_id, GSIZE_TO_POINTER(e->id - e->back)) : NULL;
	if (old)
		old->end = e->t_ns > old->begin ? e->t_ns : old->begin;
	if (!stack_wanted(&t->x->rp, e->stack))
		return;
	if (e->c->flags & OPF_FAILED) {
		g_autofree char *args =
			g_strdup_printf("\"event\":%llu,\"bytes\":%llu", (unsigned long long)e->id,
					(unsigned long long)e->req);
		instant(t, e->t_ns, e->c->thread, "failed", args);
	}
	if (!scan_gives(e) || e->req < t->least)
		return;
	struct life *l = g_new(struct life, 1);
	*l = (struct life){e->id, e->req, e->t_ns, 0, e->stack, e->c->thread, e->c->path};
	g_hash_table_insert(t->by_id, GSIZE_TO_POINTER(e->id), l);
	if (g_hash_table_size(t->by_id) >= 2 * BLOCKS)
		prune(t);
}

static void slice(struct trace *t, const char *phase, int64_t t_ns, const struct life *l,
		  const char *name)
{
	event(t, phase, t_ns);
	fprintf(t->x->out, ",\"tid\":%d,\"cat\":\"block\",\"id\":\"0x%llx\",\"name\":%s", l->thread,
		(unsigned long long)l->id, name);
}

static void block(struct trace *t, const struct life *l)
{
	g_autoptr(GString) callers = g_string_new(NULL);
	unsigned n, i;
	const struct site_frame *f = stack_frames(&t->x->rp, l->stack, &n);
	i = stack_site(f, n);
	g_autofree char *name = json_quote(n ? f[i].function : "(no stack)");
	for (unsigned last = stack_outermost(f, n); n && i < last; i++)
		g_string_append_printf(callers, "%s%s", callers->len ? " < " : "",
				       f[i + 1].function);
	g_autofree char *stack = json_quote(callers->str);
	slice(t, "b", l->begin, l, name);
	fprintf(t->x->out,
		",\"args\":{\"event\":%llu,\"bytes\":%llu,\"path\":\"%s\",\"callers\":%s}}",
		(unsigned long long)l->id, (unsigned long long)l->bytes,
		op_path_name((enum op_path)l->path), stack);
	int64_t end = (int64_t)t->x->rp.p->end_ns;
	slice(t, "e", l->end ? l->end : end > l->begin ? end : l->begin, l, name);
	fprintf(t->x->out, ",\"args\":{\"given_back\":%s}}", l->end ? "true" : "false");
}

static void blocks(struct trace *t)
{
	report_scan(&t->x->rp, true, look, t);
	prune(t);
	g_autoptr(GPtrArray) a = largest(t);
	for (guint i = 0; i < a->len && !ferror(t->x->out); i++)
		block(t, a->pdata[i]);
}

int export_perfetto(struct export *x)
{
	struct trace t = {.x = x, .by_id = g_hash_table_new_full(NULL, NULL, NULL, g_free)};
	fputs("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n", x->out);
	names(&t);
	counters(&t);
	marks(&t);
	blocks(&t);
	fputs("\n]}\n", x->out);
	g_hash_table_unref(t.by_id);
	return EXIT_SUCCESS;
}
