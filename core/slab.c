// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// SLAB: refilling and flushing the CPUs' arrays, growing and destroying slabs (reference 7.5, 7.6).
#include "buddy.h"
#include "fold.h"
#include "slab_internal.h"

#include <errno.h>
#include <string.h>

// ---- lists of slabs, linked by first pfn ----

void slab_list_add(struct machine *m, struct list_head *list, pfn_t pfn)
{
	struct list_node *n = &m->slab_area[pfn].list;

	n->prev = 0;
	n->next = list->first;
	if (list->first)
		m->slab_area[list->first].list.prev = pfn;
	else
		list->last = pfn;
	list->first = pfn;
}

void slab_list_add_tail(struct machine *m, struct list_head *list, pfn_t pfn)
{
	struct list_node *n = &m->slab_area[pfn].list;

	n->next = 0;
	n->prev = list->last;
	if (list->last)
		m->slab_area[list->last].list.next = pfn;
	else
		list->first = pfn;
	list->last = pfn;
}

void slab_list_del(struct machine *m, struct list_head *list, pfn_t pfn)
{
	struct list_node *n = &m->slab_area[pfn].list;

	if (n->prev)
		m->slab_area[n->prev].list.next = n->next;
	else
		list->first = n->next;
	if (n->next)
		m->slab_area[n->next].list.prev = n->prev;
	else
		list->last = n->prev;
	n->next = n->prev = 0;
}

// The list a slab stands on follows from its count of objects in use.
static struct list_head *slab_list(struct kmem_cache *c, const struct slab *s)
{
	if (!s->inuse)
		return &c->slabs_free;
	return s->inuse == c->num ? &c->slabs_full : &c->slabs_partial;
}

// ---- refill ----

// Moves up to n objects of one slab into the array, in chain order. Returns how many.
static uint32_t slab_take(struct machine *m, struct kmem_cache *c, struct array_cache *ac,
			  pfn_t pfn, uint32_t n)
{
	struct slab *s = &m->slab_area[pfn];
	uint32_t got = 0;

	slab_list_del(m, slab_list(c, s), pfn);
	if (!s->inuse)
		c->num_active_slabs++;
	while (got < n && s->inuse < c->num) {
		unsigned index = s->free;
		s->free = s->bufctl[index];
		s->bufctl[index] = BUFCTL_ACTIVE;
		s->inuse++;
		ac->entry[ac->avail++] = slab_obj_addr(c, s, index);
		got++;
	}
	slab_list_add(m, slab_list(c, s), pfn);
	return got;
}

// Looking at the free list marks it touched even when it turns out empty: the reaper then spares
// the slab that is about to be added.
static uint32_t refill_from_slabs(struct machine *m, struct kmem_cache *c, struct array_cache *ac,
				  uint32_t n)
{
	uint32_t got = 0;

	while (got < n) {
		pfn_t pfn = c->slabs_partial.first;
		if (!pfn) {
			c->free_touched = 1;
			pfn = c->slabs_free.first;
		}
		if (!pfn)
			break;
		got += slab_take(m, c, ac, pfn, n - got);
	}
	c->free_objects -= got;
	return got;
}

static uint32_t refill_from_shared(struct shared_array *shared, struct array_cache *ac, uint32_t n)
{
	if (n > shared->avail)
		n = shared->avail;
	if (!n)
		return 0;
	shared->avail -= n;
	memcpy(&ac->entry[ac->avail], &shared->entry[shared->avail], n * sizeof(kaddr_t));
	ac->avail += n;
	shared->touched = 1;
	return n;
}

enum {
	BATCHREFILL_LIMIT = 16
};

// Fills this CPU's empty array. The list lock is held. Returns the objects moved.
static uint32_t slab_refill(struct machine *m, unsigned cache)
{
	struct kmem_cache *c = &m->caches[cache];
	struct array_cache *ac = ac_of(m, cache, m->cpu);
	uint32_t n = ac->batchcount;
	bool from_shared = true;

	if (!ac->touched && n > BATCHREFILL_LIMIT)
		n = BATCHREFILL_LIMIT;
	uint32_t moved = refill_from_shared(shared_of(m, cache), ac, n);
	if (!moved) {
		from_shared = false;
		moved = refill_from_slabs(m, c, ac, n);
	}
	if (moved)
		trace(m, &(struct trace_event){.kind = EV_T_CACHE_REFILL,
					       .cache = (uint16_t)cache,
					       .cpu = (uint8_t)m->cpu,
					       .zone = 255,
					       .count = moved,
					       .flags = from_shared});
	return moved;
}

// ---- growing ----

// Colour of the next slab, in bytes. Comes only after a refill that found nothing.
static uint32_t slab_colour(struct kmem_cache *c)
{
	uint32_t offset = c->colour_next * c->colour_off;

	c->free_touched = 1;
	if (++c->colour_next >= c->colour)
		c->colour_next = 0;
	return offset;
}

static void slab_mark_pages(struct machine *m, pfn_t pfn, unsigned order, unsigned cache)
{
	for (pfn_t p = pfn; p < pfn + (1u << order); p++) {
		struct page *page = pfn_to_page(m, p);
		set_page_flags(page, page_flags(page) | PAGE_FLAG_BIT(PG_slab));
		page->mapping = cache;
		page->index = pfn;
	}
}

// Whether these frames may become a slab of c: allocated, lowmem, and nothing else yet.
static bool slab_pages_ok(const struct machine *m, const struct kmem_cache *c, pfn_t pfn,
			  uint32_t offset)
{
	uint32_t bytes = (uint32_t)PAGE_SIZE << c->gfporder;
	uint64_t used = (uint64_t)offset + (off_slab(c) ? 0 : c->slab_size) +
			(uint64_t)c->num * c->buffer_size;
	const uint32_t taken = PAGE_FLAG_BIT(PG_slab) | PAGE_FLAG_BIT(PG_buddy) |
			       PAGE_FLAG_BIT(PG_pcp) | PAGE_FLAG_BIT(PG_reserved) |
			       PAGE_FLAG_BIT(PG_hole);

	if (!pfn || pfn >= m->s->max_low_pfn || used > bytes ||
	    m->s->max_low_pfn - pfn < 1u << c->gfporder || pfn_to_page(m, pfn)->_count < 1 ||
	    m->slab_area[pfn].cache)
		return false;
	for (pfn_t p = pfn; p < pfn + (1u << c->gfporder); p++)
		if (page_flags(pfn_to_page(m, p)) & taken)
			return false;
	return true;
}

// Makes a slab of 2^gfporder allocated frames and puts it at the tail of the free list. The list
// lock is held. 0; -EINVAL: the cache is gone, or the frames cannot be its slab.
static int slab_add(struct machine *m, unsigned cache, pfn_t pfn, uint32_t offset, kaddr_t mgmt)
{
	struct kmem_cache *c = &m->caches[cache];

	if (!cache_exists(m, cache) || !slab_pages_ok(m, c, pfn, offset) ||
	    off_slab(c) != (mgmt != 0))
		return -1;
	struct slab *s = &m->slab_area[pfn];
	s->s_mem = lowmem_addr(m, pfn) + offset + (off_slab(c) ? 0 : c->slab_size);
	s->cache = (uint16_t)cache;
	s->inuse = 0;
	s->free = 0;
	s->colouroff = offset;
	s->mgmt = mgmt;
	for (unsigned i = 0; i < c->num; i++)
		s->bufctl[i] = (uint16_t)(i + 1);
	s->bufctl[c->num - 1] = BUFCTL_END;
	slab_mark_pages(m, pfn, c->gfporder, cache);
	slab_list_add_tail(m, &c->slabs_free, pfn);
	c->num_slabs++;
	c->free_objects += c->num;
	trace(m, &(struct trace_event){.kind = EV_T_CACHE_GROW,
				       .cache = (uint16_t)cache,
				       .cpu = (uint8_t)m->cpu,
				       .zone = 255,
				       .order = (uint8_t)c->gfporder,
				       .pfn = pfn,
				       .count = 1,
				       .value = offset});
	if (c->ctor && !constructs_at_alloc(c))
		ctor_trace(m, cache, pfn, slab_obj_addr(c, s, 0), c->num);
	return 0;
}

static void slab_page_stat(struct machine *m, const struct kmem_cache *c, pfn_t pfn, int sign)
{
	zone_stat(m, page_zonenum(m, pfn),
		  c->flags & SLAB_RECLAIM_ACCOUNT ? NR_SLAB_RECLAIMABLE : NR_SLAB_UNRECLAIMABLE,
		  sign * (1 << c->gfporder));
}

static pfn_t kmem_getpages(struct machine *m, const struct kmem_cache *c, gfp_t gfp)
{
	gfp |= c->gfpflags;
	if (c->flags & SLAB_RECLAIM_ACCOUNT)
		gfp |= __GFP_RECLAIMABLE;
	pfn_t pfn = alloc_pages(m, gfp, c->gfporder);
	if (pfn)
		slab_page_stat(m, c, pfn, 1);
	return pfn;
}

static void kmem_freepages(struct machine *m, const struct kmem_cache *c, pfn_t pfn)
{
	slab_page_stat(m, c, pfn, -1);
	__free_pages(m, pfn, c->gfporder);
}

// One more slab, its colour already taken. Other CPUs may come and go while pages are looked for.
static bool cache_grow(struct machine *m, unsigned cache, gfp_t gfp, uint32_t offset)
{
	const struct kmem_cache *c = &m->caches[cache];
	unsigned lock = LOCK_CACHE + cache;
	kaddr_t mgmt = 0;

	if (gfp & GFP_SLAB_BUG_MASK || (gfp & __GFP_DMA && !(c->gfpflags & GFP_DMA))) {
		misuse(m, gfp & GFP_SLAB_BUG_MASK ? MISUSE_SLAB_HIGHMEM : MISUSE_SLAB_DMA, cache,
		       gfp);
		return false;
	}
	gfp &= GFP_CONSTRAINT_MASK | GFP_RECLAIM_MASK;
	pfn_t pfn = kmem_getpages(m, c, gfp);
	if (!pfn)
		return false;
	if (off_slab(c)) {
		mgmt = cache_alloc(m, c->slabp_cache, gfp, 0);
		if (!mgmt)
			goto err_freepages;
	}
	step_begin(m, lock);
	if (slab_add(m, cache, pfn, offset, mgmt)) {
		step_cancel(m, lock);
		goto err_free_mgmt;
	}
	step_end(m, lock, EV_SLAB_ADD, cache, pfn, offset, mgmt, 0, 0);
	return true;

err_free_mgmt:
	if (mgmt)
		cache_free(m, c->slabp_cache, mgmt, false);
err_freepages:
	kmem_freepages(m, c, pfn);
	return false;
}

bool cache_alloc_refill(struct machine *m, unsigned cache, gfp_t gfp)
{
	struct array_cache *ac = ac_of(m, cache, m->cpu);
	unsigned lock = LOCK_CACHE + cache;

	while (cache_exists(m, cache) && !ac->avail) {
		step_begin(m, lock);
		uint32_t moved = slab_refill(m, cache);
		if (moved) {
			step_end(m, lock, EV_SLAB_REFILL, cache, moved, 0, 0, 0, 0);
			break;
		}
		uint32_t offset = slab_colour(&m->caches[cache]);
		step_end(m, lock, EV_SLAB_COLOUR, cache, offset, 0, 0, 0, 0);
		if (!cache_grow(m, cache, gfp, offset) && !ac->avail)
			return false;
	}
	return ac->avail;
}

// ---- freeing into slabs ----

// The slab and index of an object handed out by this cache; anything else is misuse, left alone.
static bool find_handed_out(struct machine *m, unsigned cache, kaddr_t obj, pfn_t *pfn,
			    unsigned *index)
{
	unsigned owner;

	if (!slab_object(m, obj, &owner, pfn, index) || owner != cache) {
		misuse_found(m, MISUSE_NOT_AN_OBJECT, cache, obj);
		return false;
	}
	if (m->slab_area[*pfn].bufctl[*index] != BUFCTL_ACTIVE) {
		misuse_found(m, MISUSE_DOUBLE_FREE, cache, obj);
		return false;
	}
	return true;
}

static void doom_slab(struct machine *m, struct kmem_cache *c, pfn_t pfn, struct doomed *d)
{
	c->free_objects -= c->num;
	c->num_slabs--;
	slab_list_add_tail(m, &d->list, pfn);
	d->count++;
}

static void free_one(struct machine *m, unsigned cache, kaddr_t obj, struct doomed *d)
{
	struct kmem_cache *c = &m->caches[cache];
	unsigned index;
	pfn_t pfn;

	if (!find_handed_out(m, cache, obj, &pfn, &index))
		return;
	struct slab *s = &m->slab_area[pfn];
	slab_list_del(m, slab_list(c, s), pfn);
	s->bufctl[index] = s->free;
	s->free = (uint16_t)index;
	s->inuse--;
	c->free_objects++;
	if (s->inuse) {
		slab_list_add_tail(m, &c->slabs_partial, pfn);
		return;
	}
	c->num_active_slabs--;
	if (c->free_objects > c->free_limit)
		doom_slab(m, c, pfn, d);
	else
		slab_list_add(m, &c->slabs_free, pfn);
}

void free_block(struct machine *m, unsigned cache, const kaddr_t *objs, uint32_t n,
		struct doomed *d)
{
	for (uint32_t i = 0; i < n; i++)
		free_one(m, cache, objs[i], d);
}

uint32_t drain_freelist(struct machine *m, unsigned cache, uint32_t n, struct doomed *d)
{
	struct kmem_cache *c = &m->caches[cache];
	uint32_t freed = 0;

	for (; freed < n && c->slabs_free.last; freed++) {
		pfn_t pfn = c->slabs_free.last;
		slab_list_del(m, &c->slabs_free, pfn);
		doom_slab(m, c, pfn, d);
	}
	return freed;
}

void array_shift(kaddr_t *entry, uint32_t *avail, uint32_t n)
{
	*avail -= n;
	memmove(entry, entry + n, *avail * sizeof(*entry));
}

void doom(struct machine *m, const struct doomed *d)
{
	struct list_head *waiting = &m->s->cpu[m->cpu].doomed;

	if (!d->count)
		return;
	m->slab_area[d->list.last].list.next = waiting->first;
	if (waiting->first)
		m->slab_area[waiting->first].list.prev = d->list.last;
	else
		waiting->last = d->list.last;
	waiting->first = d->list.first;
}

// ---- flushing ----

// One batch of the array: into the shared array as far as it has room, else into the slabs.
static uint32_t flush_batch(struct machine *m, unsigned cache, struct array_cache *ac,
			    struct doomed *d)
{
	struct shared_array *shared = shared_of(m, cache);
	uint32_t n = ac->batchcount, room = shared->limit - shared->avail;

	if (room) {
		if (n > room)
			n = room;
		memcpy(&shared->entry[shared->avail], ac->entry, n * sizeof(kaddr_t));
		shared->avail += n;
	} else {
		free_block(m, cache, ac->entry, n, d);
	}
	array_shift(ac->entry, &ac->avail, n);
	trace(m, &(struct trace_event){.kind = EV_T_CACHE_FLUSH,
				       .cache = (uint16_t)cache,
				       .cpu = (uint8_t)m->cpu,
				       .zone = 255,
				       .count = n,
				       .flags = room != 0});
	return n;
}

static uint32_t flush_whole(struct machine *m, unsigned cache, kaddr_t *entry, uint32_t *avail,
			    struct doomed *d)
{
	uint32_t n = *avail;

	free_block(m, cache, entry, n, d);
	*avail = 0;
	slab_trace(m, EV_T_CACHE_FLUSH, cache, n);
	return n;
}

// The body of a SLAB_FLUSH step. Returns the entries that left the array; *dead the slabs doomed.
static uint32_t slab_flush(struct machine *m, unsigned cache, unsigned cpu, enum flush_how how,
			   uint32_t *dead)
{
	struct array_cache *ac = ac_of(m, cache, cpu);
	struct shared_array *shared = shared_of(m, cache);
	struct doomed d = {0};
	uint32_t n;

	if (how == FLUSH_ARRAY)
		n = flush_batch(m, cache, ac, &d);
	else if (how == FLUSH_DRAIN)
		n = flush_whole(m, cache, ac->entry, &ac->avail, &d);
	else
		n = flush_whole(m, cache, shared->entry, &shared->avail, &d);
	doom(m, &d);
	*dead = d.count;
	return n;
}

void flush_array(struct machine *m, unsigned cache, unsigned cpu, enum flush_how how)
{
	unsigned lock = LOCK_CACHE + cache;
	uint32_t dead;

	step_begin(m, lock);
	uint32_t n = slab_flush(m, cache, cpu, how, &dead);
	step_end(m, lock, EV_SLAB_FLUSH, cache, cpu, n, how, 0, 0);
	destroy_doomed(m, dead);
}

void cache_flusharray(struct machine *m, unsigned cache)
{
	const struct array_cache *ac = ac_of(m, cache, m->cpu);

	if (cache_exists(m, cache) && ac->avail >= ac->limit)
		flush_array(m, cache, m->cpu, FLUSH_ARRAY);
}

// ---- destroying ----

// Takes the first doomed slab apart: its frames are plain pages again, still allocated.
static void slab_destroy(struct machine *m)
{
	struct list_head *waiting = &m->s->cpu[m->cpu].doomed;
	pfn_t pfn = waiting->first;
	struct slab *s = &m->slab_area[pfn];
	const struct kmem_cache *c = &m->caches[s->cache];

	slab_list_del(m, waiting, pfn);
	for (pfn_t p = pfn; p < pfn + (1u << c->gfporder); p++) {
		struct page *page = pfn_to_page(m, p);
		set_page_flags(page, page_flags(page) & ~PAGE_FLAG_BIT(PG_slab));
		page->mapping = 0;
		page->index = 0;
	}
	trace(m, &(struct trace_event){.kind = EV_T_CACHE_SLAB_DESTROY,
				       .cache = s->cache,
				       .cpu = (uint8_t)m->cpu,
				       .zone = 255,
				       .pfn = pfn,
				       .count = 1});
	s->cache = 0;
}

void destroy_doomed(struct machine *m, uint32_t n)
{
	while (n--) {
		pfn_t pfn = m->s->cpu[m->cpu].doomed.first;
		unsigned cache = m->slab_area[pfn].cache;
		const struct kmem_cache *c = &m->caches[cache];
		kaddr_t mgmt = m->slab_area[pfn].mgmt;

		slab_destroy(m);
		step_local(m, EV_SLAB_DESTROY, cache, pfn, 0, 0, 0, 0);
		kmem_freepages(m, c, pfn);
		if (mgmt)
			cache_free(m, c->slabp_cache, mgmt, false);
	}
}

// ---- records ----

int SLAB_REFILL_apply(struct machine *m, const struct record *r)
{
	unsigned cache = r->arg[0];

	if (!cache_exists(m, cache) || r->lock != LOCK_CACHE + cache ||
	    ac_of(m, cache, m->cpu)->avail)
		return -EILSEQ;
	return slab_refill(m, cache) == r->arg[1] ? 0 : -EILSEQ;
}

int SLAB_COLOUR_apply(struct machine *m, const struct record *r)
{
	unsigned cache = r->arg[0];

	if (!cache_exists(m, cache) || r->lock != LOCK_CACHE + cache)
		return -EILSEQ;
	return slab_colour(&m->caches[cache]) == r->arg[1] ? 0 : -EILSEQ;
}

int SLAB_ADD_apply(struct machine *m, const struct record *r)
{
	if (!cache_exists(m, r->arg[0]) || r->lock != LOCK_CACHE + r->arg[0])
		return -EILSEQ;
	return slab_add(m, r->arg[0], r->arg[1], r->arg[2], r->arg[3]) ? -EILSEQ : 0;
}

int SLAB_FLUSH_apply(struct machine *m, const struct record *r)
{
	unsigned cache = r->arg[0], cpu = r->arg[1];
	uint32_t dead;

	if (!cache_exists(m, cache) || r->lock != LOCK_CACHE + cache || cpu >= MAX_CPUS ||
	    r->arg[3] >= FLUSH_KINDS)
		return -EILSEQ;
	if (r->arg[3] == FLUSH_ARRAY &&
	    (cpu != m->cpu || ac_of(m, cache, cpu)->avail < ac_of(m, cache, cpu)->limit))
		return -EILSEQ;
	return slab_flush(m, cache, cpu, r->arg[3], &dead) == r->arg[2] ? 0 : -EILSEQ;
}

int SLAB_DESTROY_apply(struct machine *m, const struct record *r)
{
	pfn_t pfn = m->s->cpu[m->cpu].doomed.first;

	if (!pfn || pfn != r->arg[1] || m->slab_area[pfn].cache != r->arg[0] ||
	    m->s->max_low_pfn - pfn < 1u << m->caches[r->arg[0]].gfporder)
		return -EILSEQ;
	slab_destroy(m);
	return 0;
}
