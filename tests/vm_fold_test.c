// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Random use of vmalloc and kmap by two CPUs equals the fold of its records; hostile records and
// damaged recordings are refused and never fatal.
#include "vm_box.h"

static struct box twin; // the fold of box's records

// --- random use by two CPUs, and the fold of it ----------------------------------------------

static uint64_t rng;

static uint32_t rnd(uint32_t n)
{
	rng = rng * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(rng >> 33) % n;
}

static int fold_error;

static void fold_record(struct machine *m, const struct record *r)
{
	int err = fold_apply(m->priv, r);

	if (err && !fold_error) {
		fold_error = err;
		printf("# fold refuses %s (%x %x %x %x %x %x)\n", event_name(r->kind), r->arg[0],
		       r->arg[1], r->arg[2], r->arg[3], r->arg[4], r->arg[5]);
	}
}

static const struct machine_ops fold_ops = {.record = fold_record};

enum {
	SLOTS = 200,
	ROUNDS = 6000
};

static struct slot {
	enum {
		EMPTY,
		VMALLOC,
		AREA,
		VMAP,
		IOREMAP,
		RAM,
		KMAP,
		STACK
	} kind;
	kaddr_t addr;
	uint32_t pages;
	pfn_t pfn[34];
} slot[SLOTS];

static void fill(struct machine *m, struct slot *s)
{
	static const gfp_t gfps[] = {GFP_KERNEL | __GFP_HIGHMEM,
				     GFP_KERNEL | __GFP_HIGHMEM | __GFP_ZERO, GFP_KERNEL};

	s->kind = 1 + rnd(STACK);
	s->pages = 1 + rnd(s->kind == RAM ? 34 : s->kind == VMAP ? 20 : rnd(20) ? 40 : 2500);
	s->addr = 0;
	if (s->kind == VMAP || s->kind == RAM || s->kind == KMAP) {
		s->pages = s->kind == KMAP ? 1 : s->pages;
		s->pages = alloc_pages_bulk(m, GFP_HIGHUSER, s->pages, s->pfn);
	}
	if (s->kind == VMALLOC)
		s->addr = __vmalloc(m, s->pages * 4096ull - rnd(4096), gfps[rnd(3)]);
	else if (s->kind == AREA)
		s->addr = get_vm_area(m, s->pages * 4096ull, rnd(2) ? VM_ALLOC : VM_IOREMAP);
	else if (s->kind == IOREMAP)
		s->addr = ioremap(m, 0xE0000000u + rnd(1 << 20), s->pages * 1000ull);
	else if (s->kind == VMAP)
		s->addr = vmap(m, s->pfn, s->pages);
	else if (s->kind == RAM)
		s->addr = vm_map_ram(m, s->pfn, s->pages);
	else if (s->kind == KMAP)
		s->addr = kmap(m, s->pfn[0]);
	else
		s->addr = alloc_kernel_stack(m);
	if (!s->addr && (s->kind == VMAP || s->kind == RAM || s->kind == KMAP))
		free_pages_bulk(m, s->pfn, s->pages);
	if (!s->addr)
		s->kind = EMPTY;
}

static void drop(struct machine *m, struct slot *s)
{
	int err = 0;

	if (s->kind == VMALLOC)
		err = vfree(m, s->addr);
	else if (s->kind == AREA)
		err = remove_vm_area(m, s->addr);
	else if (s->kind == IOREMAP)
		err = iounmap(m, s->addr);
	else if (s->kind == VMAP)
		err = vunmap(m, s->addr);
	else if (s->kind == RAM)
		err = vm_unmap_ram(m, s->addr, s->pages);
	else if (s->kind == KMAP)
		err = kunmap(m, s->pfn[0]);
	else if (s->kind == STACK)
		err = free_kernel_stack(m, s->addr);
	CHECK_EQ(err, 0);
	if (s->kind == VMAP || s->kind == RAM || s->kind == KMAP)
		free_pages_bulk(m, s->pfn, s->pages);
	s->kind = EMPTY;
}

// Something short of freeing it: part of it goes, or it grows, or is mapped once more.
static void disturb(struct machine *m, struct slot *s)
{
	const struct vmap_area *va;

	if (s->kind == VMALLOC && rnd(2)) {
		va = find_vm_area(m, s->addr);
		CHECK(va != NULL);
		vmalloc_grow(m, s->addr, vm_area_usable(va) + rnd(60000),
			     GFP_KERNEL | __GFP_HIGHMEM);
	} else if (s->kind == VMALLOC) {
		uint32_t n = (uint32_t)(vm_area_usable(find_vm_area(m, s->addr)) >> 12),
			 at = rnd(n);
		int ret = vunmap_partial(m, s->addr + at * 4096, 1 + rnd(n - at));

		CHECK(ret >= 0);
		if (ret)
			s->kind = EMPTY;
	} else if (s->kind == KMAP) {
		CHECK_EQ(kmap(m, s->pfn[0]), s->addr);
		CHECK_EQ(kunmap(m, s->pfn[0]), 0);
		CHECK_EQ(page_address(m, s->pfn[0]), s->addr);
	} else if (s->kind == VMAP) {
		kaddr_t a = kmap_atomic(m, s->pfn[0]);

		clear_highpages(m, s->pfn[0], 1, 0);
		CHECK_EQ(kunmap_atomic(m, a), 0);
	} else if (rnd(20) == 0) {
		vm_unmap_aliases(m);
	}
}

static void attach_pair(struct machine *cpu, const struct machine_config *cfg)
{
	box_boot(&box, cfg);
	box_boot(&twin, cfg);
	CHECK_EQ(machine_compare(&box.m, &twin.m), -1);
	for (unsigned i = 0; i < 2; i++)
		CHECK_EQ(machine_attach(&cpu[i], box.memory, box.size, i, &fold_ops, &twin.m), 0);
	fold_error = 0;
}

static void check_pair(struct machine *m)
{
	int64_t at = machine_compare(m, &twin.m);
	char what[128] = "";

	if (at >= 0) {
		machine_describe_offset(m, (size_t)at, what, sizeof(what));
		printf("# first difference: %s\n", what);
	}
	CHECK_EQ(at, -1);
	CHECK_EQ(fold_error, 0);
	check_all(m);
}

static void random_rounds(const struct machine_config *cfg, uint64_t seed)
{
	struct machine cpu[2];
	uint32_t before, tables;

	rng = seed;
	attach_pair(cpu, cfg);
	before = free_frames(&cpu[0]);
	tables = page_tables(&cpu[0]);
	for (int i = 0; i < ROUNDS; i++) {
		struct machine *m = &cpu[rnd(2)];
		struct slot *s = &slot[rnd(SLOTS)];

		if (s->kind == EMPTY)
			fill(m, s);
		else if (rnd(3))
			drop(m, s);
		else
			disturb(m, s);
		if (i % 1000 == 0)
			check_pair(m);
	}
	for (int i = 0; i < SLOTS; i++)
		drop(&cpu[i % 2], &slot[i]);
	check_pair(&cpu[0]);
	CHECK_EQ(free_frames(&cpu[0]), before - (page_tables(&cpu[0]) - tables));
	CHECK_EQ(cpu[0].s->vmalloc.nr_areas, 0);
	CHECK_EQ(cpu[0].s->vmalloc.lazy_nr, 0);
	CHECK_EQ(cpu[0].s->kmap.in_use, 0);
	check_pair(&cpu[1]);
}

static void test_random_use_folds(void)
{
	struct machine_config cfg = config(MODEL_CLASSIC, 1024 * MiB, 2);

	random_rounds(&cfg, 1);
}

static void test_random_use_folds_when_space_is_short(void)
{
	struct machine_config cfg = config(MODEL_3_4, 1024 * MiB, 2);

	cfg.vmalloc_bytes = 16 << 20;
	random_rounds(&cfg, 2);
}

static void test_random_use_folds_when_memory_is_short(void)
{
	struct machine_config cfg = config(MODEL_3_4, 32 * MiB, 2);

	random_rounds(&cfg, 3);
}

// --- hostile records -------------------------------------------------------------------------

static uint32_t hostile_arg(const struct machine *m)
{
	static const uint32_t odd[] = {0,    1,	    2,		5,	    4095,	4096,
				       8192, 0x163, 0x7FFFFFFF, 0x80000000, 0xFFFFF000, UINT32_MAX};

	switch (rnd(5)) {
	case 0:
		return odd[rnd(sizeof(odd) / sizeof(odd[0]))];
	case 1: // mostly an address of an area
		return m->s->vmalloc.start + (rnd(64) << 12);
	case 2:
		return m->s->max_low_pfn + rnd(2000);
	case 3:
		return m->s->vmalloc.end - (rnd(2) << 12);
	default:
		return rnd(2) ? rnd(64) : rnd(UINT32_MAX);
	}
}

static void test_hostile_records(void)
{
	static const uint8_t kinds[] = {
		EV_VMAP_ALLOC,	    EV_VM_INSERT,    EV_VM_MAP,
		EV_VM_UNMAP,	    EV_VM_REMOVE,    EV_VMAP_FREE,
		EV_VMAP_PURGE,	    EV_VMAP_RESIZE,  EV_VB_NEW,
		EV_VB_ALLOC,	    EV_VB_FREE,	     EV_VB_PURGE,
		EV_PGTABLE_ADD,	    EV_KMAP,	     EV_KUNMAP,
		EV_KMAP_FLUSH,	    EV_KMAP_ATOMIC,  EV_KMAP_ATOMIC_PUSH,
		EV_KMAP_ATOMIC_POP, EV_KERNEL_STACK, EV_MM_BEGIN,
		EV_MM_FAULT,	    EV_MM_TABLE,     EV_MM_PTE,
		EV_MM_END,
	};
	struct machine *m = boot(MODEL_CLASSIC, 1024 * MiB, 2);
	unsigned taken = 0;

	rng = 4;
	for (int i = 0; i < 8; i++)
		vmalloc(m, 4096u * (1 + rnd(5)));
	for (int i = 0; i < 400000; i++) {
		struct record r = {.kind = kinds[rnd(sizeof(kinds))], .cpu = rnd(2)};

		r.lock = r.kind >= EV_KMAP_ATOMIC && r.kind <= EV_KMAP_ATOMIC_POP ? LOCK_NONE
			 : r.kind >= EV_KMAP && r.kind <= EV_KMAP_FLUSH		  ? LOCK_KMAP
			 : r.kind == EV_KERNEL_STACK ? LOCK_ZONE + ZONE_NORMAL
						     : LOCK_VMAP;
		if (!rnd(10))
			r.lock = (uint16_t)rnd(12);
		r.ticket = m->s->ticket[r.lock] + 1;

		for (int a = 0; a < 6; a++)
			r.arg[a] = hostile_arg(m);
		taken += !fold_apply(m, &r);
	}
	CHECK(taken > 100); // some did get through, and yet:
	check_all(m);
}

// A true recording with damage: bits flipped, records lost or swapped. Nothing may crash or hang.
static void test_damaged_streams(void)
{
	struct machine_config cfg = config(MODEL_3_4, 256 * MiB, 1);
	struct machine *m;
	char why[256];
	unsigned refused = 0;

	box_boot(&box, &cfg);
	m = &box.m;
	m->ops = &log_ops;
	log_len = 0;
	rng = 6;
	for (int i = 0; i < 300; i++) {
		struct slot *s = &slot[rnd(40)];

		if (s->kind == EMPTY)
			fill(m, s);
		else
			drop(m, s);
	}
	memset(slot, 0, sizeof(slot));
	CHECK(log_len > 1000);
	for (int trial = 0; trial < 25; trial++) {
		box_boot(&twin, &cfg);
		for (unsigned i = 0; i < log_len; i++) {
			struct record r = log_[i];

			if (!rnd(40))
				r.arg[rnd(6)] ^= 1u << rnd(32);
			if (!rnd(100))
				r.kind = (uint8_t)rnd(EV_LAST_STEP);
			if (!rnd(100))
				continue;
			if (r.lock < NR_LOCKS && r.kind > EV_LAST_OP)
				r.ticket = twin.m.s->ticket[r.lock] +
					   1; // what a careful forger would write
			refused += fold_apply(&twin.m, &r) != 0;
		}
		vmalloc_check(&twin.m, why, sizeof(why));
		CHECK_EQ(kmap_check(&twin.m, why, sizeof(why)), 0);
	}
	CHECK(refused > 100);
}

static uint32_t *damage_target(struct machine *m)
{
	struct vmalloc_state *v = &m->s->vmalloc;

	switch (rnd(3)) {
	case 0:
		return (uint32_t *)&m->areas[rnd(v->nr_ids + 2)] +
		       rnd(sizeof(struct vmap_area) / 4);
	case 1: // the state up to the first few blocks
		return (uint32_t *)v + rnd(offsetof(struct vmalloc_state, vb.block[4]) / 4);
	default:
		return (uint32_t *)&m->s->kmap + rnd(sizeof(struct kmap_state) / 4);
	}
}

static void use_everything(struct machine *m)
{
	pfn_t p = m->s->max_low_pfn;
	kaddr_t a = vmalloc(m, 20000), r = vm_map_ram(m, &p, 1), k = kmap(m, p);

	vfree(m, m->s->vmalloc.start);
	vm_unmap_ram(m, r, 1);
	vmalloc_grow(m, a, 90000, GFP_KERNEL | __GFP_HIGHMEM);
	vfree(m, a);
	vm_unmap_aliases(m);
	kmap_flush_unused(m);
	kunmap(m, p);
	kmap_atomic(m, p);
	CHECK(k != 1);
}

// Memory itself from a damaged file: the checkers either refuse it, or nothing that is done with it
// may leave its tables.
static void test_damaged_memory(void)
{
	struct machine_config cfg = config(MODEL_3_4, 1024 * MiB, 1);
	unsigned refused = 0, used = 0;
	char why[256];

	rng = 8;
	for (int trial = 0; trial < 400; trial++) {
		struct machine *m;

		if (trial % 20 == 0) {
			box_boot(&box, &cfg);
			for (int i = 0; i < 6; i++)
				vmalloc(&box.m, 5000u * (1 + rnd(4)));
			vfree(&box.m, box.m.s->vmalloc.start);
			vm_map_ram(&box.m, (pfn_t[]){240000}, 1);
			kmap(&box.m, 240001);
		}
		m = &box.m;
		uint32_t *word = damage_target(m), was = *word;
		*word = rnd(2) ? rnd(40) : was ^ 1u << rnd(32);
		if (vmalloc_check(m, why, sizeof(why)) || kmap_check(m, why, sizeof(why))) {
			refused++;
			*word = was;
			continue;
		}
		use_everything(m);
		used++;
	}
	CHECK(refused > 50);
	CHECK(used > 50);
}

int main(void)
{
	RUN(test_random_use_folds);
	RUN(test_random_use_folds_when_space_is_short);
	RUN(test_random_use_folds_when_memory_is_short);
	RUN(test_hostile_records);
	RUN(test_damaged_streams);
	RUN(test_damaged_memory);
	return DONE();
}
