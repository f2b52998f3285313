// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Report lifetimes: how long blocks live, in events of the recording and in time.
#include <stdio.h>
#include <stdlib.h>

#include "report.h"

enum {
	BUCKETS = 20,
	PER_BUCKET = 10,
	CLOCK_NS = 1000, // finer than the clock is read
	RECENT = 1 << 16 // most blocks die young: these need no look into the table
};

struct birth {
	uint64_t id;
	int64_t t_ns;
	uint32_t stack;
};

struct histogram {
	uint64_t count[BUCKETS], most;
};

struct lifetimes {
	struct report *rp;
	struct histogram events, time;
	uint64_t made, ended;
	struct birth *recent; // of the last events, by id modulo RECENT
	sqlite3_stmt *find;
};

// Bucket i holds 10^i up to below 10^(i+1).
static void count(struct histogram *h, uint64_t n)
{
	unsigned i = 0;
	for (; n >= PER_BUCKET && i + 1 < BUCKETS; i++)
		n /= PER_BUCKET;
	if (++h->count[i] > h->most)
		h->most = h->count[i];
}

// When and where a block was made. False: its event is missing.
static bool birth_of(struct lifetimes *l, uint64_t id, struct birth *b)
{
	*b = l->recent[id % RECENT];
	if (b->id == id)
		return true;
	sqlite3_bind_int64(l->find, 1, (sqlite3_int64)id);
	bool found = sqlite3_step(l->find) == SQLITE_ROW;
	*b = (struct birth){id, sqlite3_column_int64(l->find, 0),
			    (uint32_t)sqlite3_column_int64(l->find, 1)};
	sqlite3_reset(l->find);
	return found;
}

// With --filter it is the stack that made the block which counts, not that which freed it. Clocks
// of CPUs differ by microseconds: a negative time is none.
static void add(void *ctx, const struct scan_event *e)
{
	struct lifetimes *l = ctx;
	struct birth b;
	l->recent[e->id % RECENT] = (struct birth){e->id, e->t_ns, e->stack};
	if (scan_gives(e) && stack_wanted(l->rp, e->stack))
		l->made++;
	if (!e->back || e->back >= e->id || e->id - e->back < l->rp->from)
		return;
	if (!birth_of(l, e->id - e->back, &b) || !stack_wanted(l->rp, b.stack))
		return;
	count(&l->events, e->back);
	count(&l->time, e->t_ns > b.t_ns ? (uint64_t)(e->t_ns - b.t_ns) / CLOCK_NS : 0);
	l->ended++;
}

static void print(struct report *rp, const char *key, const struct histogram *h, uint64_t ended,
		  enum cell_kind kind)
{
	const struct column columns[] = {
		{"from", "from", kind},
		{"below", kind == CELL_TIME ? "below" : "below, events", kind},
		{"blocks", "blocks", CELL_COUNT},
		{"share", "share", CELL_SHARE},
		{"", "", CELL_BAR},
		{0}};
	uint64_t from = kind == CELL_TIME ? CLOCK_NS : 1, sum = 0;
	out_table(rp, key, columns);
	for (unsigned i = 0; i < BUCKETS && sum < ended; i++, from *= PER_BUCKET) {
		sum += h->count[i];
		if (sum) // begins with the first block
			out_row(rp, i ? from : (uint64_t)0, from * PER_BUCKET, h->count[i],
				h->count[i] * 1000 / ended,
				(h->count[i] * 1000 + h->most - 1) / h->most);
	}
	out_end(rp);
}

int report_lifetimes(struct report *rp)
{
	struct lifetimes l = {.rp = rp, .recent = g_new0(struct birth, RECENT)};
	sqlite3_prepare_v2(rp->db, "SELECT t_ns, stack FROM event WHERE rowid = ?1", -1, &l.find,
			   NULL);
	report_scan(rp, true, add, &l);
	sqlite3_finalize(l.find);
	g_free(l.recent);
	uint64_t lives = l.made > l.ended ? l.made - l.ended : 0;
	out_title(rp, "%s blocks made, %s given back, %s live on", fmt_count(l.made),
		  fmt_count(l.ended), fmt_count(lives));
	if (output_json(rp->out)) {
		out_figure(rp, "made", "", CELL_COUNT, l.made);
		out_figure(rp, "given_back", "", CELL_COUNT, l.ended);
	}
	out_title(rp, "In events between allocation and free");
	print(rp, "events", &l.events, l.ended, CELL_COUNT);
	out_title(rp, "In time (the clock is read every few events)");
	print(rp, "time_ns", &l.time, l.ended, CELL_TIME);
	return EXIT_SUCCESS;
}
