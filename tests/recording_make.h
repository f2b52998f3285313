// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// A recording made without a recorder: two processes, each with a machine of two CPUs, whose
// events interleave. Stored through the schema and the codec alone, so that what the reader says
// can be held against what was done here.
#pragma once

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../db/codec.h"
#include "../db/reader.h"
#include "db/schema.h"

enum {
	MADE_PROCESSES = 2,
	MADE_EVENTS = 3000,
	MADE_BLOB = 150,	 // log entries of a blob
	MADE_KEYFRAME_EVERY = 3, // blobs
	MADE_FULL_EVERY = 4,	 // keyframes
	MADE_LIVE = 64,
};

struct made_process {
	struct machine_config cfg;
	size_t size;
	void *memory;
	struct machine m[2]; // the CPUs
	struct machine_ops ops;
	struct log_entry *log; // everything
	size_t n, stored, room;
	struct keyframer *key;
	int64_t seq, keyframes;
	uint64_t last_event, first_event, events, stored_event;
	kaddr_t live[MADE_LIVE];
	uint64_t live_event[MADE_LIVE];
};

struct made {
	sqlite3 *db;
	uint64_t events;
	unsigned random;
	struct made_process p[MADE_PROCESSES];
};

static inline unsigned made_random(struct made *d)
{
	d->random = d->random * 1103515245u + 12345;
	return d->random >> 16;
}

static inline void made_exec(struct made *d, const char *sql)
{
	char *err = NULL;
	if (sqlite3_exec(d->db, sql, NULL, NULL, &err)) {
		printf("Bail out! %s: %s\n", sql, err);
		exit(1);
	}
}

static inline void made_execf(struct made *d, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *sql = sqlite3_vmprintf(fmt, ap);
	va_end(ap);
	made_exec(d, sql);
	sqlite3_free(sql);
}

static inline void made_append(struct made_process *p, const struct record *r, uint64_t event)
{
	if (p->n == p->room) {
		p->room = p->room ? 2 * p->room : 4096;
		p->log = realloc(p->log, p->room * sizeof(*p->log));
	}
	p->log[p->n++] = (struct log_entry){*r, event};
}

static inline void made_record(struct machine *m, const struct record *r)
{
	made_append(m->priv, r, 0);
}

static inline void *made_memory(size_t size)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		    -1, 0);
}

static inline void made_boot(struct made_process *p, uint64_t ram)
{
	const char *why = "";
	machine_config_default(&p->cfg, MODEL_CLASSIC, ram, 2);
	p->size = machine_size(&p->cfg);
	p->memory = made_memory(p->size);
	if (machine_boot(&p->m[0], p->memory, &p->cfg, &why)) {
		printf("Bail out! boot: %s\n", why);
		exit(1);
	}
	p->ops = machine_ops_none;
	p->ops.record = made_record;
	for (unsigned cpu = 0; cpu < 2; cpu++)
		machine_attach(&p->m[cpu], p->memory, p->size, cpu, &p->ops, p);
	p->key = keyframer_create(p->memory, p->size);
}

static inline void made_blob(struct made *d, const char *sql, int process, int64_t seq, uint64_t a,
			     uint64_t b, uint64_t c, const void *blob, size_t size)
{
	sqlite3_stmt *s;
	if (sqlite3_prepare_v2(d->db, sql, -1, &s, NULL)) {
		printf("Bail out! %s: %s\n", sql, sqlite3_errmsg(d->db));
		exit(1);
	}
	sqlite3_bind_int(s, 1, process);
	sqlite3_bind_int64(s, 2, seq);
	sqlite3_bind_int64(s, 3, (int64_t)a);
	sqlite3_bind_int64(s, 4, (int64_t)b);
	sqlite3_bind_int64(s, 5, (int64_t)c);
	sqlite3_bind_blob(s, 6, blob, (int)size, SQLITE_TRANSIENT);
	sqlite3_step(s);
	sqlite3_finalize(s);
}

static inline void made_keyframe(struct made *d, int process)
{
	struct made_process *p = &d->p[process - 1];
	bool full = p->keyframes++ % MADE_FULL_EVERY == 0;
	void *blob;
	size_t size;
	keyframe_encode(p->key, full, &blob, &size);
	made_blob(d, "INSERT INTO keyframe VALUES (?1, ?2, ?3, ?4, ?5, ?6)", process, p->seq,
		  p->stored_event, 0, full, blob, size);
	free(blob);
}

// Stores what has been logged since the last blob. A keyframe is the memory before a blob, so it is
// taken here, where the machine stands at the end of the one before.
static inline void made_store(struct made *d, int process)
{
	struct made_process *p = &d->p[process - 1];
	void *blob;
	size_t size;
	log_encode(p->log + p->stored, p->n - p->stored, &blob, &size);
	made_blob(d, "INSERT INTO log VALUES (?1, ?2, ?3, ?4, ?5, ?6)", process, p->seq++,
		  p->stored_event, p->last_event, p->n - p->stored, blob, size);
	free(blob);
	p->stored = p->n;
	p->stored_event = p->last_event;
	if (p->seq % MADE_KEYFRAME_EVERY == 0)
		made_keyframe(d, process);
}

static inline void made_event(struct made *d, int process, unsigned cpu, enum event_kind kind,
			      uint64_t addr, uint64_t req, uint64_t ref)
{
	struct made_process *p = &d->p[process - 1];
	uint64_t id = ++d->events;
	struct record r = {.kind = kind,
			   .path = PATH_KMALLOC,
			   .cpu = cpu,
			   .lock = 1,
			   .ticket = (uint32_t)(id % 3),
			   .op = {.addr = addr, .req = req}};
	made_append(p, &r, id);
	p->m[cpu].s->cpu[cpu].ops++; // as the preload counts them
	p->last_event = id;
	p->first_event = p->first_event ? p->first_event : id;
	p->events++;
	made_execf(d, "INSERT OR IGNORE INTO context VALUES (%d, %d, 1, %d, %d, %d, 0, 0, 0, 32)",
		   process * 1000 + (int)cpu * 100 + kind, process, cpu, kind, PATH_KMALLOC);
	made_execf(d, "INSERT INTO call VALUES (%lld, %d, %lld, %lld)", (long long)id,
		   process * 1000 + (int)cpu * 100 + kind, (long long)id % 3, (long long)req);
	made_execf(d, "INSERT INTO clock VALUES (%lld, %lld)", (long long)id,
		   (long long)id * 1000);
	made_execf(d, "INSERT INTO event_row(rowid, call, addr, arg) VALUES (%lld, %lld, %d, %lld)",
		   (long long)id, (long long)id, (int32_t)addr, ref ? (long long)(id - ref) : 0ll);
}

static inline void made_step(struct made *d)
{
	int process = 1 + (int)(made_random(d) % 4 == 0);
	unsigned cpu = made_random(d) & 1, i = made_random(d) % MADE_LIVE;
	struct made_process *p = &d->p[process - 1];
	// now and then the other CPU is in the middle of an operation while this one completes its own
	if (made_random(d) % 8 == 0)
		kfree(&p->m[!cpu], kmalloc(&p->m[!cpu], 2000, GFP_KERNEL));
	if (p->live[i]) {
		kfree(&p->m[cpu], p->live[i]);
		made_event(d, process, cpu, EV_FREE, p->live[i], 0, p->live_event[i]);
		p->live[i] = 0;
	} else {
		size_t size = 1 + made_random(d) % (i % 8 ? 600 : 9000);
		p->live[i] = kmalloc(&p->m[cpu], size, GFP_KERNEL);
		made_event(d, process, cpu, EV_MALLOC, p->live[i], size, 0);
		p->live_event[i] = p->last_event;
	}
	if (p->n - p->stored >= MADE_BLOB)
		made_store(d, process);
}

static inline void made_finish(struct made *d)
{
	for (int process = 1; process <= MADE_PROCESSES; process++) {
		struct made_process *p = &d->p[process - 1];
		if (p->n > p->stored)
			made_store(d, process);
		made_execf(
			d,
			"INSERT INTO process(process, parent, how, pid, exe, argv, first_event, last_event,"
			" events, lost, divergences, live_bytes, live_count, peak_bytes) VALUES (%d, %d, %d,"
			" %d, '/bin/made', 'made' || char(10) || 'arg', %lld, %lld, %lld, 0, 0, 0, 0, 0)",
			process, process - 1, process - 1, 1000 + process,
			(long long)p->first_event, (long long)p->last_event, (long long)p->events);
	}
	made_execf(d, "INSERT INTO meta VALUES ('complete', 1), ('duration_ns', %lld)",
		   (long long)d->events * 1000);
}

// Makes the recording at path and leaves what it knows in d.
static inline void made_create(struct made *d, const char *path)
{
	unlink(path);
	memset(d, 0, sizeof(*d));
	d->random = 7;
	sqlite3_open(path, &d->db);
	made_exec(d, "BEGIN");
	made_exec(d, (const char *)schema_sql);
	made_execf(d, "PRAGMA application_id = %d", RECORDING_APPLICATION_ID);
	made_execf(d, "PRAGMA user_version = %d", RECORDING_VERSION);
	for (int process = 1; process <= MADE_PROCESSES; process++) {
		made_boot(&d->p[process - 1], process == 1 ? 128ull << 20 : 256ull << 20);
		made_keyframe(d, process);
	}
	while (d->events < MADE_EVENTS)
		made_step(d);
	made_finish(d);
	made_exec(d, "COMMIT");
}

static inline void made_destroy(struct made *d)
{
	for (int i = 0; i < MADE_PROCESSES; i++) {
		keyframer_destroy(d->p[i].key);
		munmap(d->p[i].memory, d->p[i].size);
		free(d->p[i].log);
	}
	sqlite3_close(d->db);
}
