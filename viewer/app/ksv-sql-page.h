// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// KsvSqlPage: questions to the recording in SQL. A statement runs in a worker on a connection of
// its own; only reads, at most SQL_ROWS rows and SQL_SECONDS seconds.
#pragma once

#include <gtk/gtk.h>

#include "../draw/draw.h"
#include "ksv-sql-worker.h"

#define KSV_TYPE_SQL_PAGE (ksv_sql_page_get_type())
G_DECLARE_FINAL_TYPE(KsvSqlPage, ksv_sql_page, KSV, SQL_PAGE, GtkWidget)

// Signal "link" (string "event", "pfn" or "addr", uint64 value): a row was activated that has such a
// column.
GtkWidget *ksv_sql_page_new(void);
void ksv_sql_page_activate(KsvSqlPage *self, guint row); // as Return on it
void ksv_sql_page_recall(KsvSqlPage *self, int by); // statement -1: before, 1: after the one shown
void ksv_sql_page_set_path(KsvSqlPage *self, const char *path); // of the recording, NULL none
void ksv_sql_page_run(KsvSqlPage *self, const char *sql);
void ksv_sql_page_append_csv(KsvSqlPage *self, GString *csv); // the result shown
void ksv_sql_page_focus_editor(KsvSqlPage *self);
gboolean ksv_sql_page_is_busy(KsvSqlPage *self);
const char *ksv_sql_page_get_status(KsvSqlPage *self);
guint ksv_sql_page_get_rows(KsvSqlPage *self);
void ksv_sql_page_set_palette(KsvSqlPage *self, const struct palette *pal);
void ksv_sql_page_show_chart(KsvSqlPage *self); // nothing when the answer gives none
