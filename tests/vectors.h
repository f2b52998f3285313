// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Vectors: text recorded from a real Linux 3.4, replayed through the shipped functions.
//
// A file is lines; the first says the topic and the machine, the last ("=== ...") that it is whole.
// Each topic has one runner: it loads the dumped state, makes every call the kernel made and
// compares every answer and dump. Nothing is skipped in silence: a `key=` that no runner has read
// when the file ends counts as a mismatch, and so does a key that a runner wants and a line lacks.
#pragma once

#include "core/machine.h"

struct vectors {
	const char *file;
	char header[512]; // the first line, without the newline
	unsigned long line; // number of the current line
	unsigned long ops; // lines replayed or compared: every line a runner asked for
	unsigned long mismatches;
	unsigned long version; // of 3.4.VERSION
	char *text; // the whole file; NUL where lines end
	char *next;
	size_t size; // bytes of text
	uint8_t *read; // one bit per byte of text: a runner has read the key whose '=' is there
};

// The next line without its newline, or NULL at the end; '#' comments are skipped. Valid until
// the file is closed, so a runner may keep pointers to lines.
const char *vectors_line(struct vectors *v);

// Counts a difference; the first few of a file are printed to stderr.
void vectors_mismatch(struct vectors *v, const char *line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void expect(struct vectors *v, const char *line, const char *what, long long got, long long want);

// ---- fields of a line ----

bool starts(const char *line, const char *word);
// What stands behind "key=", which counts as read; NULL when the line has no such key.
const char *field(struct vectors *v, const char *line, const char *key);
// The same as a number; a line without it is a mismatch, and the number -1.
long long number(struct vectors *v, const char *line, const char *key, int base);
// For keys that say nothing a machine could be asked about; the comment at the call says why.
void ignore(struct vectors *v, const char *line, const char *key);
// The runner has compared the line as a whole.
void read_whole(struct vectors *v, const char *line);
// sscanf that takes the whole line and reads `n` items; otherwise false, and a mismatch.
bool scan(struct vectors *v, const char *line, int n, const char *fmt, ...)
	__attribute__((format(scanf, 4, 5)));

// ---- machines ----

// A number of the header ("cpus_online=2"); base as for strtol. -1 when it is not there.
long long vectors_header(const struct vectors *v, const char *key, int base);
bool vectors_header_is(const struct vectors *v, const char *key, const char *value);

// Boots a fresh machine of the header's size (highend_pfn, max_low_pfn), version, build and CPUs
// on fresh memory; NULL handle memory on failure. One machine at a time.
int vectors_machine(struct vectors *v, struct machine *m);
// The configuration that vectors_machine boots; a runner may change it and boot itself.
void vectors_config(const struct vectors *v, struct machine_config *cfg);
int vectors_boot(struct vectors *v, struct machine *m, const struct machine_config *cfg);
// The same with no boot step made yet.
int vectors_unbooted(struct vectors *v, struct machine *m, const struct machine_config *cfg);

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
