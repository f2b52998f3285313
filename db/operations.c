// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// One finished operation of the program: its event row, which allocation it ends, its statistics.
#include <string.h>

#include "inserter.h"

enum {
	HOST_KEY_BIT = 48,
	POOL_KEY_BIT = 49 // blocks of the program's pools lie in blocks of its allocator
};

static uint64_t page_round(uint64_t n)
{
	return (n + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
}

// Simulated and host addresses live in one table.
static uint64_t live_key(uint64_t addr, unsigned path)
{
	bool host = path == PATH_HOST || path == PATH_FILE;

	return addr ? addr | (uint64_t)host << HOST_KEY_BIT |
			       (uint64_t)(path == PATH_OWN_POOL) << POOL_KEY_BIT
		    : 0;
}

static bool gives_memory(unsigned kind)
{
	return kind == EV_MALLOC || kind == EV_CALLOC || kind == EV_REALLOC ||
	       kind == EV_MEMALIGN || kind == EV_MMAP || kind == EV_MREMAP;
}

int64_t alloc_bytes(const struct proc *p, const struct record *r)
{
	unsigned cache = (unsigned)r->op.cache;

	if (!gives_memory(r->kind) || r->op.flags & OPF_FAILED || !r->op.addr)
		return 0;
	switch (r->path) {
	case PATH_KMALLOC:
	case PATH_SLAB:
		return cache < MAX_CACHES ? (int64_t)p->m.caches[cache].buffer_size : 0;
	case PATH_PAGES:
		return cache < MAX_ORDER ? (int64_t)PAGE_SIZE << cache : 0;
	case PATH_HOST:
	case PATH_POOL:
	case PATH_NONE:
		return ALLOC_AS_ASKED;
	default:
		return ALLOC_IN_PAGES;
	}
}

static uint64_t alloc_value(int64_t alloc, uint64_t req)
{
	return alloc >= 0 ? (uint64_t)alloc : alloc == ALLOC_AS_ASKED ? req : page_round(req);
}

struct ended { // the allocation an operation ended; 0: none known
	uint64_t event, key;
	uint64_t bytes; // asked for; of a mapping, its whole length
};

static struct ended ended_of(const struct live *l)
{
	return (struct ended){l->event, l->key & ~LIVE_SHADOW,
			      l->flags & LIVE_MAP ? l->span : l->bytes};
}

static struct thread_info *thread_of(struct proc *p, unsigned number)
{
	if (number >= p->nthreads) {
		size_t n = number + 16;
		struct thread_info *t = realloc(p->thread, n * sizeof(*t));

		if (!t)
			return NULL;
		memset(t + p->nthreads, 0, (n - p->nthreads) * sizeof(*t));
		p->thread = t;
		p->nthreads = n;
	}
	return &p->thread[number];
}

// Takes the block away. counts: whether as a temporary one, when this is the very next operation of
// its thread.
static struct ended end_block(struct proc *p, struct live *l, const struct thread_info *t,
			      bool counts)
{
	struct live copy = *l;

	stats_free(&p->stats, &copy, copy.bytes, true, counts && t && t->last_alloc == copy.event);
	matching_remove(&p->live, l);
	return ended_of(&copy);
}

// Part of a mapping goes: the rest keeps its event.
static struct ended cut_mapping(struct proc *p, struct live *l, uint64_t bytes)
{
	if (bytes >= l->bytes)
		return end_block(p, l, NULL, false);
	matching_touch(&p->live, l);
	stats_free(&p->stats, l, bytes, false, false);
	l->bytes -= bytes;
	return ended_of(l);
}

static struct live *find_block(struct proc *p, const struct record *r, uint64_t key)
{
	struct live *l = p->live.shadows ? matching_find(&p->live, key | LIVE_SHADOW) : NULL;

	if (!l && r->kind == EV_MUNMAP)
		l = matching_find_map(&p->live, key);
	return l ? l : matching_find(&p->live, key);
}

bool operation_waits(struct proc *p, const struct record *r)
{
	bool moves = r->kind == EV_REALLOC || r->kind == EV_MREMAP;

	if (r->kind >= EV_LAST_OP || r->op.flags & OPF_FAILED)
		return false;
	if (r->op.flags & (OPF_POP | OPF_PUSH))
		return false; // its generation says when
	if (r->kind == EV_FREE || r->kind == EV_MUNMAP || r->kind == EV_POOL_FREE)
		return r->op.addr && !find_block(p, r, live_key(r->op.addr, r->path));
	if (moves && record_old(r) && !find_block(p, r, live_key(r->op.old, r->op.old_path)))
		return true;
	// Memory of the machine is not given out twice: its end comes first, from another CPU. What the
	// machine did for the end is done already, so tickets do not say so.
	return (r->kind == EV_MALLOC || r->kind == EV_CALLOC || r->kind == EV_MEMALIGN ||
		r->kind == EV_REALLOC) &&
	       r->op.addr != r->op.old && r->path != PATH_HOST &&
	       matching_find(&p->live, live_key(r->op.addr, r->path));
}

// Memory of the machine is not given back before it was made: two CPUs were put in the wrong order.
static void owe(struct proc *p, const struct record *r, uint64_t key)
{
	const struct live l = {.key = key | LIVE_OWED};

	if (r->kind == EV_FREE && key && !(key >> HOST_KEY_BIT) && !p->lossy)
		matching_add(&p->live, &l);
}

static bool was_owed(struct proc *p, uint64_t key)
{
	struct live *l = p->live.shadows ? matching_find(&p->live, key | LIVE_OWED) : NULL;

	if (l)
		matching_remove(&p->live, l);
	return l;
}

static struct ended op_free(struct proc *p, const struct record *r, const struct thread_info *t)
{
	uint64_t key = live_key(r->op.addr, r->path);
	struct live *l = find_block(p, r, key);

	if (!l) {
		owe(p, r, key);
		return (struct ended){0};
	}
	if (r->kind == EV_FREE)
		return end_block(p, l, t, true);
	if (!r->op.req || (l->key == key && r->op.req >= l->bytes))
		return end_block(p, l, t, true);
	return cut_mapping(p, l, page_round(r->op.req));
}

// The address is given out again, but the block's end was not heard of: it will be, from another
// CPU. Mappings are replaced without a word.
static void shadow(struct proc *p, struct live *l)
{
	struct live copy = *l, *older = matching_find(&p->live, l->key | LIVE_SHADOW);

	if (older || l->flags & LIVE_MAP || p->lossy) {
		end_block(p, matching_find(&p->live, copy.key), NULL, false);
		return;
	}
	matching_remove(&p->live, l);
	copy.key |= LIVE_SHADOW;
	matching_add(&p->live, &copy);
}

static struct ended op_alloc(struct proc *p, const struct record *r, uint64_t event, int64_t alloc,
			     uint32_t call)
{
	struct live l = {.key = live_key(r->op.addr, r->path),
			 .event = event,
			 .bytes = r->op.req,
			 .stack = r->ticket,
			 .call = call};
	struct ended ended = {0};
	struct live *old;

	if (r->kind == EV_REALLOC || r->kind == EV_MREMAP) {
		old = record_old(r) ? find_block(p, r, live_key(r->op.old, r->op.old_path)) : NULL;
		if (old)
			ended = end_block(p, old, NULL, false);
	}
	if (!l.key)
		return ended;
	if (r->kind == EV_MMAP || r->kind == EV_MREMAP) {
		l.flags = LIVE_MAP;
		l.bytes = l.span = page_round(l.bytes);
	}
	if ((r->path == PATH_KMALLOC || r->path == PATH_SLAB) && alloc > 0)
		l.spacing = (uint32_t)alloc;
	l.flags |= is_only_addresses(r->path, r->op.cache) ? LIVE_ADDRESSES
		   : r->path == PATH_HOST		   ? LIVE_HOST
							   : 0;
	old = matching_find(&p->live, l.key);
	if (old)
		shadow(p, old);
	stats_alloc(&p->stats, &l, alloc_value(alloc, l.bytes), event);
	if (was_owed(p, l.key))
		stats_free(&p->stats, &l, l.bytes, true, false);
	else
		matching_add(&p->live, &l);
	return ended;
}

// Blocks of a destroyed pool stay in the table until their address comes again; its number does not.
static struct ended op_pool(struct proc *p, const struct record *r, uint64_t event, uint32_t call)
{
	const struct live new = {.key = live_key(r->op.addr, r->path),
				 .event = event,
				 .bytes = r->op.req,
				 .stack = r->ticket,
				 .call = call,
				 .flags = LIVE_ADDRESSES,
				 .spacing = (uint32_t)r->op.cache};
	struct live *l = matching_find(&p->live, new.key);
	struct ended ended = {0};

	if (l && r->kind == EV_POOL_FREE && l->spacing == new.spacing)
		ended = ended_of(l);
	if (l)
		matching_remove(&p->live, l);
	if (r->kind == EV_POOL_ALLOC && new.key)
		matching_add(&p->live, &new);
	return ended;
}

static struct ended match(struct proc *p, const struct record *r, uint64_t event, int64_t alloc,
			  uint32_t call, struct thread_info *t)
{
	bool failed = r->op.flags & OPF_FAILED;
	struct ended ended = {0};

	if (failed && gives_memory(r->kind))
		stats_failed(&p->stats, r->ticket);
	else if (!failed && gives_memory(r->kind))
		ended = op_alloc(p, r, event, alloc, call);
	else if (!failed && (r->kind == EV_FREE || r->kind == EV_MUNMAP))
		ended = op_free(p, r, t);
	else if (r->path == PATH_OWN_POOL)
		ended = op_pool(p, r, event, call);
	if (p->nheld)
		causal_made(p);
	if (t)
		t->last_alloc = !failed && gives_memory(r->kind) ? event : 0;
	return ended;
}

// Simulated addresses fit four bytes when they are signed.
static int64_t narrow(uint64_t addr)
{
	return addr <= UINT32_MAX ? (int32_t)(uint32_t)addr : (int64_t)addr;
}

// The second operand, unless it follows from the allocation that ended.
static void event_old(struct proc *p, const struct record *r, uint64_t event, uint64_t back,
		      const struct ended *e)
{
	bool moves = r->kind == EV_REALLOC || r->kind == EV_MREMAP;
	bool told = moves && e->key && e->key == live_key(record_old(r), r->op.old_path);

	if (record_old(r) && !told)
		store_run(p->ins, ST_OLD, "iiiz", (int64_t)event, (int64_t)record_old(r),
			  (int64_t)r->op.old_path, (int64_t)back);
	else if (back)
		store_run(p->ins, ST_OLD, "innz", (int64_t)event, (int64_t)back);
}

static void event_row(struct proc *p, const struct record *r, uint64_t event, uint32_t call,
		      bool in_row, const struct ended *e)
{
	struct inserter *ins = p->ins;
	int64_t *cell = batch_row(ins, BATCH_EVENT);
	uint64_t back = e->event ? event - e->event : 0;
	bool frees = r->kind == EV_FREE || r->kind == EV_MUNMAP || r->kind == EV_POOL_FREE;

	cell[0] = call;
	// left out only where the row itself says which allocation it is that has the address
	cell[1] = frees && !in_row && e->key && e->key == live_key(r->op.addr, r->path)
			  ? CELL_NULL
			  : narrow(r->op.addr);
	cell[2] = (int64_t)(in_row ? r->op.req : back);
	if (r->ticket < ins->seg.own.max_nodes)
		ins->stack_seen[r->ticket / 8] |= (uint8_t)(1 << r->ticket % 8);
	if (record_old(r) || (in_row && back))
		event_old(p, r, event, in_row ? back : 0, e);
}

static void transition_row(struct proc *p, const struct trace_event *t, uint64_t event,
			   uint64_t seq)
{
	struct transition_key k = {
		.process = p->number,
		.kind = t->kind,
		.cache = t->cache,
		.flags = t->flags,
		.cpu = t->cpu,
		.zone = t->zone,
		.order = t->order,
		.order2 = t->order2,
		.migratetype = t->migratetype,
		.migratetype2 = t->migratetype2,
	};
	int64_t *cell = batch_row(p->ins, BATCH_TRANSITION);

	cell[0] = (int64_t)event;
	cell[1] = (int64_t)seq;
	cell[2] = transition_context_of(p->ins, &k);
	cell[3] = t->pfn;
	cell[4] = narrow(t->addr);
	cell[5] = t->count;
	cell[6] = t->stride;
	cell[7] = t->value;
}

void operation_details(struct proc *p, struct ring_queue *q, uint64_t event)
{
	uint64_t seq = 0, *next = event ? &seq : &p->ins->unclaimed;

	for (size_t i = 0; i < q->ntrace; i++) {
		transition_row(p, &q->trace[i], event, (*next)++);
		if (event)
			touching_frames(p->ins, event, &q->trace[i]);
	}
	p->ins->transitions += q->ntrace;
	q->ntrace = 0;
}

// Times never fall as ids rise, so that a time can be searched: an event whose own stamp is older
// than the last one's (stamps are read every few operations) gets that.
static int64_t event_time(struct inserter *ins, const struct ring_queue *q)
{
	if (q->t_ns > ins->last_t_ns)
		ins->last_t_ns = q->t_ns;
	return ins->last_t_ns;
}

static void clock_row(struct inserter *ins, uint64_t event, int64_t t_ns)
{
	int64_t *cell;

	if (t_ns == ins->clock_ns && event > 1)
		return;
	cell = batch_row(ins, BATCH_CLOCK);
	cell[0] = (int64_t)event;
	cell[1] = ins->clock_ns = t_ns;
}

static bool is_object(unsigned path)
{
	return path == PATH_KMALLOC || path == PATH_SLAB;
}

// Bytes a block that ended may have taken, at most: an object of the operation's own cache takes what
// that gives, of another one it is not known how much more than was asked for.
static uint64_t room_of(const struct proc *p, const struct record *r, const struct ended *e)
{
	bool moved = r->kind == EV_REALLOC || r->kind == EV_MREMAP;
	unsigned cache = (unsigned)r->op.cache;

	if (!is_object(moved ? r->op.old_path : r->path))
		return 2 * page_round(e->bytes);
	if (moved || cache >= MAX_CACHES)
		return 2 * e->bytes + 256;
	return e->bytes > p->m.caches[cache].buffer_size ? e->bytes
							 : p->m.caches[cache].buffer_size;
}

static void touch(struct proc *p, const struct record *r, uint64_t event, int64_t alloc,
		  const struct ended *e)
{
	uint64_t old = e->key & ((1ull << HOST_KEY_BIT) - 1);

	if (e->event)
		touching_block(p->ins, event, old, room_of(p, r, e));
	if (r->op.addr && (old != r->op.addr || alloc))
		touching_block(p->ins, event, r->op.addr, alloc_value(alloc, r->op.req));
}

static void mark_row(struct proc *p, struct ring_queue *q, uint64_t event, int64_t t_ns)
{
	store_run(p->ins, ST_MARK, "iiis", (int64_t)event, (int64_t)p->number, t_ns,
		  q->mark ? q->mark : "");
	free(q->mark);
	q->mark = NULL;
}

uint64_t operation(struct proc *p, const struct record *r)
{
	struct ring_queue *q = &p->queue[p->ring];
	uint64_t event = ++p->ins->events;
	struct thread_info *t = thread_of(p, r->lock);
	int64_t alloc = alloc_bytes(p, r), t_ns = event_time(p->ins, q);
	struct ended ended;
	uint32_t call;
	bool in_row;

	call = call_of(p, r, &in_row);
	ended = match(p, r, event, alloc, call, t);
	if (gives_memory(r->kind) && !(r->op.flags & OPF_FAILED))
		served_count(p->ins, r, event);
	event_row(p, r, event, call, in_row, &ended);
	touch(p, r, event, alloc, &ended);
	clock_row(p->ins, event, t_ns);
	operation_details(p, q, event);
	timeline_event(p->ins, p, event, t_ns, gives_memory(r->kind) && r->op.flags & OPF_FAILED);
	if (r->kind == EV_POOL_CREATE)
		store_run(p->ins, ST_POOL, "iiis", (int64_t)p->number, (int64_t)r->op.cache,
			  (int64_t)event, q->pool_name);
	q->pool_name[0] = 0;
	if (r->kind == EV_MARK)
		mark_row(p, q, event, t_ns);
	if (t) {
		t->first = t->first ? t->first : event;
		t->last = event;
		t->events++;
		if (q->thread_name[0])
			memcpy(t->name, q->thread_name, sizeof(t->name));
		q->thread_name[0] = 0;
	}
	if (!p->events++)
		p->first_event = event;
	p->last_event = event;
	p->end_ns = t_ns;
	p->dirty = true;
	return event;
}
