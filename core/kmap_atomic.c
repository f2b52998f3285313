// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// kmap_atomic: a stack of 20 fixmap slots for each CPU. Nothing here takes a lock.
#include <errno.h>

#include "fold.h"
#include "kmap.h"
#include "machine.h"
#include "misuse.h"

static kaddr_t atomic_addr(const struct machine *m, unsigned depth)
{
	const struct kmap_state *k = &m->s->kmap;

	return k->fixaddr_top - ((k->fix_kmap_begin + depth + KM_TYPE_NR * m->cpu) << PAGE_SHIFT);
}

static uint32_t *atomic_pte(struct machine *m, unsigned depth)
{
	return &m->pte[(atomic_addr(m, depth) - m->s->cfg.page_offset) >> PAGE_SHIFT];
}

// --- a mapping that stays until it is undone ---------------------------------------------------

// Twenty levels, checked always: the kernel checks in debug builds and overwrites the next CPU's
// slots otherwise.
static kaddr_t push(struct machine *m, pfn_t pfn)
{
	struct kmap_state *k = &m->s->kmap;
	unsigned depth = k->atomic_depth[m->cpu];

	if (depth >= KM_TYPE_NR || pfn < m->s->max_low_pfn || pfn >= m->s->max_pfn)
		return 0;
	k->atomic_pfn[m->cpu][depth] = pfn;
	*atomic_pte(m, depth) = pfn << PAGE_SHIFT | PAGE_KERNEL;
	k->atomic_depth[m->cpu] = depth + 1;
	trace(m, &(struct trace_event){.kind = EV_T_KMAP_ATOMIC_MAP,
				       .cpu = (uint8_t)m->cpu,
				       .zone = ZONE_HIGHMEM,
				       .pfn = pfn,
				       .addr = atomic_addr(m, depth),
				       .count = 1});
	return atomic_addr(m, depth);
}

int KMAP_ATOMIC_PUSH_apply(struct machine *m, const struct record *r)
{
	if (m->cpu >= MAX_CPUS || !r->arg[1])
		return -EILSEQ;
	return push(m, r->arg[0]) == r->arg[1] ? 0 : -EILSEQ;
}

kaddr_t kmap_atomic(struct machine *m, pfn_t pfn)
{
	kaddr_t addr;

	if (pfn < m->s->max_low_pfn)
		return lowmem_addr(m, pfn);
	addr = push(m, pfn);
	if (addr)
		step_local(m, EV_KMAP_ATOMIC_PUSH, pfn, addr, 0, 0, 0, 0);
	else
		misuse(m, MISUSE_KMAP_ATOMIC_FULL, 0, pfn);
	return addr;
}

// The kernel pops whatever is on top; here the address must match, since a mismatch is a bug of the
// caller in both.
static int pop(struct machine *m, kaddr_t addr)
{
	struct kmap_state *k = &m->s->kmap;
	unsigned depth = k->atomic_depth[m->cpu];

	if (!depth || addr != atomic_addr(m, depth - 1))
		return -EILSEQ;
	k->atomic_depth[m->cpu] = --depth;
	k->atomic_pfn[m->cpu][depth] = 0;
	k->atomic_pairs[m->cpu]++;
	*atomic_pte(m, depth) = 0;
	return 0;
}

int KMAP_ATOMIC_POP_apply(struct machine *m, const struct record *r)
{
	return m->cpu < MAX_CPUS ? pop(m, r->arg[0]) : -EILSEQ;
}

int kunmap_atomic(struct machine *m, kaddr_t addr)
{
	if (is_lowmem(m, addr))
		return 0;
	if (pop(m, addr)) {
		misuse(m, MISUSE_KUNMAP_ATOMIC, 0, addr);
		return -EINVAL;
	}
	step_local(m, EV_KMAP_ATOMIC_POP, addr, 0, 0, 0, 0, 0);
	return 0;
}

// --- runs of mappings made and undone at once ------------------------------------------------

// Bounds of a run, computed in 64 bits so that a hostile stride cannot wrap back into range.
static bool run_ok(const struct machine *m, pfn_t pfn, uint32_t count, int32_t stride)
{
	int64_t last = pfn + ((int64_t)count - 1) * stride;

	return count && (count == 1 || stride) && pfn < m->s->max_pfn && last >= 0 &&
	       last < m->s->max_pfn;
}

// Frames of the run that need a window: lowmem has its address already.
static uint32_t highmem_frames(const struct machine *m, pfn_t pfn, uint32_t count, int32_t stride)
{
	uint32_t n = 0;

	for (; count; count--, pfn += (pfn_t)stride)
		n += pfn >= m->s->max_low_pfn;
	return n;
}

static void trace_run(struct machine *m, pfn_t pfn, uint32_t count, int32_t stride, unsigned depth)
{
	trace(m, &(struct trace_event){.kind = EV_T_KMAP_ATOMIC_MAP,
				       .cpu = (uint8_t)m->cpu,
				       .zone = ZONE_HIGHMEM,
				       .pfn = pfn,
				       .addr = atomic_addr(m, depth),
				       .count = count,
				       .stride = stride});
}

// count windows one after another; with `from` each lies above one onto the frame copied from.
// How many windows that makes, or -EILSEQ.
static int64_t map_run(struct machine *m, pfn_t pfn, uint32_t count, int32_t stride, pfn_t from)
{
	struct kmap_state *k = &m->s->kmap;
	unsigned depth = k->atomic_depth[m->cpu];
	uint32_t high, high_from = 0;

	if (!run_ok(m, pfn, count, stride) || (from && !run_ok(m, from, count, stride)))
		return -EILSEQ;
	high = highmem_frames(m, pfn, count, stride);
	if (from)
		high_from = highmem_frames(m, from, count, stride);
	if (depth + !!high + !!high_from > KM_TYPE_NR)
		return -EILSEQ;
	if (high_from)
		trace_run(m, from, count, stride, depth);
	if (high)
		trace_run(m, pfn, count, stride, depth + !!high_from);
	k->atomic_pairs[m->cpu] += high + high_from;
	return (int64_t)high + high_from;
}

int KMAP_ATOMIC_apply(struct machine *m, const struct record *r)
{
	const uint32_t *a = r->arg;

	if (m->cpu >= MAX_CPUS)
		return -EILSEQ;
	return map_run(m, a[0], a[1], (int32_t)a[2], a[3]) > 0 ? 0 : -EILSEQ;
}

// Lowmem frames need no window and make no record.
void clear_highpages(struct machine *m, pfn_t pfn, uint32_t count, int32_t stride)
{
	if (map_run(m, pfn, count, stride, 0) > 0)
		step_local(m, EV_KMAP_ATOMIC, pfn, count, (uint32_t)stride, 0, 0, 0);
}

// The source is mapped below the destination, as copy_highpage does.
void copy_highpages(struct machine *m, pfn_t to, pfn_t from, uint32_t count)
{
	if (map_run(m, to, count, 1, from) > 0)
		step_local(m, EV_KMAP_ATOMIC, to, count, 1, from, 0, 0);
}
