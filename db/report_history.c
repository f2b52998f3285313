// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Report history: every owner of an address, from allocation to free.
#include <stdlib.h>

#include "report.h"

// The block that holds the address now. One at a time: addresses are not given out twice, except
// that a block's end may be unknown (ref 0).
struct history {
	struct report *rp;
	uint64_t owner, owners, shown, skipped; // owner: id of its allocation, 0 none
	uint64_t start;
};

static uint64_t unsigned_address(int64_t stored)
{
	return stored < 0 ? (uint64_t)(stored + (1ll << 32)) : (uint64_t)stored;
}

static bool holds(const struct history *h, const struct scan_event *e)
{
	uint64_t start = unsigned_address(e->addr), size = scan_taken(e);
	return scan_gives(e) && h->rp->addr >= start && h->rp->addr - start < (size ? size : 1);
}

static void row(struct history *h, const struct scan_event *e, const char *what, uint64_t start)
{
	if (h->rp->top && h->shown >= h->rp->top * 2) {
		h->skipped++;
		return;
	}
	h->shown++;
	out_row(h->rp, e->id, (uint64_t)(e->t_ns > 0 ? e->t_ns : 0), what, start, e->req,
		(uint64_t)e->stack);
}

// A realloc may end one owner and begin the next; growing in place it does both. All events are
// looked at, whatever --filter, or owners would seem to live on.
static void add(void *ctx, const struct scan_event *e)
{
	struct history *h = ctx;
	const char *kind = event_name((enum event_kind)e->c->kind);
	bool begins = holds(h, e);
	if (h->owner && e->back && e->id - e->back == h->owner) {
		if (!begins)
			row(h, e, kind, h->start);
		h->owner = 0;
	}
	if (!begins)
		return;
	h->owner = e->id;
	h->owners += stack_wanted(h->rp, e->stack);
	h->start = unsigned_address(e->addr);
	if (stack_wanted(h->rp, e->stack))
		row(h, e, kind, h->start);
	else
		h->owner = 0;
}

int report_history(struct report *rp)
{
	static const struct column columns[] = {{"event", "event", CELL_COUNT},
						{"t_ns", "at", CELL_TIME},
						{"kind", "call", CELL_TEXT},
						{"addr", "block", CELL_HEX},
						{"req", "bytes", CELL_BYTES},
						{"stack", "by < callers", CELL_STACK},
						{0}};
	struct history h = {.rp = rp};
	out_table(rp, "history", columns);
	report_scan_address(rp, (kaddr_t)rp->addr, add, &h);
	out_end(rp);
	if (h.skipped)
		out_note(rp, "%s more events; --top=0 shows all", fmt_count(h.skipped));
	out_note(rp, "%s owner%s of 0x%llx%s", fmt_count(h.owners), plural(h.owners),
		 (unsigned long long)rp->addr, h.owner ? "; the last one still holds it" : "");
	return EXIT_SUCCESS;
}
