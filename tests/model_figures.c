// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// model_figures RECORDING PROCESS EVENT...: the figures the viewer's views draw at these events, one
// a line, for tests/figures.py to compare with what `kalloscope proc` prints.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "../viewer/draw/map_cells.h"
#include "../viewer/source.h"

static void print_zone(const struct view_model *v, const struct model_zone *z)
{
	printf("zone %s %u %u %u %u %u", z->name, z->free, z->watermark[WMARK_MIN],
	       z->watermark[WMARK_LOW], z->watermark[WMARK_HIGH], z->present);
	for (unsigned o = 0; o < MAX_ORDER; o++)
		printf(" %u", z->nr_free[o]);
	putchar('\n');
	for (unsigned mt = 0; mt < MIGRATE_TYPES; mt++) {
		printf("type %s %u", z->name, mt);
		for (unsigned o = 0; o < MAX_ORDER; o++)
			printf(" %u", z->blocks[o][mt]);
		putchar('\n');
	}
	for (unsigned cpu = 0; cpu < v->ncpus; cpu++)
		printf("pcp %s %u %u %u %u\n", z->name, cpu, z->pcp[cpu].count, z->pcp[cpu].high,
		       z->pcp[cpu].batch);
}

static void print_cache(const struct model_cache *c)
{
	printf("cache %s %u %u %u %u %u %u %u %u\n", c->name, c->active, c->total, c->object_bytes,
	       c->per_slab, c->limit, c->batch, c->slabs, c->shared_avail);
}

// Blocks of the list that the map shows as free, of that order and type, each once.
static unsigned listed(const struct view_model *v, unsigned order, unsigned mt)
{
	unsigned n = v->free_left_out;

	for (unsigned i = 0; i < v->nfree; i++) {
		pfn_t pfn = v->free_block[i];

		n += pfn < v->max_pfn && v->state[pfn] == PS_FREE && v->owner[pfn] == order &&
		     v->type[pfn] == mt && !(i && pfn == v->free_block[0]);
	}
	return n;
}

// Of each zone the lists of one order, another one at every event.
static void print_lists(struct source *s, const struct view_model *v)
{
	unsigned order = v->event % MAX_ORDER;

	for (unsigned i = 0; i < v->nzones * MIGRATE_TYPES; i++) {
		unsigned zone = i / MIGRATE_TYPES, mt = i % MIGRATE_TYPES;
		struct model_request q = {.process = v->process,
					  .event = v->event,
					  .want = WANT_LIST,
					  .list = zone << 16 | order << 8 | mt};
		char err[512];
		struct view_model *l = source_model(s, &q, err, sizeof(err));

		if (l)
			printf("list %s %u %u %u\n", v->zone[zone].name, order, mt,
			       listed(l, order, mt));
		model_unref(l);
	}
}

// The legends of the map: frames by state, by order and by cache.
static void print_legends(const struct view_model *v)
{
	static const enum map_colour by[] = {MAP_BY_STATE, MAP_BY_ORDER, MAP_BY_CACHE};

	for (unsigned i = 0; i < 3; i++) {
		struct viewport vp = {.width = 800, .height = 600, .colour = by[i]};
		struct legend l[MAP_CATEGORIES];
		struct map_cells c;
		unsigned n;

		map_cells_begin(&c, v, &vp, palette_get(false));
		n = map_cells_legend(&c, l);
		for (unsigned k = 0; k < n; k++)
			printf("legend %s|%s|%s\n", map_colour_id(by[i]), l[k].name, l[k].value);
	}
}

static void print_alive(struct source *s, const struct view_model *v)
{
	uint64_t calls = 0, bytes = 0;
	unsigned n = 0;
	struct site_row *row = scope_sites(source_recording(s), v->process, SCOPE_LIVE, 0, v->event,
					   &n, NULL, NULL);

	for (unsigned i = 0; i < n; i++) {
		calls += row[i].live_count;
		bytes += row[i].live_bytes;
	}
	free(row);
	printf("alive %" PRIu64 " %" PRIu64 "\n", calls, bytes);
}

static void print_recording(const struct view_model *v)
{
	for (unsigned i = 0; i < v->nprocesses; i++)
		printf("process %d %d %d %d %" PRIu64 "\n", v->processes[i].process,
		       v->processes[i].parent, v->processes[i].how, v->processes[i].pid,
		       v->processes[i].events);
	for (unsigned i = 0; i < v->nmarks; i++)
		printf("mark %" PRIu64 " %" PRIi64 " %s\n", v->mark[i].event, v->mark[i].t_ns,
		       v->mark[i].text);
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
					  .event = strtoull(argv[i], NULL, 10),
					  .want = WANT_TIMELINE,
					  .buckets = 64};
		struct view_model *v = source_model(s, &q, err, sizeof(err));
		if (!v)
			break;
		print_model(v);
		print_lists(s, v);
		print_legends(v);
		print_alive(s, v);
		print_recording(v);
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
