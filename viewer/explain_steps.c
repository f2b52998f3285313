// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Every kind of transition: what it is, in one sentence, and its numbers in another.
#include <stdio.h>

#include "../core/misuse.h"
#include "explain_steps.h"
#include "format.h"
#include "text.h"

struct told { // where a sentence goes, and the machine it is about
	const struct view_model *v;
	const struct trace_event *t;
	char *buf;
	size_t size;
};

static const char *zone_of(const struct trace_event *t)
{
	return t->zone < MAX_NR_ZONES ? zone_names[t->zone] : "?";
}

struct text64 explain_cache(const struct view_model *v, unsigned id)
{
	const struct model_cache *c = model_cache(v, id);
	struct text64 s;

	if (c)
		snprintf(s.s, sizeof(s.s), "%s", c->name);
	else
		snprintf(s.s, sizeof(s.s), _("cache %u"), id);
	return s;
}

// "pfn 0x35c00", or the ends of a run
static struct text64 frames(const struct trace_event *t)
{
	struct text64 s;
	int64_t last = (int64_t)t->pfn + (int64_t)t->stride * ((int64_t)t->count - 1);

	if (t->count > 1)
		snprintf(s.s, sizeof(s.s), _("%.16s frames, pfn 0x%x to 0x%x"),
			 fmt_count(t->count).s, t->pfn, (unsigned)last);
	else
		snprintf(s.s, sizeof(s.s), _("pfn 0x%x"), t->pfn);
	return s;
}

static struct text64 gfp_text(gfp_t gfp)
{
	struct text64 s;

	if (gfp_string(gfp, s.s, sizeof(s.s)) <= 0)
		snprintf(s.s, sizeof(s.s), _("no gfp flags"));
	return s;
}

static const char *plural(uint32_t n)
{
	return n == 1 ? "" : "s";
}

static void page_alloc(const struct told *w)
{
	const struct trace_event *t = w->t;

	if (t->order)
		snprintf(
			w->buf, w->size,
			_("%s of %s: a block of order %u (%u frames) left the zone's free lists, %s"),
			frames(t).s, zone_of(t), t->order,
			t->order < MAX_ORDER ? 1u << t->order : 0, gfp_text(t->value).s);
	else
		snprintf(w->buf, w->size, _("%s of %s popped from CPU %u's per-CPU list (%s), %s"),
			 frames(t).s, zone_of(t), t->cpu, migratetype_name(t->migratetype),
			 gfp_text(t->value).s);
}

static void page_free(const struct told *w)
{
	const struct trace_event *t = w->t;

	if (t->order)
		snprintf(w->buf, w->size,
			 _("%s of %s: the block of order %u went back to the buddy "
			   "system"),
			 frames(t).s, zone_of(t), t->order);
	else
		snprintf(w->buf, w->size, _("%s of %s pushed on CPU %u's per-CPU list (%s)"),
			 frames(t).s, zone_of(t), t->cpu, migratetype_name(t->migratetype));
}

static void zone_locked(const struct told *w)
{
	const struct trace_event *t = w->t;

	snprintf(w->buf, w->size, _("%s of %s, order %u, from the %s lists%s"), frames(t).s,
		 zone_of(t), t->order, migratetype_name(t->migratetype),
		 t->flags ? ", to refill the CPU's list" : "");
}

static void pcpu_drain(const struct told *w)
{
	snprintf(w->buf, w->size, _("%s of %s given back to the %s free lists"), frames(w->t).s,
		 zone_of(w->t), migratetype_name(w->t->migratetype));
}

static void extfrag(const struct told *w)
{
	const struct trace_event *t = w->t;

	snprintf(w->buf, w->size,
		 _("the %s lists of %s had no block of order %u or more: the block of order %u at "
		   "pfn 0x%x of another type was broken, its rest is now %s"),
		 migratetype_name(t->migratetype), zone_of(t), t->order, t->order2, t->pfn,
		 migratetype_name(t->migratetype2));
}

static void orders_between(unsigned high, unsigned low, char *buf, size_t size)
{
	size_t len = 0;

	*buf = 0;
	for (unsigned o = high; o-- > low && len < size;)
		len += (size_t)snprintf(buf + len, size - len, "%s%u", len ? ", " : "", o);
}

static void split(const struct told *w)
{
	const struct trace_event *t = w->t;
	bool several = t->order > t->order2 + 1;
	char orders[48];

	orders_between(t->order, t->order2, orders, sizeof(orders));
	snprintf(
		w->buf, w->size,
		_("free list of order %u of %s/%s gave pfn 0x%x, split down to order %u: the upper "
		  "%s went back to order%s %s"),
		t->order, zone_of(t), migratetype_name(t->migratetype), t->pfn, t->order2,
		several ? "halves" : "half", several ? "s" : "", orders);
}

static void merge(const struct told *w)
{
	const struct trace_event *t = w->t;
	char buddies[48];

	if (t->order2 > t->order + 1)
		snprintf(buddies, sizeof(buddies), _("buddies of orders %u to %u were"), t->order,
			 t->order2 - 1u);
	else
		snprintf(buddies, sizeof(buddies), _("buddy of order %u was"), t->order);
	snprintf(w->buf, w->size,
		 _("the %s free too: now one block of order %u at pfn 0x%x on the %s list of %s"),
		 buddies, t->order2, t->pfn, migratetype_name(t->migratetype), zone_of(t));
}

static void steal(const struct told *w)
{
	snprintf(w->buf, w->size, _("the pageblock of pfn 0x%x in %s is %s now; %s moved with it"),
		 w->t->pfn, zone_of(w->t), migratetype_name(w->t->migratetype),
		 fmt_pages(w->t->value).s);
}

static void kswapd(const struct told *w)
{
	snprintf(w->buf, w->size, _("%s fell below its low watermark for order %u"), zone_of(w->t),
		 w->t->order);
}

static void reclaim(const struct told *w)
{
	snprintf(w->buf, w->size,
		 _("%s of page cache given up in %s for a request of order %u, %s"),
		 fmt_pages(w->t->count).s, zone_of(w->t), w->t->order, gfp_text(w->t->value).s);
}

static void oom(const struct told *w)
{
	snprintf(w->buf, w->size,
		 _("no zone had a block of order %u and nothing could be given up, "
		   "%s"),
		 w->t->order, gfp_text(w->t->value).s);
}

static void would_loop(const struct told *w)
{
	snprintf(w->buf, w->size,
		 w->t->flags ? _("the kernel would call its out-of-memory killer and search again, "
				 "without end; %u searches here")
			     : _("the kernel would wait and search again, without end; %u searches "
				 "here"),
		 w->t->count);
}

static void object_alloc(const struct told *w)
{
	snprintf(w->buf, w->size, _("an object of %s at 0x%08x, %s"),
		 explain_cache(w->v, w->t->cache).s, w->t->addr, gfp_text(w->t->value).s);
}

static void object_free(const struct told *w)
{
	snprintf(w->buf, w->size, _("the object at 0x%08x went back to %s"), w->t->addr,
		 explain_cache(w->v, w->t->cache).s);
}

static void grow(const struct told *w)
{
	const struct model_cache *c = model_cache(w->v, w->t->cache);

	snprintf(w->buf, w->size,
		 _("%s got a new slab of order %u at pfn 0x%x: %u object%s, the first "
		   "one %u bytes in (its colour)"),
		 explain_cache(w->v, w->t->cache).s, w->t->order, w->t->pfn, c ? c->per_slab : 0,
		 plural(c ? c->per_slab : 0), w->t->value);
}

static void refill(const struct told *w)
{
	snprintf(w->buf, w->size,
		 _("CPU %u's array of %s was empty: %u object%s moved into it from %s"), w->t->cpu,
		 explain_cache(w->v, w->t->cache).s, w->t->count, plural(w->t->count),
		 w->t->flags ? "the shared array" : "the cache's slabs");
}

static void flush(const struct told *w)
{
	snprintf(w->buf, w->size, _("%u object%s of %s left CPU %u's array for %s"), w->t->count,
		 plural(w->t->count), explain_cache(w->v, w->t->cache).s, w->t->cpu,
		 w->t->flags ? "the shared array" : "their slabs");
}

static void slab_gone(const struct told *w)
{
	snprintf(w->buf, w->size, _("the slab of %s at pfn 0x%x had no object in use"),
		 explain_cache(w->v, w->t->cache).s, w->t->pfn);
}

static void reap(const struct told *w)
{
	snprintf(w->buf, w->size, _("%s gave up %u slab%s"), explain_cache(w->v, w->t->cache).s,
		 w->t->count, plural(w->t->count));
}

static void cache_life(const struct told *w)
{
	snprintf(w->buf, w->size, "%s", explain_cache(w->v, w->t->cache).s);
}

static void area(const struct told *w)
{
	snprintf(w->buf, w->size, _("%u pages of addresses, guard page included, at 0x%08x"),
		 w->t->count, w->t->addr);
}

static void purge(const struct told *w)
{
	snprintf(w->buf, w->size, _("%u area%s, %s of addresses"), w->t->count, plural(w->t->count),
		 fmt_pages(w->t->value).s);
}

static void map(const struct told *w)
{
	snprintf(w->buf, w->size, _("%s from 0x%08x on %s %s"), fmt_pages(w->t->count).s,
		 w->t->addr, w->t->count == 1 ? "is" : "are", frames(w->t).s);
}

static void unmap(const struct told *w)
{
	snprintf(w->buf, w->size, _("%s from 0x%08x on %s no longer mapped"),
		 fmt_pages(w->t->count).s, w->t->addr, w->t->count == 1 ? "is" : "are");
}

static void page_table(const struct told *w)
{
	snprintf(w->buf, w->size, _("pfn 0x%x is the page table of pgd[%u], 4 MiB from 0x%08x"),
		 w->t->pfn, w->t->value, w->t->value << 22);
}

static void directory(const struct told *w)
{
	snprintf(w->buf, w->size, _("pfn 0x%x is the process's page directory"), w->t->pfn);
}

static void vmalloc_fault(const struct told *w)
{
	snprintf(w->buf, w->size,
		 _("pgd[%u] of the process, 4 MiB from 0x%08x, points to the page "
		   "table in pfn 0x%x"),
		 w->t->value, w->t->addr, w->t->pfn);
}

static void user_page(const struct told *w)
{
	snprintf(w->buf, w->size, _("pfn 0x%x is the process's page at 0x%08x, %s"), w->t->pfn,
		 w->t->addr, w->t->value & _PAGE_RW ? _("written to") : _("read only"));
}

static void kmapped(const struct told *w)
{
	snprintf(w->buf, w->size, _("pfn 0x%x at 0x%08x, pkmap_count is now %u"), w->t->pfn,
		 w->t->addr, w->t->value);
}

static void kmap_waits(const struct told *w)
{
	snprintf(w->buf, w->size, _("task %u for pfn 0x%x, %u waiting"), w->t->value, w->t->pfn,
		 w->t->count);
}

static void kmap_woken(const struct told *w)
{
	snprintf(w->buf, w->size, _("%u woken"), w->t->count);
}

static void kmap_flushed(const struct told *w)
{
	snprintf(w->buf, w->size, _("%u window%s cleared for use again"), w->t->count,
		 plural(w->t->count));
}

static void kmap_atomic_told(const struct told *w)
{
	snprintf(w->buf, w->size, _("%s, one after another, at 0x%08x of CPU %u"), frames(w->t).s,
		 w->t->addr, w->t->cpu);
}

static void constructed(const struct told *w)
{
	snprintf(w->buf, w->size, _("%u object%s of %s from 0x%08x by %s"), w->t->count,
		 w->t->count == 1 ? "" : "s", explain_cache(w->v, w->t->cache).s, w->t->addr,
		 slab_ctor_name(w->t->value));
}

static void misused(const struct told *w)
{
	snprintf(w->buf, w->size, "0x%08x: %.200s", w->t->addr, misuse_message(w->t->value));
}

static void per_cpu_area(const struct told *w)
{
	snprintf(w->buf, w->size, _("%u bytes for every CPU, the first CPU's at 0x%08x"),
		 w->t->value, w->t->addr);
}

#define KIND(kind, tell, meaning) [EV_T_##kind - EV_LAST_STEP] = {tell, meaning}
static const struct {
	void (*tell)(const struct told *w);
	const char *meaning;
} kinds[EV_COUNT - EV_LAST_STEP] = {
	KIND(MM_PAGE_ALLOC, page_alloc,
	     N_("The page allocator hands out frames. Single ones come from the CPU's own list "
		"without a lock, larger blocks from the zone's free lists under its lock.")),
	KIND(MM_PAGE_FREE, page_free,
	     N_("Frames come back. A single one goes on the CPU's list, so that the next request "
		"finds it still in the cache; larger blocks go straight to the buddy system.")),
	KIND(MM_PAGE_FREE_BATCHED, page_free, N_("Single frames freed as a batch.")),
	KIND(MM_PAGE_ALLOC_ZONE_LOCKED, zone_locked,
	     N_("A block was taken off the zone's free lists while the zone was locked.")),
	KIND(MM_PAGE_PCPU_DRAIN, pcpu_drain,
	     N_("A CPU's list had reached its high mark, so a batch of its frames returned to the "
		"zone, where they can merge.")),
	KIND(MM_PAGE_ALLOC_EXTFRAG, extfrag,
	     N_("Out of blocks of the wanted mobility, the allocator takes the largest one of "
		"another type, which mixes types in a pageblock: external fragmentation.")),
	KIND(BUDDY_SPLIT, split,
	     N_("No block of the wanted order was free, so a larger one was halved until it fitted.")),
	KIND(BUDDY_MERGE, merge,
	     N_("When a block and its buddy (the frame number with one bit flipped) are both free, "
		"they become one block of the next order, and so on upwards.")),
	KIND(PAGEBLOCK_STEAL, steal,
	     N_("At least half of the pageblock was free, so the whole of it changed its mobility "
		"type.")),
	KIND(KSWAPD_WAKE, kswapd,
	     N_("The kernel would wake kswapd here, to free memory in the background.")),
	KIND(DIRECT_RECLAIM, reclaim,
	     N_("Memory was so short that the request itself had to give up page cache first.")),
	KIND(OUT_OF_MEMORY, oom,
	     N_("Page cache, the lists of other CPUs and lazily freed addresses had been tried.")),
	KIND(ALLOC_WOULD_LOOP, would_loop,
	     N_("A kernel lets no request up to order 3 fail that may wait. This machine has nothing "
		"more to hope for, so the request fails.")),
	KIND(KMALLOC, object_alloc,
	     N_("kmalloc served memory the machine needed for its own bookkeeping.")),
	KIND(KFREE, object_free, N_("kfree gave it back to the general cache of its size.")),
	KIND(KMEM_CACHE_ALLOC, object_alloc,
	     N_("A cache gave an object for bookkeeping, such as the slab descriptor of a large slab.")),
	KIND(KMEM_CACHE_FREE, object_free, N_("An object of a cache came back.")),
	KIND(CACHE_GROW, grow,
	     N_("No free object was left in any slab, so the page allocator gave frames for another. "
		"Each slab begins at another offset to spread objects over the CPU's cache lines.")),
	KIND(CACHE_REFILL, refill,
	     N_("Each CPU keeps an array of free objects to work without a lock; when it runs empty, "
		"a batch comes from the array all CPUs share, else from partial and then free slabs.")),
	KIND(CACHE_FLUSH, flush,
	     N_("The CPU's array was full, so its oldest objects moved out in one batch: to the array "
		"all CPUs share while it has room, else back into their slabs.")),
	KIND(CACHE_SLAB_DESTROY, slab_gone,
	     N_("The cache had enough free objects without this slab, so its frames go back to the "
		"page allocator.")),
	KIND(CACHE_CTOR, constructed,
	     N_("The cache has a constructor. It ran over the objects of the new slab once; whoever "
		"gives one back leaves it constructed, so taking one is cheaper.")),
	KIND(CACHE_REAP, reap, N_("The timer's reaping shrinks caches that were not used lately.")),
	KIND(CACHE_CREATED, cache_life, N_("A cache for objects of one size was set up.")),
	KIND(CACHE_DESTROYED, cache_life, N_("A cache was taken down.")),
	KIND(VMAP_AREA_ALLOC, area,
	     N_("The first hole of the vmalloc space that is large enough was reserved. The page "
		"behind an area stays unmapped, so that overruns fault.")),
	KIND(VMAP_AREA_FREE, area,
	     N_("The addresses are free, but only noted so: reusing them needs a flush of every CPU's "
		"TLB, which is put off until enough have gathered.")),
	KIND(VMAP_AREA_PURGE, purge,
	     N_("One flush of the TLBs made all areas freed so far usable again.")),
	KIND(VMAP_MAP, map,
	     N_("Page table entries were written, so that scattered frames appear as one range of "
		"addresses.")),
	KIND(VMAP_UNMAP, unmap, N_("The page table entries were cleared.")),
	KIND(PAGE_TABLE, page_table, N_("The range had no page table yet; a frame became one.")),
	KIND(PGD_ALLOC, directory,
	     N_("Each process has a page directory of its own. Its upper part is a copy of the kernel's, "
		"so that the kernel is there whoever runs.")),
	KIND(VMALLOC_FAULT, vmalloc_fault,
	     N_("The kernel had added the page table to its own directory alone. The process's first "
		"access to these 4 MiB faulted, and the entry was copied.")),
	KIND(USER_PAGE, user_page,
	     N_("A user page gets a frame when it is first touched: one page of zeros, from HighMem "
		"where there is any.")),
	KIND(KMAP_MAP, kmapped,
	     N_("Frames of HighMem have no address of their own; kmap lends one of 1,024 windows. "
		"A count of 1 is a window without user, 2 one with one user.")),
	KIND(KMAP_UNMAP, kmapped,
	     N_("A user less. The window stays mapped until all are flushed.")),
	KIND(KMAP_WAIT, kmap_waits,
	     N_("All 1,024 windows have a user. A kernel thread sleeps here until one is given back; the "
		"program's thread gets another kind of memory instead.")),
	KIND(KMAP_WAKE, kmap_woken,
	     N_("A window lost its last user: whoever waits for one tries again.")),
	KIND(KMAP_FLUSHED, kmap_flushed,
	     N_("The search came around to the first window: those without users were unmapped with "
		"one flush of the TLBs.")),
	KIND(KMAP_ATOMIC_MAP, kmap_atomic_told,
	     N_("A window that belongs to the CPU alone was put over HighMem frames for a moment, to "
		"clear or copy them.")),
	KIND(MISUSE, misused,
	     N_("The call was wrong; a kernel would print this, stop, or corrupt itself. Here nothing "
		"was changed.")),
	KIND(PERCPU_CUT, per_cpu_area,
	     N_("A variable with a copy for each CPU, at the same offset in each one's unit: a CPU "
		"changes its own copy without a lock, and nobody else's cache line.")),
	KIND(PERCPU_GIVEN, per_cpu_area, N_("All CPUs' copies of a variable came back.")),
};

const char *explain_meaning(enum event_kind kind)
{
	const char *s = NULL;

	if ((unsigned)kind > EV_LAST_STEP && (unsigned)kind < EV_COUNT)
		s = kinds[kind - EV_LAST_STEP].meaning;
	return s ? gettext(s) : "";
}

void explain_step(const struct view_model *v, const struct trace_event *t, char *buf, size_t size)
{
	struct told w = {v, t, buf, size};

	*buf = 0;
	if (t->kind > EV_LAST_STEP && t->kind < EV_COUNT && kinds[t->kind - EV_LAST_STEP].tell)
		kinds[t->kind - EV_LAST_STEP].tell(&w);
}
