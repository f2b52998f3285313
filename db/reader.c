// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Opening a recording, and what is known of it as a whole.
#include "reader_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	BUSY_MS = 2000,
	READ_ONLY = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX
};

// CROSS JOIN keeps SQLite from beginning with the small table: rows come by id, without sorting.
static const char *const sql[NR_STMTS] = {
	[STMT_META] = "SELECT value FROM meta WHERE key = ?1",
	[STMT_ROWS] =
		"SELECT e.rowid, e.t_ns, c.process, c.thread, c.cpu, c.kind, c.path, c.cache, e.addr,"
		" e.req, ifnull(c.alloc, (e.req + 4095) & ~4095), c.gfp, c.flags, e.stack, e.back,"
		" o.old"
		" FROM event e CROSS JOIN context c USING (context)"
		" LEFT JOIN event_old o ON o.event = e.rowid"
		" WHERE e.rowid BETWEEN ?1 AND ?2 ORDER BY e.rowid",
	[STMT_TIME] = "SELECT t_ns FROM clock WHERE event <= ?1 ORDER BY event DESC LIMIT 1",
	[STMT_STACK] =
		"SELECT s.depth, f.function, f.file, f.line, m.path, a.offset, a.ip, f.place, f.size"
		" FROM stack_frame s JOIN address a USING (address)"
		" LEFT JOIN frame f USING (address) LEFT JOIN module m ON m.module = a.module"
		" WHERE s.stack = ?1 ORDER BY s.depth, f.inline_order",
	[STMT_TIMELINE_COUNT] =
		"SELECT count(*) FROM timeline"
		" WHERE process = ?1 AND level = ?2 AND last_event >= ?3 AND first_event <= ?4",
	[STMT_TIMELINE] =
		"SELECT first_event, last_event, t_ns, dma_min, dma_max, normal_min, normal_max,"
		" highmem_min, highmem_max, program_min, program_max, host_min, host_max,"
		" failures FROM timeline"
		" WHERE process = ?1 AND level = ?2 AND last_event >= ?3 AND first_event <= ?4"
		" ORDER BY bucket",
	[STMT_TRANSITIONS] =
		"SELECT t.event, c.cpu, c.kind, c.zone, c.\"order\", c.order2, c.migratetype,"
		" c.migratetype2, c.cache, c.flags, t.pfn, t.addr, t.count, t.stride, t.value"
		" FROM transition t JOIN transition_context c USING (context)"
		" WHERE t.event = ?1 ORDER BY t.seq LIMIT ?2",
	[STMT_EVENT_BEFORE] =
		"SELECT e.rowid FROM event e CROSS JOIN context c USING (context)"
		" WHERE e.rowid <= ?2 AND c.process = ?1 ORDER BY e.rowid DESC LIMIT 1",
	[STMT_EVENT_AFTER] = "SELECT e.rowid FROM event e CROSS JOIN context c USING (context)"
			     " WHERE e.rowid > ?2 AND c.process = ?1 ORDER BY e.rowid LIMIT 1",
	// the last keyframe that does not hold event ?2 yet, the full one it builds on, its last event
	[STMT_KEYFRAME] =
		"SELECT k.seq, (SELECT max(f.seq) FROM keyframe f WHERE f.process = ?1"
		" AND f.\"full\" AND f.seq <= k.seq), k.event FROM keyframe k"
		" WHERE k.process = ?1 AND (k.event < ?2 OR k.seq = 0) ORDER BY k.seq DESC LIMIT 1",
	[STMT_KEYFRAME_FULL] = "SELECT (SELECT max(f.seq) FROM keyframe f WHERE f.process = ?1"
			       " AND f.\"full\" AND f.seq <= k.seq) FROM keyframe k"
			       " WHERE k.process = ?1 AND k.seq = ?2",
	[STMT_KEYFRAMES] = "SELECT data FROM keyframe WHERE process = ?1 AND seq BETWEEN ?2 AND ?3"
			   " ORDER BY seq",
	[STMT_LOG] = "SELECT data FROM log WHERE process = ?1 AND seq = ?2",
	[STMT_LOG_LAST] = "SELECT max(seq) FROM log WHERE process = ?1",
};

sqlite3_stmt *reader_stmt(struct recording *r, enum reader_stmt which)
{
	sqlite3_stmt **s = &r->stmt[which];
	if (!*s && sqlite3_prepare_v3(r->db, sql[which], -1, SQLITE_PREPARE_PERSISTENT, s, NULL))
		return NULL;
	sqlite3_reset(*s);
	sqlite3_clear_bindings(*s);
	return *s;
}

bool reader_row(sqlite3_stmt *s)
{
	if (s && sqlite3_step(s) == SQLITE_ROW)
		return true;
	sqlite3_reset(s);
	return false;
}

// Texts go into the fixed fields of reader.h; half a character at the end would not be UTF-8.
void reader_text(sqlite3_stmt *s, int c, char *buf, size_t size)
{
	const char *t = (const char *)sqlite3_column_text(s, c);
	size_t n = t ? strlen(t) : 0;
	if (n >= size)
		for (n = size - 1; n && (t[n] & 0xC0) == 0x80;)
			n--;
	memcpy(buf, t ? t : "", n);
	buf[n] = 0;
}

// A zstd file, as `kalloscope pack` makes them.
static bool is_packed(const char *path)
{
	static const unsigned char magic[] = {0x28, 0xB5, 0x2F, 0xFD};
	unsigned char head[sizeof(magic)] = {0};
	FILE *f = fopen(path, "rb");
	bool packed = f && fread(head, 1, sizeof(head), f) == sizeof(head) &&
		      !memcmp(head, magic, sizeof(magic));

	if (f)
		fclose(f);
	return packed;
}

// What an SQLite error means to somebody who wanted to open a recording.
static enum recording_error classify(int rc)
{
	switch (rc & 0xFF) {
	case SQLITE_NOTADB:
		return REC_NOT_A_RECORDING;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return REC_BUSY;
	default:
		return REC_DAMAGED;
	}
}

// A pragma's integer; -1 and the reason in *rc on failure.
static int64_t pragma(sqlite3 *db, const char *text, int *rc)
{
	sqlite3_stmt *s = NULL;
	int64_t value = -1;
	*rc = sqlite3_prepare_v2(db, text, -1, &s, NULL);
	if (!*rc && (*rc = sqlite3_step(s)) == SQLITE_ROW)
		value = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return value;
}

// A file in a folder that cannot be written may still need its write-ahead log: taken as it is.
static int open_immutable(const char *path, sqlite3 **db)
{
	char *uri = sqlite3_mprintf("file:%s?immutable=1", path);
	sqlite3_close(*db);
	*db = NULL;
	int rc = strpbrk(path, "?#%") ? SQLITE_CANTOPEN
				      : sqlite3_open_v2(uri, db, READ_ONLY | SQLITE_OPEN_URI, NULL);
	sqlite3_free(uri);
	return rc;
}

// SQLite reads nothing before it is asked something, so the first question is part of opening.
// A recording is used by one thread at a time: locks would be a fifth of a pass over events.
static int open_db(const char *path, sqlite3 **db, int64_t *id)
{
	int rc = sqlite3_open_v2(path, db, READ_ONLY, NULL);
	if (!rc) {
		sqlite3_busy_timeout(*db, BUSY_MS);
		reader_defend(*db);
		*id = pragma(*db, "PRAGMA application_id", &rc);
	}
	if ((rc & 0xFF) == SQLITE_CANTOPEN && !(rc = open_immutable(path, db))) {
		reader_defend(*db);
		*id = pragma(*db, "PRAGMA application_id", &rc);
	}
	return *id >= 0 ? 0 : rc;
}

// A recording that begins well: its tables are there.
static int check_tables(sqlite3 *db)
{
	int rc;
	int64_t n = pragma(db,
			   "SELECT count(*) FROM sqlite_schema WHERE name IN"
			   " ('meta', 'process', 'event_row', 'context', 'log', 'keyframe')",
			   &rc);
	return n < 0 ? rc : n == 6 ? 0 : SQLITE_CORRUPT;
}

static enum recording_error check_schema(const char *path, sqlite3 *db, char *err, size_t size)
{
	char *name = NULL;
	int rc = check_tables(db);
	if (rc == SQLITE_CORRUPT)
		snprintf(err, size, "%s is damaged: tables are missing", path);
	else if (!rc && (rc = reader_check_schema(db, &name)) == SQLITE_CORRUPT && name)
		snprintf(err, size,
			 "%s is not to be trusted: what it calls %s is not what kalloscope makes",
			 path, name);
	else if (rc)
		snprintf(err, size, "%s is damaged: %s", path, sqlite3_errmsg(db));
	sqlite3_free(name);
	return rc ? classify(rc) : REC_OK;
}

// From "is it ours" to "is it whole": each question only makes sense after the one before.
static enum recording_error check(const char *path, struct recording *r, char *err, size_t size)
{
	int64_t id = -1;
	int rc = open_db(path, &r->db, &id);
	if (rc) {
		enum recording_error e = classify(rc);
		if (is_packed(path)) {
			snprintf(err, size, "%s is packed; first: kalloscope unpack %s", path,
				 path);
			return REC_NOT_A_RECORDING;
		}
		snprintf(err, size,
			 e == REC_NOT_A_RECORDING ? "%s is not a recording%s%s"
			 : e == REC_BUSY
				 ? "%s is being written%s%s; try again"
				 : "%s cannot be read: %s%s; if it is a copy, copy it again, and "
				   "sqlite3 FILE .recover may save rows",
			 path, e == REC_DAMAGED ? sqlite3_errmsg(r->db) : "", "");
		return e;
	}
	if (id != RECORDING_APPLICATION_ID) {
		snprintf(err, size, "%s is not a kalloscope recording", path);
		return REC_NOT_A_RECORDING;
	}
	int64_t version = pragma(r->db, "PRAGMA user_version", &rc);
	if (version > RECORDING_VERSION) {
		snprintf(err, size,
			 "%s was made by a newer kalloscope (format %lld, this one reads %d); "
			 "update kalloscope",
			 path, (long long)version, RECORDING_VERSION);
		return REC_NEWER;
	}
	if (version < RECORDING_VERSION) {
		snprintf(err, size,
			 "%s was made by an older kalloscope (format %lld, this one reads %d); "
			 "record again, or use that version",
			 path, (long long)version, RECORDING_VERSION);
		return REC_OLDER;
	}
	return check_schema(path, r->db, err, size);
}

struct recording *recording_open(const char *path, enum recording_error *code, char *err,
				 size_t err_size)
{
	struct stat st;
	enum recording_error e;
	struct recording *r = calloc(1, sizeof(*r));
	if (!r || !(r->path = strdup(path))) {
		snprintf(err, err_size, "out of memory");
		e = REC_DAMAGED;
	} else if (stat(path, &st)) {
		snprintf(err, err_size, "cannot open %s: %s", path, strerror(errno));
		e = REC_MISSING;
	} else if (!S_ISREG(st.st_mode)) {
		snprintf(err, err_size, "%s is not a recording: it is not a plain file", path);
		e = REC_NOT_A_RECORDING;
	} else if (access(path, R_OK)) {
		snprintf(err, err_size, "cannot read %s: %s", path, strerror(errno));
		e = REC_MISSING;
	} else {
		e = check(path, r, err, err_size);
	}
	if (code)
		*code = e;
	if (e == REC_OK)
		return r;
	recording_close(r);
	return NULL;
}

void recording_close(struct recording *r)
{
	if (!r)
		return;
	for (int i = 0; i < NR_STMTS; i++)
		sqlite3_finalize(r->stmt[i]);
	for (struct meta_value *v = r->meta, *next; v; v = next) {
		next = v->next;
		free(v->text);
		free(v);
	}
	sqlite3_close(r->db);
	free(r->process);
	free(r->path);
	free(r);
}

sqlite3 *recording_db(struct recording *r)
{
	return r->db;
}

const char *recording_path(const struct recording *r)
{
	return r->path;
}

// There are a few dozen keys; a list does.
static struct meta_value *meta_slot(struct recording *r, const char *key)
{
	struct meta_value *v = r->meta;
	while (v && strcmp(v->key, key))
		v = v->next;
	if (v)
		return v;
	v = calloc(1, sizeof(*v) + strlen(key) + 1);
	if (!v)
		return NULL;
	strcpy(v->key, key);
	v->next = r->meta;
	return r->meta = v;
}

const char *recording_meta(struct recording *r, const char *key)
{
	struct meta_value *v = meta_slot(r, key);
	sqlite3_stmt *s = reader_stmt(r, STMT_META);
	if (!v || !s)
		return "";
	free(v->text);
	v->text = NULL;
	sqlite3_bind_text(s, 1, key, -1, SQLITE_STATIC);
	if (reader_row(s) && sqlite3_column_type(s, 0) != SQLITE_NULL)
		v->text = strdup((const char *)sqlite3_column_text(s, 0));
	sqlite3_reset(s);
	return v->text ? v->text : "";
}

bool recording_complete(struct recording *r)
{
	return atoi(recording_meta(r, "complete")) == 1;
}

// Of the table itself: true while it is still written, too.
uint64_t recording_events(struct recording *r)
{
	int rc;
	int64_t n = pragma(r->db, "SELECT ifnull(max(rowid), 0) FROM event_row", &rc);
	return n < 0 ? 0 : (uint64_t)n;
}

uint64_t recording_duration_ns(struct recording *r)
{
	int rc;
	const char *text = recording_meta(r, "duration_ns");
	if (*text)
		return strtoull(text, NULL, 10);
	int64_t t = pragma(r->db, "SELECT t_ns FROM clock ORDER BY event DESC LIMIT 1", &rc);
	return t < 0 ? 0 : (uint64_t)t;
}

static void read_process(sqlite3_stmt *s, struct process_info *p)
{
	*p = (struct process_info){
		.process = sqlite3_column_int(s, 0),
		.parent = sqlite3_column_int(s, 1),
		.how = sqlite3_column_int(s, 2),
		.pid = sqlite3_column_int(s, 3),
		.first_event = (uint64_t)sqlite3_column_int64(s, 6),
		.last_event = (uint64_t)sqlite3_column_int64(s, 7),
		.events = (uint64_t)sqlite3_column_int64(s, 8),
		.fork_event = (uint64_t)sqlite3_column_int64(s, 9),
		.start_ns = (uint64_t)sqlite3_column_int64(s, 10),
		.end_ns = (uint64_t)sqlite3_column_int64(s, 11),
		.lost = (uint64_t)sqlite3_column_int64(s, 12),
	};
	reader_text(s, 4, p->exe, sizeof(p->exe));
	reader_text(s, 5, p->argv, sizeof(p->argv));
	for (char *c = p->argv; *c; c++)
		if (*c == '\n')
			*c = ' ';
}

// Read once: processes do not change in a finished recording, and a reader of one that is still
// written opens it again.
static void read_processes(struct recording *r)
{
	sqlite3_stmt *s = NULL;
	unsigned room = 0;
	sqlite3_prepare_v2(
		r->db,
		"SELECT process, parent, how, pid, exe, argv, first_event, last_event, events,"
		" fork_event, start_ns, end_ns, lost FROM process ORDER BY process",
		-1, &s, NULL);
	while (s && sqlite3_step(s) == SQLITE_ROW) {
		if (r->nprocesses == room) {
			room = room ? 2 * room : 8;
			void *p = realloc(r->process, room * sizeof(*r->process));
			if (!p)
				break;
			r->process = p;
		}
		read_process(s, &r->process[r->nprocesses++]);
	}
	sqlite3_finalize(s);
}

unsigned recording_processes(struct recording *r, const struct process_info **list)
{
	if (!r->processes_read)
		read_processes(r);
	r->processes_read = true;
	*list = r->process;
	return r->nprocesses;
}

const struct process_info *recording_process(struct recording *r, int process)
{
	const struct process_info *list, *best = NULL;
	unsigned n = recording_processes(r, &list);
	for (unsigned i = 0; i < n; i++) {
		if (process ? list[i].process == process : !best || list[i].events > best->events)
			best = &list[i];
	}
	return best;
}
