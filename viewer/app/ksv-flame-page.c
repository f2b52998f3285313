// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "ksv-calls.h"
#include "i18n.h"
#include "ksv-map-page.h"

static void on_cost_chosen(GtkDropDown *chooser, GParamSpec *pspec, KsvCanvas *canvas)
{
	(void)pspec;
	ksv_canvas_set_cost(canvas, (enum cost)gtk_drop_down_get_selected(chooser));
}

static void on_cost_changed(KsvCanvas *canvas, int cost, GtkDropDown *chooser)
{
	(void)canvas;
	gtk_drop_down_set_selected(chooser, (guint)cost);
}

static void on_search(GtkSearchEntry *entry, KsvCanvas *canvas)
{
	ksv_canvas_set_search(canvas, gtk_editable_get_text(GTK_EDITABLE(entry)));
}

static void on_stop_search(GtkSearchEntry *entry, KsvCanvas *canvas)
{
	gtk_editable_set_text(GTK_EDITABLE(entry), "");
	gtk_widget_grab_focus(GTK_WIDGET(canvas));
}

static GtkWidget *search_of(GtkWidget *page)
{
	return g_object_get_data(G_OBJECT(page), "search");
}

void ksv_flame_page_set_search(GtkWidget *page, const char *text)
{
	gtk_editable_set_text(GTK_EDITABLE(search_of(page)), text);
}

void ksv_flame_page_focus_search(GtkWidget *page)
{
	gtk_widget_grab_focus(search_of(page));
}

static GtkToggleButton *toggle_of(GtkWidget *page, const char *name)
{
	return g_object_get_data(G_OBJECT(page), name);
}

gboolean ksv_flame_page_is_inverted(GtkWidget *page)
{
	return gtk_toggle_button_get_active(toggle_of(page, "inverted"));
}

gboolean ksv_flame_page_is_folded(GtkWidget *page)
{
	return gtk_toggle_button_get_active(toggle_of(page, "folded"));
}

void ksv_flame_page_on_switch(GtkWidget *page, GCallback fn, gpointer data)
{
	g_signal_connect_swapped(toggle_of(page, "inverted"), "toggled", fn, data);
	g_signal_connect_swapped(toggle_of(page, "folded"), "toggled", fn, data);
}

static GtkWidget *toggle(GtkWidget *page, const char *name, const char *label, const char *tooltip)
{
	GtkWidget *button = gtk_toggle_button_new_with_label(label);

	gtk_widget_set_tooltip_text(button, tooltip);
	g_object_set_data(G_OBJECT(page), name, button);
	return button;
}

GtkWidget *ksv_flame_page_new(KsvCanvas *canvas, GtkWidget *scope)
{
	GtkWidget *page = gtk_box_new(GTK_ORIENTATION_VERTICAL, 0);
	GtkWidget *bar = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 6);
	GtkWidget *search = gtk_search_entry_new(), *chooser;
	const char *names[COSTS + 1] = {NULL};

	for (unsigned c = 0; c < COSTS; c++)
		names[c] = cost_name(c);
	chooser = ksv_chooser_new(names, _("What the width means"), _("What the width means (c)"));
	g_object_set(search, "placeholder-text", _("Functions to highlight"), NULL);
	gtk_accessible_update_property(GTK_ACCESSIBLE(search), GTK_ACCESSIBLE_PROPERTY_LABEL,
				       _("Functions to highlight"), -1);
	gtk_widget_set_hexpand(search, TRUE);
	gtk_widget_set_margin_start(bar, 12);
	gtk_widget_set_margin_end(bar, 12);
	gtk_widget_set_margin_top(bar, 8);
	g_object_set_data(G_OBJECT(page), "search", search);
	gtk_box_append(GTK_BOX(bar), chooser);
	gtk_box_append(GTK_BOX(bar), search);
	gtk_box_append(GTK_BOX(bar),
		       toggle(page, "inverted", _("Inverted"),
			      _("Begin at the allocating functions, their callers below")));
	gtk_box_append(GTK_BOX(bar),
		       toggle(page, "folded", _("Fold recursion"),
			      _("A function that is called again below itself is drawn once")));
	gtk_box_append(GTK_BOX(page), bar);
	gtk_box_append(GTK_BOX(page), scope);
	gtk_box_append(GTK_BOX(page), GTK_WIDGET(canvas));
	g_signal_connect(chooser, "notify::selected", G_CALLBACK(on_cost_chosen), canvas);
	g_signal_connect(canvas, "cost-changed", G_CALLBACK(on_cost_changed), chooser);
	g_signal_connect(search, "search-changed", G_CALLBACK(on_search), canvas);
	g_signal_connect(search, "stop-search", G_CALLBACK(on_stop_search), canvas);
	return page;
}
