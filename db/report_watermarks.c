// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// When the free pages of a zone crossed a watermark. The timeline tells which spans of events have
// no crossing inside; only the others are replayed event by event.
#include <stdlib.h>

#include "../core/page_alloc.h"
#include "report.h"

enum {
	ZONES = ZONE_HIGHMEM + 1
};
static const char *const mark_names[NR_WMARK] = {"min", "low", "high"};

struct span { // of events, with the least and greatest number of free pages in it
	uint64_t first, last, least[ZONES], most[ZONES];
};

struct crossing {
	uint64_t event, free;
	unsigned zone, mark;
	bool below; // fell below it; false: rose to it, or above
};

struct level { // one watermark of one zone
	bool below;
	uint64_t fell, rose, first; // how often; event of the first fall
};

struct watermarks {
	struct report *rp;
	struct replay *p;
	struct level level[ZONES][NR_WMARK];
	uint64_t least[ZONES]; // free pages
	GArray *crossings;
};

static uint64_t free_now(struct watermarks *w, unsigned zone)
{
	return zone_free_pages(replay_machine(w->p), zone);
}

static const uint32_t *marks_of(struct watermarks *w, unsigned zone)
{
	return replay_machine(w->p)->s->zone[zone].watermark;
}

// Zones the machine does not have cross nothing: their watermarks are 0.
static void cross(struct watermarks *w, unsigned zone, uint64_t free, uint64_t event)
{
	w->least[zone] = free < w->least[zone] ? free : w->least[zone];
	for (unsigned mark = NR_WMARK; mark--;) { // as they are passed on the way down
		struct level *l = &w->level[zone][mark];
		bool below = free < marks_of(w, zone)[mark];
		if (below == l->below)
			continue;
		struct crossing c = {event, free, zone, mark, below};
		g_array_append_val(w->crossings, c);
		l->below = below;
		l->fell += below;
		l->rose += !below;
		l->first = l->first || !below ? l->first : event;
	}
}

static void look(void *ctx, uint64_t event)
{
	struct watermarks *w = ctx;
	for (unsigned zone = 0; event >= w->rp->from && zone < ZONES; zone++)
		cross(w, zone, free_now(w, zone), event);
}

// Some watermark lies between the least and the most.
static bool may_cross(struct watermarks *w, const struct span *s)
{
	for (unsigned zone = 0; zone < ZONES; zone++)
		for (unsigned i = 0; i < NR_WMARK; i++) {
			uint32_t mark = marks_of(w, zone)[i];
			bool below = w->level[zone][i].below;
			if (below ? s->most[zone] >= mark : s->least[zone] < mark)
				return true;
		}
	return false;
}

static int walk(struct watermarks *w, const struct span *s)
{
	uint64_t last = s->last < w->rp->to ? s->last : w->rp->to;
	if (!may_cross(w, s)) {
		for (unsigned zone = 0; zone < ZONES; zone++)
			if (s->least[zone] < w->least[zone])
				w->least[zone] = s->least[zone];
		return 0;
	}
	int ret = replay_seek(w->p, s->first - 1);
	return ret ? ret : replay_walk(w->p, last, look, w);
}

static struct span read_span(struct watermarks *w, sqlite3_stmt *s)
{
	struct span span = {.first = (uint64_t)sqlite3_column_int64(s, 0),
			    .last = (uint64_t)sqlite3_column_int64(s, 1)};
	for (unsigned zone = 0; zone < ZONES; zone++) {
		uint64_t spanned = replay_machine(w->p)->s->zone[zone].spanned_pages;
		uint64_t least_used = (uint64_t)sqlite3_column_int64(s, 2 + 2 * (int)zone),
			 most_used = (uint64_t)sqlite3_column_int64(s, 3 + 2 * (int)zone);
		span.least[zone] = most_used < spanned ? spanned - most_used : 0;
		span.most[zone] = least_used < spanned ? spanned - least_used : 0;
	}
	return span;
}

static int walk_all(struct watermarks *w)
{
	sqlite3_stmt *s = NULL;
	int ret = 0;
	sqlite3_prepare_v2(w->rp->db,
			   "SELECT first_event, last_event, dma_min, dma_max, normal_min,"
			   " normal_max, highmem_min, highmem_max FROM timeline WHERE process = ?1"
			   " AND level = 0 AND last_event >= ?2 AND first_event <= ?3"
			   " ORDER BY bucket",
			   -1, &s, NULL);
	sqlite3_bind_int(s, 1, w->rp->p->process);
	sqlite3_bind_int64(s, 2, (sqlite3_int64)w->rp->from);
	sqlite3_bind_int64(s, 3, (sqlite3_int64)w->rp->to);
	while (!ret && s && sqlite3_step(s) == SQLITE_ROW) {
		struct span span = read_span(w, s);
		if (span.first)
			ret = walk(w, &span);
	}
	sqlite3_finalize(s);
	return ret;
}

static void print_levels(struct watermarks *w)
{
	static const struct column columns[] = {{"zone", "zone", CELL_TEXT},
						{"watermark", "watermark", CELL_TEXT},
						{"pages", "pages", CELL_COUNT},
						{"fell", "fell below", CELL_COUNT},
						{"rose", "rose again", CELL_COUNT},
						{"first_event", "first at event", CELL_EVENT},
						{"least_free", "least free", CELL_COUNT},
						{0}};
	out_table(w->rp, "watermarks", columns);
	for (unsigned zone = 0; zone < ZONES; zone++)
		for (unsigned i = 0; i < NR_WMARK; i++) {
			const struct level *l = &w->level[zone][i];
			if (replay_machine(w->p)->s->zone[zone].present_pages)
				out_row(w->rp, zone_names[zone], mark_names[i],
					(uint64_t)marks_of(w, zone)[i], l->fell, l->rose, l->first,
					w->least[zone]);
		}
	out_end(w->rp);
}

static void print_crossings(struct watermarks *w)
{
	static const struct column columns[] = {
		{"event", "event", CELL_COUNT},	       {"zone", "zone", CELL_TEXT},
		{"free", "free pages", CELL_COUNT},    {"direction", "", CELL_TEXT},
		{"watermark", "watermark", CELL_TEXT}, {0}};
	guint len = w->crossings->len, n = w->rp->top && w->rp->top < len ? w->rp->top : len;
	if (!len && !output_json(w->rp->out))
		return;
	out_table(w->rp, "crossings", columns);
	for (guint i = 0; i < n; i++) {
		const struct crossing *c = &g_array_index(w->crossings, struct crossing, i);
		out_row(w->rp, c->event, zone_names[c->zone], c->free, c->below ? "below" : "above",
			mark_names[c->mark]);
	}
	out_end(w->rp);
	if (n < len)
		out_note(w->rp, "%s more; --top=0 shows all", fmt_count(len - n));
}

// Where the zones stood before the window; what was below then did not fall in it.
static int begin(struct watermarks *w)
{
	int ret = replay_seek(w->p, w->rp->from ? w->rp->from - 1 : 0);
	for (unsigned zone = 0; zone < ZONES; zone++) {
		w->least[zone] = free_now(w, zone);
		for (unsigned i = 0; i < NR_WMARK; i++)
			w->level[zone][i].below = w->least[zone] < marks_of(w, zone)[i];
	}
	return ret;
}

int report_watermarks(struct report *rp)
{
	struct watermarks w = {.rp = rp, .p = report_replay(rp)};
	if (!w.p)
		return EXIT_FAILURE;
	w.crossings = g_array_new(FALSE, FALSE, sizeof(struct crossing));
	int ret = begin(&w);
	ret = ret ? ret : walk_all(&w);
	out_title(rp, "Watermarks: %s crossing%s by the free pages of a zone",
		  fmt_count(w.crossings->len), plural(w.crossings->len));
	print_levels(&w);
	print_crossings(&w);
	g_array_unref(w.crossings);
	int status = ret ? report_damaged(w.p) : EXIT_SUCCESS;
	replay_close(w.p);
	return status;
}
