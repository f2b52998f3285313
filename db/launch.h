// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Starting a program with the library: what `record` and `run` share.
#pragma once

#include <stddef.h>

#include "../core/session.h"
#include "record_check.h"

// The library's path; NULL after a message when it is not there or cannot be preloaded.
char *launch_library(void);
// Becomes the program. Returns errno when that failed. session: what the library finds in its
// environment; boot: descriptor of a boot image (core/session.h), -1 none.
int launch_exec(const struct program_check *c, char *const *argv, const char *library,
		const char *session, int boot);
// Options of a run that nothing records, as such a session. To be freed; NULL: no memory.
char *launch_options(const struct session_options *o);
