// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "ksv-palette.h"

#include <adwaita.h>

#include "../draw/draw.h"
#include "i18n.h"

static const struct {
	const char *label, *action, *keys;
} commands[] = {
	{N_("Open a recording…"), "win.open", "Ctrl+O"},
	{N_("Record a program…"), "win.record", "Ctrl+R"},
	{N_("Record a sample"), "win.sample", ""},
	{N_("Read the recording again"), "win.reload", "F5"},
	{N_("Close the recording"), "win.close-recording", ""},
	{N_("Follow a recording that is being written"), "win.follow", ""},
	{N_("Open a second window on this recording"), "win.duplicate", "Ctrl+N"},
	{N_("Go to event, time, page, address or name…"), "win.go-to", "Ctrl+G"},
	{N_("Go to the peak"), "win.peak", ""},
	{N_("First event"), "win.first", "Home"},
	{N_("Last event"), "win.last", "End"},
	{N_("Next event"), "win.next", "."},
	{N_("Previous event"), "win.previous", ","},
	{N_("Next event of the selected thing"), "win.next-of-thing", "]"},
	{N_("Previous event of the selected thing"), "win.previous-of-thing", "["},
	{N_("Play or pause"), "win.play", "Space"},
	{N_("Bookmark this event, or take the bookmark away"), "win.bookmark", "Ctrl+B"},
	{N_("Back"), "win.back", "Alt+Left"},
	{N_("Forward"), "win.forward", "Alt+Right"},
	{N_("Clear the selection"), "win.clear", "Esc"},
	{N_("Search or filter"), "win.search", "Ctrl+F"},
	{N_("Show the picture as a table"), "win.table", "Ctrl+T"},
	{N_("Export the view as PNG…"), "win.export::png", "Ctrl+E"},
	{N_("Export the view as SVG…"), "win.export::svg", ""},
	{N_("Export the table as CSV…"), "win.export::csv", "Ctrl+Shift+E"},
	{N_("Show or hide the sidebar"), "win.sidebar", "F9"},
	{N_("Show or hide the inspector"), "win.inspector", "Ctrl+F9"},
	{N_("Next area of the window"), "win.next-area", "F6"},
	{N_("Single letters as keys"), "win.letters", ""},
	{N_("Full screen"), "win.full-screen", "F11"},
	{N_("Keyboard shortcuts"), "win.show-help-overlay", "Ctrl+?"},
	{N_("About kalloscope"), "win.about", ""},
	{N_("Close the window"), "window.close", "Ctrl+W"},
};

static GtkWidget *row_of(const char *label, const char *keys, const char *action)
{
	GtkWidget *box = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 12);
	GtkWidget *name = gtk_label_new(label), *key = gtk_label_new(keys);

	gtk_label_set_xalign(GTK_LABEL(name), 0);
	gtk_widget_set_hexpand(name, TRUE);
	gtk_widget_add_css_class(key, "dim-label");
	gtk_box_append(GTK_BOX(box), name);
	gtk_box_append(GTK_BOX(box), key);
	gtk_widget_set_margin_start(box, 12);
	gtk_widget_set_margin_end(box, 12);
	gtk_widget_set_margin_top(box, 6);
	gtk_widget_set_margin_bottom(box, 6);
	g_object_set_data_full(G_OBJECT(box), "action", g_strdup(action), g_free);
	g_object_set_data_full(G_OBJECT(box), "label", g_utf8_casefold(label, -1), g_free);
	return box;
}

static const char *data_of(GtkListBoxRow *row, const char *key)
{
	return g_object_get_data(G_OBJECT(gtk_list_box_row_get_child(row)), key);
}

// Every word typed stands somewhere in the label.
static gboolean matches(GtkListBoxRow *row, gpointer entry)
{
	g_autofree char *text = g_utf8_casefold(gtk_editable_get_text(GTK_EDITABLE(entry)), -1);
	g_auto(GStrv) words = g_strsplit(text, " ", -1);
	const char *label = data_of(row, "label");

	for (char **w = words; *w; w++)
		if (!strstr(label, *w))
			return FALSE;
	return TRUE;
}

static GtkListBoxRow *first_shown(GtkListBox *list)
{
	GtkListBoxRow *row;

	for (int i = 0; (row = gtk_list_box_get_row_at_index(list, i)); i++)
		if (gtk_widget_get_child_visible(GTK_WIDGET(row)))
			return row;
	return NULL;
}

static void activate(GtkListBoxRow *row)
{
	GtkWindow *palette = GTK_WINDOW(gtk_widget_get_root(GTK_WIDGET(row)));
	GtkWindow *window = gtk_window_get_transient_for(palette);
	const char *action = data_of(row, "action");
	g_autofree char *name = NULL;
	g_autoptr(GVariant) target = NULL;

	if (!g_action_parse_detailed_name(action, &name, &target, NULL))
		return;
	gtk_window_close(palette);
	gtk_widget_activate_action_variant(GTK_WIDGET(window), name, target);
}

static void on_row(GtkListBox *list, GtkListBoxRow *row)
{
	(void)list;
	activate(row);
}

static void on_enter(GtkSearchEntry *entry, GtkListBox *list)
{
	GtkListBoxRow *row = first_shown(list);

	(void)entry;
	if (row)
		activate(row);
}

static void add_rows(GtkListBox *list)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(commands); i++)
		gtk_list_box_append(
			list, row_of(_(commands[i].label), commands[i].keys, commands[i].action));
	for (int i = 0; i <= VIEWS; i++) {
		g_autofree char *label =
			g_strdup_printf(_("View: %s"), i < VIEWS ? _(views[i].title) : "SQL");
		g_autofree char *action = g_strdup_printf("win.view(%d)", i);
		g_autofree char *keys = g_strdup_printf("Ctrl+%d", (i + 1) % 10);

		gtk_list_box_append(list, row_of(label, i < 10 ? keys : "", action));
	}
}

static void close_on_escape(GtkWidget *window)
{
	GtkEventController *keys = gtk_shortcut_controller_new();

	gtk_event_controller_set_propagation_phase(keys, GTK_PHASE_CAPTURE);
	gtk_shortcut_controller_add_shortcut(
		GTK_SHORTCUT_CONTROLLER(keys),
		gtk_shortcut_new(gtk_keyval_trigger_new(GDK_KEY_Escape, 0),
				 gtk_named_action_new("window.close")));
	gtk_widget_add_controller(window, keys);
}

GtkWindow *ksv_palette_new(GtkWindow *window)
{
	GtkWidget *palette = adw_window_new(), *box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 0);
	GtkWidget *entry = gtk_search_entry_new(), *list = gtk_list_box_new();
	GtkWidget *scrolled = gtk_scrolled_window_new(), *none = gtk_label_new(_("No action"));

	g_object_set(entry, "placeholder-text", _("What to do"), NULL);
	gtk_accessible_update_property(GTK_ACCESSIBLE(entry), GTK_ACCESSIBLE_PROPERTY_LABEL,
				       _("What to do"), -1);
	gtk_accessible_update_property(GTK_ACCESSIBLE(list), GTK_ACCESSIBLE_PROPERTY_LABEL,
				       _("Actions"), -1);
	gtk_widget_set_margin_start(entry, 8);
	gtk_widget_set_margin_end(entry, 8);
	gtk_widget_set_margin_top(entry, 8);
	gtk_widget_set_margin_bottom(entry, 8);
	add_rows(GTK_LIST_BOX(list));
	gtk_list_box_set_filter_func(GTK_LIST_BOX(list), matches, entry, NULL);
	gtk_list_box_set_placeholder(GTK_LIST_BOX(list), none);
	g_signal_connect_swapped(entry, "search-changed",
				 G_CALLBACK(gtk_list_box_invalidate_filter), list);
	g_signal_connect(entry, "activate", G_CALLBACK(on_enter), list);
	g_signal_connect(list, "row-activated", G_CALLBACK(on_row), NULL);
	gtk_scrolled_window_set_child(GTK_SCROLLED_WINDOW(scrolled), list);
	gtk_scrolled_window_set_policy(GTK_SCROLLED_WINDOW(scrolled), GTK_POLICY_NEVER,
				       GTK_POLICY_AUTOMATIC);
	gtk_widget_set_vexpand(scrolled, TRUE);
	gtk_box_append(GTK_BOX(box), entry);
	gtk_box_append(GTK_BOX(box), scrolled);
	adw_window_set_content(ADW_WINDOW(palette), box);
	gtk_window_set_title(GTK_WINDOW(palette), _("Actions"));
	gtk_window_set_default_size(GTK_WINDOW(palette), 520, 420);
	gtk_window_set_transient_for(GTK_WINDOW(palette), window);
	gtk_window_set_modal(GTK_WINDOW(palette), TRUE);
	g_object_set_data(G_OBJECT(palette), "entry", entry);
	g_object_set_data(G_OBJECT(palette), "list", list);
	close_on_escape(palette);
	return GTK_WINDOW(palette);
}

guint ksv_palette_count(GtkWindow *palette, const char *text)
{
	GtkListBox *list = g_object_get_data(G_OBJECT(palette), "list");
	GtkListBoxRow *row;
	guint n = 0;

	gtk_editable_set_text(GTK_EDITABLE(g_object_get_data(G_OBJECT(palette), "entry")), text);
	gtk_list_box_invalidate_filter(list);
	for (int i = 0; (row = gtk_list_box_get_row_at_index(list, i)); i++)
		n += gtk_widget_get_child_visible(GTK_WIDGET(row)) &&
		     gtk_widget_get_visible(GTK_WIDGET(row));
	return n;
}
