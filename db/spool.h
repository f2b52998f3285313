// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The session folder and the spool in it.
//
//   OUTPUT.spool/            made beside the recording (record -o OUTPUT), removed when it is finished
//     rings                  the shared segment (core/session.h); outlives every process
//     header                 copy of the segment's header that targets cannot write
//     spool                  append-only: chunks in the order the drainer took them
//     state.<process>        final machine memory (SESSION_DUMP_STATE), sparse, and a page of locks
//     session.json           what was run, when, and the version
//
// The spool is kept whole until the recording is complete, so that `recover` can always start
// again from its first byte. A chunk is complete or is the torn end of the file.
#pragma once

#include "../core/session.h"

#define SPOOL_MAGIC 0x4c4f5053u // "SPOL"

enum spool_chunk_type {
	SPOOL_PROCESS = 1, // payload: struct slot as seen when first LIVE (rings' heads ignored)
	SPOOL_RECORDS,	   // payload: count records of (process, cpu)
	SPOOL_ENDED,	   // process gone and drained; payload: struct spool_end
	SPOOL_ROUND,	   // every live ring was looked at since the last ROUND; no payload
	SPOOL_CLOSED,	   // the drainer is done: no live process is left
};

struct spool_chunk {
	uint32_t magic;
	uint16_t type;	 // enum spool_chunk_type
	uint16_t cpu;
	uint32_t process;
	uint32_t count;	 // records, or bytes of payload for the other types
	uint64_t first;	 // RECORDS: number of the first record on its ring (gap = lost)
	uint64_t check;	 // hash of the payload (any 64-bit hash; 0 for empty)
};

struct spool_end {
	int32_t wait_status; // as waitpid gave it to the launcher; -1 unknown
	uint32_t killed;     // vanished without ENDED
	uint64_t lost;	     // slot->lost at the end
	uint32_t early_calls, unrecorded_children;
};
