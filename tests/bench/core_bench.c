// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Figures of the machine alone: boot of 4 GiB, and nanoseconds of each fast path, glibc beside it.
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "../../core/machine.h"

enum {
	ROUNDS = 7 // the median of so many is printed
};

static struct machine m;
static void *volatile sink;

static double now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static long resident_kib(void)
{
	long pages[2] = {0, 0};
	FILE *f = fopen("/proc/self/statm", "r");
	if (f && fscanf(f, "%ld %ld", &pages[0], &pages[1]) != 2)
		pages[1] = 0;
	if (f)
		fclose(f);
	return pages[1] * 4;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void kmalloc_pair(void)
{
	kfree(&m, kmalloc(&m, 100, GFP_KERNEL));
}

// What the preload does on a hit: the cache is known, the OP record stands for the rest.
static void array_pair(void)
{
	unsigned cache = kmalloc_cache(&m, 100, GFP_KERNEL);
	kaddr_t obj = ac_pop(&m, cache);
	if (!obj && cache_alloc_refill(&m, cache, GFP_KERNEL))
		obj = ac_pop(&m, cache);
	if (!ac_push(&m, cache, obj)) {
		cache_flusharray(&m, cache);
		ac_push(&m, cache, obj);
	}
}

// 64 objects taken and given back: the array refills and flushes on the way.
static void refill_batch(void)
{
	kaddr_t obj[256];
	for (int i = 0; i < 256; i++)
		obj[i] = kmalloc(&m, 100, GFP_KERNEL);
	for (int i = 0; i < 256; i++)
		kfree(&m, obj[i]);
}

static void page_pair(void)
{
	__free_pages(&m, alloc_pages(&m, GFP_KERNEL, 0), 0);
}

static void vmalloc_one(void)
{
	vfree(&m, vmalloc(&m, 4096));
}

static void vmalloc_many(void)
{
	vfree(&m, vmalloc(&m, 256 * 4096));
}

static pfn_t high;
static void kmap_pair(void)
{
	kmap(&m, high);
	kunmap(&m, high);
}

static void glibc_pair(void)
{
	void *p = malloc(100);
	sink = p;
	free(p);
}

static void measure(const char *name, void (*once)(void), int per, int times)
{
	double ns[ROUNDS];
	for (int i = 0; i < times / 10; i++)
		once();
	for (int r = 0; r < ROUNDS; r++) {
		double start = now_ns();
		for (int i = 0; i < times; i++)
			once();
		ns[r] = (now_ns() - start) / times / per;
	}
	qsort(ns, ROUNDS, sizeof(*ns), by_value);
	printf("%-44s %8.1f ns\n", name, ns[ROUNDS / 2]);
}

int main(void)
{
	struct machine_config cfg;
	const char *why = "";

	machine_config_default(&cfg, MODEL_3_4, 4ull << 30, 2);
	void *memory = mmap(NULL, machine_size(&cfg), PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	long before = resident_kib();
	double start = now_ns();
	if (machine_boot(&m, memory, &cfg, &why)) {
		fprintf(stderr, "%s\n", why);
		return 1;
	}
	double boot = now_ns() - start;
	printf("%-44s %8.2f ms, %ld KiB of memory\n", "boot of a 4 GiB machine", boot / 1e6,
	       resident_kib() - before);
	high = alloc_pages(&m, GFP_HIGHUSER, 0);
	measure("glibc malloc + free of 100 bytes", glibc_pair, 1, 1000000);
	measure("array pop + push (what the preload does)", array_pair, 1, 1000000);
	measure("kmalloc + kfree of 100 bytes, hit", kmalloc_pair, 1, 1000000);
	measure("kmalloc + kfree, refills and flushes shared in", refill_batch, 256, 10000);
	measure("alloc_pages + __free_pages, order 0", page_pair, 1, 1000000);
	measure("vmalloc + vfree of 1 page", vmalloc_one, 1, 100000);
	measure("vmalloc + vfree of 256 pages", vmalloc_many, 1, 2000);
	measure("kmap + kunmap, mapped before", kmap_pair, 1, 1000000);
	return 0;
}
