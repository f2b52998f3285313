// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// KsvStepsPage: the current event's transitions one after another, as moving pictures.
//
// A new event plays from its first transition on, unless the user asked for no animations: then each
// stands still as it is after. Up and Down choose one, Return plays it again.
#pragma once

#include "ksv-canvas.h"

#define KSV_TYPE_STEPS_PAGE (ksv_steps_page_get_type())
G_DECLARE_FINAL_TYPE(KsvStepsPage, ksv_steps_page, KSV, STEPS_PAGE, GtkWidget)

GtkWidget *ksv_steps_page_new(KsvCanvas *canvas);
void ksv_steps_page_set_model(KsvStepsPage *self, struct view_model *model); // takes a reference
gboolean ksv_steps_page_is_playing(KsvStepsPage *self);
