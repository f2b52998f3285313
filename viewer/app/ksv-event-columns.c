// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "ksv-event-columns.h"

#include "../../db/reader_blocks.h"
#include "../draw/events.h"
#include "../format.h"
#include "i18n.h"
#include "ksv-event-list.h"
#include "ksv-lifetimes.h"

enum {
	COL_ID,
	COL_TIME,
	COL_KIND,
	COL_BYTES,
	COL_LIFETIME,
	COL_SITE,
	COL_ADDRESS,
	COL_PATH,
	COL_DETAIL,
	COL_THREAD,
	COL_CPU,
	COLUMNS
};

enum {
	UNSORTED = FOUND_ORDERS,
	WAIT_MS = 80,	    // for rows that only scroll by
	MOST_KEPT = 1 << 14 // lifetimes
};

static const struct {
	const char *title;
	int width;
	float xalign;
	int order; // enum found_order
} columns[COLUMNS] = {
	[COL_ID] = {N_("Event"), 96, 1, FOUND_BY_EVENT},
	[COL_TIME] = {N_("Time"), 112, 1, FOUND_BY_EVENT},
	[COL_KIND] = {N_("Operation"), 100, 0, FOUND_BY_KIND},
	[COL_BYTES] = {N_("Bytes"), 90, 1, FOUND_BY_BYTES},
	[COL_LIFETIME] = {N_("Lifetime"), 184, 0, FOUND_BY_LIFETIME},
	[COL_SITE] = {N_("Site"), 150, 0, UNSORTED},
	[COL_ADDRESS] = {N_("Address"), 136, 0, FOUND_BY_ADDRESS},
	[COL_PATH] = {N_("Path"), 90, 0, FOUND_BY_PATH},
	[COL_DETAIL] = {N_("Detail"), 170, 0, UNSORTED},
	[COL_THREAD] = {N_("Thread"), 70, 1, FOUND_BY_THREAD},
	[COL_CPU] = {N_("CPU"), 60, 1, FOUND_BY_CPU},
};

struct event_columns {
	GtkColumnView *table;
	struct recording *recording;
	int asked;		 // order of the header that is asked; -1 none
	GHashTable *names;	 // stack -> function
	GHashTable *cells;	 // of lifetimes that are shown -> their KsvEvent
	GHashTable *known;	 // event -> struct lifetime
	KsvLifetimes *lifetimes; // of those on their way; NULL none
	guint wait;
};

// ---- cells ----

static const char *site_of(struct event_columns *c, uint32_t stack)
{
	gpointer key = GSIZE_TO_POINTER((gsize)stack);
	char *name = g_hash_table_lookup(c->names, key);
	struct frame frame;

	if (!stack)
		return "–";
	if (!name && c->recording) {
		name = g_strdup(recording_stack(c->recording, stack, &frame, 1) ? frame.function
										: "–");
		g_hash_table_insert(c->names, key, name);
	}
	return name ? name : "";
}

static gboolean has_lifetime(const struct event_row *r)
{
	return r->ref || (event_allocates(r->kind) && r->addr && !(r->flags & OPF_FAILED));
}

static void lifetime_text(struct event_columns *c, const struct event_row *r, char *buf, gsize size)
{
	const struct lifetime *l = g_hash_table_lookup(c->known, GSIZE_TO_POINTER((gsize)r->id));

	if (!has_lifetime(r))
		g_strlcpy(buf, "–", size);
	else if (!l)
		g_strlcpy(buf, "…", size);
	else if (l->events)
		g_snprintf(buf, size, ngettext("%s event, %s", "%s events, %s", l->events),
			   fmt_count(l->events).s, fmt_time(l->ns).s);
	else if (l->to_the_end)
		g_strlcpy(buf, _("not freed"), size);
	else
		g_snprintf(buf, size, _("over %s events"), fmt_count(LIFETIME_REACH).s);
}

static void cell_text(struct event_columns *c, const struct event_row *r, guint column, char *buf,
		      gsize size)
{
	switch (column) {
	case COL_ID:
		g_strlcpy(buf, fmt_count(r->id).s, size);
		break;
	case COL_TIME:
		g_strlcpy(buf, fmt_time_exact(r->t_ns).s, size);
		break;
	case COL_KIND:
		g_strlcpy(buf, r->kind ? event_name(r->kind) : "–", size);
		break;
	case COL_ADDRESS:
		g_snprintf(buf, size, r->addr ? "0x%08" G_GINT64_MODIFIER "x" : "–", r->addr);
		break;
	case COL_BYTES:
		g_strlcpy(buf, r->req ? fmt_count(r->req).s : "–", size);
		break;
	case COL_LIFETIME:
		lifetime_text(c, r, buf, size);
		break;
	case COL_SITE:
		g_strlcpy(buf, site_of(c, r->stack), size);
		break;
	case COL_PATH:
		g_strlcpy(buf, r->kind ? op_path_name(r->path) : "", size);
		break;
	case COL_DETAIL:
		event_detail(r, buf, size);
		break;
	case COL_THREAD:
		g_snprintf(buf, size, "%d", r->thread);
		break;
	default:
		g_snprintf(buf, size, "%d", r->cpu);
	}
}

static void set_cell(struct event_columns *c, GtkWidget *cell, const struct event_row *r,
		     guint column)
{
	char text[256];

	cell_text(c, r, column, text, sizeof(text));
	gtk_inscription_set_text(GTK_INSCRIPTION(cell), text);
}

// ---- lifetimes ----

static void show_lifetimes(struct event_columns *c)
{
	GHashTableIter iter;
	gpointer cell, event;

	g_hash_table_iter_init(&iter, c->cells);
	while (g_hash_table_iter_next(&iter, &cell, &event))
		set_cell(c, cell, ksv_event_get_row(event), COL_LIFETIME);
}

static void drop_lifetimes(struct event_columns *c)
{
	g_clear_handle_id(&c->wait, g_source_remove);
	if (!c->lifetimes)
		return;
	ksv_reading_stop(KSV_READING(c->lifetimes));
	g_signal_handlers_disconnect_by_data(c->lifetimes, c);
	g_clear_object(&c->lifetimes);
}

static void ask_lifetimes(struct event_columns *c);

static void on_lifetimes(KsvLifetimes *lifetimes, struct event_columns *c)
{
	GArray *found = ksv_lifetimes_get(lifetimes);

	if (ksv_reading_is_running(KSV_READING(lifetimes)))
		return;
	if (g_hash_table_size(c->known) > MOST_KEPT)
		g_hash_table_remove_all(c->known);
	for (guint i = 0; found && i < found->len; i++) {
		struct lifetime *l = &g_array_index(found, struct lifetime, i);

		g_hash_table_insert(c->known, GSIZE_TO_POINTER((gsize)l->event),
				    g_memdup2(l, sizeof(*l)));
	}
	drop_lifetimes(c);
	show_lifetimes(c);
	if (found)
		ask_lifetimes(c);
}

static gboolean on_wait(gpointer data)
{
	struct event_columns *c = data;
	g_autoptr(GArray) events = g_array_new(FALSE, FALSE, sizeof(guint64));
	GHashTableIter iter;
	gpointer event;

	c->wait = 0;
	g_hash_table_iter_init(&iter, c->cells);
	while (g_hash_table_iter_next(&iter, NULL, &event)) {
		const struct event_row *r = ksv_event_get_row(event);

		if (has_lifetime(r) &&
		    !g_hash_table_contains(c->known, GSIZE_TO_POINTER((gsize)r->id)))
			g_array_append_val(events, r->id);
	}
	if (!events->len || !c->recording)
		return G_SOURCE_REMOVE;
	c->lifetimes = ksv_lifetimes_new(recording_path(c->recording),
					 (guint64 *)(void *)events->data, events->len);
	g_signal_connect(c->lifetimes, "changed", G_CALLBACK(on_lifetimes), c);
	return G_SOURCE_REMOVE;
}

// Of the rows shown, once they rest; what is searched for meanwhile comes first.
static void ask_lifetimes(struct event_columns *c)
{
	if (!c->lifetimes && !c->wait)
		c->wait = g_timeout_add(WAIT_MS, on_wait, c);
}

// ---- the table ----

struct column_of {
	struct event_columns *columns;
	guint column;
};

static void on_setup(GtkSignalListItemFactory *factory, GtkListItem *item, struct column_of *of)
{
	GtkWidget *cell = gtk_inscription_new(NULL);

	(void)factory;
	gtk_inscription_set_xalign(GTK_INSCRIPTION(cell), columns[of->column].xalign);
	gtk_inscription_set_text_overflow(GTK_INSCRIPTION(cell),
					  GTK_INSCRIPTION_OVERFLOW_ELLIPSIZE_END);
	gtk_inscription_set_min_lines(GTK_INSCRIPTION(cell), 1);
	gtk_widget_add_css_class(cell, of->column == COL_ADDRESS ? "monospace" : "numeric");
	gtk_list_item_set_child(item, cell);
}

static void on_bind(GtkSignalListItemFactory *factory, GtkListItem *item, struct column_of *of)
{
	GtkWidget *cell = gtk_list_item_get_child(item);
	KsvEvent *event = gtk_list_item_get_item(item);
	const struct event_row *r = ksv_event_get_row(event);

	(void)factory;
	set_cell(of->columns, cell, r, of->column);
	if (r->flags & OPF_FAILED)
		gtk_widget_add_css_class(cell, "error");
	else
		gtk_widget_remove_css_class(cell, "error");
	if (of->column == COL_LIFETIME) {
		g_hash_table_insert(of->columns->cells, cell, event);
		ask_lifetimes(of->columns);
	}
}

static void on_unbind(GtkSignalListItemFactory *factory, GtkListItem *item, struct column_of *of)
{
	(void)factory;
	if (of->column == COL_LIFETIME)
		g_hash_table_remove(of->columns->cells, gtk_list_item_get_child(item));
}

// The sorter of a header compares nothing: that it is asked says that its header is the first, and
// what the table makes of its answer says which way.
static int tell_order(gconstpointer a, gconstpointer b, gpointer data)
{
	struct column_of *of = data;

	(void)a;
	(void)b;
	if (of->columns->asked < 0)
		of->columns->asked = columns[of->column].order;
	return -1;
}

enum found_order event_columns_order(struct event_columns *c, gboolean *descending)
{
	GtkSorter *sorter = gtk_column_view_get_sorter(c->table);
	GtkOrdering order;

	c->asked = -1;
	order = gtk_sorter_compare(sorter, c->table, sorter); // any two different ones
	*descending = order == GTK_ORDERING_LARGER;
	return c->asked < 0 ? FOUND_BY_EVENT : (enum found_order)c->asked;
}

static void append(struct event_columns *c, guint column)
{
	GtkListItemFactory *factory = gtk_signal_list_item_factory_new();
	g_autoptr(GtkColumnViewColumn) made =
		gtk_column_view_column_new(gettext(columns[column].title), factory);
	struct column_of *of = g_new(struct column_of, 1);
	g_autoptr(GtkSorter) sorter = NULL;

	*of = (struct column_of){c, column};
	g_object_set_data_full(G_OBJECT(made), "of", of, g_free);
	g_signal_connect(factory, "setup", G_CALLBACK(on_setup), of);
	g_signal_connect(factory, "bind", G_CALLBACK(on_bind), of);
	g_signal_connect(factory, "unbind", G_CALLBACK(on_unbind), of);
	gtk_column_view_column_set_fixed_width(made, columns[column].width);
	gtk_column_view_column_set_resizable(made, TRUE);
	gtk_column_view_column_set_expand(made, column == COL_SITE);
	if (columns[column].order != UNSORTED) {
		sorter = GTK_SORTER(gtk_custom_sorter_new(tell_order, of, NULL));
		gtk_column_view_column_set_sorter(made, sorter);
	}
	gtk_column_view_append_column(c->table, made);
}

void event_columns_set_recording(struct event_columns *c, struct recording *recording)
{
	drop_lifetimes(c);
	g_hash_table_remove_all(c->known);
	g_hash_table_remove_all(c->names);
	c->recording = recording;
}

static void columns_free(gpointer data)
{
	struct event_columns *c = data;

	drop_lifetimes(c);
	g_hash_table_unref(c->names);
	g_hash_table_unref(c->cells);
	g_hash_table_unref(c->known);
	g_free(c);
}

struct event_columns *event_columns_new(GtkColumnView *table)
{
	struct event_columns *c = g_new0(struct event_columns, 1);

	c->table = table;
	c->names = g_hash_table_new_full(NULL, NULL, NULL, g_free);
	c->cells = g_hash_table_new(NULL, NULL);
	c->known = g_hash_table_new_full(NULL, NULL, NULL, g_free);
	for (guint i = 0; i < COLUMNS; i++)
		append(c, i);
	g_object_set_data_full(G_OBJECT(table), "columns", c, columns_free);
	return c;
}
