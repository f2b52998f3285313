// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// What the files of the reader share.
#pragma once

#include "codec.h"
#include "reader.h"

enum reader_stmt {
	STMT_META,
	STMT_ROWS,
	STMT_TIME,
	STMT_STACK,
	STMT_TIMELINE_COUNT,
	STMT_TIMELINE,
	STMT_TRANSITIONS,
	STMT_EVENT_BEFORE,
	STMT_EVENT_AFTER,
	STMT_KEYFRAME,
	STMT_KEYFRAME_FULL,
	STMT_KEYFRAMES,
	STMT_LOG,
	STMT_LOG_LAST,
	NR_STMTS,
};

struct meta_value { // cached, so that recording_meta can hand out pointers
	struct meta_value *next;
	char *text;
	char key[];
};

struct recording {
	sqlite3 *db;
	char *path;
	sqlite3_stmt *stmt[NR_STMTS]; // prepared at first use
	struct meta_value *meta;
	struct process_info *process;
	unsigned nprocesses;
	bool processes_read;
};

// The statement, reset and without bindings; NULL when the file cannot answer it.
sqlite3_stmt *reader_stmt(struct recording *r, enum reader_stmt which);
// Steps to the next row; resets the statement at the end.
bool reader_row(sqlite3_stmt *s);
// Copies text column c of s, shortened to whole UTF-8 characters.
void reader_text(sqlite3_stmt *s, int c, char *buf, size_t size);

// --- reader_schema.c
void reader_defend(sqlite3 *db); // a connection that a hostile file can do nothing with
// 0; SQLITE_CORRUPT: *name is no table or view of ours (sqlite3_free); or another SQLite error.
int reader_check_schema(sqlite3 *db, char **name);

// For `verify`: the log of a process blob by blob, and its keyframes alone.
int64_t replay_blobs(const struct replay *p); // how many
// Applies the records of blob seq, which must follow what was applied last, calling fn for each
// OP. -EILSEQ: the blob is damaged, or (counted in *diverged) records contradict the state.
int replay_blob(struct replay *p, int64_t seq, uint64_t *diverged,
		void (*fn)(void *ctx, const struct log_entry *e), void *ctx);
int replay_keyframe(struct replay *p,
		    int64_t seq); // memory = this keyframe; -ENOENT: there is none
// machine_compare, but pages neither has touched are not looked at.
int64_t replay_compare(const struct replay *a, const struct replay *b);
