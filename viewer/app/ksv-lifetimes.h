// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// KsvLifetimes: how long some blocks lived. The events behind each allocation are read until it is
// given back, LIFETIME_REACH of them at most.
#pragma once

#include "ksv-reading.h"

enum {
	LIFETIME_REACH = 1 << 18
};

struct lifetime {
	uint64_t event;	     // that was asked about: an allocation, or what ended one
	uint64_t events;     // from allocation to free; 0: not freed in reach
	int64_t ns;	     // the same; 0 with it
	gboolean to_the_end; // not freed, and there is no more to read
};

#define KSV_TYPE_LIFETIMES (ksv_lifetimes_get_type())
G_DECLARE_FINAL_TYPE(KsvLifetimes, ksv_lifetimes, KSV, LIFETIMES, KsvReading)

// Starts at once. Events of any order; n of them are copied.
KsvLifetimes *ksv_lifetimes_new(const char *path, const guint64 *events, guint n);
// struct lifetime of each, by event number; NULL: it runs, or was stopped. The reading's.
GArray *ksv_lifetimes_get(KsvLifetimes *self);
