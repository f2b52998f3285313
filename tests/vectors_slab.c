// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Vectors of topics slabgeom, kmalloc and slabseq: what a real kernel's SLAB answered, line by
// line, against the shipped functions. Frames come from this machine's own page allocator, so
// slabs are compared by ordinal and offset, never by pfn.
#include "vectors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	SLOTS = 8192,
	MAX_SLABS = 1 << 16,
	MAX_EVENTS = 4096
};

struct seq { // one slabseq file
	struct vectors *v;
	struct machine *m;
	unsigned cache;				   // under test; 0 none
	kaddr_t slot[SLOTS];			   // objects held by the sequence
	pfn_t first_pfn[MAX_SLABS];		   // by ordinal
	uint32_t nslabs;			   // slabs seen of this cache
	pfn_t grown[MAX_EVENTS], dead[MAX_EVENTS]; // not yet seen in the file
	uint32_t ngrown, ndead;
	enum {
		NONE,
		SHRINK,
		DESTROY
	} pending;    // draincpu lines come before it runs
	int ret;      // of the last shrink or reap
	kaddr_t made; // allocated for a g line, waits for its a line
};

// ---- geometry ----

static void check_arrays(struct vectors *v, struct machine *m, unsigned id, const char *line)
{
	const struct array_cache *ac = ac_of(m, id, 0);
	const struct shared_array *shared = &m->shared[id];

	expect(v, line, "limit", m->caches[id].limit, number(v, line, "limit", 10));
	expect(v, line, "batchcount", m->caches[id].batchcount, number(v, line, "batchcount", 10));
	expect(v, line, "shared", m->caches[id].shared, number(v, line, "shared", 10));
	expect(v, line, "ac_limit", ac->limit, number(v, line, "ac_limit", 10));
	expect(v, line, "ac_batch", ac->batchcount, number(v, line, "ac_batch", 10));
	expect(v, line, "free_limit", m->caches[id].free_limit, number(v, line, "free_limit", 10));
	expect(v, line, "shared_limit", shared->limit ? (long long)shared->limit : -1,
	       number(v, line, "shared_limit", 10));
	expect(v, line, "shared_batch", shared->batchcount, number(v, line, "shared_batch", 16));
}

static void check_mgmt(struct vectors *v, struct machine *m, unsigned id, const char *line)
{
	const struct kmem_cache *c = &m->caches[id];
	const char *mgmt = field(v, line, "mgmt");
	char got[64] = "on";
	size_t n;

	if (c->flags & CFLGS_OFF_SLAB)
		snprintf(got, sizeof(got), "off:%s", m->caches[c->slabp_cache].name);
	n = strlen(got);
	if (!mgmt || strncmp(mgmt, got, n) || (mgmt[n] && mgmt[n] != ' '))
		vectors_mismatch(v, line, "mgmt is %s", got);
}

static void check_cache(struct vectors *v, struct machine *m, unsigned id, const char *line)
{
	const struct kmem_cache *c = &m->caches[id];

	if (!id) {
		vectors_mismatch(v, line, "no such cache");
		return;
	}
	expect(v, line, "size", c->buffer_size, number(v, line, "size", 10));
	expect(v, line, "num", c->num, number(v, line, "num", 10));
	expect(v, line, "order", c->gfporder, number(v, line, "order", 10));
	expect(v, line, "gfpflags", c->gfpflags, number(v, line, "gfpflags", 16));
	expect(v, line, "flags", c->flags, number(v, line, "flags", 16));
	expect(v, line, "colour", c->colour, number(v, line, "colour", 10));
	expect(v, line, "colour_off", c->colour_off, number(v, line, "colour_off", 10));
	expect(v, line, "slab_size", c->slab_size, number(v, line, "slab_size", 10));
	check_mgmt(v, m, id, line);
	check_arrays(v, m, id, line);
}

static void copy_name(struct vectors *v, char *to, size_t size, const char *line)
{
	const char *value = field(v, line, "name"), *name = value ? value : "";
	size_t n = strcspn(name, " ");

	snprintf(to, size, "%.*s", (int)(n < size ? n : size - 1), name);
}

// Constructors change no geometry, and these have no effect of their own.
static unsigned create(struct vectors *v, struct machine *m, const char *line)
{
	char name[CACHE_NAME_LEN];

	ignore(v, line, "ctor");
	copy_name(v, name, sizeof(name), line);
	return kmem_cache_create(m, name, (size_t)number(v, line, "req", 10),
				 (size_t)number(v, line, "align", 10),
				 (uint32_t)number(v, line, "reqflags", 16));
}

static void geom_line(struct vectors *v, struct machine *m, const char *line)
{
	unsigned id = create(v, m, line);

	if (strstr(line, "FAILED")) {
		expect(v, line, "cache", id, 0);
		return;
	}
	check_cache(v, m, id, line);
	if (id && kmem_cache_destroy(m, id))
		vectors_mismatch(v, line, "an unused cache cannot be destroyed");
}

static unsigned cache_by_name(struct machine *m, const char *name)
{
	for (unsigned id = m->s->slab.cache_chain.first; id; id = m->caches[id].chain.next)
		if (!strcmp(m->caches[id].name, name))
			return id;
	return 0;
}

// A cache of the kernel's own: the line does not hold its request, so some size and alignment that
// round to its buffer must give it. One made before the other CPUs came up has a lower free_limit.
static bool try_request(struct vectors *v, struct machine *m, const char *line, size_t req,
			size_t align)
{
	uint32_t flags = (uint32_t)number(v, line, "flags", 16) & ~CFLGS_OFF_SLAB;
	struct kmem_cache c;

	if (cache_geometry(m, req, align, flags, &c) ||
	    c.buffer_size != number(v, line, "size", 10) ||
	    c.flags != (uint32_t)number(v, line, "flags", 16) ||
	    c.slab_size != number(v, line, "slab_size", 10))
		return false;
	unsigned id = kmem_cache_create(m, "foreign", req, align, flags);
	if (id && number(v, line, "free_limit", 10) ==
			  m->caches[id].free_limit - m->caches[id].batchcount)
		m->caches[id].free_limit -= m->caches[id].batchcount;
	check_cache(v, m, id, line);
	if (id)
		kmem_cache_destroy(m, id);
	return true;
}

static void foreign_cache_line(struct vectors *v, struct machine *m, const char *line)
{
	size_t size = (size_t)number(v, line, "size", 10);

	for (size_t align = 8; align <= 64; align *= 2)
		for (size_t less = 0; less < align && less < size; less += 4)
			if (try_request(v, m, line, size - less, align))
				return;
	vectors_mismatch(v, line, "no request gives this geometry");
}

static void cache_line(struct vectors *v, struct machine *m, const char *line)
{
	char name[64];

	copy_name(v, name, sizeof(name), line);
	if (starts(name, "size-") || starts(name, "kmem_cache"))
		check_cache(v, m, cache_by_name(m, name), line);
	else
		foreign_cache_line(v, m, line);
}

// ---- kmalloc ----

static void ksize_line(struct vectors *v, struct machine *m, const char *line)
{
	unsigned long a, b, n;

	if (!scan(v, line, 3, "ksize %lu..%lu -> %lu", &a, &b, &n))
		return;
	for (unsigned long size = a; size <= b; size++)
		if (m->caches[kmalloc_cache(m, size, GFP_KERNEL)].buffer_size != n) {
			vectors_mismatch(v, line, "%lu bytes come from another cache", size);
			return;
		}
	kaddr_t p = kmalloc(m, b, GFP_KERNEL);
	expect(v, line, "ksize", (long long)ksize(m, p), (long long)n);
	kfree(m, p);
}

// To how many pages the block happened to be aligned: at least to its own order.
static void check_alignment(struct vectors *v, struct machine *m, const char *line, kaddr_t p)
{
	unsigned order;

	if (!field(v, line, "pfn_align_order"))
		return;
	order = get_order(ksize(m, p));
	if (p % (PAGE_SIZE << order))
		vectors_mismatch(v, line, "%x is not aligned to order %u", p, order);
	if (number(v, line, "pfn_align_order", 10) < order)
		vectors_mismatch(v, line, "the kernel's is not aligned to order %u", order);
}

static void kmalloc_line(struct vectors *v, struct machine *m, const char *line)
{
	char result[32];
	unsigned long n;

	if (sscanf(line, "kmalloc %lu -> %31s", &n, result) != 2) {
		vectors_mismatch(v, line, "not understood");
		return;
	}
	kaddr_t p = kmalloc(m, n, GFP_KERNEL);
	if (!strcmp(result, "NULL"))
		expect(v, line, "pointer", p, 0);
	else if (strcmp(result, "ok"))
		expect(v, line, "pointer", p, (long long)strtoul(result, NULL, 16));
	else if (!p)
		vectors_mismatch(v, line, "no memory");
	if (field(v, line, "ksize"))
		expect(v, line, "ksize", (long long)ksize(m, p), number(v, line, "ksize", 10));
	check_alignment(v, m, line, p);
	kfree(m, p);
}

static void facts_line(struct vectors *v, struct machine *m, const char *line)
{
	expect(v, line, "kmem_cache_size", m->caches[CACHE_CACHE].buffer_size,
	       number(v, line, "kmem_cache_size", 10));
	expect(v, line, "cache_line", m->s->cfg.cache_line, number(v, line, "cache_line", 10));
	// Seen in slab_size and in the alignment of every cache that follows...
	ignore(v, line, "slab_struct");
	ignore(v, line, "bufctl");
	ignore(v, line, "minalign");
	ignore(v, line, "kmalloc_minalign");
	// ...and what our caches keep beside the pages (slab.h, Departures).
	ignore(v, line, "list3");
	ignore(v, line, "array_cache_init");
	// Visible in the order chosen for objects that waste a quarter of one page.
	struct kmem_cache c;
	if (cache_geometry(m, 1500, 0, 0, &c))
		vectors_mismatch(v, line, "no geometry for 1500 bytes");
	expect(v, line, "order of 1500-byte objects", c.gfporder,
	       number(v, line, "slab_break_gfp_order", 10));
}

static void geometry_file(struct vectors *v, struct machine *m)
{
	const char *line;

	while ((line = vectors_line(v))) {
		if (starts(line, "geom "))
			geom_line(v, m, line);
		else if (starts(line, "cache ") || starts(line, "size ") ||
			 starts(line, "sizedma "))
			cache_line(v, m, line);
		else if (starts(line, "facts "))
			facts_line(v, m, line);
		else if (starts(line, "limits "))
			expect(v, line, "KMALLOC_MAX_SIZE", m->s->slab.kmalloc_max,
			       number(v, line, "KMALLOC_MAX_SIZE", 10));
		else if (starts(line, "ksize "))
			ksize_line(v, m, line);
		else if (starts(line, "kmalloc "))
			kmalloc_line(v, m, line);
		else if (!starts(line, "=== events"))
			vectors_mismatch(v, line, "not understood");
	}
}

// Both topics are lists of facts about one freshly booted machine.
void vectors_slabgeom(struct vectors *v)
{
	struct machine m = {0};

	if (!vectors_machine(v, &m))
		geometry_file(v, &m);
}

void vectors_kmalloc(struct vectors *v)
{
	vectors_slabgeom(v);
}

// ---- sequences ----

static void note_event(struct machine *m, const struct record *r)
{
	struct seq *q = m->priv;

	if (r->arg[0] != q->cache)
		return;
	if (r->kind == EV_SLAB_ADD && q->ngrown < MAX_EVENTS)
		q->grown[q->ngrown++] = r->arg[1];
	if (r->kind == EV_SLAB_DESTROY && q->ndead < MAX_EVENTS)
		q->dead[q->ndead++] = r->arg[1];
}

static pfn_t shift(pfn_t *events, uint32_t *n)
{
	pfn_t first = *n ? events[0] : 0;

	if (*n)
		memmove(events, events + 1, --*n * sizeof(*events));
	return first;
}

// Ordinal of a slab: the newest of that pfn, since frames come back.
static long ordinal(const struct seq *q, pfn_t pfn)
{
	for (uint32_t i = q->nslabs; i--;)
		if (q->first_pfn[i] == pfn)
			return i;
	return -1;
}

static long object_ordinal(struct seq *q, kaddr_t obj, unsigned *index)
{
	unsigned cache;
	pfn_t slab;

	*index = 0;
	if (!slab_lookup(q->m, obj, &cache, &slab, index) || cache != q->cache)
		return -1;
	return ordinal(q, slab);
}

static void check_object(struct seq *q, const char *line, kaddr_t obj, const char *want)
{
	char got[32];
	unsigned index;
	long slab = object_ordinal(q, obj, &index);

	snprintf(got, sizeof(got), "%ld:%u", slab, index);
	if (strncmp(want, got, strlen(got)) ||
	    (want[strlen(got)] && !strchr(" ,\n", want[strlen(got)])))
		vectors_mismatch(q->v, line, "object is %s, expected %.12s", got, want);
}

// The g line stands before the allocation that caused it: that one is made here, and waits.
static void grown_line(struct seq *q, const char *line)
{
	if (!q->ngrown)
		q->made = kmem_cache_alloc(q->m, q->cache, GFP_KERNEL);
	pfn_t pfn = shift(q->grown, &q->ngrown);
	const struct kmem_cache *c = &q->m->caches[q->cache];
	const struct slab *s = &q->m->slab_area[pfn];
	kaddr_t page = lowmem_addr(q->m, pfn);

	ignore(q->v, line, "pfn"); // from the page allocator as it was in that run
	if (!pfn || q->nslabs == MAX_SLABS) {
		vectors_mismatch(q->v, line, "no slab was made");
		return;
	}
	q->first_pfn[q->nslabs] = pfn;
	expect(q->v, line, "ordinal", q->nslabs++, number(q->v, line, "slab", 10));
	expect(q->v, line, "colour", s->colouroff, number(q->v, line, "colour", 10));
	expect(q->v, line, "s_mem", s->s_mem - page, number(q->v, line, "s_mem", 10));
	expect(q->v, line, "colour_next", c->colour_next, number(q->v, line, "colour_next", 10));
	char mgmt[32] = "off";
	const char *want = field(q->v, line, "mgmt");
	if (!(c->flags & CFLGS_OFF_SLAB))
		snprintf(mgmt, sizeof(mgmt), "on:%u", s->s_mem - c->slab_size - page);
	if (!want || strncmp(want, mgmt, strlen(mgmt)))
		vectors_mismatch(q->v, line, "mgmt is %s", mgmt);
}

static bool slot_exists(struct seq *q, const char *line, unsigned slot)
{
	if (slot < SLOTS)
		return true;
	vectors_mismatch(q->v, line, "more slots than this program has");
	return false;
}

// The simulated CPU a line names; 0, and a mismatch, when the machine has no such.
static unsigned cpu_of(struct seq *q, const char *line, long long cpu)
{
	if (cpu >= 0 && cpu < q->m->s->cfg.ncpus)
		return (unsigned)cpu;
	vectors_mismatch(q->v, line, "no such CPU");
	return 0;
}

static void alloc_line(struct seq *q, const char *line)
{
	unsigned slot;
	char want[32];

	if (!scan(q->v, line, 2, "a %u %31s", &slot, want) || !slot_exists(q, line, slot))
		return;
	kaddr_t obj = q->made ? q->made : kmem_cache_alloc(q->m, q->cache, GFP_KERNEL);
	q->made = 0;
	if (q->ngrown)
		vectors_mismatch(q->v, line, "a slab was made that the kernel did not make");
	q->ngrown = 0;
	check_object(q, line, obj, want);
	q->slot[slot] = obj;
}

static void free_line(struct seq *q, const char *line)
{
	unsigned slot;
	char want[32];

	if (!scan(q->v, line, 2, "f %u %31s", &slot, want) || !slot_exists(q, line, slot))
		return;
	check_object(q, line, q->slot[slot], want);
	kmem_cache_free(q->m, q->cache, q->slot[slot]);
}

static void dead_line(struct seq *q, const char *line)
{
	expect(q->v, line, "destroyed slab", ordinal(q, shift(q->dead, &q->ndead)),
	       number(q->v, line, "slab", 10));
}

static void create_line(struct seq *q, const char *line)
{
	q->nslabs = q->ngrown = q->ndead = 0;
	q->cache = create(q->v, q->m, line);
	check_cache(q->v, q->m, q->cache, line);
}

// The list timer is set by hand: far away for an ageing step alone, over for a full pass.
static void reap_line(struct seq *q, const char *line)
{
	bool full = starts(line, "reap full");

	q->m->caches[q->cache].next_reap = full ? 1 : UINT64_MAX;
	q->ret = cache_reap_one(q->m, q->cache, 2);
}

// Runs the shrink or destroy whose draincpu lines have all been seen.
static void run_pending(struct seq *q)
{
	if (q->pending == SHRINK)
		q->ret = kmem_cache_shrink(q->m, q->cache);
	else if (q->pending == DESTROY)
		q->ret = kmem_cache_destroy(q->m, q->cache);
	q->pending = NONE;
}

// ---- state blocks ----

static void check_slab_text(struct seq *q, const char *line, pfn_t pfn, const char **at)
{
	const struct slab *s = &q->m->slab_area[pfn];
	char got[8192];
	int n = snprintf(got, sizeof(got), " %ld(inuse=%u", ordinal(q, pfn), s->inuse);

	for (unsigned i = s->free, sep = 0; i != BUFCTL_END && n < 8000; i = s->bufctl[i], sep = 1)
		n += snprintf(got + n, sizeof(got) - (size_t)n, sep ? ",%u" : " chain=%u", i);
	snprintf(got + n, sizeof(got) - (size_t)n, ")");
	if (strncmp(*at, got, strlen(got))) {
		vectors_mismatch(q->v, line, "slab is%.60s", got);
		*at += strlen(*at);
	} else {
		*at += strlen(got);
	}
}

static void list_line(struct seq *q, const char *line)
{
	const struct kmem_cache *c = &q->m->caches[q->cache];
	const char *colon = strchr(line, ':'), *at = colon ? colon + 1 : "";
	const struct list_head *list = strstr(line, " partial:") ? &c->slabs_partial
				       : strstr(line, " full:")	 ? &c->slabs_full
								 : &c->slabs_free;

	for (pfn_t pfn = list->first; pfn; pfn = q->m->slab_area[pfn].list.next)
		check_slab_text(q, line, pfn, &at);
	if (at[strspn(at, " ")])
		vectors_mismatch(q->v, line, "the kernel has more slabs:%.40s", at);
	read_whole(q->v, line);
}

static void check_entries(struct seq *q, const char *line, const kaddr_t *entry, uint32_t avail)
{
	const char *at = field(q->v, line, "entries(bottom..top)");

	for (uint32_t i = 0; at && i < avail; i++) {
		check_object(q, line, entry[i], at);
		at += strcspn(at, ",");
		at += *at == ',';
	}
	if (!at || *at)
		vectors_mismatch(q->v, line, "the kernel's array holds more: %.40s", at ? at : "");
}

static void array_line(struct seq *q, const char *line)
{
	unsigned cpu = cpu_of(q, line, number(q->v, line, "cpu", 10));
	const struct array_cache *ac = ac_of(q->m, q->cache, cpu);

	expect(q->v, line, "avail", ac->avail, number(q->v, line, "avail", 10));
	expect(q->v, line, "limit", ac->limit, number(q->v, line, "limit", 10));
	expect(q->v, line, "batch", ac->batchcount, number(q->v, line, "batch", 10));
	expect(q->v, line, "touched", ac->touched, number(q->v, line, "touched", 10));
	check_entries(q, line, ac->entry, ac->avail);
}

static void shared_line(struct seq *q, const char *line)
{
	const struct shared_array *shared = &q->m->shared[q->cache];

	expect(q->v, line, "avail", shared->avail, number(q->v, line, "avail", 10));
	expect(q->v, line, "limit", shared->limit, number(q->v, line, "limit", 10));
	expect(q->v, line, "touched", shared->touched, number(q->v, line, "touched", 10));
	check_entries(q, line, shared->entry, shared->avail);
}

static void state_line(struct seq *q, const char *line)
{
	const struct kmem_cache *c = &q->m->caches[q->cache];
	char why[256];

	expect(q->v, line, "free_objects", c->free_objects, number(q->v, line, "free_objects", 10));
	expect(q->v, line, "free_limit", c->free_limit, number(q->v, line, "free_limit", 10));
	expect(q->v, line, "colour_next", c->colour_next, number(q->v, line, "colour_next", 10));
	expect(q->v, line, "free_touched", c->free_touched, number(q->v, line, "free_touched", 10));
	if (slab_check(q->m, why, sizeof(why)))
		vectors_mismatch(q->v, line, "%s", why);
}

// ---- the lines of a sequence ----

static void shrink_line(struct seq *q, const char *line)
{
	(void)line;
	q->pending = SHRINK;
}

static void destroy_line(struct seq *q, const char *line)
{
	(void)line;
	q->pending = DESTROY;
}

static void shrunk_line(struct seq *q, const char *line)
{
	expect(q->v, line, "ret", q->ret, number(q->v, line, "ret", 10));
}

static void reaped_line(struct seq *q, const char *line)
{
	expect(q->v, line, "freed", q->ret, number(q->v, line, "freed", 10));
}

static void destroyed_line(struct seq *q, const char *line)
{
	expect(q->v, line, "ret", q->ret, 0);
}

static void cpu_line(struct seq *q, const char *line)
{
	q->m->cpu = cpu_of(q, line, atoi(line + strlen("cpu ")));
}

static const struct {
	const char *word;
	void (*run)(struct seq *q, const char *line);
} seq_lines[] = {
	{"a ", alloc_line},
	{"f ", free_line},
	{"g ", grown_line},
	{"create ", create_line},
	{"shrink", shrink_line},
	{"shrunk ", shrunk_line},
	{"destroyed", destroyed_line},
	{"destroy", destroy_line},
	{"reaped ", reaped_line},
	{"reap ", reap_line},
	{"cpu ", cpu_line},
	{"state ", state_line},
	{" list ", list_line},
	{" ac ", array_line},
	{" shared ", shared_line},
};

static void seq_line(struct seq *q, const char *line)
{
	if (starts(line, "draincpu ")) {
		drain_cpu_array(q->m, q->cache, cpu_of(q, line, atoi(line + strlen("draincpu "))));
		return;
	}
	run_pending(q);
	if (starts(line, "x ")) {
		dead_line(q, line);
		return;
	}
	if (q->ndead) {
		vectors_mismatch(q->v, line, "before it, %u slabs died that the kernel kept",
				 q->ndead);
		q->ndead = 0;
	}
	for (size_t i = 0; i < sizeof(seq_lines) / sizeof(seq_lines[0]); i++)
		if (starts(line, seq_lines[i].word)) {
			seq_lines[i].run(q, line);
			return;
		}
	if (!starts(line, "=== events"))
		vectors_mismatch(q->v, line, "not understood");
}

void vectors_slabseq(struct vectors *v)
{
	static const struct machine_ops ops = {.record = note_event};
	struct seq *q = calloc(1, sizeof(*q));
	struct machine m = {0};
	const char *line;

	if (!q || vectors_machine(v, &m)) {
		vectors_mismatch(v, v->header, "no machine");
		free(q);
		return;
	}
	q->v = v;
	q->m = &m;
	m.ops = &ops;
	m.priv = q;
	while ((line = vectors_line(v)))
		seq_line(q, line);
	free(q);
}
