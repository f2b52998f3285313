// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// What is selected, and what all views do about it: marks, backtraces, history, call sites.
#include "i18n.h"
#include "ksv-window-private.h"

enum {
	REST_MS = 120, // without a change before backtraces and history are searched
};

// ---- backtraces and history of what is selected ----

void ksv_window_details_changed(KsvDetails *details, KsvWindow *self)
{
	const struct details *d = ksv_details_get(details);

	if (details != self->details)
		return;
	ksv_inspector_set_details(self->inspector, d);
	ksv_events_page_set_details(self->events_page, d);
	ksv_window_follow_thing(self);
}

static gboolean details_looked_at(KsvWindow *self)
{
	return self->following || gtk_widget_get_mapped(GTK_WIDGET(self->events_page)) ||
	       (adw_flap_get_reveal_flap(self->side) &&
		strcmp(ksv_inspector_get_shown(self->inspector), "event"));
}

static gboolean ask_details(gpointer data)
{
	KsvWindow *self = data;

	self->details_wait = 0;
	ksv_window_ask_scans(self);
	if (self->details && details_looked_at(self)) {
		self->details_event = self->request.event;
		ksv_details_ask(self->details, ksv_selection_get(self->selection), self->first,
				self->last);
	}
	return G_SOURCE_REMOVE;
}

// Searching is for positions that rest: a drag or playback passes over many.
void ksv_window_ask_details(KsvWindow *self)
{
	g_clear_handle_id(&self->details_wait, g_source_remove);
	self->details_wait = g_timeout_add(REST_MS, ask_details, self);
}

static void show_thing(KsvWindow *self, const struct selection *s)
{
	for (unsigned i = 0; i < VIEWS; i++)
		if (self->canvas[i])
			ksv_canvas_select(self->canvas[i], s->kind, s->id);
	ksv_inspector_set_selection(self->inspector, s);
	if (s->kind == HIT_FREE_AREA || (self->model && self->model->has_list))
		ksv_window_request(self); // with its blocks, or without
	if (s->touch.first <= s->touch.last || s->touch.has_pfn)
		ksv_inspector_show(self->inspector, "history");
}

void ksv_window_selection_changed(KsvSelection *selection, guint parts, KsvWindow *self)
{
	const struct selection *s = ksv_selection_get(selection);

	if (!self->opened)
		return;
	if (parts & SELECTION_EVENT && s->event != self->request.event) {
		self->request.event = s->event;
		// two frames for one step would make it appear in the second
		ksv_scrubber_expect_position(self->scrubber, s->event);
		ksv_events_page_set_position(self->events_page, s->event);
		ksv_inspector_set_selection(self->inspector, s);
		ksv_window_request(self);
	}
	if (parts & SELECTION_THING)
		show_thing(self, s);
	if (parts & SELECTION_SITE) {
		ksv_flame_page_set_search(self->flame_page, s->function);
		ksv_sites_page_select(self->sites_page, s->function);
	}
	if (parts & SELECTION_RANGE)
		ksv_scrubber_set_brush(self->scrubber, s->from, s->to);
	if (parts & (SELECTION_EVENT | SELECTION_THING | SELECTION_RANGE))
		ksv_window_ask_details(self);
}

void ksv_window_filter_events(KsvWindow *self, const char *filter)
{
	ksv_window_leave_place(self);
	ksv_window_show_view(self, ksv_window_view_index("events"));
	ksv_events_page_set_filter(self->events_page, filter);
}

void ksv_window_stack_events(GtkWidget *widget, guint stack, KsvWindow *self)
{
	g_autofree char *filter = g_strdup_printf("stack:%u", stack);

	(void)widget;
	ksv_window_filter_events(self, filter);
}

// The linear address of what was picked, 0 when it has none.
static kaddr_t address_of(const struct view_model *v, int kind, guint64 id)
{
	struct touch t;

	if (kind == HIT_PGD)
		return (kaddr_t)id << 22;
	return selection_touch(v, kind, id, &t) && t.first <= t.last ? t.first : 0;
}

void ksv_window_pick(KsvWindow *self, int kind, guint64 id)
{
	struct touch t;

	if (!self->model)
		return;
	if (kind == HIT_CACHE && self->request.cache != id) {
		self->request.cache = (unsigned)id;
		ksv_window_request(self);
	}
	if (kind == HIT_EVENT || (kind == HIT_MARK && id < self->model->nmarks)) {
		ksv_window_jump(self, kind == HIT_EVENT ? id : self->model->mark[id].event);
		return;
	}
	if (address_of(self->model, kind, id)) {
		// the paging view shows whatever was pointed at last
		self->request.address = address_of(self->model, kind, id);
		ksv_window_request(self);
	}
	ksv_selection_set_thing(self->selection, kind, id,
				selection_touch(self->model, kind, id, &t) ? &t : NULL);
}

void ksv_window_picked(KsvCanvas *canvas, int kind, guint64 id, KsvWindow *self)
{
	(void)canvas;
	if (kind == HIT_STEP)
		return; // the page's own
	if (kind == HIT_TOP_SITE && self->model && self->model->summary) {
		ksv_window_leave_place(self);
		ksv_window_show_view(self, ksv_window_view_index("sites"));
		ksv_selection_set_site(self->selection,
				       self->model->summary->site[id >> 8][id & 255].function);
		return;
	}
	if (kind == HIT_PROCESS) {
		ksv_window_leave_place(self);
		ksv_window_show_process(self, (int)id);
		return;
	}
	if (kind == HIT_SITE && self->model && self->model->callers)
		ksv_selection_set_site(self->selection,
				       calltree_name(self->model->callers, (uint32_t)id));
	else
		ksv_window_pick(self, kind, id);
}

// The frame behind what was opened; max_pfn: it has none of its own.
static uint64_t frame_behind(const struct view_model *v, int kind, guint64 id)
{
	if (kind == HIT_KMAP && id < LAST_PKMAP && v->kmap.pkmap_count[id])
		return v->kmap.pkmap_pfn[id];
	if (kind == HIT_ATOMIC && (id & 255) < v->kmap.atomic_depth[id >> 8])
		return v->kmap.atomic_pfn[id >> 8][id & 255];
	if (kind == HIT_OBJECT && id >> 16 < v->nslabs)
		return v->slab[id >> 16].pfn;
	return kind == HIT_PAGE ? id : v->max_pfn;
}

void ksv_window_opened(KsvCanvas *canvas, int kind, guint64 id, KsvWindow *self)
{
	unsigned map = ksv_window_view_index("map");
	uint64_t pfn;

	if (!self->model || kind == HIT_EVENT || kind == HIT_TIMELINE)
		return;
	ksv_window_leave_place(self);
	pfn = frame_behind(self->model, kind, id);
	if (kind == HIT_PAGE && canvas == self->canvas[map]) {
		ksv_window_show_view(self, ksv_window_view_index("address"));
		return;
	}
	if (kind == HIT_FREE_AREA || kind == HIT_AREA || kind == HIT_CACHE ||
	    pfn < self->model->max_pfn)
		ksv_window_show_view(self, map);
	if (pfn < self->model->max_pfn)
		ksv_window_pick(self, HIT_PAGE, pfn);
}

void ksv_window_site_picked(KsvSitesPage *page, const char *function, KsvWindow *self)
{
	(void)page;
	ksv_selection_set_site(self->selection, function);
}

void ksv_window_site_events(KsvSitesPage *page, const char *function, KsvWindow *self)
{
	g_autofree char *filter = g_strdup_printf("func:%s", function);

	(void)page;
	ksv_window_filter_events(self, filter);
}
