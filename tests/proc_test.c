// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// /proc texts of the page allocator, line by line as a real 3.4 prints them.
#include "core/boot.h"
#include "core/procfs.h"
#include "harness.h"
#include "pages_machine.h"

static char Text[1 << 17];

static void print(int (*file)(struct machine *m, char *buf, size_t size))
{
	CHECK_EQ(file(&M, Text, sizeof(Text)), strlen(Text));
}

static void has(const char *lines)
{
	if (!strstr(Text, lines)) {
		printf("# not found: %s\n", lines);
		CHECK(false);
	}
}

// What other machines of this size also have; free counts depend on what booted.
static void zoneinfo_of_four_cpus(void)
{
	boot(MODEL_3_4, 2048 * MiB, 4);
	print(proc_zoneinfo);
	has("Node 0, zone      DMA\n  pages free     ");
	has("\n        min      16\n        low      20\n        high     24\n"
	    "        scanned  0\n        spanned  4080\n        present  3951\n"
	    "    nr_free_pages ");
	has("\n    nr_mlock     0\n    nr_anon_pages 0\n    nr_mapped    0\n");
	has("\n    nr_anon_transparent_hugepages 0\n        protection: (0, 865, 2016, 2016)\n"
	    "  pagesets\n    cpu: 0\n              count: 0\n              high:  0\n"
	    "              batch: 1\n  vm stats threshold: 6\n    cpu: 1\n");
	has("\n              high:  186\n              batch: 31\n  vm stats threshold: 24\n"
	    "  all_unreclaimable: 0\n  start_pfn:         4096\n  inactive_ratio:    1\n");
	has("Node 0, zone  HighMem\n");
	CHECK(!strstr(Text, "Movable"));
}

static void zoneinfo_of_a_up_build(void)
{
	machine_config_default(&Cfg, MODEL_3_4, 256 * MiB, 1);
	Cfg.smp = 0;
	boot_on(&M, &Cfg);
	print(proc_zoneinfo);
	CHECK(!strstr(Text, "threshold") && !strstr(Text, "HighMem"));
	has("              batch: 1\n  all_unreclaimable: 0\n  start_pfn:         16\n");
}

static void buddyinfo_lines(void)
{
	boot(MODEL_3_4, 2048 * MiB, 1);
	print(proc_buddyinfo);
	has("Node 0, zone      DMA      1      1      1      1      2      1      1      0      1 "
	    "     1      3 \n");
	has("Node 0, zone  HighMem      0      1      0      0      0      0      0      0      0 "
	    "     0    290 \n");
}

static void pagetypeinfo_blocks(void)
{
	boot(MODEL_3_4, 1024 * MiB, 1);
	print(proc_pagetypeinfo);
	has("Page block order: 10\nPages per block:  1024\n\n"
	    "Free pages count per migrate type at order       0      1      2 ");
	has("\nNode    0, zone      DMA, type    Unmovable      1      1 ");
	has("\n\nNumber of blocks type     Unmovable  Reclaimable      Movable      Reserve"
	    "      Isolate \nNode 0, zone      DMA            1            0            2"
	    "            1            0 \n");
}

static void meminfo_lines(void)
{
	static pfn_t cache[100];

	boot(MODEL_3_4, 2048 * MiB, 1);
	CHECK_EQ(page_cache_add(&M, 100, cache), 100);
	vmstat_fold(&M);
	print(proc_meminfo);
	has("Buffers:               0 kB\nCached:              400 kB\nSwapCached: ");
	has("\nInactive(file):      400 kB\nUnevictable:           0 kB\n");
	has("\nHighTotal:       1187848 kB\n");
	has("\nVmallocTotal:     122880 kB\n");
	has("\nHugepagesize:       4096 kB\nDirectMap4k:        8184 kB\nDirectMap4M:      901120 "
	    "kB\n");
	page_cache_remove(&M, cache, 100);
	vmstat_fold(&M);
	print(proc_meminfo);
	has("\nCached:                0 kB\n");
}

static void iomem_tree(void)
{
	boot(MODEL_3_4, 256 * MiB, 1);
	print(proc_iomem);
	has("00000000-0000ffff : reserved\n00010000-0009fbff : System RAM\n"
	    "0009fc00-0009ffff : reserved\n000a0000-000bffff : Video RAM area\n"
	    "000f0000-000fffff : reserved\n  000f0000-000fffff : System ROM\n"
	    "00100000-0fffffff : System RAM\n  01000000-013bffff : Kernel code\n");
	CHECK(!strstr(Text, "RAM buffer"));
}

// As snprintf: the full length is returned, what fits is written and ended.
static void short_buffers(void)
{
	boot(MODEL_CLASSIC, 1024 * MiB, 2);
	for (const struct proc_file *f = proc_files; f->name; f++) {
		int full = f->print(&M, Text, sizeof(Text));

		memset(Text, 'x', 64);
		CHECK_EQ(f->print(&M, Text, 10), full);
		CHECK(Text[10] == 'x' && strlen(Text) == (full < 10 ? (size_t)full : 9));
		CHECK_EQ(f->print(&M, NULL, 0), full);
	}
}

int main(void)
{
	RUN(zoneinfo_of_four_cpus);
	RUN(zoneinfo_of_a_up_build);
	RUN(buddyinfo_lines);
	RUN(pagetypeinfo_blocks);
	RUN(meminfo_lines);
	RUN(iomem_tree);
	RUN(short_buffers);
	return DONE();
}
