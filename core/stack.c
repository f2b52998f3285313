// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Kernel stacks and task_structs of threads.
#include "stack.h"

#include <errno.h>

#include "buddy.h"
#include "fold.h"
#include "machine.h"

// Counts the stack in its zone and remembers (delta 1) or forgets (-1) its task.
static int account_kernel_stack(struct machine *m, kaddr_t addr, kaddr_t task, int delta)
{
	struct page *p;
	pfn_t pfn;

	if (!is_lowmem(m, addr) || addr % THREAD_SIZE || !task || (delta != 1 && delta != -1))
		return -EILSEQ;
	pfn = lowmem_pfn(m, addr);
	p = pfn_to_page(m, pfn);
	if (p->mapping != (delta > 0 ? 0 : task) ||
	    page_flags(p) & (1u << PG_slab | 1u << PG_buddy))
		return -EILSEQ;
	p->mapping = delta > 0 ? task : 0;
	m->s->zone[page_zonenum(m, pfn)].vm_stat[NR_KERNEL_STACK] += delta;
	return 0;
}

int KERNEL_STACK_apply(struct machine *m, const struct record *r)
{
	kaddr_t addr = r->arg[0];

	if (!is_lowmem(m, addr) || r->lock != LOCK_ZONE + page_zonenum(m, lowmem_pfn(m, addr)))
		return -EILSEQ;
	return account_kernel_stack(m, addr, r->arg[1], (int)r->arg[2]);
}

// The zone's lock protects the counter; the page is the caller's.
static int account_step(struct machine *m, kaddr_t addr, kaddr_t task, int delta)
{
	unsigned lock = LOCK_ZONE + page_zonenum(m, lowmem_pfn(m, addr));
	int err;

	step_begin(m, lock);
	err = account_kernel_stack(m, addr, task, delta);
	if (err)
		step_cancel(m, lock);
	else
		step_end(m, lock, EV_KERNEL_STACK, addr, task, (uint32_t)delta, 0, 0, 0);
	return err;
}

// task_struct first, then the stack, as dup_task_struct does.
kaddr_t alloc_kernel_stack(struct machine *m)
{
	kaddr_t task = kmem_cache_alloc(m, m->s->task_struct_cache, GFP_KERNEL), addr;

	if (!task)
		return 0;
	addr = __get_free_pages(m, GFP_KERNEL, THREAD_ORDER);
	if (!addr) {
		kmem_cache_free(m, m->s->task_struct_cache, task);
		return 0;
	}
	account_step(m, addr, task, 1);
	return addr;
}

// The frame knows its task, so the stack's address is all a caller must keep.
int free_kernel_stack(struct machine *m, kaddr_t addr)
{
	kaddr_t task;

	if (!is_lowmem(m, addr) || addr % THREAD_SIZE)
		return -EINVAL;
	task = pfn_to_page(m, lowmem_pfn(m, addr))->mapping;
	if (!task || account_step(m, addr, task, -1))
		return -EINVAL;
	free_pages(m, addr, THREAD_ORDER);
	kmem_cache_free(m, m->s->task_struct_cache, task);
	return 0;
}

kaddr_t alloc_sighand(struct machine *m)
{
	return kmem_cache_alloc(m, m->s->sighand_cache, GFP_KERNEL);
}

void kernel_stack_init(struct machine *m)
{
	m->s->task_struct_cache = kmem_cache_create(m, "task_struct", TASK_STRUCT_SIZE, TASK_ALIGN,
						    SLAB_PANIC | SLAB_NOTRACK);
	m->s->sighand_cache = kmem_cache_create_ctor(
		m, "sighand_cache", SIGHAND_SIZE, 0,
		SLAB_HWCACHE_ALIGN | SLAB_PANIC | SLAB_DESTROY_BY_RCU | SLAB_NOTRACK, CTOR_SIGHAND);
}
