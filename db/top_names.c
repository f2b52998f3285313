// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Names of stacks of a running recording. The recorder stores stacks and names at the end; until then
// the stacks are in the session's depot, and a small database in memory gets the addresses asked for,
// to be named as the recording's will be.
#include <stdio.h>

#include "recorder.h"
#include "session_file.h"
#include "symbols.h"
#include "top.h"

enum {
	FRAMES = 24 // looked up of a stack; those further out are rarely shown
};

struct live_names {
	sqlite3 *db;
	sqlite3_stmt *find, *module, *add, *name;
	char *path; // of the recording
	struct segment seg;
	GStringChunk *text;
	bool ready;
};

static bool run(struct live_names *n, const char *sql)
{
	return !sqlite3_exec(n->db, sql, NULL, NULL, NULL);
}

// Tables as the recording has them, empty.
static bool make_tables(struct live_names *n)
{
	sqlite3_stmt *s = NULL;
	bool ok = true;
	sqlite3_prepare_v2(n->db,
			   "SELECT sql FROM live.sqlite_master WHERE type = 'table' AND name IN"
			   " ('address', 'module', 'frame', 'process')",
			   -1, &s, NULL);
	while (ok && s && sqlite3_step(s) == SQLITE_ROW)
		ok = run(n, (const char *)sqlite3_column_text(s, 0));
	sqlite3_finalize(s);
	return ok;
}

static bool attach(struct live_names *n)
{
	g_autofree char *uri = g_filename_to_uri(n->path, NULL, NULL);
	g_autofree char *read_only = g_strdup_printf("%s?mode=ro", uri ? uri : "");
	char *sql = sqlite3_mprintf("ATTACH %Q AS live", read_only);
	bool ok = sql && run(n, sql);
	sqlite3_free(sql);
	return ok;
}

// Modules come and go; there are few.
static bool take_modules(struct live_names *n)
{
	bool ok = attach(n);
	ok = ok && (n->ready || make_tables(n)) &&
	     run(n, "DELETE FROM module; INSERT INTO module SELECT * FROM live.module;"
		    " DELETE FROM process; INSERT INTO process SELECT * FROM live.process");
	n->ready |= ok;
	run(n, "DETACH live");
	return ok;
}

static void prepare(struct live_names *n)
{
	sqlite3_prepare_v2(n->db, "SELECT address FROM address WHERE image = ?1 AND ip = ?2", -1,
			   &n->find, NULL);
	sqlite3_prepare_v2(n->db,
			   "SELECT module, ?2 - base FROM module WHERE image = ?1 AND start < ?2"
			   " AND \"end\" >= ?2 LIMIT 1",
			   -1, &n->module, NULL);
	sqlite3_prepare_v2(n->db, "INSERT INTO address VALUES(NULL, ?1, ?2, ?3, ?4)", -1, &n->add,
			   NULL);
	sqlite3_prepare_v2(n->db,
			   "SELECT coalesce(f.function, replace(m.path, rtrim(m.path,"
			   " replace(m.path, '/', '')), '') || printf('+0x%x', a.offset),"
			   " printf('0x%x', a.ip)), ifnull(m.path, '') FROM address a"
			   " LEFT JOIN frame f USING (address)"
			   " LEFT JOIN module m ON m.module = a.module"
			   " WHERE a.address = ?1 ORDER BY f.inline_order",
			   -1, &n->name, NULL);
}

struct live_names *live_names_open(const char *path)
{
	struct live_names *n = g_new0(struct live_names, 1);
	char err[ERR_LEN];
	g_autofree char *folder = g_strdup_printf("%s.spool", path);
	n->path = g_canonicalize_filename(path, NULL);
	n->text = g_string_chunk_new(4096);
	if (segment_open(&n->seg, folder, false, err) ||
	    sqlite3_open_v2(":memory:", &n->db,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI, NULL) ||
	    !take_modules(n)) {
		live_names_close(n);
		return NULL;
	}
	prepare(n);
	return n;
}

void live_names_close(struct live_names *n)
{
	if (!n)
		return;
	sqlite3_stmt *s[] = {n->find, n->module, n->add, n->name};
	for (unsigned i = 0; i < G_N_ELEMENTS(s); i++)
		sqlite3_finalize(s[i]);
	sqlite3_close(n->db);
	segment_close(&n->seg);
	g_string_chunk_free(n->text);
	g_free(n->path);
	g_free(n);
}

static sqlite3_stmt *ask(sqlite3_stmt *s, int64_t a, int64_t b)
{
	sqlite3_reset(s);
	sqlite3_bind_int64(s, 1, a);
	if (sqlite3_bind_parameter_count(s) > 1)
		sqlite3_bind_int64(s, 2, b);
	return s;
}

// The number of an address, new ones with their module. 0: no room.
static int64_t address_of(struct live_names *n, uint32_t image, uint64_t ip, bool *is_new)
{
	sqlite3_stmt *s = ask(n->find, image, (int64_t)ip);
	if (sqlite3_step(s) == SQLITE_ROW)
		return sqlite3_column_int64(s, 0);
	*is_new = true;
	sqlite3_clear_bindings(n->add);
	s = ask(n->add, image, (int64_t)ip);
	if (sqlite3_step(ask(n->module, image, (int64_t)ip)) == SQLITE_ROW) {
		sqlite3_bind_int64(s, 3, sqlite3_column_int64(n->module, 0));
		sqlite3_bind_int64(s, 4, sqlite3_column_int64(n->module, 1));
	}
	return sqlite3_step(s) == SQLITE_DONE ? sqlite3_last_insert_rowid(n->db) : 0;
}

unsigned live_names_frames(struct live_names *n, uint32_t stack, struct site_frame *frames,
			   unsigned max)
{
	struct depot_walk w;
	int64_t address[FRAMES];
	unsigned count = 0;
	bool is_new = false;
	char err[ERR_LEN];
	depot_walk(&n->seg, stack, &w);
	unsigned depth = w.depth < FRAMES ? w.depth : FRAMES;
	for (unsigned i = 0; i < depth; i++)
		address[i] = address_of(n, w.image, w.ip[i], &is_new);
	if (is_new && symbols_resolve(n->db, false, NULL, NULL, err, sizeof(err)))
		return 0;
	for (unsigned i = 0; i < depth; i++)
		for (ask(n->name, address[i], 0);
		     count < max && sqlite3_step(n->name) == SQLITE_ROW;) {
			const char *function = (const char *)sqlite3_column_text(n->name, 0),
				   *module = (const char *)sqlite3_column_text(n->name, 1);
			frames[count++] = (struct site_frame){
				g_string_chunk_insert_const(n->text, function ? function : "?"), "",
				g_string_chunk_insert_const(n->text, module ? module : ""), 0};
		}
	return count;
}
