// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Writes the seeds of the targets that read records: what machines really record.
//   seeds CORPUS-FOLDER
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../../core/fold.h"
#include "../../core/page_alloc.h"
#include "../../core/percpu.h"
#include "../../core/slab.h"
#include "../../core/stack.h"
#include "../../core/vmalloc.h"
#include "fuzz.h"
#include "machines.h"

enum {
	STORIES = 3, // of a machine
	RECORDS = 240,
	SLOTS = 40,
	RUN = 4,
};

static struct record record[FUZZ_RECORDS];
static size_t nrecords;
static uint64_t random_state;

static uint32_t any(uint32_t n)
{
	return fuzz_random(&random_state) % n;
}

static void on_record(struct machine *m, const struct record *r)
{
	(void)m;
	if (nrecords < FUZZ_RECORDS)
		record[nrecords++] = *r;
}

static const struct machine_ops ops = {.record = on_record};

static struct held {
	unsigned kind, cache, order;
	kaddr_t addr;
	pfn_t pfn[RUN];
	uint32_t n;
} held[SLOTS];

static void take(struct machine *m, struct held *h)
{
	*h = (struct held){.kind = 1 + any(11)};
	switch (h->kind) {
	case 1:
		h->addr = kmalloc(m, 1 + any(9000), GFP_KERNEL);
		break;
	case 2:
		h->cache = kmem_cache_create(m, "fuzz", 40 + any(400), 0, SLAB_HWCACHE_ALIGN);
		h->addr = h->cache ? kmem_cache_alloc(m, h->cache, GFP_KERNEL) : 0;
		break;
	case 3:
		h->order = any(4);
		h->addr = alloc_pages(m, any(2) ? GFP_HIGHUSER : GFP_KERNEL | __GFP_COMP, h->order);
		break;
	case 4:
		h->addr = vmalloc(m, 1 + any(40000));
		break;
	case 5:
	case 6:
		h->n = alloc_pages_bulk(m, GFP_HIGHUSER, RUN, h->pfn);
		h->addr = h->kind == 5 ? vmap(m, h->pfn, h->n) : vm_map_ram(m, h->pfn, h->n);
		break;
	case 7:
		h->pfn[0] = alloc_pages(m, GFP_HIGHUSER, 0);
		h->addr = h->pfn[0] ? kmap(m, h->pfn[0]) : 0;
		break;
	case 8:
		h->addr = ioremap(m, 0xF0000000u + any(1 << 20), 1 + any(20000));
		break;
	case 9:
		h->addr = h->n = page_cache_add(m, RUN, h->pfn);
		break;
	case 10:
		h->addr = alloc_kernel_stack(m);
		break;
	default:
		h->addr = alloc_percpu(m, 4u << any(5), 4);
		break;
	}
	h->kind = h->addr ? h->kind : 0;
}

static void drop(struct machine *m, struct held *h)
{
	switch (h->kind) {
	case 1:
		kfree(m, h->addr);
		break;
	case 2:
		kmem_cache_free(m, h->cache, h->addr);
		if (any(2))
			kmem_cache_destroy(m, h->cache);
		break;
	case 3:
		__free_pages(m, h->addr, h->order);
		break;
	case 4:
		if (any(3) == 0)
			vunmap_partial(m, h->addr, 1);
		vfree(m, h->addr);
		break;
	case 5:
		vunmap(m, h->addr);
		free_pages_bulk(m, h->pfn, h->n);
		break;
	case 6:
		vm_unmap_ram(m, h->addr, h->n);
		free_pages_bulk(m, h->pfn, h->n);
		break;
	case 7:
		kunmap(m, h->pfn[0]);
		__free_pages(m, h->pfn[0], 0);
		break;
	case 8:
		iounmap(m, h->addr);
		break;
	case 9:
		page_cache_remove(m, h->pfn, h->n);
		break;
	case 10:
		free_kernel_stack(m, h->addr);
		break;
	case 11:
		free_percpu(m, h->addr);
		break;
	default:
		break;
	}
	h->kind = 0;
}

static void rare(struct machine *m)
{
	switch (any(9)) {
	case 0:
		drain_all_pages(m);
		break;
	case 1:
		vm_unmap_aliases(m);
		break;
	case 2:
		kmap_flush_unused(m);
		break;
	case 3:
		cache_reap(m, 4000000000ull * (1 + nrecords));
		break;
	case 4:
		kmem_cache_shrink(m, m->s->slab.size_cache[any(m->s->slab.nr_sizes)]);
		break;
	case 5:
		set_min_free_kbytes(m, 256 + any(2000));
		break;
	case 6:
		set_percpu_pagelist_fraction(m, 8 + any(100));
		break;
	case 7:
		kmem_cache_tune(m, m->s->slab.size_cache[3], 20, 10, 2);
		break;
	default:
		set_lowmem_reserve_ratio(m, any(3), 1 + any(300));
		break;
	}
}

static void story(void *memory, size_t size, unsigned ncpus)
{
	struct machine cpu[MAX_CPUS];

	memset(held, 0, sizeof(held));
	nrecords = 0;
	for (unsigned i = 0; i < ncpus; i++)
		if (machine_attach(&cpu[i], memory, size, i, &ops, NULL))
			abort();
	while (nrecords < RECORDS) {
		struct machine *m = &cpu[any(ncpus)];
		struct held *h = &held[any(SLOTS)];

		if (any(16) == 0)
			rare(m);
		else if (h->kind)
			drop(m, h);
		else
			take(m, h);
	}
}

static void write_fold(const char *corpus, unsigned which, unsigned story)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/fold/machine-%u-%u", corpus, which, story);
	f = fopen(path, "wb");
	if (!f || fputc((int)which, f) < 0 ||
	    fwrite(record, sizeof(*record), nrecords, f) != nrecords || fclose(f)) {
		perror(path);
		exit(1);
	}
}

static void write_machine(const char *corpus, unsigned which)
{
	struct machine_config cfg;
	size_t size;
	void *memory;

	fuzz_machine_config(which, &cfg);
	size = machine_size(&cfg);
	for (unsigned i = 0; i < STORIES; i++) {
		memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (memory == MAP_FAILED)
			exit(1);
		fuzz_machine_boot(which, memory);
		random_state = which * STORIES + i + 1;
		story(memory, size, cfg.ncpus);
		munmap(memory, size);
		write_fold(corpus, which, i);
	}
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	for (unsigned which = 0; which < MACHINES; which++)
		write_machine(argv[1], which);
	return 0;
}
