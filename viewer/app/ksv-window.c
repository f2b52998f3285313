// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "ksv-window.h"

#include "ksv-canvas.h"
#include "ksv-events-page.h"
#include "ksv-loader.h"
#include "ksv-scrubber.h"

enum {
	BUCKETS = 1024,
	RATE_DEFAULT = 3,
	RATE_REAL_TIME = 6
};

struct _KsvWindow {
	AdwApplicationWindow parent_instance;
	AdwWindowTitle *title;
	AdwStatusPage *error_page;
	AdwFlap *flap;
	AdwToastOverlay *toasts;
	GtkStack *pages, *views;
	GtkListBox *sidebar;
	GtkBox *bottom;
	GtkButton *play_button, *goto_button, *sidebar_button;
	GtkDropDown *process_chooser, *rate_chooser;
	GtkSearchBar *goto_bar;
	GtkEntry *goto_entry;
	GtkLabel *position_label, *info_label;
	GtkInfoBar *info_bar;
	GtkFileChooserNative *chooser;
	KsvScrubber *scrubber;
	KsvEventsPage *events_page;
	KsvCanvas *canvas[VIEWS]; // by index in views[]; NULL for the events page

	KsvLoader *loader; // NULL: no recording
	gboolean opened, unfinished;
	const char *info_shown; // text of the info bar, NULL none
	char *path;
	struct view_model *model;
	struct model_request request; // what is wanted; the model follows
	GArray *processes;	      // int, in the order of the chooser
	uint64_t first, last;	      // events of the process
	guint tick;		      // playback; 0: paused
	gint64 tick_us;
	double play_at; // events, or ns in real time
};

G_DEFINE_FINAL_TYPE(KsvWindow, ksv_window, ADW_TYPE_APPLICATION_WINDOW)

static void request_model(KsvWindow *self)
{
	self->request.want = WANT_TIMELINE | WANT_SUMMARY;
	if (gtk_widget_get_mapped(GTK_WIDGET(self->events_page)))
		self->request.want |= WANT_STACKS;
	self->request.buckets = BUCKETS;
	if (self->opened)
		ksv_loader_request(self->loader, &self->request);
}

static void seek(KsvWindow *self, uint64_t event)
{
	if (!self->opened)
		return;
	event = CLAMP(event, self->first ? self->first - 1 : 0, self->last);
	if (event == self->request.event)
		return;
	self->request.event = event;
	ksv_scrubber_set_position(self->scrubber, event);
	request_model(self);
}

static void step(KsvWindow *self, gint64 by)
{
	uint64_t at = self->request.event;

	seek(self, by < 0 && (uint64_t)-by > at ? 0 : at + (uint64_t)by);
}

// What is wrong with the recording as a whole, or with it at this position.
static void show_state(KsvWindow *self)
{
	const char *text = NULL;

	if (self->model && self->model->damaged)
		text = "The recording is damaged here: this is the last good state before it.";
	else if (self->unfinished)
		text = "This recording is not finished: it is still being written, or was cut off. "
		       "What it holds so far is shown.";
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

	subtitle = g_strdup_printf("event %s of %s · %s", fmt_count(v->event).s,
				   fmt_count(v->last_event).s, fmt_time(v->t_ns).s);
	adw_window_title_set_subtitle(self->title, subtitle);
	text = g_strdup_printf("%sevent %s of %s · %s of %s",
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
	ksv_events_page_set_model(self->events_page, v);
	ksv_scrubber_set_model(self->scrubber, v);
	if (!ksv_loader_is_busy(loader))
		ksv_scrubber_set_position(self->scrubber, v->event);
	show_position(self);
	gtk_stack_set_visible_child_name(self->pages, "recording");
	gtk_widget_set_visible(GTK_WIDGET(self->bottom), TRUE);
}

static void set_open_actions(KsvWindow *self, gboolean enabled)
{
	static const char *const names[] = {"win.play",	    "win.first", "win.last",	"win.next",
					    "win.previous", "win.go-to", "win.sidebar", "win.view"};

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
		adw_toast_overlay_add_toast(self->toasts, adw_toast_new(sentence));
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
	ksv_scrubber_reset_range(self->scrubber);
	ksv_scrubber_set_position(self->scrubber, self->request.event);
	request_model(self);
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

static void on_opened(KsvLoader *loader, KsvWindow *self)
{
	struct source *reader;

	if (loader != self->loader)
		return;
	reader = ksv_loader_get_reader(loader);
	list_processes(self, reader);
	ksv_events_page_set_recording(self->events_page, source_recording(reader));
	self->opened = TRUE;
	set_open_actions(self, TRUE);
	self->unfinished = !recording_complete(source_recording(reader));
	show_state(self);
	use_process(self, source_main_process(reader));
}

static void pause_playback(KsvWindow *self)
{
	if (self->tick)
		gtk_widget_remove_tick_callback(GTK_WIDGET(self), self->tick);
	self->tick = 0;
	gtk_button_set_icon_name(self->play_button, "media-playback-start-symbolic");
	gtk_widget_set_tooltip_text(GTK_WIDGET(self->play_button), "Play (Space)");
	gtk_accessible_update_property(GTK_ACCESSIBLE(self->play_button),
				       GTK_ACCESSIBLE_PROPERTY_LABEL, "Play", -1);
}

static void close_recording(KsvWindow *self)
{
	pause_playback(self);
	self->opened = FALSE;
	ksv_events_page_set_recording(self->events_page, NULL);
	if (self->loader)
		g_signal_handlers_disconnect_by_data(self->loader, self);
	g_clear_object(&self->loader);
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
	self->loader = ksv_loader_new(self->path);
	g_signal_connect(self->loader, "opened", G_CALLBACK(on_opened), self);
	g_signal_connect(self->loader, "failed", G_CALLBACK(on_failed), self);
	g_signal_connect(self->loader, "model", G_CALLBACK(on_model), self);
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
		gtk_file_chooser_native_new("Open a Recording", GTK_WINDOW(self),
					    GTK_FILE_CHOOSER_ACTION_OPEN, "_Open", "_Cancel");
	g_signal_connect(self->chooser, "response", G_CALLBACK(on_file_chosen), self);
	gtk_native_dialog_show(GTK_NATIVE_DIALOG(self->chooser));
}

// Playback: at most one state a frame, and none while the worker is still at the last one.
static gboolean on_tick(GtkWidget *widget, GdkFrameClock *clock, gpointer data)
{
	static const double rate[] = {1, 10, 100, 1000, 10000, 100000};
	KsvWindow *self = KSV_WINDOW(widget);
	gint64 now = gdk_frame_clock_get_frame_time(clock);
	double seconds = self->tick_us ? (double)(now - self->tick_us) / 1e6 : 0;
	guint choice = gtk_drop_down_get_selected(self->rate_chooser);
	uint64_t event;

	(void)data;
	self->tick_us = now;
	if (choice == RATE_REAL_TIME) {
		self->play_at += seconds * 1e9;
		if (ksv_loader_is_busy(self->loader))
			return G_SOURCE_CONTINUE;
		event = recording_event_at(source_recording(ksv_loader_get_reader(self->loader)),
					   (int64_t)self->play_at);
		event = MAX(event, self->request.event);
	} else {
		self->play_at += seconds * rate[MIN(choice, G_N_ELEMENTS(rate) - 1)];
		event = (uint64_t)self->play_at;
	}
	if (!ksv_loader_is_busy(self->loader))
		seek(self, event);
	if (self->request.event < self->last)
		return G_SOURCE_CONTINUE;
	self->tick = 0;
	pause_playback(self);
	return G_SOURCE_REMOVE;
}

static void set_play_start(KsvWindow *self)
{
	if (gtk_drop_down_get_selected(self->rate_chooser) == RATE_REAL_TIME)
		self->play_at = self->model ? (double)self->model->t_ns : 0;
	else
		self->play_at = (double)self->request.event;
}

static void play_action(GtkWidget *widget, const char *name, GVariant *parameter)
{
	KsvWindow *self = KSV_WINDOW(widget);

	(void)name;
	(void)parameter;
	if (self->tick) {
		pause_playback(self);
		return;
	}
	if (!self->opened)
		return;
	if (self->request.event >= self->last)
		seek(self, self->first);
	set_play_start(self);
	self->tick_us = 0;
	self->tick = gtk_widget_add_tick_callback(widget, on_tick, NULL, NULL);
	gtk_button_set_icon_name(self->play_button, "media-playback-pause-symbolic");
	gtk_widget_set_tooltip_text(GTK_WIDGET(self->play_button), "Pause (Space)");
	gtk_accessible_update_property(GTK_ACCESSIBLE(self->play_button),
				       GTK_ACCESSIBLE_PROPERTY_LABEL, "Pause", -1);
}

static void move_action(GtkWidget *widget, const char *name, GVariant *parameter)
{
	KsvWindow *self = KSV_WINDOW(widget);

	(void)parameter;
	pause_playback(self);
	if (!strcmp(name, "win.first"))
		seek(self, self->first);
	else if (!strcmp(name, "win.last"))
		seek(self, self->last);
	else
		step(self, !strcmp(name, "win.next") ? 1 : -1);
}

static void show_view(KsvWindow *self, unsigned index)
{
	GtkListBoxRow *row = gtk_list_box_get_row_at_index(self->sidebar, (int)index);
	GtkWidget *child;

	if (!row)
		return;
	gtk_list_box_select_row(self->sidebar, row);
	gtk_stack_set_visible_child_name(self->views, views[index].id);
	child = gtk_stack_get_visible_child(self->views);
	gtk_widget_child_focus(child, GTK_DIR_TAB_FORWARD);
}

static void view_action(GtkWidget *widget, const char *name, GVariant *parameter)
{
	int at = g_variant_get_int32(parameter);

	(void)name;
	if (at >= 0 && at < VIEWS)
		show_view(KSV_WINDOW(widget), (unsigned)at);
}

static unsigned view_index(const char *id)
{
	unsigned i = 0;

	while (views[i].id && strcmp(views[i].id, id))
		i++;
	return i;
}

static void on_row_selected(GtkListBox *list, GtkListBoxRow *row, KsvWindow *self)
{
	(void)list;
	if (row)
		gtk_stack_set_visible_child_name(self->views,
						 views[gtk_list_box_row_get_index(row)].id);
}

static void sidebar_action(GtkWidget *widget, const char *name, GVariant *parameter)
{
	KsvWindow *self = KSV_WINDOW(widget);

	(void)name;
	(void)parameter;
	adw_flap_set_reveal_flap(self->flap, !adw_flap_get_reveal_flap(self->flap));
}

static void show_page(KsvWindow *self, uint64_t pfn)
{
	unsigned map = view_index("map");

	show_view(self, map);
	ksv_canvas_select(self->canvas[map], HIT_PAGE, pfn);
}

// Every address has a walk, even one that ends at a page fault; a frame is marked on the map too.
static void show_address(KsvWindow *self, kaddr_t address)
{
	self->request.address = address;
	request_model(self);
	if (address >= self->model->page_offset && address < self->model->high_memory)
		ksv_canvas_select(self->canvas[view_index("map")], HIT_PAGE,
				  (address - self->model->page_offset) >> PAGE_SHIFT);
	show_view(self, view_index("address"));
}

static gboolean go_to(KsvWindow *self, const struct position *p)
{
	uint64_t event;

	switch (p->kind) {
	case POSITION_PFN:
		if (p->value >= self->model->max_pfn)
			return FALSE;
		show_page(self, p->value);
		return TRUE;
	case POSITION_ADDRESS:
		if (p->value > UINT32_MAX)
			return FALSE;
		show_address(self, (kaddr_t)p->value);
		return TRUE;
	default:
		if (!source_resolve(ksv_loader_get_reader(self->loader), self->request.process, p,
				    &event))
			return FALSE;
		pause_playback(self);
		seek(self, event);
		return TRUE;
	}
}

static void on_goto_activate(GtkEntry *entry, KsvWindow *self)
{
	const char *text = gtk_editable_get_text(GTK_EDITABLE(entry));
	struct position p;
	const char *sentence = NULL;

	if (!self->model)
		return;
	if (!position_parse(text, &p))
		sentence =
			"Not understood: give an event (#123), a time (3.2s), pfn:1a2b or 0xc0101000";
	else if (!go_to(self, &p))
		sentence = "Nothing is there at this event";
	if (sentence)
		adw_toast_overlay_add_toast(self->toasts, adw_toast_new(sentence));
	else
		gtk_search_bar_set_search_mode(self->goto_bar, FALSE);
}

static void goto_action(GtkWidget *widget, const char *name, GVariant *parameter)
{
	KsvWindow *self = KSV_WINDOW(widget);

	(void)name;
	(void)parameter;
	gtk_search_bar_set_search_mode(self->goto_bar, TRUE);
	gtk_editable_set_text(GTK_EDITABLE(self->goto_entry), "");
	gtk_widget_grab_focus(GTK_WIDGET(self->goto_entry));
}

static void reload_action(GtkWidget *widget, const char *name, GVariant *parameter)
{
	KsvWindow *self = KSV_WINDOW(widget);

	(void)name;
	(void)parameter;
	if (self->path)
		ksv_window_open(self, self->path);
}

static void about_action(GtkWidget *widget, const char *name, GVariant *parameter)
{
	(void)name;
	(void)parameter;
	adw_show_about_window(
		GTK_WINDOW(widget), "application-name", "kalloscope", "application-icon",
		"org.kalloscope.Viewer", "version", KALLOSCOPE_VERSION, "developer-name",
		"The kalloscope authors", "license-type", GTK_LICENSE_MIT_X11, "comments",
		"A real program's memory in the allocators of a 32-bit Linux kernel, event by event.",
		NULL);
}

static void fullscreen_action(GtkWidget *widget, const char *name, GVariant *parameter)
{
	GtkWindow *window = GTK_WINDOW(widget);

	(void)name;
	(void)parameter;
	if (gtk_window_is_fullscreen(window))
		gtk_window_unfullscreen(window);
	else
		gtk_window_fullscreen(window);
}

// The linear address of what was picked, 0 when it has none.
static kaddr_t address_of(const struct view_model *v, int kind, guint64 id)
{
	const struct model_cache *c = v->selected < v->ncaches ? &v->cache[v->selected] : NULL;

	switch (kind) {
	case HIT_PAGE:
		return model_page_address(v, (pfn_t)id);
	case HIT_OBJECT:
		if (!c || id >> 16 >= v->nslabs)
			return 0;
		return v->slab[id >> 16].s_mem + (kaddr_t)(id & 0xffff) * c->object_bytes;
	case HIT_AREA:
		return id < v->nareas ? v->area[id].start : 0;
	case HIT_KMAP:
		return v->kmap.pkmap_base + (kaddr_t)id * PAGE_SIZE;
	case HIT_PGD:
		return (kaddr_t)id << 22;
	default:
		return 0;
	}
}

static void on_picked(KsvCanvas *canvas, int kind, guint64 id, KsvWindow *self)
{
	(void)canvas;
	if (kind == HIT_CACHE && self->request.cache != id) {
		self->request.cache = (unsigned)id;
		request_model(self);
	} else if (kind == HIT_EVENT) {
		seek(self, id);
	} else if (self->model && address_of(self->model, kind, id)) {
		// the paging view shows whatever was pointed at last
		self->request.address = address_of(self->model, kind, id);
		request_model(self);
	}
}

static void on_seek(gpointer source, guint64 event, KsvWindow *self)
{
	if (KSV_IS_EVENTS_PAGE(source))
		self->request.address = 0; // the event's own
	pause_playback(self);
	seek(self, event);
}

static void on_range(KsvScrubber *scrubber, guint64 from, guint64 to, KsvWindow *self)
{
	(void)scrubber;
	self->request.from = from;
	self->request.to = to;
	request_model(self);
}

// Single keys move the position, except where they mean something else: in text, menus, popovers.
static gboolean on_key(GtkEventControllerKey *controller, guint key, guint code,
		       GdkModifierType state, KsvWindow *self)
{
	GtkWidget *focus = gtk_window_get_focus(GTK_WINDOW(self));
	gint64 by = state & GDK_SHIFT_MASK ? 100 : 1;

	(void)controller;
	(void)code;
	if (!self->opened || state & (GDK_CONTROL_MASK | GDK_ALT_MASK))
		return FALSE;
	if (focus && (GTK_IS_TEXT(focus) || gtk_widget_get_ancestor(focus, GTK_TYPE_POPOVER)))
		return FALSE;
	switch (key) {
	case GDK_KEY_Left:
	case GDK_KEY_comma:
	case GDK_KEY_less:
		pause_playback(self);
		step(self, -by);
		return TRUE;
	case GDK_KEY_Right:
	case GDK_KEY_period:
	case GDK_KEY_greater:
		pause_playback(self);
		step(self, by);
		return TRUE;
	case GDK_KEY_Home:
		pause_playback(self);
		seek(self, self->first);
		return TRUE;
	case GDK_KEY_End:
		pause_playback(self);
		seek(self, self->last);
		return TRUE;
	default:
		return FALSE;
	}
}

// In the bubble phase: a focused button or row has the space bar first.
static gboolean on_space(GtkEventControllerKey *controller, guint key, guint code,
			 GdkModifierType state, KsvWindow *self)
{
	(void)controller;
	(void)code;
	if (key != GDK_KEY_space || state & (GDK_CONTROL_MASK | GDK_ALT_MASK))
		return FALSE;
	return gtk_widget_activate_action(GTK_WIDGET(self), "win.play", NULL);
}

static void on_style(KsvWindow *self)
{
	gboolean dark = adw_style_manager_get_dark(adw_style_manager_get_default());

	for (unsigned i = 0; i < VIEWS; i++)
		if (self->canvas[i])
			ksv_canvas_set_dark(self->canvas[i], dark);
	ksv_scrubber_set_dark(self->scrubber, dark);
}

static void add_view(KsvWindow *self, unsigned i)
{
	GtkWidget *label = gtk_label_new(views[i].title), *page;

	gtk_label_set_xalign(GTK_LABEL(label), 0);
	gtk_list_box_append(self->sidebar, label);
	if (!strcmp(views[i].id, "events")) {
		page = ksv_events_page_new();
		self->events_page = KSV_EVENTS_PAGE(page);
		g_signal_connect(page, "seek", G_CALLBACK(on_seek), self);
		// stacks are only read while they are looked at
		g_signal_connect_swapped(page, "map", G_CALLBACK(request_model), self);
	} else {
		page = ksv_canvas_new(&views[i]);
		self->canvas[i] = KSV_CANVAS(page);
		g_signal_connect(page, "picked", G_CALLBACK(on_picked), self);
	}
	gtk_stack_add_named(self->views, page, views[i].id);
}

static void group_header(GtkListBoxRow *row, GtkListBoxRow *before, gpointer data)
{
	const struct view *v = &views[gtk_list_box_row_get_index(row)];
	GtkWidget *label;

	(void)data;
	if (before && views[gtk_list_box_row_get_index(before)].recording == v->recording) {
		gtk_list_box_row_set_header(row, NULL);
		return;
	}
	label = gtk_label_new(v->recording ? "Recording" : "Memory");
	gtk_label_set_xalign(GTK_LABEL(label), 0);
	gtk_widget_add_css_class(label, "heading");
	gtk_widget_add_css_class(label, "dim-label");
	gtk_widget_set_margin_start(label, 12);
	gtk_widget_set_margin_top(label, 10);
	gtk_widget_set_margin_bottom(label, 4);
	gtk_list_box_row_set_header(row, label);
}

static void add_key_controller(KsvWindow *self, GtkPropagationPhase phase, GCallback callback)
{
	GtkEventController *key = gtk_event_controller_key_new();

	gtk_event_controller_set_propagation_phase(key, phase);
	g_signal_connect(key, "key-pressed", callback, self);
	gtk_widget_add_controller(GTK_WIDGET(self), key);
}

static void ksv_window_dispose(GObject *object)
{
	KsvWindow *self = KSV_WINDOW(object);

	if (self->processes)
		close_recording(self);
	g_clear_pointer(&self->processes, g_array_unref);
	g_clear_object(&self->chooser);
	g_clear_pointer(&self->path, g_free);
	g_signal_handlers_disconnect_by_data(adw_style_manager_get_default(), self);
	G_OBJECT_CLASS(ksv_window_parent_class)->dispose(object);
}

static void bind_children(GtkWidgetClass *class)
{
	gtk_widget_class_set_template_from_resource(class, "/org/kalloscope/Viewer/ksv-window.ui");
	gtk_widget_class_bind_template_child(class, KsvWindow, title);
	gtk_widget_class_bind_template_child(class, KsvWindow, error_page);
	gtk_widget_class_bind_template_child(class, KsvWindow, flap);
	gtk_widget_class_bind_template_child(class, KsvWindow, toasts);
	gtk_widget_class_bind_template_child(class, KsvWindow, pages);
	gtk_widget_class_bind_template_child(class, KsvWindow, views);
	gtk_widget_class_bind_template_child(class, KsvWindow, sidebar);
	gtk_widget_class_bind_template_child(class, KsvWindow, bottom);
	gtk_widget_class_bind_template_child(class, KsvWindow, play_button);
	gtk_widget_class_bind_template_child(class, KsvWindow, goto_button);
	gtk_widget_class_bind_template_child(class, KsvWindow, sidebar_button);
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
	gtk_widget_class_install_action(widget_class, "win.play", NULL, play_action);
	gtk_widget_class_install_action(widget_class, "win.first", NULL, move_action);
	gtk_widget_class_install_action(widget_class, "win.last", NULL, move_action);
	gtk_widget_class_install_action(widget_class, "win.next", NULL, move_action);
	gtk_widget_class_install_action(widget_class, "win.previous", NULL, move_action);
	gtk_widget_class_install_action(widget_class, "win.view", "i", view_action);
	gtk_widget_class_install_action(widget_class, "win.sidebar", NULL, sidebar_action);
	gtk_widget_class_install_action(widget_class, "win.go-to", NULL, goto_action);
	gtk_widget_class_install_action(widget_class, "win.reload", NULL, reload_action);
	gtk_widget_class_install_action(widget_class, "win.about", NULL, about_action);
	gtk_widget_class_install_action(widget_class, "win.full-screen", NULL, fullscreen_action);
}

static void ksv_window_init(KsvWindow *self)
{
	gtk_widget_init_template(GTK_WIDGET(self));
	self->processes = g_array_new(FALSE, FALSE, sizeof(int));
	for (unsigned i = 0; i < VIEWS; i++)
		add_view(self, i);
	gtk_list_box_set_header_func(self->sidebar, group_header, NULL, NULL);
	gtk_list_box_select_row(self->sidebar, gtk_list_box_get_row_at_index(self->sidebar, 0));
	g_signal_connect(self->sidebar, "row-selected", G_CALLBACK(on_row_selected), self);
	self->scrubber = KSV_SCRUBBER(ksv_scrubber_new());
	gtk_box_append(self->bottom, GTK_WIDGET(self->scrubber));
	g_signal_connect(self->scrubber, "seek", G_CALLBACK(on_seek), self);
	g_signal_connect(self->scrubber, "range", G_CALLBACK(on_range), self);
	g_signal_connect(self->goto_entry, "activate", G_CALLBACK(on_goto_activate), self);
	g_signal_connect_swapped(self->process_chooser, "notify::selected",
				 G_CALLBACK(on_process_chosen), self);
	g_signal_connect_swapped(self->rate_chooser, "notify::selected", G_CALLBACK(set_play_start),
				 self);
	g_signal_connect_swapped(self->info_bar, "response", G_CALLBACK(gtk_info_bar_set_revealed),
				 self->info_bar);
	g_signal_connect_swapped(adw_style_manager_get_default(), "notify::dark",
				 G_CALLBACK(on_style), self);
	gtk_drop_down_set_selected(self->rate_chooser, RATE_DEFAULT);
	gtk_search_bar_connect_entry(self->goto_bar, GTK_EDITABLE(self->goto_entry));
	add_key_controller(self, GTK_PHASE_CAPTURE, G_CALLBACK(on_key));
	add_key_controller(self, GTK_PHASE_BUBBLE, G_CALLBACK(on_space));
	on_style(self);
	set_open_actions(self, FALSE);
}

KsvWindow *ksv_window_new(AdwApplication *app)
{
	return g_object_new(KSV_TYPE_WINDOW, "application", app, NULL);
}
