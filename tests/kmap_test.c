// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// kmap, the page_address hash and kmap_atomic: the numbers of the reference.
#include "vm_box.h"

// --- kmap ------------------------------------------------------------------------------------

static void test_kmap_slots(void)
{
	struct machine *m = boot(MODEL_3_4, 1024 * MiB, 1);
	struct kmap_state *k = &m->s->kmap;
	pfn_t p = m->s->max_low_pfn;

	CHECK_EQ(kmap(m, 100), 0xC0064000); // lowmem: its own address
	CHECK_EQ(kunmap(m, 100), 0);
	CHECK_EQ(kmap(m, m->s->max_pfn), 0);
	CHECK_EQ(page_address(m, p), 0);
	CHECK_EQ(kmap(m, p), 0xFF801000);
	CHECK_EQ(kmap(m, p + 1), 0xFF802000);
	CHECK_EQ(kmap(m, p), 0xFF801000);
	CHECK_EQ(k->pkmap_count[1], 3);
	CHECK_EQ(k->in_use, 2);
	CHECK_EQ(pte_of(m, 0xFF801000), p << 12 | PAGE_KERNEL);
	CHECK_EQ(kunmap(m, p), 0);
	CHECK_EQ(kunmap(m, p), 0);
	CHECK_EQ(k->pkmap_count[1], 1);
	CHECK_EQ(kunmap(m, p), -EINVAL);
	CHECK_EQ(page_address(m, p), 0xFF801000); // until the flush
	CHECK_EQ(kmap(m, p), 0xFF801000);
	CHECK_EQ(kunmap(m, p), 0);
	check_all(m);
	kmap_flush_unused(m);
	CHECK_EQ(page_address(m, p), 0);
	CHECK_EQ(page_address(m, p + 1), 0xFF802000);
	check_all(m);
}

static void test_kmap_wrap_and_full(void)
{
	struct machine *m = boot(MODEL_3_4, 1024 * MiB, 1);
	pfn_t p = m->s->max_low_pfn;

	for (unsigned i = 0; i < 1023; i++)
		CHECK_EQ(kmap(m, p + i), 0xFF801000 + i * 4096);
	CHECK_EQ(kunmap(m, p + 5), 0);
	CHECK_EQ(kmap(m, p + 1023), 0xFF800000); // wraps to slot 0, and the flush freed slot 6
	CHECK_EQ(page_address(m, p + 5), 0);
	check_all(m);
	CHECK_EQ(kmap(m, p + 1024), 0xFF806000);
	CHECK_EQ(kmap(m, p + 1025), 0); // the kernel would sleep
	CHECK_EQ(m->s->kmap.in_use, 1024);
	CHECK_EQ(kmap(m, p + 7), 0xFF808000); // a mapped page needs no window
	check_all(m);
}

static struct trace_event Queue[8];
static unsigned NQueue;

static void note_queue(struct machine *m, const struct trace_event *t)
{
	(void)m;
	if ((t->kind == EV_T_KMAP_WAIT || t->kind == EV_T_KMAP_WAKE) && NQueue < 8)
		Queue[NQueue++] = *t;
}

static void queued(unsigned kind, uint32_t count, uint32_t task)
{
	CHECK_EQ(NQueue, 1);
	CHECK_EQ(Queue[0].kind, kind);
	CHECK_EQ(Queue[0].count, count);
	CHECK_EQ(Queue[0].value, task);
	NQueue = 0;
}

// Wrap, flush, wait, wake: who finds no window queues; the last user's kunmap wakes all, and one of
// them gets the window.
static void test_kmap_waits(void)
{
	static const struct machine_ops noting = {.trace = note_queue};
	struct machine *m = boot(MODEL_3_4, 1024 * MiB, 2);
	pfn_t p = m->s->max_low_pfn;
	kaddr_t a = 1;

	for (unsigned i = 0; i < 1024; i++)
		CHECK_EQ(kmap_wait(m, p + i, 7, &a), 0);
	CHECK_EQ(a, 0xFF800000);
	CHECK_EQ(kmap(m, p + 9), 0xFF80A000); // two users
	m->ops = &noting;
	NQueue = 0;
	CHECK_EQ(kmap_wait(m, p + 2000, 7, &a), -EAGAIN);
	CHECK_EQ(a, 0);
	queued(EV_T_KMAP_WAIT, 1, 7);
	CHECK_EQ(kmap_wait(m, p + 2001, 8, &a), -EAGAIN);
	queued(EV_T_KMAP_WAIT, 2, 8);
	CHECK_EQ(kmap_wait(m, p + 2001, 8, &a), -EAGAIN); // it has its place
	queued(EV_T_KMAP_WAIT, 2, 8);
	check_all(m);
	CHECK_EQ(kunmap(m, p + 9), 0); // a user is left
	CHECK(kmap_waiting(m, 7) && kmap_waiting(m, 8) && !kmap_waiting(m, 9));
	CHECK_EQ(NQueue, 0);
	CHECK_EQ(kunmap(m, p + 9), 0);
	queued(EV_T_KMAP_WAKE, 2, 0);
	CHECK(!kmap_waiting(m, 7) && !kmap_waiting(m, 8));
	CHECK_EQ(kmap_wait(m, p + 2001, 8, &a), 0); // after the flush at the wrap
	CHECK_EQ(a, 0xFF80A000);
	CHECK_EQ(page_address(m, p + 9), 0);
	CHECK_EQ(kmap_wait(m, p + 2000, 7, &a), -EAGAIN);
	queued(EV_T_KMAP_WAIT, 1, 7);
	check_all(m);
	kmap_wait_end(m, 7);
	kmap_wait_end(m, 7);
	CHECK(!kmap_waiting(m, 7));
	CHECK_EQ(kmap_wait(m, 100, 7, &a), 0); // lowmem never waits
	CHECK_EQ(a, 0xC0064000);
	CHECK_EQ(kmap_wait(m, m->s->max_pfn, 7, &a), -EINVAL);
	for (unsigned i = 1; i <= KMAP_WAITERS; i++)
		CHECK_EQ(kmap_wait(m, p + 3000, i, &a), -EAGAIN);
	CHECK_EQ(kmap_wait(m, p + 3000, 1000, &a), -ENOBUFS);
	kmap_wait_end(m, 3);
	CHECK_EQ(kmap_wait(m, p + 3000, 1000, &a), -EAGAIN);
	CHECK_EQ(m->s->kmap.waiter[2].task, 4);
	m->ops = &machine_ops_none;
	check_all(m);
}

static void test_page_address_hash(void)
{
	struct machine *m = boot(MODEL_3_4, 1024 * MiB, 1);
	struct kmap_state *k = &m->s->kmap;

	k->mem_map = 0xF6EF9000; // a machine whose buckets are known: pfn 259425 is in 81
	kmap(m, 259425);
	kmap(m, 259540);
	CHECK_EQ(k->hash_head[81], 2); // slot 1
	CHECK_EQ(k->hash_head[124], 3);
	CHECK_EQ(k->hash_tail[124], 3);
	check_all(m);
}

static void test_kmap_marks_the_page(void)
{
	struct machine *m = boot(MODEL_CLASSIC, 1024 * MiB, 1);
	pfn_t p = alloc_pages(m, GFP_HIGHUSER, 0);
	kaddr_t a = kmap(m, p);

	CHECK_EQ(pfn_to_page(m, p)->mapping, a);
	CHECK(pfn_to_page(m, p)->flags & 1u << PG_mapped_kernel);
	CHECK_EQ(kunmap(m, p), 0);
	CHECK_EQ(pfn_to_page(m, p)->mapping, 0); // so that it can be freed before the flush
	__free_pages(m, p, 0);
	check_all(m);
}

// --- kmap_atomic -----------------------------------------------------------------------------

static void test_atomic_addresses(void)
{
	struct machine *m = boot(MODEL_3_4, 1024 * MiB, 2), cpu1;
	pfn_t p = m->s->max_low_pfn;

	CHECK_EQ(machine_attach(&cpu1, box.memory, box.size, 1, &machine_ops_none, NULL), 0);
	CHECK_EQ(kmap_atomic(m, 5), 0xC0005000);
	CHECK_EQ(m->s->kmap.atomic_depth[0], 0);
	CHECK_EQ(kmap_atomic(m, p), 0xFFFB9000);
	CHECK_EQ(kmap_atomic(m, p + 1), 0xFFFB8000);
	CHECK_EQ(kmap_atomic(&cpu1, p + 2), 0xFFFA5000);
	CHECK_EQ(pte_of(m, 0xFFFB8000), (p + 1) << 12 | PAGE_KERNEL);
	CHECK_EQ(page_address(m, p), 0); // not in the hash
	check_all(m);
	CHECK_EQ(kunmap_atomic(m, 0xFFFB9000), -EINVAL); // not the top
	CHECK_EQ(kunmap_atomic(m, 0xFFFA5000), -EINVAL); // another CPU's
	CHECK_EQ(kunmap_atomic(m, 0xFFFB8000), 0);
	CHECK_EQ(kunmap_atomic(m, 0xFFFB9000), 0);
	CHECK_EQ(kunmap_atomic(m, 0xC0005000), 0);
	CHECK_EQ(kunmap_atomic(m, 0xFFFB9000), -EINVAL);
	CHECK_EQ(pte_of(m, 0xFFFB9000), 0);
	CHECK_EQ(kunmap_atomic(&cpu1, 0xFFFA5000), 0);
	check_all(m);
}

static void test_atomic_depth_is_bounded(void)
{
	struct machine *m = boot(MODEL_3_4, 1024 * MiB, 1);
	pfn_t p = m->s->max_low_pfn;

	for (unsigned i = 0; i < 20; i++)
		CHECK_EQ(kmap_atomic(m, p + i), 0xFFFB9000 - i * 4096);
	CHECK_EQ(kmap_atomic(m, p), 0);
	clear_highpages(m, p, 4, 1); // no window left: nothing happens
	CHECK_EQ(m->s->kmap.atomic_pairs[0], 0);
	check_all(m);
}

static void test_atomic_runs(void)
{
	struct machine *m = boot(MODEL_3_4, 1024 * MiB, 1);
	pfn_t p = m->s->max_low_pfn;

	m->ops = &log_ops;
	log_len = 0;
	clear_highpages(m, p + 9, 10, -1);
	CHECK_EQ(m->s->kmap.atomic_pairs[0], 10);
	clear_highpages(m, p + 4, 10, -1); // the last five are lowmem
	CHECK_EQ(m->s->kmap.atomic_pairs[0], 15);
	clear_highpages(m, 1000, 10, 1);
	CHECK_EQ(log_len, 2);
	copy_highpages(m, p, p + 100, 3);
	CHECK_EQ(m->s->kmap.atomic_pairs[0], 21);
	copy_highpages(m, 1000, p, 3); // to lowmem: one window a page
	CHECK_EQ(m->s->kmap.atomic_pairs[0], 24);
	CHECK_EQ(log_len, 4);
	m->ops = &machine_ops_none;
	check_all(m);
}

static void expect_complaint(struct machine *m, void *word, size_t size, uint32_t value)
{
	uint32_t was = 0;
	char why[256] = "";

	memcpy(&was, word, size);
	memcpy(word, &value, size);
	CHECK_EQ(kmap_check(m, why, sizeof(why)), -EINVAL);
	CHECK(why[0]);
	memcpy(word, &was, size);
	check_all(m);
}

static void test_checker_notices(void)
{
	struct machine *m = boot(MODEL_3_4, 1024 * MiB, 1);
	struct kmap_state *k = &m->s->kmap;
	pfn_t p = m->s->max_low_pfn;

	kmap(m, p);
	kmap(m, p + 128);
	kmap_atomic(m, p);
	expect_complaint(m, &k->pkmap_count[1], 2, 0);
	expect_complaint(m, &k->pkmap_count[2], 2, 1);
	expect_complaint(m, &k->pkmap_pfn[1], 4, p + 3);
	expect_complaint(m, &k->in_use, 4, 3);
	expect_complaint(m, &k->hash_prev[1], 2, 9);
	expect_complaint(m, &k->waiters, 4, 1);
	expect_complaint(m, &k->waiters, 4, KMAP_WAITERS + 1);
	expect_complaint(m, &k->atomic_depth[0], 4, 0);
	expect_complaint(m, &k->atomic_pfn[0][0], 4, p + 1);
	expect_complaint(m, &m->pte[(0xFF801000 - 0xC0000000) >> 12], 4, 0);
	expect_complaint(m, &m->pte[(0xFF801000 - 0xC0000000) >> 12], 4,
			 (p + 7) << 12 | PAGE_KERNEL);
}

int main(void)
{
	RUN(test_kmap_slots);
	RUN(test_kmap_wrap_and_full);
	RUN(test_kmap_waits);
	RUN(test_page_address_hash);
	RUN(test_kmap_marks_the_page);
	RUN(test_atomic_addresses);
	RUN(test_atomic_depth_is_bounded);
	RUN(test_atomic_runs);
	RUN(test_checker_notices);
	return DONE();
}
