// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "ksv-reading.h"

enum {
	SAY_MS = 250,
	LOOK_EVERY = 4000 // instructions of SQLite's machine
};

typedef struct {
	char *path;
	struct recording *recording; // the worker's until it has ended
	gint stopped;
	gint64 reached;
	gboolean running;
	guint timer;
} KsvReadingPrivate;

G_DEFINE_TYPE_WITH_PRIVATE(KsvReading, ksv_reading, G_TYPE_OBJECT)

static guint changed_signal;

static KsvReadingPrivate *private_of(KsvReading *self)
{
	return ksv_reading_get_instance_private(self);
}

// ---- in the worker ----

static int on_progress(void *data)
{
	return ksv_reading_was_stopped(data);
}

static void thread(GTask *task, gpointer object, gpointer data, GCancellable *cancellable)
{
	KsvReading *self = object;
	KsvReadingPrivate *p = private_of(self);
	enum recording_error code;
	char err[512];

	(void)data;
	(void)cancellable;
	p->recording = recording_open(p->path, &code, err, sizeof(err));
	if (p->recording) {
		sqlite3_progress_handler(recording_db(p->recording), LOOK_EVERY, on_progress, self);
		KSV_READING_GET_CLASS(self)->read(self, p->recording);
		sqlite3_progress_handler(recording_db(p->recording), 0, NULL, NULL);
	}
	g_task_return_boolean(task, TRUE);
}

void ksv_reading_set_reached(KsvReading *self, uint64_t reached)
{
	__atomic_store_n(&private_of(self)->reached, (gint64)reached, __ATOMIC_RELAXED);
}

// ---- in the window ----

static void done(GObject *object, GAsyncResult *result, gpointer data)
{
	KsvReadingPrivate *p = private_of(KSV_READING(object));

	(void)result;
	(void)data;
	p->running = FALSE;
	g_clear_handle_id(&p->timer, g_source_remove);
	g_signal_emit(object, changed_signal, 0);
}

static gboolean on_timer(gpointer data)
{
	g_signal_emit(data, changed_signal, 0);
	return G_SOURCE_CONTINUE;
}

void ksv_reading_start(KsvReading *self, const char *path)
{
	KsvReadingPrivate *p = private_of(self);
	g_autoptr(GTask) task = g_task_new(self, NULL, done, NULL);

	p->path = g_strdup(path);
	p->running = TRUE;
	p->timer = g_timeout_add(SAY_MS, on_timer, self);
	g_task_run_in_thread(task, thread);
}

void ksv_reading_stop(KsvReading *self)
{
	g_atomic_int_set(&private_of(self)->stopped, 1);
}

gboolean ksv_reading_is_running(KsvReading *self)
{
	return private_of(self)->running;
}

gboolean ksv_reading_was_stopped(KsvReading *self)
{
	return g_atomic_int_get(&private_of(self)->stopped) != 0;
}

uint64_t ksv_reading_reached(KsvReading *self)
{
	return (uint64_t)__atomic_load_n(&private_of(self)->reached, __ATOMIC_RELAXED);
}

struct recording *ksv_reading_get_recording(KsvReading *self)
{
	KsvReadingPrivate *p = private_of(self);

	return p->running ? NULL : p->recording;
}

static void ksv_reading_dispose(GObject *object)
{
	g_clear_handle_id(&private_of(KSV_READING(object))->timer, g_source_remove);
	G_OBJECT_CLASS(ksv_reading_parent_class)->dispose(object);
}

// A running worker holds a reference, so nothing is in use here any more.
static void ksv_reading_finalize(GObject *object)
{
	KsvReadingPrivate *p = private_of(KSV_READING(object));

	recording_close(p->recording);
	g_free(p->path);
	G_OBJECT_CLASS(ksv_reading_parent_class)->finalize(object);
}

static void ksv_reading_class_init(KsvReadingClass *class)
{
	G_OBJECT_CLASS(class)->dispose = ksv_reading_dispose;
	G_OBJECT_CLASS(class)->finalize = ksv_reading_finalize;
	changed_signal = g_signal_new("changed", KSV_TYPE_READING, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
				      NULL, G_TYPE_NONE, 0);
}

static void ksv_reading_init(KsvReading *self)
{
	(void)self;
}
