// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// /proc/slabinfo 2.1 (reference 13.4).
#include "procfs.h"

#include <stdarg.h>
#include <stdio.h>

struct text { // snprintf into what is left, counting on when nothing is
	char *buf;
	size_t size;
	int len;
};

__attribute__((format(printf, 2, 3))) static void put(struct text *t, const char *format, ...)
{
	size_t used = (size_t)t->len < t->size ? (size_t)t->len : t->size;
	va_list args;

	va_start(args, format);
	t->len += vsnprintf(t->size ? t->buf + used : NULL, t->size - used, format, args);
	va_end(args);
}

// Objects parked in arrays count as active: their slab does not know better.
static void put_cache(struct machine *m, struct text *t, unsigned cache)
{
	const struct kmem_cache *c = &m->caches[cache];
	uint32_t num_objs = c->num_slabs * c->num;

	put(t, "%-17.*s %6u %6u %6u %4u %4u", CACHE_NAME_LEN, c->name, num_objs - c->free_objects,
	    num_objs, c->buffer_size, c->num, 1u << c->gfporder);
	put(t, " : tunables %4u %4u %4u", c->limit, c->batchcount, c->shared);
	put(t, " : slabdata %6u %6u %6u\n", c->num_active_slabs, c->num_slabs,
	    m->shared[cache].avail);
}

int proc_slabinfo(struct machine *m, char *buf, size_t size)
{
	struct text t = {buf, size, 0};

	put(&t, "slabinfo - version: 2.1\n"
		"# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab>"
		" : tunables <limit> <batchcount> <sharedfactor>"
		" : slabdata <active_slabs> <num_slabs> <sharedavail>\n");
	for (unsigned id = m->s->slab.cache_chain.first; id; id = m->caches[id].chain.next)
		put_cache(m, &t, id);
	return t.len;
}
