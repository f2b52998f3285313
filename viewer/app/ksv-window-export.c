// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// What is shown as a file: the view as PNG or SVG, its table as CSV; and the table in a window of
// its own, for those who cannot use the picture.
#include <cairo-svg.h>
#include <errno.h>

#include "../../db/quote.h"
#include "../draw/events.h"
#include "../table.h"
#include "i18n.h"
#include "ksv-table-window.h"
#include "ksv-window-private.h"

static const char *shown_id(KsvWindow *self)
{
	return gtk_stack_get_visible_child_name(self->views);
}

// ---- pictures ----

// Pages made of widgets are drawn as the screen shows them.
static void draw_widget(GtkWidget *widget, cairo_t *cr)
{
	int w = gtk_widget_get_width(widget), h = gtk_widget_get_height(widget);
	g_autoptr(GdkPaintable) paintable = gtk_widget_paintable_new(widget);
	GtkSnapshot *snapshot = gtk_snapshot_new();
	GskRenderNode *node;

	gdk_paintable_snapshot(paintable, snapshot, w, h);
	node = gtk_snapshot_free_to_node(snapshot);
	if (node)
		gsk_render_node_draw(node, cr);
	g_clear_pointer(&node, gsk_render_node_unref);
}

static void draw_shown(KsvWindow *self, cairo_t *cr, int w, int h)
{
	unsigned view = ksv_window_shown_view(self);

	if (view < VIEWS && self->canvas[view]) {
		ksv_canvas_draw(self->canvas[view], cr, w, h);
		return;
	}
	cairo_set_source_rgb(cr, 1, 1, 1);
	if (adw_style_manager_get_dark(adw_style_manager_get_default()))
		cairo_set_source_rgb(cr, 0.14, 0.14, 0.14);
	cairo_paint(cr);
	draw_widget(gtk_stack_get_visible_child(self->views), cr);
}

static gboolean picture_error(GError **error, const char *path, cairo_status_t status)
{
	g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, _("Cannot write %s: %s"), path,
		    status == CAIRO_STATUS_WRITE_ERROR ? g_strerror(errno)
						       : cairo_status_to_string(status));
	return FALSE;
}

gboolean ksv_window_export_picture(KsvWindow *self, const char *path, GError **error)
{
	GtkWidget *page = gtk_stack_get_visible_child(self->views);
	gboolean svg = g_str_has_suffix(path, ".svg");
	int w = MAX(320, gtk_widget_get_width(page)), h = MAX(200, gtk_widget_get_height(page));
	cairo_surface_t *s = svg ? cairo_svg_surface_create(path, w, h)
				 : cairo_image_surface_create(CAIRO_FORMAT_RGB24, 2 * w, 2 * h);
	cairo_t *cr = cairo_create(s);
	cairo_status_t status;

	if (!svg) // twice the size: for print and for dense screens
		cairo_scale(cr, 2, 2);
	draw_shown(self, cr, w, h);
	status = cairo_status(cr);
	cairo_destroy(cr);
	if (status == CAIRO_STATUS_SUCCESS && !svg)
		status = cairo_surface_write_to_png(s, path);
	cairo_surface_finish(s);
	if (status == CAIRO_STATUS_SUCCESS)
		status = cairo_surface_status(s);
	cairo_surface_destroy(s);
	return status == CAIRO_STATUS_SUCCESS || picture_error(error, path, status);
}

// ---- tables ----

static void append_event(GString *csv, const struct event_row *r)
{
	char detail[128];

	event_detail(r, detail, sizeof(detail));
	g_string_append_printf(csv,
			       "%" G_GUINT64_FORMAT ",%" G_GINT64_FORMAT ",%s,0x%" G_GINT64_MODIFIER
			       "x,%" G_GUINT64_FORMAT ",%s,",
			       r->id, r->t_ns, event_name(r->kind), r->addr, r->req,
			       op_path_name(r->path));
	csv_quote(csv, detail);
	g_string_append_printf(csv, ",%d,%d,%d,%u,%" G_GUINT64_FORMAT "\r\n", r->process, r->thread,
			       r->cpu, r->stack, r->ref);
}

struct events_job { // of the worker that writes the table of events
	char *path, *to;
	GArray *ids; // NULL: all
};

static void events_job_free(gpointer data)
{
	struct events_job *j = data;

	g_free(j->path);
	g_free(j->to);
	if (j->ids)
		g_array_unref(j->ids);
	g_free(j);
}

static gboolean write_events(struct recording *r, const struct events_job *j, GOutputStream *out,
			     GError **error)
{
	uint64_t n = j->ids ? j->ids->len : recording_events(r);
	g_autoptr(GString) csv =
		g_string_new("event,ns,operation,address,bytes,path,detail,process,"
			     "thread,cpu,stack,match\r\n");
	struct event_row rows[256];

	for (uint64_t i = 0; i < n;) {
		unsigned got = recording_rows(r, j->ids ? g_array_index(j->ids, guint64, i) : i + 1,
					      j->ids ? 1 : G_N_ELEMENTS(rows), rows);

		for (unsigned k = 0; k < got; k++)
			append_event(csv, &rows[k]);
		i += j->ids ? 1 : G_N_ELEMENTS(rows);
		if (csv->len < 1 << 16 && i < n)
			continue;
		if (!g_output_stream_write_all(out, csv->str, csv->len, NULL, NULL, error))
			return FALSE;
		g_string_truncate(csv, 0);
	}
	return g_output_stream_write_all(out, csv->str, csv->len, NULL, NULL, error) &&
	       g_output_stream_close(out, NULL, error);
}

static void events_thread(GTask *task, gpointer object, gpointer data, GCancellable *cancellable)
{
	struct events_job *j = data;
	g_autoptr(GFile) file = g_file_new_for_path(j->to);
	g_autoptr(GFileOutputStream) out = NULL;
	enum recording_error code;
	GError *error = NULL;
	char err[512];
	struct recording *r = recording_open(j->path, &code, err, sizeof(err));

	(void)object;
	(void)cancellable;
	if (!r)
		error = g_error_new_literal(G_IO_ERROR, G_IO_ERROR_FAILED, err);
	else
		out = g_file_replace(file, NULL, FALSE, G_FILE_CREATE_NONE, NULL, &error);
	if (out)
		write_events(r, j, G_OUTPUT_STREAM(out), &error);
	recording_close(r);
	if (error)
		g_task_return_error(task, error);
	else
		g_task_return_boolean(task, TRUE);
}

static void events_written(GObject *object, GAsyncResult *result, gpointer data)
{
	const struct events_job *j = g_task_get_task_data(G_TASK(result));
	g_autoptr(GError) error = NULL;
	g_autofree char *text = NULL;

	(void)data;
	if (g_task_propagate_boolean(G_TASK(result), &error))
		text = g_strdup_printf(_("Written: %s"), j->to);
	else
		text = g_strdup(error->message);
	ksv_window_toast(KSV_WINDOW(object), text);
}

static void export_events(KsvWindow *self, const char *path)
{
	struct events_job *j = g_new0(struct events_job, 1);
	g_autoptr(GTask) task = g_task_new(self, NULL, events_written, NULL);

	j->path = g_strdup(self->path);
	j->to = g_strdup(path);
	j->ids = ksv_events_page_copy_ids(self->events_page);
	g_task_set_task_data(task, j, events_job_free);
	g_task_run_in_thread(task, events_thread);
}

// The table of what the view shows: with a free list picked that of its blocks, and of the calls that
// are drawn. FALSE: it has none.
static gboolean build_table(KsvWindow *self, const char *view, struct table *t)
{
	if (!strcmp(view, "zones") && self->model->has_list)
		view = "free-list";
	if (strcmp(view, "flame"))
		return table_build(self->model, view, t);
	table_build_calls(ksv_canvas_get_calls(self->canvas[ksv_window_view_index("flame")]), t);
	return TRUE;
}

gboolean ksv_window_export_table(KsvWindow *self, const char *path, GError **error)
{
	const char *view = shown_id(self);
	g_autoptr(GString) csv = g_string_new(NULL);
	struct table t = {0};

	if (!strcmp(view, "events")) {
		export_events(self, path);
		return TRUE;
	}
	if (!strcmp(view, "sql"))
		ksv_sql_page_append_csv(self->sql_page, csv);
	else if (self->model && build_table(self, view, &t))
		table_append_csv(&t, csv);
	table_finish(&t);
	if (!g_file_set_contents(path, csv->str, (gssize)csv->len, error))
		return FALSE;
	return TRUE;
}

// ---- dialogs ----

static void on_chosen(GtkNativeDialog *dialog, int response, KsvWindow *self)
{
	g_autoptr(GFile) file = NULL;
	g_autofree char *path = NULL, *text = NULL;
	g_autoptr(GError) error = NULL;
	gboolean done;

	if (response == GTK_RESPONSE_ACCEPT)
		file = gtk_file_chooser_get_file(GTK_FILE_CHOOSER(dialog));
	path = file ? g_file_get_path(file) : NULL;
	if (path) {
		done = g_str_has_suffix(path, ".csv")
			       ? ksv_window_export_table(self, path, &error)
			       : ksv_window_export_picture(self, path, &error);
		text = done ? g_strdup_printf(_("Written: %s"), path) : g_strdup(error->message);
		ksv_window_toast(self, text);
	}
	g_clear_object(&self->chooser);
}

static void export_action(GtkWidget *widget, const char *name, GVariant *parameter)
{
	KsvWindow *self = KSV_WINDOW(widget);
	const char *kind = g_variant_get_string(parameter, NULL);
	g_autofree char *file = NULL;

	(void)name;
	if (!self->model)
		return;
	file = g_strdup_printf("%s-%" G_GUINT64_FORMAT ".%s", shown_id(self), self->request.event,
			       kind);
	g_clear_object(&self->chooser);
	self->chooser =
		gtk_file_chooser_native_new(_("Export"), GTK_WINDOW(self),
					    GTK_FILE_CHOOSER_ACTION_SAVE, _("_Save"), _("_Cancel"));
	gtk_file_chooser_set_current_name(GTK_FILE_CHOOSER(self->chooser), file);
	g_signal_connect(self->chooser, "response", G_CALLBACK(on_chosen), self);
	gtk_native_dialog_show(GTK_NATIVE_DIALOG(self->chooser));
}

static void table_action(GtkWidget *widget, const char *name, GVariant *parameter)
{
	KsvWindow *self = KSV_WINDOW(widget);
	unsigned view = ksv_window_shown_view(self);
	g_autofree char *title = NULL;
	struct table t;

	(void)name;
	(void)parameter;
	if (!self->model || view >= VIEWS || !build_table(self, views[view].id, &t)) {
		ksv_window_toast(self, _("This page is a table already"));
		return;
	}
	title = g_strdup_printf(_("%s at event %s"), views[view].title,
				fmt_count(self->model->event).s);
	gtk_window_present(ksv_table_window_new(GTK_WINDOW(self), title, &t));
}

void ksv_window_install_export(GtkWidgetClass *class)
{
	gtk_widget_class_install_action(class, "win.export", "s", export_action);
	gtk_widget_class_install_action(class, "win.table", NULL, table_action);
}
