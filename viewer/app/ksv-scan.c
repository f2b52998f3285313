// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "ksv-scan.h"

#include <stdlib.h>

struct _KsvScan {
	GObject parent_instance;
	char *path;
	struct view_model *model; // holders are asked for; NULL: call trees
	int process;
	enum call_scope scope;
	uint64_t from, to;
	gint stopped;
	gint64 reached;
	gboolean running;
	guint timer;
	struct holders *holders; // the worker's until it has ended
	struct calltree *calls[2];
};

G_DEFINE_FINAL_TYPE(KsvScan, ksv_scan, G_TYPE_OBJECT)

static guint changed_signal;

// ---- in the worker ----

static int on_progress(void *data)
{
	return g_atomic_int_get(&KSV_SCAN(data)->stopped);
}

static void on_reached(void *ctx, uint64_t event)
{
	__atomic_store_n(&KSV_SCAN(ctx)->reached, (gint64)event, __ATOMIC_RELAXED);
}

static void read_calls(KsvScan *self, struct recording *r)
{
	unsigned n = 0;
	struct site_row *row = scope_sites(r, self->process, self->scope, self->from, self->to, &n,
					   on_reached, self);

	for (unsigned order = CALLS_FROM_ENTRY; row && order <= CALLS_FROM_SITE; order++)
		self->calls[order] = calltree_build_of(r, self->process, order, row, n);
	free(row);
}

static void thread(GTask *task, gpointer object, gpointer data, GCancellable *cancellable)
{
	KsvScan *self = object;
	enum recording_error code;
	char err[512];
	struct recording *r = recording_open(self->path, &code, err, sizeof(err));

	(void)data;
	(void)cancellable;
	if (r) {
		sqlite3_progress_handler(recording_db(r), 4000, on_progress, self);
		if (self->model)
			self->holders = holders_build(self->model, r, on_reached, self);
		else
			read_calls(self, r);
	}
	recording_close(r);
	g_task_return_boolean(task, TRUE);
}

// ---- in the window ----

static void done(GObject *object, GAsyncResult *result, gpointer data)
{
	KsvScan *self = KSV_SCAN(object);

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

static KsvScan *start(KsvScan *self, const char *path)
{
	g_autoptr(GTask) task = g_task_new(self, NULL, done, NULL);

	self->path = g_strdup(path);
	self->running = TRUE;
	self->timer = g_timeout_add(250, on_timer, self);
	g_task_run_in_thread(task, thread);
	return self;
}

KsvScan *ksv_scan_new_holders(const char *path, struct view_model *v)
{
	KsvScan *self = g_object_new(KSV_TYPE_SCAN, NULL);

	self->model = model_ref(v);
	self->reached = (gint64)v->event;
	return start(self, path);
}

KsvScan *ksv_scan_new_calls(const char *path, int process, enum call_scope scope, uint64_t from,
			    uint64_t to)
{
	KsvScan *self = g_object_new(KSV_TYPE_SCAN, NULL);

	self->process = process;
	self->scope = scope;
	self->from = from;
	self->to = to;
	self->reached = (gint64)to;
	return start(self, path);
}

void ksv_scan_stop(KsvScan *self)
{
	g_atomic_int_set(&self->stopped, 1);
}

gboolean ksv_scan_is_running(KsvScan *self)
{
	return self->running;
}

gboolean ksv_scan_was_stopped(KsvScan *self)
{
	return g_atomic_int_get(&self->stopped) != 0;
}

uint64_t ksv_scan_reached(KsvScan *self)
{
	return (uint64_t)__atomic_load_n(&self->reached, __ATOMIC_RELAXED);
}

struct holders *ksv_scan_get_holders(KsvScan *self)
{
	return self->running ? NULL : self->holders;
}

struct calltree *ksv_scan_get_calls(KsvScan *self, enum call_order order)
{
	return self->running ? NULL : self->calls[order];
}

static void ksv_scan_dispose(GObject *object)
{
	g_clear_handle_id(&KSV_SCAN(object)->timer, g_source_remove);
	G_OBJECT_CLASS(ksv_scan_parent_class)->dispose(object);
}

static void ksv_scan_finalize(GObject *object)
{
	KsvScan *self = KSV_SCAN(object);

	model_unref(self->model);
	holders_unref(self->holders);
	calltree_unref(self->calls[CALLS_FROM_ENTRY]);
	calltree_unref(self->calls[CALLS_FROM_SITE]);
	g_free(self->path);
	G_OBJECT_CLASS(ksv_scan_parent_class)->finalize(object);
}

static void ksv_scan_class_init(KsvScanClass *class)
{
	G_OBJECT_CLASS(class)->dispose = ksv_scan_dispose;
	G_OBJECT_CLASS(class)->finalize = ksv_scan_finalize;
	changed_signal = g_signal_new("changed", KSV_TYPE_SCAN, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
				      NULL, G_TYPE_NONE, 0);
}

static void ksv_scan_init(KsvScan *self)
{
	(void)self;
}
