// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "ksv-steps-page.h"

#include "i18n.h"

struct _KsvStepsPage {
	GtkWidget parent_instance;
	GtkWidget *box;
	KsvCanvas *canvas;
	GtkButton *play;
	struct view_model *model;
	uint64_t event;	  // whose steps are shown
	guint tick;	  // 0: nothing moves
	gint64 start;	  // of the step that moves, us; 0: with the next frame
	gboolean onwards; // goes on to the next step
};

G_DEFINE_FINAL_TYPE(KsvStepsPage, ksv_steps_page, GTK_TYPE_WIDGET)

enum {
	STEP_MS = 900, // a step in motion
	REST_MS = 500, // and at rest, before the next
};

static unsigned count(KsvStepsPage *self)
{
	return self->model && self->model->steps ? self->model->steps->n : 0;
}

static gboolean animated(KsvStepsPage *self)
{
	gboolean enabled = TRUE;

	g_object_get(gtk_widget_get_settings(GTK_WIDGET(self)), "gtk-enable-animations", &enabled,
		     NULL);
	return enabled;
}

static void show_playing(KsvStepsPage *self)
{
	gboolean playing = self->tick && self->onwards;

	gtk_button_set_label(self->play, playing ? _("Stop") : _("Play Steps"));
}

// For those who cannot see the picture: the step in words.
static void announce(KsvStepsPage *self, unsigned step)
{
	char text[300];
	g_autofree char *all = NULL;

	if (step >= count(self))
		return;
	step_sentence(self->model, &self->model->steps->step[step], text, sizeof(text));
	all = g_strdup_printf(_("Step %u of %u, %s: %s"), step + 1, count(self),
			      event_name(self->model->steps->step[step].t.kind), text);
	gtk_accessible_update_property(GTK_ACCESSIBLE(self->canvas),
				       GTK_ACCESSIBLE_PROPERTY_DESCRIPTION, all, -1);
}

static void show_step(KsvStepsPage *self, unsigned step, double moment)
{
	ksv_canvas_set_step(self->canvas, step, moment);
	announce(self, step);
}

static void stop(KsvStepsPage *self)
{
	if (self->tick)
		gtk_widget_remove_tick_callback(GTK_WIDGET(self), self->tick);
	self->tick = 0;
	show_playing(self);
}

static gboolean on_tick(GtkWidget *widget, GdkFrameClock *clock, gpointer data)
{
	KsvStepsPage *self = KSV_STEPS_PAGE(widget);
	gint64 now = gdk_frame_clock_get_frame_time(clock);
	unsigned step = ksv_canvas_get_step(self->canvas);
	double ms;

	(void)data;
	if (!self->start)
		self->start = now;
	ms = (double)(now - self->start) / 1000;
	if (ms < STEP_MS) {
		ksv_canvas_set_step(self->canvas, step, ms / STEP_MS);
		return G_SOURCE_CONTINUE;
	}
	if (!self->onwards || step + 1 >= count(self)) {
		self->tick = 0;
		show_step(self, step, 1);
		show_playing(self);
		return G_SOURCE_REMOVE;
	}
	if (ms < STEP_MS + REST_MS) {
		ksv_canvas_set_step(self->canvas, step, 1);
	} else {
		self->start = now;
		show_step(self, step + 1, 0);
	}
	return G_SOURCE_CONTINUE;
}

// Plays the step, and those after it if `onwards`; without animations it is just shown.
static void play(KsvStepsPage *self, unsigned step, gboolean onwards)
{
	stop(self);
	if (!count(self))
		return;
	step = MIN(step, count(self) - 1);
	self->onwards = onwards;
	self->start = 0;
	if (!animated(self) || !gtk_widget_get_mapped(GTK_WIDGET(self))) {
		show_step(self, step, 1);
		return;
	}
	show_step(self, step, 0);
	self->tick = gtk_widget_add_tick_callback(GTK_WIDGET(self), on_tick, NULL, NULL);
	show_playing(self);
}

void ksv_steps_page_set_model(KsvStepsPage *self, struct view_model *model)
{
	gboolean same = model && self->model && model->event == self->event &&
			model->process == self->model->process && self->model->steps;

	if (model && !model->steps && model->event) // not asked for: the page is not looked at
		return;
	model_unref(self->model);
	self->model = model ? model_ref(model) : NULL;
	self->event = model ? model->event : 0;
	if (!same)
		play(self, 0, TRUE);
}

gboolean ksv_steps_page_is_playing(KsvStepsPage *self)
{
	return self->tick != 0;
}

static void on_play(KsvStepsPage *self)
{
	unsigned step = ksv_canvas_get_step(self->canvas);

	if (self->tick && self->onwards)
		stop(self);
	else
		play(self, step + 1 < count(self) ? step : 0, TRUE);
}

static void on_previous(KsvStepsPage *self)
{
	unsigned step = ksv_canvas_get_step(self->canvas);

	play(self, step ? step - 1 : 0, FALSE);
}

static void on_next(KsvStepsPage *self)
{
	play(self, ksv_canvas_get_step(self->canvas) + 1, FALSE);
}

static void on_picked(KsvCanvas *canvas, int kind, guint64 id, KsvStepsPage *self)
{
	(void)canvas;
	if (kind == HIT_STEP)
		play(self, (unsigned)id, FALSE);
}

static gboolean on_key(GtkEventControllerKey *controller, guint key, guint code,
		       GdkModifierType state, KsvStepsPage *self)
{
	(void)controller;
	(void)code;
	if (state & (GDK_CONTROL_MASK | GDK_ALT_MASK | GDK_SHIFT_MASK) ||
	    !gtk_widget_is_focus(GTK_WIDGET(self->canvas)))
		return FALSE;
	if (key == GDK_KEY_Up)
		on_previous(self);
	else if (key == GDK_KEY_Down)
		on_next(self);
	else if (key == GDK_KEY_Return || key == GDK_KEY_KP_Enter)
		play(self, ksv_canvas_get_step(self->canvas), FALSE);
	else
		return FALSE;
	return TRUE;
}

static void ksv_steps_page_unmap(GtkWidget *widget)
{
	stop(KSV_STEPS_PAGE(widget));
	GTK_WIDGET_CLASS(ksv_steps_page_parent_class)->unmap(widget);
}

static void ksv_steps_page_dispose(GObject *object)
{
	KsvStepsPage *self = KSV_STEPS_PAGE(object);

	g_clear_pointer(&self->box, gtk_widget_unparent);
	g_clear_pointer(&self->model, model_unref);
	G_OBJECT_CLASS(ksv_steps_page_parent_class)->dispose(object);
}

static void ksv_steps_page_class_init(KsvStepsPageClass *class)
{
	G_OBJECT_CLASS(class)->dispose = ksv_steps_page_dispose;
	GTK_WIDGET_CLASS(class)->unmap = ksv_steps_page_unmap;
	gtk_widget_class_set_layout_manager_type(GTK_WIDGET_CLASS(class), GTK_TYPE_BIN_LAYOUT);
}

static GtkWidget *button(KsvStepsPage *self, const char *label, const char *tip, GCallback callback)
{
	GtkWidget *b = gtk_button_new_with_label(label);

	gtk_widget_set_tooltip_text(b, tip);
	g_signal_connect_swapped(b, "clicked", callback, self);
	return b;
}

static void ksv_steps_page_init(KsvStepsPage *self)
{
	self->box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 0);
	gtk_widget_set_parent(self->box, GTK_WIDGET(self));
}

GtkWidget *ksv_steps_page_new(KsvCanvas *canvas)
{
	KsvStepsPage *self = g_object_new(KSV_TYPE_STEPS_PAGE, NULL);
	GtkWidget *bar = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 6);
	GtkEventController *key = gtk_event_controller_key_new();

	self->canvas = canvas;
	self->play = GTK_BUTTON(button(self, _("Play Steps"), _("Play the steps one after another"),
				       G_CALLBACK(on_play)));
	gtk_box_append(GTK_BOX(bar), button(self, _("Previous Step"), _("Previous step (Up)"),
					    G_CALLBACK(on_previous)));
	gtk_box_append(GTK_BOX(bar), GTK_WIDGET(self->play));
	gtk_box_append(GTK_BOX(bar),
		       button(self, _("Next Step"), _("Next step (Down)"), G_CALLBACK(on_next)));
	gtk_widget_set_margin_start(bar, 20);
	gtk_widget_set_margin_top(bar, 8);
	gtk_box_append(GTK_BOX(self->box), bar);
	gtk_box_append(GTK_BOX(self->box), GTK_WIDGET(canvas));
	g_signal_connect(canvas, "picked", G_CALLBACK(on_picked), self);
	gtk_event_controller_set_propagation_phase(key, GTK_PHASE_CAPTURE);
	g_signal_connect(key, "key-pressed", G_CALLBACK(on_key), self);
	gtk_widget_add_controller(GTK_WIDGET(self), key);
	return GTK_WIDGET(self);
}
