// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// kalloscope translate: what the paging unit does with a linear address at a moment, whose frame
// it ends at, and which events put it there.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../core/translate.h"
#include "cli.h"
#include "touched.h"

struct place { // an address at a moment
	struct recording *r;
	struct translation t;
	int process;
	uint64_t event;
};

// What a query finds last, or first: ?1 is the place's process, ?2 and ?3 the events it may look at,
// ?4 value. They are asked for where something may have touched the bytes first..last.
struct search {
	const char *sql;
	enum touched_space space;
	uint64_t first, last, from, to; // to < from: the last one is wanted
	int64_t value;
};

// NULL: none. The caller finalises.
static sqlite3_stmt *first_row(const struct place *at, const struct search *f)
{
	struct touched_runs runs;
	uint64_t begin, end;
	bool found = false;
	sqlite3_stmt *q;

	if (sqlite3_prepare_v2(recording_db(at->r), f->sql, -1, &q, NULL) != SQLITE_OK)
		return NULL;
	sqlite3_bind_int(q, 1, at->process);
	sqlite3_bind_int64(q, 4, f->value);
	touched_begin(&runs, at->r, f->space, f->first, f->last, f->from, f->to);
	while (!found && touched_next(&runs, &begin, &end)) {
		sqlite3_reset(q);
		sqlite3_bind_int64(q, 2, (int64_t)begin);
		sqlite3_bind_int64(q, 3, (int64_t)end);
		found = sqlite3_step(q) == SQLITE_ROW;
	}
	touched_end(&runs);
	if (!found)
		sqlite3_finalize(q);
	return found ? q : NULL;
}

static const char *text_of(sqlite3_stmt *q, int column)
{
	const unsigned char *text = sqlite3_column_text(q, column);

	return text ? (const char *)text : "?";
}

static void print_caller(struct recording *r, uint32_t stack)
{
	struct frame f;

	if (!stack || !recording_stack(r, stack, &f, 1))
		return;
	printf(" by %s", f.function);
	if (f.file[0])
		printf(" (%s:%d)", f.file, f.line);
}

// The block's event is the last one before the moment whose bytes cover the address. Host blocks
// lie elsewhere.
static const char block_sql[] =
	"SELECT id, kind, path, addr, req, stack FROM events WHERE process = ?1 AND id BETWEEN ?2 AND "
	"?3 AND addr <= ?4 AND addr + max(alloc, 1) > ?4 AND path NOT IN ('host', 'file', 'none') AND "
	"kind IN ('malloc', 'calloc', 'realloc', 'memalign', 'mmap', 'mremap') AND NOT flags & 4 "
	"ORDER BY id DESC LIMIT 1";
static const char gone_sql[] =
	"SELECT id, kind FROM events WHERE process = ?1 AND id BETWEEN ?2 AND ?3 AND ref = ?4 AND "
	"kind IN ('free', 'realloc', 'munmap', 'mremap') ORDER BY id LIMIT 1";

static bool print_block(const struct place *at)
{
	sqlite3_stmt *q = first_row(at, &(struct search){block_sql, TOUCHED_BLOCK, at->t.addr,
							 at->t.addr, at->event, 1, at->t.addr});
	sqlite3_stmt *gone;

	if (!q)
		return false;
	uint64_t id = (uint64_t)sqlite3_column_int64(q, 0);
	int64_t addr = sqlite3_column_int64(q, 3);
	printf("  block     event #%llu: %s of %lld bytes (%s) at 0x%08llx, offset %lld",
	       (unsigned long long)id, text_of(q, 1), sqlite3_column_int64(q, 4), text_of(q, 2),
	       (long long)addr, (long long)(at->t.addr - addr));
	print_caller(at->r, (uint32_t)sqlite3_column_int64(q, 5));
	gone = id < at->event ? first_row(at, &(struct search){gone_sql, TOUCHED_BLOCK,
							       (uint64_t)addr, (uint64_t)addr,
							       id + 1, at->event, (int64_t)id})
			      : NULL;
	if (gone)
		printf("; gone since event #%lld: %s", sqlite3_column_int64(gone, 0),
		       text_of(gone, 1));
	sqlite3_finalize(gone);
	sqlite3_finalize(q);
	putchar('\n');
	return true;
}

// A transition may stand for a run of pages.
static const char map_sql[] =
	"SELECT event, kind FROM transitions WHERE process = ?1 AND event BETWEEN ?2 AND ?3 AND "
	"kind IN ('map_vm_area', 'kmap', 'kmap_atomic') AND addr <= ?4 AND addr + count * 4096 > ?4 "
	"ORDER BY event DESC, id DESC LIMIT 1";
static const char frame_sql[] =
	"SELECT event, kind FROM transitions WHERE process = ?1 AND event BETWEEN ?2 AND ?3 AND "
	"kind = 'mm_page_alloc' AND CASE WHEN count > 1 THEN stride <> 0 AND "
	"(?4 - pfn) % stride = 0 AND (?4 - pfn) / stride BETWEEN 0 AND count - 1 "
	"ELSE ?4 BETWEEN pfn AND pfn + (1 << \"order\") - 1 END "
	"ORDER BY event DESC, id DESC LIMIT 1";

static bool print_step(const struct place *at, const char *what, const struct search *f)
{
	sqlite3_stmt *q = first_row(at, f);

	if (!q)
		return false;
	printf("  %-9s event #%lld: %s\n", what, sqlite3_column_int64(q, 0), text_of(q, 1));
	sqlite3_finalize(q);
	return true;
}

// A forked process goes on with its parent's machine, and so with what the parent's events made.
static void print_origin(struct place at)
{
	bool block = false, mapped = at.t.region == LINEAR_LOWMEM, frame = !at.t.page;
	uint64_t bytes = (uint64_t)at.t.pfn * PAGE_SIZE;

	for (const struct process_info *p; (p = recording_process(at.r, at.process)) != NULL;) {
		block = block || print_block(&at);
		mapped = mapped || print_step(&at, "mapped",
					      &(struct search){map_sql, TOUCHED_MAPPED, at.t.addr,
							       at.t.addr, at.event, 0, at.t.addr});
		frame = frame ||
			print_step(&at, "frame",
				   &(struct search){frame_sql, TOUCHED_FRAME, bytes,
						    bytes + PAGE_SIZE - 1, at.event, 0, at.t.pfn});
		if (!p->fork_event || !p->parent)
			break;
		at.process = p->parent;
		at.event = p->fork_event < at.event ? p->fork_event : at.event;
	}
}

static int translate(struct place *at, const struct cli_at *moment)
{
	char text[2048], err[512];
	struct replay *p = replay_open(at->r, at->process, err, sizeof(err));

	if (!p) {
		cli_error("%s", err);
		return EXIT_USAGE;
	}
	at->event = cli_at_event(at->r, moment);
	int damaged = replay_seek(p, at->event);
	if (damaged)
		cli_error("the recording is damaged before this event; what follows is the state "
			  "after event %llu and may be untrue",
			  (unsigned long long)replay_position(p));
	int fault = machine_translate(replay_machine(p), at->t.addr, &at->t);
	translation_text(replay_machine(p), &at->t, text, sizeof(text));
	fputs(text, stdout);
	print_origin(*at);
	replay_close(p);
	return damaged || fault ? EXIT_FAILURE : EXIT_SUCCESS;
}

// Hexadecimal with or without 0x, as every tool prints addresses. The low 32 bits of a program's
// pointer are its address in the machine.
static bool parse_address(const char *text, kaddr_t *addr)
{
	char *end;

	errno = 0;
	unsigned long long value = strtoull(text, &end, 16);
	*addr = (kaddr_t)value;
	return !errno && end != text && !*end && text[0] != '-';
}

int cmd_translate(int argc, char **argv)
{
	struct cli_at moment = {.kind = AT_END};
	struct place at = {0};
	struct cli c;

	cli_init(&c, "translate", argc, argv);
	for (int id; (id = cli_next(&c)) != -1;) {
		if (id == 'a' && !cli_parse_at(c.value, &moment))
			cli_usage("translate",
				  "--at %s: not an event (#123), a time (3.2s, 500ms) or end",
				  c.value);
		if (id == 'p' && (at.process = atoi(c.value)) <= 0)
			cli_usage("translate", "--process %s: not a process number", c.value);
	}
	char **operand = cli_operands(&c, 2);
	if (!parse_address(operand[0], &at.t.addr))
		cli_usage("translate", "%s: not an address (hexadecimal, such as 0xf8001000)",
			  operand[0]);
	at.r = cli_open(operand[1]);
	if (!at.r)
		return EXIT_USAGE;
	const struct process_info *p = recording_process(at.r, at.process);
	at.process = p ? p->process : at.process;
	int status = translate(&at, &moment);
	recording_close(at.r);
	return status;
}
