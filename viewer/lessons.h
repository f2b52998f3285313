// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Short texts that explain a mechanism of the kernel, for whoever asks why a step was made.
#pragma once

#include "../core/event.h"

struct lesson {
	const char *title, *text; // paragraphs are separated by an empty line
};

// The lesson behind a kind of transition; NULL: there is none.
const struct lesson *lesson_of(enum event_kind kind);
