// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "ksv-matches.h"

#include <errno.h>

struct _KsvMatches {
	KsvReading parent_instance;
	struct event_filter filter;
	enum found_order by;
	gboolean descending, failed;
};

G_DEFINE_FINAL_TYPE(KsvMatches, ksv_matches, KSV_TYPE_READING)

static bool on_found(void *ctx, uint64_t n)
{
	ksv_reading_set_reached(ctx, n);
	return !ksv_reading_was_stopped(ctx);
}

static void ksv_matches_read(KsvReading *reading, struct recording *r)
{
	KsvMatches *self = KSV_MATCHES(reading);
	int ret = recording_find(r, &self->filter, self->by, self->descending, on_found, reading);

	self->failed = ret && ret != -EINTR;
	ksv_reading_set_reached(reading, recording_found(r));
}

gboolean ksv_matches_failed(KsvMatches *self)
{
	KsvReading *reading = KSV_READING(self);

	return !ksv_reading_is_running(reading) &&
	       (self->failed || !ksv_reading_get_recording(reading));
}

GArray *ksv_matches_copy_ids(KsvMatches *self)
{
	struct recording *r = ksv_reading_get_recording(KSV_READING(self));
	guint n = r ? (guint)MIN(recording_found(r), G_MAXUINT32) : 0;
	GArray *ids;

	if (!r)
		return NULL;
	ids = g_array_sized_new(FALSE, FALSE, sizeof(guint64), n);
	g_array_set_size(ids, n);
	g_array_set_size(ids, recording_found_ids(r, 0, n, (uint64_t *)(void *)ids->data));
	return ids;
}

static void ksv_matches_class_init(KsvMatchesClass *class)
{
	KSV_READING_CLASS(class)->read = ksv_matches_read;
}

static void ksv_matches_init(KsvMatches *self)
{
	(void)self;
}

KsvMatches *ksv_matches_new(const char *path, const struct event_filter *f, enum found_order by,
			    gboolean descending)
{
	KsvMatches *self = g_object_new(KSV_TYPE_MATCHES, NULL);

	self->filter = *f;
	self->by = by;
	self->descending = descending;
	ksv_reading_start(KSV_READING(self), path);
	return self;
}
