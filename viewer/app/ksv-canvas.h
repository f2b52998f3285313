// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// KsvCanvas: one view of the model as a widget, drawn by the functions of draw/.
//
// The finished picture is kept as a surface and one render node; hover and selection are separate
// nodes above it, so moving the pointer redraws nothing. Signal "picked" (int kind, uint64 id): the
// user chose what lies under the pointer. "opened" (the same): and wants to go there. "cost-changed"
// (int): the flame graph's width. "map-changed": what the map's colours mean, or what it points out.
#pragma once

#include <gtk/gtk.h>

#include "../draw/draw.h"
#include "../format.h"

#define KSV_TYPE_CANVAS (ksv_canvas_get_type())
G_DECLARE_FINAL_TYPE(KsvCanvas, ksv_canvas, KSV, CANVAS, GtkWidget)

GtkWidget *ksv_canvas_new(const struct view *view);
void ksv_canvas_set_model(KsvCanvas *self, struct view_model *model); // takes a reference
void ksv_canvas_set_palette(KsvCanvas *self, const struct palette *pal);
// Marks something as selected; HIT_NONE: nothing. A page is scrolled into view.
void ksv_canvas_select(KsvCanvas *self, enum hit_kind kind, uint64_t id);
void ksv_canvas_set_cost(KsvCanvas *self, enum cost cost);
void ksv_canvas_set_search(KsvCanvas *self, const char *text);
// Flame graph: a tree to draw instead of the model's, inverted when it begins at the sites; takes a
// reference. NULL: the model's.
void ksv_canvas_set_calls(KsvCanvas *self, struct calltree *calls, gboolean inverted);
const struct calltree *ksv_canvas_get_calls(KsvCanvas *self); // the one drawn
// Map: colours; which frames that have to do with the selected page are pointed out (none, block,
// cache or site); both may need holders, of which it takes a reference.
void ksv_canvas_set_colour(KsvCanvas *self, enum map_colour colour);
enum map_colour ksv_canvas_get_colour(KsvCanvas *self);
void ksv_canvas_set_pointing(KsvCanvas *self, enum focus_kind pointing);
enum focus_kind ksv_canvas_get_pointing(KsvCanvas *self);
gboolean ksv_canvas_wants_holders(KsvCanvas *self);
void ksv_canvas_set_holders(KsvCanvas *self, struct holders *holders); // NULL: none
gboolean ksv_canvas_has_cursor(KsvCanvas *self);  // the arrows move it, not the position
double canvas_text_scale(GtkWidget *widget);	  // how much larger than usual text is wanted
uint32_t ksv_canvas_get_call(KsvCanvas *self);	  // node the flame graph is zoomed to
void ksv_canvas_zoom(KsvCanvas *self, int steps); // 0: fit
// The view alone, for export.
void ksv_canvas_draw(KsvCanvas *self, cairo_t *cr, int width, int height);
void ksv_canvas_set_letters(KsvCanvas *self, gboolean on); // whether single letters act
// Step by step: which transition is shown, and at what moment of its picture (0..1).
void ksv_canvas_set_step(KsvCanvas *self, unsigned step, double moment);
unsigned ksv_canvas_get_step(KsvCanvas *self);
