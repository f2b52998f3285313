// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Per-CPU memory (reference 11): where areas and chunks go, and that the fold follows.
#include "vm_box.h"

static struct box twin; // the fold of box's records
static int fold_error;

static void check_percpu(struct machine *m)
{
	char why[200] = "";
	int err = machine_check(m, why, sizeof(why));

	if (err)
		printf("# %s\n", why);
	CHECK_EQ(err, 0);
}

// Three pagesets of 64 bytes are behind the kernel's own variables.
static void first_chunk(void)
{
	struct machine *m = boot(MODEL_3_4, 1024 * MiB, 2);
	struct pcpu_state *p = &m->s->percpu;
	uint32_t a, b;

	CHECK_EQ(p->unit_size, 40960);
	CHECK_EQ(p->nr_slots, 15);
	CHECK_EQ(p->chunk[1].free_size, 40960 - 27808 - 3 * 64);
	CHECK(is_lowmem(m, p->base_addr));
	a = alloc_percpu(m, 4, 4);
	b = alloc_percpu(m, 100, 256);
	CHECK_EQ(per_cpu_ptr(m, a, 0), p->base_addr + 28000);
	CHECK_EQ(per_cpu_ptr(m, a, 1), p->base_addr + 40960 + 28000);
	CHECK_EQ(per_cpu_ptr(m, b, 0) - p->base_addr, 28160); // the gap before it stays free
	CHECK_EQ(alloc_percpu(m, 150, 4), a + 4);
	check_percpu(m);
}

static void refusals(void)
{
	struct machine *m = boot(MODEL_3_4, 256 * MiB, 1);

	CHECK_EQ(alloc_percpu(m, 0, 4), 0);
	CHECK_EQ(alloc_percpu(m, 32769, 4), 0);
	CHECK_EQ(alloc_percpu(m, 4, 8192), 0);
	CHECK_EQ(alloc_percpu(m, 4, 0), 0);
	CHECK_EQ(alloc_percpu(m, 4, 12), 0);
	CHECK_EQ(free_percpu(m, 0), 0);
	CHECK_EQ(free_percpu(m, 0x1234), -EINVAL);
	CHECK(alloc_percpu(m, 32768, 4096));
}

// A head or tail of less than 4 bytes stays with its neighbour.
static void small_rests(void)
{
	struct machine *m = boot(MODEL_3_4, 256 * MiB, 1);
	const struct pcpu_chunk *c = &m->s->percpu.chunk[1];
	uint32_t used = c->map_used, a = alloc_percpu(m, 5, 1), b = alloc_percpu(m, 8, 8);

	CHECK_EQ(b - a, 8);
	CHECK_EQ(c->map[used - 1], -8);
	CHECK_EQ(free_percpu(m, a), 0);
	CHECK_EQ(alloc_percpu(m, 6, 2), a);
	CHECK_EQ(c->map[used - 1], -8);
	CHECK_EQ(free_percpu(m, a), 0);
	CHECK_EQ(free_percpu(m, a), -EINVAL);
	CHECK_EQ(free_percpu(m, b), 0);
	CHECK_EQ(c->map_used, used);
	check_percpu(m);
}

// From the top of the vmalloc space down, without guard page; pages come as areas touch them.
static void chunks_from_the_top(void)
{
	static char text[4096];
	struct machine *m = boot(MODEL_3_4, 2048 * MiB, 4);
	const uint32_t bytes = 4 * 40960, top = 0xFF7FE000;
	uint32_t a = alloc_percpu(m, 20000, 4), b;

	CHECK_EQ(per_cpu_ptr(m, a, 0), top - bytes);
	CHECK_EQ(m->s->percpu.chunk[2].populated, 0x1F);
	CHECK(vmalloc_to_pfn(m, per_cpu_ptr(m, a, 3)) && !vmalloc_to_pfn(m, top - 4096));
	b = alloc_percpu(m, 32768, 4);
	CHECK_EQ(per_cpu_ptr(m, b, 0), top - 2 * bytes);
	proc_vmallocinfo(m, text, sizeof(text));
	CHECK_STR(text, "0xff7ae000-0xff7d6000  163840 vmalloc\n"
			"0xff7d6000-0xff7fe000  163840 vmalloc\n");
	check_percpu(m);
}

// All but one wholly free chunk go; pages, objects and address space come back.
static void surplus_chunks_go(void)
{
	struct machine *m = boot(MODEL_3_4, 2048 * MiB, 4);
	uint32_t ptr[6], before;

	ptr[0] = alloc_percpu(m, 32768, 4);
	free_percpu(m, ptr[0]);
	before = free_frames(m);
	for (unsigned i = 0; i < 6; i++)
		CHECK((ptr[i] = alloc_percpu(m, 32768, 4)));
	CHECK(before - free_frames(m) >= 5 * 4 * 8);
	for (unsigned i = 0; i < 6; i++)
		CHECK_EQ(free_percpu(m, ptr[i]), 0);
	pcpu_reclaim(m);
	check_percpu(m);
	CHECK(free_frames(m) + 4 * 8 >= before);
	CHECK_EQ(m->s->vmalloc.nr_areas, 1);
}

// UP builds: a pointer is an address, chunks are blocks of lowmem.
static void up_build(void)
{
	struct machine_config cfg = config(MODEL_3_4, 256 * MiB, 1);
	uint32_t a, b;

	cfg.smp = 0;
	box_boot(&box, &cfg);
	CHECK_EQ(box.m.s->percpu.unit_size, 32768);
	a = alloc_percpu(&box.m, 32, 32);
	b = alloc_percpu(&box.m, 32768, 4);
	CHECK_EQ(per_cpu_ptr(&box.m, a, 0), a);
	CHECK(is_lowmem(&box.m, a) && is_lowmem(&box.m, b) && !(b % 32768));
	CHECK_EQ(free_percpu(&box.m, b), 0);
	check_percpu(&box.m);
}

// --- the fold --------------------------------------------------------------------------------

static uint64_t rng;

static uint32_t rnd(uint32_t n)
{
	rng = rng * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(rng >> 33) % n;
}

static void fold_record(struct machine *m, const struct record *r)
{
	int err = fold_apply(m->priv, r);

	if (err && !fold_error)
		printf("# fold refuses %s (%x %x %x %x)\n", event_name(r->kind), r->arg[0],
		       r->arg[1], r->arg[2], r->arg[3]);
	fold_error |= err;
}

static const struct machine_ops fold_ops = {.record = fold_record};

static void random_use(struct machine *m, unsigned rounds)
{
	static uint32_t ptr[300];

	memset(ptr, 0, sizeof(ptr));
	for (unsigned i = 0; i < rounds; i++) {
		uint32_t *p = &ptr[rnd(300)];

		m->cpu = rnd(m->s->cfg.ncpus);
		if (*p)
			CHECK_EQ(free_percpu(m, *p), 0);
		*p = rnd(5) ? alloc_percpu(m, 1 + rnd(rnd(10) ? 300 : 9000), 1u << rnd(8)) : 0;
		if (!rnd(300))
			pcpu_reclaim(m);
		if (!rnd(100))
			check_percpu(m);
	}
}

static void start_twins(uint64_t ram, unsigned ncpus)
{
	struct machine_config cfg = config(MODEL_3_4, ram, ncpus);

	box_boot(&box, &cfg);
	box_boot(&twin, &cfg);
	box.m.ops = &fold_ops;
	box.m.priv = &twin.m;
	fold_error = 0;
}

static void fold_equals_machine(void)
{
	int64_t diff;

	rng = 11;
	start_twins(512 * MiB, 3);
	random_use(&box.m, 6000);
	CHECK_EQ(fold_error, 0);
	diff = machine_compare(&box.m, &twin.m);
	if (diff >= 0) {
		char where[100];

		machine_describe_offset(&box.m, diff, where, sizeof(where));
		printf("# differs at %s\n", where);
	}
	CHECK_EQ(diff, -1);
}

// Where a random block of the chunk begins.
static uint32_t some_offset(const struct pcpu_chunk *c)
{
	uint32_t off = 0;

	for (uint32_t i = c->map_used ? rnd(c->map_used) : 0; i-- > 0;)
		off += abs(c->map[i]);
	return off;
}

// Arguments that could be right, before one of them is spoilt.
static void likely_arguments(struct machine *m, struct record *r)
{
	const struct pcpu_state *p = &m->s->percpu;
	uint32_t id = 1 + rnd(5), first = rnd(10);

	switch (r->kind) {
	case EV_PERCPU_ALLOC:
		r->arg[0] = rnd(33000);
		r->arg[1] = 1u << rnd(13);
		r->arg[2] = rnd(2) ? id : 0;
		break;
	case EV_PERCPU_EXTEND:
		r->arg[0] = id;
		r->arg[1] = 16u << rnd(8);
		break;
	case EV_PERCPU_AREA:
		r->arg[0] = 2 * 40960;
		r->arg[1] = 4096;
		r->arg[3] = m->s->vmalloc.pcpu_hole - rnd(2) * 2 * 40960;
		break;
	case EV_PERCPU_CHUNK:
		r->arg[0] = m->s->vmalloc.end - rnd(30) * 2 * 40960;
		r->arg[4] = id + rnd(20);
		break;
	case EV_PERCPU_POPULATE:
		r->arg[0] = id;
		r->arg[1] = first;
		r->arg[2] = first + rnd(3);
		r->arg[3] = rnd(2);
		break;
	default: // free, reclaim
		r->arg[0] = id;
		r->arg[1] = some_offset(&p->chunk[id]);
	}
}

// Records of any content are refused or leave a machine that stands its check.
static void hostile_records(void)
{
	struct machine *m = boot(MODEL_3_4, 512 * MiB, 2);
	unsigned taken[EV_PERCPU_RECLAIM + 1] = {0};
	char why[200];

	rng = 5;
	random_use(m, 400);
	for (unsigned i = 0; i < 40000; i++) {
		struct record r = {.kind = EV_PERCPU_ALLOC + rnd(7), .cpu = rnd(2)};

		likely_arguments(m, &r);
		if (!rnd(3))
			r.arg[rnd(6)] = rnd(2) ? rnd(100) : rnd(1u << 31) << 1 | 1;
		r.lock = r.kind == EV_PERCPU_AREA ? LOCK_VMAP : LOCK_PCPU;
		r.lock = rnd(20) ? r.lock : rnd(NR_LOCKS);
		r.ticket = m->s->ticket[r.lock] + 1;
		taken[r.kind] += !fold_apply(m, &r);
	}
	for (unsigned kind = EV_PERCPU_ALLOC; kind <= EV_PERCPU_RECLAIM; kind++) {
		printf("# %s: %u taken\n", event_name(kind), taken[kind]);
		CHECK(taken[kind] > 0);
	}
	CHECK_EQ(pcpu_check(m, why, sizeof(why)), 0);
}

// Memory from a damaged file: the check finds what would lead astray; what it lets pass can be
// worked with.
static void damaged_memory(void)
{
	static struct pcpu_state good;
	struct machine *m = boot(MODEL_3_4, 256 * MiB, 2);
	struct pcpu_state *p = &m->s->percpu;
	const size_t words = offsetof(struct pcpu_state, chunk[4]) / 4;
	unsigned found = 0, passed = 0;
	char why[200];

	rng = 3;
	random_use(m, 300);
	good = *p;
	for (unsigned i = 0; i < 5000; i++) {
		uint32_t word =
			rnd(2) ? rnd(words) : rnd(60); // the head, with the slots, more often
		uint32_t ptr[8];

		((uint32_t *)p)[word] ^= rnd(2) ? 1u << rnd(32) : rnd(1u << 31);
		if (pcpu_check(m, why, sizeof(why))) {
			found++;
		} else if (!memcmp(p->chunk, good.chunk, sizeof(good.chunk))) {
			passed++;
			for (unsigned k = 0; k < 8; k++)
				ptr[k] = alloc_percpu(m, 1 + rnd(50), 4);
			for (unsigned k = 0; k < 8; k++)
				free_percpu(m, ptr[k]);
		}
		*p = good;
	}
	printf("# %u found, %u harmless\n", found, passed);
	CHECK(found > 1000 && passed > 10);
}

// Memory that ends: no pointer, nothing lost.
static void exhausted(void)
{
	struct machine *m = boot(MODEL_3_4, 64 * MiB, 8);
	unsigned n = 0;

	while (alloc_percpu(m, 32768, 4096))
		n++;
	CHECK(n > 10 && n < PCPU_CHUNKS);
	check_percpu(m);
	CHECK_EQ(alloc_percpu(m, 32768, 4096), 0);
	check_percpu(m);
}

int main(void)
{
	RUN(first_chunk);
	RUN(refusals);
	RUN(small_rests);
	RUN(chunks_from_the_top);
	RUN(surplus_chunks_go);
	RUN(up_build);
	RUN(fold_equals_machine);
	RUN(hostile_records);
	RUN(damaged_memory);
	RUN(exhausted);
	return DONE();
}
