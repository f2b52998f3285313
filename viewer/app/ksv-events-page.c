// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "ksv-events-page.h"

#include "../filter.h"
#include "../format.h"
#include "i18n.h"
#include "ksv-event-columns.h"
#include "ksv-event-list.h"
#include "ksv-filter-bar.h"
#include "ksv-stack-view.h"

struct _KsvEventsPage {
	GtkWidget parent_instance;
	GtkWidget *box;
	KsvFilterBar *filter;
	GtkStack *rows; // the table, or that it has none
	AdwStatusPage *nothing;
	GtkColumnView *table;
	struct event_columns *columns; // the table's
	GtkSingleSelection *selection;
	KsvStackView *stack[2];
	struct recording *recording;
	KsvEventList *list;  // NULL: no recording; the table has it once it was looked at
	KsvMatches *matches; // of the filter and in the order of the headers; NULL: all events
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

static void show_list(KsvEventsPage *self, KsvMatches *matches)
{
	g_clear_object(&self->list);
	if (self->recording)
		self->list = ksv_event_list_new(self->recording, matches);
	set_table(self, gtk_widget_get_mapped(GTK_WIDGET(self)) ? self->list : NULL);
	gtk_stack_set_visible_child_name(
		self->rows, matches && !ksv_events_page_get_rows(self) ? "nothing" : "table");
	select_position(self);
}

static char *state_of(KsvMatches *matches)
{
	KsvReading *reading = KSV_READING(matches);
	struct text64 n = fmt_count(ksv_reading_reached(reading));

	if (ksv_reading_is_running(reading))
		return ksv_reading_reached(reading) ? g_strdup_printf(_("%s events so far…"), n.s)
						    : g_strdup(_("Searching…"));
	if (ksv_matches_failed(matches))
		return g_strdup(_("The events cannot be read, or there is no room for the answer "
				  "in the folder of temporary files."));
	if (ksv_reading_was_stopped(reading))
		return g_strdup_printf(_("stopped: %s events, by number"), n.s);
	return g_strdup_printf(_("%s events"), n.s);
}

static void on_matches(KsvMatches *matches, KsvEventsPage *self)
{
	gboolean running = ksv_reading_is_running(KSV_READING(matches));
	g_autofree char *text = state_of(matches);

	ksv_filter_bar_set_state(self->filter, text, running);
	if (!running)
		show_list(self, matches);
}

static void drop_matches(KsvEventsPage *self)
{
	if (!self->matches)
		return;
	ksv_reading_stop(KSV_READING(self->matches));
	g_signal_handlers_disconnect_by_data(self->matches, self);
	g_clear_object(&self->matches);
}

// All events by number need no search.
static void find_events(KsvEventsPage *self)
{
	gboolean descending;
	const char *text;
	enum found_order by;
	struct event_filter f;
	char err[256];

	if (!self->recording) // or on its way out, which changes the headers, too
		return;
	drop_matches(self);
	text = ksv_filter_bar_get_text(self->filter);
	by = event_columns_order(self->columns, &descending);
	if (!filter_parse(text, &f, err, sizeof(err))) {
		ksv_filter_bar_set_state(self->filter, err, FALSE);
		return;
	}
	if (!text[strspn(text, " \t")] && by == FOUND_BY_EVENT && !descending) {
		ksv_filter_bar_set_state(self->filter, NULL, FALSE);
		show_list(self, NULL);
		return;
	}
	self->matches = ksv_matches_new(recording_path(self->recording), &f, by, descending);
	g_signal_connect(self->matches, "changed", G_CALLBACK(on_matches), self);
	ksv_filter_bar_set_state(self->filter, _("Searching…"), TRUE);
}

static void on_stop(KsvEventsPage *self)
{
	if (self->matches)
		ksv_reading_stop(KSV_READING(self->matches));
}

static void on_left(KsvEventsPage *self)
{
	gtk_widget_grab_focus(GTK_WIDGET(self->table));
}

static void on_clear(KsvEventsPage *self)
{
	ksv_filter_bar_set_text(self->filter, "");
	gtk_widget_grab_focus(GTK_WIDGET(self->table));
}

void ksv_events_page_set_filter(KsvEventsPage *self, const char *text)
{
	ksv_filter_bar_set_text(self->filter, text);
}

uint64_t ksv_events_page_neighbour(KsvEventsPage *self, int direction)
{
	const char *text = ksv_filter_bar_get_text(self->filter);

	if (!self->list || !self->matches || !text[strspn(text, " \t")])
		return 0;
	return ksv_event_list_beside(self->list, self->position, direction);
}

GArray *ksv_events_page_copy_ids(KsvEventsPage *self)
{
	return self->matches ? ksv_matches_copy_ids(self->matches) : NULL;
}

void ksv_events_page_focus_filter(KsvEventsPage *self)
{
	ksv_filter_bar_focus(self->filter);
}

const char *ksv_events_page_get_state(KsvEventsPage *self)
{
	return ksv_filter_bar_get_state(self->filter);
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
	event_columns_set_recording(self->columns, recording);
	show_list(self, NULL);
	ksv_filter_bar_set_state(self->filter, NULL, FALSE);
	find_events(self);
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
	GtkWidget *bar = ksv_filter_bar_new();

	self->filter = KSV_FILTER_BAR(bar);
	g_signal_connect_swapped(bar, "changed", G_CALLBACK(find_events), self);
	g_signal_connect_swapped(bar, "left", G_CALLBACK(on_left), self);
	g_signal_connect_swapped(bar, "stop", G_CALLBACK(on_stop), self);
	return bar;
}

static GtkWidget *no_match(KsvEventsPage *self)
{
	GtkWidget *page = adw_status_page_new(), *clear = gtk_button_new_with_label(_("Clear"));

	self->nothing = ADW_STATUS_PAGE(page);
	adw_status_page_set_title(self->nothing, _("No events match"));
	adw_status_page_set_description(self->nothing, _("Other words may, or fewer of them."));
	gtk_widget_add_css_class(page, "compact");
	gtk_widget_set_tooltip_text(clear, _("Show all events (Esc in the filter)"));
	gtk_widget_set_halign(clear, GTK_ALIGN_CENTER);
	gtk_widget_add_css_class(clear, "pill");
	g_signal_connect_swapped(clear, "clicked", G_CALLBACK(on_clear), self);
	adw_status_page_set_child(self->nothing, clear);
	return page;
}

static GtkWidget *make_rows(KsvEventsPage *self)
{
	GtkWidget *scrolled = gtk_scrolled_window_new(), *rows = gtk_stack_new();

	self->table = GTK_COLUMN_VIEW(gtk_column_view_new(GTK_SELECTION_MODEL(self->selection)));
	gtk_widget_add_css_class(GTK_WIDGET(self->table), "data-table");
	gtk_accessible_update_property(GTK_ACCESSIBLE(self->table), GTK_ACCESSIBLE_PROPERTY_LABEL,
				       _("Events"), -1);
	self->columns = event_columns_new(self->table);
	g_signal_connect_object(gtk_column_view_get_sorter(self->table), "changed",
				G_CALLBACK(find_events), self, G_CONNECT_SWAPPED);
	gtk_scrolled_window_set_child(GTK_SCROLLED_WINDOW(scrolled), GTK_WIDGET(self->table));
	self->rows = GTK_STACK(rows);
	gtk_stack_add_named(self->rows, scrolled, "table");
	gtk_stack_add_named(self->rows, no_match(self), "nothing");
	gtk_widget_set_vexpand(rows, TRUE);
	return rows;
}

static void ksv_events_page_dispose(GObject *object)
{
	KsvEventsPage *self = KSV_EVENTS_PAGE(object);

	g_clear_handle_id(&self->idle, g_source_remove);
	self->recording = NULL;
	drop_matches(self);
	g_clear_object(&self->list);
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
	GtkWidget *stacks = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 0),
		  *paned = gtk_paned_new(GTK_ORIENTATION_VERTICAL);

	self->shown = GTK_INVALID_LIST_POSITION;
	self->selection = gtk_single_selection_new(NULL);
	gtk_single_selection_set_autoselect(self->selection, FALSE);
	gtk_single_selection_set_can_unselect(self->selection, TRUE);
	g_signal_connect_swapped(self->selection, "notify::selected", G_CALLBACK(on_selected),
				 self);
	gtk_box_set_homogeneous(GTK_BOX(stacks), TRUE);
	gtk_box_append(GTK_BOX(stacks), stack_pane(self, 0));
	gtk_box_append(GTK_BOX(stacks), stack_pane(self, 1));
	gtk_paned_set_start_child(GTK_PANED(paned), make_rows(self));
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
