// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The function symbols of one file, sorted, so that an address is found by halving.
//
// libdwfl's own search looks at every symbol for every address: with the 300,000 of a compiler's
// or a browser's library that is milliseconds an address.
//
// Invariants: entries are ordered by address; reach[i] = max(end of entries 0..i), so a search
// going down from the address may stop where reach[i] <= pc.
#pragma once

#include <elfutils/libdwfl.h>

struct symbol_table;

// Of .symtab, .dynsym and the compressed one in .gnu_debugdata, whichever libdwfl finds. The names
// belong to the module and live as long as it. NULL: no memory.
struct symbol_table *symbol_table_new(Dwfl_Module *module);
void symbol_table_free(struct symbol_table *t); // NULL is fine

// The symbol whose code pc is in: the one that starts last; of several at one address global ones
// before weak before local ones. A symbol without a size is believed for 4096 bytes, up to the next
// symbol. NULL: none, and *range is left alone.
struct code_range {
	GElf_Addr start, end; // end == start: unknown
};
const char *symbol_table_find(const struct symbol_table *t, GElf_Addr pc, struct code_range *range);
