// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Reports sites and temporary: which call sites allocate, and which give back at once.
#include <stdlib.h>

#include "report.h"

static int more(uint64_t a, uint64_t b)
{
	return a > b ? -1 : a < b;
}

// By calls, then by bytes; the stack's number last, so that equals keep their order.
static int by_calls(gconstpointer pa, gconstpointer pb)
{
	const struct site_figures *a = pa, *b = pb;
	int d = more(a->calls, b->calls);
	d = d ? d : more(a->bytes, b->bytes);
	return d ? d : more(b->stack, a->stack);
}

static int by_temporary(gconstpointer pa, gconstpointer pb)
{
	const struct site_figures *a = pa, *b = pb;
	int d = more(a->temporary, b->temporary);
	return d ? d : more(b->stack, a->stack);
}

static struct site_figures total(const GArray *a)
{
	struct site_figures t = {0};
	for (guint i = 0; i < a->len; i++) {
		const struct site_figures *f = &g_array_index(a, struct site_figures, i);
		t.calls += f->calls;
		t.bytes += f->bytes;
		t.live_count += f->live_count;
		t.live_bytes += f->live_bytes;
		t.peak_bytes += f->peak_bytes;
		t.temporary += f->temporary;
	}
	return t;
}

static guint rows(const struct report *rp, const GArray *a)
{
	return rp->top && rp->top < a->len ? rp->top : a->len;
}

static uint64_t thousandths(uint64_t part, uint64_t all)
{
	return all ? (uint64_t)((double)part * 1000 / (double)all + 0.5) : 0;
}

static uint64_t calls_of(const struct site_figures *f)
{
	return f->calls;
}

static uint64_t temporary_of(const struct site_figures *f)
{
	return f->temporary;
}

static void print_sites(struct report *rp, const GArray *a, const struct site_figures *t)
{
	static const struct column columns[] = {{"calls", "calls", CELL_COUNT},
						{"bytes", "bytes", CELL_BYTES},
						{"live_bytes", "live", CELL_BYTES},
						{"peak_share", "of peak", CELL_SHARE},
						{"temporary", "temp", CELL_COUNT},
						{"stack", "call site < callers", CELL_STACK},
						{0}};
	static const struct column in_window[] = {{"calls", "calls", CELL_COUNT},
						  {"bytes", "bytes", CELL_BYTES},
						  {"live_bytes", "live", CELL_BYTES},
						  {"temporary", "temp", CELL_COUNT},
						  {"stack", "call site < callers", CELL_STACK},
						  {0}};
	out_table(rp, "sites", rp->window ? in_window : columns);
	for (guint i = 0; i < rows(rp, a); i++) {
		const struct site_figures *f = &g_array_index(a, struct site_figures, i);
		if (rp->window)
			out_row(rp, f->calls, f->bytes, f->live_bytes, f->temporary, f->stack);
		else
			out_row(rp, f->calls, f->bytes, f->live_bytes,
				thousandths(f->peak_bytes, t->peak_bytes), f->temporary, f->stack);
	}
	out_end(rp);
	if (rows(rp, a) < a->len)
		out_note(rp, "%s more; --top=0 shows all", fmt_count(a->len - rows(rp, a)));
}

int report_sites(struct report *rp)
{
	g_autoptr(GArray) a = site_figures(rp);
	struct site_figures t = total(a);
	g_array_sort(a, by_calls);
	out_title(rp, "%s call site%s, %s call%s, %s", fmt_count(a->len), plural(a->len),
		  fmt_count(t.calls), plural(t.calls), fmt_bytes(t.bytes));
	if (rp->tree)
		report_tree(rp, a, calls_of, "calls", CELL_COUNT);
	else
		print_sites(rp, a, &t);
	return EXIT_SUCCESS;
}

int report_temporary(struct report *rp)
{
	static const struct column columns[] = {{"temporary", "temporary", CELL_COUNT},
						{"share", "of calls", CELL_SHARE},
						{"bytes", "bytes", CELL_BYTES},
						{"stack", "call site < callers", CELL_STACK},
						{0}};
	g_autoptr(GArray) a = site_figures(rp);
	struct site_figures t = total(a);
	guint n = 0;
	g_array_sort(a, by_temporary);
	out_title(rp, "%s of %s allocations (%.1f %%) are given back by the thread's next call",
		  fmt_count(t.temporary), fmt_count(t.calls),
		  (double)thousandths(t.temporary, t.calls) / 10);
	if (rp->tree) {
		report_tree(rp, a, temporary_of, "temporary", CELL_COUNT);
		return EXIT_SUCCESS;
	}
	out_table(rp, "temporary", columns);
	for (; n < rows(rp, a); n++) {
		const struct site_figures *f = &g_array_index(a, struct site_figures, n);
		if (!f->temporary)
			break;
		out_row(rp, f->temporary, thousandths(f->temporary, f->calls), f->bytes, f->stack);
	}
	out_end(rp);
	return EXIT_SUCCESS;
}
