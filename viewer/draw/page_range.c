// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "page_range.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../format.h"
#include "../text.h"

enum {
	TOLD = 6, // of each kind of owner; the rest is counted
};

uint64_t page_range(pfn_t a, pfn_t b)
{
	return a < b ? (uint64_t)a << 32 | b : (uint64_t)b << 32 | a;
}

pfn_t page_range_first(uint64_t id)
{
	return (pfn_t)(id >> 32);
}

pfn_t page_range_last(uint64_t id)
{
	return (pfn_t)id;
}

struct owned { // frames of one owner
	uint32_t owner, frames;
	enum page_state state;
};

struct sums {
	uint32_t state[PAGE_STATES];
	unsigned n;
	struct owned owned[512];
};

// Areas by where they begin, free blocks by their order, slabs by their cache.
static uint32_t owner_of(const struct view_model *v, pfn_t pfn)
{
	if (v->state[pfn] != PS_VMALLOC)
		return v->owner[pfn];
	for (unsigned i = 0; i < v->nareas; i++)
		if (v->owner[pfn] >= v->area[i].start && v->owner[pfn] < v->area[i].end)
			return i;
	return UINT32_MAX;
}

static void add_frame(struct sums *s, const struct view_model *v, pfn_t pfn)
{
	enum page_state state = v->state[pfn];
	uint32_t owner;
	unsigned i = 0;

	s->state[state]++;
	if (state != PS_FREE && state != PS_SLAB && state != PS_VMALLOC)
		return;
	owner = owner_of(v, pfn);
	while (i < s->n && (s->owned[i].state != state || s->owned[i].owner != owner))
		i++;
	if (i == sizeof(s->owned) / sizeof(*s->owned))
		return;
	if (i == s->n)
		s->owned[s->n++] = (struct owned){.owner = owner, .state = state};
	s->owned[i].frames++;
}

static int by_frames(const void *a, const void *b)
{
	const struct owned *x = a, *y = b;

	return x->frames == y->frames ? 0 : x->frames < y->frames ? 1 : -1;
}

static void put(char *buf, size_t size, const char *text)
{
	size_t n = strlen(buf);

	snprintf(buf + n, size - n, "%s", text);
}

static void name_owner(const struct view_model *v, const struct owned *o, char *name, size_t size)
{
	const struct model_cache *c = o->state == PS_SLAB ? model_cache(v, o->owner) : NULL;

	if (o->state == PS_FREE)
		snprintf(name, size, _("order %u"), o->owner);
	else if (o->state == PS_VMALLOC && o->owner < v->nareas)
		snprintf(name, size, "0x%08x%s%.40s", v->area[o->owner].start,
			 *v->area[o->owner].caller ? " " : "", v->area[o->owner].caller);
	else
		snprintf(name, size, "%s", c ? c->name : "?");
}

// "\nslab: size-64 12, size-128 3"
static void tell_owners(const struct view_model *v, const struct sums *s, enum page_state state,
			char *buf, size_t size)
{
	unsigned told = 0, more = 0;
	char line[160], name[80];

	for (unsigned i = 0; i < s->n; i++) {
		if (s->owned[i].state != state)
			continue;
		if (told == TOLD) {
			more++;
			continue;
		}
		name_owner(v, &s->owned[i], name, sizeof(name));
		if (!told)
			snprintf(line, sizeof(line), "\n%s: ", page_state_name(state));
		else
			snprintf(line, sizeof(line), ", ");
		put(buf, size, line);
		snprintf(line, sizeof(line), "%s %s", name, fmt_count(s->owned[i].frames).s);
		put(buf, size, line);
		told++;
	}
	if (more) {
		snprintf(line, sizeof(line), _(", %u more"), more);
		put(buf, size, line);
	}
}

bool page_range_describe(const struct view_model *v, uint64_t id, char *buf, size_t size)
{
	static const enum page_state owned[] = {PS_SLAB, PS_VMALLOC, PS_FREE};
	pfn_t first = page_range_first(id), last = page_range_last(id);
	struct sums *s = last < v->max_pfn && first <= last ? calloc(1, sizeof(*s)) : NULL;
	const char *between = "\n";
	char part[96];

	if (!s)
		return false;
	for (pfn_t pfn = first; pfn <= last; pfn++)
		add_frame(s, v, pfn);
	qsort(s->owned, s->n, sizeof(*s->owned), by_frames);
	snprintf(buf, size, "pfn 0x%x – 0x%x · %s", first, last, fmt_pages(last - first + 1).s);
	for (unsigned i = 0; i < PAGE_STATES; i++) {
		if (!s->state[i])
			continue;
		snprintf(part, sizeof(part), "%s%s %s", between, page_state_name(i),
			 fmt_count(s->state[i]).s);
		put(buf, size, part);
		between = ", ";
	}
	for (unsigned i = 0; i < sizeof(owned) / sizeof(*owned); i++)
		tell_owners(v, s, owned[i], buf, size);
	free(s);
	return true;
}
