// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Blobs of the recording: the merged log and the keyframes, compressed with zstd.
//
// Log blob: records of one process in merged order, with for each OP record its event id.
//   decode gives back exactly the records, and ids (0 for steps).
// Keyframe blob: pages (4096 bytes) of machine memory that differ from the base: full (base =
//   zeroes) or incremental (base = the previous keyframe of the process). Layout id checked.
#pragma once

#include "../core/fold.h"

struct log_entry {
	struct record r;
	uint64_t event; // id of the OP; 0 for a step
};

// Caller frees *blob with free(). 0 or -ENOMEM.
int log_encode(const struct log_entry *e, size_t n, void **blob, size_t *size);
// Decodes into a malloc'ed array. -EILSEQ: damaged (never crashes, never allocates more than the
// blob's own claim checked against sane limits).
int log_decode(const void *blob, size_t size, struct log_entry **e, size_t *n);

// Applies one entry of a log. A locked step whose ticket is not the next one (records were lost) is
// taken as if those before it had been applied; recorder and readers must agree on that. As
// fold_apply otherwise: 0, or -EILSEQ when the record contradicts the state.
int log_apply(struct machine *m, const struct record *r);

struct keyframer; // remembers the last keyframe of one machine
struct keyframer *keyframer_create(const void *memory, size_t size);
void keyframer_destroy(struct keyframer *k);
// One of other memory that is now what k's was at its last keyframe. NULL: no memory.
struct keyframer *keyframer_copy(const struct keyframer *k, const void *memory);
// full: every non-zero page; else pages changed since the last call. Blob as above.
int keyframe_encode(struct keyframer *k, bool full, void **blob, size_t *blob_size);
// Size of the machine memory a keyframe belongs to, as the blob claims; 0: no keyframe.
size_t keyframe_memory_size(const void *blob, size_t blob_size);
// Writes the blob's pages over memory (zeroed first when the blob is full). -EILSEQ damaged.
int keyframe_apply(void *memory, size_t size, const void *blob, size_t blob_size, bool *full);

// Which of n pages from `page` may hold anything (in memory or swapped out): bits 63 and 62 of map[].
// pagemap: /proc/self/pagemap; -1: any of them may.
void page_look_up(int pagemap, const void *page, size_t n, uint64_t *map);
bool page_is_zero(const char *page);
uint64_t bytes_hash(const void *data, size_t n); // of chunks and pages
