// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// sqlite_probe RECORDING COPY bind|table|copy: how fast SQLite inserts the rows of a recording when nothing
// else is done, with the same schema and settings: numbers bound to a prepared statement and stepped; numbers
// from a virtual table over them; or records that stand in tables in memory already and are copied whole
// where SQLite can. Prints rows and seconds.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../db/inserter.h"

enum {
	COMMIT_ROWS = 1 << 20
};

static const struct {
	const char *name, *declaration, *order;
	int columns;
} tables[] = {
	{"event_row", "(call INTEGER, addr INTEGER, arg INTEGER)", "rowid", 3},
	{"clock", "(event INTEGER PRIMARY KEY, t_ns INTEGER)", "event", 2},
	{"transition",
	 "(event INTEGER, seq INTEGER, context INTEGER, pfn INTEGER, addr INTEGER, count INTEGER,"
	 " stride INTEGER, value INTEGER, PRIMARY KEY(event, seq)) WITHOUT ROWID",
	 "event, seq", 8},
};

static void run(sqlite3 *db, const char *sql)
{
	if (!sqlite3_exec(db, sql, NULL, NULL, NULL))
		return;
	fprintf(stderr, "%s: %s\n", sql, sqlite3_errmsg(db));
	exit(1);
}

// Up to a commit's rows of the table; how many. Adds to *ns what inserting them takes.
static size_t copied(struct inserter *ins, unsigned t, size_t from, uint64_t *ns)
{
	char *take = sqlite3_mprintf("CREATE TABLE ready.%s%s; INSERT INTO ready.%s SELECT * FROM"
				     " recording.%s ORDER BY %s LIMIT %d OFFSET %lld",
				     tables[t].name, tables[t].declaration, tables[t].name,
				     tables[t].name, tables[t].order, COMMIT_ROWS, (long long)from);
	char *give = sqlite3_mprintf("BEGIN; INSERT INTO main.%s SELECT * FROM ready.%s; COMMIT",
				     tables[t].name, tables[t].name);
	char *drop = sqlite3_mprintf("DROP TABLE ready.%s", tables[t].name);
	size_t rows;
	uint64_t start;

	run(ins->db, take);
	rows = (size_t)sqlite3_changes64(ins->db);
	start = clock_monotonic_ns();
	run(ins->db, give);
	*ns += clock_monotonic_ns() - start;
	run(ins->db, drop);
	sqlite3_free(take);
	sqlite3_free(give);
	sqlite3_free(drop);
	return rows;
}

static sqlite3_stmt *prepare(sqlite3 *db, char *sql) // sql: freed
{
	sqlite3_stmt *s;

	if (sqlite3_prepare_v2(db, sql, -1, &s, NULL)) {
		fprintf(stderr, "%s: %s\n", sql, sqlite3_errmsg(db));
		exit(1);
	}
	sqlite3_free(sql);
	return s;
}

// The same rows as numbers.
static void read_numbers(sqlite3 *db, unsigned t, size_t from, struct batch *b)
{
	sqlite3_stmt *s = prepare(
		db, sqlite3_mprintf("SELECT * FROM recording.%s ORDER BY %s LIMIT %d OFFSET %lld",
				    tables[t].name, tables[t].order, COMMIT_ROWS, (long long)from));
	int64_t *cell = b->cell;

	for (b->rows = 0; sqlite3_step(s) == SQLITE_ROW; b->rows++)
		for (int c = 0; c < tables[t].columns; c++)
			*cell++ = sqlite3_column_type(s, c) == SQLITE_NULL
					  ? CELL_NULL
					  : sqlite3_column_int64(s, c);
	sqlite3_finalize(s);
}

static void bind_numbers(sqlite3 *db, unsigned t, const struct batch *b)
{
	static const char marks[] = "?,?,?,?,?,?,?,?";
	sqlite3_stmt *s =
		prepare(db, sqlite3_mprintf("INSERT INTO main.%s VALUES(%.*s)", tables[t].name,
					    tables[t].columns * 2 - 1, marks));
	const int64_t *cell = b->cell;

	for (size_t row = 0; row < b->rows; row++) {
		for (int c = 1; c <= tables[t].columns; c++, cell++)
			if (*cell != CELL_NULL)
				sqlite3_bind_int64(s, c, *cell);
			else
				sqlite3_bind_null(s, c);
		if (sqlite3_step(s) != SQLITE_DONE)
			exit(1);
		sqlite3_reset(s);
	}
	sqlite3_finalize(s);
}

static size_t numbered(struct inserter *ins, unsigned t, size_t from, uint64_t *ns, bool bind)
{
	static const enum batch_id ids[] = {BATCH_EVENT, BATCH_CLOCK, BATCH_TRANSITION};
	static const char *const batch[] = {"event_batch", "clock_batch", "transition_batch"};
	struct batch *b =
		malloc(sizeof(*b) + sizeof(int64_t) * COMMIT_ROWS * (size_t)tables[t].columns);
	size_t rows;
	uint64_t start;

	if (!b)
		exit(1);
	b->id = ids[t];
	read_numbers(ins->db, t, from, b);
	ins->batch_stored = b;
	start = clock_monotonic_ns();
	run(ins->db, "BEGIN");
	if (bind) {
		bind_numbers(ins->db, t, b);
	} else {
		char *give = sqlite3_mprintf("INSERT INTO main.%s SELECT * FROM main.%s",
					     tables[t].name, batch[t]);

		run(ins->db, give);
		sqlite3_free(give);
	}
	run(ins->db, "COMMIT");
	*ns += clock_monotonic_ns() - start;
	rows = b->rows;
	free(b);
	return rows;
}

int main(int argc, char **argv)
{
	static struct inserter ins;
	static char err[ERR_LEN];
	size_t rows = 0, n, done;
	uint64_t ns = 0;
	char *attach;
	bool copy, bind;

	if (argc != 4)
		return 2;
	copy = !strcmp(argv[3], "copy");
	bind = !strcmp(argv[3], "bind");
	ins.err = err;
	snprintf(ins.output, sizeof(ins.output), "%s", argv[2]);
	if (store_open(&ins)) {
		fprintf(stderr, "%s\n", err);
		return 1;
	}
	store_commit(&ins);
	store_wait(&ins);
	attach = sqlite3_mprintf("ATTACH %Q AS recording; ATTACH ':memory:' AS ready", argv[1]);
	run(ins.db, attach);
	sqlite3_free(attach);
	for (unsigned t = 0; t < sizeof(tables) / sizeof(tables[0]); t++)
		for (done = 0;
		     (n = copy ? copied(&ins, t, done, &ns) : numbered(&ins, t, done, &ns, bind));
		     done += n)
			rows += n;
	store_close(&ins);
	printf("%zu %.3f\n", rows, (double)ns * 1e-9);
	return ins.error != 0;
}
