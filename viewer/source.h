// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// A recording as a source of view models: one recording handle and one replay, used by one thread
// at a time (a worker of the window, or the whole of kalloscope-render).
#pragma once

#include "format.h"
#include "holders.h"
#include "model.h"

enum model_want {
	WANT_ROWS = 1,	 // rows around the event
	WANT_STACKS = 2, // of the event and its match
	WANT_TIMELINE = 4,
	WANT_SUMMARY = 8,
	WANT_HAPPENED = 16, // the event explained
	WANT_CALLS = 32,    // call trees
	WANT_BOOT = 128,
	WANT_STEPS = 64, // the event taken apart; seeks back one event
	WANT_LIST = 256, // the blocks of one free list
};

struct model_request {
	int process;
	uint64_t event;
	unsigned cache;	       // selected cache id, 0 the largest
	unsigned want;	       // enum model_want
	uint32_t list;	       // as view_model.list
	kaddr_t address;       // whose walk to show, 0 the address of the event
	uint64_t from, to;     // timeline: events, 0,0 = all of the process
	unsigned buckets;      // timeline: at most so many
	enum call_scope scope; // of WANT_CALLS; SCOPE_RANGE: from, to
	uint64_t selected;     // whose stacks to read, 0 = `event`
};

struct source;

// NULL on failure, as recording_open.
struct source *source_open(const char *path, enum recording_error *code, char *err, size_t size);
void source_close(struct source *s); // NULL is fine
struct recording *source_recording(struct source *s);
unsigned source_processes(struct source *s); // how many
// The row of an event and its backtrace; an event that is not there leaves *o as it is. Frames: free().
void model_stack_read(struct recording *r, uint64_t event, struct model_stack *o);
// Process by its number in the recording; NULL: there is none.
const struct process_info *source_process(struct source *s, int process);
// The process a viewer shows first: the one with most events.
int source_main_process(struct source *s);
// The event a viewer shows first: where the program had most bytes; the last one when unknown.
uint64_t source_peak(struct source *s, int process);
// NULL and a sentence in err when the machine cannot be replayed.
struct view_model *source_model(struct source *s, const struct model_request *q, char *err,
				size_t size);
// Event of a position; pfn and address are no events and give false.
bool source_resolve(struct source *s, int process, const struct position *p, uint64_t *event);
