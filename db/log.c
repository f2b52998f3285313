// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The log of a process: blobs of what was applied, in that order, and keyframes between them.
#include <errno.h>
#include <string.h>

#include "inserter.h"

static void keyframe_row(struct proc *p, bool full, const void *blob, size_t size)
{
	p->keyframes++;
	p->keyframe_seq = p->log_seq;
	p->since_keyframe = 0;
	store_run(p->ins, ST_KEYFRAME, "iiiiib", (int64_t)p->number, (int64_t)p->log_seq,
		  (int64_t)p->last_event, (int64_t)p->m.s->barrier, (int64_t)full, blob, size);
}

// The machine before the first record of the next blob.
void proc_keyframe(struct proc *p)
{
	bool full = p->keyframes % FULL_KEYFRAMES == 0;
	void *blob;
	size_t size;

	if (keyframe_encode(p->keyframer, full, &blob, &size)) {
		store_fail(p->ins, -ENOMEM, strerror(ENOMEM));
		return;
	}
	keyframe_row(p, full, blob, size);
	free(blob);
}

void proc_first_keyframe(struct proc *p)
{
	const void *blob;
	size_t size;

	if (!p->from_template ||
	    p->slot.how == HOW_FORK) { // whose barrier is not that of a new one
		proc_keyframe(p);
		return;
	}
	blob = template_keyframe(p->ins->booted, &size);
	keyframe_row(p, true, blob, size);
}

void proc_log_flush(struct proc *p)
{
	size_t n = p->nlog;

	p->nlog = 0;
	p->log_ns = clock_monotonic_ns();
	if (!n)
		return;
	store_log(p->ins, p->log, n, "iiiii", (int64_t)p->number, (int64_t)p->log_seq,
		  (int64_t)p->log_before, (int64_t)p->last_event, (int64_t)n);
	p->log = NULL;
	p->log_seq++;
	p->log_before = p->last_event;
	p->since_keyframe += n;
}

// What only the event's row is asked for is left out: who called, and from where. In place: a copy of
// what was just written in smaller pieces would wait for them.
static void put_entry(struct log_entry *e, const struct record *r, uint64_t event)
{
	e->r = *r;
	e->event = event;
	if (r->kind < EV_LAST_OP)
		e->r.lock = e->r.ticket = e->r.op.gfp = 0;
}

void proc_log(struct proc *p, const struct record *r, uint64_t event)
{
	if (!p->log && !(p->log = malloc(LOG_ENTRIES * sizeof(*p->log)))) {
		store_fail(p->ins, -ENOMEM, strerror(ENOMEM));
		return;
	}
	put_entry(&p->log[p->nlog++], r, event);
	if (p->nlog < LOG_ENTRIES)
		return;
	proc_log_flush(p);
	if (p->since_keyframe >= KEYFRAME_RECORDS)
		proc_keyframe(p);
}

// Whoever watches a slow program live sees it with this delay.
void proc_log_age(struct proc *p)
{
	if (p->state == PROC_RUNNING && p->nlog && clock_monotonic_ns() - p->log_ns > LOG_AGE_NS)
		proc_log_flush(p);
}
