// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Whether what stands under our names in a file are our tables and views: a file from elsewhere may
// have a view without end, or a column computed at every look, where a reader expects plain rows.
#include "reader_impl.h"

#include "schema.h"

enum {
	LONGEST = 256 << 20, // bytes of a cell or row, 100 times those of the largest keyframe seen
};

// For the file alone; to whoever asks questions through this connection nothing changes.
void reader_defend(sqlite3 *db)
{
	sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
	sqlite3_limit(db, SQLITE_LIMIT_LENGTH, LONGEST);
	sqlite3_exec(db, "PRAGMA cell_size_check = 1; PRAGMA mmap_size = 0", NULL, NULL, NULL);
}

// A table's columns with what they are (generated ones are no plain columns), a view's text; NULL:
// there is no such thing. Comments in a table's text may change, so it is not compared.
static const char shape[] =
	"SELECT s.type, s.rootpage > 0, CASE s.type WHEN 'view' THEN s.sql ELSE"
	" (SELECT group_concat(x.name || ' ' || x.hidden) FROM pragma_table_xinfo(s.name) x) END"
	" FROM sqlite_schema s WHERE s.name = ?1";

static bool same_text(sqlite3_stmt *a, sqlite3_stmt *b, int column)
{
	const char *x = (const char *)sqlite3_column_text(a, column);
	const char *y = (const char *)sqlite3_column_text(b, column);

	return x && y && !sqlite3_stricmp(x, y);
}

// An object that is missing is for the queries to find out.
static bool same_object(sqlite3_stmt *ours, sqlite3_stmt *theirs, const char *name)
{
	bool same = true;

	sqlite3_bind_text(ours, 1, name, -1, SQLITE_STATIC);
	sqlite3_bind_text(theirs, 1, name, -1, SQLITE_STATIC);
	if (sqlite3_step(ours) == SQLITE_ROW && sqlite3_step(theirs) == SQLITE_ROW)
		for (int column = 0; column < 3; column++)
			same &= same_text(ours, theirs, column);
	sqlite3_reset(ours);
	sqlite3_reset(theirs);
	return same;
}

// 0; SQLITE_CORRUPT: *name is not what it should be (SQLite's to free); or why it cannot be told.
int reader_check_schema(sqlite3 *db, char **name)
{
	sqlite3_stmt *names = NULL, *ours = NULL, *theirs = NULL;
	sqlite3 *own = NULL;
	int rc = sqlite3_open(":memory:", &own);

	rc = rc ? rc : sqlite3_exec(own, schema_sql, NULL, NULL, NULL);
	rc = rc ? rc
		: sqlite3_prepare_v2(own, "SELECT name FROM sqlite_schema WHERE sql IS NOT NULL",
				     -1, &names, NULL);
	rc = rc ? rc : sqlite3_prepare_v2(own, shape, -1, &ours, NULL);
	rc = rc ? rc : sqlite3_prepare_v2(db, shape, -1, &theirs, NULL);
	while (!rc && sqlite3_step(names) == SQLITE_ROW) {
		const char *n = (const char *)sqlite3_column_text(names, 0);

		if (same_object(ours, theirs, n))
			continue;
		*name = sqlite3_mprintf("%s", n);
		rc = SQLITE_CORRUPT;
	}
	sqlite3_finalize(names);
	sqlite3_finalize(ours);
	sqlite3_finalize(theirs);
	sqlite3_close(own);
	return rc;
}
