// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Report storage: what the recording's own file is made of, per event.
#include "report.h"

static uint64_t number(struct report *rp, const char *sql)
{
	sqlite3_stmt *s = NULL;
	uint64_t n = 0;

	sqlite3_prepare_v2(rp->db, sql, -1, &s, NULL);
	if (s && sqlite3_step(s) == SQLITE_ROW)
		n = (uint64_t)sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return n;
}

// Pages the machine gave out or took back, however many a block had.
static uint64_t pages_moved(struct report *rp)
{
	return number(rp, "SELECT ifnull(sum(t.count << c.\"order\"), 0) FROM transition t"
			  " JOIN transition_context c USING (context) JOIN kind_name k USING (kind)"
			  " WHERE k.name IN ('mm_page_alloc', 'mm_page_free')");
}

int report_storage(struct report *rp)
{
	static const struct column columns[] = {{"table", "table", CELL_TEXT},
						{"bytes", "size", CELL_BYTES},
						{"share", "share", CELL_SHARE},
						{"per_event", "bytes an event", CELL_NUMBER},
						{0}};
	uint64_t events = recording_events(rp->r), pages = pages_moved(rp);
	uint64_t bytes = number(rp, "SELECT page_count * page_size FROM pragma_page_count,"
				    " pragma_page_size");
	sqlite3_stmt *s = NULL;

	if (sqlite3_prepare_v2(
		    rp->db,
		    "SELECT name, sum(pgsize) FROM dbstat GROUP BY name ORDER BY 2 DESC, 1"
		    " LIMIT ?1",
		    -1, &s, NULL)) {
		cli_error("this SQLite was built without dbstat, which knows the tables' sizes");
		return EXIT_USAGE;
	}
	sqlite3_bind_int64(s, 1, rp->top ? (int64_t)rp->top : -1);
	out_title(rp, "%s for %s event%s: %.1f bytes each", fmt_bytes(bytes), fmt_count(events),
		  plural(events), events ? (double)bytes / (double)events : 0.0);
	out_figure(rp, "bytes", "file", CELL_BYTES, bytes);
	out_figure(rp, "events", "events", CELL_COUNT, events);
	out_figure(rp, "pages_moved", "simulated pages moved", CELL_COUNT, pages);
	out_table(rp, "tables", columns);
	while (sqlite3_step(s) == SQLITE_ROW) {
		uint64_t size = (uint64_t)sqlite3_column_int64(s, 1);
		g_autofree char *each =
			g_strdup_printf("%.2f", events ? (double)size / (double)events : 0.0);

		out_row(rp, (const char *)sqlite3_column_text(s, 0), size,
			bytes ? size * 1000 / bytes : (uint64_t)0, each);
	}
	sqlite3_finalize(s);
	out_end(rp);
	return EXIT_SUCCESS;
}
