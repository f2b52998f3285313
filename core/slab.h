// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// SLAB: caches, slabs, array caches (reference 7).
//
//   kmem_cache ── partial ─ full ─ free        lists of slabs, linked by the slab's first pfn
//       ├─ array_cache per CPU (LIFO)           ac_of(m, cache, cpu)
//       └─ shared array                         shared_of(m, cache)
//
//   num_slabs * num == inuse in slabs + free_objects
//   full: inuse == num;  partial: 0 < inuse < num;  free: inuse == 0
//   objects parked in arrays count as in use by their slab
//   sum over slabs of (num - inuse) == free_objects
//
// The management area and colour offset take their place in the page as in the kernel, but what
// would stand there (struct slab, bufctl) is kept out of band in slab_area[first pfn].
//
// A slab emptied beyond free_limit is destroyed at once by the kernel, under the list lock. Here
// the step only moves it to the CPU's `doomed` list; SLAB_DESTROY steps follow, each giving its
// pages back, then its off-slab descriptor. Order and outcome are the kernel's.
//
// Departures
//  * Array caches and kmem_list3s take no objects of size-N; kmem_cache descriptors and off-slab
//    slab descriptors do. So a booted machine uses a little less of the general caches.
//  * The kernel's cache tables have no bounds: here 1024 caches, arrays of at most AC_ENTRIES and
//    shared arrays of at most SHARED_ENTRIES, names of at most 23 bytes.
//  * Freeing what is no object, or one that nobody holds, is refused and told (event `misuse`).
//    The kernel corrupts itself, or (DEBUG_SLAB) stops. Objects below 32 bytes, of which generations
//    say nothing, are found out only when they stand free in their slab.
//  * The first turn of a cache's list timer starts when the reaper first sees the cache, not when
//    it is created. SLAB_DESTROY_BY_RCU frees without waiting: no one reads concurrently.
#pragma once

#include "types.h"

struct machine;

enum { // flags of Linux 3.4
	SLAB_RED_ZONE = 0x400,
	SLAB_POISON = 0x800,
	SLAB_HWCACHE_ALIGN = 0x2000,
	SLAB_CACHE_DMA = 0x4000,
	SLAB_STORE_USER = 0x10000,
	SLAB_RECLAIM_ACCOUNT = 0x20000,
	SLAB_PANIC = 0x40000,
	SLAB_DESTROY_BY_RCU = 0x80000,
	SLAB_MEM_SPREAD = 0x100000,
	SLAB_NOTRACK = 0x1000000,
};
#define CFLGS_OFF_SLAB 0x80000000u
enum {
	BUFCTL_END = 0xFFFF,
	BUFCTL_ACTIVE = 0xFFFD
}; // 16-bit forms of the kernel's marks

enum {
	BUFCTL_PER_PAGE = 344, // >= most objects one page can hold (339 of 8 bytes)
	AC_ENTRIES = 524,      // capacity of one CPU's array: tunable limit at most (ac_of's stride)
	SHARED_ENTRIES = 4092, // capacity of the shared array
	CACHE_NAME_LEN = 24,
	KMALLOC_CACHES = 20, // room for size-32 .. size-4194304, size-96 among them
};

// 33 lines of 64 bytes, not 32: what lies a power of two apart shares a set of the processor's cache.
struct array_cache {
	uint32_t avail; // entries in use; entry[avail - 1] is next out
	uint32_t limit;
	uint32_t batchcount;
	uint32_t touched;
	kaddr_t entry[AC_ENTRIES];
};

struct shared_array {
	uint32_t avail, limit, batchcount, touched;
	kaddr_t entry[SHARED_ENTRIES];
};

struct slab { // out of band, slab_area[first pfn]
	struct list_node list;
	kaddr_t s_mem;	// linear address of object 0
	uint16_t cache; // cache id
	uint16_t inuse; // objects not in the chain
	uint16_t free;	// first free index; BUFCTL_END
	uint16_t pad;
	uint32_t colouroff;		  // bytes
	kaddr_t mgmt;			  // off-slab: address of its descriptor's object, else 0
	uint16_t bufctl[BUFCTL_PER_PAGE]; // next free index; BUFCTL_ACTIVE: handed out
};

// What a cache does to each object once, when its slab is made, so that whoever takes one finds it
// ready: who gives it back leaves it so. The core keeps no bytes; a constructor is known by name.
// A poisoning cache constructs at every allocation instead, for the pattern has overwritten it.
enum slab_ctor {
	CTOR_NONE,
	CTOR_SIGHAND, // sighand_ctor: lock and wait queue
	CTOR_OTHER,   // of a caller outside
	CTORS,
};
const char *slab_ctor_name(unsigned ctor); // "sighand_ctor"; "?" out of range

struct kmem_cache {
	uint32_t buffer_size; // bytes per object, padding included
	uint32_t reciprocal;  // of buffer_size, for obj_to_index without a division
	uint32_t num;	      // objects per slab
	uint32_t gfporder;
	gfp_t gfpflags; // GFP_DMA or 0
	uint32_t flags;
	uint32_t colour, colour_off, slab_size;
	uint16_t slabp_cache;		    // off-slab: cache id of the descriptors
	uint16_t used;			    // 0 = this id is free
	uint32_t limit, batchcount, shared; // tunables
	uint32_t obj_size;		    // bytes asked for at creation; DEBUG_SLAB rounds them up
	uint32_t obj_offset; // bytes before the object in its buffer (red zone of DEBUG_SLAB)
	uint32_t align;
	kaddr_t self;		// address of the kmem_cache object itself, 0 static
	struct list_node chain; // cache_chain, newest first
	// kmem_list3
	struct list_head slabs_partial, slabs_full, slabs_free;
	uint32_t num_slabs, num_active_slabs;
	uint32_t free_objects, free_limit;
	uint32_t colour_next; // in colours
	uint32_t free_touched;
	uint64_t next_reap; // ns
	uint32_t site;	    // own cache of a call site: stack id; else 0
	uint32_t ctor;	    // enum slab_ctor
	char name[CACHE_NAME_LEN];
};

// Cache ids: 0 none, 1 kmem_cache (cache_cache), then the general caches in creation order.
enum {
	CACHE_CACHE = 1
};

struct slab_state {
	struct list_head cache_chain; // first = newest
	uint32_t nr_caches;
	uint16_t size_cache[KMALLOC_CACHES];	 // id of size-N; 0 absent
	uint16_t size_cache_dma[KMALLOC_CACHES]; // id of size-N(DMA)
	uint32_t size[KMALLOC_CACHES];		 // N
	uint32_t nr_sizes;
	uint32_t kmalloc_max;		  // bytes: 131072 classic, 4194304 3.4
	uint8_t index_small[512 / 8 + 1]; // (n + 7) / 8 -> index into size_cache, n <= 512
	uint32_t full;			  // 1 after the late phase (final array sizes)
};

// Fast primitives, in slab_inline.h (machine.h includes it): no record, no lock; the caller holds
// the CPU's lock and writes an OP record with OPF_POP / OPF_PUSH itself.
//   kaddr_t ac_pop(m, cache)	     0: array empty
//   bool ac_push(m, cache, obj)     false: array full
//   unsigned kmalloc_cache(m, size, gfp)   cache id; 0 too large or 0
//   bool slab_lookup(m, addr, &cache, &slab, &index)   false: not inside an object of a slab
// Make the next ac_pop / ac_push succeed; records its steps. refill: false = no memory.
bool cache_alloc_refill(struct machine *m, unsigned cache, gfp_t gfp);
void cache_flusharray(struct machine *m, unsigned cache);

kaddr_t kmalloc(struct machine *m, size_t size, gfp_t gfp); // 0 on failure; 16 for size 0
void kfree(struct machine *m, kaddr_t obj);
size_t ksize(struct machine *m, kaddr_t obj);
// The block's bytes are the caller's: whoever keeps bytes calls kmalloc, copies, then kfree.
kaddr_t krealloc(struct machine *m, kaddr_t obj, size_t size, gfp_t gfp);

// What a cache of this request would look like: buffer_size, num, gfporder, colour, slab_size,
// flags, align (reference 7.2). 0; -EINVAL: refused.
int cache_geometry(struct machine *m, size_t size, size_t align, uint32_t flags,
		   struct kmem_cache *c);
// Creates a cache; id or 0 (bad arguments, duplicate name, table full, no memory).
unsigned kmem_cache_create(struct machine *m, const char *name, size_t size, size_t align,
			   uint32_t flags);
unsigned kmem_cache_create_ctor(struct machine *m, const char *name, size_t size, size_t align,
				uint32_t flags, enum slab_ctor ctor);
kaddr_t kmem_cache_alloc(struct machine *m, unsigned cache, gfp_t gfp);
void kmem_cache_free(struct machine *m, unsigned cache, kaddr_t obj);
int kmem_cache_shrink(struct machine *m,
		      unsigned cache); // 0: no slab left, 1: some; stops the machine
int kmem_cache_destroy(struct machine *m, unsigned cache); // 0; -EBUSY objects remain
int kmem_cache_tune(struct machine *m, unsigned cache, unsigned limit, unsigned batch,
		    unsigned shared);
// This CPU's periodic work over all caches; due when now_ns >= s->cpu[m->cpu].next_reap_ns.
void cache_reap(struct machine *m, uint64_t now_ns);
// The same for one cache: slabs freed, or -1 when the list's turn had not come or it was in use.
int cache_reap_one(struct machine *m, unsigned cache, uint64_t now_ns);
// Empties one CPU's array into the slabs (do_drain). Another CPU's only while the machine is stopped.
void drain_cpu_array(struct machine *m, unsigned cache, unsigned cpu);

bool slab_obj_is_free(struct machine *m, pfn_t slab,
		      unsigned index); // in the slab's chain (not: in an array)

void kmem_cache_init(struct machine *m);      // bootstrap: cache_cache and general caches
void kmem_cache_init_late(struct machine *m); // final array sizes
int slab_check(struct machine *m, char *why, size_t size); // 0; -EINVAL and a sentence in why
int slab_safe(struct machine *m, char *why, size_t size); // the part machine_safe asks for
