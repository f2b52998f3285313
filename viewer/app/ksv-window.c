// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "ksv-window-private.h"

#include "i18n.h"
#include "ksv-state.h"

enum {
	BUCKETS = 1024,
	REST_MS = 120, // without a change before backtraces and history are searched
};

G_DEFINE_FINAL_TYPE(KsvWindow, ksv_window, ADW_TYPE_APPLICATION_WINDOW)

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
	self->request.buckets = BUCKETS;
	if (self->opened)
		ksv_loader_request(self->loader, &self->request);
}

void ksv_window_toast(KsvWindow *self, const char *sentence)
{
	adw_toast_overlay_add_toast(self->toasts, adw_toast_new(sentence));
}

void ksv_window_seek(KsvWindow *self, uint64_t event)
{
	if (!self->opened)
		return;
	event = CLAMP(event, self->first ? self->first - 1 : 0, self->last);
	ksv_selection_set_event(self->selection, event);
}

// ---- backtraces and history of what is selected ----

static void on_details(KsvDetails *details, KsvWindow *self)
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
	if (s->touch.first <= s->touch.last || s->touch.has_pfn)
		ksv_inspector_show(self->inspector, "history");
}

static void on_selection(KsvSelection *selection, guint parts, KsvWindow *self)
{
	const struct selection *s = ksv_selection_get(selection);

	if (!self->opened)
		return;
	if (parts & SELECTION_EVENT && s->event != self->request.event) {
		self->request.event = s->event;
		ksv_scrubber_set_position(self->scrubber, s->event);
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
	if (parts & (SELECTION_EVENT | SELECTION_THING))
		ksv_window_ask_details(self);
}

void ksv_window_filter_events(KsvWindow *self, const char *filter)
{
	ksv_window_leave_place(self);
	ksv_window_show_view(self, ksv_window_view_index("events"));
	ksv_events_page_set_filter(self->events_page, filter);
}

static void on_stack_events(GtkWidget *widget, guint stack, KsvWindow *self)
{
	g_autofree char *filter = g_strdup_printf("stack:%u", stack);

	(void)widget;
	ksv_window_filter_events(self, filter);
}

static void on_message(GtkWidget *widget, const char *text, KsvWindow *self)
{
	(void)widget;
	ksv_window_toast(self, text);
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
	ksv_sites_page_set_model(self->sites_page, v);
	ksv_steps_page_set_model(self->steps_page, v);
	ksv_scrubber_set_model(self->scrubber, v);
	if (!ksv_loader_is_busy(loader))
		ksv_scrubber_set_position(self->scrubber, v->event);
	show_position(self);
	gtk_stack_set_visible_child_name(self->pages, "recording");
	gtk_widget_set_visible(GTK_WIDGET(self->bottom), TRUE);
}

static void set_open_actions(KsvWindow *self, gboolean enabled)
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
	set_open_actions(self, FALSE);
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

static void on_process_chosen(KsvWindow *self)
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
	g_signal_connect(self->details, "changed", G_CALLBACK(on_details), self);
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
				   _("The recording holds no process: nothing was recorded."));
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
	set_open_actions(self, TRUE);
	state_add_recent(self->path);
	ksv_window_show_recent(self);
	use_first_process(self, reader);
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

static void close_recording(KsvWindow *self)
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

	close_recording(self);
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

static void on_file_chosen(GtkNativeDialog *dialog, int response, KsvWindow *self)
{
	g_autoptr(GFile) file = NULL;
	g_autofree char *path = NULL;

	if (response == GTK_RESPONSE_ACCEPT)
		file = gtk_file_chooser_get_file(GTK_FILE_CHOOSER(dialog));
	path = file ? g_file_get_path(file) : NULL;
	if (path)
		ksv_window_open(self, path);
	g_clear_object(&self->chooser);
}

static void open_action(GtkWidget *widget, const char *name, GVariant *parameter)
{
	KsvWindow *self = KSV_WINDOW(widget);

	(void)name;
	(void)parameter;
	g_clear_object(&self->chooser);
	self->chooser =
		gtk_file_chooser_native_new(_("Open a Recording"), GTK_WINDOW(self),
					    GTK_FILE_CHOOSER_ACTION_OPEN, _("_Open"), _("_Cancel"));
	g_signal_connect(self->chooser, "response", G_CALLBACK(on_file_chosen), self);
	gtk_native_dialog_show(GTK_NATIVE_DIALOG(self->chooser));
}

// In a low window the sidebar scrolls: the chosen view's name stays in sight.
static void show_row(KsvWindow *self, GtkListBoxRow *row)
{
	GtkAdjustment *a = gtk_list_box_get_adjustment(self->sidebar);
	double y;

	if (a && gtk_widget_translate_coordinates(GTK_WIDGET(row), GTK_WIDGET(self->sidebar), 0, 0,
						  NULL, &y))
		gtk_adjustment_clamp_page(a, y, y + gtk_widget_get_height(GTK_WIDGET(row)));
}

static void on_row_selected(GtkListBox *list, GtkListBoxRow *row, KsvWindow *self)
{
	int at = row ? gtk_list_box_row_get_index(row) : -1;

	(void)list;
	if (!row)
		return;
	show_row(self, row);
	gtk_stack_set_visible_child_name(self->views, at < VIEWS ? views[at].id : "sql");
	if (self->model && !self->model->boot && at < VIEWS && !strcmp(views[at].id, "boot"))
		ksv_window_request(self);
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
	if (kind == HIT_EVENT) {
		ksv_window_jump(self, id);
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

static void on_picked(KsvCanvas *canvas, int kind, guint64 id, KsvWindow *self)
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

static void on_site(KsvSitesPage *page, const char *function, KsvWindow *self)
{
	(void)page;
	ksv_selection_set_site(self->selection, function);
}

static void on_site_events(KsvSitesPage *page, const char *function, KsvWindow *self)
{
	g_autofree char *filter = g_strdup_printf("func:%s", function);

	(void)page;
	ksv_window_filter_events(self, filter);
}

static void on_seek(gpointer source, guint64 event, KsvWindow *self)
{
	ksv_window_pause(self);
	if (KSV_IS_SCRUBBER(source)) {
		ksv_window_seek(self, event);
		return;
	}
	self->request.address = 0; // the event's own
	ksv_window_jump(self, event);
}

static void on_brush(KsvScrubber *scrubber, guint64 from, guint64 to, KsvWindow *self)
{
	(void)scrubber;
	ksv_selection_set_range(self->selection, from, to);
}

static void on_range(KsvScrubber *scrubber, guint64 from, guint64 to, KsvWindow *self)
{
	(void)scrubber;
	self->request.from = from;
	self->request.to = to;
	ksv_window_request(self);
}

static void on_style(KsvWindow *self)
{
	AdwStyleManager *style = adw_style_manager_get_default();
	gboolean dark = adw_style_manager_get_dark(style);
	const struct palette *pal = adw_style_manager_get_high_contrast(style)
					    ? palette_get_contrast(dark)
					    : palette_get(dark);

	for (unsigned i = 0; i < VIEWS; i++)
		if (self->canvas[i])
			ksv_canvas_set_palette(self->canvas[i], pal);
	ksv_scrubber_set_palette(self->scrubber, pal);
}

static void add_view(KsvWindow *self, unsigned i)
{
	GtkWidget *label = gtk_label_new(gettext(views[i].title)), *page;

	gtk_label_set_xalign(GTK_LABEL(label), 0);
	gtk_list_box_append(self->sidebar, label);
	if (!strcmp(views[i].id, "events")) {
		page = ksv_events_page_new();
		self->events_page = KSV_EVENTS_PAGE(page);
		g_signal_connect(page, "seek", G_CALLBACK(on_seek), self);
		g_signal_connect(page, "message", G_CALLBACK(on_message), self);
		// backtraces are only read while they are looked at
		g_signal_connect_swapped(page, "map", G_CALLBACK(ksv_window_ask_details), self);
	} else if (!strcmp(views[i].id, "sites")) {
		page = ksv_sites_page_new();
		self->sites_page = KSV_SITES_PAGE(page);
		g_signal_connect(page, "site", G_CALLBACK(on_site), self);
		g_signal_connect(page, "events", G_CALLBACK(on_site_events), self);
		g_signal_connect_swapped(page, "map", G_CALLBACK(ksv_window_request), self);
	} else {
		page = ksv_canvas_new(&views[i]);
		self->canvas[i] = KSV_CANVAS(page);
		g_signal_connect(page, "picked", G_CALLBACK(on_picked), self);
	}
	if (!strcmp(views[i].id, "flame")) {
		page = self->flame_page = ksv_flame_page_new(self->canvas[i]);
		g_signal_connect_swapped(page, "map", G_CALLBACK(ksv_window_request), self);
	}
	if (!strcmp(views[i].id, "steps")) {
		page = ksv_steps_page_new(self->canvas[i]);
		self->steps_page = KSV_STEPS_PAGE(page);
		g_signal_connect_swapped(page, "map", G_CALLBACK(ksv_window_request), self);
	}
	gtk_stack_add_named(self->views, page, views[i].id);
}

// A row of an answer leads where its column says: to an event, a page, an address.
static void on_sql_link(KsvSqlPage *page, const char *kind, guint64 value, KsvWindow *self)
{
	(void)page;
	if (!strcmp(kind, "event"))
		ksv_window_jump(self, value);
	else if (self->model)
		ksv_window_show_place(self, kind, value);
}

static void add_sql(KsvWindow *self)
{
	GtkWidget *label = gtk_label_new("SQL"), *page = ksv_sql_page_new();

	gtk_label_set_xalign(GTK_LABEL(label), 0);
	gtk_list_box_append(self->sidebar, label);
	self->sql_page = KSV_SQL_PAGE(page);
	g_signal_connect(page, "link", G_CALLBACK(on_sql_link), self);
	gtk_stack_add_named(self->views, page, "sql");
}

// The SQL page behind the views is about the recording, too.
static bool of_recording(GtkListBoxRow *row)
{
	int at = gtk_list_box_row_get_index(row);

	return at >= VIEWS || views[at].recording;
}

static void group_header(GtkListBoxRow *row, GtkListBoxRow *before, gpointer data)
{
	GtkWidget *label;

	(void)data;
	if (before && of_recording(before) == of_recording(row)) {
		gtk_list_box_row_set_header(row, NULL);
		return;
	}
	label = gtk_label_new(of_recording(row) ? _("Recording") : _("Memory"));
	gtk_label_set_xalign(GTK_LABEL(label), 0);
	gtk_widget_add_css_class(label, "heading");
	gtk_widget_add_css_class(label, "dim-label");
	gtk_widget_set_margin_start(label, 12);
	gtk_widget_set_margin_top(label, 10);
	gtk_widget_set_margin_bottom(label, 4);
	gtk_list_box_row_set_header(row, label);
}

static void add_inspector(KsvWindow *self)
{
	self->inspector = KSV_INSPECTOR(ksv_inspector_new());
	adw_flap_set_flap(self->side, GTK_WIDGET(self->inspector));
	g_signal_connect(self->inspector, "seek", G_CALLBACK(on_seek), self);
	g_signal_connect(self->inspector, "events", G_CALLBACK(on_stack_events), self);
	g_signal_connect(self->inspector, "message", G_CALLBACK(on_message), self);
	g_signal_connect_swapped(self->inspector, "page-changed",
				 G_CALLBACK(ksv_window_ask_details), self);
	g_signal_connect_swapped(self->side, "notify::reveal-flap",
				 G_CALLBACK(ksv_window_ask_details), self);
}

static void ksv_window_dispose(GObject *object)
{
	KsvWindow *self = KSV_WINDOW(object);

	if (self->processes)
		close_recording(self);
	g_clear_pointer(&self->processes, g_array_unref);
	ksv_window_stop_following(self);
	g_clear_object(&self->selection);
	places_finish(&self->places);
	g_clear_object(&self->chooser);
	g_clear_pointer(&self->path, g_free);
	g_signal_handlers_disconnect_by_data(adw_style_manager_get_default(), self);
	G_OBJECT_CLASS(ksv_window_parent_class)->dispose(object);
}

static gboolean on_close(KsvWindow *self)
{
	ksv_window_save_state(self);
	return FALSE;
}

static void bind_children(GtkWidgetClass *class)
{
	gtk_widget_class_set_template_from_resource(class, "/org/kalloscope/Viewer/ksv-window.ui");
	gtk_widget_class_bind_template_child(class, KsvWindow, title);
	gtk_widget_class_bind_template_child(class, KsvWindow, error_page);
	gtk_widget_class_bind_template_child(class, KsvWindow, flap);
	gtk_widget_class_bind_template_child(class, KsvWindow, side);
	gtk_widget_class_bind_template_child(class, KsvWindow, toasts);
	gtk_widget_class_bind_template_child(class, KsvWindow, pages);
	gtk_widget_class_bind_template_child(class, KsvWindow, views);
	gtk_widget_class_bind_template_child(class, KsvWindow, sidebar);
	gtk_widget_class_bind_template_child(class, KsvWindow, sidebar_scroll);
	gtk_widget_class_bind_template_child(class, KsvWindow, bottom);
	gtk_widget_class_bind_template_child(class, KsvWindow, play_button);
	gtk_widget_class_bind_template_child(class, KsvWindow, goto_button);
	gtk_widget_class_bind_template_child(class, KsvWindow, sidebar_button);
	gtk_widget_class_bind_template_child(class, KsvWindow, bookmark_button);
	gtk_widget_class_bind_template_child(class, KsvWindow, follow_button);
	gtk_widget_class_bind_template_child(class, KsvWindow, recent);
	gtk_widget_class_bind_template_child(class, KsvWindow, process_chooser);
	gtk_widget_class_bind_template_child(class, KsvWindow, rate_chooser);
	gtk_widget_class_bind_template_child(class, KsvWindow, goto_bar);
	gtk_widget_class_bind_template_child(class, KsvWindow, goto_entry);
	gtk_widget_class_bind_template_child(class, KsvWindow, position_label);
	gtk_widget_class_bind_template_child(class, KsvWindow, info_label);
	gtk_widget_class_bind_template_child(class, KsvWindow, info_bar);
}

static void ksv_window_class_init(KsvWindowClass *class)
{
	GtkWidgetClass *widget_class = GTK_WIDGET_CLASS(class);

	G_OBJECT_CLASS(class)->dispose = ksv_window_dispose;
	bind_children(widget_class);
	gtk_widget_class_install_action(widget_class, "win.open", NULL, open_action);
	ksv_window_install_actions(widget_class);
	ksv_window_install_places(widget_class);
	ksv_window_install_start(widget_class);
	ksv_window_install_export(widget_class);
}

static void ksv_window_init(KsvWindow *self)
{
	gtk_widget_init_template(GTK_WIDGET(self));
	self->processes = g_array_new(FALSE, FALSE, sizeof(int));
	places_init(&self->places);
	self->letters = TRUE;
	self->selection = ksv_selection_new();
	g_signal_connect(self->selection, "changed", G_CALLBACK(on_selection), self);
	for (unsigned i = 0; i < VIEWS; i++)
		add_view(self, i);
	add_sql(self);
	gtk_list_box_set_adjustment(self->sidebar,
				    gtk_scrolled_window_get_vadjustment(self->sidebar_scroll));
	gtk_list_box_set_header_func(self->sidebar, group_header, NULL, NULL);
	gtk_list_box_select_row(self->sidebar, gtk_list_box_get_row_at_index(self->sidebar, 0));
	g_signal_connect(self->sidebar, "row-selected", G_CALLBACK(on_row_selected), self);
	add_inspector(self);
	self->scrubber = KSV_SCRUBBER(ksv_scrubber_new());
	gtk_box_append(self->bottom, GTK_WIDGET(self->scrubber));
	g_signal_connect(self->scrubber, "seek", G_CALLBACK(on_seek), self);
	g_signal_connect(self->scrubber, "range", G_CALLBACK(on_range), self);
	g_signal_connect(self->scrubber, "brush", G_CALLBACK(on_brush), self);
	g_signal_connect(self->goto_entry, "activate", G_CALLBACK(ksv_window_go_to_typed), self);
	g_signal_connect_swapped(self->process_chooser, "notify::selected",
				 G_CALLBACK(on_process_chosen), self);
	g_signal_connect_swapped(self->rate_chooser, "notify::selected",
				 G_CALLBACK(ksv_window_set_play_start), self);
	g_signal_connect_swapped(self->info_bar, "response", G_CALLBACK(gtk_info_bar_set_revealed),
				 self->info_bar);
	g_signal_connect_swapped(adw_style_manager_get_default(), "notify::dark",
				 G_CALLBACK(on_style), self);
	g_signal_connect_swapped(adw_style_manager_get_default(), "notify::high-contrast",
				 G_CALLBACK(on_style), self);
	gtk_drop_down_set_selected(self->rate_chooser, RATE_DEFAULT);
	gtk_search_bar_connect_entry(self->goto_bar, GTK_EDITABLE(self->goto_entry));
	ksv_window_add_keys(self);
	ksv_window_init_start(self);
	g_signal_connect(self, "close-request", G_CALLBACK(on_close), NULL);
	on_style(self);
	set_open_actions(self, FALSE);
}

KsvWindow *ksv_window_new(AdwApplication *app)
{
	return g_object_new(KSV_TYPE_WINDOW, "application", app, NULL);
}
