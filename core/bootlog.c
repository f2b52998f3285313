// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The boot log: firmware map, zones, per-CPU areas, hash tables, memory layout.
#include "bootlog.h"

#include "boot.h"
#include "buddy.h"
#include "layout.h"
#include "text.h"

#define MiB (1u << 20)

typedef unsigned long long ull;

// ---- the firmware's map ----

static void put_e820_type(struct text *t, uint32_t type)
{
	switch (type) {
	case E820_RAM:
	case E820_RESERVED_KERN:
		put(t, "(usable)");
		break;
	case E820_RESERVED:
		put(t, "(reserved)");
		break;
	case E820_ACPI:
		put(t, "(ACPI data)");
		break;
	case E820_NVS:
		put(t, "(ACPI NVS)");
		break;
	case E820_UNUSABLE:
		put(t, "(unusable)");
		break;
	default:
		put(t, "type %u", type);
	}
}

// As handed over, but sorted and without overlaps; then the kernel's own two changes.
static void put_e820(const struct machine *m, struct text *t)
{
	struct e820map map = m->s->cfg.e820;

	sanitize_e820_map(&map);
	// only the map after mem= and memmap= is kept
	const char *who = map.user_defined ? "user" : "BIOS-e820";
	put(t, "%s physical RAM map:\n", map.user_defined ? "user-defined" : "BIOS-provided");
	for (unsigned i = 0; i < map.nr_map; i++) {
		const struct e820entry *e = &map.map[i];

		put(t, " %s: %016llx - %016llx ", who, (ull)e->addr, (ull)(e->addr + e->size));
		put_e820_type(t, e->type);
		put(t, "\n");
	}
	put(t, "e820 update range: %016x - %016x (usable) ==> (reserved)\n", 0, 0x10000);
	put(t, "e820 remove range: %016x - %016x (usable)\n", 0xA0000, 0x100000);
	put(t, "last_pfn = %#x max_arch_pfn = 0x100000\n", m->s->max_pfn);
}

// ---- lowmem and zones ----

// The first 4 MiB have attributes of their own and the tail may be ragged: small pages there.
static void put_direct_map(const struct machine *m, struct text *t)
{
	const uint32_t end = m->s->max_low_pfn << PAGE_SHIFT, big_end = end & -(4 * MiB);

	put(t, "init_memory_mapping: %016x-%016x\n", 0, end);
	put(t, " %010x - %010x page 4k\n", 0, 4 * MiB);
	if (big_end > 4 * MiB)
		put(t, " %010x - %010x page 2M\n", 4 * MiB, big_end);
	if (big_end < end)
		put(t, " %010x - %010x page 4k\n", big_end, end);
	put(t, "%uMB HIGHMEM available.\n", (m->s->max_pfn - m->s->max_low_pfn) >> 8);
	put(t, "%uMB LOWMEM available.\n", m->s->max_low_pfn >> 8);
	put(t, "  mapped low ram: 0 - %08x\n  low ram: 0 - %08x\n", end, end);
}

static pfn_t region_start(const struct memblock_region *r)
{
	return ((uint64_t)r->base + PAGE_SIZE - 1) >> PAGE_SHIFT;
}

static pfn_t region_end(const struct memblock_region *r)
{
	return ((uint64_t)r->base + r->size) >> PAGE_SHIFT;
}

static uint32_t ram_pages(const struct machine *m, pfn_t start, pfn_t end)
{
	const struct memblock_type *memory = &m->s->memblock.memory;
	uint32_t pages = 0;

	for (unsigned i = 0; i < memory->cnt; i++) {
		pfn_t from = region_start(&memory->regions[i]),
		      to = region_end(&memory->regions[i]);

		from = from > start ? from : start;
		to = to < end ? to : end;
		pages += to > from ? to - from : 0;
	}
	return pages;
}

static void put_zone_ranges(const struct machine *m, struct text *t)
{
	const struct memblock_type *memory = &m->s->memblock.memory;

	put(t, "Zone PFN ranges:\n");
	for (unsigned zone = 0; zone < ZONE_MOVABLE; zone++) {
		const struct zone *z = &m->s->zone[zone];

		put(t, "  %-8s ", zone_names[zone]);
		if (z->spanned_pages)
			put(t, "%0#10x -> %0#10x\n", z->zone_start_pfn, zone_end_pfn(z));
		else
			put(t, "empty\n");
	}
	put(t, "Movable zone start PFN for each node\nEarly memory PFN ranges\n");
	for (unsigned i = 0; i < memory->cnt; i++)
		put(t, "  %3d: %0#10x -> %0#10x\n", 0, region_start(&memory->regions[i]),
		    region_end(&memory->regions[i]));
	put(t, "On node 0 totalpages: %u\n", ram_pages(m, 0, m->s->max_pfn));
}

static void put_zones(const struct machine *m, struct text *t)
{
	for (unsigned zone = 0; zone < MAX_NR_ZONES; zone++) {
		const struct zone *z = &m->s->zone[zone];
		uint32_t memmap = (z->spanned_pages * 32ull + PAGE_SIZE - 1) >> PAGE_SHIFT;

		if (memmap)
			put(t, "  %s zone: %u pages used for memmap\n", zone_names[zone], memmap);
		if (zone == ZONE_DMA)
			put(t, "  %s zone: 0 pages reserved\n", zone_names[zone]);
		if (z->present_pages)
			put(t, "  %s zone: %u pages, LIFO batch:%u\n", zone_names[zone],
			    z->present_pages, zone_batchsize(z->present_pages));
	}
}

// ---- per-CPU areas and hash tables ----

static void put_percpu(const struct machine *m, struct text *t)
{
	const struct machine_config *cfg = &m->s->cfg;
	const struct pcpu_state *p = &m->s->percpu;
	const uint32_t dyn = p->unit_size - p->static_size;
	// an allocation is one unit, of so many atoms
	const uint32_t atoms = p->unit_size / (p->atom_size ? p->atom_size : PAGE_SIZE);

	if (cfg->smp) {
		put(t, "SMP: Allowing %u CPUs, 0 hotplug CPUs\n", cfg->ncpus);
		put(t, "setup_percpu: NR_CPUS:%u nr_cpumask_bits:%u nr_cpu_ids:%u nr_node_ids:1\n",
		    cfg->nr_cpus, cfg->nr_cpus, cfg->ncpus);
		put(t, "PERCPU: Embedded %u pages/cpu @%08x s%u r0 d%u u%u\n",
		    p->unit_size >> PAGE_SHIFT, p->base_addr, p->static_size, dyn, p->unit_size);
	}
	put(t, "pcpu-alloc: s%u r0 d%u u%u alloc=%u*%u\npcpu-alloc: ", p->static_size, dyn,
	    p->unit_size, atoms, p->atom_size);
	for (unsigned cpu = 0; cpu < cfg->ncpus; cpu++)
		put(t, "[0] %u ", cpu);
	put(t, "\n");
}

static void put_hash(const struct machine *m, struct text *t, const char *name, unsigned scale)
{
	const uint32_t bytes = boot_hash_bytes(m->s->max_low_pfn, scale);

	put(t, "%s hash table entries: %u (order: %d, %u bytes)\n", name, bytes / 4,
	    31 - __builtin_clz(bytes) - PAGE_SHIFT, bytes);
}

static void put_zonelists(const struct machine *m, struct text *t)
{
	uint32_t pages = 0;

	for (unsigned zone = 0; zone < MAX_NR_ZONES; zone++)
		pages += m->s->zone[zone].present_pages;
	put(t, "Built 1 zonelists in Zone order, mobility grouping %s.  Total pages: %u\n",
	    m->s->page_group_by_mobility_disabled ? "off" : "on", pages);
	put_hash(m, t, "PID", 18);
	put_hash(m, t, "Dentry cache", 13);
	put_hash(m, t, "Inode-cache", 14);
}

// ---- mem_init ----

// Lowmem frames of RAM that the hand-over kept; as then, whatever the program took since.
static uint32_t reserved_pages(const struct machine *m)
{
	const uint32_t lowmem = ram_pages(m, 0, m->s->max_low_pfn);

	return lowmem - (m->s->totalram_pages - m->s->totalhigh_pages);
}

static void put_memory(const struct machine *m, struct text *t)
{
	const struct machine_state *s = m->s;
	const struct zone *high = &s->zone[ZONE_HIGHMEM];
	uint32_t data, bss;

	kernel_image_parts(&s->cfg, &data, &bss);
	put(t, "Initializing HighMem for node 0 (%08x:%08x)\n", high->zone_start_pfn,
	    zone_end_pfn(high));
	put(t,
	    "Memory: %uk/%uk available (%uk kernel code, %uk reserved, %uk data, %uk init, "
	    "%uk highmem)\n",
	    s->totalram_pages << 2, s->max_pfn << 2, data >> 10, reserved_pages(m) << 2,
	    (bss - data) >> 10, 0, s->totalhigh_pages << 2);
}

static void put_range(struct text *t, const char *name, kaddr_t start, kaddr_t end, uint32_t unit)
{
	put(t, "%s: 0x%08x - 0x%08x   (%4u %s)\n", name, start, end, (end - start) / unit,
	    unit == MiB ? "MB" : "kB");
}

static void put_layout(const struct machine *m, struct text *t)
{
	const struct machine_state *s = m->s;
	const kaddr_t image = s->cfg.page_offset + 16 * MiB;
	uint32_t data, bss;

	kernel_image_parts(&s->cfg, &data, &bss);
	put(t, "virtual kernel memory layout:\n");
	put_range(t, "    fixmap  ", s->kmap.fixaddr_start, s->kmap.fixaddr_top, 1024);
	put_range(t, "    pkmap   ", s->kmap.pkmap_base,
		  s->kmap.pkmap_base + LAST_PKMAP * PAGE_SIZE, 1024);
	put_range(t, "    vmalloc ", s->vmalloc.start, s->vmalloc.end, MiB);
	put_range(t, "    lowmem  ", s->cfg.page_offset, s->high_memory, MiB);
	put_range(t, "      .init ", image + bss, image + bss, 1024);
	put_range(t, "      .data ", image + data, image + bss, 1024);
	put_range(t, "      .text ", image, image + data, 1024);
}

int boot_log(const struct machine *m, char *buf, size_t size)
{
	struct text t = {buf, size, 0};

	put_e820(m, &t);
	put_direct_map(m, &t);
	put_zone_ranges(m, &t);
	put_zones(m, &t);
	put_percpu(m, &t);
	put_zonelists(m, &t);
	put_memory(m, &t);
	put_layout(m, &t);
	return t.len;
}
