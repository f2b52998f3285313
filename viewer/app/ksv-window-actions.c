// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The window's actions and keys: moving, playing, views, going to a place.
#include "ksv-window-private.h"
#include "i18n.h"

void ksv_window_pause(KsvWindow *self)
{
	if (self->tick)
		gtk_widget_remove_tick_callback(GTK_WIDGET(self), self->tick);
	self->tick = 0;
	gtk_button_set_icon_name(self->play_button, "media-playback-start-symbolic");
	gtk_widget_set_tooltip_text(GTK_WIDGET(self->play_button), _("Play (Space)"));
	gtk_accessible_update_property(GTK_ACCESSIBLE(self->play_button),
				       GTK_ACCESSIBLE_PROPERTY_LABEL, _("Play"), -1);
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
		ksv_window_seek(self, event);
	if (self->request.event < self->last)
		return G_SOURCE_CONTINUE;
	self->tick = 0;
	ksv_window_pause(self);
	return G_SOURCE_REMOVE;
}

void ksv_window_set_play_start(KsvWindow *self)
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
		ksv_window_pause(self);
		return;
	}
	if (!self->opened)
		return;
	if (self->request.event >= self->last)
		ksv_window_seek(self, self->first);
	ksv_window_set_play_start(self);
	self->tick_us = 0;
	self->tick = gtk_widget_add_tick_callback(widget, on_tick, NULL, NULL);
	gtk_button_set_icon_name(self->play_button, "media-playback-pause-symbolic");
	gtk_widget_set_tooltip_text(GTK_WIDGET(self->play_button), _("Pause (Space)"));
	gtk_accessible_update_property(GTK_ACCESSIBLE(self->play_button),
				       GTK_ACCESSIBLE_PROPERTY_LABEL, _("Pause"), -1);
}

static void move_action(GtkWidget *widget, const char *name, GVariant *parameter)
{
	KsvWindow *self = KSV_WINDOW(widget);

	(void)parameter;
	ksv_window_pause(self);
	if (!strcmp(name, "win.first"))
		ksv_window_jump(self, self->first);
	else if (!strcmp(name, "win.last"))
		ksv_window_jump(self, self->last);
	else
		ksv_window_step(self, !strcmp(name, "win.next") ? 1 : -1);
}

unsigned ksv_window_view_index(const char *id)
{
	unsigned i = 0;

	while (views[i].id && strcmp(views[i].id, id))
		i++;
	return i;
}

unsigned ksv_window_shown_view(KsvWindow *self)
{
	GtkListBoxRow *row = gtk_list_box_get_selected_row(self->sidebar);

	return row ? (unsigned)gtk_list_box_row_get_index(row) : 0;
}

void ksv_window_show_view(KsvWindow *self, unsigned index)
{
	GtkListBoxRow *row = gtk_list_box_get_row_at_index(self->sidebar, (int)index);

	if (!row)
		return;
	gtk_list_box_select_row(self->sidebar, row);
	if (index == ksv_window_view_index("events"))
		gtk_widget_grab_focus(GTK_WIDGET(ksv_events_page_get_table(self->events_page)));
	else if (index < VIEWS && self->canvas[index]) // rather than the controls above it
		gtk_widget_grab_focus(GTK_WIDGET(self->canvas[index]));
	else
		gtk_widget_child_focus(gtk_stack_get_visible_child(self->views),
				       GTK_DIR_TAB_FORWARD);
}

static void view_action(GtkWidget *widget, const char *name, GVariant *parameter)
{
	KsvWindow *self = KSV_WINDOW(widget);
	int at = g_variant_get_int32(parameter);

	(void)name;
	if (at < 0 || (unsigned)at == ksv_window_shown_view(self))
		return;
	ksv_window_leave_place(self);
	ksv_window_show_view(self, (unsigned)at);
}

static void sidebar_action(GtkWidget *widget, const char *name, GVariant *parameter)
{
	KsvWindow *self = KSV_WINDOW(widget);

	(void)name;
	(void)parameter;
	adw_flap_set_reveal_flap(self->flap, !adw_flap_get_reveal_flap(self->flap));
}

static void inspector_action(GtkWidget *widget, const char *name, GVariant *parameter)
{
	KsvWindow *self = KSV_WINDOW(widget);

	(void)name;
	(void)parameter;
	adw_flap_set_reveal_flap(self->side, !adw_flap_get_reveal_flap(self->side));
}

// Where typing begins on the page shown; elsewhere the events are searched.
static void search_action(GtkWidget *widget, const char *name, GVariant *parameter)
{
	KsvWindow *self = KSV_WINDOW(widget);
	unsigned view = ksv_window_shown_view(self);

	(void)name;
	(void)parameter;
	if (view == ksv_window_view_index("flame")) {
		ksv_flame_page_focus_search(self->flame_page);
		return;
	}
	if (view == VIEWS) {
		ksv_sql_page_focus_editor(self->sql_page);
		return;
	}
	if (view != ksv_window_view_index("events")) {
		ksv_window_leave_place(self);
		ksv_window_show_view(self, ksv_window_view_index("events"));
	}
	ksv_events_page_focus_filter(self->events_page);
}

// F6: sidebar, view, inspector, timeline, and round again.
static void next_area_action(GtkWidget *widget, const char *name, GVariant *parameter)
{
	KsvWindow *self = KSV_WINDOW(widget);
	GtkWidget *area[] = {GTK_WIDGET(self->sidebar), GTK_WIDGET(self->views),
			     GTK_WIDGET(self->inspector), GTK_WIDGET(self->scrubber)};
	GtkWidget *focus = gtk_window_get_focus(GTK_WINDOW(self));
	unsigned n = G_N_ELEMENTS(area), now = n - 1;

	(void)name;
	(void)parameter;
	for (unsigned i = 0; focus && i < n; i++)
		if (focus == area[i] || gtk_widget_is_ancestor(focus, area[i]))
			now = i;
	for (unsigned i = 1; i <= n; i++) {
		GtkWidget *next = area[(now + i) % n];

		if (!gtk_widget_get_mapped(next))
			continue;
		if (next == area[1])
			next = gtk_stack_get_visible_child(self->views);
		if (gtk_widget_grab_focus(next) ||
		    gtk_widget_child_focus(next, GTK_DIR_TAB_FORWARD))
			return;
	}
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

// Single keys mean something else in text, menus and popovers.
static gboolean keys_are_free(KsvWindow *self)
{
	GtkWidget *focus = gtk_window_get_focus(GTK_WINDOW(self));

	return !(focus && (GTK_IS_TEXT(focus) || GTK_IS_TEXT_VIEW(focus) ||
			   gtk_widget_get_ancestor(focus, GTK_TYPE_POPOVER)));
}

static gboolean step_key(KsvWindow *self, guint key, gint64 by)
{
	switch (key) {
	case GDK_KEY_Left:
	case GDK_KEY_comma:
	case GDK_KEY_less:
		by = -by;
		break;
	case GDK_KEY_Right:
	case GDK_KEY_period:
	case GDK_KEY_greater:
		break;
	default:
		return FALSE;
	}
	ksv_window_pause(self);
	ksv_window_step(self, by);
	return TRUE;
}

static gboolean on_key(GtkEventControllerKey *controller, guint key, guint code,
		       GdkModifierType state, KsvWindow *self)
{
	gboolean control = (state & GDK_CONTROL_MASK) != 0;

	(void)controller;
	(void)code;
	if (!self->opened || state & GDK_ALT_MASK || !keys_are_free(self))
		return FALSE;
	if (control && (key == GDK_KEY_Left || key == GDK_KEY_Right)) {
		ksv_window_step_other(self, key == GDK_KEY_Right ? 1 : -1);
		return TRUE;
	}
	if (control)
		return FALSE;
	// with a cursor on the map the arrows are its
	if ((key == GDK_KEY_Left || key == GDK_KEY_Right) && !(state & GDK_SHIFT_MASK) &&
	    KSV_IS_CANVAS(gtk_window_get_focus(GTK_WINDOW(self))) &&
	    ksv_canvas_has_cursor(KSV_CANVAS(gtk_window_get_focus(GTK_WINDOW(self)))))
		return FALSE;
	if (step_key(self, key, state & GDK_SHIFT_MASK ? 100 : 1))
		return TRUE;
	switch (key) {
	case GDK_KEY_bracketleft:
	case GDK_KEY_bracketright:
		ksv_window_step_thing(self, key == GDK_KEY_bracketright ? 1 : -1);
		return TRUE;
	case GDK_KEY_Home:
	case GDK_KEY_End:
		ksv_window_jump(self, key == GDK_KEY_Home ? self->first : self->last);
		return TRUE;
	default:
		return FALSE;
	}
}

static void change_rate(KsvWindow *self, int by)
{
	int rate = (int)gtk_drop_down_get_selected(self->rate_chooser) + by;

	gtk_drop_down_set_selected(self->rate_chooser, (guint)CLAMP(rate, 0, RATE_REAL_TIME));
}

// In the bubble phase: a focused button or row has the space bar first, an entry the letters.
// Letters act only while a picture or the timeline has the focus, and can be turned off.
static gboolean on_late_key(GtkEventControllerKey *controller, guint key, guint code,
			    GdkModifierType state, KsvWindow *self)
{
	GtkWidget *focus = gtk_window_get_focus(GTK_WINDOW(self));
	gboolean letters = self->letters && (KSV_IS_CANVAS(focus) || KSV_IS_SCRUBBER(focus));

	(void)controller;
	(void)code;
	if (state & (GDK_CONTROL_MASK | GDK_ALT_MASK) || !self->opened)
		return FALSE;
	if (key == GDK_KEY_space || (letters && key == GDK_KEY_k))
		return gtk_widget_activate_action(GTK_WIDGET(self), "win.play", NULL);
	if (letters && (key == GDK_KEY_j || key == GDK_KEY_l)) {
		change_rate(self, key == GDK_KEY_l ? 1 : -1);
		return TRUE;
	}
	if (key == GDK_KEY_Escape)
		return gtk_widget_activate_action(GTK_WIDGET(self), "win.clear", NULL);
	return FALSE;
}

static void add_key_controller(KsvWindow *self, GtkPropagationPhase phase, GCallback callback)
{
	GtkEventController *key = gtk_event_controller_key_new();

	gtk_event_controller_set_propagation_phase(key, phase);
	g_signal_connect(key, "key-pressed", callback, self);
	gtk_widget_add_controller(GTK_WIDGET(self), key);
}

void ksv_window_add_keys(KsvWindow *self)
{
	add_key_controller(self, GTK_PHASE_CAPTURE, G_CALLBACK(on_key));
	add_key_controller(self, GTK_PHASE_BUBBLE, G_CALLBACK(on_late_key));
}

void ksv_window_install_actions(GtkWidgetClass *class)
{
	gtk_widget_class_install_action(class, "win.play", NULL, play_action);
	gtk_widget_class_install_action(class, "win.first", NULL, move_action);
	gtk_widget_class_install_action(class, "win.last", NULL, move_action);
	gtk_widget_class_install_action(class, "win.next", NULL, move_action);
	gtk_widget_class_install_action(class, "win.previous", NULL, move_action);
	gtk_widget_class_install_action(class, "win.view", "i", view_action);
	gtk_widget_class_install_action(class, "win.sidebar", NULL, sidebar_action);
	gtk_widget_class_install_action(class, "win.inspector", NULL, inspector_action);
	gtk_widget_class_install_action(class, "win.search", NULL, search_action);
	gtk_widget_class_install_action(class, "win.next-area", NULL, next_area_action);
	gtk_widget_class_install_action(class, "win.reload", NULL, reload_action);
	gtk_widget_class_install_action(class, "win.about", NULL, about_action);
	gtk_widget_class_install_action(class, "win.full-screen", NULL, fullscreen_action);
}
