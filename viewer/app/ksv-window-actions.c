// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The window's actions and keys: moving, playing, views, going to a place.
#include "ksv-window-private.h"

void ksv_window_pause(KsvWindow *self)
{
	if (self->tick)
		gtk_widget_remove_tick_callback(GTK_WIDGET(self), self->tick);
	self->tick = 0;
	gtk_button_set_icon_name(self->play_button, "media-playback-start-symbolic");
	gtk_widget_set_tooltip_text(GTK_WIDGET(self->play_button), "Play (Space)");
	gtk_accessible_update_property(GTK_ACCESSIBLE(self->play_button),
				       GTK_ACCESSIBLE_PROPERTY_LABEL, "Play", -1);
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
	gtk_widget_set_tooltip_text(GTK_WIDGET(self->play_button), "Pause (Space)");
	gtk_accessible_update_property(GTK_ACCESSIBLE(self->play_button),
				       GTK_ACCESSIBLE_PROPERTY_LABEL, "Pause", -1);
}

static void move_action(GtkWidget *widget, const char *name, GVariant *parameter)
{
	KsvWindow *self = KSV_WINDOW(widget);

	(void)parameter;
	ksv_window_pause(self);
	if (!strcmp(name, "win.first"))
		ksv_window_seek(self, self->first);
	else if (!strcmp(name, "win.last"))
		ksv_window_seek(self, self->last);
	else
		ksv_window_step(self, !strcmp(name, "win.next") ? 1 : -1);
}

static unsigned view_index(const char *id)
{
	unsigned i = 0;

	while (views[i].id && strcmp(views[i].id, id))
		i++;
	return i;
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
	adw_flap_set_reveal_flap(self->inspector, !adw_flap_get_reveal_flap(self->inspector));
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
	ksv_window_request(self);
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
		ksv_window_pause(self);
		ksv_window_seek(self, event);
		return TRUE;
	}
}

void ksv_window_go_to_typed(GtkEntry *entry, KsvWindow *self)
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
	if (focus && (GTK_IS_TEXT(focus) || GTK_IS_TEXT_VIEW(focus) ||
		      gtk_widget_get_ancestor(focus, GTK_TYPE_POPOVER)))
		return FALSE;
	switch (key) {
	case GDK_KEY_Left:
	case GDK_KEY_comma:
	case GDK_KEY_less:
		ksv_window_pause(self);
		ksv_window_step(self, -by);
		return TRUE;
	case GDK_KEY_Right:
	case GDK_KEY_period:
	case GDK_KEY_greater:
		ksv_window_pause(self);
		ksv_window_step(self, by);
		return TRUE;
	case GDK_KEY_Home:
		ksv_window_pause(self);
		ksv_window_seek(self, self->first);
		return TRUE;
	case GDK_KEY_End:
		ksv_window_pause(self);
		ksv_window_seek(self, self->last);
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
	add_key_controller(self, GTK_PHASE_BUBBLE, G_CALLBACK(on_space));
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
	gtk_widget_class_install_action(class, "win.go-to", NULL, goto_action);
	gtk_widget_class_install_action(class, "win.reload", NULL, reload_action);
	gtk_widget_class_install_action(class, "win.about", NULL, about_action);
	gtk_widget_class_install_action(class, "win.full-screen", NULL, fullscreen_action);
}
