// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Runs what may call exit, which comes back to the caller instead.
#pragma once

void fuzz_until_exit(void (*what)(void *arg), void *arg);
