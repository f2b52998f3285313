// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Records of the slab allocator: random work on two CPUs that the fold repeats, word for word, and
// what hostile or damaged records and memory must not do.
#include "slab_box.h"

static struct box twin;

static uint32_t rng = 1;

static uint32_t rnd(uint32_t n)
{
	rng = rng * 1664525 + 1013904223;
	return (uint32_t)(((uint64_t)(rng >> 4) * n) >> 28);
}

typedef int (*apply_fn)(struct machine *m, const struct record *r);

static const struct {
	unsigned kind;
	apply_fn apply;
} slab_steps[] = {
	{EV_AC_ALLOC, AC_ALLOC_apply},	       {EV_AC_FREE, AC_FREE_apply},
	{EV_SLAB_REFILL, SLAB_REFILL_apply},   {EV_SLAB_COLOUR, SLAB_COLOUR_apply},
	{EV_SLAB_ADD, SLAB_ADD_apply},	       {EV_SLAB_FLUSH, SLAB_FLUSH_apply},
	{EV_SLAB_REAP, SLAB_REAP_apply},       {EV_SLAB_SHRINK, SLAB_SHRINK_apply},
	{EV_SLAB_DESTROY, SLAB_DESTROY_apply}, {EV_CACHE_NAME, CACHE_NAME_apply},
	{EV_CACHE_CREATE, CACHE_CREATE_apply}, {EV_CACHE_DESTROY, CACHE_DESTROY_apply},
	{EV_CACHE_TUNE, CACHE_TUNE_apply},
};

// A value near what the step wants, so that records get past the first test.
static uint32_t plausible(struct machine *m, unsigned id)
{
	switch (rnd(8)) {
	case 0:
		return id;
	case 1:
		return rnd(16);
	case 2:
		return rnd(m->s->max_low_pfn);
	case 3:
		return m->s->cpu[m->cpu].doomed.first;
	case 4:
		return ac_of(m, id, m->cpu)->entry[rnd(16)];
	case 5:
		return lowmem_addr(m, 0) + rnd(64u << 20);
	case 6:
		return 1u << rnd(32);
	default:
		return rnd(1u << 28) << 4 | rnd(16);
	}
}

// What the arrays hold may be untrue after bad records; lists and counters must still agree.
static void check_slabs_alone(struct machine *m)
{
	for (unsigned id = 1; id < MAX_CACHES; id++) {
		for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++)
			ac_of(m, id, cpu)->avail = 0;
		m->shared[id].avail = 0;
	}
	check(m);
}

static void hostile_records(void)
{
	struct machine *m = boot(MODEL_CLASSIC, 64 * MIB, 2);

	rng = 7;
	for (unsigned i = 0; i < 200000; i++) {
		unsigned step = rnd(sizeof(slab_steps) / sizeof(slab_steps[0]));
		unsigned id = rnd(2) ? 1 + rnd(40) : rnd(MAX_CACHES);
		struct record r = {.kind = (uint8_t)slab_steps[step].kind};
		for (unsigned a = 0; a < 6; a++)
			r.arg[a] = plausible(m, id);
		r.arg[0] = rnd(8) ? id : r.arg[0];
		r.lock = (uint16_t)(rnd(2) ? LOCK_CACHE + r.arg[0] : LOCK_CHAIN);
		m = &box.cpu[rnd(2)];
		slab_steps[step].apply(m, &r);
	}
	check_slabs_alone(m);
}

// ---- random work, and the fold of its records ----

static struct record *log_records;
static size_t log_len, log_cap;

static void log_record(struct machine *m, const struct record *r)
{
	(void)m;
	if (log_len == log_cap) {
		log_cap = log_cap ? 2 * log_cap : 4096;
		log_records = realloc(log_records, log_cap * sizeof(*log_records));
	}
	log_records[log_len++] = *r;
}

// What the slab allocator tells in detail, as one number: order, kinds and fields.
static uint64_t told_running, told_folding;

static uint64_t tell(uint64_t hash, const struct trace_event *t)
{
	const uint32_t words[] = {t->kind, t->cache, t->cpu,   t->pfn,
				  t->addr, t->count, t->value, t->flags};

	if (t->kind < EV_T_KMALLOC || t->kind > EV_T_CACHE_DESTROYED)
		return hash;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		hash = (hash ^ words[i]) * 0x100000001b3;
	return hash;
}

static void tell_running(struct machine *m, const struct trace_event *t)
{
	(void)m;
	told_running = tell(told_running, t);
}

static void tell_folding(struct machine *m, const struct trace_event *t)
{
	(void)m;
	told_folding = tell(told_folding, t);
}

static const struct machine_ops logging = {.record = log_record, .trace = tell_running};
static const struct machine_ops folding = {.trace = tell_folding};

enum {
	LIVE = 3000,
	OWN = 6
};

struct work {
	kaddr_t obj[LIVE];
	unsigned cache[LIVE]; // 0: kmalloc
	unsigned scale;	      // of sizes
	unsigned failed;      // allocations
	unsigned own[OWN];    // caches made and destroyed on the way
};

static struct work work;

static void random_alloc(struct machine *m, unsigned slot)
{
	static const gfp_t gfps[] = {GFP_KERNEL, GFP_ATOMIC, GFP_KERNEL | GFP_DMA, GFP_NOWAIT};
	unsigned own = rnd(3) ? 0 : work.own[rnd(OWN)];

	work.cache[slot] = own;
	work.obj[slot] = own ? kmem_cache_alloc(m, own, GFP_KERNEL)
			     : kmalloc(m, 1 + rnd(work.scale << rnd(12)), gfps[rnd(4)]);
	work.failed += !work.obj[slot];
}

static void random_free(struct machine *m, unsigned slot)
{
	if (work.cache[slot])
		kmem_cache_free(m, work.cache[slot], work.obj[slot]);
	else
		kfree(m, work.obj[slot]);
	work.obj[slot] = 0;
}

static void random_cache_op(struct machine *m, unsigned turn)
{
	unsigned *own = &work.own[rnd(OWN)];
	char name[CACHE_NAME_LEN];

	switch (rnd(4)) {
	case 0:
		snprintf(name, sizeof(name), "site-%08x", turn);
		if (!*own)
			*own = kmem_cache_create_ctor(m, name, 8 + rnd(3000), 16,
						      rnd(2) ? SLAB_HWCACHE_ALIGN : 0,
						      (enum slab_ctor)rnd(CTORS));
		break;
	case 1:
		if (*own && !kmem_cache_destroy(m, *own))
			*own = 0;
		break;
	case 2:
		kmem_cache_shrink(m, *own ? *own : 2 + rnd(20));
		break;
	default:
		kmem_cache_tune(m, *own, 1 + rnd(200), 1 + rnd(50), rnd(4));
	}
}

// Phases of mostly growing and mostly shrinking; both CPUs, in turns of random length.
static void random_work(unsigned turns)
{
	struct machine *m = &box.cpu[0];

	for (unsigned turn = 1; turn <= turns; turn++) {
		unsigned slot = rnd(LIVE), bias = turn / 5000 % 2 ? 7 : 3;
		if (!rnd(8))
			m = &box.cpu[rnd(2)];
		if (!rnd(500))
			random_cache_op(m, turn);
		else if (!rnd(1000))
			cache_reap(m, turn * 10000000ull);
		else if (work.obj[slot] && rnd(10) < bias)
			random_free(m, slot);
		else if (!work.obj[slot])
			random_alloc(m, slot);
		if (!rnd(400))
			check(m);
	}
}

static void fold_log(void)
{
	for (size_t i = 0; i < log_len; i++) {
		const struct record *r = &log_records[i];
		struct machine *m = &twin.cpu[r->cpu];
		CHECK(fold_ready(m, r));
		int err = fold_apply(m, r);
		if (err)
			printf("# record %zu, %s %x %x %x %x\n", i, event_name(r->kind), r->arg[0],
			       r->arg[1], r->arg[2], r->arg[3]);
		CHECK_EQ(err, 0);
	}
}

static void check_twins(void)
{
	int64_t at = machine_compare(&box.cpu[0], &twin.cpu[0]);
	char where[80] = "";

	if (at >= 0)
		machine_describe_offset(&box.cpu[0], (size_t)at, where, sizeof(where));
	CHECK_STR(where, "");
	CHECK_EQ(at, -1);
}

static void the_fold_repeats_random_work(void)
{
	struct machine_config cfg;

	for (unsigned seed = 1; seed <= 3; seed++) {
		// The third machine is so small that it runs out of memory.
		machine_config_default(&cfg, seed == 2 ? MODEL_3_4 : MODEL_CLASSIC,
				       (seed == 3 ? 32 : 48) * MIB, 2);
		box_boot(&box, &cfg);
		box_boot(&twin, &cfg);
		for (unsigned i = 0; i < 2; i++) {
			CHECK_EQ(machine_attach(&box.cpu[i], box.memory, box.size, i, &logging,
						NULL),
				 0);
			CHECK_EQ(machine_attach(&twin.cpu[i], twin.memory, twin.size, i, &folding,
						NULL),
				 0);
		}
		told_running = told_folding = 0;
		memset(&work, 0, sizeof(work));
		work.scale = seed == 3 ? 64 : 8;
		log_len = 0;
		rng = seed;
		random_work(40000);
		CHECK_EQ(work.failed != 0, seed == 3);
		check(&box.cpu[0]);
		fold_log();
		check(&twin.cpu[0]);
		check_twins();
		CHECK(told_running);
		CHECK_EQ(told_running, told_folding);
	}
}

// A damaged recording: some records lost, doubled or changed in one word. The machine may become
// untrue, never unsound: lists, chains and counters of the slabs still agree.
static void damaged_recordings(void)
{
	struct machine_config cfg;
	unsigned applied = 0;

	machine_config_default(&cfg, MODEL_CLASSIC, 32 * MIB, 2);
	for (unsigned round = 0; round < 20; round++) {
		box_boot(&twin, &cfg);
		for (size_t i = 0; i < log_len && i < 20000; i++) {
			struct record r = log_records[i];
			unsigned what = rnd(200);
			if (what == 0)
				continue;
			if (what == 1)
				i -= i > 0;
			if (what == 2)
				r.arg[rnd(6)] ^= 1u << rnd(32);
			if (what == 3)
				r.arg[rnd(6)] = rnd(1u << 20);
			if (r.lock < NR_LOCKS)
				r.ticket = twin.cpu[0].s->ticket[r.lock] + 1;
			applied += !fold_apply(&twin.cpu[0], &r);
		}
		check_slabs_alone(&twin.cpu[0]);
	}
	CHECK(applied > 20000);
}

// A word somewhere in the slab allocator's structures.
static uint32_t *some_word(struct machine *m)
{
	unsigned id = 1 + rnd(m->s->slab.nr_caches % (MAX_CACHES - 1)); // it may be damaged already
	struct kmem_cache *c = &m->caches[id];
	pfn_t slab = c->slabs_partial.first ? c->slabs_partial.first : c->slabs_full.first;

	switch (rnd(7)) {
	case 0:
	case 1:
		return (uint32_t *)c + rnd(sizeof(*c) / 4);
	case 2:
		return (uint32_t *)&m->slab_area[slab] + rnd(16);
	case 3:
		return (uint32_t *)ac_of(m, id, rnd(2)) + rnd(12);
	case 4:
		return (uint32_t *)&m->shared[id] + rnd(12);
	case 5:
		return (uint32_t *)pfn_to_page(m, slab) + rnd(8);
	default:
		return (uint32_t *)&m->s->slab + rnd(sizeof(m->s->slab) / 4);
	}
}

static void work_on(struct machine *m, unsigned turns)
{
	for (unsigned i = 0; i < turns; i++) {
		unsigned slot = rnd(LIVE);
		if (work.obj[slot])
			random_free(m, slot);
		else
			random_alloc(m, slot);
	}
}

// Memory read from a damaged file: the check must not stumble, and what it lets pass must not
// lead anything else out of bounds.
static void damaged_memory(void)
{
	unsigned passed = 0, found = 0;

	rng = 5;
	for (unsigned round = 0; round < 300; round++) {
		struct machine *m = boot(MODEL_CLASSIC, 32 * MIB, 2);
		char why[200];
		memset(&work, 0, sizeof(work));
		work.scale = 8;
		work_on(m, 1000);
		for (unsigned n = 1 + rnd(2); n; n--) {
			uint32_t *word = some_word(m);
			*word = rnd(2) ? *word ^ 1u << rnd(32) : rnd(3) ? rnd(1u << 28) : 0;
		}
		if (slab_check(m, why, sizeof(why))) {
			found++;
			continue;
		}
		passed++;
		work_on(m, 3000);
		cache_reap(m, 1000000000);
	}
	CHECK(found > 100);
	CHECK(passed > 10);
}

int main(void)
{
	RUN(hostile_records);
	RUN(the_fold_repeats_random_work);
	RUN(damaged_recordings);
	RUN(damaged_memory);
	box_free(&box);
	box_free(&twin);
	free(log_records);
	return DONE();
}
