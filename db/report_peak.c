// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Report peak: what was alive when the process held most, or held most within a part of its life.
#include <stdlib.h>

#include "report.h"

// The process' row knows the moment; its bytes include blocks inherited over fork, which are
// counted with the parent's stacks.
static void peak_moment(struct report *rp, uint64_t *event, uint64_t *bytes)
{
	sqlite3_stmt *s = NULL;
	*event = *bytes = 0;
	sqlite3_prepare_v2(rp->db, "SELECT peak_event, peak_bytes FROM process WHERE process = ?1",
			   -1, &s, NULL);
	sqlite3_bind_int(s, 1, rp->p->process);
	if (s && sqlite3_step(s) == SQLITE_ROW) {
		*event = (uint64_t)sqlite3_column_int64(s, 0);
		*bytes = (uint64_t)sqlite3_column_int64(s, 1);
	}
	sqlite3_finalize(s);
}

// ---- within a window

struct climb {
	struct report *rp; // from the process' first event to the window's last
	uint64_t begin;	   // of the window
	uint64_t *held;	   // bytes of the block that event made, by its place in the process
	uint64_t now, most, event;
};

static void climb_on(void *ctx, const struct scan_event *e)
{
	struct climb *c = ctx;
	uint64_t place = e->id - c->rp->from;
	if (e->back && e->back <= place) {
		c->now -= c->held[place - e->back];
		c->held[place - e->back] = 0;
	}
	if (scan_gives(e) && !is_only_addresses(e->c->path, e->c->cache)) {
		c->held[place] = e->req;
		c->now += e->req;
	}
	if (e->id >= c->begin && (!c->event || c->now > c->most)) {
		c->most = c->now;
		c->event = e->id;
	}
}

// The highest moment of the window; afterwards the report's window is all up to it, so that what
// lives at its end is what lived at the peak.
static GArray *window_peak(struct report *rp, uint64_t *event, uint64_t *bytes)
{
	struct climb c = {.rp = rp, .begin = rp->from};
	rp->from = rp->p->first_event;
	c.held = g_new0(uint64_t, rp->to >= rp->from ? rp->to - rp->from + 1 : 1);
	report_scan(rp, true, climb_on, &c);
	g_free(c.held);
	*event = c.event;
	*bytes = c.most;
	rp->to = c.event;
	return site_figures(rp);
}

static uint64_t alive_then(const struct site_figures *f)
{
	return f->live_bytes;
}

static uint64_t alive_at_peak(const struct site_figures *f)
{
	return f->peak_bytes;
}

int report_peak(struct report *rp)
{
	uint64_t event, bytes;
	g_autoptr(GArray) a = NULL;
	if (rp->window) {
		a = window_peak(rp, &event, &bytes);
	} else {
		peak_moment(rp, &event, &bytes);
		a = site_figures(rp);
	}
	if (output_json(rp->out)) {
		out_figure(rp, "peak_event", "", CELL_COUNT, event);
		out_figure(rp, "peak_bytes", "", CELL_BYTES, bytes);
	}
	out_title(rp, "%s requested and alive at event %s, %s", fmt_bytes(bytes), fmt_count(event),
		  rp->top_down ? "from main to the sites" : "from the sites to their callers");
	uint64_t shown =
		report_tree(rp, a, rp->window ? alive_then : alive_at_peak, "bytes", CELL_BYTES);
	if (!rp->wanted && bytes > shown)
		out_note(rp, "%s more inherited over fork", fmt_bytes(bytes - shown));
	return EXIT_SUCCESS;
}
