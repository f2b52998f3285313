// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The machines that records are applied to: an input's first byte chooses.
#pragma once

#include <stdio.h>
#include <stdlib.h>

#include "../../core/machine.h"

enum {
	MACHINES = 4
};

static inline void fuzz_machine_config(unsigned which, struct machine_config *cfg)
{
	static const struct {
		enum model model;
		unsigned mib, highmem_mib, ncpus, debug;
	} kind[MACHINES] = {{MODEL_CLASSIC, 48, 0, 2, 0},
			    {MODEL_3_4, 64, 24, 2, 0},
			    {MODEL_CLASSIC, 32, 0, 1, 1},
			    {MODEL_3_4, 48, 16, 4, 1}};

	machine_config_default(cfg, kind[which].model, (uint64_t)kind[which].mib << 20,
			       kind[which].ncpus);
	cfg->highmem_bytes = kind[which].highmem_mib << 20;
	cfg->slab_debug = kind[which].debug;
	cfg->kmalloc_minalign = kind[which].debug ? 16 : 8;
}

static inline void fuzz_machine_boot(unsigned which, void *memory)
{
	struct machine_config cfg;
	struct machine m;
	const char *why = "";

	fuzz_machine_config(which, &cfg);
	if (machine_boot(&m, memory, &cfg, &why)) {
		fprintf(stderr, "the machine does not boot: %s\n", why);
		abort();
	}
}
