// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Constructors, DEBUG_SLAB's layout and bytes, tunables written as to /proc/slabinfo.
#include "core/slab_debug.h"

#include <errno.h>

#include "core/procfs.h"
#include "core/translate.h"
#include "slab_box.h"

// ---- constructors ----

static struct trace_event Constructed[8];
static struct record Created;
static unsigned NConstructed;

static void note_ctor(struct machine *m, const struct trace_event *t)
{
	(void)m;
	if (t->kind == EV_T_CACHE_CTOR && NConstructed < 8)
		Constructed[NConstructed++] = *t;
}

static void note_create(struct machine *m, const struct record *r)
{
	(void)m;
	if (r->kind == EV_CACHE_CREATE)
		Created = *r;
}

static const struct machine_ops noting = {.trace = note_ctor, .record = note_create};

// Once for each object of a new slab, not for each allocation.
static void constructor_runs_with_the_slab(void)
{
	struct machine *m = boot(MODEL_3_4, 64 * MIB, 1);

	m->ops = &noting;
	NConstructed = 0;
	unsigned id = kmem_cache_create_ctor(m, "made", 400, 0, 0, CTOR_OTHER);
	CHECK(id);
	CHECK_EQ(Created.arg[5], CTOR_OTHER);
	kaddr_t a = kmem_cache_alloc(m, id, GFP_KERNEL);
	CHECK_EQ(NConstructed, 1);
	CHECK_EQ(Constructed[0].cache, id);
	CHECK_EQ(Constructed[0].count, m->caches[id].num);
	CHECK_EQ(Constructed[0].value, CTOR_OTHER);
	CHECK_EQ(Constructed[0].addr, m->slab_area[Constructed[0].pfn].s_mem);
	kmem_cache_free(m, id, a);
	CHECK_EQ(kmem_cache_alloc(m, id, GFP_KERNEL), a); // as its last holder left it
	CHECK_EQ(NConstructed, 1);
	kmem_cache_free(m, id, a);
	CHECK_EQ(kmem_cache_destroy(m, id), 0);
	CHECK_EQ(kmem_cache_create_ctor(m, "none", 400, 0, 0, CTORS), 0);
	m->ops = &machine_ops_none;
	check(m);
}

static void boot_debug(uint32_t minalign)
{
	struct machine_config cfg;

	machine_config_default(&cfg, MODEL_3_4, 64 * MIB, 1);
	cfg.slab_debug = 1;
	cfg.kmalloc_minalign = minalign;
	box_boot(&box, &cfg);
}

// Poison overwrites what a constructor made, so a poisoning cache runs it each time.
static void poisoned_objects_are_constructed_when_taken(void)
{
	boot_debug(8);
	struct machine *m = &box.cpu[0];

	m->ops = &noting;
	NConstructed = 0;
	unsigned id = kmem_cache_create_ctor(m, "made", 400, 0, 0, CTOR_OTHER);
	kaddr_t a = kmem_cache_alloc(m, id, GFP_KERNEL);
	kaddr_t b = kmem_cache_alloc(m, id, GFP_KERNEL);
	CHECK_EQ(NConstructed, 2);
	CHECK_EQ(Constructed[0].addr, a);
	CHECK_EQ(Constructed[1].addr, b);
	CHECK_EQ(Constructed[1].count, 1);
	NConstructed = 0;
	CHECK(alloc_sighand(m)); // freed by RCU: not poisoned
	CHECK_EQ(NConstructed, 1);
	CHECK_EQ(Constructed[0].count, 3);
	CHECK_STR(slab_ctor_name(Constructed[0].value), "sighand_ctor");
	CHECK_STR(slab_ctor_name(CTORS), "?");
	m->ops = &machine_ops_none;
	check(m);
}

static void hostile_constructors_are_refused(void)
{
	struct machine *m = boot(MODEL_3_4, 64 * MIB, 1);
	char why[200];

	m->ops = &noting;
	unsigned id = kmem_cache_create(m, "made", 400, 0, 0);
	CHECK_EQ(kmem_cache_destroy(m, id), 0);
	m->ops = &machine_ops_none;
	Created.arg[5] = CTORS;
	Created.ticket = m->s->ticket[LOCK_CHAIN] + 1;
	CHECK_EQ(fold_apply(m, &Created), -EILSEQ);
	m->caches[1].ctor = 9;
	CHECK_EQ(machine_check(m, why, sizeof(why)), -EINVAL);
}

// The captured kernels' caches of processes and threads.
static void caches_of_tasks(void)
{
	struct machine *m = boot(MODEL_3_4, 1024 * MIB, 2);
	const struct kmem_cache *task = cache_named(m, "task_struct"),
				*sighand = cache_named(m, "sighand_cache");

	CHECK_EQ(task->buffer_size, 880);
	CHECK_EQ(task->num, 9);
	CHECK_EQ(task->gfporder, 1);
	CHECK_EQ(task->limit, 54);
	CHECK_EQ(sighand->buffer_size, 1344);
	CHECK_EQ(sighand->num, 3);
	CHECK_EQ(sighand->gfporder, 0);
	CHECK_EQ(sighand->limit, 24);
	CHECK_EQ(sighand->ctor, CTOR_SIGHAND);
}

// ---- bytes ----

static void stands(struct machine *m, kaddr_t addr, enum slab_part part, int byte)
{
	struct slab_debug d = slab_debug_at(m, addr);

	CHECK_EQ(d.part, part);
	CHECK_EQ(d.byte, byte);
}

// size-32: 8 + 32 + 8 + 4 + 4 bytes.
static void red_zones_and_poison(void)
{
	boot_debug(8);
	struct machine *m = &box.cpu[0];
	kaddr_t a = kmalloc(m, 32, GFP_KERNEL);

	stands(m, a - 8, SLAB_REDZONE1, 0xC0);
	stands(m, a - 1, SLAB_REDZONE1, 0xD8);
	stands(m, a, SLAB_OBJECT, -1); // the holder's
	stands(m, a + 32, SLAB_REDZONE2, 0xC0);
	stands(m, a + 39, SLAB_REDZONE2, 0xD8);
	stands(m, a + 40, SLAB_PADDING, -1);
	stands(m, a + 44, SLAB_LAST_USER, -1);
	CHECK(slab_debug_at(m, a).held);
	CHECK_EQ(slab_debug_at(m, a + 47).object, a);
	kfree(m, a);
	CHECK(!slab_debug_at(m, a).held);
	stands(m, a - 8, SLAB_REDZONE1, 0x5B);
	stands(m, a - 1, SLAB_REDZONE1, 0x09);
	stands(m, a, SLAB_OBJECT, 0x6B);
	stands(m, a + 30, SLAB_OBJECT, 0x6B);
	stands(m, a + 31, SLAB_OBJECT, 0xA5);
	stands(m, a + 32, SLAB_REDZONE2, 0x5B);
	CHECK_STR(slab_part_name(SLAB_REDZONE2), "red zone 2");
	CHECK_STR(slab_part_name((enum slab_part)99), "?");
}

// Wider alignment drops red zones and caller, RCU the poison; without DEBUG_SLAB there is nothing.
static void caches_without_room(void)
{
	boot_debug(16);
	struct machine *m = &box.cpu[0];
	const struct kmem_cache *c = cache_named(m, "size-32");
	kaddr_t a = kmalloc(m, 20, GFP_KERNEL);

	CHECK_EQ(c->buffer_size, 32);
	CHECK_EQ(c->flags & (SLAB_RED_ZONE | SLAB_STORE_USER | SLAB_POISON), SLAB_POISON);
	CHECK_EQ(a % 16, 0);
	kfree(m, a);
	stands(m, a + 31, SLAB_OBJECT, 0xA5);
	c = cache_named(m, "sighand_cache");
	CHECK(!(c->flags & SLAB_POISON) && c->flags & SLAB_RED_ZONE);
	a = alloc_sighand(m);
	kmem_cache_free(m, m->s->sighand_cache, a);
	stands(m, a, SLAB_OBJECT, -1);
	stands(m, a - 8, SLAB_REDZONE1, 0x5B);
	unsigned id = kmem_cache_create(m, "wide", 40, 64, 0);
	a = kmem_cache_alloc(m, id, GFP_KERNEL);
	kmem_cache_free(m, id, a);
	stands(m, a + 39, SLAB_OBJECT, 0xA5);
	stands(m, a + 40, SLAB_PADDING, -1);
	CHECK_EQ(ksize(m, kmem_cache_alloc(m, id, GFP_KERNEL)), 40);
	m = boot(MODEL_3_4, 64 * MIB, 1);
	stands(m, kmalloc(m, 32, GFP_KERNEL), SLAB_NO_PART, -1);
}

static void translation_names_the_part(void)
{
	boot_debug(8);
	struct machine *m = &box.cpu[0];
	kaddr_t a = kmalloc(m, 32, GFP_KERNEL);
	struct translation t;
	char text[2048];

	CHECK_EQ(machine_translate(m, a - 8, &t), 0);
	translation_text(m, &t, text, sizeof(text));
	CHECK(strstr(text, "  debug     red zone 1 of the object at 0x"));
	CHECK(strstr(text, ", held: 0xc0\n"));
}

// ---- tunables ----

static void writing_slabinfo(void)
{
	struct machine *m = boot(MODEL_3_4, 64 * MIB, 2);
	const struct kmem_cache *c = cache_named(m, "size-128");

	CHECK_EQ(slabinfo_write(m, "size-128 54 27 4"), 0);
	CHECK_EQ(c->limit, 54);
	CHECK_EQ(c->batchcount, 27);
	CHECK_EQ(c->shared, 4);
	CHECK_EQ(slabinfo_write(m, "size-128  8 8 0\n"), 0);
	CHECK_EQ(c->limit, 8);
	CHECK_EQ(slabinfo_write(m, "size-128 8 9 0"), -ERANGE);
	CHECK_EQ(slabinfo_write(m, "size-128 0 0 0"), -ERANGE);
	CHECK_EQ(slabinfo_write(m, "size-12 8 8 0"), -EINVAL);
	CHECK_EQ(slabinfo_write(m, "size-128 8 8"), -EINVAL);
	CHECK_EQ(slabinfo_write(m, "size-128 8 -8 0"), -EINVAL);
	CHECK_EQ(slabinfo_write(m, "size-128 99999999999 8 0"), -EINVAL);
	CHECK_EQ(slabinfo_write(m, "size-128"), -EINVAL);
	CHECK_EQ(slabinfo_write(m, ""), -EINVAL);
	CHECK_EQ(c->limit, 8);
	check(m);
}

static const char *boot_error(const struct machine_config *cfg)
{
	size_t size = machine_size(cfg);
	const char *why = "";
	void *memory = size ? calloc(1, size) : NULL;
	struct machine m;
	int err = machine_boot(&m, memory, cfg, &why);

	free(memory);
	CHECK_EQ(err, -EINVAL);
	return why;
}

static void tunables_of_the_configuration(void)
{
	struct machine_config cfg;

	machine_config_default(&cfg, MODEL_CLASSIC, 64 * MIB, 1);
	strcpy(cfg.slab_tune[2], "task_struct 10 5 0");
	box_boot(&box, &cfg);
	CHECK_EQ(cache_named(&box.cpu[0], "task_struct")->limit, 10);
	strcpy(cfg.slab_tune[7], "nobody 10 5 0");
	CHECK(strstr(boot_error(&cfg), "exists after boot"));
	strcpy(cfg.slab_tune[7], "size-32 10 50 0");
	CHECK(strstr(boot_error(&cfg), "batch <= limit"));
	memset(cfg.slab_tune[7], 'x', SLAB_TUNE_LEN);
	CHECK_STR(boot_error(&cfg), "a slab tunable has no end");
	cfg.slab_tune[7][0] = 0;
	cfg.slab_tune[7][SLAB_TUNE_LEN - 1] = 0;
	cfg.kmalloc_minalign = 4;
	CHECK_STR(boot_error(&cfg), "general caches are aligned to 8 or 16 bytes");
}

int main(void)
{
	RUN(constructor_runs_with_the_slab);
	RUN(poisoned_objects_are_constructed_when_taken);
	RUN(hostile_constructors_are_refused);
	RUN(caches_of_tasks);
	RUN(red_zones_and_poison);
	RUN(caches_without_room);
	RUN(translation_names_the_part);
	RUN(writing_slabinfo);
	RUN(tunables_of_the_configuration);
	return DONE();
}
