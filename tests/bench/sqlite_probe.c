// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// sqlite_probe RECORDING COPY: how fast SQLite inserts the rows of a recording when nothing else is
// done: same schema, same settings, from tables of the same shape in memory, whose records it copies whole
// where it can. Prints rows and seconds.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../db/inserter.h"

enum {
	COMMIT_ROWS = 1 << 20
};

static const struct {
	const char *name, *declaration, *order;
} tables[] = {
	{"event_row", "(call INTEGER, addr INTEGER, arg INTEGER)", "rowid"},
	{"clock", "(event INTEGER PRIMARY KEY, t_ns INTEGER)", "event"},
	{"transition",
	 "(event INTEGER, seq INTEGER, context INTEGER, pfn INTEGER, addr INTEGER, count INTEGER,"
	 " stride INTEGER, value INTEGER, PRIMARY KEY(event, seq)) WITHOUT ROWID",
	 "event, seq"},
};

static void run(sqlite3 *db, const char *sql)
{
	if (!sqlite3_exec(db, sql, NULL, NULL, NULL))
		return;
	fprintf(stderr, "%s: %s\n", sql, sqlite3_errmsg(db));
	exit(1);
}

// Up to a commit's rows of the table; how many. Adds to *ns what inserting them takes.
static size_t insert(sqlite3 *db, unsigned t, size_t from, uint64_t *ns)
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

	run(db, take);
	rows = (size_t)sqlite3_changes64(db);
	start = clock_monotonic_ns();
	run(db, give);
	*ns += clock_monotonic_ns() - start;
	run(db, drop);
	sqlite3_free(take);
	sqlite3_free(give);
	sqlite3_free(drop);
	return rows;
}

int main(int argc, char **argv)
{
	static struct inserter ins;
	static char err[ERR_LEN];
	size_t rows = 0, n, done;
	uint64_t ns = 0;
	char *attach;

	if (argc != 3)
		return 2;
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
		for (done = 0; (n = insert(ins.db, t, done, &ns)); done += n)
			rows += n;
	store_close(&ins);
	printf("%zu %.3f\n", rows, (double)ns * 1e-9);
	return ins.error != 0;
}
