// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// KsvMatches: the events a filter lets through, in the order asked for. ksv_reading_reached() is how
// many were found so far; they are kept as db/reader_found.h says, on the reading's own connection.
#pragma once

#include "../../db/reader_found.h"
#include "ksv-reading.h"

#define KSV_TYPE_MATCHES (ksv_matches_get_type())
G_DECLARE_FINAL_TYPE(KsvMatches, ksv_matches, KSV, MATCHES, KsvReading)

// Starts at once.
KsvMatches *ksv_matches_new(const char *path, const struct event_filter *f, enum found_order by,
			    gboolean descending);
gboolean ksv_matches_failed(KsvMatches *self); // the recording, or the disk, could not
// All of it in order, guint64, eight bytes each, for writing them out; NULL while it runs.
GArray *ksv_matches_copy_ids(KsvMatches *self);
