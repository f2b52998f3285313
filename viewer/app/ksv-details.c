// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "ksv-details.h"

#include <stdlib.h>

#include "../../db/reader_views.h"
#include "../source.h"

struct question {
	struct selection selection;
	uint64_t first, last;
	gint number;
};

struct _KsvDetails {
	GObject parent_instance;
	char *path;
	struct recording *recording; // the worker's; NULL until its first question
	struct question pending;
	gboolean busy, has_pending;
	gint number; // of the latest question; a worker with an older one gives up
	struct details *answer;
};

G_DEFINE_FINAL_TYPE(KsvDetails, ksv_details, G_TYPE_OBJECT)

static guint changed_signal;

static void details_free(gpointer data)
{
	struct details *d = data;

	free(d->stack[0].frame);
	free(d->stack[1].frame);
	g_free(d);
}

// ---- in the worker ----

struct search {
	KsvDetails *self;
	struct recording *recording;
	struct question q;
	struct details d; // frames are owned by it
};

static bool stale(const struct search *s)
{
	return g_atomic_int_get(&s->self->number) != s->q.number;
}

static int on_progress(void *data)
{
	return stale(data);
}

struct delivery {
	KsvDetails *self;
	struct details *d;
	gint number;
};

static void delivery_free(gpointer data)
{
	struct delivery *v = data;

	g_object_unref(v->self);
	g_clear_pointer(&v->d, details_free);
	g_free(v);
}

static gboolean deliver(gpointer data)
{
	struct delivery *v = data;

	if (v->number == v->self->number) {
		g_clear_pointer(&v->self->answer, details_free);
		v->self->answer = g_steal_pointer(&v->d);
		g_signal_emit(v->self, changed_signal, 0);
	}
	return G_SOURCE_REMOVE;
}

static void copy_frames(struct model_stack *s)
{
	if (s->frame)
		s->frame = memcpy(malloc(MODEL_FRAMES * sizeof(*s->frame)), s->frame,
				  MODEL_FRAMES * sizeof(*s->frame));
}

static void post(struct search *s)
{
	struct delivery *v;

	if (stale(s))
		return;
	v = g_new0(struct delivery, 1);
	v->self = g_object_ref(s->self);
	v->d = g_memdup2(&s->d, sizeof(s->d));
	v->number = s->q.number;
	copy_frames(&v->d->stack[0]);
	copy_frames(&v->d->stack[1]);
	g_idle_add_full(G_PRIORITY_DEFAULT, deliver, v, delivery_free);
}

// The block of an event: where it began, where it ended.
static void find_stacks(struct search *s, uint64_t event)
{
	struct event_row row;

	s->d.subject = event;
	if (!event || recording_rows(s->recording, event, 1, &row) != 1)
		return;
	if (row.ref && !row.req) { // a free: the allocation first
		model_stack_read(s->recording, row.ref, &s->d.stack[0]);
		model_stack_read(s->recording, event, &s->d.stack[1]);
		return;
	}
	model_stack_read(s->recording, event, &s->d.stack[0]);
	if (!row.req || !row.addr || row.flags & OPF_FAILED)
		return;
	s->d.searching_end = true;
	post(s);
	model_stack_read(s->recording, recording_freed_by(s->recording, event, s->q.last - event),
			 &s->d.stack[1]);
	s->d.searching_end = false;
}

struct found {
	uint64_t id[DETAIL_ROWS + 1];
	unsigned n;
};

static bool on_found(void *ctx, uint64_t event)
{
	struct found *f = ctx;

	f->id[f->n++] = event;
	return f->n <= DETAIL_ROWS;
}

static void merge(struct search *s, const struct found *f)
{
	for (unsigned i = 0; i < f->n && i < DETAIL_ROWS; i++) {
		struct details *d = &s->d;
		unsigned at = 0;

		while (at < d->n && d->history[at].id < f->id[i])
			at++;
		if (d->n == G_N_ELEMENTS(d->history) ||
		    (at < d->n && d->history[at].id == f->id[i]))
			continue;
		memmove(&d->history[at + 1], &d->history[at], (d->n - at) * sizeof(*d->history));
		if (recording_rows(s->recording, f->id[i], 1, &d->history[at]) == 1)
			d->n++;
		else
			memmove(&d->history[at], &d->history[at + 1],
				(d->n - at) * sizeof(*d->history));
	}
}

// Where a search that found all it may ended: beyond, the other search would leave gaps.
static void cut(struct details *d, const struct found *f, bool backwards)
{
	uint64_t end;
	unsigned n = 0;

	if (f->n <= DETAIL_ROWS)
		return;
	end = f->id[DETAIL_ROWS - 1];
	for (unsigned i = 0; i < d->n; i++)
		if (backwards ? d->history[i].id >= end : d->history[i].id <= end)
			d->history[n++] = d->history[i];
	d->n = n;
}

// true: there are more on this side than are kept.
static bool search_side(struct search *s, uint64_t from, uint64_t to)
{
	const struct touch *t = &s->q.selection.touch;
	struct found calls = {.n = 0}, moves = {.n = 0};

	recording_each_touch(s->recording, t, false, from, to, on_found, &calls);
	if (stale(s))
		return false;
	merge(s, &calls);
	post(s);
	recording_each_touch(s->recording, t, true, from, to, on_found, &moves);
	if (stale(s))
		return false;
	merge(s, &moves);
	cut(&s->d, &calls, to < from);
	cut(&s->d, &moves, to < from);
	return calls.n > DETAIL_ROWS || moves.n > DETAIL_ROWS;
}

// The last allocation of the thing's bytes so far.
static uint64_t maker(const struct details *d, uint64_t at)
{
	for (unsigned i = d->n; i-- > 0;)
		if (d->history[i].id <= at && d->history[i].addr)
			return d->history[i].req   ? d->history[i].id
			       : d->history[i].ref ? d->history[i].ref
						   : d->history[i].id;
	return 0;
}

static void search_thing(struct search *s)
{
	uint64_t at = s->q.selection.event;

	s->d.of_thing = s->d.searching = true;
	post(s);
	if (at >= s->q.first)
		s->d.more_before = search_side(s, at, s->q.first);
	find_stacks(s, maker(&s->d, at));
	post(s);
	if (at < s->q.last)
		s->d.more_after = search_side(s, at + 1, s->q.last);
	s->d.searching = false;
}

static void thread(GTask *task, gpointer object, gpointer data, GCancellable *cancellable)
{
	KsvDetails *self = object;
	struct search *s = data;
	enum recording_error code;
	char err[256];

	(void)cancellable;
	if (!self->recording)
		self->recording = recording_open(self->path, &code, err, sizeof(err));
	s->recording = self->recording;
	if (s->recording && !stale(s)) {
		sqlite3_progress_handler(recording_db(s->recording), 4000, on_progress, s);
		if (s->q.selection.touch.first <= s->q.selection.touch.last ||
		    s->q.selection.touch.has_pfn)
			search_thing(s);
		else
			find_stacks(s, s->q.selection.event);
		post(s);
		sqlite3_progress_handler(recording_db(s->recording), 0, NULL, NULL);
	}
	g_task_return_boolean(task, TRUE);
}

static void search_free(gpointer data)
{
	struct search *s = data;

	free(s->d.stack[0].frame);
	free(s->d.stack[1].frame);
	g_free(s);
}

// ---- in the window ----

static void run(KsvDetails *self, const struct question *q);

static void done(GObject *object, GAsyncResult *result, gpointer data)
{
	KsvDetails *self = KSV_DETAILS(object);

	(void)result;
	(void)data;
	self->busy = FALSE;
	if (self->has_pending) {
		self->has_pending = FALSE;
		run(self, &self->pending);
	}
}

static void run(KsvDetails *self, const struct question *q)
{
	g_autoptr(GTask) task = g_task_new(self, NULL, done, NULL);
	struct search *s = g_new0(struct search, 1);

	s->self = self;
	s->q = *q;
	self->busy = TRUE;
	g_task_set_task_data(task, s, search_free);
	g_task_run_in_thread(task, thread);
}

void ksv_details_ask(KsvDetails *self, const struct selection *s, uint64_t first, uint64_t last)
{
	struct question q = {*s, first ? first : 1, last, 0};

	q.number = g_atomic_int_add(&self->number, 1) + 1;
	if (self->busy) {
		self->pending = q;
		self->has_pending = TRUE;
	} else {
		run(self, &q);
	}
}

void ksv_details_stop(KsvDetails *self)
{
	g_atomic_int_inc(&self->number);
	self->has_pending = FALSE;
}

const struct details *ksv_details_get(KsvDetails *self)
{
	return self->answer;
}

// A running worker holds a reference, so nothing is in use here any more.
static void ksv_details_finalize(GObject *object)
{
	KsvDetails *self = KSV_DETAILS(object);

	recording_close(self->recording);
	g_clear_pointer(&self->answer, details_free);
	g_free(self->path);
	G_OBJECT_CLASS(ksv_details_parent_class)->finalize(object);
}

static void ksv_details_class_init(KsvDetailsClass *class)
{
	G_OBJECT_CLASS(class)->finalize = ksv_details_finalize;
	changed_signal = g_signal_new("changed", KSV_TYPE_DETAILS, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
				      NULL, G_TYPE_NONE, 0);
}

static void ksv_details_init(KsvDetails *self)
{
	(void)self;
}

KsvDetails *ksv_details_new(const char *path)
{
	KsvDetails *self = g_object_new(KSV_TYPE_DETAILS, NULL);

	self->path = g_strdup(path);
	return self;
}
