// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Texts into a caller's buffer, counting on when it is full, as snprintf does.
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

struct text {
	char *buf;
	size_t size;
	int len; // so far, whether it fitted or not
};

__attribute__((format(printf, 2, 3))) static inline void put(struct text *t, const char *format,
							     ...)
{
	size_t used = (size_t)t->len < t->size ? (size_t)t->len : t->size;
	va_list args;

	va_start(args, format);
	t->len += vsnprintf(t->size ? t->buf + used : NULL, t->size - used, format, args);
	va_end(args);
}
