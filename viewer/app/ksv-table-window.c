// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "ksv-table-window.h"

#include <adwaita.h>

static void free_table(gpointer data)
{
	table_finish(data);
	g_free(data);
}

static void on_setup(GtkSignalListItemFactory *factory, GtkListItem *item, gpointer data)
{
	GtkWidget *cell = gtk_inscription_new(NULL);

	(void)factory;
	(void)data;
	gtk_inscription_set_text_overflow(GTK_INSCRIPTION(cell),
					  GTK_INSCRIPTION_OVERFLOW_ELLIPSIZE_END);
	gtk_widget_add_css_class(cell, "numeric");
	gtk_list_item_set_child(item, cell);
}

// Rows are numbers: the position is all there is to an item.
static void on_bind(GtkSignalListItemFactory *factory, GtkListItem *item, gpointer column)
{
	const struct table *t = g_object_get_data(G_OBJECT(factory), "table");

	gtk_inscription_set_text(
		GTK_INSCRIPTION(gtk_list_item_get_child(item)),
		table_cell_text(t, gtk_list_item_get_position(item), GPOINTER_TO_UINT(column)));
}

static int width_of(const struct table *t, unsigned column)
{
	size_t most = strlen(t->title[column]);

	for (unsigned r = 0; r < t->rows && r < 200; r++)
		most = MAX(most, strlen(table_cell_text(t, r, column)));
	return (int)CLAMP(most * 9 + 24, 70, 420);
}

GtkColumnView *ksv_table_view_new(const char *name, struct table *t)
{
	struct table *kept = g_memdup2(t, sizeof(*t));
	GListStore *rows = g_list_store_new(GTK_TYPE_STRING_OBJECT);
	g_autoptr(GtkStringObject) item = gtk_string_object_new("");
	GtkColumnView *view;

	for (unsigned r = 0; r < t->rows; r++)
		g_list_store_append(rows, item);
	view = GTK_COLUMN_VIEW(
		gtk_column_view_new(GTK_SELECTION_MODEL(gtk_no_selection_new(G_LIST_MODEL(rows)))));
	g_object_set_data_full(G_OBJECT(view), "table", kept, free_table);
	for (unsigned c = 0; c < t->columns; c++) {
		GtkListItemFactory *factory = gtk_signal_list_item_factory_new();
		g_autoptr(GtkColumnViewColumn) column = NULL;

		g_object_set_data(G_OBJECT(factory), "table", kept);
		g_signal_connect(factory, "setup", G_CALLBACK(on_setup), NULL);
		g_signal_connect(factory, "bind", G_CALLBACK(on_bind), GUINT_TO_POINTER(c));
		column = gtk_column_view_column_new(t->title[c], factory);
		gtk_column_view_column_set_fixed_width(column, width_of(t, c));
		gtk_column_view_column_set_resizable(column, TRUE);
		gtk_column_view_append_column(view, column);
	}
	gtk_widget_add_css_class(GTK_WIDGET(view), "data-table");
	gtk_accessible_update_property(GTK_ACCESSIBLE(view), GTK_ACCESSIBLE_PROPERTY_LABEL, name,
				       -1);
	*t = (struct table){0};
	return view;
}

GtkWindow *ksv_table_window_new(GtkWindow *parent, const char *title, struct table *t)
{
	GtkWidget *window = adw_window_new(), *box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 0);
	GtkWidget *scrolled = gtk_scrolled_window_new();
	GtkEventController *keys = gtk_shortcut_controller_new();

	gtk_window_set_title(GTK_WINDOW(window), title);
	gtk_window_set_transient_for(GTK_WINDOW(window), parent);
	gtk_window_set_default_size(GTK_WINDOW(window), 900, 560);
	gtk_scrolled_window_set_child(GTK_SCROLLED_WINDOW(scrolled),
				      GTK_WIDGET(ksv_table_view_new(title, t)));
	gtk_widget_set_vexpand(scrolled, TRUE);
	gtk_box_append(GTK_BOX(box), adw_header_bar_new());
	gtk_box_append(GTK_BOX(box), scrolled);
	adw_window_set_content(ADW_WINDOW(window), box);
	gtk_shortcut_controller_add_shortcut(
		GTK_SHORTCUT_CONTROLLER(keys),
		gtk_shortcut_new(gtk_keyval_trigger_new(GDK_KEY_Escape, 0),
				 gtk_named_action_new("window.close")));
	gtk_widget_add_controller(window, keys);
	return GTK_WINDOW(window);
}
