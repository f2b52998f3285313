// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// KsvScopeBar: what call sites and flame graph count, everything, a range or what is alive; and how
// far counting is. There is one above each of the two, and they say the same.
//
// Signals: "scope" (uint: enum call_scope), "stop".
#pragma once

#include "../holders.h"
#include "ksv-scan-bar.h"

#define KSV_TYPE_SCOPE_BAR (ksv_scope_bar_get_type())
G_DECLARE_FINAL_TYPE(KsvScopeBar, ksv_scope_bar, KSV, SCOPE_BAR, GtkWidget)

GtkWidget *ksv_scope_bar_new(void);
void ksv_scope_bar_set_scope(KsvScopeBar *self, enum call_scope scope);
void ksv_scope_bar_set_state(KsvScopeBar *self, const char *text, gboolean running);
