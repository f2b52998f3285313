// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// A recording changed by an input: cells, rows, columns, records in logs, pages in keyframes,
// definitions of tables and views, and last bytes of the file.
#pragma once

#include "base.h"
#include "fuzz.h"

void fuzz_edit_init(const struct fuzz_base *b);
// The base recording as the input changes it, at path.
void fuzz_edit(struct fuzz_input *in, const char *path);
