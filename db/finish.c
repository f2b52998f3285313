// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// What can be done only when the last record is in: stacks, names, totals; then the folder goes.
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "inserter.h"

enum {
	CHUNK = 8, // frames
};

struct address_key {
	uint64_t ip;
	uint32_t image, pad;
};

struct module_range {
	uint64_t start, end, base;
	int64_t module;
	uint32_t image;
};

struct finisher {
	struct inserter *ins;
	struct intern addresses;
	struct module_range *module; // sorted by image, start
	size_t nmodules;
	uint8_t *chunk_seen; // bit per depot node that a chunk ends with
};

static int by_image_start(const void *a, const void *b)
{
	const struct module_range *x = a, *y = b;

	if (x->image != y->image)
		return x->image < y->image ? -1 : 1;
	return x->start < y->start ? -1 : x->start > y->start;
}

static void load_modules(struct finisher *f)
{
	sqlite3_stmt *s;

	f->module = calloc(f->ins->modules + 1, sizeof(*f->module));
	if (!f->module ||
	    sqlite3_prepare_v2(f->ins->naming,
			       "SELECT image, start, \"end\", base, module FROM module", -1, &s,
			       NULL))
		return;
	while (f->nmodules < f->ins->modules && sqlite3_step(s) == SQLITE_ROW)
		f->module[f->nmodules++] = (struct module_range){
			.image = (uint32_t)sqlite3_column_int64(s, 0),
			.start = (uint64_t)sqlite3_column_int64(s, 1),
			.end = (uint64_t)sqlite3_column_int64(s, 2),
			.base = (uint64_t)sqlite3_column_int64(s, 3),
			.module = sqlite3_column_int64(s, 4),
		};
	sqlite3_finalize(s);
	qsort(f->module, f->nmodules, sizeof(*f->module), by_image_start);
}

static const struct module_range *module_at(const struct finisher *f, uint32_t image, uint64_t ip)
{
	const struct module_range key = {.image = image, .start = ip};
	size_t lo = 0, hi = f->nmodules;

	while (lo < hi) { // first one behind the key
		size_t mid = (lo + hi) / 2;

		if (by_image_start(&f->module[mid], &key) <= 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo || f->module[lo - 1].image != image || ip > f->module[lo - 1].end)
		return NULL;
	return &f->module[lo - 1];
}

static int64_t address_of(struct finisher *f, uint32_t image, uint64_t ip)
{
	const struct address_key key = {.ip = ip, .image = image};
	const struct module_range *m;
	bool is_new = false;
	uint32_t id = intern_id(&f->addresses, &key, &is_new);

	if (!is_new)
		return id;
	m = module_at(f, image, ip - 1); // the call, not what follows it
	store_run(f->ins, ST_ADDRESS, m ? "iiiii" : "iiinn", (int64_t)id, (int64_t)image,
		  (int64_t)ip, m ? m->module : 0, m ? (int64_t)(ip - m->base) : 0);
	naming_address(f->ins, id, image, ip, m ? m->module : 0, m ? (int64_t)(ip - m->base) : 0);
	return id;
}

// How many frames the chunk has that ends `left` frames before the outermost one's end.
static unsigned chunk_frames(unsigned left)
{
	return (left - 1) % CHUNK + 1;
}

static void store_row(struct inserter *ins, enum batch_id id, int64_t a, int64_t b, int64_t c)
{
	int64_t *cell = batch_row(ins, id);

	cell[0] = a;
	cell[1] = b;
	cell[2] = c;
}

// Its chunks, each named after the node of its innermost frame: that says what is outside of it.
static void store_parts(struct finisher *f, uint32_t stack)
{
	struct depot_walk w;

	depot_walk(&f->ins->seg, stack, &w);
	for (unsigned at = 0; at < w.depth; at += chunk_frames(w.depth - at)) {
		store_row(f->ins, BATCH_PART, stack, at, w.node[at]);
		f->chunk_seen[w.node[at] / 8] |= (uint8_t)(1 << w.node[at] % 8);
	}
}

static void store_chunk(struct finisher *f, uint32_t chunk)
{
	struct depot_walk w;

	depot_walk(&f->ins->seg, chunk, &w);
	for (unsigned i = 0; w.depth && i < chunk_frames(w.depth); i++)
		store_row(f->ins, BATCH_FRAME, chunk, i, address_of(f, w.image, w.ip[i]));
}

// Most of them are 0.
static void each_bit(struct finisher *f, const uint8_t *seen,
		     void (*fn)(struct finisher *f, uint32_t id))
{
	for (uint32_t id = 0; id < f->ins->seg.own.max_nodes; id += 64) {
		uint64_t bits;

		memcpy(&bits, seen + id / 8, sizeof(bits));
		for (; bits; bits &= bits - 1)
			fn(f, id + (uint32_t)__builtin_ctzll(bits));
	}
}

static void store_stacks(struct inserter *ins)
{
	struct finisher f = {.ins = ins, .chunk_seen = calloc(node_bits_bytes(ins), 1)};

	if (!f.chunk_seen || intern_init(&f.addresses, sizeof(struct address_key))) {
		store_fail(ins, -ENOMEM, strerror(ENOMEM));
	} else {
		load_modules(&f);
		each_bit(&f, ins->stack_seen, store_parts);
		each_bit(&f, f.chunk_seen, store_chunk);
		batch_flush(ins);
	}
	intern_finish(&f.addresses);
	free(f.chunk_seen);
	free(f.module);
}

static void store_totals(struct inserter *ins)
{
	const struct session_header *h = ins->seg.h;
	int64_t end = 0;
	uint32_t processes = 0;

	for (uint32_t i = 1; i < ins->nproc; i++) {
		if (!ins->proc[i])
			continue;
		processes++;
		end = ins->proc[i]->end_ns > end ? ins->proc[i]->end_ns : end;
	}
	served_store(ins);
	store_meta_int(ins, "duration_ns", end);
	store_meta_int(ins, "events", (int64_t)ins->events);
	store_meta_int(ins, "transitions", (int64_t)ins->transitions);
	store_meta_int(ins, "processes", processes);
	store_meta_int(ins, "lost", (int64_t)ins->lost);
	store_meta_int(ins, "divergences", (int64_t)ins->divergences);
	if (ins->divergences)
		store_meta_text(ins, "divergence", ins->divergence);
	store_meta_int(ins, "processes_without_slot", atomic_load(&h->no_slot));
	store_meta_int(ins, "stacks_not_recorded", atomic_load(&h->depot_full));
	if (ins->spool.damaged)
		store_meta_int(ins, "damaged_chunks", ins->spool.damaged);
	if (ins->recovered)
		store_meta_int(ins, "recovered", 1);
	if (ins->truncated)
		store_meta_text(ins, "truncated", ins->truncated);
}

static void remove_folder(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *e;

	if (!dir)
		return;
	while ((e = readdir(dir))) {
		bool ours = !strcmp(e->d_name, "rings") || !strcmp(e->d_name, "header") ||
			    !strcmp(e->d_name, "spool") || !strcmp(e->d_name, "session.json") ||
			    !strcmp(e->d_name, SESSION_BOOT) || !strncmp(e->d_name, "state.", 6);

		if (ours)
			unlinkat(dirfd(dir), e->d_name, 0);
	}
	closedir(dir);
	rmdir(folder);
}

// Everything that was written without waiting for the disk is on it before the commit that says that
// the recording is complete, and so is that before the spool goes. The last commit writes a page
// or two and has no journal on the disk: should it be cut short, the spool is still there.
static void complete(struct inserter *ins, int64_t start_ns)
{
	store_wait(ins);
	if (!ins->error && ins->output_fd >= 0 && fdatasync(ins->output_fd))
		store_fail(ins, -errno, strerror(errno));
	if (!ins->error)
		sqlite3_exec(ins->db, "PRAGMA journal_mode=MEMORY; PRAGMA synchronous=FULL", NULL,
			     NULL, NULL);
	store_meta_int(ins, "finish_ns", (int64_t)clock_monotonic_ns() - start_ns);
	store_meta_int(ins, "complete", 1);
	store_commit(ins);
	store_wait(ins);
}

void finish_recording(struct inserter *ins)
{
	int64_t start_ns = (int64_t)clock_monotonic_ns();

	insert_report(ins, "finishing", true);
	touching_flush(ins);
	store_stacks(ins);
	insert_report(ins, "symbols", true);
	naming_resolve(ins);
	store_totals(ins);
	store_commit(ins);
	complete(ins, start_ns);
	if (ins->error)
		return;
	for (int i = 0; i < ST_COUNT; i++) {
		sqlite3_finalize(ins->stmt[i]);
		ins->stmt[i] = NULL;
	}
	if (!ins->spool_broken)
		remove_folder(ins->folder);
}
