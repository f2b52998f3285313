// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Whether the loader will put our library into a program, found out before running it.
#pragma once

#include <limits.h>

struct program_check {
	char path[PATH_MAX]; // what execve gets
	char err[512];	     // a sentence for the user when it cannot be recorded
};

// 0: can be recorded. Otherwise the exit status of `record`: 127 not found, 126 not executable,
// 2 it could run, but not with the library (static, set-user-ID, 32-bit ...).
int program_check(const char *program, struct program_check *c);
