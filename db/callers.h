// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Callers in a text of /proc/vmallocinfo: the machine writes stack ids, " 0xID" behind the size.
#pragma once

#include <stdio.h>

#include "reader.h"

// Writes the text with what called malloc or mmap in the ids' place, as the kernel's %pS prints a return
// address: "symbol+0xplace/0xsize", and " [library]" where it is not in the program itself. What has no
// symbol is called by its place in the file.
void print_with_callers(FILE *out, struct recording *r, int process, const char *text);
