// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// /proc texts of the page allocator and the machine as a whole (reference 13).
#include "procfs.h"

#include "boot.h"
#include "buddy.h"
#include "text.h"

// Counters may stand below zero while another CPU holds the difference.
static uint32_t page_state(const struct zone *z, unsigned item)
{
	return z->vm_stat[item] > 0 ? z->vm_stat[item] : 0;
}

static uint32_t global_page_state(const struct machine *m, unsigned item)
{
	int64_t sum = 0;

	for (unsigned zone = 0; zone < MAX_NR_ZONES; zone++)
		sum += m->s->zone[zone].vm_stat[item];
	return sum > 0 ? sum : 0;
}

static bool populated(const struct machine *m, unsigned zone)
{
	return m->s->zone[zone].present_pages;
}

int proc_buddyinfo(struct machine *m, char *buf, size_t size)
{
	struct text t = {buf, size, 0};

	put(&t, "%s", "");
	for (unsigned zone = 0; zone < MAX_NR_ZONES; zone++) {
		if (!populated(m, zone))
			continue;
		put(&t, "Node 0, zone %8s ", zone_names[zone]);
		for (unsigned order = 0; order < MAX_ORDER; order++)
			put(&t, "%6u ", m->s->zone[zone].free_area[order].nr_free);
		put(&t, "\n");
	}
	return t.len;
}

// ---- pagetypeinfo ----

// Bounded, because a damaged recording may have closed a list to a ring or led it out of the map.
static uint32_t list_length(const struct machine *m, const struct list_head *list, uint32_t most)
{
	uint32_t n = 0;

	for (pfn_t pfn = list->first; pfn && pfn < m->s->max_pfn && n < most;
	     pfn = pfn_to_page(m, pfn)->lru.next)
		n++;
	return n;
}

static void put_free_types(const struct machine *m, struct text *t, unsigned zone)
{
	for (unsigned mt = 0; mt < MIGRATE_TYPES; mt++) {
		put(t, "Node    0, zone %8s, type %12s ", zone_names[zone], migratetype_name(mt));
		for (unsigned order = 0; order < MAX_ORDER; order++) {
			const struct free_area *area = &m->s->zone[zone].free_area[order];

			put(t, "%6u ", list_length(m, &area->free_list[mt], area->nr_free));
		}
		put(t, "\n");
	}
}

// Steps by whole blocks from the zone's first frame, aligned or not, as the kernel does.
static void put_block_types(const struct machine *m, struct text *t, unsigned zone)
{
	const struct zone *z = &m->s->zone[zone];
	uint32_t count[MIGRATE_TYPES] = {0};

	for (pfn_t pfn = z->zone_start_pfn; pfn < zone_end_pfn(z); pfn += PAGEBLOCK_NR_PAGES) {
		unsigned type = get_pageblock_migratetype(m, pfn);

		if (type < MIGRATE_TYPES)
			count[type]++;
	}
	put(t, "Node 0, zone %8s ", zone_names[zone]);
	for (unsigned mt = 0; mt < MIGRATE_TYPES; mt++)
		put(t, "%12u ", count[mt]);
	put(t, "\n");
}

int proc_pagetypeinfo(struct machine *m, char *buf, size_t size)
{
	struct text t = {buf, size, 0};

	put(&t, "Page block order: %d\nPages per block:  %d\n\n", PAGEBLOCK_ORDER,
	    PAGEBLOCK_NR_PAGES);
	put(&t, "%-43s ", "Free pages count per migrate type at order");
	for (unsigned order = 0; order < MAX_ORDER; order++)
		put(&t, "%6u ", order);
	put(&t, "\n");
	for (unsigned zone = 0; zone < MAX_NR_ZONES; zone++)
		if (populated(m, zone))
			put_free_types(m, &t, zone);
	put(&t, "\n%-23s", "Number of blocks type ");
	for (unsigned mt = 0; mt < MIGRATE_TYPES; mt++)
		put(&t, "%12s ", migratetype_name(mt));
	put(&t, "\n");
	for (unsigned zone = 0; zone < MAX_NR_ZONES; zone++)
		if (populated(m, zone))
			put_block_types(m, &t, zone);
	return t.len;
}

// ---- zoneinfo ----

static const char *const stat_names[NR_VM_ZONE_STAT_ITEMS] = {
	[NR_FREE_PAGES] = "nr_free_pages",
	[NR_INACTIVE_ANON] = "nr_inactive_anon",
	[NR_ACTIVE_ANON] = "nr_active_anon",
	[NR_INACTIVE_FILE] = "nr_inactive_file",
	[NR_ACTIVE_FILE] = "nr_active_file",
	[NR_UNEVICTABLE] = "nr_unevictable",
	[NR_MLOCK] = "nr_mlock",
	[NR_ANON_PAGES] = "nr_anon_pages",
	[NR_FILE_MAPPED] = "nr_mapped",
	[NR_FILE_PAGES] = "nr_file_pages",
	[NR_FILE_DIRTY] = "nr_dirty",
	[NR_WRITEBACK] = "nr_writeback",
	[NR_SLAB_RECLAIMABLE] = "nr_slab_reclaimable",
	[NR_SLAB_UNRECLAIMABLE] = "nr_slab_unreclaimable",
	[NR_PAGETABLE] = "nr_page_table_pages",
	[NR_KERNEL_STACK] = "nr_kernel_stack",
	[NR_UNSTABLE_NFS] = "nr_unstable",
	[NR_BOUNCE] = "nr_bounce",
	[NR_VMSCAN_WRITE] = "nr_vmscan_write",
	[NR_VMSCAN_IMMEDIATE] = "nr_vmscan_immediate_reclaim",
	[NR_WRITEBACK_TEMP] = "nr_writeback_temp",
	[NR_ISOLATED_ANON] = "nr_isolated_anon",
	[NR_ISOLATED_FILE] = "nr_isolated_file",
	[NR_SHMEM] = "nr_shmem",
	[NR_DIRTIED] = "nr_dirtied",
	[NR_WRITTEN] = "nr_written",
	[NR_ANON_TRANSPARENT_HUGEPAGES] = "nr_anon_transparent_hugepages",
};

static void put_pagesets(const struct machine *m, struct text *t, const struct zone *z)
{
	put(t, "\n  pagesets");
	for (unsigned cpu = 0; cpu < m->s->cfg.ncpus; cpu++) {
		const struct per_cpu_pages *pcp = &z->pageset[cpu];

		put(t,
		    "\n    cpu: %u\n              count: %u\n              high:  %u"
		    "\n              batch: %u",
		    cpu, pcp->count, pcp->high, pcp->batch);
		if (m->s->cfg.smp)
			put(t, "\n  vm stats threshold: %d", pcp->stat_threshold);
	}
}

static void put_zone(const struct machine *m, struct text *t, unsigned zone)
{
	const struct zone *z = &m->s->zone[zone];
	const uint32_t *reserve = z->lowmem_reserve;

	put(t, "Node 0, zone %8s", zone_names[zone]);
	put(t,
	    "\n  pages free     %u\n        min      %u\n        low      %u\n        high     %u"
	    "\n        scanned  %u\n        spanned  %u\n        present  %u",
	    page_state(z, NR_FREE_PAGES), z->watermark[WMARK_MIN], z->watermark[WMARK_LOW],
	    z->watermark[WMARK_HIGH], z->pages_scanned, z->spanned_pages, z->present_pages);
	for (unsigned item = 0; item < NR_VM_ZONE_STAT_ITEMS; item++)
		put(t, "\n    %-12s %u", stat_names[item], page_state(z, item));
	put(t, "\n        protection: (%u, %u, %u, %u)", reserve[0], reserve[1], reserve[2],
	    reserve[3]);
	put_pagesets(m, t, z);
	put(t, "\n  all_unreclaimable: %u\n  start_pfn:         %u\n  inactive_ratio:    %u\n",
	    z->all_unreclaimable, z->zone_start_pfn, z->inactive_ratio);
}

int proc_zoneinfo(struct machine *m, char *buf, size_t size)
{
	struct text t = {buf, size, 0};

	put(&t, "%s", "");
	for (unsigned zone = 0; zone < MAX_NR_ZONES; zone++)
		if (populated(m, zone))
			put_zone(m, &t, zone);
	return t.len;
}

// ---- meminfo ----

static void put_pages(struct text *t, const char *name, uint64_t pages)
{
	put(t, "%-16s%8llu kB\n", name, (unsigned long long)pages << (PAGE_SHIFT - 10));
}

// Areas with a vm_struct only: those lazily freed count as free already.
static void vmalloc_usage(const struct machine *m, uint32_t *used, uint32_t *largest)
{
	const struct vmalloc_state *vs = &m->s->vmalloc;
	kaddr_t end = vs->start;

	*used = *largest = 0;
	for (uint32_t id = vs->areas.first; id; id = m->areas[id].list.next) {
		const struct vmap_area *va = &m->areas[id];

		if (!(va->va_flags & VA_VM_AREA))
			continue;
		if (va->va_start - end > *largest)
			*largest = va->va_start - end;
		*used += va->va_end - va->va_start;
		end = va->va_end;
	}
	if (vs->end - end > *largest)
		*largest = vs->end - end;
}

static void put_lru(const struct machine *m, struct text *t)
{
	uint32_t active_anon = global_page_state(m, NR_ACTIVE_ANON);
	uint32_t inactive_anon = global_page_state(m, NR_INACTIVE_ANON);
	uint32_t active_file = global_page_state(m, NR_ACTIVE_FILE);
	uint32_t inactive_file = global_page_state(m, NR_INACTIVE_FILE);

	put_pages(t, "Active:", active_anon + active_file);
	put_pages(t, "Inactive:", inactive_anon + inactive_file);
	put_pages(t, "Active(anon):", active_anon);
	put_pages(t, "Inactive(anon):", inactive_anon);
	put_pages(t, "Active(file):", active_file);
	put_pages(t, "Inactive(file):", inactive_file);
	put_pages(t, "Unevictable:", global_page_state(m, NR_UNEVICTABLE));
	put_pages(t, "Mlocked:", global_page_state(m, NR_MLOCK));
}

static void put_highmem(const struct machine *m, struct text *t)
{
	uint32_t free = global_page_state(m, NR_FREE_PAGES);
	uint32_t high_free = page_state(&m->s->zone[ZONE_HIGHMEM], NR_FREE_PAGES);

	put_pages(t, "HighTotal:", m->s->totalhigh_pages);
	put_pages(t, "HighFree:", high_free);
	put_pages(t, "LowTotal:", m->s->totalram_pages - m->s->totalhigh_pages);
	put_pages(t, "LowFree:", free - high_free);
}

static void put_use(const struct machine *m, struct text *t)
{
	uint32_t reclaimable = global_page_state(m, NR_SLAB_RECLAIMABLE);
	uint32_t unreclaimable = global_page_state(m, NR_SLAB_UNRECLAIMABLE);

	put_pages(t, "Dirty:", global_page_state(m, NR_FILE_DIRTY));
	put_pages(t, "Writeback:", global_page_state(m, NR_WRITEBACK));
	put_pages(t, "AnonPages:", global_page_state(m, NR_ANON_PAGES));
	put_pages(t, "Mapped:", global_page_state(m, NR_FILE_MAPPED));
	put_pages(t, "Shmem:", global_page_state(m, NR_SHMEM));
	put_pages(t, "Slab:", reclaimable + unreclaimable);
	put_pages(t, "SReclaimable:", reclaimable);
	put_pages(t, "SUnreclaim:", unreclaimable);
	put_pages(t, "KernelStack:", global_page_state(m, NR_KERNEL_STACK) * 2); // 8 KiB each
	put_pages(t, "PageTables:", global_page_state(m, NR_PAGETABLE));
	put_pages(t, "NFS_Unstable:", global_page_state(m, NR_UNSTABLE_NFS));
	put_pages(t, "Bounce:", global_page_state(m, NR_BOUNCE));
	put_pages(t, "WritebackTmp:", global_page_state(m, NR_WRITEBACK_TEMP));
	put_pages(t, "CommitLimit:", m->s->totalram_pages / 2);
	put_pages(t, "Committed_AS:", 0);
}

// Large pages map lowmem except the first 4 MiB and a tail shorter than 4 MiB.
static void put_direct_map(const struct machine *m, struct text *t)
{
	uint32_t tail = m->s->max_low_pfn & (PAGEBLOCK_NR_PAGES - 1);
	uint32_t small = m->s->cfg.e820.nopentium ? m->s->max_low_pfn : PAGEBLOCK_NR_PAGES + tail;

	put(t, "HugePages_Total:       0\nHugePages_Free:        0\nHugePages_Rsvd:        0\n"
	       "HugePages_Surp:        0\nHugepagesize:       4096 kB\n");
	put_pages(t, "DirectMap4k:", small);
	put_pages(t, "DirectMap4M:", m->s->max_low_pfn - small);
}

int proc_meminfo(struct machine *m, char *buf, size_t size)
{
	struct text t = {buf, size, 0};
	uint32_t used, largest;

	vmalloc_usage(m, &used, &largest);
	put_pages(&t, "MemTotal:", m->s->totalram_pages);
	put_pages(&t, "MemFree:", global_page_state(m, NR_FREE_PAGES));
	put_pages(&t, "Buffers:", 0);
	put_pages(&t, "Cached:", global_page_state(m, NR_FILE_PAGES));
	put_pages(&t, "SwapCached:", 0);
	put_lru(m, &t);
	put_highmem(m, &t);
	put_pages(&t, "SwapTotal:", 0);
	put_pages(&t, "SwapFree:", 0);
	put_use(m, &t);
	put_pages(&t, "VmallocTotal:", (m->s->vmalloc.end - m->s->vmalloc.start) >> PAGE_SHIFT);
	put_pages(&t, "VmallocUsed:", used >> PAGE_SHIFT);
	put_pages(&t, "VmallocChunk:", largest >> PAGE_SHIFT);
	put_direct_map(m, &t);
	return t.len;
}

// ---- iomem ----

static const char *e820_name(uint32_t type)
{
	switch (type) {
	case E820_RAM:
	case E820_RESERVED_KERN:
		return "System RAM";
	case E820_ACPI:
		return "ACPI Tables";
	case E820_NVS:
		return "ACPI Non-volatile Storage";
	case E820_UNUSABLE:
		return "Unusable memory";
	default:
		return "reserved";
	}
}

static void put_resource(struct text *t, int depth, uint64_t start, uint64_t end, const char *name)
{
	if (start < end)
		put(t, "%*s%08llx-%08llx : %s\n", 2 * depth, "", (unsigned long long)start,
		    (unsigned long long)end - 1, name);
}

static void put_image(const struct machine *m, struct text *t)
{
	const uint64_t start = 16 << 20, bytes = m->s->cfg.kernel_bytes & ~(PAGE_SIZE - 1u);
	uint32_t data, bss;

	kernel_image_parts(&m->s->cfg, &data, &bss);
	put_resource(t, 1, start, start + data, "Kernel code");
	put_resource(t, 1, start + data, start + bss, "Kernel data");
	put_resource(t, 1, start + bss, start + bytes, "Kernel bss");
}

// Behind RAM the kernel keeps devices away up to a rounder address.
static uint64_t ram_buffer_end(uint64_t end)
{
	uint64_t align = end < 1 << 20 ? 64 << 10 : end < 16 << 20 ? 1 << 20 : 64 << 20;

	return (end + align - 1) & ~(align - 1);
}

// What lies above 4 GiB does not fit the kernel's resources and is not shown.
int proc_iomem(struct machine *m, char *buf, size_t size)
{
	const uint64_t vga = 0xA0000, rom = 0xF0000, top = 1ull << 32;
	struct text t = {buf, size, 0};
	struct e820map map = m->s->cfg.e820;
	bool vga_done = false;

	e820_trim(&map);
	for (unsigned i = 0; i < map.nr_map && map.map[i].addr + map.map[i].size <= top; i++) {
		const struct e820entry *e = &map.map[i];
		uint64_t end = e->addr + e->size, next = i + 1 < map.nr_map ? e[1].addr : top;

		if (!vga_done && e->addr >= 0xC0000)
			put_resource(&t, 0, vga, 0xC0000, "Video RAM area");
		vga_done |= e->addr >= 0xC0000;
		put_resource(&t, 0, e->addr, end, e820_name(e->type));
		if (e->addr <= rom && end >= 0x100000 && e->type != E820_RAM)
			put_resource(&t, 1, rom, 0x100000, "System ROM");
		if (e->addr <= 16 << 20 && end > 16 << 20 && e->type == E820_RAM)
			put_image(m, &t);
		if (e->type == E820_RAM && ram_buffer_end(end) <= next)
			put_resource(&t, 0, end, ram_buffer_end(end), "RAM buffer");
	}
	return t.len;
}

const struct proc_file proc_files[] = {
	{"buddyinfo", proc_buddyinfo},
	{"zoneinfo", proc_zoneinfo},
	{"pagetypeinfo", proc_pagetypeinfo},
	{"slabinfo", proc_slabinfo},
	{"vmallocinfo", proc_vmallocinfo},
	{"meminfo", proc_meminfo},
	{"iomem", proc_iomem},
	{"vmstat", proc_vmstat},
	{"extfrag_index", proc_extfrag_index},
	{"unusable_index", proc_unusable_index},
	{NULL, NULL},
};
