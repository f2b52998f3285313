// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "ksv-loader.h"

#include <gio/gio.h>

struct _KsvLoader {
	GObject parent_instance;
	char *path;
	struct source *source; // worker's; the main thread touches it only while no task runs
	struct source *reader; // main thread's
	struct model_request pending;
	gboolean busy, has_pending;
};

G_DEFINE_FINAL_TYPE(KsvLoader, ksv_loader, G_TYPE_OBJECT)

enum {
	SIGNAL_OPENED,
	SIGNAL_FAILED,
	SIGNAL_MODEL,
	SIGNALS
};
static guint signals[SIGNALS];

static void run(KsvLoader *self, const struct model_request *q);

static GError *error_of(const char *sentence)
{
	return g_error_new_literal(G_IO_ERROR, G_IO_ERROR_FAILED, sentence);
}

static void model_thread(GTask *task, gpointer object, gpointer data, GCancellable *cancellable)
{
	KsvLoader *self = object;
	struct view_model *v;
	char err[512] = "";

	(void)cancellable;
	v = source_model(self->source, data, err, sizeof(err));
	if (v)
		g_task_return_pointer(task, v, (GDestroyNotify)model_unref);
	else
		g_task_return_error(task, error_of(err));
}

static void model_done(GObject *object, GAsyncResult *result, gpointer data)
{
	KsvLoader *self = KSV_LOADER(object);
	g_autoptr(GError) error = NULL;
	struct view_model *v = g_task_propagate_pointer(G_TASK(result), &error);

	(void)data;
	self->busy = FALSE;
	if (self->has_pending) {
		self->has_pending = FALSE;
		run(self, &self->pending);
	}
	if (v)
		g_signal_emit(self, signals[SIGNAL_MODEL], 0, v);
	else
		g_signal_emit(self, signals[SIGNAL_FAILED], 0, error->message);
	model_unref(v);
}

static void run(KsvLoader *self, const struct model_request *q)
{
	g_autoptr(GTask) task = g_task_new(self, NULL, model_done, NULL);

	self->busy = TRUE;
	g_task_set_task_data(task, g_memdup2(q, sizeof(*q)), g_free);
	g_task_run_in_thread(task, model_thread);
}

void ksv_loader_request(KsvLoader *self, const struct model_request *q)
{
	g_return_if_fail(KSV_IS_LOADER(self));
	if (self->busy) {
		self->pending = *q;
		self->has_pending = TRUE;
	} else {
		run(self, q);
	}
}

gboolean ksv_loader_is_busy(KsvLoader *self)
{
	return self->busy;
}

struct source *ksv_loader_get_reader(KsvLoader *self)
{
	return self->reader;
}

static void open_thread(GTask *task, gpointer object, gpointer data, GCancellable *cancellable)
{
	KsvLoader *self = object;
	enum recording_error code;
	char err[512] = "";

	(void)data;
	(void)cancellable;
	self->source = source_open(self->path, &code, err, sizeof(err));
	if (self->source)
		self->reader = source_open(self->path, &code, err, sizeof(err));
	if (self->reader)
		g_task_return_boolean(task, TRUE);
	else
		g_task_return_error(task, error_of(err));
}

static void open_done(GObject *object, GAsyncResult *result, gpointer data)
{
	KsvLoader *self = KSV_LOADER(object);
	g_autoptr(GError) error = NULL;

	(void)data;
	self->busy = FALSE;
	if (g_task_propagate_boolean(G_TASK(result), &error))
		g_signal_emit(self, signals[SIGNAL_OPENED], 0);
	else
		g_signal_emit(self, signals[SIGNAL_FAILED], 0, error->message);
}

KsvLoader *ksv_loader_new(const char *path)
{
	KsvLoader *self = g_object_new(KSV_TYPE_LOADER, NULL);
	g_autoptr(GTask) task = g_task_new(self, NULL, open_done, NULL);

	self->path = g_strdup(path);
	self->busy = TRUE;
	g_task_run_in_thread(task, open_thread);
	return self;
}

// A running task holds a reference, so nothing is in use here any more.
static void ksv_loader_finalize(GObject *object)
{
	KsvLoader *self = KSV_LOADER(object);

	source_close(self->source);
	source_close(self->reader);
	g_free(self->path);
	G_OBJECT_CLASS(ksv_loader_parent_class)->finalize(object);
}

static void ksv_loader_class_init(KsvLoaderClass *class)
{
	G_OBJECT_CLASS(class)->finalize = ksv_loader_finalize;
	signals[SIGNAL_OPENED] = g_signal_new("opened", KSV_TYPE_LOADER, G_SIGNAL_RUN_LAST, 0, NULL,
					      NULL, NULL, G_TYPE_NONE, 0);
	signals[SIGNAL_FAILED] = g_signal_new("failed", KSV_TYPE_LOADER, G_SIGNAL_RUN_LAST, 0, NULL,
					      NULL, NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
	signals[SIGNAL_MODEL] = g_signal_new("model", KSV_TYPE_LOADER, G_SIGNAL_RUN_LAST, 0, NULL,
					     NULL, NULL, G_TYPE_NONE, 1, G_TYPE_POINTER);
}

static void ksv_loader_init(KsvLoader *self)
{
	(void)self;
}
