// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Texts of a program as other formats want them; they may hold anything but NUL.
#pragma once

#include <glib.h>

char *json_quote(const char *t);	     // with its quotes; broken UTF-8 is replaced. g_free
void csv_quote(GString *out, const char *t); // appended, as RFC 4180 has it
