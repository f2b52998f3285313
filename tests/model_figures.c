// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// model_figures RECORDING PROCESS EVENT...: the figures the viewer's views draw at these events, one
// a line, for tests/figures.py to compare with what `kalloscope proc` prints.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "../viewer/source.h"

static void print_zone(const struct view_model *v, const struct model_zone *z)
{
	printf("zone %s %u %u %u %u %u", z->name, z->free, z->watermark[WMARK_MIN],
	       z->watermark[WMARK_LOW], z->watermark[WMARK_HIGH], z->present);
	for (unsigned o = 0; o < MAX_ORDER; o++)
		printf(" %u", z->nr_free[o]);
	putchar('\n');
	for (unsigned cpu = 0; cpu < v->ncpus; cpu++)
		printf("pcp %s %u %u %u %u\n", z->name, cpu, z->pcp[cpu].count, z->pcp[cpu].high,
		       z->pcp[cpu].batch);
}

static void print_cache(const struct model_cache *c)
{
	printf("cache %s %u %u %u %u %u %u %u %u\n", c->name, c->active, c->total, c->object_bytes,
	       c->per_slab, c->limit, c->batch, c->slabs, c->shared_avail);
}

static void print_model(const struct view_model *v)
{
	printf("event %" PRIu64 "\n", v->event);
	for (unsigned i = 0; i < v->nzones; i++)
		print_zone(v, &v->zone[i]);
	for (unsigned i = 0; i < v->ncaches; i++)
		print_cache(&v->cache[i]);
	for (unsigned i = 0; i < v->nareas;
	     i++) // the kernel's file leaves out what waits for the purge
		if (v->area[i].va_flags & VA_VM_AREA && !(v->area[i].vm_flags & VM_UNLIST))
			printf("area 0x%08x-0x%08x\n", v->area[i].start, v->area[i].end);
	printf("pkmap %u\n", v->kmap.in_use);
}

int main(int argc, char **argv)
{
	char err[512] = "usage: model_figures RECORDING PROCESS EVENT...";
	enum recording_error code;
	struct source *s = argc > 3 ? source_open(argv[1], &code, err, sizeof(err)) : NULL;
	int status = EXIT_SUCCESS;

	for (int i = 3; s && i < argc; i++) {
		struct model_request q = {.process = atoi(argv[2]),
					  .event = strtoull(argv[i], NULL, 10)};
		struct view_model *v = source_model(s, &q, err, sizeof(err));
		if (!v)
			break;
		print_model(v);
		model_unref(v);
		err[0] = 0;
	}
	if (!s || err[0]) {
		fprintf(stderr, "%s\n", err);
		status = EXIT_FAILURE;
	}
	source_close(s);
	return status;
}
