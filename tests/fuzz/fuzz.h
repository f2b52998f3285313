// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// What the fuzz targets share: libFuzzer's entry points, which driver.c calls, too, and mutations.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "../../core/event.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);
// The driver's own: changes bytes anyhow.
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);

enum {
	FUZZ_RECORDS = 4096 // of one input
};

static inline uint32_t fuzz_random(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(*seed >> 33);
}

// Reads an input front to back; zeroes behind its end.
struct fuzz_input {
	const uint8_t *at, *end;
};
static inline size_t fuzz_left(const struct fuzz_input *in)
{
	return (size_t)(in->end - in->at);
}
uint64_t fuzz_take(struct fuzz_input *in, unsigned bytes);   // little endian
const uint8_t *fuzz_bytes(struct fuzz_input *in, size_t *n); // at most *n; *n: how many

// Changes a sequence of records: whole ones are moved, doubled, left out, fields
// take the values of other fields or ones at the edges. At most max bytes; the new
// size.
size_t fuzz_mutate_records(uint8_t *bytes, size_t size, size_t max, uint64_t *seed);
