// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// What has to read the events back to the start: who holds each frame of the map, and call trees of a
// range or of what is alive. Asked for when the position rests; never shown at another event.
#include "i18n.h"
#include "ksv-map-page.h"
#include "ksv-window-private.h"

static KsvCanvas *canvas_of(KsvWindow *self, const char *view)
{
	return self->canvas[ksv_window_view_index(view)];
}

static gboolean same(const struct scan_of *a, const struct scan_of *b)
{
	return a->process == b->process && a->from == b->from && a->to == b->to;
}

static void forget(KsvWindow *self, KsvScan **scan)
{
	if (!*scan)
		return;
	ksv_reading_stop(KSV_READING(*scan));
	g_signal_handlers_disconnect_by_data(*scan, self);
	g_clear_object(scan);
}

static void forget_folded(KsvWindow *self)
{
	calltree_unref(self->folded);
	calltree_unref(self->folded_of);
	self->folded = self->folded_of = NULL;
}

void ksv_window_forget_scans(KsvWindow *self)
{
	forget(self, &self->holders_scan);
	forget(self, &self->calls_scan);
	forget_folded(self);
	ksv_canvas_set_holders(canvas_of(self, "map"), NULL);
	ksv_canvas_set_calls(canvas_of(self, "flame"), NULL, FALSE);
}

void ksv_window_stop_scans(KsvWindow *self)
{
	if (self->holders_scan)
		ksv_reading_stop(KSV_READING(self->holders_scan));
	if (self->calls_scan)
		ksv_reading_stop(KSV_READING(self->calls_scan));
}

// ---- what they say ----

static char *progress_text(KsvScan *scan)
{
	if (ksv_reading_is_running(KSV_READING(scan)))
		return g_strdup_printf(_("reading back, at event %s …"),
				       fmt_count(ksv_reading_reached(KSV_READING(scan))).s);
	if (ksv_reading_was_stopped(KSV_READING(scan)))
		return g_strdup_printf(_("stopped at event %s"),
				       fmt_count(ksv_reading_reached(KSV_READING(scan))).s);
	return NULL;
}

static void show_holders(KsvWindow *self)
{
	KsvCanvas *map = canvas_of(self, "map");
	KsvScan *scan = self->holders_scan;
	struct holders *h = scan ? ksv_scan_get_holders(scan) : NULL;
	g_autofree char *text = scan ? progress_text(scan) : NULL;
	gboolean now = self->model && self->held.process == self->model->process &&
		       self->held.to == self->model->event;

	ksv_canvas_set_holders(map, now ? h : NULL);
	ksv_scan_bar_set(ksv_map_page_get_bar(self->map_page),
			 now && ksv_canvas_wants_holders(map) ? text : NULL,
			 scan && ksv_reading_is_running(KSV_READING(scan)));
}

static char *scope_text(KsvWindow *self)
{
	const struct scan_of *of = &self->called;
	g_autofree char *progress = self->calls_scan ? progress_text(self->calls_scan) : NULL;

	if (self->scope == SCOPE_ALL)
		return NULL;
	if (self->scope == SCOPE_RANGE && !ksv_selection_get(self->selection)->to)
		return g_strdup(_("no range is picked out: Shift+drag on the timeline picks one"));
	if (progress || !self->calls_scan)
		return g_steal_pointer(&progress);
	if (self->scope == SCOPE_RANGE)
		return g_strdup_printf(_("events %s to %s"), fmt_count(of->from).s,
				       fmt_count(of->to).s);
	return g_strdup_printf(_("alive at event %s"), fmt_count(of->to).s);
}

// Folding reads a tree once; trees do not change.
static struct calltree *folded(KsvWindow *self, struct calltree *calls)
{
	if (calls == self->folded_of)
		return self->folded;
	forget_folded(self);
	self->folded = calltree_fold(calls);
	self->folded_of = calltree_ref(calls);
	return self->folded;
}

// NULL for the model's own, from the entry.
static void show_flame(KsvWindow *self, struct calltree *calls, struct calltree *callers)
{
	gboolean inverted = ksv_flame_page_is_inverted(self->flame_page);
	struct calltree *shown = inverted ? callers : calls;

	if (!shown && self->model)
		shown = inverted ? self->model->callers : self->model->calls;
	if (shown && ksv_flame_page_is_folded(self->flame_page))
		shown = folded(self, shown);
	else if (!inverted)
		shown = calls;
	ksv_canvas_set_calls(canvas_of(self, "flame"), shown, inverted && shown);
}

static void show_calls(KsvWindow *self)
{
	KsvScan *scan = self->scope != SCOPE_ALL ? self->calls_scan : NULL;
	struct calltree *calls = scan ? ksv_scan_get_calls(scan, CALLS_FROM_ENTRY) : NULL;
	struct calltree *callers = scan ? ksv_scan_get_calls(scan, CALLS_FROM_SITE) : NULL;
	g_autofree char *text = scope_text(self);

	for (unsigned i = 0; i < G_N_ELEMENTS(self->scope_bar); i++)
		ksv_scope_bar_set_state(self->scope_bar[i], text,
					scan && ksv_reading_is_running(KSV_READING(scan)));
	// the last tree stays while the next one is counted; its text says so
	if (scan && ksv_reading_is_running(KSV_READING(scan)))
		return;
	show_flame(self, calls, callers);
	if (!callers && self->model)
		callers = self->model->callers;
	if (callers)
		ksv_sites_page_set_tree(self->sites_page, callers);
}

void ksv_window_show_scans(KsvWindow *self)
{
	show_holders(self);
	show_calls(self);
}

// ---- asking ----

static void on_changed(KsvScan *scan, KsvWindow *self)
{
	(void)scan;
	ksv_window_show_scans(self);
}

static void follow(KsvWindow *self, KsvScan **at, KsvScan *scan)
{
	forget(self, at);
	*at = scan;
	g_signal_connect(scan, "changed", G_CALLBACK(on_changed), self);
}

static void ask_holders(KsvWindow *self)
{
	KsvCanvas *map = canvas_of(self, "map");
	struct scan_of now = {self->model->process, 0, self->model->event};

	if (!gtk_widget_get_mapped(self->map_page) || !ksv_canvas_wants_holders(map) ||
	    (self->holders_scan && same(&now, &self->held)))
		return;
	self->held = now;
	follow(self, &self->holders_scan, ksv_scan_new_holders(self->path, self->model));
}

static void ask_calls(KsvWindow *self)
{
	const struct selection *s = ksv_selection_get(self->selection);
	struct scan_of now = {self->model->process, self->first, self->model->event};

	if (self->scope == SCOPE_RANGE) {
		now.from = s->from;
		now.to = s->to;
	}
	if (self->scope == SCOPE_ALL || !now.to ||
	    !(gtk_widget_get_mapped(self->flame_page) ||
	      gtk_widget_get_mapped(GTK_WIDGET(self->sites_page))) ||
	    (self->calls_scan && same(&now, &self->called)))
		return;
	self->called = now;
	follow(self, &self->calls_scan,
	       ksv_scan_new_calls(self->path, now.process, self->scope, now.from, now.to));
}

void ksv_window_ask_scans(KsvWindow *self)
{
	if (!self->opened || !self->model)
		return;
	ask_holders(self);
	ask_calls(self);
	ksv_window_show_scans(self);
}

// Figures that the scope does not know are not the ones to begin with.
static void choose_cost(KsvWindow *self)
{
	if (self->scope == SCOPE_LIVE)
		ksv_canvas_set_cost(canvas_of(self, "flame"), COST_LIVE);
	else if (self->scope == SCOPE_RANGE)
		ksv_canvas_set_cost(canvas_of(self, "flame"), COST_BYTES);
	else
		ksv_canvas_set_cost(canvas_of(self, "flame"), COST_PEAK);
}

void ksv_window_set_scope(KsvScopeBar *bar, guint scope, KsvWindow *self)
{
	(void)bar;
	if (scope >= SCOPES || scope == self->scope)
		return;
	self->scope = scope;
	forget(self, &self->calls_scan);
	for (unsigned i = 0; i < G_N_ELEMENTS(self->scope_bar); i++)
		ksv_scope_bar_set_scope(self->scope_bar[i], scope);
	choose_cost(self);
	ksv_window_ask_scans(self);
}
