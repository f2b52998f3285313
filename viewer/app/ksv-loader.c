// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "ksv-loader.h"

#include <gio/gio.h>

enum {
	KEPT = 4,     // models: the one shown, its neighbours, one more
	REST_MS = 30, // after a jump, before its neighbours are made: a drag passes over many
};

struct kept {
	struct model_request q;
	struct view_model *v; // NULL: none
};

struct _KsvLoader {
	GObject parent_instance;
	char *path;
	struct source *source; // worker's; the main thread touches it only while no task runs
	struct source *reader; // main thread's
	struct model_request pending, shown;
	gboolean busy, has_pending;
	gboolean asked;		// what the worker makes was asked for; else it is a neighbour
	struct kept kept[KEPT]; // a step finds its model here
	unsigned oldest;
	guint rest;
};

G_DEFINE_FINAL_TYPE(KsvLoader, ksv_loader, G_TYPE_OBJECT)

enum {
	SIGNAL_OPENED,
	SIGNAL_FAILED,
	SIGNAL_MODEL,
	SIGNALS
};
static guint signals[SIGNALS];

static void run(KsvLoader *self, const struct model_request *q, gboolean asked);

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

// ---- models at hand: a step is shown in the frame of its key, whatever the replay takes ----

static gboolean same_request(const struct model_request *a, const struct model_request *b)
{
	return a->process == b->process && a->event == b->event && a->cache == b->cache &&
	       a->want == b->want && a->list == b->list && a->address == b->address &&
	       a->from == b->from && a->to == b->to && a->buckets == b->buckets &&
	       a->scope == b->scope && a->selected == b->selected;
}

static struct view_model *find(KsvLoader *self, const struct model_request *q)
{
	for (unsigned i = 0; i < KEPT; i++)
		if (self->kept[i].v && same_request(&self->kept[i].q, q))
			return self->kept[i].v;
	return NULL;
}

static void keep(KsvLoader *self, const struct model_request *q, struct view_model *v)
{
	struct kept *k = &self->kept[self->oldest++ % KEPT];

	model_unref(k->v);
	*k = (struct kept){*q, model_ref(v)};
}

// Has the worker make the model `by` events from the one shown; FALSE: it is there, or no such event.
static gboolean make_neighbour(KsvLoader *self, int by)
{
	const struct process_info *p = source_process(self->reader, self->shown.process);
	struct model_request q = self->shown;

	if (self->busy || !p || (by < 0 && q.event < p->first_event) ||
	    (by > 0 && q.event >= p->last_event))
		return FALSE;
	q.event += (uint64_t)(int64_t)by;
	if (find(self, &q))
		return FALSE;
	run(self, &q, FALSE);
	return TRUE;
}

static gboolean rested(gpointer data)
{
	KsvLoader *self = data;

	self->rest = 0;
	if (!make_neighbour(self, 1))
		make_neighbour(self, -1);
	return G_SOURCE_REMOVE;
}

// The next step will go where the last one went; after a jump it may go either way.
static void look_ahead(KsvLoader *self, uint64_t from)
{
	uint64_t to = self->shown.event;

	g_clear_handle_id(&self->rest, g_source_remove);
	if (to == from + 1)
		make_neighbour(self, 1);
	else if (from == to + 1)
		make_neighbour(self, -1);
	else
		self->rest = g_timeout_add(REST_MS, rested, self);
}

static void show(KsvLoader *self, const struct model_request *q, struct view_model *v)
{
	uint64_t from = self->shown.event;

	self->shown = *q;
	g_object_ref(self); // whoever is told may drop the loader
	model_ref(v);
	g_signal_emit(self, signals[SIGNAL_MODEL], 0, v);
	model_unref(v);
	if (!self->busy)
		look_ahead(self, from);
	g_object_unref(self);
}

static void model_done(GObject *object, GAsyncResult *result, gpointer data)
{
	KsvLoader *self = KSV_LOADER(object);
	g_autoptr(GError) error = NULL;
	struct view_model *v = g_task_propagate_pointer(G_TASK(result), &error);
	const struct model_request *q = g_task_get_task_data(G_TASK(result));
	gboolean asked = self->asked;

	(void)data;
	self->busy = FALSE;
	if (v)
		keep(self, q, v);
	if (self->has_pending) {
		self->has_pending = FALSE;
		ksv_loader_request(self, &self->pending);
		if (!self->busy || !self->asked)
			asked = FALSE; // the later one was at hand and is shown
	} else if (!asked && v) {
		rested(self); // the other neighbour
	}
	if (asked && v)
		show(self, q, v);
	else if (asked)
		g_signal_emit(self, signals[SIGNAL_FAILED], 0, error->message);
	model_unref(v);
}

static void run(KsvLoader *self, const struct model_request *q, gboolean asked)
{
	g_autoptr(GTask) task = g_task_new(self, NULL, model_done, NULL);

	self->busy = TRUE;
	self->asked = asked;
	g_task_set_task_data(task, g_memdup2(q, sizeof(*q)), g_free);
	g_task_run_in_thread(task, model_thread);
}

void ksv_loader_request(KsvLoader *self, const struct model_request *q)
{
	struct view_model *v;

	g_return_if_fail(KSV_IS_LOADER(self));
	g_clear_handle_id(&self->rest, g_source_remove);
	v = find(self, q);
	if (v) {
		self->has_pending = FALSE;
		show(self, q, v);
	} else if (self->busy) {
		self->pending = *q;
		self->has_pending = TRUE;
	} else {
		run(self, q, TRUE);
	}
}

gboolean ksv_loader_is_busy(KsvLoader *self)
{
	return self->busy && (self->asked || self->has_pending);
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

	g_clear_handle_id(&self->rest, g_source_remove);
	for (unsigned i = 0; i < KEPT; i++)
		model_unref(self->kept[i].v);
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
