// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// mempool over the machine's own allocators and over one that can be made to fail (reference 10).
#include "core/mempool.h"
#include "vm_box.h"

static struct mempool pool;
static gfp_t asked[8]; // gfp of the calls into the back end since calls was set to 0
static unsigned calls, freed;
static bool failing, failing_easy; // always; only when it may not wait

static kaddr_t fake_alloc(struct machine *m, gfp_t gfp, uint32_t data, void *priv)
{
	static kaddr_t next;

	(void)m;
	(void)data;
	(void)priv;
	asked[calls++ % 8] = gfp;
	return failing || (failing_easy && !(gfp & __GFP_WAIT)) ? 0 : ++next;
}

static void fake_free(struct machine *m, kaddr_t element, uint32_t data, void *priv)
{
	(void)m;
	(void)element;
	(void)data;
	(void)priv;
	freed++;
}

static const struct mempool_backend fake = {fake_alloc, fake_free, NULL};

static struct machine *start(uint32_t min_nr)
{
	struct machine *m = boot(MODEL_3_4, 256 * MiB, 1);

	failing = failing_easy = false;
	CHECK_EQ(mempool_create(m, &pool, min_nr, &fake, 0), 0);
	calls = freed = 0;
	return m;
}

// T: 4 atomic allocations from a pool of 4 succeed, the 5th does not; one freed, the next does.
static void reserve_of_four(void)
{
	struct machine *m = start(4);
	kaddr_t e = 0;

	failing = true;
	for (unsigned i = 0; i < 4; i++)
		CHECK((e = mempool_alloc(m, &pool, &fake, GFP_ATOMIC)));
	CHECK_EQ(mempool_alloc(m, &pool, &fake, GFP_ATOMIC), 0);
	mempool_free(m, &pool, &fake, e);
	CHECK_EQ(mempool_alloc(m, &pool, &fake, GFP_ATOMIC), e);
	CHECK_EQ(freed, 0);
}

// T: while the allocator gives, the pool stays full and its surplus goes back.
static void full_pool_is_left_alone(void)
{
	struct machine *m = start(4);
	kaddr_t e = mempool_alloc(m, &pool, &fake, GFP_KERNEL);

	CHECK(e && pool.curr_nr == 4);
	mempool_free(m, &pool, &fake, e);
	CHECK_EQ(freed, 1);
	mempool_free(m, &pool, &fake, 0);
	CHECK(freed == 1 && pool.curr_nr == 4);
}

// First without waiting; waiting only when the reserve is gone.
static void tries_in_order(void)
{
	struct machine *m = start(1);

	failing_easy = true;
	CHECK(mempool_alloc(m, &pool, &fake, GFP_KERNEL));
	CHECK(calls == 1 && asked[0] == (0x11200 | __GFP_FS));
	CHECK_EQ(pool.curr_nr, 0);
	CHECK(mempool_alloc(m, &pool, &fake, GFP_KERNEL));
	CHECK(calls == 3 && asked[2] == (0x11200 | GFP_KERNEL));
	CHECK_EQ(mempool_alloc(m, &pool, &fake, GFP_ATOMIC), 0);
	CHECK_EQ(calls, 4); // not restricted any further: no second try
}

static void resize_both_ways(void)
{
	struct machine *m = start(4);

	CHECK_EQ(mempool_resize(m, &pool, &fake, 2), 0);
	CHECK(pool.min_nr == 2 && pool.curr_nr == 2 && freed == 2);
	failing = true; // may end short without an error
	CHECK_EQ(mempool_resize(m, &pool, &fake, 6), 0);
	CHECK(pool.min_nr == 6 && pool.curr_nr == 2);
	CHECK_EQ(mempool_resize(m, &pool, &fake, 0), -EINVAL);
	CHECK_EQ(mempool_resize(m, &pool, &fake, MEMPOOL_MAX + 1), -EINVAL);
	CHECK_EQ(mempool_create(m, &pool, 3, &fake, 0), -ENOMEM);
}

// Slab, kmalloc and pages behind pools: all comes back to the machine.
static void own_back_ends(void)
{
	struct machine *m = boot(MODEL_3_4, 256 * MiB, 1);
	unsigned cache = kmem_cache_create(m, "pooled", 300, 0, 0);
	const struct mempool_backend *backends[] = {&mempool_slab, &mempool_kmalloc,
						    &mempool_pages};
	const uint32_t data[] = {cache, 5000, 2};
	uint32_t before = free_frames(m);
	kaddr_t e[40];

	for (unsigned b = 0; b < 3; b++) {
		CHECK_EQ(mempool_create(m, &pool, 20, backends[b], data[b]), 0);
		CHECK(free_frames(m) < before);
		for (unsigned i = 0; i < 40; i++)
			CHECK((e[i] = mempool_alloc(m, &pool, backends[b], GFP_NOIO)));
		for (unsigned i = 0; i < 40; i++)
			mempool_free(m, &pool, backends[b], e[i]);
		mempool_destroy(m, &pool, backends[b]);
		CHECK_EQ(free_frames(m), before);
	}
	check_all(m);
}

int main(void)
{
	RUN(reserve_of_four);
	RUN(full_pool_is_left_alone);
	RUN(tries_in_order);
	RUN(resize_both_ways);
	RUN(own_back_ends);
	return DONE();
}
