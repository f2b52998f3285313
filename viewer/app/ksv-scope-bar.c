// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "ksv-scope-bar.h"

#include "i18n.h"
#include "ksv-map-page.h"

struct _KsvScopeBar {
	GtkWidget parent_instance;
	GtkWidget *chooser, *bar;
};

G_DEFINE_FINAL_TYPE(KsvScopeBar, ksv_scope_bar, GTK_TYPE_WIDGET)

enum {
	SIGNAL_SCOPE,
	SIGNAL_STOP,
	SIGNALS
};
static guint signals[SIGNALS];

void ksv_scope_bar_set_scope(KsvScopeBar *self, enum call_scope scope)
{
	gtk_drop_down_set_selected(GTK_DROP_DOWN(self->chooser), scope);
}

void ksv_scope_bar_set_state(KsvScopeBar *self, const char *text, gboolean running)
{
	ksv_scan_bar_set(KSV_SCAN_BAR(self->bar), text, running);
}

static void on_chosen(KsvScopeBar *self)
{
	g_signal_emit(self, signals[SIGNAL_SCOPE], 0,
		      gtk_drop_down_get_selected(GTK_DROP_DOWN(self->chooser)));
}

static void on_stop(KsvScopeBar *self)
{
	g_signal_emit(self, signals[SIGNAL_STOP], 0);
}

static void ksv_scope_bar_dispose(GObject *object)
{
	KsvScopeBar *self = KSV_SCOPE_BAR(object);

	g_clear_pointer(&self->chooser, gtk_widget_unparent);
	g_clear_pointer(&self->bar, gtk_widget_unparent);
	G_OBJECT_CLASS(ksv_scope_bar_parent_class)->dispose(object);
}

static void ksv_scope_bar_class_init(KsvScopeBarClass *class)
{
	G_OBJECT_CLASS(class)->dispose = ksv_scope_bar_dispose;
	gtk_widget_class_set_layout_manager_type(GTK_WIDGET_CLASS(class), GTK_TYPE_BOX_LAYOUT);
	gtk_widget_class_set_accessible_role(GTK_WIDGET_CLASS(class), GTK_ACCESSIBLE_ROLE_GROUP);
	signals[SIGNAL_SCOPE] = g_signal_new("scope", KSV_TYPE_SCOPE_BAR, G_SIGNAL_RUN_LAST, 0,
					     NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_UINT);
	signals[SIGNAL_STOP] = g_signal_new("stop", KSV_TYPE_SCOPE_BAR, G_SIGNAL_RUN_LAST, 0, NULL,
					    NULL, NULL, G_TYPE_NONE, 0);
}

static void ksv_scope_bar_init(KsvScopeBar *self)
{
	const char *names[SCOPES + 1] = {NULL};
	GtkWidget *widget = GTK_WIDGET(self);

	for (unsigned s = 0; s < SCOPES; s++)
		names[s] = scope_name(s);
	self->chooser =
		ksv_chooser_new(names, _("What is counted"),
				_("What is counted; Shift+drag on the timeline picks a range"));
	self->bar = ksv_scan_bar_new();
	gtk_widget_set_hexpand(self->bar, TRUE);
	gtk_widget_set_parent(self->chooser, widget);
	gtk_widget_set_parent(self->bar, widget);
	gtk_box_layout_set_spacing(GTK_BOX_LAYOUT(gtk_widget_get_layout_manager(widget)), 8);
	gtk_widget_set_margin_start(widget, 12);
	gtk_widget_set_margin_end(widget, 12);
	gtk_widget_set_margin_top(widget, 6);
	gtk_widget_set_margin_bottom(widget, 4);
	gtk_accessible_update_property(GTK_ACCESSIBLE(self), GTK_ACCESSIBLE_PROPERTY_LABEL,
				       _("What is counted"), -1);
	g_signal_connect_swapped(self->chooser, "notify::selected", G_CALLBACK(on_chosen), self);
	g_signal_connect_swapped(self->bar, "stop", G_CALLBACK(on_stop), self);
}

GtkWidget *ksv_scope_bar_new(void)
{
	return g_object_new(KSV_TYPE_SCOPE_BAR, NULL);
}
