// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "touched.h"

#include <stdlib.h>
#include <string.h>

enum {
	FIRST_SHIFT = 6, // of level 0
	PAGE_BITS = 12,
	MOST_GRANULES = 64, // of one level; more are not asked for
	MOST_CHUNKS = 64,   // in one run, so that who has enough early reads little
};

static unsigned shift_of(unsigned level)
{
	return level == TOUCHED_BY_PAGE ? PAGE_BITS : FIRST_SHIFT + 2 * level;
}

// Three bits, from the upper part of a product, which all of what is multiplied goes into.
static uint64_t hash_of(enum touched_space space, unsigned level, uint64_t granule)
{
	return (granule << 6 | space << 4 | level) * 0x9E3779B97F4A7C15ull >> 28;
}

static void set(struct touched_filter *f, uint64_t hash)
{
	for (unsigned i = 0; i < 3; i++, hash >>= 12)
		f->bits[hash % TOUCHED_BITS / 64] |= 1ull << hash % 64;
}

static bool is_set(const struct touched_filter *f, uint64_t hash)
{
	for (unsigned i = 0; i < 3; i++, hash >>= 12)
		if (!(f->bits[hash % TOUCHED_BITS / 64] >> hash % 64 & 1))
			return false;
	return true;
}

static void add_granules(struct touched_filter *f, enum touched_space space, unsigned level,
			 uint64_t first, uint64_t last)
{
	unsigned shift = shift_of(level);

	set(f, hash_of(space, level, first >> shift));
	if (first >> shift != last >> shift)
		set(f, hash_of(space, level, last >> shift));
}

void touched_add(struct touched_filter *f, enum touched_space space, uint64_t first, uint64_t last)
{
	uint64_t length = last - first;
	unsigned level = 0;

	if (length >> FIRST_SHIFT)
		level = (unsigned)(64 - __builtin_clzll(length) - FIRST_SHIFT + 1) / 2;
	if (level >= TOUCHED_LEVELS) {
		f->levels |= 1ull << (16 * space + TOUCHED_ALWAYS);
		return;
	}
	f->levels |= 1ull << (16 * space + level);
	add_granules(f, space, level, first, last);
	if (level < TOUCHED_SMALL)
		add_granules(f, space, TOUCHED_BY_PAGE, first, last);
}

static bool may_at(const struct touched_filter *f, enum touched_space space, unsigned level,
		   uint64_t first, uint64_t last)
{
	unsigned shift = shift_of(level);

	if ((last >> shift) - (first >> shift) >= MOST_GRANULES)
		return true;
	for (uint64_t g = first >> shift; g <= last >> shift; g++)
		if (is_set(f, hash_of(space, level, g)))
			return true;
	return false;
}

// Of more than some granules the pages are asked about, not the small levels one by one.
bool touched_may(const struct touched_filter *f, enum touched_space space, uint64_t first,
		 uint64_t last)
{
	unsigned levels = f->levels >> 16 * space & 0xffff;
	bool wide = last - first >= 512;

	if (levels >> TOUCHED_ALWAYS & 1)
		return true;
	if (wide && levels & ((1u << TOUCHED_SMALL) - 1) &&
	    may_at(f, space, TOUCHED_BY_PAGE, first, last))
		return true;
	for (unsigned level = wide ? TOUCHED_SMALL : 0; level < TOUCHED_LEVELS; level++)
		if (levels >> level & 1 && may_at(f, space, level, first, last))
			return true;
	return false;
}

// ---- reading ----

void touched_begin(struct touched_runs *t, struct recording *r, enum touched_space space,
		   uint64_t first, uint64_t last, uint64_t from, uint64_t to)
{
	*t = (struct touched_runs){.space = space,
				   .first = first,
				   .last = last,
				   .at = from,
				   .to = to,
				   .backwards = to < from,
				   .part = -1,
				   .filter = malloc(sizeof(*t->filter))};
	if (t->filter &&
	    sqlite3_prepare_v2(recording_db(r), "SELECT filter FROM touched WHERE part = ?1", -1,
			       &t->s, NULL) != SQLITE_OK)
		t->s = NULL;
}

void touched_end(struct touched_runs *t)
{
	sqlite3_finalize(t->s);
	free(t->filter);
	*t = (struct touched_runs){.done = true};
}

static bool may_touch(struct touched_runs *t, uint64_t chunk)
{
	int64_t part = (int64_t)(chunk / TOUCHED_CHUNKS);

	if (!t->s || !chunk)
		return true;
	if (part != t->part) {
		t->part = part;
		sqlite3_bind_int64(t->s, 1, part);
		t->known = sqlite3_step(t->s) == SQLITE_ROW &&
			   sqlite3_column_bytes(t->s, 0) == sizeof(*t->filter);
		if (t->known)
			memcpy(t->filter, sqlite3_column_blob(t->s, 0), sizeof(*t->filter));
		sqlite3_reset(t->s);
	}
	return !t->known ||
	       touched_may(&t->filter->chunk[chunk % TOUCHED_CHUNKS], t->space, t->first, t->last);
}

// The run, of which *a is where it is come to and *b where it is left.
static bool next_run(struct touched_runs *t, uint64_t *a, uint64_t *b)
{
	uint64_t chunk = t->at / TOUCHED_EVENTS, last = t->to / TOUCHED_EVENTS, n = 0;
	uint64_t step = t->backwards ? UINT64_MAX : 1;

	while (chunk != last && !may_touch(t, chunk))
		chunk += step;
	if (chunk == last && !may_touch(t, chunk))
		return false;
	*a = t->backwards ? (chunk + 1) * TOUCHED_EVENTS - 1 : chunk * TOUCHED_EVENTS;
	if (t->backwards ? *a > t->at : *a < t->at)
		*a = t->at;
	while (chunk != last && ++n < MOST_CHUNKS && may_touch(t, chunk + step))
		chunk += step;
	t->done = chunk == last;
	*b = t->done	    ? t->to
	     : t->backwards ? chunk * TOUCHED_EVENTS
			    : (chunk + 1) * TOUCHED_EVENTS - 1;
	t->at = *b + step;
	return true;
}

bool touched_next(struct touched_runs *t, uint64_t *begin, uint64_t *end)
{
	uint64_t a, b;

	if (t->done || !next_run(t, &a, &b)) {
		t->done = true;
		return false;
	}
	*begin = t->backwards ? b : a;
	*end = t->backwards ? a : b;
	return true;
}
