// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// A machine booted for a slab test, with a handle for each of its CPUs.
#pragma once

#include "core/fold.h"
#include "harness.h"

#include <sys/mman.h>

#define MIB (1ull << 20)

struct box { // a machine and the handles of its CPUs
	void *memory;
	size_t size;
	struct machine cpu[MAX_CPUS];
};

static struct box box;

static inline void box_free(struct box *b)
{
	if (b->memory)
		munmap(b->memory, b->size);
	memset(b, 0, sizeof(*b));
}

static inline void box_boot(struct box *b, const struct machine_config *cfg)
{
	const char *why = "";

	box_free(b);
	b->size = machine_size(cfg);
	b->memory = mmap(NULL, b->size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK(b->memory != MAP_FAILED);
	CHECK_EQ(machine_boot(&b->cpu[0], b->memory, cfg, &why), 0);
	for (unsigned i = 0; i < cfg->ncpus; i++)
		CHECK_EQ(machine_attach(&b->cpu[i], b->memory, b->size, i, &machine_ops_none, NULL),
			 0);
}

static inline struct machine *boot(enum model model, uint64_t ram, unsigned ncpus)
{
	struct machine_config cfg;

	machine_config_default(&cfg, model, ram, ncpus);
	box_boot(&box, &cfg);
	return &box.cpu[0];
}

static inline struct kmem_cache *cache_named(struct machine *m, const char *name)
{
	for (unsigned id = 1; id < MAX_CACHES; id++)
		if (m->caches[id].used && !strcmp(m->caches[id].name, name))
			return &m->caches[id];
	return NULL;
}

static inline unsigned id_of(struct machine *m, const struct kmem_cache *c)
{
	return (unsigned)(c - m->caches);
}

static inline void check(struct machine *m)
{
	char why[200] = "";

	if (slab_check(m, why, sizeof(why)))
		printf("# %s\n", why);
	CHECK_STR(why, "");
}

static inline unsigned index_of(struct machine *m, kaddr_t obj)
{
	unsigned index = ~0u;

	CHECK(slab_lookup(m, obj, NULL, NULL, &index));
	return index;
}
