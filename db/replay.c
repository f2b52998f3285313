// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The machine of a process at any event: nearest keyframe, then the fold of the log.
//
//   keyframes   F....k....k....F....k        each stands before the first record of a log blob
//   log blobs   |0   |1   |2   |3   |4   |
//   seek(n):    apply F..k before n, then records up to the one that completes event n
//
// The position is always right behind an OP record (or at the very beginning), whatever way led
// there: steps of operations that complete later and happen to stand between two OPs are applied
// only on the way to a later one. So the state at n does not depend on where the seek came from.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "checkpoint.h"
#include "codec.h"
#include "reader_impl.h"

// More than any configuration's machine_size; address space only, touched lazily.
#define REPLAY_BYTES (2ull << 30)

// With a way back kept, a seek leaves a copy of the machine this many events before its target: steps
// back from there fold some hundred events, not a hundred thousand.
enum {
	BACK_EVENTS = 1000,
	BACK_FAR = 4 * BACK_EVENTS, // folding from further away costs more than a copy
	BACK_COPIES = 2,	    // while the newer one is close behind, the older one serves
};

struct place {			    // in the log
	int64_t seq;		    // blob; -1: none
	size_t next;		    // of its entries, to be applied
	uint64_t position;	    // last event applied; 0 none
	unsigned pending[MAX_CPUS]; // steps since the CPU's last OP
};

struct blob {
	struct log_entry *log;
	size_t n;
	int64_t seq;
};

struct way_back {
	struct checkpoint *memory; // NULL: not kept
	struct place at;	   // at.position 0: nothing was copied yet
	struct machine m;	   // as attached then, of
	size_t size;		   // bytes
	int error;		   // of the fold that led there
};

struct replay {
	struct recording *r;
	struct process_info process;
	void *memory;
	size_t size; // of the machine in memory
	struct machine m;
	struct machine_ops ops;	  // with trace, while one event is being explained
	struct blob blob, before; // decoded: blob `at.seq`; one that was, for going back to
	struct place at;
	int64_t last_seq;  // -1: none
	uint64_t keyframe; // last event in the keyframe that was read last
	bool ready;	   // memory holds a state
	struct way_back back[BACK_COPIES];
	void (*trace)(void *ctx, const struct trace_event *t);
	void *trace_ctx;
	void (*each)(void *ctx, uint64_t event); // event completed; set while replay_walk runs
	void *each_ctx;
};

// One integer of a cached statement with one or two arguments.
static int64_t query_int(struct recording *r, enum reader_stmt which, int64_t a, uint64_t b,
			 int64_t none)
{
	sqlite3_stmt *s = reader_stmt(r, which);
	int64_t value = none;
	if (!s)
		return none;
	sqlite3_bind_int64(s, 1, a);
	if (sqlite3_bind_parameter_count(s) > 1)
		sqlite3_bind_int64(s, 2, (int64_t)b);
	if (reader_row(s) && sqlite3_column_type(s, 0) != SQLITE_NULL)
		value = sqlite3_column_int64(s, 0);
	sqlite3_reset(s);
	return value;
}

static void drop_blob(struct blob *b)
{
	free(b->log);
	*b = (struct blob){.seq = -1};
}

// Decodes blob seq into p->blob. -ENOENT: there is none.
static int load_log(struct replay *p, int64_t seq)
{
	sqlite3_stmt *s = reader_stmt(p->r, STMT_LOG);
	struct blob other = p->before;
	int ret = -ENOENT;
	p->before = p->blob;
	p->blob = other;
	p->at.seq = seq;
	p->at.next = 0;
	if (p->blob.log && p->blob.seq == seq)
		return 0;
	drop_blob(&p->blob);
	if (!s)
		return -EILSEQ;
	sqlite3_bind_int64(s, 1, p->process.process);
	sqlite3_bind_int64(s, 2, seq);
	if (reader_row(s))
		ret = log_decode(sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0),
				 &p->blob.log, &p->blob.n);
	sqlite3_reset(s);
	if (ret)
		p->blob = (struct blob){.seq = -1};
	else
		p->blob.seq = seq;
	return ret;
}

// Memory = the keyframe before blob `seq`, from the full one at `full` on.
static int load_keyframe(struct replay *p, int64_t full, int64_t seq)
{
	sqlite3_stmt *s = reader_stmt(p->r, STMT_KEYFRAMES);
	int ret = -EILSEQ;
	bool is_full;
	char why[128];
	p->ready = false;
	if (!s)
		return ret;
	sqlite3_bind_int(s, 1, p->process.process);
	sqlite3_bind_int64(s, 2, full);
	sqlite3_bind_int64(s, 3, seq);
	p->size = 0;
	while (reader_row(s)) {
		const void *blob = sqlite3_column_blob(s, 0);
		size_t n = (size_t)sqlite3_column_bytes(s, 0);
		if (!p->size)
			p->size = keyframe_memory_size(blob, n);
		ret = p->size > REPLAY_BYTES
			      ? -EILSEQ
			      : keyframe_apply(p->memory, p->size, blob, n, &is_full);
		if (ret)
			break;
	}
	sqlite3_reset(s);
	if (!ret)
		ret = machine_attach(&p->m, p->memory, p->size, 0, &machine_ops_none, p);
	if (!ret) // a file may hold anything; what records make of it stays sound
		ret = machine_safe(&p->m, why, sizeof(why));
	p->ready = !ret;
	memset(p->at.pending, 0, sizeof(p->at.pending));
	return ret ? -EILSEQ : 0;
}

// The last copy that `target` lies behind; NULL: none.
static struct way_back *copy_before(struct replay *p, uint64_t target)
{
	struct way_back *best = NULL;
	for (unsigned i = 0; i < BACK_COPIES; i++) {
		struct way_back *b = &p->back[i];
		if (b->at.position && b->at.position <= target &&
		    (!best || b->at.position > best->at.position))
			best = b;
	}
	return best;
}

// To the state of a copy.
static int go_back(struct replay *p, const struct way_back *b)
{
	int ret = p->blob.log && p->blob.seq == b->at.seq ? 0 : load_log(p, b->at.seq);
	p->ready = !ret;
	if (ret)
		return ret;
	checkpoint_restore(b->memory, p->memory);
	p->m = b->m;
	p->size = b->size;
	p->at = b->at;
	return 0;
}

// Stands where the shortest way to event `target` begins: here, at a copy, or at the beginning of
// the blob whose keyframe is the last one before it completes. *error: of the fold to the copy.
static int rewind_to(struct replay *p, uint64_t target, int *error)
{
	sqlite3_stmt *s = reader_stmt(p->r, STMT_KEYFRAME);
	int64_t seq = -1, full = -1;
	uint64_t event = 0;
	const struct way_back *copy = copy_before(p, target);
	if (!s)
		return -EILSEQ;
	sqlite3_bind_int(s, 1, p->process.process);
	sqlite3_bind_int64(s, 2, (int64_t)target);
	if (reader_row(s)) {
		seq = sqlite3_column_int64(s, 0);
		full = sqlite3_column_int64(s, 1);
		event = (uint64_t)sqlite3_column_int64(s, 2);
	}
	sqlite3_reset(s);
	if (seq < 0)
		return -EILSEQ;
	// forward from where we are, unless the keyframe lies ahead
	if (p->ready && p->at.position && p->at.position <= target && seq <= p->at.seq)
		return 0;
	*error = copy ? copy->error : 0;
	if (copy && seq <= copy->at.seq)
		return go_back(p, copy);
	*error = 0;
	p->keyframe = event;
	int ret = load_keyframe(p, full, seq);
	if (ret)
		return ret;
	p->at.position = 0;
	ret = load_log(p, seq);
	return ret == -ENOENT ? 0 : ret; // a process without records stays as it was booted
}

// Keeps the position, and which CPUs are between two OPs.
static int apply(struct replay *p, const struct log_entry *e)
{
	unsigned cpu = e->r.cpu < MAX_CPUS ? e->r.cpu : 0;
	int ret = log_apply(&p->m, &e->r);
	if (e->r.kind < EV_LAST_OP) {
		p->at.pending[cpu] = 0;
		p->at.position = e->event;
	} else {
		p->at.pending[cpu]++;
	}
	return ret;
}

// Applies records until event `target` has completed; to the end of the log when it is
// UINT64_MAX. A record that contradicts the state is passed over, as the recorder passed over it,
// and makes the result -EILSEQ.
static int fold_until(struct replay *p, uint64_t target)
{
	int ret = 0, err;
	while (p->at.position < target) {
		if (p->at.next == p->blob.n) {
			if (p->at.seq >= p->last_seq)
				return ret;
			err = load_log(p, p->at.seq + 1);
			if (err)
				return -EILSEQ;
			continue;
		}
		const struct log_entry *e = &p->blob.log[p->at.next];
		// only a log with holes goes past the target
		if (e->r.kind < EV_LAST_OP && e->event > target)
			return -EILSEQ;
		p->at.next++;
		err = apply(p, e);
		if (err)
			ret = err;
		if (p->each && e->r.kind < EV_LAST_OP)
			p->each(p->each_ctx, p->at.position);
	}
	return ret;
}

static void on_trace(struct machine *m, const struct trace_event *t)
{
	struct replay *p = m->priv;
	p->trace(p->trace_ctx, t);
}

// The process' last event not after n.
static uint64_t clamp(struct replay *p, uint64_t n)
{
	if (n >= p->process.last_event)
		return p->process.last_event;
	if (n < p->process.first_event)
		return 0;
	return (uint64_t)query_int(p->r, STMT_EVENT_BEFORE, p->process.process, n, 0);
}

// Copies the machine BACK_EVENTS before `target`, on the way there, unless a copy is near enough.
static int leave_copy(struct replay *p, uint64_t target)
{
	const struct way_back *last = copy_before(p, target);
	struct way_back *b = last == &p->back[0] ? &p->back[1] : &p->back[0];
	uint64_t at = clamp(p, target > BACK_EVENTS ? target - BACK_EVENTS : 0),
		 first = p->at.position;
	if (last && target - last->at.position <= BACK_FAR)
		return 0;
	if (!first)
		first = (uint64_t)query_int(p->r, STMT_EVENT_AFTER, p->process.process, p->keyframe,
					    0);
	if (at < first)
		at = first;
	if (!at || at > target)
		return 0;
	b->error = fold_until(p, at);
	b->at = p->at;
	b->m = p->m;
	b->size = p->size;
	if (checkpoint_take(b->memory, p->memory, p->size))
		b->at.position = 0;
	return b->error;
}

// Stepping by one event stays on the way forward even past a keyframe: the details wanted are those
// of the steps in between.
int replay_seek(struct replay *p, uint64_t n)
{
	uint64_t target = clamp(p, n);
	int ret, before = 0, left = 0;
	if (p->ready && target == p->at.position)
		return 0;
	bool one = p->trace && p->ready &&
		   (uint64_t)query_int(p->r, STMT_EVENT_AFTER, p->process.process, p->at.position,
				       0) == target;
	if (!one) {
		ret = rewind_to(p, target, &before);
		if (ret)
			return ret;
	}
	p->ops = machine_ops_none;
	p->m.ops = &p->ops;
	if (!one && p->back[0].memory)
		left = leave_copy(p, target);
	p->ops.trace = one ? on_trace : NULL;
	ret = fold_until(p, target);
	return ret ? ret : left ? left : before;
}

int replay_keep_back(struct replay *p)
{
	for (unsigned i = 0; i < BACK_COPIES; i++)
		if (!p->back[i].memory && !(p->back[i].memory = checkpoint_create()))
			return -ENOMEM;
	return 0;
}

int replay_walk(struct replay *p, uint64_t n, void (*fn)(void *ctx, uint64_t event), void *ctx)
{
	uint64_t target = clamp(p, n);
	int ret;
	p->ops = machine_ops_none;
	p->m.ops = &p->ops;
	p->each = fn;
	p->each_ctx = ctx;
	ret = fold_until(p, target);
	p->each = NULL;
	return ret;
}

int replay_finish(struct replay *p)
{
	int ret = replay_seek(p, UINT64_MAX), more = fold_until(p, UINT64_MAX);
	return ret ? ret : more;
}

// Numbers of blobs have no gaps.
int64_t replay_blobs(const struct replay *p)
{
	return p->last_seq + 1;
}

int replay_blob(struct replay *p, int64_t seq, uint64_t *diverged,
		void (*fn)(void *ctx, const struct log_entry *e), void *ctx)
{
	int ret = load_log(p, seq);
	p->m.ops = &machine_ops_none;
	for (; p->at.next < p->blob.n; p->at.next++) {
		const struct log_entry *e = &p->blob.log[p->at.next];
		if (apply(p, e))
			(*diverged)++;
		if (e->r.kind < EV_LAST_OP)
			fn(ctx, e);
	}
	return ret;
}

int replay_keyframe(struct replay *p, int64_t seq)
{
	int64_t full = query_int(p->r, STMT_KEYFRAME_FULL, p->process.process, (uint64_t)seq, -1);
	drop_blob(&p->blob);
	p->at = (struct place){.seq = p->at.seq};
	return full < 0 ? -ENOENT : load_keyframe(p, full, seq);
}

// Untouched pages of both are zeroes, and reading them would map a quarter of a gigabyte.
int64_t replay_compare(const struct replay *a, const struct replay *b)
{
	size_t pages = a->size / PAGE_SIZE, i = 0;
	unsigned char *in = a->size == b->size ? malloc(2 * pages + 2) : NULL;
	if (in && !mincore(a->memory, pages * PAGE_SIZE, in) &&
	    !mincore(b->memory, pages * PAGE_SIZE, in + pages)) {
		const char *x = a->memory, *y = b->memory;
		while (i < pages && (!((in[i] | in[pages + i]) & 1) ||
				     !memcmp(x + i * PAGE_SIZE, y + i * PAGE_SIZE, PAGE_SIZE)))
			i++;
	} else {
		pages = SIZE_MAX;
	}
	free(in);
	return i == pages ? -1 : machine_compare(&a->m, &b->m);
}

// Seeking to the beginning proves that the first keyframe is there, a machine of this version.
struct replay *replay_open(struct recording *r, int process, char *err, size_t err_size)
{
	const struct process_info *list;
	unsigned n = recording_processes(r, &list), i = 0;
	while (i < n && list[i].process != process)
		i++;
	if (i == n) {
		if (n)
			snprintf(err, err_size, "the recording has no process %d (it has 1 to %u)",
				 process, n);
		else
			snprintf(err, err_size, "the recording holds no process");
		return NULL;
	}
	struct replay *p = calloc(1, sizeof(*p));
	void *memory = mmap(NULL, REPLAY_BYTES, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (!p || memory == MAP_FAILED) {
		snprintf(err, err_size, "not enough memory for the machine");
		free(p);
		return NULL;
	}
	p->r = r;
	p->process = list[i];
	p->memory = memory;
	p->at.seq = -1;
	p->last_seq = query_int(r, STMT_LOG_LAST, process, 0, -1);
	if (!replay_seek(p, 0))
		return p;
	snprintf(
		err, err_size,
		"the recording holds no usable machine for process %d: it was made by another version"
		" of kalloscope, or is damaged",
		process);
	replay_close(p);
	return NULL;
}

void replay_close(struct replay *p)
{
	if (!p)
		return;
	for (unsigned i = 0; i < BACK_COPIES; i++)
		checkpoint_destroy(p->back[i].memory);
	drop_blob(&p->blob);
	drop_blob(&p->before);
	munmap(p->memory, REPLAY_BYTES);
	free(p);
}

uint64_t replay_position(const struct replay *p)
{
	return p->at.position;
}

struct machine *replay_machine(struct replay *p)
{
	return &p->m;
}

unsigned replay_in_flight(const struct replay *p)
{
	unsigned n = 0;
	for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++)
		n += p->at.pending[cpu] > 0;
	return n;
}

void replay_on_trace(struct replay *p, void (*fn)(void *ctx, const struct trace_event *t),
		     void *ctx)
{
	p->trace = fn;
	p->trace_ctx = ctx;
}
