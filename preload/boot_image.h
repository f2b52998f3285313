// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The machine booted by whoever started us (core/session.h): boot_image.c.
#pragma once

#include "preload.h"

// Memory of `size` bytes with the machine process.opt asks for, private to this process. NULL: there is
// none, or it is another machine: boot.
void *boot_image_map(size_t size);
