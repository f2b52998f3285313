// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "ksv-event-list.h"

enum {
	PAGE_ROWS = 256,
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
	guint64 first; // id of rows[0]; 0: slot unused
	guint64 used;  // for choosing the least recently used
	struct event_row rows[PAGE_ROWS];
};

struct _KsvEventList {
	GObject parent_instance;
	struct recording *recording;
	GArray *ids; // NULL: all events
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

// Rows are put where their id says, so that a gap in the ids leaves blank rows and shifts nothing.
static void load(KsvEventList *self, struct row_page *p, guint64 first)
{
	struct event_row rows[PAGE_ROWS];
	unsigned n = recording_rows(self->recording, first, PAGE_ROWS, rows);

	memset(p->rows, 0, sizeof(p->rows));
	for (unsigned i = 0; i < n; i++)
		if (rows[i].id >= first && rows[i].id < first + PAGE_ROWS)
			p->rows[rows[i].id - first] = rows[i];
	p->first = first;
}

static struct row_page *page_of(KsvEventList *self, guint64 first)
{
	struct row_page *oldest = &self->pages[0];

	for (guint i = 0; i < PAGES; i++) {
		struct row_page *p = &self->pages[i];

		if (p->first == first)
			return p;
		if (p->used < oldest->used)
			oldest = p;
	}
	load(self, oldest, first);
	return oldest;
}

guint64 ksv_event_list_event(KsvEventList *self, guint position)
{
	if (position >= self->n_items)
		return 0;
	return self->ids ? g_array_index(self->ids, guint64, position) : (guint64)position + 1;
}

guint ksv_event_list_position(KsvEventList *self, guint64 event)
{
	guint lo = 0, hi = self->n_items;

	while (lo < hi) {
		guint mid = lo + (hi - lo) / 2;

		if (ksv_event_list_event(self, mid) < event)
			lo = mid + 1;
		else
			hi = mid;
	}
	return self->n_items ? MIN(lo, self->n_items - 1) : G_MAXUINT;
}

static gpointer get_item(GListModel *list, guint position)
{
	KsvEventList *self = KSV_EVENT_LIST(list);
	guint64 id = ksv_event_list_event(self, position);
	struct row_page *p;
	KsvEvent *event;

	if (!id)
		return NULL;
	p = page_of(self, (id - 1) / PAGE_ROWS * PAGE_ROWS + 1);
	p->used = ++self->clock;
	event = g_object_new(KSV_TYPE_EVENT, NULL);
	event->row = p->rows[(id - 1) % PAGE_ROWS];
	event->row.id = id;
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
	g_clear_pointer(&KSV_EVENT_LIST(object)->ids, g_array_unref);
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

KsvEventList *ksv_event_list_new(struct recording *recording, GArray *ids)
{
	KsvEventList *self = g_object_new(KSV_TYPE_EVENT_LIST, NULL);

	self->recording = recording;
	self->ids = ids ? g_array_ref(ids) : NULL;
	self->n_items = ids ? ids->len : (guint)MIN(recording_events(recording), G_MAXUINT32 - 1);
	return self;
}
