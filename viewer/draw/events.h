// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Texts of event rows and stack frames, shared with the events page of the window.
#pragma once

#include "pen.h"

// What is worth saying besides kind, address and size: "order 3", "GFP_KERNEL", "machine full".
void event_detail(const struct event_row *r, char *buf, size_t size);
// "list.c:214", "libfoo.so+0x1c0"; "" when nothing is known.
void frame_place(const struct frame *f, char *buf, size_t size);
