// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The program's process: its directory beside the kernel's, its user pages, the faults between them.
#include "core/mm.h"

#include "core/fold.h"
#include "core/procfs.h"
#include "core/translate.h"
#include "pages_machine.h"

#include <errno.h>

enum {
	WINDOW = 4 << 20,
	STACK = 0xBFFFF000,
	VDSO = 0xB7FFF000,
};

static unsigned Faults, Directories, Pages;

static void note(struct machine *m, const struct trace_event *t)
{
	(void)m;
	Faults += t->kind == EV_T_VMALLOC_FAULT;
	Directories += t->kind == EV_T_PGD_ALLOC;
	Pages += t->kind == EV_T_USER_PAGE;
}

static const struct machine_ops noting = {.trace = note};

static void start(unsigned ncpus)
{
	boot(MODEL_3_4, 1024 * MiB, ncpus);
	M.ops = &noting;
	Faults = Directories = Pages = 0;
}

static void rights_of_mappings(void)
{
	for (unsigned exec = 0; exec <= MM_EXEC; exec += MM_EXEC) {
		CHECK_EQ(user_page_prot(MM_READ | exec), 0x025);
		CHECK_EQ(user_page_prot(MM_READ | MM_WRITE | exec),
			 0x025); // until it is written to
		CHECK_EQ(user_page_prot(MM_READ | MM_SHARED | exec), 0x025);
		CHECK_EQ(user_page_prot(MM_READ | MM_WRITE | MM_SHARED | exec), 0x027);
	}
	CHECK_EQ(user_page_prot(0), 0x120);
	CHECK_EQ(user_page_prot(MM_SHARED), 0x120);
}

static struct translation walk(kaddr_t addr)
{
	struct translation t;

	machine_translate(&M, addr, &t);
	return t;
}

// The directory's own frame, two tables, two pages; the kernel's half is the master's.
static void a_process_begins(void)
{
	char text[1 << 13], why[200];

	start(1);
	CHECK_EQ(walk(STACK).present, 0);
	CHECK_EQ(walk(STACK).fault, FAULT_USER);
	CHECK_EQ(mm_begin(&M), 0);
	CHECK_EQ(mm_begin(&M), -EEXIST);
	CHECK_EQ(Directories, 1);
	CHECK_EQ(Pages, 2);
	for (unsigned i = 0; i < 1024; i++)
		CHECK_EQ(M.s->mm.pgd[i] != 0, i == 767 || i == 735 || (i >= 768 && M.s->pgd[i]));
	CHECK(!memcmp(M.s->mm.pgd + 768, M.s->pgd + 768, 256 * 4));
	CHECK(M.s->mm.pgd[1022] && M.s->mm.pgd[1023]); // pkmap and fixmap are known from the start
	vmstat_fold(&M);
	proc_meminfo(&M, text, sizeof(text));
	CHECK(strstr(text, "AnonPages:             8 kB\n"));
	CHECK(strstr(text, "PageTables:            8 kB\n"));
	CHECK_EQ(mm_check(&M, why, sizeof(why)), 0);
	check_sane();
	mm_end(&M);
	CHECK_EQ(M.s->mm.pgd_pfn, 0);
	vmstat_fold(&M);
	proc_meminfo(&M, text, sizeof(text));
	CHECK(strstr(text, "AnonPages:             0 kB\n"));
	CHECK(strstr(text, "PageTables:            0 kB\n"));
	mm_end(&M); // none: nothing
	check_sane();
}

static void user_entries(void)
{
	struct translation t;
	char text[1024];

	start(1);
	mm_begin(&M);
	t = walk(STACK + 0x123);
	CHECK(t.present);
	CHECK_EQ(t.pde & 0xFFF, 0x067);
	CHECK_EQ(t.pte & 0xFFF, 0x067); // written to: writable, dirty, accessed
	CHECK_EQ(t.phys, t.pfn * 4096 + 0x123);
	CHECK_EQ(page_zonenum(&M, t.pfn), ZONE_HIGHMEM);
	CHECK_EQ(page_zonenum(&M, t.pde >> 12), ZONE_NORMAL);
	CHECK_EQ(M.mem_map[t.pfn].mapping, STACK + 1);
	CHECK_EQ(M.mem_map[t.pfn].mapcount, 1);
	translation_text(&M, &t, text, sizeof(text));
	CHECK(strstr(text, "segment   __USER_DS 0x7b"));
	CHECK(strstr(text, " rw user\n"));
	CHECK(strstr(text, "the walk is its own\n"));
	CHECK(strstr(text, "owner     page of the process at bffff000\n"));
	t = walk(VDSO);
	CHECK_EQ(t.pde & 0xFFF, 0x067);
	CHECK_EQ(t.pte & 0xFFF, 0x025);
	CHECK_EQ(mm_map_page(&M, 0x08048000, MM_READ | MM_WRITE | MM_SHARED, false), 0);
	CHECK_EQ(walk(0x08048000).pte & 0xFFF, 0x027);
	CHECK_EQ(mm_map_page(&M, 0x08049000, 0, false), 0);
	t = walk(0x08049000); // nobody may touch it, so the CPU finds nothing there
	CHECK_EQ(t.pte & 0xFFF, 0x120);
	CHECK(!t.present);
	translation_text(&M, &t, text, sizeof(text));
	CHECK(strstr(text, "page fault, error code 4 (not present, read, user)\n"));
	check_sane();
}

static void pages_are_refused(void)
{
	start(1);
	CHECK_EQ(mm_map_page(&M, 0x1000, MM_READ, false), -EINVAL); // no process
	mm_begin(&M);
	CHECK_EQ(mm_map_page(&M, STACK, MM_READ, false), -EINVAL);
	CHECK_EQ(mm_map_page(&M, 0x1001, MM_READ, false), -EINVAL);
	CHECK_EQ(mm_map_page(&M, 0x1000, MM_READ, true), -EINVAL);
	CHECK_EQ(mm_map_page(&M, 0xC0000000, MM_READ, false), -EINVAL);
	CHECK_EQ(mm_map_page(&M, 0, MM_READ, false), 0);
	CHECK_EQ(mm_map_page(&M, WINDOW, MM_READ, false), 0);
	CHECK_EQ(mm_map_page(&M, 2 * WINDOW, MM_READ, false), -ENOMEM); // four tables
	check_sane();
}

// The table is added to the master alone; a process that was there before has it after one fault, one
// that comes later from the start.
static void one_fault_brings_the_window(void)
{
	kaddr_t v, next;
	unsigned index;

	start(1);
	vmalloc(&M, 2 * 4096); // the end of the first window
	mm_begin(&M);
	v = vmalloc(&M, 4096);
	index = v >> 22;
	CHECK(M.s->pgd[index]);
	CHECK_EQ(M.s->mm.pgd[index], 0);
	CHECK_EQ(walk(v).process_pde, 0);
	CHECK_EQ(mm_touch(&M, v, 4096), 1);
	CHECK_EQ(Faults, 1);
	CHECK_EQ(M.s->mm.pgd[index], M.s->pgd[index]);
	CHECK_EQ(walk(v).process_pde, walk(v).pde);
	CHECK_EQ(mm_touch(&M, v, 4096), 0);
	next = vmalloc(&M, 4096); // in the same window
	CHECK_EQ(mm_touch(&M, next, 4096), 0);
	next = vmalloc(&M, 3 * WINDOW);
	CHECK_EQ(mm_touch(&M, next, 3 * WINDOW), 3);
	CHECK_EQ(Faults, 4);
	vfree(&M, next); // entries of the page table go, those of the directories stay
	CHECK_EQ(mm_touch(&M, next, 3 * WINDOW), 0);
	CHECK_EQ(mm_touch(&M, M.s->vmalloc.end - 4096, 4096), -EFAULT); // no such table anywhere
	CHECK_EQ(mm_touch(&M, 0xC1000000, 4096), 0);
	CHECK_EQ(mm_touch(&M, v, 0), 0);
	check_sane();
	mm_end(&M);
	mm_begin(&M);
	CHECK_EQ(M.s->mm.pgd[index], M.s->pgd[index]);
	CHECK_EQ(mm_touch(&M, v, 4096), 0);
	check_sane();
}

static void the_walk_says_what_the_process_knows(void)
{
	struct translation t;
	char text[1024];
	kaddr_t v;

	start(1);
	v = vmalloc(&M, 4096);
	t = walk(v);
	translation_text(&M, &t, text, sizeof(text));
	CHECK(!strstr(text, "process"));
	mm_begin(&M);
	v = vmalloc(&M, 2 * WINDOW) + WINDOW;
	t = walk(v);
	translation_text(&M, &t, text, sizeof(text));
	CHECK(strstr(text, "no entry yet; its first access faults and takes the kernel's\n"));
	mm_touch(&M, v, 1);
	t = walk(v);
	translation_text(&M, &t, text, sizeof(text));
	CHECK(strstr(text, ": the same entry\n"));
	t = walk(M.s->vmalloc.end - 4096);
	translation_text(&M, &t, text, sizeof(text));
	CHECK(strstr(text, ": no entry either\n"));
}

static int Fold_error;

static void fold_record(struct machine *m, const struct record *r)
{
	int err = fold_apply(m->priv, r);

	if (err && !Fold_error)
		Fold_error = err;
}

static const struct machine_ops folding = {.record = fold_record};

static void the_fold_is_the_machine(void)
{
	start(2);
	boot_on(&Twin, &Cfg);
	M.ops = &folding;
	M.priv = &Twin;
	Fold_error = 0;
	for (int round = 0; round < 3; round++) {
		kaddr_t v = vmalloc(&M, (3 + round) * WINDOW);

		CHECK_EQ(mm_begin(&M), 0);
		mm_map_page(&M, 0x40000000, MM_READ | MM_WRITE, true);
		vmalloc(&M, 5 * WINDOW);
		CHECK(mm_touch(&M, v, 8 * WINDOW) > 0);
		CHECK_EQ(machine_compare(&M, &Twin), -1);
		vfree(&M, v);
		mm_end(&M);
		CHECK_EQ(machine_compare(&M, &Twin), -1);
	}
	CHECK_EQ(Fold_error, 0);
	M.ops = &machine_ops_none;
	check_sane();
}

static void complains(uint32_t *word, uint32_t value, const char *about)
{
	uint32_t was = *word;
	char why[200] = "";

	*word = value;
	CHECK_EQ(mm_check(&M, why, sizeof(why)), -EINVAL);
	if (!strstr(why, about))
		printf("# %s\n", why);
	CHECK(strstr(why, about));
	*word = was;
	check_sane();
}

static void the_checker_notices(void)
{
	struct mm_state *mm;
	pfn_t stack;

	start(1);
	mm_begin(&M);
	mm = &M.s->mm;
	stack = walk(STACK).pfn;
	complains(&mm->pgd_pfn, 5, "directory");
	complains(&mm->pgd_pfn, UINT32_MAX, "directory");
	complains(&mm->pgd[800], 7, "not the master's");
	complains(&mm->pgd[767], 0xFFFFF067, "entry 767");
	complains(&mm->pgd[5], 7, "2 user tables, 3 entries");
	complains(&mm->table[0].index, 900, "no user address");
	complains(&mm->table[1].index, mm->table[0].index, "no user address");
	complains(&mm->table[0].pte[1], 0xFFFFF067, "bfc01000");
	complains(&M.mem_map[stack].mapping, 0, "bffff000");
}

int main(void)
{
	RUN(rights_of_mappings);
	RUN(a_process_begins);
	RUN(user_entries);
	RUN(pages_are_refused);
	RUN(one_fault_brings_the_window);
	RUN(the_walk_says_what_the_process_knows);
	RUN(the_fold_is_the_machine);
	RUN(the_checker_notices);
	return DONE();
}
