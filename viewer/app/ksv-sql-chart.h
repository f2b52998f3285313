// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// KsvSqlChart: an answer's columns of numbers as a chart; the table beside it has the same figures.
#pragma once

#include <gtk/gtk.h>

#include "../draw/chart.h"
#include "ksv-sql-worker.h"

#define KSV_TYPE_SQL_CHART (ksv_sql_chart_get_type())
G_DECLARE_FINAL_TYPE(KsvSqlChart, ksv_sql_chart, KSV, SQL_CHART, GtkWidget)

GtkWidget *ksv_sql_chart_new(void);
// FALSE: fewer than two columns hold nothing but numbers, or there are no two rows.
gboolean ksv_sql_chart_set_answer(KsvSqlChart *self, const struct sql_answer *a);
void ksv_sql_chart_set_palette(KsvSqlChart *self, const struct palette *pal);
