// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../core/bootlog.h"
#include "explain.h"
#include "flow.h"

struct source {
	struct recording *recording;
	struct replay *replay;
	int process; // of `replay`
	const struct process_info *processes;
	unsigned nprocesses;
	struct timeline_bucket *bucket; // of the last range asked for
	unsigned nbuckets, tl_max;
	int tl_process;
	uint64_t tl_from, tl_to;
	struct mark_row *mark; // of marks_process; NULL: not read yet
	unsigned nmarks;
	int marks_process;
	struct model_summary *summary; // of summary_process
	int summary_process;
	struct view_model *last;	  // made; the next one shares what it can; NULL: none
	struct calltree *calls, *callers; // of calls_process; NULL: not read yet
	int calls_process;
};

struct source *source_open(const char *path, enum recording_error *code, char *err, size_t size)
{
	struct source *s = calloc(1, sizeof(*s));

	if (!s) {
		snprintf(err, size, "out of memory");
		*code = REC_BUSY;
		return NULL;
	}
	s->process = -1;
	s->recording = recording_open(path, code, err, size);
	if (!s->recording) {
		free(s);
		return NULL;
	}
	s->nprocesses = recording_processes(s->recording, &s->processes);
	return s;
}

void source_close(struct source *s)
{
	if (!s)
		return;
	replay_close(s->replay);
	recording_close(s->recording);
	model_unref(s->last);
	free(s->bucket);
	free(s->mark);
	free(s->summary);
	calltree_unref(s->calls);
	calltree_unref(s->callers);
	free(s);
}

struct recording *source_recording(struct source *s)
{
	return s->recording;
}

unsigned source_processes(struct source *s)
{
	return s->nprocesses;
}

const struct process_info *source_process(struct source *s, int process)
{
	for (unsigned i = 0; i < s->nprocesses; i++)
		if (s->processes[i].process == process)
			return &s->processes[i];
	return NULL;
}

int source_main_process(struct source *s)
{
	const struct process_info *busiest = recording_process(s->recording, 0);

	return busiest ? busiest->process : 0;
}

// The samples change with the range shown, not with the position: the last ones are kept.
static void refresh_timeline(struct source *s, int process, uint64_t from, uint64_t to,
			     unsigned max)
{
	if (s->bucket && s->tl_process == process && s->tl_from == from && s->tl_to == to &&
	    s->tl_max == max)
		return;
	free(s->bucket);
	s->bucket = calloc(max, sizeof(*s->bucket));
	s->nbuckets =
		s->bucket ? recording_timeline(s->recording, process, from, to, s->bucket, max) : 0;
	s->tl_process = process;
	s->tl_from = from;
	s->tl_to = to;
	s->tl_max = max;
}

uint64_t source_peak(struct source *s, int process)
{
	const struct process_info *p = source_process(s, process);
	struct process_totals t;

	if (!p)
		return 0;
	if (!recording_totals(s->recording, process, &t) && t.peak_event)
		return t.peak_event;
	return p->last_event;
}

static int replay_of(struct source *s, int process, char *err, size_t size)
{
	if (s->replay && s->process == process)
		return 0;
	replay_close(s->replay);
	s->replay = replay_open(s->recording, process, err, size);
	s->process = process;
	if (!s->replay)
		return -1;
	replay_keep_back(s->replay); // without memory for it steps back take longer, no more
	return 0;
}

void model_stack_read(struct recording *r, uint64_t event, struct model_stack *o)
{
	if (!event || recording_rows(r, event, 1, &o->row) != 1)
		return;
	o->event = event;
	o->frame = calloc(MODEL_FRAMES, sizeof(*o->frame));
	if (o->frame && o->row.stack)
		o->n = recording_stack(r, o->row.stack, o->frame, MODEL_FRAMES);
}

// A free names its allocation; the other way round there is only a search, which ends somewhere so
// that a block that is never freed costs a frame at most.
enum {
	SEARCH_EVENTS = 500000
};

static uint64_t match_of(struct source *s, const struct event_row *r)
{
	return r->ref ? r->ref : recording_freed_by(s->recording, r->id, SEARCH_EVENTS);
}

static void add_rows(struct source *s, struct view_model *v, uint64_t selected)
{
	uint64_t from = selected > MODEL_ROWS / 2 ? selected - MODEL_ROWS / 2 : 1;

	v->row = calloc(MODEL_ROWS, sizeof(*v->row));
	if (v->row)
		v->nrows = recording_rows(s->recording, from, MODEL_ROWS, v->row);
}

static void add_stacks(struct source *s, struct view_model *v, uint64_t selected)
{
	model_stack_read(s->recording, selected, &v->stack);
	if (v->stack.event)
		model_stack_read(s->recording, match_of(s, &v->stack.row), &v->other);
}

static void add_marks(struct source *s, struct view_model *v)
{
	if (!s->mark)
		s->mark = calloc(MODEL_MARKS, sizeof(*s->mark));
	if (s->mark && s->marks_process != v->process)
		s->nmarks = recording_marks(s->recording, v->process, s->mark, MODEL_MARKS);
	s->marks_process = v->process;
	v->mark = s->nmarks ? calloc(s->nmarks, sizeof(*v->mark)) : NULL;
	if (!v->mark)
		return;
	v->nmarks = s->nmarks;
	memcpy(v->mark, s->mark, s->nmarks * sizeof(*v->mark));
}

static void add_timeline(struct source *s, struct view_model *v, const struct model_request *q)
{
	uint64_t from = q->to ? q->from : v->first_event, to = q->to ? q->to : v->last_event;

	refresh_timeline(s, q->process, from, to, q->buckets ? q->buckets : 1024);
	v->bucket = calloc(s->nbuckets + 1, sizeof(*v->bucket));
	if (!v->bucket)
		return;
	v->nbuckets = s->nbuckets;
	if (v->nbuckets)
		memcpy(v->bucket, s->bucket, v->nbuckets * sizeof(*v->bucket));
}

static void name_callers(struct source *s, struct view_model *v)
{
	struct frame *f = calloc(MODEL_FRAMES, sizeof(*f));

	for (unsigned i = 0; f && i < v->nareas && i < 512; i++) {
		struct model_area *a = &v->area[i];

		// areas of one call site often follow each other
		if (i && a->stack == v->area[i - 1].stack)
			memcpy(a->caller, v->area[i - 1].caller, sizeof(a->caller));
		else if (a->stack && recording_stack(s->recording, a->stack, f, MODEL_FRAMES))
			snprintf(a->caller, sizeof(a->caller), "%.*s", (int)sizeof(a->caller) - 1,
				 f[0].function);
	}
	free(f);
}

// The functions behind the allocating one: inlined parts of the same function say nothing new.
static void name_callers_of(struct model_site *o, const struct frame *f, unsigned n)
{
	const char *last = o->function;
	size_t len = 0;
	unsigned named = 0;

	for (unsigned i = 1; i < n && named < 3 && len < sizeof(o->caller); i++) {
		if (!strcmp(f[i].function, last))
			continue;
		len += (size_t)snprintf(o->caller + len, sizeof(o->caller) - len, "%s%s",
					named ? " ← " : "", f[i].function);
		last = f[i].function;
		named++;
	}
}

static void name_site(struct source *s, struct model_site *o, struct frame *f)
{
	unsigned n = recording_stack(s->recording, o->figures.stack, f, MODEL_FRAMES);

	if (!n)
		return;
	snprintf(o->function, sizeof(o->function), "%.*s", (int)sizeof(o->function) - 1,
		 f[0].function);
	name_callers_of(o, f, n);
}

static void read_sites(struct source *s, struct model_summary *o, int process)
{
	struct site_row row[MODEL_SITES];
	struct frame *f = calloc(MODEL_FRAMES, sizeof(*f));

	for (unsigned order = 0; f && order < SITE_ORDERS; order++) {
		o->nsites[order] = recording_sites(s->recording, process, order, row, MODEL_SITES);
		for (unsigned i = 0; i < o->nsites[order]; i++) {
			o->site[order][i].figures = row[i];
			name_site(s, &o->site[order][i], f);
		}
	}
	free(f);
}

static void describe_machine(struct model_summary *o, const struct machine *m)
{
	const struct machine_config *c = &m->s->cfg;

	snprintf(o->machine, sizeof(o->machine),
		 "%s%s, %.20s of RAM, %u %s, lowmem %.20s, vmalloc %.20s",
		 c->model == MODEL_CLASSIC ? "" : "Linux ", model_names[c->model],
		 fmt_bytes((uint64_t)m->s->totalram_pages << 12).s, c->ncpus,
		 c->ncpus == 1 ? "CPU" : "CPUs", fmt_bytes((uint64_t)m->s->max_low_pfn << 12).s,
		 fmt_bytes(m->s->vmalloc.end - m->s->vmalloc.start).s);
}

// The figures of a whole process do not change with the position: read once, then copied.
static void refresh_summary(struct source *s, const struct process_info *p, const struct machine *m)
{
	struct model_summary *o = s->summary;

	if (o && s->summary_process == p->process)
		return;
	if (!o)
		o = s->summary = malloc(sizeof(*o));
	if (!o)
		return;
	memset(o, 0, sizeof(*o));
	s->summary_process = p->process;
	snprintf(o->argv, sizeof(o->argv), "%.*s", (int)sizeof(o->argv) - 1, p->argv);
	for (char *c = o->argv; *c; c++)
		if (*c == '\n')
			*c = ' ';
	o->events = p->events;
	o->lost = p->lost;
	o->known = !recording_totals(s->recording, p->process, &o->totals);
	read_sites(s, o, p->process);
	describe_machine(o, m);
}

static void add_summary(struct source *s, struct view_model *v, const struct process_info *p)
{
	refresh_summary(s, p, replay_machine(s->replay));
	v->summary = s->summary ? malloc(sizeof(*v->summary)) : NULL;
	if (v->summary)
		*v->summary = *s->summary;
}

// As the summary: of the whole process, read once. The models share the trees.
static void add_calls(struct source *s, struct view_model *v, int process)
{
	if (s->calls_process != process || !s->calls || !s->callers) {
		calltree_unref(s->calls);
		calltree_unref(s->callers);
		s->calls = calltree_build(s->recording, process, CALLS_FROM_ENTRY);
		s->callers = calltree_build(s->recording, process, CALLS_FROM_SITE);
		s->calls_process = process;
	}
	v->calls = s->calls ? calltree_ref(s->calls) : NULL;
	v->callers = s->callers ? calltree_ref(s->callers) : NULL;
}

// Of less than the whole process: counted anew at each event.
static void add_scoped_calls(struct source *s, struct view_model *v, const struct model_request *q)
{
	uint64_t from = q->scope == SCOPE_RANGE ? q->from : v->first_event,
		 to = q->scope == SCOPE_RANGE ? q->to : v->event;
	unsigned n;
	struct site_row *row =
		scope_sites(s->recording, q->process, q->scope, from, to, &n, NULL, NULL);

	if (!row)
		return;
	v->calls = calltree_build_of(s->recording, q->process, CALLS_FROM_ENTRY, row, n);
	v->callers = calltree_build_of(s->recording, q->process, CALLS_FROM_SITE, row, n);
	free(row);
}

// An unmap of a large area has some thousand transitions; more say nothing new.
enum {
	MODEL_TRANSITIONS = 8192
};

static void add_happened(struct source *s, struct view_model *v)
{
	struct transition_row *t;
	struct event_row row;
	unsigned n;

	if (!v->event || recording_rows(s->recording, v->event, 1, &row) != 1)
		return;
	t = calloc(MODEL_TRANSITIONS, sizeof(*t));
	v->happened = calloc(1, sizeof(*v->happened));
	v->flow = calloc(1, sizeof(*v->flow));
	if (t && v->happened && v->flow) {
		n = recording_transitions(s->recording, v->event, t, MODEL_TRANSITIONS);
		explain_event(v, &row, t, n, v->happened);
		flow_read(v->flow, v, t, n);
	}
	free(t);
}

static void position_of(struct source *s, struct view_model *v, const struct process_info *p)
{
	struct event_row row;

	memcpy(v->program, p->exe, sizeof(v->program));
	v->program[sizeof(v->program) - 1] = 0;
	v->process = p->process;
	v->pid = p->pid;
	v->first_event = p->first_event;
	v->last_event = p->last_event;
	v->total_events = recording_events(s->recording);
	v->duration_ns = recording_duration_ns(s->recording);
	v->in_flight = replay_in_flight(s->replay);
	if (!v->event || recording_rows(s->recording, v->event, 1, &row) != 1)
		return;
	v->t_ns = row.t_ns;
	if (row.addr && row.addr <= UINT32_MAX)
		v->event_address = (kaddr_t)row.addr;
}

static void add_own(struct source *s, struct steps *o, uint64_t event)
{
	struct event_row row;
	bool pop, slab;

	if (recording_rows(s->recording, event, 1, &row) != 1 ||
	    !(row.flags & (OPF_POP | OPF_PUSH)))
		return;
	pop = row.flags & OPF_POP;
	slab = row.path == PATH_SLAB;
	steps_own(o, replay_machine(s->replay),
		  &(struct trace_event){.kind = pop    ? slab ? EV_T_KMEM_CACHE_ALLOC : EV_T_KMALLOC
						: slab ? EV_T_KMEM_CACHE_FREE
						       : EV_T_KFREE,
					.cache = row.cache,
					.cpu = (uint8_t)row.cpu,
					.zone = 255,
					.addr = (uint32_t)row.addr,
					.count = 1,
					.value = row.gfp});
}

static void add_boot(struct source *s, struct view_model *v)
{
	const struct machine *m = replay_machine(s->replay);
	struct model_boot *b = calloc(1, sizeof(*b));

	if (!b)
		return;
	b->map = m->s->cfg.e820;
	sanitize_e820_map(&b->map);
	b->memblock = m->s->memblock;
	boot_log(m, b->log, sizeof(b->log));
	v->boot = b;
}

static void add_processes(struct source *s, struct view_model *v)
{
	unsigned n = s->nprocesses < MODEL_PROCESSES ? s->nprocesses : MODEL_PROCESSES;

	v->processes = calloc(n + 1, sizeof(*v->processes));
	if (!v->processes)
		return;
	v->nprocesses = n;
	if (n)
		memcpy(v->processes, s->processes, n * sizeof(*v->processes));
}

// Goes to the event before and on from there, listening. NULL: no memory, or no such event.
static struct steps *take_steps(struct source *s, uint64_t event)
{
	struct steps *o = event ? calloc(1, sizeof(*o)) : NULL;

	if (!o || replay_seek(s->replay, event - 1)) {
		free(o);
		return NULL;
	}
	steps_begin(o, replay_machine(s->replay));
	replay_on_trace(s->replay, steps_trace, o);
	replay_seek(s->replay, event);
	replay_on_trace(s->replay, NULL, NULL);
	add_own(s, o, event);
	return o;
}

struct view_model *source_model(struct source *s, const struct model_request *q, char *err,
				size_t size)
{
	const struct process_info *p = source_process(s, q->process);
	struct steps *steps = NULL;
	struct view_model *v;
	int ret;

	if (!p) {
		snprintf(err, size, "the recording has no process %d", q->process);
		return NULL;
	}
	if (replay_of(s, q->process, err, size))
		return NULL;
	if (q->want & WANT_STEPS)
		steps = take_steps(s, q->event < p->last_event ? q->event : p->last_event);
	ret = replay_seek(s->replay, q->event);
	v = model_create_after(replay_machine(s->replay), q->cache, s->last);
	model_unref(s->last);
	s->last = v ? model_ref(v) : NULL;
	if (!v) {
		free(steps);
		snprintf(err, size, "out of memory");
		return NULL;
	}
	v->steps = steps;
	v->damaged = ret == -EILSEQ;
	v->event = q->event < p->last_event ? q->event : p->last_event;
	position_of(s, v, p);
	name_callers(s, v);
	if (q->address || v->event_address)
		model_walk(v, replay_machine(s->replay),
			   q->address ? q->address : v->event_address);
	if (q->want & WANT_LIST)
		model_free_list(v, replay_machine(s->replay), q->list);
	if (q->want & WANT_ROWS)
		add_rows(s, v, q->selected ? q->selected : v->event);
	if (q->want & WANT_STACKS)
		add_stacks(s, v, q->selected ? q->selected : v->event);
	if (q->want & WANT_BOOT)
		add_boot(s, v);
	add_processes(s, v);
	if (q->want & WANT_HAPPENED)
		add_happened(s, v);
	if (q->want & WANT_CALLS && q->scope == SCOPE_ALL)
		add_calls(s, v, q->process);
	else if (q->want & WANT_CALLS)
		add_scoped_calls(s, v, q);
	if (q->want & WANT_SUMMARY)
		add_summary(s, v, p);
	if (q->want & WANT_TIMELINE) {
		add_timeline(s, v, q);
		add_marks(s, v);
	}
	return v;
}

bool source_resolve(struct source *s, int process, const struct position *p, uint64_t *event)
{
	const struct process_info *info = source_process(s, process);

	switch (p->kind) {
	case POSITION_EVENT:
		*event = p->value;
		return true;
	case POSITION_TIME:
		*event = recording_event_at(s->recording, (int64_t)p->value);
		return true;
	case POSITION_START:
		*event = info && info->first_event ? info->first_event - 1 : 0;
		return true;
	case POSITION_PEAK:
		*event = source_peak(s, process);
		return true;
	case POSITION_END:
		*event = info ? info->last_event : recording_events(s->recording);
		return true;
	default:
		return false;
	}
}
