// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Caches of their own for busy call sites: who asks often enough for one size gets a kmem_cache.
#include "route.h"

#include <string.h>

enum {
	SIZE_MIN = 1 << GENERATION_SHIFT, // bytes: smaller objects would share a generation
	PROBES = 8,
	CACHES_MAX = 512, // of the machine's 1024
};

struct site sites[SITES];
static _Atomic uint32_t ncaches;

struct site *site_find(uintptr_t site, size_t size)
{
	uint64_t key = site_key(site, size);

	for (unsigned i = 0; i < PROBES; i++) {
		struct site *s = &sites[(site_place(key) + i) % SITES];
		uint64_t now = atomic_load_explicit(&s->key, memory_order_relaxed);
		if (now == key)
			return s;
		if (!now && atomic_compare_exchange_strong(&s->key, &now, key))
			return s;
		if (now == key)
			return s;
	}
	return NULL;
}

struct site *site_of_call(uint32_t stack, size_t size)
{
	uintptr_t at;

	if (!stack || !size || size > SITE_SIZE_MOST)
		return NULL;
	at = capture_site(stack);
	return at ? site_find(at, size) : NULL;
}

static char *put(char *to, const char *text)
{
	size_t n = strlen(text);

	memcpy(to, text, n);
	return to + n;
}

// "site-0804a3c0-48": low half of the address, size
static void site_name(const struct site *s, char *name)
{
	uint32_t at = (uint32_t)(s->key >> SITE_SIZE_BITS),
		 size = s->key & ((1u << SITE_SIZE_BITS) - 1);
	char digits[8], *d = digits + sizeof(digits);

	name = put(name, "site-");
	for (int shift = 28; shift >= 0; shift -= 4)
		*name++ = "0123456789abcdef"[at >> shift & 15];
	*name++ = '-';
	*--d = 0;
	for (; size; size /= 10)
		*--d = (char)('0' + size % 10);
	*put(name, d) = 0;
}

static unsigned site_make(struct machine *m, struct site *s)
{
	const unsigned size = s->key & ((1u << SITE_SIZE_BITS) - 1);
	char name[CACHE_NAME_LEN];
	uint32_t none = 0;

	if (!atomic_compare_exchange_strong(&s->cache, &none, SITE_CACHE_MAKING))
		return 0;
	if (atomic_fetch_add(&ncaches, 1) >= CACHES_MAX)
		return 0;
	site_name(s, name);
	unsigned cache = kmem_cache_create(m, name, size < SIZE_MIN ? SIZE_MIN : size, 16, 0);
	if (cache)
		atomic_store(&s->cache, cache);
	return cache; // 0: stays marked as being made, nobody tries again
}

unsigned site_cache(struct machine *m, struct site *s)
{
	unsigned cache;

	if (!site_serves(s, &cache))
		return site_make(m, s);
	if (!cache)
		site_count(s);
	return cache;
}
