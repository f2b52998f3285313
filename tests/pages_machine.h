// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Machines for the tests of pages: M, and Twin to compare it with.
#pragma once

#include <sys/mman.h>

#include "core/machine.h"
#include "harness.h"

#define MiB (1ull << 20)

static struct machine M, Twin __attribute__((unused));
static struct machine_config Cfg;

static void boot_on(struct machine *m, const struct machine_config *cfg)
{
	static struct {
		struct machine *m;
		void *memory;
		size_t size;
	} held[4];
	size_t size = machine_size(cfg);
	const char *why = "";
	int i = 0;

	while (held[i].m && held[i].m != m)
		i++;
	if (held[i].memory)
		munmap(held[i].memory, held[i].size);
	CHECK(size);
	held[i].m = m;
	held[i].size = size;
	held[i].memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK(held[i].memory != MAP_FAILED);
	CHECK_EQ(machine_boot(m, held[i].memory, cfg, &why), 0);
}

__attribute__((unused)) static void boot(enum model model, uint64_t ram, unsigned ncpus)
{
	machine_config_default(&Cfg, model, ram, ncpus);
	boot_on(&M, &Cfg);
}

__attribute__((unused)) static void check_sane(void)
{
	char why[256] = "";

	machine_check(&M, why, sizeof(why));
	CHECK_STR(why, "");
}
