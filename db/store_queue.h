// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// What is asked of the database while a recording is made, one job each.
#pragma once

#include "inserter.h"

enum store_job_kind {
	JOB_RUN,   // statement with the arguments in value
	JOB_EXEC,  // the SQL text in value[0]
	JOB_BATCH, // rows of batch, freed
	JOB_LOG, // a row of log: value, the last of which is made of the entries unless they are gone
	JOB_COMMIT, // with the number of events in value[0]
};

struct store_value { // one argument; texts and blobs stand behind the last one
	char type;   // i, s, b, n: see store_run
	int64_t number;
	const void *data;
	size_t size;
};

struct store_job {
	struct store_job *next;
	size_t bytes; // what it holds of the queue's room, at least 1
	enum store_job_kind kind;
	enum statement statement;
	struct batch *batch;
	struct log_entry *entries;
	size_t nentries;
	unsigned n;
	struct store_value value[];
};

int store_queue_start(struct inserter *ins);
void store_queue_stop(struct inserter *ins); // after the last job; NULL is fine
// Takes the job over. Done at once where there is no thread.
void store_give(struct inserter *ins, struct store_job *job);
bool store_behind(struct inserter *ins); // half the queue is full: the other thread has more to do
void store_do(struct inserter *ins, struct store_job *job); // in store.c; frees it
// A statement, at once: by whoever has the database.
void store_now(struct inserter *ins, enum statement st, const struct store_value *v, unsigned n);
