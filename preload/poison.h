// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// --slab-debug: DEBUG_SLAB's poison in the bytes of programs' objects (core/slab_debug.h). An object
// that nobody holds is filled from its slab's birth on; one found changed when it is handed out was
// written to after its free, and the recording says so.
#pragma once

#include "preload.h"

void poison_slab(const struct machine *m, unsigned cache,
		 pfn_t slab); // new: nobody holds any of it
void poison_freed(const struct machine *m, unsigned cache, kaddr_t obj);
// CPU held. Checks, then fills with the pattern of memory in use.
void poison_taken(struct machine *m, unsigned cache, kaddr_t obj);
