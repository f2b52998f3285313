// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "ksv-calls.h"
#include "i18n.h"

// ---- one row ----

#define KSV_TYPE_SITE (ksv_site_get_type())
G_DECLARE_FINAL_TYPE(KsvSite, ksv_site, KSV, SITE, GObject)

struct _KsvSite {
	GObject parent_instance;
	struct calltree *tree;
	uint32_t id;
};

G_DEFINE_FINAL_TYPE(KsvSite, ksv_site, G_TYPE_OBJECT)

static void ksv_site_finalize(GObject *object)
{
	calltree_unref(KSV_SITE(object)->tree);
	G_OBJECT_CLASS(ksv_site_parent_class)->finalize(object);
}

static void ksv_site_class_init(KsvSiteClass *class)
{
	G_OBJECT_CLASS(class)->finalize = ksv_site_finalize;
}

static void ksv_site_init(KsvSite *self)
{
	(void)self;
}

enum {
	MOST_ROWS = 20000 // of one parent
};

// The children of a node as a list; NULL when it has none, so that it gets no arrow.
static GListModel *children_of(struct calltree *tree, uint32_t id)
{
	g_autofree uint32_t *child = g_new(uint32_t, MOST_ROWS);
	unsigned n = calltree_children(tree, id, COST_CALLS, child, MOST_ROWS);
	GListStore *list;

	if (!n)
		return NULL;
	list = g_list_store_new(KSV_TYPE_SITE);
	for (unsigned i = 0; i < n; i++) {
		g_autoptr(KsvSite) site = g_object_new(KSV_TYPE_SITE, NULL);

		site->tree = calltree_ref(tree);
		site->id = child[i];
		g_list_store_append(list, site);
	}
	return G_LIST_MODEL(list);
}

static GListModel *expand(gpointer item, gpointer data)
{
	KsvSite *site = KSV_SITE(item);

	(void)data;
	return children_of(site->tree, site->id);
}

// ---- the page ----

struct _KsvSitesPage {
	GtkWidget parent_instance;
	gboolean selecting;	      // no signal back
	GtkWidget *overlay, *nothing; // the table, and above it why it is empty
	GtkColumnView *table;
	struct calltree *shown;
};

G_DEFINE_FINAL_TYPE(KsvSitesPage, ksv_sites_page, GTK_TYPE_WIDGET)

enum {
	SIGNAL_SITE,
	SIGNAL_EVENTS,
	SIGNALS
};
static guint signals[SIGNALS];

static const struct {
	const char *title;
	enum cost cost;
	int width;
} figures[] = {
	{"Peak bytes", COST_PEAK, 108},	   {"Calls", COST_CALLS, 70},
	{"Bytes", COST_BYTES, 98},	   {"Still alive", COST_LIVE, 90},
	{"Temporary", COST_TEMPORARY, 92},
};

static int compare(gconstpointer a, gconstpointer b, gpointer data)
{
	const KsvSite *x = a, *y = b;
	enum cost c = (enum cost)GPOINTER_TO_INT(data);
	uint64_t p = calltree_node(x->tree, x->id)->cost[c];
	uint64_t q = calltree_node(y->tree, y->id)->cost[c];

	return p < q ? -1 : p > q;
}

static int compare_names(gconstpointer a, gconstpointer b, gpointer data)
{
	const KsvSite *x = a, *y = b;

	(void)data;
	return g_strcmp0(calltree_name(x->tree, x->id), calltree_name(y->tree, y->id));
}

static void on_setup_name(GtkSignalListItemFactory *factory, GtkListItem *item, gpointer data)
{
	GtkWidget *expander = gtk_tree_expander_new(), *cell = gtk_inscription_new(NULL);

	(void)factory;
	(void)data;
	gtk_inscription_set_text_overflow(GTK_INSCRIPTION(cell),
					  GTK_INSCRIPTION_OVERFLOW_ELLIPSIZE_END);
	gtk_widget_set_hexpand(cell, TRUE);
	gtk_tree_expander_set_child(GTK_TREE_EXPANDER(expander), cell);
	gtk_list_item_set_child(item, expander);
}

static void on_bind_name(GtkSignalListItemFactory *factory, GtkListItem *item, gpointer data)
{
	GtkTreeListRow *row = gtk_list_item_get_item(item);
	GtkTreeExpander *expander = GTK_TREE_EXPANDER(gtk_list_item_get_child(item));
	g_autoptr(KsvSite) site = gtk_tree_list_row_get_item(row);

	(void)factory;
	(void)data;
	gtk_tree_expander_set_list_row(expander, row);
	gtk_inscription_set_text(GTK_INSCRIPTION(gtk_tree_expander_get_child(expander)),
				 calltree_name(site->tree, site->id));
}

static void on_setup(GtkSignalListItemFactory *factory, GtkListItem *item, gpointer data)
{
	GtkWidget *cell = gtk_inscription_new(NULL);

	(void)factory;
	(void)data;
	gtk_inscription_set_xalign(GTK_INSCRIPTION(cell), 1);
	gtk_widget_add_css_class(cell, "numeric");
	gtk_list_item_set_child(item, cell);
}

static void on_bind(GtkSignalListItemFactory *factory, GtkListItem *item, gpointer data)
{
	g_autoptr(KsvSite) site = gtk_tree_list_row_get_item(gtk_list_item_get_item(item));
	uint64_t cost = calltree_node(site->tree, site->id)->cost[GPOINTER_TO_INT(data)];

	(void)factory;
	gtk_inscription_set_text(GTK_INSCRIPTION(gtk_list_item_get_child(item)), fmt_count(cost).s);
}

static GtkColumnViewColumn *add_column(KsvSitesPage *self, const char *title, GCallback setup,
				       GCallback bind, GCompareDataFunc by, gpointer data)
{
	GtkListItemFactory *factory = gtk_signal_list_item_factory_new();
	g_autoptr(GtkSorter) sorter = GTK_SORTER(gtk_custom_sorter_new(by, data, NULL));
	GtkColumnViewColumn *column;

	g_signal_connect(factory, "setup", setup, data);
	g_signal_connect(factory, "bind", bind, data);
	column = gtk_column_view_column_new(title, factory);
	gtk_column_view_column_set_sorter(column, sorter);
	gtk_column_view_column_set_resizable(column, TRUE);
	gtk_column_view_append_column(self->table, column);
	g_object_unref(column); // the table holds it
	return column;
}

static void add_columns(KsvSitesPage *self)
{
	GtkColumnViewColumn *c =
		add_column(self, "Function, opens into its callers", G_CALLBACK(on_setup_name),
			   G_CALLBACK(on_bind_name), compare_names, NULL);

	gtk_column_view_column_set_expand(c, TRUE);
	gtk_column_view_column_set_fixed_width(
		c, 206); // the least: all columns fit beside the inspector
	for (unsigned i = 0; i < G_N_ELEMENTS(figures); i++) {
		c = add_column(self, figures[i].title, G_CALLBACK(on_setup), G_CALLBACK(on_bind),
			       compare, GINT_TO_POINTER(figures[i].cost));
		gtk_column_view_column_set_fixed_width(c, figures[i].width);
		if (i == 0)
			gtk_column_view_sort_by_column(self->table, c, GTK_SORT_DESCENDING);
	}
}

static const char *function_at(KsvSitesPage *self, guint at)
{
	g_autoptr(GtkTreeListRow) row = g_list_model_get_item(ksv_sites_page_get_rows(self), at);
	g_autoptr(KsvSite) site = row ? gtk_tree_list_row_get_item(row) : NULL;

	return site ? calltree_name(site->tree, site->id) : NULL;
}

static void on_selected(GtkSingleSelection *selection, GParamSpec *pspec, KsvSitesPage *self)
{
	const char *function = function_at(self, gtk_single_selection_get_selected(selection));

	(void)pspec;
	if (function && !self->selecting)
		g_signal_emit(self, signals[SIGNAL_SITE], 0, function);
}

static void on_activate(GtkColumnView *table, guint at, KsvSitesPage *self)
{
	const char *function = function_at(self, at);

	(void)table;
	if (function)
		g_signal_emit(self, signals[SIGNAL_EVENTS], 0, function);
}

void ksv_sites_page_select(KsvSitesPage *self, const char *function)
{
	GtkSelectionModel *selection = gtk_column_view_get_model(self->table);
	guint n = selection ? g_list_model_get_n_items(G_LIST_MODEL(selection)) : 0;

	for (guint i = 0; i < n && *function; i++) {
		if (g_strcmp0(function_at(self, i), function))
			continue;
		self->selecting = TRUE;
		gtk_selection_model_select_item(selection, i, TRUE);
		self->selecting = FALSE;
		return;
	}
}

GtkColumnView *ksv_sites_page_get_table(KsvSitesPage *self)
{
	return self->table;
}

void ksv_sites_page_set_tree(KsvSitesPage *self, struct calltree *callers)
{
	g_autoptr(GtkSingleSelection) selection = NULL;
	GtkTreeListModel *rows;
	GtkSorter *sorter;
	GListModel *top;

	if (callers == self->shown)
		return;
	calltree_unref(self->shown);
	self->shown = calltree_ref(callers);
	top = children_of(self->shown, 0);
	if (!top)
		top = G_LIST_MODEL(g_list_store_new(KSV_TYPE_SITE));
	gtk_label_set_text(GTK_LABEL(self->nothing),
			   _("No call site: nothing was allocated, the recording was made with "
			     "--frames=0, or it is not finished."));
	gtk_widget_set_visible(self->nothing, !g_list_model_get_n_items(top));
	rows = gtk_tree_list_model_new(top, FALSE, FALSE, expand, NULL, NULL);
	sorter = GTK_SORTER(gtk_tree_list_row_sorter_new(
		g_object_ref(gtk_column_view_get_sorter(self->table))));
	selection = gtk_single_selection_new(
		G_LIST_MODEL(gtk_sort_list_model_new(G_LIST_MODEL(rows), sorter)));
	gtk_single_selection_set_autoselect(selection, FALSE);
	gtk_single_selection_set_can_unselect(selection, TRUE);
	gtk_single_selection_set_selected(selection, GTK_INVALID_LIST_POSITION);
	g_signal_connect(selection, "notify::selected", G_CALLBACK(on_selected), self);
	gtk_column_view_set_model(self->table, GTK_SELECTION_MODEL(selection));
}

GListModel *ksv_sites_page_get_rows(KsvSitesPage *self)
{
	return G_LIST_MODEL(gtk_column_view_get_model(self->table));
}

static void ksv_sites_page_dispose(GObject *object)
{
	KsvSitesPage *self = KSV_SITES_PAGE(object);

	g_clear_pointer(&self->overlay, gtk_widget_unparent);
	g_clear_pointer(&self->shown, calltree_unref);
	G_OBJECT_CLASS(ksv_sites_page_parent_class)->dispose(object);
}

static void ksv_sites_page_class_init(KsvSitesPageClass *class)
{
	G_OBJECT_CLASS(class)->dispose = ksv_sites_page_dispose;
	gtk_widget_class_set_layout_manager_type(GTK_WIDGET_CLASS(class), GTK_TYPE_BIN_LAYOUT);
	signals[SIGNAL_SITE] = g_signal_new("site", KSV_TYPE_SITES_PAGE, G_SIGNAL_RUN_LAST, 0, NULL,
					    NULL, NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
	signals[SIGNAL_EVENTS] = g_signal_new("events", KSV_TYPE_SITES_PAGE, G_SIGNAL_RUN_LAST, 0,
					      NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
}

static void ksv_sites_page_init(KsvSitesPage *self)
{
	GtkWidget *scrolled = gtk_scrolled_window_new();

	self->overlay = gtk_overlay_new();
	self->table = GTK_COLUMN_VIEW(gtk_column_view_new(NULL));
	gtk_widget_add_css_class(GTK_WIDGET(self->table), "data-table");
	gtk_accessible_update_property(GTK_ACCESSIBLE(self->table), GTK_ACCESSIBLE_PROPERTY_LABEL,
				       _("Call sites"), -1);
	g_signal_connect(self->table, "activate", G_CALLBACK(on_activate), self);
	add_columns(self);
	gtk_scrolled_window_set_child(GTK_SCROLLED_WINDOW(scrolled), GTK_WIDGET(self->table));
	self->nothing = gtk_label_new(_("Reading the call sites…"));
	gtk_label_set_wrap(GTK_LABEL(self->nothing), TRUE);
	gtk_label_set_justify(GTK_LABEL(self->nothing), GTK_JUSTIFY_CENTER);
	gtk_label_set_max_width_chars(GTK_LABEL(self->nothing), 48);
	gtk_widget_set_halign(self->nothing, GTK_ALIGN_CENTER);
	gtk_widget_set_valign(self->nothing, GTK_ALIGN_CENTER);
	gtk_widget_add_css_class(self->nothing, "dim-label");
	gtk_overlay_set_child(GTK_OVERLAY(self->overlay), scrolled);
	gtk_overlay_add_overlay(GTK_OVERLAY(self->overlay), self->nothing);
	gtk_widget_set_parent(self->overlay, GTK_WIDGET(self));
}

GtkWidget *ksv_sites_page_new(void)
{
	return g_object_new(KSV_TYPE_SITES_PAGE, NULL);
}
