// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "ksv-scan.h"

#include <stdlib.h>

struct _KsvScan {
	KsvReading parent_instance;
	struct view_model *model; // holders are asked for; NULL: call trees
	int process;
	enum call_scope scope;
	uint64_t from, to;
	struct holders *holders; // the worker's until it has ended
	struct calltree *calls[2];
};

G_DEFINE_FINAL_TYPE(KsvScan, ksv_scan, KSV_TYPE_READING)

// ---- in the worker ----

static void on_reached(void *ctx, uint64_t event)
{
	ksv_reading_set_reached(ctx, event);
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

static void ksv_scan_read(KsvReading *reading, struct recording *r)
{
	KsvScan *self = KSV_SCAN(reading);

	if (self->model)
		self->holders = holders_build(self->model, r, on_reached, self);
	else
		read_calls(self, r);
}

// ---- in the window ----

KsvScan *ksv_scan_new_holders(const char *path, struct view_model *v)
{
	KsvScan *self = g_object_new(KSV_TYPE_SCAN, NULL);

	self->model = model_ref(v);
	ksv_reading_set_reached(KSV_READING(self), v->event);
	ksv_reading_start(KSV_READING(self), path);
	return self;
}

KsvScan *ksv_scan_new_calls(const char *path, int process, enum call_scope scope, uint64_t from,
			    uint64_t to)
{
	KsvScan *self = g_object_new(KSV_TYPE_SCAN, NULL);

	self->process = process;
	self->scope = scope;
	self->from = from;
	self->to = to;
	ksv_reading_set_reached(KSV_READING(self), to);
	ksv_reading_start(KSV_READING(self), path);
	return self;
}

struct holders *ksv_scan_get_holders(KsvScan *self)
{
	return ksv_reading_is_running(KSV_READING(self)) ? NULL : self->holders;
}

struct calltree *ksv_scan_get_calls(KsvScan *self, enum call_order order)
{
	return ksv_reading_is_running(KSV_READING(self)) ? NULL : self->calls[order];
}

static void ksv_scan_finalize(GObject *object)
{
	KsvScan *self = KSV_SCAN(object);

	model_unref(self->model);
	holders_unref(self->holders);
	calltree_unref(self->calls[CALLS_FROM_ENTRY]);
	calltree_unref(self->calls[CALLS_FROM_SITE]);
	G_OBJECT_CLASS(ksv_scan_parent_class)->finalize(object);
}

static void ksv_scan_class_init(KsvScanClass *class)
{
	G_OBJECT_CLASS(class)->finalize = ksv_scan_finalize;
	KSV_READING_CLASS(class)->read = ksv_scan_read;
}

static void ksv_scan_init(KsvScan *self)
{
	(void)self;
}
