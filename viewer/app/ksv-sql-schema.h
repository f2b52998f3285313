// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// KsvSqlSchema: a button that opens the list of the recording's views and tables with their columns.
//
// Signal "chosen" (string): a name to be written into the statement.
#pragma once

#include <gtk/gtk.h>

#define KSV_TYPE_SQL_SCHEMA (ksv_sql_schema_get_type())
G_DECLARE_FINAL_TYPE(KsvSqlSchema, ksv_sql_schema, KSV, SQL_SCHEMA, GtkWidget)

GtkWidget *ksv_sql_schema_new(void);
void ksv_sql_schema_set_path(KsvSqlSchema *self, const char *path); // of the recording; NULL none
guint ksv_sql_schema_get_rows(KsvSqlSchema *self);
