// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "ksv-event-panel.h"
#include "i18n.h"

struct _KsvEventPanel {
	GtkWidget parent_instance;
	GtkWidget *box;
	GtkInscription *head, *steps;
	GtkAdjustment *scroll;
	GString *plain; // the head and the lines, to be copied
	guint lines;	// `steps` has room for
};

G_DEFINE_FINAL_TYPE(KsvEventPanel, ksv_event_panel, GTK_TYPE_WIDGET)

// Labels whose text changes have the window laid out again, and AdwFlap then wants two frames more, in
// whose wake the next step would have to wait. Inscriptions only draw; their room grows by so many lines.
enum {
	HEAD_LINES = 2,
	ROOM = 24,
};

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

// Lines the text takes at the panel's width.
static guint lines_of(KsvEventPanel *self, const char *markup)
{
	g_autoptr(PangoLayout) layout =
		gtk_widget_create_pango_layout(GTK_WIDGET(self->steps), NULL);
	int width = gtk_widget_get_width(GTK_WIDGET(self->steps));

	pango_layout_set_width(layout, MAX(width, 200) * PANGO_SCALE);
	pango_layout_set_wrap(layout, PANGO_WRAP_WORD_CHAR);
	pango_layout_set_markup(layout, markup, -1);
	return (guint)pango_layout_get_line_count(layout);
}

static void show_text(KsvEventPanel *self, const char *head, const char *markup)
{
	guint room = (lines_of(self, markup) + ROOM - 1) / ROOM * ROOM;

	gtk_inscription_set_text(self->head, head);
	gtk_inscription_set_markup(self->steps, markup);
	if (room != self->lines)
		gtk_inscription_set_min_lines(self->steps, room);
	self->lines = room;
	gtk_adjustment_set_value(self->scroll, 0);
}

void ksv_event_panel_set_model(KsvEventPanel *self, const struct view_model *model)
{
	const struct explanation *e = model ? model->happened : NULL;
	g_autoptr(GString) text = g_string_new(NULL);

	g_string_truncate(self->plain, 0);
	if (!e || !e->n) {
		g_string_append(self->plain, _("The booted machine, before the program's first "
					       "call. Right steps to the next event."));
		show_text(self, _("Before the first event"), self->plain->str);
		return;
	}
	for (unsigned i = 0; i < e->n; i++) {
		if (i)
			append_line(text, &e->line[i]);
		g_string_append_printf(self->plain, "%s%s%s\n", e->line[i].name,
				       *e->line[i].name ? ": " : "", e->line[i].text);
	}
	show_text(self, e->line[0].text, text->str);
}

const char *ksv_event_panel_get_text(KsvEventPanel *self)
{
	return self->plain->str;
}

static void on_copy(KsvEventPanel *self)
{
	gdk_clipboard_set_text(gtk_widget_get_clipboard(GTK_WIDGET(self)), self->plain->str);
}

static void ksv_event_panel_finalize(GObject *object)
{
	g_string_free(KSV_EVENT_PANEL(object)->plain, TRUE);
	G_OBJECT_CLASS(ksv_event_panel_parent_class)->finalize(object);
}

static void ksv_event_panel_dispose(GObject *object)
{
	g_clear_pointer(&KSV_EVENT_PANEL(object)->box, gtk_widget_unparent);
	G_OBJECT_CLASS(ksv_event_panel_parent_class)->dispose(object);
}

static void ksv_event_panel_class_init(KsvEventPanelClass *class)
{
	G_OBJECT_CLASS(class)->dispose = ksv_event_panel_dispose;
	G_OBJECT_CLASS(class)->finalize = ksv_event_panel_finalize;
	gtk_widget_class_set_layout_manager_type(GTK_WIDGET_CLASS(class), GTK_TYPE_BIN_LAYOUT);
	gtk_widget_class_set_accessible_role(GTK_WIDGET_CLASS(class), GTK_ACCESSIBLE_ROLE_GROUP);
}

static GtkInscription *wrapping_text(guint lines)
{
	GtkInscription *text = GTK_INSCRIPTION(gtk_inscription_new(NULL));

	gtk_inscription_set_wrap_mode(text, PANGO_WRAP_WORD_CHAR);
	gtk_inscription_set_min_chars(text, 30);
	gtk_inscription_set_min_lines(text, lines);
	gtk_inscription_set_xalign(text, 0);
	gtk_inscription_set_yalign(text, 0);
	gtk_widget_set_margin_start(GTK_WIDGET(text), 12);
	gtk_widget_set_margin_end(GTK_WIDGET(text), 12);
	return text;
}

static GtkWidget *title_bar(KsvEventPanel *self)
{
	GtkWidget *bar = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 6);
	GtkWidget *title = gtk_label_new(_("What happened"));
	GtkWidget *copy = gtk_button_new_from_icon_name("edit-copy-symbolic");

	gtk_label_set_xalign(GTK_LABEL(title), 0);
	gtk_widget_set_hexpand(title, TRUE);
	gtk_widget_add_css_class(title, "dim-label");
	gtk_widget_add_css_class(title, "heading");
	gtk_widget_add_css_class(copy, "flat");
	gtk_widget_set_tooltip_text(copy, _("Copy what happened"));
	gtk_accessible_update_property(GTK_ACCESSIBLE(copy), GTK_ACCESSIBLE_PROPERTY_LABEL,
				       _("Copy what happened"), -1);
	g_signal_connect_swapped(copy, "clicked", G_CALLBACK(on_copy), self);
	gtk_widget_set_margin_start(bar, 12);
	gtk_widget_set_margin_end(bar, 6);
	gtk_widget_set_margin_top(bar, 4);
	gtk_box_append(GTK_BOX(bar), title);
	gtk_box_append(GTK_BOX(bar), copy);
	return bar;
}

static void ksv_event_panel_init(KsvEventPanel *self)
{
	GtkWidget *scrolled = gtk_scrolled_window_new();

	self->plain = g_string_new(NULL);
	self->lines = ROOM;
	self->box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 6);
	self->head = wrapping_text(HEAD_LINES);
	self->steps = wrapping_text(ROOM);
	gtk_widget_add_css_class(GTK_WIDGET(self->head), "heading");
	gtk_widget_set_margin_bottom(GTK_WIDGET(self->steps), 12);
	gtk_scrolled_window_set_child(GTK_SCROLLED_WINDOW(scrolled), GTK_WIDGET(self->steps));
	gtk_scrolled_window_set_policy(GTK_SCROLLED_WINDOW(scrolled), GTK_POLICY_NEVER,
				       GTK_POLICY_AUTOMATIC);
	gtk_widget_set_vexpand(scrolled, TRUE);
	self->scroll = gtk_scrolled_window_get_vadjustment(GTK_SCROLLED_WINDOW(scrolled));
	gtk_box_append(GTK_BOX(self->box), title_bar(self));
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
