// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "ksv-inspector.h"

#include "../draw/events.h"
#include "../format.h"
#include "i18n.h"

struct _KsvInspector {
	GtkWidget parent_instance;
	GtkWidget *box, *stacks;
	GtkStack *pages;
	KsvEventPanel *event;
	KsvStackView *stack[2];
	GtkLabel *thing, *state, *whose;
	GtkListBox *history;
	struct view_model *model;
	struct selection selection;
	guint rows;
	guint now, idle; // row of the position; scrolls to it
};

G_DEFINE_FINAL_TYPE(KsvInspector, ksv_inspector, GTK_TYPE_WIDGET)

enum {
	SIGNAL_SEEK,
	SIGNAL_EVENTS,
	SIGNAL_MESSAGE,
	SIGNAL_PAGE,
	SIGNALS
};
static guint signals[SIGNALS];

static void show_thing(KsvInspector *self)
{
	char text[512];

	if (self->model && self->selection.kind != HIT_NONE &&
	    hit_describe(self->model, self->selection.kind, self->selection.id, text, sizeof(text)))
		gtk_label_set_text(self->thing, text);
	else
		gtk_label_set_text(self->thing,
				   _("Nothing is selected. Pick a page, an object, a window or an "
				     "area in one of the pictures to see what happened there."));
}

void ksv_inspector_set_model(KsvInspector *self, struct view_model *model)
{
	model_unref(self->model);
	self->model = model ? model_ref(model) : NULL;
	ksv_event_panel_set_model(self->event, model);
	show_thing(self);
}

void ksv_inspector_set_selection(KsvInspector *self, const struct selection *s)
{
	self->selection = *s;
	show_thing(self);
}

// ---- history ----

static void clear_history(KsvInspector *self)
{
	GtkWidget *child;

	while ((child = gtk_widget_get_first_child(GTK_WIDGET(self->history))))
		gtk_list_box_remove(self->history, child);
	self->rows = 0;
}

// A line of the history: what the program did, or that the machine moved the frame for it.
static GtkWidget *history_row(const struct event_row *r, bool now)
{
	char bytes[64] = "";
	g_autofree char *text = NULL;
	GtkWidget *label;

	if (r->req)
		g_snprintf(bytes, sizeof(bytes), " · %.48s", fmt_bytes(r->req).s);
	text = g_strdup_printf("%s%s · %s%s · %s", now ? "▸ " : "", fmt_count(r->id).s,
			       event_name(r->kind), bytes, fmt_time(r->t_ns).s);
	label = gtk_label_new(text);
	gtk_label_set_xalign(GTK_LABEL(label), 0);
	gtk_label_set_ellipsize(GTK_LABEL(label), PANGO_ELLIPSIZE_END);
	gtk_widget_add_css_class(label, "numeric");
	gtk_widget_set_margin_start(label, 12);
	gtk_widget_set_margin_end(label, 12);
	gtk_widget_set_margin_top(label, 3);
	gtk_widget_set_margin_bottom(label, 3);
	g_object_set_data_full(G_OBJECT(label), "event", g_memdup2(&r->id, sizeof(r->id)), g_free);
	return label;
}

// The row of the position in the middle, once the rows have their places.
static gboolean scroll_to_now(gpointer data)
{
	KsvInspector *self = data;
	GtkListBoxRow *row = gtk_list_box_get_row_at_index(self->history, (int)self->now);
	GtkAdjustment *a = gtk_list_box_get_adjustment(self->history);
	double y;

	self->idle = 0;
	if (row && a &&
	    gtk_widget_translate_coordinates(GTK_WIDGET(row), GTK_WIDGET(self->history), 0, 0, NULL,
					     &y))
		gtk_adjustment_set_value(a, y - gtk_adjustment_get_page_size(a) / 2);
	return G_SOURCE_REMOVE;
}

static void show_history(KsvInspector *self, const struct details *d)
{
	g_autofree char *text = NULL;
	unsigned at = d->n;

	clear_history(self);
	for (unsigned i = 0; i < d->n; i++)
		if (d->history[i].id <= self->selection.event)
			at = i;
	for (unsigned i = 0; i < d->n; i++, self->rows++)
		gtk_list_box_append(self->history, history_row(&d->history[i], i == at));
	self->now = at;
	if (!self->idle && d->n)
		self->idle = g_idle_add_full(GDK_PRIORITY_REDRAW + 10, scroll_to_now, self, NULL);
	if (!d->of_thing)
		text = g_strdup("");
	else if (d->searching)
		text = g_strdup_printf(_("Searching… %u events so far"), d->n);
	else if (!d->n)
		text = g_strdup(_("No event of this process touched it."));
	else
		text = g_strdup_printf(
			_("%u events%s"), d->n,
			d->more_before || d->more_after ? _(", the nearest; there are more") : "");
	gtk_label_set_text(self->state, text);
}

static void on_row(GtkListBox *list, GtkListBoxRow *row, KsvInspector *self)
{
	uint64_t *event = g_object_get_data(G_OBJECT(gtk_list_box_row_get_child(row)), "event");

	(void)list;
	if (event)
		g_signal_emit(self, signals[SIGNAL_SEEK], 0, *event);
}

void ksv_inspector_set_details(KsvInspector *self, const struct details *d)
{
	static const struct details none;

	if (!d)
		d = &none;
	gtk_label_set_text(self->whose, d->of_thing
						? _("Of the selected thing: who allocated it last")
						: _("Of the current event's block"));
	ksv_stack_view_set_stack(self->stack[0], &d->stack[0],
				 d->of_thing ? d->searching
						       ? _("Searching…")
						       : _("No call of the program gave it out.")
					     : _("No event at this position."));
	ksv_stack_view_set_stack(self->stack[1], &d->stack[1],
				 d->searching_end || (d->searching && !d->subject)
					 ? _("Searching for its end…")
					 : _("Not freed before the end of the recording, or not an "
					     "allocation."));
	show_history(self, d);
}

void ksv_inspector_show(KsvInspector *self, const char *page)
{
	gtk_stack_set_visible_child_name(self->pages, page);
}

const char *ksv_inspector_get_shown(KsvInspector *self)
{
	return gtk_stack_get_visible_child_name(self->pages);
}

guint ksv_inspector_get_history(KsvInspector *self)
{
	return self->rows;
}

KsvStackView *ksv_inspector_get_stack(KsvInspector *self, unsigned which)
{
	return self->stack[which & 1];
}

// ---- construction ----

static void on_stack_seek(GtkWidget *view, guint64 event, KsvInspector *self)
{
	(void)view;
	g_signal_emit(self, signals[SIGNAL_SEEK], 0, event);
}

static void on_stack_events(GtkWidget *view, guint stack, KsvInspector *self)
{
	(void)view;
	g_signal_emit(self, signals[SIGNAL_EVENTS], 0, stack);
}

static void on_stack_message(GtkWidget *view, const char *text, KsvInspector *self)
{
	(void)view;
	g_signal_emit(self, signals[SIGNAL_MESSAGE], 0, text);
}

static GtkLabel *label_of(const char *css)
{
	GtkLabel *label = GTK_LABEL(gtk_label_new(NULL));

	gtk_label_set_xalign(label, 0);
	gtk_label_set_wrap(label, TRUE);
	gtk_label_set_wrap_mode(label, PANGO_WRAP_WORD_CHAR);
	gtk_label_set_width_chars(label, 30); // or the window reckons with one word a line
	gtk_widget_set_margin_start(GTK_WIDGET(label), 12);
	gtk_widget_set_margin_end(GTK_WIDGET(label), 12);
	if (css)
		gtk_widget_add_css_class(GTK_WIDGET(label), css);
	return label;
}

static GtkWidget *stacks_page(KsvInspector *self)
{
	const char *const title[2] = {_("Allocation"), _("Free")};
	GtkWidget *page = gtk_box_new(GTK_ORIENTATION_VERTICAL, 0);

	self->whose = label_of("dim-label");
	gtk_box_append(GTK_BOX(page), GTK_WIDGET(self->whose));
	for (unsigned i = 0; i < 2; i++) {
		GtkWidget *view = ksv_stack_view_new(title[i]);

		self->stack[i] = KSV_STACK_VIEW(view);
		g_signal_connect(view, "seek", G_CALLBACK(on_stack_seek), self);
		g_signal_connect(view, "events", G_CALLBACK(on_stack_events), self);
		g_signal_connect(view, "message", G_CALLBACK(on_stack_message), self);
		if (i)
			gtk_box_append(GTK_BOX(page),
				       gtk_separator_new(GTK_ORIENTATION_HORIZONTAL));
		gtk_widget_set_vexpand(view, TRUE);
		gtk_box_append(GTK_BOX(page), view);
	}
	return page;
}

static GtkWidget *history_page(KsvInspector *self)
{
	GtkWidget *page = gtk_box_new(GTK_ORIENTATION_VERTICAL, 6);
	GtkWidget *scrolled = gtk_scrolled_window_new();

	self->thing = label_of("numeric");
	gtk_label_set_selectable(self->thing, TRUE);
	gtk_widget_set_focusable(GTK_WIDGET(self->thing), FALSE);
	self->state = label_of("dim-label");
	self->history = GTK_LIST_BOX(gtk_list_box_new());
	gtk_list_box_set_selection_mode(self->history, GTK_SELECTION_NONE);
	gtk_widget_add_css_class(GTK_WIDGET(self->history), "background");
	g_signal_connect(self->history, "row-activated", G_CALLBACK(on_row), self);
	gtk_accessible_update_property(GTK_ACCESSIBLE(self->history), GTK_ACCESSIBLE_PROPERTY_LABEL,
				       _("History of the selected thing"), -1);
	gtk_scrolled_window_set_child(GTK_SCROLLED_WINDOW(scrolled), GTK_WIDGET(self->history));
	gtk_scrolled_window_set_policy(GTK_SCROLLED_WINDOW(scrolled), GTK_POLICY_NEVER,
				       GTK_POLICY_AUTOMATIC);
	gtk_widget_set_vexpand(scrolled, TRUE);
	gtk_list_box_set_adjustment(
		self->history, gtk_scrolled_window_get_vadjustment(GTK_SCROLLED_WINDOW(scrolled)));
	gtk_box_append(GTK_BOX(page), GTK_WIDGET(self->thing));
	gtk_box_append(GTK_BOX(page), GTK_WIDGET(self->state));
	gtk_box_append(GTK_BOX(page), scrolled);
	return page;
}

static void ksv_inspector_dispose(GObject *object)
{
	KsvInspector *self = KSV_INSPECTOR(object);

	g_clear_handle_id(&self->idle, g_source_remove);
	g_clear_pointer(&self->box, gtk_widget_unparent);
	g_clear_pointer(&self->model, model_unref);
	G_OBJECT_CLASS(ksv_inspector_parent_class)->dispose(object);
}

static void ksv_inspector_class_init(KsvInspectorClass *class)
{
	G_OBJECT_CLASS(class)->dispose = ksv_inspector_dispose;
	gtk_widget_class_set_layout_manager_type(GTK_WIDGET_CLASS(class), GTK_TYPE_BIN_LAYOUT);
	gtk_widget_class_set_accessible_role(GTK_WIDGET_CLASS(class), GTK_ACCESSIBLE_ROLE_GROUP);
	signals[SIGNAL_SEEK] = g_signal_new("seek", KSV_TYPE_INSPECTOR, G_SIGNAL_RUN_LAST, 0, NULL,
					    NULL, NULL, G_TYPE_NONE, 1, G_TYPE_UINT64);
	signals[SIGNAL_EVENTS] = g_signal_new("events", KSV_TYPE_INSPECTOR, G_SIGNAL_RUN_LAST, 0,
					      NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_UINT);
	signals[SIGNAL_MESSAGE] = g_signal_new("message", KSV_TYPE_INSPECTOR, G_SIGNAL_RUN_LAST, 0,
					       NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
	signals[SIGNAL_PAGE] = g_signal_new("page-changed", KSV_TYPE_INSPECTOR, G_SIGNAL_RUN_LAST,
					    0, NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void on_page(KsvInspector *self)
{
	g_signal_emit(self, signals[SIGNAL_PAGE], 0);
}

static void ksv_inspector_init(KsvInspector *self)
{
	GtkWidget *switcher = gtk_stack_switcher_new();

	self->selection.touch.first = 1;
	self->box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 8);
	self->pages = GTK_STACK(gtk_stack_new());
	self->event = KSV_EVENT_PANEL(ksv_event_panel_new());
	gtk_stack_add_titled(self->pages, GTK_WIDGET(self->event), "event", _("Event"));
	gtk_stack_add_titled(self->pages, stacks_page(self), "stacks", _("Backtraces"));
	gtk_stack_add_titled(self->pages, history_page(self), "history", _("History"));
	gtk_stack_set_hhomogeneous(self->pages, FALSE);
	g_signal_connect_swapped(self->pages, "notify::visible-child-name", G_CALLBACK(on_page),
				 self);
	gtk_widget_set_vexpand(GTK_WIDGET(self->pages), TRUE);
	gtk_stack_switcher_set_stack(GTK_STACK_SWITCHER(switcher), self->pages);
	gtk_widget_set_margin_top(switcher, 8);
	gtk_widget_set_halign(switcher, GTK_ALIGN_CENTER);
	gtk_box_append(GTK_BOX(self->box), switcher);
	gtk_box_append(GTK_BOX(self->box), GTK_WIDGET(self->pages));
	// opaque: in a narrow window it lies over the view
	gtk_widget_add_css_class(self->box, "background");
	gtk_widget_set_size_request(self->box, 310, -1);
	gtk_widget_set_parent(self->box, GTK_WIDGET(self));
	gtk_accessible_update_property(GTK_ACCESSIBLE(self), GTK_ACCESSIBLE_PROPERTY_LABEL,
				       _("Inspector"), -1);
	ksv_inspector_set_details(self, NULL);
	show_thing(self);
}

GtkWidget *ksv_inspector_new(void)
{
	return g_object_new(KSV_TYPE_INSPECTOR, NULL);
}
