// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Marks of the program (kalloscope.h): an event of their own, their text before it.
#include "kalloscope.h"

#include <string.h>

#include "entry.h"

enum {
	MARK_MAX = 1000 // bytes; what the recorder keeps of a text
};

// Inside a handler that interrupted the machine, or while nothing is recorded, a mark is nothing.
__attribute__((visibility("default"))) void kalloscope_mark_text(const char *text)
{
	struct call c;
	enum service s = call_begin(&c, EV_MARK, ENTRY_FRAME);

	if (s > SERVE_HOST)
		return;
	if (process.slot && text) {
		call_lock(&c);
		capture_text(c.m, TEXT_MARK, text, strnlen(text, MARK_MAX));
		call_write(&c);
		call_unlock(&c);
	}
	call_end(&c);
}
