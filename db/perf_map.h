// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Names of generated code: /tmp/perf-PID.map, one "START SIZE NAME" (hexadecimal) a line.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct perf_symbol {
	uint64_t start, size;
	const char *name;
};

struct perf_map { // zeroed at first
	int pid;
	char *text;
	struct perf_symbol *symbol; // sorted by start
	size_t n;
};

// Reads the map of pid, unless it is the one already read. A missing or foreign file is an empty map.
void perf_map_open(struct perf_map *m, int pid);
const char *perf_map_find(const struct perf_map *m, uint64_t address); // NULL: unknown
void perf_map_close(struct perf_map *m);
