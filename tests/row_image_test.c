// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Images of rows, read and copied by SQLite: they must be to it what it would have written itself.
#include "harness.h"

#include <stdbool.h>

#include "../db/row_image.h"

static const struct row_image_table plain = {"CREATE TABLE plain(a INTEGER,b INTEGER,c INTEGER)", 3,
					     ROW_IMAGE_NO_KEY};
static const struct row_image_table keyed = {"CREATE TABLE keyed(a INTEGER PRIMARY KEY,b INTEGER)",
					     2, 0};

static int64_t cells[ROW_IMAGE_ROWS * 3];
static struct row_image *image;
static sqlite3 *db;

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

static bool sound(const char *pragma)
{
	bool ok = false;
	sqlite3_stmt *s;

	if (!sqlite3_prepare_v2(db, pragma, -1, &s, NULL) && sqlite3_step(s) == SQLITE_ROW)
		ok = !strcmp((const char *)sqlite3_column_text(s, 0), "ok");
	sqlite3_finalize(s);
	return ok;
}

// Every width, both signs, the neighbours of every border, and no value at all.
static int64_t odd_value(unsigned i)
{
	uint64_t border = 1ull << i % 63;
	int64_t near = (int64_t)border - 1 + i / 63 % 3;

	if (i % 97 == 0)
		return CELL_NULL;
	return i / 189 % 2 ? -near : near;
}

static void fill(size_t rows, bool rising)
{
	for (size_t i = 0; i < rows * 3; i++)
		cells[i] = odd_value((unsigned)i);
	for (size_t i = 0; rising && i < rows; i++)
		cells[i * 2] = (int64_t)(i * i + 1);
}

// The rows as SQLite stores them when they are bound one by one.
static void insert_one_by_one(const char *sql, int columns, size_t rows)
{
	sqlite3_stmt *s;

	CHECK_EQ(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
	for (size_t i = 0; i < rows; i++) {
		for (int c = 0; c < columns; c++) {
			int64_t v = cells[i * (size_t)columns + (size_t)c];

			if (v == CELL_NULL)
				sqlite3_bind_null(s, c + 1);
			else
				sqlite3_bind_int64(s, c + 1, v);
		}
		CHECK_EQ(sqlite3_step(s), SQLITE_DONE);
		sqlite3_reset(s);
	}
	sqlite3_finalize(s);
}

static void open_db(void)
{
	CHECK_EQ(sqlite3_open(":memory:", &db), SQLITE_OK);
	run("CREATE TABLE plain(x INTEGER, y INTEGER, z INTEGER);"
	    "CREATE TABLE plain_slow(x INTEGER, y INTEGER, z INTEGER);"
	    "CREATE TABLE keyed(x INTEGER PRIMARY KEY, y INTEGER);"
	    "CREATE TABLE keyed_slow(x INTEGER PRIMARY KEY, y INTEGER)");
	image = row_image_create(db);
	CHECK(image);
}

static void close_db(void)
{
	sqlite3_close(db);
	row_image_destroy(image);
}

static void check_plain(size_t rows)
{
	fill(rows, false);
	run("DELETE FROM plain; DELETE FROM plain_slow; BEGIN");
	CHECK_EQ(row_image_show(image, &plain, cells, rows), SQLITE_OK);
	run("INSERT INTO main.plain SELECT * FROM image.plain");
	insert_one_by_one("INSERT INTO plain_slow VALUES(?,?,?)", 3, rows);
	run("COMMIT");
	CHECK_EQ(query("SELECT count(*) FROM main.plain"), rows);
	CHECK_EQ(query("SELECT count(*) FROM main.plain p JOIN plain_slow s ON s.rowid = p.rowid"
		       " AND s.x IS p.x AND s.y IS p.y AND s.z IS p.z"),
		 rows);
	CHECK_EQ(query("SELECT (SELECT sum(payload) FROM dbstat WHERE name = 'plain') ="
		       " (SELECT sum(payload) FROM dbstat WHERE name = 'plain_slow')"),
		 1);
}

static void rows_are_what_sqlite_would_write(void)
{
	static const size_t many[] = {1, 2, 700, 4000, ROW_IMAGE_ROWS, 0, 3};

	open_db();
	for (unsigned i = 0; i < sizeof(many) / sizeof(many[0]); i++)
		check_plain(many[i]);
	CHECK(sound("PRAGMA main.integrity_check"));
	close_db();
}

static void keys_are_kept(void)
{
	open_db();
	fill(ROW_IMAGE_ROWS, true);
	CHECK_EQ(row_image_show(image, &keyed, cells, ROW_IMAGE_ROWS), SQLITE_OK);
	CHECK(sound("PRAGMA image.integrity_check"));
	run("BEGIN; INSERT INTO main.keyed SELECT * FROM image.keyed");
	insert_one_by_one("INSERT INTO keyed_slow VALUES(?,?)", 2, ROW_IMAGE_ROWS);
	run("COMMIT");
	CHECK_EQ(query("SELECT count(*) FROM main.keyed p JOIN keyed_slow s USING (x)"
		       " WHERE s.y IS p.y"),
		 ROW_IMAGE_ROWS);
	// a key that is there is refused as ever
	CHECK_EQ(sqlite3_exec(db, "INSERT INTO main.keyed SELECT * FROM image.keyed", NULL, NULL,
			      NULL),
		 SQLITE_CONSTRAINT);
	close_db();
}

// Or there would be no point in it.
static void records_are_copied_whole(void)
{
	sqlite3_stmt *s;

	open_db();
	fill(2, true);
	CHECK_EQ(row_image_show(image, &keyed, cells, 2), SQLITE_OK);
	CHECK_EQ(query("SELECT count(*) FROM image.sqlite_schema WHERE name = 'keyed'"), 1);
	CHECK_EQ(row_image_show(image, &plain, cells, 2), SQLITE_OK);
	CHECK_EQ(sqlite3_prepare_v2(db, "EXPLAIN INSERT INTO main.plain SELECT * FROM image.plain",
				    -1, &s, NULL),
		 SQLITE_OK);
	while (sqlite3_step(s) == SQLITE_ROW) {
		CHECK(strcmp((const char *)sqlite3_column_text(s, 1), "Column"));
		CHECK(strcmp((const char *)sqlite3_column_text(s, 1), "MakeRecord"));
	}
	sqlite3_finalize(s);
	close_db();
}

int main(void)
{
	RUN(rows_are_what_sqlite_would_write);
	RUN(keys_are_kept);
	RUN(records_are_copied_whole);
	return DONE();
}
