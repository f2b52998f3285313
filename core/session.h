// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The shared segment of one recording: what targets write and the recorder reads.
//
//   ┌─────────────────┬────────────────────┬──────────────────────────┬───────────┬───────────┐
//   │ session_header  │ slots (processes)  │ rings: slot x CPU        │ buckets   │ nodes     │
//   │ options, clock  │ pid, config, heads │ 32-byte records, 2^k each│ of depot  │ of depot  │
//   └─────────────────┴────────────────────┴──────────────────────────┴───────────┴───────────┘
//
// It is a file, `rings`, in the session folder, allocated on disk in advance so that no write to
// it can fail. Recorders trust nothing in it: every index is checked against the header they made.
//
// Ring: single producer (whoever holds the CPU's lock), single consumer (the drainer).
//   head - tail <= ring_records;  record i is at [i & (ring_records - 1)]
//   the producer stores the record, then head (release); the consumer loads head (acquire),
//   copies, then stores tail (release). A kill at any point loses at most the record being written.
//
// Depot: a prefix tree of return addresses, shared by all processes. A stack is the id of its
// innermost frame's node; parent leads outwards and ends at a root node whose parent is 0 and
// whose ip is the process image (exec or module unload) that the addresses belong to:
//   root.ip = DEPOT_ROOT | image number.
// A new node is filled first, then linked into its bucket by compare-and-swap; ids are drawn from
// depot_count, so a killed writer leaves an id nobody refers to.
//
// Texts (EV_TEXT):
//   MODULE       "base end offset build-id path": code lies in [base, end), hexadecimal; offset is the
//                address of base in the file's own terms (p_vaddr), so load bias = base - offset;
//                build-id is "-" when there is none; path "" is the vdso
//   MODULE_GONE  "base image": it went away, and later stacks belong to that image (decimal)
//   ARGV         the arguments, each ended by a 0 byte;  EXE  path of the program
// TIME records carry what start_tsc does: TSC when tsc_mult is set, else ns.
//
// Life of a slot: FREE -> CLAIMED (target, CAS) -> LIVE (target) -> ENDED (target, if it can tell)
// -> FREE (drainer, once the process is gone and its rings are empty).
#pragma once

#include <stdalign.h>
#include <stdatomic.h>

#include "machine.h"

#define SESSION_MAGIC 0x31534c4f43534c4bull // "KLSCOLS1"
enum { SESSION_VERSION = 2, SLOT_EXE_LEN = 256 };
#define SESSION_ENV "KALLOSCOPE_SESSION"    // path of the rings file
#define SESSION_OPTIONS "options:"	    // instead of a path: nothing is recorded; machine_layout() and struct
				    // session_options follow in hexadecimal, without zeroes at the end
#define OPTIONS_ENV "KALLOSCOPE_OPTIONS"    // options as on the command line of record
#define BOOT_ENV "KALLOSCOPE_BOOT" // of `run`: descriptor of a boot image, only for the first process
#define DEPOT_ROOT (1ull << 63)

enum session_flags {
	SESSION_FAIL = 1,	  // an exhausted machine fails the call (default: spill to the host)
	SESSION_SITE_CACHES = 2,  // hot call sites get caches of their own
	SESSION_DUMP_STATE = 4,	  // write the machine's final state to state.<process> at exit
	SESSION_PRECISE_TIME = 8, // time on every record
	SESSION_BARE = 32,	  // started by the library itself
};

struct session_options {
	struct machine_config machine;
	uint32_t flags;		 // enum session_flags
	uint32_t max_frames;	 // per stack; 0: none
	uint32_t site_threshold; // calls of one size from one site before it gets a cache; 1024
	uint32_t wait_ms;	 // how long a full ring makes the program wait before loss; 2000
	uint32_t after_ms;	 // recording begins so long after the session; 0: at once
	uint32_t for_ms;	 // and ends so long after that; 0: with the program
	uint64_t max_bytes;	 // it ends, too, when the recording has grown to this; 0: never
	char only[64];		 // names of the programs recorded, separated by commas; "": all
};

// The machine as booting left it, so that a process need not boot: the machine's memory, holes where it
// is zero, and behind it a struct boot_image. It is the file `boot` of the session folder, or memory
// with a descriptor (BOOT_ENV). Processes map the extents privately, the rest is zero.
#define SESSION_BOOT "boot"
#define BOOT_MAGIC   0x31544f4f424c4b00ull
#define BOOT_SEALS   (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
enum { BOOT_EXTENTS = 32 };
struct boot_image {
	uint64_t magic, size; // of the machine's memory, whole pages
	uint32_t nextents, pad;
	struct boot_extent {
		uint64_t at, bytes; // whole pages, ascending
	} extent[BOOT_EXTENTS];
};

// Moves forward only; the recorder decides. Programs look at it where they are slow anyway.
enum session_phase {
	PHASE_BEFORE, // glibc serves, nothing is recorded
	PHASE_RECORD,
	PHASE_AFTER, // nothing more is recorded; the machines go on serving
};

enum slot_state { SLOT_FREE, SLOT_CLAIMED, SLOT_LIVE, SLOT_ENDED };
enum slot_how { HOW_FIRST, HOW_FORK, HOW_EXEC };

struct ring {
	alignas(64) _Atomic uint64_t head; // records ever written
	alignas(64) _Atomic uint64_t tail; // records ever drained
};

struct slot {
	_Atomic uint32_t state;	 // enum slot_state
	uint32_t process;	 // number within the recording, 1..; drawn from next_process
	uint32_t parent;	 // process number of the parent (fork) or of the old image (exec); 0 none
	uint32_t how;		 // enum slot_how
	int32_t pid, ppid;	 // in the process's own pid namespace
	uint64_t pid_space;	 // which one: inode of /proc/self/ns/pid; 0 not known
	uint32_t image;		 // depot image number at start
	uint32_t ncpus;
	uint64_t fork_barrier;	 // HOW_FORK: the parent's BARRIER seq this machine starts from
	uint64_t start_tsc;
	_Atomic uint64_t lost;	 // records given up
	_Atomic uint32_t unrecorded_children;
	_Atomic uint32_t early_calls; // calls served before the slot was live
	char exe[SLOT_EXE_LEN];
	struct machine_config cfg; // HOW_FIRST, HOW_EXEC: the machine booted
	struct ring ring[MAX_CPUS];
};

struct depot_node {
	_Atomic uint64_t ip; // return address; root: DEPOT_ROOT | image; 0 = not filled
	uint32_t parent;     // node id, 0 at a root
	uint32_t next;	     // chain of the bucket
};

struct session_header {
	uint64_t magic;
	uint32_t version, layout; // machine_layout() of the build that made it; others keep off
	uint64_t size;
	uint64_t header_bytes;
	uint64_t off_slots, off_rings, off_buckets, off_nodes;
	uint32_t nslots;
	uint32_t rings_per_slot; // >= ncpus of every machine
	uint32_t ring_records;	 // power of two
	uint32_t nbuckets;	 // power of two
	uint32_t max_nodes;
	struct session_options opt;
	// clock: ns = ((tsc - tsc0) * mult >> shift) + ns0 (CLOCK_MONOTONIC); mult 0: tsc fields are ns
	uint64_t tsc0, ns0, realtime0_ns;
	uint32_t tsc_mult, tsc_shift;
	char recorder[512];	 // path of the kalloscope program
	alignas(64) _Atomic uint32_t recorder_state; // 0 starting, 1 draining, 2 gone
	_Atomic uint32_t drainer_pid;
	_Atomic uint64_t heartbeat_ns;	   // CLOCK_MONOTONIC of the drainer's last round
	alignas(64) _Atomic uint32_t next_process; // last number drawn
	_Atomic uint32_t next_image;
	_Atomic uint32_t announced;	   // targets that attached (the launcher checks it)
	_Atomic uint32_t no_slot;	   // processes that found no free slot
	_Atomic uint32_t phase;		   // enum session_phase
	alignas(64) _Atomic uint32_t depot_count;  // last node id drawn
	_Atomic uint32_t depot_limit;	   // ids below are backed by storage; raised by the drainer
	_Atomic uint32_t depot_full;	   // stacks not recorded for lack of room
};

static inline struct slot *session_slot(struct session_header *h, uint32_t i)
{
	return (struct slot *)((char *)h + h->off_slots) + i;
}
static inline struct record *session_ring(struct session_header *h, uint32_t slot, uint32_t cpu)
{
	return (struct record *)((char *)h + h->off_rings) +
	       ((size_t)slot * h->rings_per_slot + cpu) * h->ring_records;
}
static inline _Atomic uint32_t *depot_buckets(struct session_header *h)
{
	return (_Atomic uint32_t *)((char *)h + h->off_buckets);
}
static inline struct depot_node *depot_nodes(struct session_header *h)
{
	return (struct depot_node *)((char *)h + h->off_nodes);
}
// Where in state.<process> the CPUs' locks stand, behind the machine: a page, 64 bytes a CPU, of which
// the first four are not 0 while its lock is taken.
enum {
	SESSION_LOCKS_BYTES = 4096
};
static inline uint64_t session_state_locks(uint64_t machine_bytes)
{
	return (machine_bytes + SESSION_LOCKS_BYTES - 1) & -(uint64_t)SESSION_LOCKS_BYTES;
}
static inline uint32_t depot_hash(uint32_t parent, uint64_t ip)
{
	uint64_t x = (ip ^ ((uint64_t)parent << 32 | parent)) * 0x9E3779B97F4A7C15ull;
	return (uint32_t)(x >> 32);
}
