// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "ksv-event-list.h"

enum {
	PAGE_ROWS = 256,
	MATCH_ROWS = 32, // of a page of matches, which are read one by one
	PAGES = 64
};

struct _KsvEvent {
	GObject parent_instance;
	struct event_row row;
};

G_DEFINE_FINAL_TYPE(KsvEvent, ksv_event, G_TYPE_OBJECT)

static void ksv_event_class_init(KsvEventClass *class)
{
	(void)class;
}

static void ksv_event_init(KsvEvent *self)
{
	(void)self;
}

const struct event_row *ksv_event_get_row(KsvEvent *self)
{
	return &self->row;
}

struct row_page {
	gboolean loaded;
	guint first;  // position of rows[0]
	guint64 used; // for choosing the least recently used
	struct event_row rows[PAGE_ROWS];
};

struct _KsvEventList {
	GObject parent_instance;
	struct recording *recording;
	KsvMatches *matches; // NULL: all events
	guint n_items;
	guint64 clock;
	struct row_page *pages;
};

static GType get_item_type(GListModel *list)
{
	(void)list;
	return KSV_TYPE_EVENT;
}

static guint get_n_items(GListModel *list)
{
	return KSV_EVENT_LIST(list)->n_items;
}

static struct recording *found_in(KsvEventList *self)
{
	return ksv_reading_get_recording(KSV_READING(self->matches));
}

// Rows are put where their id says, so that a gap in the ids leaves blank rows and shifts nothing.
static void load_events(KsvEventList *self, struct row_page *p)
{
	struct event_row rows[PAGE_ROWS];
	guint64 first = (guint64)p->first + 1;
	unsigned n = recording_rows(self->recording, first, PAGE_ROWS, rows);

	for (unsigned i = 0; i < n; i++)
		if (rows[i].id >= first && rows[i].id < first + PAGE_ROWS)
			p->rows[rows[i].id - first] = rows[i];
	for (unsigned i = 0; i < PAGE_ROWS; i++)
		p->rows[i].id = first + i;
}

static void load_matches(KsvEventList *self, struct row_page *p)
{
	uint64_t ids[MATCH_ROWS];
	unsigned n = recording_found_ids(found_in(self), p->first, MATCH_ROWS, ids);

	for (unsigned i = 0; i < n; i++) {
		recording_rows(self->recording, ids[i], 1, &p->rows[i]);
		p->rows[i].id = ids[i];
	}
}

static const struct event_row *row_at(KsvEventList *self, guint position)
{
	guint rows = self->matches ? MATCH_ROWS : PAGE_ROWS, first = position / rows * rows;
	struct row_page *p = &self->pages[0];

	for (guint i = 0; i < PAGES; i++) {
		struct row_page *at = &self->pages[i];

		if (at->loaded && at->first == first) {
			p = at;
			break;
		}
		if (at->used < p->used)
			p = at;
	}
	p->used = ++self->clock;
	if (p->loaded && p->first == first)
		return &p->rows[position - first];
	memset(p->rows, 0, sizeof(p->rows));
	p->first = first;
	p->loaded = TRUE;
	if (self->matches)
		load_matches(self, p);
	else
		load_events(self, p);
	return &p->rows[position - first];
}

guint64 ksv_event_list_event(KsvEventList *self, guint position)
{
	if (position >= self->n_items)
		return 0;
	return self->matches ? row_at(self, position)->id : (guint64)position + 1;
}

guint64 ksv_event_list_beside(KsvEventList *self, guint64 event, int direction)
{
	if (self->matches)
		return recording_found_beside(found_in(self), event, direction);
	event += (guint64)(gint64)direction;
	return event <= self->n_items ? event : 0;
}

guint ksv_event_list_position(KsvEventList *self, guint64 event)
{
	guint64 place = event ? event - 1 : 0;

	if (!self->n_items)
		return G_MAXUINT;
	if (self->matches)
		place = recording_found_place(found_in(self), event);
	if (place == UINT64_MAX)
		place = recording_found_place(found_in(self),
					      ksv_event_list_beside(self, event, 1));
	return (guint)MIN(place, self->n_items - 1);
}

static gpointer get_item(GListModel *list, guint position)
{
	KsvEventList *self = KSV_EVENT_LIST(list);
	KsvEvent *event;

	if (position >= self->n_items)
		return NULL;
	event = g_object_new(KSV_TYPE_EVENT, NULL);
	event->row = *row_at(self, position);
	return event;
}

static void list_model_init(GListModelInterface *iface)
{
	iface->get_item_type = get_item_type;
	iface->get_n_items = get_n_items;
	iface->get_item = get_item;
}

G_DEFINE_FINAL_TYPE_WITH_CODE(KsvEventList, ksv_event_list, G_TYPE_OBJECT,
			      G_IMPLEMENT_INTERFACE(G_TYPE_LIST_MODEL, list_model_init))

static void ksv_event_list_finalize(GObject *object)
{
	g_clear_object(&KSV_EVENT_LIST(object)->matches);
	g_free(KSV_EVENT_LIST(object)->pages);
	G_OBJECT_CLASS(ksv_event_list_parent_class)->finalize(object);
}

static void ksv_event_list_class_init(KsvEventListClass *class)
{
	G_OBJECT_CLASS(class)->finalize = ksv_event_list_finalize;
}

static void ksv_event_list_init(KsvEventList *self)
{
	self->pages = g_new0(struct row_page, PAGES);
}

KsvEventList *ksv_event_list_new(struct recording *recording, KsvMatches *matches)
{
	KsvEventList *self = g_object_new(KSV_TYPE_EVENT_LIST, NULL);
	guint64 n =
		matches ? ksv_reading_reached(KSV_READING(matches)) : recording_events(recording);

	self->recording = recording;
	self->matches = matches && ksv_reading_get_recording(KSV_READING(matches))
				? g_object_ref(matches)
				: NULL;
	self->n_items = matches && !self->matches ? 0 : (guint)MIN(n, G_MAXUINT32 - 1);
	return self;
}
