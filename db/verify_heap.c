// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "verify_heap.h"

#include <glib.h>

static gpointer key(uint64_t n)
{
	return GSIZE_TO_POINTER(n);
}

static uint64_t lookup(GHashTable *t, uint64_t k)
{
	return GPOINTER_TO_SIZE(g_hash_table_lookup(t, key(k)));
}

void heap_check_init(struct heap_check *h, struct recording *r, uint64_t first_event)
{
	*h = (struct heap_check){.r = r, .first_event = first_event};
	h->live = g_hash_table_new(g_direct_hash, g_direct_equal);
	h->displaced = g_hash_table_new(g_direct_hash, g_direct_equal);
	h->inherited = g_hash_table_new(g_direct_hash, g_direct_equal);
}

uint64_t heap_check_finish(struct heap_check *h)
{
	uint64_t n = g_hash_table_size(h->displaced);
	g_hash_table_destroy(h->live);
	g_hash_table_destroy(h->displaced);
	g_hash_table_destroy(h->inherited);
	return n;
}

// At most one block can be displaced at an address: a third owner needs two frees first.
static void give(struct heap_check *h, uint64_t addr, uint64_t event)
{
	uint64_t there = lookup(h->live, addr);
	if (there)
		g_hash_table_insert(h->displaced, key(addr), key(there));
	g_hash_table_insert(h->live, key(addr), key(event));
}

static bool gives(enum event_kind kind)
{
	return kind == EV_MALLOC || kind == EV_CALLOC || kind == EV_REALLOC || kind == EV_MEMALIGN;
}

// A block of the parent: both may free it, each once.
static bool take_inherited(struct heap_check *h, uint64_t addr, uint64_t ref)
{
	struct event_row row;
	return recording_rows(h->r, ref, 1, &row) && row.addr == addr && gives(row.kind) &&
	       g_hash_table_add(h->inherited, key(ref));
}

// A free without a ref must not have had a block to refer to.
static bool take(struct heap_check *h, uint64_t addr, uint64_t ref)
{
	if (!ref) {
		h->unknown++;
		return !lookup(h->live, addr);
	}
	if (lookup(h->live, addr) == ref)
		return g_hash_table_remove(h->live, key(addr));
	if (lookup(h->displaced, addr) == ref)
		return g_hash_table_remove(h->displaced, key(addr));
	return ref < h->first_event && take_inherited(h, addr, ref);
}

void heap_check_event(struct heap_check *h, const struct event_row *row, uint64_t old)
{
	bool failed = row->flags & OPF_FAILED;
	uint64_t taken = row->kind == EV_FREE ? row->addr : row->kind == EV_REALLOC ? old : 0;
	if (taken && !failed) {
		h->frees++;
		if (!take(h, taken, row->ref) && !h->wrong++)
			h->first_wrong = row->id;
	}
	if (gives(row->kind) && !failed && row->addr)
		give(h, row->addr, row->id);
}
