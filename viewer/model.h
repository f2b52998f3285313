// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The view model: everything the views show of one machine at one event, copied out once.
//
// A model is made in a worker thread from a machine being replayed and is never changed after
// that, so the thread that draws needs no lock and the machine may move on at once. Figures that
// come from lists are counted by walking them, with bounds: a damaged recording gives wrong
// numbers, never a crash.
//
//   pages: one byte of state and one word of owner per frame (5 MiB at most)
//   zone.state[s] summed over s == frames spanned by the zone
//   cache.active == cache.total - free objects in the slabs (arrays count as active, as in slabinfo)
#pragma once

#include "../core/machine.h"
#include "../core/translate.h"
#include "../db/reader_views.h"
#include "calltree.h"
#include "steps.h"

// In order of severity: where one pixel stands for several frames, the highest wins, so that
// single frames of a rare state do not vanish.
enum page_state {
	PS_HOLE,
	PS_FREE,
	PS_RESERVED,
	PS_PAGECACHE,
	PS_PAGES, // handed out by alloc_pages, compound or not
	PS_SLAB,
	PS_PCP,
	PS_VMALLOC,
	PS_PGTABLE,
	PS_KMAP,
	PAGE_STATES,
};

enum object_state {
	OBJ_FREE,
	OBJ_IN_ARRAY,
	OBJ_ALLOCATED,
	OBJECT_STATES
};
enum slab_list {
	SLABS_PARTIAL,
	SLABS_FULL,
	SLABS_FREE,
	SLAB_LISTS
};

struct model_pcp {
	uint32_t count, high, batch;
	uint32_t list[MIGRATE_PCPTYPES]; // pages
};

struct model_zone {
	const char *name;
	pfn_t start, end; // end exclusive
	uint32_t present;
	uint32_t free; // NR_FREE_PAGES as the watermarks see it
	uint32_t watermark[NR_WMARK];
	uint32_t reserve[MAX_NR_ZONES]; // lowmem_reserve
	uint32_t nr_free[MAX_ORDER];	// blocks
	uint32_t blocks[MAX_ORDER][MIGRATE_TYPES];
	uint32_t state[PAGE_STATES]; // frames
	struct model_pcp pcp[MAX_CPUS];
};

struct model_cache {
	unsigned id;
	char name[CACHE_NAME_LEN + 1];
	uint32_t object_bytes, per_slab, order;
	uint32_t active, total;		     // objects
	uint32_t slabs, list[SLAB_LISTS];    // slabs
	uint32_t limit, batch, shared;	     // tunables
	uint32_t shared_avail, shared_limit; // objects in the shared array, its capacity
	uint32_t cpu_avail[MAX_CPUS], cpu_limit[MAX_CPUS];
	uint64_t bytes; // of all its slabs
};

struct model_slab { // of the selected cache
	pfn_t pfn;
	kaddr_t s_mem;
	enum slab_list list;
	uint32_t inuse, colour_bytes;
	uint8_t *object; // enum object_state, cache->per_slab of them
};

struct model_area {
	kaddr_t start, end; // end exclusive, guard page included
	uint32_t pages, vm_flags, va_flags, stack;
	uint64_t phys;
	char caller[96]; // function, "" unknown
};

struct model_stack {
	uint64_t event; // 0: no such event
	struct event_row row;
	unsigned n;
	struct frame *frame; // innermost first
};

struct model_site {
	struct site_row figures;
	char function[128], caller[256]; // of the allocation, and its callers; "" unknown
};

struct model_walk {	      // of one linear address
	struct translation t; // without the pointer to its page
	bool has_page;
	uint32_t flags; // of the page
	int32_t count;
	const char *zone; // "" not RAM
	char owner[128];
};

enum {
	MODEL_SITES = 8
};

struct model_boot { // as it was when memblock handed over; the same at every event
	struct e820map map;
	struct memblock memblock;
	char log[8192];
};

struct model_summary { // of the process, the same at every event
	bool known;
	char argv[512];
	uint64_t events, lost;
	struct process_totals totals;
	unsigned nsites[SITE_ORDERS];
	struct model_site site[SITE_ORDERS][MODEL_SITES];
	char machine[160]; // "classic, 4 GiB, 2 CPUs"
};

enum {
	MODEL_SLABS = 1024,
	MODEL_ROWS = 256,
	MODEL_FRAMES = 64,
	MODEL_PROCESSES = 1024,
	MODEL_BLOCKS = 4096,
	MODEL_MARKS = 1000
};

struct view_model {
	int refs;
	// position
	char program[256];
	int process, pid;
	uint64_t event, first_event, last_event, total_events; // of the process; of the recording
	int64_t t_ns;
	uint64_t duration_ns;
	kaddr_t event_address; // simulated address the event is about, 0 none
	unsigned in_flight;
	bool damaged; // the state is the last good one before `event`
	// machine
	unsigned ncpus;
	uint32_t page_offset, high_memory;
	pfn_t max_pfn, max_low_pfn;
	struct model_pages *pages; // has the next three
	uint8_t *state;		   // enum page_state, max_pfn of them
	uint32_t *owner;	   // order (free, pages), cache id (slab), address (vmalloc, kmap)
	uint8_t *type;	 // migratetype: of its free list (free), of its pageblock (all others)
	unsigned nzones; // zones with frames, in order
	struct model_zone zone[MAX_NR_ZONES];
	unsigned ncaches;
	struct model_cache *cache; // by bytes, largest first
	unsigned selected;	   // index in cache[]; ncaches: none
	unsigned nslabs, slabs_left_out;
	struct model_slab *slab;
	uint8_t *objects; // storage of slab[].object
	kaddr_t vmalloc_start, vmalloc_end;
	uint32_t lazy_pages;
	unsigned nareas;
	struct model_area *area;
	struct kmap_state kmap;
	uint32_t pgd[1024];
	struct model_walk walk;
	// one free list, when asked for
	bool has_list;
	uint32_t list; // zone << 16 | order << 8 | migratetype, zone an index in zone[]
	unsigned nfree, free_left_out;
	pfn_t *free_block; // first frames, as the list has them
	// recording
	unsigned nrows;
	struct event_row *row;		  // around `event`
	struct model_stack stack, other;  // of the selected event and of its match
	struct calltree *calls, *callers; // from the entry, from the sites; NULL: not asked for
	struct explanation *happened;	  // what `event` did; NULL: not asked for, or nothing
	struct model_flow *flow; // what it moved into and out of per-CPU lists; as happened
	struct steps *steps;	 // the same, as it was made; NULL: not asked for
	unsigned nbuckets;
	struct timeline_bucket *bucket;
	unsigned nmarks;
	struct mark_row *mark;	 // the program's own, with the timeline
	struct model_boot *boot; // NULL: not asked for
	unsigned nprocesses;
	struct process_info *processes; // of the recording
	struct model_summary *summary;	// NULL: not asked for
};

// Copies the machine. cache: id whose slabs to include, 0 = the largest cache. NULL: no memory.
struct view_model *model_create(struct machine *m, unsigned cache);
// The same; what `last` (NULL: none) knows of the pages is shared when it is still true.
struct view_model *model_create_after(struct machine *m, unsigned cache,
				      const struct view_model *last);
// Translates an address into v->walk; m is the machine v was made from.
void model_walk(struct view_model *v, struct machine *m, kaddr_t addr);
// Reads a free list into v->free_block; m as above. Lists of zones that are not there have nothing.
void model_free_list(struct view_model *v, const struct machine *m, uint32_t list);
// Frames of what the frame belongs to: free block, slab, compound page, vmalloc area or itself.
// Those of an area need not follow each other: false, and the frames are those whose owner[] lies
// in [*first, *last].
bool model_block(const struct view_model *v, pfn_t pfn, uint32_t *first, uint32_t *last);
struct view_model *model_ref(struct view_model *v);
void model_unref(struct view_model *v); // NULL is fine

const char *page_state_name(enum page_state s);
const char *slab_list_name(enum slab_list l);
const struct model_cache *model_cache(const struct view_model *v, unsigned id); // NULL: none
const struct model_zone *model_zone_of(const struct view_model *v, pfn_t pfn);	// NULL: none
// Linear address of a frame as the machine sees it now, 0 when it has none.
kaddr_t model_page_address(const struct view_model *v, pfn_t pfn);
// Used bytes of the vmalloc space, guard pages included.
uint64_t model_vmalloc_used(const struct view_model *v);
