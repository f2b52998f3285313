// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "ksv-map-page.h"

#include "i18n.h"

GtkWidget *ksv_chooser_new(const char *const *names, const char *label, const char *tooltip)
{
	GtkWidget *chooser = gtk_drop_down_new_from_strings(names);

	gtk_widget_set_tooltip_text(chooser, tooltip);
	gtk_accessible_update_property(GTK_ACCESSIBLE(chooser), GTK_ACCESSIBLE_PROPERTY_LABEL,
				       label, -1);
	return chooser;
}

static void on_colour_chosen(GtkDropDown *chooser, GParamSpec *pspec, KsvCanvas *canvas)
{
	(void)pspec;
	ksv_canvas_set_colour(canvas, (enum map_colour)gtk_drop_down_get_selected(chooser));
}

static void on_pointing_chosen(GtkDropDown *chooser, GParamSpec *pspec, KsvCanvas *canvas)
{
	(void)pspec;
	ksv_canvas_set_pointing(canvas, (enum focus_kind)gtk_drop_down_get_selected(chooser));
}

static void on_map_changed(KsvCanvas *canvas, GtkWidget *page)
{
	gtk_drop_down_set_selected(g_object_get_data(G_OBJECT(page), "colour"),
				   ksv_canvas_get_colour(canvas));
	gtk_drop_down_set_selected(g_object_get_data(G_OBJECT(page), "pointing"),
				   ksv_canvas_get_pointing(canvas));
}

KsvScanBar *ksv_map_page_get_bar(GtkWidget *page)
{
	return g_object_get_data(G_OBJECT(page), "bar");
}

static GtkWidget *colour_chooser(KsvCanvas *canvas)
{
	const char *names[MAP_COLOURS + 1] = {NULL};
	GtkWidget *chooser;

	for (unsigned c = 0; c < MAP_COLOURS; c++)
		names[c] = map_colour_name(c);
	chooser =
		ksv_chooser_new(names, _("What the colours mean"), _("What the colours mean (c)"));
	g_signal_connect(chooser, "notify::selected", G_CALLBACK(on_colour_chosen), canvas);
	return chooser;
}

static GtkWidget *pointing_chooser(KsvCanvas *canvas)
{
	const char *const names[] = {_("nothing of the page"), _("its block"), _("its cache"),
				     _("its call site"), NULL};
	GtkWidget *chooser = ksv_chooser_new(names, _("What is pointed out of the selected page"),
					     _("What of the selected page is pointed out (h)"));

	g_signal_connect(chooser, "notify::selected", G_CALLBACK(on_pointing_chosen), canvas);
	return chooser;
}

static void add_labelled(GtkWidget *bar, const char *text, GtkWidget *widget)
{
	GtkWidget *label = gtk_label_new(text);

	gtk_widget_add_css_class(label, "dim-label");
	gtk_box_append(GTK_BOX(bar), label);
	gtk_box_append(GTK_BOX(bar), widget);
}

GtkWidget *ksv_map_page_new(KsvCanvas *canvas)
{
	GtkWidget *page = gtk_box_new(GTK_ORIENTATION_VERTICAL, 0);
	GtkWidget *line = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 6);
	GtkWidget *colour = colour_chooser(canvas), *pointing = pointing_chooser(canvas);
	GtkWidget *bar = ksv_scan_bar_new();

	add_labelled(line, _("Colours:"), colour);
	add_labelled(line, _("Point out:"), pointing);
	gtk_widget_set_hexpand(bar, TRUE);
	gtk_box_append(GTK_BOX(line), bar);
	gtk_widget_set_margin_start(line, 20);
	gtk_widget_set_margin_end(line, 12);
	gtk_widget_set_margin_top(line, 8);
	g_object_set_data(G_OBJECT(page), "bar", bar);
	g_object_set_data(G_OBJECT(page), "colour", colour);
	g_object_set_data(G_OBJECT(page), "pointing", pointing);
	gtk_box_append(GTK_BOX(page), line);
	gtk_box_append(GTK_BOX(page), GTK_WIDGET(canvas));
	g_signal_connect(canvas, "map-changed", G_CALLBACK(on_map_changed), page);
	return page;
}
