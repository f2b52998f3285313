// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Report sizes: allocations by size class, and what rounding up to the class costs.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

// Slabs and pages come in classes of their own; what the other paths give is put into powers of
// two, of which `size` is the upper end.
struct size_class {
	unsigned path, cache;
	uint64_t size, calls, asked, taken;
};

struct sizes {
	struct report *rp;
	GHashTable *index; // key -> index in list, + 1
	GArray *list;
};

static uint64_t power_of_two(uint64_t n)
{
	uint64_t p = 4096;
	while (p < n && p < 1ull << 62)
		p <<= 1;
	return p;
}

static bool has_classes(unsigned path)
{
	return path == PATH_KMALLOC || path == PATH_SLAB || path == PATH_PAGES;
}

static void add(void *ctx, const struct scan_event *e)
{
	struct sizes *s = ctx;
	if (!scan_gives(e))
		return;
	uint64_t taken = scan_taken(e),
		 size = has_classes(e->c->path) ? taken : power_of_two(taken);
	unsigned cache = has_classes(e->c->path) ? e->c->cache : 0;
	gsize key = (gsize)size << 20 | cache << 4 | e->c->path;
	gsize at = GPOINTER_TO_SIZE(g_hash_table_lookup(s->index, GSIZE_TO_POINTER(key)));
	if (!at) {
		struct size_class new = {e->c->path, cache, size, 0, 0, 0};
		g_array_append_val(s->list, new);
		at = s->list->len;
		g_hash_table_insert(s->index, GSIZE_TO_POINTER(key), GSIZE_TO_POINTER(at));
	}
	struct size_class *c = &g_array_index(s->list, struct size_class, at - 1);
	c->calls++;
	c->asked += e->req;
	c->taken += taken;
}

static int by_path(gconstpointer pa, gconstpointer pb)
{
	const struct size_class *a = pa, *b = pb;
	if (a->path != b->path)
		return a->path < b->path ? -1 : 1;
	if (a->size != b->size)
		return a->size < b->size ? -1 : 1;
	return (a->cache > b->cache) - (a->cache < b->cache);
}

static char *class_name(struct report *rp, const struct size_class *c)
{
	if (c->path == PATH_PAGES)
		return g_strdup_printf("pages, order %u", c->cache);
	if (!has_classes(c->path))
		return g_strdup_printf("%s to %s", op_path_name((enum op_path)c->path),
				       fmt_bytes(c->size));
	return cache_name(rp, c->cache);
}

static void print(struct report *rp, const GArray *list)
{
	static const struct column columns[] = {{"class", "class", CELL_TEXT},
						{"calls", "calls", CELL_COUNT},
						{"asked", "asked", CELL_BYTES},
						{"taken", "taken", CELL_BYTES},
						{"slack", "slack", CELL_BYTES},
						{"slack_share", "", CELL_SHARE},
						{"", "", CELL_BAR},
						{0}};
	uint64_t most = 1, asked = 0, taken = 0;
	for (guint i = 0; i < list->len; i++) {
		const struct size_class *c = &g_array_index(list, struct size_class, i);
		most = c->calls > most ? c->calls : most;
		asked += c->asked;
		taken += c->taken;
	}
	out_title(rp, "%s asked for, %s taken: %.1f %% slack", fmt_bytes(asked), fmt_bytes(taken),
		  taken > asked ? 100 * (double)(taken - asked) / (double)taken : 0.0);
	out_table(rp, "sizes", columns);
	for (guint i = 0; i < list->len; i++) {
		const struct size_class *c = &g_array_index(list, struct size_class, i);
		uint64_t slack = c->taken > c->asked ? c->taken - c->asked : 0;
		g_autofree char *name = class_name(rp, c);
		out_row(rp, name, c->calls, c->asked, c->taken, slack,
			c->taken ? slack * 1000 / c->taken : (uint64_t)0,
			(c->calls * 1000 + most - 1) / most);
	}
	out_end(rp);
}

int report_sizes(struct report *rp)
{
	g_autoptr(GHashTable) index = g_hash_table_new(NULL, NULL);
	g_autoptr(GArray) list = g_array_new(FALSE, TRUE, sizeof(struct size_class));
	report_scan(rp, false, add, &(struct sizes){rp, index, list});
	g_array_sort(list, by_path);
	print(rp, list);
	return EXIT_SUCCESS;
}
