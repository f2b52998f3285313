// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Records: what goes through a ring, and what the fold applies.
//
// A record is 32 bytes. Two classes share the form:
//
//   OP    kind path|cpu thread stack | addr48 cache16 | req48 flags16 | old48 gfp8 pad8
//   STEP  kind      cpu lock  ticket | arg[0..5]
//
// Order. The ring of a simulated CPU is written only under that CPU's lock, and one program
// operation keeps that lock from its first step to its OP record, so ring order is program order
// on a CPU and all steps since the last OP of a ring belong to its next OP. (Exception: an
// operation that stops the machine gives its CPU up meanwhile; see stop_machine in machine.h.)
// A step made under an inner lock carries the lock's id and its ticket; tickets of one lock are
// 1, 2, 3 ... without gaps. A step holds at most one inner lock, so:
//
//   a record is next  <=>  it is the first of its ring not yet applied, and
//                          lock == LOCK_NONE or ticket == s->ticket[lock] + 1, and
//                          its block's generation is in turn (slab_inline.h)
//
// and every order built by that rule gives the same final state, provided that whatever one CPU
// hands to another passes through a step of one lock on both (slabs: the cache's; mapped pages:
// vmap or kmap; single pages: PAGE_OWN of the zone). BARRIER k stands in every ring:
// nothing after it is applied on any ring before every ring has reached its BARRIER k.
//
// Applying a record = calling the same function that made it (KIND_apply validates the arguments,
// calls it and compares the result). So state at n is a fold of records by construction, and what
// the property tests show is that the records carry everything.
#pragma once

#include "types.h"

enum event_kind {
	EV_NONE,
#define OP(kind, name) EV_##kind,
#include "event.def"
	EV_LAST_OP,
#define STEP(kind, name, args) EV_##kind,
#include "event.def"
	EV_LAST_STEP,
#define TRACE(kind, name, fields) EV_T_##kind,
#include "event.def"
	EV_COUNT,
};

enum op_path { // the route a program call took; names in event.c
	PATH_NONE,
	PATH_KMALLOC,
	PATH_SLAB,
	PATH_PAGES,
	PATH_VMALLOC,
	PATH_KMAP,
	PATH_IOREMAP,
	PATH_FILE,  // the host's mapping of a file; resident pages accounted as page cache
	PATH_HOST,  // served by the host; `cache` holds enum host_reason
	PATH_POOL,  // the per-thread pool of nested (signal) entries
	PATH_OWN_POOL, // a pool of the program; `cache` holds its number
	PATH_COUNT,
};

enum host_reason { // why an operation was served by the host; names in event.c
	HOST_NONE,
	HOST_SPILL,	 // the machine had no memory left
	HOST_NO_ARENA,	 // no 4 GiB reservation was possible
	HOST_EARLY,	 // before the machine was up
	HOST_PROT_NONE,
	HOST_NORESERVE,
	HOST_FIXED,
	HOST_GROWSDOWN,
	HOST_HUGETLB,
	HOST_32BIT,
	HOST_TOO_BIG,	 // more than the machine has
	HOST_FOREIGN,	 // a pointer the machine never gave out
	HOST_MOVED,	 // left the machine by growing
	HOST_MAP_LIMIT,	 // vm.max_map_count near
	HOST_STACK,	 // a thread's stack mapping
	HOST_SHARED,	 // shared mapping that does not fit
	HOST_NESTED,	 // pool of the thread empty inside a signal handler
	HOST_REASONS,
};

enum op_flags {
	OPF_POP = 1,	 // the fold pops `cache`'s array of this CPU and must get addr
	OPF_PUSH = 2,	 // the fold pushes addr on `cache`'s array of this CPU
	OPF_FAILED = 4,	 // the program got NULL / MAP_FAILED
	OPF_NESTED = 8,	 // inside a signal handler that interrupted the machine
	OPF_MIGRATED = 16, // not the thread's own CPU: its lock was taken
	OPF_SMALL_STACK = 32, // fewer frames recorded
	OPF_EARLY = 64,	 // stack from frame pointers / return address alone
	OPF_TRUNCATED = 128, // stack quality: unwinding ended early
};

enum gfp_code { // index into gfp_codes[]; what an OP's gfp8 says
	GFPC_NONE, GFPC_KERNEL, GFPC_KERNEL_ZERO, GFPC_ATOMIC, GFPC_ATOMIC_ZERO, GFPC_HIGHUSER,
	GFPC_HIGHUSER_ZERO, GFPC_KERNEL_HIGH, GFPC_KERNEL_HIGH_ZERO, GFPC_DMA, GFPC_DMA_ZERO,
	GFPC_KERNEL_COMP, GFPC_KERNEL_COMP_ZERO, GFPC_COUNT,
};

struct record {
	uint8_t kind;	     // enum event_kind, OP or STEP
	uint8_t path : 4;    // enum op_path; 0 in steps
	uint8_t cpu : 4;     // simulated CPU = ring
	uint16_t lock;	     // STEP: lock id; OP: thread slot
	uint32_t ticket;     // STEP: ticket of lock; OP: stack id in the depot, 0 none
	union {
		uint32_t arg[6];
		struct {
			uint64_t addr : 48;  // result (malloc...) or operand (free, munmap); 32-bit
					     // simulated address unless path is PATH_HOST/FILE
			uint64_t cache : 16; // cache id (kmalloc, slab), order (pages), host_reason (host)
			uint64_t req : 48;   // bytes asked for (malloc...), 0 for free
			uint64_t flags : 16; // enum op_flags
			uint64_t old : 48;   // OPF_POP, OPF_PUSH: generation of the block (slab_inline.h);
					     // realloc, mremap: old address; mprotect/madvise: prot/advice;
					     // exit: status; thread_start, thread_exit: threads
			uint64_t gfp : 8;    // enum gfp_code
			uint64_t old_path : 4;	// realloc, mremap: path of the old block
			uint64_t pad : 4;
		} op;
	};
};
_Static_assert(sizeof(struct record) == 32, "a record is 32 bytes");

// Second operand of an OP; 0 none. (Where an array is popped or pushed the word is the generation.)
static inline uint64_t record_old(const struct record *r)
{
	return r->op.flags & (OPF_POP | OPF_PUSH) ? 0 : r->op.old;
}

// What TEXT records spell
enum text_what { TEXT_NONE, TEXT_MODULE, TEXT_ARGV, TEXT_THREAD_NAME, TEXT_MARK, TEXT_MODULE_GONE, TEXT_EXE,
		 TEXT_POOL };

struct trace_event {
	uint16_t kind;	 // EV_T_*
	uint16_t cache;	 // cache id, 0 none
	uint8_t cpu;
	uint8_t zone;	 // enum zone_type; 255 none
	uint8_t order, order2;
	uint8_t migratetype, migratetype2;
	uint16_t flags;	 // percpu_refill, cold, from_shared ...: see event.def
	uint32_t pfn;	 // first page, or 0
	uint32_t addr;	 // linear address, or 0
	uint32_t count;	 // length of the run, 1 unless said
	int32_t stride;	 // pfn (or addr) step within the run
	uint32_t value;	 // gfp, freed, pkmap_count ...: the last field named in event.def
};

const char *event_name(enum event_kind kind);	    // "malloc", "mm_page_alloc"; "?" if out of range
const char *event_fields(enum event_kind kind);	    // the string of field names; "" for OPs
const char *op_path_name(enum op_path path);	    // "kmalloc"
const char *host_reason_name(enum host_reason r);   // "machine full"
// Whether a mapping is no memory the program holds: a file's pages, or addresses kept free.
static inline bool is_only_addresses(unsigned path, unsigned reason)
{
	return path == PATH_FILE ||
	       (path == PATH_HOST && (reason == HOST_PROT_NONE || reason == HOST_NORESERVE));
}
gfp_t gfp_code_value(enum gfp_code code);	    // GFP_KERNEL
int gfp_string(gfp_t gfp, char *buf, size_t size);  // "GFP_KERNEL|GFP_ZERO" (reference 13.9); length
const char *migratetype_name(unsigned mt);	    // "Unmovable"
