// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// A process is over: what is left of it goes to the database, its machine is compared with the
// program's own, and its memory is given back.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "inserter.h"

// Killed with a lock taken, a process may have made steps that it had not recorded yet.
static bool within_call(int fd, size_t size)
{
	off_t locks = (off_t)session_state_locks(size);
	uint32_t owner;

	for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++)
		if (pread(fd, &owner, sizeof(owner), locks + cpu * 64) == sizeof(owner) && owner)
			return true;
	return false;
}

// The count of barriers is the library's own, not the machine's.
static void compare_state(struct proc *p, void *theirs, size_t size, int fd)
{
	struct machine other;
	char where[128];
	int64_t at;

	if (machine_attach(&other, theirs, size, 0, &machine_ops_none, NULL)) {
		snprintf(p->state_check, sizeof(p->state_check),
			 "the program's state is no machine");
		return;
	}
	other.s->barrier = p->m.s->barrier;
	at = machine_compare(&p->m, &other);
	if (at < 0) {
		snprintf(p->state_check, sizeof(p->state_check), "equal");
		return;
	}
	machine_describe_offset(&p->m, (size_t)at, where, sizeof(where));
	snprintf(p->state_check, sizeof(p->state_check), "%s %s",
		 within_call(fd, size) ? "ended within a call, at" : "differs at", where);
}

// Only what the file holds: its holes, most of it, stay memory nobody has touched.
static bool read_data(int fd, char *to, size_t size)
{
	off_t at = 0;

	while ((at = lseek(fd, at, SEEK_DATA)) >= 0 && (size_t)at < size) {
		off_t end = lseek(fd, at, SEEK_HOLE);

		if (end <= at)
			return false;
		end = (size_t)end < size ? end : (off_t)size;
		for (ssize_t n; at < end && (size_t)at < size; at += n) {
			n = pread(fd, to + at, (size_t)(end - at), at);
			if (n <= 0)
				return false;
		}
	}
	return at >= 0 || errno == ENXIO;
}

// The final machine as the program left it, when it was asked to.
static void check_state(struct proc *p)
{
	char path[sizeof(p->ins->folder) + 32];
	struct stat st;
	void *map;
	int fd;

	snprintf(path, sizeof(path), "%s/state.%u", p->ins->folder, p->number);
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return;
	map = mmap(NULL, p->size, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (map != MAP_FAILED && !fstat(fd, &st) && (size_t)st.st_size >= p->size &&
	    read_data(fd, map, p->size))
		compare_state(p, map, p->size, fd);
	else
		snprintf(p->state_check, sizeof(p->state_check),
			 "the program's state is incomplete");
	if (map != MAP_FAILED)
		munmap(map, p->size);
	close(fd);
}

static void threads_store(struct proc *p)
{
	for (size_t i = 0; i < p->nthreads; i++) {
		const struct thread_info *t = &p->thread[i];

		if (t->events)
			store_run(p->ins, ST_THREAD, "iisiii", (int64_t)p->number, (int64_t)i,
				  t->name[0] ? t->name : NULL, (int64_t)t->first, (int64_t)t->last,
				  (int64_t)t->events);
	}
}

// Gives back what only a running process needs. What children may still ask for stays.
static void release(struct proc *p)
{
	for (unsigned i = 0; i < MAX_CPUS; i++) {
		free(p->queue[i].buf);
		free(p->queue[i].trace);
		free(p->queue[i].mark);
		p->queue[i] = (struct ring_queue){0};
		p->merge.ring[i] = (struct merge_ring){.ended = true};
	}
	keyframer_destroy(p->keyframer);
	p->keyframer = NULL;
	if (p->memory)
		munmap(p->memory, p->size);
	p->memory = NULL;
	free(p->log);
	p->log = NULL;
	free(p->thread);
	p->thread = NULL;
	p->nthreads = 0;
	stats_free_tables(&p->stats);
	text_finish(p);
	if (!p->nbarriers)
		matching_finish(&p->live);
}

int proc_end(struct proc *p)
{
	if (p->state == PROC_ENDED)
		return 0;
	p->over = true;
	proc_advance(p);
	if (p->state == PROC_RUNNING) {
		for (unsigned i = 0; i < p->nrings; i++) {
			p->ring = i;
			operation_details(p, &p->queue[i], 0);
		}
		proc_log_flush(p);
		check_state(p);
		stats_store(p->ins, p);
		threads_store(p);
		p->state = PROC_ENDED;
	}
	p->ins->lost += p->end.lost > p->missing ? p->end.lost : p->missing;
	proc_store(p);
	release(p);
	return p->ins->error;
}

void proc_destroy(struct proc *p)
{
	if (!p)
		return;
	release(p);
	matching_finish(&p->live);
	stats_finish(&p->stats);
	free(p->barrier);
	free(p);
}

struct proc *proc_find(struct inserter *ins, uint32_t number)
{
	return number < ins->nproc ? ins->proc[number] : NULL;
}

int proc_store(struct proc *p)
{
	const struct slot *s = &p->slot;
	bool over = p->state == PROC_ENDED;

	p->dirty = false;
	store_run(p->ins, ST_PROCESS, "iiiiiiissiizziiiiiiiimiiiis", (int64_t)p->number,
		  (int64_t)s->parent, (int64_t)s->how, (int64_t)s->pid, (int64_t)s->ppid,
		  (int64_t)s->image, (int64_t)p->nrings, p->exe, p->argv, (int64_t)s->fork_barrier,
		  (int64_t)p->fork_event, (int64_t)p->first_event, (int64_t)p->last_event,
		  (int64_t)p->events, p->start_ns, p->end_ns,
		  (int64_t)(p->end.lost > p->missing ? p->end.lost : p->missing),
		  (int64_t)p->divergences, (int64_t)p->end.early_calls,
		  (int64_t)p->end.unrecorded_children, (int64_t)(over && p->end.killed),
		  (int64_t)p->end.wait_status, (int64_t)p->stats.live_bytes,
		  (int64_t)p->stats.live_count, (int64_t)p->stats.peak_bytes,
		  (int64_t)p->stats.peak_event, p->state_check[0] ? p->state_check : NULL);
	return p->ins->error;
}
