// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The conversion step of the memory map, apart so that it can be tested and timed.
#pragma once

#include "pen.h"

// States of n frames to ARGB32 pixels, one per per_cell frames.
void map_convert(const uint8_t *state, uint32_t n, unsigned per_cell, const struct palette *pal,
		 uint32_t *pixels);
