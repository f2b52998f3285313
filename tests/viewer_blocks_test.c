// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Which blocks are alive at an event, who holds the frames, and the call sites of part of a process,
// against looking at every row. With a recording as argument that one is read, else one made here.
#include <glib.h>

#include "harness.h"
#include "core/session.h"
#include "recording_make.h"
#include "viewer/holders.h"
#include "viewer/source.h"

enum {
	MOST_ROWS = 40000
};

static struct source *source;
static struct recording *recording;
static struct event_row row[MOST_ROWS];
static unsigned nrows;

static bool gives(const struct event_row *r)
{
	return !(r->flags & OPF_FAILED) && r->addr &&
	       (r->kind == EV_MALLOC || r->kind == EV_CALLOC || r->kind == EV_REALLOC ||
		r->kind == EV_MEMALIGN || r->kind == EV_MMAP || r->kind == EV_MREMAP);
}

// The process' event that ends the block of row i, 0: none up to `to`.
static uint64_t ended(unsigned i, uint64_t to)
{
	for (unsigned k = i + 1; k < nrows && row[k].id <= to; k++)
		if (row[k].ref == row[i].id && row[k].process == row[i].process)
			return row[k].id;
	return 0;
}

static bool next_of_thread(unsigned i, uint64_t event)
{
	for (unsigned k = i + 1; k < nrows; k++)
		if (row[k].process == row[i].process && row[k].thread == row[i].thread)
			return row[k].id == event &&
			       (row[k].kind == EV_FREE || row[k].kind == EV_MUNMAP);
	return false;
}

struct looked {
	int process;
	uint64_t from, to;
	unsigned at, seen, wrong;
};

// Blocks come from the last to the first; the rows are gone through beside them.
static bool compare(void *ctx, const struct block *b)
{
	struct looked *l = ctx;
	const struct event_row *r;
	uint64_t end;

	while (l->at && (row[l->at - 1].id > l->to || row[l->at - 1].process != l->process ||
			 !gives(&row[l->at - 1])))
		l->at--;
	if (!l->at--)
		return !++l->wrong;
	r = &row[l->at];
	end = ended(l->at, l->to);
	l->seen++;
	l->wrong += b->event != r->id || b->addr != r->addr || b->req != r->req ||
		    b->alloc != r->alloc || b->stack != r->stack || b->inherited;
	l->wrong += b->live != (!end && !is_only_addresses(r->path, r->cache));
	l->wrong += b->temporary != (end && next_of_thread(l->at, end));
	return true;
}

static unsigned expected(const struct looked *l)
{
	unsigned n = 0;

	for (unsigned i = 0; i < nrows; i++)
		n += row[i].process == l->process && row[i].id >= l->from && row[i].id <= l->to &&
		     gives(&row[i]);
	return n;
}

static void blocks_are_those_of_the_rows(void)
{
	unsigned seen = 0;

	for (unsigned part = 1; part <= 4; part++) {
		struct looked l = {row[nrows / 2].process,
				   part == 3 ? nrows / 3 : 1,
				   nrows * part / 4,
				   nrows,
				   0,
				   0};

		CHECK_EQ(recording_each_block(recording, l.process, l.from, l.to, compare, &l), 0);
		CHECK_EQ(l.wrong, 0);
		CHECK_EQ(l.seen, expected(&l));
		seen += l.seen;
	}
	CHECK(seen > 100);
}

static bool stop_at_once(void *ctx, const struct block *b)
{
	(void)b;
	++*(unsigned *)ctx;
	return false;
}

static int interrupt(void *data)
{
	(void)data;
	return 1;
}

static void a_pass_can_be_stopped(void)
{
	unsigned n = 0;

	CHECK(recording_each_block(recording, 1, 1, nrows, stop_at_once, &n) < 0);
	CHECK_EQ(n, 1);
	sqlite3_progress_handler(recording_db(recording), 100, interrupt, NULL);
	CHECK(recording_each_block(recording, 1, 1, nrows, stop_at_once, &n) < 0);
	CHECK(scope_sites(recording, 1, SCOPE_LIVE, 1, nrows, &n, NULL, NULL) == NULL);
	sqlite3_progress_handler(recording_db(recording), 0, NULL, NULL);
}

static void an_empty_range_has_no_blocks(void)
{
	unsigned n = 0;

	CHECK_EQ(recording_each_block(recording, 1, 50, 49, stop_at_once, &n), 0);
	CHECK_EQ(recording_each_block(recording, 999, 1, nrows, stop_at_once, &n), 0);
	CHECK_EQ(n, 0);
}

static void sites_of_a_scope_add_up(void)
{
	int process = row[nrows / 2].process;
	uint64_t to = nrows / 2, calls = 0, bytes = 0, live = 0, n_live = 0;
	unsigned n;
	struct site_row *s = scope_sites(recording, process, SCOPE_RANGE, 1, to, &n, NULL, NULL);

	for (unsigned i = 0; i < nrows && row[i].id <= to; i++)
		if (row[i].process == process && gives(&row[i])) {
			bool alive = !ended(i, to) && !is_only_addresses(row[i].path, row[i].cache);

			calls++;
			bytes += row[i].req;
			live += alive ? row[i].req : 0;
			n_live += alive;
		}
	CHECK(s != NULL);
	for (unsigned i = 0; i < n; i++) {
		CHECK(!i || s[i].stack > s[i - 1].stack);
		calls -= s[i].calls;
		bytes -= s[i].bytes;
		live -= s[i].live_bytes;
		n_live -= s[i].live_count;
	}
	CHECK(!calls && !bytes && !live && !n_live);
	free(s);
	s = scope_sites(recording, process, SCOPE_LIVE, 1, to, &n, NULL, NULL);
	CHECK(s != NULL);
	for (unsigned i = 0; i < n; i++) {
		CHECK_EQ(s[i].calls, s[i].live_count);
		CHECK_EQ(s[i].bytes, s[i].live_bytes);
	}
	free(s);
}

static struct view_model *model_at(uint64_t event, int process)
{
	char err[256];

	return source_model(source, &(struct model_request){.process = process, .event = event},
			    err, sizeof(err));
}

// Blocks of the direct map: their frames are known without the machine.
static void the_newest_block_holds_a_frame(void)
{
	int process = row[nrows / 2].process;
	struct view_model *v = model_at(nrows, process);
	struct holders *h = v ? holders_build(v, recording, NULL, NULL) : NULL;
	unsigned held = 0, frames = 0;

	CHECK(h != NULL);
	if (!h)
		return;
	CHECK_EQ(h->event, v->event);
	for (unsigned i = nrows; i-- > 0;) {
		pfn_t pfn = (pfn_t)((row[i].addr - v->page_offset) >> PAGE_SHIFT);

		if (row[i].process != process || !gives(&row[i]) || row[i].id > v->event ||
		    row[i].addr < v->page_offset || row[i].addr >= v->high_memory || !h->born[pfn])
			continue;
		// none that is alive is newer than the frame's
		if (row[i].id > h->born[pfn])
			CHECK(ended(i, v->event) != 0);
		held += row[i].id == h->born[pfn];
	}
	CHECK(held > 10);
	for (unsigned i = 1; i <= h->nsites; i++) {
		CHECK(*h->sites[i].function);
		CHECK(i == 1 || h->sites[i].frames <= h->sites[i - 1].frames);
		frames += h->sites[i].frames;
	}
	for (pfn_t pfn = 0; pfn < h->max_pfn; pfn++) {
		CHECK(!h->born[pfn] == !h->site[pfn]);
		frames -= h->born[pfn] != 0;
	}
	CHECK_EQ(frames, 0);
	holders_unref(h);
	model_unref(v);
}

// What a parent allocated before the fork lies on the child's frames, too.
static void a_child_holds_what_it_inherited(void)
{
	const struct process_info *list, *child = NULL;
	unsigned n = recording_processes(recording, &list), inherited = 0;
	struct view_model *v;
	struct holders *h;

	for (unsigned i = 0; i < n && !child; i++)
		if (list[i].how == HOW_FORK && list[i].events && list[i].fork_event)
			child = &list[i];
	if (!child)
		return;
	v = model_at(child->first_event, child->process);
	h = v ? holders_build(v, recording, NULL, NULL) : NULL;
	CHECK(h != NULL);
	for (pfn_t pfn = 0; h && pfn < h->max_pfn; pfn++)
		inherited += h->born[pfn] && h->born[pfn] <= child->fork_event;
	CHECK(inherited > 0);
	holders_unref(h);
	model_unref(v);
}

int main(int argc, char **argv)
{
	static struct made made;
	char made_path[] = "/tmp/kalloscope-blocks.XXXXXX";
	const char *path = argv[1];
	enum recording_error code;
	char err[512];

	if (argc < 2) {
		close(mkstemp(made_path));
		made_create(&made, made_path);
		path = made_path;
	}
	source = source_open(path, &code, err, sizeof(err));
	if (!source) {
		printf("Bail out! %s\n", err);
		return 1;
	}
	recording = source_recording(source);
	nrows = recording_rows(recording, 1, MOST_ROWS, row);
	RUN(blocks_are_those_of_the_rows);
	RUN(a_pass_can_be_stopped);
	RUN(an_empty_range_has_no_blocks);
	RUN(sites_of_a_scope_add_up);
	RUN(the_newest_block_holds_a_frame);
	RUN(a_child_holds_what_it_inherited);
	source_close(source);
	if (argc < 2) {
		made_destroy(&made);
		unlink(made_path);
	}
	return DONE();
}
