// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// KsvScrubber: the timeline as a slider over the events of a process.
//
// Signal "seek" (uint64 event): dragged or clicked to. Signal "range" (uint64 from, uint64 to): the
// wheel or a double click chose other events to show (0,0 = all); the next model has their samples.
// Signal "brush" (uint64 from, uint64 to): Shift and a drag picked events out (0,0 = none).
#pragma once

#include <gtk/gtk.h>

#include "../draw/draw.h"
#include "../format.h"

#define KSV_TYPE_SCRUBBER (ksv_scrubber_get_type())
G_DECLARE_FINAL_TYPE(KsvScrubber, ksv_scrubber, KSV, SCRUBBER, GtkWidget)

GtkWidget *ksv_scrubber_new(void);
void ksv_scrubber_set_model(KsvScrubber *self, struct view_model *model); // takes a reference
// Where the handle is; may run ahead of the model.
void ksv_scrubber_set_position(KsvScrubber *self, uint64_t event);
// It goes there with the next model or, when that takes longer than a frame, by itself.
void ksv_scrubber_expect_position(KsvScrubber *self, uint64_t event);
void ksv_scrubber_set_palette(KsvScrubber *self, const struct palette *pal);
void ksv_scrubber_set_brush(KsvScrubber *self, uint64_t from, uint64_t to);
void ksv_scrubber_set_marks(KsvScrubber *self, const uint64_t *events, guint n); // copied
void ksv_scrubber_reset_range(KsvScrubber *self);
