// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "shared_values.h"

#include <stdlib.h>

static uint32_t column(sqlite3_stmt *s, int c)
{
	int64_t v = sqlite3_column_int64(s, c);
	return v < 0 ? 0 : (uint32_t)v;
}

// Contexts are few (thousands).
static GArray *read_contexts(sqlite3 *db)
{
	GArray *a = g_array_new(FALSE, TRUE, sizeof(struct scan_context));
	sqlite3_stmt *s = NULL;
	sqlite3_prepare_v2(db,
			   "SELECT context, process, thread, cpu, kind, path, cache, flags,"
			   " ifnull(alloc, -2) FROM context WHERE context BETWEEN 0 AND 1000000",
			   -1, &s, NULL);
	while (s && sqlite3_step(s) == SQLITE_ROW) {
		guint id = (guint)sqlite3_column_int64(s, 0);
		if (id >= a->len)
			g_array_set_size(a, id + 1);
		g_array_index(a, struct scan_context, id) =
			(struct scan_context){.process = sqlite3_column_int(s, 1),
					      .thread = sqlite3_column_int(s, 2),
					      .cpu = sqlite3_column_int(s, 3),
					      .kind = (unsigned)sqlite3_column_int(s, 4),
					      .path = (unsigned)sqlite3_column_int(s, 5),
					      .cache = (unsigned)sqlite3_column_int(s, 6),
					      .flags = (unsigned)sqlite3_column_int(s, 7),
					      .alloc = sqlite3_column_int64(s, 8)};
	}
	sqlite3_finalize(s);
	return a;
}

static GArray *read_calls(sqlite3 *db)
{
	GArray *a = g_array_new(FALSE, FALSE, sizeof(struct scan_call));
	sqlite3_stmt *s = NULL;
	sqlite3_prepare_v2(db,
			   "SELECT call, context, stack, ifnull(req, -1) FROM call ORDER BY call",
			   -1, &s, NULL);
	while (s && sqlite3_step(s) == SQLITE_ROW) {
		struct scan_call c = {sqlite3_column_int64(s, 0), sqlite3_column_int64(s, 3),
				      column(s, 1), column(s, 2)};
		g_array_append_val(a, c);
	}
	sqlite3_finalize(s);
	return a;
}

void shared_values_read(struct shared_values *v, sqlite3 *db)
{
	*v = (struct shared_values){read_contexts(db), read_calls(db)};
}

void shared_values_free(struct shared_values *v)
{
	g_array_unref(v->contexts);
	g_array_unref(v->calls);
}

static int by_call(const void *key, const void *element)
{
	int64_t a = *(const int64_t *)key, b = ((const struct scan_call *)element)->call;
	return (a > b) - (a < b);
}

static const struct scan_call *find_call(const GArray *calls, int64_t call)
{
	const struct scan_call *c = (const struct scan_call *)calls->data;
	if (!calls->len)
		return NULL;
	uint64_t at =
		(uint64_t)call - (uint64_t)c->call; // numbers of a hostile file may lie 2^63 apart
	if (call >= c->call && at < calls->len && c[at].call == call)
		return &c[at];
	return bsearch(&call, c, calls->len, sizeof(*c), by_call);
}

const struct scan_call *shared_call(const struct shared_values *v, int64_t call,
				    const struct scan_context **context)
{
	const struct scan_call *c = find_call(v->calls, call);
	if (!c || c->context >= v->contexts->len)
		return NULL;
	*context = &g_array_index(v->contexts, struct scan_context, c->context);
	return c;
}
