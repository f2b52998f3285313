// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Folded stacks: "main;build;make_node 1000", one line a stack, for flamegraph.pl and its kin.
#include <stdlib.h>

#include "export.h"

static void line(void *ctx, const struct site_figures *f, const struct site_frame *frame,
		 unsigned n)
{
	struct export *x = ctx;
	uint64_t value = measure_of(x->measure, f);
	if (!value)
		return;
	while (n--) {
		g_autofree char *name = export_plain(frame[n].function, ';', ':');
		fprintf(x->out, "%s%s", name, n ? ";" : "");
	}
	fprintf(x->out, " %llu\n", (unsigned long long)value);
}

int export_folded(struct export *x)
{
	export_stacks(x, line, x);
	return EXIT_SUCCESS;
}
