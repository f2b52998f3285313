// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Dumps of the page allocator, and the fields that several topics share.
#pragma once

#include "vectors.h"

// The zone whose name stands at text, up to a blank, '=' or ':'; -1 when it is none.
int zone_named(const char *text);
// A number of a line that must be below limit; otherwise a mismatch, and 0.
unsigned index_of(struct vectors *v, const char *line, const char *key, unsigned limit);
// n numbers with one character between them.
void load_list(struct vectors *v, const char *line, const char *key, uint32_t *to, unsigned n);
void compare_reserve(struct vectors *v, const struct zone *z, const char *line, const char *key);
// The line that ended the dump whose first line was begin must be its "dump TAG end".
void end_of_dump(struct vectors *v, const char *begin, const char *line);
// Every line behind "dump TAG begin" up to "dump TAG end".
void dump(struct vectors *v, struct machine *m, const char *begin, bool load);
