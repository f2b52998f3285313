// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Transitions in ftrace's text format.
#include "trace_text.h"

#include "text.h"

// Events under the zone's lock happen with interrupts off. NULL: no tracepoint of the kernel.
static const char *context_of(unsigned kind)
{
	switch (kind) {
	case EV_T_MM_PAGE_ALLOC_ZONE_LOCKED:
	case EV_T_MM_PAGE_ALLOC_EXTFRAG:
	case EV_T_MM_PAGE_PCPU_DRAIN:
		return "d...";
	case EV_T_MM_PAGE_ALLOC:
	case EV_T_MM_PAGE_FREE:
	case EV_T_MM_PAGE_FREE_BATCHED:
	case EV_T_KSWAPD_WAKE:
	case EV_T_KMALLOC:
	case EV_T_KFREE:
	case EV_T_KMEM_CACHE_ALLOC:
	case EV_T_KMEM_CACHE_FREE:
		return "....";
	default:
		return NULL;
	}
}

// A failed allocation has no page: both are 0 then.
static void put_page(const struct machine *m, struct text *t, pfn_t pfn)
{
	put(t, "page=%08x pfn=%u", pfn ? m->s->kmap.mem_map + pfn * 32 : 0, pfn);
}

static void put_gfp(struct text *t, gfp_t gfp)
{
	char names[512];

	gfp_string(gfp, names, sizeof(names));
	put(t, " gfp_flags=%s", names);
}

static void put_object(const struct machine *m, struct text *t, const struct trace_event *e,
		       kaddr_t addr, const struct trace_context *c)
{
	const struct kmem_cache *cache = &m->caches[e->cache < MAX_CACHES ? e->cache : 0];
	uint32_t req = e->kind == EV_T_KMEM_CACHE_ALLOC ? cache->obj_size : c->bytes_req;

	put(t, "call_site=%x ptr=%08x", c->call_site, addr);
	if (e->kind != EV_T_KMALLOC && e->kind != EV_T_KMEM_CACHE_ALLOC)
		return;
	put(t, " bytes_req=%u bytes_alloc=%u", req ? req : cache->buffer_size, cache->buffer_size);
	put_gfp(t, e->value);
}

static void put_fields(const struct machine *m, struct text *t, const struct trace_event *e,
		       uint32_t i, const struct trace_context *c)
{
	const pfn_t pfn = e->pfn + i * (uint32_t)e->stride;

	switch (e->kind) {
	case EV_T_KMALLOC:
	case EV_T_KFREE:
	case EV_T_KMEM_CACHE_ALLOC:
	case EV_T_KMEM_CACHE_FREE:
		put_object(m, t, e, e->addr + i * (uint32_t)e->stride, c);
		return;
	case EV_T_KSWAPD_WAKE:
		put(t, "nid=0 order=%u", e->order);
		return;
	}
	put_page(m, t, pfn);
	switch (e->kind) {
	case EV_T_MM_PAGE_ALLOC:
		put(t, " order=%u migratetype=%u", e->order, e->migratetype);
		put_gfp(t, e->value);
		break;
	case EV_T_MM_PAGE_FREE:
		put(t, " order=%u", e->order);
		break;
	case EV_T_MM_PAGE_FREE_BATCHED:
		put(t, " order=0 cold=%u", e->flags & 1);
		break;
	case EV_T_MM_PAGE_ALLOC_ZONE_LOCKED:
		put(t, " order=%u migratetype=%u percpu_refill=%u", e->order, e->migratetype,
		    e->order == 0);
		break;
	case EV_T_MM_PAGE_PCPU_DRAIN:
		put(t, " order=%u migratetype=%u", e->order, e->migratetype);
		break;
	case EV_T_MM_PAGE_ALLOC_EXTFRAG:
		put(t,
		    " alloc_order=%u fallback_order=%u pageblock_order=%u alloc_migratetype=%u "
		    "fallback_migratetype=%u fragmenting=%u change_ownership=%u",
		    e->order, e->order2, PAGEBLOCK_ORDER, e->migratetype, e->migratetype2,
		    e->order2 < PAGEBLOCK_ORDER, e->migratetype == e->migratetype2);
		break;
	}
}

int trace_text(const struct machine *m, const struct trace_event *e, uint32_t i,
	       const struct trace_context *c, char *buf, size_t size)
{
	const char *context = context_of(e->kind);
	const uint64_t us = c->ns / 1000;
	struct text t = {buf, size, 0};

	if (!context)
		return 0;
	put(&t, "%16s-%-5d [%03u] %s %5llu.%06u: %s: ", c->comm, c->pid, e->cpu, context,
	    (unsigned long long)(us / 1000000), (unsigned)(us % 1000000),
	    event_name((enum event_kind)e->kind));
	put_fields(m, &t, e, i, c);
	put(&t, "\n");
	return t.len;
}

int trace_text_header(unsigned events, unsigned ncpus, char *buf, size_t size)
{
	struct text t = {buf, size, 0};

	put(&t, "# tracer: nop\n#\n");
	put(&t, "# entries-in-buffer/entries-written: %u/%u   #P:%u\n#\n", events, events, ncpus);
	put(&t, "#                              _-----=> irqs-off\n");
	put(&t, "#                             / _----=> need-resched\n");
	put(&t, "#                            | / _---=> hardirq/softirq\n");
	put(&t, "#                            || / _--=> preempt-depth\n");
	put(&t, "#                            ||| /     delay\n");
	put(&t, "#           TASK-PID   CPU#  ||||    TIMESTAMP  FUNCTION\n");
	put(&t, "#              | |       |   ||||       |         |\n");
	return t.len;
}
