// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Files of the session folder, as the recorder's parts use them: the mapped segment and the spool.
#pragma once

#include <sys/types.h>

#include "spool.h"

// The segment, with a private copy of its geometry: targets can write into the shared header, so
// offsets and sizes are taken from `own` alone, which was checked against the file's size.
struct segment {
	struct session_header *h; // shared
	struct session_header own;
	size_t size;
	int fd; // open when writable, else -1
};

// Opens FOLDER/NAME; 0600 where it is created. -errno; -EINVAL for what is no plain file, which is
// not followed, waited for or written: programs can write into the folder, and recover is given any.
int session_file(const char *folder, const char *name, int flags);
const char *session_file_why(int error); // in words

// FOLDER/session.json: 0, negative errno. The words with newlines between, for g_free(); NULL and a
// sentence in err (ERR_LEN).
int session_json_write(const char *folder, const struct session_header *h, char *const *argv);
char *session_json_argv(const char *folder, char *err);

// Maps FOLDER/rings. 0; negative errno, with a sentence in err (ERR_LEN).
int segment_open(struct segment *s, const char *folder, bool writable, char *err);
void segment_close(struct segment *s); // zeroed is fine
struct slot *segment_slot(const struct segment *s, uint32_t i);
struct record *segment_ring(const struct segment *s, uint32_t slot, uint32_t cpu);
// ns since CLOCK_MONOTONIC's zero of a stamp in a TIME record or start_tsc.
uint64_t segment_clock(const struct segment *s, uint64_t stamp);

// A stack of the depot, from its innermost frame outwards.
enum {
	DEPOT_WALK_MAX = 512
};
struct depot_walk {
	uint32_t node[DEPOT_WALK_MAX];
	uint64_t ip[DEPOT_WALK_MAX];
	unsigned depth;
	uint32_t image; // whose addresses they are
};
void depot_walk(const struct segment *seg, uint32_t stack, struct depot_walk *w);

uint64_t clock_monotonic_ns(void);

// Puts a sentence into err (ERR_LEN bytes) and returns `error`.
int sentence(char *err, int error, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

// --- processes of the host
uint64_t pid_start_time(int pid); // as /proc/PID/stat has it; 0: gone (zombies count as gone)
// The host's number of what is `pid` in the pid namespace `space`; -1: not to be found (or gone).
int pid_on_host(int pid, uint64_t space);
bool pid_maps_file(int pid, int fd); // the file behind fd is mapped there
bool pid_maps_hidden(int pid);	     // it does not let us look

// --- the spool
struct spool_writer {
	int fd;
	uint64_t size; // bytes of whole chunks
};
// Appends one whole chunk and fills magic and check. The payload stands at `payload`. -errno: the
// file has been cut back to its old length.
int spool_write(struct spool_writer *w, struct spool_chunk *c, const void *payload);

struct spool_reader {
	int fd;
	uint64_t offset; // of the next chunk
	void *payload;
	size_t room;
	unsigned damaged; // chunks passed over: their bytes are not what was written
};
enum {
	SPOOL_MORE = 1,
	SPOOL_WAIT = 0
};
int spool_open(struct spool_reader *r, const char *folder); // 0, -errno
void spool_close(struct spool_reader *r);
// SPOOL_MORE: a chunk, *payload valid until the next call; SPOOL_WAIT: no whole chunk is there
// (yet); -EILSEQ: what stands there is no chunk, and nothing after it can be read.
int spool_next(struct spool_reader *r, struct spool_chunk *c, const void **payload);
// The same, but records are not read: whether they are what was written is not known.
int spool_pass(struct spool_reader *r, struct spool_chunk *c);
uint64_t spool_bytes(const struct spool_reader *r); // read or not
// --max-size, for the drainer: a recording takes some two thirds of its spool, and the inserter, which
// knows better, may get no time to say so on a busy machine.
static inline bool spool_full(uint64_t bytes, uint64_t most)
{
	return most && bytes / 2 >= most;
}
