// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The program's process: its directory, its few user pages, and the faults that bring the kernel's
// later page tables to it.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "buddy.h"
#include "pgtable.h"

enum {
	MAPPING_ANON = 1, // in the lowest bit of page->mapping
};

static unsigned first_kernel_entry(const struct machine *m)
{
	return m->s->cfg.page_offset >> PGDIR_SHIFT;
}

static uint32_t load(const uint32_t *entry)
{
	return __atomic_load_n(entry, __ATOMIC_RELAXED);
}

// By the bits of enum mm_rights; writing means copying where the mapping is private.
uint32_t user_page_prot(unsigned rights)
{
	if (!(rights & (MM_READ | MM_WRITE | MM_EXEC)))
		return PAGE_NONE;
	return rights & MM_WRITE && rights & MM_SHARED ? PAGE_SHARED : PAGE_READONLY;
}

static struct user_table *table_of(struct machine *m, unsigned index)
{
	for (unsigned i = 0; i < USER_TABLES; i++)
		if (m->s->mm.table[i].used && m->s->mm.table[i].index == index)
			return &m->s->mm.table[i];
	return NULL;
}

static uint32_t *user_pte(struct machine *m, kaddr_t addr)
{
	struct user_table *t =
		addr < m->s->cfg.page_offset ? table_of(m, addr >> PGDIR_SHIFT) : NULL;

	return t ? &t->pte[addr >> PAGE_SHIFT & (PTRS_PER_TABLE - 1)] : NULL;
}

uint32_t mm_pte_of(const struct machine *m, kaddr_t addr)
{
	const uint32_t *pte = user_pte((struct machine *)m, addr);

	return pte ? *pte : 0;
}

// In somebody's hands and nothing else.
static bool frame_is_plain(const struct machine *m, pfn_t pfn, pfn_t end)
{
	const struct page *p = pfn_to_page(m, pfn);

	return pfn && pfn < end && p->_count == 1 && !page_flags(p) && !p->mapping && !p->mapcount;
}

static void tell(struct machine *m, enum event_kind kind, pfn_t pfn, kaddr_t addr, uint32_t value)
{
	trace(m, &(struct trace_event){.kind = kind,
				       .cpu = (uint8_t)m->cpu,
				       .zone = 255,
				       .pfn = pfn,
				       .addr = addr,
				       .count = 1,
				       .value = value});
}

// ---- steps ----

static int begin_locked(struct machine *m, pfn_t pfn)
{
	struct mm_state *mm = &m->s->mm;
	unsigned kernel = first_kernel_entry(m);

	if (mm->pgd_pfn || !frame_is_plain(m, pfn, m->s->max_low_pfn))
		return -EILSEQ;
	set_page_flags(pfn_to_page(m, pfn), 1u << PG_pgtable);
	memcpy(mm->pgd + kernel, m->s->pgd + kernel, sizeof(mm->pgd) - kernel * sizeof(*mm->pgd));
	set_relaxed(&mm->pgd_pfn, pfn);
	tell(m, EV_T_PGD_ALLOC, pfn, 0, first_kernel_entry(m));
	return 0;
}

int MM_BEGIN_apply(struct machine *m, const struct record *r)
{
	return r->lock == LOCK_VMAP ? begin_locked(m, r->arg[0]) : -EILSEQ;
}

// -EFAULT: the master knows nothing either. The kernel's half of the directory alone faults so.
static int fault_locked(struct machine *m, unsigned index)
{
	struct mm_state *mm = &m->s->mm;

	if (!mm->pgd_pfn || index < first_kernel_entry(m) || index >= PTRS_PER_TABLE ||
	    mm->pgd[index])
		return -EILSEQ;
	if (!(m->s->pgd[index] & _PAGE_PRESENT))
		return -EFAULT;
	__atomic_store_n(&mm->pgd[index], m->s->pgd[index], __ATOMIC_RELAXED);
	tell(m, EV_T_VMALLOC_FAULT, m->s->pgd[index] >> PAGE_SHIFT, index << PGDIR_SHIFT, index);
	return 0;
}

int MM_FAULT_apply(struct machine *m, const struct record *r)
{
	return r->lock == LOCK_VMAP && !fault_locked(m, r->arg[0]) ? 0 : -EILSEQ;
}

static int table_locked(struct machine *m, unsigned index, pfn_t pfn)
{
	struct mm_state *mm = &m->s->mm;
	unsigned i = 0;

	if (!mm->pgd_pfn || index >= first_kernel_entry(m) || mm->pgd[index] ||
	    !frame_is_plain(m, pfn, m->s->max_low_pfn))
		return -EILSEQ;
	while (i < USER_TABLES && mm->table[i].used)
		i++;
	if (i == USER_TABLES)
		return -EILSEQ;
	mm->table[i].used = 1;
	mm->table[i].index = index;
	mm->pgd[index] = pfn << PAGE_SHIFT | _PAGE_TABLE;
	set_page_flags(pfn_to_page(m, pfn), 1u << PG_pgtable);
	tell(m, EV_T_PAGE_TABLE, pfn, 0, index);
	return 0;
}

int MM_TABLE_apply(struct machine *m, const struct record *r)
{
	return r->lock == LOCK_VMAP ? table_locked(m, r->arg[0], r->arg[1]) : -EILSEQ;
}

// Entries may come out of a damaged keyframe.
static void forget(struct machine *m, pfn_t pfn)
{
	struct page *p = pfn_to_page(m, pfn);

	if (!pfn || pfn >= m->s->max_pfn)
		return;
	set_page_flags(p, 0);
	p->mapping = 0;
	p->mapcount = 0;
}

// Entry 0 takes the page away; the frame is then the caller's alone.
static int pte_locked(struct machine *m, kaddr_t addr, uint32_t entry)
{
	uint32_t *pte = user_pte(m, addr);
	pfn_t pfn = entry >> PAGE_SHIFT;

	if (!pte || addr % PAGE_SIZE || !*pte == !entry ||
	    (entry && (!(entry & (_PAGE_PRESENT | _PAGE_PROTNONE)) ||
		       !frame_is_plain(m, pfn, m->s->max_pfn))))
		return -EILSEQ;
	if (entry) {
		pfn_to_page(m, pfn)->mapping = addr | MAPPING_ANON;
		pfn_to_page(m, pfn)->mapcount = 1;
		tell(m, EV_T_USER_PAGE, pfn, addr, entry & (PAGE_SIZE - 1));
	} else {
		forget(m, *pte >> PAGE_SHIFT);
	}
	*pte = entry;
	return 0;
}

int MM_PTE_apply(struct machine *m, const struct record *r)
{
	return r->lock == LOCK_VMAP ? pte_locked(m, r->arg[0], r->arg[1]) : -EILSEQ;
}

// Without user pages; the frames are the caller's to free.
static int end_locked(struct machine *m, pfn_t frames[1 + USER_TABLES])
{
	struct mm_state *mm = &m->s->mm;
	unsigned n = 0;

	if (!mm->pgd_pfn)
		return -EILSEQ;
	for (unsigned i = 0; i < USER_TABLES; i++)
		for (unsigned j = 0; mm->table[i].used && j < PTRS_PER_TABLE; j++)
			if (mm->table[i].pte[j])
				return -EILSEQ;
	frames[n++] = mm->pgd_pfn;
	for (unsigned i = 0; i < USER_TABLES; i++)
		frames[n++] = mm->table[i].used ? mm->pgd[mm->table[i].index] >> PAGE_SHIFT : 0;
	for (unsigned i = 0; i < n; i++)
		forget(m, frames[i]);
	memset(mm, 0, sizeof(*mm));
	return 0;
}

int MM_END_apply(struct machine *m, const struct record *r)
{
	pfn_t frames[1 + USER_TABLES];

	return r->lock == LOCK_VMAP ? end_locked(m, frames) : -EILSEQ;
}

// ---- what makes these steps ----

// Reports and unlocks; a step that changed nothing leaves no record.
static int finish(struct machine *m, int err, enum event_kind kind, uint32_t a, uint32_t b)
{
	if (err)
		step_cancel(m, LOCK_VMAP);
	else
		step_end(m, LOCK_VMAP, kind, a, b, 0, 0, 0, 0);
	return err;
}

static int user_table(struct machine *m, unsigned index)
{
	pfn_t pfn;
	int err;

	if (table_of(m, index))
		return 0;
	pfn = alloc_pages(m, GFP_KERNEL | __GFP_REPEAT | __GFP_ZERO, 0);
	if (!pfn)
		return -ENOMEM;
	step_begin(m, LOCK_VMAP);
	err = table_locked(m, index, pfn);
	if (finish(m, err, EV_MM_TABLE, index, pfn)) {
		__free_pages(m, pfn, 0); // all tables are in use
		return -ENOMEM;
	}
	zone_stat(m, zone_of(m, pfn), NR_PAGETABLE, 1);
	return 0;
}

static void count_anon(struct machine *m, pfn_t pfn, int delta)
{
	zone_stat(m, zone_of(m, pfn), NR_ANON_PAGES, delta);
	zone_stat(m, zone_of(m, pfn), NR_ACTIVE_ANON, delta);
}

// The table first, as the kernel walks down.
int mm_map_page(struct machine *m, kaddr_t addr, unsigned rights, bool write)
{
	uint32_t prot = user_page_prot(rights);
	pfn_t pfn;
	int err;

	if (!m->s->mm.pgd_pfn || addr % PAGE_SIZE || addr >= m->s->cfg.page_offset ||
	    mm_pte_of(m, addr) || (write && !(rights & MM_WRITE)))
		return -EINVAL;
	if (user_table(m, addr >> PGDIR_SHIFT))
		return -ENOMEM;
	pfn = alloc_pages(m, GFP_HIGHUSER_MOVABLE | __GFP_ZERO, 0);
	if (!pfn)
		return -ENOMEM;
	if (write)
		prot |= _PAGE_RW | _PAGE_DIRTY;
	step_begin(m, LOCK_VMAP);
	err = pte_locked(m, addr, pfn << PAGE_SHIFT | prot);
	if (finish(m, err, EV_MM_PTE, addr, pfn << PAGE_SHIFT | prot)) {
		__free_pages(m, pfn, 0);
		return -EINVAL;
	}
	count_anon(m, pfn, 1);
	return 0;
}

static void unmap_page(struct machine *m, kaddr_t addr)
{
	pfn_t pfn = mm_pte_of(m, addr) >> PAGE_SHIFT;

	step_begin(m, LOCK_VMAP);
	if (finish(m, pte_locked(m, addr, 0), EV_MM_PTE, addr, 0))
		return;
	count_anon(m, pfn, -1);
	__free_pages(m, pfn, 0);
}

void mm_end(struct machine *m)
{
	pfn_t frames[1 + USER_TABLES] = {0};

	for (unsigned i = 0; i < USER_TABLES; i++) {
		const struct user_table *t = &m->s->mm.table[i];

		for (unsigned j = 0; t->used && j < PTRS_PER_TABLE; j++)
			if (t->pte[j])
				unmap_page(m, t->index << PGDIR_SHIFT | j << PAGE_SHIFT);
	}
	step_begin(m, LOCK_VMAP);
	if (finish(m, end_locked(m, frames), EV_MM_END, 0, 0))
		return;
	for (unsigned i = 1; i <= USER_TABLES; i++)
		if (frames[i])
			zone_stat(m, zone_of(m, frames[i]), NR_PAGETABLE, -1);
	for (unsigned i = 0; i <= USER_TABLES; i++)
		__free_pages(m, frames[i], 0);
}

static int begin(struct machine *m)
{
	pfn_t pfn = alloc_pages(m, GFP_KERNEL | __GFP_REPEAT | __GFP_ZERO, 0);

	if (!pfn)
		return -ENOMEM;
	step_begin(m, LOCK_VMAP);
	if (finish(m, begin_locked(m, pfn), EV_MM_BEGIN, pfn, 0)) {
		__free_pages(m, pfn, 0); // somebody else was quicker
		return -EEXIST;
	}
	return 0;
}

int mm_begin(struct machine *m)
{
	kaddr_t top = m->s->cfg.page_offset;
	int err = m->s->mm.pgd_pfn ? -EEXIST : begin(m);

	if (err)
		return err;
	if (mm_map_page(m, top - PAGE_SIZE, MM_READ | MM_WRITE, true) ||
	    mm_map_page(m, top - VDSO_BELOW_TASK_SIZE - PAGE_SIZE, MM_READ | MM_EXEC, false)) {
		mm_end(m);
		return -ENOMEM;
	}
	return 0;
}

int mm_touch(struct machine *m, kaddr_t addr, size_t size)
{
	uint64_t last = (uint64_t)addr + size - 1;
	int faults = 0;

	if (!m->s->mm.pgd_pfn || !size || addr < m->s->vmalloc.start || last >= m->s->vmalloc.end)
		return 0;
	for (unsigned i = addr >> PGDIR_SHIFT; i <= last >> PGDIR_SHIFT; i++) {
		int err;

		if (load(&m->s->mm.pgd[i]))
			continue;
		step_begin(m, LOCK_VMAP);
		err = finish(m, fault_locked(m, i), EV_MM_FAULT, i, 0);
		if (err == -EFAULT)
			return err;
		faults += !err; // otherwise another CPU of the process was here first
	}
	return faults;
}

// ---- checker ----

#define FAIL(...) return snprintf(why, size, __VA_ARGS__), -EINVAL

static int check_table(struct machine *m, const struct user_table *t, char *why, size_t size)
{
	uint32_t pde;

	if (t->index >= first_kernel_entry(m) || table_of(m, t->index) != t)
		FAIL("mm: a table of no user address, %u", t->index);
	pde = m->s->mm.pgd[t->index];
	if ((pde & (PAGE_SIZE - 1)) != _PAGE_TABLE || pde >> PAGE_SHIFT >= m->s->max_low_pfn ||
	    pfn_to_page(m, pde >> PAGE_SHIFT)->flags != 1u << PG_pgtable)
		FAIL("mm: entry %u of the process is 0x%08x", t->index, pde);
	for (unsigned j = 0; j < PTRS_PER_TABLE; j++) {
		kaddr_t addr = t->index << PGDIR_SHIFT | j << PAGE_SHIFT;
		pfn_t pfn = t->pte[j] >> PAGE_SHIFT;

		if (t->pte[j] && (pfn >= m->s->max_pfn ||
				  pfn_to_page(m, pfn)->mapping != (addr | MAPPING_ANON) ||
				  pfn_to_page(m, pfn)->mapcount != 1))
			FAIL("mm: the page at %08x of the process is not its frame's", addr);
	}
	return 0;
}

int mm_check(struct machine *m, char *why, size_t size)
{
	const struct mm_state *mm = &m->s->mm;
	unsigned kernel = first_kernel_entry(m), tables = 0, entries = 0;

	if (!mm->pgd_pfn)
		return 0;
	if (mm->pgd_pfn >= m->s->max_low_pfn ||
	    pfn_to_page(m, mm->pgd_pfn)->flags != 1u << PG_pgtable)
		FAIL("mm: the directory's frame %u is none", mm->pgd_pfn);
	for (unsigned i = 0; i < PTRS_PER_TABLE; i++) {
		if (i >= kernel && mm->pgd[i] && mm->pgd[i] != m->s->pgd[i])
			FAIL("mm: entry %u of the process is not the master's", i);
		entries += i < kernel && mm->pgd[i];
	}
	for (unsigned i = 0; i < USER_TABLES; i++) {
		tables += mm->table[i].used != 0;
		if (mm->table[i].used && check_table(m, &mm->table[i], why, size))
			return -EINVAL;
	}
	if (tables != entries)
		FAIL("mm: %u user tables, %u entries for them", tables, entries);
	return 0;
}

int mm_safe(struct machine *m, char *why, size_t size)
{
	const struct mm_state *mm = &m->s->mm;

	if (mm->pgd_pfn >= m->s->max_low_pfn)
		FAIL("mm: the directory's frame %u is none", mm->pgd_pfn);
	for (unsigned i = 0; i < USER_TABLES; i++) {
		const struct user_table *t = &mm->table[i];

		if (!t->used)
			continue;
		if (t->index >= first_kernel_entry(m) ||
		    mm->pgd[t->index] >> PAGE_SHIFT >= m->s->max_low_pfn)
			FAIL("mm: a table of no user address, %u", t->index);
		for (unsigned j = 0; j < PTRS_PER_TABLE; j++)
			if (t->pte[j] >> PAGE_SHIFT >= m->s->max_pfn)
				FAIL("mm: table %u maps no frame at %u", t->index, j);
	}
	return 0;
}
