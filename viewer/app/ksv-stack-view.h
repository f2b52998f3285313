// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// KsvStackView: one backtrace, with what can be done with it.
//
// Signals: "seek" (uint64 event): its event was chosen. "events" (uint stack): all events with this
// backtrace are wanted. "message" (string): something for the user, such as a source file that is
// not on this computer.
#pragma once

#include <gtk/gtk.h>

#include "../model.h"

#define KSV_TYPE_STACK_VIEW (ksv_stack_view_get_type())
G_DECLARE_FINAL_TYPE(KsvStackView, ksv_stack_view, KSV, STACK_VIEW, GtkWidget)

GtkWidget *ksv_stack_view_new(const char *title);
// empty: what to say when there is no event.
void ksv_stack_view_set_stack(KsvStackView *self, const struct model_stack *s, const char *empty);
const char *ksv_stack_view_get_text(KsvStackView *self); // the frames as shown; for tests
