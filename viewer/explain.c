// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "explain.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "explain_steps.h"
#include "text.h"

__attribute__((format(printf, 4, 5))) static void add(struct explanation *e, enum explain_role role,
						      const char *name, const char *fmt, ...)
{
	struct explain_line *l;
	va_list ap;

	if (e->n == EXPLAIN_LINES)
		return;
	l = &e->line[e->n++];
	l->role = role;
	snprintf(l->name, sizeof(l->name), "%s", name);
	va_start(ap, fmt);
	vsnprintf(l->text, sizeof(l->text), gettext(fmt), ap);
	va_end(ap);
}

static bool allocates(enum event_kind k)
{
	return k == EV_MALLOC || k == EV_CALLOC || k == EV_REALLOC || k == EV_MEMALIGN ||
	       k == EV_MMAP || k == EV_MREMAP;
}

static void headline(const struct event_row *r, struct explanation *e)
{
	const char *name = event_name(r->kind);
	unsigned long long addr = r->addr, old = r->old;

	if (r->flags & OPF_FAILED)
		add(e, EXPLAIN_HEAD, "", "%s(%s) failed", name, fmt_count(r->req).s);
	else if (allocates(r->kind) && old)
		add(e, EXPLAIN_HEAD, "", "%s(0x%08llx, %s) → 0x%08llx", name, old,
		    fmt_count(r->req).s, addr);
	else if (allocates(r->kind))
		add(e, EXPLAIN_HEAD, "", "%s(%s) → 0x%08llx", name, fmt_count(r->req).s, addr);
	else if (addr)
		add(e, EXPLAIN_HEAD, "", "%s(0x%08llx)", name, addr);
	else
		add(e, EXPLAIN_HEAD, "", "%s", name);
	if (r->ref)
		add(e, EXPLAIN_ROUTE, "", "The block comes from event %s.", fmt_count(r->ref).s);
}

// What the array of this CPU holds after the event.
static void array_level(const struct view_model *v, const struct event_row *r,
			struct explanation *e)
{
	const struct model_cache *c = model_cache(v, r->cache);
	const char *cache = c ? c->name : "a cache that is gone";
	unsigned cpu = (unsigned)r->cpu;

	if (cpu >= MAX_CPUS)
		return;
	if (r->flags & OPF_POP)
		add(e, EXPLAIN_ROUTE, "", "%s: popped from CPU %u's array (%u left).", cache, cpu,
		    c ? c->cpu_avail[cpu] : 0);
	if (r->flags & OPF_PUSH)
		add(e, EXPLAIN_ROUTE, "", "%s: pushed on CPU %u's array (%u of %u in it).", cache,
		    cpu, c ? c->cpu_avail[cpu] : 0, c ? c->cpu_limit[cpu] : 0);
}

static void slab_route(const struct view_model *v, const struct event_row *r, struct explanation *e)
{
	const struct model_cache *c = model_cache(v, r->cache);

	if (!allocates(r->kind) || !c) {
		array_level(v, r, e);
		return;
	}
	if (r->path == PATH_SLAB)
		add(e, EXPLAIN_ROUTE, "", "%s is a cache of its own, %u bytes an object.", c->name,
		    c->object_bytes);
	else if (c->object_bytes >= r->req)
		add(e, EXPLAIN_ROUTE, "",
		    "kmalloc took %s, the general cache for this size: %s byte%s of the object "
		    "stay unused.",
		    c->name, fmt_count(c->object_bytes - r->req).s,
		    c->object_bytes - r->req == 1 ? "" : "s");
	if (r->old && r->old == r->addr)
		add(e, EXPLAIN_ROUTE, "",
		    "The block was large enough already and stayed where it "
		    "is.");
	array_level(v, r, e);
}

static void area_route(const struct view_model *v, const struct event_row *r, struct explanation *e)
{
	if (!allocates(r->kind)) {
		add(e, EXPLAIN_ROUTE, "", "A vmalloc area: frames that need not lie side by side.");
		return;
	}
	for (unsigned i = 0; i < v->nareas; i++)
		if (r->addr >= v->area[i].start && r->addr < v->area[i].end) {
			add(e, EXPLAIN_ROUTE, "",
			    "vmalloc: single frames, wherever they lie, were mapped side by side, %s "
			    "in 0x%08x–0x%08x.",
			    fmt_pages(v->area[i].pages).s, v->area[i].start, v->area[i].end);
			return;
		}
	add(e, EXPLAIN_ROUTE, "", "vmalloc: single frames mapped side by side.");
}

static void route(const struct view_model *v, const struct event_row *r, struct explanation *e)
{
	switch (r->path) {
	case PATH_KMALLOC:
	case PATH_SLAB:
		slab_route(v, r, e);
		break;
	case PATH_PAGES:
		add(e, EXPLAIN_ROUTE, "", "The page allocator: a block of order %u, %s.", r->cache,
		    fmt_pages(r->cache < MAX_ORDER ? 1ull << r->cache : 0).s);
		break;
	case PATH_VMALLOC:
		area_route(v, r, e);
		break;
	case PATH_KMAP:
		add(e, EXPLAIN_ROUTE, "", "A single HighMem frame, seen through a window of kmap.");
		break;
	case PATH_IOREMAP:
		add(e, EXPLAIN_ROUTE, "", "ioremap: addresses for a device, no frames of RAM.");
		break;
	case PATH_FILE:
		add(e, EXPLAIN_ROUTE, "",
		    "A file's mapping is the host's; its resident pages count "
		    "as page cache of the machine.");
		break;
	case PATH_HOST:
		add(e, EXPLAIN_ROUTE, "", "The host served it, not the machine: %s.",
		    host_reason_name((enum host_reason)r->cache));
		break;
	case PATH_POOL:
		add(e, EXPLAIN_ROUTE, "",
		    "Inside a signal handler that interrupted the machine: "
		    "the thread's own small pool served it.");
		break;
	case PATH_OWN_POOL:
		add(e, EXPLAIN_ROUTE, "",
		    "The program itself told of it: its own pool number %u, in memory it has.",
		    r->cache);
		break;
	default:
		break;
	}
}

static void tell(const struct view_model *v, const struct trace_event *t, bool first,
		 struct explanation *e)
{
	char text[sizeof(e->line[0].text)];

	explain_step(v, t, text, sizeof(text));
	if (!*text)
		return;
	add(e, EXPLAIN_STEP, event_name(t->kind), "%s", text);
	if (first)
		add(e, EXPLAIN_MEANING, "", "%s", explain_meaning(t->kind));
}

static void tell_more(const uint32_t *seen, const uint64_t *left, struct explanation *e)
{
	for (unsigned k = EV_LAST_STEP + 1; k < EV_COUNT; k++) {
		uint32_t more = seen[k] > EXPLAIN_EACH ? seen[k] - EXPLAIN_EACH : 0;

		if (more && left[k] > more)
			add(e, EXPLAIN_MORE, event_name(k), "%s more like that, %s in all",
			    fmt_count(more).s, fmt_count(left[k]).s);
		else if (more)
			add(e, EXPLAIN_MORE, event_name(k), "%s more like that", fmt_count(more).s);
	}
}

void explain_event(const struct view_model *v, const struct event_row *row,
		   const struct transition_row *t, unsigned n, struct explanation *e)
{
	uint32_t seen[EV_COUNT] = {0};
	uint64_t left[EV_COUNT] = {0};

	e->n = 0;
	headline(row, e);
	route(v, row, e);
	for (unsigned i = 0; i < n; i++) {
		unsigned k = t[i].t.kind;

		if (k <= EV_LAST_STEP || k >= EV_COUNT)
			continue;
		if (seen[k]++ < EXPLAIN_EACH)
			tell(v, &t[i].t, seen[k] == 1, e);
		else
			left[k] += t[i].t.count;
	}
	tell_more(seen, left, e);
	if (!n && row->kind && row->path != PATH_HOST)
		add(e, EXPLAIN_ROUTE, "",
		    row->flags & (OPF_POP | OPF_PUSH)
			    ? "Nothing else moved: no lock was taken, no list but the array touched."
			    : "Nothing else of the machine changed.");
}

void explain_text(const struct explanation *e, char *buf, size_t size)
{
	size_t len = 0;

	*buf = 0;
	for (unsigned i = 0; i < e->n && len < size; i++) {
		const struct explain_line *l = &e->line[i];

		len += (size_t)snprintf(buf + len, size - len, "%s%s%s%s\n",
					l->role >= EXPLAIN_STEP ? "  " : "", l->name,
					*l->name ? ": " : "", l->text);
	}
}
