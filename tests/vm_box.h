// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// What the tests of layout, vmalloc and kmap share: machines in memory of their own, and a log of
// records.
#pragma once

#include "harness.h"

#include <errno.h>
#include <sys/mman.h>

#include "core/fold.h"
#include "core/layout.h"
#include "core/machine.h"
#include "core/procfs.h"
#include "core/vmap_area.h"

#define MiB (1ull << 20)

struct box { // a machine and its memory
	void *memory;
	size_t size;
	struct machine m;
};

static struct box box;

static inline void box_boot(struct box *b, const struct machine_config *cfg)
{
	const char *why = "";

	if (b->memory)
		munmap(b->memory, b->size);
	b->size = machine_size(cfg);
	b->memory = mmap(NULL, b->size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK(b->memory != MAP_FAILED);
	if (machine_boot(&b->m, b->memory, cfg, &why))
		printf("# boot: %s\n", why);
	CHECK(b->m.s != NULL);
}

static inline struct machine_config config(enum model model, uint64_t ram, unsigned ncpus)
{
	struct machine_config cfg;

	machine_config_default(&cfg, model, ram, ncpus);
	return cfg;
}

static inline struct machine *boot(enum model model, uint64_t ram, unsigned ncpus)
{
	struct machine_config cfg = config(model, ram, ncpus);

	box_boot(&box, &cfg);
	return &box.m;
}

static inline void check_all(struct machine *m)
{
	char why[256] = "";
	int err = vmalloc_check(m, why, sizeof(why));

	if (!err)
		err = kmap_check(m, why, sizeof(why));
	if (!err)
		err = mm_check(m, why, sizeof(why));
	if (err)
		printf("# %s\n", why);
	CHECK_EQ(err, 0);
}

// What is free and in nobody's cache: differs from before only by what was kept.
static inline uint32_t free_frames(struct machine *m)
{
	uint32_t n = 0;

	vm_unmap_aliases(m);
	kmap_flush_unused(m);
	for (unsigned c = 0; c < 2 * MAX_CACHES; c++) // twice: descriptors of the first round
		if (m->caches[c % MAX_CACHES].used)
			kmem_cache_shrink(m, c % MAX_CACHES);
	drain_all_pages(m);
	for (unsigned cpu = 0; cpu < m->s->cfg.ncpus; cpu++) {
		struct machine h = *m;

		h.cpu = cpu;
		vmstat_fold(&h);
	}
	for (unsigned z = 0; z < MAX_NR_ZONES; z++)
		n += zone_free_pages(m, z);
	return n;
}

static inline unsigned page_tables(const struct machine *m)
{
	unsigned n = 0;

	for (unsigned i = 0; i < 1024; i++)
		n += m->s->pgd[i] != 0;
	return n;
}

// --- records ---------------------------------------------------------------------------------

static struct record log_[4096];
static unsigned log_len;

static inline void log_record(struct machine *m, const struct record *r)
{
	(void)m;
	if (log_len < sizeof(log_) / sizeof(log_[0]))
		log_[log_len++] = *r;
}

static const struct machine_ops log_ops = {.record = log_record};
