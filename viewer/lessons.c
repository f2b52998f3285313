// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "lessons.h"

#include <stddef.h>

#include "text.h"

static const struct lesson buddy = {
	N_("The buddy system"),
	N_("A zone keeps its free memory in blocks of 2^k frames, k from 0 to 10, on one list for each "
	   "order (free_area[k]) and kind of mobility. A request for order k takes the first block of "
	   "the smallest order that has one. If that block is larger, it is halved until it fits: the "
	   "lower half goes on, every upper half is put on the list one order down.\n\n"
	   "Freeing runs the other way. The buddy of a block is found by flipping bit k of its frame "
	   "number; if it is free and of the same order, both become one block of order k + 1, and the "
	   "question is asked again. So a free list never holds both halves of a pair.\n\n"
	   "Taking the smallest block that fits and merging at once keep large blocks whole. They do "
	   "not prevent fragmentation: one frame in use in the middle of 4 MiB is enough to deny a "
	   "block of order 10.")};

static const struct lesson pcp = {
	N_("Per-CPU lists of frames"),
	N_("Most requests are for a single frame, and the free lists of a zone have one lock. So every "
	   "CPU keeps frames of each zone for itself. A request of order 0 takes the first frame of "
	   "the CPU's list and locks nothing; a freed frame goes to the front, because its lines may "
	   "still be in the CPU's cache.\n\n"
	   "When the list is empty, `batch` frames are taken from the free lists under one hold of the "
	   "lock. When a free makes the list reach `high`, which is six times the batch, a batch of the "
	   "oldest frames goes back and may merge there. Frames on these lists count as neither free "
	   "for watermarks nor in use by anyone.")};

static const struct lesson mobility = {
	N_("Mobility, fallback and pageblocks"),
	N_("Memory is divided into pageblocks of 1,024 frames, and each block has a type: Unmovable "
	   "(the kernel's own), Reclaimable, or Movable (a program's, which could be copied elsewhere). "
	   "Keeping the types apart keeps whole pageblocks emptiable, so large orders stay possible.\n\n"
	   "When the lists of the wanted type have nothing, the allocator takes from another type, and "
	   "there it takes the LARGEST block, so that few pageblocks get mixed. If the block is of "
	   "order 5 or more, or the request is for Reclaimable memory, the other free "
	   "frames of the pageblock come over too; when at least half of it has moved, the pageblock "
	   "changes its type for good. The tracepoint mm_page_alloc_extfrag says that it happened.")};

static const struct lesson slab_array = {
	N_("Array caches of the slab allocator"),
	N_("Each cache keeps, for each CPU, an array of pointers to free objects, used as a stack. "
	   "kmalloc pops one and kfree pushes one, both without a lock: that is all most calls do, and "
	   "the object that comes out is the one that went in last, still warm.\n\n"
	   "An empty array is refilled with a batch: first from the array all CPUs share, else object "
	   "by object from a slab that is partly used, and only then from one wholly free. A full array "
	   "gives a batch of its oldest objects away, to the shared array while there is room, else "
	   "back into the slabs they came from.")};

static const struct lesson slab_life = {
	N_("How a cache grows and shrinks"),
	N_("A slab is 2^order frames cut into objects of one size. Slabs are on one of three lists: "
	   "full, partial, free. When neither partial nor free slabs have an object, the page allocator "
	   "gives frames for one more. What is left over beside the objects is used for colour: each "
	   "new slab begins a cache line further in than the last, so that the first objects of all "
	   "slabs do not fight for the same lines.\n\n"
	   "A slab whose last object came back goes to the free list, or, when the cache has more free "
	   "objects than its limit, straight back to the page allocator. A timer visits every cache "
	   "every two seconds and gives up a part of its free slabs if they were not touched since.")};

static const struct lesson vmalloc = {
	N_("vmalloc"),
	N_("Above the directly mapped memory lies a range of addresses with nothing behind them. "
	   "vmalloc takes a hole there that is large enough, takes frames one by one from wherever "
	   "they are free, HighMem first, and writes page table entries, so that scattered frames look "
	   "like one stretch of memory. One page behind the area stays unmapped, and an overrun faults "
	   "instead of damaging its neighbour.\n\n"
	   "The price is a page table walk and TLB entries of 4 KiB each, where the direct map has "
	   "large ones; so the kernel uses vmalloc for what is large and not hot.")};

static const struct lesson vmalloc_lazy = {
	N_("Lazy freeing of addresses"),
	N_("Other CPUs may still have translations of a freed area in their TLBs, and telling them to "
	   "forget costs an interrupt on each. So a freed area's entries are cleared and its frames go "
	   "back at once, but its addresses only join a list. When more than a threshold has gathered "
	   "(32 MiB, times a factor that grows with the number of CPUs), one flush of all TLBs makes "
	   "all those addresses usable again. Until then a new area is placed beyond them: this is why "
	   "addresses of a busy vmalloc space wander.")};

static const struct lesson kmap = {
	N_("Windows into HighMem"),
	N_("A 32-bit kernel maps less than 1 GiB of memory at all times. To touch a frame above that "
	   "it borrows one of 1,024 windows (512 with PAE). kmap looks for the next window whose count "
	   "is 0, going round; the count says more than how many use it: 0 is unmapped, 1 is mapped "
	   "with no user and must not be handed out yet, n is n - 1 users.\n\n"
	   "kunmap only counts down. Unmapping would need a flush of every CPU's TLB, so it waits until "
	   "the search comes round to window 0; then every window of count 1 is cleared and one flush "
	   "pays for all of them. If every window has a user, kmap sleeps until one is given back.")};

static const struct lesson kmap_atomic = {
	N_("Atomic windows"),
	N_("Where sleeping is forbidden, or the use lasts a moment, each CPU has windows of its own in "
	   "the fixed mappings at the very top of the address space. They form a stack: kmap_atomic "
	   "takes the next and kunmap_atomic gives it back, in reverse order and on the same CPU. "
	   "Nobody else can have its translation, so a flush of one entry on one CPU is enough. The "
	   "kernel clears and copies HighMem frames this way.")};

static const struct lesson per_cpu = {
	N_("A copy for each CPU"),
	N_("A counter that all CPUs change costs a lock, or at least the travel of its cache line from "
	   "one CPU to the next. A per-CPU variable has a copy for each CPU at the same offset of its "
	   "unit, so that each changes its own undisturbed; whoever wants the number adds the copies "
	   "up. Here the threads of the program are counted so.")};

static const struct lesson shortage = {
	N_("When memory runs short"),
	N_("Each zone has three watermarks. Below `low` the allocator wakes kswapd, which frees memory "
	   "until the zone stands above `high`. At `min` ordinary requests get nothing more and have to "
	   "reclaim on their own before they go on; only requests that must not wait may dip below. "
	   "On top of that, a request that would prefer a higher zone has to leave lowmem_reserve pages "
	   "of a lower one alone, so that user memory does not eat what only the kernel can use.\n\n"
	   "If reclaim finds nothing, a request of up to order 3 would make the kernel call its "
	   "out-of-memory killer and begin again, as often as it takes; here it fails, and the event "
	   "says so. Larger ones fail in the kernel, too.")};

static const struct lesson page_table = {
	N_("Page tables"),
	N_("The page directory has 1,024 entries of 4 MiB each. In the direct map an entry usually maps "
	   "its 4 MiB itself; in the vmalloc space it points to a page table, a frame with 1,024 "
	   "entries of 4 KiB. A table is made when the first page in its 4 MiB is mapped, and kept: "
	   "kernel page tables are never given back. New entries are put into the kernel's own "
	   "directory; a process gets to know them by a fault the first time it goes there.")};

static const struct lesson misuse = {
	N_("Wrong calls"),
	N_("Freeing twice, or freeing what was never handed out, would put the same memory on a list "
	   "twice, and two owners would get it later: the fault shows far from its cause. A kernel "
	   "prints a warning or stops where it can tell. This machine refuses the call, leaves "
	   "everything as it was, and records it.")};

const struct lesson *lesson_of(enum event_kind kind)
{
	static const struct lesson *const lesson[EV_COUNT] = {
		[EV_T_MM_PAGE_ALLOC] = &pcp,
		[EV_T_MM_PAGE_FREE] = &pcp,
		[EV_T_MM_PAGE_FREE_BATCHED] = &pcp,
		[EV_T_MM_PAGE_ALLOC_ZONE_LOCKED] = &buddy,
		[EV_T_MM_PAGE_PCPU_DRAIN] = &pcp,
		[EV_T_MM_PAGE_ALLOC_EXTFRAG] = &mobility,
		[EV_T_BUDDY_SPLIT] = &buddy,
		[EV_T_BUDDY_MERGE] = &buddy,
		[EV_T_PAGEBLOCK_STEAL] = &mobility,
		[EV_T_KSWAPD_WAKE] = &shortage,
		[EV_T_DIRECT_RECLAIM] = &shortage,
		[EV_T_OUT_OF_MEMORY] = &shortage,
		[EV_T_ALLOC_WOULD_LOOP] = &shortage,
		[EV_T_KMALLOC] = &slab_array,
		[EV_T_KFREE] = &slab_array,
		[EV_T_KMEM_CACHE_ALLOC] = &slab_array,
		[EV_T_KMEM_CACHE_FREE] = &slab_array,
		[EV_T_CACHE_GROW] = &slab_life,
		[EV_T_CACHE_REFILL] = &slab_array,
		[EV_T_CACHE_FLUSH] = &slab_array,
		[EV_T_CACHE_SLAB_DESTROY] = &slab_life,
		[EV_T_CACHE_REAP] = &slab_life,
		[EV_T_CACHE_CREATED] = &slab_life,
		[EV_T_CACHE_CTOR] = &slab_life,
		[EV_T_CACHE_DESTROYED] = &slab_life,
		[EV_T_VMAP_AREA_ALLOC] = &vmalloc,
		[EV_T_VMAP_AREA_FREE] = &vmalloc_lazy,
		[EV_T_VMAP_AREA_PURGE] = &vmalloc_lazy,
		[EV_T_VMAP_MAP] = &vmalloc,
		[EV_T_VMAP_UNMAP] = &vmalloc_lazy,
		[EV_T_PAGE_TABLE] = &page_table,
		[EV_T_PGD_ALLOC] = &page_table,
		[EV_T_VMALLOC_FAULT] = &page_table,
		[EV_T_USER_PAGE] = &page_table,
		[EV_T_KMAP_MAP] = &kmap,
		[EV_T_KMAP_UNMAP] = &kmap,
		[EV_T_KMAP_WAIT] = &kmap,
		[EV_T_KMAP_WAKE] = &kmap,
		[EV_T_KMAP_FLUSHED] = &kmap,
		[EV_T_KMAP_ATOMIC_MAP] = &kmap_atomic,
		[EV_T_MISUSE] = &misuse,
		[EV_T_PERCPU_CUT] = &per_cpu,
		[EV_T_PERCPU_GIVEN] = &per_cpu,
	};

	return (unsigned)kind < EV_COUNT ? lesson[kind] : NULL;
}
