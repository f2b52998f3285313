// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "table.h"

#include "flow.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "../core/event.h"
#include "../db/quote.h"
#include "draw/draw.h"
#include "explain.h"

static bool grow(struct table *t)
{
	unsigned room = t->room ? t->room * 2 : 64;
	char **cell = realloc(t->cell, (size_t)room * t->columns * sizeof(*cell));

	if (!cell)
		return false;
	t->cell = cell;
	t->room = room;
	return true;
}

// One row: a text for each column, separated by tabs after formatting.
__attribute__((format(printf, 2, 3))) static void row(struct table *t, const char *fmt, ...)
{
	char text[1024], *at = text;
	va_list ap;

	if (t->rows == TABLE_ROWS || (t->rows == t->room && !grow(t))) {
		t->left_out++;
		return;
	}
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (unsigned c = 0; c < t->columns; c++) {
		size_t n = strcspn(at, "\t");

		t->cell[(size_t)t->rows * t->columns + c] = strndup(at, n);
		at += n + (at[n] != 0);
	}
	t->rows++;
}

static void titles(struct table *t, const char *const *title)
{
	for (t->columns = 0; title[t->columns] && t->columns < TABLE_COLUMNS; t->columns++)
		t->title[t->columns] = title[t->columns];
}

#define TITLES(t, ...) titles(t, (const char *const[]){__VA_ARGS__, NULL})

// Frames of one state that follow each other are one row.
static void map_table(const struct view_model *v, struct table *t)
{
	TITLES(t, "Zone", "First pfn", "Last pfn", "Frames", "State", "Owner");
	for (unsigned z = 0; z < v->nzones; z++)
		for (pfn_t from = v->zone[z].start, to; from < v->zone[z].end; from = to) {
			const struct model_cache *c = NULL;
			uint32_t owner = v->owner[from];

			for (to = from + 1; to < v->zone[z].end && v->state[to] == v->state[from] &&
					    (v->owner[to] == owner || v->state[from] != PS_SLAB);)
				to++;
			if (v->state[from] == PS_SLAB)
				c = model_cache(v, owner);
			row(t, "%s\t0x%x\t0x%x\t%u\t%s\t%s", v->zone[z].name, from, to - 1,
			    to - from, page_state_name(v->state[from]), c ? c->name : "");
		}
}

static void zones_table(const struct view_model *v, struct table *t)
{
	TITLES(t, "Zone", "Order", "Block bytes", "Unmovable", "Reclaimable", "Movable", "Reserve",
	       "Isolate", "All blocks", "Pages");
	for (unsigned z = 0; z < v->nzones; z++)
		for (unsigned o = 0; o < MAX_ORDER; o++) {
			const uint32_t *b = v->zone[z].blocks[o];

			row(t, "%s\t%u\t%u\t%u\t%u\t%u\t%u\t%u\t%u\t%u", v->zone[z].name, o,
			    4096u << o, b[0], b[1], b[2], b[3], b[4], v->zone[z].nr_free[o],
			    v->zone[z].nr_free[o] << o);
		}
}

static void free_list_table(const struct view_model *v, struct table *t)
{
	TITLES(t, "Place", "First pfn", "Last pfn", "Physical address");
	for (unsigned i = 0; i < v->nfree; i++)
		row(t, "%u\t0x%x\t0x%x\t0x%08llx", i + 1, v->free_block[i],
		    v->free_block[i] + (1u << (v->list >> 8 & 255)) - 1,
		    (unsigned long long)v->free_block[i] << PAGE_SHIFT);
}

static void percpu_table(const struct view_model *v, struct table *t)
{
	TITLES(t, "Zone", "CPU", "Count", "High", "Batch", "Unmovable", "Reclaimable", "Movable",
	       "Refilled", "Drained", "Taken", "Given");
	for (unsigned z = 0; z < v->nzones; z++)
		for (unsigned cpu = 0; cpu < v->ncpus; cpu++) {
			const struct model_pcp *p = &v->zone[z].pcp[cpu];

			const struct page_flow f =
				v->flow ? v->flow->page[z][cpu] : (struct page_flow){0};

			row(t, "%s\t%u\t%u\t%u\t%u\t%u\t%u\t%u\t%u\t%u\t%u\t%u", v->zone[z].name,
			    cpu, p->count, p->high, p->batch, p->list[0], p->list[1], p->list[2],
			    f.refilled, f.drained, f.taken, f.given);
		}
}

static void slab_table(const struct view_model *v, struct table *t)
{
	TITLES(t, "Cache", "Object bytes", "Objects a slab", "Order", "Active objects",
	       "All objects", "Slabs", "Partial", "Full", "Free", "Bytes", "Limit", "Batch",
	       "Shared");
	for (unsigned i = 0; i < v->ncaches; i++) {
		const struct model_cache *c = &v->cache[i];

		row(t, "%s\t%u\t%u\t%u\t%u\t%u\t%u\t%u\t%u\t%u\t%llu\t%u\t%u\t%u", c->name,
		    c->object_bytes, c->per_slab, c->order, c->active, c->total, c->slabs,
		    c->list[SLABS_PARTIAL], c->list[SLABS_FULL], c->list[SLABS_FREE],
		    (unsigned long long)c->bytes, c->limit, c->batch, c->shared);
	}
}

static void vmalloc_table(const struct view_model *v, struct table *t)
{
	TITLES(t, "From", "To", "Bytes", "Pages", "Physical", "Caller");
	for (unsigned i = 0; i < v->nareas; i++) {
		const struct model_area *a = &v->area[i];

		row(t, "0x%08x\t0x%08x\t%u\t%u\t0x%llx\t%s", a->start, a->end - 1,
		    a->end - a->start, a->pages, (unsigned long long)a->phys, a->caller);
	}
}

static void highmem_table(const struct view_model *v, struct table *t)
{
	TITLES(t, "Window", "Address", "pkmap_count", "Users", "pfn");
	for (unsigned i = 0; i < LAST_PKMAP; i++) {
		unsigned n = v->kmap.pkmap_count[i];

		if (n)
			row(t, "%u\t0x%08x\t%u\t%u\t0x%x", i, v->kmap.pkmap_base + i * PAGE_SIZE, n,
			    n - 1, v->kmap.pkmap_pfn[i]);
	}
	for (unsigned cpu = 0; cpu < v->ncpus; cpu++)
		for (unsigned d = 0; d < v->kmap.atomic_depth[cpu]; d++)
			row(t, "CPU %u depth %u\t0x%08x\t\t1\t0x%x", cpu, d,
			    v->kmap.fixaddr_top -
				    (v->kmap.fix_kmap_begin + d + KM_TYPE_NR * cpu) * PAGE_SIZE,
			    v->kmap.atomic_pfn[cpu][d]);
}

static void address_table(const struct view_model *v, struct table *t)
{
	TITLES(t, "Page directory entry", "Address", "Value", "Kind");
	for (unsigned i = 0; i < 1024; i++)
		if (v->pgd[i] & _PAGE_PRESENT)
			row(t, "%u\t0x%08x\t0x%08x\t%s", i, i << 22, v->pgd[i],
			    v->pgd[i] & _PAGE_PSE ? "maps 4 MiB" : "page table");
	row(t, "walk\t0x%08x\t%s\t%s", v->walk.t.addr, v->walk.t.present ? "present" : "not mapped",
	    v->walk.owner);
}

static void summary_table(const struct view_model *v, struct table *t)
{
	static const char *const list[SITE_ORDERS] = {"peak", "calls", "not freed", "temporary"};
	const struct model_summary *s = v->summary;

	TITLES(t, "List", "Function", "Callers", "Calls", "Bytes", "Peak bytes", "Live bytes",
	       "Live blocks", "Temporary");
	for (unsigned o = 0; s && o < SITE_ORDERS; o++)
		for (unsigned i = 0; i < s->nsites[o]; i++) {
			const struct site_row *f = &s->site[o][i].figures;

			row(t, "%s\t%s\t%s\t%llu\t%llu\t%llu\t%llu\t%llu\t%llu", list[o],
			    s->site[o][i].function, s->site[o][i].caller,
			    (unsigned long long)f->calls, (unsigned long long)f->bytes,
			    (unsigned long long)f->peak_bytes, (unsigned long long)f->live_bytes,
			    (unsigned long long)f->live_count, (unsigned long long)f->temporary);
		}
}

static void timeline_table(const struct view_model *v, struct table *t)
{
	TITLES(t, "First event", "Last event", "ns", "DMA pages min", "DMA pages max",
	       "Normal pages min", "Normal pages max", "HighMem pages min", "HighMem pages max",
	       "Program bytes min", "Program bytes max", "Host bytes min", "Host bytes max",
	       "Failures");
	for (unsigned i = 0; i < v->nbuckets; i++) {
		const struct timeline_bucket *b = &v->bucket[i];
		char text[512];
		int n = snprintf(text, sizeof(text), "%llu\t%llu\t%lld",
				 (unsigned long long)b->first_event,
				 (unsigned long long)b->last_event, (long long)b->t_ns);

		for (unsigned k = 0; k < TL_ITEMS; k++)
			n += snprintf(text + n, sizeof(text) - (size_t)n, "\t%llu\t%llu",
				      (unsigned long long)b->min[k], (unsigned long long)b->max[k]);
		row(t, "%s\t%u", text, b->failures);
	}
}

static void happened_table(const struct view_model *v, struct table *t)
{
	TITLES(t, "Step", "What");
	for (unsigned i = 0; v->happened && i < v->happened->n; i++)
		row(t, "%s\t%s", v->happened->line[i].name, v->happened->line[i].text);
}

static void steps_table(const struct view_model *v, struct table *t)
{
	char text[300];

	TITLES(t, "Number", "Step", "Times", "What");
	for (unsigned i = 0; v->steps && i < v->steps->n; i++) {
		const struct step *s = &v->steps->step[i];

		step_sentence(v, s, text, sizeof(text));
		row(t, "%u\t%s\t%u\t%s", i + 1, event_name(s->t.kind), s->run, text);
	}
}

static void calls_table(const struct calltree *tree, struct table *t)
{
	TITLES(t, "Depth", "Function", "Peak bytes", "Live bytes", "Calls", "Temporary", "Bytes");
	for (uint32_t i = 1; tree && i < calltree_size(tree); i++) {
		const struct call_node *n = calltree_node(tree, i);

		row(t, "%u\t%s\t%llu\t%llu\t%llu\t%llu\t%llu", n->depth, calltree_name(tree, i),
		    (unsigned long long)n->cost[COST_PEAK], (unsigned long long)n->cost[COST_LIVE],
		    (unsigned long long)n->cost[COST_CALLS],
		    (unsigned long long)n->cost[COST_TEMPORARY],
		    (unsigned long long)n->cost[COST_BYTES]);
	}
}

static void processes_table(const struct view_model *v, struct table *t)
{
	TITLES(t, "Process", "Parent", "How", "pid", "Start ns", "End ns", "Events", "Program",
	       "Arguments");
	for (unsigned i = 0; i < v->nprocesses; i++) {
		const struct process_info *p = &v->processes[i];

		row(t, "%d\t%d\t%s\t%d\t%llu\t%llu\t%llu\t%s\t%s", p->process, p->parent,
		    p->how == 1	  ? "fork"
		    : p->how == 2 ? "exec"
				  : "first",
		    p->pid, (unsigned long long)p->start_ns, (unsigned long long)p->end_ns,
		    (unsigned long long)p->events, p->exe, p->argv);
	}
}

static void boot_table(const struct view_model *v, struct table *t)
{
	TITLES(t, "Map", "From", "To", "Bytes");
	for (unsigned i = 0; v->boot && i < v->boot->map.nr_map && i < E820MAX; i++) {
		const struct e820entry *e = &v->boot->map.map[i];

		row(t, "e820 type %u\t0x%llx\t0x%llx\t%llu", e->type, (unsigned long long)e->addr,
		    (unsigned long long)(e->addr + e->size - 1), (unsigned long long)e->size);
	}
	for (unsigned k = 0; v->boot && k < 2; k++) {
		const struct memblock_type *m =
			k ? &v->boot->memblock.reserved : &v->boot->memblock.memory;

		for (unsigned i = 0; i < m->cnt && i < MEMBLOCK_REGIONS_MAX; i++)
			row(t, "%s\t0x%x\t0x%x\t%u", k ? "reserved" : "memory", m->regions[i].base,
			    m->regions[i].base + m->regions[i].size - 1, m->regions[i].size);
	}
}

static void flame_table(const struct view_model *v, struct table *t)
{
	calls_table(v->calls, t);
}

static void sites_table(const struct view_model *v, struct table *t)
{
	calls_table(v->callers, t);
}

bool table_build(const struct view_model *v, const char *view, struct table *t)
{
	static const struct {
		const char *view;
		void (*build)(const struct view_model *v, struct table *t);
	} tables[] = {
		{"map", map_table},
		{"zones", zones_table},
		{"free-list", free_list_table},
		{"percpu", percpu_table},
		{"slab", slab_table},
		{"vmalloc", vmalloc_table},
		{"highmem", highmem_table},
		{"address", address_table},
		{"summary", summary_table},
		{"timeline", timeline_table},
		{"event", happened_table},
		{"steps", steps_table},
		{"flame", flame_table},
		{"sites", sites_table},
		{"processes", processes_table},
		{"boot", boot_table},
	};

	*t = (struct table){0};
	for (unsigned i = 0; i < sizeof(tables) / sizeof(*tables); i++)
		if (!strcmp(tables[i].view, view)) {
			tables[i].build(v, t);
			return true;
		}
	return false;
}

void table_build_calls(const struct calltree *tree, struct table *t)
{
	*t = (struct table){0};
	calls_table(tree, t);
}

const char *table_cell_text(const struct table *t, unsigned r, unsigned c)
{
	const char *s = r < t->rows && c < t->columns ? t->cell[(size_t)r * t->columns + c] : NULL;

	return s ? s : "";
}

void table_finish(struct table *t)
{
	for (size_t i = 0; i < (size_t)t->rows * t->columns; i++)
		free(t->cell[i]);
	free(t->cell);
	*t = (struct table){0};
}

void table_append_csv(const struct table *t, GString *csv)
{
	for (unsigned c = 0; c < t->columns; c++) {
		csv_quote(csv, t->title[c]);
		g_string_append(csv, c + 1 == t->columns ? "\r\n" : ",");
	}
	for (unsigned r = 0; r < t->rows; r++)
		for (unsigned c = 0; c < t->columns; c++) {
			csv_quote(csv, table_cell_text(t, r, c));
			g_string_append(csv, c + 1 == t->columns ? "\r\n" : ",");
		}
}

int table_write_csv(const struct table *t, FILE *f)
{
	g_autoptr(GString) csv = g_string_new(NULL);

	table_append_csv(t, csv);
	return fwrite(csv->str, 1, csv->len, f) == csv->len ? 0 : -1;
}
