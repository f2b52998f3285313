// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Rows collected in memory and inserted by one INSERT ... SELECT: from an image of them (row_image.h)
// where the table has no index, else from a virtual table over them, which is two to three times as
// fast as binding and stepping row by row; the image is twice as fast again.
//
// A batch is filled by the thread that folds and goes to the one that stores; an empty one takes its
// place.
#include <errno.h>
#include <string.h>

#include "inserter.h"

_Static_assert((int)BATCH_ROWS <= (int)ROW_IMAGE_ROWS, "a batch fits an image");

// Those with a name are virtual tables.
static const struct {
	const char *name;
	struct row_image_table table;
	enum statement statement;
} tables[BATCHES] = {
	[BATCH_EVENT] = {NULL,
			 {"CREATE TABLE event_row(a INTEGER,b INTEGER,c INTEGER)", 3,
			  ROW_IMAGE_NO_KEY},
			 ST_EVENTS},
	[BATCH_CLOCK] = {NULL,
			 {"CREATE TABLE clock(a INTEGER PRIMARY KEY,b INTEGER)", 2, 0},
			 ST_CLOCK},
	[BATCH_PART] = {"part_batch", {"CREATE TABLE x(a,b,c)", 3, ROW_IMAGE_NO_KEY}, ST_PARTS},
	[BATCH_FRAME] = {"frame_batch", {"CREATE TABLE x(a,b,c)", 3, ROW_IMAGE_NO_KEY}, ST_FRAMES},
	[BATCH_TRANSITION] = {"transition_batch",
			      {"CREATE TABLE x(a,b,c,d,e,f,g,h)", 8, ROW_IMAGE_NO_KEY},
			      ST_TRANSITIONS},
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
	while (!tables[id].name || strcmp(tables[id].name, argv[0]))
		id++;
	*t = (struct batch_table){.from = aux, .columns = tables[id].table.columns};
	*vtab = &t->base;
	return sqlite3_declare_vtab(db, tables[id].table.declaration);
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

	ins->image = row_image_create(ins->db);
	if (!ins->image)
		return SQLITE_NOMEM;
	for (enum batch_id id = 0; id < BATCHES && !rc; id++)
		if (tables[id].name)
			rc = sqlite3_create_module(ins->db, tables[id].name, &batch_module,
						   &ins->batch_stored);
	return rc;
}

int batch_show(struct inserter *ins, const struct batch *b)
{
	ins->batch_stored = b;
	if (tables[b->id].name)
		return SQLITE_OK;
	return row_image_show(ins->image, &tables[b->id].table, b->cell, b->rows);
}

enum statement batch_statement(const struct batch *b)
{
	return tables[b->id].statement;
}

// Called again, and freed, when there is no memory for another one: what was collected is lost, and
// the error says so.
static struct batch *batch_begin(struct inserter *ins, enum batch_id id)
{
	struct batch *b = malloc(sizeof(*b) +
				 BATCH_ROWS * (size_t)tables[id].table.columns * sizeof(*b->cell));

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
	return b ? b->cell + b->rows++ * (size_t)tables[id].table.columns : nowhere;
}

void batch_flush(struct inserter *ins)
{
	for (enum batch_id id = 0; id < BATCHES; id++)
		batch_hand_over(ins, id);
}

void batch_finish(struct inserter *ins)
{
	for (enum batch_id id = 0; id < BATCHES; id++)
		free(ins->batch[id]);
	row_image_destroy(ins->image);
}
