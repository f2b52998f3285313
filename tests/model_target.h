// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// A target made of the core alone: does in a real process what the library does in a program,
// with a real machine behind it, so that the recorder can be tested without the library.
#pragma once

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../core/slab_inline.h"
#include "../db/session_file.h"

enum {
	MODEL_BLOCKS = 4096
};

struct block {
	kaddr_t addr;
	uint32_t size;
	uint16_t path, cache;
};

struct target {
	struct segment seg;
	struct slot *slot;
	uint32_t index;
	char folder[512];
	void *memory;
	size_t size;
	struct machine cpu[2];
	struct block block[MODEL_BLOCKS];
	uint64_t barrier, seed, ops;
	bool lossy;		// does not wait when a ring is full
	uint64_t gone[2], lost; // records given up: since the last LOST; at all
};

static inline uint32_t model_random(struct target *t)
{
	t->seed = t->seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(t->seed >> 33);
}

static inline bool model_room(struct target *t, unsigned cpu, uint64_t need)
{
	struct ring *ring = &t->slot->ring[cpu];
	uint64_t used = atomic_load_explicit(&ring->head, memory_order_relaxed) -
			atomic_load_explicit(&ring->tail, memory_order_acquire);

	return used + need <= t->seg.own.ring_records;
}

static inline bool model_undrained(struct target *t)
{
	bool left = false;

	for (unsigned cpu = 0; cpu < 2; cpu++)
		left |= !model_room(t, cpu, t->seg.own.ring_records);
	return left;
}

static inline void model_write(struct target *t, unsigned cpu, struct record r)
{
	struct ring *ring = &t->slot->ring[cpu];
	uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);

	r.cpu = cpu;
	segment_ring(&t->seg, t->index, cpu)[head & (t->seg.own.ring_records - 1)] = r;
	atomic_store_explicit(&ring->head, head + 1, memory_order_release);
}

static inline void model_put(struct target *t, unsigned cpu, struct record r)
{
	while (!model_room(t, cpu, 2)) {
		if (t->lossy) {
			t->gone[cpu]++;
			t->lost++;
			atomic_fetch_add(&t->slot->lost, 1);
			return;
		}
		usleep(100);
	}
	if (t->gone[cpu]) {
		struct record lost = {.kind = EV_LOST, .arg = {(uint32_t)t->gone[cpu]}};

		t->gone[cpu] = 0;
		model_write(t, cpu, lost);
	}
	model_write(t, cpu, r);
}

static inline void model_record(struct machine *m, const struct record *r)
{
	model_put(m->priv, m->cpu, *r);
}

static const struct machine_ops model_ops = {.record = model_record};

static inline void model_text(struct target *t, enum text_what what, const char *text, size_t n)
{
	size_t len;

	do {
		struct record r = {.kind = EV_TEXT};

		len = n < 20 ? n : 20;
		r.arg[0] = (uint32_t)what | (uint32_t)len << 16;
		memcpy(&r.arg[1], text, len);
		model_put(t, 0, r);
		text += len;
		n -= len;
	} while (len == 20);
}

static inline void model_op(struct target *t, struct machine *m, struct record r)
{
	uint64_t now = clock_monotonic_ns();
	struct record time = {.kind = EV_TIME, .arg = {(uint32_t)now, (uint32_t)(now >> 32)}};

	if (t->ops++ % 16 == 0) {
		m->s->cpu[m->cpu].now_ns = now;
		model_put(t, m->cpu, time);
	}
	m->s->cpu[m->cpu].ops++;
	model_put(t, m->cpu, r);
}

// Stacks 3 and 4: two callers under one frame of image 1.
static inline void model_depot(struct target *t)
{
	struct depot_node *n = depot_nodes(t->seg.h);

	n[1] = (struct depot_node){.ip = DEPOT_ROOT | 1};
	n[2] = (struct depot_node){.ip = 0x401100, .parent = 1};
	n[3] = (struct depot_node){.ip = 0x401234, .parent = 2};
	n[4] = (struct depot_node){.ip = 0x401300, .parent = 2};
	atomic_store(&t->seg.h->depot_count, 4);
}

static inline void model_claim(struct target *t, enum slot_how how, uint32_t parent)
{
	for (t->index = 0;; t->index++) {
		uint32_t free = SLOT_FREE;

		t->slot = segment_slot(&t->seg, t->index);
		if (atomic_compare_exchange_strong(&t->slot->state, &free, SLOT_CLAIMED))
			break;
	}
	t->slot->process = atomic_fetch_add(&t->seg.h->next_process, 1) + 1;
	t->slot->parent = parent;
	t->slot->how = how;
	t->slot->pid = getpid();
	t->slot->image = 1;
	t->slot->cfg = t->seg.own.opt.machine;
	t->slot->ncpus = 2;
	t->slot->fork_barrier = how == HOW_FORK ? t->barrier : 0;
	t->slot->start_tsc = clock_monotonic_ns();
	atomic_store(&t->slot->state, SLOT_LIVE);
}

static inline void model_start(struct target *t, const char *folder)
{
	char err[512];
	const char *why;

	snprintf(t->folder, sizeof(t->folder), "%s", folder);
	if (segment_open(&t->seg, folder, true, err))
		_exit(70);
	t->seg.h->tsc_mult = 0; // stamps are ns
	t->size = machine_size(&t->seg.own.opt.machine);
	t->memory = mmap(NULL, t->size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (machine_boot(&t->cpu[0], t->memory, &t->seg.own.opt.machine, &why))
		_exit(71);
	for (unsigned i = 0; i < 2; i++)
		machine_attach(&t->cpu[i], t->memory, t->size, i, &model_ops, t);
	model_depot(t);
	model_claim(t, HOW_FIRST, 0);
	model_text(t, TEXT_EXE, "/bin/model", 10);
	model_text(t, TEXT_ARGV, "model\0one argument that is long\0", 32);
	model_text(t, TEXT_MODULE, "401000 402000 1000 abcdef /bin/model", 36);
}

static inline void model_alloc(struct target *t, unsigned cpu, struct block *b, uint32_t size)
{
	struct machine *m = &t->cpu[cpu];
	struct record r = {
		.kind = EV_MALLOC, .lock = (uint16_t)(1 + cpu), .ticket = 3 + (size & 1)};

	*b = (struct block){.size = size, .path = PATH_KMALLOC};
	r.op.gfp = GFPC_KERNEL;
	r.op.req = size;
	if (size <= 131072) {
		b->cache = (uint16_t)kmalloc_cache(m, size, GFP_KERNEL);
		b->addr = ac_pop(m, b->cache);
		if (!b->addr && cache_alloc_refill(m, b->cache, GFP_KERNEL))
			b->addr = ac_pop(m, b->cache);
		r.op.flags = b->addr ? OPF_POP : OPF_FAILED;
	} else {
		b->addr = vmalloc(m, size);
		b->path = PATH_VMALLOC;
		r.op.flags = b->addr ? 0 : OPF_FAILED;
	}
	r.path = b->path & 15;
	if (r.op.flags & OPF_POP)
		r.op.old = *generation_of(m, b->addr);
	r.op.cache = b->cache;
	r.op.addr = b->addr;
	model_op(t, m, r);
}

static inline void model_free(struct target *t, unsigned cpu, struct block *b)
{
	struct machine *m = &t->cpu[cpu];
	struct record r = {
		.kind = EV_FREE, .path = b->path & 15, .lock = (uint16_t)(1 + cpu), .ticket = 4};

	r.op.cache = b->cache;
	r.op.addr = b->addr;
	if (b->path == PATH_KMALLOC) {
		r.op.flags = OPF_PUSH;
		if (!ac_push(m, b->cache, b->addr)) {
			cache_flusharray(m, b->cache);
			ac_push(m, b->cache, b->addr);
		}
	} else {
		vfree(m, b->addr);
	}
	if (b->path == PATH_KMALLOC)
		r.op.old = *generation_of(m, b->addr);
	model_op(t, m, r);
	b->addr = 0;
}

static inline uint32_t model_size(struct target *t)
{
	uint32_t r = model_random(t) % 1000;

	return r < 900 ? 1 + model_random(t) % 300 : r < 995 ? 1 + model_random(t) % 60000 : 400000;
}

static inline void model_work(struct target *t, unsigned n)
{
	while (n--) {
		struct block *b = &t->block[model_random(t) % MODEL_BLOCKS];
		unsigned cpu = model_random(t) & 1;

		if (b->addr)
			model_free(t, cpu, b);
		else
			model_alloc(t, cpu, b, model_size(t));
	}
}

static inline void model_barrier(struct target *t)
{
	t->barrier++;
	for (unsigned cpu = 0; cpu < 2; cpu++)
		model_put(t, cpu,
			  (struct record){.kind = EV_BARRIER, .arg = {(uint32_t)t->barrier}});
}

// Goes on as a child forked at the last barrier.
static inline void model_forked(struct target *t)
{
	model_claim(t, HOW_FORK, t->slot->process);
	t->ops = 0;
}

static inline void model_dump(struct target *t)
{
	char path[600];
	int fd;

	snprintf(path, sizeof(path), "%s/state.%u", t->folder, t->slot->process);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	if (fd < 0 || ftruncate(fd, (off_t)t->size))
		_exit(72);
	for (size_t at = 0; at < t->size; at += PAGE_SIZE) {
		const char *page = (const char *)t->memory + at;

		if ((page[0] || memcmp(page, page + 1, PAGE_SIZE - 1)) &&
		    pwrite(fd, page, PAGE_SIZE, (off_t)at) != PAGE_SIZE)
			_exit(73);
	}
	close(fd);
}

static inline void model_exit(struct target *t)
{
	model_dump(t);
	atomic_store(&t->slot->state, SLOT_ENDED);
	_exit(0);
}
