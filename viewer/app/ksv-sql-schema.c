// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "ksv-sql-schema.h"

#include "i18n.h"
#include "ksv-sql-worker.h"

// Views first: they are what people read.
#define SCHEMA                                                                                     \
	"SELECT m.name, m.type, group_concat(p.name, ', ') FROM sqlite_schema m"                   \
	" JOIN pragma_table_info(m.name) p WHERE m.type IN ('view', 'table')"                      \
	" AND m.name NOT LIKE 'sqlite_%' GROUP BY m.type, m.name ORDER BY m.type DESC, m.name"

struct _KsvSqlSchema {
	GtkWidget parent_instance;
	GtkWidget *button;
	GtkListBox *list;
	char *path;
	gboolean asked; // of this path
	guint rows;
};

G_DEFINE_FINAL_TYPE(KsvSqlSchema, ksv_sql_schema, GTK_TYPE_WIDGET)

static guint chosen_signal;

static GtkWidget *row_of(const char *name, const char *type, const char *columns)
{
	GtkWidget *box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 0), *label = gtk_label_new(NULL),
		  *below = gtk_label_new(columns);
	g_autofree char *text = g_markup_printf_escaped("<b>%s</b>  <small>%s</small>", name, type);

	gtk_label_set_markup(GTK_LABEL(label), text);
	gtk_label_set_xalign(GTK_LABEL(label), 0);
	gtk_label_set_xalign(GTK_LABEL(below), 0);
	gtk_label_set_wrap(GTK_LABEL(below), TRUE);
	gtk_label_set_max_width_chars(GTK_LABEL(below), 60);
	gtk_widget_add_css_class(below, "dim-label");
	gtk_widget_add_css_class(below, "caption");
	gtk_box_append(GTK_BOX(box), label);
	gtk_box_append(GTK_BOX(box), below);
	g_object_set_data_full(G_OBJECT(box), "name", g_strdup(name), g_free);
	return box;
}

static void clear(KsvSqlSchema *self)
{
	GtkListBoxRow *row;

	while ((row = gtk_list_box_get_row_at_index(self->list, 0)))
		gtk_list_box_remove(self->list, GTK_WIDGET(row));
	self->rows = 0;
}

static void done(GObject *object, GAsyncResult *result, gpointer data)
{
	KsvSqlSchema *self = KSV_SQL_SCHEMA(object);
	g_autoptr(GError) error = NULL;
	struct sql_answer *a = sql_ask_finish(result, &error);

	(void)data;
	if (!self->button) { // the page is gone
		g_clear_pointer(&a, sql_answer_free);
		return;
	}
	clear(self);
	for (guint i = 0; a && i < a->rows->len; i++) {
		GStrv row = a->rows->pdata[i];

		gtk_list_box_append(self->list, row_of(row[0], row[1], row[2]));
		self->rows++;
	}
	if (error)
		gtk_list_box_append(self->list,
				    row_of(_("The schema cannot be read"), "", error->message));
	g_clear_pointer(&a, sql_answer_free);
}

static void on_opened(KsvSqlSchema *self)
{
	g_autoptr(GCancellable) cancel = g_cancellable_new();

	if (self->asked || !self->path)
		return;
	self->asked = TRUE;
	sql_ask_async(G_OBJECT(self), self->path, SCHEMA, cancel, done, NULL);
}

static void on_activated(GtkListBox *list, GtkListBoxRow *row, KsvSqlSchema *self)
{
	const char *name = g_object_get_data(G_OBJECT(gtk_list_box_row_get_child(row)), "name");

	(void)list;
	if (!self->rows)
		return;
	gtk_menu_button_popdown(GTK_MENU_BUTTON(self->button));
	g_signal_emit(self, chosen_signal, 0, name);
}

void ksv_sql_schema_set_path(KsvSqlSchema *self, const char *path)
{
	g_free(self->path);
	self->path = g_strdup(path);
	self->asked = FALSE;
	clear(self);
}

guint ksv_sql_schema_get_rows(KsvSqlSchema *self)
{
	return self->rows;
}

static void ksv_sql_schema_dispose(GObject *object)
{
	KsvSqlSchema *self = KSV_SQL_SCHEMA(object);

	g_clear_pointer(&self->button, gtk_widget_unparent);
	g_clear_pointer(&self->path, g_free);
	G_OBJECT_CLASS(ksv_sql_schema_parent_class)->dispose(object);
}

static void ksv_sql_schema_class_init(KsvSqlSchemaClass *class)
{
	G_OBJECT_CLASS(class)->dispose = ksv_sql_schema_dispose;
	gtk_widget_class_set_layout_manager_type(GTK_WIDGET_CLASS(class), GTK_TYPE_BIN_LAYOUT);
	gtk_widget_class_set_accessible_role(GTK_WIDGET_CLASS(class), GTK_ACCESSIBLE_ROLE_GROUP);
	chosen_signal = g_signal_new("chosen", KSV_TYPE_SQL_SCHEMA, G_SIGNAL_RUN_LAST, 0, NULL,
				     NULL, NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
}

static void ksv_sql_schema_init(KsvSqlSchema *self)
{
	GtkWidget *popover = gtk_popover_new(), *scrolled = gtk_scrolled_window_new();

	self->button = gtk_menu_button_new();
	gtk_menu_button_set_label(GTK_MENU_BUTTON(self->button), _("Schema"));
	gtk_widget_set_tooltip_text(self->button, _("Views and tables with their columns"));
	self->list = GTK_LIST_BOX(gtk_list_box_new());
	gtk_list_box_set_selection_mode(self->list, GTK_SELECTION_NONE);
	gtk_accessible_update_property(GTK_ACCESSIBLE(self->list), GTK_ACCESSIBLE_PROPERTY_LABEL,
				       _("Views and tables"), -1);
	gtk_scrolled_window_set_child(GTK_SCROLLED_WINDOW(scrolled), GTK_WIDGET(self->list));
	gtk_scrolled_window_set_policy(GTK_SCROLLED_WINDOW(scrolled), GTK_POLICY_NEVER,
				       GTK_POLICY_AUTOMATIC);
	gtk_widget_set_size_request(scrolled, 460, 360);
	gtk_popover_set_child(GTK_POPOVER(popover), scrolled);
	gtk_menu_button_set_popover(GTK_MENU_BUTTON(self->button), popover);
	gtk_widget_set_parent(self->button, GTK_WIDGET(self));
	gtk_accessible_update_property(GTK_ACCESSIBLE(self), GTK_ACCESSIBLE_PROPERTY_LABEL,
				       _("Schema"), -1);
	g_signal_connect_swapped(popover, "show", G_CALLBACK(on_opened), self);
	g_signal_connect(self->list, "row-activated", G_CALLBACK(on_activated), self);
}

GtkWidget *ksv_sql_schema_new(void)
{
	return g_object_new(KSV_TYPE_SQL_SCHEMA, NULL);
}
