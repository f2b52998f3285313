// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "ksv-sql-page.h"

#include "../../db/quote.h"
#include "i18n.h"
#include "ksv-sql-chart.h"
#include "ksv-sql-schema.h"

#define EXAMPLE                                                                                    \
	"SELECT kind, path, count(*) AS calls, sum(req) AS bytes\nFROM events GROUP BY kind, path ORDER BY calls DESC"

struct _KsvSqlPage {
	GtkWidget parent_instance;
	GtkWidget *paned;
	GtkTextView *editor;
	GtkLabel *status;
	GtkColumnView *table;
	KsvSqlChart *chart;
	KsvSqlSchema *schema;
	GtkStack *shown; // "nothing", "table" or "chart"
	GtkWidget *switcher;
	GtkButton *run;
	GCancellable *cancel; // of the running statement, NULL none
	GListStore *rows;
	char *path;
	GPtrArray *asked; // statements that ran, in order
	guint recalled;	  // of these, asked->len: the one being written
};

G_DEFINE_FINAL_TYPE(KsvSqlPage, ksv_sql_page, GTK_TYPE_WIDGET)

static guint link_signal;

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

static void on_bind(GtkSignalListItemFactory *factory, GtkListItem *item, gpointer data)
{
	GtkStringList *row = gtk_list_item_get_item(item);

	(void)factory;
	gtk_inscription_set_text(GTK_INSCRIPTION(gtk_list_item_get_child(item)),
				 gtk_string_list_get_string(row, GPOINTER_TO_UINT(data)));
}

static void clear_columns(KsvSqlPage *self)
{
	GListModel *columns = gtk_column_view_get_columns(self->table);

	while (g_list_model_get_n_items(columns)) {
		g_autoptr(GtkColumnViewColumn) c = g_list_model_get_item(columns, 0);

		gtk_column_view_remove_column(self->table, c);
	}
}

// With two columns of numbers there is a chart to look at.
static void show_chart(KsvSqlPage *self, const struct sql_answer *a)
{
	gboolean drawn = ksv_sql_chart_set_answer(self->chart, a);

	gtk_widget_set_visible(self->switcher, drawn);
	if (!drawn || !strcmp(gtk_stack_get_visible_child_name(self->shown), "nothing"))
		gtk_stack_set_visible_child_name(self->shown, "table");
}

// No statement was run on this recording yet.
static void show_nothing(KsvSqlPage *self)
{
	g_list_store_remove_all(self->rows);
	clear_columns(self);
	gtk_widget_set_visible(self->switcher, FALSE);
	gtk_stack_set_visible_child_name(self->shown, "nothing");
	gtk_widget_remove_css_class(GTK_WIDGET(self->status), "error");
	gtk_label_set_text(self->status, _("Ctrl+Enter runs. Only reads, at most 10,000 rows "
					   "and 20 seconds; Esc stops."));
}

static void show_answer(KsvSqlPage *self, const struct sql_answer *a)
{
	g_autofree char *status = NULL;

	g_list_store_remove_all(self->rows);
	clear_columns(self);
	for (guint i = 0; a->columns[i]; i++) {
		GtkListItemFactory *factory = gtk_signal_list_item_factory_new();
		g_autoptr(GtkColumnViewColumn) column = NULL;

		g_signal_connect(factory, "setup", G_CALLBACK(on_setup), NULL);
		g_signal_connect(factory, "bind", G_CALLBACK(on_bind), GUINT_TO_POINTER(i));
		column = gtk_column_view_column_new(a->columns[i], factory);
		gtk_column_view_column_set_resizable(column, TRUE);
		gtk_column_view_column_set_fixed_width(column, 140);
		gtk_column_view_append_column(self->table, column);
	}
	for (guint i = 0; i < a->rows->len; i++) {
		g_autoptr(GtkStringList) row =
			gtk_string_list_new((const char *const *)a->rows->pdata[i]);

		g_list_store_append(self->rows, row);
	}
	show_chart(self, a);
	if (!a->rows->len)
		status = g_strdup_printf(_("No row is the answer, after %.2f s"),
					 (double)a->us / 1e6);
	else
		status = g_strdup_printf(_("%u row%s in %.2f s%s"), a->rows->len,
					 a->rows->len == 1 ? "" : "s", (double)a->us / 1e6,
					 a->cut ? "; there are more, which this page leaves out"
						: "");
	gtk_label_set_text(self->status, status);
}

// What a column's name says its numbers are; NULL: nothing to go to.
static const char *link_kind(const char *column)
{
	static const struct {
		const char *column, *kind;
	} kinds[] = {{"event", "event"},       {"id", "event"},		{"ref", "event"},
		     {"first_event", "event"}, {"peak_event", "event"}, {"pfn", "pfn"},
		     {"addr", "addr"}};

	for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++)
		if (!g_ascii_strcasecmp(column, kinds[i].column))
			return kinds[i].kind;
	return NULL;
}

void ksv_sql_page_activate(KsvSqlPage *self, guint at)
{
	g_autoptr(GtkStringList) row = g_list_model_get_item(G_LIST_MODEL(self->rows), at);
	GListModel *columns = gtk_column_view_get_columns(self->table);

	for (guint i = 0; row && i < g_list_model_get_n_items(columns); i++) {
		g_autoptr(GtkColumnViewColumn) c = g_list_model_get_item(columns, i);
		const char *kind = link_kind(gtk_column_view_column_get_title(c));
		guint64 value = g_ascii_strtoull(gtk_string_list_get_string(row, i), NULL, 0);

		if (!kind || !value)
			continue;
		g_signal_emit(self, link_signal, 0, kind, value);
		return;
	}
}

static void on_activate(GtkColumnView *table, guint at, KsvSqlPage *self)
{
	(void)table;
	ksv_sql_page_activate(self, at);
}

void ksv_sql_page_recall(KsvSqlPage *self, int by)
{
	guint to = (guint)CLAMP((int)self->recalled + by, 0, (int)self->asked->len);

	if (to == self->recalled)
		return;
	self->recalled = to;
	gtk_text_buffer_set_text(gtk_text_view_get_buffer(self->editor),
				 to < self->asked->len ? self->asked->pdata[to] : "", -1);
}

static void remember(KsvSqlPage *self, const char *sql)
{
	if (!self->asked->len || strcmp(self->asked->pdata[self->asked->len - 1], sql))
		g_ptr_array_add(self->asked, g_strdup(sql));
	self->recalled = self->asked->len;
}

static void set_busy(KsvSqlPage *self, GCancellable *cancel)
{
	g_clear_object(&self->cancel);
	self->cancel = cancel;
	gtk_button_set_label(self->run, cancel ? "Stop" : "Run");
	gtk_widget_set_tooltip_text(GTK_WIDGET(self->run),
				    cancel ? "Stop the statement (Esc)"
					   : "Run the statement (Ctrl+Enter)");
}

static void done(GObject *object, GAsyncResult *result, gpointer data)
{
	KsvSqlPage *self = KSV_SQL_PAGE(object);
	g_autoptr(GError) error = NULL;
	struct sql_answer *a = sql_ask_finish(result, &error);

	(void)data;
	set_busy(self, NULL);
	if (a) {
		gtk_widget_remove_css_class(GTK_WIDGET(self->status), "error");
		if (self->paned)
			show_answer(self, a);
		sql_answer_free(a);
	} else if (self->paned) {
		gtk_widget_add_css_class(GTK_WIDGET(self->status), "error");
		gtk_label_set_text(self->status, error->message);
	}
}

void ksv_sql_page_run(KsvSqlPage *self, const char *sql)
{
	GCancellable *cancel;

	if (self->cancel || !self->path)
		return;
	remember(self, sql);
	cancel = g_cancellable_new();
	set_busy(self, cancel);
	gtk_label_set_text(self->status, _("Running…"));
	sql_ask_async(G_OBJECT(self), self->path, sql, cancel, done, NULL);
}

static void run_editor(KsvSqlPage *self)
{
	GtkTextBuffer *buffer = gtk_text_view_get_buffer(self->editor);
	g_autofree char *sql = NULL;
	GtkTextIter start, end;

	if (self->cancel) {
		g_cancellable_cancel(self->cancel);
		return;
	}
	gtk_text_buffer_get_bounds(buffer, &start, &end);
	sql = gtk_text_buffer_get_text(buffer, &start, &end, FALSE);
	ksv_sql_page_run(self, sql);
}

static gboolean on_key(GtkEventControllerKey *controller, guint key, guint code,
		       GdkModifierType state, KsvSqlPage *self)
{
	gboolean enter = key == GDK_KEY_Return || key == GDK_KEY_KP_Enter;

	(void)controller;
	(void)code;
	if (enter && state & GDK_CONTROL_MASK && !self->cancel)
		run_editor(self);
	else if (state & GDK_CONTROL_MASK && (key == GDK_KEY_Up || key == GDK_KEY_Down))
		ksv_sql_page_recall(self, key == GDK_KEY_Up ? -1 : 1);
	else if (key == GDK_KEY_Escape && self->cancel)
		g_cancellable_cancel(self->cancel);
	else
		return FALSE;
	return TRUE;
}

void ksv_sql_page_set_path(KsvSqlPage *self, const char *path)
{
	if (self->cancel)
		g_cancellable_cancel(self->cancel);
	g_free(self->path);
	self->path = g_strdup(path);
	ksv_sql_schema_set_path(self->schema, path);
	show_nothing(self);
}

void ksv_sql_page_append_csv(KsvSqlPage *self, GString *csv)
{
	GListModel *columns = gtk_column_view_get_columns(self->table);
	guint n = g_list_model_get_n_items(columns);

	for (guint i = 0; i < n; i++) {
		g_autoptr(GtkColumnViewColumn) c = g_list_model_get_item(columns, i);

		csv_quote(csv, gtk_column_view_column_get_title(c));
		g_string_append(csv, i + 1 == n ? "\r\n" : ",");
	}
	for (guint r = 0; r < ksv_sql_page_get_rows(self); r++) {
		g_autoptr(GtkStringList) row = g_list_model_get_item(G_LIST_MODEL(self->rows), r);

		for (guint i = 0; i < n; i++) {
			csv_quote(csv, gtk_string_list_get_string(row, i));
			g_string_append(csv, i + 1 == n ? "\r\n" : ",");
		}
	}
}

void ksv_sql_page_set_palette(KsvSqlPage *self, const struct palette *pal)
{
	ksv_sql_chart_set_palette(self->chart, pal);
}

void ksv_sql_page_show_chart(KsvSqlPage *self)
{
	if (gtk_widget_get_visible(self->switcher))
		gtk_stack_set_visible_child_name(self->shown, "chart");
}

void ksv_sql_page_focus_editor(KsvSqlPage *self)
{
	gtk_widget_grab_focus(GTK_WIDGET(self->editor));
}

gboolean ksv_sql_page_is_busy(KsvSqlPage *self)
{
	return self->cancel != NULL;
}

const char *ksv_sql_page_get_status(KsvSqlPage *self)
{
	return gtk_label_get_text(self->status);
}

guint ksv_sql_page_get_rows(KsvSqlPage *self)
{
	return g_list_model_get_n_items(G_LIST_MODEL(self->rows));
}

static void ksv_sql_page_dispose(GObject *object)
{
	KsvSqlPage *self = KSV_SQL_PAGE(object);

	if (self->cancel)
		g_cancellable_cancel(self->cancel);
	g_clear_pointer(&self->paned, gtk_widget_unparent);
	g_clear_object(&self->rows);
	g_clear_pointer(&self->asked, g_ptr_array_unref);
	g_clear_pointer(&self->path, g_free);
	G_OBJECT_CLASS(ksv_sql_page_parent_class)->dispose(object);
}

static void ksv_sql_page_class_init(KsvSqlPageClass *class)
{
	G_OBJECT_CLASS(class)->dispose = ksv_sql_page_dispose;
	link_signal = g_signal_new("link", KSV_TYPE_SQL_PAGE, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
				   NULL, G_TYPE_NONE, 2, G_TYPE_STRING, G_TYPE_UINT64);
	gtk_widget_class_set_layout_manager_type(GTK_WIDGET_CLASS(class), GTK_TYPE_BIN_LAYOUT);
}

static const struct {
	const char *title, *sql;
} examples[] = {
	{N_("Calls by kind and path"), EXAMPLE},
	{N_("Who holds memory at the end"),
	 "SELECT function, live_bytes, live_count, calls\nFROM sites ORDER BY live_bytes DESC LIMIT 50"},
	{N_("The longest lives"),
	 "SELECT a.id AS event, a.req, f.t_ns - a.t_ns AS ns\nFROM events f JOIN events a ON a.id = "
	 "f.ref WHERE f.kind = 'free'\nORDER BY ns DESC LIMIT 100"},
	{N_("What the machine did, by kind"),
	 "SELECT kind, zone, count(*) AS times FROM transitions\nGROUP BY kind, zone ORDER BY times "
	 "DESC"},
	{N_("Blocks that were split"),
	 "SELECT event, zone, pfn, \"order\", order2 FROM transitions\nWHERE kind = 'buddy_split' LIMIT "
	 "1000"},
	{N_("Tables and views"),
	 "SELECT type, name, sql FROM sqlite_schema ORDER BY type DESC, name"},
};

static void on_example(GtkDropDown *chooser, GParamSpec *pspec, KsvSqlPage *self)
{
	guint at = gtk_drop_down_get_selected(chooser);

	(void)pspec;
	if (at > 0 && at <= G_N_ELEMENTS(examples))
		gtk_text_buffer_set_text(gtk_text_view_get_buffer(self->editor),
					 examples[at - 1].sql, -1);
}

static GtkWidget *examples_button(KsvSqlPage *self)
{
	g_autoptr(GtkStringList) names = gtk_string_list_new(NULL);
	GtkWidget *chooser;

	gtk_string_list_append(names, _("Examples"));
	for (unsigned i = 0; i < G_N_ELEMENTS(examples); i++)
		gtk_string_list_append(names, _(examples[i].title));
	chooser = gtk_drop_down_new(g_object_ref(G_LIST_MODEL(names)), NULL);
	gtk_accessible_update_property(GTK_ACCESSIBLE(chooser), GTK_ACCESSIBLE_PROPERTY_LABEL,
				       _("Example statements"), -1);
	g_signal_connect(chooser, "notify::selected", G_CALLBACK(on_example), self);
	return chooser;
}

static void insert_text(KsvSqlPage *self, const char *text)
{
	gtk_text_buffer_insert_at_cursor(gtk_text_view_get_buffer(self->editor), text, -1);
	gtk_widget_grab_focus(GTK_WIDGET(self->editor));
}

static GtkWidget *editor_pane(KsvSqlPage *self)
{
	GtkWidget *box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 6);
	GtkWidget *scrolled = gtk_scrolled_window_new();
	GtkWidget *line = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 12);
	GtkEventController *key = gtk_event_controller_key_new();

	self->editor = GTK_TEXT_VIEW(gtk_text_view_new());
	gtk_text_view_set_monospace(self->editor, TRUE);
	gtk_text_view_set_accepts_tab(self->editor, FALSE);
	gtk_text_view_set_left_margin(self->editor, 8);
	gtk_text_view_set_top_margin(self->editor, 8);
	gtk_text_buffer_set_text(gtk_text_view_get_buffer(self->editor), EXAMPLE, -1);
	gtk_accessible_update_property(GTK_ACCESSIBLE(self->editor), GTK_ACCESSIBLE_PROPERTY_LABEL,
				       _("SQL statement"), -1);
	gtk_event_controller_set_propagation_phase(key, GTK_PHASE_CAPTURE);
	g_signal_connect(key, "key-pressed", G_CALLBACK(on_key), self);
	gtk_widget_add_controller(GTK_WIDGET(self), key);
	self->run = GTK_BUTTON(gtk_button_new_with_label("Run"));
	g_signal_connect_swapped(self->run, "clicked", G_CALLBACK(run_editor), self);
	self->status = GTK_LABEL(gtk_label_new(NULL));
	gtk_label_set_wrap(self->status, TRUE);
	gtk_label_set_xalign(self->status, 0);
	gtk_label_set_selectable(self->status, TRUE);
	gtk_widget_set_hexpand(GTK_WIDGET(self->status), TRUE);
	gtk_scrolled_window_set_child(GTK_SCROLLED_WINDOW(scrolled), GTK_WIDGET(self->editor));
	gtk_widget_set_vexpand(scrolled, TRUE);
	gtk_widget_set_size_request(scrolled, -1, 90);
	gtk_box_append(GTK_BOX(line), GTK_WIDGET(self->run));
	gtk_box_append(GTK_BOX(line), examples_button(self));
	self->schema = KSV_SQL_SCHEMA(ksv_sql_schema_new());
	g_signal_connect_swapped(self->schema, "chosen", G_CALLBACK(insert_text), self);
	gtk_box_append(GTK_BOX(line), GTK_WIDGET(self->schema));
	self->switcher = gtk_stack_switcher_new();
	gtk_stack_switcher_set_stack(GTK_STACK_SWITCHER(self->switcher), self->shown);
	gtk_widget_set_visible(self->switcher, FALSE);
	gtk_box_append(GTK_BOX(line), self->switcher);
	gtk_box_append(GTK_BOX(line), GTK_WIDGET(self->status));
	gtk_widget_set_margin_start(line, 8);
	gtk_widget_set_margin_end(line, 8);
	gtk_widget_set_margin_bottom(line, 6);
	gtk_box_append(GTK_BOX(box), scrolled);
	gtk_box_append(GTK_BOX(box), line);
	return box;
}

static GtkWidget *nothing_page(void)
{
	GtkWidget *label = gtk_label_new(_(
		"The answer appears here.\nRun the statement above with Ctrl+Enter, choose one of "
		"the examples, or look at what there is to ask under Schema."));

	gtk_label_set_wrap(GTK_LABEL(label), TRUE);
	gtk_label_set_justify(GTK_LABEL(label), GTK_JUSTIFY_CENTER);
	gtk_label_set_max_width_chars(GTK_LABEL(label), 48);
	gtk_widget_add_css_class(label, "dim-label");
	return label;
}

static void ksv_sql_page_init(KsvSqlPage *self)
{
	GtkWidget *scrolled = gtk_scrolled_window_new();
	GtkSingleSelection *selection;

	self->shown = GTK_STACK(gtk_stack_new());
	self->rows = g_list_store_new(GTK_TYPE_STRING_LIST);
	self->asked = g_ptr_array_new_with_free_func(g_free);
	selection = gtk_single_selection_new(g_object_ref(G_LIST_MODEL(self->rows)));
	self->table = GTK_COLUMN_VIEW(gtk_column_view_new(GTK_SELECTION_MODEL(selection)));
	gtk_widget_add_css_class(GTK_WIDGET(self->table), "data-table");
	gtk_accessible_update_property(GTK_ACCESSIBLE(self->table), GTK_ACCESSIBLE_PROPERTY_LABEL,
				       _("Result"), -1);
	g_signal_connect(self->table, "activate", G_CALLBACK(on_activate), self);
	gtk_scrolled_window_set_child(GTK_SCROLLED_WINDOW(scrolled), GTK_WIDGET(self->table));
	gtk_widget_set_vexpand(scrolled, TRUE);
	self->chart = KSV_SQL_CHART(ksv_sql_chart_new());
	gtk_stack_add_named(self->shown, nothing_page(), "nothing");
	gtk_stack_add_titled(self->shown, scrolled, "table", _("Table"));
	gtk_stack_add_titled(self->shown, GTK_WIDGET(self->chart), "chart", _("Chart"));
	self->paned = gtk_paned_new(GTK_ORIENTATION_VERTICAL);
	gtk_paned_set_start_child(GTK_PANED(self->paned), editor_pane(self));
	gtk_paned_set_end_child(GTK_PANED(self->paned), GTK_WIDGET(self->shown));
	gtk_paned_set_resize_start_child(GTK_PANED(self->paned), FALSE);
	gtk_paned_set_shrink_start_child(GTK_PANED(self->paned), FALSE);
	gtk_widget_set_parent(self->paned, GTK_WIDGET(self));
	set_busy(self, NULL);
	show_nothing(self);
}

GtkWidget *ksv_sql_page_new(void)
{
	return g_object_new(KSV_TYPE_SQL_PAGE, NULL);
}
