// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "calltree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct index { // open hash of ids, 0 empty
	uint32_t *slot;
	uint32_t size, used; // size: a power of two
};

struct calltree {
	int refs;
	uint32_t n, max;
	struct call_node *node;
	struct index by_edge; // (parent, name) -> node
	uint32_t nnames, max_names;
	char **name;
	struct index by_name;
};

enum {
	MAX_NODES = 4000000,
	MAX_DEPTH = 512
};

static uint32_t hash_text(const char *s)
{
	uint32_t h = 2166136261u;

	for (; *s; s++)
		h = (h ^ (uint8_t)*s) * 16777619u;
	return h ^ h >> 15;
}

static uint32_t hash_edge(uint32_t parent, uint32_t name)
{
	uint64_t h = ((uint64_t)parent << 32 | name) * 0x9e3779b97f4a7c15ull;

	return (uint32_t)(h >> 32);
}

static bool grow_array(void *array, uint32_t *max, uint32_t n, size_t size)
{
	uint32_t want = *max ? *max * 2 : 256;
	void **at = array, *bigger;

	if (n < *max)
		return true;
	bigger = realloc(*at, want * size);
	if (!bigger)
		return false;
	*at = bigger;
	*max = want;
	return true;
}

static void place(struct index *x, uint32_t hash, uint32_t id)
{
	uint32_t i = hash & (x->size - 1);

	while (x->slot[i])
		i = (i + 1) & (x->size - 1);
	x->slot[i] = id;
}

static uint32_t node_hash(const struct calltree *t, uint32_t id)
{
	return hash_edge(t->node[id].parent, t->node[id].name);
}

static uint32_t name_hash(const struct calltree *t, uint32_t id)
{
	return hash_text(t->name[id]);
}

// Room for one more: at most half of the slots are used.
static bool make_room(const struct calltree *t, struct index *x,
		      uint32_t (*hash)(const struct calltree *, uint32_t))
{
	struct index bigger = {NULL, x->size ? x->size * 2 : 1024, x->used};

	if (x->used * 2 < x->size)
		return true;
	bigger.slot = calloc(bigger.size, sizeof(*bigger.slot));
	if (!bigger.slot)
		return false;
	for (uint32_t i = 0; i < x->size; i++)
		if (x->slot[i])
			place(&bigger, hash(t, x->slot[i]), x->slot[i]);
	free(x->slot);
	*x = bigger;
	return true;
}

// Name 0 is the root's. 0: no memory.
static uint32_t intern(struct calltree *t, const char *s)
{
	uint32_t hash = hash_text(s);

	if (!make_room(t, &t->by_name, name_hash) ||
	    !grow_array(&t->name, &t->max_names, t->nnames, sizeof(*t->name)))
		return 0;
	for (uint32_t i = hash & (t->by_name.size - 1); t->by_name.slot[i];
	     i = (i + 1) & (t->by_name.size - 1))
		if (!strcmp(t->name[t->by_name.slot[i]], s))
			return t->by_name.slot[i];
	t->name[t->nnames] = strdup(s);
	if (!t->name[t->nnames])
		return 0;
	place(&t->by_name, hash, t->nnames);
	t->by_name.used++;
	return t->nnames++;
}

// The child of a node with that name, made when there is none. 0: no memory.
static uint32_t descend(struct calltree *t, uint32_t parent, uint32_t name)
{
	uint32_t hash = hash_edge(parent, name), id = t->n;

	if (t->n >= MAX_NODES || !make_room(t, &t->by_edge, node_hash) ||
	    !grow_array(&t->node, &t->max, t->n, sizeof(*t->node)))
		return 0;
	for (uint32_t i = hash & (t->by_edge.size - 1); t->by_edge.slot[i];
	     i = (i + 1) & (t->by_edge.size - 1)) {
		const struct call_node *c = &t->node[t->by_edge.slot[i]];

		if (c->parent == parent && c->name == name)
			return t->by_edge.slot[i];
	}
	t->node[id] = (struct call_node){.name = name,
					 .parent = parent,
					 .next = t->node[parent].child,
					 .depth = t->node[parent].depth + 1};
	t->node[parent].child = id;
	t->n++;
	place(&t->by_edge, hash, id);
	t->by_edge.used++;
	return id;
}

struct calltree *calltree_new(void)
{
	struct calltree *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->refs = 1;
	if (!grow_array(&t->node, &t->max, 0, sizeof(*t->node)) ||
	    !grow_array(&t->name, &t->max_names, 0, sizeof(*t->name))) {
		calltree_unref(t);
		return NULL;
	}
	t->node[0] = (struct call_node){0};
	t->name[0] = strdup("all");
	t->n = t->nnames = 1;
	return t;
}

static void add_cost(struct call_node *n, const struct site_row *f)
{
	n->cost[COST_PEAK] += f->peak_bytes;
	n->cost[COST_LIVE] += f->live_bytes;
	n->cost[COST_CALLS] += f->calls;
	n->cost[COST_TEMPORARY] += f->temporary;
	n->cost[COST_BYTES] += f->bytes;
}

static int add_path(struct calltree *t, const uint32_t *name, unsigned n,
		    const struct site_row *figures)
{
	uint32_t at = 0;

	add_cost(&t->node[0], figures);
	for (unsigned i = 0; i < n; i++) {
		at = descend(t, at, name[i]);
		if (!at)
			return -ENOMEM;
		add_cost(&t->node[at], figures);
	}
	return 0;
}

int calltree_add(struct calltree *t, const char *const *names, unsigned n,
		 const struct site_row *figures)
{
	uint32_t id[MAX_DEPTH];

	if (n > MAX_DEPTH)
		n = MAX_DEPTH;
	for (unsigned i = 0; i < n; i++) {
		id[i] = intern(t, names[i]);
		if (!id[i])
			return -ENOMEM;
	}
	return add_path(t, id, n, figures);
}

// ---- recursion ----

// The node itself or the one above it that has this name; 0 none.
static uint32_t caller_named(const struct calltree *t, uint32_t id, uint32_t name)
{
	while (id && t->node[id].name != name)
		id = t->node[id].parent;
	return id;
}

// What nodes cost beside their children, from nodes that have both; and back.
static void costs_of_their_own(struct calltree *t, const struct calltree *of, const uint32_t *place)
{
	for (uint32_t i = 0; i < of->n; i++) {
		const struct call_node *n = &of->node[i];

		for (unsigned c = 0; c < COSTS; c++) {
			t->node[place[i]].cost[c] += n->cost[c];
			if (i)
				t->node[place[n->parent]].cost[c] -= n->cost[c];
		}
	}
}

static void costs_with_children(struct calltree *t)
{
	for (uint32_t i = t->n; i-- > 1;)
		for (unsigned c = 0; c < COSTS; c++)
			t->node[t->node[i].parent].cost[c] += t->node[i].cost[c];
}

struct calltree *calltree_fold(const struct calltree *t)
{
	struct calltree *folded = calltree_new();
	uint32_t *place = calloc(t->n, sizeof(*place)); // node of t -> its node in the folded tree
	bool ok = folded && place;

	for (uint32_t i = 1; ok && i < t->nnames; i++) // in order: numbers stay
		ok = intern(folded, t->name[i]) == i;
	for (uint32_t i = 1; ok && i < t->n; i++) {
		uint32_t above = place[t->node[i].parent], name = t->node[i].name;

		place[i] = caller_named(folded, above, name);
		if (!place[i])
			place[i] = descend(folded, above, name);
		ok = place[i] != 0;
	}
	if (ok) {
		costs_of_their_own(folded, t, place);
		costs_with_children(folded);
	} else {
		calltree_unref(folded);
		folded = NULL;
	}
	free(place);
	return folded;
}

// ---- from a recording ----

struct name_of { // names of an address: `count` from `first` on in build.names
	uint32_t first, count;
};

struct build {
	struct calltree *t;
	enum call_order order;
	uint32_t nnames, max_names, max_addresses;
	uint32_t *names;
	struct name_of *address;
	struct site_row *site;
	uint32_t nsites, max_sites, at;
	uint32_t stack, depth, path[MAX_DEPTH]; // of the stack being read
	bool failed;
};

static void on_name(void *ctx, uint32_t address, const char *name)
{
	struct build *b = ctx;
	uint32_t id = intern(b->t, name);

	// ids are made one by one; a hostile file may claim others
	if (!id || address > b->nnames + (1u << 20)) {
		b->failed = b->failed || !id;
		return;
	}
	while (address >= b->max_addresses) {
		uint32_t old = b->max_addresses;

		if (!grow_array(&b->address, &b->max_addresses, old, sizeof(*b->address))) {
			b->failed = true;
			return;
		}
		memset(b->address + old, 0, (b->max_addresses - old) * sizeof(*b->address));
	}
	if (!grow_array(&b->names, &b->max_names, b->nnames, sizeof(*b->names))) {
		b->failed = true;
		return;
	}
	if (!b->address[address].count)
		b->address[address].first = b->nnames;
	b->address[address].count++;
	b->names[b->nnames++] = id;
}

static void on_site(void *ctx, const struct site_row *row)
{
	struct build *b = ctx;

	if (grow_array(&b->site, &b->max_sites, b->nsites, sizeof(*b->site)))
		b->site[b->nsites++] = *row;
	else
		b->failed = true;
}

// The stack is complete: its site is found by walking along, both come in order of stacks.
static void finish_stack(struct build *b)
{
	while (b->at < b->nsites && b->site[b->at].stack < b->stack)
		b->at++;
	if (!b->depth || b->at == b->nsites || b->site[b->at].stack != b->stack)
		return;
	if (b->order == CALLS_FROM_SITE)
		for (uint32_t i = 0, j = b->depth - 1; i < j; i++, j--) {
			uint32_t swap = b->path[i];

			b->path[i] = b->path[j];
			b->path[j] = swap;
		}
	if (add_path(b->t, b->path, b->depth, &b->site[b->at]))
		b->failed = true;
}

static void on_frame(void *ctx, uint32_t stack, uint32_t address)
{
	struct build *b = ctx;
	const struct name_of *n;

	if (stack != b->stack) {
		finish_stack(b);
		b->stack = stack;
		b->depth = 0;
	}
	if (address >= b->max_addresses)
		return;
	n = &b->address[address];
	for (uint32_t i = n->count; i-- > 0 && b->depth < MAX_DEPTH;)
		b->path[b->depth++] = b->names[n->first + i];
}

struct calltree *calltree_build_of(struct recording *r, int process, enum call_order order,
				   const struct site_row *rows, unsigned nrows)
{
	struct build *b = calloc(1, sizeof(*b));
	struct calltree *t = b ? calltree_new() : NULL;

	if (t) {
		b->t = t;
		b->order = order;
		recording_each_name(r, on_name, b);
		for (unsigned i = 0; i < nrows; i++)
			on_site(b, &rows[i]);
		if (!rows)
			recording_each_site(r, process, on_site, b);
		recording_each_frame(r, process, on_frame, b);
		finish_stack(b);
		if (b->failed) {
			calltree_unref(t);
			t = NULL;
		}
		free(b->names);
		free(b->address);
		free(b->site);
	}
	free(b);
	return t;
}

struct calltree *calltree_build(struct recording *r, int process, enum call_order order)
{
	return calltree_build_of(r, process, order, NULL, 0);
}

struct calltree *calltree_ref(struct calltree *t)
{
	__atomic_fetch_add(&t->refs, 1, __ATOMIC_RELAXED);
	return t;
}

void calltree_unref(struct calltree *t)
{
	if (!t || __atomic_sub_fetch(&t->refs, 1, __ATOMIC_ACQ_REL))
		return;
	for (uint32_t i = 0; i < t->nnames; i++)
		free(t->name[i]);
	free(t->name);
	free(t->node);
	free(t->by_edge.slot);
	free(t->by_name.slot);
	free(t);
}

// ---- reading ----

uint32_t calltree_size(const struct calltree *t)
{
	return t->n;
}

const struct call_node *calltree_node(const struct calltree *t, uint32_t id)
{
	return &t->node[id < t->n ? id : 0];
}

const char *calltree_name(const struct calltree *t, uint32_t id)
{
	return t->name[calltree_node(t, id)->name];
}

struct ranked {
	uint64_t cost;
	uint32_t id;
};

static int by_cost(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	if (x->cost != y->cost)
		return x->cost < y->cost ? 1 : -1;
	return x->id < y->id ? -1 : 1;
}

unsigned calltree_children(const struct calltree *t, uint32_t id, enum cost by, uint32_t *children,
			   unsigned max)
{
	struct ranked *all;
	unsigned n = 0, count = 0;

	for (uint32_t c = calltree_node(t, id)->child; c; c = t->node[c].next)
		count++;
	all = calloc(count + 1, sizeof(*all));
	if (!all)
		return 0;
	for (uint32_t c = calltree_node(t, id)->child; c; c = t->node[c].next)
		if (t->node[c].cost[by])
			all[n++] = (struct ranked){t->node[c].cost[by], c};
	qsort(all, n, sizeof(*all), by_cost);
	if (n > max)
		n = max;
	for (unsigned i = 0; i < n; i++)
		children[i] = all[i].id;
	free(all);
	return n;
}

bool calltree_matches(const struct calltree *t, uint32_t id, const char *text)
{
	const char *name = calltree_name(t, id);
	size_t n = strlen(text);

	if (!n || !id)
		return false;
	for (; *name; name++)
		if (!strncasecmp(name, text, n))
			return true;
	return false;
}

// A node below a matching one is counted with it. Parents come first, so one pass does.
uint64_t calltree_matching(const struct calltree *t, const char *text, enum cost by)
{
	uint8_t *covered = calloc(t->n, 1);
	uint64_t sum = 0;

	for (uint32_t i = 1; covered && i < t->n; i++) {
		covered[i] = covered[t->node[i].parent];
		if (covered[i] || !calltree_matches(t, i, text))
			continue;
		covered[i] = 1;
		sum += t->node[i].cost[by];
	}
	free(covered);
	return sum;
}

static const struct {
	const char *id, *name;
} costs[COSTS] = {
	[COST_PEAK] = {"peak", "bytes alive at the peak"},
	[COST_LIVE] = {"live", "bytes still alive"},
	[COST_CALLS] = {"calls", "calls"},
	[COST_TEMPORARY] = {"temporary", "temporary calls"},
	[COST_BYTES] = {"bytes", "bytes over the whole life"},
};

const char *cost_name(enum cost c)
{
	return c < COSTS ? costs[c].name : "?";
}

const char *cost_id(enum cost c)
{
	return c < COSTS ? costs[c].id : NULL;
}

bool cost_is_bytes(enum cost c)
{
	return c != COST_CALLS && c != COST_TEMPORARY;
}
