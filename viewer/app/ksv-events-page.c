// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "ksv-events-page.h"

#include "../draw/events.h"
#include "../format.h"
#include "../../core/event.h"
#include "ksv-event-list.h"

struct _KsvEventsPage {
	GtkWidget parent_instance;
	GtkWidget *paned;
	GtkColumnView *table;
	GtkSingleSelection *selection;
	GtkLabel *title[2], *frames[2];
	GtkWidget *go;	 // to the matching event
	uint64_t other;	 // that event, 0 none
	gboolean moving; // the selection follows the position: no signal back
	guint shown;	 // position of the row to keep in view
	guint idle;	 // scrolls once the table has a size
};

G_DEFINE_FINAL_TYPE(KsvEventsPage, ksv_events_page, GTK_TYPE_WIDGET)

enum {
	SIGNAL_SEEK,
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

	if (!self->moving && at != GTK_INVALID_LIST_POSITION)
		g_signal_emit(self, signals[SIGNAL_SEEK], 0, (guint64)at + 1);
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

static void ksv_events_page_map(GtkWidget *widget)
{
	GTK_WIDGET_CLASS(ksv_events_page_parent_class)->map(widget);
	show_row(KSV_EVENTS_PAGE(widget), KSV_EVENTS_PAGE(widget)->shown);
}

void ksv_events_page_set_recording(KsvEventsPage *self, struct recording *recording)
{
	g_autoptr(KsvEventList) list = recording ? ksv_event_list_new(recording) : NULL;

	self->moving = TRUE;
	gtk_single_selection_set_model(self->selection, list ? G_LIST_MODEL(list) : NULL);
	self->moving = FALSE;
}

static void on_go(KsvEventsPage *self)
{
	if (self->other)
		g_signal_emit(self, signals[SIGNAL_SEEK], 0, self->other);
}

static void append_frame(GString *text, unsigned i, const struct frame *f)
{
	g_autofree char *function = g_markup_escape_text(f->function, -1);
	char place[256];
	g_autofree char *where = NULL;

	frame_place(f, place, sizeof(place));
	where = g_markup_escape_text(place, -1);
	g_string_append_printf(text, "%s<span alpha='55%%'>%2u</span>  %s%s", i ? "\n" : "", i,
			       function, f->inlined ? " <i>inlined</i>" : "");
	// an unresolved function is "module+offset" already
	if (*place && !strstr(f->function, place))
		g_string_append_printf(text, "  <span alpha='55%%'>%s</span>", where);
}

static void show_stack(KsvEventsPage *self, unsigned side, const struct model_stack *s)
{
	g_autoptr(GString) text = g_string_new(NULL);
	g_autofree char *title = NULL;

	if (!s->event) {
		gtk_label_set_text(self->title[side], side ? "Matching event" : "Backtrace");
		gtk_label_set_text(
			self->frames[side],
			side ? "Not freed before the end of the recording, or not an allocation."
			     : "No event at this position.");
		return;
	}
	title = g_strdup_printf("%s · event %s · %s", event_name(s->row.kind),
				fmt_count(s->event).s, fmt_time_exact(s->row.t_ns).s);
	gtk_label_set_text(self->title[side], title);
	for (unsigned i = 0; i < s->n; i++)
		append_frame(text, i, &s->frame[i]);
	if (!s->n)
		g_string_append(text, "No backtrace was recorded for this event.");
	gtk_label_set_markup(self->frames[side], text->str);
}

void ksv_events_page_set_model(KsvEventsPage *self, const struct view_model *model)
{
	guint position = model->event ? (guint)(model->event - 1) : GTK_INVALID_LIST_POSITION;

	if (gtk_single_selection_get_selected(self->selection) != position) {
		self->moving = TRUE;
		gtk_single_selection_set_selected(self->selection, position);
		self->moving = FALSE;
		show_row(self, position);
	}
	show_stack(self, 0, &model->stack);
	show_stack(self, 1, &model->other);
	self->other = model->other.event;
	gtk_widget_set_sensitive(self->go, self->other != 0);
}

static GtkWidget *stack_pane(KsvEventsPage *self, unsigned side)
{
	GtkWidget *box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 6),
		  *scrolled = gtk_scrolled_window_new();
	GtkWidget *head = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 6);

	self->title[side] = GTK_LABEL(gtk_label_new(side ? "Matching event" : "Backtrace"));
	self->frames[side] = GTK_LABEL(gtk_label_new(NULL));
	gtk_label_set_xalign(self->title[side], 0);
	gtk_label_set_ellipsize(self->title[side], PANGO_ELLIPSIZE_END);
	gtk_widget_add_css_class(GTK_WIDGET(self->title[side]), "heading");
	gtk_label_set_xalign(self->frames[side], 0);
	gtk_label_set_yalign(self->frames[side], 0);
	gtk_label_set_selectable(self->frames[side], TRUE);
	gtk_widget_set_focusable(GTK_WIDGET(self->frames[side]), FALSE);
	gtk_widget_add_css_class(GTK_WIDGET(self->frames[side]), "numeric");
	gtk_scrolled_window_set_child(GTK_SCROLLED_WINDOW(scrolled),
				      GTK_WIDGET(self->frames[side]));
	gtk_widget_set_vexpand(scrolled, TRUE);
	gtk_widget_set_hexpand(scrolled, TRUE);
	gtk_widget_set_hexpand(GTK_WIDGET(self->title[side]), TRUE);
	gtk_box_append(GTK_BOX(head), GTK_WIDGET(self->title[side]));
	if (side) {
		self->go = gtk_button_new_with_label("Go There");
		gtk_widget_set_tooltip_text(self->go, "Go to the matching event");
		gtk_widget_set_sensitive(self->go, FALSE);
		g_signal_connect_swapped(self->go, "clicked", G_CALLBACK(on_go), self);
		gtk_box_append(GTK_BOX(head), self->go);
	}
	gtk_widget_set_size_request(head, -1, 34);
	gtk_box_append(GTK_BOX(box), head);
	gtk_box_append(GTK_BOX(box), scrolled);
	gtk_widget_set_margin_start(box, 12);
	gtk_widget_set_margin_end(box, 12);
	gtk_widget_set_margin_top(box, 10);
	gtk_widget_set_margin_bottom(box, 8);
	return box;
}

static void ksv_events_page_dispose(GObject *object)
{
	KsvEventsPage *self = KSV_EVENTS_PAGE(object);

	g_clear_handle_id(&self->idle, g_source_remove);
	g_clear_pointer(&self->paned, gtk_widget_unparent);
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
}

static void ksv_events_page_init(KsvEventsPage *self)
{
	GtkWidget *scrolled = gtk_scrolled_window_new(),
		  *stacks = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 0);

	self->shown = GTK_INVALID_LIST_POSITION;
	self->selection = gtk_single_selection_new(NULL);
	gtk_single_selection_set_autoselect(self->selection, FALSE);
	gtk_single_selection_set_can_unselect(self->selection, TRUE);
	g_signal_connect_swapped(self->selection, "notify::selected", G_CALLBACK(on_selected),
				 self);
	self->table = GTK_COLUMN_VIEW(gtk_column_view_new(GTK_SELECTION_MODEL(self->selection)));
	gtk_widget_add_css_class(GTK_WIDGET(self->table), "data-table");
	gtk_accessible_update_property(GTK_ACCESSIBLE(self->table), GTK_ACCESSIBLE_PROPERTY_LABEL,
				       "Events", -1);
	add_columns(self);
	gtk_scrolled_window_set_child(GTK_SCROLLED_WINDOW(scrolled), GTK_WIDGET(self->table));
	gtk_widget_set_vexpand(scrolled, TRUE);
	gtk_box_set_homogeneous(GTK_BOX(stacks), TRUE);
	gtk_box_append(GTK_BOX(stacks), stack_pane(self, 0));
	gtk_box_append(GTK_BOX(stacks), stack_pane(self, 1));
	self->paned = gtk_paned_new(GTK_ORIENTATION_VERTICAL);
	gtk_paned_set_start_child(GTK_PANED(self->paned), scrolled);
	gtk_paned_set_end_child(GTK_PANED(self->paned), stacks);
	gtk_paned_set_resize_end_child(GTK_PANED(self->paned), FALSE);
	gtk_paned_set_shrink_end_child(GTK_PANED(self->paned), FALSE);
	gtk_widget_set_size_request(stacks, -1, 190);
	gtk_widget_set_parent(self->paned, GTK_WIDGET(self));
}

GtkWidget *ksv_events_page_new(void)
{
	return g_object_new(KSV_TYPE_EVENTS_PAGE, NULL);
}
