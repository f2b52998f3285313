// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Who allocated: the flame graph with its controls, and KsvSitesPage, the same figures as a table
// of allocating functions that open into their callers.
#pragma once

#include "ksv-canvas.h"

#define KSV_TYPE_SITES_PAGE (ksv_sites_page_get_type())
G_DECLARE_FINAL_TYPE(KsvSitesPage, ksv_sites_page, KSV, SITES_PAGE, GtkWidget)

// A box around the picture, with what is counted above it.
GtkWidget *ksv_flame_page_new(KsvCanvas *canvas, GtkWidget *scope);
void ksv_flame_page_set_search(GtkWidget *page, const char *text);
void ksv_flame_page_focus_search(GtkWidget *page);
gboolean ksv_flame_page_is_inverted(GtkWidget *page); // from the allocating functions
gboolean ksv_flame_page_is_folded(GtkWidget *page);   // without recursion
// Called with the data when one of these is switched.
void ksv_flame_page_on_switch(GtkWidget *page, GCallback fn, gpointer data);

GtkWidget *ksv_sites_page_new(void);
// Signals: "site" (string): a function was selected. "events" (string): its events are wanted.
void ksv_sites_page_select(KsvSitesPage *self, const char *function); // among the top rows
GtkColumnView *ksv_sites_page_get_table(KsvSitesPage *self);
void ksv_sites_page_set_tree(KsvSitesPage *self, struct calltree *callers); // takes a reference
GListModel *ksv_sites_page_get_rows(KsvSitesPage *self); // as sorted and expanded; for tests
