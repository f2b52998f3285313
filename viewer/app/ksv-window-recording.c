// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The window's recording: opening and closing it, its processes, and the models that arrive.
#include "i18n.h"
#include "ksv-state.h"
#include "ksv-window-private.h"

enum {
	BUCKETS = 1024
};

void ksv_window_request(KsvWindow *self)
{
	self->request.want = WANT_TIMELINE | WANT_SUMMARY | WANT_HAPPENED;
	if (gtk_widget_get_mapped(GTK_WIDGET(self->steps_page)))
		self->request.want |= WANT_STEPS;
	if (ksv_window_shown_view(self) == ksv_window_view_index("boot"))
		self->request.want |= WANT_BOOT;
	// once the trees are there they stay
	if (self->calls_wanted || gtk_widget_get_mapped(self->flame_page) ||
	    gtk_widget_get_mapped(GTK_WIDGET(self->sites_page)))
		self->request.want |= WANT_CALLS;
	self->calls_wanted = self->request.want & WANT_CALLS;
	if (ksv_selection_get(self->selection)->kind == HIT_FREE_AREA) {
		self->request.want |= WANT_LIST;
		self->request.list = (uint32_t)ksv_selection_get(self->selection)->id;
	}
	self->request.buckets = BUCKETS;
	if (self->opened)
		ksv_loader_request(self->loader, &self->request);
}

void ksv_window_seek(KsvWindow *self, uint64_t event)
{
	if (!self->opened)
		return;
	event = CLAMP(event, self->first ? self->first - 1 : 0, self->last);
	ksv_selection_set_event(self->selection, event);
}

void ksv_window_step(KsvWindow *self, gint64 by)
{
	uint64_t at = self->request.event;

	ksv_window_seek(self, by < 0 && (uint64_t)-by > at ? 0 : at + (uint64_t)by);
}

// What is wrong with the recording as a whole, or with it at this position.
static void show_state(KsvWindow *self)
{
	const char *text = NULL;

	if (self->model && self->model->damaged)
		text = _("The recording is damaged here: this is the last good state before it.");
	else if (self->unfinished)
		text = _("This recording is not finished: it is still being written, or was cut "
			 "off. What it holds so far is shown.");
	if (text)
		gtk_label_set_text(self->info_label, text);
	if (g_strcmp0(text, self->info_shown))
		gtk_info_bar_set_revealed(self->info_bar, text != NULL);
	self->info_shown = text;
}

static void show_position(KsvWindow *self)
{
	const struct view_model *v = self->model;
	g_autofree char *text = NULL, *subtitle = NULL;

	subtitle = g_strdup_printf(_("event %s of %s · %s"), fmt_count(v->event).s,
				   fmt_count(v->last_event).s, fmt_time(v->t_ns).s);
	adw_window_title_set_subtitle(self->title, subtitle);
	text = g_strdup_printf(_("%sevent %s of %s · %s of %s"),
			       v->in_flight ? "operation in flight · " : "", fmt_count(v->event).s,
			       fmt_count(v->last_event).s, fmt_time(v->t_ns).s,
			       fmt_time((int64_t)v->duration_ns).s);
	gtk_label_set_text(self->position_label, text);
	show_state(self);
}

static void on_model(KsvLoader *loader, struct view_model *v, KsvWindow *self)
{
	if (loader != self->loader)
		return;
	model_unref(self->model);
	self->model = model_ref(v);
	for (unsigned i = 0; i < VIEWS; i++)
		if (self->canvas[i])
			ksv_canvas_set_model(self->canvas[i], v);
	ksv_selection_follow(self->selection, v);
	ksv_inspector_set_model(self->inspector, v);
	ksv_window_show_scans(self);
	ksv_steps_page_set_model(self->steps_page, v);
	ksv_scrubber_set_model(self->scrubber, v);
	if (!ksv_loader_is_busy(loader))
		ksv_scrubber_set_position(self->scrubber, v->event);
	show_position(self);
	gtk_stack_set_visible_child_name(self->pages, "recording");
	gtk_widget_set_visible(GTK_WIDGET(self->bottom), TRUE);
}

void ksv_window_set_open_actions(KsvWindow *self, gboolean enabled)
{
	static const char *const names[] = {"win.play",
					    "win.first",
					    "win.last",
					    "win.next",
					    "win.previous",
					    "win.go-to",
					    "win.sidebar",
					    "win.view",
					    "win.inspector",
					    "win.bookmark",
					    "win.peak",
					    "win.next-of-thing",
					    "win.previous-of-thing",
					    "win.export",
					    "win.table",
					    "win.duplicate",
					    "win.search",
					    "win.follow"};

	for (unsigned i = 0; i < G_N_ELEMENTS(names); i++)
		gtk_widget_action_set_enabled(GTK_WIDGET(self), names[i], enabled);
}

static void show_error(KsvWindow *self, const char *sentence)
{
	g_autofree char *markup = g_markup_escape_text(sentence, -1);

	adw_status_page_set_description(self->error_page, markup);
	gtk_stack_set_visible_child_name(self->pages, "error");
	gtk_widget_set_visible(GTK_WIDGET(self->bottom), FALSE);
	adw_window_title_set_subtitle(self->title, "");
	ksv_window_set_open_actions(self, FALSE);
}

static void on_failed(KsvLoader *loader, const char *sentence, KsvWindow *self)
{
	if (loader != self->loader)
		return;
	if (self->model)
		ksv_window_toast(self, sentence);
	else
		show_error(self, sentence);
}

static void use_process(KsvWindow *self, int process)
{
	struct source *reader = ksv_loader_get_reader(self->loader);
	const struct process_info *p = source_process(reader, process);

	if (!p)
		return;
	self->first = p->first_event;
	self->last = p->last_event;
	self->request =
		(struct model_request){.process = process, .event = source_peak(reader, process)};
	ksv_selection_clear(self->selection);
	ksv_window_forget_scans(self);
	ksv_selection_set_event(self->selection, self->request.event);
	ksv_scrubber_reset_range(self->scrubber);
	ksv_scrubber_set_position(self->scrubber, self->request.event);
	ksv_events_page_set_position(self->events_page, self->request.event);
	ksv_window_show_bookmarks(self);
	ksv_window_request(self);
}

void ksv_window_show_process(KsvWindow *self, int process)
{
	for (guint i = 0; i < self->processes->len; i++)
		if (g_array_index(self->processes, int, i) == process)
			gtk_drop_down_set_selected(self->process_chooser, i);
}

static void list_processes(KsvWindow *self, struct source *reader)
{
	g_autoptr(GtkStringList) names = gtk_string_list_new(NULL);
	const struct process_info *list;
	unsigned n = recording_processes(source_recording(reader), &list);
	int main_process = source_main_process(reader);
	guint selected = 0;

	g_array_set_size(self->processes, 0);
	for (unsigned i = 0; i < n; i++) {
		g_autofree char *base = g_path_get_basename(list[i].exe);
		g_autofree char *name =
			g_strdup_printf("%d: %s (pid %d)", list[i].process, base, list[i].pid);

		if (list[i].process == main_process)
			selected = i;
		gtk_string_list_append(names, name);
		g_array_append_val(self->processes, list[i].process);
	}
	gtk_drop_down_set_model(self->process_chooser, G_LIST_MODEL(names));
	gtk_drop_down_set_selected(self->process_chooser, selected);
	gtk_widget_set_visible(GTK_WIDGET(self->process_chooser), n > 1);
}

void ksv_window_use_chosen_process(KsvWindow *self)
{
	guint at = gtk_drop_down_get_selected(self->process_chooser);
	int process;

	if (!self->opened || at >= self->processes->len)
		return;
	process = g_array_index(self->processes, int, at);
	if (process != self->request.process)
		use_process(self, process);
}

// What belongs to the recording's file as the loader has it open.
static void use_recording(KsvWindow *self, struct recording *r)
{
	if (self->details) {
		ksv_details_stop(self->details);
		g_signal_handlers_disconnect_by_data(self->details, self);
	}
	g_clear_object(&self->details);
	self->details = ksv_details_new(self->path);
	g_signal_connect(self->details, "changed", G_CALLBACK(ksv_window_details_changed), self);
	ksv_events_page_set_recording(self->events_page, r);
	self->unfinished = !recording_complete(r);
	self->known_events = recording_events(r);
	show_state(self);
	ksv_window_set_follow(self, self->follow);
}

// The process and event asked for when the window was made, else the busiest at its peak.
static void use_first_process(KsvWindow *self, struct source *reader)
{
	int process = self->start_process ? self->start_process : source_main_process(reader);
	uint64_t event = self->start_event;

	if (!source_process(reader, process)) {
		if (!self->unfinished)
			show_error(self,
				   _("No process can be read in this recording: it holds none, or "
				     "is damaged. kalloscope verify says more."));
		return;
	}
	use_process(self, process);
	ksv_window_show_process(self, process);
	if (self->start_view)
		ksv_window_show_view(self, self->start_view);
	if (event)
		ksv_window_seek(self, event);
	self->start_process = 0;
	self->start_event = 0;
	self->start_view = 0;
}

static void on_opened(KsvLoader *loader, KsvWindow *self)
{
	struct source *reader;

	if (loader != self->loader)
		return;
	reader = ksv_loader_get_reader(loader);
	list_processes(self, reader);
	self->bookmarks = bookmarks_load(source_recording(reader));
	self->opened = TRUE;
	use_recording(self, source_recording(reader));
	ksv_sql_page_set_path(self->sql_page, self->path);
	ksv_window_set_open_actions(self, TRUE);
	use_first_process(self, reader);
	if (source_processes(reader)) {
		state_add_recent(self->path);
		ksv_window_show_recent(self);
	}
}

static void set_loader(KsvWindow *self, KsvLoader *loader)
{
	if (self->loader)
		g_signal_handlers_disconnect_by_data(self->loader, self);
	g_clear_object(&self->loader);
	self->loader = loader;
	if (!loader)
		return;
	g_signal_connect(self->loader, "opened", G_CALLBACK(on_opened), self);
	g_signal_connect(self->loader, "failed", G_CALLBACK(on_failed), self);
	g_signal_connect(self->loader, "model", G_CALLBACK(on_model), self);
}

void ksv_window_replace_loader(KsvWindow *self, KsvLoader *loader)
{
	struct source *reader = ksv_loader_get_reader(loader);
	const struct process_info *p = source_process(reader, self->request.process);
	gboolean at_end = self->request.event >= self->last;

	set_loader(self, loader);
	use_recording(self, source_recording(reader));
	if ((guint)self->processes->len != source_processes(reader)) {
		self->opened = FALSE; // filling the chooser is no choice
		list_processes(self, reader);
		ksv_window_show_process(self, self->request.process);
		self->opened = TRUE;
	}
	if (!p || !self->model) {
		use_first_process(self, reader);
		return;
	}
	self->first = p->first_event;
	self->last = p->last_event;
	if (at_end)
		ksv_window_seek(self, self->last);
	ksv_window_request(self);
}

void ksv_window_close_recording(KsvWindow *self)
{
	ksv_window_pause(self);
	self->opened = FALSE;
	self->following = 0;
	g_clear_handle_id(&self->details_wait, g_source_remove);
	ksv_window_stop_following(self);
	if (self->details) {
		ksv_details_stop(self->details);
		g_signal_handlers_disconnect_by_data(self->details, self);
	}
	g_clear_object(&self->details);
	g_clear_pointer(&self->bookmarks, g_array_unref);
	ksv_window_forget_scans(self);
	ksv_window_forget_places(self);
	ksv_inspector_set_model(self->inspector, NULL);
	ksv_inspector_set_details(self->inspector, NULL);
	ksv_sql_page_set_path(self->sql_page, NULL);
	ksv_events_page_set_recording(self->events_page, NULL);
	set_loader(self, NULL);
	g_clear_pointer(&self->model, model_unref);
	self->unfinished = FALSE;
	show_state(self);
	gtk_widget_set_visible(GTK_WIDGET(self->process_chooser), FALSE);
	gtk_widget_set_visible(GTK_WIDGET(self->bottom), FALSE);
}

void ksv_window_open(KsvWindow *self, const char *path)
{
	g_autofree char *name = g_path_get_basename(path);

	ksv_window_close_recording(self);
	if (path != self->path) {
		g_free(self->path);
		self->path = g_strdup(path);
	}
	adw_window_title_set_title(self->title, name);
	adw_window_title_set_subtitle(self->title, "");
	gtk_window_set_title(GTK_WINDOW(self), name);
	gtk_stack_set_visible_child_name(self->pages, "loading");
	set_loader(self, ksv_loader_new(self->path));
}
