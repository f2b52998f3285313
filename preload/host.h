// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// glibc's allocator behind ours: early calls, spills, pointers the machine never gave out.
#pragma once

#include <stdbool.h>
#include <stddef.h>

void *host_alloc(size_t size, size_t align, bool zero); // NULL and errno
void *host_realloc(void *p, size_t size);
void host_free(void *p);	   // errno preserved
size_t host_usable(const void *p); // bytes the program may use
