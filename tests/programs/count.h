// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The counters of count.c, in file order.
#pragma once

enum counter {
	COUNT_MALLOC, COUNT_CALLOC, COUNT_REALLOC, COUNT_FREE, COUNT_FREE_NULL, COUNT_MEMALIGN,
	COUNT_MMAP, COUNT_MUNMAP, COUNT_MREMAP, COUNT_MPROTECT, COUNT_MADVISE, COUNTERS,
};
