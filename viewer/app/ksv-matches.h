// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// KsvMatches: the events a filter lets through, found in a worker with a connection of its own.
//
// Signal "changed": more were counted, or the search ended. At most MATCHES_KEPT ids are kept.
#pragma once

#include <gio/gio.h>

#include "../filter.h"

enum {
	MATCHES_KEPT = 1000000
};

#define KSV_TYPE_MATCHES (ksv_matches_get_type())
G_DECLARE_FINAL_TYPE(KsvMatches, ksv_matches, KSV, MATCHES, GObject)

KsvMatches *ksv_matches_new(const char *path, const struct event_filter *f); // starts at once
void ksv_matches_stop(KsvMatches *self); // what was found so far stays
gboolean ksv_matches_is_running(KsvMatches *self);
guint ksv_matches_get_count(KsvMatches *self);
GArray *ksv_matches_get_ids(KsvMatches *self); // guint64, in order; NULL while it is running
