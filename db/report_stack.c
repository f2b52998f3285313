// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Stacks by name for reports: an address is looked up once, a stack is then a list of known frames.
#include <string.h>

#include "report.h"

struct report_names {
	sqlite3_stmt *frames, *address;
	GHashTable *known; // address -> GArray of struct site_frame, innermost inlined first
	GStringChunk *text;
	GArray *stack; // the last one asked for
};

struct report_names *names_open(struct recording *r)
{
	struct report_names *n = g_new0(struct report_names, 1);
	sqlite3_prepare_v2(recording_db(r),
			   "SELECT address FROM stack_frame WHERE stack = ?1 ORDER BY depth", -1,
			   &n->frames, NULL);
	sqlite3_prepare_v2(recording_db(r),
			   "SELECT coalesce(f.function,"
			   "  replace(m.path, rtrim(m.path, replace(m.path, '/', '')), '')"
			   "    || printf('+0x%x', a.offset), printf('0x%x', a.ip)),"
			   " ifnull(f.file, ''), ifnull(m.path, ''), ifnull(f.line, 0)"
			   " FROM address a LEFT JOIN frame f USING (address)"
			   " LEFT JOIN module m ON m.module = a.module"
			   " WHERE a.address = ?1 ORDER BY f.inline_order",
			   -1, &n->address, NULL);
	n->known = g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)g_array_unref);
	n->text = g_string_chunk_new(4096);
	n->stack = g_array_new(FALSE, FALSE, sizeof(struct site_frame));
	return n;
}

void names_close(struct report_names *n)
{
	sqlite3_finalize(n->frames);
	sqlite3_finalize(n->address);
	g_hash_table_unref(n->known);
	g_string_chunk_free(n->text);
	g_array_unref(n->stack);
	g_free(n);
}

static const char *text(struct report_names *n, int column, bool base)
{
	const char *t = (const char *)sqlite3_column_text(n->address, column);
	const char *slash = t && base ? strrchr(t, '/') : NULL;
	return g_string_chunk_insert_const(n->text, slash ? slash + 1 : t ? t : "");
}

static GArray *address_frames(struct report_names *n, int64_t address)
{
	GArray *a = g_hash_table_lookup(n->known, GINT_TO_POINTER(address));
	if (a)
		return a;
	a = g_array_new(FALSE, FALSE, sizeof(struct site_frame));
	sqlite3_bind_int64(n->address, 1, address);
	while (sqlite3_step(n->address) == SQLITE_ROW) {
		struct site_frame f = {text(n, 0, false), text(n, 1, true), text(n, 2, false),
				       sqlite3_column_int(n->address, 3)};
		g_array_append_val(a, f);
	}
	sqlite3_reset(n->address);
	g_hash_table_insert(n->known, GINT_TO_POINTER(address), a);
	return a;
}

const struct site_frame *stack_frames(struct report *rp, uint64_t stack, unsigned *count)
{
	struct report_names *n = rp->names;
	g_array_set_size(n->stack, 0);
	sqlite3_bind_int64(n->frames, 1, (int64_t)stack);
	while (sqlite3_step(n->frames) == SQLITE_ROW) {
		GArray *a = address_frames(n, sqlite3_column_int64(n->frames, 0));
		g_array_append_vals(n->stack, a->data, a->len);
	}
	sqlite3_reset(n->frames);
	*count = n->stack->len;
	return (const struct site_frame *)n->stack->data;
}

GHashTable *stacks_naming(struct recording *r, const char *what)
{
	GHashTable *set = g_hash_table_new(NULL, NULL);
	sqlite3_stmt *s = NULL;
	sqlite3_prepare_v2(
		recording_db(r),
		"SELECT DISTINCT stack FROM stack_frame WHERE address IN (SELECT a.address"
		" FROM address a LEFT JOIN frame f USING (address)"
		" LEFT JOIN module m ON m.module = a.module"
		" WHERE instr(lower(f.function), lower(?1)) OR instr(lower(f.file), lower(?1))"
		" OR instr(lower(m.path), lower(?1)))",
		-1, &s, NULL);
	sqlite3_bind_text(s, 1, what, -1, SQLITE_STATIC);
	while (s && sqlite3_step(s) == SQLITE_ROW)
		g_hash_table_add(set, GINT_TO_POINTER(sqlite3_column_int64(s, 0)));
	sqlite3_finalize(s);
	return set;
}

bool stack_wanted(const struct report *rp, uint64_t stack)
{
	return !rp->wanted || g_hash_table_contains(rp->wanted, GINT_TO_POINTER(stack));
}

// Allocating is all these do, so their callers are the sites.
static bool is_wrapper(const struct site_frame *f)
{
	static const char *const names[] = {"xmalloc",
					    "ggc_internal_alloc",
					    "ggc_internal_cleared_alloc",
					    "ggc_realloc",
					    "xcalloc",
					    "xrealloc",
					    "xstrdup",
					    "xmemdup",
					    "xzalloc",
					    "__strdup",
					    "strdup",
					    "__strndup",
					    "strndup",
					    "xstrndup",
					    "g_malloc",
					    "g_malloc0",
					    "g_realloc",
					    "g_strdup",
					    "PyMem_RawMalloc",
					    "PyMem_Malloc",
					    "PyObject_Malloc",
					    "do_xmalloc",
					    "_PyMem_RawMalloc",
					    "PyMem_Realloc",
					    "PyObject_Realloc",
					    "PyObject_Calloc",
					    "PyMem_RawCalloc",
					    "_PyMem_RawCalloc",
					    "PyMem_Calloc",
					    "_PyMem_RawRealloc",
					    "do_xrealloc",
					    "kalloscope_pool_alloc"};
	size_t len = strcspn(f->function, "(");
	if (g_str_has_prefix(f->function, "operator new"))
		return true;
	for (unsigned i = 0; i < G_N_ELEMENTS(names); i++)
		if (strlen(names[i]) == len && !memcmp(f->function, names[i], len))
			return true;
	return false;
}

unsigned stack_site(const struct site_frame *f, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (!is_wrapper(&f[i]))
			return i;
	return 0;
}

// What starts main or a thread is the same in every stack.
static bool starts_program(const struct site_frame *f)
{
	static const char *const names[] = {"_start",
					    "__libc_start_main",
					    "__libc_start_main_impl",
					    "__libc_start_call_main",
					    "start_thread",
					    "clone",
					    "__clone",
					    "clone3",
					    "__clone3",
					    "__GI___clone3"};
	for (unsigned i = 0; i < G_N_ELEMENTS(names); i++)
		if (!strcmp(f->function, names[i]))
			return true;
	return false;
}

unsigned stack_outermost(const struct site_frame *f, unsigned n)
{
	unsigned last = n ? n - 1 : 0;
	for (unsigned i = n; i > 0; i--)
		if (!strcmp(f[i - 1].function, "main"))
			return i - 1;
	while (last > 0 && starts_program(&f[last]))
		last--;
	return last;
}

char *cache_name(struct report *rp, unsigned cache)
{
	char *name = NULL;
	sqlite3_stmt *s = NULL;
	sqlite3_prepare_v2(rp->db,
			   "SELECT name FROM cache WHERE process = ?1 AND cache = ?2"
			   " ORDER BY event DESC LIMIT 1",
			   -1, &s, NULL);
	sqlite3_bind_int(s, 1, rp->p->process);
	sqlite3_bind_int(s, 2, (int)cache);
	if (s && sqlite3_step(s) == SQLITE_ROW)
		name = g_strdup((const char *)sqlite3_column_text(s, 0));
	sqlite3_finalize(s);
	return name ? name : g_strdup_printf("cache %u", cache);
}
