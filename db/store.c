// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The database of a recording while it is made: opening, names, single rows, transactions.
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "inserter.h"
#include "schema.h"

static const char *const sql[ST_COUNT] = {
	[ST_EVENTS] = "INSERT INTO event SELECT * FROM event_batch",
	[ST_TRANSITIONS] = "INSERT OR REPLACE INTO transition SELECT * FROM transition_batch",
	[ST_CONTEXT] = "INSERT INTO context VALUES(?,?,?,?,?,?,?,?,?,?)",
	[ST_TRANSITION_CONTEXT] = "INSERT INTO transition_context VALUES(?,?,?,?,?,?,?,?,?,?,?)",
	[ST_GFP] = "INSERT OR IGNORE INTO gfp_name VALUES(?,?)",
	[ST_OLD] = "INSERT INTO event_old VALUES(?,?,?)",
	[ST_CACHE] = "INSERT OR REPLACE INTO cache VALUES(?,?,?,?,?,?)",
	[ST_MODULE] = "INSERT INTO module VALUES(?,?,?,?,?,?,?,?,?,?)",
	[ST_MARK] = "INSERT INTO mark VALUES(?,?,?,?)",
	[ST_LOG] = "INSERT INTO log VALUES(?,?,?,?,?,?)",
	[ST_KEYFRAME] = "INSERT OR REPLACE INTO keyframe VALUES(?,?,?,?,?,?)",
	[ST_PROCESS] =
		"INSERT OR REPLACE INTO process VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,"
		"?,?,?,?,?,?)",
	[ST_THREAD] = "INSERT OR REPLACE INTO thread VALUES(?,?,?,?,?,?)",
	[ST_STAT] = "INSERT OR REPLACE INTO stack_stat VALUES(?,?,?,?,?,?,?,?,?,?)",
	[ST_TIMELINE] = "INSERT OR REPLACE INTO timeline VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
	[ST_META] = "INSERT OR REPLACE INTO meta VALUES(?,?)",
	[ST_ADDRESS] = "INSERT INTO address VALUES(?,?,?,?,?)",
	[ST_FRAME] = "INSERT INTO stack_frame VALUES(?,?,?)",
	[ST_SERVED] = "INSERT OR REPLACE INTO served VALUES(?,?,?,?,?)",
};

void store_fail(struct inserter *ins, int error, const char *what)
{
	if (!ins->error)
		ins->error = sentence(ins->err, error,
				      "cannot write %s: %s; what was recorded is kept in %s",
				      ins->output, what, ins->folder);
}

static bool check(struct inserter *ins, int rc)
{
	if (rc == SQLITE_OK || rc == SQLITE_ROW || rc == SQLITE_DONE)
		return true;
	store_fail(ins, rc == SQLITE_FULL ? -ENOSPC : -EIO, sqlite3_errmsg(ins->db));
	return false;
}

void store_exec(struct inserter *ins, const char *text)
{
	if (!ins->error)
		check(ins, sqlite3_exec(ins->db, text, NULL, NULL, NULL));
}

static void begin(struct inserter *ins)
{
	if (ins->in_transaction)
		return;
	store_exec(ins, "BEGIN");
	ins->in_transaction = true;
}

static void bind_int(sqlite3_stmt *s, int i, char type, int64_t value)
{
	if ((type == 'z' && value == 0) || (type == 'm' && value == -1))
		sqlite3_bind_null(s, i);
	else
		sqlite3_bind_int64(s, i, value);
}

static void bind(sqlite3_stmt *s, const char *types, va_list ap)
{
	for (int i = 1; *types; types++, i++) {
		if (strchr("izm", *types)) {
			bind_int(s, i, *types, va_arg(ap, int64_t));
		} else if (*types == 's') {
			sqlite3_bind_text(s, i, va_arg(ap, const char *), -1, SQLITE_STATIC);
		} else if (*types == 'b') {
			const void *blob = va_arg(ap, const void *);
			sqlite3_bind_blob64(s, i, blob, va_arg(ap, size_t), SQLITE_STATIC);
		} else {
			sqlite3_bind_null(s, i);
		}
	}
}

void store_run(struct inserter *ins, enum statement st, const char *types, ...)
{
	sqlite3_stmt *s = ins->stmt[st];
	va_list ap;

	if (ins->error)
		return;
	begin(ins);
	if (!s && !check(ins, sqlite3_prepare_v3(ins->db, sql[st], -1, SQLITE_PREPARE_PERSISTENT,
						 &ins->stmt[st], NULL)))
		return;
	s = ins->stmt[st];
	va_start(ap, types);
	bind(s, types, ap);
	va_end(ap);
	check(ins, sqlite3_step(s));
	sqlite3_reset(s);
}

void store_meta_int(struct inserter *ins, const char *key, int64_t value)
{
	store_run(ins, ST_META, "si", key, value);
}

void store_meta_text(struct inserter *ins, const char *key, const char *value)
{
	store_run(ins, ST_META, "ss", key, value);
}

void store_commit(struct inserter *ins)
{
	batch_flush(ins);
	for (uint32_t i = 1; i < ins->nproc; i++) {
		struct proc *p = ins->proc[i];

		if (p && p->dirty)
			proc_store(p);
		if (p)
			proc_log_age(p);
	}
	if (ins->in_transaction) {
		store_meta_int(ins, "events", (int64_t)ins->events);
		store_exec(ins, "COMMIT");
	}
	ins->in_transaction = false;
	ins->commit_ns = (int64_t)clock_monotonic_ns();
}

static void name_row(struct inserter *ins, const char *table, int64_t id, const char *name,
		     const char *fields)
{
	char *text = fields ? sqlite3_mprintf("INSERT INTO %s VALUES(%lld,%Q,%Q)", table,
					      (long long)id, name, fields)
			    : sqlite3_mprintf("INSERT INTO %s VALUES(%lld,%Q)", table,
					      (long long)id, name);

	if (text)
		store_exec(ins, text);
	sqlite3_free(text);
}

static void store_names(struct inserter *ins)
{
	static const char *const zones[] = {"DMA", "Normal", "HighMem", "Movable"};

	for (int i = 1; i < EV_COUNT; i++)
		if (i != EV_LAST_OP && i != EV_LAST_STEP)
			name_row(ins, "kind_name", i, event_name((enum event_kind)i),
				 event_fields((enum event_kind)i));
	for (int i = 0; i < PATH_COUNT; i++)
		name_row(ins, "path_name", i, op_path_name((enum op_path)i), NULL);
	for (int i = 0; i < HOST_REASONS; i++)
		name_row(ins, "reason_name", i, host_reason_name((enum host_reason)i), NULL);
	for (int i = 0; i < MIGRATE_TYPES; i++)
		name_row(ins, "migratetype_name", i, migratetype_name((unsigned)i), NULL);
	for (int i = 0; i < MAX_NR_ZONES; i++)
		name_row(ins, "zone_name", i, zones[i], NULL);
}

int store_open(struct inserter *ins)
{
	char path[sizeof(ins->output) + 8];

	unlink(ins->output); // from an earlier try: everything is in the spool
	snprintf(path, sizeof(path), "%s-wal", ins->output);
	unlink(path);
	snprintf(path, sizeof(path), "%s-shm", ins->output);
	unlink(path);
	if (!check(ins, sqlite3_open_v2(ins->output, &ins->db,
					SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL)))
		return ins->error;
	sqlite3_busy_timeout(ins->db, 60000); // a reader in the way
	store_exec(ins, "PRAGMA page_size=16384; PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;"
			"PRAGMA cache_size=-32768; PRAGMA temp_store=MEMORY;"
			"PRAGMA application_id=0x4b414c4f; PRAGMA user_version=1");
	begin(ins);
	store_exec(ins, schema_sql);
	store_names(ins);
	if (!ins->error)
		check(ins, batch_register(ins));
	return ins->error;
}

void store_close(struct inserter *ins)
{
	for (int i = 0; i < ST_COUNT; i++)
		sqlite3_finalize(ins->stmt[i]);
	memset(ins->stmt, 0, sizeof(ins->stmt));
	sqlite3_close(ins->db);
	ins->db = NULL;
}
