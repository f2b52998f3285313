// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The database of a recording while it is made: opening, names, single rows, transactions.
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "inserter.h"
#include "schema.h"
#include "store_queue.h"

enum {
	MAX_ARGUMENTS = 32
};

static const char *const sql[ST_COUNT] = {
	[ST_EVENTS] = "INSERT INTO event_row SELECT * FROM event_batch",
	[ST_EVENT_LEAF] = "INSERT INTO event_row(rowid, call) VALUES(?,?)",
	[ST_CLOCK] = "INSERT INTO clock SELECT * FROM clock_batch",
	[ST_CLOCK_LEAF] = "INSERT INTO clock VALUES(?,?)",
	[ST_CALL] = "INSERT INTO call VALUES(?,?,?,?)",
	[ST_TRANSITIONS] = "INSERT OR REPLACE INTO transition SELECT * FROM transition_batch",
	[ST_CONTEXT] = "INSERT INTO context VALUES(?,?,?,?,?,?,?,?,?,?)",
	[ST_TRANSITION_CONTEXT] = "INSERT INTO transition_context VALUES(?,?,?,?,?,?,?,?,?,?,?)",
	[ST_GFP] = "INSERT OR IGNORE INTO gfp_name VALUES(?,?)",
	[ST_OLD] = "INSERT INTO event_old VALUES(?,?,?,?)",
	[ST_CACHE] = "INSERT OR REPLACE INTO cache VALUES(?,?,?,?,?,?)",
	[ST_MODULE] = "INSERT INTO module VALUES(?,?,?,?,?,?,?,?,?,?)",
	[ST_MARK] = "INSERT INTO mark VALUES(?,?,?,?)",
	[ST_POOL] = "INSERT OR REPLACE INTO pool VALUES(?,?,?,?)",
	[ST_POOLS_OF_PARENT] = "INSERT OR IGNORE INTO pool SELECT ?1, pool, event, name FROM pool"
			       " WHERE process = ?2 AND event <= ?3",
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
	[ST_PARTS] = "INSERT INTO stack_part SELECT * FROM part_batch",
	[ST_FRAMES] = "INSERT INTO chunk_frame SELECT * FROM frame_batch",
	[ST_FRAME] = "INSERT OR REPLACE INTO frame VALUES(?,?,?,?,?,?,?)",
	[ST_TOUCHED] = "INSERT INTO touched VALUES(?,?)",
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

static void exec_now(struct inserter *ins, const char *text)
{
	if (!ins->error)
		check(ins, sqlite3_exec(ins->db, text, NULL, NULL, NULL));
}

static void begin(struct inserter *ins)
{
	if (ins->in_transaction)
		return;
	exec_now(ins, "BEGIN");
	ins->in_transaction = true;
}

static void bind(sqlite3_stmt *s, int i, const struct store_value *v)
{
	if (v->type == 'i')
		sqlite3_bind_int64(s, i, v->number);
	else if (v->type == 's')
		sqlite3_bind_text(s, i, v->data, (int)v->size, SQLITE_STATIC);
	else if (v->type == 'b')
		sqlite3_bind_blob64(s, i, v->data, v->size, SQLITE_STATIC);
	else
		sqlite3_bind_null(s, i);
}

void store_now(struct inserter *ins, enum statement st, const struct store_value *v, unsigned n)
{
	sqlite3_stmt *s = ins->stmt[st];

	if (ins->error)
		return;
	begin(ins);
	if (!s && !check(ins, sqlite3_prepare_v3(ins->db, sql[st], -1, SQLITE_PREPARE_PERSISTENT,
						 &ins->stmt[st], NULL)))
		return;
	s = ins->stmt[st];
	for (unsigned i = 0; i < n; i++)
		bind(s, (int)i + 1, &v[i]);
	check(ins, sqlite3_step(s));
	sqlite3_reset(s);
}

// Entries become the last argument. Whoever has more time does it: the fold, when jobs pile up
// before the thread that stores, or that one.
static void log_encode_job(struct inserter *ins, struct store_job *job)
{
	struct store_value *v = &job->value[job->n - 1];
	void *blob = NULL;

	if (log_encode(job->entries, job->nentries, &blob, &v->size))
		store_fail(ins, -ENOMEM, strerror(ENOMEM));
	free(job->entries);
	job->entries = NULL;
	v->data = blob;
	v->type = 'b';
}

static void log_now(struct inserter *ins, struct store_job *job)
{
	if (job->entries)
		log_encode_job(ins, job);
	store_now(ins, ST_LOG, job->value, job->n);
	free((void *)job->value[job->n - 1].data);
}

static void batch_now(struct inserter *ins, struct batch *b)
{
	batch_store(ins, b);
	free(b);
}

// Has the disk begin, without waiting for it: or all of it would be waited for at the end.
static void start_writing(const struct inserter *ins)
{
	if (ins->output_fd >= 0)
		sync_file_range(ins->output_fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}

static void commit_now(struct inserter *ins, const struct store_value *events)
{
	const struct store_value meta[] = {{.type = 's', .data = "events", .size = 6}, *events};

	if (ins->in_transaction) {
		batch_store_rest(ins);
		store_now(ins, ST_META, meta, 2);
		exec_now(ins, "COMMIT");
		sqlite3_db_release_memory(ins->db); // see leaf.h
		start_writing(ins);
	}
	ins->in_transaction = false;
}

void store_do(struct inserter *ins, struct store_job *job)
{
	switch (job->kind) {
	case JOB_RUN:
		store_now(ins, job->statement, job->value, job->n);
		break;
	case JOB_EXEC:
		begin(ins);
		exec_now(ins, job->value[0].data);
		break;
	case JOB_BATCH:
		batch_now(ins, job->batch);
		break;
	case JOB_LOG:
		log_now(ins, job);
		break;
	case JOB_COMMIT:
		commit_now(ins, job->value);
		break;
	}
	free(job);
}

// A copy that owns what the values point to.
static struct store_job *job_make(struct inserter *ins, enum store_job_kind kind,
				  const struct store_value *v, unsigned n)
{
	size_t bytes = sizeof(struct store_job) + n * sizeof(*v);
	struct store_job *job;
	char *data;

	for (unsigned i = 0; i < n; i++)
		bytes += v[i].data ? v[i].size + 1 : 0;
	job = malloc(bytes);
	if (!job) {
		store_fail(ins, -ENOMEM, strerror(ENOMEM));
		return NULL;
	}
	*job = (struct store_job){.bytes = bytes, .kind = kind, .n = n};
	data = (char *)(job->value + n);
	for (unsigned i = 0; i < n; i++) {
		job->value[i] = v[i];
		if (!v[i].data)
			continue;
		memcpy(data, v[i].data, v[i].size);
		data[v[i].size] = 0;
		job->value[i].data = data;
		data += v[i].size + 1;
	}
	return job;
}

static struct store_value argument(char type, va_list *ap)
{
	struct store_value v = {.type = type};

	if (strchr("izm", type)) {
		v.number = va_arg(*ap, int64_t);
		v.type = (type == 'z' && v.number == 0) || (type == 'm' && v.number == -1) ? 'n'
											   : 'i';
	} else if (type == 's') {
		v.data = va_arg(*ap, const char *);
		v.size = v.data ? strlen(v.data) : 0;
	} else if (type == 'b') {
		v.data = va_arg(*ap, const void *);
		v.size = va_arg(*ap, size_t);
	}
	return v;
}

static unsigned arguments(const char *types, va_list *ap, struct store_value *v)
{
	unsigned n = 0;

	for (; types[n] && n < MAX_ARGUMENTS - 1; n++)
		v[n] = argument(types[n], ap);
	return n;
}

void store_run(struct inserter *ins, enum statement st, const char *types, ...)
{
	struct store_value v[MAX_ARGUMENTS];
	struct store_job *job;
	unsigned n;
	va_list ap;

	if (ins->error)
		return;
	va_start(ap, types);
	n = arguments(types, &ap, v);
	va_end(ap);
	if (!ins->queue) {
		store_now(ins, st, v, n);
		return;
	}
	job = job_make(ins, JOB_RUN, v, n);
	if (!job)
		return;
	job->statement = st;
	store_give(ins, job);
}

void store_exec(struct inserter *ins, const char *text)
{
	const struct store_value v = {.type = 's', .data = text, .size = strlen(text)};
	struct store_job *job = ins->error ? NULL : job_make(ins, JOB_EXEC, &v, 1);

	if (job)
		store_give(ins, job);
}

void store_batch(struct inserter *ins, struct batch *b)
{
	struct store_job *job = ins->error ? NULL : job_make(ins, JOB_BATCH, NULL, 0);

	if (!job) {
		free(b);
		return;
	}
	job->batch = b;
	job->bytes += BATCH_ROWS * 3 * sizeof(*b->cell); // about
	store_give(ins, job);
}

void store_log(struct inserter *ins, struct log_entry *e, size_t n, const char *types, ...)
{
	struct store_value v[MAX_ARGUMENTS];
	struct store_job *job;
	va_list ap;

	unsigned count;

	va_start(ap, types);
	count = arguments(types, &ap, v);
	va_end(ap);
	v[count++] = (struct store_value){.type = 'n'}; // for the blob
	job = ins->error ? NULL : job_make(ins, JOB_LOG, v, count);
	if (!job) {
		free(e);
		return;
	}
	job->entries = e;
	job->nentries = n;
	job->bytes += n * sizeof(*e);
	if (store_behind(ins))
		log_encode_job(ins, job);
	store_give(ins, job);
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
	const struct store_value events = {.type = 'i', .number = (int64_t)ins->events};
	struct store_job *job;

	batch_flush(ins);
	for (uint32_t i = 1; i < ins->nproc; i++) {
		struct proc *p = ins->proc[i];

		if (p && p->dirty)
			proc_store(p);
		if (p)
			proc_log_age(p);
	}
	job = ins->error ? NULL : job_make(ins, JOB_COMMIT, &events, 1);
	if (job)
		store_give(ins, job);
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
		exec_now(ins, text);
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

// What is in the way of a commit is a reader, who will be done: the program does not wait for it,
// the spool takes what comes.
static int wait_for_reader(void *ctx, int tries)
{
	const struct timespec pause = {.tv_nsec = 2000000};
	(void)ctx, (void)tries;

	nanosleep(&pause, NULL);
	return 1;
}

// New pages are not journalled, and nearly all are new: a rollback journal writes everything once,
// where a write-ahead log writes it twice. Without spilling, the file is locked for commits only.
static const char settings[] =
	"PRAGMA page_size=16384; PRAGMA journal_mode=TRUNCATE; PRAGMA synchronous=OFF;"
	"PRAGMA cache_size=-32768; PRAGMA cache_spill=OFF; PRAGMA secure_delete=OFF; PRAGMA temp_store=MEMORY;"
	"PRAGMA application_id=0x4b414c4f; PRAGMA user_version=4";

// What an earlier try left: a recording, or the file before anything was committed to it.
static bool earlier_try(int fd)
{
	static const char magic[16] = "SQLite format 3", id[4] = "KALO"; // as in settings
	char head[72];
	struct stat st;
	ssize_t n = -1;

	if (fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode))
		n = pread(fd, head, sizeof(head), 0);
	return n == 0 || (n == sizeof(head) && !memcmp(head, magic, sizeof(magic)) &&
			  !memcmp(head + 68, id, sizeof(id)));
}

// An empty file of nobody else's. Everything is in the spool, so an earlier try goes; what is no such
// thing stays.
static int create_file(struct inserter *ins)
{
	char journal[sizeof(ins->output) + 16];
	int fd = open(ins->output, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0 || errno != ENOENT) {
		bool ours = earlier_try(fd);

		if (fd >= 0)
			close(fd);
		if (!ours) {
			ins->error = sentence(ins->err, -EEXIST,
					      "%s is in the way, and is no recording: move it away",
					      ins->output);
			return ins->error;
		}
		unlink(ins->output);
	}
	snprintf(journal, sizeof(journal), "%s-journal", ins->output);
	unlink(journal);
	fd = open(ins->output, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		store_fail(ins, -errno, strerror(errno));
	else
		close(fd);
	return ins->error;
}

int store_open(struct inserter *ins)
{
	if (create_file(ins))
		return ins->error;
	if (!check(ins, leaf_vfs_register()) ||
	    !check(ins, sqlite3_open_v2(ins->output, &ins->db,
					SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW |
						SQLITE_OPEN_NOMUTEX, // one thread at a time
					LEAF_VFS)))
		return ins->error;
	// closed behind the database: a file's locks go with the first descriptor of it that is closed
	ins->output_fd = open(ins->output, O_RDONLY | O_CLOEXEC);
	sqlite3_busy_handler(ins->db, wait_for_reader, NULL);
	exec_now(ins, settings);
	begin(ins);
	exec_now(ins, schema_sql);
	store_names(ins);
	if (!ins->error)
		check(ins, batch_register(ins));
	return ins->error ? ins->error : store_queue_start(ins);
}

void store_close(struct inserter *ins)
{
	store_queue_stop(ins);
	for (int i = 0; i < ST_COUNT; i++)
		sqlite3_finalize(ins->stmt[i]);
	memset(ins->stmt, 0, sizeof(ins->stmt));
	sqlite3_close(ins->db);
	batch_finish(ins);
	ins->db = NULL;
	if (ins->output_fd >= 0)
		close(ins->output_fd);
}
