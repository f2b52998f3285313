// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Places of the window: going to one by name, back and forward, bookmarks, and from one event of
// the selected thing to the next.
#include "i18n.h"
#include "ksv-window-private.h"

// ---- back and forward ----

static struct place place_now(KsvWindow *self)
{
	return (struct place){self->request.process, self->request.event,
			      ksv_window_shown_view(self)};
}

static void update_actions(KsvWindow *self)
{
	gtk_widget_action_set_enabled(GTK_WIDGET(self), "win.back", self->places.past->len > 0);
	gtk_widget_action_set_enabled(GTK_WIDGET(self), "win.forward", self->places.ahead->len > 0);
}

void ksv_window_leave_place(KsvWindow *self)
{
	struct place now = place_now(self);

	if (self->opened && !self->returning)
		places_leave(&self->places, &now);
	update_actions(self);
}

void ksv_window_forget_places(KsvWindow *self)
{
	places_clear(&self->places);
	update_actions(self);
}

static void return_to(KsvWindow *self, const struct place *p)
{
	self->returning = TRUE;
	ksv_window_show_process(self, p->process);
	ksv_window_show_view(self, p->view);
	ksv_window_pause(self);
	ksv_window_seek(self, p->event);
	self->returning = FALSE;
	update_actions(self);
}

static void back_action(GtkWidget *widget, const char *name, GVariant *parameter)
{
	KsvWindow *self = KSV_WINDOW(widget);
	struct place now = place_now(self), to;
	gboolean there = !strcmp(name, "win.back") ? places_back(&self->places, &now, &to)
						   : places_forward(&self->places, &now, &to);

	(void)parameter;
	if (there)
		return_to(self, &to);
}

void ksv_window_jump(KsvWindow *self, uint64_t event)
{
	ksv_window_pause(self);
	if (event != self->request.event)
		ksv_window_leave_place(self);
	ksv_window_seek(self, event);
}

// ---- bookmarks ----

void ksv_window_show_bookmarks(KsvWindow *self)
{
	g_autoptr(GArray) events = g_array_new(FALSE, FALSE, sizeof(uint64_t));
	g_autoptr(GMenu) menu = g_menu_new();

	for (guint i = 0; self->bookmarks && i < self->bookmarks->len; i++) {
		const struct bookmark *m = &g_array_index(self->bookmarks, struct bookmark, i);
		g_autofree char *label = g_strdup_printf(_("Event %s%s%s"), fmt_count(m->event).s,
							 *m->name ? " · " : "", m->name);
		g_autofree char *action = g_strdup_printf("win.go-to-bookmark(%u)", i);

		if (m->process == self->request.process)
			g_array_append_val(events, m->event);
		g_menu_append(menu, label, action);
	}
	ksv_scrubber_set_marks(self->scrubber, (const uint64_t *)(void *)events->data, events->len);
	gtk_menu_button_set_menu_model(self->bookmark_button, G_MENU_MODEL(menu));
	gtk_widget_set_sensitive(GTK_WIDGET(self->bookmark_button),
				 self->bookmarks && self->bookmarks->len);
}

static void bookmark_action(GtkWidget *widget, const char *name, GVariant *parameter)
{
	KsvWindow *self = KSV_WINDOW(widget);
	struct recording *r;
	g_autoptr(GError) error = NULL;
	gboolean added;

	(void)name;
	(void)parameter;
	if (!self->opened || !self->request.event)
		return;
	r = source_recording(ksv_loader_get_reader(self->loader));
	added = bookmarks_toggle(self->bookmarks, self->request.process, self->request.event,
				 self->model && self->model->happened && self->model->happened->n
					 ? self->model->happened->line[0].text
					 : NULL);
	if (!bookmarks_save(r, self->bookmarks, &error))
		ksv_window_toast(self, error->message);
	else
		ksv_window_toast(self, added ? _("Bookmark added") : _("Bookmark removed"));
	ksv_window_show_bookmarks(self);
}

static void go_to_bookmark_action(GtkWidget *widget, const char *name, GVariant *parameter)
{
	KsvWindow *self = KSV_WINDOW(widget);
	guint at = g_variant_get_uint32(parameter);
	const struct bookmark *m;

	(void)name;
	if (!self->bookmarks || at >= self->bookmarks->len)
		return;
	m = &g_array_index(self->bookmarks, struct bookmark, at);
	ksv_window_leave_place(self);
	ksv_window_show_process(self, m->process);
	ksv_window_jump(self, m->event);
}

// ---- from one event of a thing to the next ----

// A thing to follow: what is selected, else the block the current event is about.
static gboolean have_thing(KsvWindow *self)
{
	struct touch t = {.process = self->request.process, .first = 1};

	if (ksv_selection_get(self->selection)->kind != HIT_NONE)
		return TRUE;
	if (!self->model || !self->model->event_address)
		return FALSE;
	t.first = t.last = self->model->event_address;
	ksv_selection_set_thing(self->selection, HIT_ADDRESS, t.first, &t);
	return TRUE;
}

static uint64_t neighbour(const struct details *d, uint64_t event, int direction)
{
	for (unsigned i = 0; i < d->n; i++) {
		unsigned at = direction > 0 ? i : d->n - 1 - i;

		if (direction > 0 ? d->history[at].id > event : d->history[at].id < event)
			return d->history[at].id;
	}
	return 0;
}

void ksv_window_follow_thing(KsvWindow *self)
{
	const struct details *d = self->details ? ksv_details_get(self->details) : NULL;
	uint64_t to;

	if (!self->following || !d || !d->of_thing)
		return;
	to = neighbour(d, self->request.event, self->following);
	if (!to && d->searching)
		return;
	self->following = 0;
	if (to)
		ksv_window_jump(self, to);
	else
		ksv_window_toast(self, _("No further event touches it"));
}

void ksv_window_step_thing(KsvWindow *self, int direction)
{
	const struct details *d = self->details ? ksv_details_get(self->details) : NULL;

	ksv_window_pause(self);
	if (!have_thing(self)) {
		ksv_window_toast(self, _("Nothing is selected to follow"));
		return;
	}
	self->following = direction;
	if (d && d->of_thing && self->details_event == self->request.event)
		ksv_window_follow_thing(self);
	else
		ksv_window_ask_details(self);
}

void ksv_window_step_other(KsvWindow *self, int direction)
{
	uint64_t to = gtk_widget_get_mapped(GTK_WIDGET(self->events_page))
			      ? ksv_events_page_neighbour(self->events_page, direction)
			      : 0;

	if (to)
		ksv_window_jump(self, to);
	else
		ksv_window_step_thing(self, direction);
}

static void thing_action(GtkWidget *widget, const char *name, GVariant *parameter)
{
	(void)parameter;
	ksv_window_step_thing(KSV_WINDOW(widget), !strcmp(name, "win.next-of-thing") ? 1 : -1);
}

// ---- going to a place by name ----

static void show_page(KsvWindow *self, uint64_t pfn)
{
	ksv_window_leave_place(self);
	ksv_window_show_view(self, ksv_window_view_index("map"));
	ksv_window_pick(self, HIT_PAGE, pfn);
}

// Every address has a walk, even one that ends at a page fault; a frame is marked on the map too.
static void show_address(KsvWindow *self, kaddr_t address)
{
	struct touch t = {.process = self->request.process, .first = address, .last = address};

	ksv_window_leave_place(self);
	self->request.address = address;
	if (address >= self->model->page_offset && address < self->model->high_memory)
		ksv_window_pick(self, HIT_PAGE, (address - self->model->page_offset) >> PAGE_SHIFT);
	ksv_selection_set_thing(self->selection, HIT_ADDRESS, address, &t);
	ksv_window_request(self);
	ksv_window_show_view(self, ksv_window_view_index("address"));
}

void ksv_window_show_place(KsvWindow *self, const char *kind, uint64_t value)
{
	if (!strcmp(kind, "pfn") && value < self->model->max_pfn)
		show_page(self, value);
	else if (!strcmp(kind, "addr") && value <= UINT32_MAX)
		show_address(self, (kaddr_t)value);
}

static gboolean go_to(KsvWindow *self, const struct position *p)
{
	uint64_t event;

	switch (p->kind) {
	case POSITION_PFN:
		if (p->value >= self->model->max_pfn)
			return FALSE;
		show_page(self, p->value);
		return TRUE;
	case POSITION_ADDRESS:
		if (p->value > UINT32_MAX)
			return FALSE;
		show_address(self, (kaddr_t)p->value);
		return TRUE;
	default:
		if (!source_resolve(ksv_loader_get_reader(self->loader), self->request.process, p,
				    &event))
			return FALSE;
		ksv_window_jump(self, event);
		return TRUE;
	}
}

// The program's mark whose words hold the text.
static gboolean go_to_mark(KsvWindow *self, const char *wanted)
{
	for (unsigned i = 0; *wanted && i < self->model->nmarks; i++) {
		g_autofree char *name = g_utf8_casefold(self->model->mark[i].text, -1);

		if (!strstr(name, wanted))
			continue;
		ksv_window_jump(self, self->model->mark[i].event);
		return TRUE;
	}
	return FALSE;
}

// A bookmark, a mark, a view or a function that holds the text.
static gboolean go_to_name(KsvWindow *self, const char *text)
{
	g_autofree char *wanted = g_utf8_casefold(text, -1), *filter = NULL;

	for (guint i = 0; *wanted && self->bookmarks && i < self->bookmarks->len; i++) {
		const struct bookmark *m = &g_array_index(self->bookmarks, struct bookmark, i);
		g_autofree char *name = g_utf8_casefold(m->name, -1);

		if (!strstr(name, wanted))
			continue;
		ksv_window_show_process(self, m->process);
		ksv_window_jump(self, m->event);
		return TRUE;
	}
	if (go_to_mark(self, wanted))
		return TRUE;
	if (!strcmp(wanted, "sql")) {
		ksv_window_leave_place(self);
		ksv_window_show_view(self, VIEWS);
		return TRUE;
	}
	for (unsigned i = 0; *wanted && i < VIEWS; i++) {
		g_autofree char *name = g_utf8_casefold(views[i].title, -1);

		if (strcmp(views[i].id, text) && !g_str_has_prefix(name, wanted))
			continue;
		ksv_window_leave_place(self);
		ksv_window_show_view(self, i);
		return TRUE;
	}
	if (!*text || strchr(text, ' ') || strchr(text, ':') || *text == '#' ||
	    g_ascii_isdigit(*text))
		return FALSE;
	filter = g_strdup_printf("func:%s", text);
	ksv_window_filter_events(self, filter);
	return TRUE;
}

void ksv_window_go_to_typed(GtkEntry *entry, KsvWindow *self)
{
	g_autofree char *text = g_strdup(gtk_editable_get_text(GTK_EDITABLE(entry)));
	struct position p;
	const char *sentence = NULL;

	g_strstrip(text);
	if (!self->model)
		return;
	if (position_parse(text, &p)) {
		if (!go_to(self, &p))
			sentence = _("Nothing is there at this event");
	} else if (!go_to_name(self, text)) {
		sentence = _("Not understood: give an event (#123), a time (3.2s), start, peak, "
			     "end, pfn:1a2b, 0xc0101000, a bookmark, a mark, a view or a function");
	}
	if (sentence)
		ksv_window_toast(self, sentence);
	else
		gtk_search_bar_set_search_mode(self->goto_bar, FALSE);
}

static void goto_action(GtkWidget *widget, const char *name, GVariant *parameter)
{
	KsvWindow *self = KSV_WINDOW(widget);

	(void)name;
	(void)parameter;
	gtk_search_bar_set_search_mode(self->goto_bar, TRUE);
	gtk_editable_set_text(GTK_EDITABLE(self->goto_entry), "");
	gtk_widget_grab_focus(GTK_WIDGET(self->goto_entry));
}

static void peak_action(GtkWidget *widget, const char *name, GVariant *parameter)
{
	KsvWindow *self = KSV_WINDOW(widget);

	(void)name;
	(void)parameter;
	if (self->opened)
		ksv_window_jump(self, source_peak(ksv_loader_get_reader(self->loader),
						  self->request.process));
}

static void clear_action(GtkWidget *widget, const char *name, GVariant *parameter)
{
	KsvWindow *self = KSV_WINDOW(widget);

	(void)name;
	(void)parameter;
	ksv_selection_set_thing(self->selection, HIT_NONE, 0, NULL);
	ksv_selection_set_site(self->selection, NULL);
	ksv_selection_set_range(self->selection, 0, 0);
}

void ksv_window_install_places(GtkWidgetClass *class)
{
	gtk_widget_class_install_action(class, "win.back", NULL, back_action);
	gtk_widget_class_install_action(class, "win.forward", NULL, back_action);
	gtk_widget_class_install_action(class, "win.bookmark", NULL, bookmark_action);
	gtk_widget_class_install_action(class, "win.go-to-bookmark", "u", go_to_bookmark_action);
	gtk_widget_class_install_action(class, "win.next-of-thing", NULL, thing_action);
	gtk_widget_class_install_action(class, "win.previous-of-thing", NULL, thing_action);
	gtk_widget_class_install_action(class, "win.go-to", NULL, goto_action);
	gtk_widget_class_install_action(class, "win.peak", NULL, peak_action);
	gtk_widget_class_install_action(class, "win.clear", NULL, clear_action);
}
