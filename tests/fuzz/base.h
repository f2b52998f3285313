// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// What the targets change: a session of two processes, one the fork of the other, recorded by the
// recorder itself from a target made of the core alone.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct fuzz_file {
	uint8_t *data;
	size_t size;
};
struct fuzz_base {
	char dir[64];		 // of its own, in memory; removed at exit
	char folder[128];	 // of a session: "DIR/recording.spool"
	char output[128];	 // its recording: "DIR/recording"
	struct fuzz_file header; // of the segment, as the recorder keeps it
	struct fuzz_file rings;	 // the segment, as the programs left it
	struct fuzz_file spool;
	struct fuzz_file recording;
};
// Ends the program on failure.
void fuzz_base_make(struct fuzz_base *b);
// The session folder of b again, with other contents. The output is removed.
void fuzz_base_session(const struct fuzz_base *b, const void *rings, size_t rings_size,
		       const void *spool, size_t spool_size);
// The folder's copy of the header; NULL: without one.
void fuzz_base_header(const struct fuzz_base *b, const void *header, size_t size);
void fuzz_write(const char *path, const void *data, size_t size);
// What the program prints is not wanted, nor what it would end for.
void fuzz_quiet(void);
