// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// KsvScan: one reading of the events back to the start in a worker with its own connection: who holds
// each frame at an event, or the call trees of part of a process.
//
// Signal "changed": a little further, four times a second; and when it has ended.
#pragma once

#include <gio/gio.h>

#include "../holders.h"

#define KSV_TYPE_SCAN (ksv_scan_get_type())
G_DECLARE_FINAL_TYPE(KsvScan, ksv_scan, KSV, SCAN, GObject)

KsvScan *ksv_scan_new_holders(const char *path, struct view_model *v); // takes a reference of v
KsvScan *ksv_scan_new_calls(const char *path, int process, enum call_scope scope, uint64_t from,
			    uint64_t to);
void ksv_scan_stop(KsvScan *self);
gboolean ksv_scan_is_running(KsvScan *self);
gboolean ksv_scan_was_stopped(KsvScan *self);
uint64_t ksv_scan_reached(KsvScan *self); // event
// What came of it; NULL while it runs, and when it was stopped. The scan's.
struct holders *ksv_scan_get_holders(KsvScan *self);
struct calltree *ksv_scan_get_calls(KsvScan *self, enum call_order order);
