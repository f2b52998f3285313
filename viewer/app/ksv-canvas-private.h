// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// What ksv-canvas.c (the picture and what is selected in it) and ksv-canvas-input.c (pointer,
// gestures, keys) share.
#pragma once

#include "ksv-canvas.h"
#include "ksv-tiles.h"

struct _KsvCanvas {
	GtkWidget parent_instance;
	const struct view *view;
	struct view_model *model;
	struct viewport vp;
	struct draw_result *out;
	struct tiles *tiles;
	gboolean drawn; // the tiles show the model; FALSE: to be drawn again
	int width, height, scale;
	const struct palette *pal;
	double text; // scale of the whole picture, as text is scaled
	enum hit_kind hover_kind, selected_kind;
	uint64_t hover_id, selected_id;
	double pointer_x, pointer_y;
	char *search;
	gboolean letters;
	gboolean cursor;	  // the keyboard moves what is under the pointer elsewhere
	struct calltree *calls;	  // of vp, NULL: the model's
	struct holders *holders;  // of vp, NULL: none
	enum focus_kind pointing; // what of the selected page the map points out
	double pinched;		  // scale at the last zoom step of a gesture
	double drag_from;	  // scroll position when a drag began
	gboolean picking;	  // the drag picks frames, from `anchor` on
	pfn_t anchor, head;	  // of a range of frames: where it began, where the cursor is
};

enum canvas_signal {
	SIGNAL_PICKED,
	SIGNAL_OPENED,
	SIGNAL_COST,
	SIGNAL_MAP,
	SIGNALS
};
extern guint canvas_signals[SIGNALS];

void canvas_add_input(KsvCanvas *self); // its event controllers
// What a click, or twice, on something does.
void canvas_press(KsvCanvas *self, enum hit_kind kind, uint64_t id, int times);
void canvas_scroll_by(KsvCanvas *self, double x, double y, double pixels); // the pane there
// FALSE: not one of the cursor's. extend: frames are picked on the way.
gboolean canvas_cursor_key(KsvCanvas *self, guint key, gboolean extend);
void canvas_pick_pages(KsvCanvas *self, pfn_t anchor, pfn_t head);
void canvas_end_cursor(KsvCanvas *self);
void canvas_invalidate(KsvCanvas *self);
// What there is to say of something in it; FALSE: nothing.
gboolean canvas_describe(KsvCanvas *self, enum hit_kind kind, uint64_t id, char *buf, gsize size);
gboolean canvas_clamp_scroll(KsvCanvas *self); // TRUE: something moved, draw again
// The hit that has the id, NULL when it is not drawn.
const struct hit *canvas_hit_of(KsvCanvas *self, enum hit_kind kind, uint64_t id);
// The flame graph's node that fills the width.
void canvas_zoom_call(KsvCanvas *self, uint32_t id);
