// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The flame graph's share of tooltips.
#pragma once

#include "pen.h"

// All figures of a call of the model's tree, exactly; false: there is none.
bool call_describe(const struct calltree *t, uint64_t id, char *buf, size_t size);
