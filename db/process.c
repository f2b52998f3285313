// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// One process of a recording: its rings, merged and folded into a machine of its own.
//
// What is applied goes into log blobs, in that order; every few blobs a keyframe is written. At a
// barrier the blob is cut and a keyframe made, because a forked child may start from there: the
// child's machine is read back from the parent's keyframes, however late it shows up.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "inserter.h"

enum {
	PATIENCE = 1 << 20, // records queued behind one that was lost before it is given up
};

// --- details of the step being applied

static bool counts_something(unsigned kind)
{
	return strstr(event_fields((enum event_kind)kind), "count") != NULL;
}

static bool continues(const struct trace_event *last, const struct trace_event *t)
{
	int64_t step = (int64_t)t->pfn - last->pfn;

	if (last->kind != t->kind || last->cache != t->cache || last->cpu != t->cpu ||
	    last->zone != t->zone || last->order != t->order || last->order2 != t->order2 ||
	    last->migratetype != t->migratetype || last->migratetype2 != t->migratetype2 ||
	    last->flags != t->flags || last->addr != t->addr || last->value != t->value ||
	    t->count > 1 || !t->pfn || counts_something(t->kind))
		return false;
	if (last->count <= 1)
		return step && step == (int32_t)step;
	return step == (int64_t)last->count * last->stride;
}

static void on_trace(struct machine *m, const struct trace_event *t)
{
	struct proc *p = m->priv;
	struct ring_queue *q = &p->queue[p->ring];
	struct trace_event *last = q->ntrace ? &q->trace[q->ntrace - 1] : NULL;

	if (t->kind == EV_T_CACHE_CREATED && p->new_caches < 64)
		p->new_cache[p->new_caches++] = t->cache;
	if (last && continues(last, t)) {
		if (last->count <= 1) {
			last->count = 1;
			last->stride = (int32_t)(t->pfn - last->pfn);
		}
		last->count++;
		return;
	}
	if (q->ntrace == q->trace_room) {
		size_t room = q->trace_room * 2 + 64;
		struct trace_event *more = realloc(q->trace, room * sizeof(*more));

		if (!more)
			return;
		q->trace = more;
		q->trace_room = room;
	}
	q->trace[q->ntrace++] = *t;
}

static const struct machine_ops fold_ops = {.trace = on_trace};

// --- starting

static void cache_row(struct proc *p, unsigned id, uint64_t event)
{
	const struct kmem_cache *c = &p->m.caches[id];
	char name[CACHE_NAME_LEN + 1];

	calls_forget(p->ins);
	snprintf(name, sizeof(name), "%.*s", CACHE_NAME_LEN, c->name);
	store_run(p->ins, ST_CACHE, "iiisii", (int64_t)p->number, (int64_t)id, (int64_t)event, name,
		  (int64_t)c->obj_size, (int64_t)c->buffer_size);
}

static int memory_map(struct proc *p, size_t size)
{
	p->memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p->memory == MAP_FAILED) {
		p->memory = NULL;
		return -ENOMEM;
	}
	madvise(p->memory, size, MADV_NOHUGEPAGE);
	p->size = size;
	return 0;
}

static bool config_sane(const struct machine_config *c)
{
	return c->model < NR_MODELS && c->ncpus >= 1 && c->ncpus <= MAX_CPUS &&
	       c->e820.nr_map <= E820MAX;
}

// The machine of the template, and the keyframer that goes with it. False: there is none.
static bool boot_from_template(struct proc *p, const struct machine_config *cfg)
{
	const struct boot_template *t = template_get(&p->ins->booted, cfg);

	if (!t || memory_map(p, machine_size(cfg)))
		return false;
	p->keyframer = template_keyframer(t, p->memory);
	p->from_template = p->keyframer && template_map(t, p->memory, p->size);
	if (p->from_template)
		return true;
	keyframer_destroy(p->keyframer);
	p->keyframer = NULL;
	munmap(p->memory, p->size);
	p->memory = NULL;
	return false;
}

static int boot(struct proc *p)
{
	const struct machine_config *cfg = &p->slot.cfg;
	const char *why;
	int error;

	if (!config_sane(cfg))
		return -EINVAL;
	if (boot_from_template(p, cfg))
		return 0;
	error = memory_map(p, machine_size(cfg));
	return error ? error : machine_boot(&p->m, p->memory, cfg, &why);
}

// Everything that depends on the machine being there.
static int running(struct proc *p)
{
	int error = machine_attach(&p->m, p->memory, p->size, 0, &fold_ops, p);

	if (error)
		return error;
	if (!p->keyframer && !(p->keyframer = keyframer_create(p->memory, p->size)))
		return -ENOMEM;
	p->merge.m = &p->m;
	p->merge.nrings = p->nrings = p->m.s->cfg.ncpus;
	p->state = PROC_RUNNING;
	p->zones_dirty = true;
	// The mark it starts from may stand for later barriers of its parent, too; its own have those numbers
	if (p->slot.how == HOW_FORK)
		p->m.s->barrier = (uint32_t)p->slot.fork_barrier;
	p->last_barrier = p->m.s->barrier;
	p->log_before = p->last_event;
	for (unsigned id = 1; id < MAX_CACHES; id++)
		if (p->m.caches[id].used)
			cache_row(p, id, 0);
	proc_first_keyframe(p);
	return 0;
}

// The mark of a barrier, or of the first one behind it: barriers with nothing in between are passed
// together.
static const struct barrier_mark *barrier_find(const struct proc *parent, uint64_t barrier)
{
	const struct barrier_mark *found = NULL;

	for (size_t i = parent->nbarriers; i > 0 && parent->barrier[i - 1].barrier >= barrier; i--)
		found = &parent->barrier[i - 1];
	return found;
}

// The parent's memory at a barrier: its last full keyframe up to there and what followed.
static int read_keyframes(struct proc *p, const struct proc *parent, uint64_t seq)
{
	sqlite3_stmt *s;
	int error = -ENOENT;
	bool full;

	store_wait(p->ins);
	if (sqlite3_prepare_v2(
		    p->ins->db,
		    "SELECT data FROM keyframe WHERE process=?1 AND seq<=?2 AND seq>="
		    "(SELECT max(seq) FROM keyframe WHERE process=?1 AND seq<=?2 AND \"full\")"
		    " ORDER BY seq",
		    -1, &s, NULL))
		return -EIO;
	sqlite3_bind_int64(s, 1, parent->number);
	sqlite3_bind_int64(s, 2, (int64_t)seq);
	while (sqlite3_step(s) == SQLITE_ROW) {
		error = keyframe_apply(p->memory, p->size, sqlite3_column_blob(s, 0),
				       (size_t)sqlite3_column_bytes(s, 0), &full);
		if (error)
			break;
	}
	sqlite3_finalize(s);
	return error;
}

static int start_forked(struct proc *p, struct proc *parent, const struct barrier_mark *at)
{
	int error = memory_map(p, parent->size);

	if (!error)
		error = read_keyframes(p, parent, at->seq);
	if (error)
		return error;
	matching_finish(&p->live);
	error = matching_clone(&p->live, &parent->live, at->mark);
	if (error)
		return error;
	p->fork_event = at->event;
	p->last_event = 0;
	store_run(p->ins, ST_POOLS_OF_PARENT, "iii", (int64_t)p->number, (int64_t)parent->number,
		  (int64_t)at->event);
	stats_inherit(&p->stats, &p->live);
	if (!p->argv[0])
		memcpy(p->argv, parent->argv, sizeof(p->argv));
	return running(p);
}

static void broken(struct proc *p, int error)
{
	p->state = PROC_BROKEN;
	snprintf(p->state_check, sizeof(p->state_check), "its machine could not be built: %s",
		 strerror(-error));
}

// A forked child waits for its parent to come to the barrier. When that will not happen any more,
// records are missing; the child then starts from a new machine and is marked as untrue.
static void try_start(struct proc *p)
{
	struct proc *parent = p->slot.how == HOW_FORK ? proc_find(p->ins, p->slot.parent) : NULL;
	const struct barrier_mark *at = parent ? barrier_find(parent, p->slot.fork_barrier) : NULL;
	int error;

	if (at) {
		error = start_forked(p, parent, at);
	} else if (parent && parent->number < p->number && parent->state <= PROC_RUNNING) {
		return;
	} else {
		error = boot(p);
		error = error ? error : running(p);
		p->lossy |= p->slot.how == HOW_FORK;
	}
	if (error)
		broken(p, error);
}

// ns since the start of the recording; `last` for a stamp that cannot be true.
static int64_t stamp_time(const struct inserter *ins, uint64_t stamp, int64_t last)
{
	const int64_t year = 31536000ll * 1000000000;
	int64_t t = (int64_t)(segment_clock(&ins->seg, stamp) - (uint64_t)ins->t0_ns);

	return t < 0 || t > year ? last : t;
}

int proc_begin(struct inserter *ins, const struct slot *s, uint32_t number)
{
	struct proc *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	ins->proc[number] = p;
	p->number = number;
	p->ins = ins;
	p->slot = *s;
	p->nrings = MAX_CPUS;
	p->dirty = true;
	p->start_ns = p->end_ns = stamp_time(ins, s->start_tsc, ins->last_t_ns);
	memcpy(p->exe, s->exe, sizeof(p->exe));
	p->exe[sizeof(p->exe) - 1] = 0;
	if (matching_init(&p->live, ins) || stats_init(&p->stats))
		return -ENOMEM;
	for (unsigned i = 0; i < MAX_CPUS; i++)
		p->queue[i].t_ns = p->start_ns;
	try_start(p);
	return 0;
}

// --- records

static void diverged(struct proc *p, const struct record *r, const char *what)
{
	struct inserter *ins = p->ins;

	p->divergences++;
	if (!ins->divergences++)
		snprintf(ins->divergence, sizeof(ins->divergence),
			 "process %u, CPU %u, after event %llu: %s %s (%x %x %x %x)", p->number,
			 r->cpu, (unsigned long long)p->last_event,
			 event_name((enum event_kind)r->kind), what, r->arg[0], r->arg[1],
			 r->arg[2], r->arg[3]);
}

static int queue_room(struct ring_queue *q, struct merge_ring *ring, size_t more)
{
	size_t left = (size_t)(ring->end - ring->next);

	if (left && ring->next != q->buf)
		memmove(q->buf, ring->next, left * sizeof(*q->buf));
	if (left + more > q->room) {
		size_t room = (left + more) * 2;
		struct record *buf = realloc(q->buf, room * sizeof(*buf));

		if (!buf)
			return -ENOMEM;
		q->buf = buf;
		q->room = room;
	}
	ring->next = q->buf;
	ring->end = q->buf + left;
	return 0;
}

static int queue_append(struct proc *p, unsigned cpu, const struct record *r, size_t n)
{
	struct merge_ring *ring = &p->merge.ring[cpu];
	int error = queue_room(&p->queue[cpu], ring, n);
	struct record *to = (struct record *)ring->end;

	if (error)
		return error;
	memcpy(to, r, n * sizeof(*r));
	for (size_t i = 0; i < n; i++)
		to[i].cpu = cpu & 15; // the ring says which CPU it is
	ring->end = to + n;
	return 0;
}

int proc_records(struct proc *p, unsigned cpu, uint64_t first, const struct record *r, uint32_t n)
{
	struct ring_queue *q = &p->queue[cpu];
	uint64_t known = q->next > first ? q->next - first : 0;

	if (p->state == PROC_BROKEN || cpu >= p->nrings || known >= n)
		return 0;
	if (first > q->next) {
		p->lossy = true;
		p->missing += first - q->next;
	}
	q->next = first + n;
	causal_release(p, cpu);
	return queue_append(p, cpu, r + known, n - known);
}

static void lost_record(struct proc *p, const struct record *r)
{
	p->lossy = true;
	p->missing += r->arg[0] | (uint64_t)r->arg[1] << 32;
}

static void stream_record(struct proc *p, struct ring_queue *q, const struct record *r)
{
	uint64_t stamp = r->arg[0] | (uint64_t)r->arg[1] << 32;

	switch (r->kind) {
	case EV_TIME:
		q->t_ns = stamp_time(p->ins, stamp, q->t_ns);
		break;
	case EV_TEXT:
		text_record(p, q, r);
		break;
	case EV_LOST:
		lost_record(p, r);
		break;
	default:
		p->zones_dirty = true;
		break;
	}
}

static void apply(struct proc *p, unsigned ring)
{
	const struct record *r = p->merge.ring[ring].next++;
	struct ring_queue *q = &p->queue[ring];
	uint64_t event = 0;

	p->ring = ring;
	causal_clock(p, ring, r);
	if (log_apply(&p->m, r))
		diverged(p, r, "contradicts the machine");
	if (r->kind < EV_LAST_OP && r->kind > EV_NONE)
		event = operation(p, r);
	else
		stream_record(p, q, r);
	while (p->new_caches)
		cache_row(p, p->new_cache[--p->new_caches], p->ins->events);
	proc_log(p, r, event);
}

// All rings have come to a barrier: everything before it is applied, nothing after it.
static void on_barrier(struct proc *p)
{
	const struct record r = {.kind = EV_BARRIER, .arg = {(uint32_t)p->m.s->barrier}};
	struct barrier_mark *more = realloc(p->barrier, (p->nbarriers + 1) * sizeof(*more));

	p->last_barrier = p->m.s->barrier;
	proc_log(p, &r, 0);
	proc_log_flush(p);
	if (p->keyframe_seq != p->log_seq)
		proc_keyframe(p);
	if (!more)
		return;
	p->barrier = more;
	more[p->nbarriers++] = (struct barrier_mark){.barrier = p->last_barrier,
						     .mark = matching_mark(&p->live),
						     .event = p->last_event,
						     .seq = p->log_seq};
}

// Nothing can be applied by the rules, because what would come next was lost. The head whose lock
// is least far ahead is taken as if everything before it had been applied.
static bool force_one(struct proc *p)
{
	uint32_t best_gap = UINT32_MAX;
	int best = -1;

	for (unsigned i = 0; i < p->nrings; i++) {
		const struct merge_ring *ring = &p->merge.ring[i];
		uint32_t gap;

		if (ring->next == ring->end || ring->next->kind == EV_BARRIER)
			continue;
		gap = ring->next->lock < NR_LOCKS
			      ? ring->next->ticket - p->m.s->ticket[ring->next->lock]
			      : 0;
		if (best >= 0 && gap >= best_gap)
			continue;
		best = (int)i;
		best_gap = gap;
	}
	if (best < 0)
		return false;
	p->forced++;
	apply(p, (unsigned)best);
	return true;
}

static bool impatient(const struct proc *p)
{
	for (unsigned i = 0; i < p->nrings; i++)
		if (p->lossy && p->merge.ring[i].end - p->merge.ring[i].next > PATIENCE)
			return true;
	return false;
}

int proc_advance(struct proc *p)
{
	if (p->state == PROC_WAITING)
		try_start(p);
	if (p->state != PROC_RUNNING)
		return 0;
	for (unsigned i = 0; p->over && i < p->nrings; i++)
		p->merge.ring[i].ended = true;
	for (;;) {
		int ring = causal_pick(p);

		if (p->m.s->barrier != p->last_barrier)
			on_barrier(p);
		if (ring >= 0)
			apply(p, (unsigned)ring);
		else if (!(ring == MERGE_STUCK || (ring == MERGE_NEED_INPUT && impatient(p))) ||
			 !force_one(p))
			return p->ins->error;
	}
}
