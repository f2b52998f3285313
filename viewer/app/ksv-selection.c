// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "ksv-selection.h"

#include "../draw/page_range.h"

struct _KsvSelection {
	GObject parent_instance;
	struct selection now;
};

G_DEFINE_FINAL_TYPE(KsvSelection, ksv_selection, G_TYPE_OBJECT)

static guint changed_signal;

static void changed(KsvSelection *self, guint parts)
{
	g_signal_emit(self, changed_signal, 0, parts);
}

const struct selection *ksv_selection_get(KsvSelection *self)
{
	return &self->now;
}

void ksv_selection_set_event(KsvSelection *self, uint64_t event)
{
	if (self->now.event == event)
		return;
	self->now.event = event;
	changed(self, SELECTION_EVENT);
}

void ksv_selection_set_thing(KsvSelection *self, enum hit_kind kind, uint64_t id,
			     const struct touch *touch)
{
	if (self->now.kind == kind && self->now.id == id)
		return;
	self->now.kind = kind;
	self->now.id = id;
	self->now.touch = touch ? *touch : (struct touch){.first = 1};
	changed(self, SELECTION_THING);
}

void ksv_selection_set_site(KsvSelection *self, const char *function)
{
	if (!g_strcmp0(self->now.function, function ? function : ""))
		return;
	g_strlcpy(self->now.function, function ? function : "", sizeof(self->now.function));
	changed(self, SELECTION_SITE);
}

void ksv_selection_set_range(KsvSelection *self, uint64_t from, uint64_t to)
{
	if (self->now.from == from && self->now.to == to)
		return;
	self->now.from = from;
	self->now.to = to;
	changed(self, SELECTION_RANGE);
}

void ksv_selection_clear(KsvSelection *self)
{
	self->now = (struct selection){.event = self->now.event, .touch = {.first = 1}};
	changed(self, SELECTION_THING | SELECTION_SITE | SELECTION_RANGE);
}

static bool touch_pages(const struct view_model *v, pfn_t pfn, struct touch *t)
{
	kaddr_t a = model_page_address(v, pfn);

	t->has_pfn = true;
	t->pfn = pfn;
	if (a) {
		t->first = a;
		t->last = a + PAGE_SIZE - 1;
	}
	return true;
}

// Frames of low memory follow each other in addresses, too; others have none of their own.
static bool touch_range(const struct view_model *v, uint64_t id, struct touch *t)
{
	pfn_t first = page_range_first(id), last = page_range_last(id);

	if (first > last || last >= v->max_low_pfn || last >= v->max_pfn)
		return false;
	t->first = v->page_offset + first * (kaddr_t)PAGE_SIZE;
	t->last = v->page_offset + last * (kaddr_t)PAGE_SIZE + PAGE_SIZE - 1;
	return true;
}

static bool touch_object(const struct view_model *v, uint64_t id, struct touch *t)
{
	const struct model_cache *c = v->selected < v->ncaches ? &v->cache[v->selected] : NULL;
	unsigned slab = (unsigned)(id >> 16), object = id & 0xffff;

	if (!c || slab >= v->nslabs || object >= c->per_slab)
		return false;
	t->first = v->slab[slab].s_mem + object * c->object_bytes;
	t->last = t->first + c->object_bytes - 1;
	return true;
}

bool selection_touch(const struct view_model *v, enum hit_kind kind, uint64_t id, struct touch *t)
{
	*t = (struct touch){.process = v->process, .first = 1};
	switch (kind) {
	case HIT_PAGE:
		return id < v->max_pfn && touch_pages(v, (pfn_t)id, t);
	case HIT_PAGES:
		return touch_range(v, id, t);
	case HIT_OBJECT:
		return touch_object(v, id, t);
	case HIT_AREA:
		if (id >= v->nareas)
			return false;
		t->first = v->area[id].start;
		t->last = v->area[id].end - 1;
		return true;
	case HIT_KMAP:
		if (id >= LAST_PKMAP)
			return false;
		t->first = v->kmap.pkmap_base + (kaddr_t)id * PAGE_SIZE;
		t->last = t->first + PAGE_SIZE - 1;
		t->has_pfn = v->kmap.pkmap_count[id] > 0;
		t->pfn = v->kmap.pkmap_pfn[id];
		return true;
	default:
		return false;
	}
}

static bool find_area(const struct view_model *v, kaddr_t start, uint64_t *id)
{
	for (*id = 0; *id < v->nareas; ++*id)
		if (v->area[*id].start == start)
			return true;
	return false;
}

static bool find_object(const struct view_model *v, kaddr_t addr, uint64_t *id)
{
	const struct model_cache *c = v->selected < v->ncaches ? &v->cache[v->selected] : NULL;

	for (unsigned i = 0; c && c->object_bytes && i < v->nslabs; i++) {
		kaddr_t offset = addr - v->slab[i].s_mem;

		if (addr < v->slab[i].s_mem || offset / c->object_bytes >= c->per_slab)
			continue;
		*id = (uint64_t)i << 16 | offset / c->object_bytes;
		return true;
	}
	return false;
}

void ksv_selection_follow(KsvSelection *self, const struct view_model *v)
{
	struct selection *s = &self->now;
	uint64_t id = s->id;
	bool there = true;

	if (s->kind == HIT_AREA)
		there = find_area(v, s->touch.first, &id);
	else if (s->kind == HIT_OBJECT)
		there = find_object(v, s->touch.first, &id);
	if (there && id == s->id)
		return;
	s->kind = there ? s->kind : HIT_ADDRESS;
	s->id = there ? id : s->touch.first;
	changed(self, SELECTION_THING);
}

static void ksv_selection_class_init(KsvSelectionClass *class)
{
	(void)class;
	changed_signal = g_signal_new("changed", KSV_TYPE_SELECTION, G_SIGNAL_RUN_LAST, 0, NULL,
				      NULL, NULL, G_TYPE_NONE, 1, G_TYPE_UINT);
}

static void ksv_selection_init(KsvSelection *self)
{
	self->now.touch.first = 1;
}

KsvSelection *ksv_selection_new(void)
{
	return g_object_new(KSV_TYPE_SELECTION, NULL);
}
