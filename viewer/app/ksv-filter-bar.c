// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "ksv-filter-bar.h"

#include "../filter.h"
#include "i18n.h"
#include "ksv-map-page.h"

struct _KsvFilterBar {
	GtkWidget parent_instance;
	GtkWidget *row, *entry, *failed, *zone, *state;
	char *said;	  // the text of the last "changed"
	gboolean showing; // the switch and the chooser follow the text
};

G_DEFINE_FINAL_TYPE(KsvFilterBar, ksv_filter_bar, GTK_TYPE_WIDGET)

enum {
	SIGNAL_CHANGED,
	SIGNAL_LEFT,
	SIGNAL_STOP,
	SIGNALS
};
static guint signals[SIGNALS];

enum {
	ZONES = 3 // that hold pages at a 32-bit machine; the chooser has "any zone" before them
};

const char *ksv_filter_bar_get_text(KsvFilterBar *self)
{
	return gtk_editable_get_text(GTK_EDITABLE(self->entry));
}

// The switch and the chooser show what the words say, however they came there.
static void show_words(KsvFilterBar *self)
{
	struct event_filter f;
	char err[256];

	if (!filter_parse(ksv_filter_bar_get_text(self), &f, err, sizeof(err)))
		return;
	self->showing = TRUE;
	gtk_toggle_button_set_active(GTK_TOGGLE_BUTTON(self->failed), f.failed);
	gtk_drop_down_set_selected(GTK_DROP_DOWN(self->zone),
				   f.zone < ZONES ? (guint)(f.zone + 1) : 0);
	self->showing = FALSE;
}

static void say(KsvFilterBar *self)
{
	if (!g_strcmp0(self->said, ksv_filter_bar_get_text(self)))
		return;
	g_free(self->said);
	self->said = g_strdup(ksv_filter_bar_get_text(self));
	show_words(self);
	g_signal_emit(self, signals[SIGNAL_CHANGED], 0);
}

void ksv_filter_bar_set_text(KsvFilterBar *self, const char *text)
{
	gtk_editable_set_text(GTK_EDITABLE(self->entry), text);
	say(self);
}

void ksv_filter_bar_focus(KsvFilterBar *self)
{
	gtk_widget_grab_focus(self->entry);
}

void ksv_filter_bar_set_state(KsvFilterBar *self, const char *text, gboolean running)
{
	gtk_widget_set_visible(self->state, text && *text);
	ksv_scan_bar_set(KSV_SCAN_BAR(self->state), text, running);
}

const char *ksv_filter_bar_get_state(KsvFilterBar *self)
{
	return ksv_scan_bar_get_text(KSV_SCAN_BAR(self->state));
}

// Puts a word in the place of those that begin likewise; "": takes them out.
static void set_word(KsvFilterBar *self, const char *beginning, const char *word)
{
	g_auto(GStrv) words = g_strsplit_set(ksv_filter_bar_get_text(self), " \t", -1);
	g_autoptr(GString) text = g_string_new(NULL);

	for (char **w = words; *w; w++)
		if (**w && g_ascii_strncasecmp(*w, beginning, strlen(beginning)))
			g_string_append_printf(text, "%s%s", text->len ? " " : "", *w);
	if (*word)
		g_string_append_printf(text, "%s%s", text->len ? " " : "", word);
	ksv_filter_bar_set_text(self, text->str);
}

static void on_failed(KsvFilterBar *self)
{
	if (!self->showing)
		set_word(self, "failed",
			 gtk_toggle_button_get_active(GTK_TOGGLE_BUTTON(self->failed)) ? "failed"
										       : "");
}

static void on_zone(KsvFilterBar *self)
{
	guint chosen = gtk_drop_down_get_selected(GTK_DROP_DOWN(self->zone));
	g_autofree char *word = NULL;

	if (self->showing)
		return;
	word = chosen && chosen <= ZONES ? g_strconcat("zone:", zone_names[chosen - 1], NULL)
					 : g_strdup("");
	set_word(self, "zone:", word);
}

static void on_left(KsvFilterBar *self)
{
	ksv_filter_bar_set_text(self, "");
	g_signal_emit(self, signals[SIGNAL_LEFT], 0);
}

static void on_stop(KsvFilterBar *self)
{
	g_signal_emit(self, signals[SIGNAL_STOP], 0);
}

static GtkWidget *make_entry(KsvFilterBar *self)
{
	GtkWidget *entry = gtk_search_entry_new();

	g_object_set(entry, "placeholder-text",
		     _("malloc  size>4k  path:vmalloc  thread:2  failed  or a function"), NULL);
	gtk_widget_set_tooltip_text(
		entry, _("Show only some events (Ctrl+F). All words must hold: the call, size>4k, "
			 "size:100-200, path:vmalloc, zone:HighMem, gfp:HIGHMEM, thread:2, cpu:1, "
			 "failed, addr:0xc0101000, stack:17, events:100-2000, func:NAME or just "
			 "part of a function's name"));
	gtk_accessible_update_property(GTK_ACCESSIBLE(entry), GTK_ACCESSIBLE_PROPERTY_LABEL,
				       _("Filter of events"), -1);
	gtk_widget_set_hexpand(entry, TRUE);
	g_signal_connect_swapped(entry, "search-changed", G_CALLBACK(say), self);
	g_signal_connect_swapped(entry, "stop-search", G_CALLBACK(on_left), self);
	return entry;
}

static GtkWidget *make_zones(KsvFilterBar *self)
{
	const char *names[ZONES + 2] = {_("Any zone"), NULL};
	GtkWidget *chooser;

	for (unsigned z = 0; z < ZONES; z++)
		names[z + 1] = zone_names[z];
	chooser = ksv_chooser_new(names, _("Zone whose pages were moved"),
				  _("Only events for which pages of this zone were moved"));
	g_signal_connect_swapped(chooser, "notify::selected", G_CALLBACK(on_zone), self);
	return chooser;
}

static void ksv_filter_bar_dispose(GObject *object)
{
	KsvFilterBar *self = KSV_FILTER_BAR(object);

	g_clear_pointer(&self->row, gtk_widget_unparent);
	g_clear_pointer(&self->state, gtk_widget_unparent);
	g_clear_pointer(&self->said, g_free);
	G_OBJECT_CLASS(ksv_filter_bar_parent_class)->dispose(object);
}

static void ksv_filter_bar_class_init(KsvFilterBarClass *class)
{
	static const char *const names[SIGNALS] = {"changed", "left", "stop"};

	G_OBJECT_CLASS(class)->dispose = ksv_filter_bar_dispose;
	gtk_widget_class_set_layout_manager_type(GTK_WIDGET_CLASS(class), GTK_TYPE_BOX_LAYOUT);
	gtk_widget_class_set_accessible_role(GTK_WIDGET_CLASS(class), GTK_ACCESSIBLE_ROLE_GROUP);
	for (unsigned i = 0; i < SIGNALS; i++)
		signals[i] = g_signal_new(names[i], KSV_TYPE_FILTER_BAR, G_SIGNAL_RUN_LAST, 0, NULL,
					  NULL, NULL, G_TYPE_NONE, 0);
}

static void ksv_filter_bar_init(KsvFilterBar *self)
{
	GtkWidget *widget = GTK_WIDGET(self);
	GtkLayoutManager *layout = gtk_widget_get_layout_manager(widget);

	gtk_orientable_set_orientation(GTK_ORIENTABLE(layout), GTK_ORIENTATION_VERTICAL);
	gtk_box_layout_set_spacing(GTK_BOX_LAYOUT(layout), 6);
	self->said = g_strdup("");
	self->row = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 8);
	self->entry = make_entry(self);
	self->failed = gtk_toggle_button_new_with_label(_("Failed"));
	gtk_widget_set_tooltip_text(self->failed, _("Only calls that got no memory"));
	g_signal_connect_swapped(self->failed, "toggled", G_CALLBACK(on_failed), self);
	self->zone = make_zones(self);
	gtk_box_append(GTK_BOX(self->row), self->entry);
	gtk_box_append(GTK_BOX(self->row), self->failed);
	gtk_box_append(GTK_BOX(self->row), self->zone);
	self->state = ksv_scan_bar_new();
	ksv_scan_bar_set_stop_name(KSV_SCAN_BAR(self->state), _("Stop searching"));
	gtk_widget_set_visible(self->state, FALSE);
	g_signal_connect_swapped(self->state, "stop", G_CALLBACK(on_stop), self);
	gtk_widget_set_parent(self->row, widget);
	gtk_widget_set_parent(self->state, widget);
	gtk_widget_set_margin_start(widget, 12);
	gtk_widget_set_margin_end(widget, 12);
	gtk_widget_set_margin_top(widget, 8);
	gtk_widget_set_margin_bottom(widget, 8);
	gtk_accessible_update_property(GTK_ACCESSIBLE(self), GTK_ACCESSIBLE_PROPERTY_LABEL,
				       _("Filter of events"), -1);
}

GtkWidget *ksv_filter_bar_new(void)
{
	return g_object_new(KSV_TYPE_FILTER_BAR, NULL);
}
