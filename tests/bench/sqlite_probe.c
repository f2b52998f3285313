// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// sqlite_probe RECORDING COPY: how fast SQLite takes the rows of a recording when nothing else is
// done: same schema, same settings, same virtual tables, rows ready in memory. Prints rows and
// seconds.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../db/inserter.h"

enum {
	COMMIT_ROWS = 1 << 20
};

static const struct {
	enum batch_id id;
	const char *sql;
	int columns;
} tables[] = {
	{BATCH_EVENT, "SELECT call, addr, arg FROM event_row ORDER BY rowid", 3},
	{BATCH_CLOCK, "SELECT event, t_ns FROM clock ORDER BY event", 2},
	{BATCH_TRANSITION, "SELECT * FROM transition ORDER BY event, seq", 8},
};

static int64_t *load(sqlite3 *db, const char *sql, int columns, size_t *n)
{
	int64_t *cell = NULL;
	size_t room = 0;
	sqlite3_stmt *s = NULL;

	*n = 0;
	sqlite3_prepare_v2(db, sql, -1, &s, NULL);
	while (s && sqlite3_step(s) == SQLITE_ROW) {
		if (*n == room) {
			room = room * 2 + 4096;
			cell = realloc(cell, room * (size_t)columns * sizeof(*cell));
			if (!cell)
				abort();
		}
		for (int c = 0; c < columns; c++)
			cell[*n * (size_t)columns + (size_t)c] =
				sqlite3_column_type(s, c) == SQLITE_NULL
					? CELL_NULL
					: sqlite3_column_int64(s, c);
		++*n;
	}
	sqlite3_finalize(s);
	return cell;
}

static size_t insert(struct inserter *ins, sqlite3 *from, unsigned t)
{
	size_t n, bytes = (size_t)tables[t].columns * sizeof(int64_t);
	int64_t *cell = load(from, tables[t].sql, tables[t].columns, &n);
	uint64_t start = clock_monotonic_ns();

	for (size_t i = 0; i < n; i++) {
		memcpy(batch_row(ins, tables[t].id), cell + i * (size_t)tables[t].columns, bytes);
		if (i % COMMIT_ROWS == COMMIT_ROWS - 1)
			store_commit(ins);
	}
	store_commit(ins);
	store_wait(ins);
	ins->last_t_ns += (int64_t)(clock_monotonic_ns() - start);
	free(cell);
	return n;
}

int main(int argc, char **argv)
{
	static struct inserter ins;
	static char err[ERR_LEN];
	sqlite3 *from = NULL;
	size_t rows = 0;

	if (argc != 3 || sqlite3_open_v2(argv[1], &from, SQLITE_OPEN_READONLY, NULL))
		return 2;
	ins.err = err;
	snprintf(ins.output, sizeof(ins.output), "%s", argv[2]);
	if (store_open(&ins)) {
		fprintf(stderr, "%s\n", err);
		return 1;
	}
	store_commit(&ins);
	store_wait(&ins);
	for (unsigned t = 0; t < sizeof(tables) / sizeof(tables[0]); t++)
		rows += insert(&ins, from, t);
	store_close(&ins);
	sqlite3_close(from);
	printf("%zu %.3f\n", rows, (double)ins.last_t_ns * 1e-9);
	return ins.error != 0;
}
