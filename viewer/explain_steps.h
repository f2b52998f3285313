// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The sentences of single transitions, for explain.c.
#pragma once

#include "explain.h"
#include "format.h"

// The numbers of one transition; "" for what is none (hostile recordings).
void explain_step(const struct view_model *v, const struct trace_event *t, char *buf, size_t size);
// Name of a cache, or "cache 12" when it is gone.
struct text64 explain_cache(const struct view_model *v, unsigned id);
