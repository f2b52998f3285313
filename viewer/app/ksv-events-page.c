// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "ksv-events-page.h"

#include "../draw/events.h"
#include "../format.h"
#include "../../core/event.h"
#include "i18n.h"
#include "ksv-event-list.h"
#include "ksv-matches.h"
#include "ksv-stack-view.h"

struct _KsvEventsPage {
	GtkWidget parent_instance;
	GtkWidget *box;
	GtkSearchEntry *filter;
	GtkLabel *state;
	GtkButton *stop;
	GtkColumnView *table;
	GtkSingleSelection *selection;
	KsvStackView *stack[2];
	struct recording *recording;
	KsvEventList *list;  // NULL: no recording; the table has it once it was looked at
	KsvMatches *matches; // of the filter; NULL: all events
	char *applied;	     // the filter's text, NULL: none yet
	uint64_t position;
	gboolean moving; // the selection follows the position: no signal back
	guint shown;	 // position of the row to keep in view
	guint idle;	 // scrolls once the table has a size
};

G_DEFINE_FINAL_TYPE(KsvEventsPage, ksv_events_page, GTK_TYPE_WIDGET)

enum {
	SIGNAL_SEEK,
	SIGNAL_MESSAGE,
	SIGNALS
};
static guint signals[SIGNALS];

enum {
	COL_ID,
	COL_TIME,
	COL_KIND,
	COL_ADDRESS,
	COL_BYTES,
	COL_PATH,
	COL_DETAIL,
	COL_THREAD,
	COL_CPU,
	COLUMNS
};

static const struct {
	const char *title;
	int width;
	float xalign;
} columns[COLUMNS] = {
	[COL_ID] = {"Event", 110, 1},	    [COL_TIME] = {"Time", 120, 1},
	[COL_KIND] = {"Operation", 110, 0}, [COL_ADDRESS] = {"Address", 150, 0},
	[COL_BYTES] = {"Bytes", 110, 1},    [COL_PATH] = {"Path", 90, 0},
	[COL_DETAIL] = {"Detail", 170, 0},  [COL_THREAD] = {"Thread", 70, 1},
	[COL_CPU] = {"CPU", 60, 1},
};

static void cell_text(const struct event_row *r, guint column, char *buf, size_t size)
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

static void on_setup(GtkSignalListItemFactory *factory, GtkListItem *item, gpointer column)
{
	GtkWidget *cell = gtk_inscription_new(NULL);
	guint c = GPOINTER_TO_UINT(column);

	(void)factory;
	gtk_inscription_set_xalign(GTK_INSCRIPTION(cell), columns[c].xalign);
	gtk_inscription_set_text_overflow(GTK_INSCRIPTION(cell),
					  GTK_INSCRIPTION_OVERFLOW_ELLIPSIZE_END);
	gtk_inscription_set_min_lines(GTK_INSCRIPTION(cell), 1);
	if (c == COL_ADDRESS)
		gtk_widget_add_css_class(cell, "monospace");
	else
		gtk_widget_add_css_class(cell, "numeric");
	gtk_list_item_set_child(item, cell);
}

static void on_bind(GtkSignalListItemFactory *factory, GtkListItem *item, gpointer column)
{
	GtkWidget *cell = gtk_list_item_get_child(item);
	const struct event_row *r = ksv_event_get_row(gtk_list_item_get_item(item));
	char text[160];

	(void)factory;
	cell_text(r, GPOINTER_TO_UINT(column), text, sizeof(text));
	gtk_inscription_set_text(GTK_INSCRIPTION(cell), text);
	if (r->flags & OPF_FAILED)
		gtk_widget_add_css_class(cell, "error");
	else
		gtk_widget_remove_css_class(cell, "error");
}

static void add_columns(KsvEventsPage *self)
{
	for (guint i = 0; i < COLUMNS; i++) {
		GtkListItemFactory *factory = gtk_signal_list_item_factory_new();
		g_autoptr(GtkColumnViewColumn) column = NULL;

		g_signal_connect(factory, "setup", G_CALLBACK(on_setup), GUINT_TO_POINTER(i));
		g_signal_connect(factory, "bind", G_CALLBACK(on_bind), GUINT_TO_POINTER(i));
		column = gtk_column_view_column_new(columns[i].title, factory);
		gtk_column_view_column_set_fixed_width(column, columns[i].width);
		gtk_column_view_column_set_resizable(column, TRUE);
		gtk_column_view_column_set_expand(column, i == COL_DETAIL);
		gtk_column_view_append_column(self->table, column);
	}
}

static void on_selected(KsvEventsPage *self)
{
	guint at = gtk_single_selection_get_selected(self->selection);
	GListModel *list = gtk_single_selection_get_model(self->selection);

	if (!self->moving && list && at != GTK_INVALID_LIST_POSITION)
		g_signal_emit(self, signals[SIGNAL_SEEK], 0,
			      ksv_event_list_event(KSV_EVENT_LIST(list), at));
}

// GTK 4.8 has no public way to scroll a column view; its inner list knows the action.
static void scroll_to(KsvEventsPage *self, guint position)
{
	GtkWidget *w = gtk_widget_get_first_child(GTK_WIDGET(self->table));

	for (; w; w = gtk_widget_get_next_sibling(w))
		if (!g_strcmp0(G_OBJECT_TYPE_NAME(w), "GtkColumnListView"))
			gtk_widget_activate_action(w, "list.scroll-to-item", "u", position);
}

static gboolean scroll_when_idle(gpointer data)
{
	KsvEventsPage *self = data;

	self->idle = 0;
	if (self->shown != GTK_INVALID_LIST_POSITION)
		scroll_to(self, self->shown);
	return G_SOURCE_REMOVE;
}

// A list scrolled before it has a size keeps showing a single row, so this waits for the map.
static void show_row(KsvEventsPage *self, guint position)
{
	self->shown = position;
	if (gtk_widget_get_mapped(GTK_WIDGET(self)) && !self->idle)
		self->idle =
			g_idle_add_full(GDK_PRIORITY_REDRAW + 10, scroll_when_idle, self, NULL);
}

static void select_position(KsvEventsPage *self)
{
	guint at = GTK_INVALID_LIST_POSITION;

	// a table that nobody sees follows when it is looked at
	if (!gtk_widget_get_mapped(GTK_WIDGET(self)))
		return;
	if (self->list && self->position)
		at = ksv_event_list_position(self->list, self->position);
	// of a filtered table the row before the position is shown, but only a match is selected
	self->moving = TRUE;
	if (at != GTK_INVALID_LIST_POSITION &&
	    ksv_event_list_event(self->list, at) != self->position)
		gtk_single_selection_set_selected(self->selection, GTK_INVALID_LIST_POSITION);
	else if (gtk_single_selection_get_selected(self->selection) != at)
		gtk_single_selection_set_selected(self->selection, at);
	self->moving = FALSE;
	show_row(self, at);
}

static void set_table(KsvEventsPage *self, KsvEventList *list)
{
	if (gtk_single_selection_get_model(self->selection) == (GListModel *)list)
		return;
	self->moving = TRUE;
	// Without the step in between GTK looks among all rows of the new list for those it shows.
	gtk_single_selection_set_selected(self->selection, GTK_INVALID_LIST_POSITION);
	gtk_single_selection_set_model(self->selection, NULL);
	gtk_single_selection_set_model(self->selection, (GListModel *)list);
	self->moving = FALSE;
}

// GTK makes some 2,000 cells for a table that has rows, which is a third of what opening a recording
// takes: none before somebody looks.
static void ksv_events_page_map(GtkWidget *widget)
{
	KsvEventsPage *self = KSV_EVENTS_PAGE(widget);

	GTK_WIDGET_CLASS(ksv_events_page_parent_class)->map(widget);
	set_table(self, self->list);
	select_position(self);
}

static void show_list(KsvEventsPage *self, GArray *ids)
{
	g_clear_object(&self->list);
	if (self->recording)
		self->list = ksv_event_list_new(self->recording, ids);
	set_table(self, gtk_widget_get_mapped(GTK_WIDGET(self)) ? self->list : NULL);
	select_position(self);
}

static void set_state(KsvEventsPage *self, const char *text, gboolean running)
{
	gtk_label_set_text(self->state, text);
	gtk_widget_set_visible(GTK_WIDGET(self->stop), running);
}

static void on_matches(KsvMatches *matches, KsvEventsPage *self)
{
	guint n = ksv_matches_get_count(matches);
	g_autofree char *text = NULL;

	if (matches != self->matches)
		return;
	if (ksv_matches_is_running(matches)) {
		text = g_strdup_printf(_("%s events so far…"), fmt_count(n).s);
		set_state(self, text, TRUE);
		return;
	}
	if (!n)
		text = g_strdup(_("No events match. Esc shows all."));
	else
		text = g_strdup_printf(n >= MATCHES_KEPT ? _("the first %s events that match")
							 : _("%s events match"),
				       fmt_count(n).s);
	set_state(self, text, FALSE);
	show_list(self, ksv_matches_get_ids(matches));
}

static void drop_matches(KsvEventsPage *self)
{
	if (!self->matches)
		return;
	ksv_matches_stop(self->matches);
	g_signal_handlers_disconnect_by_data(self->matches, self);
	g_clear_object(&self->matches);
}

static void apply_filter(KsvEventsPage *self)
{
	const char *text = gtk_editable_get_text(GTK_EDITABLE(self->filter));
	struct event_filter f;
	char err[256];

	if (!self->recording || !g_strcmp0(text, self->applied))
		return;
	g_free(self->applied);
	self->applied = g_strdup(text);
	drop_matches(self);
	if (!filter_parse(text, &f, err, sizeof(err))) {
		set_state(self, err, FALSE);
		return;
	}
	if (!text[strspn(text, " \t")]) {
		set_state(self, "", FALSE);
		show_list(self, NULL);
		return;
	}
	self->matches = ksv_matches_new(recording_path(self->recording), &f);
	g_signal_connect(self->matches, "changed", G_CALLBACK(on_matches), self);
	set_state(self, _("Searching…"), TRUE);
}

static void on_stop_clicked(KsvEventsPage *self)
{
	if (self->matches)
		ksv_matches_stop(self->matches);
}

static void on_stop_search(KsvEventsPage *self)
{
	gtk_editable_set_text(GTK_EDITABLE(self->filter), "");
	gtk_widget_grab_focus(GTK_WIDGET(self->table));
}

void ksv_events_page_set_filter(KsvEventsPage *self, const char *text)
{
	gtk_editable_set_text(GTK_EDITABLE(self->filter), text);
	apply_filter(self);
}

uint64_t ksv_events_page_neighbour(KsvEventsPage *self, int direction)
{
	KsvEventList *list = self->list;
	guint at = list && self->matches ? ksv_event_list_position(list, self->position)
					 : GTK_INVALID_LIST_POSITION;
	uint64_t event;

	if (at == GTK_INVALID_LIST_POSITION)
		return 0;
	event = ksv_event_list_event(list, at);
	if (direction > 0 && event <= self->position)
		return ksv_event_list_event(list, at + 1);
	if (direction < 0 && event >= self->position)
		return at ? ksv_event_list_event(list, at - 1) : 0;
	return event;
}

GArray *ksv_events_page_get_ids(KsvEventsPage *self)
{
	return self->matches ? ksv_matches_get_ids(self->matches) : NULL;
}

void ksv_events_page_focus_filter(KsvEventsPage *self)
{
	gtk_widget_grab_focus(GTK_WIDGET(self->filter));
}

const char *ksv_events_page_get_state(KsvEventsPage *self)
{
	return gtk_label_get_text(self->state);
}

guint ksv_events_page_get_rows(KsvEventsPage *self)
{
	return self->list ? g_list_model_get_n_items(G_LIST_MODEL(self->list)) : 0;
}

GtkColumnView *ksv_events_page_get_table(KsvEventsPage *self)
{
	return self->table;
}

void ksv_events_page_set_recording(KsvEventsPage *self, struct recording *recording)
{
	self->recording = recording;
	drop_matches(self);
	show_list(self, NULL);
	set_state(self, "", FALSE);
	g_free(self->applied);
	self->applied = g_strdup("");
	apply_filter(self);
}

void ksv_events_page_set_position(KsvEventsPage *self, uint64_t event)
{
	if (self->position == event)
		return;
	self->position = event;
	select_position(self);
}

void ksv_events_page_set_details(KsvEventsPage *self, const struct details *d)
{
	ksv_stack_view_set_stack(self->stack[0], d ? &d->stack[0] : NULL,
				 _("No event at this position."));
	ksv_stack_view_set_stack(self->stack[1], d ? &d->stack[1] : NULL,
				 d && d->searching_end
					 ? _("Searching for its end…")
					 : _("Not freed before the end of the recording, or not an "
					     "allocation."));
}

static void on_stack_seek(GtkWidget *view, guint64 event, KsvEventsPage *self)
{
	(void)view;
	g_signal_emit(self, signals[SIGNAL_SEEK], 0, event);
}

static void on_stack_events(GtkWidget *view, guint stack, KsvEventsPage *self)
{
	g_autofree char *text = g_strdup_printf("stack:%u", stack);

	(void)view;
	ksv_events_page_set_filter(self, text);
}

static void on_stack_message(GtkWidget *view, const char *text, KsvEventsPage *self)
{
	(void)view;
	g_signal_emit(self, signals[SIGNAL_MESSAGE], 0, text);
}

static GtkWidget *stack_pane(KsvEventsPage *self, unsigned side)
{
	GtkWidget *view = ksv_stack_view_new(side ? _("Free") : _("Allocation"));

	self->stack[side] = KSV_STACK_VIEW(view);
	g_signal_connect(view, "seek", G_CALLBACK(on_stack_seek), self);
	g_signal_connect(view, "events", G_CALLBACK(on_stack_events), self);
	g_signal_connect(view, "message", G_CALLBACK(on_stack_message), self);
	return view;
}

static GtkWidget *filter_bar(KsvEventsPage *self)
{
	GtkWidget *bar = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 8);

	self->filter = GTK_SEARCH_ENTRY(gtk_search_entry_new());
	g_object_set(self->filter, "placeholder-text",
		     _("malloc  size>4k  path:vmalloc  thread:2  failed  or a function"), NULL);
	gtk_widget_set_tooltip_text(GTK_WIDGET(self->filter),
				    _("Show only some events (Ctrl+F). All words must hold: the "
				      "call, size>4k, size:100-200, path:vmalloc, thread:2, cpu:1, "
				      "failed, addr:0xc0101000, stack:17, events:100-2000, "
				      "func:NAME or just part of a function's name"));
	gtk_accessible_update_property(GTK_ACCESSIBLE(self->filter), GTK_ACCESSIBLE_PROPERTY_LABEL,
				       _("Filter of events"), -1);
	gtk_widget_set_hexpand(GTK_WIDGET(self->filter), TRUE);
	g_signal_connect_swapped(self->filter, "search-changed", G_CALLBACK(apply_filter), self);
	g_signal_connect_swapped(self->filter, "stop-search", G_CALLBACK(on_stop_search), self);
	self->state = GTK_LABEL(gtk_label_new(NULL));
	gtk_label_set_ellipsize(self->state, PANGO_ELLIPSIZE_END);
	gtk_label_set_max_width_chars(self->state, 60);
	gtk_label_set_wrap(self->state, TRUE);
	gtk_label_set_lines(self->state, 4);
	gtk_label_set_xalign(self->state, 0);
	gtk_widget_add_css_class(GTK_WIDGET(self->state), "dim-label");
	self->stop = GTK_BUTTON(gtk_button_new_with_label(_("Stop")));
	gtk_widget_set_visible(GTK_WIDGET(self->stop), FALSE);
	g_signal_connect_swapped(self->stop, "clicked", G_CALLBACK(on_stop_clicked), self);
	gtk_box_append(GTK_BOX(bar), GTK_WIDGET(self->filter));
	gtk_box_append(GTK_BOX(bar), GTK_WIDGET(self->state));
	gtk_box_append(GTK_BOX(bar), GTK_WIDGET(self->stop));
	gtk_widget_set_margin_start(bar, 12);
	gtk_widget_set_margin_end(bar, 12);
	gtk_widget_set_margin_top(bar, 8);
	gtk_widget_set_margin_bottom(bar, 8);
	return bar;
}

static void ksv_events_page_dispose(GObject *object)
{
	KsvEventsPage *self = KSV_EVENTS_PAGE(object);

	g_clear_handle_id(&self->idle, g_source_remove);
	drop_matches(self);
	g_clear_object(&self->list);
	g_clear_pointer(&self->applied, g_free);
	g_clear_pointer(&self->box, gtk_widget_unparent);
	G_OBJECT_CLASS(ksv_events_page_parent_class)->dispose(object);
}

static void ksv_events_page_class_init(KsvEventsPageClass *class)
{
	GtkWidgetClass *widget_class = GTK_WIDGET_CLASS(class);

	G_OBJECT_CLASS(class)->dispose = ksv_events_page_dispose;
	widget_class->map = ksv_events_page_map;
	gtk_widget_class_set_layout_manager_type(widget_class, GTK_TYPE_BIN_LAYOUT);
	signals[SIGNAL_SEEK] = g_signal_new("seek", KSV_TYPE_EVENTS_PAGE, G_SIGNAL_RUN_LAST, 0,
					    NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_UINT64);
	signals[SIGNAL_MESSAGE] = g_signal_new("message", KSV_TYPE_EVENTS_PAGE, G_SIGNAL_RUN_LAST,
					       0, NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
}

static void ksv_events_page_init(KsvEventsPage *self)
{
	GtkWidget *scrolled = gtk_scrolled_window_new(),
		  *stacks = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 0),
		  *paned = gtk_paned_new(GTK_ORIENTATION_VERTICAL);

	self->shown = GTK_INVALID_LIST_POSITION;
	self->selection = gtk_single_selection_new(NULL);
	gtk_single_selection_set_autoselect(self->selection, FALSE);
	gtk_single_selection_set_can_unselect(self->selection, TRUE);
	g_signal_connect_swapped(self->selection, "notify::selected", G_CALLBACK(on_selected),
				 self);
	self->table = GTK_COLUMN_VIEW(gtk_column_view_new(GTK_SELECTION_MODEL(self->selection)));
	gtk_widget_add_css_class(GTK_WIDGET(self->table), "data-table");
	gtk_accessible_update_property(GTK_ACCESSIBLE(self->table), GTK_ACCESSIBLE_PROPERTY_LABEL,
				       _("Events"), -1);
	add_columns(self);
	gtk_scrolled_window_set_child(GTK_SCROLLED_WINDOW(scrolled), GTK_WIDGET(self->table));
	gtk_widget_set_vexpand(scrolled, TRUE);
	gtk_box_set_homogeneous(GTK_BOX(stacks), TRUE);
	gtk_box_append(GTK_BOX(stacks), stack_pane(self, 0));
	gtk_box_append(GTK_BOX(stacks), stack_pane(self, 1));
	gtk_paned_set_start_child(GTK_PANED(paned), scrolled);
	gtk_paned_set_end_child(GTK_PANED(paned), stacks);
	gtk_paned_set_resize_end_child(GTK_PANED(paned), FALSE);
	gtk_paned_set_shrink_end_child(GTK_PANED(paned), FALSE);
	gtk_widget_set_size_request(stacks, -1, 190);
	gtk_widget_set_vexpand(paned, TRUE);
	self->box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 0);
	gtk_box_append(GTK_BOX(self->box), filter_bar(self));
	gtk_box_append(GTK_BOX(self->box), paned);
	gtk_widget_set_parent(self->box, GTK_WIDGET(self));
}

GtkWidget *ksv_events_page_new(void)
{
	return g_object_new(KSV_TYPE_EVENTS_PAGE, NULL);
}
