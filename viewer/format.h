// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Figures as text, and positions typed by people.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Returned by value, so that calls nest: printf("%s of %s", fmt_count(a).s, fmt_count(b).s).
struct text64 {
	char s[64];
};

struct text64 fmt_count(uint64_t n);			// "1,234,567"
struct text64 fmt_bytes(uint64_t bytes);		// "4.8 MiB"
struct text64 fmt_pages(uint64_t pages);		// "1,234 pages · 4.8 MiB"
struct text64 fmt_time_exact(int64_t ns);		// "3.214001 s"
struct text64 fmt_time(int64_t ns);			// "3.214 s"
struct text64 fmt_share(uint64_t part, uint64_t whole); // "12.3 %"

enum position_kind {
	POSITION_EVENT,
	POSITION_TIME,
	POSITION_START, // the booted machine
	POSITION_PEAK,	// most bytes alive
	POSITION_END,
	POSITION_PFN,
	POSITION_ADDRESS
};
struct position {
	enum position_kind kind;
	uint64_t value; // event, ns, pfn or address
};

// Understands "#123", "123", "3.2s", "250ms", "start", "peak", "end", "pfn:1a2b" and "0xc0101000".
bool position_parse(const char *text, struct position *p);
