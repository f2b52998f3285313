// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Interning: what many rows share gets a small number and one row of its own.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "inserter.h"

int intern_init(struct intern *t, size_t key_size)
{
	*t = (struct intern){.mask = 1023, .key_size = key_size};
	t->slot = calloc(t->mask + 1, sizeof(*t->slot));
	t->keys = calloc(t->mask + 1, key_size);
	return t->slot && t->keys ? 0 : -ENOMEM;
}

void intern_finish(struct intern *t)
{
	free(t->slot);
	free(t->keys);
	*t = (struct intern){0};
}

static uint32_t *intern_probe(struct intern *t, const void *key)
{
	size_t i = bytes_hash(key, t->key_size) & t->mask;

	while (t->slot[i] && memcmp(t->keys + t->slot[i] * t->key_size, key, t->key_size))
		i = (i + 1) & t->mask;
	return &t->slot[i];
}

static bool intern_grow(struct intern *t)
{
	size_t mask = t->mask * 2 + 1;
	uint32_t *slot = calloc(mask + 1, sizeof(*slot)), *old = t->slot;
	unsigned char *keys = realloc(t->keys, (mask + 1) * t->key_size);

	if (keys)
		t->keys = keys;
	if (!keys || !slot) {
		free(slot);
		return false;
	}
	t->slot = slot;
	t->mask = mask;
	for (uint32_t id = 1; id <= t->count; id++)
		*intern_probe(t, t->keys + id * t->key_size) = id;
	free(old);
	return true;
}

uint32_t intern_id(struct intern *t, const void *key, bool *is_new)
{
	uint32_t *slot;

	if (t->count * 2 >= t->mask && !intern_grow(t))
		return 0;
	slot = intern_probe(t, key);
	*is_new = !*slot;
	if (*is_new) {
		*slot = (uint32_t)++t->count;
		memcpy(t->keys + t->count * t->key_size, key, t->key_size);
	}
	return *slot;
}

static void gfp_row(struct inserter *ins, gfp_t gfp)
{
	char name[256];

	gfp_string(gfp, name, sizeof(name));
	store_run(ins, ST_GFP, "is", (int64_t)gfp, name);
}

int64_t context_of(struct inserter *ins, const struct context_key *k)
{
	bool is_new = false;
	uint32_t id = intern_id(&ins->contexts, k, &is_new);

	if (!is_new)
		return id;
	gfp_row(ins, k->gfp);
	store_run(ins, ST_CONTEXT, k->alloc == -2 ? "iiiiiiiiin" : "iiiiiiiiii", (int64_t)id,
		  (int64_t)k->process, (int64_t)k->thread, (int64_t)k->cpu, (int64_t)k->kind,
		  (int64_t)k->path, (int64_t)k->cache, (int64_t)k->gfp, (int64_t)k->flags,
		  k->alloc);
	return id;
}

int64_t transition_context_of(struct inserter *ins, const struct transition_key *k)
{
	bool is_new = false;
	uint32_t id = intern_id(&ins->transition_contexts, k, &is_new);

	if (is_new)
		store_run(ins, ST_TRANSITION_CONTEXT, "iiiiiiiiiii", (int64_t)id,
			  (int64_t)k->process, (int64_t)k->cpu, (int64_t)k->kind, (int64_t)k->zone,
			  (int64_t)k->order, (int64_t)k->order2, (int64_t)k->migratetype,
			  (int64_t)k->migratetype2, (int64_t)k->cache, (int64_t)k->flags);
	return id;
}
