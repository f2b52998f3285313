// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "ksv-event-panel.h"
#include "i18n.h"

struct _KsvEventPanel {
	GtkWidget parent_instance;
	GtkWidget *box;
	GtkLabel *head, *steps;
	GtkAdjustment *scroll;
};

G_DEFINE_FINAL_TYPE(KsvEventPanel, ksv_event_panel, GTK_TYPE_WIDGET)

// One label holds everything: it can be selected, copied and read aloud as a whole.
static void append_line(GString *text, const struct explain_line *l)
{
	g_autofree char *words = g_markup_escape_text(l->text, -1);

	switch (l->role) {
	case EXPLAIN_ROUTE:
		g_string_append_printf(text, "%s\n", words);
		break;
	case EXPLAIN_STEP:
		g_string_append_printf(text, "\n<tt><b>%s</b></tt>\n%s\n", l->name, words);
		break;
	case EXPLAIN_MORE:
		g_string_append_printf(text, "\n<tt>%s</tt>: %s\n", l->name, words);
		break;
	default:
		g_string_append_printf(text, "<span size='small' alpha='70%%'>%s</span>\n", words);
	}
}

void ksv_event_panel_set_model(KsvEventPanel *self, const struct view_model *model)
{
	const struct explanation *e = model ? model->happened : NULL;
	g_autoptr(GString) text = g_string_new(NULL);

	if (!e || !e->n) {
		gtk_label_set_text(self->head, _("Before the first event"));
		gtk_label_set_text(self->steps, _("The booted machine, before the program's first "
						  "call. Right steps to the next event."));
		return;
	}
	for (unsigned i = 1; i < e->n; i++)
		append_line(text, &e->line[i]);
	gtk_label_set_text(self->head, e->line[0].text);
	gtk_label_set_markup(self->steps, text->str);
	gtk_adjustment_set_value(self->scroll, 0);
}

const char *ksv_event_panel_get_text(KsvEventPanel *self)
{
	return gtk_label_get_text(self->steps);
}

static void ksv_event_panel_dispose(GObject *object)
{
	g_clear_pointer(&KSV_EVENT_PANEL(object)->box, gtk_widget_unparent);
	G_OBJECT_CLASS(ksv_event_panel_parent_class)->dispose(object);
}

static void ksv_event_panel_class_init(KsvEventPanelClass *class)
{
	G_OBJECT_CLASS(class)->dispose = ksv_event_panel_dispose;
	gtk_widget_class_set_layout_manager_type(GTK_WIDGET_CLASS(class), GTK_TYPE_BIN_LAYOUT);
	gtk_widget_class_set_accessible_role(GTK_WIDGET_CLASS(class), GTK_ACCESSIBLE_ROLE_GROUP);
}

static GtkLabel *wrapping_label(void)
{
	GtkLabel *label = GTK_LABEL(gtk_label_new(NULL));

	gtk_label_set_wrap(label, TRUE);
	gtk_label_set_wrap_mode(label, PANGO_WRAP_WORD_CHAR);
	gtk_label_set_width_chars(label, 30); // or the window reckons with one word a line
	gtk_label_set_xalign(label, 0);
	gtk_label_set_yalign(label, 0);
	gtk_label_set_selectable(label, TRUE);
	gtk_widget_set_focusable(GTK_WIDGET(label), FALSE);
	gtk_widget_set_margin_start(GTK_WIDGET(label), 12);
	gtk_widget_set_margin_end(GTK_WIDGET(label), 12);
	return label;
}

static void ksv_event_panel_init(KsvEventPanel *self)
{
	GtkWidget *scrolled = gtk_scrolled_window_new();
	GtkWidget *title = gtk_label_new(_("What happened"));

	self->box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 6);
	self->head = wrapping_label();
	self->steps = wrapping_label();
	gtk_label_set_xalign(GTK_LABEL(title), 0);
	gtk_widget_set_margin_start(title, 12);
	gtk_widget_set_margin_top(title, 10);
	gtk_widget_add_css_class(title, "dim-label");
	gtk_widget_add_css_class(title, "heading");
	gtk_widget_add_css_class(GTK_WIDGET(self->head), "heading");
	gtk_widget_set_margin_bottom(GTK_WIDGET(self->steps), 12);
	gtk_scrolled_window_set_child(GTK_SCROLLED_WINDOW(scrolled), GTK_WIDGET(self->steps));
	gtk_scrolled_window_set_policy(GTK_SCROLLED_WINDOW(scrolled), GTK_POLICY_NEVER,
				       GTK_POLICY_AUTOMATIC);
	gtk_widget_set_vexpand(scrolled, TRUE);
	self->scroll = gtk_scrolled_window_get_vadjustment(GTK_SCROLLED_WINDOW(scrolled));
	gtk_box_append(GTK_BOX(self->box), title);
	gtk_box_append(GTK_BOX(self->box), GTK_WIDGET(self->head));
	gtk_box_append(GTK_BOX(self->box), scrolled);
	// opaque: in a narrow window it lies over the view
	gtk_widget_add_css_class(self->box, "background");
	gtk_widget_set_size_request(self->box, 300, -1);
	gtk_widget_set_parent(self->box, GTK_WIDGET(self));
	gtk_accessible_update_property(GTK_ACCESSIBLE(self), GTK_ACCESSIBLE_PROPERTY_LABEL,
				       _("What happened"), -1);
}

GtkWidget *ksv_event_panel_new(void)
{
	return g_object_new(KSV_TYPE_EVENT_PANEL, NULL);
}
