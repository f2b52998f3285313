// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Before and around a recording: the start page, recording a program, recordings that are still
// being written, and what the window remembers.
#include "i18n.h"
#include "ksv-palette.h"
#include "ksv-record-dialog.h"
#include "ksv-state.h"
#include "ksv-window-private.h"

enum {
	FOLLOW_MS = 1000
};

// ---- start page ----

static GtkWidget *recent_row(const char *path)
{
	g_autofree char *base = g_path_get_basename(path), *folder = g_path_get_dirname(path);
	GtkWidget *row = adw_action_row_new();
	g_autofree char *title = g_markup_escape_text(base, -1);
	g_autofree char *subtitle = g_markup_escape_text(folder, -1);

	adw_preferences_row_set_title(ADW_PREFERENCES_ROW(row), title);
	adw_action_row_set_subtitle(ADW_ACTION_ROW(row), subtitle);
	gtk_list_box_row_set_activatable(GTK_LIST_BOX_ROW(row), TRUE);
	g_object_set_data_full(G_OBJECT(row), "path", g_strdup(path), g_free);
	return row;
}

void ksv_window_show_recent(KsvWindow *self)
{
	g_auto(GStrv) recent = state_recent();
	GtkWidget *row;

	while ((row = gtk_widget_get_first_child(GTK_WIDGET(self->recent))))
		gtk_list_box_remove(self->recent, row);
	for (char **p = recent; *p; p++)
		gtk_list_box_append(self->recent, recent_row(*p));
	gtk_widget_set_visible(GTK_WIDGET(self->recent), *recent != NULL);
}

static void on_recent(GtkListBox *list, GtkListBoxRow *row, KsvWindow *self)
{
	(void)list;
	ksv_window_open(self, g_object_get_data(G_OBJECT(row), "path"));
}

// ---- recording ----

static void on_recorded(KsvRecordDialog *dialog, const char *path, KsvWindow *self)
{
	(void)dialog;
	ksv_window_open(self, path);
}

static GtkWindow *record_dialog(KsvWindow *self)
{
	GtkWindow *dialog = ksv_record_dialog_new(GTK_WINDOW(self));

	g_signal_connect_object(dialog, "recorded", G_CALLBACK(on_recorded), self, 0);
	gtk_window_present(dialog);
	return dialog;
}

static void record_action(GtkWidget *widget, const char *name, GVariant *parameter)
{
	(void)name;
	(void)parameter;
	record_dialog(KSV_WINDOW(widget));
}

// A program that is everywhere, short, and uses memory in more than one way.
static void sample_action(GtkWidget *widget, const char *name, GVariant *parameter)
{
	(void)name;
	(void)parameter;
	ksv_record_dialog_run(KSV_RECORD_DIALOG(record_dialog(KSV_WINDOW(widget))),
			      "ls -lR /usr/share");
}

// Also what Cancel does while a recording is being opened.
static void close_recording_action(GtkWidget *widget, const char *name, GVariant *parameter)
{
	KsvWindow *self = KSV_WINDOW(widget);

	(void)name;
	(void)parameter;
	ksv_window_close_recording(self);
	ksv_window_set_open_actions(self, FALSE);
	g_clear_pointer(&self->path, g_free);
	adw_window_title_set_title(self->title, "kalloscope");
	adw_window_title_set_subtitle(self->title, "");
	gtk_window_set_title(GTK_WINDOW(self), "kalloscope");
	gtk_stack_set_visible_child_name(self->pages, "start");
}

// ---- following a recording that is being written ----

static void on_newer(KsvLoader *loader, KsvWindow *self)
{
	struct recording *r;

	if (loader != self->newer)
		return;
	r = source_recording(ksv_loader_get_reader(loader));
	g_signal_handlers_disconnect_by_data(loader, self);
	if (recording_events(r) > self->known_events || recording_complete(r))
		ksv_window_replace_loader(self, g_steal_pointer(&self->newer));
	else
		g_clear_object(&self->newer);
}

static void on_newer_failed(KsvLoader *loader, const char *sentence, KsvWindow *self)
{
	(void)sentence;
	if (loader == self->newer)
		g_clear_object(&self->newer);
}

// A reader keeps what it knew when it opened the file, so following is opening it again.
static gboolean follow(gpointer data)
{
	KsvWindow *self = data;

	if (!self->unfinished || !self->follow) {
		self->follow_timer = 0;
		return G_SOURCE_REMOVE;
	}
	if (self->newer || !self->opened || ksv_loader_is_busy(self->loader))
		return G_SOURCE_CONTINUE;
	self->newer = ksv_loader_new(self->path);
	g_signal_connect(self->newer, "opened", G_CALLBACK(on_newer), self);
	g_signal_connect(self->newer, "failed", G_CALLBACK(on_newer_failed), self);
	return G_SOURCE_CONTINUE;
}

void ksv_window_set_follow(KsvWindow *self, gboolean on)
{
	self->follow = on;
	gtk_widget_set_visible(GTK_WIDGET(self->follow_button), self->unfinished);
	gtk_button_set_label(self->follow_button, on ? _("Stop Following") : _("Follow"));
	if (on && self->unfinished && !self->follow_timer)
		self->follow_timer = g_timeout_add(FOLLOW_MS, follow, self);
}

void ksv_window_stop_following(KsvWindow *self)
{
	g_clear_handle_id(&self->follow_timer, g_source_remove);
	if (self->newer)
		g_signal_handlers_disconnect_by_data(self->newer, self);
	g_clear_object(&self->newer);
}

static void follow_action(GtkWidget *widget, const char *name, GVariant *parameter)
{
	KsvWindow *self = KSV_WINDOW(widget);

	(void)name;
	(void)parameter;
	ksv_window_set_follow(self, !self->follow);
}

// ---- the window ----

static void duplicate_action(GtkWidget *widget, const char *name, GVariant *parameter)
{
	KsvWindow *self = KSV_WINDOW(widget);

	(void)name;
	(void)parameter;
	ksv_window_duplicate(self, self->request.process);
}

void ksv_window_duplicate(KsvWindow *self, int process)
{
	KsvWindow *other;

	if (!self->path)
		return;
	other = ksv_window_new(ADW_APPLICATION(gtk_window_get_application(GTK_WINDOW(self))));
	other->start_process = process;
	other->start_view = ksv_window_shown_view(self);
	other->start_event = process == self->request.process ? self->request.event : 0;
	ksv_window_open(other, self->path);
	gtk_window_present(GTK_WINDOW(other));
}

static void palette_action(GtkWidget *widget, const char *name, GVariant *parameter)
{
	(void)name;
	(void)parameter;
	gtk_window_present(ksv_palette_new(GTK_WINDOW(widget)));
}

static void letters_action(GtkWidget *widget, const char *name, GVariant *parameter)
{
	KsvWindow *self = KSV_WINDOW(widget);

	(void)name;
	(void)parameter;
	self->letters = !self->letters;
	for (unsigned i = 0; i < VIEWS; i++)
		if (self->canvas[i])
			ksv_canvas_set_letters(self->canvas[i], self->letters);
	ksv_window_toast(self, self->letters ? _("Single letters act in pictures")
					     : _("Single letters do nothing now"));
}

void ksv_window_restore_state(KsvWindow *self)
{
	struct window_state s;

	state_load_window(&s);
	gtk_window_set_default_size(GTK_WINDOW(self), s.width, s.height);
	if (s.maximized)
		gtk_window_maximize(GTK_WINDOW(self));
	adw_flap_set_reveal_flap(self->flap, s.sidebar);
	adw_flap_set_reveal_flap(self->side, s.inspector);
	self->letters = s.letters;
	for (unsigned i = 0; i < VIEWS; i++)
		if (self->canvas[i])
			ksv_canvas_set_letters(self->canvas[i], self->letters);
}

void ksv_window_save_state(KsvWindow *self)
{
	struct window_state s = {.maximized = gtk_window_is_maximized(GTK_WINDOW(self)),
				 .sidebar = adw_flap_get_reveal_flap(self->flap),
				 .inspector = adw_flap_get_reveal_flap(self->side),
				 .letters = self->letters};

	gtk_window_get_default_size(GTK_WINDOW(self), &s.width, &s.height);
	state_save_window(&s);
}

void ksv_window_install_start(GtkWidgetClass *class)
{
	gtk_widget_class_install_action(class, "win.record", NULL, record_action);
	gtk_widget_class_install_action(class, "win.sample", NULL, sample_action);
	gtk_widget_class_install_action(class, "win.close-recording", NULL, close_recording_action);
	gtk_widget_class_install_action(class, "win.follow", NULL, follow_action);
	gtk_widget_class_install_action(class, "win.duplicate", NULL, duplicate_action);
	gtk_widget_class_install_action(class, "win.palette", NULL, palette_action);
	gtk_widget_class_install_action(class, "win.letters", NULL, letters_action);
}

void ksv_window_init_start(KsvWindow *self)
{
	self->follow = TRUE;
	g_signal_connect(self->recent, "row-activated", G_CALLBACK(on_recent), self);
	ksv_window_show_recent(self);
	ksv_window_forget_places(self);
	ksv_window_restore_state(self);
}
