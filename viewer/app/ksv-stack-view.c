// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "ksv-stack-view.h"

#include <stdlib.h>

#include "../draw/events.h"
#include "../format.h"
#include "i18n.h"

struct _KsvStackView {
	GtkWidget parent_instance;
	GtkWidget *box, *go, *copy, *all;
	GtkLabel *title, *frames;
	char *name; // of the pane: "Allocation"
	uint64_t event;
	uint32_t stack;
	GPtrArray *files; // of the links, "" none
	GString *plain;	  // for the clipboard
};

G_DEFINE_FINAL_TYPE(KsvStackView, ksv_stack_view, GTK_TYPE_WIDGET)

enum {
	SIGNAL_SEEK,
	SIGNAL_EVENTS,
	SIGNAL_MESSAGE,
	SIGNALS
};
static guint signals[SIGNALS];

static void message(KsvStackView *self, const char *text)
{
	g_signal_emit(self, signals[SIGNAL_MESSAGE], 0, text);
}

static gboolean on_link(GtkLabel *label, const char *uri, KsvStackView *self)
{
	guint at = (guint)atoi(uri);
	const char *file = at < self->files->len ? self->files->pdata[at] : "";
	g_autofree char *file_uri = NULL, *text = NULL;
	g_autoptr(GError) error = NULL;

	(void)label;
	if (!g_file_test(file, G_FILE_TEST_EXISTS)) {
		text = g_strdup_printf(_("%s is not on this computer"), file);
		message(self, text);
		return TRUE;
	}
	file_uri = g_filename_to_uri(file, NULL, NULL);
	if (!file_uri || !g_app_info_launch_default_for_uri(file_uri, NULL, &error)) {
		text = g_strdup_printf(_("No program opens %s"), file);
		message(self, text);
	}
	return TRUE;
}

static void append_frame(KsvStackView *self, GString *text, unsigned i, const struct frame *f)
{
	g_autofree char *function = g_markup_escape_text(f->function, -1), *where = NULL;
	char place[256];

	frame_place(f, place, sizeof(place));
	where = g_markup_escape_text(place, -1);
	g_string_append_printf(text, "%s<span alpha='55%%'>%2u</span>  %s%s", i ? "\n" : "", i,
			       function, f->inlined ? _(" <i>inlined</i>") : "");
	g_string_append_printf(self->plain, "%2u  %s  %s\n", i, f->function, place);
	g_ptr_array_add(self->files, g_strdup(f->file));
	// an unresolved function is "module+offset" already
	if (!*place || strstr(f->function, place))
		return;
	if (*f->file == '/')
		g_string_append_printf(text, "  <a href='%u'>%s</a>", self->files->len - 1, where);
	else
		g_string_append_printf(text, "  <span alpha='55%%'>%s</span>", where);
}

static bool unresolved(const struct model_stack *s)
{
	for (unsigned i = 0; i < s->n; i++)
		if (!*s->frame[i].file && strchr(s->frame[i].function, '+'))
			return true;
	return false;
}

static void set_empty(KsvStackView *self, const char *why)
{
	gtk_label_set_text(self->title, self->name);
	gtk_label_set_text(self->frames, why);
	gtk_label_set_wrap(self->frames, TRUE);
}

static void set_frames(KsvStackView *self, const struct model_stack *s)
{
	g_autoptr(GString) text = g_string_new(NULL);
	g_autofree char *title = NULL;

	title = g_strdup_printf(_("%s · event %s · %s"), event_name(s->row.kind),
				fmt_count(s->event).s, fmt_time_exact(s->row.t_ns).s);
	gtk_label_set_text(self->title, title);
	for (unsigned i = 0; i < s->n; i++)
		append_frame(self, text, i, &s->frame[i]);
	if (!s->n)
		g_string_append(text, _("No backtrace was recorded for this event."));
	if (unresolved(s))
		g_string_append_printf(
			text, "\n<span size='small' alpha='70%%'>%s</span>",
			_("Frames as module+offset have no debug\ninformation here: install it "
			  "and run\nkalloscope symbols on the recording."));
	gtk_label_set_markup(self->frames, text->str);
	gtk_label_set_wrap(self->frames, !s->n);
}

void ksv_stack_view_set_stack(KsvStackView *self, const struct model_stack *s, const char *empty)
{
	self->event = s ? s->event : 0;
	self->stack = self->event ? s->row.stack : 0;
	g_string_truncate(self->plain, 0);
	g_ptr_array_set_size(self->files, 0);
	if (self->event)
		set_frames(self, s);
	else
		set_empty(self, empty);
	gtk_widget_set_sensitive(self->go, self->event != 0);
	gtk_widget_set_sensitive(self->copy, self->plain->len > 0);
	gtk_widget_set_sensitive(self->all, self->stack != 0);
}

const char *ksv_stack_view_get_text(KsvStackView *self)
{
	return gtk_label_get_text(self->frames);
}

static void on_go(KsvStackView *self)
{
	if (self->event)
		g_signal_emit(self, signals[SIGNAL_SEEK], 0, self->event);
}

static void on_copy(KsvStackView *self)
{
	gdk_clipboard_set_text(gtk_widget_get_clipboard(GTK_WIDGET(self)), self->plain->str);
	message(self, _("Backtrace copied"));
}

static void on_all(KsvStackView *self)
{
	if (self->stack)
		g_signal_emit(self, signals[SIGNAL_EVENTS], 0, self->stack);
}

static void ksv_stack_view_dispose(GObject *object)
{
	KsvStackView *self = KSV_STACK_VIEW(object);

	g_clear_pointer(&self->box, gtk_widget_unparent);
	g_clear_pointer(&self->files, g_ptr_array_unref);
	g_clear_pointer(&self->name, g_free);
	if (self->plain)
		g_string_free(self->plain, TRUE);
	self->plain = NULL;
	G_OBJECT_CLASS(ksv_stack_view_parent_class)->dispose(object);
}

static void ksv_stack_view_class_init(KsvStackViewClass *class)
{
	G_OBJECT_CLASS(class)->dispose = ksv_stack_view_dispose;
	gtk_widget_class_set_layout_manager_type(GTK_WIDGET_CLASS(class), GTK_TYPE_BIN_LAYOUT);
	gtk_widget_class_set_accessible_role(GTK_WIDGET_CLASS(class), GTK_ACCESSIBLE_ROLE_GROUP);
	signals[SIGNAL_SEEK] = g_signal_new("seek", KSV_TYPE_STACK_VIEW, G_SIGNAL_RUN_LAST, 0, NULL,
					    NULL, NULL, G_TYPE_NONE, 1, G_TYPE_UINT64);
	signals[SIGNAL_EVENTS] = g_signal_new("events", KSV_TYPE_STACK_VIEW, G_SIGNAL_RUN_LAST, 0,
					      NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_UINT);
	signals[SIGNAL_MESSAGE] = g_signal_new("message", KSV_TYPE_STACK_VIEW, G_SIGNAL_RUN_LAST, 0,
					       NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
}

static GtkWidget *button(KsvStackView *self, const char *icon, const char *tip, GCallback callback)
{
	GtkWidget *b = gtk_button_new_from_icon_name(icon);

	gtk_widget_set_tooltip_text(b, tip);
	gtk_widget_add_css_class(b, "flat");
	gtk_widget_set_sensitive(b, FALSE);
	gtk_accessible_update_property(GTK_ACCESSIBLE(b), GTK_ACCESSIBLE_PROPERTY_LABEL, tip, -1);
	g_signal_connect_swapped(b, "clicked", callback, self);
	return b;
}

static GtkWidget *head(KsvStackView *self)
{
	GtkWidget *h = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 0);

	self->title = GTK_LABEL(gtk_label_new(NULL));
	gtk_label_set_xalign(self->title, 0);
	gtk_label_set_ellipsize(self->title, PANGO_ELLIPSIZE_END);
	gtk_label_set_wrap(self->title, TRUE);
	gtk_label_set_lines(self->title, 2);
	gtk_widget_add_css_class(GTK_WIDGET(self->title), "heading");
	gtk_widget_set_hexpand(GTK_WIDGET(self->title), TRUE);
	self->go = button(self, "go-jump-symbolic", _("Go to this event"), G_CALLBACK(on_go));
	self->all = button(self, "edit-find-symbolic", _("All events with this backtrace"),
			   G_CALLBACK(on_all));
	self->copy =
		button(self, "edit-copy-symbolic", _("Copy the backtrace"), G_CALLBACK(on_copy));
	gtk_box_append(GTK_BOX(h), GTK_WIDGET(self->title));
	gtk_box_append(GTK_BOX(h), self->go);
	gtk_box_append(GTK_BOX(h), self->all);
	gtk_box_append(GTK_BOX(h), self->copy);
	return h;
}

static void ksv_stack_view_init(KsvStackView *self)
{
	GtkWidget *scrolled = gtk_scrolled_window_new();

	self->files = g_ptr_array_new_with_free_func(g_free);
	self->plain = g_string_new(NULL);
	self->box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 4);
	self->frames = GTK_LABEL(gtk_label_new(NULL));
	gtk_label_set_xalign(self->frames, 0);
	gtk_label_set_yalign(self->frames, 0);
	gtk_widget_add_css_class(GTK_WIDGET(self->frames), "numeric");
	g_signal_connect(self->frames, "activate-link", G_CALLBACK(on_link), self);
	gtk_scrolled_window_set_child(GTK_SCROLLED_WINDOW(scrolled), GTK_WIDGET(self->frames));
	gtk_widget_set_vexpand(scrolled, TRUE);
	gtk_widget_set_hexpand(scrolled, TRUE);
	gtk_box_append(GTK_BOX(self->box), head(self));
	gtk_box_append(GTK_BOX(self->box), scrolled);
	gtk_widget_set_margin_start(self->box, 12);
	gtk_widget_set_margin_end(self->box, 8);
	gtk_widget_set_margin_top(self->box, 6);
	gtk_widget_set_margin_bottom(self->box, 6);
	gtk_widget_set_parent(self->box, GTK_WIDGET(self));
}

GtkWidget *ksv_stack_view_new(const char *title)
{
	KsvStackView *self = g_object_new(KSV_TYPE_STACK_VIEW, NULL);

	self->name = g_strdup(title);
	gtk_accessible_update_property(GTK_ACCESSIBLE(self), GTK_ACCESSIBLE_PROPERTY_LABEL, title,
				       -1);
	ksv_stack_view_set_stack(self, NULL, "");
	return GTK_WIDGET(self);
}
