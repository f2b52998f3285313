// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "ksv-sql-worker.h"

#include <string.h>

#include "../../db/reader.h"
#include "i18n.h"

struct question {
	char *path, *sql;
	GCancellable *cancel;
	gint64 until; // monotonic, us
};

void sql_answer_free(gpointer data)
{
	struct sql_answer *a = data;

	g_strfreev(a->columns);
	g_clear_pointer(&a->rows, g_ptr_array_unref);
	g_free(a);
}

static void question_free(gpointer data)
{
	struct question *q = data;

	g_free(q->path);
	g_free(q->sql);
	g_object_unref(q->cancel);
	g_free(q);
}

// ---- in the worker ----

// Called every few thousand instructions of SQLite; anything but 0 interrupts the statement.
static int on_progress(void *data)
{
	const struct question *q = data;

	return g_cancellable_is_cancelled(q->cancel) || g_get_monotonic_time() > q->until;
}

// The connection is read-only; other files stay out of reach too.
static int authorize(void *data, int action, const char *a, const char *b, const char *c,
		     const char *d)
{
	(void)data;
	(void)a;
	(void)b;
	(void)c;
	(void)d;
	return action == SQLITE_ATTACH || action == SQLITE_DETACH ? SQLITE_DENY : SQLITE_OK;
}

static GStrv row_of(sqlite3_stmt *s)
{
	int n = sqlite3_column_count(s);
	GStrv row = g_new0(char *, (gsize)n + 1);

	for (int i = 0; i < n; i++) {
		const char *text = (const char *)sqlite3_column_text(s, i);

		if (sqlite3_column_type(s, i) == SQLITE_BLOB)
			row[i] = g_strdup_printf(_("%d bytes"), sqlite3_column_bytes(s, i));
		else
			row[i] = g_utf8_make_valid(text ? text : "", -1);
	}
	return row;
}

static GError *failed(const char *format, const char *what)
{
	return g_error_new(G_IO_ERROR, G_IO_ERROR_FAILED, format, what);
}

static GError *statement_error(sqlite3 *db, int code, const struct question *q)
{
	if (code != SQLITE_INTERRUPT)
		return failed("%s", sqlite3_errmsg(db));
	if (g_cancellable_is_cancelled(q->cancel))
		return failed("%s", _("Stopped."));
	return g_error_new(G_IO_ERROR, G_IO_ERROR_TIMED_OUT,
			   "Stopped after %d seconds, the limit of this page.", SQL_SECONDS);
}

// Where in the statement SQLite stumbled, when it says so.
static GError *prepare_error(sqlite3 *db, const char *sql)
{
	int offset = sqlite3_error_offset(db), line = 1, column = 1;

	if (offset < 0 || (size_t)offset > strlen(sql))
		return failed("%s", sqlite3_errmsg(db));
	for (int i = 0; i < offset; i++) {
		column = sql[i] == '\n' ? 1 : column + 1;
		line += sql[i] == '\n';
	}
	return g_error_new(G_IO_ERROR, G_IO_ERROR_FAILED, _("line %d, column %d: %s"), line, column,
			   sqlite3_errmsg(db));
}

static struct sql_answer *fetch(sqlite3 *db, sqlite3_stmt *s, const struct question *q,
				GError **error)
{
	struct sql_answer *a = g_new0(struct sql_answer, 1);
	gint64 start = g_get_monotonic_time();
	int n = sqlite3_column_count(s), code;

	a->rows = g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);
	a->columns = g_new0(char *, (gsize)n + 1);
	for (int i = 0; i < n; i++)
		a->columns[i] = g_utf8_make_valid(sqlite3_column_name(s, i), -1);
	while ((code = sqlite3_step(s)) == SQLITE_ROW) {
		if (a->rows->len == SQL_ROWS) {
			a->cut = TRUE;
			break;
		}
		g_ptr_array_add(a->rows, row_of(s));
	}
	a->us = g_get_monotonic_time() - start;
	if (code == SQLITE_ROW || code == SQLITE_DONE)
		return a;
	*error = statement_error(db, code, q);
	sql_answer_free(a);
	return NULL;
}

static struct sql_answer *ask(sqlite3 *db, struct question *q, GError **error)
{
	sqlite3_stmt *s = NULL;
	const char *tail = "";
	struct sql_answer *a = NULL;

	sqlite3_set_authorizer(db, authorize, NULL);
	sqlite3_progress_handler(db, 4000, on_progress, q);
	if (sqlite3_prepare_v2(db, q->sql, -1, &s, &tail) != SQLITE_OK)
		*error = prepare_error(db, q->sql);
	else if (!s)
		*error = failed("%s", _("There is no statement."));
	else if (!sqlite3_stmt_readonly(s))
		*error = failed("%s", _("Only statements that read are allowed here."));
	else if (tail[strspn(tail, " \t\r\n;")])
		*error = failed("One statement at a time; this is left over: %s", tail);
	else
		a = fetch(db, s, q, error);
	sqlite3_finalize(s);
	return a;
}

static void thread(GTask *task, gpointer object, gpointer data, GCancellable *cancellable)
{
	struct question *q = data;
	enum recording_error code;
	char err[512] = "";
	struct recording *r = recording_open(q->path, &code, err, sizeof(err));
	GError *error = NULL;
	struct sql_answer *a;

	(void)object;
	(void)cancellable;
	if (!r) {
		g_task_return_error(task, failed("%s", err));
		return;
	}
	a = ask(recording_db(r), q, &error);
	recording_close(r);
	if (a)
		g_task_return_pointer(task, a, sql_answer_free);
	else
		g_task_return_error(task, error);
}

void sql_ask_async(GObject *source, const char *path, const char *sql, GCancellable *cancel,
		   GAsyncReadyCallback done, gpointer data)
{
	g_autoptr(GTask) task = g_task_new(source, NULL, done, data);
	struct question *q = g_new0(struct question, 1);

	q->path = g_strdup(path);
	q->sql = g_strdup(sql);
	q->cancel = g_object_ref(cancel);
	q->until = g_get_monotonic_time() + SQL_SECONDS * G_USEC_PER_SEC;
	g_task_set_task_data(task, q, question_free);
	g_task_run_in_thread(task, thread);
}

struct sql_answer *sql_ask_finish(GAsyncResult *result, GError **error)
{
	return g_task_propagate_pointer(G_TASK(result), error);
}
