// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "layout.h"

#include "machine.h"

// The boot slots must lie under one page table: a block that would straddle a multiple of 1024
// slots is pushed up to its own alignment.
static uint32_t btmap_slot(uint32_t slot)
{
	uint32_t last = slot + FIX_BTMAPS - 1;

	if ((slot ^ last) & ~1023u)
		return (slot + FIX_BTMAPS) & ~(FIX_BTMAPS - 1u);
	return slot;
}

void fixmap_layout(struct fixmap *fx, unsigned nr_cpus, bool ohci1394)
{
	uint32_t slot = 4; // hole, vdso, dbgp, earlycon

	slot += ohci1394;
	fx->apic_base = slot++;
	fx->io_apic_base = slot;
	slot += FIX_IO_APICS;
	fx->kmap_begin = slot;
	slot += KM_TYPE_NR * nr_cpus;
	fx->kmap_end = slot - 1;
	fx->pcie_mcfg = slot++;
	fx->text_poke1 = slot;
	slot += 2;
	fx->permanent_slots = slot;
	fx->btmap_end = btmap_slot(slot);
	fx->all_slots = fx->btmap_end + FIX_BTMAPS + 1; // and FIX_WP_TEST

	fx->start = fix_to_virt(fx->permanent_slots);
	fx->boot_start = fix_to_virt(fx->all_slots);
	fx->pkmap_base = (fx->boot_start - PAGE_SIZE * (LAST_PKMAP + 1)) & ~((4u << 20) - 1);
}

kaddr_t layout_vmalloc_end(const struct machine_config *cfg)
{
	struct fixmap fx;

	fixmap_layout(&fx, cfg->nr_cpus, true);
	return fx.pkmap_base - 2 * PAGE_SIZE;
}

kaddr_t layout_vmalloc_start(const struct machine_config *cfg, kaddr_t high_memory)
{
	// 2.6 rounded the hole so that the area begins on an 8 MiB boundary
	if (cfg->model == MODEL_CLASSIC)
		return (high_memory + 2 * VMALLOC_OFFSET - 1) & ~(VMALLOC_OFFSET - 1);
	return high_memory + VMALLOC_OFFSET;
}

uint32_t layout_maxmem_pfn(const struct machine_config *cfg)
{
	uint64_t reserve = VMALLOC_RESERVE, end = layout_vmalloc_end(cfg);
	uint64_t top = cfg->model == MODEL_CLASSIC ? 1ull << 32 : end;

	if (cfg->vmalloc_bytes)
		reserve = (uint64_t)cfg->vmalloc_bytes + VMALLOC_OFFSET;
	if (top < cfg->page_offset + reserve + LOWMEM_MIN)
		return 0;
	top -= reserve;
	// the classic formula ignores pkmap and fixmap: a small vmalloc= would not fit below them
	if (top + 2 * VMALLOC_OFFSET > end && cfg->model == MODEL_CLASSIC)
		return 0;
	return (top - cfg->page_offset) >> PAGE_SHIFT;
}
