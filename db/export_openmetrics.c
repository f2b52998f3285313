// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// buddyinfo, zones and slabinfo at a moment, for Prometheus' textfile collector. Everything is a
// gauge, for which OpenMetrics and Prometheus' older text format are the same.
#include <stdlib.h>
#include <string.h>

#include "../core/page_alloc.h"
#include "export.h"

struct metrics {
	struct export *x;
	struct machine *m;
};

static void family(struct metrics *t, const char *name, const char *help)
{
	fprintf(t->x->out, "# TYPE kalloscope_%s gauge\n# HELP kalloscope_%s %s\n", name, name,
		help);
}

// A label's value: backslash, quote and line end are escaped, the rest is UTF-8.
static char *label(const char *text)
{
	g_autofree char *valid = g_utf8_make_valid(text, -1);
	GString *t = g_string_new(NULL);
	for (const char *p = valid; *p; p++) {
		if (*p == '\\' || *p == '"')
			g_string_append_c(t, '\\');
		if (*p == '\n')
			g_string_append(t, "\\n");
		else
			g_string_append_c(t, *p);
	}
	return g_string_free(t, FALSE);
}

static bool populated(const struct metrics *t, unsigned zone)
{
	return t->m->s->zone[zone].present_pages;
}

static void buddyinfo(struct metrics *t)
{
	family(t, "buddy_free_blocks", "Free blocks of an order, as in /proc/buddyinfo.");
	for (unsigned z = 0; z < MAX_NR_ZONES; z++)
		for (unsigned o = 0; populated(t, z) && o < MAX_ORDER; o++)
			fprintf(t->x->out,
				"kalloscope_buddy_free_blocks{zone=\"%s\",order=\"%u\"} %u\n",
				zone_names[z], o, t->m->s->zone[z].free_area[o].nr_free);
}

static void zone_gauge(struct metrics *t, const char *name, const char *help,
		       uint32_t (*value)(struct machine *m, unsigned zone))
{
	family(t, name, help);
	for (unsigned z = 0; z < MAX_NR_ZONES; z++)
		if (populated(t, z))
			fprintf(t->x->out, "kalloscope_%s{zone=\"%s\"} %u\n", name, zone_names[z],
				value(t->m, z));
}

static uint32_t present(struct machine *m, unsigned zone)
{
	return m->s->zone[zone].present_pages;
}

static uint32_t mark_min(struct machine *m, unsigned zone)
{
	return m->s->zone[zone].watermark[WMARK_MIN];
}

static uint32_t mark_low(struct machine *m, unsigned zone)
{
	return m->s->zone[zone].watermark[WMARK_LOW];
}

static uint32_t mark_high(struct machine *m, unsigned zone)
{
	return m->s->zone[zone].watermark[WMARK_HIGH];
}

static uint32_t percpu(struct machine *m, unsigned zone)
{
	uint32_t n = 0;
	for (unsigned cpu = 0; cpu < m->s->cfg.ncpus; cpu++)
		n += m->s->zone[zone].pageset[cpu].count;
	return n;
}

static void zones(struct metrics *t)
{
	zone_gauge(t, "zone_free_pages", "Free pages of a zone.", zone_free_pages);
	zone_gauge(t, "zone_present_pages", "Pages of a zone.", present);
	zone_gauge(t, "zone_watermark_min_pages", "Watermark min.", mark_min);
	zone_gauge(t, "zone_watermark_low_pages", "Watermark low: kswapd is woken.", mark_low);
	zone_gauge(t, "zone_watermark_high_pages", "Watermark high: kswapd sleeps.", mark_high);
	zone_gauge(t, "zone_percpu_pages", "Pages on the per-CPU lists.", percpu);
}

static void slab_gauge(struct metrics *t, const char *name, const char *help,
		       uint64_t (*value)(const struct kmem_cache *c))
{
	family(t, name, help);
	for (unsigned id = 1; id < MAX_CACHES; id++) {
		const struct kmem_cache *c = &t->m->caches[id];
		if (!c->used)
			continue;
		g_autofree char *raw = g_strndup(c->name, CACHE_NAME_LEN), *text = label(raw);
		// two caches may have one name; their number tells them apart
		fprintf(t->x->out, "kalloscope_%s{cache=\"%s\",id=\"%u\"} %llu\n", name, text, id,
			(unsigned long long)value(c));
	}
}

static uint64_t objects(const struct kmem_cache *c)
{
	return (uint64_t)c->num_slabs * c->num;
}

static uint64_t active(const struct kmem_cache *c)
{
	return objects(c) > c->free_objects ? objects(c) - c->free_objects : 0;
}

static uint64_t object_size(const struct kmem_cache *c)
{
	return c->buffer_size;
}

static uint64_t slabs(const struct kmem_cache *c)
{
	return c->num_slabs;
}

static uint64_t slab_pages(const struct kmem_cache *c)
{
	return (uint64_t)c->num_slabs << c->gfporder;
}

static void slabinfo(struct metrics *t)
{
	slab_gauge(t, "slab_active_objects", "Objects not in their slab, as in /proc/slabinfo.",
		   active);
	slab_gauge(t, "slab_objects", "Objects of all slabs.", objects);
	slab_gauge(t, "slab_object_bytes", "Bytes of an object.", object_size);
	slab_gauge(t, "slab_slabs", "Slabs.", slabs);
	slab_gauge(t, "slab_pages", "Pages of all slabs.", slab_pages);
}

static void single(struct metrics *t, const char *name, const char *help, uint64_t value)
{
	family(t, name, help);
	fprintf(t->x->out, "kalloscope_%s %llu\n", name, (unsigned long long)value);
}

static void program(struct metrics *t)
{
	struct process_totals p;
	recording_totals(t->x->rp.r, t->x->rp.p->process, &p);
	single(t, "event", "The moment: number of the event.", t->x->rp.at);
	single(t, "run_allocations", "Allocations of the whole run.", p.allocations);
	single(t, "run_requested_bytes", "Bytes asked for in the whole run.", p.bytes);
	single(t, "run_peak_bytes", "Greatest sum of bytes alive.", p.peak_bytes);
	single(t, "run_live_bytes", "Bytes not given back at the end.", p.live_bytes);
	single(t, "run_failed_allocations", "Allocations that failed.", p.failed);
	single(t, "run_lost_records", "Records the program had to give up.", t->x->rp.p->lost);
}

int export_openmetrics(struct export *x)
{
	char err[512];
	struct replay *p = replay_open(x->rp.r, x->rp.p->process, err, sizeof(err));
	if (!p) {
		cli_error("%s", err);
		return EXIT_FAILURE;
	}
	int ret = replay_seek(p, x->rp.at);
	if (ret)
		cli_error("the recording is damaged after event %llu; the figures are of there",
			  (unsigned long long)replay_position(p));
	struct metrics t = {x, replay_machine(p)};
	buddyinfo(&t);
	zones(&t);
	slabinfo(&t);
	program(&t);
	fputs("# EOF\n", x->out);
	replay_close(p);
	return ret ? EXIT_FAILURE : EXIT_SUCCESS;
}
