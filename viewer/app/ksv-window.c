// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "ksv-window-private.h"

#include "i18n.h"
#include "ksv-map-page.h"

G_DEFINE_FINAL_TYPE(KsvWindow, ksv_window, ADW_TYPE_APPLICATION_WINDOW)

void ksv_window_toast(KsvWindow *self, const char *sentence)
{
	adw_toast_overlay_add_toast(self->toasts, adw_toast_new(sentence));
}

static void on_message(GtkWidget *widget, const char *text, KsvWindow *self)
{
	(void)widget;
	ksv_window_toast(self, text);
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

enum {
	ROW_MARGIN = 12 // of the list around its rows
};

// In a low window the sidebar scrolls: the chosen view's name stays in sight.
static void show_row(KsvWindow *self, GtkListBoxRow *row)
{
	GtkAdjustment *a = gtk_list_box_get_adjustment(self->sidebar);
	double y;

	if (a && gtk_widget_translate_coordinates(GTK_WIDGET(row), GTK_WIDGET(self->sidebar), 0, 0,
						  NULL, &y))
		gtk_adjustment_clamp_page(a, y - ROW_MARGIN,
					  y + gtk_widget_get_height(GTK_WIDGET(row)) + ROW_MARGIN);
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
	ksv_sql_page_set_palette(self->sql_page, pal);
}

static void add_events_page(KsvWindow *self)
{
	GtkWidget *page = ksv_events_page_new();

	self->events_page = KSV_EVENTS_PAGE(page);
	g_signal_connect(page, "seek", G_CALLBACK(on_seek), self);
	g_signal_connect(page, "message", G_CALLBACK(on_message), self);
	// backtraces are only read while they are looked at
	g_signal_connect_swapped(page, "map", G_CALLBACK(ksv_window_ask_details), self);
}

static GtkWidget *add_scope_bar(KsvWindow *self, unsigned i)
{
	GtkWidget *bar = ksv_scope_bar_new();

	self->scope_bar[i] = KSV_SCOPE_BAR(bar);
	g_signal_connect(bar, "scope", G_CALLBACK(ksv_window_set_scope), self);
	g_signal_connect_swapped(bar, "stop", G_CALLBACK(ksv_window_stop_scans), self);
	return bar;
}

static GtkWidget *add_sites_page(KsvWindow *self)
{
	GtkWidget *box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 0), *page = ksv_sites_page_new();

	self->sites_page = KSV_SITES_PAGE(page);
	g_signal_connect(page, "site", G_CALLBACK(ksv_window_site_picked), self);
	g_signal_connect(page, "events", G_CALLBACK(ksv_window_site_events), self);
	gtk_widget_set_vexpand(page, TRUE);
	gtk_box_append(GTK_BOX(box), add_scope_bar(self, 0));
	gtk_box_append(GTK_BOX(box), page);
	return box;
}

static GtkWidget *add_map_page(KsvWindow *self, KsvCanvas *canvas)
{
	self->map_page = ksv_map_page_new(canvas);
	g_signal_connect_swapped(canvas, "map-changed", G_CALLBACK(ksv_window_ask_details), self);
	g_signal_connect_swapped(self->map_page, "map", G_CALLBACK(ksv_window_ask_details), self);
	g_signal_connect_swapped(ksv_map_page_get_bar(self->map_page), "stop",
				 G_CALLBACK(ksv_window_stop_scans), self);
	return self->map_page;
}

static GtkWidget *add_flame_page(KsvWindow *self, KsvCanvas *canvas)
{
	self->flame_page = ksv_flame_page_new(canvas, add_scope_bar(self, 1));
	ksv_flame_page_on_switch(self->flame_page, G_CALLBACK(ksv_window_show_scans), self);
	return self->flame_page;
}

static GtkWidget *page_of(KsvWindow *self, const char *id, KsvCanvas *canvas)
{
	if (!strcmp(id, "map"))
		return add_map_page(self, canvas);
	if (!strcmp(id, "flame"))
		return add_flame_page(self, canvas);
	if (!strcmp(id, "steps")) {
		self->steps_page = KSV_STEPS_PAGE(ksv_steps_page_new(canvas));
		return GTK_WIDGET(self->steps_page);
	}
	return GTK_WIDGET(canvas);
}

static void add_view(KsvWindow *self, unsigned i)
{
	GtkWidget *label = gtk_label_new(gettext(views[i].title)), *page;
	const char *id = views[i].id;

	gtk_label_set_xalign(GTK_LABEL(label), 0);
	gtk_list_box_append(self->sidebar, label);
	if (!strcmp(id, "events")) {
		add_events_page(self);
		page = GTK_WIDGET(self->events_page);
	} else if (!strcmp(id, "sites")) {
		page = add_sites_page(self);
	} else {
		self->canvas[i] = KSV_CANVAS(ksv_canvas_new(&views[i]));
		g_signal_connect(self->canvas[i], "picked", G_CALLBACK(ksv_window_picked), self);
		g_signal_connect(self->canvas[i], "opened", G_CALLBACK(ksv_window_opened), self);
		page = page_of(self, id, self->canvas[i]);
	}
	// what is dear is only read while it is looked at
	if (!strcmp(id, "sites") || !strcmp(id, "flame") || !strcmp(id, "steps"))
		g_signal_connect_swapped(page, "map", G_CALLBACK(ksv_window_request), self);
	gtk_stack_add_named(self->views, page, id);
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
	g_signal_connect(self->inspector, "events", G_CALLBACK(ksv_window_stack_events), self);
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
		ksv_window_close_recording(self);
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
	gtk_widget_class_bind_template_child(class, KsvWindow, spinner);
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

// A spinner that spins costs a frame clock that runs, even on a page that is not shown.
static void on_page(KsvWindow *self)
{
	gtk_spinner_set_spinning(
		self->spinner,
		!g_strcmp0(gtk_stack_get_visible_child_name(self->pages), "loading"));
}

static void ksv_window_init(KsvWindow *self)
{
	gtk_widget_init_template(GTK_WIDGET(self));
	self->processes = g_array_new(FALSE, FALSE, sizeof(int));
	places_init(&self->places);
	self->letters = TRUE;
	self->selection = ksv_selection_new();
	g_signal_connect(self->selection, "changed", G_CALLBACK(ksv_window_selection_changed),
			 self);
	for (unsigned i = 0; i < VIEWS; i++)
		add_view(self, i);
	add_sql(self);
	g_signal_connect_swapped(self->pages, "notify::visible-child", G_CALLBACK(on_page), self);
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
				 G_CALLBACK(ksv_window_use_chosen_process), self);
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
	ksv_window_set_open_actions(self, FALSE);
}

KsvWindow *ksv_window_new(AdwApplication *app)
{
	return g_object_new(KSV_TYPE_WINDOW, "application", app, NULL);
}
