// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// What the kernel would have logged while this machine booted (reference 1.6, 2).
//
// The lines about memory, in the kernel's order and words, from the machine's configuration and
// from what does not change after boot; the lines about other devices are left out.
#pragma once

#include "machine.h"

// At most size bytes, NUL-terminated; returns the full length, as snprintf does.
int boot_log(const struct machine *m, char *buf, size_t size);
