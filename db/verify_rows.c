// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "verify_rows.h"

#include <errno.h>
#include <stdlib.h>

enum {
	SEEK_ROWS = 256, // as many rows of others are stepped over before one is looked for
};

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *s = NULL;
	sqlite3_prepare_v2(db, sql, -1, &s, NULL);
	return s;
}

int verify_rows_open(struct verify_rows *v, struct recording *r)
{
	sqlite3 *db = recording_db(r);
	*v = (struct verify_rows){
		.rows = prepare(db,
				"SELECT rowid, call, addr, arg FROM event_row WHERE rowid >= ?1"),
		.one = prepare(db, "SELECT addr FROM event_row WHERE rowid = ?1"),
		.old = prepare(db, "SELECT back FROM event_old WHERE event = ?1"),
		.addr = calloc(VERIFY_ADDRS, sizeof(*v->addr))};
	shared_values_read(&v->shared, db);
	return v->rows && v->one && v->old && v->addr ? 0 : -ENOMEM;
}

void verify_rows_finish(struct verify_rows *v)
{
	sqlite3_finalize(v->rows);
	sqlite3_finalize(v->one);
	sqlite3_finalize(v->old);
	shared_values_free(&v->shared);
	free(v->addr);
}

// Simulated addresses are stored as signed 32-bit numbers.
static uint64_t address(int64_t stored)
{
	return stored < 0 ? (uint64_t)(stored + (1ll << 32)) : (uint64_t)stored;
}

static int64_t number_of(sqlite3_stmt *s, uint64_t event)
{
	sqlite3_bind_int64(s, 1, (int64_t)event);
	int64_t n = sqlite3_step(s) == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
	sqlite3_reset(s);
	return n;
}

// What its row says, be it read a while ago.
static uint64_t address_of(struct verify_rows *v, uint64_t event)
{
	if (v->addr[event % VERIFY_ADDRS].event == event)
		return v->addr[event % VERIFY_ADDRS].addr;
	return address(number_of(v->one, event));
}

// As the view `event` puts a row together.
static void read_row(struct verify_rows *v)
{
	const struct scan_context *c;
	const struct scan_call *call =
		shared_call(&v->shared, sqlite3_column_int64(v->rows, 1), &c);
	bool says = sqlite3_column_type(v->rows, 2) != SQLITE_NULL;
	uint64_t arg = (uint64_t)sqlite3_column_int64(v->rows, 3);
	v->at = (uint64_t)sqlite3_column_int64(v->rows, 0);
	v->found = call;
	if (!call)
		return;
	uint64_t back = call->req < 0 ? (uint64_t)number_of(v->old, v->at) : arg;
	uint64_t ref = back && back < v->at ? v->at - back : 0;
	v->row = (struct event_row){
		.id = v->at,
		.process = c->process,
		.thread = c->thread,
		.cpu = c->cpu,
		.kind = (enum event_kind)c->kind,
		.path = (enum op_path)c->path,
		.cache = (uint16_t)c->cache,
		.addr = says  ? address(sqlite3_column_int64(v->rows, 2))
			: ref ? address_of(v, ref)
			      : 0,
		.req = call->req < 0 ? arg : (uint64_t)call->req,
		.flags = c->flags,
		.stack = call->stack,
		.ref = ref,
	};
	if (says) {
		v->addr[v->at % VERIFY_ADDRS].event = v->at;
		v->addr[v->at % VERIFY_ADDRS].addr = v->row.addr;
	}
}

// Past the last row every id is behind.
static void step(struct verify_rows *v)
{
	if (sqlite3_step(v->rows) == SQLITE_ROW) {
		read_row(v);
		return;
	}
	v->at = UINT64_MAX;
	v->found = false;
}

static void seek(struct verify_rows *v, uint64_t event)
{
	sqlite3_reset(v->rows);
	sqlite3_bind_int64(v->rows, 1, (int64_t)event);
	step(v);
}

const struct event_row *verify_row(struct verify_rows *v, uint64_t event)
{
	if (!v->at || event < v->at || event - v->at > SEEK_ROWS)
		seek(v, event);
	while (v->at < event)
		step(v);
	return v->found && v->at == event ? &v->row : NULL;
}
