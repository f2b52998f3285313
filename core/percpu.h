// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Per-CPU memory: chunks with one unit for every CPU (reference 11).
//
//   chunk   |<- unit of CPU 0 ->|<- unit of CPU 1 ->| ...      unit_size each
//   map     -27808 -8 -4 164 -92 9892                          bytes; negative: handed out
//   an area at offset o is at base_addr + cpu * unit_size + o on every CPU
//
//   sum of |map[i]| == unit_size;  sum of map[i] > 0 == free_size
//   contig_hint: the largest free block, as far as the last search of the chunk could tell
//   chunk is on slot[chunk_slot(chunk)];  the last slot holds the wholly free ones
//
// The first chunk is lowmem taken from memblock and holds the kernel's own variables; the others
// are ranges from the top of the vmalloc space downward, without guard page, and get their pages
// when an area is cut from them: percpu.c keeps the maps, percpu_vm.c what is behind them.
//
// Where the kernel holds a mutex over a whole allocation, here each section is a step of its own.
// Pages are therefore claimed (populated bits) before they are allocated: two CPUs whose areas
// share a page do not both bring one.
//
// Departures: at most PCPU_CHUNKS - 1 chunks of at most PCPU_MAP_MAX blocks; a full one counts as
// having no room. The kernel's scratch arrays for populating are not allocated. Destroying
// surplus chunks, a work item of the kernel's, is a call.
#pragma once

#include "types.h"

struct machine;
struct machine_config;

enum {
	PCPU_CHUNKS = 64,
	PCPU_MAP_MAX = 2048, // blocks of one chunk
	PCPU_SLOTS = 20,     // room; nr_slots in use
	PCPU_MIN_UNIT_SIZE = 32768,
	PCPU_STATIC_SIZE = 27808, // the kernel's own variables
	PCPU_DYNAMIC_RESERVE = 12288,
	PCPU_FIRST_CHUNK = 1, // chunk ids; 0 none
};

struct pcpu_chunk {
	struct list_node list; // in its slot
	kaddr_t base_addr;     // 0: this id is unused
	uint32_t free_size;    // bytes
	uint32_t contig_hint;  // bytes
	uint32_t map_used, map_alloc;
	uint32_t immutable;	       // first chunk: pages neither come nor go
	uint32_t populated;	       // bit per page of a unit
	kaddr_t obj, map_obj, vms_obj; // what the kernel allocates for it
	int32_t map[PCPU_MAP_MAX];
};

struct pcpu_state {
	uint32_t unit_size, atom_size, static_size; // bytes
	uint32_t nr_slots;
	kaddr_t base_addr; // first chunk
	kaddr_t start;	   // __per_cpu_start, what per-CPU pointers count from
	struct list_head slot[PCPU_SLOTS];
	struct pcpu_chunk chunk[PCPU_CHUNKS];
};

// A per-CPU pointer: no address, except on UP builds. 0: size 0, above 32 KiB, align above 4096 or
// no power of two, or no memory.
uint32_t alloc_percpu(struct machine *m, uint32_t size, uint32_t align);
int free_percpu(struct machine *m, uint32_t ptr); // 0; -EINVAL: nothing was allocated there
kaddr_t per_cpu_ptr(const struct machine *m, uint32_t ptr, unsigned cpu);
void pcpu_reclaim(struct machine *m); // destroys wholly free chunks but one

uint32_t pcpu_unit_size(const struct machine_config *cfg); // of the first chunk, bytes
void pcpu_init(struct machine *m, kaddr_t base_addr);	   // first chunk, from memblock
void pcpu_init_late(struct machine *m);			   // slab is up
int pcpu_check(struct machine *m, char *why, size_t size);

// Shared by percpu.c and percpu_vm.c.
void pcpu_slot_del(struct pcpu_state *p, uint32_t id, unsigned slot);
unsigned pcpu_chunk_slot(const struct machine *m, const struct pcpu_chunk *chunk);
void pcpu_chunk_relocate(struct machine *m, uint32_t id, int oslot); // oslot -1: on none yet
kaddr_t pcpu_mem_zalloc(struct machine *m, uint32_t size);
void pcpu_mem_free(struct machine *m, kaddr_t addr, uint32_t size);
uint32_t pcpu_create_chunk(struct machine *m); // id; 0 no memory, address space or id
int pcpu_populate_chunk(struct machine *m, uint32_t id, uint32_t off, uint32_t size);
