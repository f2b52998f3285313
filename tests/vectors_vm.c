// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Vectors of topics vmalloc and kmap. Addresses, search state, windows and hash order must be the
// kernel's; which frames lie behind a vmalloc area is the page allocator's topic, not compared here.
#include "vectors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/layout.h"
#include "core/vmap_area.h"

enum {
	SLOTS = 4096,
	TEST_PAGES = 64
};

// ---- fields ----

static const char *field(const char *line, const char *key)
{
	size_t n = strlen(key);

	for (const char *p = line; (p = strstr(p, key)); p += n)
		if ((p == line || p[-1] == ' ') && p[n] == '=')
			return p + n + 1;
	return NULL;
}

static uint32_t number(const char *line, const char *key, int base)
{
	const char *p = field(line, key);

	return p ? (uint32_t)strtoul(p, NULL, base) : 0;
}

static bool starts(const char *line, const char *word)
{
	size_t n = strlen(word);

	return !strncmp(line, word, n) && (line[n] == ' ' || !line[n]);
}

// The n-th word of a line, from 0, as a number.
static uint32_t word(const char *line, unsigned n, int base)
{
	while (n-- && line)
		line = (line = strchr(line, ' ')) ? line + 1 : NULL;
	return line ? (uint32_t)strtoul(line, NULL, base) : 0;
}

static unsigned slot_of(const char *line)
{
	return word(line, 1, 10) % SLOTS;
}

static uint32_t result(const char *line)
{
	const char *p = strstr(line, "-> ");

	return p ? (uint32_t)strtoul(p + 3, NULL, 16) : 0;
}

// The fixmap has a slot range for each CPU the build allows: a UP build one.
static int boot_machine(struct vectors *v, struct machine *m)
{
	struct machine_config cfg;

	vectors_config(v, &cfg);
	if (!cfg.smp)
		cfg.nr_cpus = 1;
	return vectors_boot(v, m, &cfg);
}

static void expect(struct vectors *v, const char *line, const char *what, uint32_t got,
		   uint32_t want)
{
	if (got != want)
		vectors_mismatch(v, line, "%s is %x, expected %x", what, got, want);
}

// ---- vmalloc ----

struct vmalloc_run {
	struct vectors *v;
	struct machine m;
	kaddr_t slot[SLOTS];
	pfn_t pages[TEST_PAGES]; // what vmap and vm_map_ram map, over and over
};

static struct vmalloc_run vmalloc_run;

static kaddr_t cached_start(const struct machine *m)
{
	uint32_t id = m->s->vmalloc.cache;

	return id ? m->areas[id].va_start : 0;
}

static void expect_search_state(struct vmalloc_run *t, const char *line, const char *lazy)
{
	const struct vmalloc_state *s = &t->m.s->vmalloc;

	expect(t->v, line, "lazy", s->lazy_nr, number(line, lazy, 10));
	expect(t->v, line, "cache", cached_start(&t->m), number(line, "cache", 16));
	expect(t->v, line, "hole", s->cached_hole_size, number(line, "hole", 16));
}

static void load_search_state(struct vmalloc_run *t, const char *line)
{
	struct vmalloc_state *s = &t->m.s->vmalloc;

	s->cache = vmap_area_id(&t->m, vmap_area_at(&t->m, number(line, "cache", 16)));
	s->cached_hole_size = number(line, "hole", 16);
	s->cached_vstart = number(line, "cached_vstart", 16);
	s->cached_align = number(line, "cached_align", 16);
	s->pcpu_hole = number(line, "pcpu_hole", 16);
}

static void load_dump(struct vmalloc_run *t, const char *dump)
{
	const char *line;

	while ((line = vectors_line(t->v)) && starts(line, "area")) {
		kaddr_t start = word(line, 1, 16), end = word(line, 2, 16);
		uint32_t flags = number(line, "vmflags", 16);
		kaddr_t got;

		// without VM_IOREMAP, which would ask for another alignment
		got = __get_vm_area(&t->m, end - start - PAGE_SIZE, VM_ALLOC, start, end);
		expect(t->v, line, "loaded area", got, start);
		if (got != start)
			continue;
		vmap_area_at(&t->m, start)->vm_flags = flags;
		vmap_area_at(&t->m, start)->phys = number(line, "phys", 16);
	}
	load_search_state(t, dump);
}

static void compare_area(struct vmalloc_run *t, const char *line, const struct vmap_area *va)
{
	uint32_t flags = number(line, "flags", 16);

	expect(t->v, line, "start", va->va_start, word(line, 1, 16));
	expect(t->v, line, "end", va->va_end, word(line, 2, 16));
	if (flags & VA_LAZY_FREE) { // its vm_struct is gone: what the kernel prints of it is stale
		expect(t->v, line, "lazy", va->va_flags & VA_LAZY_FREE, 1);
		return;
	}
	expect(t->v, line, "flags", va->va_flags, flags);
	if (!(flags & VA_VM_AREA))
		return;
	expect(t->v, line, "addr", va->va_start, number(line, "addr", 16));
	expect(t->v, line, "size", va->va_end - va->va_start, number(line, "size", 16));
	expect(t->v, line, "vmflags", va->vm_flags, number(line, "vmflags", 16));
	expect(t->v, line, "phys", (uint32_t)va->phys, number(line, "phys", 16));
	// the kernel counts pages of vmalloc alone
	expect(t->v, line, "nr_pages", va->vm_flags & VM_ALLOC ? va->nr_pages : 0,
	       number(line, "nr_pages", 10));
}

static void compare_dump(struct vmalloc_run *t, const char *dump)
{
	const struct vmalloc_state *s = &t->m.s->vmalloc;
	uint32_t id = s->areas.first, n = 0;
	const char *line;

	expect_search_state(t, dump, "lazy_nr");
	expect(t->v, dump, "lazy_max", lazy_max_pages(&t->m), number(dump, "lazy_max", 10));
	expect(t->v, dump, "cached_vstart", s->cached_vstart, number(dump, "cached_vstart", 16));
	expect(t->v, dump, "cached_align", s->cached_align, number(dump, "cached_align", 16));
	expect(t->v, dump, "pcpu_hole", s->pcpu_hole, number(dump, "pcpu_hole", 16));
	for (; (line = vectors_line(t->v)) && starts(line, "area"); n++) {
		if (id)
			compare_area(t, line, &t->m.areas[id]);
		id = id ? t->m.areas[id].list.next : 0;
	}
	expect(t->v, dump, "number of areas", s->nr_areas, n);
}

static void vmalloc_facts(struct vmalloc_run *t, const char *line)
{
	const struct machine_state *s = t->m.s;
	struct fixmap fx;

	fixmap_layout(&fx, s->cfg.nr_cpus, false);
	expect(t->v, line, "VMALLOC_START", s->vmalloc.start, number(line, "VMALLOC_START", 16));
	expect(t->v, line, "VMALLOC_END", s->vmalloc.end, number(line, "VMALLOC_END", 16));
	expect(t->v, line, "high_memory", s->high_memory, number(line, "high_memory", 16));
	expect(t->v, line, "PKMAP_BASE", s->kmap.pkmap_base, number(line, "PKMAP_BASE", 16));
	expect(t->v, line, "FIXADDR_START", fx.start, number(line, "FIXADDR_START", 16));
	expect(t->v, line, "FIXADDR_TOP", FIXADDR_TOP, number(line, "FIXADDR_TOP", 16));
	expect(t->v, line, "VMAP_BLOCK_SIZE", s->vmalloc.vb.block_pages << PAGE_SHIFT,
	       number(line, "VMAP_BLOCK_SIZE", 16));
	expect(t->v, line, "VMAP_MAX_ALLOC_pages", VMAP_MAX_ALLOC,
	       number(line, "VMAP_MAX_ALLOC_pages", 10));
}

static kaddr_t vmalloc_take(struct vmalloc_run *t, const char *line)
{
	struct machine *m = &t->m;
	uint32_t size = word(line, 2, 10), pages = number(line, "pages", 10);
	const char *range = field(line, "range");

	if (starts(line, "vmalloc"))
		return vmalloc(m, size);
	if (starts(line, "get_vm_area"))
		return get_vm_area(m, size, number(line, "flags", 16));
	if (starts(line, "get_vm_area_bad"))
		return get_vm_area(m, word(line, 1, 10), VM_ALLOC);
	if (starts(line, "__get_vm_area"))
		return __get_vm_area(m, size, number(line, "flags", 16),
				     (kaddr_t)strtoul(range, NULL, 16),
				     (kaddr_t)strtoul(strchr(range, '-') + 1, NULL, 16));
	if (starts(line, "vmap"))
		return vmap(m, t->pages, pages);
	if (starts(line, "vm_map_ram"))
		return vm_map_ram(m, t->pages, pages);
	return ioremap(m, number(line, "phys", 16), number(line, "size", 10));
}

static int vmalloc_give(struct vmalloc_run *t, const char *line, kaddr_t addr)
{
	struct machine *m = &t->m;

	if (starts(line, "vfree"))
		return vfree(m, addr);
	if (starts(line, "remove_vm_area"))
		return remove_vm_area(m, addr);
	if (starts(line, "vunmap"))
		return vunmap(m, addr);
	if (starts(line, "iounmap"))
		return iounmap(m, addr);
	if (starts(line, "vm_unmap_ram"))
		return vm_unmap_ram(m, addr, number(line, "pages", 10));
	return -1;
}

static void vmalloc_line(struct vmalloc_run *t, const char *line)
{
	if (starts(line, "vm_unmap_aliases")) {
		vm_unmap_aliases(&t->m);
	} else if (strstr(line, "-> ")) {
		kaddr_t addr = vmalloc_take(t, line);

		if (!starts(line, "get_vm_area_bad"))
			t->slot[slot_of(line)] = addr;
		expect(t->v, line, "address", addr, result(line));
	} else {
		kaddr_t addr = t->slot[slot_of(line)];

		expect(t->v, line, "slot", addr, word(line, 2, 16));
		expect(t->v, line, "return value", (uint32_t)vmalloc_give(t, line, addr), 0);
	}
	expect_search_state(t, line, "lazy");
}

static void check_vmalloc(struct vmalloc_run *t, const char *line)
{
	char why[256];

	if (vmalloc_check(&t->m, why, sizeof(why)))
		vectors_mismatch(t->v, line, "%s", why);
}

void vectors_vmalloc(struct vectors *v)
{
	struct vmalloc_run *t = &vmalloc_run;
	const char *line;

	memset(t, 0, sizeof(*t));
	t->v = v;
	if (boot_machine(v, &t->m) ||
	    alloc_pages_bulk(&t->m, GFP_HIGHUSER, TEST_PAGES, t->pages) != TEST_PAGES) {
		vectors_mismatch(v, v->header, "no machine");
		return;
	}
	while ((line = vectors_line(v))) {
		if (starts(line, "facts"))
			vmalloc_facts(t, line);
		else if (starts(line, "dump initial"))
			load_dump(t, line);
		else if (starts(line, "dump"))
			compare_dump(t, line);
		else if (!starts(line, "==="))
			vmalloc_line(t, line);
		else
			check_vmalloc(t, line);
	}
}

// ---- kmap ----

struct kmap_run {
	struct vectors *v;
	struct machine m;
	pfn_t page[SLOTS];
	uint32_t nr_pages;
	uint32_t flushed; // by calls since the last line that said so
};

static struct kmap_run kmap_run;

static void note_flush(struct machine *m, const struct trace_event *e)
{
	struct kmap_run *t = m->priv;

	if (e->kind == EV_T_KMAP_FLUSHED)
		t->flushed += e->count;
}

static const struct machine_ops kmap_ops = {.trace = note_flush};

static void kmap_facts(struct kmap_run *t, const char *line)
{
	struct machine_state *s = t->m.s;

	expect(t->v, line, "PKMAP_BASE", s->kmap.pkmap_base, number(line, "PKMAP_BASE", 16));
	expect(t->v, line, "high_memory", s->high_memory, number(line, "high_memory", 16));
	expect(t->v, line, "max_low_pfn", s->max_low_pfn, number(line, "max_low_pfn", 10));
	expect(t->v, line, "LAST_PKMAP", LAST_PKMAP, number(line, "LAST_PKMAP", 10));
	expect(t->v, line, "sizeof_page", sizeof(struct page), number(line, "sizeof_page", 10));
	expect(t->v, line, "PA_HASH_ORDER", PA_HASH_ORDER, number(line, "PA_HASH_ORDER", 10));
	// what hash order and atomic addresses depend on and another boot places elsewhere
	s->kmap.mem_map = number(line, "mem_map", 16);
}

static void kmap_fixmap(struct kmap_run *t, const char *line)
{
	struct fixmap fx;

	fixmap_layout(&fx, t->m.s->cfg.nr_cpus, false);
	const struct {
		const char *name;
		uint32_t slot;
	} known[] = {
		{"FIX_HOLE", 0},
		{"FIX_VDSO", 1},
		{"FIX_DBGP_BASE", 2},
		{"FIX_EARLYCON_MEM_BASE", 3},
		{"FIX_APIC_BASE", fx.apic_base},
		{"FIX_IO_APIC_BASE_0", fx.io_apic_base},
		{"FIX_IO_APIC_BASE_END", fx.io_apic_base + FIX_IO_APICS - 1},
		{"FIX_KMAP_BEGIN", fx.kmap_begin},
		{"FIX_KMAP_END", fx.kmap_end},
		{"FIX_PCIE_MCFG", fx.pcie_mcfg},
		{"FIX_TEXT_POKE1", fx.text_poke1},
		{"FIX_TEXT_POKE0", fx.text_poke1 + 1},
		{"FIX_BTMAP_BEGIN", fx.btmap_end + FIX_BTMAPS - 1},
		{"FIX_BTMAP_END", fx.btmap_end},
		{"__end_of_permanent_fixed_addresses", fx.permanent_slots},
		{"__end_of_fixed_addresses", fx.all_slots},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (!field(line, known[i].name))
			continue;
		expect(t->v, line, "slot", known[i].slot, number(line, known[i].name, 10));
		expect(t->v, line, "addr", fix_to_virt(known[i].slot), number(line, "addr", 16));
		return;
	}
	vectors_mismatch(t->v, line, "unknown fixmap slot");
}

// slot=pfn:bucket pairs; the buckets show in the order of the hash dumps.
static void kmap_pages(struct kmap_run *t, const char *line)
{
	const char *p = strstr(line, "): ");

	for (p = p ? p + 2 : NULL; p && *p == ' '; p = strchr(p + 1, ' ')) {
		unsigned slot = (unsigned)strtoul(p + 1, NULL, 10) % SLOTS;
		const char *pfn = strchr(p, '=');

		if (pfn)
			t->page[slot] = (pfn_t)strtoul(pfn + 1, NULL, 10);
	}
}

static void kmap_state(struct kmap_run *t, const char *line)
{
	const struct kmap_state *k = &t->m.s->kmap;
	const char *p = strstr(line, "n)= ");
	unsigned slot = 0;

	expect(t->v, line, "last_pkmap_nr", k->last_pkmap_nr, number(line, "last_pkmap_nr", 10));
	expect(t->v, line, "in_use", k->in_use, number(line, "in_use", 10));
	for (p = p ? p + 4 : NULL; p && *p >= '0' && *p <= '9';) {
		char *end;
		uint32_t count = (uint32_t)strtoul(p, &end, 10),
			 n = (uint32_t)strtoul(end + 1, &end, 10);

		for (; n && slot < LAST_PKMAP; n--, slot++)
			expect(t->v, line, "pkmap_count", k->pkmap_count[slot], count);
		p = *end == ' ' ? end + 1 : NULL;
	}
	expect(t->v, line, "slots listed", slot, LAST_PKMAP);
}

// "BUCKET:pfn@addr,pfn@addr, BUCKET:..."
static void kmap_hash(struct kmap_run *t, const char *line)
{
	const struct kmap_state *k = &t->m.s->kmap;
	const char *p = strstr(line, ")=");
	unsigned listed = 0, mapped = 0;

	p = p ? p + 2 : "";
	while ((p += strspn(p, " ")), *p) {
		char *end;
		unsigned bucket = (unsigned)strtoul(p, &end, 10) % PA_HASH_SIZE;
		unsigned i = k->hash_head[bucket];

		for (p = end + 1; *p >= '0' && *p <= '9'; p += *p == ',', listed++) {
			pfn_t pfn = (pfn_t)strtoul(p, &end, 10);
			kaddr_t addr = (kaddr_t)strtoul(end + 1, &end, 16);

			expect(t->v, line, "hash entry", i ? k->pkmap_pfn[i - 1] : 0, pfn);
			expect(t->v, line, "hash address", k->pkmap_base + ((i - 1) << PAGE_SHIFT),
			       addr);
			i = i ? k->hash_next[i - 1] : 0;
			p = end;
		}
		expect(t->v, line, "end of bucket", i, 0);
	}
	for (unsigned i = 0; i < LAST_PKMAP; i++)
		mapped += k->pkmap_count[i] != 0;
	expect(t->v, line, "hash entries", listed, mapped);
}

static void kmap_window(struct kmap_run *t, const char *line)
{
	const struct kmap_state *k = &t->m.s->kmap;
	pfn_t pfn = t->page[slot_of(line)];
	unsigned slot = number(line, "slot", 10) % LAST_PKMAP;

	if (*line == 'm') {
		expect(t->v, line, "address", kmap(&t->m, pfn), word(line, 2, 16));
		expect(t->v, line, "last", k->last_pkmap_nr, number(line, "last", 10));
	} else {
		expect(t->v, line, "return value", (uint32_t)kunmap(&t->m, pfn), 0);
	}
	expect(t->v, line, "frame", k->pkmap_pfn[slot], pfn);
	expect(t->v, line, "count", k->pkmap_count[slot], number(line, "count", 10));
}

static void kmap_katomic(struct kmap_run *t, const char *line)
{
	struct machine_state *s = t->m.s;
	struct fixmap fx;

	fixmap_layout(&fx, s->cfg.nr_cpus, false);
	expect(t->v, line, "KM_TYPE_NR", KM_TYPE_NR, number(line, "KM_TYPE_NR", 10));
	expect(t->v, line, "begin_addr", fix_to_virt(fx.kmap_begin),
	       number(line, "begin_addr", 16));
	expect(t->v, line, "end_addr", fix_to_virt(fx.kmap_end), number(line, "end_addr", 16));
	s->kmap.fix_kmap_begin = fx.kmap_begin; // this build has no OHCI1394 slot
}

static void kmap_atomic_line(struct kmap_run *t, const char *line)
{
	if (starts(line, "kmap_atomic"))
		expect(t->v, line, "address", kmap_atomic(&t->m, number(line, "pfn", 10)),
		       result(line));
	else
		expect(t->v, line, "return value",
		       (uint32_t)kunmap_atomic(&t->m, word(line, 1, 16)), 0);
	expect(t->v, line, "idx", t->m.s->kmap.atomic_depth[t->m.cpu], number(line, "idx", 10));
}

static void kmap_lookup(struct kmap_run *t, const char *line)
{
	pfn_t pfn = number(line, "pfn", 10);

	if (starts(line, "kmap_low")) {
		expect(t->v, line, "address", kmap(&t->m, pfn), result(line));
		expect(t->v, line, "page_address", page_address(&t->m, pfn),
		       number(line, "page_address", 16));
		expect(t->v, line, "kunmap", (uint32_t)kunmap(&t->m, pfn), 0);
	} else {
		expect(t->v, line, "page_address", page_address(&t->m, pfn), result(line));
	}
}

static void kmap_line(struct kmap_run *t, const char *line)
{
	if (starts(line, "m") || starts(line, "u"))
		kmap_window(t, line);
	else if (starts(line, "facts"))
		kmap_facts(t, line);
	else if (starts(line, "fixmap"))
		kmap_fixmap(t, line);
	else if (starts(line, "pages"))
		kmap_pages(t, line);
	else if (starts(line, "state"))
		kmap_state(t, line);
	else if (starts(line, "hash"))
		kmap_hash(t, line);
	else if (starts(line, "katomic"))
		kmap_katomic(t, line);
	else if (starts(line, "kmap_atomic") || starts(line, "kunmap_atomic"))
		kmap_atomic_line(t, line);
	else if (starts(line, "page_address") || starts(line, "kmap_low"))
		kmap_lookup(t, line);
	else if (starts(line, "kmap_flush_unused"))
		kmap_flush_unused(&t->m);
	else if (!starts(line, "==="))
		vectors_mismatch(t->v, line, "unknown line");
}

void vectors_kmap(struct vectors *v)
{
	struct kmap_run *t = &kmap_run;
	const char *line;
	uint32_t announced = 0;

	memset(t, 0, sizeof(*t));
	t->v = v;
	if (boot_machine(v, &t->m)) {
		vectors_mismatch(v, v->header, "no machine");
		return;
	}
	t->m.ops = &kmap_ops;
	t->m.priv = t;
	// a flush line stands before the `m` that caused it, or after a kmap_flush_unused
	while ((line = vectors_line(v))) {
		if (starts(line, "flush")) {
			announced += number(line, "cleared", 10);
			continue;
		}
		kmap_line(t, line);
		if (!starts(line, "kmap_flush_unused"))
			expect(v, line, "pages flushed so far", t->flushed, announced);
	}
	char why[256];
	if (kmap_check(&t->m, why, sizeof(why)))
		vectors_mismatch(v, v->header, "%s", why);
}
