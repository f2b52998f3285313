// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Pointer, gestures and keys of the pictures.
#include "ksv-canvas-private.h"

#include <math.h>

static void hover(KsvCanvas *self, double x, double y)
{
	uint64_t id = 0;
	const struct hit *h =
		self->drawn ? hit_find(self->out, x / self->text, y / self->text, &id) : NULL;
	enum hit_kind kind = h ? h->kind : HIT_NONE;

	self->pointer_x = x;
	self->pointer_y = y;
	self->cursor = FALSE;
	// whole cards and plots are not outlined
	if (kind == HIT_ZONE || kind == HIT_TIMELINE || kind == HIT_SORT)
		kind = HIT_NONE;
	if (kind == self->hover_kind && id == self->hover_id)
		return;
	self->hover_kind = kind;
	self->hover_id = id;
	gtk_widget_trigger_tooltip_query(GTK_WIDGET(self));
	gtk_widget_queue_draw(GTK_WIDGET(self));
}

static void on_motion(GtkEventControllerMotion *controller, double x, double y, KsvCanvas *self)
{
	(void)controller;
	// GTK repeats the last motion when something moved below a pointer that rests
	if (x != self->pointer_x || y != self->pointer_y)
		hover(self, x, y);
}

static void on_leave(GtkEventControllerMotion *controller, KsvCanvas *self)
{
	(void)controller;
	if (!self->cursor)
		hover(self, -1, -1);
}

// Keys of the flame graph; FALSE: it has no use for this one.
static gboolean on_flame_key(KsvCanvas *self, guint key)
{
	if (self->view->draw != draw_flame || !ksv_canvas_get_calls(self))
		return FALSE;
	if (key == GDK_KEY_c)
		ksv_canvas_set_cost(self, (self->vp.cost + 1) % COSTS);
	else if (key == GDK_KEY_Escape && self->vp.zoomed_call)
		canvas_zoom_call(
			self,
			calltree_node(ksv_canvas_get_calls(self), self->vp.zoomed_call)->parent);
	else if (key == GDK_KEY_f)
		canvas_zoom_call(self, 0);
	else
		return FALSE;
	return TRUE;
}

// Colours of the map, and what it points out.
static gboolean on_map_key(KsvCanvas *self, guint key)
{
	if (self->view->draw != draw_map)
		return FALSE;
	if (key == GDK_KEY_c)
		ksv_canvas_set_colour(self, (self->vp.colour + 1) % MAP_COLOURS);
	else if (key == GDK_KEY_Escape && self->selected_kind == HIT_LEGEND)
		ksv_canvas_select(self, HIT_NONE, 0);
	else if (key == GDK_KEY_Escape && self->selected_kind == HIT_PAGES)
		canvas_pick_pages(self, self->head, self->head);
	else if (key == GDK_KEY_h)
		ksv_canvas_set_pointing(self, (self->pointing + 1) % (FOCUS_SITE + 1));
	else
		return FALSE;
	return TRUE;
}

// Up and Down choose the stage of booting.
static gboolean on_boot_key(KsvCanvas *self, guint key)
{
	if (self->view->draw != draw_boot)
		return FALSE;
	if (key == GDK_KEY_Down && self->vp.step + 1 < BOOT_STAGES)
		ksv_canvas_set_step(self, self->vp.step + 1, 1);
	else if (key == GDK_KEY_Up && self->vp.step)
		ksv_canvas_set_step(self, self->vp.step - 1, 1);
	else
		return FALSE;
	return TRUE;
}

static void toggle_legend(KsvCanvas *self, uint64_t id)
{
	gboolean off = self->selected_kind == HIT_LEGEND && self->selected_id == id;

	ksv_canvas_select(self, off ? HIT_NONE : HIT_LEGEND, off ? 0 : id);
}

void canvas_press(KsvCanvas *self, enum hit_kind kind, uint64_t id, int times)
{
	switch (kind) {
	case HIT_SORT:
		self->vp.sort = (unsigned)id;
		canvas_invalidate(self);
		return;
	case HIT_BOOT:
		ksv_canvas_set_step(self, (unsigned)id, 1);
		return;
	case HIT_CALL:
		canvas_zoom_call(self, (uint32_t)id);
		return;
	case HIT_LEGEND:
		toggle_legend(self, id);
		return;
	default:
		break;
	}
	if (times == 2) {
		g_signal_emit(self, canvas_signals[SIGNAL_OPENED], 0, (int)kind, id);
		return;
	}
	if (kind != HIT_STEP)
		ksv_canvas_select(self, kind, id);
	g_signal_emit(self, canvas_signals[SIGNAL_PICKED], 0, (int)kind, id);
}

static void on_pressed(GtkGestureClick *gesture, int n_press, double x, double y, KsvCanvas *self)
{
	uint64_t id;
	const struct hit *h =
		self->drawn ? hit_find(self->out, x / self->text, y / self->text, &id) : NULL;

	(void)gesture;
	gtk_widget_grab_focus(GTK_WIDGET(self));
	if (h)
		canvas_press(self, h->kind, id, n_press);
}

void canvas_scroll_by(KsvCanvas *self, double x, double y, double pixels)
{
	unsigned pane = 0;

	for (unsigned i = 0; i < self->out->npanes; i++) {
		const struct pane *p = &self->out->pane[i];

		if (x >= p->x && x < p->x + p->w && y >= p->y && y < p->y + p->h)
			pane = i;
	}
	self->vp.scroll[pane] += pixels;
	canvas_clamp_scroll(self);
	canvas_invalidate(self);
}

static gboolean on_scroll(GtkEventControllerScroll *controller, double dx, double dy,
			  KsvCanvas *self)
{
	GdkModifierType state =
		gtk_event_controller_get_current_event_state(GTK_EVENT_CONTROLLER(controller));

	(void)dx;
	if (state & GDK_CONTROL_MASK)
		ksv_canvas_zoom(self, dy < 0 ? 1 : -1);
	else
		canvas_scroll_by(self, self->pointer_x / self->text, self->pointer_y / self->text,
				 dy * 60);
	hover(self, self->pointer_x, self->pointer_y);
	return TRUE;
}

static gboolean on_key(GtkEventControllerKey *controller, guint key, guint code,
		       GdkModifierType state, KsvCanvas *self)
{
	double page = self->out->npanes ? self->out->pane[0].h : 0;

	(void)controller;
	(void)code;
	if (state & (GDK_CONTROL_MASK | GDK_ALT_MASK))
		return FALSE;
	if (key < 128 && g_ascii_isalpha((char)key) && !self->letters)
		return FALSE;
	if (on_flame_key(self, key) || on_map_key(self, key) || on_boot_key(self, key) ||
	    canvas_cursor_key(self, key, (state & GDK_SHIFT_MASK) != 0))
		return TRUE;
	switch (key) {
	case GDK_KEY_Up:
		canvas_scroll_by(self, -1, -1, -40);
		return TRUE;
	case GDK_KEY_Down:
		canvas_scroll_by(self, -1, -1, 40);
		return TRUE;
	case GDK_KEY_Page_Up:
		canvas_scroll_by(self, -1, -1, -page);
		return TRUE;
	case GDK_KEY_Page_Down:
		canvas_scroll_by(self, -1, -1, page);
		return TRUE;
	case GDK_KEY_plus:
	case GDK_KEY_KP_Add:
	case GDK_KEY_w:
		ksv_canvas_zoom(self, 1);
		return TRUE;
	case GDK_KEY_minus:
	case GDK_KEY_KP_Subtract:
	case GDK_KEY_s:
		ksv_canvas_zoom(self, -1);
		return TRUE;
	case GDK_KEY_f:
		ksv_canvas_zoom(self, 0);
		return TRUE;
	case GDK_KEY_z:
		self->vp.unfolded = !self->vp.unfolded;
		canvas_invalidate(self);
		return TRUE;
	case GDK_KEY_a:
		canvas_scroll_by(self, -1, -1, -page / 3);
		return TRUE;
	case GDK_KEY_d:
		canvas_scroll_by(self, -1, -1, page / 3);
		return TRUE;
	default:
		return FALSE;
	}
}

// ---- gestures: pinching zooms, dragging with Ctrl or the middle button pans ----

static void on_pinch_begin(GtkGesture *gesture, GdkEventSequence *sequence, KsvCanvas *self)
{
	(void)gesture;
	(void)sequence;
	self->pinched = 1;
}

static void on_pinch(GtkGestureZoom *gesture, double scale, KsvCanvas *self)
{
	(void)gesture;
	if (scale / self->pinched > 1.3)
		ksv_canvas_zoom(self, 1);
	else if (self->pinched / scale > 1.3)
		ksv_canvas_zoom(self, -1);
	else
		return;
	self->pinched = scale;
}

// The frame of the map under a point; FALSE: none.
static gboolean page_at(KsvCanvas *self, double x, double y, pfn_t *pfn)
{
	uint64_t id;
	const struct hit *h = self->drawn && self->view->draw == draw_map
				      ? hit_find(self->out, x / self->text, y / self->text, &id)
				      : NULL;

	if (!h || h->kind != HIT_PAGE)
		return FALSE;
	*pfn = (pfn_t)id;
	return TRUE;
}

static void on_drag_begin(GtkGestureDrag *drag, double x, double y, KsvCanvas *self)
{
	guint button = gtk_gesture_single_get_current_button(GTK_GESTURE_SINGLE(drag));
	GdkModifierType state =
		gtk_event_controller_get_current_event_state(GTK_EVENT_CONTROLLER(drag));

	self->drag_from = self->vp.scroll[0];
	self->picking = button == GDK_BUTTON_PRIMARY && !(state & GDK_CONTROL_MASK) &&
			page_at(self, x, y, &self->anchor);
	if (self->picking)
		return;
	if (button == GDK_BUTTON_PRIMARY && !(state & GDK_CONTROL_MASK))
		gtk_gesture_set_state(GTK_GESTURE(drag), GTK_EVENT_SEQUENCE_DENIED);
}

static void on_drag_update(GtkGestureDrag *drag, double dx, double dy, KsvCanvas *self)
{
	double x, y;
	pfn_t head;

	if (self->picking) {
		if (gtk_gesture_drag_get_start_point(drag, &x, &y) &&
		    page_at(self, x + dx, y + dy, &head) &&
		    (head != self->anchor || self->selected_kind == HIT_PAGES))
			canvas_pick_pages(self, self->anchor, head);
		return;
	}
	self->vp.scroll[0] = self->drag_from - dy / self->text;
	canvas_clamp_scroll(self);
	canvas_invalidate(self);
}

static void add_gestures(KsvCanvas *self)
{
	GtkGesture *pinch = gtk_gesture_zoom_new(), *drag = gtk_gesture_drag_new();

	g_signal_connect(pinch, "begin", G_CALLBACK(on_pinch_begin), self);
	g_signal_connect(pinch, "scale-changed", G_CALLBACK(on_pinch), self);
	gtk_gesture_single_set_button(GTK_GESTURE_SINGLE(drag), 0);
	g_signal_connect(drag, "drag-begin", G_CALLBACK(on_drag_begin), self);
	g_signal_connect(drag, "drag-update", G_CALLBACK(on_drag_update), self);
	gtk_widget_add_controller(GTK_WIDGET(self), GTK_EVENT_CONTROLLER(pinch));
	gtk_widget_add_controller(GTK_WIDGET(self), GTK_EVENT_CONTROLLER(drag));
}

void canvas_add_input(KsvCanvas *self)
{
	GtkEventController *motion = gtk_event_controller_motion_new();
	GtkEventController *scroll =
		gtk_event_controller_scroll_new(GTK_EVENT_CONTROLLER_SCROLL_VERTICAL);
	GtkEventController *key = gtk_event_controller_key_new();
	GtkGesture *click = gtk_gesture_click_new();

	g_signal_connect(motion, "motion", G_CALLBACK(on_motion), self);
	g_signal_connect(motion, "leave", G_CALLBACK(on_leave), self);
	g_signal_connect(scroll, "scroll", G_CALLBACK(on_scroll), self);
	g_signal_connect(key, "key-pressed", G_CALLBACK(on_key), self);
	g_signal_connect(click, "pressed", G_CALLBACK(on_pressed), self);
	gtk_widget_add_controller(GTK_WIDGET(self), motion);
	gtk_widget_add_controller(GTK_WIDGET(self), scroll);
	gtk_widget_add_controller(GTK_WIDGET(self), key);
	gtk_widget_add_controller(GTK_WIDGET(self), GTK_EVENT_CONTROLLER(click));
	add_gestures(self);
}
