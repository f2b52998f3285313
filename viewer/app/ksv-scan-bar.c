// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "ksv-scan-bar.h"

#include "i18n.h"

struct _KsvScanBar {
	GtkWidget parent_instance;
	GtkWidget *label, *stop;
};

G_DEFINE_FINAL_TYPE(KsvScanBar, ksv_scan_bar, GTK_TYPE_WIDGET)

static guint stop_signal;

void ksv_scan_bar_set(KsvScanBar *self, const char *text, gboolean running)
{
	gtk_label_set_text(GTK_LABEL(self->label), text ? text : "");
	gtk_widget_set_tooltip_text(self->label, text);
	gtk_widget_set_visible(self->stop, running);
}

void ksv_scan_bar_set_stop_name(KsvScanBar *self, const char *name)
{
	gtk_accessible_update_property(GTK_ACCESSIBLE(self->stop), GTK_ACCESSIBLE_PROPERTY_LABEL,
				       name, -1);
}

const char *ksv_scan_bar_get_text(KsvScanBar *self)
{
	return gtk_label_get_text(GTK_LABEL(self->label));
}

static void on_stop(KsvScanBar *self)
{
	g_signal_emit(self, stop_signal, 0);
}

static void ksv_scan_bar_dispose(GObject *object)
{
	KsvScanBar *self = KSV_SCAN_BAR(object);

	g_clear_pointer(&self->label, gtk_widget_unparent);
	g_clear_pointer(&self->stop, gtk_widget_unparent);
	G_OBJECT_CLASS(ksv_scan_bar_parent_class)->dispose(object);
}

static void ksv_scan_bar_class_init(KsvScanBarClass *class)
{
	G_OBJECT_CLASS(class)->dispose = ksv_scan_bar_dispose;
	gtk_widget_class_set_layout_manager_type(GTK_WIDGET_CLASS(class), GTK_TYPE_BOX_LAYOUT);
	gtk_widget_class_set_accessible_role(GTK_WIDGET_CLASS(class), GTK_ACCESSIBLE_ROLE_GROUP);
	stop_signal = g_signal_new("stop", KSV_TYPE_SCAN_BAR, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
				   NULL, G_TYPE_NONE, 0);
}

static void ksv_scan_bar_init(KsvScanBar *self)
{
	self->label = gtk_label_new("");
	gtk_label_set_ellipsize(GTK_LABEL(self->label), PANGO_ELLIPSIZE_END);
	gtk_label_set_xalign(GTK_LABEL(self->label), 0);
	gtk_widget_add_css_class(self->label, "dim-label");
	gtk_widget_add_css_class(self->label, "numeric");
	gtk_widget_set_hexpand(self->label, TRUE);
	self->stop = gtk_button_new_with_label(_("Stop"));
	gtk_widget_set_tooltip_text(self->stop, _("Stop reading the events"));
	ksv_scan_bar_set_stop_name(self, _("Stop reading"));
	gtk_widget_set_visible(self->stop, FALSE);
	gtk_widget_set_parent(self->label, GTK_WIDGET(self));
	gtk_widget_set_parent(self->stop, GTK_WIDGET(self));
	g_signal_connect_swapped(self->stop, "clicked", G_CALLBACK(on_stop), self);
	gtk_accessible_update_property(GTK_ACCESSIBLE(self), GTK_ACCESSIBLE_PROPERTY_LABEL,
				       _("Progress of reading the events"), -1);
}

GtkWidget *ksv_scan_bar_new(void)
{
	return g_object_new(KSV_TYPE_SCAN_BAR, NULL);
}
