// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// SQL functions about stacks, sizes, and the machine at an event.
#include "sql_functions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../core/page_alloc.h"
#include "../core/procfs.h"
#include "../core/slab_inline.h"
#include "report.h"

struct sql_functions {
	struct report rp;   // names of stacks
	GHashTable *replay; // process -> struct replay; a failed one is not there
	sqlite3_stmt *process_of;
};

static void result_text(sqlite3_context *c, char *text)
{
	if (text)
		sqlite3_result_text(c, text, -1, g_free);
}

static void stack_text(sqlite3_context *c, int n, sqlite3_value **v)
{
	struct sql_functions *f = sqlite3_user_data(c);
	unsigned frames;
	(void)n;
	const struct site_frame *frame =
		stack_frames(&f->rp, (uint64_t)sqlite3_value_int64(v[0]), &frames);
	if (!frames)
		return;
	GString *t = g_string_new(NULL);
	for (unsigned i = stack_site(frame, frames), last = stack_outermost(frame, frames);
	     i <= last; i++) {
		g_string_append(t, t->len ? " < " : "");
		put_function(t, frame[i].function);
	}
	result_text(c, g_string_free(t, FALSE));
}

static void hex_text(sqlite3_context *c, int n, sqlite3_value **v)
{
	(void)n;
	if (sqlite3_value_type(v[0]) == SQLITE_NULL)
		return;
	result_text(c, g_strdup_printf("0x%llx", (unsigned long long)sqlite3_value_int64(v[0])));
}

static void size_text(sqlite3_context *c, int n, sqlite3_value **v)
{
	int64_t bytes = sqlite3_value_int64(v[0]);
	(void)n;
	if (sqlite3_value_type(v[0]) == SQLITE_NULL)
		return;
	result_text(c, g_strdup_printf("%s%s", bytes < 0 ? "-" : "",
				       fmt_bytes((uint64_t)(bytes < 0 ? -bytes : bytes))));
}

static void gfp_text(sqlite3_context *c, int n, sqlite3_value **v)
{
	char text[512];
	(void)n;
	if (sqlite3_value_type(v[0]) == SQLITE_NULL)
		return;
	gfp_string((gfp_t)sqlite3_value_int64(v[0]), text, sizeof(text));
	result_text(c, g_strdup(text));
}

// ---- the machine at an event

static int process_of(struct sql_functions *f, int64_t event)
{
	sqlite3_bind_int64(f->process_of, 1, event);
	int p = sqlite3_step(f->process_of) == SQLITE_ROW ? sqlite3_column_int(f->process_of, 0)
							  : 0;
	sqlite3_reset(f->process_of);
	return p;
}

// NULL: no such event, or the recording is damaged before it; an error stands in c then.
static struct machine *machine_of(sqlite3_context *c, int process, uint64_t event)
{
	struct sql_functions *f = sqlite3_user_data(c);
	struct replay *p = g_hash_table_lookup(f->replay, GINT_TO_POINTER(process));
	char err[512];
	if (!process)
		return NULL;
	if (!p) {
		p = replay_open(f->rp.r, process, err, sizeof(err));
		if (!p) {
			sqlite3_result_error(c, err, -1);
			return NULL;
		}
		g_hash_table_insert(f->replay, GINT_TO_POINTER(process), p);
	}
	if (!replay_seek(p, event))
		return replay_machine(p);
	sqlite3_result_error(c, "the recording is damaged before this event", -1);
	return NULL;
}

static struct machine *machine_at(sqlite3_context *c, sqlite3_value *event)
{
	int64_t id = sqlite3_value_int64(event);
	return machine_of(c, process_of(sqlite3_user_data(c), id), (uint64_t)id);
}

// By name, in any case, or by number; MAX_NR_ZONES: none.
static unsigned zone_of(sqlite3_value *v)
{
	const char *name = (const char *)sqlite3_value_text(v);
	for (unsigned z = 0; name && z < MAX_NR_ZONES; z++)
		if (!g_ascii_strcasecmp(name, zone_names[z]) ||
		    (*name == (char)('0' + z) && !name[1]))
			return z;
	return MAX_NR_ZONES;
}

static void free_pages_at(sqlite3_context *c, int n, sqlite3_value **v)
{
	unsigned zone = zone_of(v[0]);
	struct machine *m = machine_at(c, v[1]);
	(void)n;
	if (m && zone < MAX_NR_ZONES)
		sqlite3_result_int64(c, zone_free_pages(m, zone));
}

static void free_blocks_at(sqlite3_context *c, int n, sqlite3_value **v)
{
	unsigned zone = zone_of(v[0]);
	int64_t order = sqlite3_value_int64(v[1]);
	struct machine *m = machine_at(c, v[2]);
	(void)n;
	if (m && zone < MAX_NR_ZONES && order >= 0 && order < MAX_ORDER)
		sqlite3_result_int64(c, m->s->zone[zone].free_area[order].nr_free);
}

static const struct kmem_cache *cache_named(const struct machine *m, sqlite3_value *v)
{
	const char *name = (const char *)sqlite3_value_text(v);
	for (unsigned id = 1; m && name && id < MAX_CACHES; id++)
		if (m->caches[id].used && !strncmp(m->caches[id].name, name, CACHE_NAME_LEN))
			return &m->caches[id];
	return NULL;
}

static void cache_objects_at(sqlite3_context *c, int n, sqlite3_value **v)
{
	const struct kmem_cache *k = cache_named(machine_at(c, v[1]), v[0]);
	(void)n;
	if (k)
		sqlite3_result_int64(c, (int64_t)k->num_slabs * k->num - k->free_objects);
}

static void cache_slabs_at(sqlite3_context *c, int n, sqlite3_value **v)
{
	const struct kmem_cache *k = cache_named(machine_at(c, v[1]), v[0]);
	(void)n;
	if (k)
		sqlite3_result_int64(c, k->num_slabs);
}

static void proc_text_at(sqlite3_context *c, int n, sqlite3_value **v)
{
	const char *name = (const char *)sqlite3_value_text(v[0]);
	struct machine *m = machine_at(c, v[1]);
	(void)n;
	for (const struct proc_file *f = proc_files; m && name && f->name; f++) {
		if (strcmp(f->name, name))
			continue;
		int size = f->print(m, NULL, 0);
		char *text = g_malloc((gsize)size + 1);
		f->print(m, text, (size_t)size + 1);
		result_text(c, text);
		return;
	}
	if (m)
		sqlite3_result_error(c, "proc_text: no such file; see 'kalloscope proc --help'",
				     -1);
}

// The kmalloc cache that serves a size: the same at every event, so the booted machine tells.
static void size_class(sqlite3_context *c, int n, sqlite3_value **v)
{
	struct sql_functions *f = sqlite3_user_data(c);
	int64_t bytes = sqlite3_value_int64(v[0]);
	const struct process_info *list;
	struct machine *m = recording_processes(f->rp.r, &list)
				    ? machine_of(c, list[0].process, list[0].first_event)
				    : NULL;
	unsigned id = m && bytes > 0 ? kmalloc_cache(m, (size_t)bytes, 0) : 0;
	(void)n;
	if (id && id < MAX_CACHES)
		result_text(c, g_strndup(m->caches[id].name, CACHE_NAME_LEN));
}

static void close_replay(gpointer p)
{
	replay_close(p);
}

struct sql_functions *sql_functions_add(struct recording *r)
{
	static const struct {
		const char *name;
		int args;
		void (*fn)(sqlite3_context *c, int n, sqlite3_value **v);
	} functions[] = {
		{"stack_text", 1, stack_text},	    {"hex_text", 1, hex_text},
		{"size_text", 1, size_text},	    {"size_class", 1, size_class},
		{"gfp_text", 1, gfp_text},	    {"free_pages", 2, free_pages_at},
		{"free_blocks", 3, free_blocks_at}, {"cache_objects", 2, cache_objects_at},
		{"cache_slabs", 2, cache_slabs_at}, {"proc_text", 2, proc_text_at},
	};
	struct sql_functions *f = g_new0(struct sql_functions, 1);
	f->rp.r = r;
	f->rp.db = recording_db(r);
	f->rp.names = names_open(r);
	f->replay = g_hash_table_new_full(NULL, NULL, NULL, close_replay);
	sqlite3_prepare_v2(f->rp.db,
			   "SELECT c.process FROM event e JOIN context c USING (context)"
			   " WHERE e.rowid = ?1",
			   -1, &f->process_of, NULL);
	for (unsigned i = 0; i < G_N_ELEMENTS(functions); i++)
		sqlite3_create_function(f->rp.db, functions[i].name, functions[i].args,
					SQLITE_UTF8 | SQLITE_DETERMINISTIC, f, functions[i].fn,
					NULL, NULL);
	return f;
}

void sql_functions_free(struct sql_functions *f)
{
	names_close(f->rp.names);
	g_hash_table_unref(f->replay);
	sqlite3_finalize(f->process_of);
	g_free(f);
}
