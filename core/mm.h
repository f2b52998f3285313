// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The address space of the program's process: a page directory of its own (reference 3.2, 3.4).
//
//   m->s->pgd       the master (swapper_pg_dir): where vmalloc adds its tables
//   mm.pgd[>= 768]  the kernel half: copied from the master when the process begins, and one entry at a
//                   time when it faults on a window of vmalloc that came later
//   mm.pgd[< 768]   tables of user pages, each a frame (PG_pgtable), their entries in mm.table
//
//   an entry of the kernel half is 0 or the master's; entries are never taken away
//   every present user entry points to one of mm.table, every present page of those to a frame whose
//   `mapping` is its address + 1 (the kernel's mark of anonymous pages) and whose mapcount is 1
//
// A process begins with what exec leaves: the top page of its stack, written to, and the vdso's, which
// is read only. What the program asks for afterwards is kernel memory (that is what is being shown), and
// the host serves its accesses; so it touches an area, in the machine, when it is given it.
//
// One process a machine: a forked child takes a copy of the machine along. Steps run under LOCK_VMAP,
// which stands for pgd_lock.
#pragma once

#include "types.h"

struct machine;

enum {
	USER_TABLES = 4, // page tables of the user half
	PTRS_PER_TABLE = 1024,
	VDSO_BELOW_TASK_SIZE = 128 << 20, // where mappings begin, downwards
};

enum mm_rights { // of a mapping, as bits
	MM_READ = 1,
	MM_WRITE = 2,
	MM_EXEC = 4,
	MM_SHARED = 8,
};

struct mm_state {
	uint32_t pgd_pfn; // frame of the directory; 0: no process yet
	uint32_t pgd[PTRS_PER_TABLE];
	struct user_table {
		uint32_t index; // in pgd
		uint32_t used;
		uint32_t pte[PTRS_PER_TABLE];
	} table[USER_TABLES];
};

// Gives the machine its process. -ENOMEM: nothing is left of it. -EEXIST.
int mm_begin(struct machine *m);
// Gives everything back.
void mm_end(struct machine *m);

// What a mapping of these rights makes of its pages' entries, before anybody wrote to one: a private
// page is read-only until then.
uint32_t user_page_prot(unsigned rights);
// A page of zeros at a user address, as the fault of an access does; write: a write to it. -ENOMEM,
// -EINVAL: no user address, or there is a page.
int mm_map_page(struct machine *m, kaddr_t addr, unsigned rights, bool write);

// An access of the process to [addr, addr + size) of the vmalloc space: every 4 MiB window it did not
// know of costs it one fault. Returns how many; -EFAULT: the master has no table there, either.
int mm_touch(struct machine *m, kaddr_t addr, size_t size);

uint32_t mm_pte_of(const struct machine *m, kaddr_t addr); // entry of a user page, 0 none
int mm_check(struct machine *m, char *why, size_t size);
int mm_safe(struct machine *m, char *why, size_t size); // the part machine_safe asks for
