// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// massif's output, for ms_print and massif-visualizer: the curve from the timeline, and at the peak
// the tree of who held the memory. What rounding up costs is not known per moment and left at 0.
#include <stdlib.h>

#include "call_tree.h"
#include "export.h"

enum {
	SNAPSHOTS = 72, // as wide as ms_print's graph
	THRESHOLD = 100 // branches below 1/100 are put together, as massif does
};

struct massif {
	struct export *x;
	unsigned snapshots;
	uint64_t last_ms;
	uint64_t peak_event, peak_bytes;
	bool peak_done;
	struct call_node *tree; // of the peak
};

// Clocks of CPUs differ by a little: time never goes back.
static void snapshot(struct massif *m, int64_t t_ns, uint64_t bytes, const char *tree)
{
	uint64_t ms = t_ns > 0 ? (uint64_t)t_ns / 1000000 : 0;
	m->last_ms = ms > m->last_ms ? ms : m->last_ms;
	fprintf(m->x->out,
		"#-----------\nsnapshot=%u\n#-----------\ntime=%llu\nmem_heap_B=%llu\n"
		"mem_heap_extra_B=0\nmem_stacks_B=0\nheap_tree=%s\n",
		m->snapshots++, (unsigned long long)m->last_ms, (unsigned long long)bytes, tree);
}

static void print_node(struct massif *m, const struct call_node *n, unsigned depth)
{
	g_autoptr(GPtrArray) a = call_tree_children(n);
	guint shown = 0;
	uint64_t small = 0;
	for (; shown < a->len; shown++)
		if (((struct call_node *)a->pdata[shown])->value * THRESHOLD < m->peak_bytes)
			break;
	for (guint i = shown; i < a->len; i++)
		small += ((struct call_node *)a->pdata[i])->value;
	fprintf(m->x->out, "%*sn%u: %llu ", (int)depth, "", shown + (shown < a->len),
		(unsigned long long)n->value);
	if (n->function) {
		g_autofree char *name = export_plain(n->function, '\n', ' ');
		fprintf(m->x->out, "0x0: %s\n", name);
	} else {
		fputs("(heap allocation functions) malloc, mmap and their kin\n", m->x->out);
	}
	for (guint i = 0; i < shown; i++)
		print_node(m, a->pdata[i], depth + 1);
	if (shown < a->len)
		fprintf(m->x->out,
			"%*sn0: %llu in %u place%s, all below massif's threshold (1.00%%)\n",
			(int)depth + 1, "", (unsigned long long)small, a->len - shown,
			plural(a->len - shown));
}

static void add(void *ctx, const struct site_figures *f, const struct site_frame *frame, unsigned n)
{
	struct massif *m = ctx;
	(void)frame;
	(void)n;
	if (f->peak_bytes)
		call_tree_add(m->tree, &m->x->rp, f->stack, f->peak_bytes);
}

// Blocks inherited over fork are in the peak, but their stacks are the parent's.
static void peak_snapshot(struct massif *m)
{
	struct event_row row = {0};
	m->peak_done = true;
	m->tree = call_tree_new();
	export_stacks(m->x, add, m);
	recording_rows(m->x->rp.r, m->peak_event, 1, &row);
	snapshot(m, row.t_ns, m->peak_bytes, "peak");
	print_node(m, m->tree, 0);
	call_tree_free(m->tree);
}

static void curve(struct massif *m)
{
	struct timeline_bucket b[SNAPSHOTS];
	const struct report *rp = &m->x->rp;
	unsigned n = recording_timeline(rp->r, rp->p->process, rp->from, rp->to, b, SNAPSHOTS);
	for (unsigned i = 0; i < n; i++) {
		if (!m->peak_done && m->peak_event && m->peak_event <= b[i].last_event)
			peak_snapshot(m);
		else
			snapshot(m, b[i].t_ns, b[i].max[TL_PROGRAM_BYTES], "empty");
	}
	if (!m->peak_done && m->peak_bytes)
		peak_snapshot(m);
}

int export_massif(struct export *x)
{
	struct process_totals t = {0};
	const struct process_info *p = x->rp.p;
	g_autofree char *cmd = export_plain(*p->argv ? p->argv : p->exe, '\n', ' ');
	recording_totals(x->rp.r, p->process, &t);
	struct massif m = {.x = x, .peak_event = t.peak_event, .peak_bytes = t.peak_bytes};
	fprintf(x->out, "desc: recorded by kalloscope\ncmd: %s\ntime_unit: ms\n", cmd);
	snapshot(&m, (int64_t)p->start_ns, 0, "empty");
	curve(&m);
	snapshot(&m, (int64_t)p->end_ns, t.live_bytes, "empty");
	return EXIT_SUCCESS;
}
