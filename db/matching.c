// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Live allocations by address: objects of slabs in live_pages.c, the others here: open addressing,
// linear probing, no tombstones.
//
// A forked child appears in the spool later than its parent's barrier, and the parent has gone on
// by then. So from the first barrier on a journal keeps what every change replaced, and a child's
// table is the parent's with the journal undone back to the barrier.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "inserter.h"

enum {
	FIRST_SLOTS = 1024,
	JOURNAL_MAX = 1 << 20
};

static size_t home(const struct matching *t, uint64_t key)
{
	return (key * 0x9E3779B97F4A7C15ull >> 20) & t->mask;
}

int matching_init(struct matching *t, const struct inserter *ins)
{
	*t = (struct matching){.mask = FIRST_SLOTS - 1, .ins = ins};
	t->slot = calloc(FIRST_SLOTS, sizeof(*t->slot));
	return t->slot ? 0 : -ENOMEM;
}

void matching_finish(struct matching *t)
{
	free(t->slot);
	free(t->maps);
	free(t->journal);
	live_pages_finish(&t->pages);
	*t = (struct matching){0};
}

static struct live *probe(const struct matching *t, uint64_t key)
{
	size_t i = home(t, key);

	while (t->slot[i].key && t->slot[i].key != key)
		i = (i + 1) & t->mask;
	return &t->slot[i];
}

static void fill(const struct matching *t, struct live *l)
{
	const struct call_key *k = call_key(t->ins, l->call);

	l->stack = k->stack;
	l->bytes = k->req;
}

struct live *matching_find(struct matching *t, uint64_t key)
{
	struct live *l = &t->found[t->nfound & 1];

	if (key && key <= UINT32_MAX && live_pages_get(&t->pages, (uint32_t)key, l)) {
		t->nfound++;
		fill(t, l);
		return l;
	}
	l = key && t->used ? probe(t, key) : NULL;
	return l && l->key ? l : NULL;
}

static void grow(struct matching *t)
{
	struct matching big = {.mask = t->mask * 2 + 1};

	big.slot = calloc(big.mask + 1, sizeof(*big.slot));
	if (!big.slot)
		return; // goes on more slowly; the last free slot is never taken, see put
	for (size_t i = 0; i <= t->mask; i++)
		if (t->slot[i].key)
			*probe(&big, t->slot[i].key) = t->slot[i];
	free(t->slot);
	t->slot = big.slot;
	t->mask = big.mask;
}

static size_t map_index(const struct matching *t, uint64_t key) // first one above key
{
	size_t lo = 0, hi = t->nmaps;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (t->maps[mid] <= key)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void map_add(struct matching *t, uint64_t key)
{
	size_t at = map_index(t, key);

	if (at && t->maps[at - 1] == key)
		return;
	if (t->nmaps == t->maps_room) {
		size_t room = t->maps_room * 2 + 64;
		uint64_t *p = realloc(t->maps, room * sizeof(*p));

		if (!p)
			return;
		t->maps = p;
		t->maps_room = room;
	}
	memmove(t->maps + at + 1, t->maps + at, (t->nmaps - at) * sizeof(*t->maps));
	t->maps[at] = key;
	t->nmaps++;
}

static void map_remove(struct matching *t, uint64_t key)
{
	size_t at = map_index(t, key);

	if (!at || t->maps[at - 1] != key)
		return;
	t->nmaps--;
	memmove(t->maps + at - 1, t->maps + at, (t->nmaps - at + 1) * sizeof(*t->maps));
}

struct live *matching_find_map(struct matching *t, uint64_t key)
{
	size_t at = map_index(t, key);
	struct live *l = at ? matching_find(t, t->maps[at - 1]) : NULL;

	return l && key - l->key < l->span ? l : NULL;
}

static void take(struct matching *t, struct live *l);

// Sizes that stand in rows are in no call, so the hash table keeps them.
static bool put_object(struct matching *t, const struct live *l)
{
	struct live *at;

	if (!l->spacing || call_key(t->ins, l->call)->req != l->bytes ||
	    !live_pages_put(&t->pages, l))
		return false;
	at = t->used ? probe(t, l->key) : NULL;
	if (at && at->key)
		take(t, at);
	return true;
}

static void put(struct matching *t, const struct live *l)
{
	struct live *at;

	if (put_object(t, l))
		return;
	if (l->key <= UINT32_MAX)
		live_pages_take(&t->pages, (uint32_t)l->key);
	if (t->used * 2 > t->mask)
		grow(t);
	at = probe(t, l->key);
	if (!at->key) {
		if (t->used == t->mask)
			return;
		t->used++;
		t->shadows += (l->key & (LIVE_SHADOW | LIVE_OWED)) != 0;
	}
	*at = *l;
	if (l->flags & LIVE_MAP)
		map_add(t, l->key);
}

// l: as found, here or among the objects.
static void take(struct matching *t, struct live *l)
{
	if (l == &t->found[0] || l == &t->found[1]) {
		live_pages_take(&t->pages, (uint32_t)l->key);
		return;
	}
	size_t hole = (size_t)(l - t->slot), i = hole;

	if (l->flags & LIVE_MAP)
		map_remove(t, l->key);
	t->used--;
	t->shadows -= (l->key & (LIVE_SHADOW | LIVE_OWED)) != 0;
	for (;;) { // moves back whoever was pushed behind the hole
		i = (i + 1) & t->mask;
		if (!t->slot[i].key)
			break;
		if (((i - home(t, t->slot[i].key)) & t->mask) < ((i - hole) & t->mask))
			continue;
		t->slot[hole] = t->slot[i];
		hole = i;
	}
	t->slot[hole].key = 0;
}

static void journal_drop_half(struct matching *t)
{
	size_t half = t->njournal / 2;

	memmove(t->journal, t->journal + half, (t->njournal - half) * sizeof(*t->journal));
	t->njournal -= half;
	t->journal_base += half;
}

static void remember(struct matching *t, uint64_t key, const struct live *old)
{
	if (!t->journalling)
		return;
	if (t->njournal == JOURNAL_MAX)
		journal_drop_half(t);
	if (t->njournal == t->journal_room) {
		size_t room = t->journal_room * 2 + 256;
		struct undo *p = realloc(t->journal, room * sizeof(*p));

		if (!p)
			return;
		t->journal = p;
		t->journal_room = room;
	}
	t->journal[t->njournal++] = (struct undo){.old = old ? *old : (struct live){0}, .key = key};
}

void matching_touch(struct matching *t, const struct live *l)
{
	remember(t, l->key, l);
}

void matching_add(struct matching *t, const struct live *l)
{
	if (t->journalling)
		remember(t, l->key, matching_find(t, l->key));
	put(t, l);
}

void matching_remove(struct matching *t, struct live *l)
{
	remember(t, l->key, l);
	take(t, l);
}

uint64_t matching_mark(struct matching *t)
{
	t->journalling = true;
	return t->journal_base + t->njournal;
}

int matching_clone(struct matching *to, const struct matching *from, uint64_t mark)
{
	size_t keep = mark > from->journal_base ? (size_t)(mark - from->journal_base) : 0;

	*to = (struct matching){
		.mask = from->mask, .used = from->used, .shadows = from->shadows, .ins = from->ins};
	to->slot = malloc((to->mask + 1) * sizeof(*to->slot));
	if (!to->slot || !live_pages_copy(&to->pages, &from->pages))
		return -ENOMEM;
	memcpy(to->slot, from->slot, (to->mask + 1) * sizeof(*to->slot));
	for (size_t i = 0; i < from->nmaps; i++)
		map_add(to, from->maps[i]);
	for (size_t i = from->njournal; i > keep; i--) {
		const struct undo *u = &from->journal[i - 1];
		struct live *now = matching_find(to, u->key);

		if (u->old.key)
			put(to, &u->old);
		else if (now)
			take(to, now);
	}
	for (size_t i = 0; i <= to->mask; i++)
		if (to->slot[i].key)
			to->slot[i].flags |= LIVE_INHERITED;
	live_pages_inherit(&to->pages);
	return 0;
}

struct filled {
	const struct matching *t;
	void (*fn)(void *ctx, const struct live *l);
	void *ctx;
};

static void fill_each(void *ctx, const struct live *l)
{
	const struct filled *f = ctx;
	struct live copy = *l;

	fill(f->t, &copy);
	f->fn(f->ctx, &copy);
}

void matching_each(struct matching *t, void (*fn)(void *ctx, const struct live *l), void *ctx)
{
	struct filled f = {t, fn, ctx};

	for (size_t i = 0; i <= t->mask; i++)
		if (t->slot[i].key)
			fn(ctx, &t->slot[i]);
	live_pages_each(&t->pages, fill_each, &f);
}
