// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Functions that `kalloscope sql` adds to SQLite's own:
//   stack_text(STACK)                    "make_node < build < main"
//   hex_text(NUMBER)                     "0xc1234567"
//   size_text(BYTES)                     "12.3 MiB"
//   size_class(BYTES)                    "size-128", the kmalloc cache that serves it; NULL: none
//   gfp_text(GFP)                        "GFP_KERNEL|__GFP_ZERO"
// and the machine right after an event of its process (NULL: no such event, zone or cache):
//   free_pages(ZONE, EVENT)              as the watermarks see them
//   free_blocks(ZONE, ORDER, EVENT)      as in buddyinfo
//   cache_objects(NAME, EVENT)           objects not in their slab, as in slabinfo
//   cache_slabs(NAME, EVENT)
//   proc_text(FILE, EVENT)               what /proc/FILE would print
// Going forward in events is quick, going back costs a keyframe.
#pragma once

#include "reader.h"

struct sql_functions;
// To be freed before the recording is closed, and after its statements.
struct sql_functions *sql_functions_add(struct recording *r);
void sql_functions_free(struct sql_functions *f);
