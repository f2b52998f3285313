// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "ksv-sql-chart.h"

#include <math.h>

#include "i18n.h"
#include "ksv-canvas.h"

struct _KsvSqlChart {
	GtkWidget parent_instance;
	struct chart chart; // n == 0: nothing to draw
	GStrv names;
	double *numbers; // of all its columns
	const struct palette *pal;
};

G_DEFINE_FINAL_TYPE(KsvSqlChart, ksv_sql_chart, GTK_TYPE_WIDGET)

static gboolean to_number(const char *text, double *value)
{
	char *end;

	*value = g_ascii_strtod(text, &end);
	return *text && !*end && isfinite(*value);
}

static gboolean read_column(const struct sql_answer *a, guint column, double *to)
{
	for (guint i = 0; i < a->rows->len; i++)
		if (!to_number(((GStrv)a->rows->pdata[i])[column], &to[i]))
			return FALSE;
	return TRUE;
}

static void describe(KsvSqlChart *self)
{
	const struct chart *c = &self->chart;
	g_autoptr(GString) text = g_string_new(NULL);

	g_string_append_printf(text, _("%u points across %s:"), c->n, c->across);
	for (unsigned k = 0; k < c->series; k++) {
		double least = c->y[k][0], most = least;

		for (unsigned i = 1; i < c->n; i++) {
			least = MIN(least, c->y[k][i]);
			most = MAX(most, c->y[k][i]);
		}
		g_string_append_printf(text, _(" %s from %g to %g."), c->name[k], least, most);
	}
	gtk_accessible_update_property(GTK_ACCESSIBLE(self), GTK_ACCESSIBLE_PROPERTY_DESCRIPTION,
				       text->str, -1);
}

gboolean ksv_sql_chart_set_answer(KsvSqlChart *self, const struct sql_answer *a)
{
	guint n = g_strv_length(a->columns), found = 0;

	g_free(self->numbers);
	g_strfreev(self->names);
	self->names = g_strdupv(a->columns);
	self->numbers = g_new0(double, (gsize)(CHART_SERIES + 1) * MAX(1, a->rows->len));
	self->chart = (struct chart){.n = a->rows->len};
	for (guint i = 0; i < n && found <= CHART_SERIES; i++) {
		double *to = self->numbers + (gsize)found * a->rows->len;

		if (!read_column(a, i, to))
			continue;
		if (found) {
			self->chart.name[found - 1] = self->names[i];
			self->chart.y[found - 1] = to;
		} else {
			self->chart.across = self->names[i];
			self->chart.x = to;
		}
		found++;
	}
	self->chart.series = found ? found - 1 : 0;
	if (!self->chart.series || self->chart.n < 2)
		self->chart = (struct chart){0};
	else
		describe(self);
	gtk_widget_queue_draw(GTK_WIDGET(self));
	return self->chart.n > 0;
}

void ksv_sql_chart_set_palette(KsvSqlChart *self, const struct palette *pal)
{
	self->pal = pal;
	gtk_widget_queue_draw(GTK_WIDGET(self));
}

static void ksv_sql_chart_snapshot(GtkWidget *widget, GtkSnapshot *snapshot)
{
	KsvSqlChart *self = KSV_SQL_CHART(widget);
	int w = gtk_widget_get_width(widget), h = gtk_widget_get_height(widget);
	double text = canvas_text_scale(widget);
	cairo_t *cr;

	if (!self->chart.n || w < 2 || h < 2)
		return;
	cr = gtk_snapshot_append_cairo(snapshot, &GRAPHENE_RECT_INIT(0, 0, (float)w, (float)h));
	cairo_scale(cr, text, text);
	draw_chart(cr, &self->chart, w / text, h / text, self->pal);
	cairo_destroy(cr);
}

static void ksv_sql_chart_finalize(GObject *object)
{
	KsvSqlChart *self = KSV_SQL_CHART(object);

	g_free(self->numbers);
	g_strfreev(self->names);
	G_OBJECT_CLASS(ksv_sql_chart_parent_class)->finalize(object);
}

static void ksv_sql_chart_class_init(KsvSqlChartClass *class)
{
	GtkWidgetClass *widget_class = GTK_WIDGET_CLASS(class);

	G_OBJECT_CLASS(class)->finalize = ksv_sql_chart_finalize;
	widget_class->snapshot = ksv_sql_chart_snapshot;
	gtk_widget_class_set_accessible_role(widget_class, GTK_ACCESSIBLE_ROLE_IMG);
}

static void ksv_sql_chart_init(KsvSqlChart *self)
{
	self->pal = palette_get(FALSE);
	gtk_widget_set_hexpand(GTK_WIDGET(self), TRUE);
	gtk_widget_set_vexpand(GTK_WIDGET(self), TRUE);
	gtk_accessible_update_property(GTK_ACCESSIBLE(self), GTK_ACCESSIBLE_PROPERTY_LABEL,
				       _("Chart of the answer"), -1);
}

GtkWidget *ksv_sql_chart_new(void)
{
	return g_object_new(KSV_TYPE_SQL_CHART, NULL);
}
