// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Translation of what models and pictures say, without GLib.
#pragma once

#include <libintl.h>

#define _(text)	 gettext(text)
#define N_(text) text // translated where it is shown
