// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// One statement of the SQL page in a worker, on a connection of its own: it may read, no more, for
// SQL_SECONDS at most, and SQL_ROWS of its rows are kept.
#pragma once

#include <gio/gio.h>

enum {
	SQL_ROWS = 10000,
	SQL_SECONDS = 20,
};

struct sql_answer {
	GStrv columns;
	GPtrArray *rows; // GStrv
	gboolean cut;	 // there were more rows
	gint64 us;
};
void sql_answer_free(gpointer answer);

void sql_ask_async(GObject *source, const char *path, const char *sql, GCancellable *cancel,
		   GAsyncReadyCallback done, gpointer data);
struct sql_answer *sql_ask_finish(GAsyncResult *result, GError **error); // NULL: failed
