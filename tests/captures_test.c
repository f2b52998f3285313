// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// /proc and boot log of our machines against those of a real Linux 3.4.113 with the same firmware
// map: all that does not depend on what else that kernel did must be equal, the rest of equal form.
#include <ctype.h>

#include "core/bootlog.h"
#include "core/procfs.h"
#include "harness.h"
#include "pages_machine.h"

static const char *folder = "tests/linux-3.4";
static char Ours[1 << 17], Theirs[1 << 17];

static const struct capture {
	const char *name;
	unsigned ncpus;
} captures[] = {{"256M-smp1", 1}, {"1G-smp1", 1}, {"2G-smp1", 1}, {"2G-smp4", 4}};
static const struct capture *Capture;

static void read_capture(const char *file)
{
	char path[512];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "%s/proc/%s/%s.txt", folder, Capture->name, file);
	f = fopen(path, "r");
	if (!f)
		printf("# cannot read %s\n", path);
	CHECK(f);
	n = fread(Theirs, 1, sizeof(Theirs) - 1, f);
	fclose(f);
	Theirs[n] = 0;
	CHECK(n);
}

static void print(const char *name)
{
	const struct proc_file *f = proc_files;

	while (f->name && strcmp(f->name, name))
		f++;
	CHECK(f->name);
	CHECK_EQ(f->print(&M, Ours, sizeof(Ours)), strlen(Ours));
	read_capture(name);
}

// A machine with the firmware map of the capture's boot log.
static void boot_captured(const struct capture *c)
{
	unsigned long long start, end;
	char type[16];

	Capture = c;
	read_capture("dmesg");
	machine_config_default(&Cfg, MODEL_3_4, 64 * MiB, c->ncpus);
	Cfg.kernel_bytes = 0x315000;
	Cfg.e820.nr_map = 0;
	for (char *p = Theirs; (p = strstr(p, " BIOS-e820: ")); p++) {
		CHECK_EQ(sscanf(p, " BIOS-e820: %llx - %llx (%15[^)])", &start, &end, type), 3);
		Cfg.e820.map[Cfg.e820.nr_map++] = (struct e820entry){
			start, end - start, !strcmp(type, "usable") ? E820_RAM : E820_RESERVED, 0};
	}
	CHECK(Cfg.e820.nr_map >= 5);
	boot_on(&M, &Cfg);
}

// The next line of *text, ended and cut off; NULL at the end.
static char *next_line(char **text)
{
	char *line = *text, *end = strchr(line, '\n');

	if (!*line)
		return NULL;
	*text = end ? end + 1 : line + strlen(line);
	if (end)
		*end = 0;
	return line;
}

// Every number becomes a '#', the spaces before it included.
static const char *mask(const char *line)
{
	static char buf[2][1024];
	static int turn;
	char *out = buf[turn ^= 1], *start = out;

	while (*line && out < start + 1000) {
		size_t spaces = strspn(line, " "), digits = strspn(line + spaces, "0123456789");

		*out++ = digits ? '#' : *line;
		line += digits ? spaces + digits : 1;
	}
	*out = 0;
	return start;
}

static bool has_word(const char *line, const char *const *words)
{
	for (; *words; words++)
		if (strstr(line, *words))
			return true;
	return false;
}

static void differ(const char *ours, const char *theirs)
{
	printf("# %s: ours   %s\n# %s: theirs %s\n", Capture->name, ours, Capture->name, theirs);
}

// Line by line equal; lines with one of the words only in form, and in length when that is fixed.
static void compare_lines(const char *const *varying, bool fixed)
{
	char *a = Ours, *b = Theirs, *ours, *theirs;

	while ((ours = next_line(&a))) {
		theirs = next_line(&b);
		CHECK(theirs);
		if (has_word(theirs, varying) ? !strcmp(mask(ours), mask(theirs)) &&
							(!fixed || strlen(ours) == strlen(theirs))
					      : !strcmp(ours, theirs))
			continue;
		differ(ours, theirs);
		CHECK(false);
	}
	CHECK(!next_line(&b));
}

// ---- what each file must have in common ----

static void zoneinfo(void)
{
	static const char *const varying[] = {"pages free", " nr_", "count:", NULL};

	print("zoneinfo");
	compare_lines(varying, false);
}

static void vmstat(void)
{
	static const char *const varying[] = {"", NULL};

	print("vmstat");
	compare_lines(varying, false);
}

// Tables: rows are equal up to the last letter, from there on numbers of equal width.
static void compare_table(void)
{
	char *a = Ours, *b = Theirs, *ours, *theirs;

	while ((ours = next_line(&a))) {
		theirs = next_line(&b);
		CHECK(theirs);
		size_t column = strlen(theirs);
		while (column && !isalpha(theirs[column - 1]))
			column--;
		if (strncmp(theirs, "Node", 4))
			column = strlen(theirs) + 1;
		if (strlen(ours) != strlen(theirs) || strncmp(ours, theirs, column) ||
		    strcmp(mask(ours), mask(theirs))) {
			differ(ours, theirs);
			CHECK(false);
		}
	}
	CHECK(!next_line(&b));
}

static void buddyinfo(void)
{
	print("buddyinfo");
	compare_table();
}

// Total pageblocks of each zone, in the last lines.
static unsigned pageblocks(const char *text)
{
	unsigned sum = 0;

	for (const char *p = strstr(text, "Isolate \nNode"); (p = strstr(p, ", zone ")); p++) {
		unsigned n[5];

		CHECK_EQ(sscanf(p, ", zone %*s %u %u %u %u %u", n, n + 1, n + 2, n + 3, n + 4), 5);
		sum = sum * 1000 + n[0] + n[1] + n[2] + n[3] + n[4];
	}
	return sum;
}

static void pagetypeinfo(void)
{
	print("pagetypeinfo");
	CHECK(pageblocks(Ours));
	CHECK_EQ(pageblocks(Ours), pageblocks(Theirs));
	compare_table();
}

static unsigned long direct_map(const char *text)
{
	const char *p = strstr(text, "DirectMap4k:");
	unsigned long small, large;

	CHECK(p && sscanf(p, "DirectMap4k: %lu kB DirectMap4M: %lu", &small, &large) == 2);
	return small + large;
}

static void meminfo(void)
{
	static const char *const varying[] = {
		"MemTotal",    "Free:",	       "Cached",    "ctive",	   "Anon",
		"Mapped",      "Shmem",	       "Slab",	    "Recl",	   "SUnreclaim",
		"KernelStack", "PageTables",   "LowTotal",  "CommitLimit", "Committed",
		"VmallocUsed", "VmallocChunk", "DirectMap", NULL};

	print("meminfo");
	CHECK_EQ(direct_map(Ours), direct_map(Theirs));
	compare_lines(varying, true);
}

// Geometry and tunables of the general caches, between the object counts and the slab counts.
static void slabinfo(void)
{
	char *a, *b, *ours, *theirs;
	unsigned lines = 0;

	print("slabinfo");
	a = Ours;
	b = strstr(Theirs, "\nsize-4194304(DMA)") + 1;
	CHECK(!strncmp(Ours, Theirs, strchr(strchr(Ours, '\n') + 1, '\n') - Ours));
	while ((ours = next_line(&a))) {
		if (strncmp(ours, "size-", 5) && strncmp(ours, "kmem_cache ", 11))
			continue;
		theirs = next_line(&b);
		CHECK(theirs);
		char *end = strstr(theirs, " : slabdata");
		if (strlen(ours) != strlen(theirs) || strncmp(ours, theirs, 18) ||
		    strncmp(ours + 31, theirs + 31, end - theirs - 31)) {
			differ(ours, theirs);
			CHECK(false);
		}
		lines++;
	}
	CHECK(lines == 39 && !next_line(&b));
}

// What lies in the real file between the hexadecimal phys and the size: the caller's symbol.
static void drop_caller(char *text)
{
	for (char *p = text; (p = strchr(p, '+'));) {
		char *start = p, *end = strchr(p, ' ');

		while (start[-1] != ' ')
			start--;
		memmove(start - 1, end, strlen(end) + 1);
		p = start;
	}
}

// The devices mapped again, in the same order, get the same addresses.
static void vmallocinfo(void)
{
	unsigned long long phys;
	unsigned size;

	read_capture("vmallocinfo");
	for (char *p = Theirs; (p = strstr(p, "-0x")); p++) {
		CHECK_EQ(sscanf(p, "-0x%*x %u %*s phys=%llx", &size, &phys), 2);
		CHECK(ioremap(&M, phys, size - PAGE_SIZE));
	}
	print("vmallocinfo");
	drop_caller(Theirs);
	CHECK_STR(Ours, Theirs);
}

// The firmware's ranges and the areas below 1 MiB; devices are not ours, the image is another.
static void iomem(void)
{
	char *a, *ours;
	unsigned found = 0;

	print("iomem");
	for (a = Ours; (ours = next_line(&a));) {
		while (*ours == ' ')
			ours++;
		if (strstr(ours, "Kernel"))
			continue;
		if (!strstr(Theirs, ours))
			differ(ours, "(not there)");
		CHECK(strstr(Theirs, ours));
		found++;
	}
	CHECK(found >= 7);
}

// Numbers of both texts, one by one.
static void compare_thousandths(int tolerance)
{
	const char *a = Ours, *b = Theirs;

	while ((a = strchr(a, '.')) && (b = strchr(b, '.'))) {
		int ours = atoi(++a), theirs = atoi(++b);

		CHECK(strspn(a, "0123456789") == 3 && a[-2] == b[-2]);
		if (abs(ours - theirs) > tolerance)
			differ(a - 2, b - 2);
		CHECK(abs(ours - theirs) <= tolerance);
	}
	CHECK(!strchr(b, '.'));
}

// The indices follow from the free counts alone. Theirs were read a moment before the index was.
static void extfrag(void)
{
	char *p, *line;

	read_capture("buddyinfo");
	p = Theirs;
	for (unsigned zone = 0; (line = next_line(&p)); zone++) {
		char *number = line + strlen("Node 0, zone      DMA");

		for (unsigned order = 0; order < MAX_ORDER; order++)
			M.s->zone[zone].free_area[order].nr_free = strtoul(number, &number, 10);
	}
	print("extfrag_index");
	CHECK_STR(Ours, Theirs);
	print("unusable_index");
	compare_thousandths(3);
	CHECK(!strncmp(Ours, Theirs, strchr(Theirs, '\n') - Theirs)); // DMA was quiet
}

// T: 100 free pages of order 0 alone, order 1: 490.
static void extfrag_numbers(void)
{
	machine_config_default(&Cfg, MODEL_3_4, 64 * MiB, 1);
	boot_on(&M, &Cfg);
	for (unsigned order = 0; order < MAX_ORDER; order++) {
		M.s->zone[ZONE_DMA].free_area[order].nr_free = order ? 0 : 100;
		M.s->zone[ZONE_NORMAL].free_area[order].nr_free = 0;
	}
	proc_extfrag_index(&M, Ours, sizeof(Ours));
	CHECK_STR(Ours, "Node 0, zone      DMA -1.000 0.490 0.740 0.865 0.928 0.959 0.975 0.983 "
			"0.987 0.989 0.990 \n"
			"Node 0, zone   Normal 0.000 0.000 0.000 0.000 0.000 0.000 0.000 0.000 "
			"0.000 0.000 0.000 \n");
	proc_unusable_index(&M, Ours, sizeof(Ours));
	CHECK(strstr(Ours, "DMA 0.000 1.000 1.000 ") && strstr(Ours, "Normal 1.000 1.000 "));
}

static unsigned vm_event(const char *name)
{
	const char *p;

	proc_vmstat(&M, Ours, sizeof(Ours));
	p = strstr(Ours, name);
	CHECK(p);
	return strtoul(p + strlen(name), NULL, 10);
}

// pgalloc and pgfree count pages handed out and taken back, whatever the pagesets hold.
static void vm_events(void)
{
	pfn_t one, many;

	machine_config_default(&Cfg, MODEL_3_4, 256 * MiB, 2);
	boot_on(&M, &Cfg);
	unsigned allocs = vm_event("\npgalloc_normal "), frees = vm_event("\npgfree ");
	CHECK(frees >= M.s->totalram_pages);
	one = alloc_pages(&M, GFP_KERNEL, 0);
	many = alloc_pages(&M, GFP_KERNEL, 3);
	CHECK_EQ(vm_event("\npgalloc_normal "), allocs + 9);
	__free_pages(&M, one, 0);
	CHECK_EQ(vm_event("\npgfree "), frees + 1);
	__free_pages(&M, many, 3);
	drain_all_pages(&M);
	CHECK_EQ(vm_event("\npgfree "), frees + 9);
	CHECK_EQ(vm_event("\npgalloc_normal "), allocs + 9);
}

static unsigned field(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	CHECK(at);
	return strtoul(at + strlen(name), NULL, 10);
}

// The dirty limits follow from free and file pages. Theirs had moved a little in between.
static void dirty_limits(void)
{
	unsigned zone = 0, ours, theirs;

	read_capture("zoneinfo");
	for (char *at = Theirs; (at = strstr(at, "Node 0, zone")); at++, zone++) {
		M.s->zone[zone].vm_stat[NR_FREE_PAGES] = field(at, "nr_free_pages");
		M.s->zone[zone].vm_stat[NR_INACTIVE_FILE] = field(at, "nr_inactive_file");
		M.s->zone[zone].vm_stat[NR_ACTIVE_FILE] = field(at, "nr_active_file");
	}
	print("vmstat");
	for (int i = 0; i < 2; i++) {
		const char *name = i ? "nr_dirty_background_threshold" : "nr_dirty_threshold";

		ours = field(Ours, name);
		theirs = field(Theirs, name);
		CHECK(ours + 10 > theirs && ours < theirs + 10);
	}
}

static void sysctl(void)
{
	char text[200];

	read_capture("sysctl_vm");
	snprintf(text, sizeof(text),
		 "min_free_kbytes: %u\nlowmem_reserve_ratio: %u\t%u\t%u\n"
		 "percpu_pagelist_fraction: %u\n",
		 M.s->min_free_kbytes, Cfg.lowmem_reserve_ratio[0], Cfg.lowmem_reserve_ratio[1],
		 Cfg.lowmem_reserve_ratio[2], Cfg.percpu_pagelist_fraction);
	CHECK(!strncmp(Theirs, text, strlen(text)));
}

// Our lines are lines of theirs, in their order. That build has one fixmap slot less, its image
// is another, and other subsystems took memory early, too.
static void bootlog(void)
{
	static const char *const varying[] = {"    fixmap", "PERCPU:", "Memory:", " .init",
					      " .data",	    " .text",  NULL};
	char *a = Ours, *at = Theirs, *ours;

	CHECK_EQ(boot_log(&M, Ours, sizeof(Ours)), strlen(Ours));
	read_capture("dmesg");
	while ((ours = next_line(&a))) {
		char pattern[400];
		size_t exact = has_word(ours, varying) ? 10 : strlen(ours);

		snprintf(pattern, sizeof(pattern), "\n%.*s%s", (int)exact, ours,
			 exact == 10 ? "" : "\n");
		char *found = strstr(at, pattern);
		if (!found)
			differ(ours, "(not there)");
		CHECK(found);
		at = found + 1;
		if (exact != 10)
			continue;
		char theirs[400];
		snprintf(theirs, sizeof(theirs), "%.*s", (int)strcspn(at, "\n"), at);
		CHECK(strstr(theirs, "kernel memory") || strstr(theirs, "PERCPU") ||
		      strlen(theirs) == strlen(ours) || strstr(theirs, "Memory"));
	}
}

#define ON_ALL(test)                                                                               \
	static void test##_as_captured(void)                                                       \
	{                                                                                          \
		for (unsigned i = 0; i < sizeof(captures) / sizeof(captures[0]); i++) {            \
			boot_captured(&captures[i]);                                               \
			test();                                                                    \
		}                                                                                  \
	}

ON_ALL(zoneinfo)
ON_ALL(vmstat)
ON_ALL(buddyinfo)
ON_ALL(pagetypeinfo)
ON_ALL(meminfo)
ON_ALL(slabinfo)
ON_ALL(vmallocinfo)
ON_ALL(iomem)
ON_ALL(extfrag)
ON_ALL(dirty_limits)
ON_ALL(sysctl)
ON_ALL(bootlog)

int main(int argc, char **argv)
{
	if (argc > 1)
		folder = argv[1];
	RUN(zoneinfo_as_captured);
	RUN(vmstat_as_captured);
	RUN(buddyinfo_as_captured);
	RUN(pagetypeinfo_as_captured);
	RUN(meminfo_as_captured);
	RUN(slabinfo_as_captured);
	RUN(vmallocinfo_as_captured);
	RUN(iomem_as_captured);
	RUN(extfrag_as_captured);
	RUN(extfrag_numbers);
	RUN(vm_events);
	RUN(dirty_limits_as_captured);
	RUN(sysctl_as_captured);
	RUN(bootlog_as_captured);
	return DONE();
}
