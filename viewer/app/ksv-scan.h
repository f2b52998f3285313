// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// KsvScan: one reading of the events back to the start: who holds each frame at an event, or the call
// trees of part of a process. ksv_reading_reached() is the event it is at.
#pragma once

#include "../holders.h"
#include "ksv-reading.h"

#define KSV_TYPE_SCAN (ksv_scan_get_type())
G_DECLARE_FINAL_TYPE(KsvScan, ksv_scan, KSV, SCAN, KsvReading)

KsvScan *ksv_scan_new_holders(const char *path, struct view_model *v); // takes a reference of v
KsvScan *ksv_scan_new_calls(const char *path, int process, enum call_scope scope, uint64_t from,
			    uint64_t to);
// What came of it; NULL while it runs, and when it was stopped. The scan's.
struct holders *ksv_scan_get_holders(KsvScan *self);
struct calltree *ksv_scan_get_calls(KsvScan *self, enum call_order order);
