// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The site of a stack: its first frame outside of what merely passes an allocation on.
//
// Two kinds of frames are passed over: all of libc, the C++ run-time and this library; and
// functions known by name (xmalloc, PyMem_Malloc ...), as far as their module exports the name.
// Where a module has such functions is looked up once, in the dynamic symbol table the loader has
// mapped, and the verdict on an address is kept.
#include "unwind.h"

#include <dlfcn.h>
#include <link.h>
#include <string.h>

enum {
	VERDICTS = 1 << 12,
	MODULES_MOST = 128,
	RANGES_MOST = 1024
};

// ip << 16 | generation << 1 | wrapper
static _Atomic uint64_t verdicts[VERDICTS];

static const char *const wrapper_modules[] = {
	"libc.so",     "libc-",	   "libstdc++.so",     "libc++.so",
	"libgcc_s.so", "ld-linux", "libkalloscope.so",
};

static const char *const wrapper_functions[] = {
	// a star: any name that begins so
	"xmalloc*",
	"xcalloc*",
	"xrealloc*",
	"xzalloc*",
	"xnmalloc*",
	"xstrdup",
	"xstrndup",
	"xmemdup*",
	"emalloc",
	"ecalloc",
	"erealloc",
	"safemalloc",
	"Perl_safesys*",
	"Perl_savepv*",
	"g_malloc*",
	"g_calloc",
	"g_realloc*",
	"g_try_malloc*",
	"g_slice_alloc*",
	"g_strdup*",
	"g_memdup*",
	"PyMem_*",
	"_PyMem_*",
	"PyObject_Malloc",
	"PyObject_Calloc",
	"PyObject_Realloc",
	"_PyObject_Malloc",
	"_PyObject_Realloc",
	"_PyObject_Calloc",
	"CRYPTO_malloc",
	"CRYPTO_zalloc",
	"CRYPTO_realloc",
	"CRYPTO_strdup",
	"sqlite3_malloc*",
	"sqlite3_realloc*",
	"sqlite3Malloc*",
	"sqlite3Realloc*",
	"_Znw*",
	"_Zna*",
	"__rust_alloc*",
	"__rust_realloc",
	"apr_palloc",
	"BIO_malloc*",
	"OPENSSL_malloc*",
	"av_malloc*",
	"cairo_malloc*",
	"malloc_wrapper*",
};

static bool begins(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

static bool is_wrapper_module(const struct link_map *map)
{
	const char *slash = strrchr(map->l_name, '/'), *name = slash ? slash + 1 : map->l_name;

	for (unsigned i = 0; i < sizeof(wrapper_modules) / sizeof(*wrapper_modules); i++)
		if (begins(name, wrapper_modules[i]))
			return true;
	return false;
}

static bool is_wrapper_function(const char *name)
{
	for (unsigned i = 0; i < sizeof(wrapper_functions) / sizeof(*wrapper_functions); i++) {
		const char *w = wrapper_functions[i];
		size_t len;

		if (w[0] != name[0] || w[1] != name[1])
			continue;
		len = strlen(w) - 1;
		if (w[len] == '*' ? !strncmp(name, w, len) : !strcmp(name, w))
			return true;
	}
	return false;
}

// The loader leaves pointers of some modules (the vdso) relative.
static uintptr_t dyn_address(const struct link_map *map, ElfW(Sxword) tag)
{
	for (const ElfW(Dyn) *d = map->l_ld; d && d->d_tag != DT_NULL; d++)
		if (d->d_tag == tag)
			return d->d_un.d_ptr < map->l_addr ? 0 : d->d_un.d_ptr;
	return 0;
}

// Symbols in the table: one behind the last that any chain of the hash table ends with.
static uint32_t symbol_count(const uint32_t *hash)
{
	uint32_t nbuckets = hash[0], first = hash[1], words = hash[2], last = 0;
	const uint32_t *bucket = hash + 4 + words * (sizeof(ElfW(Addr)) / 4), *chain;

	chain = bucket + nbuckets;
	for (uint32_t i = 0; i < nbuckets; i++)
		if (bucket[i] > last)
			last = bucket[i];
	if (last < first)
		return 0;
	while (!(chain[last - first] & 1))
		last++;
	return last + 1;
}

// The code of wrapper functions, module by module. Only who has `adding` adds; what counts as added
// is complete. Modules of an older generation of rules may be gone, so those are passed over.
static struct range {
	uintptr_t lo, hi;
} ranges[RANGES_MOST];
static struct wrappers {
	const struct link_map *map;
	uint32_t generation;
	uint16_t first, n; // of ranges[]
} known[MODULES_MOST];
static _Atomic unsigned nknown;
static unsigned nranges;
static atomic_flag adding = ATOMIC_FLAG_INIT;

struct symbols {
	const ElfW(Sym) *sym;
	const char *names;
	uint32_t first, end; // those that the module defines for others
};

static bool symbols_of(const struct link_map *map, struct symbols *s)
{
	const uint32_t *hash = (const void *)dyn_address(map, DT_GNU_HASH);

	s->sym = (const void *)dyn_address(map, DT_SYMTAB);
	s->names = (const void *)dyn_address(map, DT_STRTAB);
	if (!s->sym || !s->names || !hash)
		return false;
	s->first = hash[1];
	s->end = symbol_count(hash);
	return true;
}

// Whether this symbol is a wrapper function, and where it lies.
static bool symbol_wraps(const struct link_map *map, const struct symbols *s, uint32_t i,
			 struct range *r)
{
	const ElfW(Sym) *sym = &s->sym[i];

	r->lo = map->l_addr + sym->st_value;
	r->hi = r->lo + sym->st_size;
	return sym->st_shndx != SHN_UNDEF && ELF64_ST_TYPE(sym->st_info) == STT_FUNC &&
	       is_wrapper_function(s->names + sym->st_name);
}

// The wrapper functions of a module, as far as `to` has room; their number whatever the room.
static unsigned find_wrappers(const struct link_map *map, struct range *to, unsigned room)
{
	struct symbols s;
	struct range r;
	unsigned found = 0;

	if (!symbols_of(map, &s))
		return 0;
	for (uint32_t i = s.first; i < s.end; i++)
		if (symbol_wraps(map, &s, i, &r) && found++ < room)
			to[found - 1] = r;
	return found;
}

static bool in_range(const struct range *r, uintptr_t at)
{
	return at - r->lo < r->hi - r->lo;
}

// The same for one address, where the ranges cannot be kept. This may run on a stack of 4 KiB.
static bool search_wrappers(const struct link_map *map, uintptr_t at)
{
	struct symbols s;
	struct range r;

	if (!symbols_of(map, &s))
		return false;
	for (uint32_t i = s.first; i < s.end; i++)
		if (symbol_wraps(map, &s, i, &r) && in_range(&r, at))
			return true;
	return false;
}

static const struct wrappers *wrappers_known(const struct link_map *map, uint32_t generation)
{
	unsigned n = atomic_load_explicit(&nknown, memory_order_acquire);

	for (unsigned i = 0; i < n; i++)
		if (known[i].map == map && known[i].generation == generation)
			return &known[i];
	return NULL;
}

// NULL: somebody else is at it, or there is no room.
static const struct wrappers *wrappers_add(const struct link_map *map, uint32_t generation)
{
	const struct wrappers *added = NULL;
	unsigned at, n;

	if (atomic_flag_test_and_set_explicit(&adding, memory_order_acquire))
		return NULL;
	at = atomic_load_explicit(&nknown, memory_order_relaxed);
	if (at < MODULES_MOST) {
		n = find_wrappers(map, ranges + nranges, RANGES_MOST - nranges);
		if (n <= RANGES_MOST - nranges) {
			known[at] =
				(struct wrappers){map, generation, (uint16_t)nranges, (uint16_t)n};
			nranges += n;
			added = &known[at];
			atomic_store_explicit(&nknown, at + 1, memory_order_release);
		}
	}
	atomic_flag_clear_explicit(&adding, memory_order_release);
	return added;
}

static bool in_wrapper(const struct link_map *map, uintptr_t at)
{
	uint32_t generation = rules_generation();
	const struct wrappers *w = wrappers_known(map, generation);

	if (!w)
		w = wrappers_add(map, generation);
	if (!w)
		return search_wrappers(map, at);
	for (unsigned i = 0; i < w->n; i++)
		if (in_range(&ranges[w->first + i], at))
			return true;
	return false;
}

static bool judge(uintptr_t ip)
{
	struct dl_find_object obj;

	if (_dl_find_object((void *)(ip - 1), &obj))
		return false;
	return is_wrapper_module(obj.dlfo_link_map) || in_wrapper(obj.dlfo_link_map, ip - 1);
}

static bool is_wrapper(uintptr_t ip)
{
	uint64_t key = (uint64_t)ip << 16 | (uint16_t)(rules_generation() << 1);
	_Atomic uint64_t *slot = &verdicts[(uint64_t)ip * 0x9E3779B97F4A7C15ull >> 52];
	uint64_t v = atomic_load_explicit(slot, memory_order_relaxed);

	if ((v & ~1ull) != key) {
		v = key | judge(ip);
		atomic_store_explicit(slot, v, memory_order_relaxed);
	}
	return v & 1;
}

// The address of the site; the outermost frame when all of the stack is wrappers.
uintptr_t site_of(uint32_t stack)
{
	struct session_header *h = process.session;
	uintptr_t site = 0;

	for (unsigned i = 0; h && i < TRACE_FRAMES && stack && stack < h->max_nodes; i++) {
		const struct depot_node *node = &depot_nodes(h)[stack];
		uint64_t ip = atomic_load_explicit(&node->ip, memory_order_relaxed);

		if (ip & DEPOT_ROOT)
			break;
		site = ip;
		if (!is_wrapper(site))
			break;
		stack = node->parent;
	}
	return site;
}
