// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The merge's rules, one by one, and the fold of everything at once: three CPUs that allocate as
// the preload does, array hits told by operations alone.
#include "core/fold.h"
#include "harness.h"
#include "pages_machine.h"

enum {
	CPUS = 3,
	RING = 1 << 17,
	HELD = 800
};

static struct record Ring[CPUS][RING];
static unsigned Written[CPUS];
static struct machine Handle[CPUS];
static unsigned Barriers;

static void put(unsigned cpu, struct record r)
{
	CHECK(Written[cpu] < RING);
	r.cpu = cpu;
	Ring[cpu][Written[cpu]++] = r;
}

static void rings_init(struct merge *g, bool ended)
{
	*g = (struct merge){.m = &Twin, .nrings = CPUS};
	for (unsigned cpu = 0; cpu < CPUS; cpu++)
		g->ring[cpu] = (struct merge_ring){
			.next = Ring[cpu], .end = Ring[cpu] + Written[cpu], .ended = ended};
}

static void start(void)
{
	memset(Written, 0, sizeof(Written));
	Barriers = 0;
	boot(MODEL_CLASSIC, 512 * MiB, CPUS);
	boot_on(&Twin, &Cfg);
}

static struct record locked(unsigned zone, uint32_t ticket)
{
	return (struct record){
		.kind = EV_KSWAPD, .lock = LOCK_ZONE + zone, .ticket = ticket, .arg = {zone, 1}};
}

static struct record at_time(uint32_t ns)
{
	return (struct record){.kind = EV_TIME, .arg = {ns}};
}

static int step(struct merge *g)
{
	int ring = merge_pick(g);

	if (ring >= 0)
		CHECK_EQ(fold_apply(&Twin, g->ring[ring].next++), 0);
	return ring;
}

// ---- the rules of merging ----

static void tickets_decide(void)
{
	struct merge g;
	uint32_t t;

	start();
	t = Twin.s->ticket[LOCK_ZONE + ZONE_DMA];
	put(0, locked(ZONE_DMA, t + 2));
	put(0, locked(ZONE_DMA, t + 4));
	put(1, locked(ZONE_DMA, t + 1));
	put(1, locked(ZONE_DMA, t + 3));
	rings_init(&g, true);
	CHECK_EQ(step(&g), 1);
	CHECK_EQ(step(&g), 0);
	CHECK_EQ(step(&g), 1);
	CHECK_EQ(step(&g), 0);
	CHECK_EQ(step(&g), MERGE_DONE);
}

static void times_decide_between_free_ones(void)
{
	struct merge g;
	int order[6];

	start();
	put(0, at_time(500));
	put(0, (struct record){.kind = EV_MARK});
	put(1, at_time(300));
	put(1, (struct record){.kind = EV_MARK});
	put(2, at_time(400));
	put(2, (struct record){.kind = EV_MARK});
	rings_init(&g, true);
	for (int i = 0; i < 6; i++)
		order[i] = step(&g);
	CHECK(order[0] == 1 && order[1] == 1 && order[2] == 2 && order[3] == 2 && order[4] == 0);
	CHECK_EQ(Twin.s->cpu[1].now_ns, 300);
	CHECK_EQ(Twin.s->cpu[2].ops, 1);
}

static void barriers_hold_everyone(void)
{
	const struct record mark = {.kind = EV_MARK}, bar = {.kind = EV_BARRIER, .arg = {7}};
	struct merge g;

	start();
	put(0, bar);
	put(0, mark);
	put(1, mark);
	put(1, mark);
	put(1, bar);
	put(2, bar);
	rings_init(&g, true);
	CHECK_EQ(step(&g), 1);
	CHECK_EQ(step(&g), 1);
	CHECK_EQ(Twin.s->barrier, 0);
	CHECK_EQ(step(&g), 0); // only now
	CHECK_EQ(Twin.s->barrier, 7);
	CHECK_EQ(step(&g), MERGE_DONE);
}

static void waiting_and_stuck(void)
{
	struct merge g;
	uint32_t t;

	start();
	t = Twin.s->ticket[LOCK_ZONE + ZONE_DMA];
	put(0, locked(ZONE_DMA, t + 2)); // ticket t + 1 is not there yet
	rings_init(&g, false);
	CHECK_EQ(merge_pick(&g), MERGE_NEED_INPUT);
	rings_init(&g, true);
	CHECK_EQ(merge_pick(&g), MERGE_STUCK);
	put(1, locked(ZONE_DMA, t + 1));
	rings_init(&g, false);
	CHECK_EQ(step(&g), 1);
	CHECK_EQ(step(&g), 0);
	CHECK_EQ(merge_pick(&g), MERGE_NEED_INPUT);
}

static void contradictions(void)
{
	struct record r = locked(ZONE_DMA, 0);
	kaddr_t obj;

	start();
	r.ticket = Twin.s->ticket[r.lock] + 2;
	CHECK_EQ(fold_apply(&Twin, &r), -84); // EILSEQ
	r.ticket--;
	r.cpu = CPUS;
	CHECK_EQ(fold_apply(&Twin, &r), -84);
	r.cpu = 0;
	r.lock++; // the right ticket of a wrong lock
	r.ticket = Twin.s->ticket[r.lock] + 1;
	CHECK_EQ(fold_apply(&Twin, &r), -84);
	r = (struct record){.kind = EV_LAST_STEP};
	CHECK_EQ(fold_apply(&Twin, &r), -84);
	r = (struct record){.kind = EV_NONE};
	CHECK_EQ(fold_apply(&Twin, &r), -84);

	obj = kmalloc(&Twin, 64, GFP_KERNEL);
	unsigned cache = kmalloc_cache(&Twin, 64, GFP_KERNEL);
	r = (struct record){.kind = EV_FREE,
			    .op = {.addr = obj, .cache = cache, .flags = OPF_PUSH}};
	CHECK_EQ(fold_apply(&Twin, &r), 0);
	r = (struct record){.kind = EV_MALLOC,
			    .op = {.addr = obj + 64, .cache = cache, .flags = OPF_POP}};
	CHECK_EQ(fold_apply(&Twin, &r), -84);
	r.op.cache = MAX_CACHES - 1;
	CHECK_EQ(fold_apply(&Twin, &r), -84);
}

static void differences_are_named(void)
{
	char where[64];

	start();
	CHECK_EQ(machine_compare(&M, &Twin), -1);
	M.mem_map[1234].private = 1;
	machine_describe_offset(&M, machine_compare(&M, &Twin), where, sizeof(where));
	CHECK_STR(where, "mem_map[1234].private");
	Twin.mem_map[1234].private = 1;
	M.pageblock[5] ^= 1;
	machine_describe_offset(&M, machine_compare(&M, &Twin), where, sizeof(where));
	CHECK_STR(where, "pageblock[5] + 0");
	Twin.s->zone[ZONE_NORMAL].present_pages++;
	machine_describe_offset(&M, machine_compare(&M, &Twin), where, sizeof(where));
	CHECK(!strncmp(where, "zone[Normal] + ", 15));
}

// ---- everything at once ----

static uint32_t Rng = 99;

static uint32_t rnd(uint32_t n)
{
	Rng = Rng * 1664525 + 1013904223;
	return ((uint64_t)Rng * n) >> 32;
}

static void note_record(struct machine *m, const struct record *r)
{
	CHECK_EQ(r->cpu, m->cpu);
	put(m->cpu, *r);
}

static void barrier(struct machine *m)
{
	m->s->barrier = ++Barriers;
	for (unsigned cpu = 0; cpu < CPUS; cpu++)
		put(cpu, (struct record){.kind = EV_BARRIER, .arg = {Barriers}});
}

static const struct machine_ops ops = {
	.record = note_record, .stop_machine = barrier, .restart_machine = barrier};

static void op(struct machine *m, unsigned kind, kaddr_t addr, unsigned cache, unsigned flags)
{
	m->s->cpu[m->cpu].ops++;
	struct record r = {.kind = kind, .op = {.addr = addr, .cache = cache, .flags = flags}};
	if (flags & (OPF_POP | OPF_PUSH))
		r.op.old = *generation_of(m, addr);
	put(m->cpu, r);
}

static kaddr_t program_malloc(struct machine *m, size_t size)
{
	unsigned cache = kmalloc_cache(m, size, GFP_KERNEL);
	kaddr_t obj = ac_pop(m, cache);

	if (!obj && cache_alloc_refill(m, cache, GFP_KERNEL))
		obj = ac_pop(m, cache);
	op(m, EV_MALLOC, obj, cache, obj ? OPF_POP : OPF_FAILED);
	return obj;
}

static void program_free(struct machine *m, kaddr_t obj, size_t size)
{
	unsigned cache = kmalloc_cache(m, size, GFP_KERNEL);

	if (!ac_push(m, cache, obj)) {
		cache_flusharray(m, cache);
		CHECK(ac_push(m, cache, obj));
	}
	op(m, EV_FREE, obj, cache, OPF_PUSH);
}

struct held {
	enum {
		NOTHING,
		OBJECT,
		PAGES,
		AREA,
		WINDOW
	} kind;
	kaddr_t addr;
	size_t size;
	pfn_t pfn;
};

static void get(struct machine *m, struct held *h)
{
	h->size = 1 + rnd(rnd(2) ? 256 : 20000);
	h->kind = 1 + rnd(8);
	switch (h->kind) {
	case PAGES:
		h->size = rnd(5); // order
		h->pfn = alloc_pages(m, rnd(2) ? GFP_KERNEL : GFP_HIGHUSER, h->size);
		op(m, EV_MALLOC, 0, h->size, 0);
		break;
	case AREA:
		h->addr = __vmalloc(m, h->size * 8, GFP_KERNEL | __GFP_HIGHMEM | __GFP_ZERO);
		op(m, EV_MMAP, h->addr, 0, 0);
		break;
	case WINDOW:
		h->pfn = alloc_pages(m, GFP_HIGHUSER | __GFP_ZERO, 0);
		h->addr = kmap(m, h->pfn);
		op(m, EV_MMAP, h->addr, 0, 0);
		break;
	default:
		h->kind = OBJECT;
		h->addr = program_malloc(m, h->size);
	}
}

static void drop(struct machine *m, struct held *h)
{
	switch (h->kind) {
	case OBJECT:
		program_free(m, h->addr, h->size);
		break;
	case PAGES:
		__free_pages(m, h->pfn, h->size);
		op(m, EV_FREE, 0, 0, 0);
		break;
	case AREA:
		vfree(m, h->addr);
		op(m, EV_MUNMAP, h->addr, 0, 0);
		break;
	default:
		kunmap(m, h->pfn);
		__free_pages(m, h->pfn, 0);
		op(m, EV_MUNMAP, h->addr, 0, 0);
	}
	h->kind = NOTHING;
}

static void rare(struct machine *m)
{
	switch (rnd(4)) {
	case 0:
		cache_reap(m, (uint64_t)Rng << 8);
		break;
	case 1:
		drain_all_pages(m);
		break;
	case 2:
		vm_unmap_aliases(m);
		break;
	default:
		vmstat_fold(m);
	}
}

static void turns(struct held *held, unsigned n)
{
	while (n--) {
		struct machine *m = &Handle[rnd(CPUS)];
		struct held *h = &held[rnd(HELD)];

		if (!rnd(200))
			rare(m);
		else if (h->kind == NOTHING)
			get(m, h);
		else
			drop(m, h);
	}
}

static void fold_and_compare(void)
{
	struct merge g;
	char where[128] = "";
	int ring;

	rings_init(&g, true);
	while ((ring = merge_pick(&g)) >= 0) {
		const struct record *r = g.ring[ring].next++;

		if (fold_apply(&Twin, r)) {
			printf("# ring %d: %s cannot be applied\n", ring, event_name(r->kind));
			CHECK(false);
		}
	}
	CHECK_EQ(ring, MERGE_DONE);
	memset(Written, 0, sizeof(Written));
	int64_t at = machine_compare(&M, &Twin);
	if (at >= 0)
		machine_describe_offset(&M, at, where, sizeof(where));
	CHECK_STR(where, "");
	check_sane();
}

static void everything_at_once(void)
{
	static struct held held[HELD];

	start();
	for (unsigned cpu = 0; cpu < CPUS; cpu++)
		CHECK_EQ(machine_attach(&Handle[cpu], M.s, M.s->size, cpu, &ops, NULL), 0);
	for (int round = 0; round < 12; round++) {
		turns(held, 3000);
		fold_and_compare();
	}
	for (unsigned i = 0; i < HELD; i++)
		if (held[i].kind != NOTHING)
			drop(&Handle[i % CPUS], &held[i]);
	fold_and_compare();
}

int main(void)
{
	RUN(tickets_decide);
	RUN(times_decide_between_free_ones);
	RUN(barriers_hold_everyone);
	RUN(waiting_and_stuck);
	RUN(contradictions);
	RUN(differences_are_named);
	RUN(everything_at_once);
	return DONE();
}
