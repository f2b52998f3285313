// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// KsvReading: something that reads much of a recording, in a worker with its own connection. What it
// reads is the kind's: KsvMatches, KsvScan, KsvLifetimes.
//
// Signal "changed": a little further, four times a second; and when it has ended.
#pragma once

#include <gio/gio.h>

#include "../../db/reader.h"

#define KSV_TYPE_READING (ksv_reading_get_type())
G_DECLARE_DERIVABLE_TYPE(KsvReading, ksv_reading, KSV, READING, GObject)

struct _KsvReadingClass {
	GObjectClass parent_class;
	// In the worker. Long statements are stopped by the connection's progress handler; what runs
	// without them asks ksv_reading_was_stopped().
	void (*read)(KsvReading *self, struct recording *r);
};

void ksv_reading_start(KsvReading *self, const char *path); // once
void ksv_reading_stop(KsvReading *self);		    // soon; what was read so far stays
gboolean ksv_reading_is_running(KsvReading *self);
gboolean ksv_reading_was_stopped(KsvReading *self);
// How far it is, in the kind's own terms; the worker says so.
void ksv_reading_set_reached(KsvReading *self, uint64_t reached);
uint64_t ksv_reading_reached(KsvReading *self);
// The worker's connection, now the caller's thread's; the reading's. NULL: it still runs, or could not
// open the recording.
struct recording *ksv_reading_get_recording(KsvReading *self);
