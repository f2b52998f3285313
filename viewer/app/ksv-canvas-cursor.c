// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The keyboard's way to what a pointer can reach: a cursor that goes from cell to cell on the map,
// and from thing to thing in every other picture.
#include "ksv-canvas-private.h"

#include "../draw/page_range.h"

gboolean ksv_canvas_has_cursor(KsvCanvas *self)
{
	return self->model && (self->cursor || (self->view->draw == draw_map &&
						(self->selected_kind == HIT_PAGE ||
						 self->selected_kind == HIT_PAGES)));
}

// ---- on the map: frames ----

static pfn_t cursor_pfn(KsvCanvas *self)
{
	return self->selected_kind == HIT_PAGES ? self->head : (pfn_t)self->selected_id;
}

static void pick(KsvCanvas *self, enum hit_kind kind, uint64_t id)
{
	ksv_canvas_select(self, kind, id);
	g_signal_emit(self, canvas_signals[SIGNAL_PICKED], 0, (int)kind, (guint64)id);
}

void canvas_pick_pages(KsvCanvas *self, pfn_t anchor, pfn_t head)
{
	self->anchor = anchor;
	self->head = head;
	if (anchor == head)
		pick(self, HIT_PAGE, head);
	else
		pick(self, HIT_PAGES, page_range(anchor, head));
}

static void move_cursor(KsvCanvas *self, int64_t by, gboolean extend)
{
	int64_t pfn = (int64_t)cursor_pfn(self) + by;
	pfn_t anchor = self->selected_kind == HIT_PAGES ? self->anchor : cursor_pfn(self);

	pfn = CLAMP(pfn, 0, (int64_t)self->model->max_pfn - 1);
	canvas_pick_pages(self, extend ? anchor : (pfn_t)pfn, (pfn_t)pfn);
}

// The start of the zone before or after the cursor's.
static void move_to_zone(KsvCanvas *self, int by, gboolean extend)
{
	const struct view_model *v = self->model;
	const struct model_zone *z = model_zone_of(v, cursor_pfn(self));
	int to = (z ? (int)(z - v->zone) : 0) + by;

	to = CLAMP(to, 0, (int)v->nzones - 1);
	move_cursor(self, (int64_t)v->zone[to].start - (int64_t)cursor_pfn(self), extend);
}

static int64_t cursor_row(KsvCanvas *self)
{
	const struct hit *h = canvas_hit_of(self, HIT_PAGE, cursor_pfn(self));

	return h && h->columns ? (int64_t)h->columns * h->per_cell : 64;
}

static int64_t cursor_cell(KsvCanvas *self)
{
	const struct hit *h = canvas_hit_of(self, HIT_PAGE, cursor_pfn(self));

	return h && h->columns ? h->per_cell : 1;
}

// The first frame that is in use, for a cursor that is not there yet.
static void start_cursor(KsvCanvas *self)
{
	const struct view_model *v = self->model;
	pfn_t pfn = 0;

	while (pfn + 1 < v->max_pfn && v->state[pfn] <= PS_RESERVED)
		pfn++;
	pick(self, HIT_PAGE, pfn);
}

// Keys of the map's cell cursor; FALSE: not one of them.
static gboolean map_cursor_key(KsvCanvas *self, guint key, gboolean extend)
{
	if (!ksv_canvas_has_cursor(self)) {
		if (key != GDK_KEY_Return && key != GDK_KEY_KP_Enter)
			return FALSE;
		start_cursor(self);
		return TRUE;
	}
	if (key == GDK_KEY_Left)
		move_cursor(self, -cursor_cell(self), extend);
	else if (key == GDK_KEY_Right)
		move_cursor(self, cursor_cell(self), extend);
	else if (key == GDK_KEY_Up)
		move_cursor(self, -cursor_row(self), extend);
	else if (key == GDK_KEY_Down)
		move_cursor(self, cursor_row(self), extend);
	else if (key == GDK_KEY_Return || key == GDK_KEY_KP_Enter)
		canvas_press(self, HIT_PAGE, cursor_pfn(self), 2);
	else if (key == GDK_KEY_Page_Up || key == GDK_KEY_Page_Down)
		move_to_zone(self, key == GDK_KEY_Page_Up ? -1 : 1, extend);
	else
		return FALSE;
	return TRUE;
}

// ---- elsewhere: what is drawn ----

enum {
	PROBE = 4,    // pixels from one look to the next
	SIDEWAYS = 24 // looks to either side
};

// Cards and plots as a whole are not stops of the cursor.
static gboolean is_stop(enum hit_kind kind)
{
	return kind != HIT_NONE && kind != HIT_ZONE && kind != HIT_TIMELINE;
}

static void put_cursor(KsvCanvas *self, enum hit_kind kind, uint64_t id)
{
	char text[512];

	self->hover_kind = kind;
	self->hover_id = id;
	gtk_widget_queue_draw(GTK_WIDGET(self));
	if (kind != HIT_NONE && canvas_describe(self, kind, id, text, sizeof(text)))
		gtk_accessible_update_property(GTK_ACCESSIBLE(self),
					       GTK_ACCESSIBLE_PROPERTY_DESCRIPTION, text, -1);
}

// The first stop from the top left.
static void begin_cursor(KsvCanvas *self)
{
	const struct hit *best = NULL;

	for (unsigned i = 0; i < self->out->nhits; i++) {
		const struct hit *h = &self->out->hit[i];

		if (is_stop(h->kind) &&
		    (!best || h->y < best->y || (h->y == best->y && h->x < best->x)))
			best = h;
	}
	if (!best)
		return;
	self->cursor = TRUE;
	put_cursor(self, best->kind, best->id);
}

// Looks from the middle of the cursor's cell in one direction, then beside that line.
static gboolean look(KsvCanvas *self, double x, double y, int dx, int dy)
{
	for (int side = 0; side < 2 * SIDEWAYS; side++) {
		double off = (side + 1) / 2 * (side & 1 ? -PROBE : PROBE) * (side ? 2 : 0);
		double px = x + dy * off, py = y + dx * off;

		for (;;) {
			const struct hit *h;
			uint64_t id;

			px += dx * PROBE;
			py += dy * PROBE;
			if (px < 0 || py < 0 || px > self->vp.width || py > self->vp.height)
				break;
			h = hit_find(self->out, px, py, &id);
			if (!h || !is_stop(h->kind) ||
			    (h->kind == self->hover_kind && id == self->hover_id))
				continue;
			put_cursor(self, h->kind, id);
			return TRUE;
		}
	}
	return FALSE;
}

static void move_to_thing(KsvCanvas *self, int dx, int dy)
{
	const struct hit *h = canvas_hit_of(self, self->hover_kind, self->hover_id);
	double x, y, w, height;

	if (!h) { // scrolled away, or gone with the last event
		begin_cursor(self);
		return;
	}
	hit_cell(h, self->hover_id, &x, &y, &w, &height);
	if (!look(self, x + w / 2, y + height / 2, dx, dy) && dy)
		canvas_scroll_by(self, x, y, dy * 60);
}

static gboolean thing_cursor_key(KsvCanvas *self, guint key)
{
	gboolean enter = key == GDK_KEY_Return || key == GDK_KEY_KP_Enter;

	if (!self->cursor) {
		if (enter)
			begin_cursor(self);
		return enter;
	}
	if (key == GDK_KEY_Left || key == GDK_KEY_Right)
		move_to_thing(self, key == GDK_KEY_Left ? -1 : 1, 0);
	else if (key == GDK_KEY_Up || key == GDK_KEY_Down)
		move_to_thing(self, 0, key == GDK_KEY_Up ? -1 : 1);
	else if (enter && canvas_hit_of(self, self->hover_kind, self->hover_id))
		canvas_press(self, self->hover_kind, self->hover_id,
			     self->selected_kind == self->hover_kind &&
					     self->selected_id == self->hover_id
				     ? 2
				     : 1);
	else if (key == GDK_KEY_Escape)
		canvas_end_cursor(self);
	else
		return FALSE;
	return TRUE;
}

void canvas_end_cursor(KsvCanvas *self)
{
	if (self->cursor)
		put_cursor(self, HIT_NONE, 0);
	self->cursor = FALSE;
}

gboolean canvas_cursor_key(KsvCanvas *self, guint key, gboolean extend)
{
	if (!self->model)
		return FALSE;
	return self->view->draw == draw_map ? map_cursor_key(self, key, extend)
					    : thing_cursor_key(self, key);
}
