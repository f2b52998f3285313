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

static bool is(const char *line, const char *word)
{
	size_t n = strlen(word);

	return starts(line, word) && (line[n] == ' ' || !line[n]);
}

// The n-th word of a line, from 0, as a number.
static uint32_t word(const char *line, unsigned n, int base)
{
	while (n-- && line)
		line = (line = strchr(line, ' ')) ? line + 1 : NULL;
	return line ? (uint32_t)strtoul(line, NULL, base) : 0;
}

static unsigned slot_of(struct vectors *v, const char *line)
{
	unsigned slot = word(line, 1, 10);

	if (slot < SLOTS)
		return slot;
	vectors_mismatch(v, line, "more slots than this program has");
	return 0;
}

static uint32_t result(const char *line)
{
	const char *p = strstr(line, "-> ");

	return p ? (uint32_t)strtoul(p + 3, NULL, 16) : 0;
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

	expect(t->v, line, "lazy", s->lazy_nr, number(t->v, line, lazy, 10));
	expect(t->v, line, "cache", cached_start(&t->m), number(t->v, line, "cache", 16));
	expect(t->v, line, "hole", s->cached_hole_size, number(t->v, line, "hole", 16));
}

static void load_search_state(struct vmalloc_run *t, const char *line)
{
	struct vmalloc_state *s = &t->m.s->vmalloc;

	s->cache = vmap_area_id(&t->m, vmap_area_at(&t->m, number(t->v, line, "cache", 16)));
	s->cached_hole_size = number(t->v, line, "hole", 16);
	s->cached_vstart = number(t->v, line, "cached_vstart", 16);
	s->cached_align = number(t->v, line, "cached_align", 16);
	s->pcpu_hole = number(t->v, line, "pcpu_hole", 16);
	expect(t->v, line, "lazy_nr", s->lazy_nr, number(t->v, line, "lazy_nr", 10));
	expect(t->v, line, "lazy_max", lazy_max_pages(&t->m), number(t->v, line, "lazy_max", 10));
}

// "dump TAG end areas=N" closes "dump TAG ...".
static void end_dump(struct vmalloc_run *t, const char *dump, const char *line, uint32_t n)
{
	size_t tag = strcspn(dump + strlen("dump "), " ") + strlen("dump ");

	if (line && !strncmp(line, dump, tag) && starts(line + tag, " end "))
		expect(t->v, line, "areas", n, number(t->v, line, "areas", 10));
	else
		vectors_mismatch(t->v, line ? line : dump, "the dump does not end");
}

static void load_dump(struct vmalloc_run *t, const char *dump)
{
	uint32_t n = 0;
	const char *line;

	while ((line = vectors_line(t->v)) && is(line, "area")) {
		kaddr_t start = word(line, 1, 16), end = word(line, 2, 16);
		uint32_t flags = number(t->v, line, "vmflags", 16);
		kaddr_t got;

		// without VM_IOREMAP, which would ask for another alignment
		got = __get_vm_area(&t->m, end - start - PAGE_SIZE, VM_ALLOC, start, end);
		expect(t->v, line, "loaded area", got, start);
		if (!got || got != start)
			continue;
		vmap_area_at(&t->m, start)->vm_flags = flags;
		vmap_area_at(&t->m, start)->phys = number(t->v, line, "phys", 16);
		if (number(t->v, line, "flags", 16) & VA_LAZY_FREE)
			remove_vm_area(&t->m, start);
		read_whole(t->v, line);
		n++;
	}
	load_search_state(t, dump);
	end_dump(t, dump, line, n);
}

static void compare_area(struct vmalloc_run *t, const char *line, const struct vmap_area *va)
{
	uint32_t flags = number(t->v, line, "flags", 16);

	expect(t->v, line, "start", va->va_start, word(line, 1, 16));
	expect(t->v, line, "end", va->va_end, word(line, 2, 16));
	if (flags & VA_LAZY_FREE) { // its vm_struct is gone: what the kernel prints of it is stale
		expect(t->v, line, "lazy", va->va_flags & VA_LAZY_FREE, 1);
		read_whole(t->v, line);
		return;
	}
	expect(t->v, line, "flags", va->va_flags, flags);
	if (!(flags & VA_VM_AREA))
		return;
	expect(t->v, line, "addr", va->va_start, number(t->v, line, "addr", 16));
	expect(t->v, line, "size", va->va_end - va->va_start, number(t->v, line, "size", 16));
	expect(t->v, line, "vmflags", va->vm_flags, number(t->v, line, "vmflags", 16));
	expect(t->v, line, "phys", (uint32_t)va->phys, number(t->v, line, "phys", 16));
	// the kernel counts pages of vmalloc alone
	expect(t->v, line, "nr_pages", va->vm_flags & VM_ALLOC ? va->nr_pages : 0,
	       number(t->v, line, "nr_pages", 10));
}

static void compare_dump(struct vmalloc_run *t, const char *dump)
{
	const struct vmalloc_state *s = &t->m.s->vmalloc;
	uint32_t id = s->areas.first, n = 0;
	const char *line;

	expect_search_state(t, dump, "lazy_nr");
	expect(t->v, dump, "lazy_max", lazy_max_pages(&t->m), number(t->v, dump, "lazy_max", 10));
	expect(t->v, dump, "cached_vstart", s->cached_vstart,
	       number(t->v, dump, "cached_vstart", 16));
	expect(t->v, dump, "cached_align", s->cached_align, number(t->v, dump, "cached_align", 16));
	expect(t->v, dump, "pcpu_hole", s->pcpu_hole, number(t->v, dump, "pcpu_hole", 16));
	for (; (line = vectors_line(t->v)) && is(line, "area"); n++) {
		if (id)
			compare_area(t, line, &t->m.areas[id]);
		id = id ? t->m.areas[id].list.next : 0;
	}
	expect(t->v, dump, "number of areas", s->nr_areas, n);
	end_dump(t, dump, line, n);
}

static void vmalloc_facts(struct vmalloc_run *t, const char *line)
{
	const struct machine_state *s = t->m.s;
	struct fixmap fx;

	fixmap_layout(&fx, s->cfg.nr_cpus, false);
	expect(t->v, line, "VMALLOC_START", s->vmalloc.start,
	       number(t->v, line, "VMALLOC_START", 16));
	expect(t->v, line, "VMALLOC_END", s->vmalloc.end, number(t->v, line, "VMALLOC_END", 16));
	expect(t->v, line, "high_memory", s->high_memory, number(t->v, line, "high_memory", 16));
	expect(t->v, line, "PKMAP_BASE", s->kmap.pkmap_base, number(t->v, line, "PKMAP_BASE", 16));
	expect(t->v, line, "FIXADDR_START", fx.start, number(t->v, line, "FIXADDR_START", 16));
	expect(t->v, line, "FIXADDR_TOP", FIXADDR_TOP, number(t->v, line, "FIXADDR_TOP", 16));
	expect(t->v, line, "VMAP_BLOCK_SIZE", s->vmalloc.vb.block_pages << PAGE_SHIFT,
	       number(t->v, line, "VMAP_BLOCK_SIZE", 16));
	expect(t->v, line, "VMAP_MAX_ALLOC_pages", VMAP_MAX_ALLOC,
	       number(t->v, line, "VMAP_MAX_ALLOC_pages", 10));
	expect(t->v, line, "PAGE_OFFSET", s->cfg.page_offset,
	       number(t->v, line, "PAGE_OFFSET", 16));
	expect(t->v, line, "VMALLOC_OFFSET", VMALLOC_OFFSET,
	       number(t->v, line, "VMALLOC_OFFSET", 16));
	ignore(t->v, line, "IOREMAP_MAX_ORDER"); // bounds the alignment of every ioremap line
}

static uint32_t test_pages(struct vmalloc_run *t, const char *line)
{
	uint32_t pages = number(t->v, line, "pages", 10);

	if (pages <= TEST_PAGES)
		return pages;
	// More than there are is refused before any page is looked at.
	if (pages <= t->m.s->totalram_pages)
		vectors_mismatch(t->v, line, "more pages than this program has");
	return UINT32_MAX;
}

static kaddr_t get_range(struct vmalloc_run *t, const char *line)
{
	const char *range = field(t->v, line, "range");
	const char *dash = range ? strchr(range, '-') : NULL;

	if (!dash) {
		vectors_mismatch(t->v, line, "no range=LO-HI");
		return 0;
	}
	return __get_vm_area(&t->m, word(line, 2, 10), number(t->v, line, "flags", 16),
			     (kaddr_t)strtoul(range, NULL, 16),
			     (kaddr_t)strtoul(dash + 1, NULL, 16));
}

// The calls that take an address range; false for others.
static bool vmalloc_take(struct vmalloc_run *t, const char *line, kaddr_t *addr)
{
	struct machine *m = &t->m;

	if (is(line, "vmalloc"))
		*addr = vmalloc(m, word(line, 2, 10));
	else if (is(line, "get_vm_area"))
		*addr = get_vm_area(m, word(line, 2, 10), number(t->v, line, "flags", 16));
	else if (is(line, "get_vm_area_bad"))
		*addr = get_vm_area(m, word(line, 1, 10), VM_ALLOC);
	else if (is(line, "__get_vm_area"))
		*addr = get_range(t, line);
	else if (is(line, "vmap"))
		*addr = vmap(m, t->pages, test_pages(t, line));
	else if (is(line, "vm_map_ram"))
		*addr = vm_map_ram(m, t->pages, test_pages(t, line));
	else if (is(line, "ioremap"))
		*addr = ioremap(m, number(t->v, line, "phys", 16), number(t->v, line, "size", 10));
	else
		return false;
	return true;
}

// Their counterparts.
static bool vmalloc_give(struct vmalloc_run *t, const char *line, kaddr_t addr, int *ret)
{
	struct machine *m = &t->m;

	if (is(line, "vfree"))
		*ret = vfree(m, addr);
	else if (is(line, "remove_vm_area"))
		*ret = remove_vm_area(m, addr);
	else if (is(line, "vunmap"))
		*ret = vunmap(m, addr);
	else if (is(line, "iounmap"))
		*ret = iounmap(m, addr);
	else if (is(line, "vm_unmap_ram"))
		*ret = vm_unmap_ram(m, addr, test_pages(t, line));
	else
		return false;
	return true;
}

static void give_line(struct vmalloc_run *t, const char *line)
{
	kaddr_t *slot = &t->slot[slot_of(t->v, line)];
	int ret = 0;

	expect(t->v, line, "slot", *slot, word(line, 2, 16));
	if (!vmalloc_give(t, line, *slot, &ret))
		vectors_mismatch(t->v, line, "not understood");
	expect(t->v, line, "return value", ret, 0);
	*slot = 0;
}

static void take_line(struct vmalloc_run *t, const char *line)
{
	kaddr_t addr = 0;

	if (!vmalloc_take(t, line, &addr))
		vectors_mismatch(t->v, line, "not understood");
	if (!is(line, "get_vm_area_bad"))
		t->slot[slot_of(t->v, line)] = addr;
	expect(t->v, line, "address", addr, result(line));
}

static void vmalloc_line(struct vmalloc_run *t, const char *line)
{
	if (is(line, "vm_unmap_aliases"))
		vm_unmap_aliases(&t->m);
	else if (strstr(line, "-> "))
		take_line(t, line);
	else
		give_line(t, line);
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
	if (vectors_machine(v, &t->m) ||
	    alloc_pages_bulk(&t->m, GFP_HIGHUSER, TEST_PAGES, t->pages) != TEST_PAGES) {
		vectors_mismatch(v, v->header, "no machine");
		return;
	}
	while ((line = vectors_line(v))) {
		if (is(line, "facts"))
			vmalloc_facts(t, line);
		else if (is(line, "dump initial"))
			load_dump(t, line);
		else if (is(line, "dump"))
			compare_dump(t, line);
		else if (starts(line, "=== events"))
			check_vmalloc(t, line);
		else
			vmalloc_line(t, line);
	}
}

// ---- kmap ----

struct kmap_run {
	struct vectors *v;
	struct machine m;
	pfn_t page[SLOTS];
	uint8_t bucket[SLOTS]; // of the page_address hash
	uint32_t flushed;      // by calls since the last line that said so
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
	struct fixmap fx;

	fixmap_layout(&fx, s->cfg.nr_cpus, false);
	expect(t->v, line, "FIXADDR_START", fx.start, number(t->v, line, "FIXADDR_START", 16));
	expect(t->v, line, "FIXADDR_TOP", FIXADDR_TOP, number(t->v, line, "FIXADDR_TOP", 16));
	expect(t->v, line, "PKMAP_BASE", s->kmap.pkmap_base, number(t->v, line, "PKMAP_BASE", 16));
	expect(t->v, line, "high_memory", s->high_memory, number(t->v, line, "high_memory", 16));
	expect(t->v, line, "max_low_pfn", s->max_low_pfn, number(t->v, line, "max_low_pfn", 10));
	expect(t->v, line, "LAST_PKMAP", LAST_PKMAP, number(t->v, line, "LAST_PKMAP", 10));
	expect(t->v, line, "sizeof_page", sizeof(struct page),
	       number(t->v, line, "sizeof_page", 10));
	expect(t->v, line, "PA_HASH_ORDER", PA_HASH_ORDER, number(t->v, line, "PA_HASH_ORDER", 10));
	// what hash order and atomic addresses depend on and another boot places elsewhere
	s->kmap.mem_map = number(t->v, line, "mem_map", 16);
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
		if (!field(t->v, line, known[i].name))
			continue;
		expect(t->v, line, "slot", known[i].slot, number(t->v, line, known[i].name, 10));
		expect(t->v, line, "addr", fix_to_virt(known[i].slot),
		       number(t->v, line, "addr", 16));
		return;
	}
	vectors_mismatch(t->v, line, "unknown fixmap slot");
}

// "pages (slot=pfn:bucket): 0=259425:81 1=..."
static void kmap_pages(struct kmap_run *t, const char *line)
{
	const char *p = strstr(line, "): ");
	unsigned slot, pfn, bucket;
	int n;

	for (p = p ? p + 3 : ""; sscanf(p, " %u=%u:%u%n", &slot, &pfn, &bucket, &n) == 3; p += n) {
		if (slot >= SLOTS || pfn >= t->m.s->max_pfn) {
			vectors_mismatch(t->v, line, "slot %u has no place", slot);
			continue;
		}
		t->page[slot] = pfn;
		t->bucket[slot] = bucket;
		if (bucket >= PA_HASH_SIZE)
			vectors_mismatch(t->v, line, "no bucket %u", bucket);
	}
	if (p[strspn(p, " ")])
		vectors_mismatch(t->v, line, "not understood at %.20s", p);
	read_whole(t->v, line);
}

static void kmap_state(struct kmap_run *t, const char *line)
{
	const struct kmap_state *k = &t->m.s->kmap;
	const char *p = strstr(line, "n)= ");
	unsigned slot = 0;

	read_whole(t->v, line);
	expect(t->v, line, "last_pkmap_nr", k->last_pkmap_nr,
	       number(t->v, line, "last_pkmap_nr", 10));
	expect(t->v, line, "in_use", k->in_use, number(t->v, line, "in_use", 10));
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
	read_whole(t->v, line);
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

// Mapped pages stand in the bucket the file gave them.
static bool is_in_bucket(const struct kmap_state *k, unsigned bucket, unsigned window)
{
	for (unsigned i = k->hash_head[bucket % PA_HASH_SIZE]; i; i = k->hash_next[i - 1])
		if (i == window + 1)
			return true;
	return false;
}

static void kmap_window(struct kmap_run *t, const char *line)
{
	const struct kmap_state *k = &t->m.s->kmap;
	pfn_t pfn = t->page[slot_of(t->v, line)];
	unsigned slot = number(t->v, line, "slot", 10);

	if (slot >= LAST_PKMAP) {
		vectors_mismatch(t->v, line, "no such window");
		return;
	}
	if (*line == 'm') {
		expect(t->v, line, "address", kmap(&t->m, pfn), word(line, 2, 16));
		expect(t->v, line, "last", k->last_pkmap_nr, number(t->v, line, "last", 10));
		expect(t->v, line, "in its bucket",
		       is_in_bucket(k, t->bucket[slot_of(t->v, line)], slot), 1);
	} else {
		expect(t->v, line, "return value", kunmap(&t->m, pfn), 0);
	}
	expect(t->v, line, "frame", k->pkmap_pfn[slot], pfn);
	expect(t->v, line, "count", k->pkmap_count[slot], number(t->v, line, "count", 10));
}

static void kmap_katomic(struct kmap_run *t, const char *line)
{
	struct machine_state *s = t->m.s;
	struct fixmap fx;

	fixmap_layout(&fx, s->cfg.nr_cpus, false);
	expect(t->v, line, "KM_TYPE_NR", KM_TYPE_NR, number(t->v, line, "KM_TYPE_NR", 10));
	expect(t->v, line, "begin_addr", fix_to_virt(fx.kmap_begin),
	       number(t->v, line, "begin_addr", 16));
	expect(t->v, line, "end_addr", fix_to_virt(fx.kmap_end),
	       number(t->v, line, "end_addr", 16));
	expect(t->v, line, "FIX_KMAP_BEGIN", fx.kmap_begin,
	       number(t->v, line, "FIX_KMAP_BEGIN", 10));
	expect(t->v, line, "FIX_KMAP_END", fx.kmap_end, number(t->v, line, "FIX_KMAP_END", 10));
	s->kmap.fix_kmap_begin = fx.kmap_begin; // this build has no OHCI1394 slot
	if (number(t->v, line, "cpu", 10) < (long long)s->cfg.ncpus)
		t->m.cpu = number(t->v, line, "cpu", 10);
	else
		vectors_mismatch(t->v, line, "no such CPU");
}

static void kmap_atomic_line(struct kmap_run *t, const char *line)
{
	const uint32_t *depth = &t->m.s->kmap.atomic_depth[t->m.cpu];

	if (is(line, "kmap_atomic")) {
		pfn_t pfn = number(t->v, line, "pfn", 10);

		expect(t->v, line, "high", page_zonenum(&t->m, pfn) >= ZONE_HIGHMEM,
		       number(t->v, line, "high", 10));
		expect(t->v, line, "address", kmap_atomic(&t->m, pfn), result(line));
		ignore(t->v, line, "depth"); // how many calls are nested, lowmem's among them
	} else {
		expect(t->v, line, "return value", kunmap_atomic(&t->m, word(line, 1, 16)), 0);
	}
	expect(t->v, line, "idx", *depth, number(t->v, line, "idx", 10));
}

static void kmap_lookup(struct kmap_run *t, const char *line)
{
	pfn_t pfn = number(t->v, line, "pfn", 10);

	if (is(line, "kmap_low")) {
		expect(t->v, line, "address", kmap(&t->m, pfn), result(line));
		expect(t->v, line, "page_address", page_address(&t->m, pfn),
		       number(t->v, line, "page_address", 16));
		expect(t->v, line, "kunmap", kunmap(&t->m, pfn), 0);
	} else {
		expect(t->v, line, "page_address", page_address(&t->m, pfn), result(line));
	}
}

static void kmap_line(struct kmap_run *t, const char *line)
{
	if (is(line, "m") || is(line, "u"))
		kmap_window(t, line);
	else if (is(line, "facts"))
		kmap_facts(t, line);
	else if (is(line, "fixmap"))
		kmap_fixmap(t, line);
	else if (is(line, "pages"))
		kmap_pages(t, line);
	else if (is(line, "state"))
		kmap_state(t, line);
	else if (is(line, "hash"))
		kmap_hash(t, line);
	else if (is(line, "katomic"))
		kmap_katomic(t, line);
	else if (is(line, "kmap_atomic") || is(line, "kunmap_atomic"))
		kmap_atomic_line(t, line);
	else if (is(line, "page_address") || is(line, "kmap_low"))
		kmap_lookup(t, line);
	else if (is(line, "kmap_flush_unused"))
		kmap_flush_unused(&t->m);
	else if (!starts(line, "=== events"))
		vectors_mismatch(t->v, line, "not understood");
}

void vectors_kmap(struct vectors *v)
{
	struct kmap_run *t = &kmap_run;
	const char *line;
	uint32_t announced = 0;

	memset(t, 0, sizeof(*t));
	t->v = v;
	if (vectors_machine(v, &t->m)) {
		vectors_mismatch(v, v->header, "no machine");
		return;
	}
	t->m.ops = &kmap_ops;
	t->m.priv = t;
	// a flush line stands before the `m` that caused it, or after a kmap_flush_unused
	while ((line = vectors_line(v))) {
		if (is(line, "flush")) {
			announced += number(t->v, line, "cleared", 10);
			continue;
		}
		kmap_line(t, line);
		if (!is(line, "kmap_flush_unused"))
			expect(v, line, "pages flushed so far", t->flushed, announced);
	}
	char why[256];
	if (kmap_check(&t->m, why, sizeof(why)))
		vectors_mismatch(v, v->header, "%s", why);
}
