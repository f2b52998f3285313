// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// KsvInspector: the panel at the side. Three pages: what the current event did, the backtraces of
// the block that is selected (its allocation and its free), and the history of the selected thing.
//
// Signals: "seek" (uint64 event), "events" (uint stack), "message" (string), as KsvStackView;
// "page-changed".
#pragma once

#include "ksv-details.h"
#include "ksv-event-panel.h"
#include "ksv-stack-view.h"

#define KSV_TYPE_INSPECTOR (ksv_inspector_get_type())
G_DECLARE_FINAL_TYPE(KsvInspector, ksv_inspector, KSV, INSPECTOR, GtkWidget)

GtkWidget *ksv_inspector_new(void);
void ksv_inspector_set_model(KsvInspector *self, struct view_model *model); // takes a reference
void ksv_inspector_set_selection(KsvInspector *self, const struct selection *s);
void ksv_inspector_set_details(KsvInspector *self, const struct details *d);
void ksv_inspector_show(KsvInspector *self, const char *page); // "event", "stacks", "history"
const char *ksv_inspector_get_shown(KsvInspector *self);
guint ksv_inspector_get_history(KsvInspector *self); // rows of the history; for tests
KsvStackView *ksv_inspector_get_stack(KsvInspector *self, unsigned which); // 0, 1; for tests
