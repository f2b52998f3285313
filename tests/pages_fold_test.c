// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// State is a fold of records: three CPUs' page operations, merged in an order far from the real
// one, rebuild the same machine; damaged records leave it sound.
#include "core/buddy.h"
#include "core/fold.h"
#include "harness.h"
#include "pages_machine.h"

enum {
	CPUS = 3,
	HELD = 600,
	RING = 1 << 16
};

static struct record Ring[CPUS][RING];
static unsigned Written[CPUS];
static struct machine Handle[CPUS];
static unsigned Barriers;

static void ring_put(unsigned cpu, const struct record *r)
{
	CHECK(Written[cpu] < RING);
	Ring[cpu][Written[cpu]++] = *r;
}

static void note_record(struct machine *m, const struct record *r)
{
	CHECK_EQ(r->cpu, m->cpu);
	ring_put(m->cpu, r);
}

static void barrier(struct machine *m)
{
	struct record r = {.kind = EV_BARRIER, .arg = {++Barriers}};

	m->s->barrier = Barriers;
	for (unsigned cpu = 0; cpu < CPUS; cpu++) {
		r.cpu = cpu;
		ring_put(cpu, &r);
	}
}

static const struct machine_ops record_ops = {
	.record = note_record, .stop_machine = barrier, .restart_machine = barrier};

static unsigned Told;

static void count_trace(struct machine *m, const struct trace_event *t)
{
	(void)m;
	Told += t->kind != 0;
}

// The twin is told of each page, as the recorder is; the machine itself takes and gives them in runs.
static const struct machine_ops fold_ops = {.trace = count_trace};

// Applies all that was written. Without times the first ring runs ahead as far as tickets let it:
// an order quite unlike the one in which things happened.
static unsigned fold_rings(void)
{
	struct merge g = {.m = &Twin, .nrings = CPUS};
	unsigned applied = 0;
	int ring;

	for (unsigned cpu = 0; cpu < CPUS; cpu++)
		g.ring[cpu] = (struct merge_ring){
			.next = Ring[cpu], .end = Ring[cpu] + Written[cpu], .ended = true};
	while ((ring = merge_pick(&g)) >= 0) {
		const struct record *r = g.ring[ring].next++;

		if (fold_apply(&Twin, r)) {
			printf("# ring %d record %ld %s cannot be applied\n", ring,
			       (long)(r - Ring[ring]), event_name(r->kind));
			CHECK(false);
		}
		applied++;
	}
	CHECK_EQ(ring, MERGE_DONE);
	memset(Written, 0, sizeof(Written));
	return applied;
}

static void machines_are_equal(void)
{
	int64_t at = machine_compare(&M, &Twin);
	char where[128] = "";

	if (at >= 0)
		machine_describe_offset(&M, at, where, sizeof(where));
	CHECK_STR(where, "");
}

static void start_twins(uint64_t ram)
{
	memset(Written, 0, sizeof(Written));
	Barriers = 0;
	boot(MODEL_CLASSIC, ram, CPUS);
	boot_on(&Twin, &Cfg);
	Twin.ops = &fold_ops;
	Told = 0;
	for (unsigned cpu = 0; cpu < CPUS; cpu++)
		CHECK_EQ(machine_attach(&Handle[cpu], M.s, M.s->size, cpu, &record_ops, NULL), 0);
	machines_are_equal();
}

struct held {
	enum {
		NOTHING,
		BLOCK,
		BULK,
		EXACT,
		CACHE
	} kind;
	pfn_t pfns[40];
	unsigned n, order, cpu;
	kaddr_t addr;
};

static uint32_t Rng = 12345;

static uint32_t rnd(uint32_t n)
{
	Rng = Rng * 1664525 + 1013904223;
	return ((uint64_t)Rng * n) >> 32;
}

static gfp_t random_gfp(void)
{
	static const gfp_t gfps[] = {GFP_KERNEL,
				     GFP_KERNEL | __GFP_COMP,
				     GFP_HIGHUSER,
				     GFP_HIGHUSER | __GFP_ZERO,
				     GFP_TEMPORARY,
				     GFP_ATOMIC,
				     GFP_HIGHUSER_MOVABLE,
				     GFP_DMA,
				     GFP_KERNEL | __GFP_COLD};

	return gfps[rnd(sizeof(gfps) / sizeof(gfps[0]))];
}

static void get_something(struct machine *m, struct held *h)
{
	*h = (struct held){.order = rnd(3) ? 0 : rnd(8), .cpu = m->cpu};
	switch (rnd(8)) {
	case 0:
		h->kind = BULK;
		h->n = alloc_pages_bulk(m, random_gfp(), 1 + rnd(40), h->pfns);
		break;
	case 1:
		h->kind = EXACT;
		h->n = 1 + rnd(60000);
		h->addr = alloc_pages_exact(m, h->n, GFP_KERNEL);
		break;
	case 2:
		h->kind = CACHE;
		h->n = page_cache_add(m, 1 + rnd(40), h->pfns);
		break;
	default:
		h->kind = BLOCK;
		h->pfns[0] = alloc_pages(m, random_gfp(), h->order);
	}
}

static void put_something(struct machine *m, struct held *h)
{
	if (h->kind == BULK) // not handed on: see page_alloc.h
		free_pages_bulk(&Handle[h->cpu], h->pfns, h->n);
	else if (h->kind == EXACT && h->addr)
		free_pages_exact(m, h->addr, h->n);
	else if (h->kind == CACHE)
		page_cache_remove(m, h->pfns, h->n);
	else if (h->kind == BLOCK)
		__free_pages(m, h->pfns[0], h->order);
	h->kind = NOTHING;
}

// mlock: some of the pages somebody holds.
static void lock_pages(struct machine *m, const struct held *h)
{
	if (h->kind == BLOCK && h->pfns[0])
		set_page_run_flags(m, h->pfns[0], 1, 1u << PG_mlocked, 0);
	else if (h->kind == EXACT && h->addr)
		set_page_run_flags(m, lowmem_pfn(m, h->addr), h->n / PAGE_SIZE + 1,
				   1u << PG_referenced, 1u << PG_dirty);
}

static void rare_thing(struct machine *m, const struct held *h)
{
	switch (rnd(6)) {
	case 0:
		drain_local_pages(m);
		break;
	case 1:
		drain_all_pages(m);
		break;
	case 2:
		vmstat_fold(m);
		break;
	case 3:
		zone_stat(m, ZONE_NORMAL, NR_SLAB_UNRECLAIMABLE, (int)rnd(100) - 50);
		break;
	case 4:
		set_min_free_kbytes(m, 500 + rnd(4000));
		break;
	case 5:
		lock_pages(m, h);
	}
}

static void random_turns(struct held *held, unsigned turns)
{
	for (unsigned i = 0; i < turns; i++) {
		struct held *h = &held[rnd(HELD)];
		struct machine *m = &Handle[rnd(CPUS)];

		if (!rnd(60))
			rare_thing(m, h);
		else if (h->kind == NOTHING)
			get_something(m, h);
		else
			put_something(m, h);
	}
}

static void fold_equals_machine(uint64_t ram, unsigned rounds)
{
	static struct held held[HELD];
	unsigned applied = 0;

	memset(held, 0, sizeof(held));
	start_twins(ram);
	for (unsigned round = 0; round < rounds; round++) {
		random_turns(held, 400);
		applied += fold_rings();
		machines_are_equal();
		check_sane();
	}
	CHECK(applied > rounds * 400);
	CHECK(Told > 1000);
	for (unsigned i = 0; i < HELD; i++)
		put_something(&Handle[i % CPUS], &held[i]);
	fold_rings();
	machines_are_equal();
	check_sane();
}

static void fold_with_room(void)
{
	fold_equals_machine(1024 * MiB, 25);
}

// So small that reclaim, fallback zones and failures are everyday.
static void fold_under_pressure(void)
{
	fold_equals_machine(48 * MiB, 40);
	CHECK(M.s->zone[ZONE_NORMAL].vm_stat[NR_FREE_PAGES] > 0);
}

// Records in a wrong order, or of another history, are refused; the machine stays sound.
static void damaged_records(void)
{
	static struct held held[HELD];
	unsigned refused = 0;

	memset(held, 0, sizeof(held));
	start_twins(128 * MiB);
	random_turns(held, 1500);
	for (unsigned cpu = 0; cpu < CPUS; cpu++)
		for (unsigned i = 0; i < Written[cpu]; i++) {
			struct record r = Ring[cpu][i];

			r.arg[rnd(6)] ^= 1u << rnd(32);
			if (!rnd(4))
				r.kind = rnd(256);
			r.cpu = rnd(16);
			if (r.lock && r.lock < NR_LOCKS && rnd(2))
				r.ticket = Twin.s->ticket[r.lock] + 1;
			refused += fold_apply(&Twin, &r) != 0;
		}
	CHECK(refused > 100);
	// Still alive: it can be driven and walked to the end.
	Twin.cpu = 0;
	for (int i = 0; i < 2000; i++)
		alloc_pages(&Twin, GFP_KERNEL, rnd(4));
	char why[256];
	machine_check(&Twin, why, sizeof(why));
}

int main(void)
{
	RUN(fold_with_room);
	RUN(fold_under_pressure);
	RUN(damaged_records);
	return DONE();
}
