// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The machine: one contiguous, pointer-free piece of memory, and the handle through which one
// simulated CPU works on it.
//
//   memory of a machine (machine_size() bytes, zero at first, touched lazily)
//   ┌──────────────┬─────────┬────────────┬──────────┬─────────────┬───────┬──────────┬───────┐
//   │ struct       │ mem_map │ pageblocks │ slab_area│ kmem_caches │arrays │vmap_area │ PTEs  │
//   │ machine_state│ 32 B/pfn│ 1 B/block  │ /low pfn │             │       │ pool     │       │
//   └──────────────┴─────────┴────────────┴──────────┴─────────────┴───────┴──────────┴───────┘
//
// Because nothing in it is a pointer, the memory can be copied (fork), compared (verify), stored
// page by page (keyframes) and mapped at any address. The core has no globals, no I/O and no
// clock; locks, records and details go out through struct machine_ops. With all operations NULL
// the machine runs alone, as in vectors and in the fold.
//
// Rules for code in core/:
//  * Every change of machine memory happens inside a step: step_begin(lock) .. step_end(kind ...),
//    or CPU-local and reported by step_local(). A step holds at most one inner lock, leaves all
//    invariants true, and is a function of machine memory and its arguments alone.
//  * What a step needs and another CPU may change (a watermark, a pageblock type) is read before
//    it and passed to it as an argument, so that the fold repeats the outcome, not the race.
//  * KIND_apply(m, record) validates (hostile recordings!), calls the same function, compares the
//    result: 0, or -EILSEQ.
//  * Calls may be made only with the lock of CPU m->cpu held (the caller's business).
#pragma once

#include "event.h"
#include "kmap.h"
#include "memblock.h"
#include "mm.h"
#include "page.h"
#include "page_alloc.h"
#include "percpu.h"
#include "pgtable.h"
#include "slab.h"
#include "stack.h"
#include "types.h"
#include "vmalloc.h"
#include "zone.h"

// 3.4 is 3.4.113; 3.4.2 lacks four of its fixes (core/README.md, Departures).
enum model { MODEL_CLASSIC, MODEL_3_4, MODEL_3_4_2, NR_MODELS };

enum {
	MAX_SLAB_TUNE = 8,
	SLAB_TUNE_LEN = 64,
};

struct machine_config {
	uint32_t model;		// enum model
	uint32_t ncpus;		// online = possible, 1..MAX_CPUS
	uint32_t nr_cpus;	// NR_CPUS of the build: fixmap slots; 8
	uint32_t smp;		// 0: UP build (no stat thresholds, no shared arrays)
	uint32_t page_offset;	// 0xC0000000 (3G/1G), 0x80000000, 0x40000000
	uint32_t vmalloc_bytes;	// vmalloc=; 0: default
	uint32_t highmem_bytes;	// highmem=; 0: what does not fit lowmem
	uint32_t cache_line;	// of the CPU, as the kernel finds it: 32, 64 or 128
	uint32_t l1_bytes;	// L1_CACHE_BYTES of the build: 16, 32, 64 or 128
	int32_t min_free_kbytes; // -1: computed
	uint32_t lowmem_reserve_ratio[3]; // 256 32 32
	uint32_t percpu_pagelist_fraction; // 0
	uint32_t slab_debug;	// DEBUG_SLAB
	uint32_t kmalloc_minalign; // ARCH_KMALLOC_MINALIGN: 8; 16 where programs use the objects
	char slab_tune[MAX_SLAB_TUNE][SLAB_TUNE_LEN]; // written to /proc/slabinfo after boot; "" none
	uint32_t kernel_bytes;	// image at 16 MiB, text..bss
	struct e820map e820;	// as the firmware gave it
};

// ncpus CPUs, ram bytes, everything else default.
void machine_config_default(struct machine_config *cfg, enum model model, uint64_t ram_bytes, unsigned ncpus);
extern const char *const model_names[NR_MODELS]; // "classic" "3.4" "3.4.2"

enum lock_id {
	LOCK_NONE,
	LOCK_ZONE, // + zone
	LOCK_VMAP = LOCK_ZONE + MAX_NR_ZONES,
	LOCK_KMAP,
	LOCK_CHAIN,
	LOCK_PCPU,
	LOCK_MEMPOOL, // reserves of all pools; makes no records
	LOCK_CACHE = 16, // + cache id
	NR_LOCKS = LOCK_CACHE + MAX_CACHES,
};

struct machine_state {
	uint64_t magic;
	uint32_t size_lo, layout;	// layout: hash of the structures' sizes and offsets
	struct machine_config cfg;
	// where the arrays are: offsets from the start of the machine's memory, bytes
	uint64_t off_mem_map, off_pageblock, off_slab, off_cache, off_array, off_shared, off_vmap, off_pte, size;
	pfn_t max_pfn, max_low_pfn, highstart_pfn;
	kaddr_t high_memory;
	uint32_t totalram_pages, totalhigh_pages;
	uint32_t min_free_kbytes, page_group_by_mobility_disabled, totalreserve_pages;
	uint32_t ticket[NR_LOCKS];	// per lock: sections done
	uint64_t barrier;		// last BARRIER applied
	uint64_t pgalloc[MAX_NR_ZONES], pgfree;	// vm events: pages of whole blocks (others: per_cpu_pages)
	struct zone zone[MAX_NR_ZONES];
	struct slab_state slab;
	struct vmalloc_state vmalloc;
	struct kmap_state kmap;
	struct pcpu_state percpu;
	uint32_t task_struct_cache, sighand_cache; // cache ids; kernel_stack_init
	uint32_t pgd[1024];
	struct mm_state mm; // the program's process
	struct memblock memblock;	// as it was at hand-over
	struct {
		uint64_t now_ns;	// last TIME of this CPU
		char cache_name[CACHE_NAME_LEN]; // of the next CACHE_CREATE
		struct list_head doomed; // slabs taken off their cache, to be destroyed
		uint32_t reap_next;
		uint64_t next_reap_ns;
		uint64_t ops;		// OP records applied or made
	} cpu[MAX_CPUS];
};

struct machine; // handle

struct machine_ops {
	void (*lock)(struct machine *m, unsigned lock);
	void (*unlock)(struct machine *m, unsigned lock);
	void (*record)(struct machine *m, const struct record *r); // lock still held
	void (*trace)(struct machine *m, const struct trace_event *t);
	// All CPUs' locks; gives m's own CPU up meanwhile, so the caller re-reads what it knows.
	void (*stop_machine)(struct machine *m);
	void (*restart_machine)(struct machine *m);
};

struct machine {
	struct machine_state *s;
	struct page *mem_map;
	uint8_t *pageblock;	   // migratetype by pfn >> 10
	struct slab *slab_area;	   // by lowmem pfn
	struct kmem_cache *caches; // by id, MAX_CACHES
	struct array_cache *arrays;	// [id * MAX_CPUS + cpu]
	struct shared_array *shared;	// [id]
	struct vmap_area *areas;
	uint16_t *generation;	   // by (addr - page_offset) >> GENERATION_SHIFT, see slab_inline.h
	uint32_t *pte;		   // kernel half, by (addr - page_offset) >> 12
	unsigned cpu;		   // the simulated CPU this handle works as
	const struct machine_ops *ops; // never NULL
	void *priv;		   // the caller's
	uint32_t caller;	   // stack id of the call being served, for vmalloc areas; 0 unknown
};

extern const struct machine_ops machine_ops_none;

size_t machine_size(const struct machine_config *cfg); // bytes to reserve; mostly never touched
// Boots on zeroed memory: e820 -> memblock -> zones -> buddy -> slab -> vmalloc. 0 or -EINVAL
// (a bad configuration; *why says what). The address layout (high_memory, vmalloc.start/end,
// kmap.pkmap_base, fixaddr_*, fix_kmap_begin) is set before any KIND_init is called; pgtable_init
// runs before the hand-over and takes frames from m->s->memblock.
int machine_boot(struct machine *m, void *memory, const struct machine_config *cfg, const char **why);
// The same in builds that understand each other's memory and records.
uint32_t machine_layout(void);
// A handle on booted memory. -EINVAL when the memory is not a machine of this layout.
int machine_attach(struct machine *m, void *memory, size_t size, unsigned cpu,
		   const struct machine_ops *ops, void *priv);
// All invariants. 0, or -EINVAL and a sentence in why.
int machine_check(struct machine *m, char *why, size_t size);
// What every function relies on before it follows an index or ends a loop: memory that passes can be
// read and folded whatever else is wrong with it, and records that contradict it leave it so.
int machine_safe(struct machine *m, char *why, size_t size);
// Which structure lies at this offset: "mem_map[1234].private"; for explaining a difference.
void machine_describe_offset(struct machine *m, size_t offset, char *buf, size_t size);

static inline bool is_lowmem(const struct machine *m, kaddr_t a)
{
	return a >= m->s->cfg.page_offset && a < m->s->high_memory;
}
static inline pfn_t lowmem_pfn(const struct machine *m, kaddr_t a)
{
	return (a - m->s->cfg.page_offset) >> PAGE_SHIFT;
}
static inline kaddr_t lowmem_addr(const struct machine *m, pfn_t pfn)
{
	return m->s->cfg.page_offset + ((kaddr_t)pfn << PAGE_SHIFT);
}
static inline struct page *pfn_to_page(const struct machine *m, pfn_t pfn)
{
	return &m->mem_map[pfn];
}
static inline struct array_cache *ac_of(const struct machine *m, unsigned cache, unsigned cpu)
{
	return &m->arrays[cache * MAX_CPUS + cpu];
}

static inline void step_begin(struct machine *m, unsigned lock)
{
	if (m->ops->lock)
		m->ops->lock(m, lock);
}

// Ends a locked step: draws the ticket, reports, unlocks.
static inline void step_end(struct machine *m, unsigned lock, enum event_kind kind, uint32_t a0,
			    uint32_t a1, uint32_t a2, uint32_t a3, uint32_t a4, uint32_t a5)
{
	uint32_t ticket = ++m->s->ticket[lock];
	if (m->ops->record) {
		struct record r = { .kind = kind, .cpu = m->cpu, .lock = lock, .ticket = ticket,
				    .arg = { a0, a1, a2, a3, a4, a5 } };
		m->ops->record(m, &r);
	}
	if (m->ops->unlock)
		m->ops->unlock(m, lock);
}

// Ends a section that found nothing to do and changed nothing: no ticket, no record.
static inline void step_cancel(struct machine *m, unsigned lock)
{
	if (m->ops->unlock)
		m->ops->unlock(m, lock);
}

static inline void step_local(struct machine *m, enum event_kind kind, uint32_t a0, uint32_t a1,
			      uint32_t a2, uint32_t a3, uint32_t a4, uint32_t a5)
{
	if (m->ops->record) {
		struct record r = { .kind = kind, .cpu = m->cpu, .lock = LOCK_NONE,
				    .arg = { a0, a1, a2, a3, a4, a5 } };
		m->ops->record(m, &r);
	}
}

static inline void trace(struct machine *m, const struct trace_event *t)
{
	if (m->ops->trace)
		m->ops->trace(m, t);
}

#include "slab_inline.h"
