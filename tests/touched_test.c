// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The filters of touched.h: never no wrongly, seldom yes wrongly; runs that leave nothing out.
#include "harness.h"

#include <stdlib.h>

#include "db/touched.h"
#include "recording_make.h"

static uint64_t state = 88172645463325252ull;

static uint64_t rnd(uint64_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % below;
}

// Blocks of a chunk as a program has them: most small, some large.
static uint64_t some_size(void)
{
	return rnd(20) ? 1 + rnd(300) : 1 + rnd(1ull << rnd(40));
}

static void what_was_touched_is_found(void)
{
	struct touched_filter f = {0};
	uint64_t first[300], last[300];

	for (unsigned i = 0; i < 300; i++) {
		first[i] = rnd(1ull << 32);
		last[i] = first[i] + some_size() - 1;
		touched_add(&f, i % 3, first[i], last[i]);
	}
	for (unsigned i = 0; i < 300; i++) {
		uint64_t in = first[i] + rnd(last[i] - first[i] + 1), before = rnd(10000);

		CHECK(touched_may(&f, i % 3, in, in));
		CHECK(touched_may(&f, i % 3, first[i], first[i]));
		CHECK(touched_may(&f, i % 3, last[i], last[i]));
		// wider than the block, and only its edge
		CHECK(touched_may(&f, i % 3, in > before ? in - before : 0, in + rnd(100000)));
		CHECK(touched_may(&f, i % 3, last[i], last[i] + before));
	}
	touched_add(&f, TOUCHED_BLOCK, 4096, UINT64_MAX);
	CHECK(touched_may(&f, TOUCHED_BLOCK, 1ull << 60, 1ull << 60));
}

static void what_was_not_is_seldom_found(void)
{
	struct touched_filter f = {0};
	unsigned bytes = 0, pages = 0;

	for (unsigned i = 0; i < TOUCHED_EVENTS; i++) {
		uint64_t at = rnd(1 << 20) * 64;

		touched_add(&f, TOUCHED_BLOCK, at, at + rnd(500));
	}
	for (unsigned i = 0; i < 10000; i++) {
		uint64_t page = (1ull << 31) + rnd(1 << 18) * 4096;

		bytes += touched_may(&f, TOUCHED_BLOCK, page + 24, page + 24);
		pages += touched_may(&f, TOUCHED_BLOCK, page, page + 4095);
	}
	printf("# yes wrongly: %u bytes, %u pages of 10000\n", bytes, pages);
	CHECK(bytes < 1500 && pages < 1000);
	CHECK(!touched_may(&f, TOUCHED_FRAME, 0, UINT32_MAX));
}

// A part whose chunks touch what `touch` says, and no row for the part behind it.
static void make_part(struct made *made, const uint64_t touch[TOUCHED_CHUNKS])
{
	struct touched_part *p = calloc(1, sizeof(*p));
	sqlite3_stmt *s;

	for (unsigned i = 0; i < TOUCHED_CHUNKS; i++)
		touched_add(&p->chunk[i], TOUCHED_BLOCK, touch[i], touch[i]);
	CHECK_EQ(sqlite3_prepare_v2(made->db, "INSERT INTO touched VALUES(0, ?1)", -1, &s, NULL),
		 SQLITE_OK);
	sqlite3_bind_blob(s, 1, p, sizeof(*p), SQLITE_STATIC);
	CHECK_EQ(sqlite3_step(s), SQLITE_DONE);
	sqlite3_finalize(s);
	free(p);
}

static uint64_t covered(struct recording *r, uint64_t addr, uint64_t from, uint64_t to,
			bool (*wanted)(uint64_t event))
{
	struct touched_runs t;
	uint64_t begin, end, n = 0, at = from;

	touched_begin(&t, r, TOUCHED_BLOCK, addr, addr, from, to);
	while (touched_next(&t, &begin, &end)) {
		CHECK(begin <= end);
		CHECK(to < from ? end <= at && begin >= to : begin >= at && end <= to);
		for (uint64_t i = begin; i <= end; i++)
			n += wanted(i);
		at = to < from ? begin - 1 : end + 1;
	}
	touched_end(&t);
	return n;
}

static bool in_chunk_9(uint64_t event)
{
	return event / TOUCHED_EVENTS == 9;
}

static bool any(uint64_t event)
{
	(void)event;
	return true;
}

static void runs_leave_out_what_cannot_be(void)
{
	const uint64_t part = TOUCHED_EVENTS * TOUCHED_CHUNKS;
	uint64_t touch[TOUCHED_CHUNKS];
	enum recording_error code;
	struct recording *r;
	static struct made made;
	char path[] = "/tmp/kalloscope-touched.XXXXXX", err[256];

	for (unsigned i = 0; i < TOUCHED_CHUNKS; i++)
		touch[i] = i == 9 || i == 40 ? 0xc1000040 : 0xd0000000 + 4096 * i;
	close(mkstemp(path));
	made_create(&made, path);
	make_part(&made, touch);
	r = recording_open(path, &code, err, sizeof(err));
	CHECK(r);
	// chunk 0 (event 0's), 9 and 40
	CHECK_EQ(covered(r, 0xc1000041, 0, part - 1, any), 3 * TOUCHED_EVENTS);
	CHECK_EQ(covered(r, 0xc1000041, part - 1, 0, any), 3 * TOUCHED_EVENTS);
	CHECK_EQ(covered(r, 0xc1000041, 9 * TOUCHED_EVENTS + 7, 9 * TOUCHED_EVENTS + 7, any), 1);
	CHECK_EQ(covered(r, 0xc1000041, 1, part - 1, in_chunk_9), TOUCHED_EVENTS);
	CHECK_EQ(covered(r, 0xe0000000, TOUCHED_EVENTS, part - 1, any), 0);
	// what has no row may be anything
	CHECK_EQ(covered(r, 0xe0000000, TOUCHED_EVENTS, part + 99, any), 100);
	CHECK_EQ(covered(r, 0xe0000000, 2 * part, part, any), part + 1);
	recording_close(r);
	made_destroy(&made);
	unlink(path);
}

int main(void)
{
	RUN(what_was_touched_is_found);
	RUN(what_was_not_is_seldom_found);
	RUN(runs_leave_out_what_cannot_be);
	return DONE();
}
