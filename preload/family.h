// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// malloc and free for the other names of the family; frame: the entry's own frame address.
#pragma once

#include <stddef.h>

void *family_alloc(size_t size, size_t align, void *frame); // NULL and ENOMEM
void family_free(void *p, void *frame);
