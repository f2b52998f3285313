// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Finding things in a recording: searches against looking at every row, what filters understand,
// and the places one has been to. With a recording as argument that one is searched, else one that
// is made here.
#include <errno.h>
#include <glib.h>

#include "harness.h"
#include "recording_make.h"
#include "db/reader_blocks.h"
#include "db/reader_found.h"
#include "viewer/app/ksv-details.h"
#include "viewer/app/ksv-places.h"
#include "viewer/filter.h"
#include "viewer/flow.h"
#include "viewer/app/ksv-state.h"
#include "viewer/draw/draw.h"
#include "viewer/source.h"
#include "viewer/table.h"

enum {
	MOST_ROWS = 20000,
	FIRST = 300, // events that are put in order
};

static struct source *source;
static struct recording *recording;
static const char *path;
static bool made_here; // by this test: rows alone, without what the recorder adds
static struct event_row row[MOST_ROWS];
static unsigned nrows;

static bool collect(void *ctx, uint64_t event)
{
	g_array_append_val(ctx, event);
	return true;
}

static GArray *ids(void)
{
	return g_array_new(FALSE, FALSE, sizeof(uint64_t));
}

static uint64_t at(GArray *a, guint i)
{
	return g_array_index(a, uint64_t, i);
}

// ---- searches against every row ----

static const struct event_row *row_of(uint64_t event)
{
	return event && event <= nrows ? &row[event - 1] : NULL;
}

static bool covers(const struct event_row *r, kaddr_t a)
{
	const struct event_row *made = r->req ? r : row_of(r->ref);
	uint64_t size = made ? made->alloc : 0;

	return r->addr && r->addr <= UINT32_MAX && a >= r->addr && a - r->addr < (size ? size : 1);
}

static void an_address_is_found_in_every_block_that_held_it(void)
{
	unsigned compared = 0;

	for (unsigned i = 0; i < nrows && compared < 40; i += 1 + nrows / 60) {
		struct touch t = {.process = row[i].process,
				  .first = (kaddr_t)row[i].addr + (kaddr_t)(row[i].req / 2)};
		g_autoptr(GArray) forward = ids(), backward = ids();
		guint n = 0;

		if (!row[i].addr || row[i].addr > UINT32_MAX)
			continue;
		t.last = t.first;
		recording_each_touch(recording, &t, false, 1, nrows, collect, forward);
		recording_each_touch(recording, &t, false, nrows, 1, collect, backward);
		CHECK_EQ(forward->len, backward->len);
		for (unsigned k = 0; k < nrows; k++) {
			if (row[k].process != t.process || !covers(&row[k], t.first))
				continue;
			CHECK(n < forward->len);
			CHECK_EQ(at(forward, n), row[k].id);
			CHECK_EQ(at(backward, backward->len - 1 - n), row[k].id);
			n++;
		}
		CHECK_EQ(n, forward->len);
		compared++;
	}
	CHECK(compared > 5);
}

static unsigned work;

static int count_work(void *ctx)
{
	(void)ctx;
	work++;
	return 0;
}

static bool drop(void *ctx, uint64_t event)
{
	(void)ctx;
	(void)event;
	return true;
}

// What SQLite does for it, in hundreds of its instructions: an event takes ten at least.
static unsigned work_of(const struct touch *t, bool machine)
{
	work = 0;
	sqlite3_progress_handler(recording_db(recording), 100, count_work, NULL);
	recording_each_touch(recording, t, machine, 1, recording_events(recording), drop, NULL);
	sqlite3_progress_handler(recording_db(recording), 0, NULL, NULL);
	return work;
}

// The recorder says which events may have touched what; others are not read.
static void a_search_reads_few_events(void)
{
	unsigned least = UINT_MAX, all = (unsigned)(recording_events(recording) / 10), searched = 0;
	struct touch nowhere = {.process = 1, .first = 0xc0000123, .last = 0xc0000123};

	if (made_here)
		return;
	for (unsigned i = 0; i < nrows; i += 1 + nrows / 50, searched++) {
		struct touch t = {.process = row[i].process,
				  .first = (kaddr_t)row[i].addr,
				  .last = (kaddr_t)row[i].addr + 7};

		if (row[i].addr && row[i].addr <= UINT32_MAX)
			least = MIN(least, work_of(&t, false));
	}
	printf("# searches: %u at least, %u for no block, of %u\n", least, work_of(&nowhere, false),
	       all);
	CHECK(searched > 10);
	CHECK(least < all / 4);
	CHECK(work_of(&nowhere, false) < all / 4);
}

static bool moves(const struct transition_row *t, pfn_t pfn)
{
	int64_t first = t->t.pfn, last = first + (int64_t)t->t.stride * ((int64_t)t->t.count - 1);
	int64_t low = MIN(first, last), high = MAX(first, last) + (1ll << MIN(t->t.order, 10));

	return first && pfn >= low && pfn < high;
}

static void a_frame_is_found_where_the_machine_moved_it(void)
{
	struct transition_row t[512];
	pfn_t pfn = 0;
	int process = 0;
	g_autoptr(GArray) found = ids();
	guint n = 0;

	for (unsigned i = 0; i < nrows && !pfn; i++)
		if (recording_transitions(recording, row[i].id, t, 1) == 1 && t[0].t.pfn) {
			pfn = t[0].t.pfn;
			process = row[i].process;
		}
	if (!pfn)
		return;
	recording_each_touch(
		recording,
		&(struct touch){.process = process, .first = 1, .has_pfn = true, .pfn = pfn}, true,
		1, nrows, collect, found);
	for (unsigned i = 0; i < nrows; i++) {
		unsigned k, moved = recording_transitions(recording, row[i].id, t, 512);

		for (k = 0; k < moved && !moves(&t[k], pfn); k++)
			;
		if (k == moved || row[i].process != process)
			continue;
		CHECK(n < found->len);
		CHECK_EQ(at(found, n), row[i].id);
		n++;
	}
	CHECK_EQ(n, found->len);
	CHECK(n > 0);
}

static bool lets_through(const struct event_filter *f, const struct event_row *r)
{
	return (f->process < 0 || r->process == f->process) &&
	       (f->kind < 0 || (int)r->kind == f->kind) &&
	       (f->path < 0 || (int)r->path == f->path) && (f->cpu < 0 || r->cpu == f->cpu) &&
	       (f->thread < 0 || r->thread == f->thread) && r->req >= f->least &&
	       (!f->most || r->req <= f->most) && (!f->stack || r->stack == f->stack) &&
	       (f->first > f->last || (r->addr >= f->first && r->addr <= f->last)) &&
	       r->id >= f->begin && (!f->end || r->id <= f->end) &&
	       (!f->failed || r->flags & OPF_FAILED);
}

static void filters_find_what_looking_finds(void)
{
	static const char *const text[] = {"",
					   "malloc",
					   "free cpu:1",
					   "size>100",
					   "size<64 malloc",
					   "size:16-200",
					   "path:kmalloc",
					   "events:100-200",
					   "failed",
					   "thread:1 malloc",
					   "stack:1",
					   "size>=0 process:1"};
	struct event_filter f;
	char err[256];

	for (unsigned i = 0; i < G_N_ELEMENTS(text); i++) {
		g_autoptr(GArray) found = ids();
		guint n = 0;

		CHECK(filter_parse(text[i], &f, err, sizeof(err)));
		recording_each_match(recording, &f, collect, found);
		for (unsigned k = 0; k < nrows; k++)
			if (lets_through(&f, &row[k])) {
				CHECK(n < found->len);
				CHECK_EQ(at(found, n), row[k].id);
				n++;
			}
		if (nrows < MOST_ROWS)
			CHECK_EQ(n, found->len);
	}
}

// ---- events in order ----

// Of one of the first events.
static uint64_t freed_by(uint64_t event)
{
	static uint64_t ids[FIRST], freed[FIRST];

	if (!ids[0]) {
		for (unsigned i = 0; i < FIRST; i++)
			ids[i] = i + 1;
		recording_freed_within(recording, ids, FIRST, recording_events(recording), freed);
	}
	return freed[event - 1];
}

// What db/reader_found.c asks SQLite for, of a row; UINT64_MAX: it has none.
static uint64_t key_of(enum found_order by, const struct event_row *r)
{
	uint64_t end;

	switch (by) {
	case FOUND_BY_KIND:
		return r->kind;
	case FOUND_BY_ADDRESS:
		return r->addr ? r->addr : UINT64_MAX;
	case FOUND_BY_BYTES:
		return r->req ? r->req : UINT64_MAX;
	case FOUND_BY_PATH:
		return r->path;
	case FOUND_BY_LIFETIME:
		if (!event_allocates(r->kind) || !r->addr || r->flags & OPF_FAILED)
			return r->ref ? r->id - r->ref : UINT64_MAX;
		end = freed_by(r->id);
		return end ? end - r->id : 1ull << 62;
	case FOUND_BY_THREAD:
		return (uint64_t)r->thread;
	case FOUND_BY_CPU:
		return (uint64_t)r->cpu;
	default:
		return r->id;
	}
}

static bool in_order(uint64_t a, uint64_t b, bool descending)
{
	return b == UINT64_MAX || (a != UINT64_MAX && (descending ? a >= b : a <= b));
}

static bool go_on(void *ctx, uint64_t n)
{
	(void)n;
	return !ctx;
}

static void check_order(enum found_order by, bool descending)
{
	uint64_t found[FIRST], last = 0, key, last_key = 0;
	struct event_filter f;
	unsigned n;

	event_filter_init(&f);
	f.end = FIRST;
	CHECK_EQ(recording_find(recording, &f, by, descending, go_on, NULL), 0);
	n = recording_found_ids(recording, 0, FIRST, found);
	CHECK_EQ(n, MIN(nrows, FIRST));
	CHECK_EQ(recording_found(recording), n);
	for (unsigned i = 0; i < n; i++, last = found[i - 1], last_key = key) {
		key = key_of(by, row_of(found[i]));
		CHECK_EQ(recording_found_place(recording, found[i]), i);
		if (i)
			CHECK(in_order(last_key, key, descending) &&
			      (last_key != key || last < found[i]));
	}
	CHECK_EQ(recording_found_place(recording, FIRST + 1), UINT64_MAX);
	CHECK_EQ(recording_found_beside(recording, 5, 1), 6);
	CHECK_EQ(recording_found_beside(recording, 5, -1), 4);
	CHECK_EQ(recording_found_beside(recording, n, 1), 0);
}

static void events_come_in_the_order_asked_for(void)
{
	for (unsigned by = 0; by < FOUND_ORDERS; by++) {
		check_order(by, false);
		check_order(by, true);
	}
}

static bool stop_at_once(void *ctx, uint64_t n)
{
	(void)ctx;
	(void)n;
	return false;
}

static void a_search_that_is_stopped_keeps_what_it_has(void)
{
	struct event_filter f;
	uint64_t found[300];
	unsigned n;

	event_filter_init(&f);
	CHECK_EQ(recording_find(recording, &f, FOUND_BY_BYTES, true, stop_at_once, NULL), -EINTR);
	n = recording_found_ids(recording, 0, 300, found);
	for (unsigned i = 1; i < n; i++)
		CHECK(found[i - 1] < found[i]);
	CHECK_EQ(recording_find(recording, &f, FOUND_BY_EVENT, false, go_on, NULL), 0);
	CHECK_EQ(recording_found(recording), recording_events(recording));
}

static void ends_of_many_blocks_are_those_of_each(void)
{
	uint64_t some[120], freed[120];
	unsigned n = 0, ended = 0;

	for (unsigned i = 0; i < nrows && n < 120; i += 1 + i % 7)
		if (event_allocates(row[i].kind))
			some[n++] = row[i].id;
	for (uint64_t within = 30; within <= 300000; within *= 100) {
		CHECK_EQ(recording_freed_within(recording, some, n, within, freed), 0);
		for (unsigned i = 0; i < n; i++) {
			CHECK_EQ(freed[i], recording_freed_by(recording, some[i], within));
			ended += freed[i] > 0;
		}
	}
	CHECK(n > 10 && ended > 5);
}

static void zones_and_flags_are_those_of_the_rows(void)
{
	static const char *const text[] = {"zone:Normal", "zone:HighMem", "gfp:KERNEL"};
	struct transition_row t[64];
	struct event_filter f;
	char err[256], gfp[96];

	for (unsigned i = 0; i < G_N_ELEMENTS(text); i++) {
		g_autoptr(GArray) found = ids();
		guint n = 0;

		CHECK(filter_parse(text[i], &f, err, sizeof(err)));
		f.end = 500;
		recording_each_match(recording, &f, collect, found);
		for (unsigned k = 0; k < MIN(nrows, 500); k++) {
			unsigned moved = recording_transitions(recording, row[k].id, t, 64), m = 0;

			while (m < moved && t[m].t.zone != f.zone)
				m++;
			if (f.zone >= 0 ? m == moved
					: gfp_string(row[k].gfp, gfp, sizeof(gfp)) < 0 ||
						  !strstr(gfp, "KERNEL"))
				continue;
			CHECK(n < found->len);
			CHECK_EQ(at(found, n), row[k].id);
			n++;
		}
		CHECK_EQ(n, found->len);
	}
}

static void a_filter_by_address_takes_the_blocks_of_the_range(void)
{
	struct event_filter f;
	char text[64], err[256];
	g_autoptr(GArray) found = ids();
	unsigned i = 0, n = 0;

	while (i < nrows && (!row[i].req || row[i].addr < 0xc0000000 || row[i].addr > UINT32_MAX))
		i++;
	CHECK(i < nrows);
	g_snprintf(text, sizeof(text), "addr:0x%" G_GINT64_MODIFIER "x", row[i].addr);
	CHECK(filter_parse(text, &f, err, sizeof(err)));
	recording_each_match(recording, &f, collect, found);
	for (unsigned k = 0; k < nrows; k++)
		n += row[k].addr == row[i].addr;
	CHECK(n > 0 && found->len >= n);
}

static void words_that_are_not_understood_are_named(void)
{
	static const char *const bad[] = {"size>x",  "thread:two", "path:nowhere", "what:ever",
					  "stack:0", "addr:zz",	   "zone:Low"};
	struct event_filter f;
	char err[256];

	for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
		CHECK(!filter_parse(bad[i], &f, err, sizeof(err)));
		CHECK(strstr(err, bad[i]) != NULL);
	}
	CHECK(filter_parse("size>4k vec_push", &f, err, sizeof(err)));
	CHECK_EQ(f.least, 4097);
	CHECK_STR(f.function, "vec_push");
	CHECK(filter_parse("SIZE<=1M realloc", &f, err, sizeof(err)));
	CHECK_EQ(f.most, 1 << 20);
	CHECK_EQ(f.kind, EV_REALLOC);
}

// ---- the worker that finds backtraces and histories ----

// The finished answer; NULL after four seconds. An older one may still be there at first.
static const struct details *ask(KsvDetails *d, const struct selection *s)
{
	bool thing = s->kind != HIT_NONE;

	ksv_details_ask(d, s, 1, nrows);
	for (int i = 0; i < 400; i++) {
		const struct details *found;

		while (g_main_context_iteration(NULL, FALSE))
			;
		found = ksv_details_get(d);
		if (found && found->of_thing == thing && !found->searching &&
		    !found->searching_end && (thing || found->subject == s->event))
			return found;
		g_usleep(10000);
	}
	return NULL;
}

static void details_tell_both_ends_of_a_block(void)
{
	g_autoptr(KsvDetails) details = ksv_details_new(path);
	struct selection s = {.touch = {.first = 1}};
	const struct details *d;
	unsigned i = 0;

	while (i < nrows && !(row[i].ref && !row[i].req))
		i++;
	CHECK(i < nrows);
	for (int end = 0; end < 2; end++) { // from the free, from the allocation
		s.event = end ? row[i].ref : row[i].id;
		d = ask(details, &s);
		CHECK(d != NULL);
		CHECK_EQ(d->stack[0].event, row[i].ref);
		CHECK_EQ(d->stack[1].event, row[i].id);
	}
	// as a thing: the same block, and the free is in its history
	s.kind = HIT_ADDRESS;
	s.touch = (struct touch){.process = row[i].process,
				 .first = (kaddr_t)row[i].addr,
				 .last = (kaddr_t)row[i].addr};
	d = ask(details, &s);
	CHECK(d != NULL);
	CHECK_EQ(d->subject, row[i].ref);
	CHECK(d->n >= 2);
	for (unsigned k = 1; k < d->n; k++)
		CHECK(d->history[k - 1].id < d->history[k].id);
}

// ---- an event taken apart ----

static struct view_model *model_at(uint64_t event, int process, unsigned want)
{
	struct model_request q = {.process = process, .event = event, .want = want};
	char err[256];

	return source_model(source, &q, err, sizeof(err));
}

// Before + refilled + given back - drained - given out = after, on every list.
static void lists_moved_what_their_counts_say(void)
{
	unsigned checked = 0, refills = 0;

	for (unsigned i = 1; i < nrows && checked < 40 && !made_here; i++) {
		struct transition_row t[1];
		struct view_model *before, *after;

		if (!recording_transitions(recording, row[i].id, t, 1) ||
		    row[i].process != row[i - 1].process)
			continue;
		before = model_at(row[i].id - 1, row[i].process, 0);
		after = model_at(row[i].id, row[i].process, WANT_HAPPENED);
		CHECK(after->flow);
		for (unsigned z = 0; z < after->nzones; z++)
			for (unsigned cpu = 0; cpu < after->ncpus; cpu++) {
				const struct page_flow *f = &after->flow->page[z][cpu];

				CHECK_EQ(before->zone[z].pcp[cpu].count + f->refilled + f->given,
					 after->zone[z].pcp[cpu].count + f->drained + f->taken);
				refills += f->refilled > 0;
			}
		model_unref(before);
		model_unref(after);
		checked++;
	}
	printf("# events with transitions: %u, with refills: %u\n", checked, refills);
	CHECK(made_here || checked > 10);
}

// The free lists of a zone, or none of the model's zones.
static const uint32_t *lists_of(const struct view_model *v, unsigned zone)
{
	for (unsigned i = 0; i < v->nzones; i++)
		if (!strcmp(v->zone[i].name, zone_names[zone]))
			return v->zone[i].nr_free;
	return NULL;
}

static bool same_lists(const uint32_t *a, const uint32_t *b)
{
	return a && b && !memcmp(a, b, MAX_ORDER * sizeof(*a));
}

// What each step leaves is what the next one of its zone finds; the first finds the machine before
// the event, the last leaves the one after it.
static unsigned check_chain(const struct view_model *before, const struct view_model *after,
			    unsigned zone)
{
	const struct steps *s = after->steps;
	const uint32_t *last = lists_of(before, zone);
	unsigned seen = 0;

	for (unsigned i = 0; i < s->n; i++) {
		const struct step *o = &s->step[i];

		if (step_scene(&o->t) != SCENE_BUDDY || o->t.zone != zone)
			continue;
		CHECK(same_lists(last, o->before.nr_free));
		last = o->after.nr_free;
		seen++;
	}
	CHECK(same_lists(last, lists_of(after, zone)));
	return seen;
}

static void steps_lead_from_one_state_to_the_next(void)
{
	struct transition_row t[2];
	unsigned checked = 0, steps = 0;

	for (unsigned i = 0; i < nrows && checked < 60; i++) {
		struct view_model *v, *before;

		if (!recording_transitions(recording, row[i].id, t, 1))
			continue;
		before = model_at(row[i].id - 1, row[i].process, 0);
		v = model_at(row[i].id, row[i].process, WANT_STEPS);
		CHECK(v && before && v->steps);
		for (unsigned zone = 0; zone < MAX_NR_ZONES && !v->steps->left_out; zone++)
			if (lists_of(v, zone))
				steps += check_chain(before, v, zone);
		model_unref(before);
		model_unref(v);
		checked++;
	}
	if (checked > 20)
		CHECK(steps > checked);
}

static void a_popped_object_is_a_step_of_its_own(void)
{
	struct view_model *v, *before;
	const struct step *s;
	unsigned i = 0, cpu;

	while (i < nrows && !(row[i].flags & OPF_POP))
		i++;
	if (i == nrows) // the recording made here has none
		return;
	before = model_at(row[i].id - 1, row[i].process, 0);
	v = model_at(row[i].id, row[i].process, WANT_STEPS);
	CHECK(v && before && v->steps && v->steps->n);
	s = &v->steps->step[v->steps->n - 1];
	cpu = (unsigned)row[i].cpu;
	CHECK(s->own);
	CHECK_EQ(s->after.avail, model_cache(v, row[i].cache)->cpu_avail[cpu]);
	CHECK_EQ(s->before.avail, s->after.avail + 1);
	model_unref(before);
	model_unref(v);
}

// ---- what is selected ----

// Numbers of areas and objects are places in lists, which change; the addresses stay.
static void a_selected_thing_is_the_same_at_another_event(void)
{
	g_autoptr(KsvSelection) s = ksv_selection_new();
	struct view_model *v = model_at(nrows, row[nrows - 1].process, 0), *copy;
	struct touch t, again;
	const struct selection *now = ksv_selection_get(s);

	CHECK(v != NULL);
	CHECK(v->nslabs > 0);
	CHECK(selection_touch(v, HIT_OBJECT, 0, &t));
	ksv_selection_set_thing(s, HIT_OBJECT, 0, &t);
	ksv_selection_follow(s, v);
	CHECK_EQ(now->kind, HIT_OBJECT);
	copy = model_at(nrows, row[nrows - 1].process, 0);
	if (copy->nslabs > 1) { // the slab is elsewhere in the list now
		struct model_slab first = copy->slab[0];

		copy->slab[0] = copy->slab[1];
		copy->slab[1] = first;
		ksv_selection_follow(s, copy);
		CHECK_EQ(now->id, 1 << 16);
		CHECK(selection_touch(copy, now->kind, now->id, &again));
		CHECK_EQ(again.first, t.first);
	}
	copy->nslabs = 0; // and now it is gone
	ksv_selection_follow(s, copy);
	CHECK_EQ(now->kind, HIT_ADDRESS);
	CHECK_EQ(now->id, t.first);
	model_unref(copy);
	model_unref(v);
}

// ---- pictures as tables ----

static long column_sum(const struct table *t, unsigned column)
{
	long sum = 0;

	for (unsigned r = 0; r < t->rows; r++)
		sum += strtol(table_cell_text(t, r, column), NULL, 0);
	return sum;
}

static void every_picture_has_its_table(void)
{
	struct view_model *v = model_at(nrows, row[nrows - 1].process,
					WANT_TIMELINE | WANT_SUMMARY | WANT_HAPPENED | WANT_CALLS |
						WANT_STEPS | WANT_BOOT);
	long frames = 0, free_pages = 0;
	struct table t;

	CHECK(v != NULL);
	for (unsigned i = 0; i < VIEWS; i++) {
		bool built = table_build(v, views[i].id, &t);

		CHECK(built == (strcmp(views[i].id, "events") != 0));
		if (built)
			CHECK(t.columns >= 2);
		table_finish(&t);
	}
	for (unsigned z = 0; z < v->nzones; z++) {
		frames += v->zone[z].end - v->zone[z].start;
		for (unsigned o = 0; o < MAX_ORDER; o++)
			free_pages += (long)v->zone[z].nr_free[o] << o;
	}
	CHECK(table_build(v, "map", &t));
	CHECK_EQ(column_sum(&t, 3), frames);
	table_finish(&t);
	CHECK(table_build(v, "zones", &t));
	CHECK_EQ(column_sum(&t, 9), free_pages);
	table_finish(&t);
	CHECK(table_build(v, "processes", &t));
	CHECK_EQ(t.rows, source_processes(source));
	table_finish(&t);
	CHECK(table_build(v, "boot", &t));
	CHECK(t.rows > 3);
	table_finish(&t);
	model_unref(v);
}

static void csv_quotes_what_needs_it(void)
{
	struct view_model *v = model_at(nrows, row[nrows - 1].process, 0);
	g_autoptr(GString) csv = g_string_new(NULL);
	struct table t;

	CHECK(v != NULL);
	snprintf(v->processes[0].argv, sizeof(v->processes[0].argv), "a,\"b\" c");
	CHECK(table_build(v, "processes", &t));
	table_append_csv(&t, csv);
	CHECK(strstr(csv->str, "\"a,\"\"b\"\" c\"") != NULL);
	table_finish(&t);
	model_unref(v);
}

// ---- what is remembered ----

static void the_window_and_recent_files_are_remembered(void)
{
	struct window_state s;
	g_auto(GStrv) recent = NULL;

	state_load_window(&s);
	CHECK_EQ(s.width, 1280);
	s.width = 1000;
	s.letters = FALSE;
	state_save_window(&s);
	state_add_recent("/nonexistent/file");
	state_add_recent(path);
	state_add_recent(path);
	state_load_window(&s);
	CHECK_EQ(s.width, 1000);
	CHECK(!s.letters && s.sidebar);
	recent = state_recent();
	CHECK_EQ(g_strv_length(recent), 1);
	s.width = -5; // a damaged file gives the defaults
	state_save_window(&s);
	state_load_window(&s);
	CHECK_EQ(s.width, 1280);
}

// ---- places ----

static void back_and_forward_undo_each_other(void)
{
	struct places p;
	struct place a = {1, 100, 0}, b = {1, 200, 3}, c = {2, 300, 3}, to;

	places_init(&p);
	CHECK(!places_back(&p, &a, &to));
	places_leave(&p, &a);
	places_leave(&p, &b);
	places_leave(&p, &b); // twice the same is one place
	CHECK(places_back(&p, &c, &to));
	CHECK_EQ(to.event, 200);
	CHECK(places_back(&p, &b, &to));
	CHECK_EQ(to.event, 100);
	CHECK(!places_back(&p, &a, &to));
	CHECK(places_forward(&p, &a, &to));
	CHECK_EQ(to.event, 200);
	CHECK(places_forward(&p, &b, &to));
	CHECK_EQ(to.event, 300);
	CHECK_EQ(to.process, 2);
	places_leave(&p, &a);
	CHECK(!places_forward(&p, &a, &to));
	for (unsigned i = 0; i < 2 * PLACES_KEPT; i++)
		places_leave(&p, &(struct place){1, i, 0});
	CHECK_EQ(p.past->len, PLACES_KEPT);
	places_finish(&p);
}

static void bookmarks_are_kept_for_the_recording(void)
{
	g_autoptr(GArray) marks = bookmarks_load(recording), again = NULL;
	g_autoptr(GError) error = NULL;

	CHECK_EQ(marks->len, 0);
	CHECK(bookmarks_toggle(marks, 1, 500, "malloc(12) \xe2\x86\x92 0xf5"));
	CHECK(bookmarks_toggle(marks, 1, 40, NULL));
	CHECK(bookmarks_toggle(marks, 2, 300, "third"));
	CHECK(bookmarks_save(recording, marks, &error));
	again = bookmarks_load(recording);
	CHECK_EQ(again->len, 3);
	CHECK_EQ(g_array_index(again, struct bookmark, 0).event, 40);
	CHECK_EQ(g_array_index(again, struct bookmark, 1).process, 2);
	CHECK_STR(g_array_index(again, struct bookmark, 2).name, "malloc(12) \xe2\x86\x92 0xf5");
	CHECK(!bookmarks_toggle(again, 2, 300, NULL));
	CHECK_EQ(again->len, 2);
}

static void names_of_positions_are_understood(void)
{
	struct position p;
	uint64_t event;

	CHECK(position_parse("peak", &p) && p.kind == POSITION_PEAK);
	CHECK(source_resolve(source, 1, &p, &event));
	CHECK_EQ(event, source_peak(source, 1));
	CHECK(position_parse("Start", &p) && source_resolve(source, 1, &p, &event));
	CHECK_EQ(event, source_process(source, 1)->first_event - 1);
	CHECK(!position_parse("peaky", &p));
}

int main(int argc, char **argv)
{
	static struct made made;
	char made_path[] = "/tmp/kalloscope-find.XXXXXX", state[] = "/tmp/kalloscope-state.XXXXXX";
	enum recording_error code;
	char err[512];

	path = argv[1];
	if (argc < 2) {
		close(mkstemp(made_path));
		made_create(&made, made_path);
		path = made_path;
		made_here = true;
	}
	g_setenv("XDG_STATE_HOME", g_mkdtemp(state), TRUE);
	source = source_open(path, &code, err, sizeof(err));
	if (!source) {
		printf("Bail out! %s\n", err);
		return 1;
	}
	recording = source_recording(source);
	nrows = recording_rows(recording, 1, MOST_ROWS, row);
	RUN(an_address_is_found_in_every_block_that_held_it);
	RUN(a_search_reads_few_events);
	RUN(a_frame_is_found_where_the_machine_moved_it);
	RUN(lists_moved_what_their_counts_say);
	RUN(filters_find_what_looking_finds);
	RUN(events_come_in_the_order_asked_for);
	RUN(a_search_that_is_stopped_keeps_what_it_has);
	RUN(ends_of_many_blocks_are_those_of_each);
	RUN(zones_and_flags_are_those_of_the_rows);
	RUN(a_filter_by_address_takes_the_blocks_of_the_range);
	RUN(words_that_are_not_understood_are_named);
	RUN(details_tell_both_ends_of_a_block);
	RUN(steps_lead_from_one_state_to_the_next);
	RUN(a_popped_object_is_a_step_of_its_own);
	RUN(a_selected_thing_is_the_same_at_another_event);
	RUN(every_picture_has_its_table);
	RUN(csv_quotes_what_needs_it);
	RUN(the_window_and_recent_files_are_remembered);
	RUN(back_and_forward_undo_each_other);
	RUN(bookmarks_are_kept_for_the_recording);
	RUN(names_of_positions_are_understood);
	source_close(source);
	if (argc < 2) {
		made_destroy(&made);
		unlink(made_path);
	}
	return DONE();
}
