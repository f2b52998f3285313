// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Prints core/DECISIONS.md.
#include <stdio.h>

#include "core/decide.h"

int main(void)
{
	static char page[16384];

	if ((size_t)decision_page(page, sizeof(page)) >= sizeof(page))
		return 1;
	fputs(page, stdout);
	return fflush(stdout) != 0;
}
