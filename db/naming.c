// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Names of addresses, found while the other thread still stores: modules and addresses are in a
// database in memory as well, which symbols.c fills with frames as it would the recording.
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "inserter.h"
#include "schema.h"
#include "symbols.h"

int naming_open(struct inserter *ins)
{
	if (sqlite3_open_v2(":memory:", &ins->naming,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
			    NULL) ||
	    sqlite3_exec(ins->naming, schema_sql, NULL, NULL, NULL) ||
	    sqlite3_exec(ins->naming, "BEGIN", NULL, NULL, NULL) ||
	    sqlite3_prepare_v2(ins->naming, "INSERT INTO address VALUES(?,?,?,?,?)", -1,
			       &ins->naming_address, NULL))
		return sentence(ins->err, -ENOMEM, "not enough memory");
	return 0;
}

void naming_close(struct inserter *ins)
{
	sqlite3_finalize(ins->naming_address);
	sqlite3_close(ins->naming);
}

static void failed(struct inserter *ins)
{
	store_fail(ins, -ENOMEM, sqlite3_errmsg(ins->naming));
}

void naming_exec(struct inserter *ins, const char *format, ...)
{
	va_list ap;
	char *sql;

	va_start(ap, format);
	sql = sqlite3_vmprintf(format, ap);
	va_end(ap);
	if (!sql || sqlite3_exec(ins->naming, sql, NULL, NULL, NULL))
		failed(ins);
	sqlite3_free(sql);
}

void naming_address(struct inserter *ins, int64_t address, uint32_t image, uint64_t ip,
		    int64_t module, int64_t offset)
{
	sqlite3_stmt *s = ins->naming_address;

	sqlite3_bind_int64(s, 1, address);
	sqlite3_bind_int64(s, 2, image);
	sqlite3_bind_int64(s, 3, (int64_t)ip);
	if (module) {
		sqlite3_bind_int64(s, 4, module);
		sqlite3_bind_int64(s, 5, offset);
	}
	if (sqlite3_step(s) != SQLITE_DONE)
		failed(ins);
	sqlite3_reset(s);
	sqlite3_clear_bindings(s);
}

// A column that may be NULL, for store_run's `m`.
static int64_t known(sqlite3_stmt *s, int column)
{
	return sqlite3_column_type(s, column) == SQLITE_NULL ? -1 : sqlite3_column_int64(s, column);
}

static void store_frames(struct inserter *ins)
{
	sqlite3_stmt *s = NULL;

	if (sqlite3_prepare_v2(ins->naming,
			       "SELECT address, inline_order, function, file, line, place, size"
			       " FROM frame ORDER BY address, inline_order",
			       -1, &s, NULL))
		failed(ins);
	while (s && sqlite3_step(s) == SQLITE_ROW)
		store_run(ins, ST_FRAME, "iissmmm", sqlite3_column_int64(s, 0),
			  sqlite3_column_int64(s, 1), (const char *)sqlite3_column_text(s, 2),
			  (const char *)sqlite3_column_text(s, 3), known(s, 4), known(s, 5),
			  known(s, 6));
	sqlite3_finalize(s);
}

static void on_symbols(void *ctx, uint64_t done, uint64_t total)
{
	(void)done, (void)total;
	insert_report(ctx, "symbols", false);
}

void naming_resolve(struct inserter *ins)
{
	char err[ERR_LEN] = "";

	for (uint32_t i = 1; i < ins->nproc; i++)
		if (ins->proc[i])
			naming_exec(ins,
				    "INSERT INTO process(process, pid, image) VALUES(%u,%u,%u)", i,
				    ins->proc[i]->slot.pid, ins->proc[i]->slot.image);
	if (!ins->error && symbols_resolve(ins->naming, false, on_symbols, ins, err, sizeof(err)))
		store_meta_text(ins, "symbols", err);
	store_frames(ins);
}
