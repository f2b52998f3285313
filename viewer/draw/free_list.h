// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The blocks of the free list that was picked, as a card below its zone's.
#pragma once

#include "pen.h"

// 0: no list was asked for.
double free_list_height(const struct view_model *v, double w);
void free_list_card(struct pen *p, double x, double y, double w, double top, double bottom);
