// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// What people type to see some of the events: "malloc size>4k thread:2 failed" and the like.
#pragma once

#include "../db/reader_search.h"

// Words, all of which must hold; "" lets everything through:
//   malloc, mmap ...    the call           path:vmalloc      who served it
//   size>4k, size:100   bytes asked for    thread:2  cpu:1   who called
//   failed              got no memory      addr:0xc0101000   operand, or addr:FROM-TO
//   zone:HighMem       moved its pages     gfp:HIGHMEM       flags, by part of their names
//   stack:17            this backtrace     events:100-2000   these events
//   func:NAME or a word that is no call    a function of the backtrace, by part of its name
// false: a sentence in err says which word is not understood.
bool filter_parse(const char *text, struct event_filter *f, char *err, size_t size);
