// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Segmentation and the page walk: numbers of the reference, and the walk against what the
// mechanisms say they mapped.
#include "harness.h"

#include <errno.h>
#include <sys/mman.h>

#include "core/machine.h"
#include "core/segment.h"
#include "core/translate.h"

static struct machine machine;

static struct machine *boot(enum model model, uint64_t ram)
{
	static void *memory;
	static size_t size;
	struct machine_config cfg;
	const char *why = "";

	machine_config_default(&cfg, model, ram, 1);
	if (memory)
		munmap(memory, size);
	size = machine_size(&cfg);
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK(memory != MAP_FAILED);
	CHECK_EQ(machine_boot(&machine, memory, &cfg, &why), 0);
	return &machine;
}

// --- segments ----------------------------------------------------------------------------------

static void test_flat_descriptors(void)
{
	static const struct {
		unsigned selector;
		uint64_t raw;
	} t[] = {
		{__KERNEL_CS, 0x00CF9A000000FFFF},
		{__KERNEL_DS, 0x00CF92000000FFFF},
		{__USER_CS, 0x00CFFA000000FFFF},
		{__USER_DS, 0x00CFF2000000FFFF},
	};

	for (unsigned i = 0; i < 4; i++) {
		uint64_t d = gdt_descriptor(t[i].selector >> 3);

		CHECK(d == t[i].raw);
		CHECK_EQ(descriptor_base(d), 0);
		CHECK_EQ(descriptor_limit(d), 0xFFFFFFFF);
	}
	CHECK_EQ(descriptor_base(0x12CF92345678FFFF), 0x12345678);
	CHECK_EQ(descriptor_limit(0x00429200000000FF), 0x200FF); // without G the limit counts bytes
	CHECK_EQ(gdt_descriptor(0), 0);
	CHECK_EQ(gdt_descriptor(32), 0);
	CHECK_STR(gdt_name(15), "__USER_DS");
}

static void test_segment_checks(void)
{
	kaddr_t a = 0;

	CHECK_EQ(segment_translate(__KERNEL_DS, 0xC1234567, SEGMENT_WRITE, 0, &a), SEGMENT_OK);
	CHECK_EQ(a, 0xC1234567); // flat
	CHECK_EQ(segment_translate(__USER_DS, 5, SEGMENT_WRITE, 3, &a), SEGMENT_OK);
	CHECK_EQ(segment_translate(__USER_DS, 5, SEGMENT_WRITE, 0, &a), SEGMENT_OK);
	CHECK_EQ(segment_translate(__KERNEL_DS, 5, SEGMENT_READ, 3, &a), SEGMENT_PROTECTION);
	CHECK_EQ(segment_translate(__KERNEL_CS, 5, SEGMENT_WRITE, 0, &a), SEGMENT_PROTECTION);
	CHECK_EQ(segment_translate(__KERNEL_CS, 5, SEGMENT_READ, 0, &a), SEGMENT_OK);
	CHECK_EQ(segment_translate(__USER_CS, 5, SEGMENT_EXECUTE, 3, &a), SEGMENT_OK);
	CHECK_EQ(segment_translate(__USER_CS, 5, SEGMENT_EXECUTE, 0, &a), SEGMENT_PROTECTION);
	CHECK_EQ(segment_translate(__KERNEL_DS, 5, SEGMENT_EXECUTE, 0, &a), SEGMENT_PROTECTION);
	CHECK_EQ(segment_translate(__USER_DS, 5, SEGMENT_PUSH, 3, &a), SEGMENT_OK);
	CHECK_EQ(segment_translate(__USER_DS, 5, SEGMENT_PUSH, 0, &a), SEGMENT_PROTECTION);
	CHECK_EQ(segment_translate(0, 5, SEGMENT_READ, 0, &a), SEGMENT_PROTECTION);
	CHECK_EQ(segment_translate(0x6C, 5, SEGMENT_READ, 0, &a), SEGMENT_PROTECTION); // LDT
	CHECK_EQ(segment_translate(0xFFF8, 5, SEGMENT_READ, 0, &a),
		 SEGMENT_PROTECTION); // past the table
}

// --- pages ---------------------------------------------------------------------------------------

static void test_walk_of_lowmem_is_arithmetic(void)
{
	struct machine *m = boot(MODEL_3_4, 2048ull << 20);
	struct translation t;
	unsigned large = 0, small = 0;

	for (pfn_t pfn = 0; pfn < m->s->max_low_pfn; pfn++) {
		CHECK_EQ(machine_translate(m, lowmem_addr(m, pfn) + 0x123, &t), 0);
		CHECK_EQ(t.phys, (pfn << 12) + 0x123);
		large += t.large;
		small += !t.large;
	}
	CHECK_EQ(large, 220 * 1024);
	CHECK_EQ(small, 1024 + 1022);
	CHECK_EQ(machine_translate(m, m->s->high_memory, &t), -EFAULT);
	CHECK_EQ(t.region, LINEAR_HOLE);
	CHECK_EQ(machine_translate(m, 0x08048000, &t), -EFAULT);
	CHECK_EQ(t.region, LINEAR_USER);
}

static void test_indexes(void)
{
	struct machine *m = boot(MODEL_3_4, 2048ull << 20);
	struct translation t;

	machine_translate(m, 0xC0000000, &t);
	CHECK_EQ(t.pgd_index, 768);
	machine_translate(m, 0xF7FFE123, &t);
	CHECK_EQ(t.pgd_index, 991);
	CHECK_EQ(t.pte_index, 1022);
	CHECK_EQ(t.offset, 0x123);
	CHECK_EQ(t.region, LINEAR_VMALLOC);
	machine_translate(m, 0xFF800000, &t);
	CHECK_EQ(t.pgd_index, 1022);
	CHECK_EQ(t.region, LINEAR_PKMAP);
	machine_translate(m, 0xFF7FF000, &t);
	CHECK_EQ(t.region, LINEAR_PAD);
	machine_translate(m, 0xFFC00000, &t);
	CHECK_EQ(t.region, LINEAR_BOOT_FIXMAP);
	machine_translate(m, 0xFFFB9000, &t);
	CHECK_EQ(t.region, LINEAR_FIXMAP);
}

static void test_walk_of_mappings(void)
{
	struct machine *m = boot(MODEL_CLASSIC, 1024ull << 20);
	kaddr_t v = vmalloc(m, 3 * 4096), io = ioremap(m, 0xFED00040, 64);
	pfn_t p = alloc_pages(m, GFP_HIGHUSER, 0);
	kaddr_t k = kmap(m, p), a;
	struct translation t;
	char owner[128];

	for (unsigned i = 0; i < 3; i++) {
		CHECK_EQ(machine_translate(m, v + i * 4096 + 7, &t), 0);
		CHECK_EQ(t.pfn, vmalloc_to_pfn(m, v + i * 4096));
		CHECK_EQ(t.offset, 7);
	}
	frame_owner_text(m, &t, owner, sizeof(owner));
	CHECK_STR(owner, "page 2 of the vmalloc area f8800000-f8804000");
	CHECK_EQ(machine_translate(m, v + 3 * 4096, &t), -EFAULT); // guard
	CHECK(t.pde & _PAGE_PRESENT);
	CHECK_EQ(machine_translate(m, io, &t), 0);
	CHECK_EQ(t.phys, 0xFED00040);
	CHECK(t.page == NULL);
	frame_owner_text(m, &t, owner, sizeof(owner));
	CHECK_STR(owner, "no RAM: a device");
	CHECK_EQ(machine_translate(m, k, &t), 0);
	CHECK_EQ(t.pfn, p);
	frame_owner_text(m, &t, owner, sizeof(owner));
	CHECK_STR(owner, "mapped at ff801000 (pkmap)");
	a = kmap_atomic(m, p);
	CHECK_EQ(machine_translate(m, a, &t), 0);
	CHECK_EQ(t.pfn, p);
}

static void owner_of(struct machine *m, kaddr_t addr, char *buf, size_t size)
{
	struct translation t;

	CHECK_EQ(machine_translate(m, addr, &t), 0);
	frame_owner_text(m, &t, buf, size);
}

static void test_owners(void)
{
	struct machine *m = boot(MODEL_3_4, 1024ull << 20);
	kaddr_t obj = kmalloc(m, 100, GFP_KERNEL),
		pages = __get_free_pages(m, GFP_KERNEL | __GFP_COMP, 2);
	char owner[128], want[128];

	owner_of(m, obj + 5, owner, sizeof(owner));
	CHECK_EQ(strncmp(owner, "size-128, object ", 17), 0);
	CHECK(!strstr(owner, "free"));
	owner_of(m, pages, owner, sizeof(owner));
	CHECK_STR(owner, "in use, 1 reference");
	owner_of(m, pages + 4096, owner, sizeof(owner));
	snprintf(want, sizeof(want), "in use, part of the compound page at frame %u",
		 lowmem_pfn(m, pages));
	CHECK_STR(owner, want);
	free_pages(m, pages, 2);
	owner_of(m, pages + 4096, owner, sizeof(owner));
	CHECK_EQ(strncmp(owner, "free, order ", 12), 0);
	owner_of(m, 0xC1000000, owner, sizeof(owner));
	CHECK_STR(owner, "reserved at boot");
}

static void test_text(void)
{
	struct machine *m = boot(MODEL_3_4, 1024ull << 20);
	struct translation t;
	char buf[1024], small[20];
	int len;

	machine_translate(m, 0xC1234567, &t);
	len = translation_text(m, &t, buf, sizeof(buf));
	CHECK_EQ(len, strlen(buf));
	CHECK_STR(
		buf,
		"linear 0xc1234567\n"
		"  segment   __KERNEL_DS 0x68, base 0x00000000, limit 0xffffffff: the offset is the linear address\n"
		"  region    lowmem\n"
		"  pgd[772]  0x010001e3 frame 4096 rw 4M global\n"
		"  physical  0x01234567: frame 4660, offset 0x567\n"
		"  page      zone Normal, flags 0x40000400, count 1\n"
		"  owner     reserved at boot\n");
	CHECK_EQ(translation_text(m, &t, small, sizeof(small)), len);
	CHECK_EQ(strlen(small), sizeof(small) - 1);
	machine_translate(m, 0xF8000000, &t);
	translation_text(m, &t, buf, sizeof(buf));
	CHECK(strstr(buf, "  pgd[992]  0x00000000 not present\n  page fault, error code 0") !=
	      NULL);
}

int main(void)
{
	RUN(test_flat_descriptors);
	RUN(test_segment_checks);
	RUN(test_walk_of_lowmem_is_arithmetic);
	RUN(test_indexes);
	RUN(test_walk_of_mappings);
	RUN(test_owners);
	RUN(test_text);
	return DONE();
}
