// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// kmap: a pool of 1024 windows onto highmem, shared by all CPUs.
#include "kmap.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fold.h"
#include "layout.h"
#include "machine.h"
#include "misuse.h"

// Lowmem has its address by arithmetic and never takes a window.
static bool is_highmem(const struct machine *m, pfn_t pfn)
{
	return pfn >= m->s->max_low_pfn && pfn < m->s->max_pfn;
}

static kaddr_t slot_addr(const struct kmap_state *k, uint32_t slot)
{
	return k->pkmap_base + (slot << PAGE_SHIFT);
}

static uint32_t *slot_pte(struct machine *m, uint32_t slot)
{
	return &m->pte[(slot_addr(&m->s->kmap, slot) - m->s->cfg.page_offset) >> PAGE_SHIFT];
}

// --- page_address hash -------------------------------------------------------------------------

// The kernel hashes the address of the struct page.
static unsigned bucket_of(const struct kmap_state *k, pfn_t pfn)
{
	return (k->mem_map + pfn * (uint32_t)sizeof(struct page)) * 0x9E370001u >>
	       (32 - PA_HASH_ORDER);
}

// Chains are short: at most 1024 entries over 128 buckets.
static int hash_find(const struct kmap_state *k, pfn_t pfn)
{
	for (unsigned i = k->hash_head[bucket_of(k, pfn)]; i; i = k->hash_next[i - 1])
		if (k->pkmap_pfn[i - 1] == pfn)
			return (int)i - 1;
	return -1;
}

// Order within a bucket is the kernel's: new entries last. Entries are slot + 1, 0 ends.
static void hash_add_tail(struct kmap_state *k, unsigned slot)
{
	unsigned b = bucket_of(k, k->pkmap_pfn[slot]), tail = k->hash_tail[b];

	k->hash_next[slot] = 0;
	k->hash_prev[slot] = (uint16_t)tail;
	*(tail ? &k->hash_next[tail - 1] : &k->hash_head[b]) = (uint16_t)(slot + 1);
	k->hash_tail[b] = (uint16_t)(slot + 1);
}

static void hash_del(struct kmap_state *k, unsigned slot)
{
	unsigned b = bucket_of(k, k->pkmap_pfn[slot]);
	uint16_t next = k->hash_next[slot], prev = k->hash_prev[slot];

	*(prev ? &k->hash_next[prev - 1] : &k->hash_head[b]) = next;
	*(next ? &k->hash_prev[next - 1] : &k->hash_tail[b]) = prev;
	k->hash_next[slot] = 0;
	k->hash_prev[slot] = 0;
}

// --- windows -------------------------------------------------------------------------------------

static void trace_kmap(struct machine *m, enum event_kind kind, unsigned slot)
{
	if (!m->ops->trace)
		return;
	const struct kmap_state *k = &m->s->kmap;

	trace(m, &(struct trace_event){.kind = (uint16_t)kind,
				       .cpu = (uint8_t)m->cpu,
				       .zone = ZONE_HIGHMEM,
				       .pfn = k->pkmap_pfn[slot],
				       .addr = slot_addr(k, slot),
				       .count = 1,
				       .value = k->pkmap_count[slot]});
}

// One sweep over all windows and one TLB flush: why unmapping waits until the index wraps.
static uint32_t flush_all_zero_pkmaps(struct machine *m)
{
	struct kmap_state *k = &m->s->kmap;
	uint32_t cleared = 0;

	for (unsigned i = 0; i < LAST_PKMAP; i++) {
		if (k->pkmap_count[i] != 1)
			continue;
		hash_del(k, i);
		k->pkmap_count[i] = 0;
		k->pkmap_pfn[i] = 0;
		*slot_pte(m, i) = 0;
		cleared++;
	}
	if (cleared)
		trace(m, &(struct trace_event){.kind = EV_T_KMAP_FLUSHED,
					       .cpu = (uint8_t)m->cpu,
					       .zone = 255,
					       .count = cleared});
	return cleared;
}

// The next window with count 0, flushing whenever the index wraps. -1: all are in use.
static int next_free_slot(struct machine *m)
{
	struct kmap_state *k = &m->s->kmap;

	for (int budget = LAST_PKMAP; budget; budget--) {
		k->last_pkmap_nr = (k->last_pkmap_nr + 1) % LAST_PKMAP;
		if (!k->last_pkmap_nr) {
			flush_all_zero_pkmaps(m);
			budget = LAST_PKMAP;
		}
		if (!k->pkmap_count[k->last_pkmap_nr])
			return (int)k->last_pkmap_nr;
	}
	return -1;
}

// --- the queue of those without a window --------------------------------------------------------

static void trace_queue(struct machine *m, enum event_kind kind, pfn_t pfn, uint32_t task)
{
	trace(m, &(struct trace_event){.kind = (uint16_t)kind,
				       .cpu = (uint8_t)m->cpu,
				       .zone = 255,
				       .pfn = pfn,
				       .count = m->s->kmap.waiters,
				       .value = task});
}

// Its place, or the number of waiters.
static uint32_t place_of(const struct kmap_state *k, uint32_t task)
{
	uint32_t i = 0;

	while (i < k->waiters && k->waiter[i].task != task)
		i++;
	return i;
}

static void wait_add(struct machine *m, pfn_t pfn, uint32_t task)
{
	struct kmap_state *k = &m->s->kmap;
	uint32_t i = place_of(k, task);

	if (!task || i == KMAP_WAITERS)
		return;
	if (i == k->waiters)
		k->waiters++;
	k->waiter[i] = (struct kmap_waiter){.task = task, .pfn = pfn};
	trace_queue(m, EV_T_KMAP_WAIT, pfn, task);
}

static bool wait_del(struct kmap_state *k, uint32_t task)
{
	uint32_t i = place_of(k, task);

	if (i == k->waiters)
		return false;
	k->waiters--;
	memmove(&k->waiter[i], &k->waiter[i + 1], (k->waiters - i) * sizeof(k->waiter[0]));
	k->waiter[k->waiters] = (struct kmap_waiter){0};
	return true;
}

// All of them: none waits exclusively, and who comes too late queues again.
static void wake_waiters(struct machine *m)
{
	struct kmap_state *k = &m->s->kmap;

	if (!k->waiters)
		return;
	trace_queue(m, EV_T_KMAP_WAKE, 0, 0);
	memset(k->waiter, 0, sizeof(k->waiter));
	k->waiters = 0;
}

// --- mapping and unmapping ------------------------------------------------------------------------

// Fails only when all 1024 windows have a user; the search has then moved the index and may have
// flushed, so even a failure is recorded.
static kaddr_t kmap_locked(struct machine *m, pfn_t pfn, uint32_t task)
{
	struct kmap_state *k = &m->s->kmap;
	int slot = hash_find(k, pfn);

	if (slot < 0) {
		slot = next_free_slot(m);
		if (slot < 0) {
			wait_add(m, pfn, task);
			return 0;
		}
		k->pkmap_pfn[slot] = pfn;
		k->pkmap_count[slot] = 1;
		*slot_pte(m, (uint32_t)slot) = pfn << PAGE_SHIFT | PAGE_KERNEL;
		hash_add_tail(k, (unsigned)slot);
	}
	if (k->pkmap_count[slot] == UINT16_MAX)
		return 0;
	wait_del(k, task); // somebody else mapped the page meanwhile
	if (++k->pkmap_count[slot] == 2) {
		k->in_use++;
		page_mark_mapped(m, pfn, slot_addr(k, (uint32_t)slot));
	}
	trace_kmap(m, EV_T_KMAP_MAP, (unsigned)slot);
	return slot_addr(k, (uint32_t)slot);
}

int KMAP_apply(struct machine *m, const struct record *r)
{
	if (r->lock != LOCK_KMAP || !is_highmem(m, r->arg[0]))
		return -EILSEQ;
	return kmap_locked(m, r->arg[0], r->arg[2]) == r->arg[1] ? 0 : -EILSEQ;
}

int kmap_wait(struct machine *m, pfn_t pfn, uint32_t task, kaddr_t *addr)
{
	bool queued;

	if (pfn < m->s->max_low_pfn) {
		*addr = lowmem_addr(m, pfn);
		return 0;
	}
	*addr = 0;
	if (!is_highmem(m, pfn))
		return -EINVAL;
	step_begin(m, LOCK_KMAP);
	*addr = kmap_locked(m, pfn, task);
	queued = place_of(&m->s->kmap, task) < m->s->kmap.waiters;
	step_end(m, LOCK_KMAP, EV_KMAP, pfn, *addr, task, 0, 0, 0);
	return *addr ? 0 : queued ? -EAGAIN : -ENOBUFS;
}

kaddr_t kmap(struct machine *m, pfn_t pfn)
{
	kaddr_t addr;

	kmap_wait(m, pfn, 0, &addr);
	return addr;
}

bool kmap_waiting(struct machine *m, uint32_t task)
{
	step_begin(m, LOCK_KMAP);
	bool waits = place_of(&m->s->kmap, task) < m->s->kmap.waiters;
	step_cancel(m, LOCK_KMAP);
	return waits;
}

int KMAP_WAIT_END_apply(struct machine *m, const struct record *r)
{
	return r->lock == LOCK_KMAP && wait_del(&m->s->kmap, r->arg[0]) ? 0 : -EILSEQ;
}

void kmap_wait_end(struct machine *m, uint32_t task)
{
	step_begin(m, LOCK_KMAP);
	if (wait_del(&m->s->kmap, task))
		step_end(m, LOCK_KMAP, EV_KMAP_WAIT_END, task, 0, 0, 0, 0, 0);
	else
		step_cancel(m, LOCK_KMAP);
}

// Count 1 means mapped but unused: the window keeps its page until the next flush, and a kmap of the
// same page meanwhile gets it back for nothing.
static int kunmap_locked(struct machine *m, pfn_t pfn)
{
	struct kmap_state *k = &m->s->kmap;
	int slot = is_highmem(m, pfn) ? hash_find(k, pfn) : -1;

	if (slot < 0 || k->pkmap_count[slot] < 2)
		return -EILSEQ;
	if (--k->pkmap_count[slot] == 1) {
		k->in_use--;
		// a window merely left over says nothing: the page may be freed before the flush
		page_clear_mapped(m, pfn, slot_addr(k, (uint32_t)slot));
	}
	trace_kmap(m, EV_T_KMAP_UNMAP, (unsigned)slot);
	if (k->pkmap_count[slot] == 1)
		wake_waiters(m);
	return 0;
}

int KUNMAP_apply(struct machine *m, const struct record *r)
{
	if (r->lock != LOCK_KMAP)
		return -EILSEQ;
	return kunmap_locked(m, r->arg[0]);
}

int kunmap(struct machine *m, pfn_t pfn)
{
	int err;

	if (pfn < m->s->max_low_pfn)
		return 0;
	step_begin(m, LOCK_KMAP);
	err = kunmap_locked(m, pfn);
	if (!err) {
		step_end(m, LOCK_KMAP, EV_KUNMAP, pfn, 0, 0, 0, 0, 0);
		return 0;
	}
	step_cancel(m, LOCK_KMAP);
	misuse(m, MISUSE_KUNMAP, 0, pfn);
	return -EINVAL;
}

int KMAP_FLUSH_apply(struct machine *m, const struct record *r)
{
	if (r->lock != LOCK_KMAP)
		return -EILSEQ;
	return flush_all_zero_pkmaps(m) == r->arg[0] ? 0 : -EILSEQ;
}

void kmap_flush_unused(struct machine *m)
{
	uint32_t cleared;

	step_begin(m, LOCK_KMAP);
	cleared = flush_all_zero_pkmaps(m);
	if (cleared)
		step_end(m, LOCK_KMAP, EV_KMAP_FLUSH, cleared, 0, 0, 0, 0, 0);
	else
		step_cancel(m, LOCK_KMAP);
}

// A page whose window only waits for its flush still has an address.
kaddr_t page_address(struct machine *m, pfn_t pfn)
{
	int slot;

	if (pfn < m->s->max_low_pfn)
		return lowmem_addr(m, pfn);
	step_begin(m, LOCK_KMAP);
	slot = hash_find(&m->s->kmap, pfn);
	step_cancel(m, LOCK_KMAP);
	return slot < 0 ? 0 : slot_addr(&m->s->kmap, (uint32_t)slot);
}

// --- check ---------------------------------------------------------------------------------------

#define FAIL(...) return snprintf(why, size, __VA_ARGS__), -EINVAL

// What every function here relies on before it follows an index; memory may come from a file.
static int check_bounds(const struct machine *m, char *why, size_t size)
{
	const struct kmap_state *k = &m->s->kmap;
	bool ok = k->last_pkmap_nr < LAST_PKMAP && k->fixaddr_top == FIXADDR_TOP &&
		  k->fix_kmap_begin < 128 &&
		  k->pkmap_base == layout_vmalloc_end(&m->s->cfg) + 2 * PAGE_SIZE;

	for (unsigned i = 0; i < LAST_PKMAP; i++)
		ok = ok && k->hash_next[i] <= LAST_PKMAP && k->hash_prev[i] <= LAST_PKMAP &&
		     (!k->pkmap_pfn[i] || is_highmem(m, k->pkmap_pfn[i]));
	for (unsigned b = 0; b < PA_HASH_SIZE; b++)
		ok = ok && k->hash_head[b] <= LAST_PKMAP && k->hash_tail[b] <= LAST_PKMAP;
	for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++)
		ok = ok && k->atomic_depth[cpu] <= KM_TYPE_NR;
	ok = ok && k->waiters <= KMAP_WAITERS;
	if (!ok)
		FAIL("kmap: an index points outside its table");
	return 0;
}

static int check_slots(struct machine *m, char *why, size_t size)
{
	const struct kmap_state *k = &m->s->kmap;
	uint32_t in_use = 0;

	for (unsigned i = 0; i < LAST_PKMAP; i++) {
		uint32_t pte = *slot_pte(m, i);

		if (!k->pkmap_count[i] != !k->pkmap_pfn[i] || !k->pkmap_count[i] != !pte)
			FAIL("pkmap slot %u: count %u, frame %u, entry %08x", i, k->pkmap_count[i],
			     k->pkmap_pfn[i], pte);
		if (k->pkmap_count[i] && hash_find(k, k->pkmap_pfn[i]) != (int)i)
			FAIL("pkmap slot %u: frame %u is not in the hash with it", i,
			     k->pkmap_pfn[i]);
		if (pte && pte >> PAGE_SHIFT != k->pkmap_pfn[i])
			FAIL("pkmap slot %u: entry %08x does not map frame %u", i, pte,
			     k->pkmap_pfn[i]);
		in_use += k->pkmap_count[i] >= 2;
	}
	if (in_use != k->in_use)
		FAIL("pkmap: %u slots in use, %u counted", in_use, k->in_use);
	if (k->waiters && in_use < LAST_PKMAP)
		FAIL("pkmap: %u wait for a window, and %u have no user", k->waiters,
		     LAST_PKMAP - in_use);
	return 0;
}

static int check_hash(const struct kmap_state *k, char *why, size_t size)
{
	unsigned listed = 0, mapped = 0;

	for (unsigned b = 0; b < PA_HASH_SIZE; b++) {
		unsigned prev = 0;

		for (unsigned i = k->hash_head[b]; i; prev = i, i = k->hash_next[i - 1])
			if (++listed > LAST_PKMAP || k->hash_prev[i - 1] != prev)
				FAIL("page_address hash: bucket %u is not a list", b);
		if (k->hash_tail[b] != prev)
			FAIL("page_address hash: bucket %u ends elsewhere", b);
	}
	for (unsigned i = 0; i < LAST_PKMAP; i++)
		mapped += k->pkmap_count[i] != 0;
	if (listed != mapped)
		FAIL("page_address hash: %u entries for %u windows", listed, mapped);
	return 0;
}

// Depth d of a CPU <=> exactly its first d slots have an entry.
static int check_atomic(struct machine *m, char *why, size_t size)
{
	const struct kmap_state *k = &m->s->kmap;

	for (unsigned cpu = 0; cpu < m->s->cfg.ncpus; cpu++) {
		for (unsigned d = 0; d < KM_TYPE_NR; d++) {
			kaddr_t a = k->fixaddr_top -
				    ((k->fix_kmap_begin + d + KM_TYPE_NR * cpu) << PAGE_SHIFT);
			uint32_t pte = m->pte[(a - m->s->cfg.page_offset) >> PAGE_SHIFT];

			if ((d < k->atomic_depth[cpu]) != !!pte ||
			    pte >> PAGE_SHIFT != k->atomic_pfn[cpu][d])
				FAIL("kmap_atomic: CPU %u depth %u, slot %u has entry %08x", cpu,
				     k->atomic_depth[cpu], d, pte);
		}
	}
	return 0;
}

int kmap_check(struct machine *m, char *why, size_t size)
{
	// hash before slots: looking a slot up needs sound chains
	if (check_bounds(m, why, size) || check_hash(&m->s->kmap, why, size) ||
	    check_slots(m, why, size))
		return -EINVAL;
	return check_atomic(m, why, size);
}
