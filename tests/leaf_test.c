// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Rows in whole leaves: a file must have them as if SQLite had inserted one by one.
#include "harness.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../db/leaf.h"

enum {
	ROWS = 20000
};

static const char schema[] =
	"PRAGMA page_size=16384; PRAGMA journal_mode=TRUNCATE; PRAGMA synchronous=OFF;"
	"PRAGMA cache_spill=OFF;"
	"CREATE TABLE plain(x INTEGER, y INTEGER, z INTEGER);"
	"CREATE TABLE plain_slow(x INTEGER, y INTEGER, z INTEGER);"
	"CREATE TABLE keyed(x INTEGER PRIMARY KEY, y INTEGER);"
	"CREATE TABLE keyed_slow(x INTEGER PRIMARY KEY, y INTEGER)";

static char path[64], journal[80];
static sqlite3 *db;
static struct leaf leaf;
static int64_t stored; // rows of plain

static void run(const char *sql)
{
	CHECK_EQ(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
}

static int64_t query(const char *sql)
{
	sqlite3_stmt *s;
	int64_t value = -1;

	CHECK_EQ(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
	if (sqlite3_step(s) == SQLITE_ROW)
		value = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return value;
}

static bool sound(void)
{
	bool ok = false;
	sqlite3_stmt *s;

	if (!sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &s, NULL) &&
	    sqlite3_step(s) == SQLITE_ROW)
		ok = !strcmp((const char *)sqlite3_column_text(s, 0), "ok");
	sqlite3_finalize(s);
	return ok;
}

static void open_db(const char *vfs)
{
	CHECK_EQ(leaf_vfs_register(), SQLITE_OK);
	CHECK_EQ(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs),
		 SQLITE_OK);
}

static void new_db(void)
{
	int fd;

	snprintf(path, sizeof(path), "%s/leaf.XXXXXX",
		 getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	fd = mkstemp(path);
	CHECK(fd >= 0);
	close(fd);
	snprintf(journal, sizeof(journal), "%s-journal", path);
	leaf_clear(&leaf);
	stored = 0;
	open_db(LEAF_VFS);
	run(schema);
}

// As whoever knows nothing of leaves sees it.
static void open_again(void)
{
	sqlite3_close(db);
	open_db(NULL);
}

static void end_db(void)
{
	sqlite3_close(db);
	unlink(path);
	unlink(journal);
}

// Every width, both signs, the neighbours of every border, and no value at all.
static int64_t odd_value(uint64_t i)
{
	uint64_t border = 1ull << i % 63;
	int64_t near = (int64_t)(border - 1 + i / 63 % 3);

	if (i % 97 == 0)
		return CELL_NULL;
	return i / 189 % 2 ? -near : near;
}

static void insert_slowly(const char *sql, const int64_t *value, int columns)
{
	sqlite3_stmt *s;

	CHECK_EQ(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
	for (int c = 0; c < columns; c++)
		if (value[c] != CELL_NULL)
			sqlite3_bind_int64(s, c + 1, value[c]);
	CHECK_EQ(sqlite3_step(s), SQLITE_DONE);
	sqlite3_finalize(s);
}

static void leaf_out(const char *sql)
{
	static unsigned char blob[LEAF_BLOB];
	sqlite3_stmt *s;

	if (!leaf.rows)
		return;
	leaf_wrap(&leaf, blob);
	CHECK_EQ(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
	sqlite3_bind_int64(s, 1, (int64_t)leaf.last);
	sqlite3_bind_blob(s, 2, blob, sizeof(blob), SQLITE_STATIC);
	CHECK_EQ(sqlite3_step(s), SQLITE_DONE);
	sqlite3_finalize(s);
	leaf_clear(&leaf);
}

static void add(const char *sql, uint64_t rowid, const int64_t *value, int columns, int key)
{
	if (leaf_add(&leaf, rowid, value, columns, key))
		return;
	leaf_out(sql);
	CHECK(leaf_add(&leaf, rowid, value, columns, key));
}

static void plain_rows(int64_t n, bool leaves, bool small)
{
	for (int64_t i = 0; i < n; i++) {
		uint64_t at = (uint64_t)stored++;
		const int64_t value[3] = {small ? 0 : odd_value(at * 3),
					  small ? 1 : odd_value(at * 3 + 1),
					  small ? CELL_NULL : odd_value(at * 3 + 2)};

		if (leaves)
			add("INSERT INTO plain(rowid, x) VALUES(?,?)", (uint64_t)stored, value, 3,
			    LEAF_NO_KEY);
		else
			insert_slowly("INSERT INTO plain VALUES(?,?,?)", value, 3);
		insert_slowly("INSERT INTO plain_slow VALUES(?,?,?)", value, 3);
	}
	leaf_out("INSERT INTO plain(rowid, x) VALUES(?,?)");
}

static void commit(void)
{
	run("COMMIT");
	sqlite3_db_release_memory(db);
}

static void check_plain(void)
{
	CHECK_EQ(query("SELECT count(*) FROM plain"), stored);
	CHECK_EQ(query("SELECT count(*) FROM plain p JOIN plain_slow s ON s.rowid = p.rowid"
		       " AND s.x IS p.x AND s.y IS p.y AND s.z IS p.z"),
		 stored);
	CHECK_EQ(query("SELECT (SELECT sum(payload) FROM dbstat WHERE name = 'plain') ="
		       " (SELECT sum(payload) FROM dbstat WHERE name = 'plain_slow')"),
		 1);
	CHECK(sound());
}

static void rows_are_what_sqlite_would_write(void)
{
	new_db();
	run("BEGIN");
	plain_rows(ROWS, true, false);
	commit();
	check_plain();
	open_again();
	check_plain();
	end_db();
}

static void keys_are_kept(void)
{
	new_db();
	run("BEGIN");
	for (int64_t i = 0; i < ROWS; i++) {
		const int64_t value[2] = {i * i + 1, odd_value((uint64_t)i)};

		add("INSERT INTO keyed VALUES(?,?)", (uint64_t)value[0], value, 2, 0);
		insert_slowly("INSERT INTO keyed_slow VALUES(?,?)", value, 2);
	}
	leaf_out("INSERT INTO keyed VALUES(?,?)");
	commit();
	CHECK_EQ(query("SELECT count(*) FROM keyed p JOIN keyed_slow s USING (x) WHERE s.y IS p.y"),
		 ROWS);
	CHECK_EQ(query("SELECT count(*) FROM keyed WHERE x BETWEEN 401 AND 10001"), 81);
	CHECK(sound());
	end_db();
}

// Leaves behind rows that SQLite inserted, of which one may be so small that a wrapped leaf still fits
// its page, and the other way round, in one transaction and in several.
static void leaves_and_rows_may_alternate(void)
{
	static const struct {
		int64_t rows;
		bool leaves, small, commit;
	} step[] = {
		{1, false, true, true},	    {5000, true, true, true},  {1, true, true, true},
		{3, true, true, false},	    {1, false, true, false},   {900, true, false, true},
		{2, false, false, true},    {1, true, false, true},    {700, false, false, true},
		{1200, true, false, false}, {2, false, true, true},    {4000, true, true, true},
		{2400, false, true, false}, {3000, true, false, true}, {1, false, true, true}};

	new_db();
	for (unsigned round = 0; round < 4; round++)
		for (unsigned i = 0; i < sizeof(step) / sizeof(step[0]); i++) {
			if (sqlite3_get_autocommit(db))
				run("BEGIN");
			plain_rows(step[i].rows, step[i].leaves, step[i].small);
			if (step[i].commit)
				commit();
		}
	check_plain();
	open_again();
	check_plain();
	end_db();
}

// A small row, alone in the table's only page, and a leaf that fits behind it.
static void a_row_in_the_same_page_is_kept(void)
{
	static unsigned char page[LEAF_PAGE], out[LEAF_PAGE];

	new_db();
	run("BEGIN");
	plain_rows(1, false, true);
	plain_rows(700, true, false);
	commit();
	CHECK_EQ(query("SELECT count(*) FROM dbstat WHERE name = 'plain'"), 1);
	check_plain();
	end_db();
	for (unsigned fill = 0; fill < 256; fill++) { // no leaf, whatever its pointers say
		memset(page, (int)fill, sizeof(page));
		page[0] = 13;
		page[3] = 0;
		page[4] = 3;
		CHECK(!leaf_unwrap(page, out));
	}
}

// A transaction that was cut short is rolled back from a journal that has the rows, not wrapped leaves.
static void journals_have_the_rows(void)
{
	int status = 0;
	pid_t pid;

	new_db();
	sqlite3_close(db);
	pid = fork();
	if (!pid) {
		open_db(LEAF_VFS);
		run("BEGIN");
		plain_rows(ROWS / 4, true, false);
		commit();
		run("BEGIN");
		plain_rows(1, false, true); // the last page of before goes into the journal
		run("PRAGMA cache_size=10; PRAGMA cache_spill=ON");
		plain_rows(ROWS, true, false);
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	stored = ROWS / 4;
	CHECK_EQ(access(journal, F_OK), 0);
	open_db(NULL);
	check_plain();
	end_db();
}

int main(void)
{
	RUN(rows_are_what_sqlite_would_write);
	RUN(keys_are_kept);
	RUN(leaves_and_rows_may_alternate);
	RUN(a_row_in_the_same_page_is_kept);
	RUN(journals_have_the_rows);
	return DONE();
}
