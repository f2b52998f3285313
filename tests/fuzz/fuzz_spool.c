// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// What programs leave in the shared segment, and what lies in a spool, as the recorder reads it: the
// drainer empties the rings, the inserter makes a recording.
//
//   input: byte (what of the spool is there), changes of 1 + 3 + 1 + n bytes: where, at, n, bytes
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../db/codec.h"
#include "../../db/recorder.h"
#include "../../db/session_file.h"
#include "base.h"
#include "fuzz.h"

enum {
	CHUNKS = 4096
};

static struct fuzz_base base;
static size_t chunk[CHUNKS + 1]; // where they begin; the last one's end
static size_t nchunks;
static uint8_t *rings, *spool, *header;
static bool header_changed; // only then is there one: else the segment's own is believed

// Once there is something to start from, nobody of the processes named in a segment lives, nobody
// waits, and every look at the clock takes a millisecond.
static bool alone;

uint64_t __real_pid_start_time(int pid);
uint64_t __wrap_pid_start_time(int pid);
uint64_t __wrap_pid_start_time(int pid)
{
	return alone ? 0 : __real_pid_start_time(pid);
}

int __real_nanosleep(const struct timespec *t, struct timespec *rest);
int __wrap_nanosleep(const struct timespec *t, struct timespec *rest);
int __wrap_nanosleep(const struct timespec *t, struct timespec *rest)
{
	return alone ? 0 : __real_nanosleep(t, rest);
}

uint64_t __real_clock_monotonic_ns(void);
uint64_t __wrap_clock_monotonic_ns(void);
uint64_t __wrap_clock_monotonic_ns(void)
{
	static uint64_t now;

	return alone ? now += 1000000 : __real_clock_monotonic_ns();
}

static size_t chunk_bytes(const struct spool_chunk *c)
{
	return sizeof(*c) +
	       (size_t)c->count * (c->type == SPOOL_RECORDS ? sizeof(struct record) : 1);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct spool_chunk c;
	size_t at = 0;

	(void)argc;
	(void)argv;
	fuzz_base_make(&base);
	alone = true;
	for (; at + sizeof(c) <= base.spool.size && nchunks < CHUNKS; at += chunk_bytes(&c)) {
		memcpy(&c, base.spool.data + at, sizeof(c));
		chunk[nchunks++] = at;
	}
	chunk[nchunks] = at;
	rings = malloc(base.rings.size);
	spool = malloc(base.spool.size);
	header = malloc(base.header.size);
	if (!rings || !spool || !header)
		return 1;
	fuzz_quiet();
	return 0;
}

// Checks are made right again, or nothing behind them would ever be read.
static void mend_checks(size_t size)
{
	for (size_t i = 0; i < nchunks && chunk[i + 1] <= size; i++) {
		struct spool_chunk c;
		size_t bytes = chunk[i + 1] - chunk[i] - sizeof(c);

		memcpy(&c, spool + chunk[i], sizeof(c));
		c.check = bytes ? bytes_hash(spool + chunk[i] + sizeof(c), bytes) : 0;
		memcpy(spool + chunk[i], &c, sizeof(c));
	}
}

static void change(struct fuzz_input *in, size_t spool_size)
{
	unsigned where = (unsigned)fuzz_take(in, 1);
	size_t at = fuzz_take(in, 3), n = 1 + fuzz_take(in, 1) % 16;
	const uint8_t *bytes = fuzz_bytes(in, &n);
	uint8_t *file = where & 1 ? rings : spool;
	size_t size = where & 1 ? base.rings.size : spool_size;

	if (where & 4) {
		file = header;
		size = base.header.size;
		header_changed = true;
	} else if (where & 2) // heads and slots rather than anything
		at %= where & 1 ? sizeof(struct session_header) + 2 * sizeof(struct slot) : size;
	else if (!(where & 1))
		at = chunk[at % nchunks] + (at >> 8) % 64;
	at %= size;
	memcpy(file + at, bytes, n < size - at ? n : size - at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, data + size};
	unsigned what = (unsigned)fuzz_take(&in, 1);
	size_t spool_size = what & 1 ? base.spool.size : chunk[nchunks * (what >> 2) / 64];
	char err[ERR_LEN];

	memcpy(rings, base.rings.data, base.rings.size);
	memcpy(spool, base.spool.data, base.spool.size);
	memcpy(header, base.header.data, base.header.size);
	header_changed = false;
	while (fuzz_left(&in) && spool_size)
		change(&in, spool_size);
	if (!(what & 2))
		mend_checks(spool_size);
	fuzz_base_session(&base, rings, base.rings.size, spool, spool_size);
	fuzz_base_header(&base, header_changed ? header : NULL, base.header.size);
	insert_run(base.folder, true, NULL, NULL, err);
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	(void)seed;
	return LLVMFuzzerMutate(data, size, max);
}
