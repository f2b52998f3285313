// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Transitions in ftrace's text format, as a kernel prints its kmem events (reference 13.9).
//
//               init-1     [000] d...     0.509518: mm_page_free: page=c7dfe600 pfn=4656 order=0
//               comm pid   cpu   context  seconds   event         fields
//
// Only what is a tracepoint of the kernel has such a line; the other transitions have none.
#pragma once

#include "machine.h"

struct trace_context { // what a transition itself does not know
	const char *comm;
	int pid;
	uint64_t ns;	    // since the trace began
	uint32_t call_site; // linear address
	uint32_t bytes_req; // kmalloc: what was asked for; 0 unknown: what was given
};

int trace_text_header(unsigned events, unsigned ncpus, char *buf, size_t size);
// The line of element i of the transition's run (i < t->count), with its newline. 0: it has none.
// m knows caches and mem_map. As snprintf, at most size bytes are written.
int trace_text(const struct machine *m, const struct trace_event *t, uint32_t i,
	       const struct trace_context *c, char *buf, size_t size);
