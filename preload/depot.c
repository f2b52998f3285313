// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Stacks as ids: the shared prefix tree of core/session.h, lock-free, and the site of a stack.
//
// A reader finds a node by walking its bucket's chain; nodes are never removed, and a node is
// complete before the compare-and-swap that links it. Everything read from the segment is checked
// before it is used as an index: another process of the session may be broken.
#include "capture.h"

#include <string.h>

static _Atomic uint32_t image_number; // 0: to be drawn
static _Atomic uint32_t image_root;   // its root node; 0: to be made

enum {
	CHAIN_MAX = 1 << 16
}; // a longer chain is a loop made by somebody else's bug

uint32_t depot_image(void)
{
	uint32_t none = 0, image = atomic_load(&image_number);

	if (image || !process.session)
		return image;
	image = atomic_fetch_add(&process.session->next_image, 1) + 1;
	return atomic_compare_exchange_strong(&image_number, &none, image) ? image : none;
}

void depot_new_image(void)
{
	atomic_store(&image_root, 0);
	atomic_store(&image_number, 0);
}

static uint32_t chain_find(struct session_header *h, uint32_t id, uint32_t until, uint32_t parent,
			   uint64_t ip)
{
	struct depot_node *nodes = depot_nodes(h);

	for (unsigned n = 0; id != until && n < CHAIN_MAX; n++) {
		if (id == 0 || id >= h->max_nodes)
			return 0;
		if (nodes[id].parent == parent &&
		    atomic_load_explicit(&nodes[id].ip, memory_order_relaxed) == ip)
			return id;
		id = nodes[id].next;
	}
	return 0;
}

static uint32_t node_draw(struct session_header *h)
{
	uint32_t limit = atomic_load_explicit(&h->depot_limit, memory_order_relaxed);
	uint32_t id;

	if (limit > h->max_nodes)
		limit = h->max_nodes;
	if (atomic_load_explicit(&h->depot_count, memory_order_relaxed) + 1 >= limit)
		return 0;
	id = atomic_fetch_add_explicit(&h->depot_count, 1, memory_order_relaxed) + 1;
	return id < limit ? id : 0;
}

// The node of `ip` below `parent`, made when there is none. 0: no room.
static uint32_t node_intern(struct session_header *h, uint32_t parent, uint64_t ip)
{
	_Atomic uint32_t *bucket = &depot_buckets(h)[depot_hash(parent, ip) & (h->nbuckets - 1)];
	uint32_t head = atomic_load_explicit(bucket, memory_order_acquire);
	uint32_t id = chain_find(h, head, 0, parent, ip), seen;
	struct depot_node *node;

	if (id)
		return id;
	id = node_draw(h);
	if (!id)
		return 0;
	node = &depot_nodes(h)[id];
	node->parent = parent;
	atomic_store_explicit(&node->ip, ip, memory_order_relaxed);
	do {
		node->next = seen = head;
		if (atomic_compare_exchange_weak_explicit(bucket, &head, id, memory_order_release,
							  memory_order_acquire))
			return id;
		// Somebody linked nodes meanwhile: ours may be among them, the drawn id is then waste.
		uint32_t other = chain_find(h, head, seen, parent, ip);
		if (other)
			return other;
	} while (true);
}

static uint32_t root_node(struct session_header *h)
{
	uint32_t root = atomic_load_explicit(&image_root, memory_order_relaxed), image;

	if (root)
		return root;
	image = depot_image();
	root = node_intern(h, 0, DEPOT_ROOT | image);
	if (image == atomic_load(&image_number))
		atomic_store_explicit(&image_root, root, memory_order_relaxed);
	return root;
}

static uint32_t depot_failed(struct session_header *h)
{
	atomic_fetch_add_explicit(&h->depot_full, 1, memory_order_relaxed);
	return 0;
}

uint32_t depot_intern_caller(uintptr_t ip)
{
	struct session_header *h = process.session;
	uint32_t id;

	if (!h || !process.slot)
		return 0;
	id = root_node(h);
	if (id)
		id = node_intern(h, id, ip);
	return id ? id : depot_failed(h);
}

// What was known was of another root, perhaps of another session.
static void path_leave(struct depot_path *p)
{
	p->n = 0;
	if (p->root)
		memset(p->memo, 0, sizeof(p->memo));
}

// The same, asked of the thread's own memo first. Nodes stay what they are, so what it says holds.
static uint32_t node_recall(struct session_header *h, struct depot_path *p, uint32_t parent,
			    uint64_t ip)
{
	const uint32_t slot = depot_hash(parent, ip) >> (32 - DEPOT_MEMO_BITS);
	struct depot_memo *m = &p->memo[slot];
	uint32_t id;

	if (m->parent == parent && m->ip == ip && m->id)
		return m->id;
	id = node_intern(h, parent, ip);
	m->id = 0; // a handler may leave by longjmp here
	atomic_signal_fence(memory_order_seq_cst);
	m->parent = parent;
	m->ip = ip;
	atomic_signal_fence(memory_order_seq_cst);
	m->id = id;
	return id;
}

// Neighbouring stacks share their outer part, so the walk through the tree starts where the new
// stack leaves the one interned before. Where nodes of that one are of no use, its ips still are.
uint32_t depot_intern(struct depot_path *last, const uintptr_t *ip, unsigned n, unsigned outer)
{
	struct session_header *h = process.session;
	const unsigned all = n + outer;
	unsigned same = outer;
	uint32_t id;

	if (!h || !process.slot || !all || all > DEPOT_PATH)
		return 0;
	id = root_node(h);
	if (last->root != &depot_nodes(h)[id])
		path_leave(last);
	last->root = &depot_nodes(h)[id];
	while (same < all && same < last->n && last->ip[same] == ip[all - 1 - same])
		same++;
	if (same > last->n)
		same = last->n;
	if (same)
		id = last->id[same - 1];
	last->n = same;
	for (unsigned i = same; id && i < all; i++) {
		if (i >= outer)
			last->ip[i] = ip[all - 1 - i];
		id = node_recall(h, last, id, last->ip[i]);
		last->id[i] = id;
		atomic_signal_fence(memory_order_seq_cst); // a handler may leave by longjmp here
		last->n = i + 1;
	}
	if (id)
		return id;
	last->n = 0;
	return depot_failed(h);
}
