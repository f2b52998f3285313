// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "segment.h"

enum {				// bits of a descriptor's upper word, counted from bit 32
	DESC_WRITABLE = 1 << 9, // data: writable; code: readable
	DESC_EXECUTABLE = 1 << 11,
	DESC_DPL_SHIFT = 13,
	DESC_PRESENT = 1 << 15,
	DESC_GRANULARITY = 1 << 23, // limit counts pages
};

static const struct {
	const char *name;
	uint64_t descriptor;
} gdt[GDT_ENTRIES] = {
	[6] = {"TLS1", 0},
	[7] = {"TLS2", 0},
	[8] = {"TLS3", 0},
	[12] = {"__KERNEL_CS", 0x00CF9A000000FFFF},
	[13] = {"__KERNEL_DS", 0x00CF92000000FFFF},
	[14] = {"__USER_CS", 0x00CFFA000000FFFF},
	[15] = {"__USER_DS", 0x00CFF2000000FFFF},
	[16] = {"TSS", 0},
	[17] = {"LDT", 0},
	[26] = {"ESPFIX", 0},
	[27] = {"__KERNEL_PERCPU", 0x00CF92000000FFFF},
	[28] = {"stack canary", 0},
	[31] = {"double-fault TSS", 0},
};

uint64_t gdt_descriptor(unsigned index)
{
	return index < GDT_ENTRIES ? gdt[index].descriptor : 0;
}

const char *gdt_name(unsigned index)
{
	return index < GDT_ENTRIES ? gdt[index].name : NULL;
}

// Base and limit are scattered over the descriptor for the sake of the 80286.
uint32_t descriptor_base(uint64_t descriptor)
{
	return (uint32_t)(descriptor >> 16 & 0xFFFFFF) | (uint32_t)(descriptor >> 56) << 24;
}

uint32_t descriptor_limit(uint64_t descriptor)
{
	uint32_t limit = (uint32_t)(descriptor & 0xFFFF) | (uint32_t)(descriptor >> 32 & 0xF0000);

	return descriptor >> 32 & DESC_GRANULARITY ? limit << PAGE_SHIFT | (PAGE_SIZE - 1) : limit;
}

static bool type_allows(uint32_t high, enum segment_use use)
{
	bool code = high & DESC_EXECUTABLE;

	if (use == SEGMENT_EXECUTE)
		return code;
	if (use == SEGMENT_READ)
		return !code || high & DESC_WRITABLE;
	return !code && high & DESC_WRITABLE;
}

// Code runs at its own level, a stack belongs to exactly one; data needs both levels to reach it.
static bool level_allows(unsigned dpl, unsigned cpl, unsigned rpl, enum segment_use use)
{
	if (use == SEGMENT_EXECUTE)
		return dpl == cpl;
	if (use == SEGMENT_PUSH)
		return dpl == cpl && rpl == cpl;
	return (cpl > rpl ? cpl : rpl) <= dpl;
}

enum segment_fault segment_translate(uint16_t selector, uint32_t offset, enum segment_use use,
				     unsigned cpl, kaddr_t *linear)
{
	enum segment_fault fault = use == SEGMENT_PUSH ? SEGMENT_STACK : SEGMENT_PROTECTION;
	uint64_t descriptor = selector & 4 ? 0 : gdt_descriptor(selector >> 3); // no LDT here
	uint32_t high = (uint32_t)(descriptor >> 32);
	unsigned dpl = high >> DESC_DPL_SHIFT & 3, rpl = selector & 3;

	if (!descriptor || !type_allows(high, use))
		return SEGMENT_PROTECTION;
	if (!level_allows(dpl, cpl, rpl, use))
		return SEGMENT_PROTECTION;
	if (!(high & DESC_PRESENT))
		return use == SEGMENT_PUSH ? SEGMENT_STACK : SEGMENT_NOT_PRESENT;
	if (offset > descriptor_limit(descriptor))
		return fault;
	*linear = descriptor_base(descriptor) + offset;
	return SEGMENT_OK;
}
