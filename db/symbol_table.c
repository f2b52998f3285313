// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Symbols of a file, sorted by address.
#include "symbol_table.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
	SIZELESS_REACH = 4096,
};

struct entry {
	GElf_Addr start, end; // end == start: no size
	const char *name;
	int rank; // the better of two at one address has the higher
};

struct symbol_table {
	size_t n;
	GElf_Addr *reach;
	struct entry entry[];
};

static int rank_of(const GElf_Sym *sym)
{
	int bind = GELF_ST_BIND(sym->st_info);
	return (sym->st_size ? 4 : 0) + (bind == STB_GLOBAL ? 2 : bind == STB_WEAK ? 1 : 0);
}

static bool is_code(const GElf_Sym *sym)
{
	switch (GELF_ST_TYPE(sym->st_info)) {
	case STT_FUNC:
	case STT_GNU_IFUNC:
	case STT_NOTYPE:
		return sym->st_shndx != SHN_UNDEF;
	default:
		return false;
	}
}

// Among equals by name, so that the answer does not depend on the order in the file.
static int by_address(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	if (x->rank != y->rank)
		return x->rank - y->rank;
	return -strcmp(x->name, y->name);
}

// Ends of the entries without a size, from the last to the first: next is the nearest start above.
static void set_ends(struct symbol_table *t)
{
	GElf_Addr next = UINT64_MAX, start = UINT64_MAX;
	for (size_t i = t->n; i-- > 0;) {
		struct entry *e = &t->entry[i];
		if (e->start != start) {
			next = start;
			start = e->start;
		}
		if (e->end <= e->start)
			e->end =
				next - e->start < SIZELESS_REACH ? next : e->start + SIZELESS_REACH;
	}
}

static void set_reach(struct symbol_table *t)
{
	GElf_Addr reach = 0;
	for (size_t i = 0; i < t->n; i++) {
		if (t->entry[i].end > reach)
			reach = t->entry[i].end;
		t->reach[i] = reach;
	}
}

struct symbol_table *symbol_table_new(Dwfl_Module *module)
{
	int n = dwfl_module_getsymtab(module);
	size_t most = n > 0 ? (size_t)n : 0;
	struct symbol_table *t = calloc(1, sizeof(*t) + most * sizeof(t->entry[0]));
	if (!t || !(t->reach = calloc(most + 1, sizeof(*t->reach)))) {
		free(t);
		return NULL;
	}
	for (int i = 1; i < n; i++) {
		GElf_Sym sym;
		GElf_Addr at;
		const char *name = dwfl_module_getsym_info(module, i, &sym, &at, NULL, NULL, NULL);
		if (name && *name && is_code(&sym))
			t->entry[t->n++] =
				(struct entry){at, at + sym.st_size, name, rank_of(&sym)};
	}
	qsort(t->entry, t->n, sizeof(t->entry[0]), by_address);
	set_ends(t);
	set_reach(t);
	return t;
}

void symbol_table_free(struct symbol_table *t)
{
	if (t)
		free(t->reach);
	free(t);
}

const char *symbol_table_find(const struct symbol_table *t, GElf_Addr pc, struct code_range *range)
{
	size_t low = 0, high = t->n;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (t->entry[middle].start <= pc)
			low = middle + 1;
		else
			high = middle;
	}
	for (size_t i = low; i-- > 0 && t->reach[i] > pc;)
		if (t->entry[i].end > pc) {
			*range = (struct code_range){t->entry[i].start, t->entry[i].end};
			return t->entry[i].name;
		}
	return NULL;
}
