// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// A range of frames that was picked out on the map: HIT_PAGES, FOCUS_PAGES.
#pragma once

#include "draw.h"

uint64_t page_range(pfn_t a, pfn_t b); // the id of the frames between, both included
pfn_t page_range_first(uint64_t id);
pfn_t page_range_last(uint64_t id);
// How many of what they are: states, caches, orders of free blocks, areas. False: no such frames.
bool page_range_describe(const struct view_model *v, uint64_t id, char *buf, size_t size);
