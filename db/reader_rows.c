// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Rows of a recording: events, stacks, timeline, transitions.
#include "reader_impl.h"

#include <stdio.h>
#include <string.h>

enum {
	TIMELINE_LEVELS = 3
};

static uint64_t u64(sqlite3_stmt *s, int c)
{
	return (uint64_t)sqlite3_column_int64(s, c);
}

// Simulated addresses are stored as signed 32-bit numbers, which SQLite keeps in four bytes.
static uint64_t address(int64_t stored)
{
	return stored < 0 ? (uint64_t)(stored + (1ll << 32)) : (uint64_t)stored;
}

// Columns in the order of STMT_ROWS.
static void read_event(sqlite3_stmt *s, struct event_row *e)
{
	uint64_t back = u64(s, 14);
	*e = (struct event_row){
		.id = u64(s, 0),
		.t_ns = sqlite3_column_int64(s, 1),
		.process = sqlite3_column_int(s, 2),
		.thread = sqlite3_column_int(s, 3),
		.cpu = sqlite3_column_int(s, 4),
		.kind = (enum event_kind)sqlite3_column_int(s, 5),
		.path = (enum op_path)sqlite3_column_int(s, 6),
		.cache = (uint16_t)sqlite3_column_int(s, 7),
		.addr = address(sqlite3_column_int64(s, 8)),
		.req = u64(s, 9),
		.alloc = u64(s, 10),
		.gfp = (gfp_t)sqlite3_column_int64(s, 11),
		.flags = (unsigned)sqlite3_column_int(s, 12),
		.stack = (uint32_t)sqlite3_column_int64(s, 13),
		.ref = back && back < u64(s, 0) ? u64(s, 0) - back : 0,
		.old = address(sqlite3_column_int64(s, 15)),
	};
}

unsigned recording_rows(struct recording *r, uint64_t from, unsigned n, struct event_row *rows)
{
	sqlite3_stmt *s = reader_stmt(r, STMT_ROWS);
	unsigned got = 0;
	if (!s || !n)
		return 0;
	sqlite3_bind_int64(s, 1, (int64_t)from);
	sqlite3_bind_int64(s, 2, (int64_t)(from + n - 1));
	while (got < n && reader_row(s))
		read_event(s, &rows[got++]);
	sqlite3_reset(s);
	return got;
}

static int64_t time_of(struct recording *r, uint64_t event)
{
	sqlite3_stmt *s = reader_stmt(r, STMT_TIME);
	if (!s)
		return 0;
	sqlite3_bind_int64(s, 1, (int64_t)event);
	int64_t t = reader_row(s) ? sqlite3_column_int64(s, 0) : 0;
	sqlite3_reset(s);
	return t;
}

// Bisects the ids. The clock is read every few events and CPUs differ a little, so times may step
// back by microseconds between neighbours; the answer is then off by those few events.
uint64_t recording_event_at(struct recording *r, int64_t t_ns)
{
	uint64_t lo = 0, hi = recording_events(r); // t(lo) <= t_ns; 0 is before everything
	while (lo < hi) {
		uint64_t mid = lo + (hi - lo + 1) / 2;
		if (time_of(r, mid) <= t_ns)
			lo = mid;
		else
			hi = mid - 1;
	}
	return lo;
}

// An address without a name is called by its place in the file, or by its value.
static void read_frame(sqlite3_stmt *s, struct frame *f)
{
	char module[256];
	reader_text(s, 1, f->function, sizeof(f->function));
	reader_text(s, 2, f->file, sizeof(f->file));
	f->line = sqlite3_column_int(s, 3);
	reader_text(s, 4, module, sizeof(module));
	memcpy(f->module, module, sizeof(module));
	f->offset = u64(s, 5);
	f->place = (uint32_t)sqlite3_column_int64(s, 7);
	f->size = (uint32_t)sqlite3_column_int64(s, 8);
	f->inlined = false;
	if (*f->function)
		return;
	const char *base = strrchr(module, '/');
	if (*module)
		snprintf(f->function, sizeof(f->function), "%.200s+0x%llx",
			 base ? base + 1 : module, (unsigned long long)f->offset);
	else
		snprintf(f->function, sizeof(f->function), "0x%llx", (unsigned long long)u64(s, 6));
}

unsigned recording_stack(struct recording *r, uint32_t stack, struct frame *frames, unsigned max)
{
	sqlite3_stmt *s = reader_stmt(r, STMT_STACK);
	unsigned n = 0;
	int depth = -1;
	if (!s)
		return 0;
	sqlite3_bind_int64(s, 1, stack);
	while (n < max && reader_row(s)) {
		// one more function of the same address: the one before was inlined into it
		if (n && sqlite3_column_int(s, 0) == depth)
			frames[n - 1].inlined = true;
		depth = sqlite3_column_int(s, 0);
		read_frame(s, &frames[n++]);
	}
	sqlite3_reset(s);
	return n;
}

static void bind_timeline(sqlite3_stmt *s, int process, int level, uint64_t from, uint64_t to)
{
	sqlite3_bind_int(s, 1, process);
	sqlite3_bind_int(s, 2, level);
	sqlite3_bind_int64(s, 3, (int64_t)from);
	sqlite3_bind_int64(s, 4, (int64_t)to);
}

static unsigned timeline_count(struct recording *r, int process, int level, uint64_t from,
			       uint64_t to)
{
	sqlite3_stmt *s = reader_stmt(r, STMT_TIMELINE_COUNT);
	if (!s)
		return 0;
	bind_timeline(s, process, level, from, to);
	unsigned n = reader_row(s) ? (unsigned)sqlite3_column_int(s, 0) : 0;
	sqlite3_reset(s);
	return n;
}

static void read_bucket(sqlite3_stmt *s, struct timeline_bucket *b)
{
	b->first_event = u64(s, 0);
	b->last_event = u64(s, 1);
	b->t_ns = sqlite3_column_int64(s, 2);
	for (int i = 0; i < TL_ITEMS; i++) {
		b->min[i] = u64(s, 3 + 2 * i);
		b->max[i] = u64(s, 4 + 2 * i);
	}
	b->failures = (uint32_t)sqlite3_column_int(s, 3 + 2 * TL_ITEMS);
}

// Buckets come in order, so the last one seen ends the piece.
static void merge_bucket(struct timeline_bucket *to, const struct timeline_bucket *b)
{
	to->last_event = b->last_event;
	to->failures += b->failures;
	for (int i = 0; i < TL_ITEMS; i++) {
		if (b->min[i] < to->min[i])
			to->min[i] = b->min[i];
		if (b->max[i] > to->max[i])
			to->max[i] = b->max[i];
	}
}

// The finest level that does not give many times more buckets than are wanted.
static int timeline_level(struct recording *r, int process, uint64_t from, uint64_t to,
			  unsigned max, unsigned *count)
{
	for (int level = 0;; level++) {
		unsigned n = timeline_count(r, process, level, from, to);
		if (n || level == 0)
			*count = n;
		else
			return level - 1; // a short recording may lack the coarse levels
		if (n <= 8 * max || level == TIMELINE_LEVELS - 1)
			return level;
	}
}

// At most eight buckets are merged into a piece, so this costs O(max) rows, whatever the length.
unsigned recording_timeline(struct recording *r, int process, uint64_t from, uint64_t to,
			    struct timeline_bucket *b, unsigned max)
{
	unsigned count = 0, got = 0, i = 0;
	int level = max ? timeline_level(r, process, from, to, max, &count) : 0;
	sqlite3_stmt *s = reader_stmt(r, STMT_TIMELINE);
	if (!s || !count)
		return 0;
	bind_timeline(s, process, level, from, to);
	for (; i < count && reader_row(s); i++) {
		struct timeline_bucket one;
		read_bucket(s, &one);
		// bucket i of count goes to piece i * pieces / count
		unsigned piece = count <= max ? i : (unsigned)((uint64_t)i * max / count);
		if (piece < got)
			merge_bucket(&b[piece], &one);
		else
			b[got++] = one;
	}
	sqlite3_reset(s);
	return got;
}

// Columns in the order of STMT_TRANSITIONS.
static void read_transition(sqlite3_stmt *s, struct transition_row *row)
{
	row->event = u64(s, 0);
	row->t = (struct trace_event){
		.cpu = (uint8_t)sqlite3_column_int(s, 1),
		.kind = (uint16_t)sqlite3_column_int(s, 2),
		.zone = (uint8_t)sqlite3_column_int(s, 3),
		.order = (uint8_t)sqlite3_column_int(s, 4),
		.order2 = (uint8_t)sqlite3_column_int(s, 5),
		.migratetype = (uint8_t)sqlite3_column_int(s, 6),
		.migratetype2 = (uint8_t)sqlite3_column_int(s, 7),
		.cache = (uint16_t)sqlite3_column_int(s, 8),
		.flags = (uint16_t)sqlite3_column_int(s, 9),
		.pfn = (uint32_t)sqlite3_column_int64(s, 10),
		.addr = (uint32_t)sqlite3_column_int64(s, 11),
		.count = (uint32_t)sqlite3_column_int64(s, 12),
		.stride = sqlite3_column_int(s, 13),
		.value = (uint32_t)sqlite3_column_int64(s, 14),
	};
}

unsigned recording_transitions(struct recording *r, uint64_t event, struct transition_row *rows,
			       unsigned max)
{
	sqlite3_stmt *s = reader_stmt(r, STMT_TRANSITIONS);
	unsigned n = 0;
	if (!s)
		return 0;
	sqlite3_bind_int64(s, 1, (int64_t)event);
	sqlite3_bind_int64(s, 2, max);
	while (n < max && reader_row(s))
		read_transition(s, &rows[n++]);
	sqlite3_reset(s);
	return n;
}
