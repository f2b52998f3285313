// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// /proc/slabinfo 2.1, read and written (reference 13.4, 7.6).
#include "procfs.h"

#include <errno.h>
#include <string.h>

#include "text.h"

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

// A decimal number behind blanks. NULL: none, or more than any tunable may be.
static const char *parse_number(const char *p, uint32_t *value)
{
	uint64_t n = 0;

	while (*p == ' ')
		p++;
	if (*p < '0' || *p > '9')
		return NULL;
	for (; *p >= '0' && *p <= '9' && n <= UINT32_MAX; p++)
		n = n * 10 + (uint64_t)(*p - '0');
	*value = (uint32_t)n;
	return n > UINT32_MAX ? NULL : p;
}

static unsigned find_cache(const struct machine *m, const char *name, size_t len)
{
	unsigned id = m->s->slab.cache_chain.first;

	while (id && (strnlen(m->caches[id].name, CACHE_NAME_LEN) != len ||
		      memcmp(m->caches[id].name, name, len)))
		id = m->caches[id].chain.next;
	return id;
}

int slabinfo_write(struct machine *m, const char *text)
{
	const char *p = strchr(text, ' ');
	uint32_t value[3] = {0};
	unsigned cache = p ? find_cache(m, text, (size_t)(p - text)) : 0;

	for (unsigned i = 0; p && i < 3; i++)
		p = parse_number(p, &value[i]);
	if (!p || !cache)
		return -EINVAL;
	return kmem_cache_tune(m, cache, value[0], value[1], value[2]) ? -ERANGE : 0;
}
