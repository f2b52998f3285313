// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Giving slab memory back: the periodic reaper, shrinking, draining of arrays (reference 7.6).
#include "fold.h"
#include "slab_internal.h"

#include <errno.h>

#define NSEC_PER_SEC	     1000000000ull
#define REAPTIMEOUT_CPUC_NS  (2 * NSEC_PER_SEC)
#define REAPTIMEOUT_LIST3_NS (4 * NSEC_PER_SEC)

// Ages one array: a touched one gets another round, an idle one loses its oldest entries.
// Returns whether anything changed.
static bool drain_array(struct machine *m, unsigned cache, kaddr_t *entry, uint32_t *avail,
			uint32_t *touched, uint32_t limit, struct doomed *d)
{
	if (!*avail)
		return false;
	if (*touched) {
		*touched = 0;
		return true;
	}
	uint32_t n = (limit + 4) / 5;
	if (n > *avail)
		n = (*avail + 1) / 2;
	free_block(m, cache, entry, n, d);
	array_shift(entry, avail, n);
	return true;
}

// When the lists' turn comes first: four seconds on, spread by the descriptor's address.
static uint64_t first_reap(const struct kmem_cache *c, uint64_t now_ns)
{
	return now_ns + REAPTIMEOUT_LIST3_NS + c->self % 4000 * (NSEC_PER_SEC / 1000);
}

// Up to a fifth of what the cache may keep free, unless a refill looked there since last time.
static int32_t reap_slabs(struct machine *m, unsigned cache, struct doomed *d)
{
	struct kmem_cache *c = &m->caches[cache];

	if (c->free_touched) {
		c->free_touched = 0;
		return -1;
	}
	return (int32_t)drain_freelist(m, cache, (c->free_limit + 5 * c->num - 1) / (5 * c->num),
				       d);
}

struct reaped {
	bool changed;  // something did
	int32_t slabs; // taken from the free list; -1: not this time
	uint32_t dead; // slabs doomed in all
};

// One cache's turn on this CPU. The list lock is held.
static struct reaped slab_reap(struct machine *m, unsigned cache, uint64_t now_ns)
{
	struct kmem_cache *c = &m->caches[cache];
	struct array_cache *ac = ac_of(m, cache, m->cpu);
	struct shared_array *shared = shared_of(m, cache);
	struct reaped r = {.slabs = -1};
	struct doomed d = {0};

	r.changed = drain_array(m, cache, ac->entry, &ac->avail, &ac->touched, ac->limit, &d);
	if (!c->next_reap) {
		c->next_reap = first_reap(c, now_ns);
		r.changed = true;
	} else if (c->next_reap <= now_ns) {
		c->next_reap = now_ns + REAPTIMEOUT_LIST3_NS;
		drain_array(m, cache, shared->entry, &shared->avail, &shared->touched,
			    shared->limit, &d);
		r.slabs = reap_slabs(m, cache, &d);
		r.changed = true;
	}
	// The chain ends with this cache: when its turn is over, so is the round.
	if (cache == CACHE_CACHE) {
		m->s->cpu[m->cpu].next_reap_ns = now_ns + REAPTIMEOUT_CPUC_NS;
		r.changed = true;
	}
	doom(m, &d);
	r.dead = d.count;
	if (d.count)
		slab_trace(m, EV_T_CACHE_REAP, cache, d.count);
	return r;
}

int cache_reap_one(struct machine *m, unsigned cache, uint64_t now_ns)
{
	unsigned lock = LOCK_CACHE + cache;

	if (!cache_exists(m, cache))
		return -1;
	step_begin(m, lock);
	struct reaped r = slab_reap(m, cache, now_ns);
	if (r.changed)
		step_end(m, lock, EV_SLAB_REAP, cache, (uint32_t)now_ns, (uint32_t)(now_ns >> 32),
			 (uint32_t)r.slabs, 0, 0);
	else
		step_cancel(m, lock);
	destroy_doomed(m, r.dead);
	return r.slabs;
}

// Caches created meanwhile go in front of where the walk began; none can go away, since that
// needs this CPU's lock.
void cache_reap(struct machine *m, uint64_t now_ns)
{
	step_begin(m, LOCK_CHAIN);
	unsigned cache = m->s->slab.cache_chain.first;
	step_cancel(m, LOCK_CHAIN);

	for (unsigned n = 0; cache && n < MAX_CACHES; n++) {
		unsigned next = m->caches[cache].chain.next;
		cache_reap_one(m, cache, now_ns);
		cache = next;
	}
}

int SLAB_REAP_apply(struct machine *m, const struct record *r)
{
	unsigned cache = r->arg[0];

	if (!cache_exists(m, cache) || r->lock != LOCK_CACHE + cache)
		return -EILSEQ;
	struct reaped reaped = slab_reap(m, cache, r->arg[1] | (uint64_t)r->arg[2] << 32);
	return reaped.changed && (uint32_t)reaped.slabs == r->arg[3] ? 0 : -EILSEQ;
}

// ---- shrinking ----

void drain_cpu_array(struct machine *m, unsigned cache, unsigned cpu)
{
	if (cache_exists(m, cache) && cpu < MAX_CPUS && ac_of(m, cache, cpu)->avail)
		flush_array(m, cache, cpu, FLUSH_DRAIN);
}

static uint32_t slab_shrink(struct machine *m, unsigned cache, uint32_t count, uint32_t *dead)
{
	struct doomed d = {0};
	uint32_t freed = drain_freelist(m, cache, count, &d);

	doom(m, &d);
	*dead = d.count;
	return freed;
}

// Arrays, shared array and free slabs all go. The machine is stopped. 1: slabs in use remain.
int shrink_stopped(struct machine *m, unsigned cache)
{
	const struct kmem_cache *c = &m->caches[cache];
	unsigned lock = LOCK_CACHE + cache;

	for (unsigned cpu = 0; cpu < m->s->cfg.ncpus; cpu++)
		drain_cpu_array(m, cache, cpu);
	if (shared_of(m, cache)->avail)
		flush_array(m, cache, m->cpu, FLUSH_SHARED);
	if (c->slabs_free.first) {
		uint32_t dead, count = c->free_objects;
		step_begin(m, lock);
		uint32_t freed = slab_shrink(m, cache, count, &dead);
		step_end(m, lock, EV_SLAB_SHRINK, cache, count, freed, 0, 0, 0);
		destroy_doomed(m, dead);
	}
	return c->slabs_full.first || c->slabs_partial.first;
}

int SLAB_SHRINK_apply(struct machine *m, const struct record *r)
{
	unsigned cache = r->arg[0];
	uint32_t dead;

	if (!cache_exists(m, cache) || r->lock != LOCK_CACHE + cache)
		return -EILSEQ;
	return slab_shrink(m, cache, r->arg[1], &dead) == r->arg[2] ? 0 : -EILSEQ;
}

int kmem_cache_shrink(struct machine *m, unsigned cache)
{
	int ret = 0;

	stop_machine(m);
	if (cache_exists(m, cache))
		ret = shrink_stopped(m, cache);
	restart_machine(m);
	return ret;
}
