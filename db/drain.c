// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The drainer: empties the rings of every process into the spool.
//
// Restartable: a chunk is in the spool before the ring's tail moves, so whoever takes over finds
// in the spool how far each ring was taken and skips what the tail does not know yet.
// Everything in the segment may be written by the targets and is believed only as far as it
// cannot do harm: a head too far ahead is ignored, a process number that was used is refused.
#include "session_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "recorder.h"

enum {
	MAX_PROCESSES = 1 << 20,
	ACTIVE_NS = 500000, // pause while records come
	IDLE_NS = 10000000, // and at most when none do
	ALIVE_CHECK_NS = 20000000,
	CLAIM_NS = 1000000000, // between a claim and the owner's pid in the slot
	GRACE_NS = 30000000,   // for a child that was forked but has not announced itself
	FULL_DISK_NS = 100000000,
};

struct drained { // per process number
	bool started, ended;
	uint64_t next[MAX_CPUS]; // records taken from each ring
	uint64_t last
		[MAX_CPUS]; // where in the spool the last chunk of each ring ends, found by a scan
};

struct watch {		  // per slot
	uint32_t process; // 0: nothing known
	int pid;
	uint64_t start_time, checked_ns;
	unsigned nrings;
};

struct drainer {
	struct segment seg;
	struct spool_writer spool;
	struct drained *done; // by process number
	uint32_t ndone;
	struct watch *watch; // by slot
	uint64_t moved;	     // records this round
	bool wrote;	     // chunks since the last ROUND
	bool took_over;	     // another drainer was here before
	bool maps_tell;	     // /proc/PID/maps shows who has the segment (not on every file system)
	int program;	     // the first process of the recording
	uint64_t program_start;
};

static struct drained *drained(struct drainer *d, uint32_t process)
{
	if (!process || process >= MAX_PROCESSES)
		return NULL;
	if (process >= d->ndone) {
		uint32_t n = process * 2 + 64;
		struct drained *p = realloc(d->done, n * sizeof(*p));

		if (!p)
			return NULL;
		memset(p + d->ndone, 0, (n - d->ndone) * sizeof(*p));
		d->done = p;
		d->ndone = n;
	}
	return &d->done[process];
}

static void pause_ns(uint64_t ns)
{
	struct timespec ts = {.tv_nsec = (long)ns};

	nanosleep(&ts, NULL);
}

// --after, --for and --max-size: the program itself never looks at a clock or a file for them.
static void phase_update(struct drainer *d, uint64_t now)
{
	const struct session_options *opt = &d->seg.own.opt;
	uint64_t ms = now > d->seg.own.ns0 ? (now - d->seg.own.ns0) / 1000000 : 0;
	uint32_t before = PHASE_BEFORE;

	if (ms >= opt->after_ms)
		atomic_compare_exchange_strong(&d->seg.h->phase, &before, PHASE_RECORD);
	if ((opt->for_ms && ms >= (uint64_t)opt->after_ms + opt->for_ms) ||
	    spool_full(d->spool.size, opt->max_bytes))
		atomic_store(&d->seg.h->phase, PHASE_AFTER);
}

static void beat(struct drainer *d)
{
	uint64_t now = clock_monotonic_ns();

	atomic_store_explicit(&d->seg.h->heartbeat_ns, now, memory_order_relaxed);
	phase_update(d, now);
}

static bool program_lives(const struct drainer *d)
{
	return d->program_start && pid_start_time(d->program) == d->program_start;
}

// A full disk is waited out while the program runs, without a heartbeat: its records stay in the
// rings, and what does not fit there it counts as lost itself after a while and goes on. What the
// rings hold when it has ended is left to `recover`.
static int put(struct drainer *d, struct spool_chunk *c, const void *payload)
{
	int error;

	d->wrote = true;
	while ((error = spool_write(&d->spool, c, payload)) == -ENOSPC || error == -EDQUOT) {
		if (!program_lives(d))
			break;
		pause_ns(FULL_DISK_NS);
	}
	return error;
}

static void scan_chunk(struct drainer *d, const struct spool_chunk *c, uint64_t end)
{
	struct drained *p = drained(d, c->process);

	d->took_over = true;
	if (!p)
		return;
	p->started |= c->type == SPOOL_PROCESS;
	p->ended |= c->type == SPOOL_ENDED;
	if (c->type != SPOOL_RECORDS)
		return;
	p->next[c->cpu] = c->first + c->count;
	p->last[c->cpu] = end - c->count * sizeof(struct record) - sizeof(*c);
}

// What the spool tells of who was drained, and how far. all: damaged chunks do not count; else
// chunks of records are not looked into. -EILSEQ: it has a place behind which no chunk begins, which is
// more than an end torn off.
static int scan_chunks(struct drainer *d, struct spool_reader *r, bool all)
{
	struct spool_chunk c;
	const void *payload;
	int got;

	if (d->done)
		memset(d->done, 0, d->ndone * sizeof(*d->done));
	r->offset = 0;
	while ((got = all ? spool_next(r, &c, &payload) : spool_pass(r, &c)) == SPOOL_MORE)
		scan_chunk(d, &c, r->offset);
	d->spool.size = r->offset;
	return got < 0 ? got : 0;
}

// The chunks that say where to go on: of rings that are still to be drained.
static bool last_chunks_sound(const struct drainer *d, struct spool_reader *r)
{
	struct spool_chunk c;
	const void *payload;

	r->damaged = 0;
	for (uint32_t i = 0; i < d->ndone && !r->damaged; i++)
		for (unsigned cpu = 0; cpu < MAX_CPUS && d->done[i].started; cpu++) {
			r->offset = d->done[i].last[cpu];
			if (!d->done[i].ended && d->done[i].next[cpu])
				spool_next(r, &c, &payload);
		}
	return !r->damaged;
}

// Reading all of a long spool takes a while, and whoever makes the recording of it reads it anyway.
static int scan_spool(struct drainer *d, const char *folder)
{
	struct spool_reader r;
	int error = spool_open(&r, folder);

	if (error)
		return error;
	error = scan_chunks(d, &r, false);
	if (!error && !last_chunks_sound(d, &r))
		error = scan_chunks(d, &r, true);
	spool_close(&r);
	if (error)
		return error;
	return ftruncate(d->spool.fd, (off_t)d->spool.size) ? -errno : 0;
}

// n records from where they lie: who changes them meanwhile has a chunk that is seen to be damaged.
static int drain_part(struct drainer *d, uint32_t i, unsigned cpu, uint64_t n)
{
	uint64_t *next = &d->done[d->watch[i].process].next[cpu];
	const struct record *from =
		segment_ring(&d->seg, i, cpu) + (*next & (d->seg.own.ring_records - 1));
	struct spool_chunk c = {.type = SPOOL_RECORDS,
				.cpu = (uint16_t)cpu,
				.process = d->watch[i].process,
				.first = *next,
				.count = (uint32_t)n};
	int error = n ? put(d, &c, from) : 0;

	if (error)
		return error;
	*next += n;
	d->moved += n;
	atomic_store_explicit(&segment_slot(&d->seg, i)->ring[cpu].tail, *next,
			      memory_order_release);
	return 0;
}

static int drain_ring(struct drainer *d, uint32_t i, unsigned cpu)
{
	uint64_t next = d->done[d->watch[i].process].next[cpu], size = d->seg.own.ring_records;
	uint64_t head = atomic_load_explicit(&segment_slot(&d->seg, i)->ring[cpu].head,
					     memory_order_acquire);
	uint64_t n = head - next, end = size - (next & (size - 1)), part = end < n ? end : n;
	int error;

	if (!n || n > size)
		return 0;
	error = drain_part(d, i, cpu, part);
	return error ? error : drain_part(d, i, cpu, n - part);
}

static int drain_slot(struct drainer *d, uint32_t i)
{
	int error = 0;

	for (unsigned cpu = 0; cpu < d->watch[i].nrings && !error; cpu++)
		error = drain_ring(d, i, cpu);
	return error;
}

static void slot_free(struct drainer *d, uint32_t i)
{
	struct slot *s = segment_slot(&d->seg, i);

	for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++) {
		atomic_store_explicit(&s->ring[cpu].head, 0, memory_order_relaxed);
		atomic_store_explicit(&s->ring[cpu].tail, 0, memory_order_relaxed);
	}
	d->watch[i] = (struct watch){0};
	atomic_store_explicit(&s->state, SLOT_FREE, memory_order_release);
}

// The end of the spool may have been lost together with a machine that went down: then the ring has
// been overwritten beyond what the spool knows, and the gap is for the inserter to count.
static void resume_ring(const struct drainer *d, struct ring *seen, uint64_t *next)
{
	uint64_t head = atomic_load(&seen->head), tail = atomic_load(&seen->tail);

	if (head - *next > d->seg.own.ring_records && head - tail <= d->seg.own.ring_records)
		*next = tail;
}

// When the process a slot names started; 0: it is gone, or the slot is not its own, for anybody can write
// any number there: it would have the segment mapped. Of one that does not let us look, all there is to
// know is that it is no older than the program.
static uint64_t owner_start(const struct drainer *d, int pid)
{
	uint64_t start = pid_start_time(pid);

	if (!start || !d->maps_tell || pid_maps_file(pid, d->seg.fd))
		return start;
	return pid_maps_hidden(pid) && start >= d->program_start ? start : 0;
}

// A slot is LIVE for the first time: the inserter hears of the process before its records.
static int slot_meet(struct drainer *d, uint32_t i)
{
	struct slot copy;
	struct spool_chunk c = {.type = SPOOL_PROCESS, .count = sizeof(copy)};
	struct watch *w = &d->watch[i];
	struct drained *p;

	memcpy(&copy, segment_slot(&d->seg, i), sizeof(copy));
	p = drained(d, copy.process);
	if (!p || p->ended || (p->started && !d->took_over))
		return 0; // a number that is taken: left alone until its pid is gone
	w->process = copy.process;
	w->pid = pid_on_host(copy.pid, copy.pid_space);
	w->nrings = d->seg.own.rings_per_slot;
	w->start_time = owner_start(d, w->pid);
	if (d->took_over && p->started && !pid_maps_file(w->pid, d->seg.fd))
		w->start_time = 0;
	for (unsigned cpu = 0; d->took_over && cpu < w->nrings; cpu++)
		resume_ring(d, &copy.ring[cpu], &p->next[cpu]);
	if (p->started)
		return 0;
	copy.exe[SLOT_EXE_LEN - 1] = 0;
	p->started = true;
	c.process = copy.process;
	return put(d, &c, &copy);
}

static bool replaced(struct drainer *d, uint32_t i)
{
	for (uint32_t j = 0; j < d->seg.own.nslots; j++)
		if (j != i && d->watch[j].process > d->watch[i].process &&
		    d->watch[j].pid == d->watch[i].pid)
			return true;
	return false;
}

// The process behind the slot is gone, or went on as another image.
static bool slot_over(struct drainer *d, uint32_t i, uint64_t now, bool ended)
{
	struct watch *w = &d->watch[i];

	if (!ended && now - w->checked_ns < ALIVE_CHECK_NS)
		return false;
	w->checked_ns = now;
	return !w->start_time || pid_start_time(w->pid) != w->start_time || replaced(d, i);
}

static int slot_end(struct drainer *d, uint32_t i, bool ended)
{
	struct slot *s = segment_slot(&d->seg, i);
	struct spool_end end = {
		.wait_status = -1,
		.killed = !ended,
		.lost = atomic_load(&s->lost),
		.early_calls = atomic_load(&s->early_calls),
		.unrecorded_children = atomic_load(&s->unrecorded_children),
	};
	struct spool_chunk c = {
		.type = SPOOL_ENDED, .process = d->watch[i].process, .count = sizeof(end)};
	int error = drain_slot(d, i);

	if (!error && !d->done[c.process].ended)
		error = put(d, &c, &end);
	d->done[c.process].ended = true;
	slot_free(d, i);
	return error;
}

// A slot whose owner died before it was live, or that lies about its number or its owner.
static void slot_forget(struct drainer *d, uint32_t i, uint64_t now)
{
	struct slot *s = segment_slot(&d->seg, i);
	struct watch *w = &d->watch[i];

	if (!w->checked_ns)
		w->checked_ns = now;
	if (now - w->checked_ns < CLAIM_NS)
		return;
	w->checked_ns = now;
	if (!owner_start(d, pid_on_host(s->pid, s->pid_space)))
		slot_free(d, i);
}

// Looks at one slot; *live tells whether anybody may still write.
static int slot_visit(struct drainer *d, uint32_t i, uint64_t now, bool *live)
{
	uint32_t state =
		atomic_load_explicit(&segment_slot(&d->seg, i)->state, memory_order_acquire);
	bool ended = state == SLOT_ENDED;
	int error = 0;

	if (state == SLOT_FREE && !d->watch[i].process)
		return 0;
	*live = true;
	if ((state == SLOT_LIVE || ended) && !d->watch[i].process)
		error = slot_meet(d, i);
	if (error)
		return error;
	if (!d->watch[i].process) {
		slot_forget(d, i, now);
		return 0;
	}
	if (slot_over(d, i, now, ended))
		return slot_end(d, i, ended);
	return drain_slot(d, i);
}

// Keeps room for twice the stacks there are.
static void depot_grow(struct drainer *d)
{
	struct session_header *h = d->seg.h;
	uint64_t limit = atomic_load(&h->depot_limit), count = atomic_load(&h->depot_count);
	uint64_t max = d->seg.own.max_nodes, more = limit * 2 < max ? limit * 2 : max;
	off_t node = sizeof(struct depot_node);

	if (count < limit / 2 || limit >= max)
		return;
	if (!fallocate(d->seg.fd, 0, (off_t)d->seg.own.off_nodes + (off_t)limit * node,
		       (off_t)(more - limit) * node))
		atomic_store(&h->depot_limit, (uint32_t)more);
}

static int drain_round(struct drainer *d, bool *live)
{
	uint64_t now = clock_monotonic_ns();
	struct spool_chunk c = {.type = SPOOL_ROUND};
	int error = 0;

	d->moved = 0;
	*live = false;
	for (uint32_t i = 0; i < d->seg.own.nslots && !error; i++)
		error = slot_visit(d, i, now, live);
	if (!error && d->wrote) {
		error = put(d, &c, NULL);
		d->wrote = false;
	}
	depot_grow(d);
	beat(d);
	return error;
}

static int drain_loop(struct drainer *d)
{
	uint64_t pause = ACTIVE_NS, quiet_since = 0;
	struct spool_chunk closed = {.type = SPOOL_CLOSED};

	for (;;) {
		uint64_t now = clock_monotonic_ns();
		bool live;
		int error = drain_round(d, &live);

		if (error)
			return error;
		if (live || program_lives(d))
			quiet_since = 0;
		else if (!quiet_since)
			quiet_since = now;
		else if (now - quiet_since >= GRACE_NS)
			return put(d, &closed, NULL);
		if (d->moved > d->seg.own.ring_records / 4)
			continue;
		pause = d->moved ? ACTIVE_NS : pause * 2 > IDLE_NS ? IDLE_NS : pause * 2;
		pause_ns(quiet_since ? ACTIVE_NS : pause);
	}
}

static int drainer_start(struct drainer *d, const char *folder, char *err)
{
	int error = segment_open(&d->seg, folder, true, err);

	if (error)
		return error;
	d->spool.fd = session_file(folder, "spool", O_WRONLY | O_APPEND | O_CREAT);
	if (d->spool.fd < 0)
		return sentence(err, d->spool.fd, "cannot write %s/spool: %s", folder,
				session_file_why(d->spool.fd));
	d->watch = calloc(d->seg.own.nslots, sizeof(*d->watch));
	error = d->watch && drained(d, 1) ? scan_spool(d, folder) : -ENOMEM;
	if (error)
		sentence(err, error, "cannot continue %s/spool: %s", folder, strerror(-error));
	return error;
}

int drain_run(const char *folder, int first_pid, char *err)
{
	struct drainer d = {.seg.fd = -1, .spool.fd = -1};
	int error = drainer_start(&d, folder, err);

	if (error)
		goto out;
	atomic_store(&d.seg.h->drainer_pid, (uint32_t)getpid());
	atomic_store(&d.seg.h->recorder_state, 1);
	beat(&d);
	d.program = first_pid;
	d.program_start = pid_start_time(first_pid);
	d.maps_tell = pid_maps_file(getpid(), d.seg.fd);
	error = drain_loop(&d);
	atomic_store(&d.seg.h->recorder_state, 2);
	if (error)
		sentence(err, error, "cannot write the spool in %s: %s", folder, strerror(-error));
out:
	segment_close(&d.seg);
	if (d.spool.fd >= 0)
		close(d.spool.fd);
	free(d.watch);
	free(d.done);
	return error;
}
