// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// A copy of a machine's memory to go back to: the pages that hold something, some MiB of a machine's
// hundreds. Taking and restoring cost what copying them does.
#pragma once

#include <stddef.h>

struct checkpoint;

struct checkpoint *checkpoint_create(void);    // NULL: no memory
void checkpoint_destroy(struct checkpoint *c); // NULL is fine
// Takes the place of what was copied before. -ENOMEM: the checkpoint holds nothing.
int checkpoint_take(struct checkpoint *c, const void *memory, size_t size);
// memory: the same, or as large; afterwards it is as it was when taken.
void checkpoint_restore(const struct checkpoint *c, void *memory);
