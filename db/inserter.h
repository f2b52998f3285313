// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// What the parts of the inserter know of each other.
//
//   spool ─► insert.c ─► process.c: rings ─ merge ─ fold ─► matching.c   which allocation was freed
//              │              │ trace                       stats.c      totals, timeline
//              │              ▼                             contexts.c   what rows share
//              │          transitions, log blobs, keyframes
//              ▼
//           batch.c ─► store_queue.c ═► store.c ─► SQLite     finish.c: what can be done only at the end
//
// Two threads: one folds, the other one (behind ═►) has the database.
#pragma once

#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>

#include "../core/fold.h"
#include "codec.h"
#include "leaf.h"
#include "recorder.h"
#include "session_file.h"
#include "template.h"
#include "touched.h"

enum {
	LOG_ENTRIES = 16384,		     // of a log blob
	KEYFRAME_RECORDS = 12 * LOG_ENTRIES, // between keyframes: 30 ms of folding
	LOG_AGE_NS = 2000000000,	     // a blob is written at the latest
	FULL_KEYFRAMES = 16,		     // keyframes between full ones
	TIMELINE_LEVELS = 3,
	TIMELINE_ITEMS = 5, // of reader.h
	BATCH_ROWS = 32768,
};

struct inserter;

// --- matching.c: live allocations by address, with a way back for children of a fork
enum live_flags {
	LIVE_MAP = 1,	    // a mapping: may be unmapped piece by piece
	LIVE_HOST = 2,	    // served by the host
	LIVE_ADDRESSES = 4, // is_only_addresses
	LIVE_INHERITED = 8, // made by an ancestor
};
// The key of a block whose address was given out again before its end was heard of: another CPU was
// quicker to say so.
#define LIVE_SHADOW (1ull << 63)
// The key of a block that was given back before it was made: the other way round.
#define LIVE_OWED (1ull << 62)
struct live {
	uint64_t key; // address, bit 48 set for host addresses; 0 empty
	uint64_t event;
	uint64_t bytes; // asked for and not yet given back
	uint64_t span;	// length of a mapping
	uint32_t stack;
	uint32_t flags;
	uint32_t call;	  // which made it
	uint32_t spacing; // bytes from one object of its slab to the next; 0: not of a slab
};
// --- live_pages.c: those of them that are objects of slabs, in little room
struct live_pages {
	struct live_middle **top; // NULL: empty
	bool short_of_memory;
};
void live_pages_finish(struct live_pages *t);
bool live_pages_get(const struct live_pages *t, uint32_t addr, struct live *l); // but stack, bytes
bool live_pages_put(struct live_pages *t, const struct live *l); // replaces; false: not for here
bool live_pages_take(struct live_pages *t, uint32_t addr);	 // false: it was not there
void live_pages_each(const struct live_pages *t, void (*fn)(void *ctx, const struct live *l),
		     void *ctx);
void live_pages_inherit(struct live_pages *t);
bool live_pages_copy(struct live_pages *to, const struct live_pages *from);

struct undo {
	struct live old; // bytes 0 and event 0: was not there
	uint64_t key;
};
struct matching {
	struct live *slot;
	size_t mask, used; // capacity - 1
	uint64_t *maps;	   // keys of LIVE_MAP, sorted
	size_t nmaps, maps_room;
	struct undo *journal; // changes since the first barrier
	size_t njournal, journal_room;
	uint64_t journal_base; // entries dropped from its start
	size_t shadows;	       // keys with LIVE_SHADOW or LIVE_OWED
	bool journalling;
	struct live_pages pages;
	const struct inserter *ins; // has the calls
	struct live found[2];	    // copies of what the pages have, as matching_find returned them
	unsigned nfound;
};
int matching_init(struct matching *t, const struct inserter *ins);
void matching_finish(struct matching *t);
// Valid until the second call after this one, or a change.
struct live *matching_find(struct matching *t, uint64_t key);
void matching_each(struct matching *t, void (*fn)(void *ctx, const struct live *l), void *ctx);
struct live *matching_find_map(struct matching *t, uint64_t key); // the mapping around key
void matching_add(struct matching *t, const struct live *l);	  // replaces
void matching_remove(struct matching *t, struct live *l);
void matching_touch(struct matching *t, const struct live *l); // before *l is changed in place
uint64_t matching_mark(struct matching *t);		       // now, for matching_clone
// `to` becomes what `from` was at the mark (or as near as is still known), all inherited.
int matching_clone(struct matching *to, const struct matching *from, uint64_t mark);

// --- stats.c
struct stack_stat {
	uint32_t stack, peak_gen;
	uint64_t calls, bytes, alloc_bytes, live_count, live_bytes, peak_bytes, temporary, failed;
};
struct timeline_cell {
	uint64_t first, last, bucket;
	int64_t t_ns;
	uint64_t min[TIMELINE_ITEMS], max[TIMELINE_ITEMS];
	uint32_t n, failures;
};
struct stats {
	struct stack_stat *stack; // open addressing by stack
	size_t mask, used;
	uint64_t live_bytes, live_count, host_bytes, peak_bytes, peak_event;
	uint32_t peak_gen;
	uint64_t now[TIMELINE_ITEMS];
	struct timeline_cell cell[TIMELINE_LEVELS];
};
struct inserter;
struct proc;
int stats_init(struct stats *s);
void stats_finish(struct stats *s);
void stats_free_tables(struct stats *s); // the totals stay
void stats_alloc(struct stats *s, const struct live *l, uint64_t alloc, uint64_t event);
void stats_failed(struct stats *s, uint32_t stack);
void stats_free(struct stats *s, const struct live *l, uint64_t bytes, bool whole, bool temporary);
void stats_inherit(struct stats *s, struct matching *t);
void timeline_event(struct inserter *ins, struct proc *p, uint64_t event, int64_t t_ns,
		    bool failed);
int stats_store(struct inserter *ins, struct proc *p); // rows of a finished process

// --- contexts.c
enum {
	ALLOC_AS_ASKED = -1,
	ALLOC_IN_PAGES = -2
};
struct context_key {
	uint32_t process;
	uint16_t thread, cache;
	uint8_t cpu, kind, path, pad;
	uint16_t flags, pad2;
	uint32_t gfp, pad3;
	int64_t alloc; // bytes, or ALLOC_*: as many as asked for, rounded up to pages
};
struct transition_key {
	uint32_t process;
	uint16_t kind, cache, flags, pad;
	uint8_t cpu, zone, order, order2, migratetype, migratetype2, pad2[2];
};
struct intern {
	unsigned char *keys; // by id
	uint32_t *slot;	     // ids by hash
	size_t mask, count, key_size;
};
int intern_init(struct intern *t, size_t key_size);
void intern_finish(struct intern *t);
uint32_t intern_id(struct intern *t, const void *key, bool *is_new); // 1..; 0: no memory
struct call_key {
	uint32_t context, stack;
	uint64_t req; // REQ_IN_ROW: the row has it
};
#define REQ_IN_ROW UINT64_MAX
int calls_init(struct inserter *ins);
void calls_finish(struct inserter *ins);
void calls_forget(struct inserter *ins); // what cache ids mean has changed
// The call of an operation; *in_row: its row has to say how many bytes were asked for.
const struct call_key *call_key(const struct inserter *ins, uint32_t call);
uint32_t call_of(struct proc *p, const struct record *r, bool *in_row);
int64_t transition_context_of(struct inserter *ins, const struct transition_key *k);

// --- process.c
struct ring_queue {
	struct record *buf;
	size_t n, room;
	uint64_t next;		   // number of the record expected next
	int64_t t_ns;		   // of what follows
	struct trace_event *trace; // details since the last OP
	size_t ntrace, trace_room;
	uint64_t settled; // records before this number were there before the last round
	uint64_t stamp;	  // last TIME
	uint64_t pace,
		full_pace;     // stamps per record until the next TIME, estimated; of a full window
	bool held, held_ended; // see causality.c
	const struct record *held_end;
	uint64_t held_until; // stamp
	char text[4096];     // being assembled
	size_t text_len;
	char thread_name[32]; // for the thread of the next operation
	char pool_name[256];  // the same, for the pool it creates
	char *mark;	      // the same, for the mark it sets; NULL: none
};
struct thread_info {
	uint64_t first, last, events;
	uint64_t last_alloc; // id of its last operation when that was an allocation
	char name[32];
};
struct barrier_mark {
	uint64_t barrier, mark, event, seq; // seq: of the keyframe
};
enum proc_state {
	PROC_WAITING,
	PROC_RUNNING,
	PROC_ENDED,
	PROC_BROKEN
};
struct proc {
	uint32_t number;
	enum proc_state state;
	bool over;  // nothing more will come from the spool
	bool dirty; // its row changed
	bool lossy;
	bool from_template; // its machine was booted once for many
	bool at_round;	    // all rings have been taken as far as the drainer saw them
	struct slot slot;   // as the drainer saw it
	struct spool_end end;
	struct segment *seg;
	struct inserter *ins;
	void *memory;
	size_t size;
	struct machine m;
	struct merge merge;
	unsigned nrings, ring; // ring being applied
	unsigned nheld;
	struct ring_queue queue[MAX_CPUS];
	struct matching live;
	struct stats stats;
	struct thread_info *thread;
	size_t nthreads;
	struct barrier_mark *barrier;
	size_t nbarriers;
	struct keyframer *keyframer;
	struct log_entry *log;
	size_t nlog;
	uint64_t log_seq, log_before, keyframes, keyframe_seq, last_barrier;
	uint64_t since_keyframe, log_ns; // records; when the last blob was written
	uint64_t first_event, last_event, events, fork_event;
	int64_t start_ns, end_ns;
	uint64_t divergences, missing, forced;
	struct module_set *modules; // of its current image; text.c
	bool zones_dirty;
	uint16_t new_cache[64]; // created by the record being applied
	unsigned new_caches;
	char exe[SLOT_EXE_LEN], argv[4096];
	char state_check[256];
};
int proc_begin(struct inserter *ins, const struct slot *s, uint32_t number);
int proc_records(struct proc *p, unsigned cpu, uint64_t first, const struct record *r, uint32_t n);
int proc_advance(struct proc *p); // applies what can be applied
int proc_end(struct proc *p);	  // after the last record: what is left, totals, final row
int proc_store(struct proc *p);	  // its row
void proc_destroy(struct proc *p);
struct proc *proc_find(struct inserter *ins, uint32_t number);

// --- log.c
void proc_log(struct proc *p, const struct record *r, uint64_t event); // after it was applied
void proc_log_flush(struct proc *p);
void proc_log_age(struct proc *p); // writes a blob that has become old
void proc_keyframe(struct proc *p);
void proc_first_keyframe(struct proc *p); // of a machine just booted, or inherited

// --- causality.c
void causal_clock(struct proc *p, unsigned ring, const struct record *r); // r was taken from ring
int causal_pick(struct proc *p);		    // merge_pick, with rings held back
void causal_release(struct proc *p, unsigned ring); // its queue is about to change
void causal_made(struct proc *p);		    // a block was made or given back
void causal_round(struct proc *p);		    // all rings were drained once more

// --- operations.c: one finished operation: its row, its match, its statistics
uint64_t operation(struct proc *p, const struct record *r); // its event id
// What the block really takes; ALLOC_* where that follows from the request.
int64_t alloc_bytes(const struct proc *p, const struct record *r);
// It ends a block that was not made yet, as far as is known.
bool operation_waits(struct proc *p, const struct record *r);
// Writes the details collected on a ring; event 0: nobody's.
void operation_details(struct proc *p, struct ring_queue *q, uint64_t event);

// --- text.c
void text_record(struct proc *p, struct ring_queue *q, const struct record *r);
void text_finish(struct proc *p);

// --- batch.c: the rows the big inserts read
enum batch_id {
	BATCH_EVENT,
	BATCH_CLOCK,
	BATCH_PART,
	BATCH_FRAME,
	BATCH_TRANSITION,
	BATCHES
};
struct batch {
	enum batch_id id;
	size_t rows;
	int64_t cell[];
};
int batch_register(struct inserter *ins);
int64_t *batch_row(struct inserter *ins, enum batch_id id); // cells to fill
void batch_flush(struct inserter *ins);
void batch_finish(struct inserter *ins); // after the database is closed
// By the thread that stores: the rows of a batch; before a commit, those that were kept for a leaf.
void batch_store(struct inserter *ins, const struct batch *b);
void batch_store_rest(struct inserter *ins);

// --- store.c: the database
struct inserter {
	char folder[4096], output[4096];
	sqlite3 *db;
	int output_fd; // the same file; negative: not open
	struct segment seg;
	struct spool_reader spool;
	int64_t t0_ns;		     // CLOCK_MONOTONIC of t_ns 0
	int64_t last_t_ns, clock_ns; // of the last event; of the last row of clock
	uint64_t events, transitions, divergences, lost;
	char divergence[256]; // the first one
	struct intern contexts, transition_contexts, calls;
	struct call_hit *call_hit; // calls by record, see contexts.c
	struct served {
		uint64_t calls, bytes, first_event, first_req;
	} served[HOST_REASONS]; // by reason; 0: the machine
	struct proc **proc;	// by number
	uint32_t nproc;
	struct batch *batch[BATCHES];	      // being filled
	const struct batch *batch_stored;     // being stored
	struct leaf_rows *leaf_rows[BATCHES]; // see batch.c; NULL: none yet
	struct boot_template *booted;	      // what processes begin with; NULL: none yet
	sqlite3 *naming;		      // see naming.c
	sqlite3_stmt *naming_address;
	struct store_queue *queue;   // NULL: everything is stored at once
	uint64_t modules, unclaimed; // rows: of modules; of transitions without an event
	sqlite3_stmt *stmt[32];	     // by enum statement
	bool in_transaction, closed, finish_torn;
	bool size_reached;   // --max-size
	bool recovered;	     // the drainer had died: we emptied the rings
	bool spool_broken;   // from some place on it has no chunks: its folder is kept
	struct rest *rest;   // who does so; NULL: nobody
	char *argv;	     // of the program, newlines between
	uint8_t *stack_seen; // bit per depot node that an event names
	struct touched_part *touched; // of the newest events; NULL: none yet
	uint64_t touched_at;	      // its number
	struct touched_block {
		uint32_t addr, bytes, chunk;
	} touched_last[512]; // blocks that are in the newest filter, by address
	int64_t commit_ns;
	_Atomic int error; // first failure, negative errno
	char *err;	   // ERR_LEN
	void (*progress)(void *ctx, const struct insert_progress *p);
	void *progress_ctx;
	int64_t progress_ns;
	const char *truncated; // why the recording ends early
};
enum statement {
	ST_EVENTS,
	ST_EVENT_LEAF,
	ST_CLOCK,
	ST_CLOCK_LEAF,
	ST_TRANSITIONS,
	ST_CALL,
	ST_CONTEXT,
	ST_TRANSITION_CONTEXT,
	ST_GFP,
	ST_OLD,
	ST_CACHE,
	ST_MODULE,
	ST_MARK,
	ST_POOL,
	ST_POOLS_OF_PARENT,
	ST_LOG,
	ST_KEYFRAME,
	ST_PROCESS,
	ST_THREAD,
	ST_STAT,
	ST_TIMELINE,
	ST_META,
	ST_ADDRESS,
	ST_PARTS,
	ST_FRAMES,
	ST_SERVED,
	ST_FRAME,
	ST_TOUCHED,
	ST_COUNT,
};
int store_open(struct inserter *ins);
void store_close(struct inserter *ins);
// Runs a prepared statement: types has a letter per argument: i int64_t (z: 0 is NULL, m: -1 is
// NULL), s text or NULL, b blob and size_t, n NULL without an argument. Failures end up in ins->error.
void store_run(struct inserter *ins, enum statement st, const char *types, ...);
void store_exec(struct inserter *ins, const char *sql);
void store_meta_int(struct inserter *ins, const char *key, int64_t value);
void store_meta_text(struct inserter *ins, const char *key, const char *value);
void store_commit(struct inserter *ins);
void store_fail(struct inserter *ins, int error, const char *what);
void store_batch(struct inserter *ins, struct batch *b); // takes it over
// A row of log: columns as in store_run, then the entries, which it takes over, as a blob.
void store_log(struct inserter *ins, struct log_entry *e, size_t n, const char *types, ...);
void store_wait(struct inserter *ins); // until everything asked for so far is done; store_queue.c

// --- touching.c: what events touched, for those who look for it
void touching_block(struct inserter *ins, uint64_t event, uint64_t addr, uint64_t bytes);
void touching_frames(struct inserter *ins, uint64_t event, const struct trace_event *t);
void touching_flush(struct inserter *ins); // when no event follows

// --- naming.c: functions of addresses, by the thread that folds
int naming_open(struct inserter *ins);
void naming_close(struct inserter *ins);
void naming_exec(struct inserter *ins, const char *format, ...); // as sqlite3_mprintf
void naming_address(struct inserter *ins, int64_t address, uint32_t image, uint64_t ip,
		    int64_t module, int64_t offset); // module 0: unknown
void naming_resolve(struct inserter *ins);	     // gives the store rows of frame

// --- served.c: who served the allocations
void served_count(struct inserter *ins, const struct record *r, uint64_t event); // of a success
void served_store(struct inserter *ins);

// --- finish.c
// Of a bit per depot node: whole words.
static inline size_t node_bits_bytes(const struct inserter *ins)
{
	return (size_t)ins->seg.own.max_nodes / 64 * 8 + 8;
}
void finish_recording(struct inserter *ins);
void insert_report(struct inserter *ins, const char *phase, bool now);
