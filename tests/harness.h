// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The whole test harness: TAP on stdout. CHECK counts inside a test; a failed one ends the test.
#pragma once

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int tap_count, tap_failed;
static jmp_buf tap_abort;

#define CHECK(cond) \
	do { \
		if (!(cond)) { \
			printf("# %s:%d: %s\n", __FILE__, __LINE__, #cond); \
			longjmp(tap_abort, 1); \
		} \
	} while (0)

#define CHECK_EQ(a, b) \
	do { \
		long long a_ = (long long)(a), b_ = (long long)(b); \
		if (a_ != b_) { \
			printf("# %s:%d: %s is %lld (0x%llx), expected %s = %lld (0x%llx)\n", __FILE__, \
			       __LINE__, #a, a_, a_, #b, b_, b_); \
			longjmp(tap_abort, 1); \
		} \
	} while (0)

#define CHECK_STR(a, b) \
	do { \
		const char *a_ = (a), *b_ = (b); \
		if (strcmp(a_, b_)) { \
			printf("# %s:%d: %s is \"%s\", expected \"%s\"\n", __FILE__, __LINE__, #a, a_, b_); \
			longjmp(tap_abort, 1); \
		} \
	} while (0)

#define RUN(test) \
	do { \
		tap_count++; \
		if (!setjmp(tap_abort)) { \
			test(); \
			printf("ok %d - %s\n", tap_count, #test); \
		} else { \
			tap_failed++; \
			printf("not ok %d - %s\n", tap_count, #test); \
		} \
		fflush(stdout); \
	} while (0)

#define DONE() (printf("1..%d\n", tap_count), tap_failed != 0)
