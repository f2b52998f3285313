// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The slab allocator's invariants, checked on a machine at rest.
//
// The memory may have been read from a damaged recording: nothing is followed before it is known
// to stay inside, and what passes is safe for every function of the slab allocator.
#include "slab_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

// While arrays are counted, the objects standing in them are marked, so that one that stands in
// two places is found. The marks are taken back before slab_check returns.
enum {
	BUFCTL_PARKED = 0xFFFC
};

struct report {
	struct machine *m;
	bool all; // else as machine_safe: what stands in arrays may be anything
	char *why;
	size_t size;
};

__attribute__((format(printf, 3, 4))) static int broken(struct report *r, unsigned cache,
							const char *format, ...)
{
	va_list args;
	int n = snprintf(r->why, r->size, "cache %.*s: ", CACHE_NAME_LEN, r->m->caches[cache].name);

	va_start(args, format);
	if (n >= 0 && (size_t)n < r->size)
		vsnprintf(r->why + n, r->size - (size_t)n, format, args);
	va_end(args);
	return -EINVAL;
}

// ---- slabs ----

static int check_chain(struct report *r, unsigned cache, pfn_t pfn)
{
	const struct kmem_cache *c = &r->m->caches[cache];
	const struct slab *s = &r->m->slab_area[pfn];
	uint32_t n = 0, active = 0;

	for (unsigned i = s->free; i != BUFCTL_END; i = s->bufctl[i])
		if (i >= c->num || ++n > c->num)
			return broken(r, cache, "slab %u: free chain leaves the slab at %u", pfn,
				      i);
	for (unsigned i = 0; i < c->num; i++)
		active += s->bufctl[i] == BUFCTL_ACTIVE;
	if (n != c->num - s->inuse || active != s->inuse)
		return broken(r, cache, "slab %u: %u free, %u handed out, inuse %u of %u", pfn, n,
			      active, s->inuse, c->num);
	return 0;
}

static int check_pages(struct report *r, unsigned cache, pfn_t pfn)
{
	const struct kmem_cache *c = &r->m->caches[cache];

	for (pfn_t p = pfn; p < pfn + (1u << c->gfporder); p++) {
		const struct page *page = pfn_to_page(r->m, p);
		if (!(page->flags & 1u << PG_slab) || page->mapping != cache || page->index != pfn)
			return broken(r, cache, "slab %u: page %u is not marked as its", pfn, p);
	}
	return 0;
}

static int check_slab(struct report *r, unsigned cache, pfn_t pfn, const struct list_head *list)
{
	const struct kmem_cache *c = &r->m->caches[cache];
	const struct slab *s = &r->m->slab_area[pfn];
	uint64_t start = lowmem_addr(r->m, pfn), end = start + ((uint64_t)PAGE_SIZE << c->gfporder);
	const struct list_head *right = !s->inuse	     ? &c->slabs_free
					: s->inuse == c->num ? &c->slabs_full
							     : &c->slabs_partial;

	if (s->cache != cache)
		return broken(r, cache, "slab %u belongs to cache %u", pfn, s->cache);
	if (list != right)
		return broken(r, cache, "slab %u with inuse %u is on the wrong list", pfn,
			      s->inuse);
	if (s->s_mem < start || s->s_mem + (uint64_t)c->num * c->buffer_size > end)
		return broken(r, cache, "slab %u: objects at %08x leave its pages", pfn, s->s_mem);
	if (off_slab(c) != (s->mgmt != 0))
		return broken(r, cache, "slab %u: descriptor %08x in the wrong place", pfn,
			      s->mgmt);
	int err = check_pages(r, cache, pfn);
	return err ? err : check_chain(r, cache, pfn);
}

struct tally {
	uint32_t slabs, active, free_objects;
};

// Numbers that bound every loop and index over this cache's slabs.
static int check_geometry(struct report *r, unsigned cache)
{
	const struct kmem_cache *c = &r->m->caches[cache];

	if (!c->num || c->num > BUFCTL_PER_PAGE || c->gfporder >= MAX_ORDER || !c->buffer_size ||
	    (uint64_t)c->num * c->buffer_size > (uint64_t)PAGE_SIZE << c->gfporder ||
	    c->reciprocal !=
		    (uint32_t)((((uint64_t)1 << 32) + c->buffer_size - 1) / c->buffer_size))
		return broken(r, cache, "%u objects of %u bytes in order %u", c->num,
			      c->buffer_size, c->gfporder);
	if (off_slab(c) &&
	    (!cache_exists(r->m, c->slabp_cache) || off_slab(&r->m->caches[c->slabp_cache])))
		return broken(r, cache, "descriptors cannot come from cache %u", c->slabp_cache);
	if (c->obj_offset >= c->buffer_size)
		return broken(r, cache, "objects start %u bytes into their buffer", c->obj_offset);
	if (c->ctor >= CTORS)
		return broken(r, cache, "constructor %u", c->ctor);
	if (c->name[CACHE_NAME_LEN - 1])
		return broken(r, cache, "its name has no end");
	return 0;
}

static int check_list(struct report *r, unsigned cache, const struct list_head *list,
		      struct tally *t)
{
	const struct kmem_cache *c = &r->m->caches[cache];
	pfn_t prev = 0;

	for (pfn_t pfn = list->first; pfn; pfn = r->m->slab_area[pfn].list.next) {
		if (pfn >= r->m->s->max_low_pfn || r->m->s->max_low_pfn - pfn < 1u << c->gfporder ||
		    r->m->slab_area[pfn].list.prev != prev || ++t->slabs > c->num_slabs)
			return broken(r, cache, "a slab list is broken at %u", pfn);
		int err = check_slab(r, cache, pfn, list);
		if (err)
			return err;
		t->active += r->m->slab_area[pfn].inuse != 0;
		t->free_objects += c->num - r->m->slab_area[pfn].inuse;
		prev = pfn;
	}
	return list->last == prev ? 0 : broken(r, cache, "the tail of a slab list is not %u", prev);
}

static int check_lists(struct report *r, unsigned cache)
{
	const struct kmem_cache *c = &r->m->caches[cache];
	struct tally t = {0};
	int err = check_geometry(r, cache);

	if (!err)
		err = check_list(r, cache, &c->slabs_partial, &t);
	if (!err)
		err = check_list(r, cache, &c->slabs_full, &t);
	if (!err)
		err = check_list(r, cache, &c->slabs_free, &t);
	if (err)
		return err;
	if (t.slabs != c->num_slabs || t.active != c->num_active_slabs)
		return broken(r, cache, "%u slabs, %u active; counted %u, %u", c->num_slabs,
			      c->num_active_slabs, t.slabs, t.active);
	if (t.free_objects != c->free_objects)
		return broken(r, cache, "free_objects %u, counted %u", c->free_objects,
			      t.free_objects);
	return 0;
}

// ---- arrays ----

static uint16_t *bufctl_of(struct machine *m, unsigned cache, kaddr_t obj)
{
	unsigned owner, index;
	pfn_t slab;

	if (!slab_object(m, obj, &owner, &slab, &index) || owner != cache)
		return NULL;
	return &m->slab_area[slab].bufctl[index];
}

static int park(struct report *r, unsigned cache, const kaddr_t *entry, uint32_t avail)
{
	for (uint32_t i = 0; i < avail; i++) {
		uint16_t *bufctl = bufctl_of(r->m, cache, entry[i]);
		if (!bufctl)
			return broken(r, cache, "%08x in an array is no object of it", entry[i]);
		if (*bufctl == BUFCTL_PARKED)
			return broken(r, cache, "%08x stands in arrays twice", entry[i]);
		if (*bufctl != BUFCTL_ACTIVE)
			return broken(r, cache, "%08x is in an array and free in its slab",
				      entry[i]);
		if (*generation_of(r->m, entry[i]) & 1 &&
		    r->m->caches[cache].buffer_size >= 1u << GENERATION_SHIFT)
			return broken(r, cache, "%08x is in an array and in somebody's hands",
				      entry[i]);
		*bufctl = BUFCTL_PARKED;
	}
	return 0;
}

static void unpark(struct machine *m, unsigned cache, const kaddr_t *entry, uint32_t avail)
{
	for (uint32_t i = 0; i < avail; i++) {
		uint16_t *bufctl = bufctl_of(m, cache, entry[i]);
		if (bufctl && *bufctl == BUFCTL_PARKED)
			*bufctl = BUFCTL_ACTIVE;
	}
}

static int check_array_sizes(struct report *r, unsigned cache)
{
	const struct shared_array *shared = shared_of(r->m, cache);

	for (unsigned cpu = 0; cpu < r->m->s->cfg.ncpus; cpu++) {
		const struct array_cache *ac = ac_of(r->m, cache, cpu);
		if (ac->avail > ac->limit || ac->limit > AC_ENTRIES || !ac->batchcount ||
		    ac->batchcount > ac->limit)
			return broken(r, cache, "array of CPU %u: %u of %u entries", cpu, ac->avail,
				      ac->limit);
	}
	if (shared->avail > shared->limit || shared->limit > SHARED_ENTRIES)
		return broken(r, cache, "shared array: %u of %u entries", shared->avail,
			      shared->limit);
	return 0;
}

static int check_arrays(struct report *r, unsigned cache)
{
	struct shared_array *shared = shared_of(r->m, cache);
	int err = check_array_sizes(r, cache);

	if (err || !r->all)
		return err;
	for (unsigned cpu = 0; cpu < r->m->s->cfg.ncpus && !err; cpu++)
		err = park(r, cache, ac_of(r->m, cache, cpu)->entry,
			   ac_of(r->m, cache, cpu)->avail);
	if (!err)
		err = park(r, cache, shared->entry, shared->avail);
	for (unsigned cpu = 0; cpu < r->m->s->cfg.ncpus; cpu++)
		unpark(r->m, cache, ac_of(r->m, cache, cpu)->entry, ac_of(r->m, cache, cpu)->avail);
	unpark(r->m, cache, shared->entry, shared->avail);
	return err;
}

// ---- the whole ----

// Slabs waiting to be destroyed: off every list, all objects free. *pages counts their frames.
static int check_doomed(struct report *r, unsigned cpu, uint64_t *pages)
{
	struct machine *m = r->m;
	const struct list_head *list = &m->s->cpu[cpu].doomed;
	pfn_t prev = 0, n = 0;

	for (pfn_t pfn = list->first; pfn; pfn = m->slab_area[pfn].list.next) {
		const struct slab *s = &m->slab_area[pfn];
		bool waits = pfn < m->s->max_low_pfn && s->list.prev == prev &&
			     s->cache < MAX_CACHES && ++n <= m->s->max_low_pfn;
		if (!waits || (r->all && (s->inuse || !cache_exists(m, s->cache))))
			return broken(r, 0, "CPU %u: %u cannot wait to be destroyed", cpu, pfn);
		int err = r->all ? check_pages(r, s->cache, pfn) : 0;
		if (err)
			return err;
		*pages += 1u << m->caches[s->cache].gfporder;
		prev = pfn;
	}
	return list->last == prev ? 0 : broken(r, 0, "CPU %u: doomed list has another tail", cpu);
}

// Every frame of a slab belongs to a slab that was found on a list.
static int check_no_strays(struct report *r, uint64_t pages)
{
	struct machine *m = r->m;
	uint64_t marked = 0;

	for (unsigned cpu = 0; cpu < m->s->cfg.ncpus; cpu++) {
		int err = check_doomed(r, cpu, &pages);
		if (err)
			return err;
	}
	for (pfn_t pfn = 0; r->all && pfn < m->s->max_low_pfn; pfn++)
		marked += pfn_to_page(m, pfn)->flags >> PG_slab & 1;
	return marked == pages || !r->all
		       ? 0
		       : broken(r, 0, "%llu frames are marked as slabs, %llu are",
				(unsigned long long)marked, (unsigned long long)pages);
}

// Whatever size is asked for, the tables lead to a general cache.
static int check_sizes(struct report *r)
{
	const struct slab_state *sl = &r->m->s->slab;

	if (sl->nr_sizes > KMALLOC_CACHES || !sl->kmalloc_max ||
	    kmalloc_index(r->m, sl->kmalloc_max) >= sl->nr_sizes)
		return broken(r, 0, "%u sizes of general caches", sl->nr_sizes);
	for (unsigned i = 0; i <= 512 / 8; i++)
		if (sl->index_small[i] >= sl->nr_sizes)
			return broken(r, 0, "no general cache for %u bytes", i * 8);
	for (unsigned i = 0; i < sl->nr_sizes; i++)
		if (!cache_exists(r->m, sl->size_cache[i]) ||
		    !cache_exists(r->m, sl->size_cache_dma[i]))
			return broken(r, 0, "no general cache of %u bytes", sl->size[i]);
	return 0;
}

static int check_caches_used(struct report *r, unsigned in_chain)
{
	const struct slab_state *sl = &r->m->s->slab;
	unsigned used = 0;

	for (unsigned id = 0; id < MAX_CACHES; id++) {
		used += r->m->caches[id].used != 0;
		if (r->m->caches[id].gfporder >= MAX_ORDER)
			return broken(r, id, "slabs of order %u", r->m->caches[id].gfporder);
	}
	if (used != in_chain || used != sl->nr_caches || r->m->caches[0].used)
		return broken(r, 0, "%u caches, %u in use, %u in the chain", sl->nr_caches, used,
			      in_chain);
	return check_sizes(r);
}

static int check_whole(struct machine *m, bool all, char *why, size_t size)
{
	struct report r = {m, all, why, size};
	const struct list_head *chain = &m->s->slab.cache_chain;
	unsigned n = 0, prev = 0;
	uint64_t pages = 0;

	for (unsigned id = chain->first; id; id = m->caches[id].chain.next) {
		if (id >= MAX_CACHES || !m->caches[id].used || m->caches[id].chain.prev != prev ||
		    ++n > MAX_CACHES)
			return broken(&r, prev, "the cache chain is broken after it");
		int err = check_lists(&r, id);
		if (!err)
			err = check_arrays(&r, id);
		if (err)
			return err;
		pages += (uint64_t)m->caches[id].num_slabs << m->caches[id].gfporder;
		prev = id;
	}
	if (chain->last != prev)
		return broken(&r, prev, "it is not the tail of the chain");
	int err = check_caches_used(&r, n);
	return err ? err : check_no_strays(&r, pages);
}

int slab_check(struct machine *m, char *why, size_t size)
{
	return check_whole(m, true, why, size);
}

int slab_safe(struct machine *m, char *why, size_t size)
{
	return check_whole(m, false, why, size);
}
