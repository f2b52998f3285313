// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Where things are in a machine's memory, and handles on it.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "boot.h"
#include "layout.h"

#define MACHINE_MAGIC 0x65706f63736f6c6bull // "kloscope"
#define MiB	      (1ull << 20)

const struct machine_ops machine_ops_none;
const char *const model_names[NR_MODELS] = {"classic", "3.4", "3.4.2"};

void machine_config_default(struct machine_config *cfg, enum model model, uint64_t ram_bytes,
			    unsigned ncpus)
{
	*cfg = (struct machine_config){
		.model = model,
		.ncpus = ncpus,
		.nr_cpus = MAX_CPUS,
		.smp = 1,
		.page_offset = 0xC0000000,
		.cache_line = 64,
		.l1_bytes = 64,
		.min_free_kbytes = -1,
		.lowmem_reserve_ratio = {256, 32, 32},
		.kmalloc_minalign = 8,
		.kernel_bytes = 6 * MiB,
	};
	e820_ideal_pc(&cfg->e820, ram_bytes);
}

// ---- linear address space (reference 1.1) ----

static void layout_fixmap(struct address_layout *l, const struct machine_config *cfg)
{
	struct fixmap fx;

	fixmap_layout(&fx, cfg->nr_cpus, true);
	l->fix_kmap_begin = fx.kmap_begin;
	l->fixaddr_start = fx.start;
	l->fixaddr_boot_start = fx.boot_start;
	l->pkmap_base = fx.pkmap_base;
	l->vmalloc_end = layout_vmalloc_end(cfg);
}

// All RAM if it fits below the vmalloc reserve; the rest is highmem. highmem= takes its part off
// lowmem where all would fit, unless less than 64 MiB were left; where it would not, RAM beyond
// lowmem and highmem= is not used.
static void layout_lowmem(struct address_layout *l, const struct machine_config *cfg)
{
	uint32_t maxmem_pfn = layout_maxmem_pfn(cfg), high = cfg->highmem_bytes >> PAGE_SHIFT;

	if (l->max_pfn > maxmem_pfn) {
		if (high && maxmem_pfn + high < l->max_pfn)
			l->max_pfn = maxmem_pfn + high;
		l->max_low_pfn = maxmem_pfn;
	} else {
		bool fits = (uint64_t)high + (LOWMEM_MIN >> PAGE_SHIFT) <= l->max_pfn;

		l->max_low_pfn = l->max_pfn - (fits ? high : 0);
	}
	l->high_memory = cfg->page_offset + (l->max_low_pfn << PAGE_SHIFT);
	l->vmalloc_start = layout_vmalloc_start(cfg, l->high_memory);
}

// Also guards machine_attach: a configuration may come out of a damaged file.
static const char *config_error(const struct machine_config *cfg)
{
	if (cfg->model >= NR_MODELS)
		return "unknown model";
	if (!cfg->ncpus || cfg->ncpus > MAX_CPUS || cfg->nr_cpus < cfg->ncpus || cfg->nr_cpus > 64)
		return "CPU count out of range";
	if (!cfg->smp && cfg->ncpus > 1)
		return "a UP build has one CPU";
	if (cfg->page_offset != 0xC0000000 && cfg->page_offset != 0xB0000000 &&
	    cfg->page_offset != 0x80000000 && cfg->page_offset != 0x78000000 &&
	    cfg->page_offset != 0x40000000)
		return "page_offset is none of the VMSPLIT choices";
	if (cfg->cache_line != 32 && cfg->cache_line != 64 && cfg->cache_line != 128)
		return "cache line must be 32, 64 or 128";
	if (cfg->l1_bytes != 16 && cfg->l1_bytes != 32 && cfg->l1_bytes != 64 &&
	    cfg->l1_bytes != 128)
		return "L1_CACHE_BYTES must be 16, 32, 64 or 128";
	if (cfg->vmalloc_bytes & (PAGE_SIZE - 1) || cfg->vmalloc_bytes > 0xA0000000)
		return "vmalloc= out of range";
	if (cfg->kernel_bytes > 64 * MiB)
		return "kernel image too large";
	if (cfg->e820.nr_map > E820MAX)
		return "too many e820 entries";
	if (cfg->kmalloc_minalign != 8 && cfg->kmalloc_minalign != 16)
		return "general caches are aligned to 8 or 16 bytes";
	for (unsigned i = 0; i < MAX_SLAB_TUNE; i++)
		if (!memchr(cfg->slab_tune[i], 0, SLAB_TUNE_LEN))
			return "a slab tunable has no end";
	if (cfg->percpu_pagelist_fraction && cfg->percpu_pagelist_fraction < 8)
		return "percpu_pagelist_fraction must be 0 or at least 8";
	return NULL;
}

// The image must lie in RAM, and lowmem must hold it, mem_map, the boot tables and a little more.
static const char *ram_error(const struct e820map *map, const struct address_layout *l,
			     const struct machine_config *cfg)
{
	const uint64_t image = 16 * MiB, image_end = image + cfg->kernel_bytes + 2 * PAGE_SIZE;
	const uint64_t low_end = (uint64_t)l->max_low_pfn << PAGE_SHIFT;
	uint64_t low = 0, need = cfg->kernel_bytes + l->max_pfn * sizeof(struct page) + 6 * MiB;
	bool image_in_ram = false;

	for (unsigned i = 0; i < map->nr_map; i++) {
		const struct e820entry *e = &map->map[i];
		uint64_t end = e->addr + e->size;

		if (e->type != E820_RAM || end >= 1ull << 32)
			continue;
		image_in_ram |= e->addr <= image && end >= image_end;
		if (e->addr < low_end)
			low += (end < low_end ? end : low_end) - e->addr;
	}
	if (!image_in_ram)
		return "no memory where the kernel image goes (at 16 MiB)";
	return low < need ? "not enough memory below the highmem border" : NULL;
}

const char *address_layout_init(struct address_layout *l, const struct machine_config *cfg)
{
	const char *error = config_error(cfg);
	struct e820map map = cfg->e820;

	if (error)
		return error;
	*l = (struct address_layout){0};
	e820_trim(&map);
	l->max_pfn = e820_end_pfn(&map);
	layout_fixmap(l, cfg);
	if (!layout_maxmem_pfn(cfg))
		return "vmalloc= leaves no room for lowmem";
	layout_lowmem(l, cfg);
	return ram_error(&map, l, cfg);
}

// ---- the machine's own memory ----

static uint64_t place(uint64_t *end, uint64_t bytes)
{
	uint64_t at = *end;

	*end = (at + bytes + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
	return at;
}

// Sizes follow from the configuration alone, so that a recorder that only knows it can map the same
// memory. Page-aligned: keyframes store pages, and an untouched array costs nothing.
static void place_arrays(struct machine_offsets *o, const struct address_layout *l,
			 const struct machine_config *cfg)
{
	uint64_t frames = (l->max_pfn + PAGEBLOCK_NR_PAGES - 1) & -(uint64_t)PAGEBLOCK_NR_PAGES;
	uint64_t areas = (l->vmalloc_end - l->vmalloc_start) / PAGE_SIZE + 2;
	uint64_t end = 0;

	place(&end, sizeof(struct machine_state));
	o->mem_map = place(&end, frames * sizeof(struct page));
	o->pageblock = place(&end, frames / PAGEBLOCK_NR_PAGES + 1);
	o->slab = place(&end, (l->max_low_pfn + PAGEBLOCK_NR_PAGES) * sizeof(struct slab));
	o->cache = place(&end, MAX_CACHES * sizeof(struct kmem_cache));
	o->array = place(&end, (uint64_t)MAX_CACHES * MAX_CPUS * sizeof(struct array_cache));
	o->shared = place(&end, MAX_CACHES * sizeof(struct shared_array));
	o->vmap = place(&end, areas * sizeof(struct vmap_area));
	o->generation = place(&end, ((uint64_t)l->max_low_pfn << PAGE_SHIFT >> GENERATION_SHIFT) *
					    sizeof(uint16_t));
	o->pte = place(&end, ((0 - cfg->page_offset) >> PAGE_SHIFT) * sizeof(uint32_t));
	o->size = end;
}

// Changes whenever the structures do, so that memory of another version is refused.
static uint32_t layout_hash(void)
{
	const size_t parts[] = {
		sizeof(struct machine_state),
		sizeof(struct page),
		sizeof(struct slab),
		sizeof(struct kmem_cache),
		sizeof(struct array_cache),
		sizeof(struct shared_array),
		sizeof(struct vmap_area),
		sizeof(struct zone),
		sizeof(struct machine_config),
		offsetof(struct machine_state, ticket),
		offsetof(struct machine_state, zone),
		offsetof(struct machine_state, slab),
		offsetof(struct machine_state, vmalloc),
		offsetof(struct machine_state, kmap),
		offsetof(struct machine_state, memblock),
		EV_LAST_STEP,
		GENERATION_SHIFT,
	};
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		hash = (hash ^ (uint32_t)parts[i]) * 16777619u;
	return hash;
}

uint32_t machine_layout(void)
{
	uint32_t hash = layout_hash();

	for (unsigned kind = EV_NONE; kind < EV_LAST_STEP; kind++)
		for (const char *c = event_name((enum event_kind)kind); *c; c++)
			hash = (hash ^ (uint8_t)*c) * 16777619u;
	hash = (hash ^ (uint32_t)sizeof(struct record)) * 16777619u;
	return (hash ^ (uint32_t)HOST_REASONS << 8 ^ GFPC_COUNT) * 16777619u;
}

size_t machine_size(const struct machine_config *cfg)
{
	struct address_layout l;
	struct machine_offsets o;

	if (address_layout_init(&l, cfg))
		return 0;
	place_arrays(&o, &l, cfg);
	return o.size;
}

// The handle's pointers; nothing in the memory itself is one.
static void bind(struct machine *m, void *memory, const struct machine_offsets *o)
{
	char *base = memory;

	m->s = memory;
	m->mem_map = (struct page *)(base + o->mem_map);
	m->pageblock = (uint8_t *)(base + o->pageblock);
	m->slab_area = (struct slab *)(base + o->slab);
	m->caches = (struct kmem_cache *)(base + o->cache);
	m->arrays = (struct array_cache *)(base + o->array);
	m->shared = (struct shared_array *)(base + o->shared);
	m->areas = (struct vmap_area *)(base + o->vmap);
	m->generation = (uint16_t *)(base + o->generation);
	m->pte = (uint32_t *)(base + o->pte);
}

static void set_address_layout(struct machine_state *s, const struct address_layout *l)
{
	s->max_pfn = l->max_pfn;
	s->max_low_pfn = l->max_low_pfn;
	s->highstart_pfn = l->max_low_pfn < l->max_pfn ? l->max_low_pfn : l->max_pfn;
	s->high_memory = l->high_memory;
	s->vmalloc.start = l->vmalloc_start;
	s->vmalloc.end = l->vmalloc_end;
	s->kmap.pkmap_base = l->pkmap_base;
	s->kmap.fixaddr_top = FIXADDR_TOP;
	s->kmap.fixaddr_start = l->fixaddr_start;
	s->kmap.fixaddr_boot_start = l->fixaddr_boot_start;
	s->kmap.fix_kmap_begin = l->fix_kmap_begin;
}

// Everything but the contents: what booting and the vectors' loader have in common.
int machine_init(struct machine *m, void *memory, const struct machine_config *cfg,
		 const char **why)
{
	struct address_layout l;
	struct machine_offsets o;
	const char *error = address_layout_init(&l, cfg);

	if (error) {
		if (why)
			*why = error;
		return -EINVAL;
	}
	place_arrays(&o, &l, cfg);
	*m = (struct machine){.ops = &machine_ops_none};
	bind(m, memory, &o);
	m->s->magic = MACHINE_MAGIC;
	m->s->layout = layout_hash();
	m->s->size_lo = o.size;
	m->s->size = o.size;
	m->s->cfg = *cfg;
	m->s->off_mem_map = o.mem_map;
	m->s->off_pageblock = o.pageblock;
	m->s->off_slab = o.slab;
	m->s->off_cache = o.cache;
	m->s->off_array = o.array;
	m->s->off_shared = o.shared;
	m->s->off_vmap = o.vmap;
	m->s->off_pte = o.pte;
	set_address_layout(m->s, &l);
	return 0;
}

// Offsets are computed again, not believed: the memory may come from a damaged file.
int machine_attach(struct machine *m, void *memory, size_t size, unsigned cpu,
		   const struct machine_ops *ops, void *priv)
{
	const struct machine_state *s = memory;
	struct address_layout l;
	struct machine_offsets o;

	if (size < sizeof(*s) || s->magic != MACHINE_MAGIC || s->layout != layout_hash() ||
	    address_layout_init(&l, &s->cfg) || cpu >= s->cfg.ncpus)
		return -EINVAL;
	place_arrays(&o, &l, &s->cfg);
	if (size < o.size || s->size != o.size || s->max_pfn != l.max_pfn ||
	    s->max_low_pfn != l.max_low_pfn || s->high_memory != l.high_memory)
		return -EINVAL;
	*m = (struct machine){.cpu = cpu, .ops = ops ? ops : &machine_ops_none, .priv = priv};
	bind(m, memory, &o);
	return 0;
}

// ---- names of places ----

static void describe_state(size_t offset, char *buf, size_t size)
{
	static const struct {
		const char *name;
		size_t start;
	} parts[] = {
#define PART(field) {#field, offsetof(struct machine_state, field)}
		PART(magic),  PART(cfg),     PART(off_mem_map), PART(max_pfn),
		PART(ticket), PART(barrier), PART(pgalloc),	PART(pgfree),
		PART(zone),   PART(slab),    PART(vmalloc),	PART(kmap),
		PART(percpu), PART(pgd),     PART(memblock),	PART(cpu),
#undef PART
	};
	unsigned i = sizeof(parts) / sizeof(parts[0]) - 1;

	while (parts[i].start > offset)
		i--;
	offset -= parts[i].start;
	if (!strcmp(parts[i].name, "zone"))
		snprintf(buf, size, "zone[%s] + %zu", zone_names[offset / sizeof(struct zone)],
			 offset % sizeof(struct zone));
	else if (!strcmp(parts[i].name, "ticket"))
		snprintf(buf, size, "ticket[%zu]", offset / sizeof(uint32_t));
	else
		snprintf(buf, size, "%s + %zu", parts[i].name, offset);
}

static const char *page_field(size_t offset)
{
	static const char *const names[] = {"flags",	"_count",   "mapcount", "private",
					    "lru.next", "lru.prev", "mapping",	"index"};

	return names[offset / sizeof(uint32_t)];
}

void machine_describe_offset(struct machine *m, size_t offset, char *buf, size_t size)
{
	const struct machine_state *s = m->s;
	const struct {
		const char *name;
		uint64_t start, entry;
	} arrays[] = {
		{"pte", s->off_pte, sizeof(uint32_t)},
		{"areas", s->off_vmap, sizeof(struct vmap_area)},
		{"shared", s->off_shared, sizeof(struct shared_array)},
		{"arrays", s->off_array, sizeof(struct array_cache)},
		{"caches", s->off_cache, sizeof(struct kmem_cache)},
		{"slab_area", s->off_slab, sizeof(struct slab)},
		{"pageblock", s->off_pageblock, 1},
	};

	for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++) {
		if (offset < arrays[i].start)
			continue;
		offset -= arrays[i].start;
		snprintf(buf, size, "%s[%llu] + %llu", arrays[i].name,
			 (unsigned long long)(offset / arrays[i].entry),
			 (unsigned long long)(offset % arrays[i].entry));
		return;
	}
	if (offset < s->off_mem_map) {
		describe_state(offset, buf, size);
		return;
	}
	offset -= s->off_mem_map;
	snprintf(buf, size, "mem_map[%zu].%s", offset / sizeof(struct page),
		 page_field(offset % sizeof(struct page)));
}
