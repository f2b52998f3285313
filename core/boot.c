// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Booting: the firmware's map becomes memblock, memblock becomes zones and free lists.
#include <errno.h>
#include <string.h>

#include "boot.h"
#include "buddy.h"
#include "procfs.h"

#define MiB (1u << 20)

enum {
	RESERVE_LOW = 64 << 10, // the BIOS corrupts the first pages
	EBDA_DEFAULT = 0x9F000,
	BIOS_START = 0xA0000,
	BIOS_END = 0x100000,
	PHYSICAL_START = 16 << 20,
};

// ---- memblock ----

// Replaces what the map says about [start, end) by giving the range the strongest type.
static void e820_override(struct e820map *map, uint64_t start, uint64_t end, uint32_t type)
{
	if (map->nr_map < E820MAX)
		map->map[map->nr_map++] = (struct e820entry){start, end - start, type, 0};
	sanitize_e820_map(map);
}

static void e820_remove_ram(struct e820map *map, uint64_t start, uint64_t end)
{
	for (unsigned i = 0, n = map->nr_map; i < n; i++) {
		struct e820entry *e = &map->map[i];
		uint64_t e_end = e->addr + e->size;

		if (e->type != E820_RAM || e->addr >= end || e_end <= start)
			continue;
		e->size = start > e->addr ? start - e->addr : 0;
		if (e_end <= end)
			continue;
		if (!e->size)
			*e = (struct e820entry){end, e_end - end, E820_RAM, 0};
		else if (map->nr_map < E820MAX)
			map->map[map->nr_map++] = (struct e820entry){end, e_end - end, E820_RAM, 0};
	}
	sanitize_e820_map(map);
}

void e820_trim(struct e820map *map)
{
	sanitize_e820_map(map);
	e820_override(map, 0, RESERVE_LOW, E820_RESERVED);
	e820_remove_ram(map, BIOS_START, BIOS_END);
}

// Where the BIOS's own data begins below 640 KiB.
static uint32_t lowmem_top(const struct memblock *mb)
{
	uint32_t top = 0;

	for (unsigned i = 0; i < mb->memory.cnt; i++) {
		const struct memblock_region *r = &mb->memory.regions[i];

		if (r->base + r->size <= BIOS_START)
			top = r->base + r->size;
	}
	return top >= 0x20000 ? top : EBDA_DEFAULT;
}

void boot_memblock(struct machine *m)
{
	struct memblock *mb = &m->s->memblock;
	struct e820map map = m->s->cfg.e820;
	uint32_t image = (m->s->cfg.kernel_bytes + PAGE_SIZE - 1) & -PAGE_SIZE;

	memblock_init(mb);
	e820_trim(&map);
	mb->can_resize = 1;
	mb->rounds = m->s->cfg.model != MODEL_3_4_2;
	for (unsigned i = 0; i < map.nr_map; i++) {
		const struct e820entry *e = &map.map[i];
		uint64_t end = e->addr + e->size;

		// An end at or above 4 GiB does not fit the kernel's 32-bit type: skipped whole.
		if (end == (uint32_t)end && (e->type == E820_RAM || e->type == E820_RESERVED_KERN))
			memblock_add(mb, e->addr, e->size);
	}
	memblock_trim_memory(mb, PAGE_SIZE);
	memblock_reserve(mb, PHYSICAL_START, image);
	memblock_reserve(mb, lowmem_top(mb), BIOS_END - lowmem_top(mb));
	memblock_reserve(mb, PHYSICAL_START + image, PAGE_SIZE); // used part of the brk area
	mb->current_limit = m->s->max_low_pfn << PAGE_SHIFT;
}

// Nothing else in the machine tells them apart.
void kernel_image_parts(const struct machine_config *cfg, uint32_t *data, uint32_t *bss)
{
	*data = cfg->kernel_bytes / 8 * 5 & -(uint32_t)PAGE_SIZE;
	*bss = cfg->kernel_bytes / 8 * 7 & -(uint32_t)PAGE_SIZE;
}

// A hash table of the kernel: a share of lowmem, rounded up to a power of two entries.
uint32_t boot_hash_bytes(uint32_t kernel_pages, unsigned scale)
{
	uint32_t want = ((kernel_pages + 255) & ~255u) >> (scale - PAGE_SHIFT), entries = 1;

	while (entries < want)
		entries <<= 1;
	return entries * 4;
}

// What each zone keeps for itself: three bits for every pageblock, and its wait queues.
static void reserve_zone_tables(struct machine *m)
{
	const uint32_t queue_bytes = m->s->cfg.smp ? 12 : 8; // the lock of a UP build takes none

	for (unsigned zone = 0; zone < MAX_NR_ZONES; zone++) {
		struct memblock *mb = &m->s->memblock;
		pfn_t start, end;

		if (!zone_span(m, zone, &start, &end))
			continue;
		pfn_t first = counts_from_zone_start(m) ? start : start & -PAGEBLOCK_NR_PAGES;
		uint32_t blocks = (end - first + PAGEBLOCK_NR_PAGES - 1) >> PAGEBLOCK_ORDER;
		memblock_alloc(mb, (blocks * 3 + 31) / 32 * 4, m->s->cfg.l1_bytes);
		memblock_alloc(mb, zone_wait_table_entries(end - start) * queue_bytes,
			       m->s->cfg.l1_bytes);
	}
}

// Top down from the end of lowmem, in the kernel's order. Nothing is ever read from these frames:
// they matter because the machine cannot give them out.
void boot_reserve_early(struct machine *m)
{
	struct machine_state *s = m->s;
	struct memblock *mb = &s->memblock;
	uint32_t frames = (s->max_pfn + PAGEBLOCK_NR_PAGES - 1) & -PAGEBLOCK_NR_PAGES;
	uint32_t kernel_pages = s->max_low_pfn, align = s->cfg.l1_bytes, percpu;

	memblock_set_node(mb, 0, UINT32_MAX, 0); // the only one
	s->kmap.mem_map = s->cfg.page_offset + memblock_alloc(mb, frames * 32, align);
	reserve_zone_tables(m);
	percpu = memblock_alloc(mb, pcpu_unit_size(&s->cfg) * s->cfg.ncpus, PAGE_SIZE);
	pcpu_init(m, s->cfg.page_offset + percpu);
	memblock_alloc(mb, boot_hash_bytes(kernel_pages, 18), align); // pid
	memblock_alloc(mb, boot_hash_bytes(kernel_pages, 13), align); // dentry
	memblock_alloc(mb, boot_hash_bytes(kernel_pages, 14), align); // inode
}

// ---- mem_map ----

// Frames behind the last used one may exist (highmem=), but have no entry.
static void mark_pages(struct machine *m, pfn_t start, pfn_t end, uint32_t flag, int32_t count)
{
	const pfn_t frames = (m->s->max_pfn + PAGEBLOCK_NR_PAGES - 1) & -PAGEBLOCK_NR_PAGES;

	for (pfn_t pfn = start; pfn < end && pfn < frames; pfn++) {
		pfn_to_page(m, pfn)->flags = PAGE_FLAG_BIT(flag);
		pfn_to_page(m, pfn)->_count = count;
	}
}

// Marks what will never be free: holes between RAM, and memblock's reservations in RAM.
static void mark_reserved(struct machine *m)
{
	const struct memblock *mb = &m->s->memblock;
	pfn_t pos = 0;

	for (unsigned i = 0; i < mb->memory.cnt; i++) {
		const struct memblock_region *r = &mb->memory.regions[i];
		pfn_t start = ((uint64_t)r->base + PAGE_SIZE - 1) >> PAGE_SHIFT;
		pfn_t end = ((uint64_t)r->base + r->size) >> PAGE_SHIFT;

		mark_pages(m, pos, start, PG_hole, 0);
		pos = end > pos ? end : pos;
	}
	mark_pages(m, pos, (m->s->max_pfn + PAGEBLOCK_NR_PAGES - 1) & -PAGEBLOCK_NR_PAGES, PG_hole,
		   0);
	for (unsigned i = 0; i < mb->reserved.cnt; i++) {
		const struct memblock_region *r = &mb->reserved.regions[i];
		pfn_t end = ((uint64_t)r->base + r->size + PAGE_SIZE - 1) >> PAGE_SHIFT;

		for (pfn_t pfn = r->base >> PAGE_SHIFT; pfn < end && pfn < m->s->max_pfn; pfn++)
			if (!(pfn_to_page(m, pfn)->flags & PAGE_FLAG_BIT(PG_hole)))
				mark_pages(m, pfn, pfn + 1, PG_reserved, 1);
	}
}

// ---- hand-over ----

// Counters directly: nobody else runs, and the boot pagesets have threshold 0.
static void release_block(struct machine *m, unsigned zone, pfn_t pfn, unsigned order)
{
	unsigned mt = get_pageblock_migratetype(m, pfn);

	if (order == MAX_ORDER - 1)
		add_free_block(m, zone, pfn, order, mt, false);
	else
		__free_one_page(m, zone, pfn, order, mt);
	m->s->zone[zone].vm_stat[NR_FREE_PAGES] += 1 << order;
}

// The kernel frees HighMem page by page, lowmem in chunks of 32. Both end in the same lists as
// taking a wholly free pageblock at once, because every block inside it merges away and nothing
// else of that block is ever listed; so only ragged ends are freed in small pieces.
static void release_range(struct machine *m, unsigned zone, pfn_t start, pfn_t end)
{
	unsigned chunk = zone == ZONE_HIGHMEM ? 0 : 5;

	while (start < end) {
		unsigned order = 0;

		if (!(start & (PAGEBLOCK_NR_PAGES - 1)) && end - start >= PAGEBLOCK_NR_PAGES)
			order = MAX_ORDER - 1;
		else if (!(start & ((1u << chunk) - 1)) && end - start >= 1u << chunk)
			order = chunk;
		release_block(m, zone, start, order);
		start += 1u << order;
	}
}

// Frees the parts of memblock's free ranges that lie in pfns [low, high), whole pages only.
static uint32_t release_free_ranges(struct machine *m, pfn_t low, pfn_t high)
{
	uint64_t cursor = 0;
	uint32_t from, to, pages = 0;

	while (memblock_next_free(&m->s->memblock, &cursor, &from, &to)) {
		pfn_t start = ((uint64_t)from + PAGE_SIZE - 1) >> PAGE_SHIFT,
		      end = to >> PAGE_SHIFT;

		start = start > low ? start : low;
		end = end < high ? end : high;
		if (start >= end)
			continue;
		pages += end - start;
		// A range may cover the end of DMA, which is a pageblock border.
		pfn_t border = m->s->zone[ZONE_NORMAL].zone_start_pfn;
		if (start < border && end > border) {
			release_range(m, ZONE_DMA, start, border);
			start = border;
		}
		release_range(m, zone_of(m, start), start, end);
	}
	return pages;
}

// HighMem first, as in the kernel: visible only in which lists fill first.
void mem_init(struct machine *m)
{
	struct machine_state *s = m->s;

	s->totalhigh_pages = release_free_ranges(m, s->highstart_pfn, s->max_pfn);
	s->totalram_pages = release_free_ranges(m, 0, s->highstart_pfn) + s->totalhigh_pages;
	s->pgfree = s->totalram_pages;
}

void page_alloc_init(struct machine *m)
{
	zones_init(m);
	mark_reserved(m);
	mem_init(m);
}

// The order of reference 2.7. Watermarks come last; until then every request succeeds.
// Pagesets are per-CPU memory; what they hold is kept with the zones.
static void alloc_pagesets(struct machine *m)
{
	for (unsigned zone = 0; zone < MAX_NR_ZONES; zone++)
		if (m->s->zone[zone].present_pages)
			alloc_percpu(m, m->s->cfg.smp ? 64 : 36, 4);
}

// What an administrator's script would write after boot. Unknown caches stop the boot: a setting
// that silently does nothing is worse.
static int tune_slabs(struct machine *m, const char **why)
{
	for (unsigned i = 0; i < MAX_SLAB_TUNE; i++) {
		const char *text = m->s->cfg.slab_tune[i];
		int ret = *text ? slabinfo_write(m, text) : 0;

		if (!ret)
			continue;
		*why = ret == -ERANGE ? "slab tunables must be 1 <= batch <= limit <= 508, "
					"shared * batch <= 4092"
				      : "slab tunables are NAME LIMIT BATCH SHARED of a cache that "
					"exists after boot";
		return -EINVAL;
	}
	return 0;
}

int machine_boot(struct machine *m, void *memory, const struct machine_config *cfg,
		 const char **why)
{
	int ret = machine_init(m, memory, cfg, why);

	if (ret)
		return ret;
	boot_memblock(m);
	pgtable_init(m);
	boot_reserve_early(m);
	page_alloc_init(m);
	kmem_cache_init(m);
	pcpu_init_late(m);
	vmalloc_init(m);
	kmem_cache_init_late(m);
	kernel_stack_init(m);
	alloc_pagesets(m);
	zones_init_late(m);
	return tune_slabs(m, why);
}
