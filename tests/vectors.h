// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Vectors: text recorded from a real Linux 3.4.113, replayed through the shipped functions.
//
// A file is lines; the first says the topic and the machine. Each topic has one runner: it loads
// the dumped state, makes every call the kernel made and compares every answer and dump.
#pragma once

#include "core/machine.h"

struct vectors {
	const char *file;
	char header[512]; // the first line, without the newline
	unsigned long line; // number of the current line
	unsigned long ops; // lines replayed or compared: every line a runner asked for
	unsigned long mismatches;
	char *text; // the whole file; NUL where lines end
	char *next;
};

// The next line without its newline, or NULL at the end; '#' comments are skipped. Valid until
// the file is closed, so a runner may keep pointers to lines.
const char *vectors_line(struct vectors *v);

// Counts a difference; the first few of a file are printed to stderr.
void vectors_mismatch(struct vectors *v, const char *line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

// A number of the header ("cpus_online=2"); base as for strtol. -1 when it is not there.
long long vectors_header(const struct vectors *v, const char *key, int base);
bool vectors_header_is(const struct vectors *v, const char *key, const char *value);

// Boots a fresh model 3.4 machine of the header's size (highend_pfn, max_low_pfn), build and CPUs
// on fresh memory; NULL handle memory on failure. One machine at a time.
int vectors_machine(struct vectors *v, struct machine *m);
// The configuration that vectors_machine boots; a runner may change it and boot itself.
void vectors_config(const struct vectors *v, struct machine_config *cfg);
int vectors_boot(struct vectors *v, struct machine *m, const struct machine_config *cfg);

// Runners: return nothing, count in v.
void vectors_boot_stages(struct vectors *v);
void vectors_buddy(struct vectors *v); // and exhaust
void vectors_zones(struct vectors *v);
void vectors_memblock(struct vectors *v);
void vectors_slabgeom(struct vectors *v);
void vectors_kmalloc(struct vectors *v);
void vectors_slabseq(struct vectors *v);
void vectors_vmalloc(struct vectors *v);
void vectors_kmap(struct vectors *v);
void vectors_mempool(struct vectors *v);
void vectors_percpu(struct vectors *v);
