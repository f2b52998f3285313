// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Reading a recording: processes, events, stacks, timeline, and the machine at any event.
//
// A struct recording is used by one thread at a time; open one per thread (they are cheap).
// The state "at event n" of a process is the fold of its records up to and including the
// completion of event n (global event ids; n = 0 is the booted machine). Hostile files never
// crash a reader: they give an error sentence.
#pragma once

#include <sqlite3.h>

#include "../core/fold.h"

// Pragmas of the file: application_id tells what it is, user_version how its tables look.
enum { RECORDING_APPLICATION_ID = 0x4b414c4f /* "KALO" */, RECORDING_VERSION = 4 };

struct recording;

enum recording_error { REC_OK, REC_MISSING, REC_NOT_A_RECORDING, REC_NEWER, REC_OLDER, REC_DAMAGED, REC_BUSY };

// NULL on failure: *code and a sentence for the user in err (what is wrong, what to do).
struct recording *recording_open(const char *path, enum recording_error *code, char *err, size_t err_size);
void recording_close(struct recording *r); // NULL is fine
sqlite3 *recording_db(struct recording *r); // read-only connection, owned by the recording
const char *recording_path(const struct recording *r);
bool recording_complete(struct recording *r);  // finalised; false: still written, or torn
uint64_t recording_events(struct recording *r); // id of the last event
uint64_t recording_duration_ns(struct recording *r);
// Text of meta[key], "" when absent; valid until the next call with the same key.
const char *recording_meta(struct recording *r, const char *key);

struct process_info {
	int process, parent, how, pid; // enum slot_how
	char exe[256];
	char argv[512];		       // shortened
	uint64_t first_event, last_event, events;
	uint64_t fork_event;	       // HOW_FORK: the parent's last event in this machine's past
	uint64_t start_ns, end_ns;
	uint64_t lost;
};
unsigned recording_processes(struct recording *r, const struct process_info **list);
// The one of this number; 0: that with most events, of a shell and what it starts usually the one
// meant. NULL: there is none.
const struct process_info *recording_process(struct recording *r, int process);

struct event_row { // one row of the view events
	uint64_t id;
	int64_t t_ns;
	int process, thread, cpu;
	enum event_kind kind;
	enum op_path path;
	uint16_t cache;	     // cache id (kmalloc, slab), order (pages), host_reason (host)
	uint64_t addr, req, alloc, old;
	gfp_t gfp;
	unsigned flags;	     // enum op_flags
	uint32_t stack;
	uint64_t ref;	     // matching allocation's id; 0 none
};
// Rows with ids from .. from + n - 1 into rows[]; how many were read.
unsigned recording_rows(struct recording *r, uint64_t from, unsigned n, struct event_row *rows);
uint64_t recording_event_at(struct recording *r, int64_t t_ns); // last event not after t

struct frame {
	char function[256]; // never empty: "module+0xoffset" when unresolved
	char file[256];	    // "" unknown
	int line;
	char module[256];
	uint64_t offset;    // in the module
	uint32_t place, size; // bytes from the start of the function's code, and of it; 0 unknown, inlined
	bool inlined;
};
// Innermost first; number of frames (inlines expanded), at most max.
unsigned recording_stack(struct recording *r, uint32_t stack, struct frame *frames, unsigned max);

// Timeline: min/max of a figure per bucket of events, for drawing in O(width).
enum timeline_item { TL_DMA_USED, TL_NORMAL_USED, TL_HIGHMEM_USED, TL_PROGRAM_BYTES, TL_HOST_BYTES, TL_ITEMS };
struct timeline_bucket {
	uint64_t first_event, last_event;
	int64_t t_ns;
	uint64_t min[TL_ITEMS], max[TL_ITEMS]; // pages for zones, bytes for the others
	uint32_t failures;
};
// Buckets of a process covering [from, to] in at most max pieces, from the pyramid. Count.
unsigned recording_timeline(struct recording *r, int process, uint64_t from, uint64_t to,
			    struct timeline_bucket *b, unsigned max);

struct transition_row { // one row of the view transitions
	uint64_t event;
	struct trace_event t;
};
unsigned recording_transitions(struct recording *r, uint64_t event, struct transition_row *rows, unsigned max);

// The machine of one process at any event.
struct replay;
struct replay *replay_open(struct recording *r, int process, char *err, size_t err_size);
void replay_close(struct replay *p);
// State after event n (clamped to the process' range). 0; -EILSEQ: damaged there (state = last good).
int replay_seek(struct replay *p, uint64_t n);
// From now on seeks leave copies of the machine on their way, some MiB each, so that steps back from
// where they led cost a copy and some hundred events. -ENOMEM: they do not.
int replay_keep_back(struct replay *p);
// From the position to event n, forward only, with a call at the completion of each event.
int replay_walk(struct replay *p, uint64_t n, void (*fn)(void *ctx, uint64_t event), void *ctx);
// Every record there is, those of operations that never completed included.
int replay_finish(struct replay *p);
uint64_t replay_position(const struct replay *p);
struct machine *replay_machine(struct replay *p); // for reading; valid until close
// Operations not complete at the position: CPUs whose steps since their last OP were applied.
unsigned replay_in_flight(const struct replay *p);
// Details of every step applied while seeking forward by at most one event.
void replay_on_trace(struct replay *p, void (*fn)(void *ctx, const struct trace_event *t), void *ctx);
