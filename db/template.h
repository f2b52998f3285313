// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// A booted machine to begin with: its memory, and what goes into the recording of it.
#pragma once

#include "codec.h"

struct boot_template;
// The one in *t, made anew where the configuration is another one. NULL: it cannot be made; then each
// process boots.
struct boot_template *template_get(struct boot_template **t, const struct machine_config *cfg);
void template_free(struct boot_template *t); // NULL is fine; mappings stay
// Lays it over memory of zeros. False: it failed half way, and the memory is of no use.
bool template_map(const struct boot_template *t, char *memory, size_t size);
const void *template_keyframe(const struct boot_template *t, size_t *size); // the full one
// Of that memory, as if it had made this keyframe. NULL: no memory.
struct keyframer *template_keyframer(const struct boot_template *t, const void *memory);
