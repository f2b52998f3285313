// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// mem= and memmap= on the reference PC's map; memblock's dump beside one of a real kernel.
#include "core/boot.h"
#include "core/bootlog.h"
#include "core/translate.h"
#include "vm_box.h"

#define GiB (1ull << 30)

static struct e820map Map;
static const char *Why;

static void start(void)
{
	e820_ideal_pc(&Map, GiB);
	Why = NULL;
}

static void entry(unsigned i, uint64_t start, uint64_t end, uint32_t type)
{
	CHECK(i < Map.nr_map);
	CHECK_EQ(Map.map[i].addr, start);
	CHECK_EQ(Map.map[i].addr + Map.map[i].size, end);
	CHECK_EQ(Map.map[i].type, type);
}

static void accepted(const char *cmdline)
{
	start();
	if (e820_parse_params(&Map, cmdline, &Why))
		printf("# %s: %s\n", cmdline, Why);
	CHECK(!Why);
}

// The map is left alone, and the reason has this in it.
static void refused(const char *cmdline, const char *reason)
{
	struct e820map before;

	start();
	before = Map;
	CHECK_EQ(e820_parse_params(&Map, cmdline, &Why), -EINVAL);
	if (!strstr(Why, reason))
		printf("# %s: %s\n", cmdline, Why);
	CHECK(strstr(Why, reason));
	CHECK(!memcmp(&before, &Map, sizeof(Map)));
}

static void nothing_said(void)
{
	accepted("");
	CHECK_EQ(Map.nr_map, 4);
	CHECK_EQ(Map.user_defined, 0);
	accepted(" \t");
	CHECK_EQ(Map.user_defined, 0);
}

static void mem_takes_away(void)
{
	accepted("mem=512M");
	CHECK_EQ(Map.user_defined, 1);
	CHECK_EQ(Map.nr_map, 4);
	entry(0, 0, 0x9FC00, E820_RAM);
	entry(1, 0x9FC00, 0xA0000, E820_RESERVED);
	entry(2, 0xF0000, 0x100000, E820_RESERVED);
	entry(3, 0x100000, 512 * MiB, E820_RAM);
	accepted("mem=512K"); // a range that ends below stays whole, others vanish
	CHECK_EQ(Map.nr_map, 3);
	entry(0, 0, 512 << 10, E820_RAM);
	accepted("mem=8G"); // more than there is
	entry(3, 0x100000, GiB, E820_RAM);
	accepted("mem=512M mem=256M");
	entry(3, 0x100000, 256 * MiB, E820_RAM);
	accepted("mem=256M mem=512M"); // taken away is taken away
	entry(3, 0x100000, 256 * MiB, E820_RAM);
}

static void numbers(void)
{
	accepted("mem=0x20000000");
	entry(3, 0x100000, 512 * MiB, E820_RAM);
	accepted("mem=0X1fF00000");
	entry(3, 0x100000, 511 * MiB, E820_RAM);
	accepted("mem=04000000000"); // octal
	entry(3, 0x100000, 512 * MiB, E820_RAM);
	accepted("mem=524288k");
	entry(3, 0x100000, 512 * MiB, E820_RAM);
	refused("mem=08M", "takes a size"); // 8 is no octal digit
	refused("mem=0xM", "takes a size");
	refused("mem=20000000000000000000", "takes a size");
	refused("mem=17179869184G", "takes a size");
	refused("mem=512Mx", "takes a size");
	refused("mem=512MB", "takes a size");
	refused("mem=-1", "takes a size");
}

static void zero_and_nonsense(void)
{
	refused("mem=0", "no memory");
	refused("mem=", "no memory");
	refused("mem=0x0K", "no memory");
	refused("memmap=0", "no memory");
	refused("mem=nopentiums", "takes a size");
}

// The map stays the firmware's; all of lowmem is mapped by tables, in frames below 24 MiB.
static void small_pages_only(void)
{
	static char text[1 << 14];
	struct machine *m = &box.m;
	struct machine_config cfg;
	struct translation t;

	accepted("mem=nopentium");
	CHECK_EQ(Map.user_defined, 0);
	cfg = config(MODEL_3_4, GiB, 1);
	CHECK(!e820_parse_params(&cfg.e820, "mem=nopentium", &Why));
	box_boot(&box, &cfg);
	for (kaddr_t a = 0xC0000000; a < m->s->high_memory; a += 1 << 20) {
		CHECK_EQ(machine_translate(m, a + 5, &t), 0);
		CHECK_EQ(t.phys, a + 5 - 0xC0000000);
		CHECK_EQ(t.pde & 0xFFF, 0x063);
		CHECK_EQ(t.pte & 0xFFF, 0x163);
		CHECK_EQ(t.large, 0);
	}
	CHECK_EQ(m->s->pgd[769], (6144 - 221 - 7) << 12 | 0x063);
	CHECK_EQ(m->s->pgd[989], (6144 - 1 - 7) << 12 | 0x063);
	proc_meminfo(m, text, sizeof(text));
	CHECK(strstr(text, "DirectMap4k:      909304 kB\nDirectMap4M:           0 kB\n"));
	check_all(m);
	cfg = config(MODEL_CLASSIC, 64 * MiB, 1);
	CHECK(!e820_parse_params(&cfg.e820, "mem=nopentium mem=40M", &Why));
	CHECK_EQ(cfg.e820.user_defined, 1);
	box_boot(&box, &cfg);
	check_all(m);
}

static void memmap_adds(void)
{
	accepted("memmap=64M@2G");
	entry(4, 2 * GiB, 2 * GiB + 64 * MiB, E820_RAM);
	accepted("memmap=64K#0x200000");
	CHECK_EQ(Map.nr_map, 6);
	entry(3, 0x100000, 0x200000, E820_RAM);
	entry(4, 0x200000, 0x210000, E820_ACPI);
	entry(5, 0x210000, GiB, E820_RAM);
	accepted("memmap=64K$0x200000");
	entry(4, 0x200000, 0x210000, E820_RESERVED);
	accepted("memmap=1M@0"); // RAM does not win over what is reserved
	entry(1, 0x9FC00, 0xA0000, E820_RESERVED);
	accepted("memmap=512M"); // as mem=
	entry(3, 0x100000, 512 * MiB, E820_RAM);
	accepted("memmap=0@1M");
	CHECK_EQ(Map.nr_map, 4);
}

static void words_go_in_order(void)
{
	accepted("mem=512M memmap=64M@1G");
	entry(4, GiB, GiB + 64 * MiB, E820_RAM);
	accepted("memmap=64M@1G\tmem=512M");
	CHECK_EQ(Map.nr_map, 4);
	accepted("memmap=exactmap memmap=640K@0 memmap=255M@1M");
	CHECK_EQ(Map.nr_map, 2);
	entry(0, 0, 0xA0000, E820_RAM);
	entry(1, MiB, 256 * MiB, E820_RAM);
	accepted("memmap=1M@2G memmap=exactmap memmap=640K@0 memmap=255M@1M");
	CHECK_EQ(Map.nr_map, 2);
}

static void refusals(void)
{
	char many[4096] = "";

	// sanitising needs two entries, and the kernel panics without
	refused("memmap=exactmap", "Invalid user supplied");
	refused("memmap=exactmap memmap=256M@0", "Invalid user supplied");
	refused("memmap=64M%1M", "memmap= takes");
	refused("memmap=64M@", "memmap= takes");
	refused("memmap=@1M", "memmap= takes");
	refused("memmap=", "memmap= takes");
	refused("memmap=64M@1M,1M", "memmap= takes");
	refused("memmap=exactmapped", "memmap= takes");
	refused("memmap=8G@17179869180G", "beyond 64 bits");
	refused("memory=512M", "neither");
	refused("mem=512M quiet", "neither");
	for (unsigned i = 0; i < E820MAX; i++)
		strcat(many, "memmap=1K@4G ");
	refused(many, "room");
}

// The machine boots on it, keeps it, and says so as the kernel does.
static void boots_and_tells(void)
{
	static char log[16384];
	struct machine_config cfg = config(MODEL_3_4, GiB, 1);

	CHECK(!e820_parse_params(&cfg.e820, "mem=700M memmap=1M$0x2000000", &Why));
	box_boot(&box, &cfg);
	check_all(&box.m);
	CHECK_EQ(box.m.s->max_pfn, 179200); // as a real kernel with mem=700M says
	CHECK(!memblock_is_memory(&box.m.s->memblock, 0x2000000));
	CHECK((size_t)boot_log(&box.m, log, sizeof(log)) < sizeof(log));
	CHECK(!strncmp(log, "user-defined physical RAM map:\n user: 0000000000000000 - ", 57));
	CHECK(strstr(log, " user: 0000000002000000 - 0000000002100000 (reserved)\n"));
	CHECK(!strstr(log, "BIOS"));
	boot(MODEL_3_4, GiB, 1);
	boot_log(&box.m, log, sizeof(log));
	CHECK(!strncmp(log, "BIOS-provided physical RAM map:\n BIOS-e820: ", 44));
}

// What a 3.4.113 with memblock=debug printed, the spaces and zeros included.
static void memblock_dump_as_recorded(void)
{
	static const char recorded[] =
		"MEMBLOCK configuration:\n"
		" memory size = 0x3ff6fc00 reserved size = 0x48008d\n"
		" memory.cnt  = 0x2\n"
		" memory[0x0]\t[0x00000000010000-0x0000000009efff], 0x8f000 bytes\n"
		" memory[0x1]\t[0x00000000100000-0x0000003ffdffff], 0x3fee0000 bytes\n"
		" reserved.cnt  = 0x3\n"
		" reserved[0x0]\t[0x0000000009f000-0x000000000fffff], 0x61000 bytes\n"
		" reserved[0x1]\t[0x00000001000000-0x0000000131b08c], 0x31b08d bytes\n"
		" reserved[0x2]\t[0x0000003fedc000-0x0000003ffdffff], 0x104000 bytes\n";
	static struct memblock mb;
	char text[1024], little[40];

	memblock_init(&mb);
	memblock_add(&mb, 0x10000, 0x8FC00);
	memblock_add(&mb, 0x100000, 0x3FEE0000);
	memblock_trim_memory(&mb, PAGE_SIZE);
	memblock_reserve(&mb, 0x9F000, 0x61000);
	memblock_reserve(&mb, 0x1000000, 0x31B08D);
	memblock_reserve(&mb, 0x3FEDC000, 0x104000);
	CHECK_EQ(memblock_dump(&mb, text, sizeof(text)), sizeof(recorded) - 1);
	CHECK_STR(text, recorded);
	CHECK_EQ(memblock_dump(&mb, NULL, 0), sizeof(recorded) - 1);
	CHECK_EQ(memblock_dump(&mb, little, sizeof(little)), sizeof(recorded) - 1);
	CHECK_EQ(strlen(little), sizeof(little) - 1);
}

static void memblock_dump_of_nothing(void)
{
	static struct memblock mb;
	char text[512];

	memblock_init(&mb);
	memblock_dump(&mb, text, sizeof(text));
	CHECK(strstr(text, " memory size = 0x0 reserved size = 0x0\n memory.cnt  = 0x1\n"));
	CHECK(strstr(text, " memory[0x0]\t[0x00000000000000-0xffffffffffffffff], 0x0 bytes\n"));
}

int main(void)
{
	RUN(nothing_said);
	RUN(mem_takes_away);
	RUN(numbers);
	RUN(zero_and_nonsense);
	RUN(small_pages_only);
	RUN(memmap_adds);
	RUN(words_go_in_order);
	RUN(refusals);
	RUN(boots_and_tells);
	RUN(memblock_dump_as_recorded);
	RUN(memblock_dump_of_nothing);
	return DONE();
}
