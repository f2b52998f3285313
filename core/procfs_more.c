// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// /proc/vmstat and debugfs extfrag/ (reference 13.8, 6.11).
#include "machine.h"
#include "procfs.h"
#include "text.h"

// ---- vmstat ----

static const char *const zone_items[NR_VM_ZONE_STAT_ITEMS] = {
	"nr_free_pages",
	"nr_inactive_anon",
	"nr_active_anon",
	"nr_inactive_file",
	"nr_active_file",
	"nr_unevictable",
	"nr_mlock",
	"nr_anon_pages",
	"nr_mapped",
	"nr_file_pages",
	"nr_dirty",
	"nr_writeback",
	"nr_slab_reclaimable",
	"nr_slab_unreclaimable",
	"nr_page_table_pages",
	"nr_kernel_stack",
	"nr_unstable",
	"nr_bounce",
	"nr_vmscan_write",
	"nr_vmscan_immediate_reclaim",
	"nr_writeback_temp",
	"nr_isolated_anon",
	"nr_isolated_file",
	"nr_shmem",
	"nr_dirtied",
	"nr_written",
	"nr_anon_transparent_hugepages",
};

// A '*' stands for each zone. The machine has no swap, faults or compaction and does not keep the
// reclaimer's counts: of these only pgalloc and pgfree ever move.
static const char *const events[] = {
	"pgpgin",
	"pgpgout",
	"pswpin",
	"pswpout",
	"pgalloc_*",
	"pgfree",
	"pgactivate",
	"pgdeactivate",
	"pgfault",
	"pgmajfault",
	"pgrefill_*",
	"pgsteal_kswapd_*",
	"pgsteal_direct_*",
	"pgscan_kswapd_*",
	"pgscan_direct_*",
	"pginodesteal",
	"slabs_scanned",
	"kswapd_inodesteal",
	"kswapd_low_wmark_hit_quickly",
	"kswapd_high_wmark_hit_quickly",
	"kswapd_skip_congestion_wait",
	"pageoutrun",
	"allocstall",
	"pgrotated",
	"compact_blocks_moved",
	"compact_pages_moved",
	"compact_pagemigrate_failed",
	"compact_stall",
	"compact_fail",
	"compact_success",
	"htlb_buddy_alloc_success",
	"htlb_buddy_alloc_fail",
	"unevictable_pgs_culled",
	"unevictable_pgs_scanned",
	"unevictable_pgs_rescued",
	"unevictable_pgs_mlocked",
	"unevictable_pgs_munlocked",
	"unevictable_pgs_cleared",
	"unevictable_pgs_stranded",
	"unevictable_pgs_mlockfreed",
};

enum {
	EVENT_PGALLOC = 4,
	EVENT_PGFREE,
};

static const char *const zone_suffix[MAX_NR_ZONES] = {"dma", "normal", "high", "movable"};

static int64_t zone_count(const struct machine *m, unsigned zone, unsigned item)
{
	int32_t count = m->s->zone[zone].vm_stat[item];

	return count > 0 ? count : 0;
}

// What a zone could hold dirty: free and file pages beyond what it keeps back. May be negative.
static int64_t zone_dirtyable(const struct machine *m, unsigned zone)
{
	const struct zone *z = &m->s->zone[zone];
	uint32_t reserve = 0;

	for (unsigned i = 0; i < MAX_NR_ZONES; i++)
		reserve = z->lowmem_reserve[i] > reserve ? z->lowmem_reserve[i] : reserve;
	reserve += z->watermark[WMARK_HIGH];
	reserve = reserve < z->present_pages ? reserve : z->present_pages;
	return zone_count(m, zone, NR_FREE_PAGES) + zone_count(m, zone, NR_INACTIVE_FILE) +
	       zone_count(m, zone, NR_ACTIVE_FILE) - reserve;
}

// Highmem does not count (vm.highmem_is_dirtyable 0); vm.dirty_ratio 20, background 10.
static void put_dirty_limits(const struct machine *m, struct text *t)
{
	int64_t pages = zone_dirtyable(m, ZONE_DMA) + zone_dirtyable(m, ZONE_NORMAL);

	pages = (pages > 0 ? pages : 0) + 1;
	put(t, "nr_dirty_threshold %u\n", (uint32_t)(pages * 20 / 100));
	put(t, "nr_dirty_background_threshold %u\n", (uint32_t)(pages * 10 / 100));
}

static uint32_t zone_event(const struct machine *m, unsigned zone, unsigned event)
{
	const struct zone *z = &m->s->zone[zone];
	uint32_t n = event == EVENT_PGALLOC ? m->s->pgalloc[zone] : 0;

	for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++)
		n += event == EVENT_PGALLOC  ? z->pageset[cpu].pgalloc
		     : event == EVENT_PGFREE ? z->pageset[cpu].pgfree
					     : 0;
	return n;
}

static void put_event(const struct machine *m, struct text *t, unsigned event)
{
	const char *name = events[event];
	int len = 0;
	uint32_t all = event == EVENT_PGFREE ? m->s->pgfree : 0;

	while (name[len] && name[len] != '*')
		len++;
	for (unsigned zone = 0; zone < MAX_NR_ZONES; zone++) {
		uint32_t n = zone_event(m, zone, event);

		all += n;
		if (name[len])
			put(t, "%.*s%s %u\n", len, name, zone_suffix[zone], n);
	}
	if (!name[len])
		put(t, "%s %u\n", name, all);
}

int proc_vmstat(struct machine *m, char *buf, size_t size)
{
	struct text t = {buf, size, 0};

	for (unsigned item = 0; item < NR_VM_ZONE_STAT_ITEMS; item++) {
		int64_t sum = 0;

		for (unsigned zone = 0; zone < MAX_NR_ZONES; zone++)
			sum += m->s->zone[zone].vm_stat[item];
		put(&t, "%s %u\n", zone_items[item], (uint32_t)(sum > 0 ? sum : 0));
	}
	put_dirty_limits(m, &t);
	for (unsigned event = 0; event < sizeof(events) / sizeof(events[0]); event++)
		put_event(m, &t, event);
	return t.len;
}

// ---- extfrag ----

struct contig {
	uint64_t pages, blocks; // free
	uint64_t suitable;	// blocks of the order that free memory could give
};

static struct contig zone_contig(const struct machine *m, unsigned zone, unsigned order)
{
	struct contig c = {0};

	for (unsigned o = 0; o < MAX_ORDER; o++) {
		uint64_t blocks = m->s->zone[zone].free_area[o].nr_free;

		c.blocks += blocks;
		c.pages += blocks << o;
		if (o >= order)
			c.suitable += blocks << (o - order);
	}
	return c;
}

// Thousandths: towards 1000 a request fails for fragmentation, towards 0 for lack of memory;
// -1000: it would not fail.
static int fragmentation_index(const struct contig *c, unsigned order)
{
	if (!c->blocks)
		return 0;
	if (c->suitable)
		return -1000;
	return 1000 - (int)((1000 + (c->pages * 1000 >> order)) / c->blocks);
}

// Thousandths of free memory that cannot serve a request.
static int unusable_index(const struct contig *c, unsigned order)
{
	if (!c->pages)
		return 1000;
	return (c->pages - (c->suitable << order)) * 1000 / c->pages;
}

static int print_index(const struct machine *m, char *buf, size_t size,
		       int (*index_of)(const struct contig *c, unsigned order))
{
	struct text t = {buf, size, 0};

	for (unsigned zone = 0; zone < MAX_NR_ZONES; zone++) {
		if (!m->s->zone[zone].present_pages)
			continue;
		put(&t, "Node %d, zone %8s ", 0, zone_names[zone]);
		for (unsigned order = 0; order < MAX_ORDER; order++) {
			struct contig c = zone_contig(m, zone, order);
			int index = index_of(&c, order);

			put(&t, "%d.%03d ", index / 1000, index % 1000);
		}
		put(&t, "\n");
	}
	return t.len;
}

int proc_extfrag_index(struct machine *m, char *buf, size_t size)
{
	return print_index(m, buf, size, fragmentation_index);
}

int proc_unusable_index(struct machine *m, char *buf, size_t size)
{
	return print_index(m, buf, size, unusable_index);
}
