// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Segmentation: the flat descriptors of the GDT and the checks a segment register load and an
// access make (reference 3.1). All four segments have base 0 and limit 4 GiB, so the linear
// address is the offset; what remains of segmentation is privilege.
#pragma once

#include "types.h"

enum {
	GDT_ENTRIES = 32
};

enum { // selectors of Linux 3.4: index * 8 + requested privilege
	__KERNEL_CS = 0x60,
	__KERNEL_DS = 0x68,
	__USER_CS = 0x73,
	__USER_DS = 0x7B,
	__KERNEL_PERCPU = 0xD8,
};

enum segment_fault { // exception numbers
	SEGMENT_OK = 0,
	SEGMENT_NOT_PRESENT = 11,
	SEGMENT_STACK = 12,
	SEGMENT_PROTECTION = 13,
};

enum segment_use {
	SEGMENT_READ,
	SEGMENT_WRITE,
	SEGMENT_EXECUTE,
	SEGMENT_PUSH
};

uint64_t gdt_descriptor(unsigned index); // raw, 0: null or not modelled; per-CPU base as 0
const char *gdt_name(unsigned index);	 // "__KERNEL_DS", NULL: unused
uint32_t descriptor_base(uint64_t descriptor);
uint32_t descriptor_limit(uint64_t descriptor); // last valid offset
// Access to selector:offset at privilege cpl. SEGMENT_OK and *linear, or the exception raised.
enum segment_fault segment_translate(uint16_t selector, uint32_t offset, enum segment_use use,
				     unsigned cpl, kaddr_t *linear);
