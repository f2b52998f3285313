// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "ksv-lifetimes.h"

#include "../../db/reader_blocks.h"
#include "../../db/reader_found.h"

struct _KsvLifetimes {
	KsvReading parent_instance;
	GArray *found; // struct lifetime; the worker's until it has ended
};

G_DEFINE_FINAL_TYPE(KsvLifetimes, ksv_lifetimes, KSV_TYPE_READING)

// ---- in the worker ----

static void measure(struct recording *r, struct lifetime *l, uint64_t made, uint64_t freed)
{
	struct event_row from, to;

	if (recording_rows(r, made, 1, &from) != 1 || recording_rows(r, freed, 1, &to) != 1)
		return;
	l->events = freed - made;
	l->ns = MAX(0, to.t_ns - from.t_ns);
}

// Frees say themselves how long; the allocations stay to be asked about.
static guint measure_frees(struct recording *r, GArray *all, uint64_t *made)
{
	struct event_row row;
	guint n = 0;

	for (guint i = 0; i < all->len; i++) {
		struct lifetime *l = &g_array_index(all, struct lifetime, i);

		if (recording_rows(r, l->event, 1, &row) != 1)
			continue;
		if (event_allocates(row.kind) && row.addr && !(row.flags & OPF_FAILED))
			made[n++] = l->event;
		else if (row.ref)
			measure(r, l, row.ref, l->event);
	}
	return n;
}

static void ksv_lifetimes_read(KsvReading *reading, struct recording *r)
{
	GArray *all = KSV_LIFETIMES(reading)->found;
	g_autofree uint64_t *made = g_new(uint64_t, all->len + 1);
	g_autofree uint64_t *freed = g_new(uint64_t, all->len + 1);
	guint n = measure_frees(r, all, made), at = 0;

	if (n)
		recording_freed_within(r, made, n, LIFETIME_REACH, freed);
	for (guint i = 0; i < all->len && at < n; i++) {
		struct lifetime *l = &g_array_index(all, struct lifetime, i);

		if (l->event != made[at])
			continue;
		l->to_the_end = !freed[at] && recording_events(r) - l->event <= LIFETIME_REACH;
		if (freed[at])
			measure(r, l, l->event, freed[at]);
		at++;
	}
}

// ---- in the window ----

static int by_event(gconstpointer a, gconstpointer b)
{
	const struct lifetime *x = a, *y = b;

	return x->event < y->event ? -1 : x->event > y->event;
}

KsvLifetimes *ksv_lifetimes_new(const char *path, const guint64 *events, guint n)
{
	KsvLifetimes *self = g_object_new(KSV_TYPE_LIFETIMES, NULL);

	for (guint i = 0; i < n; i++) {
		struct lifetime l = {.event = events[i]};

		g_array_append_val(self->found, l);
	}
	g_array_sort(self->found, by_event);
	ksv_reading_start(KSV_READING(self), path);
	return self;
}

GArray *ksv_lifetimes_get(KsvLifetimes *self)
{
	KsvReading *reading = KSV_READING(self);

	return ksv_reading_get_recording(reading) && !ksv_reading_was_stopped(reading) ? self->found
										       : NULL;
}

static void ksv_lifetimes_finalize(GObject *object)
{
	g_array_unref(KSV_LIFETIMES(object)->found);
	G_OBJECT_CLASS(ksv_lifetimes_parent_class)->finalize(object);
}

static void ksv_lifetimes_class_init(KsvLifetimesClass *class)
{
	G_OBJECT_CLASS(class)->finalize = ksv_lifetimes_finalize;
	KSV_READING_CLASS(class)->read = ksv_lifetimes_read;
}

static void ksv_lifetimes_init(KsvLifetimes *self)
{
	self->found = g_array_new(FALSE, FALSE, sizeof(struct lifetime));
}
