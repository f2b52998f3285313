// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The inserter: follows the spool and makes the recording.
//
// It starts at the spool's first byte with an empty database, always: whatever interrupts it, the
// spool still has everything, and the next run begins again.
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "inserter.h"

enum {
	COMMIT_NS = 500000000,
	PROGRESS_NS = 100000000,
	WAIT_NS = 3000000,
	MAX_PROCESSES = 1 << 20,
	KEPT_BYTES = 32 << 20, // of memory given back
};

void insert_report(struct inserter *ins, const char *phase, bool now)
{
	struct insert_progress p = {.events = ins->events,
				    .transitions = ins->transitions,
				    .spool_done = ins->spool.offset,
				    .phase = phase};
	int64_t t = (int64_t)clock_monotonic_ns();

	if (!ins->progress || (!now && t - ins->progress_ns < PROGRESS_NS))
		return;
	ins->progress_ns = t;
	p.spool_size = (uint64_t)lseek(ins->spool.fd, 0, SEEK_END);
	ins->progress(ins->progress_ctx, &p);
}

static int take_process(struct inserter *ins, const struct spool_chunk *c, const void *payload)
{
	uint32_t number = c->process;

	if (c->count != sizeof(struct slot) || !number || number >= MAX_PROCESSES)
		return 0;
	if (number >= ins->nproc) {
		uint32_t n = number * 2 + 16;
		struct proc **p = realloc(ins->proc, n * sizeof(struct proc *));

		if (!p)
			return -ENOMEM;
		memset(p + ins->nproc, 0, (n - ins->nproc) * sizeof(struct proc *));
		ins->proc = p;
		ins->nproc = n;
	}
	return ins->proc[number] ? 0 : proc_begin(ins, payload, number);
}

static int take_end(struct inserter *ins, const struct spool_chunk *c, const void *payload)
{
	struct proc *p = proc_find(ins, c->process);

	if (!p || c->count != sizeof(p->end))
		return 0;
	memcpy(&p->end, payload, sizeof(p->end));
	p->over = true;
	return 0;
}

static int take_chunk(struct inserter *ins, const struct spool_chunk *c, const void *payload)
{
	struct proc *p = proc_find(ins, c->process);

	switch (c->type) {
	case SPOOL_PROCESS:
		return take_process(ins, c, payload);
	case SPOOL_RECORDS:
		return p ? proc_records(p, c->cpu, c->first, payload, c->count) : 0;
	case SPOOL_ENDED:
		return take_end(ins, c, payload);
	case SPOOL_CLOSED:
		ins->closed = true;
		return 0;
	default:
		return 0;
	}
}

// Nobody empties the rings: there is no such process, or its number is another's by now.
static bool drainer_gone(const struct inserter *ins)
{
	int pid = (int)atomic_load(&ins->seg.h->drainer_pid);

	return !pid || !pid_start_time(pid) || !pid_maps_file(pid, ins->seg.fd);
}

// Bytes of the recording when all that is in the spool is stored, at most.
static uint64_t bytes_to_be(const struct inserter *ins)
{
	uint64_t size = spool_bytes(&ins->spool);
	char wal[PATH_MAX + 8];
	struct stat st;

	size -= size < ins->spool.offset ? size : ins->spool.offset;
	snprintf(wal, sizeof(wal), "%s-wal", ins->output);
	size += stat(ins->output, &st) ? 0 : (uint64_t)st.st_size;
	size += stat(wal, &st) ? 0 : (uint64_t)st.st_size;
	return size;
}

// --max-size: programs are told to stop recording, here or by the drainer; what they have written is
// still stored. When all have ended there is nobody to stop.
static void size_limit(struct inserter *ins)
{
	struct segment seg;
	char err[ERR_LEN];
	uint64_t most = ins->seg.own.opt.max_bytes;

	if (!most || ins->size_reached)
		return;
	if (!spool_full(spool_bytes(&ins->spool), most)) {
		if (bytes_to_be(ins) < most || drainer_gone(ins) ||
		    segment_open(&seg, ins->folder, true, err))
			return;
		atomic_store(&seg.h->phase, PHASE_AFTER);
		segment_close(&seg);
	}
	ins->size_reached = true;
	ins->truncated = "--max-size was reached: what came later is not recorded";
	store_meta_text(ins, "truncated", ins->truncated); // so that who looks now is told, too
}

// round: every ring was drained once more since the last one.
static void advance_all(struct inserter *ins, bool round)
{
	for (uint32_t i = 1; i < ins->nproc && !ins->error; i++) {
		struct proc *p = ins->proc[i];

		if (!p || p->state == PROC_ENDED)
			continue;
		p->at_round = round;
		proc_advance(p);
		if (round)
			causal_round(p);
		if (p->over && p->state != PROC_WAITING)
			proc_end(p);
	}
	if ((int64_t)clock_monotonic_ns() - ins->commit_ns > COMMIT_NS) {
		store_commit(ins);
		size_limit(ins);
	}
	insert_report(ins, "recording", false);
}

// Takes chunks until none is left. False: the spool is damaged from here on.
static bool take_chunks(struct inserter *ins)
{
	struct spool_chunk c;
	const void *payload;
	int got = SPOOL_WAIT;

	while (!ins->error && !ins->closed &&
	       (got = spool_next(&ins->spool, &c, &payload)) == SPOOL_MORE) {
		int error = take_chunk(ins, &c, payload);

		if (error)
			store_fail(ins, error, strerror(-error));
		if (c.type == SPOOL_ROUND || c.type == SPOOL_ENDED)
			advance_all(ins, c.type == SPOOL_ROUND);
	}
	return got >= 0;
}

// Empties the rings of a recording nobody drains any more, beside us; waits for processes that still
// live. On the heap, because it may outlive the inserter.
struct rest {
	pthread_t thread;
	bool threaded;
	char folder[4096];
	_Atomic bool over;
	int error;
};

static void *rest_main(void *arg)
{
	struct rest *rest = arg;
	char err[ERR_LEN];

	rest->error = drain_run(rest->folder, -1, err);
	rest->over = true;
	return NULL;
}

// From then on the spool has no torn end: what it has is whole, or will be.
static void rest_wait(struct inserter *ins)
{
	const struct timespec wait = {.tv_nsec = WAIT_NS / 10};

	while (!ins->rest->over && atomic_load(&ins->seg.h->drainer_pid) != (uint32_t)getpid())
		nanosleep(&wait, NULL);
}

// False: it was tried, and cannot be done.
static bool drain_rest(struct inserter *ins)
{
	if (ins->rest)
		return !ins->rest->over || !ins->rest->error;
	ins->recovered = true;
	ins->rest = calloc(1, sizeof(*ins->rest));
	if (!ins->rest)
		return false;
	memcpy(ins->rest->folder, ins->folder, sizeof(ins->folder));
	ins->rest->threaded = !pthread_create(&ins->rest->thread, NULL, rest_main, ins->rest);
	if (ins->rest->threaded)
		rest_wait(ins);
	else
		rest_main(ins->rest);
	return true;
}

static void rest_finish(struct rest *rest)
{
	if (!rest || !rest->over)
		return;
	if (rest->threaded)
		pthread_join(rest->thread, NULL);
	free(rest);
}

static void follow(struct inserter *ins)
{
	const struct timespec wait = {.tv_nsec = WAIT_NS};

	while (!ins->error && !ins->closed) {
		if (!take_chunks(ins)) {
			ins->truncated = "the spool is damaged: what stood behind is missing";
			ins->spool_broken = true;
			return;
		}
		advance_all(ins, false);
		if (ins->closed)
			return;
		if (ins->finish_torn && (ins->rest || drainer_gone(ins)) && !drain_rest(ins)) {
			ins->truncated = "the rings could not be emptied";
			return;
		}
		nanosleep(&wait, NULL);
	}
}

// The recording stands beside its folder, NAME.spool. Programs can write into that, so nothing in it says
// where to.
static int find_output(struct inserter *ins)
{
	char path[PATH_MAX];
	size_t n;

	if (!realpath(ins->folder, path))
		return sentence(ins->err, -errno, "cannot open %s: %s", ins->folder,
				strerror(errno));
	n = strlen(path);
	if (n < 7 || strcmp(path + n - 6, ".spool") || path[n - 7] == '/')
		return sentence(ins->err, -EINVAL,
				"%s is not named after a recording: call it RECORDING.spool",
				ins->folder);
	snprintf(ins->output, sizeof(ins->output), "%.*s", (int)n - 6, path);
	ins->argv = session_json_argv(ins->folder, ins->err);
	return ins->argv ? 0 : -EILSEQ;
}

static void store_start(struct inserter *ins)
{
	const struct session_header *h = &ins->seg.own;
	const struct machine_config *m = &h->opt.machine;

	store_meta_text(ins, "format", "kalloscope recording");
	store_meta_int(ins, "version", SESSION_VERSION);
	store_meta_int(ins, "complete", 0);
	store_meta_text(ins, "argv", ins->argv);
	store_meta_int(ins, "start", (int64_t)h->realtime0_ns);
	store_meta_text(ins, "model", model_names[m->model < NR_MODELS ? m->model : 0]);
	store_meta_int(ins, "ncpus", m->ncpus);
	store_meta_int(ins, "page_offset", m->page_offset);
	store_meta_int(ins, "vmalloc_bytes", m->vmalloc_bytes);
	store_meta_int(ins, "highmem_bytes", m->highmem_bytes);
	store_meta_int(ins, "flags", h->opt.flags);
	store_meta_int(ins, "max_frames", h->opt.max_frames);
	store_commit(ins);
}

// Batches, blobs and their raw material are pieces of half a megabyte that come and go: what has been
// given back stays ours, or the kernel would clear as many pages for each of them.
static void keep_memory(void)
{
	mallopt(M_MMAP_THRESHOLD, KEPT_BYTES);
	mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
}

static int start(struct inserter *ins)
{
	int error = segment_open(&ins->seg, ins->folder, false, ins->err);

	if (!error)
		error = find_output(ins);
	if (error)
		return error;
	ins->t0_ns = (int64_t)ins->seg.own.ns0;
	if (ins->finish_torn && drainer_gone(ins))
		drain_rest(ins);
	for (int i = 0; (error = spool_open(&ins->spool, ins->folder)) == -ENOENT && i < 1000; i++)
		nanosleep(&(struct timespec){.tv_nsec = WAIT_NS}, NULL);
	if (error)
		return sentence(ins->err, error, "cannot read %s/spool: %s", ins->folder,
				session_file_why(error));
	ins->stack_seen = calloc(node_bits_bytes(ins), 1);
	if (!ins->stack_seen || intern_init(&ins->contexts, sizeof(struct context_key)) ||
	    intern_init(&ins->transition_contexts, sizeof(struct transition_key)) ||
	    calls_init(ins))
		return sentence(ins->err, -ENOMEM, "not enough memory");
	error = naming_open(ins);
	if (!error)
		error = store_open(ins);
	if (!error)
		store_start(ins);
	return ins->error;
}

static void end_all(struct inserter *ins)
{
	for (uint32_t i = 1; i < ins->nproc && !ins->error; i++)
		if (ins->proc[i])
			proc_end(ins->proc[i]);
}

static void stop(struct inserter *ins)
{
	store_close(ins);
	naming_close(ins);
	template_free(ins->booted);
	for (uint32_t i = 1; i < ins->nproc; i++)
		proc_destroy(ins->proc[i]);
	free(ins->proc);
	intern_finish(&ins->contexts);
	intern_finish(&ins->transition_contexts);
	calls_finish(ins);
	free(ins->touched);
	rest_finish(ins->rest);
	free(ins->stack_seen);
	spool_close(&ins->spool);
	segment_close(&ins->seg);
	g_free(ins->argv);
	free(ins);
}

int insert_run(const char *folder, bool finish_torn,
	       void (*progress)(void *ctx, const struct insert_progress *p), void *ctx, char *err)
{
	struct inserter *ins = calloc(1, sizeof(*ins));
	int error;

	if (!ins)
		return sentence(err, -ENOMEM, "not enough memory");
	ins->err = err;
	ins->seg.fd = ins->spool.fd = ins->output_fd = -1;
	ins->finish_torn = finish_torn;
	ins->progress = progress;
	ins->progress_ctx = ctx;
	keep_memory();
	snprintf(ins->folder, sizeof(ins->folder), "%s", folder);
	error = start(ins);
	if (!error) {
		follow(ins);
		size_limit(ins);
		end_all(ins);
		if (!ins->error)
			finish_recording(ins);
		error = ins->error;
	}
	stop(ins);
	return error;
}
