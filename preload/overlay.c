// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Host mappings the program laid over its own areas and windows with MAP_FIXED.
//
// The area keeps its pages until it is unmapped, for its addresses must not be given out again. But the
// program's mapping ended where the new one began, and that is what the records say.
#include <stdatomic.h>

#include "map.h"

enum {
	OVERLAYS = 256,
	PATIENCE = 1 << 20
};

// Guarded by `busy`. Disjoint; start 0: free.
static struct {
	kaddr_t start, end;
} overlay[OVERLAYS];
static atomic_flag busy = ATOMIC_FLAG_INIT;
static _Atomic uint32_t highest; // entries in use are below

// A handler's jump or a fork may have left it taken for good; then only records can suffer.
static void take(void)
{
	for (unsigned i = 0;
	     atomic_flag_test_and_set_explicit(&busy, memory_order_acquire) && i < PATIENCE; i++)
		__builtin_ia32_pause();
}

static void give(void)
{
	atomic_flag_clear_explicit(&busy, memory_order_release);
}

static void add(kaddr_t start, kaddr_t end)
{
	for (unsigned i = 0; start < end && i < OVERLAYS; i++)
		if (!overlay[i].start) {
			overlay[i].start = start;
			overlay[i].end = end;
			if (i >= highest)
				highest = i + 1;
			return;
		}
}

void overlay_cut(kaddr_t start, kaddr_t end)
{
	if (!highest)
		return;
	take();
	for (unsigned i = 0; i < highest; i++) {
		kaddr_t s = overlay[i].start, e = overlay[i].end;
		if (!s || s >= end || e <= start)
			continue;
		overlay[i].start = 0;
		add(s, s < start ? start : s);
		add(e > end ? end : e, e);
	}
	give();
}

void overlay_add(kaddr_t start, kaddr_t end)
{
	overlay_cut(start, end);
	take();
	add(start, end);
	give();
}

bool overlay_run(kaddr_t a, uint32_t *pages)
{
	kaddr_t end = a + (*pages << PAGE_SHIFT);
	bool inside = false;

	if (!highest)
		return false;
	take();
	for (unsigned i = 0; i < highest; i++) {
		kaddr_t s = overlay[i].start, e = overlay[i].end;
		if (s && s <= a && a < e) {
			inside = true;
			end = e < end ? e : end;
		} else if (s > a && s < end) {
			end = s;
		}
	}
	give();
	*pages = (end - a) >> PAGE_SHIFT;
	return inside;
}
