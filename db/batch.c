// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Rows collected in memory and inserted by one INSERT ... SELECT from a virtual table over them, which is
// two to three times as fast as binding and stepping row by row; or, where many rows rise to a table
// without an index, in whole leaf pages (leaf.h), which is ten times as fast again.
//
// A batch is filled by the thread that folds and goes to the one that stores; an empty one takes its
// place.
#include <errno.h>
#include <string.h>

#include "inserter.h"
#include "store_queue.h"

enum {
	LEAVES_FROM = 4096 // rows of a commit: fewer would leave much of the last page unused
};

static const struct {
	const char *name, *declaration; // of the virtual table
	int columns;
	enum statement statement;
	bool leaves;	     // may go there in leaves
	enum statement leaf; // its statement
	int key;
} tables[BATCHES] = {
	[BATCH_EVENT] = {"event_batch", "CREATE TABLE x(a,b,c)", 3, ST_EVENTS, true, ST_EVENT_LEAF,
			 LEAF_NO_KEY},
	[BATCH_CLOCK] = {"clock_batch", "CREATE TABLE x(a,b)", 2, ST_CLOCK, true, ST_CLOCK_LEAF, 0},
	[BATCH_PART] = {"part_batch", "CREATE TABLE x(a,b,c)", 3, ST_PARTS},
	[BATCH_FRAME] = {"frame_batch", "CREATE TABLE x(a,b,c)", 3, ST_FRAMES},
	[BATCH_TRANSITION] = {"transition_batch", "CREATE TABLE x(a,b,c,d,e,f,g,h)", 8,
			      ST_TRANSITIONS},
};

// What the thread that stores has of a table.
struct leaf_rows {
	uint64_t rows;	   // stored so far
	struct leaf *leaf; // with rows that are not; NULL: none
};

struct batch_table {
	sqlite3_vtab base;
	const struct batch *const *from; // the one being stored
	int columns;
};

struct batch_cursor {
	sqlite3_vtab_cursor base;
	const int64_t *row, *end;
	int columns;
};

static int batch_connect(sqlite3 *db, void *aux, int argc, const char *const *argv,
			 sqlite3_vtab **vtab, char **err)
{
	struct batch_table *t = sqlite3_malloc(sizeof(*t));
	enum batch_id id = 0;
	(void)argc, (void)err;

	if (!t)
		return SQLITE_NOMEM;
	while (strcmp(tables[id].name, argv[0]))
		id++;
	*t = (struct batch_table){.from = aux, .columns = tables[id].columns};
	*vtab = &t->base;
	return sqlite3_declare_vtab(db, tables[id].declaration);
}

static int batch_disconnect(sqlite3_vtab *vtab)
{
	sqlite3_free(vtab);
	return SQLITE_OK;
}

static int batch_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info)
{
	(void)vtab;
	info->estimatedCost = BATCH_ROWS;
	return SQLITE_OK;
}

static int batch_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **cursor)
{
	struct batch_cursor *c = sqlite3_malloc(sizeof(*c));
	(void)vtab;

	if (!c)
		return SQLITE_NOMEM;
	*c = (struct batch_cursor){0};
	*cursor = &c->base;
	return SQLITE_OK;
}

static int batch_close(sqlite3_vtab_cursor *cursor)
{
	sqlite3_free(cursor);
	return SQLITE_OK;
}

static int batch_filter(sqlite3_vtab_cursor *cursor, int num, const char *str, int argc,
			sqlite3_value **argv)
{
	const struct batch_table *t = (const struct batch_table *)cursor->pVtab;
	struct batch_cursor *c = (struct batch_cursor *)cursor;
	const struct batch *b = *t->from;
	(void)num, (void)str, (void)argc, (void)argv;

	c->columns = t->columns;
	c->row = b->cell;
	c->end = b->cell + b->rows * (size_t)t->columns;
	return SQLITE_OK;
}

static int batch_next(sqlite3_vtab_cursor *cursor)
{
	struct batch_cursor *c = (struct batch_cursor *)cursor;

	c->row += c->columns;
	return SQLITE_OK;
}

static int batch_eof(sqlite3_vtab_cursor *cursor)
{
	const struct batch_cursor *c = (const struct batch_cursor *)cursor;

	return c->row >= c->end;
}

static int batch_column(sqlite3_vtab_cursor *cursor, sqlite3_context *context, int column)
{
	int64_t cell = ((const struct batch_cursor *)cursor)->row[column];

	if (cell != CELL_NULL) // what is not said is NULL
		sqlite3_result_int64(context, cell);
	return SQLITE_OK;
}

static int batch_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *rowid)
{
	(void)cursor;
	*rowid = 0; // nobody asks
	return SQLITE_OK;
}

static const sqlite3_module batch_module = {
	.xConnect = batch_connect,
	.xBestIndex = batch_best_index,
	.xDisconnect = batch_disconnect,
	.xOpen = batch_open,
	.xClose = batch_close,
	.xFilter = batch_filter,
	.xNext = batch_next,
	.xEof = batch_eof,
	.xColumn = batch_column,
	.xRowid = batch_rowid,
};

int batch_register(struct inserter *ins)
{
	int rc = SQLITE_OK;

	for (enum batch_id id = 0; id < BATCHES && !rc; id++)
		rc = sqlite3_create_module(ins->db, tables[id].name, &batch_module,
					   &ins->batch_stored);
	return rc;
}

// The leaf goes into the database, as a row that is one only until it is written.
static void leaf_store(struct inserter *ins, enum batch_id id)
{
	static unsigned char blob[LEAF_BLOB]; // of the one thread that stores
	struct leaf_rows *t = ins->leaf_rows[id];
	struct store_value v[] = {{.type = 'i', .number = (int64_t)t->leaf->last},
				  {.type = 'b', .data = blob, .size = sizeof(blob)}};

	leaf_wrap(t->leaf, blob);
	store_now(ins, tables[id].leaf, v, 2);
	leaf_clear(t->leaf);
}

// NULL: no memory.
static struct leaf_rows *leaf_rows(struct inserter *ins, enum batch_id id)
{
	struct leaf_rows *t = ins->leaf_rows[id];

	if (!t)
		ins->leaf_rows[id] = t = calloc(1, sizeof(*t));
	if (t && !t->leaf)
		t->leaf = calloc(1, sizeof(*t->leaf));
	if (t && t->leaf)
		return t;
	store_fail(ins, -ENOMEM, strerror(ENOMEM));
	return NULL;
}

static void leaves_add(struct inserter *ins, const struct batch *b, struct leaf_rows *t)
{
	int columns = tables[b->id].columns, key = tables[b->id].key;
	const int64_t *row = b->cell;

	for (size_t i = 0; i < b->rows; i++, row += columns) {
		uint64_t rowid = key == LEAF_NO_KEY ? ++t->rows : (uint64_t)row[key];

		if (leaf_add(t->leaf, rowid, row, columns, key))
			continue;
		leaf_store(ins, b->id);
		leaf_add(t->leaf, rowid, row, columns, key);
	}
}

void batch_store(struct inserter *ins, const struct batch *b)
{
	struct leaf_rows *t = tables[b->id].leaves ? leaf_rows(ins, b->id) : NULL;

	if (ins->error)
		return;
	if (t && (t->leaf->rows || b->rows >= LEAVES_FROM)) {
		leaves_add(ins, b, t);
		return;
	}
	if (t)
		t->rows += b->rows;
	ins->batch_stored = b;
	store_now(ins, tables[b->id].statement, NULL, 0);
}

void batch_store_rest(struct inserter *ins)
{
	for (enum batch_id id = 0; id < BATCHES; id++)
		if (ins->leaf_rows[id] && ins->leaf_rows[id]->leaf->rows)
			leaf_store(ins, id);
}

// Called again, and freed, when there is no memory for another one: what was collected is lost, and
// the error says so.
static struct batch *batch_begin(struct inserter *ins, enum batch_id id)
{
	struct batch *b =
		malloc(sizeof(*b) + BATCH_ROWS * (size_t)tables[id].columns * sizeof(*b->cell));

	if (!b) {
		store_fail(ins, -ENOMEM, strerror(ENOMEM));
		return NULL;
	}
	b->id = id;
	b->rows = 0;
	ins->batch[id] = b;
	return b;
}

static void batch_hand_over(struct inserter *ins, enum batch_id id)
{
	struct batch *b = ins->batch[id];

	ins->batch[id] = NULL;
	if (b)
		store_batch(ins, b);
}

int64_t *batch_row(struct inserter *ins, enum batch_id id)
{
	static int64_t nowhere[16];
	struct batch *b = ins->batch[id];

	if (b && b->rows == BATCH_ROWS) {
		batch_hand_over(ins, id);
		b = NULL;
	}
	if (!b)
		b = batch_begin(ins, id);
	return b ? b->cell + b->rows++ * (size_t)tables[id].columns : nowhere;
}

void batch_flush(struct inserter *ins)
{
	for (enum batch_id id = 0; id < BATCHES; id++)
		batch_hand_over(ins, id);
}

void batch_finish(struct inserter *ins)
{
	for (enum batch_id id = 0; id < BATCHES; id++) {
		free(ins->batch[id]);
		if (ins->leaf_rows[id])
			free(ins->leaf_rows[id]->leaf);
		free(ins->leaf_rows[id]);
	}
}
