// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "ksv-matches.h"

struct _KsvMatches {
	GObject parent_instance;
	char *path;
	struct event_filter filter;
	GArray *ids; // the worker's until it has ended
	gint count, stopped;
	gboolean running;
	guint timer;
};

G_DEFINE_FINAL_TYPE(KsvMatches, ksv_matches, G_TYPE_OBJECT)

static guint changed_signal;

static bool on_match(void *ctx, uint64_t event)
{
	KsvMatches *self = ctx;

	g_array_append_val(self->ids, event);
	g_atomic_int_inc(&self->count);
	return self->ids->len < MATCHES_KEPT && !g_atomic_int_get(&self->stopped);
}

static int on_progress(void *data)
{
	return g_atomic_int_get(&KSV_MATCHES(data)->stopped);
}

static void thread(GTask *task, gpointer object, gpointer data, GCancellable *cancellable)
{
	KsvMatches *self = object;
	enum recording_error code;
	char err[512];
	struct recording *r = recording_open(self->path, &code, err, sizeof(err));

	(void)data;
	(void)cancellable;
	if (r) {
		sqlite3_progress_handler(recording_db(r), 4000, on_progress, self);
		recording_each_match(r, &self->filter, on_match, self);
	}
	recording_close(r);
	g_task_return_boolean(task, TRUE);
}

static void done(GObject *object, GAsyncResult *result, gpointer data)
{
	KsvMatches *self = KSV_MATCHES(object);

	(void)result;
	(void)data;
	self->running = FALSE;
	g_clear_handle_id(&self->timer, g_source_remove);
	g_signal_emit(self, changed_signal, 0);
}

static gboolean on_timer(gpointer data)
{
	g_signal_emit(data, changed_signal, 0);
	return G_SOURCE_CONTINUE;
}

void ksv_matches_stop(KsvMatches *self)
{
	g_atomic_int_set(&self->stopped, 1);
}

gboolean ksv_matches_is_running(KsvMatches *self)
{
	return self->running;
}

guint ksv_matches_get_count(KsvMatches *self)
{
	return (guint)g_atomic_int_get(&self->count);
}

GArray *ksv_matches_get_ids(KsvMatches *self)
{
	return self->running ? NULL : self->ids;
}

static void ksv_matches_dispose(GObject *object)
{
	KsvMatches *self = KSV_MATCHES(object);

	g_clear_handle_id(&self->timer, g_source_remove);
	G_OBJECT_CLASS(ksv_matches_parent_class)->dispose(object);
}

static void ksv_matches_finalize(GObject *object)
{
	KsvMatches *self = KSV_MATCHES(object);

	g_array_unref(self->ids);
	g_free(self->path);
	G_OBJECT_CLASS(ksv_matches_parent_class)->finalize(object);
}

static void ksv_matches_class_init(KsvMatchesClass *class)
{
	G_OBJECT_CLASS(class)->dispose = ksv_matches_dispose;
	G_OBJECT_CLASS(class)->finalize = ksv_matches_finalize;
	changed_signal = g_signal_new("changed", KSV_TYPE_MATCHES, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
				      NULL, G_TYPE_NONE, 0);
}

static void ksv_matches_init(KsvMatches *self)
{
	self->ids = g_array_new(FALSE, FALSE, sizeof(guint64));
}

KsvMatches *ksv_matches_new(const char *path, const struct event_filter *f)
{
	KsvMatches *self = g_object_new(KSV_TYPE_MATCHES, NULL);
	g_autoptr(GTask) task = g_task_new(self, NULL, done, NULL);

	self->path = g_strdup(path);
	self->filter = *f;
	self->running = TRUE;
	self->timer = g_timeout_add(250, on_timer, self);
	g_task_run_in_thread(task, thread);
	return self;
}
