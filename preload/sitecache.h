// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// How often call sites asked for which size, and the caches of their own that busy ones have.
//
// Counting is not exact between threads: an increment may be lost, a cache is never made twice.
#pragma once

#include "preload.h"

enum {
	SITES = 1 << 13,
	SITE_SIZE_BITS = 13,
	SITE_SIZE_MOST = PAGE_SIZE, // bytes; larger requests are not counted
	SITE_CACHE_MAKING = 0xFFFF
};

struct site {
	_Atomic uint64_t key; // site address << SITE_SIZE_BITS | size; 0 unused
	_Atomic uint32_t count;
	_Atomic uint32_t cache; // 0 none yet
};

extern struct site sites[SITES] __attribute__((visibility("hidden")));

static inline uint64_t site_key(uintptr_t site, size_t size)
{
	return (uint64_t)site << SITE_SIZE_BITS | size;
}

static inline uint64_t site_place(uint64_t key) // where it is looked for first, modulo SITES
{
	return key * 0x9E3779B97F4A7C15ull >> 40;
}

struct site *site_of_call(uint32_t stack, size_t size); // no lock held; NULL: not counted
struct site *site_find(uintptr_t site, size_t size);	// the same for a site already known
unsigned site_cache(struct machine *m, struct site *s); // CPU held; 0: none (yet)

// Where most are; NULL: site_find has to look.
static inline struct site *site_first(uintptr_t site, size_t size)
{
	uint64_t key = site_key(site, size);
	struct site *s = &sites[site_place(key) % SITES];

	return __builtin_expect(atomic_load_explicit(&s->key, memory_order_relaxed) == key, 1)
		       ? s
		       : NULL;
}

// Whether a call of this site can be served without making a cache for it. *cache: as site_cache.
static inline bool site_serves(const struct site *s, unsigned *cache)
{
	uint32_t now = atomic_load_explicit(&s->cache, memory_order_relaxed);

	*cache = now == SITE_CACHE_MAKING ? 0 : now;
	return __builtin_expect(now, 1) ||
	       atomic_load_explicit(&s->count, memory_order_relaxed) + 1 < process.opt.site_threshold;
}

// A call was served that site_serves found no cache for.
static inline void site_count(struct site *s)
{
	uint32_t n = atomic_load_explicit(&s->count, memory_order_relaxed) + 1;

	atomic_store_explicit(&s->count, n, memory_order_relaxed);
}
