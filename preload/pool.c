// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Pools the program keeps itself (kalloscope.h): what it does with them are events, which the machine
// has no part in. A pool is a number, so that its events need no more than others.
#include "kalloscope.h"

#include <stdatomic.h>
#include <string.h>

#include "entry.h"

enum {
	NAME_MAX_BYTES = 200,
	POOLS_MAX = 65535 // pools beyond share the last number
};

static atomic_uint pools; // made so far; a forked child goes on from its parent's

// Inside a handler that interrupted the machine, or while nothing is recorded, it is nothing.
static void tell(enum event_kind kind, unsigned pool, const void *block, size_t bytes,
		 const char *name, void *frame)
{
	struct call c;
	enum service s = call_begin(&c, kind, frame);

	if (s > SERVE_HOST)
		return;
	if (process.slot) {
		call_lock(&c);
		if (name)
			capture_text(c.m, TEXT_POOL, name, strnlen(name, NAME_MAX_BYTES));
		c.r.path = PATH_OWN_POOL;
		c.r.op.cache = pool;
		c.r.op.addr = in_arena(block) ? to_sim(block) : (uintptr_t)block;
		c.r.op.req = bytes;
		call_write(&c);
		call_unlock(&c);
	}
	call_end(&c);
}

__attribute__((visibility("default"))) unsigned kalloscope_pool_made(const char *name)
{
	unsigned pool = atomic_fetch_add(&pools, 1) + 1;

	pool = pool < POOLS_MAX ? pool : POOLS_MAX;
	tell(EV_POOL_CREATE, pool, NULL, 0, name, ENTRY_FRAME);
	return pool;
}

__attribute__((visibility("default"))) void kalloscope_pool_given(unsigned pool, const void *block,
								  size_t bytes)
{
	if (pool && block)
		tell(EV_POOL_ALLOC, pool, block, bytes, NULL, ENTRY_FRAME);
}

__attribute__((visibility("default"))) void kalloscope_pool_taken(unsigned pool, const void *block)
{
	if (pool && block)
		tell(EV_POOL_FREE, pool, block, 0, NULL, ENTRY_FRAME);
}

__attribute__((visibility("default"))) void kalloscope_pool_gone(unsigned pool)
{
	if (pool)
		tell(EV_POOL_DESTROY, pool, NULL, 0, NULL, ENTRY_FRAME);
}
