// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "capture.h"

uint32_t capture_stack(struct thread *t, const void *ret, const void *cfa, const void *fp,
		       uint32_t *flags)
{
	uintptr_t ip = (uintptr_t)ret;

	(void)t;
	(void)cfa;
	(void)fp;
	*flags |= OPF_EARLY;
	return depot_intern(&ip, 1);
}

uintptr_t capture_site(uint32_t stack)
{
	struct session_header *h = process.session;

	if (!h || !stack || stack >= h->max_nodes)
		return 0;
	return depot_nodes(h)[stack].ip;
}
