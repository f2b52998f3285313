// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Interning: what many rows share gets a small number and one row of its own.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "inserter.h"

enum {
	CALL_PAIRS = 4096,
	CALLS_FREE = 1 << 16, // as many calls as may be without a question
	CALLS_SHARE = 16,     // events a call must have on average when there are more
	CALLS_MAX = 1 << 20,  // and as many as may be at all
};

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

static bool intern_known(struct intern *t, const void *key)
{
	return *intern_probe(t, key) != 0;
}

static void gfp_row(struct inserter *ins, gfp_t gfp)
{
	char name[256];

	gfp_string(gfp, name, sizeof(name));
	store_run(ins, ST_GFP, "is", (int64_t)gfp, name);
}

static uint32_t context_of(struct inserter *ins, const struct context_key *k)
{
	bool is_new = false;
	uint32_t id = intern_id(&ins->contexts, k, &is_new);

	if (!is_new)
		return id;
	gfp_row(ins, k->gfp);
	store_run(ins, ST_CONTEXT, k->alloc == ALLOC_IN_PAGES ? "iiiiiiiiin" : "iiiiiiiiii",
		  (int64_t)id, (int64_t)k->process, (int64_t)k->thread, (int64_t)k->cpu,
		  (int64_t)k->kind, (int64_t)k->path, (int64_t)k->cache, (int64_t)k->gfp,
		  (int64_t)k->flags, k->alloc);
	return id;
}

// --- calls

// What tells calls apart in a record, packed for one comparison; a cache before the hash table, for a
// program makes few different calls at a time. Two of the same hash stand in one line of memory.
struct call_hit {
	uint64_t who, what, req;
	uint32_t call;
	bool in_row; // of the call: its rows say how many bytes were asked for
};
_Static_assert(sizeof(struct call_hit) == 32, "two in a line");

int calls_init(struct inserter *ins)
{
	ins->call_hit = aligned_alloc(64, CALL_PAIRS * 2 * sizeof(*ins->call_hit));
	if (!ins->call_hit)
		return -ENOMEM;
	calls_forget(ins);
	return intern_init(&ins->calls, sizeof(struct call_key));
}

void calls_finish(struct inserter *ins)
{
	intern_finish(&ins->calls);
	free(ins->call_hit);
}

void calls_forget(struct inserter *ins)
{
	memset(ins->call_hit, 0, CALL_PAIRS * 2 * sizeof(*ins->call_hit));
}

const struct call_key *call_key(const struct inserter *ins, uint32_t call)
{
	return (const struct call_key *)(ins->calls.keys + (size_t)call * sizeof(struct call_key));
}

// Sizes that seldom come back stand in the rows: a row of `call` each would cost more.
static bool calls_crowded(const struct inserter *ins)
{
	return ins->calls.count > CALLS_FREE &&
	       (ins->calls.count > ins->events / CALLS_SHARE || ins->calls.count > CALLS_MAX);
}

static uint32_t call_row(struct inserter *ins, const struct call_key *k)
{
	bool is_new = false;
	uint32_t id = intern_id(&ins->calls, k, &is_new);

	if (is_new)
		store_run(ins, ST_CALL, k->req == REQ_IN_ROW ? "iiin" : "iiii", (int64_t)id,
			  (int64_t)k->context, (int64_t)k->stack, (int64_t)k->req);
	return id;
}

static uint32_t call_find(struct proc *p, const struct record *r)
{
	const struct context_key c = {
		.process = p->number,
		.thread = r->lock,
		.cache = (uint16_t)r->op.cache,
		.cpu = r->cpu,
		.kind = r->kind,
		.path = r->path,
		.flags = (uint16_t)r->op.flags,
		.gfp = r->op.gfp < GFPC_COUNT ? gfp_code_value((enum gfp_code)r->op.gfp) : 0,
		.alloc = alloc_bytes(p, r),
	};
	struct call_key k = {context_of(p->ins, &c), r->ticket, r->op.req};

	if (r->kind != EV_FREE && calls_crowded(p->ins) && !intern_known(&p->ins->calls, &k))
		k.req = REQ_IN_ROW;
	return call_row(p->ins, &k);
}

static bool same_call(const struct call_hit *h, uint64_t who, uint64_t what, uint64_t req)
{
	return h->who == who && h->what == what && h->req == req;
}

uint32_t call_of(struct proc *p, const struct record *r, bool *in_row)
{
	uint64_t who = r->kind | (uint64_t)r->path << 8 | (uint64_t)r->cpu << 12 |
		       (uint64_t)r->lock << 16 | (uint64_t)r->ticket << 32;
	uint64_t what = r->op.cache | (uint64_t)r->op.flags << 16 | (uint64_t)r->op.gfp << 32 |
			(uint64_t)p->number << 40;
	uint64_t h = (who ^ what * 3 ^ (uint64_t)r->op.req << 20) * 0x9E3779B97F4A7C15ull;
	struct call_hit *pair = &p->ins->call_hit[(h >> 32 & (CALL_PAIRS - 1)) * 2];
	struct call_hit *hit = same_call(pair, who, what, r->op.req) ? pair : pair + 1;

	if (!same_call(hit, who, what, r->op.req)) {
		pair[1] = pair[0];
		*pair = (struct call_hit){who, what, r->op.req, call_find(p, r), false};
		pair->in_row = call_key(p->ins, pair->call)->req == REQ_IN_ROW;
		hit = pair;
	}
	*in_row = hit->in_row;
	return hit->call;
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
