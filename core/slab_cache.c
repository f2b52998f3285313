// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Caches: geometry, creation, tuning, destruction, and the general caches (reference 7.2 - 7.5).
#include "fold.h"
#include "slab_internal.h"

#include <errno.h>
#include <string.h>

enum { // sizes of i386 structures that stand in pages
	SIZEOF_SLAB = 28,
	SIZEOF_BUFCTL = 4,
	SIZEOF_KMEM_CACHE = 76, // and one pointer per CPU and node
	BYTES_PER_WORD = 4,
	ARCH_SLAB_MINALIGN = 8,
	REDZONE_ALIGN = 8,
	KMALLOC_MAX_SIZE = 1 << 22,
	OFF_SLAB_FROM = PAGE_SIZE / 8,	// objects this large have their descriptor elsewhere
	SHARED_BATCH = (int)0xbaadf00d, // what the kernel writes where no one reads
};

#define CREATE_FLAGS                                                                               \
	(SLAB_HWCACHE_ALIGN | SLAB_CACHE_DMA | SLAB_RECLAIM_ACCOUNT | SLAB_PANIC |                 \
	 SLAB_DESTROY_BY_RCU | SLAB_MEM_SPREAD |                                                   \
	 0x1C00000u /* DEBUG_OBJECTS NOLEAKTRACE NOTRACK */)
#define NOLEAKTRACE 0x800000u

static uint32_t round_up(uint32_t n, uint32_t align)
{
	return (n + align - 1) & ~(align - 1);
}

// ---- geometry ----

static uint32_t mgmt_size(uint32_t num, uint32_t align)
{
	return round_up(SIZEOF_SLAB + num * SIZEOF_BUFCTL, align);
}

// Objects in a slab of this order, and the bytes left over.
static uint32_t cache_estimate(unsigned order, uint32_t size, uint32_t align, bool off,
			       uint32_t *left)
{
	uint32_t bytes = (uint32_t)PAGE_SIZE << order, num, mgmt = 0;

	if (off) {
		num = bytes / size;
	} else {
		num = (bytes - SIZEOF_SLAB) / (size + SIZEOF_BUFCTL);
		if (mgmt_size(num, align) + num * size > bytes)
			num--;
		mgmt = mgmt_size(num, align);
	}
	*left = bytes - num * size - mgmt;
	return num;
}

// Machines of more than 32 MiB may use two pages to waste less.
static unsigned slab_break_gfp_order(const struct machine *m)
{
	return m->s->totalram_pages > (32u << 20) >> PAGE_SHIFT;
}

// Smallest order that wastes little enough; c->num stays 0 when no order holds an object.
static uint32_t calculate_slab_order(const struct machine *m, struct kmem_cache *c, bool off)
{
	uint32_t left = 0;

	for (unsigned order = 0; order < MAX_ORDER; order++) {
		uint32_t rest, num = cache_estimate(order, c->buffer_size, c->align, off, &rest);
		if (!num)
			continue;
		// The largest general cache a descriptor may come from is smaller than the objects.
		if (off && num > (c->buffer_size - SIZEOF_SLAB) / SIZEOF_BUFCTL)
			break;
		c->num = num;
		c->gfporder = order;
		left = rest;
		if (c->flags & SLAB_RECLAIM_ACCOUNT || order >= slab_break_gfp_order(m) ||
		    left * 8 <= (uint32_t)PAGE_SIZE << order)
			break;
	}
	return left;
}

static uint32_t object_align(const struct machine *m, uint32_t size, uint32_t align, uint32_t flags)
{
	uint32_t ralign = BYTES_PER_WORD;

	if (flags & SLAB_HWCACHE_ALIGN)
		for (ralign = m->s->cfg.cache_line; size <= ralign / 2;)
			ralign /= 2;
	if (flags & SLAB_STORE_USER)
		ralign = BYTES_PER_WORD;
	if (flags & SLAB_RED_ZONE)
		ralign = REDZONE_ALIGN;
	if (ralign < ARCH_SLAB_MINALIGN)
		ralign = ARCH_SLAB_MINALIGN;
	return ralign < align ? align : ralign;
}

// Debug kernels add margins where that does not double the buffer.
static uint32_t debug_flags(uint32_t size)
{
	uint32_t grown = size - 1 + REDZONE_ALIGN + 16;

	if (size < 4096 || __builtin_clz(size - 1) == __builtin_clz(grown))
		return SLAB_RED_ZONE | SLAB_STORE_USER | SLAB_POISON;
	return SLAB_POISON;
}

// Red zones and caller word around the object; an alignment above 8 leaves no place for them.
static uint32_t debug_margins(struct kmem_cache *c, uint32_t size)
{
	if (c->align > REDZONE_ALIGN)
		c->flags &= ~(uint32_t)(SLAB_RED_ZONE | SLAB_STORE_USER);
	if (c->flags & SLAB_RED_ZONE) {
		c->obj_offset = REDZONE_ALIGN;
		size += 16;
	}
	if (c->flags & SLAB_STORE_USER)
		size += c->flags & SLAB_RED_ZONE ? REDZONE_ALIGN : BYTES_PER_WORD;
	return size;
}

static uint32_t reciprocal_value(uint32_t k)
{
	return (uint32_t)((((uint64_t)1 << 32) + k - 1) / k);
}

static unsigned find_general_cache(const struct machine *m, uint32_t size)
{
	const struct slab_state *sl = &m->s->slab;

	for (unsigned i = 0; i < sl->nr_sizes; i++)
		if (sl->size[i] >= size)
			return sl->size_cache[i];
	return 0;
}

static bool request_ok(const struct machine *m, size_t size, size_t align, uint32_t flags)
{
	return size >= BYTES_PER_WORD && size <= KMALLOC_MAX_SIZE && align <= PAGE_SIZE &&
	       !(align & (align - 1)) && !(flags & ~CREATE_FLAGS) && m->s->cfg.cache_line >= 8;
}

// Management on or off the slab, slab_size, colours: what follows from buffer size and align.
static int place_management(struct machine *m, struct kmem_cache *c, bool off)
{
	uint32_t left = calculate_slab_order(m, c, off);

	if (!c->num || c->num > BUFCTL_PER_PAGE)
		return -EINVAL;
	c->slab_size = mgmt_size(c->num, c->align);
	if (off && left >= c->slab_size) {
		off = false;
		left -= c->slab_size;
	}
	if (off) {
		c->flags |= CFLGS_OFF_SLAB;
		c->slab_size = SIZEOF_SLAB + c->num * SIZEOF_BUFCTL;
		c->slabp_cache = (uint16_t)find_general_cache(m, c->slab_size);
		if (!c->slabp_cache)
			return -EINVAL;
	}
	c->colour_off = m->s->cfg.cache_line > c->align ? m->s->cfg.cache_line : c->align;
	c->colour = left / c->colour_off;
	return 0;
}

int cache_geometry(struct machine *m, size_t size, size_t align, uint32_t flags,
		   struct kmem_cache *c)
{
	if (!request_ok(m, size, align, flags))
		return -EINVAL;
	memset(c, 0, sizeof(*c));
	c->flags = flags;
	if (m->s->cfg.slab_debug)
		c->flags |= debug_flags((uint32_t)size);
	if (flags & SLAB_DESTROY_BY_RCU)
		c->flags &= ~(uint32_t)SLAB_POISON;

	uint32_t bytes =
		round_up((uint32_t)size, c->flags & SLAB_RED_ZONE ? REDZONE_ALIGN : BYTES_PER_WORD);
	c->obj_size = m->s->cfg.slab_debug ? bytes : (uint32_t)size;
	c->align = object_align(m, bytes, (uint32_t)align, c->flags);
	bytes = debug_margins(c, bytes);
	bool off = bytes >= OFF_SLAB_FROM && !(flags & NOLEAKTRACE);
	c->buffer_size = round_up(bytes, c->align);
	c->reciprocal = reciprocal_value(c->buffer_size);
	c->gfpflags = flags & SLAB_CACHE_DMA ? GFP_DMA : 0;
	return place_management(m, c, off);
}

// ---- tunables ----

// Array sizes by object size; a debug kernel keeps arrays short.
static void default_tunables(const struct machine *m, struct kmem_cache *c)
{
	uint32_t size = c->buffer_size;

	c->limit = size > 131072      ? 1
		   : size > PAGE_SIZE ? 8
		   : size > 1024      ? 24
		   : size > 256	      ? 54
				      : 120;
	if (m->s->cfg.slab_debug && c->limit > 32)
		c->limit = 32;
	c->batchcount = (c->limit + 1) / 2;
	c->shared = m->s->cfg.smp && m->s->cfg.ncpus > 1 && size <= PAGE_SIZE ? 8 : 0;
}

// Fresh, empty arrays of the cache's tunables on every CPU.
static void set_arrays(struct machine *m, unsigned cache)
{
	const struct kmem_cache *c = &m->caches[cache];
	struct shared_array *shared = shared_of(m, cache);

	for (unsigned cpu = 0; cpu < m->s->cfg.ncpus; cpu++) {
		struct array_cache *ac = ac_of(m, cache, cpu);
		ac->avail = ac->touched = 0;
		ac->limit = c->limit;
		ac->batchcount = c->batchcount;
	}
	shared->avail = shared->touched = 0;
	shared->limit = c->shared * c->batchcount;
	shared->batchcount = c->shared ? (uint32_t)SHARED_BATCH : 0;
}

static void set_free_limit(struct kmem_cache *c, uint32_t ncpus)
{
	c->free_limit = (1 + ncpus) * c->batchcount + c->num;
}

static bool tunables_ok(uint32_t limit, uint32_t batch, uint32_t shared)
{
	return limit >= 1 && limit <= AC_ENTRIES && batch >= 1 && batch <= limit &&
	       shared <= SHARED_ENTRIES && shared * batch <= SHARED_ENTRIES;
}

// New array sizes: what the old arrays held goes back to the slabs. Machine stopped. Returns the
// slabs doomed.
static uint32_t tune_cache(struct machine *m, unsigned cache, uint32_t limit, uint32_t batch,
			   uint32_t nshared)
{
	struct kmem_cache *c = &m->caches[cache];
	struct shared_array *shared = shared_of(m, cache);
	struct doomed d = {0};

	for (unsigned cpu = 0; cpu < m->s->cfg.ncpus; cpu++)
		free_block(m, cache, ac_of(m, cache, cpu)->entry, ac_of(m, cache, cpu)->avail, &d);
	free_block(m, cache, shared->entry, shared->avail, &d);
	c->limit = limit;
	c->batchcount = batch;
	c->shared = nshared;
	set_arrays(m, cache);
	set_free_limit(c, m->s->cfg.ncpus);
	doom(m, &d);
	return d.count;
}

int kmem_cache_tune(struct machine *m, unsigned cache, unsigned limit, unsigned batch,
		    unsigned shared)
{
	if (!cache_exists(m, cache) || !tunables_ok(limit, batch, shared))
		return -EINVAL;
	stop_machine(m);
	uint32_t dead = tune_cache(m, cache, limit, batch, shared);
	step_local(m, EV_CACHE_TUNE, cache, limit, batch, shared, 0, 0);
	destroy_doomed(m, dead);
	restart_machine(m);
	return 0;
}

int CACHE_TUNE_apply(struct machine *m, const struct record *r)
{
	if (!cache_exists(m, r->arg[0]) || !tunables_ok(r->arg[1], r->arg[2], r->arg[3]))
		return -EILSEQ;
	tune_cache(m, r->arg[0], r->arg[1], r->arg[2], r->arg[3]);
	return 0;
}

// ---- the chain of caches ----

static void chain_add(struct machine *m, unsigned cache)
{
	struct list_head *chain = &m->s->slab.cache_chain;
	struct list_node *n = &m->caches[cache].chain;

	n->prev = 0;
	n->next = chain->first;
	if (chain->first)
		m->caches[chain->first].chain.prev = cache;
	else
		chain->last = cache;
	chain->first = cache;
}

static void chain_del(struct machine *m, unsigned cache)
{
	struct list_head *chain = &m->s->slab.cache_chain;
	struct list_node *n = &m->caches[cache].chain;

	if (n->prev)
		m->caches[n->prev].chain.next = n->next;
	else
		chain->first = n->next;
	if (n->next)
		m->caches[n->next].chain.prev = n->prev;
	else
		chain->last = n->prev;
}

static bool name_taken(struct machine *m, const char *name)
{
	for (unsigned id = m->s->slab.cache_chain.first; id; id = m->caches[id].chain.next)
		if (!strncmp(m->caches[id].name, name, CACHE_NAME_LEN))
			return true;
	return false;
}

static unsigned unused_id(struct machine *m)
{
	for (unsigned id = CACHE_CACHE; id < MAX_CACHES; id++)
		if (!m->caches[id].used)
			return id;
	return 0;
}

// The stack id in the name of a call site's own cache, "site-%08x"; 0: another kind of name.
static uint32_t site_of_name(const char *name)
{
	uint32_t site = 0;

	if (strncmp(name, "site-", 5) || strnlen(name, CACHE_NAME_LEN) != 13)
		return 0;
	for (const char *p = name + 5; *p; p++) {
		const char *digits = "0123456789abcdef", *d = strchr(digits, *p);
		if (!d)
			return 0;
		site = site << 4 | (uint32_t)(d - digits);
	}
	return site;
}

// Enters a cache of the name waiting at this CPU. The chain lock is held. Its id, or 0.
static unsigned create_cache(struct machine *m, size_t size, size_t align, uint32_t flags,
			     kaddr_t self, enum slab_ctor ctor)
{
	const char *name = m->s->cpu[m->cpu].cache_name;
	unsigned cache = unused_id(m);
	struct kmem_cache c;

	if (!cache || !name[0] || name_taken(m, name) || cache_geometry(m, size, align, flags, &c))
		return 0;
	c.used = 1;
	c.self = self;
	c.ctor = ctor;
	memcpy(c.name, name, CACHE_NAME_LEN);
	c.site = site_of_name(c.name);
	if (m->s->slab.full) {
		default_tunables(m, &c);
		set_free_limit(&c, m->s->cfg.ncpus);
	} else {
		c.limit = c.batchcount = 1; // boot arrays hold one object, and no slab is kept
	}
	m->caches[cache] = c;
	set_arrays(m, cache);
	chain_add(m, cache);
	m->s->slab.nr_caches++;
	slab_trace(m, EV_T_CACHE_CREATED, cache, 1);
	return cache;
}

static void set_cache_name(struct machine *m, const char *name)
{
	char *to = m->s->cpu[m->cpu].cache_name;
	size_t n = strnlen(name, CACHE_NAME_LEN - 1);

	memset(to, 0, CACHE_NAME_LEN);
	memcpy(to, name, n);
}

static void record_cache_name(struct machine *m)
{
	uint32_t w[CACHE_NAME_LEN / 4];

	memcpy(w, m->s->cpu[m->cpu].cache_name, sizeof(w));
	step_local(m, EV_CACHE_NAME, w[0], w[1], w[2], w[3], w[4], w[5]);
}

unsigned kmem_cache_create(struct machine *m, const char *name, size_t size, size_t align,
			   uint32_t flags)
{
	return kmem_cache_create_ctor(m, name, size, align, flags, CTOR_NONE);
}

unsigned kmem_cache_create_ctor(struct machine *m, const char *name, size_t size, size_t align,
				uint32_t flags, enum slab_ctor ctor)
{
	struct kmem_cache probe;

	if (!name || !name[0] || (unsigned)ctor >= CTORS ||
	    cache_geometry(m, size, align, flags, &probe)) {
		misuse(m, MISUSE_CACHE_ARGUMENTS, 0, (uint32_t)size);
		return 0;
	}
	// The first cache is static; every other descriptor is an object of it.
	bool is_static = !m->caches[CACHE_CACHE].used;
	kaddr_t self = is_static ? 0 : cache_alloc(m, CACHE_CACHE, GFP_KERNEL, 0);
	if (!self && !is_static)
		return 0;
	set_cache_name(m, name);
	record_cache_name(m);
	step_begin(m, LOCK_CHAIN);
	unsigned cache = create_cache(m, size, align, flags, self, ctor);
	if (cache) {
		step_end(m, LOCK_CHAIN, EV_CACHE_CREATE, (uint32_t)size, (uint32_t)align, flags,
			 cache, self, ctor);
		return cache;
	}
	bool taken = name_taken(m, name);
	step_cancel(m, LOCK_CHAIN);
	if (taken)
		misuse(m, MISUSE_CACHE_DUPLICATE, 0, 0);
	if (self)
		cache_free(m, CACHE_CACHE, self, false);
	return 0;
}

int CACHE_NAME_apply(struct machine *m, const struct record *r)
{
	char name[CACHE_NAME_LEN];

	memcpy(name, r->arg, sizeof(name));
	set_cache_name(m, name);
	return 0;
}

int CACHE_CREATE_apply(struct machine *m, const struct record *r)
{
	if (r->lock != LOCK_CHAIN || !r->arg[3] || r->arg[5] >= CTORS)
		return -EILSEQ;
	return create_cache(m, r->arg[0], r->arg[1], r->arg[2], r->arg[4],
			    (enum slab_ctor)r->arg[5]) == r->arg[3]
		       ? 0
		       : -EILSEQ;
}

// Takes an empty cache out, or puts a busy one back at the head of the chain as the kernel does.
// Machine stopped, arrays and free list drained. false: busy.
static bool destroy_cache(struct machine *m, unsigned cache)
{
	struct kmem_cache *c = &m->caches[cache];

	chain_del(m, cache);
	if (c->num_slabs) {
		chain_add(m, cache);
		return false;
	}
	slab_trace(m, EV_T_CACHE_DESTROYED, cache, 1);
	memset(c, 0, sizeof(*c));
	set_arrays(m, cache);
	m->s->slab.nr_caches--;
	return true;
}

// cache_cache and the general caches are never destroyed: others depend on them.
static bool is_permanent(const struct machine *m, unsigned cache)
{
	return cache <= CACHE_CACHE + 2 * m->s->slab.nr_sizes;
}

int kmem_cache_destroy(struct machine *m, unsigned cache)
{
	if (!cache_exists(m, cache) || is_permanent(m, cache))
		return -EINVAL;
	kaddr_t self = m->caches[cache].self;
	stop_machine(m);
	bool gone = false;
	if (cache_exists(m, cache) && m->caches[cache].self == self) {
		shrink_stopped(m, cache);
		gone = destroy_cache(m, cache);
		step_local(m, EV_CACHE_DESTROY, cache, !gone, 0, 0, 0, 0);
	}
	restart_machine(m);
	if (!gone) {
		misuse(m, MISUSE_CACHE_BUSY, cache, 0);
		return -EBUSY;
	}
	cache_free(m, CACHE_CACHE, self, false);
	return 0;
}

int CACHE_DESTROY_apply(struct machine *m, const struct record *r)
{
	unsigned cache = r->arg[0];

	if (!cache_exists(m, cache) || is_permanent(m, cache))
		return -EILSEQ;
	for (unsigned cpu = 0; cpu < m->s->cfg.ncpus; cpu++)
		if (ac_of(m, cache, cpu)->avail)
			return -EILSEQ;
	if (shared_of(m, cache)->avail)
		return -EILSEQ;
	return destroy_cache(m, cache) == !r->arg[1] ? 0 : -EILSEQ;
}

// ---- general caches ----

// Sizes between powers of two are worth it where a build's cache lines are no longer than the step.
static const struct {
	uint32_t size, l1_below; // 0: in every build
} kmalloc_sizes[] = {
	{32, 0},     {64, 0},	  {96, 64},    {128, 0},     {192, 128},   {256, 0},	 {512, 0},
	{1024, 0},   {2048, 0},	  {4096, 0},   {8192, 0},    {16384, 0},   {32768, 0},	 {65536, 0},
	{131072, 0}, {262144, 0}, {524288, 0}, {1048576, 0}, {2097152, 0}, {4194304, 0},
};

static void size_name(char *name, uint32_t size, bool dma)
{
	char digits[8];
	unsigned n = 0, at = 5;

	memcpy(name, "size-", 5);
	for (; size; size /= 10)
		digits[n++] = (char)('0' + size % 10);
	while (n)
		name[at++] = digits[--n];
	strcpy(name + at, dma ? "(DMA)" : "");
}

static uint16_t create_size_cache(struct machine *m, uint32_t size, bool dma)
{
	char name[CACHE_NAME_LEN];
	uint32_t flags = SLAB_HWCACHE_ALIGN | SLAB_PANIC | (dma ? SLAB_CACHE_DMA : 0u);

	size_name(name, size, dma);
	return (uint16_t)kmem_cache_create(m, name, size, m->s->cfg.kmalloc_minalign, flags);
}

static void set_sizes(struct slab_state *sl, uint32_t max, uint32_t l1_bytes)
{
	for (size_t i = 0; i < sizeof(kmalloc_sizes) / sizeof(kmalloc_sizes[0]); i++)
		if (kmalloc_sizes[i].size <= max &&
		    (!kmalloc_sizes[i].l1_below || l1_bytes < kmalloc_sizes[i].l1_below))
			sl->size[sl->nr_sizes++] = kmalloc_sizes[i].size;
	sl->kmalloc_max = max;
	for (uint32_t bytes = 8, i = 0; bytes <= 512; bytes += 8) {
		if (bytes > sl->size[i])
			i++;
		sl->index_small[bytes / 8] = (uint8_t)i;
	}
}

// size-32 and size-64 come first: they hold the array caches and lists of all others.
void kmem_cache_init(struct machine *m)
{
	struct slab_state *sl = &m->s->slab;
	uint32_t bytes = SIZEOF_KMEM_CACHE + 4 * (m->s->cfg.ncpus + 1);

	kmem_cache_create(m, "kmem_cache", round_up(bytes, m->s->cfg.cache_line),
			  m->s->cfg.cache_line, 0);
	set_sizes(sl, m->s->cfg.model == MODEL_CLASSIC ? 131072 : KMALLOC_MAX_SIZE,
		  m->s->cfg.l1_bytes);
	for (unsigned i = 0; i < sl->nr_sizes; i++) {
		if (i == 0) {
			sl->size_cache[0] = create_size_cache(m, sl->size[0], false);
			sl->size_cache[1] = create_size_cache(m, sl->size[1], false);
		} else if (i > 1) {
			sl->size_cache[i] = create_size_cache(m, sl->size[i], false);
		}
		sl->size_cache_dma[i] = create_size_cache(m, sl->size[i], true);
	}
}

// The limit of caches made before the other CPUs come up is set anew for each of them, but before
// it counts as online: so the last one is missing in it.
void kmem_cache_init_late(struct machine *m)
{
	uint32_t ncpus = m->s->cfg.ncpus;

	m->s->slab.full = 1;
	for (unsigned id = m->s->slab.cache_chain.first; id; id = m->caches[id].chain.next) {
		struct kmem_cache c = m->caches[id];
		default_tunables(m, &c);
		destroy_doomed(m, tune_cache(m, id, c.limit, c.batchcount, c.shared));
		set_free_limit(&m->caches[id], ncpus > 1 ? ncpus - 1 : 1);
	}
}
